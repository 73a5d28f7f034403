/* handlers/jq/runner.h: between program.c, which knows what there is, and runner.c, which runs it. */
#ifndef AB_JQ_RUNNER_H
#define AB_JQ_RUNNER_H

#include "program.h"

#include <jq.h>

/* A program that compiled before, compiled again; NULL when that fails, for want of memory. */
struct jq_state *ab_jq_compile(const char *text);
/* The one that was compiled to check the program, for whoever asks first; else NULL. */
struct jq_state *ab_jq_program_take_spare(
        struct ab_jq_programs *programs, const struct ab_jq_program *program);
/* The next program for the pool behind `after` (NULL: the first), or NULL. */
const struct ab_jq_program *ab_jq_program_next_pooled(
        struct ab_jq_programs *programs, const struct ab_jq_program *after);

#endif
