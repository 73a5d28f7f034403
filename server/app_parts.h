/* server/app_parts.h: what the files that compile an app share: app.c, app_*.c and shared.c. */
#ifndef AB_APP_PARTS_H
#define AB_APP_PARTS_H

#include "../handlers/http/http.h"
#include "../handlers/jq/jq.h"
#include "../handlers/native.h"
#include "../handlers/nested.h"
#include "../handlers/sql/database.h"
#include "app.h"

/* ---- shared.c ---- */

/* The database that the definition `pair` opened; NULL when opening it failed. */
struct ab_database *ab_shared_database(const struct ab_shared *shared, const struct ab_conf_pair *pair);
/* Where the process keeps what workers share of the upstream that `pair` defines. */
struct ab_upstream_shared **ab_shared_upstream(struct ab_shared *shared, const struct ab_conf_pair *pair);
/* The threads for filters. */
struct ab_jq_shared *ab_shared_jq(struct ab_shared *shared);

/* The threads for C functions that block, made when first asked for. NULL when out of memory. */
struct ab_threads *ab_shared_threads(struct ab_shared *shared);

/* ---- keys that any resource may have (app_generic.c) ---- */

enum ab_generic_missing { AB_GENERIC_UNSET, AB_GENERIC_STATUS, AB_GENERIC_NULL };

struct ab_generic {
	uint64_t timeout_ms; /* 0: unset */
	enum ab_generic_missing missing;
	int missing_status;
	const struct ab_conf *pass;     /* a checked list, or NULL */
	const struct ab_conf *fallback; /* a checked node, or NULL */
	bool has_optional, optional;
	bool has_writes, writes;
};

/* All generic keys, NULL-terminated: those that `defaults` may set first. */
extern const char *const ab_generic_keys[];
extern const size_t ab_generic_defaults; /* how many of them that is */
/* A key of a later version. */
bool ab_is_later_key(const char *key);

/* Read the keys that are there; `what` ("resource 'x'", "defaults") begins the messages. False after
 * mistakes. */
bool ab_generic_read(
        struct ab_generic *generic, const struct ab_conf *map, const char *what, struct ab_diags *diags);
/* What `own` leaves unset, from the file's defaults. */
void ab_generic_inherit(struct ab_generic *own, const struct ab_generic *defaults);
/* The fallback as a value (a new reference) or as a resource's name; both NULL when there is none. False: no
 * memory. */
bool ab_generic_fallback(const struct ab_conf *fallback, json_t **ret_value, const char **ret_resource);
/* Whether a key of ab_generic_keys has a meaning on a resource of this kind. */
bool ab_generic_fits(const char *key, const struct ab_kind *kind, const struct ab_conf *map);
/* Check a fallback, under the key `key`. False after mistakes. */
bool ab_generic_read_fallback(
        const struct ab_conf *fallback, const char *key, const char *what, struct ab_diags *diags);
/* Leave out what has no meaning on a resource of this kind. What stands in its own mapping is a mistake; what
 * came from `defaults` is none (diags NULL). */
bool ab_generic_check(struct ab_generic *own, const struct ab_kind *kind, const struct ab_conf *map,
        const char *what, struct ab_diags *diags);

/* ---- each, as, ... (app_each.c) ---- */

struct ab_app_source;

struct ab_each {
	struct ab_each_spec spec; /* spec.list NULL: there is none */
	struct ab_pos as_pos;
	bool one_by_one;                /* concurrency is not set */
	const struct ab_conf *fallback; /* of the whole */
	struct ab_dispatcher *inner; /* made when something else than the resource is to be in it; or NULL */
};

extern const char *const ab_each_keys[]; /* NULL-terminated */
/* Read the keys that are there. False after mistakes. */
bool ab_each_read(struct ab_each *each, const struct ab_conf *map, const char *what, struct ab_diags *diags);
/* Make a resource compiled for one item one for the list. Takes each->inner. False after mistakes. */
bool ab_each_wrap(
        struct ab_each *each, struct ab_scope *scope, struct ab_resource *resource, struct ab_diags *diags);

/* ---- if (app_condition.c) ---- */

