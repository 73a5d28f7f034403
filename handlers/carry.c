/* handlers/carry.c: see carry.h. */
#include "carry.h"

#include "nested.h"

bool ab_passes_always(const struct ab_resource *resource)
{
	(void)resource;
	return true;
}

/* Kinds that put together what they need, and escape no HTML, say so. What an upstream or a database answers
 * is its own. */
bool ab_passes_text(const struct ab_resource *resource)
{
	const struct ab_resource *inner = ab_each_inner(resource);

	for (const struct ab_kind *const *kind = ab_kinds; *kind != NULL; kind++)
		if ((*kind)->handler == inner->handler)
			return (*kind)->passes_text != NULL && (*kind)->passes_text(inner);
	return false;
}

static bool node_carries(const struct ab_plan_node *node, const bool *marks)
{
	if (node->fallback >= 0 && marks[node->fallback])
		return true;
	for (size_t i = 0; node->resource != NULL && i < node->n_needs; i++)
		if (marks[node->needs[i]] && ab_passes_text(node->resource))
			return true;
	return false;
}

/* Needs and fallbacks come before those who use them, so one pass does. */
void ab_carry(const struct ab_plan *plan, bool *marks)
{
	for (size_t i = 0; i < ab_plan_size(plan); i++)
		marks[i] = marks[i] || node_carries(ab_plan_node(plan, (int)i), marks);
}
