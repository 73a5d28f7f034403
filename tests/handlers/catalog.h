/* tests/handlers/catalog.h: a fake upstream named "catalog" and short ways to fetch from it. One test,
 * one fixture: it lives in this file's statics, in the test's own process. */
#ifndef CATALOG_H
#define CATALOG_H

#include "../../handlers/http/http.h"
#include "../lib/harness.h"
#include "../lib/upstream.h"

extern struct harness catalog_harness;
extern struct fake_upstream *catalog_fake;

/* Start everything. `settings`: further keys of the upstream, "`timeout`: `300ms`", or NULL. */
void catalog_open(const char *settings);
/* The same with an upstream that is not the fake one. */
void catalog_open_at(const char *url, const char *settings);
void catalog_close(void);
/* The same, but the fake upstream goes on: to open again with other settings. */
void catalog_close_client(void);

/* Try to compile an `upstreams:` entry; the mistakes, "" when there are none. The caller frees it. */
char *catalog_upstream_mistakes(const char *entry);

/* Add a resource of this mapping under a name of its own, which is returned (static). */
const char *catalog_add(const char *mapping);
/* catalog_add, harness_get. */
struct harness_run *catalog_get(const char *mapping, const char *given);
/* The value as compact JSON with sorted keys, or "CODE STATUS TEXT" of the error. The caller frees it. */
char *catalog_outcome(const struct harness_run *run);
char *catalog_get_outcome(const char *mapping, const char *given);
/* Fetch and compare the outcome; backticks in `expected` are double quotes. */
void catalog_expect(const char *mapping, const char *given, const char *expected);
/* Fetch from /echo: a part of what the upstream got, as in "headers.x_y": text, or NULL. The caller frees it.
 */
char *catalog_echo(const char *mapping, const char *given, const char *object, const char *key);

struct ab_http_counts catalog_counted(void);

#endif
