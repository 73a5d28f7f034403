/* handlers/http/http.h: HTTP fetches by libcurl, on the worker's loop.
 *
 * A worker has one client (a curl multi whose sockets are uv_polls, kept armed and kept open); an upstream is a
 * named origin with its policy, compiled once a worker. curl.h stays inside this folder. */
#ifndef AB_HTTP_H
#define AB_HTTP_H

#include "../kind.h"

/* Process-wide; once, before any thread. Not thread-safe. */
AB_NODISCARD enum ab_code ab_http_global_init(struct ab_error *err);
void ab_http_global_fini(void);

struct ab_http *ab_http_create(struct ab_env *env);
/* All transfers must have ended. Closes polls and timers; run the loop until they are gone, then it frees itself. */
void ab_http_close(struct ab_http *http);
/* Counters for tests and metrics: transfers started, easy handles made, connections opened. */
struct ab_http_counts {
	uint64_t transfers, handles, connects;
};
void ab_http_counts(const struct ab_http *http, struct ab_http_counts *ret);

/* Limits an upstream shares between all workers of the process (max_in_flight), counted atomically. Made once a
 * process from the app's `upstreams` and handed to each worker's compile. */
struct ab_upstream_shared;

/* Compile the `upstreams:` entry `name`. `shared` points to where the process keeps this upstream's shared part:
 * created on first use, freed with ab_upstream_shared_unref. NULL when there were mistakes. */
struct ab_upstream *ab_upstream_compile(struct ab_env *env, const char *name, const struct ab_conf *conf,
	struct ab_upstream_shared **shared, const char *dir, struct ab_diags *diags);
void ab_upstream_destroy(struct ab_upstream *upstream);
void ab_upstream_shared_unref(struct ab_upstream_shared *shared);
const char *ab_upstream_name(const struct ab_upstream *upstream);

extern const struct ab_kind ab_kind_http;

#endif
