/* tests/handlers/test_pool.c: work on threads: what comes home, what is written off, and how it all ends. */
#include "../../handlers/pool.h"
#include "../lib/harness.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

TestSuite(pool, .timeout = 20);

/* ---- work ---- */

/* What holds a job up until the test lets it go. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool open;
	unsigned waiting;
};

static void gate_init(struct gate *gate)
{
	*gate = (struct gate){0};
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->moved, NULL);
}

static void gate_set(struct gate *gate, bool open)
{
	pthread_mutex_lock(&gate->lock);
	gate->open = open;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

static void gate_pass(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->waiting++;
	while (!gate->open)
		pthread_cond_wait(&gate->moved, &gate->lock);
	gate->waiting--;
	pthread_mutex_unlock(&gate->lock);
}

static unsigned gate_waiting(struct gate *gate)
{
	unsigned waiting;

	pthread_mutex_lock(&gate->lock);
	waiting = gate->waiting;
	pthread_mutex_unlock(&gate->lock);
	return waiting;
}

/* A resource of these tests; its run is handed what `init` made. */
struct work {
	struct ab_home *home;
	struct ab_deadline_queue *timeouts;
	uint64_t timeout_ms;
	void (*run)(struct ab_job *job, void *context);
	struct gate *gate; /* passed before the run, or NULL */
	atomic_int *freed;
};

struct work_job {
	struct ab_job job;
	struct work work;
};

static void work_run(struct ab_job *job, void *context)
{
	struct work_job *own = ab_container_of(job, struct work_job, job);

	if (own->work.gate != NULL)
		gate_pass(own->work.gate);
	own->work.run(job, context);
}

static void work_free(struct ab_job *job)
{
	struct work_job *own = ab_container_of(job, struct work_job, job);

	atomic_fetch_add(own->work.freed, 1);
	free(own);
}

static void work_start(struct ab_call *call)
{
	const struct work *work = call->resource->config;
	struct work_job *own = calloc(1, sizeof(*own));

	cr_assert(own != NULL);
	own->work = *work;
	own->job.run = work_run;
	own->job.free = work_free;
	own->job.what = "the work";
	own->job.timeouts = work->timeouts;
	own->job.timeout_ms = work->timeout_ms;
	ab_job_send(work->home, &own->job, call);
}

static const struct ab_handler work_handler = {
        .kind = "work", .start = work_start, .cancel = ab_job_cancel, .free = free};

/* ---- the fixture ---- */

struct fixture {
	struct harness h;
	struct ab_threads *threads;
	struct ab_home *home;
	struct gate gate;
	atomic_int sent, freed, made, unmade, warmed, released;
};

static void *fixture_init(void *arg)
{
	struct fixture *f = arg;
	int *context = malloc(sizeof(*context));

	*context = atomic_fetch_add(&f->made, 1);
	return context;
}

static bool fixture_warm(void *context, void *arg)
{
	struct fixture *f = arg;

	cr_assert(context != NULL);
	return atomic_fetch_add(&f->warmed, 1) < 2;
}

static void fixture_fini(void *context, void *arg)
{
	struct fixture *f = arg;

	free(context);
	atomic_fetch_add(&f->unmade, 1);
}

static void fixture_release(void *arg)
{
	struct fixture *f = arg;

	atomic_store(&f->released, 1);
}

static void fixture_open(struct fixture *f, unsigned threads, unsigned max_lost, unsigned queue)
{
	struct ab_threads_options options = {
	        .name = "ab-test",
	        .threads = threads,
	        .max_lost = max_lost,
	        .queue = queue,
	        .init = fixture_init,
	        .warm = fixture_warm,
	        .fini = fixture_fini,
	        .release = fixture_release,
	        .arg = f,
	};

	memset(f, 0, sizeof(*f));
	harness_open(&f->h);
	gate_init(&f->gate);
	f->threads = ab_threads_create(&options);
	cr_assert(f->threads != NULL);
	f->home = ab_home_create(f->threads, &f->h.loop);
	cr_assert(f->home != NULL);
}