/* What a condition hangs on. */
struct ab_condition {
	struct ab_app *app;
	const struct ab_source *source;
	const char *owner;          /* the resource's name */
	const struct ab_conf *conf; /* `if` */
	const struct ab_conf *map;  /* the owner's mapping, whose `needs` and `infer` hold for it */
	struct ab_diags *diags;
};

/* Add a condition to `dispatcher` as a resource "OWNER.if", a name that no user can give. `scope` NULL: it
 * stands for itself, in a scope like its owner's. Else it shares the scope, its needs are all that this has,
 * and only who holds the dispatcher knows of it. NULL after mistakes. */
const struct ab_resource *ab_app_add_condition(
        const struct ab_condition *condition, struct ab_dispatcher *dispatcher, struct ab_scope *scope);
void ab_app_free_conditions(struct ab_app *app);

/* ---- calls (app_nested.c) ---- */

/* Put off a resource that is a call. False when it is none; *ret_ok is false without memory. */
bool ab_app_postpone(
        struct ab_app *app, struct ab_app_source *in, const struct ab_conf_pair *pair, bool *ret_ok);
/* Compile what was put off. */
void ab_app_compile_postponed(struct ab_app *app, struct ab_diags *diags);
void ab_app_free_postponed(struct ab_app *app);
/* For ab_compile's nested and nested_raws. */
struct ab_plan *ab_app_nested_plan(
        struct ab_app *app, struct ab_compile *compile, const char *name, struct ab_names given);
bool ab_app_nested_raws(struct ab_app *app, struct ab_compile *compile, const struct ab_plan *plan, int slot,
        const bool *needs);

/* ---- one worker's copy ---- */

struct ab_app_source {
	const struct ab_source *source;
	struct ab_dispatcher *dispatcher;
	struct ab_generic defaults;
};

struct ab_app_upstream {
	const struct ab_conf_pair *pair;
	struct ab_upstream *upstream; /* NULL: it had mistakes */
	bool used;
};

struct ab_app_module {
	const struct ab_source *source;
	struct ab_native_module native;
};

struct ab_app_parts {
	const struct ab_sources *sources;
	struct ab_shared *shared;
	struct ab_app_source *list; /* as ab_sources_at */
	size_t n_list;
	struct ab_app_upstream *upstreams;
	size_t n_upstreams;
	struct ab_pending *pending;           /* calls, app_nested.c's own */
	unsigned n_open;                      /* those being compiled, one for the sake of another */
	struct ab_condition_pair *conditions; /* app_condition.c's own */
	struct ab_app_module *modules;
	size_t n_modules;
	size_t resources_size;
	size_t *by_resource; /* indexes into app->resources, sorted by the resource's address */
	size_t n_by_resource;
};

struct ab_app_source *ab_app_source(struct ab_app *app, const struct ab_source *source);
/* Keep what the app knows of a resource besides the engine; takes the scope. False without memory. */
bool ab_app_remember(struct ab_app *app, const struct ab_resource *resource, const struct ab_kind *kind,
        const struct ab_conf_pair *pair, struct ab_scope *scope);
struct ab_app_upstream *ab_app_upstream(const struct ab_app *app, const struct ab_conf_pair *pair);

/* ---- app_modules.c ---- */

/* False without memory or descriptors. */
bool ab_app_modules_make(struct ab_app *app);
/* Once all resources are compiled: what functions resolve. */
void ab_app_modules_link(struct ab_app *app, struct ab_diags *diags);
/* After the dispatchers are gone. */
void ab_app_modules_fini(struct ab_app_parts *parts);
/* For ab_compile.native: in the modules that `source` names, with its includes, else from the top. */
bool ab_app_native(struct ab_app *app, const struct ab_source *source, struct ab_compile *compile,
        const char *name, struct ab_native *ret);

/* ---- app_check.c: what only shows once everything is compiled ---- */

/* Needs (unless they are `open`) and fallbacks that nothing can satisfy, whether a route uses the resource or
 * not. */
void ab_app_check_needs(struct ab_app *app, bool open, struct ab_diags *diags);
/* Hints: what nothing uses, placeholders in literals, and names in a template's sections that are a
 * resource's. */
void ab_app_check_use(struct ab_app *app, struct ab_diags *diags);

#endif
