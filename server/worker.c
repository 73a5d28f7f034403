/* server/worker.c: see worker.h.
 *
 *   create --start--> running --stop--> draining --drained--> ended --join, destroy */
#include "worker.h"

#include "env.h"
#include "log.h"

#include "../handlers/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

struct ab_worker {
	struct ab_env env;
	struct ab_app *app;
	struct ab_front *front;
	struct ab_log_ring *log;
	uv_async_t stop;
	_Atomic uint64_t stop_limit_ms;
	pthread_t thread;
	bool clean;
	void (*ended)(void *arg);
	void *arg;
};

struct ab_worker *ab_worker_create(unsigned index, unsigned workers, const struct ab_sources *sources,
        struct ab_shared *shared, const struct ab_app_options *options, struct ab_diags *diags,
        struct ab_error *err)
{
	struct ab_worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL) {
		ab_error_set(err, AB_ENOMEM, "no memory for worker %u", index);
		return NULL;
	}
	if (ab_env_init(&worker->env, index, err) != AB_OK) {
		free(worker);
		return NULL;
	}
	worker->env.workers = workers;
	worker->app = ab_app_compile(sources, shared, &worker->env, options, diags);
	if (worker->app == NULL) {
		ab_error_set(err, AB_ENOMEM, "no memory for the app of worker %u", index);
		ab_env_fini(&worker->env);
		free(worker);
		return NULL;
	}
	return worker;
}

const struct ab_app *ab_worker_app(const struct ab_worker *worker)
{
	return worker->app;
}

static void worker_on_warn(struct ab_env *env, const char *text)
{
	const struct ab_worker *worker = ab_container_of(env, struct ab_worker, env);

	ab_log_event(worker->log, AB_LOG_WARN, "%s", text);
}

static void worker_on_drained(void *arg, bool clean)
{
	struct ab_worker *worker = arg;

	worker->clean = clean;
	uv_stop(worker->env.loop);
}

static void worker_on_stop(uv_async_t *async)
{
	struct ab_worker *worker = async->data;

	ab_front_drain(worker->front, atomic_load(&worker->stop_limit_ms));
}

/* Signals are for the main thread. */
static void *worker_thread(void *arg)
{
	struct ab_worker *worker = arg;
	sigset_t all;

	ab_signals_of_others(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	uv_run(worker->env.loop, UV_RUN_DEFAULT);
	worker->ended(worker->arg);
	return NULL;
}

enum ab_code ab_worker_start(
        struct ab_worker *worker, const struct ab_worker_serve *serve, struct ab_error *err)
{
	struct ab_front_options options = {
	        .env = &worker->env,
	        .app = worker->app,
	        .gate = serve->gate,
	        .log = serve->log,
	        .listen_fd = serve->listen_fd,
	        .max_connections = serve->max_connections,
	        .drained = worker_on_drained,
	        .arg = worker,
	};
	struct ab_front *front;
	enum ab_code code;
	int rc;

	worker->log = serve->log;
	worker->env.warn = worker_on_warn;
	worker->ended = serve->ended;
	worker->arg = serve->arg;
	worker->stop.data = worker;
	rc = uv_async_init(worker->env.loop, &worker->stop, worker_on_stop);
	if (rc != 0) {
		close(serve->listen_fd);
		return ab_error_set(err, AB_EINTERNAL, "waking a worker: %s", uv_strerror(rc));
	}
	code = ab_front_create(&options, &front, err);
	if (code != AB_OK)
		goto failed;
	worker->front = front;
	rc = pthread_create(&worker->thread, NULL, worker_thread, worker);
	if (rc != 0) {
		code = ab_error_set(err, AB_EINTERNAL, "no thread for a worker: %s", uv_strerror(-rc));
		ab_front_close(front);
		worker->front = NULL;
		goto failed;
	}
	return AB_OK;
failed:
	uv_close((uv_handle_t *)&worker->stop, NULL);
	return code;
}

void ab_worker_stop(struct ab_worker *worker, uint64_t limit_ms)
{
	atomic_store(&worker->stop_limit_ms, limit_ms);
	uv_async_send(&worker->stop);
}

bool ab_worker_join(struct ab_worker *worker)
{
	pthread_join(worker->thread, NULL);
	return worker->clean;
}

void ab_worker_destroy(struct ab_worker *worker)
{
	if (worker == NULL)
		return;
	if (worker->front != NULL) {
		ab_front_close(worker->front);
		uv_close((uv_handle_t *)&worker->stop, NULL);
	}
	ab_app_destroy(worker->app);
	ab_env_fini(&worker->env);
	free(worker);
}
