/* dispatch/internal.h: what dispatcher.c, plan.c and run.c know of each other. Nobody else includes this. */
#ifndef AB_DISPATCH_INTERNAL_H
#define AB_DISPATCH_INTERNAL_H

#include "alloc.h"
#include "bitset.h"
#include "run.h"
#include "table.h"

/* ---- dispatchers ---- */

struct ab_hook {
	ab_error_cb fn;
	void *arg;
};

struct ab_dispatcher {
	struct ab_resource **sorted; /* by name */
	size_t n_sorted, sorted_size;
	struct ab_dispatcher **includes;
	size_t n_includes, includes_size;
	struct ab_hook *hooks;
	size_t n_hooks, hooks_size;
	struct ab_walk *walk;
};

/* Where a walk over a dispatcher and its includes stands. Each dispatcher is visited once a walk, in the
 * order names are looked up; the stack is threaded through the dispatchers, so a walk cannot run out of
 * memory. */
struct ab_walk {
	uint64_t token;
	const struct ab_dispatcher *parent; /* the one that includes this one, on the way it was reached */
	size_t next;
};

/* The first dispatcher of a walk is `top`; then call ab_walk_next with the last until NULL. */
uint64_t ab_walk_begin(const struct ab_dispatcher *top);
const struct ab_dispatcher *ab_walk_next(const struct ab_dispatcher *at, uint64_t token);

/* The resource of that name in this dispatcher alone. */
const struct ab_resource *ab_dispatcher_own(const struct ab_dispatcher *dispatcher, const char *name);

/* ---- what to say of a name that is not there (suggest.c) ---- */

/* Append "; did you mean 'x'?" and what is available to err->text. */
void ab_suggest(struct ab_error *err, const char *name, const struct ab_plan_spec *spec);

/* ---- plans ---- */

#define AB_NO_PHASE UINT32_MAX

enum ab_source {
	AB_SOURCE_RESOURCE,
	AB_SOURCE_INPUT,    /* always given, or acceptable without a resource behind it */
	AB_SOURCE_RESERVED, /* the caller's */
	AB_SOURCE_DEGRADED, /* the engine's */
};

struct ab_edges {
	const int *list;
	size_t count;
};

struct ab_plan_part {
	struct ab_plan_node node;
	enum ab_source source;
	struct ab_edges dependents; /* nodes that need this one */
	struct ab_edges before;     /* writes that wait for this one */
	struct ab_edges owners;     /* nodes this one is the fallback of */
	const struct ab_hook *hooks;
	size_t n_hooks;
	uint64_t needs_mask, after_mask; /* only in plans of up to 64 nodes */
	size_t needs_at;                 /* where its values are among those of all */
	bool needs_degraded;
};

struct ab_plan {
	struct ab_arena *arena;
	struct ab_plan_part *parts; /* in resolution order: needs and fallbacks before those who use them */
	size_t count;
	size_t words;          /* of a bit set of the nodes */
	size_t n_needs;        /* of all nodes together */
	struct ab_table slots; /* name to index */
	const int *guards;     /* one phase each */
	size_t n_guards;
	const int *targets; /* the last phase */
	size_t n_targets;
	int degraded;          /* index, or -1 */
	json_t *none_degraded; /* {} */
	/* What is demanded, and how many nodes each waits for, when no resource is given. */
	uint32_t *phases;
	uint32_t *waits;
	uint64_t *base_given;   /* inputs, reserved names and "degraded" */
	struct ab_edges inputs; /* those demanded then */
	uint8_t *marks;         /* scratch for searches */
};

/* Once the parts, their needs and fallbacks stand: order the writes, find out who is lazy and what is
 * demanded. Errors as ab_plan_compile. */
enum ab_code ab_plan_order(struct ab_plan *plan, struct ab_error *err);

/* Work out what a set of given nodes leaves to do: for each node its phase (AB_NO_PHASE: nothing to do) and
 * how many nodes it waits for. */
void ab_plan_prune(
        const struct ab_plan *plan, const uint64_t *given, uint32_t *ret_phases, uint32_t *ret_waits);

#endif
