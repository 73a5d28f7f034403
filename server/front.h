/* server/front.h: HTTP/1.1 on a worker's loop, by libmicrohttpd.
 *
 * One a worker. libmicrohttpd has no thread of its own: its epoll descriptor is polled by the loop, and once
 * a loop turn, before the loop waits, it runs if anything happened, so that all connections resumed in a turn
 * share one run. */
#ifndef AB_FRONT_H
#define AB_FRONT_H

#include "app.h"
#include "log.h"

#include <stdatomic.h>

struct ab_front;

/* What all workers share: runs in flight, counted for server.max_in_flight. */
struct ab_gate {
	_Atomic unsigned in_flight;
	unsigned max;
};

struct ab_front_options {
	struct ab_env *env;
	struct ab_app *app;
	struct ab_gate *gate;
	struct ab_log_ring *log;
	int listen_fd; /* bound, listening, non-blocking; the front's from now on, also when create fails */
	unsigned max_connections; /* of this worker */
	/* Called once after ab_front_drain, on the loop's thread, when the last connection and the last run
	 * are gone, or when time is up (`clean` false: a write is still going on; nothing may be freed). May
	 * not close the front. */
	void (*drained)(void *arg, bool clean);
	void *arg;
};

/* Errors: AB_ENOMEM, AB_EINTERNAL. */
AB_NODISCARD enum ab_code ab_front_create(
        const struct ab_front_options *options, struct ab_front **ret_front, struct ab_error *err);

/* Accept no more, answer what is in flight with Connection: close, close idle connections after a moment;
 * then call `drained`. After `limit_ms` runs are cancelled and connections cut. On the loop's thread; again:
 * a new limit. */
void ab_front_drain(struct ab_front *front, uint64_t limit_ms);

/* After `drained` said clean, or before the loop ever ran. The memory goes when the loop has run the close
 * callbacks. */
void ab_front_close(struct ab_front *front);

#endif
