/* dispatch/function_nested.c: what an asynchronous function resolves before it completes: runs inside its
 * run's arena.
 *
 *   RUNNING --done--> REPORTED          a run that ends at once is reported from inside ab_function_nest
 *      `--the call is cancelled: the run too--> REPORTED */
#include "function.h"

struct ab_nested {
	struct ab_nested *next, **link;
	struct ab_function_call *call;
	struct ab_run *run;
	int target;
	anabranch_resolved_cb done;
	void *arg;
};

static void nested_unlink(struct ab_nested *nested)
{
	*nested->link = nested->next;
	if (nested->next != NULL)
		nested->next->link = nested->link;
}

void ab_function_refuse(
        struct ab_function_call *call, const struct ab_error *err, anabranch_resolved_cb done, void *arg)
{
	struct anabranch_error error;

	ab_error_publish(&error, err);
	done(&call->public, arg, NULL, &error);
}

/* What stands in there stands in here, too. Without memory the log misses a word. */
static void note_degraded(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	struct ab_function_call *call = arg;

	(void)reason;
	if (call->degraded != NULL)
		return;
	call->degraded = ab_arena_alloc(call->call->arena, sizeof(*call->degraded));
	if (call->degraded == NULL)
		return;
	*call->degraded = *cause;
	ab_error_prefix(call->degraded, "'%s'", name);
}

/* The callback may complete the call, and with it end the arena: nothing is touched after. */
static void nested_report(struct ab_nested *nested)
{
	struct ab_run *run = nested->run;
	json_t *value = ab_run_result(run) == AB_OK ? ab_run_value(run, nested->target) : NULL;
	struct ab_error err;

	nested_unlink(nested);
	if (value != NULL) {
		ab_run_each_degraded(run, note_degraded, nested->call);
		nested->done(&nested->call->public, nested->arg, value, NULL);
		return;
	}
	if (ab_run_error(run) != NULL)
		err = *ab_run_error(run);
	else
		ab_error_set(&err, AB_ENOMEM, "out of memory, or the text is not UTF-8");
	ab_function_refuse(nested->call, &err, nested->done, nested->arg);
}

static void nested_on_done(struct ab_run *run, void *arg)
{
	(void)run;
	nested_report(arg);
}

static void give(struct ab_run *run, const struct ab_plan *plan, json_t *given)
{
	const char *name;
	json_t *value;

	json_object_foreach(given, name, value)
	{
		int slot = ab_plan_slot(plan, name);

		if (slot >= 0)
			ab_run_give_new(run, slot, json_incref(value));
	}
}

static enum ab_code check(const struct ab_function_call *call, const json_t *given, struct ab_error *err)
{
	if (call->cancelled)
		return ab_error_set(err, AB_ECANCELED, "canceled");
	if (call->function->spec.how != ANABRANCH_ASYNC)
		return ab_error_set(err, AB_EINTERNAL, "only a RESOURCE_ASYNC may resolve another resource");
	if (given != NULL && !json_is_object(given))
		return ab_error_set(err, AB_EINTERNAL, "what is given is no object");
	return AB_OK;
}

void ab_function_nest(struct ab_function_call *call, const struct ab_plan *plan, const char *target,
        void *context, json_t *given, anabranch_resolved_cb done, void *arg)
{
	struct ab_nested *nested = NULL;
	struct ab_error err;

	if (check(call, given, &err) == AB_OK) {
		nested = ab_arena_calloc(call->call->arena, 1, sizeof(*nested));
		ab_error_set(&err, AB_ENOMEM, "out of memory");
	}
	if (nested != NULL)
		nested->run = ab_run_create(call->call->arena, plan, context);
	if (nested == NULL || nested->run == NULL) {
		json_decref(given);
		ab_function_refuse(call, &err, done, arg);
		return;
	}
	give(nested->run, plan, given);
	json_decref(given);
	nested->call = call;
	nested->target = ab_plan_slot(plan, target);
	nested->done = done;
	nested->arg = arg;
	nested->next = call->nested;
	nested->link = &call->nested;
	if (nested->next != NULL)
		nested->next->link = &nested->next;
	call->nested = nested;
	if (ab_run_start(nested->run, nested_on_done, nested) != AB_PENDING)
		nested_report(nested);
}

void ab_function_unnest(struct ab_function_call *call)
{
	while (call->nested != NULL) {
		struct ab_nested *nested = call->nested;

		ab_run_cancel(nested->run); /* `done` of it does not run */
		nested_report(nested);
	}
}