static void fixture_close(struct fixture *f)
{
	gate_set(&f->gate, true);
	harness_clear(&f->h);
	ab_home_close(f->home);
	harness_close(&f->h);
	ab_threads_close(f->threads);
	for (int i = 0; i < 5000 && !atomic_load(&f->released); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	cr_expect(atomic_load(&f->released), "a thread is left");
	cr_expect_eq(atomic_load(&f->made), atomic_load(&f->unmade));
	cr_expect_eq(atomic_load(&f->freed), atomic_load(&f->sent), "jobs are left");
}

static void add(struct fixture *f, const char *name, void (*run)(struct ab_job *job, void *context),
        bool gated, unsigned timeout_ms)
{
	struct work *work = malloc(sizeof(*work));
	struct ab_resource resource = {.name = name, .handler = &work_handler, .config = work};
	struct ab_error err;

	*work = (struct work){
	        .home = f->home,
	        .timeouts = ab_deadlines_queue(f->h.env.deadlines, timeout_ms),
	        .timeout_ms = timeout_ms,
	        .run = run,
	        .gate = gated ? &f->gate : NULL,
	        .freed = &f->freed,
	};
	cr_assert_eq(ab_dispatcher_add(f->h.dispatcher, &resource, &err), AB_OK);
}

static struct harness_run *start(struct fixture *f, const char *name)
{
	atomic_fetch_add(&f->sent, 1);
	return harness_start(&f->h, name, NULL);
}

static void expect_value(struct fixture *f, const char *name, int value)
{
	struct harness_run *run = start(f, name);

	harness_wait(run);
	cr_assert_eq(run->code, AB_OK, "%s: %s", name, run->error != NULL ? run->error->text : "");
	cr_expect_eq(json_integer_value(run->value), value);
	harness_run_end(run);
}

static void expect_failure(struct harness_run *run, enum ab_code code, const char *text)
{
	harness_wait(run);
	cr_assert_eq(run->code, code, "%s", run->error != NULL ? run->error->text : "no error");
	cr_expect(strstr(run->error->text, text) != NULL, "%s", run->error->text);
	harness_run_end(run);
}

static void run_seven(struct ab_job *job, void *context)
{
	(void)context;
	job->value = json_integer(7);
}

/* ---- waiting for what other threads do ---- */

struct stats_wait {
	struct fixture *f;
	unsigned live, lost;
};

static bool stats_are(void *arg)
{
	struct stats_wait *wait = arg;
	struct ab_threads_stats stats = ab_threads_stats(wait->f->threads);

	return stats.live == wait->live && stats.lost == wait->lost;
}

static void expect_stats(struct fixture *f, unsigned live, unsigned lost)
{
	struct stats_wait wait = {f, live, lost};
	struct ab_threads_stats stats;

	(void)harness_until_fn(&f->h, stats_are, &wait, 5000);
	stats = ab_threads_stats(f->threads);
	cr_assert(stats.live == live && stats.lost == lost, "%u live and %u lost; expected %u and %u",
	        stats.live, stats.lost, live, lost);
}

static bool all_wait(void *arg)
{
	struct stats_wait *wait = arg;

	return gate_waiting(&wait->f->gate) == wait->live;
}

/* Until so many jobs stand before the gate. */
static void wait_at_gate(struct fixture *f, unsigned count)
{
	cr_assert(harness_until_fn(&f->h, all_wait, &(struct stats_wait){f, count, 0}, 5000));
}

/* ---- work that ends ---- */

static void run_where(struct ab_job *job, void *context)
{
	sigset_t set;
	char name[16];

	pthread_getname_np(pthread_self(), name, sizeof(name));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	job->value = json_pack("[s, b, i]", name, sigismember(&set, SIGTERM), *(int *)context);
}

Test(pool, a_job_runs_on_a_named_thread_without_signals_and_its_value_comes_home)
{
	struct harness_run *run;
	struct fixture f;
	char *text;

	fixture_open(&f, 1, 0, 8);
	add(&f, "where", run_where, false, 5000);
	run = start(&f, "where");
	cr_expect_eq(run->code, AB_PENDING);
	harness_wait(run);
	cr_assert_eq(run->code, AB_OK);
	text = json_dumps(run->value, JSON_COMPACT);
	cr_expect_str_eq(text, "[\"ab-test\",true,0]");
	free(text);
	harness_run_end(run);
	fixture_close(&f);
}

static void run_text(struct ab_job *job, void *context)
{
	(void)context;
	job->text = (struct ab_text){.data = strdup("hello"), .len = 5, .media = "text/plain"};
}

static void run_nothing(struct ab_job *job, void *context)
{
	(void)context;
	ab_error_set(&job->err, AB_EUPSTREAM, "no luck");
}

Test(pool, a_job_may_come_to_a_text_or_to_nothing)
{
	struct harness_run *run;
	struct fixture f;

	fixture_open(&f, 2, 0, 8);
	add(&f, "text", run_text, false, 5000);
	add(&f, "nothing", run_nothing, false, 5000);
	run = start(&f, "text");
	harness_wait(run);
	cr_assert_eq(run->code, AB_OK);
	cr_expect_str_eq(json_string_value(run->value), "hello");
	harness_run_end(run);
	expect_failure(start(&f, "nothing"), AB_EUPSTREAM, "no luck");
	fixture_close(&f);
}

Test(pool, threads_start_when_asked_and_warm_up_while_there_is_no_job)
{
	struct fixture f;

	fixture_open(&f, 3, 0, 8);
	expect_stats(&f, 0, 0);
	ab_threads_start(f.threads);
	expect_stats(&f, 3, 0);
	for (int i = 0; i < 5000 && atomic_load(&f.warmed) < 5; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	/* Two more steps besides the one in which each of three finds nothing left to do. */
	cr_expect_eq(atomic_load(&f.warmed), 5);
	fixture_close(&f);
}

Test(pool, jobs_run_side_by_side_on_as_many_threads_as_there_may_be)
{
	struct harness_run *runs[3];
	struct fixture f;

	fixture_open(&f, 2, 0, 8);
	add(&f, "gated", run_seven, true, 5000);
	for (size_t i = 0; i < 3; i++)
		runs[i] = start(&f, "gated");
	wait_at_gate(&f, 2);
	cr_expect_eq(ab_threads_stats(f.threads).queued, 1);
	gate_set(&f.gate, true);
	for (size_t i = 0; i < 3; i++) {
		harness_wait(runs[i]);
		cr_expect_eq(runs[i]->code, AB_OK);
		harness_run_end(runs[i]);
	}
	fixture_close(&f);
}

/* ---- too much, too long, no longer wanted ---- */

Test(pool, a_full_queue_is_an_overload)
{
	struct harness_run *runs[2];
	struct fixture f;

	fixture_open(&f, 1, 0, 1);
	add(&f, "gated", run_seven, true, 5000);
	runs[0] = start(&f, "gated");
	wait_at_gate(&f, 1);
	runs[1] = start(&f, "gated");
	expect_failure(start(&f, "gated"), AB_EOVERLOAD, "1 like it are waiting already");
	gate_set(&f.gate, true);
	for (size_t i = 0; i < 2; i++) {
		harness_wait(runs[i]);
		cr_expect_eq(runs[i]->code, AB_OK);
		harness_run_end(runs[i]);
	}
	fixture_close(&f);
}

Test(pool, a_job_that_outlives_its_time_fails_and_its_thread_is_replaced)
{
	struct fixture f;

	fixture_open(&f, 1, 1, 8);
	add(&f, "stuck", run_seven, true, 300);
	add(&f, "quick", run_seven, false, 5000);
	expect_failure(start(&f, "stuck"), AB_ETIMEOUT, "the work did not end within 300 ms");
	expect_stats(&f, 1, 1);
	expect_value(&f, "quick", 7);
	cr_expect_eq(atomic_load(&f.made), 2);
	gate_set(&f.gate, true); /* the lost one comes back, ends itself and makes room */
	expect_stats(&f, 1, 0);
	expect_value(&f, "quick", 7);
	fixture_close(&f);
}

Test(pool, with_too_many_threads_lost_there_is_none_until_one_comes_back)
{
	struct fixture f;

	fixture_open(&f, 1, 1, 8);
	add(&f, "stuck", run_seven, true, 300);
	add(&f, "quick", run_seven, false, 5000);
	expect_failure(start(&f, "stuck"), AB_ETIMEOUT, "did not end");
	expect_failure(start(&f, "stuck"), AB_ETIMEOUT, "did not end");
	expect_stats(&f, 0, 2);
	expect_failure(start(&f, "quick"), AB_EOVERLOAD, "did not come back");
	gate_set(&f.gate, true);
	expect_stats(&f, 1, 0);
	expect_value(&f, "quick", 7);
	fixture_close(&f);
}

Test(pool, a_job_that_waits_in_vain_times_out_and_never_runs)
{
	struct harness_run *run;
	struct fixture f;

	fixture_open(&f, 1, 0, 8);
	add(&f, "gated", run_seven, true, 5000);
	add(&f, "hasty", run_seven, false, 30);
	run = start(&f, "gated");
	wait_at_gate(&f, 1);
	expect_failure(start(&f, "hasty"), AB_ETIMEOUT, "no thread was free for the work within 30 ms");
	cr_expect_eq(atomic_load(&f.freed), 1);
	gate_set(&f.gate, true);
	harness_wait(run);
	cr_expect_eq(run->code, AB_OK);
	harness_run_end(run);
	fixture_close(&f);
}

Test(pool, a_cancelled_job_leaves_the_queue_at_once)
{
	struct harness_run *gated, *queued;
	struct fixture f;

	fixture_open(&f, 1, 0, 8);
	add(&f, "gated", run_seven, true, 5000);
	gated = start(&f, "gated");
	wait_at_gate(&f, 1);
	queued = start(&f, "gated");
	ab_run_cancel(queued->run);
	cr_expect_eq(ab_run_outstanding(queued->run), 0);
	cr_expect_eq(ab_threads_stats(f.threads).queued, 0);
	cr_expect_eq(atomic_load(&f.freed), 1);
	harness_run_end(queued);
	harness_run_end(gated); /* cancels it while it runs */
	fixture_close(&f);
}

static void run_until_unwanted(struct ab_job *job, void *context)
{
	(void)context;
	while (!ab_job_unwanted(job))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	job->value = json_true();
}

Test(pool, a_cancelled_job_completes_at_once_and_can_see_that_it_is_unwanted)
{
	struct harness_run *run;
	struct fixture f;

	fixture_open(&f, 1, 0, 8);
	add(&f, "polite", run_until_unwanted, false, 5000);
	add(&f, "quick", run_seven, false, 5000);
	run = start(&f, "polite");
	harness_idle(&f.h, 10);
	ab_run_cancel(run->run);
	cr_expect_eq(ab_run_outstanding(run->run), 0);
	harness_run_end(run);
	expect_value(&f, "quick", 7); /* on the same thread */
	cr_expect_eq(atomic_load(&f.made), 1);
	fixture_close(&f);
}

Test(pool, a_cancelled_job_that_outlives_its_time_costs_its_thread_all_the_same)
{
	struct harness_run *run;
	struct fixture f;

	fixture_open(&f, 1, 1, 8);
	add(&f, "stuck", run_seven, true, 300);
	add(&f, "quick", run_seven, false, 5000);
	run = start(&f, "stuck");
	wait_at_gate(&f, 1);
	harness_run_end(run);
	expect_stats(&f, 1, 1);
	expect_value(&f, "quick", 7);
	fixture_close(&f);
}

/* ---- the end ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(pool, closing_leaves_behind_what_does_not_end)
{
	struct fixture f;
	struct harness_run *run;
	double begun;

	fixture_open(&f, 2, 2, 8);
	add(&f, "stuck", run_seven, true, 300);
	add(&f, "gated", run_seven, true, 60000);
	expect_failure(start(&f, "stuck"), AB_ETIMEOUT, "did not end");
	run = start(&f, "gated");
	wait_at_gate(&f, 2);
	harness_run_end(run);
	harness_clear(&f.h);
	ab_home_close(f.home);
	harness_close(&f.h);
	begun = seconds();
	ab_threads_close(f.threads);
	cr_expect(seconds() - begun < 5, "took %f s", seconds() - begun);
	cr_expect_eq(atomic_load(&f.released), 0);
	gate_set(&f.gate, true); /* as if they came back after all */
	for (int i = 0; i < 5000 && !atomic_load(&f.released); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	cr_expect(atomic_load(&f.released));
	cr_expect_eq(atomic_load(&f.freed), 2);
	cr_expect_eq(atomic_load(&f.made), atomic_load(&f.unmade));
}

Test(pool, an_end_with_a_job_that_is_done_frees_it)
{
	struct harness_run *run;
	struct fixture f;

	fixture_open(&f, 1, 0, 8);
	add(&f, "gated", run_seven, true, 5000);
	run = start(&f, "gated");
	wait_at_gate(&f, 1);
	harness_run_end(run);
	gate_set(&f.gate, true);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* the loop does not turn meanwhile */
	fixture_close(&f);
}

/* ---- several workers ---- */

enum { WORKERS = 3, ROUNDS = 300 };

struct worker {
	struct harness h;
	struct ab_threads *threads;
	atomic_int *freed;
	int wrong;
};

static void run_count(struct ab_job *job, void *context)
{
	(*(int *)context)++; /* its own: no lock */
	job->value = json_integer(7);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct work *work = malloc(sizeof(*work));
	struct ab_resource resource = {.name = "count", .handler = &work_handler, .config = work};
	struct ab_home *home;
	struct ab_error err;

	harness_open(&worker->h);
	home = ab_home_create(worker->threads, &worker->h.loop);
	*work = (struct work){
	        .home = home,
	        .timeouts = ab_deadlines_queue(worker->h.env.deadlines, 5000),
	        .timeout_ms = 5000,
	        .run = run_count,
	        .freed = worker->freed,
	};
	worker->wrong += ab_dispatcher_add(worker->h.dispatcher, &resource, &err) != AB_OK;
	for (int i = 0; i < ROUNDS; i++) {
		struct harness_run *one = harness_start(&worker->h, "count", NULL);
		struct harness_run *other = harness_start(&worker->h, "count", NULL);

		harness_wait(one);
		worker->wrong += one->code != AB_OK || json_integer_value(one->value) != 7;
		harness_run_end(one);
		harness_run_end(other); /* done, running or queued: as it happens */
	}
	harness_clear(&worker->h);
	ab_home_close(home);
	harness_close(&worker->h);
	return NULL;
}

Test(pool, workers_share_the_threads)
{
	static struct worker workers[WORKERS];
	pthread_t ids[WORKERS];
	struct fixture f;

	fixture_open(&f, 2, 2, 64);
	for (int i = 0; i < WORKERS; i++) {
		workers[i].threads = f.threads;
		workers[i].freed = &f.freed;
		cr_assert_eq(pthread_create(&ids[i], NULL, worker_main, &workers[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(ids[i], NULL);
		cr_expect_eq(workers[i].wrong, 0);
	}
	atomic_store(&f.sent, WORKERS * ROUNDS * 2);
	fixture_close(&f);
}
