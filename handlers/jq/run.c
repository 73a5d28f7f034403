/* handlers/jq/run.c: a filter run for a call: on the loop, or as a job on a thread. */
#include "filter.h"

#include "value.h"

#include <string.h>

/* The value of a filter, or what is wrong with it. Takes `value` (NULL: `err` is filled already). */
static json_t *judge(const struct ab_jq_rule *rule, json_t *value, struct ab_error *err)
{
	static const char *const types[] = {
	        "an object", "a list", "a string", "a number", "a number", "true", "false", "null"};

	if (value == NULL || rule->judge == AB_JQ_ANY)
		return value;
	if (json_is_true(value) || (json_is_false(value) && rule->judge == AB_JQ_BOOLEAN))
		return value;
	if (!json_is_false(value)) {
		ab_error_set(err, AB_EINTERNAL, "the filter gave %s; expected true or false",
		        types[json_typeof(value)]);
	} else {
		ab_error_set(err, AB_EFORBIDDEN, "what it requires does not hold%s%s",
		        rule->message != NULL ? ": " : "", rule->message != NULL ? rule->message : "");
		err->status = rule->status;
		err->message = rule->message;
		err->field = rule->field;
	}
	json_decref(value);
	return NULL;
}

/* ---- on a thread ---- */

struct filter_job {
	struct ab_job job;
	const struct ab_jq_rule *rule;
	json_t *values[]; /* one for each of the program's names; NULL: missing. The loop counts them, not we
	                   */
};

static void job_run(struct ab_job *job, void *context)
{
	struct filter_job *own = ab_container_of(job, struct filter_job, job);
	size_t budget = AB_JQ_MAX_INPUT;
	jv input;

	if (context == NULL)
		ab_error_set(&job->err, AB_ENOMEM, "out of memory");
	else if (ab_jq_input(own->rule->program, own->values, &budget, &input, &job->err) == AB_OK)
		job->value =
		        judge(own->rule, ab_jq_run(context, own->rule->program, input, &job->err), &job->err);
}

static void job_free(struct ab_job *job)
{
	struct filter_job *own = ab_container_of(job, struct filter_job, job);

	for (size_t i = 0; i < own->rule->program->n_names; i++)
		json_decref(own->values[i]);
	free(own);
}

static void filter_send(struct ab_call *call, json_t *const *values)
{
	const struct ab_jq_filter *filter = call->resource->config;
	struct filter_job *own = malloc(sizeof(*own) + filter->n_refs * sizeof(*own->values));
	struct ab_error err;

	if (own == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	own->job = (struct ab_job){
	        .run = job_run,
	        .free = job_free,
	        .what = "the filter",
	        .timeouts = filter->timeouts,
	        .timeout_ms = filter->timeout_ms,
	};
	own->rule = filter->rule;
	for (size_t i = 0; i < filter->n_refs; i++)
		own->values[i] = json_incref(values[i]);
	ab_job_send(filter->jq->home, &own->job, call);
}

/* ---- on the loop ---- */

/* False when it is to go to a thread after all, since there is much to convert. */
static bool filter_inline(struct ab_call *call, json_t *const *values)
{
	const struct ab_jq_filter *filter = call->resource->config;
	bool quick = filter->where == AB_JQ_QUICK;
	size_t budget = quick ? AB_JQ_QUICK_INPUT : AB_JQ_MAX_INPUT;
	json_t *value = NULL;
	struct ab_error err;
	jv input;

	if (ab_jq_input(filter->rule->program, values, &budget, &input, &err) == AB_OK)
		value = judge(filter->rule, ab_jq_run(filter->jq->runner, filter->rule->program, input, &err),
		        &err);
	else if (quick && budget == 0)
		return false;
	if (value != NULL)
		ab_call_resolve_new(call, value);
	else
		ab_call_fail(call, &err);
	return true;
}

void ab_jq_filter_start(struct ab_call *call)
{
	const struct ab_jq_filter *filter = call->resource->config;
	json_t **values = ab_arena_alloc(call->arena, (filter->n_refs + 1) * sizeof(*values));
	struct ab_error err;

	call->state = NULL;
	if (values == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	for (size_t i = 0; i < filter->n_refs; i++)
		values[i] = ab_ref_get(&filter->refs[i], call);
	if (filter->where == AB_JQ_POOL || !filter_inline(call, values))
		filter_send(call, values);
}
