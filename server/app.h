/* server/app.h: an app file, compiled: settings, resources, routes.
 *
 * ab_shared holds what the process has once (databases with their threads, counters of upstreams); ab_app is
 * one worker's own copy of everything else, so that nothing is shared on the hot path. Both borrow the
 * sources. */
#ifndef AB_APP_H
#define AB_APP_H

#include "../dispatch/dispatcher.h"
#include "../handlers/kind.h"
#include "../handlers/sql/database.h"
#include "source.h"

struct ab_address {
	char host[64]; /* an address or "localhost"; brackets removed */
	uint16_t port;
};

struct ab_settings {
	struct ab_address listen;
	unsigned workers;         /* 0: one a core this process may run on */
	uint64_t deadline_ms;     /* of a request, from the end of its head; 5 s */
	uint64_t head_timeout_ms; /* 10 s */
	uint64_t body_timeout_ms; /* 10 s */
	uint64_t send_timeout_ms; /* 30 s */
	uint64_t max_body;        /* 1 MiB */
	unsigned max_connections; /* a process; 10000, never near the descriptor limit */
	unsigned max_in_flight;   /* runs a process; 1000 */
	unsigned max_fetches;     /* a run; 1000 */
	bool admin_on;
	bool admin_default; /* the app file did not name it: a taken port is only a warning */
	struct ab_address admin;
	bool access_log;    /* true */
	bool server_timing; /* false */
};

struct ab_shared;

/* Open the databases for this use, read the settings. Mistakes go to diags; NULL only without memory. */
struct ab_shared *ab_shared_open(
        const struct ab_sources *sources, enum ab_database_use use, struct ab_diags *diags);
/* Every app has been compiled: what was open for checks alone is closed. */
void ab_shared_loaded(struct ab_shared *shared);
/* After that, when they are to be served: start the threads that can get ready ahead of the first request.
 * Others start when they are needed. */
void ab_shared_start(struct ab_shared *shared);
/* After ab_env_fini of every worker. NULL is fine. */
void ab_shared_close(struct ab_shared *shared);
const struct ab_settings *ab_shared_settings(const struct ab_shared *shared);

struct ab_router;

struct ab_app {
	const struct ab_settings *settings;
	struct ab_env *env;
	struct ab_dispatcher *dispatcher;  /* the top one; includes are under it */
	struct ab_router *router;          /* routes.h */
	struct ab_app_parts *parts;        /* upstreams, sub-dispatchers, ...: private to app.c */
	struct ab_app_resource *resources; /* every compiled resource, for raw checks, plans and hints */
	size_t n_resources;
	bool accept_all;
	bool dev;
};

/* What the app remembers of a resource besides what the engine holds. */
struct ab_app_resource {
	const struct ab_resource *resource; /* in its dispatcher */
	const struct ab_kind *kind;
	const struct ab_conf_pair *pair; /* where it stands */
	struct ab_scope scope;           /* raws, request paths, positions of needs */
};

struct ab_app_options {
	bool accept_all;
	bool dev;
	bool open_needs; /* a need that nothing satisfies is no mistake: whoever runs the resource may give it
	                  */
};

/* Compile for one worker. Compile one app after another, before any worker runs: they share `shared`.
 * Mistakes go to diags; the app is to be used only when there are none. NULL: no memory. */
struct ab_app *ab_app_compile(const struct ab_sources *sources, struct ab_shared *shared, struct ab_env *env,
        const struct ab_app_options *options, struct ab_diags *diags);
void ab_app_destroy(struct ab_app *app);
const struct ab_app_resource *ab_app_find(const struct ab_app *app, const struct ab_resource *resource);

/* Compile one resource from its pair into `dispatcher`; also used for what a route makes of its own
 * (redirect, headers, cookies). False after mistakes. */
bool ab_app_add_resource(struct ab_app *app, const struct ab_source *source, struct ab_dispatcher *dispatcher,
        const struct ab_conf_pair *pair, struct ab_diags *diags);

#endif
