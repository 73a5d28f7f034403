/* server/worker.h: a thread with a loop, an app and a front of its own.
 *
 * Made on the main thread, so that an app file's mistakes are found before anything listens; after
 * ab_worker_start everything in it belongs to its thread. */
#ifndef AB_WORKER_H
#define AB_WORKER_H

#include "front.h"

struct ab_worker;

/* Compile the app for worker `index`. Mistakes go to diags; the worker is to be used only when there are
 * none. NULL with `err` filled when it can't be made at all (AB_ENOMEM, AB_EINTERNAL). */
struct ab_worker *ab_worker_create(unsigned index, unsigned workers, const struct ab_sources *sources,
        struct ab_shared *shared, const struct ab_app_options *options, struct ab_diags *diags,
        struct ab_error *err);
/* What it compiled; not to be touched once it runs. */
const struct ab_app *ab_worker_app(const struct ab_worker *worker);

struct ab_worker_serve {
	int listen_fd; /* taken, also on failure */
	unsigned max_connections;
	struct ab_gate *gate;
	struct ab_log_ring *log;
	void (*ended)(void *arg); /* on the worker's thread, when it has stopped; then ab_worker_join */
	void *arg;
};
/* Serve, on a thread of its own. Errors: AB_ENOMEM, AB_EINTERNAL. */
AB_NODISCARD enum ab_code ab_worker_start(
        struct ab_worker *worker, const struct ab_worker_serve *serve, struct ab_error *err);

/* Stop: answer what is in flight, for at most `limit_ms`. Again: a new limit. Any thread, between start and
 * join. */
void ab_worker_stop(struct ab_worker *worker, uint64_t limit_ms);

/* Wait for its thread. False when it stopped with a write still going on: then nothing it used may be freed.
 */
AB_NODISCARD bool ab_worker_join(struct ab_worker *worker);

/* After join said true, or when it was never started. NULL is fine. */
void ab_worker_destroy(struct ab_worker *worker);

#endif
