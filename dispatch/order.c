/* dispatch/order.c: who waits for whom: dependents, writes that come last, and what a set of given names
 * leaves to do. */
#include "internal.h"

#include <string.h>

static enum ab_code no_memory(struct ab_error *err)
{
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return AB_ENOMEM;
}

/* ---- edges, turned round ---- */

static struct ab_edges edges_needs(const struct ab_plan_part *part)
{
	return (struct ab_edges){part->node.needs, part->node.n_needs};
}

static struct ab_edges edges_fallback(const struct ab_plan_part *part)
{
	return (struct ab_edges){&part->node.fallback, part->node.fallback >= 0};
}

static struct ab_edges edges_after(const struct ab_plan_part *part)
{
	return (struct ab_edges){part->node.after, part->node.n_after};
}

/* Turn edges round: each node's list (an ab_edges at `offset` of its part) of those that point to it, in
 * order. */
static bool edges_reverse(
        struct ab_plan *plan, struct ab_edges (*forward)(const struct ab_plan_part *part), size_t offset)
{
	struct ab_edges edges;
	size_t total = 0;
	int *at;

#define BACKWARD(i) ((struct ab_edges *)((char *)&plan->parts[i] + offset))
	for (size_t i = 0; i < plan->count; i++) {
		edges = forward(&plan->parts[i]);
		total += edges.count;
		for (size_t j = 0; j < edges.count; j++)
			BACKWARD(edges.list[j])->count++;
	}
	at = ab_arena_alloc(plan->arena, total * sizeof(*at));
	if (at == NULL)
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		BACKWARD(i)->list = at;
		at += BACKWARD(i)->count;
		BACKWARD(i)->count = 0;
	}
	for (size_t i = 0; i < plan->count; i++) {
		edges = forward(&plan->parts[i]);
		for (size_t j = 0; j < edges.count; j++) {
			struct ab_edges *back = BACKWARD(edges.list[j]);
			int *list = (int *)(uintptr_t)back->list; /* ours, made above */

			list[back->count++] = (int)i;
		}
	}
#undef BACKWARD
	return true;
}

/* ---- marking: who is needed by whom ---- */

/* Mark what the marked ones need, directly or not. */
static void mark_needs(const struct ab_plan *plan, bool fallbacks)
{
	for (size_t i = plan->count; i-- > 0;) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		if (!plan->marks[i])
			continue;
		for (size_t j = 0; j < node->n_needs; j++)
			plan->marks[node->needs[j]] = 1;
		if (fallbacks && node->fallback >= 0)
			plan->marks[node->fallback] = 1;
	}
}

/* Mark what depends on `on`, directly or not, up to and with the node `last`. */
static void mark_dependents(const struct ab_plan *plan, int on, int last)
{
	memset(plan->marks, 0, plan->count);
	plan->marks[on] = 1;
	for (int i = on + 1; i <= last; i++) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		if (node->fallback >= 0 && plan->marks[node->fallback])
			plan->marks[i] = 1;
		for (size_t j = 0; j < node->n_needs && !plan->marks[i]; j++)
			plan->marks[i] = plan->marks[node->needs[j]];
	}
}

static void mark_list(const struct ab_plan *plan, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		plan->marks[list[i]] = 1;
}

/* ---- writes ---- */

static bool part_writes(const struct ab_plan_part *part)
{
	return part->node.resource != NULL && part->node.resource->writes;
}

static enum ab_code write_refuse(struct ab_error *err, const struct ab_plan_part *part, const char *why)
{
	ab_error_set(err, AB_EINVALID, "resource '%s' writes, so %s", part->node.name, why);
	if (err != NULL)
		err->resource = part->node.name;
	return AB_EINVALID;
}

/* Where writes may not be: behind a guard, and where only a fallback leads. Also finds out who is lazy. */
static enum ab_code check_writes(struct ab_plan *plan, struct ab_error *err)
{

	memset(plan->marks, 0, plan->count);
	mark_list(plan, plan->guards, plan->n_guards);
	mark_needs(plan, true);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->marks[i] && part_writes(&plan->parts[i]))
			return write_refuse(
			        err, &plan->parts[i], "a guard may not need it: writes come last");
	memset(plan->marks, 0, plan->count);
	mark_list(plan, plan->guards, plan->n_guards);
	mark_list(plan, plan->targets, plan->n_targets);
	mark_needs(plan, false);
	for (size_t i = 0; i < plan->count; i++) {
		plan->parts[i].node.lazy = !plan->marks[i];
		if (!plan->marks[i] && part_writes(&plan->parts[i]))
			return write_refuse(
			        err, &plan->parts[i], "it may not be reached only through a fallback");
	}
	return AB_OK;
}

