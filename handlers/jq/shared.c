/* handlers/jq/shared.c: the process's threads for filters, and each worker's end of them. */
#include "filter.h"

#include <sched.h>

enum {
	MIN_THREADS = 2,
	MAX_THREADS = 16,
	QUEUE = 1024, /* filters that may wait for a thread */
};

/* Outlives its closing while a thread is lost: the last of them releases it. */
struct ab_jq_shared {
	struct ab_threads *threads;
	struct ab_jq_programs *programs;
	struct ab_jq_rule *rules; /* main thread, at load */
	bool pooled;              /* some filter may run on a thread */
};

/* ---- a thread's context ---- */

static void *thread_init(void *arg)
{
	struct ab_jq_shared *shared = arg;

	return ab_jq_runner_create(shared->programs);
}

static bool thread_warm(void *context, void *arg)
{
	(void)arg;
	return context != NULL && ab_jq_runner_warm(context);
}

static void thread_fini(void *context, void *arg)
{
	(void)arg;
	ab_jq_runner_destroy(context);
}

static void shared_release(void *arg)
{
	struct ab_jq_shared *shared = arg;
	struct ab_jq_rule *rule;

	while ((rule = shared->rules) != NULL) {
		shared->rules = rule->next;
		free(rule->message);
		free(rule->field);
		free(rule);
	}
	ab_jq_programs_destroy(shared->programs);
	free(shared);
}

/* ---- the process's ---- */

static unsigned count_threads(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < MIN_THREADS ? MIN_THREADS : n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
}

struct ab_jq_shared *ab_jq_shared_create(void)
{
	struct ab_jq_shared *shared = calloc(1, sizeof(*shared));
	struct ab_threads_options options = {
	        .name = "ab-jq",
	        .threads = count_threads(),
	        .max_lost = count_threads(),
	        .queue = QUEUE,
	        .init = thread_init,
	        .warm = thread_warm,
	        .fini = thread_fini,
	        .release = shared_release,
	        .arg = shared,
	};

	if (shared == NULL)
		return NULL;
	shared->programs = ab_jq_programs_create();
	shared->threads = shared->programs != NULL ? ab_threads_create(&options) : NULL;
	if (shared->threads != NULL)
		return shared;
	shared_release(shared);
	return NULL;
}

void ab_jq_shared_start(struct ab_jq_shared *shared)
{
	if (shared->pooled)
		ab_threads_start(shared->threads);
}

void ab_jq_shared_close(struct ab_jq_shared *shared)
{
	if (shared != NULL)
		ab_threads_close(shared->threads);
}

struct ab_threads *ab_jq_shared_threads(struct ab_jq_shared *shared)
{
	return shared->threads;
}

struct ab_jq_programs *ab_jq_shared_programs(struct ab_jq_shared *shared)
{
	return shared->programs;
}

void ab_jq_shared_pool(struct ab_jq_shared *shared, const struct ab_jq_program *program)
{
	shared->pooled = true;
	ab_jq_program_pool(shared->programs, program);
}

struct ab_jq_rule *ab_jq_rule_create(struct ab_jq_shared *shared)
{
	struct ab_jq_rule *rule = calloc(1, sizeof(*rule));

	if (rule == NULL)
		return NULL;
	rule->next = shared->rules;
	shared->rules = rule;
	return rule;
}

/* ---- a worker's ---- */

struct ab_jq *ab_jq_create(struct ab_jq_shared *shared, uv_loop_t *loop)
{
	struct ab_jq *jq = calloc(1, sizeof(*jq));

	if (jq == NULL)
		return NULL;
	jq->shared = shared;
	jq->runner = ab_jq_runner_create(shared->programs);
	jq->home = jq->runner != NULL ? ab_home_create(shared->threads, loop) : NULL;
	if (jq->home != NULL)
		return jq;
	ab_jq_runner_destroy(jq->runner);
	free(jq);
	return NULL;
}

void ab_jq_close(struct ab_jq *jq)
{
	ab_home_close(jq->home);
	ab_jq_runner_destroy(jq->runner);
	free(jq);
}
