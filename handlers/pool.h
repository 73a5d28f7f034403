/* handlers/pool.h: threads for work that blocks or computes for long, so that no loop has to wait for it.
 *
 * One `struct ab_threads` for each purpose and process, shared by all workers; each worker has an end of it,
 * its `struct ab_home`, where its jobs come back to through one uv_async. A job is one call's work:
 *
 *   QUEUED --thread--> RUNNING --thread--> DONE --home--> the call completes, the job is freed
 *      |                  `--its time is up--> the call fails; the thread is written off and replaced
 *      `--its time is up, no longer wanted--> the call fails, the job is freed
 *
 * Work can't be interrupted. A call that is cancelled or out of time completes at once all the same; what it
 * left with a thread comes home later, alone, or never. A thread whose job outlives its time is written off:
 * another takes its place, up to a number of threads written off; beyond it the pool has fewer threads, and
 * none at all means AB_EOVERLOAD. One that comes back after all ends itself and makes room again. */
#ifndef AB_POOL_H
#define AB_POOL_H

#include "../dispatch/resource.h"
#include "deadline.h"

#include <stdatomic.h>

struct ab_threads;
struct ab_home;

struct ab_threads_options {
	const char *name;  /* of the threads, as `top -H` shows it; at most 10 bytes; static */
	unsigned threads;  /* that work at a time; at least 1 */
	unsigned max_lost; /* threads written off at a time, besides */
	unsigned queue;    /* jobs that may wait for a thread */
	/* What each thread has for itself, made and unmade on it; all four may be NULL. `init` may give NULL
	 * for want of memory, and must not take long: a job may be waiting. `warm` does a bit of what can be
	 * done ahead while no job is waiting, and returns whether there is more. */
	void *(*init)(void *arg);
	bool (*warm)(void *context, void *arg);
	void (*fini)(void *context, void *arg);
	/* No thread needs `arg` any more. On the last thread to end; never when one never ends. */
	void (*release)(void *arg);
	void *arg;
};

/* No thread starts before the first job, or ab_threads_start. NULL when out of memory; `release` is not
 * called then. */
struct ab_threads *ab_threads_create(const struct ab_threads_options *options);
/* Start them all, to warm up. Those that can't be started are tried again when there is work. */
void ab_threads_start(struct ab_threads *threads);
/* End the threads and wait for them, but for a second at most: then, and for those written off already, what
 * they use is left behind and they end with the process. Every home is closed by then. NULL is fine. */
void ab_threads_close(struct ab_threads *threads);

struct ab_threads_stats {
	unsigned live, lost; /* threads at work or ready for it; written off and not back */
	unsigned queued;     /* jobs that wait */
};
struct ab_threads_stats ab_threads_stats(struct ab_threads *threads);

/* A worker's end. Loop thread only. NULL when out of memory or descriptors. */
struct ab_home *ab_home_create(struct ab_threads *threads, uv_loop_t *loop);
/* All calls must have completed. Jobs that still run are left to their threads. Frees itself on the loop;
 * before ab_deadlines_close and ab_threads_close. NULL is fine. */
void ab_home_close(struct ab_home *home);

enum ab_job_state { AB_JOB_QUEUED, AB_JOB_RUNNING, AB_JOB_DONE };

/* One call's work; at the head of the caller's own struct, which holds nothing of the request: it may be
 * freed long after. */
struct ab_job {
	/* Set by the caller before ab_job_send. */
	void (*run)(struct ab_job *job, void *context); /* on a thread, with what `init` gave */
	void (*free)(struct ab_job *job);               /* the last touch; on the loop, or after
	                                                   ab_home_close on a thread */
	/* NULL, or told on the loop that the call is about to fail with `err`: what err borrows may be moved
	 * to the call's arena. */
	void (*failing)(struct ab_job *job, struct ab_call *call);
	const char *what;                   /* for messages: "the filter"; static */
	struct ab_deadline_queue *timeouts; /* for timeout_ms, counted from ab_job_send */
	uint64_t timeout_ms;

	/* Set by `run`: a text (data set), or a value, or (both NULL) why there is none. */
	struct ab_text text;
	json_t *value;
	struct ab_error err;

	/* Private. */
	struct ab_job *next, *prev;           /* in the queue, or in the home's list of those that are done */
	struct ab_job *away_next, *away_prev; /* in the home's list of all its jobs */
	struct ab_home *home;                 /* NULL: closed */
	struct ab_thread *thread;             /* that runs it */
	enum ab_job_state state;
	atomic_bool unwanted;
	struct ab_call *call; /* the loop's own; NULL once it has completed */
	struct ab_deadline deadline;
};

/* Send a call's work; takes the job. The call fails at once with AB_EOVERLOAD when too many jobs wait, or no
 * thread is left; otherwise it completes later: with what the job came to, or with AB_ETIMEOUT or
 * AB_ECANCELED. Uses call->state until then. Loop thread only. */
void ab_job_send(struct ab_home *home, struct ab_job *job, struct ab_call *call);
/* For struct ab_handler's `cancel`. Harmless when the call has no job. */
void ab_job_cancel(struct ab_call *call);
/* For `run`: nobody waits for the result any more. */
static inline bool ab_job_unwanted(struct ab_job *job)
{
	return atomic_load_explicit(&job->unwanted, memory_order_relaxed);
}

#endif