/* What a write waits for besides its needs: all that must be resolved and does not come after it. */
static enum ab_code order_write(struct ab_plan *plan, struct ab_error *err, size_t write)
{
	struct ab_plan_part *part = &plan->parts[write];
	size_t count = 0;
	int *after;

	mark_dependents(plan, (int)write, (int)plan->count - 1);
	for (size_t i = write + 1; i < plan->count; i++) {
		const struct ab_plan_node *other = &plan->parts[i].node;

		if (part_writes(&plan->parts[i]) && !plan->marks[i]) {
			ab_error_set(err, AB_EINVALID,
			        "resources '%s' and '%s' both write, and neither needs the other: say under `needs` "
			        "which comes first",
			        part->node.name, other->name);
			if (err != NULL)
				err->resource = other->name;
			return AB_EINVALID;
		}
	}
	mark_list(plan, part->node.needs, part->node.n_needs);
	after = ab_arena_alloc(plan->arena, plan->count * sizeof(*after));
	if (after == NULL)
		return no_memory(err);
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->marks[i] || plan->parts[i].node.lazy || plan->parts[i].source != AB_SOURCE_RESOURCE)
			continue;
		after[count++] = (int)i;
		if (i < 64)
			part->after_mask |= UINT64_C(1) << i;
	}
	part->node.after = after;
	part->node.n_after = count;
	return AB_OK;
}

static enum ab_code order_writes(struct ab_plan *plan, struct ab_error *err)
{
	enum ab_code code = check_writes(plan, err);

	for (size_t i = 0; i < plan->count && code == AB_OK; i++)
		if (part_writes(&plan->parts[i]))
			code = order_write(plan, err, i);
	if (code == AB_OK && !edges_reverse(plan, edges_after, offsetof(struct ab_plan_part, before)))
		code = no_memory(err);
	return code;
}

/* ---- demand ---- */

static uint64_t list_mask(const int *list, size_t count)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < count; i++)
		mask |= UINT64_C(1) << list[i];
	return mask;
}

/* Up to 64 nodes: sets are single words. */
static void prune_narrow(const struct ab_plan *plan, uint64_t given, uint32_t *phases, uint32_t *waits)
{
	uint64_t demand = 0, left;

	for (size_t phase = 0; phase <= plan->n_guards; phase++) {
		left = phase < plan->n_guards ? UINT64_C(1) << plan->guards[phase]
		                              : list_mask(plan->targets, plan->n_targets);
		for (left &= ~given & ~demand; left != 0; left &= ~given & ~demand) {
			int top = 63 - __builtin_clzll(left);

			demand |= UINT64_C(1) << top;
			phases[top] = (uint32_t)phase;
			left |= plan->parts[top].needs_mask;
		}
	}
	for (left = demand; left != 0; left &= left - 1) {
		int low = __builtin_ctzll(left);
		const struct ab_plan_part *part = &plan->parts[low];

		waits[low] = (uint32_t)__builtin_popcountll(part->needs_mask & ~given) +
		             (uint32_t)__builtin_popcountll(part->after_mask & demand);
	}
}

static void prune_phase(const struct ab_plan *plan, const uint64_t *given, uint32_t phase, uint32_t *phases)
{
	const int *seeds = phase < plan->n_guards ? &plan->guards[phase] : plan->targets;
	size_t n_seeds = phase < plan->n_guards ? 1 : plan->n_targets;

	for (size_t i = 0; i < n_seeds; i++)
		if (!ab_bits_get(given, seeds[i]) && phases[seeds[i]] == AB_NO_PHASE)
			phases[seeds[i]] = phase;
	for (size_t i = plan->count; i-- > 0;) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		for (size_t j = 0; phases[i] == phase && j < node->n_needs; j++)
			if (!ab_bits_get(given, node->needs[j]) && phases[node->needs[j]] == AB_NO_PHASE)
				phases[node->needs[j]] = phase;
	}
}

