/* handlers/jq/runner.c: one thread's compiled programs, and a run of one of them. */
#include "runner.h"

#include "value.h"

#include <string.h>

struct ab_jq_runner {
	struct ab_jq_programs *programs;
	struct jq_state **states; /* by the programs' index; NULL: not compiled here */
	size_t size;
	const struct ab_jq_program *warmed; /* the last that was compiled ahead */
};

struct ab_jq_runner *ab_jq_runner_create(struct ab_jq_programs *programs)
{
	struct ab_jq_runner *runner = calloc(1, sizeof(*runner));

	if (runner != NULL)
		runner->programs = programs;
	return runner;
}

void ab_jq_runner_destroy(struct ab_jq_runner *runner)
{
	if (runner == NULL)
		return;
	for (size_t i = 0; i < runner->size; i++)
		jq_teardown(&runner->states[i]);
	free(runner->states);
	free(runner);
}

static bool runner_grow(struct ab_jq_runner *runner, size_t size)
{
	struct jq_state **states = reallocarray(runner->states, size, sizeof(struct jq_state *));

	if (states == NULL)
		return false;
	memset(states + runner->size, 0, (size - runner->size) * sizeof(struct jq_state *));
	runner->states = states;
	runner->size = size;
	return true;
}

enum ab_code ab_jq_runner_prepare(
        struct ab_jq_runner *runner, const struct ab_jq_program *program, struct ab_error *err)
{
	struct jq_state *jq;

	if (AB_LIKELY(program->index < runner->size && runner->states[program->index] != NULL))
		return AB_OK;
	if (program->index >= runner->size && !runner_grow(runner, program->index + 16))
		return ab_error_set(err, AB_ENOMEM, "out of memory");
	jq = ab_jq_program_take_spare(runner->programs, program);
	if (jq == NULL)
		jq = ab_jq_compile(program->text);
	if (jq == NULL)
		return ab_error_set(err, AB_ENOMEM, "no memory to compile the filter once more");
	runner->states[program->index] = jq;
	return AB_OK;
}

bool ab_jq_runner_warm(struct ab_jq_runner *runner)
{
	const struct ab_jq_program *program = ab_jq_program_next_pooled(runner->programs, runner->warmed);
	struct ab_error err;

	if (program == NULL)
		return false;
	runner->warmed = program;
	(void)!ab_jq_runner_prepare(runner, program, &err); /* what fails now is tried again, and reported */
	return true;
}

/* ---- running ---- */

enum ab_code ab_jq_input(const struct ab_jq_program *program, json_t *const *values, size_t *budget,
        jv *ret_input, struct ab_error *err)
{
	jv input, item;

	if (program->n_names == 0) {
		*ret_input = jv_null();
		return AB_OK;
	}
	input = program->n_names == 1 ? jv_null() : jv_array_sized((int)program->n_names);
	for (size_t i = 0; i < program->n_names; i++) {
		if (values[i] == NULL) {
			item = jv_null();
		} else if (ab_jq_from_json(values[i], &program->names[i], budget, &item, err) != AB_OK) {
			jv_free(input);
			return err->code;
		}
		input = program->n_names == 1 ? item : jv_array_append(input, item);
	}
	*ret_input = input;
	return AB_OK;
}

/* What libjq says went wrong. Takes the message. */
static void run_failed(jv message, struct ab_error *err)
{
	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	ab_error_set(err, AB_EINTERNAL, "%.300s", jv_string_value(message));
	jv_free(message);
}

static json_t *run_result(struct jq_state *jq, struct ab_error *err)
{
	size_t budget = AB_JQ_MAX_OUTPUT;
	jv value = jq_next(jq), more;

	if (!jv_is_valid(value)) {
		if (jv_invalid_has_msg(jv_copy(value)))
			run_failed(jv_invalid_get_msg(value), err);
		else
			ab_error_set(err, AB_EINTERNAL, "the filter gave no value; expected exactly one");
		return NULL;
	}
	more = jq_next(jq);
	if (!jv_is_valid(more) && !jv_invalid_has_msg(jv_copy(more))) {
		jv_free(more);
		return ab_jq_to_json(value, &budget, err);
	}
	jv_free(value);
	if (jv_is_valid(more)) {
		ab_error_set(err, AB_EINTERNAL,
		        "the filter gave more than one value; expected exactly one ([...] makes a list of all)");
		jv_free(more);
	} else {
		run_failed(jv_invalid_get_msg(more), err);
	}
	return NULL;
}

json_t *ab_jq_run(
        struct ab_jq_runner *runner, const struct ab_jq_program *program, jv input, struct ab_error *err)
{
	struct jq_state *jq;
	json_t *result;

	if (ab_jq_runner_prepare(runner, program, err) != AB_OK) {
		jv_free(input);
		return NULL;
	}
	jq = runner->states[program->index];
	jq_start(jq, input, 0);
	result = run_result(jq, err);
	if (result == NULL)
		jq_start(jq, jv_null(), 0); /* nothing of a run that was not ended may stay */
	return result;
}
