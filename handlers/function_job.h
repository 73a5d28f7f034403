/* handlers/function_job.h: a C function that blocks, on a thread of a pool.
 *
 * The job holds a reference to each need for as long as the function runs, whoever else lets go of it: the
 * loop's thread takes them, the function borrows, and whoever frees the job gives them back. The counts are
 * atomic where jansson is built as Debian does; a build without is refused here. */
#ifndef AB_FUNCTION_JOB_H
#define AB_FUNCTION_JOB_H

#include "../dispatch/function.h"
#include "pool.h"

struct ab_function_times {
	struct ab_deadline_queue *timeouts; /* for timeout_ms */
	uint64_t timeout_ms;
};

/* `function` is copied; its strings are there until its threads have ended. Uses call->state, as
 * ab_job_send; cancelled with ab_job_cancel. */
void ab_function_send(struct ab_home *home, struct ab_call *call, const struct ab_function *function,
        const json_t *const *needs, const struct ab_function_times *times);

#endif
