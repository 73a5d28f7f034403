/* handlers/sql/job.h: a statement for SQLite on its way, or several as one: from the worker's loop to a
 * database thread and back.
 *
 * A job is in memory of its own and holds nothing of its request, so it may outlive it: a call that is
 * cancelled or out of time completes at once, and its job only finds its way home. The database's thread
 * touches what is marked so, nothing of the call. */
#ifndef AB_SQL_JOB_H
#define AB_SQL_JOB_H

#include "rows.h"
#include "trip.h"

#include <stdatomic.h>

enum ab_sql_type { AB_SQL_NULL, AB_SQL_INTEGER, AB_SQL_REAL, AB_SQL_TEXT };

struct ab_sql_param {
	enum ab_sql_type type;
	union {
		int64_t integer;
		double real;
		struct {
			const char *data; /* UTF-8, no NUL inside; behind the job's parameters */
			size_t len;
		} text;
	} u;
};

/* Who may still decide about a job. Every move is one compare-and-swap, so loop and thread never both win.
 *
 *   QUEUED --thread--> RUNNING --thread, before a commit--> COMMITTING
 *      `-------loop------`------> STOPPED
 *
 * A stopped job does no more work and leaves nothing behind. One that commits can't be stopped: its call
 * waits for what the commit says, so that no write is reported as failed and is done all the same. */
enum ab_sql_state { AB_SQL_QUEUED, AB_SQL_RUNNING, AB_SQL_COMMITTING, AB_SQL_STOPPED };

struct ab_sqlite_statement;

struct ab_sql_job {
	struct ab_sql_trip trip;
	_Atomic(enum ab_sql_state) state;
	struct ab_sqlite_statement *statement;
	/* Run before it in the same transaction; NULL-terminated, or NULL. Their parameters come first. */
	struct ab_sqlite_statement **before;
	bool transaction; /* it is one, whatever its statements do */
	enum ab_sql_returns returns;
	uint64_t timeout_ms;

	/* Set by the database thread: the value, or NULL with the error. */
	json_t *value;
	struct ab_error err;

	/* The loop's own. */
	struct ab_call *call; /* NULL once it has completed */
	struct ab_deadline deadline;

	size_t n_params;
	struct ab_sql_param params[];
};

static inline bool ab_sql_job_move(struct ab_sql_job *job, enum ab_sql_state from, enum ab_sql_state to)
{
	return atomic_compare_exchange_strong(&job->state, &from, to);
}

static inline bool ab_sql_job_stopped(struct ab_sql_job *job)
{
	return atomic_load_explicit(&job->state, memory_order_relaxed) == AB_SQL_STOPPED;
}

#endif
