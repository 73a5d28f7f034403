/* handlers/nested.h: a run inside a call: of one resource for an item (each.c), of another resource with all
 * it needs (call.c).
 *
 * A nested run has an arena of its own, which holds the call's, so that what it leaves behind (a write that
 * is left to finish, a read that others follow) keeps the request's surroundings. Loop thread only. */
#ifndef AB_NESTED_H
#define AB_NESTED_H

#include "kind.h"

/* A run of `plan` for `call`, with the request's context; nothing starts yet. NULL when out of memory. */
AB_NODISCARD struct ab_run *ab_nested_create(const struct ab_call *call, const struct ab_plan *plan);
/* Let go of it: after its end, or after ab_run_cancel. */
void ab_nested_release(struct ab_run *run);

/* After its end: the value of a slot, as a new reference; NULL with `err` filled, as the outer call is to
 * fail. `name`: the resource behind the slot, so that the message does not say it twice. */
json_t *ab_nested_value(struct ab_run *run, int slot, const char *name, struct ab_error *err);
/* Whether something in it is degraded; the first of them tells why. */
bool ab_nested_degraded(const struct ab_run *run, struct ab_error *ret_cause);

/* What does not wait for anything would hold the loop for as long as there is more of it: nested runs that
 * begin after this turn of the loop has lasted a while are put off to a later one. False: not put off, begin
 * now. */
AB_NODISCARD bool ab_nested_put_off(
        const struct ab_call *call, struct ab_deadline *pause, void (*again)(struct ab_deadline *pause));

/* Whether something in the plan writes. */
bool ab_nested_writes(const struct ab_plan *plan);
/* How long a run of the plan waits at worst, by its resources' timeouts. */
uint64_t ab_nested_worst_ms(const struct ab_plan *plan);

/* ---- each.c: a resource run once for each item of a list ---- */

enum { AB_EACH_CONCURRENCY = 16, AB_EACH_MAX = 1000, AB_EACH_MOST = 1000000 };

struct ab_each_spec {
	const char *as;
	const struct ab_conf *list; /* `each` */
	unsigned concurrency;       /* items at a time, at least 1 */
	unsigned max;               /* items; more is an error */
	/* A resource of the inner dispatcher that decides whether an item is run, or NULL. */
	const struct ab_resource *condition;
};

/* The need `as` of `scope`, before anything else is compiled in it. False after reporting. */
AB_NODISCARD bool ab_each_begin(struct ab_scope *scope, const char *as, struct ab_pos pos);

/* `resource` has been compiled for one item, in a scope that ab_each_begin began. Make it one that runs for
 * all of them: its config is taken, also on failure (then it is NULL and it has been reported), its needs
 * become those of the list and of the items, and so do the scope's. `inner` (taken too) is a dispatcher for
 * the resource; it may hold resources that it needs. The resource's fallback and optional go with the items;
 * the caller sets those of the whole afterwards. */
AB_NODISCARD bool ab_each_end(struct ab_scope *scope, const struct ab_each_spec *spec,
        struct ab_dispatcher *inner, struct ab_resource *resource, struct ab_diags *diags);

/* What stands inside: the resource as it is run for an item, or `resource` itself when it is none of these.
 */
const struct ab_resource *ab_each_inner(const struct ab_resource *resource);
/* How it is run, or NULL when it is none of these. Borrowed; `list` is NULL. */
const struct ab_each_spec *ab_each_spec(const struct ab_resource *resource);

/* ---- call.c ---- */

/* Calls one inside another: each takes its part of the stack, of a request's thread and while loading. */
enum { AB_CALL_DEEPEST = 100 };

/* The plan that a `call` runs (for each item or once), or NULL when the resource is no call. Borrowed. */
const struct ab_plan *ab_call_plan(const struct ab_resource *resource);
/* Report that there are more than AB_CALL_DEEPEST. */
void ab_call_too_deep(struct ab_compile *compile);

#endif
