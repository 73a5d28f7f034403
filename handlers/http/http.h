/* handlers/http/http.h: HTTP fetches by libcurl, on the worker's loop.
 *
 * A worker has one client; an upstream is a named origin with its policy, compiled once a worker, with a curl
 * multi of its own whose sockets are uv_polls, kept armed and kept open. curl.h stays inside this folder. */
#ifndef AB_HTTP_H
#define AB_HTTP_H

#include "../kind.h"

/* Process-wide; once, before any thread. Not thread-safe. */
AB_NODISCARD enum ab_code ab_http_global_init(struct ab_error *err);
void ab_http_global_fini(void);

struct ab_http *ab_http_create(struct ab_env *env);
/* Every upstream compiled for `env` must have been destroyed. NULL is fine. */
void ab_http_close(struct ab_http *http);
/* Counters for tests and metrics: transfers started, easy handles made, connections opened, polls made (one a
 * connection, one a name looked up), events on them. */
struct ab_http_counts {
	uint64_t transfers, handles, connects, polls, events;
};
void ab_http_counts(const struct ab_http *http, struct ab_http_counts *ret);

/* Limits an upstream shares between all workers of the process (max_in_flight), counted atomically. Made once
 * a process from the app's `upstreams` and handed to each worker's compile. */
struct ab_upstream_shared;

/* Compile the `upstreams:` entry `name`; relative paths start in `dir`. `shared` points to where the process
 * keeps this upstream's shared part: made when it is NULL (any thread may come first) and freed by the
 * process with ab_upstream_shared_unref; each upstream holds it as well. NULL when there were mistakes. */
struct ab_upstream *ab_upstream_compile(struct ab_env *env, const char *name, const struct ab_conf *conf,
        struct ab_upstream_shared **shared, const char *dir, struct ab_diags *diags);
/* Closes its connections: resources that use it first, then this; its transfers must have ended. Run the loop
 * once more to close the handles. NULL is fine. */
void ab_upstream_destroy(struct ab_upstream *upstream);
void ab_upstream_shared_unref(struct ab_upstream_shared *shared);
const char *ab_upstream_name(const struct ab_upstream *upstream);

extern const struct ab_kind ab_kind_http;

#endif
