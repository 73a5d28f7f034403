/* dispatch/plan.h: what a set of targets needs, in order, compiled once and shared by all its runs.
 *
 * Every name the targets may touch becomes a node, ordered so that needs come before their dependents
 * (depth-first by declaration). A node is a resource, or an input: a name without a resource that a run must
 * be given, or a reserved name. What a set of given names prunes is worked out with bit sets. A plan is const
 * once compiled and may be used by any number of runs on the thread that owns its dispatcher's values. */
#ifndef AB_PLAN_H
#define AB_PLAN_H

#include "dispatcher.h"

struct ab_plan;

struct ab_names {
	const char *const *list;
	size_t count;
};

struct ab_plan_spec {
	const struct ab_dispatcher *dispatcher;
	struct ab_names guards;  /* resolved, one after another, before anything else starts */
	struct ab_names targets; /* the answer first, then what else must be resolved */
	struct ab_names
	        given; /* always given: a resource of that name never runs, circles through it are none */
	struct ab_names acceptable; /* may be given */
	struct ab_names reserved;   /* provided by the caller before the run starts (request, error, given);
	                             * "degraded" is the engine's own and need not be listed */
};

/* Errors: AB_ECIRCULAR (the whole circle in the text: "a -> b -> a"), AB_EUNRESOLVABLE (which resource needs
 * it, what is available, the nearest names), AB_EINVALID (two writes without an order, a need on a write's
 * result that can't be ordered), AB_ENOMEM. err->resource names the resource at fault where there is one. */
AB_NODISCARD enum ab_code ab_plan_compile(
        const struct ab_plan_spec *spec, struct ab_plan **ret_plan, struct ab_error *err);
void ab_plan_destroy(struct ab_plan *plan);

/* The index of a name in the plan, or -1 when the plan does not know it. */
int ab_plan_slot(const struct ab_plan *plan, const char *name);

/* For tools and tests: nodes in resolution order. */
struct ab_plan_node {
	const char *name;
	const struct ab_resource *resource; /* NULL for an input or a reserved name */
	const int *needs;                   /* node indexes, one for each of resource->needs */
	size_t n_needs;
	const int *after; /* nodes a write waits for, besides its needs */
	size_t n_after;
	int fallback; /* node index of the fallback resource, or -1 */
	bool lazy;    /* reached only through fallbacks */
};
size_t ab_plan_size(const struct ab_plan *plan);
const struct ab_plan_node *ab_plan_node(const struct ab_plan *plan, int slot);
/* Whether each slot would be resolved when the slots in `given` (n booleans, n = ab_plan_size) are given and
 * no resource fails; a given slot is not. Fills ret_demanded with n booleans. */
void ab_plan_demand(const struct ab_plan *plan, const bool *given, bool *ret_demanded);
/* The same by phases: -1 for what would not be resolved, 0 for what the first guard needs, and so on;
 * ab_plan_guards for all that comes after the guards. */
void ab_plan_phases(const struct ab_plan *plan, const bool *given, int *ret_phases);
size_t ab_plan_guards(const struct ab_plan *plan);
/* Whether node `slot` depends, directly or not, through needs or fallbacks, on node `on`. */
bool ab_plan_depends(const struct ab_plan *plan, int slot, int on);

#endif
