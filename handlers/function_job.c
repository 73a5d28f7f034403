/* handlers/function_job.c: see function_job.h. */
#include "function_job.h"

#include <string.h>

/* Other threads read values while the loop's counts references to them. */
_Static_assert(
        JSON_HAVE_ATOMIC_BUILTINS || JSON_HAVE_SYNC_BUILTINS, "this jansson does not count atomically");

struct function_job {
	struct ab_job job;
	struct ab_function function;
	struct ab_function_call call;
	char *message, *field; /* of the error */
	json_t *needs[];
};

static void job_run(struct ab_job *job, void *context)
{
	struct function_job *own = ab_container_of(job, struct function_job, job);
	struct anabranch_result result;
	struct ab_outcome outcome;

	(void)context;
	result = ab_function_invoke(&own->function, &own->call.public);
	if (ab_job_unwanted(job))
		own->function.checked = false; /* nobody reads what it says */
	ab_function_judge(&own->function, own->call.public.needs, &result, &outcome);
	job->value = outcome.value;
	job->text = outcome.text;
	job->err = outcome.err;
	own->message = outcome.message;
	own->field = outcome.field;
}

static void job_failing(struct ab_job *job, struct ab_call *call)
{
	const struct function_job *own = ab_container_of(job, struct function_job, job);

	if (own->message != NULL)
		job->err.message = ab_arena_strndup(call->arena, own->message, strlen(own->message));
	if (own->field != NULL)
		job->err.field = ab_arena_strndup(call->arena, own->field, strlen(own->field));
}

static void job_free(struct ab_job *job)
{
	struct function_job *own = ab_container_of(job, struct function_job, job);

	for (unsigned i = 0; i < own->function.spec.n_needs; i++)
		json_decref(own->needs[i]);
	free(own->message);
	free(own->field);
	free(own);
}

void ab_function_send(struct ab_home *home, struct ab_call *call, const struct ab_function *function,
        const json_t *const *needs, const struct ab_function_times *times)
{
	unsigned n = function->spec.n_needs;
	struct function_job *own = calloc(1, sizeof(*own) + n * sizeof(own->needs[0]));
	struct ab_error err;

	call->state = NULL;
	if (own == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	own->function = *function;
	for (unsigned i = 0; i < n; i++)
		own->needs[i] = json_incref((json_t *)(uintptr_t)needs[i]);
	own->call = (struct ab_function_call){
	        .public = {.host = function->host,
	                .needs = (const json_t *const *)own->needs,
	                .arg = function->spec.arg},
	        .function = &own->function,
	        .unwanted = &own->job.unwanted,
	};
	own->job.run = job_run;
	own->job.free = job_free;
	own->job.failing = job_failing;
	own->job.what = function->spec.name;
	own->job.timeouts = times->timeouts;
	own->job.timeout_ms = times->timeout_ms;
	ab_job_send(home, &own->job, call);
}
