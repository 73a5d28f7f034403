/* handlers/jq/program.h: filters as libjq runs them: known to the process once, compiled once for each thread
 * that runs them.
 *
 * libjq's compiler takes 15 ms in Debian 12 (it reads all of jq's builtin functions each time), so nothing is
 * compiled for a request if that can be helped. */
#ifndef AB_JQ_PROGRAM_H
#define AB_JQ_PROGRAM_H

#include "../../dispatch/error.h"

#include <jansson.h>
#include <jv.h>

enum {
	AB_JQ_MAX_INPUT = 16 * 1024 * 1024,  /* bytes, about, of all needs of a filter */
	AB_JQ_MAX_OUTPUT = 16 * 1024 * 1024, /* the same of its value */
};

/* A need of a filter. */
struct ab_jq_name {
	char *name; /* as the filter spells it */
	bool whole; /* used as it is; else only these fields of it are, and others need not be converted */
	char **fields;
	size_t n_fields;
};
void ab_jq_names_free(struct ab_jq_name *names, size_t count);

/* Every filter of the process; the text is what matters, so workers share them. */
struct ab_jq_programs;

struct ab_jq_program {
	size_t index; /* in every runner's table */
	size_t n_names;
	struct ab_jq_name *names; /* of its needs, in the order of the input */
	/* private */
	struct ab_jq_program *next;
	char *text;             /* wrapped: binds the names, then runs the filter on null */
	bool pooled;            /* threads of the pool compile it ahead; under the lock */
	struct jq_state *spare; /* compiled to check it, for the first to need it; under the lock */
};

struct ab_jq_programs *ab_jq_programs_create(void);
/* No thread uses a program any more. NULL is fine. */
void ab_jq_programs_destroy(struct ab_jq_programs *programs);

/* A mistake that libjq found, at a byte of the filter. */
typedef void (*ab_jq_mistake_cb)(void *arg, size_t offset, const char *message);

/* The program of a filter whose free names are `names` (copied); compiles it if it is new. `guard_time`:
 * strftime and its like refuse what libjq 1.6 would abort on, a time that no calendar has or a format that is
 * no string. Any thread. NULL after mistakes have been reported, or (without) when out of memory. */
const struct ab_jq_program *ab_jq_program_get(struct ab_jq_programs *programs, const char *text, size_t len,
        const struct ab_jq_name *names, size_t n_names, bool guard_time, ab_jq_mistake_cb mistake, void *arg);
/* Threads of the pool are to compile it ahead. */
void ab_jq_program_pool(struct ab_jq_programs *programs, const struct ab_jq_program *program);
/* One thread's compiled programs. */
struct ab_jq_runner;

struct ab_jq_runner *ab_jq_runner_create(struct ab_jq_programs *programs);
void ab_jq_runner_destroy(struct ab_jq_runner *runner); /* NULL is fine */
/* Compile one more of the programs for the pool. False when there is none left. */
bool ab_jq_runner_warm(struct ab_jq_runner *runner);
/* Compile a program if it is not yet. AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_jq_runner_prepare(
        struct ab_jq_runner *runner, const struct ab_jq_program *program, struct ab_error *err);

/* The input of a program from its needs, in the order of its names; NULL counts as null. `*budget`: bytes it
 * may take. Fails with AB_EINVALID, see value.h. */
AB_NODISCARD enum ab_code ab_jq_input(const struct ab_jq_program *program, json_t *const *values,
        size_t *budget, jv *ret_input, struct ab_error *err);
/* Run; takes the input. A new value, or NULL with AB_EINTERNAL (no value, more than one, an error in the
 * filter), AB_ENOMEM. Takes as long as it takes. */
json_t *ab_jq_run(
        struct ab_jq_runner *runner, const struct ab_jq_program *program, jv input, struct ab_error *err);

#endif
