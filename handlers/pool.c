/* handlers/pool.c: see pool.h. One lock a pool, held for a few instructions at a time; what is under it is
 * marked. The order of ends: calls, homes, threads. */
#include "pool.h"

#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { CLOSE_WAIT_MS = 1000, NAME_MAX_BYTES = 10 };

struct ab_thread {
	pthread_t id;
	struct ab_threads *pool;
	/* Under the lock. */
	struct ab_thread *next, *prev; /* among those that are live */
	bool lost;                     /* written off, or left behind by close: detached */
	bool left;                     /* about to return: to be joined */
};

struct ab_threads {
	struct ab_threads_options options;
	pthread_mutex_t lock;
	pthread_cond_t filled; /* a job, or the end */
	pthread_cond_t left;   /* a live thread is about to return */
	/* Under the lock. */
	struct ab_job *first, *last;
	struct ab_thread *live;
	unsigned n_queued, n_live, n_lost;
	unsigned waiting; /* threads that wait for a job */
	unsigned refs;    /* the owner's, and one a thread */
	bool closed;
};

struct ab_home {
	struct ab_threads *pool;
	uv_async_t async;
	struct ab_job *away;        /* under the lock: every job of this home */
	struct ab_job *done, *last; /* under the lock */
	size_t calls;               /* that wait; the loop's own */
};

/* ---- lists, under the lock ---- */

static void queue_push(struct ab_threads *pool, struct ab_job *job)
{
	job->next = NULL;
	job->prev = pool->last;
	*(pool->last != NULL ? &pool->last->next : &pool->first) = job;
	pool->last = job;
	pool->n_queued++;
}

static void queue_unlink(struct ab_threads *pool, struct ab_job *job)
{
	*(job->prev != NULL ? &job->prev->next : &pool->first) = job->next;
	*(job->next != NULL ? &job->next->prev : &pool->last) = job->prev;
	job->next = job->prev = NULL;
	pool->n_queued--;
}

static void home_link(struct ab_home *home, struct ab_job *job)
{
	job->home = home;
	job->away_prev = NULL;
	job->away_next = home->away;
	if (home->away != NULL)
		home->away->away_prev = job;
	home->away = job;
}

static void home_unlink(struct ab_job *job)
{
	struct ab_home *home = job->home;

	*(job->away_prev != NULL ? &job->away_prev->away_next : &home->away) = job->away_next;
	if (job->away_next != NULL)
		job->away_next->away_prev = job->away_prev;
	job->home = NULL;
}

static void live_link(struct ab_threads *pool, struct ab_thread *thread)
{
	thread->prev = NULL;
	thread->next = pool->live;
	if (pool->live != NULL)
		pool->live->prev = thread;
	pool->live = thread;
	pool->n_live++;
}

static void live_unlink(struct ab_threads *pool, struct ab_thread *thread)
{
	*(thread->prev != NULL ? &thread->prev->next : &pool->live) = thread->next;
	if (thread->next != NULL)
		thread->next->prev = thread->prev;
	pool->n_live--;
}

static void job_free(struct ab_job *job)
{
	free(job->text.data);
	json_decref(job->value);
	job->free(job);
}

/* ---- threads ---- */

static void *thread_main(void *arg);

