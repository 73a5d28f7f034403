/* dispatch/dispatcher.h: a set of named resources, and the sub-dispatchers it includes.
 *
 * Built once, before any plan is compiled; read-only afterwards. Lookup: the dispatcher's own resources
 * first, then its includes in order, each with its own includes; a circle of includes is harmless. */
#ifndef AB_DISPATCHER_H
#define AB_DISPATCHER_H

#include "resource.h"

struct ab_dispatcher;

struct ab_dispatcher *ab_dispatcher_create(void);
/* Frees its resources (handler->free on each config); NULL is fine. Includes are borrowed, not freed. */
void ab_dispatcher_destroy(struct ab_dispatcher *dispatcher);

/* Add a resource; `spec` is copied, its config and fallback are taken, also when this fails.
 * Errors: AB_EDUPLICATE (name already here), AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_dispatcher_add(
        struct ab_dispatcher *dispatcher, const struct ab_resource *spec, struct ab_error *err);

/* Search `sub` after what has been added so far. Borrowed: must outlive `dispatcher`. Errors: AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_dispatcher_include(
        struct ab_dispatcher *dispatcher, struct ab_dispatcher *sub, struct ab_error *err);

const struct ab_resource *ab_dispatcher_find(const struct ab_dispatcher *dispatcher, const char *name);

/* Call fn for every visible resource once, sorted by name. */
void ab_dispatcher_each(const struct ab_dispatcher *dispatcher,
        void (*fn)(const struct ab_resource *resource, void *arg), void *arg);

/* What an error handler decides. */
enum ab_verdict { AB_PASS, AB_GIVE };

/* Sees a failed resource's error before `missing`, fallback and optional. May change *err and return AB_PASS,
 * or set *ret_value (a new reference) and return AB_GIVE; a value given so is no degradation. The handlers of
 * the resource's own dispatcher are asked first, in the order they were added, then those of the dispatcher
 * that includes it, and so on to the one the plan was compiled from, which thus sees all; the first that
 * gives ends it. Not asked: for what was cancelled, and for a resource whose needs failed. Runs on the run's
 * thread. */
typedef enum ab_verdict (*ab_error_cb)(
        void *arg, const struct ab_resource *resource, struct ab_error *err, json_t **ret_value);
AB_NODISCARD enum ab_code ab_dispatcher_on_error(
        struct ab_dispatcher *dispatcher, ab_error_cb fn, void *arg, struct ab_error *err);

#endif
