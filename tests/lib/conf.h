/* tests/lib/conf.h: trees of the app file from JSON text, for tests that see no YAML reader.
 *
 * A backtick stands for a double quote, so that C strings stay readable: "{`http`: `GET catalog/x`}". A
 * string of the form ${text} is `text` as if an environment variable had given it: secret, literal. Positions
 * are "test.yaml", line 1 and a column that counts nodes from 1. */
#ifndef TEST_CONF_H
#define TEST_CONF_H

#include "../../handlers/conf.h"

struct test_conf;

/* Ends the test's process when `text` is no JSON. */
struct test_conf *test_conf_create(const char *text);
/* NULL is fine. */
void test_conf_destroy(struct test_conf *conf);
const struct ab_conf *test_conf_root(const struct test_conf *conf);

/* The text with backticks made double quotes, for JSON; the caller frees it. */
char *test_quotes(const char *text);
/* The lines of the list joined by newlines, mistakes and hints; the caller frees it. */
char *test_diags(struct ab_diags *diags);

#endif
