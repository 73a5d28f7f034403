/* handlers/nested.c: see nested.h. */
#include "nested.h"

#include <string.h>

enum {
	TURN_MS = 10, /* a turn of the loop that lasts longer begins no more nested runs */
	PAUSE_MS = 1,
};

static void arena_let_go(void *arena)
{
	ab_arena_unref(arena);
}

struct ab_run *ab_nested_create(const struct ab_call *call, const struct ab_plan *plan)
{
	const struct ab_context *context = call->context;
	struct ab_arena *arena = ab_arena_create(&context->env->pool);
	struct ab_run *run = NULL;

	if (arena == NULL)
		return NULL;
	if (ab_arena_defer(arena, arena_let_go, ab_arena_ref(call->arena)))
		run = ab_run_create(arena, plan, call->context);
	if (run == NULL)
		ab_arena_unref(arena);
	return run;
}

void ab_nested_release(struct ab_run *run)
{
	ab_arena_unref(ab_run_arena(run));
}

bool ab_nested_put_off(
        const struct ab_call *call, struct ab_deadline *pause, void (*again)(struct ab_deadline *pause))
{
	const struct ab_env *env = ((const struct ab_context *)call->context)->env;
	struct ab_deadline_queue *queue;

	if (AB_LIKELY(uv_hrtime() / 1000000 <= uv_now(env->loop) + TURN_MS))
		return false;
	queue = ab_deadlines_queue(env->deadlines, PAUSE_MS);
	if (queue == NULL)
		return false; /* better late than never */
	ab_deadline_arm(queue, pause, again);
	return true;
}

/* "resource 'x': " is the outer call's to say. */
static void drop_prefix(struct ab_error *err, const char *name)
{
	char prefix[128];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "resource '%s': ", name);

	if (len < sizeof(prefix) && strncmp(err->text, prefix, len) == 0)
		memmove(err->text, err->text + len, strlen(err->text + len) + 1);
}

json_t *ab_nested_value(struct ab_run *run, int slot, const char *name, struct ab_error *err)
{
	json_t *value;

	if (ab_run_result(run) != AB_OK) {
		*err = *ab_run_error(run);
		drop_prefix(err, name);
		/* Its own `missing` has decided the status; the outer one speaks of other things. */
		if (err->code == AB_EMISSING && err->status != ab_code_status(AB_EMISSING))
			err->code = AB_EFORBIDDEN;
		return NULL;
	}
	value = ab_run_value(run, slot);
	if (value == NULL)
		ab_error_set(err, AB_ENOMEM, "out of memory, or the text is not UTF-8");
	return json_incref(value);
}

struct first {
	struct ab_error *err;
	bool any;
};

static void first_keep(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	struct first *first = arg;

	(void)reason;
	if (first->any)
		return;
	first->any = true;
	*first->err = *cause;
	ab_error_prefix(first->err, "'%s'", name);
}

bool ab_nested_degraded(const struct ab_run *run, struct ab_error *ret_cause)
{
	struct first first = {.err = ret_cause};

	ab_run_each_degraded(run, first_keep, &first);
	return first.any;
}

bool ab_nested_writes(const struct ab_plan *plan)
{
	for (size_t i = 0; i < ab_plan_size(plan); i++) {
		const struct ab_plan_node *node = ab_plan_node(plan, (int)i);

		if (node->resource != NULL && node->resource->writes)
			return true;
	}
	return false;
}

/* When node `at` has ended at worst, by the ends of those before it. */
static uint64_t node_end(const struct ab_plan_node *node, const uint64_t *ends)
{
	uint64_t end = 0;

	if (node->resource == NULL)
		return 0;
	for (size_t i = 0; i < node->n_needs; i++)
		end = ends[node->needs[i]] > end ? ends[node->needs[i]] : end;
	for (size_t i = 0; i < node->n_after; i++)
		end = ends[node->after[i]] > end ? ends[node->after[i]] : end;
	end += node->resource->timeout_ms;
	return node->fallback >= 0 ? end + ends[node->fallback] : end;
}

/* What a write waits for may come later in the plan, so times settle over several rounds. */
uint64_t ab_nested_worst_ms(const struct ab_plan *plan)
{
	size_t count = ab_plan_size(plan);
	uint64_t *ends = calloc(count, sizeof(*ends)), worst = 0;
	bool again = ends != NULL;

	for (size_t round = 0; again && round <= count; round++) {
		again = false;
		for (size_t i = 0; i < count; i++) {
			uint64_t end = node_end(ab_plan_node(plan, (int)i), ends);

			again = again || end != ends[i];
			ends[i] = end;
			worst = end > worst && !ab_plan_node(plan, (int)i)->lazy ? end : worst;
		}
	}
	free(ends);
	return worst;
}