static void prune_wide(const struct ab_plan *plan, const uint64_t *given, uint32_t *phases, uint32_t *waits)
{
	for (uint32_t phase = 0; phase <= plan->n_guards; phase++)
		prune_phase(plan, given, phase, phases);
	for (size_t i = 0; i < plan->count; i++) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		waits[i] = 0;
		for (size_t j = 0; j < node->n_needs; j++)
			waits[i] += !ab_bits_get(given, node->needs[j]);
		for (size_t j = 0; j < node->n_after; j++)
			waits[i] += phases[node->after[j]] != AB_NO_PHASE;
	}
}

void ab_plan_prune(
        const struct ab_plan *plan, const uint64_t *given, uint32_t *ret_phases, uint32_t *ret_waits)
{
	for (size_t i = 0; i < plan->count; i++)
		ret_phases[i] = AB_NO_PHASE;
	if (plan->count <= 64)
		prune_narrow(plan, plan->count > 0 ? given[0] : 0, ret_phases, ret_waits);
	else
		prune_wide(plan, given, ret_phases, ret_waits);
}

/* What is demanded when no resource is given, and which inputs that takes. */
static enum ab_code build_base(struct ab_plan *plan, struct ab_error *err)
{
	int *inputs = ab_arena_alloc(plan->arena, plan->count * sizeof(*inputs));

	if (inputs == NULL)
		return no_memory(err);
	ab_plan_prune(plan, plan->base_given, plan->phases, plan->waits);
	memset(plan->marks, 0, plan->count);
	mark_list(plan, plan->guards, plan->n_guards);
	mark_list(plan, plan->targets, plan->n_targets);
	mark_needs(plan, false);
	plan->inputs.list = inputs;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->marks[i] && (plan->parts[i].source == AB_SOURCE_INPUT ||
		                              plan->parts[i].source == AB_SOURCE_RESERVED))
			inputs[plan->inputs.count++] = (int)i;
	return AB_OK;
}

/* ---- public ---- */

enum ab_code ab_plan_order(struct ab_plan *plan, struct ab_error *err)
{
	enum ab_code code;

	if (!edges_reverse(plan, edges_needs, offsetof(struct ab_plan_part, dependents)) ||
	        !edges_reverse(plan, edges_fallback, offsetof(struct ab_plan_part, owners)))
		return no_memory(err);
	code = order_writes(plan, err);
	return code == AB_OK ? build_base(plan, err) : code;
}

static void phases_seed(const struct ab_plan *plan, const bool *given, int phase, int *phases)
{
	bool guard = (size_t)phase < plan->n_guards;
	const int *seeds = guard ? &plan->guards[phase] : plan->targets;
	size_t count = guard ? 1 : plan->n_targets;

	for (size_t i = 0; i < count; i++)
		if (!given[seeds[i]] && phases[seeds[i]] < 0)
			phases[seeds[i]] = phase;
}

size_t ab_plan_guards(const struct ab_plan *plan)
{
	return plan->n_guards;
}

void ab_plan_phases(const struct ab_plan *plan, const bool *given, int *ret_phases)
{
	for (size_t i = 0; i < plan->count; i++)
		ret_phases[i] = -1;
	for (int phase = 0; (size_t)phase <= plan->n_guards; phase++) {
		phases_seed(plan, given, phase, ret_phases);
		for (size_t i = plan->count; i-- > 0;) {
			const struct ab_plan_node *node = &plan->parts[i].node;

			for (size_t j = 0; ret_phases[i] == phase && j < node->n_needs; j++)
				if (!given[node->needs[j]] && ret_phases[node->needs[j]] < 0)
					ret_phases[node->needs[j]] = phase;
		}
	}
}

void ab_plan_demand(const struct ab_plan *plan, const bool *given, bool *ret_demanded)
{
	memset(ret_demanded, 0, plan->count * sizeof(*ret_demanded));
	for (size_t i = 0; i < plan->n_guards; i++)
		ret_demanded[plan->guards[i]] = !given[plan->guards[i]];
	for (size_t i = 0; i < plan->n_targets; i++)
		ret_demanded[plan->targets[i]] = !given[plan->targets[i]];
	for (size_t i = plan->count; i-- > 0;) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		for (size_t j = 0; ret_demanded[i] && j < node->n_needs; j++)
			ret_demanded[node->needs[j]] = !given[node->needs[j]];
	}
}

bool ab_plan_depends(const struct ab_plan *plan, int slot, int on)
{
	if (slot <= on)
		return false;
	mark_dependents(plan, on, slot);
	return plan->marks[slot] != 0;
}