/* Give a reference up, and the lock with it. */
static void threads_unref(struct ab_threads *pool)
{
	bool last = --pool->refs == 0;

	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return;
	if (pool->options.release != NULL)
		pool->options.release(pool->options.arg);
	pthread_cond_destroy(&pool->left);
	pthread_cond_destroy(&pool->filled);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* One more thread; under the lock. Signals are for the main thread. */
static bool thread_start(struct ab_threads *pool)
{
	struct ab_thread *thread = calloc(1, sizeof(*thread));
	sigset_t all, before;
	int rc;

	if (thread == NULL)
		return false;
	thread->pool = pool;
	ab_signals_of_others(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread->id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		free(thread);
		return false;
	}
	live_link(pool, thread);
	pool->refs++;
	return true;
}

/* Whether there may be one more thread. Under the lock. */
static bool threads_short(const struct ab_threads *pool)
{
	return !pool->closed && pool->n_live < pool->options.threads &&
	       pool->n_live + pool->n_lost < pool->options.threads + pool->options.max_lost;
}

/* The next job of a thread; waits for one, and makes use of the wait. NULL at the end. */
static struct ab_job *threads_take(struct ab_threads *pool, struct ab_thread *thread, void *context)
{
	bool warm = pool->options.warm != NULL;
	struct ab_job *job;

	pthread_mutex_lock(&pool->lock);
	while (pool->first == NULL && !pool->closed) {
		if (warm) {
			pthread_mutex_unlock(&pool->lock);
			warm = pool->options.warm(context, pool->options.arg);
			pthread_mutex_lock(&pool->lock);
			continue;
		}
		pool->waiting++;
		pthread_cond_wait(&pool->filled, &pool->lock);
		pool->waiting--;
	}
	job = pool->closed ? NULL : pool->first;
	if (job != NULL) {
		queue_unlink(pool, job);
		job->state = AB_JOB_RUNNING;
		job->thread = thread;
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

/* A job has been run: send it home, or free it where there is none any more. Whether the thread may take
 * another. */
static bool threads_give_back(struct ab_threads *pool, struct ab_thread *thread, struct ab_job *job)
{
	struct ab_home *home;
	bool lost;

	pthread_mutex_lock(&pool->lock);
	lost = thread->lost;
	home = job->home;
	job->state = AB_JOB_DONE;
	job->thread = NULL;
	if (home != NULL) {
		/* The loop takes all there are, so only the first wakes it. Inside the lock: once it is free,
		 * the home may close. */
		if (home->done == NULL)
			uv_async_send(&home->async);
		job->next = NULL;
		*(home->done != NULL ? &home->last->next : &home->done) = job;
		home->last = job;
	}
	pthread_mutex_unlock(&pool->lock);
	if (home == NULL)
		job_free(job);
	return !lost;
}

static void thread_leave(struct ab_threads *pool, struct ab_thread *thread)
{
	pthread_mutex_lock(&pool->lock);
	if (!thread->lost) { /* ab_threads_close waits for it, joins it and frees it */
		thread->left = true;
		pthread_cond_signal(&pool->left);
	} else {
		free(thread);
		pool->n_lost--;
		if (threads_short(pool))
			thread_start(pool);
	}
	threads_unref(pool);
}

static void *thread_main(void *arg)
{
	struct ab_thread *thread = arg;
	struct ab_threads *pool = thread->pool;
	const struct ab_threads_options *options = &pool->options;
	struct ab_job *job;
	void *context;

	pthread_setname_np(pthread_self(), options->name);
	context = options->init != NULL ? options->init(options->arg) : NULL;
	while ((job = threads_take(pool, thread, context)) != NULL) {
		job->run(job, context);
		if (!threads_give_back(pool, thread, job))
			break;
	}
	if (options->fini != NULL)
		options->fini(context, options->arg);
	thread_leave(pool, thread);
	return NULL;
}

/* A thread is not to be waited for. Under the lock. */
static void thread_lose(struct ab_threads *pool, struct ab_thread *thread)
{
	char name[16];

	live_unlink(pool, thread);
	thread->lost = true;
	pool->n_lost++;
	snprintf(name, sizeof(name), "%.*s-lost", NAME_MAX_BYTES, pool->options.name);
	pthread_setname_np(thread->id, name);
	pthread_detach(thread->id);
}

struct ab_threads *ab_threads_create(const struct ab_threads_options *options)
{
	struct ab_threads *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t monotonic;

	ab_assert(options->threads > 0 && options->queue > 0 && strlen(options->name) <= NAME_MAX_BYTES);
	if (pool == NULL)
		return NULL;
	pool->options = *options;
	pool->refs = 1;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->filled, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->left, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return pool;
}

void ab_threads_start(struct ab_threads *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (threads_short(pool) && thread_start(pool))
		;
	pthread_mutex_unlock(&pool->lock);
}

/* Join one that has left, if there is one. Under the lock, which is free while joining. */
static bool threads_reap(struct ab_threads *pool)
{
	struct ab_thread *thread = pool->live;

	while (thread != NULL && !thread->left)
		thread = thread->next;
	if (thread == NULL)
		return false;
	live_unlink(pool, thread);
	pthread_mutex_unlock(&pool->lock);
	pthread_join(thread->id, NULL);
	free(thread);
	pthread_mutex_lock(&pool->lock);
	return true;
}

void ab_threads_close(struct ab_threads *pool)
{
	struct timespec until;

	if (pool == NULL)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLOSE_WAIT_MS / 1000;
	pthread_mutex_lock(&pool->lock);
	ab_assert(pool->first == NULL);
	pool->closed = true;
	pthread_cond_broadcast(&pool->filled);
	while (pool->live != NULL) {
		if (!threads_reap(pool) && pthread_cond_timedwait(&pool->left, &pool->lock, &until) != 0)
			break;
	}
	while (threads_reap(pool))
		;
	while (pool->live != NULL)
		thread_lose(pool, pool->live);
	threads_unref(pool);
}

struct ab_threads_stats ab_threads_stats(struct ab_threads *pool)
{
	struct ab_threads_stats stats;

	pthread_mutex_lock(&pool->lock);
	stats = (struct ab_threads_stats){
	        .live = pool->n_live, .lost = pool->n_lost, .queued = pool->n_queued};
	pthread_mutex_unlock(&pool->lock);
	return stats;
}

/* ---- jobs, on the loop ---- */

/* The call of a job completes, with the error or (NULL) with what the job came to. */
static void job_complete(struct ab_home *home, struct ab_job *job, const struct ab_error *err)
{
	struct ab_call *call = job->call;

	job->call = NULL;
	call->state = NULL;
	if (--home->calls == 0)
		uv_unref((uv_handle_t *)&home->async);
	if (err != NULL) {
		ab_call_fail(call, err);
	} else if (job->text.data != NULL) {
		struct ab_text text = job->text;

		job->text.data = NULL;
		ab_call_resolve_text(call, &text);
	} else if (job->value != NULL) {
		json_t *value = job->value;

		job->value = NULL;
		ab_call_resolve_new(call, value);
	} else {
		if (job->failing != NULL)
			job->failing(job, call);
		ab_call_fail(call, &job->err);
	}
}

/* Take a job back that no thread has begun. */
static bool job_withdraw(struct ab_home *home, struct ab_job *job)
{
	bool queued;

	pthread_mutex_lock(&home->pool->lock);
	queued = job->state == AB_JOB_QUEUED;
	if (queued) {
		queue_unlink(home->pool, job);
		home_unlink(job);
	}
	pthread_mutex_unlock(&home->pool->lock);
	return queued;
}

/* Write the thread off that runs the job, if one does. */
static bool job_lose_thread(struct ab_home *home, struct ab_job *job)
{
	bool running;

	pthread_mutex_lock(&home->pool->lock);
	running = job->state == AB_JOB_RUNNING;
	if (running) {
		thread_lose(home->pool, job->thread);
		if (threads_short(home->pool))
			thread_start(home->pool);
	}
	pthread_mutex_unlock(&home->pool->lock);
	return running;
}

/* The call has waited long enough; or it is over already, and its job still runs. A job that is done comes
 * home with this very turn of the loop. */
static void job_on_expired(struct ab_deadline *deadline)
{
	struct ab_job *job = ab_container_of(deadline, struct ab_job, deadline);
	struct ab_home *home = job->home;
	unsigned long long ms = job->timeout_ms;
	struct ab_error err;

	if (job_lose_thread(home, job)) {
		atomic_store_explicit(&job->unwanted, true, memory_order_relaxed);
		ab_error_set(&err, AB_ETIMEOUT, "%s did not end within %llu ms", job->what, ms);
		if (job->call != NULL)
			job_complete(home, job, &err);
	} else if (job_withdraw(home, job)) {
		ab_error_set(&err, AB_ETIMEOUT, "no thread was free for %s within %llu ms", job->what, ms);
		job_complete(home, job, &err);
		job_free(job);
	}
}

/* A running job keeps its deadline: its thread is not given more time because nobody waits any more. */
void ab_job_cancel(struct ab_call *call)
{
	struct ab_job *job = call->state;
	struct ab_home *home;
	struct ab_error err;

	if (job == NULL)
		return;
	home = job->home;
	atomic_store_explicit(&job->unwanted, true, memory_order_relaxed);
	ab_error_set(&err, AB_ECANCELED, "canceled");
	if (job_withdraw(home, job)) {
		ab_deadline_disarm(&job->deadline);
		job_complete(home, job, &err);
		job_free(job);
	} else {
		job_complete(home, job, &err);
	}
}

static enum ab_code job_queue(struct ab_home *home, struct ab_job *job, struct ab_error *err)
{
	struct ab_threads *pool = home->pool;
	unsigned live, queued;
	bool sent, wake;

	pthread_mutex_lock(&pool->lock);
	if (pool->waiting <= pool->n_queued && threads_short(pool))
		thread_start(pool);
	live = pool->n_live;
	queued = pool->n_queued;
	wake = pool->waiting > 0;
	sent = live > 0 && queued < pool->options.queue;
	if (sent) {
		home_link(home, job);
		queue_push(pool, job);
	}
	pthread_mutex_unlock(&pool->lock);
	if (sent && wake)
		pthread_cond_signal(&pool->filled);
	if (sent)
		return AB_OK;
	if (live == 0)
		return ab_error_set(err, AB_EOVERLOAD,
		        "no thread for %s: those there were did not come back from earlier work, or none can be started",
		        job->what);
	return ab_error_set(
	        err, AB_EOVERLOAD, "no thread for %s: %u like it are waiting already", job->what, queued);
}

void ab_job_send(struct ab_home *home, struct ab_job *job, struct ab_call *call)
{
	struct ab_error err;

	job->text = (struct ab_text){0};
	job->value = NULL;
	job->thread = NULL;
	job->state = AB_JOB_QUEUED;
	atomic_init(&job->unwanted, false);
	job->call = call;
	job->deadline = (struct ab_deadline){0};
	call->state = job;
	if (home->calls++ == 0)
		uv_ref((uv_handle_t *)&home->async);
	if (job_queue(home, job, &err) == AB_OK) {
		ab_deadline_arm(job->timeouts, &job->deadline, job_on_expired);
		return;
	}
	job_complete(home, job, &err);
	job_free(job);
}

/* ---- the worker's end ---- */

static struct ab_job *home_pop(struct ab_home *home)
{
	struct ab_job *job;

	pthread_mutex_lock(&home->pool->lock);
	job = home->done;
	if (job != NULL) {
		home->done = job->next;
		home_unlink(job);
	}
	pthread_mutex_unlock(&home->pool->lock);
	return job;
}

/* One at a time: completing one may cancel another that is done as well. */
static void home_on_async(uv_async_t *async)
{
	struct ab_home *home = ab_container_of(async, struct ab_home, async);
	struct ab_job *job;

	while ((job = home_pop(home)) != NULL) {
		ab_deadline_disarm(&job->deadline);
		if (job->call != NULL)
			job_complete(home, job, NULL);
		job_free(job);
	}
}

struct ab_home *ab_home_create(struct ab_threads *pool, uv_loop_t *loop)
{
	struct ab_home *home = calloc(1, sizeof(*home));

	if (home == NULL)
		return NULL;
	home->pool = pool;
	if (uv_async_init(loop, &home->async, home_on_async) != 0) {
		free(home);
		return NULL;
	}
	uv_unref((uv_handle_t *)&home->async); /* only calls that wait keep the loop going */
	return home;
}

static void home_on_closed(uv_handle_t *handle)
{
	free(ab_container_of((uv_async_t *)handle, struct ab_home, async));
}

void ab_home_close(struct ab_home *home)
{
	struct ab_job *done = NULL, *job;

	if (home == NULL)
		return;
	ab_assert(home->calls == 0);
	pthread_mutex_lock(&home->pool->lock);
	while ((job = home->away) != NULL) {
		ab_assert(job->state != AB_JOB_QUEUED);
		ab_deadline_disarm(&job->deadline);
		home_unlink(job);
		if (job->state == AB_JOB_DONE) {
			job->next = done;
			done = job;
		}
	}
	pthread_mutex_unlock(&home->pool->lock);
	while ((job = done) != NULL) {
		done = job->next;
		job_free(job);
	}
	uv_close((uv_handle_t *)&home->async, home_on_closed);
}
