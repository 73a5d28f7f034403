/* dispatch/resource.h: a resource, and the table of functions (a handler) that gets its value.
 *
 * A handler is shared by all resources of its kind; what is special to one resource is in `config`. The
 * engine calls `start` on the run's thread once all needs are there. The handler completes the call exactly
 * once, from inside `start` or later on the same thread, with ab_call_resolve_new, ab_call_resolve_text or
 * ab_call_fail. */
#ifndef AB_RESOURCE_H
#define AB_RESOURCE_H

#include "arena.h"
#include "error.h"

#include <jansson.h>

struct ab_run;
struct ab_resource;
struct ab_read;

/* A rendered text with its media type, e.g. "text/html; charset=utf-8". `data` is malloc'ed and
 * NUL-terminated beyond `len`; `media` is static or lives as long as the resource. */
struct ab_text {
	char *data;
	size_t len;
	const char *media;
};

/* One resource being got for one run. Lives in the run's arena until it has completed and the run is over. */
struct ab_call {
	struct ab_run *run;
	const struct ab_resource *resource;
	struct ab_arena *arena; /* the run's; ab_call keeps it alive until the call has completed */
	void *context;          /* what ab_run_create was given: the request's surroundings */
	json_t *const *needs; /* one borrowed value for each of resource->needs, in that order, never NULL */
	void *state;          /* the handler's own */
	struct ab_read *read; /* share.h's own: the read it leads or follows, or NULL */
	struct ab_call *follower;
};

struct ab_handler {
	const char *kind; /* "http", "sql", ...: for plans and messages */
	/* Begin. Must complete the call once, now or later. */
	void (*start)(struct ab_call *call);
	/* The result is no longer wanted: end as soon as possible. The call must still complete once, from
	 * inside cancel or later (any result will do, it is dropped). NULL for handlers that complete inside
	 * start. */
	void (*cancel)(struct ab_call *call);
	/* Free resource->config. May be NULL. */
	void (*free)(void *config);
};

enum ab_missing { AB_MISSING_FAILS, AB_MISSING_NULL };

/* All pointers are copied by ab_dispatcher_add except handler (static), config (taken) and fallback (taken).
 */
struct ab_resource {
	const char *name;
	const struct ab_handler *handler;
	void *config;
	const char *const *needs; /* names, in the order their values arrive; the same name is listed once */
	size_t n_needs;
	bool conditional; /* the last need decides: when it is false, the value is null and nothing starts */
	bool writes;      /* starts last, is left to finish, never cancelled */
	bool optional;    /* null when it fails */
	enum ab_missing missing; /* what AB_EMISSING means: a failure (status below) or null, undegraded */
	int missing_status;      /* 404 unless 401 or 403; 0 means 404 */
	json_t *fallback;        /* stands in when it fails, or NULL */
	const char *fallback_resource; /* name of a resource started only on failure, or NULL */
	uint64_t timeout_ms;           /* for plans only: the handler enforces it; 0: does not wait */
};

/* Complete a call with a value; steals `value`, also when the run no longer wants it. NULL means out of
 * memory. */
void ab_call_resolve_new(struct ab_call *call, json_t *value);
/* Complete with a rendered text; takes text->data. It becomes a json string only if something needs it as
 * one. */
void ab_call_resolve_text(struct ab_call *call, const struct ab_text *text);
/* Complete with a failure; `err` is copied. */
void ab_call_fail(struct ab_call *call, const struct ab_error *err);
/* Complete with a value in which something stands in for what failed with `cause` (copied): the resource
 * counts as degraded. Steals `value`. */
void ab_call_resolve_degraded_new(struct ab_call *call, json_t *value, const struct ab_error *cause);
/* The same with a rendered text; takes text->data. */
void ab_call_resolve_degraded_text(
        struct ab_call *call, const struct ab_text *text, const struct ab_error *cause);

#endif
