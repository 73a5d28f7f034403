/* handlers/kind.h: what a kind of resource is to the app file, and where it runs.
 *
 * A kind is one file (or folder) with a `struct ab_kind`, and one line in kind.c. Compiling happens once for
 * each worker, so nothing a compiled resource holds is shared between threads, and literals have counts of
 * their own. */
#ifndef AB_KIND_H
#define AB_KIND_H

#include "../dispatch/run.h"
#include "../dispatch/share.h"
#include "conf.h"
#include "deadline.h"
#include "scope.h"

struct ab_http;     /* http/http.h: the worker's libcurl multi */
struct ab_upstream; /* http/http.h */
struct ab_database; /* sql/database.h: shared by all workers, with threads of its own */
struct ab_sql;      /* sql/database.h: the worker's end of the databases */
struct ab_jq;       /* jq/jq.h: the worker's end of the threads for filters */
struct ab_native;   /* native.h: a C function of a module */

/* A worker's surroundings; one a thread, borrowed by everything compiled for that worker. */
struct ab_env {
	uv_loop_t *loop;
	struct ab_pool pool;
	struct ab_deadlines *deadlines;
	struct ab_http *http;
	struct ab_sql *sql;
	struct ab_jq *jq;
	unsigned worker; /* from 0 */
	/* A word to whoever develops the app; NULL: nobody is there to hear it. */
	void (*warn)(struct ab_env *env, const char *text);
	unsigned workers; /* how many there are; 0: one */
};

/* A request's surroundings: what ab_run_create is given as `context`. Lives in the request's arena. */
struct ab_context {
	struct ab_env *env;
	const char *request_id;  /* for the upstream header and the logs */
	const char *traceparent; /* a W3C traceparent to send on, or NULL */
	unsigned fetches;        /* started so far in this run, and in those nested in it */
	unsigned max_fetches;
	struct ab_share *share; /* equal reads go out once; NULL: there are none */
};

/* Count one more fetch. AB_EOVERLOAD when the run has used up server.max_fetches. */
static inline enum ab_code ab_context_fetch(struct ab_context *context, struct ab_error *err)
{
	if (context->fetches >= context->max_fetches)
		return ab_error_set(err, AB_EOVERLOAD,
		        "this run has started %u fetches, as many as server.max_fetches allows",
		        context->fetches);
	context->fetches++;
	return AB_OK;
}

/* A write begins, or has ended: what was read before, or by another nested run meanwhile, may no longer be
 * so. No work for a read. */
static inline void ab_context_write(const struct ab_call *call)
{
	if (AB_UNLIKELY(call->resource->writes))
		ab_share_forget(((const struct ab_context *)call->context)->share);
}

/* What a kind's compile is given, and where it puts the result. */
struct ab_compile {
	struct ab_env *env;
	struct ab_diags *diags;
	const char *name;            /* the resource's */
	const struct ab_conf *map;   /* its mapping: the kind key and all others */
	const struct ab_conf *value; /* under the kind key (for a plain literal: the literal itself) */
	struct ab_scope *scope;
	const char *dir;            /* paths are relative to this: the folder of the file it stands in */
	uint64_t timeout_ms;        /* `timeout` of the resource or defaults; 0: unset */
	const struct ab_conf *pass; /* `pass` (checked: a list of integers), or NULL */
	const struct ab_conf *raw;  /* `raw`: names that {+x} and {#x} may use, or NULL */
	bool writes;                /* the resource says `writes: true` */
	/* NULL after reporting, or when what is wrong with the upstream or database itself has been reported.
	 */
	struct ab_upstream *(*upstream)(struct ab_compile *compile, const char *name, size_t len);
	struct ab_database *(*database)(
	        struct ab_compile *compile, const char *name); /* NULL name: the only one */
	/* The plan of a nested run of `name` (for `call`), to be destroyed by the kind: `given` are always
	 * given there, and the reserved names known. NULL after reporting. The scope is told what of
	 * `request` it uses.
	 */
	struct ab_plan *(*nested)(struct ab_compile *compile, const char *name, struct ab_names given);
	/* Where slot `slot` of that plan is used as it comes (ab_raw), note so for the `needs` (by index)
	 * that it is made from. False without memory, reported. */
	bool (*nested_raws)(
	        struct ab_compile *compile, const struct ab_plan *plan, int slot, const bool *needs);
	/* The C function `name` of the modules in sight (native.h). False after reporting. */
	bool (*native)(struct ab_compile *compile, const char *name, struct ab_native *ret);
	void *app;        /* for these five */
	const char *item; /* the name under which `each` gives an item, or NULL */
	bool dev;         /* what is costly to check is checked */
	/* Results. The kind may set: config (freed by handler->free), writes, timeout_ms. */
	struct ab_resource *resource;
};

struct ab_kind {
	const char *name;
	const char *const *keys; /* its own keys besides the kind key, NULL-terminated */
	const struct ab_handler *handler;
	/* Fill compile->resource->config. Reports mistakes to compile->diags and returns false; nothing is
	 * left behind then. */
	bool (*compile)(struct ab_compile *compile);
	/* Whether a text in its needs may come into its value as it was, HTML unescaped. NULL: never. */
	bool (*passes_text)(const struct ab_resource *resource);
	/* For `plan`: one line on what it does, e.g. "GET catalog/products/{id}". May be NULL. No secrets. */
	void (*describe)(const void *config, char *buf, size_t size);
	/* Its value comes of its needs alone, though it may take time: never missing, never a write. */
	bool computes;
};

extern const struct ab_kind *const ab_kinds[]; /* NULL-terminated; kind.c */
const struct ab_kind *ab_kind_find(const char *name);

#endif
