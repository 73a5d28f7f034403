/* server/front.c: the daemon in the loop: when it runs, and how it ends. Connections are in connection.c,
 * requests in intake.c. */
#include "connection.h"
#include "listen.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* Head, reply's head and what libmicrohttpd notes of each field. It zeroes all of it after every
	 * request, so this is also what an idle kept connection costs. */
	FRONT_MEMORY = 16 * 1024,
	FRONT_BLOCKED_MS = 100, /* a turn of the loop longer than this is worth a line in the log */
	FRONT_SPINS = 64,       /* runs without effect until the next waits a millisecond */
	FRONT_GRACE_MS =
	        1000, /* while draining: what an idle connection may take to send a request after all */
	FRONT_SWEEP_MS = 50,
	FRONT_HUSH_MS = 100,    /* while draining: for handshakes under way to come to their end */
	FRONT_WRITES_MS = 2000, /* after the limit: for the writes to end by their own timeouts */
};

/* ---- when libmicrohttpd runs ---- */

static void front_on_idle(uv_idle_t *handle)
{
	(void)handle; /* its being active keeps the loop from waiting */
}

static void front_on_retry(uv_timer_t *timer)
{
	struct ab_front *front = timer->data;

	front->run = true;
}

/* How soon libmicrohttpd wants to run again. A connection whose peer fills the buffer with a chunk header
 * that never ends leaves it with work it can't do: then the loop goes slow instead of spinning, until the
 * deadline. */
static void front_schedule(struct ab_front *front, uint64_t calls_before)
{
	MHD_UNSIGNED_LONG_LONG wait;

	if (front->run) {
		wait = 0; /* resumed meanwhile */
		front->spins = 0;
	} else if (MHD_get_timeout(front->daemon, &wait) == MHD_NO) {
		front->spins = 0;
		if (uv_is_active((uv_handle_t *)&front->idle))
			uv_idle_stop(&front->idle);
		return;
	} else if (wait == 0) {
		front->spins = front->calls == calls_before ? front->spins + 1 : 0;
		if (front->spins > FRONT_SPINS)
			wait = 1;
	}
	if (wait == 0) {
		front->run = true;
		uv_idle_start(&front->idle, front_on_idle);
	} else {
		uv_idle_stop(&front->idle);
		uv_timer_start(&front->retry, front_on_retry, wait, 0);
	}
}

/* The end of a drain, told once. */
static void front_maybe_drained(struct ab_front *front)
{
	bool clean = front->open == 0 && front->arenas == 0 && front->listen_fd < 0;

	if (!front->draining || front->reported)
		return;
	if (!clean && !(front->aborted && uv_now(front->env->loop) >= front->drain_limit + FRONT_WRITES_MS))
		return;
	front->reported = true;
	front->drained(front->arg, clean);
}

/* Before the loop waits. */
static void front_on_prepare(uv_prepare_t *prepare)
{
	struct ab_front *front = prepare->data;
	uint64_t busy, calls;

	if (front->run) {
		front->run = false;
		calls = front->calls;
		MHD_run(front->daemon);
		front_schedule(front, calls);
		uv_update_time(front->env->loop);
	}
	busy = uv_now(front->env->loop) - front->polled;
	if (busy > FRONT_BLOCKED_MS)
		ab_log_event(front->log, AB_LOG_WARN, "worker %u: the loop was blocked for %llu ms",
		        front->env->worker, (unsigned long long)busy);
	front_maybe_drained(front);
}

/* After the loop has waited, and has called what was ready. */
static void front_on_check(uv_check_t *check)
{
	struct ab_front *front = check->data;

	front->polled = uv_now(front->env->loop);
}

static void front_on_events(uv_poll_t *poll, int status, int events)
{
	struct ab_front *front = poll->data;

	(void)status;
	(void)events;
	front->run = true;
}

static void front_on_hangups(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	ab_connection_on_hangups(poll->data);
}

/* ---- making it ---- */

static void front_on_message(void *cls, const char *fmt, va_list args) AB_PRINTF(2, 0);
static void front_on_message(void *cls, const char *fmt, va_list args)
{
	struct ab_front *front = cls;
	char text[512];
	size_t len;

	vsnprintf(text, sizeof(text), fmt, args);
	len = strlen(text);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	ab_log_event(front->log, AB_LOG_DEBUG, "libmicrohttpd: %s", text);
}

/* Leave the target as it was sent: we decode it ourselves, and the guard compares where it lies. */
static size_t front_keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static struct MHD_Daemon *front_start_daemon(struct ab_front *front, unsigned max_connections)
{
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)max_connections, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, FRONT_MEMORY, NULL},
		{MHD_OPTION_LISTEN_SOCKET, front->listen_fd, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)ab_intake_on_target, front},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)front_keep_escapes, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)ab_connection_on_notify, front},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)ab_connection_on_completed, front},
		{MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
#if MHD_VERSION >= 0x01000000
		/* There, unlike in 0.9.75, this refuses what our guard can't see. */
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
#endif
		{MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

#if MHD_VERSION >= 0x01000000
	flags |= MHD_USE_NO_THREAD_SAFETY;
#endif
	/* The logger comes first, so that it hears of mistakes in the rest. */
	return MHD_start_daemon(flags, 0, NULL, NULL, ab_intake_on_request, front, MHD_OPTION_EXTERNAL_LOGGER,
	        front_on_message, front, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static bool front_make_queues(struct ab_front *front)
{
	const struct ab_settings *settings = front->app->settings;
	struct ab_deadlines *set = front->env->deadlines;

	front->head_queue = ab_deadlines_queue(set, settings->head_timeout_ms);
	front->body_queue = ab_deadlines_queue(set, settings->body_timeout_ms);
	front->send_queue = ab_deadlines_queue(set, settings->send_timeout_ms);
	front->idle_queue = ab_deadlines_queue(set, AB_IDLE_MS);
	front->linger_queue = ab_deadlines_queue(set, AB_LINGER_MS);
	return front->head_queue != NULL && front->body_queue != NULL && front->send_queue != NULL &&
	       front->idle_queue != NULL && front->linger_queue != NULL;
}

static void front_on_closed(uv_handle_t *handle)
{
	struct ab_front *front = handle->data;

	if (--front->closing == 0)
		free(front);
}

static void front_close_handle(struct ab_front *front, void *handle)
{
	front->closing++;
	uv_close(handle, front_on_closed);
}

/* Handles that can't fail come first, so that from here on there is always a close callback to free the
 * front. */
static int front_make_handles(struct ab_front *front)
{
	uv_loop_t *loop = front->env->loop;
	const union MHD_DaemonInfo *info;
	int rc;

	info = MHD_get_daemon_info(front->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return UV_EINVAL;
	rc = uv_poll_init(loop, &front->events, info->epoll_fd);
	if (rc != 0)
		return rc;
	rc = uv_poll_init(loop, &front->hangups, front->hangup_fd);
	if (rc != 0) {
		front_close_handle(front, &front->events);
		return rc;
	}
	uv_prepare_init(loop, &front->prepare);
	uv_check_init(loop, &front->check);
	uv_idle_init(loop, &front->idle);
	uv_timer_init(loop, &front->retry);
	uv_timer_init(loop, &front->sweep);
	uv_poll_start(&front->events, UV_READABLE, front_on_events);
	uv_poll_start(&front->hangups, UV_READABLE, front_on_hangups);
	uv_prepare_start(&front->prepare, front_on_prepare);
	uv_check_start(&front->check, front_on_check);
	return 0;
}

enum ab_code ab_front_create(
        const struct ab_front_options *options, struct ab_front **ret_front, struct ab_error *err)
{
	struct ab_front *front = calloc(1, sizeof(*front));
	enum ab_code code;
	int rc;

	if (front == NULL) {
		close(options->listen_fd);
		return ab_error_set(err, AB_ENOMEM, "no memory for a worker's front");
	}
	front->env = options->env;
	front->app = options->app;
	front->gate = options->gate;
	front->log = options->log;
	front->listen_fd = options->listen_fd;
	front->drained = options->drained;
	front->arg = options->arg;
	front->connections.next = front->connections.prev = &front->connections;
	front->events.data = front->hangups.data = front->prepare.data = front->check.data = front;
	front->idle.data = front->retry.data = front->sweep.data = front;
	front->run = true; /* its first run adds the listening socket to its epoll */
	front->polled = uv_now(front->env->loop);
	ab_ids_init(&front->ids);
	front->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
	if (front->hangup_fd < 0) {
		code = ab_error_set(err, AB_EINTERNAL, "epoll_create1: %s", strerror(errno));
		goto no_epoll;
	}
	if (!front_make_queues(front)) {
		code = ab_error_set(err, AB_ENOMEM, "no memory for a worker's deadlines");
		goto no_daemon;
	}
	front->daemon = front_start_daemon(front, options->max_connections);
	if (front->daemon == NULL) {
		code = ab_error_set(err, AB_EINTERNAL, "libmicrohttpd does not start: %s", strerror(errno));
		goto no_daemon;
	}
	rc = front_make_handles(front);
	if (rc == 0) {
		*ret_front = front;
		return AB_OK;
	}
	code = ab_error_set(err, AB_EINTERNAL, "polling for connections: %s", uv_strerror(rc));
	MHD_stop_daemon(front->daemon);
	if (front->listen_fd >= 0 && front->draining)
		close(front->listen_fd);
	close(front->hangup_fd);
	if (front->closing == 0)
		free(front);
	return code;

no_daemon:
	close(front->hangup_fd);
no_epoll:
	close(front->listen_fd);
	free(front);
	return code;
}

/* ---- ending it ---- */

/* What the kernel has accepted for us but libmicrohttpd has not: these clients think they are connected. */
static void front_accept_rest(struct ab_front *front)
{
	for (;;) {
		struct sockaddr_storage address;
		socklen_t len = sizeof(address);
		int fd = accept4(
		        front->listen_fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return;
		if (fd >= 0)
			MHD_add_connection(front->daemon, fd, (struct sockaddr *)&address, len);
	}
}

/* Everything still going on is cut. */
static void front_abort(struct ab_front *front)
{
	struct ab_connection *connection, *next;

	front->aborted = true;
	for (connection = front->connections.next; connection != &front->connections; connection = next) {
		next = connection->next;
		ab_connection_cut(connection);
	}
}

/* Whether an idle connection may be closed: nothing has come, and nothing will any more. */
static bool connection_is_quiet(const struct ab_connection *connection, uint64_t now)
{
	int unread = 0;

	return connection->state == AB_CONNECTION_IDLE && now - connection->idle_since >= FRONT_GRACE_MS &&
	       (ioctl(connection->fd, FIONREAD, &unread) != 0 || unread == 0);
}

/* No connection begins any more; the last ones are let in. */
static void front_close_listener(struct ab_front *front)
{
	front_accept_rest(front);
	close(front->listen_fd);
	front->listen_fd = -1;
	front->run = true;
}

static void front_on_sweep(uv_timer_t *timer)
{
	struct ab_front *front = timer->data;
	uint64_t now = uv_now(front->env->loop);
	struct ab_connection *connection, *next;

	if (front->listen_fd >= 0 && (now >= front->hushed_until || now >= front->drain_limit))
		front_close_listener(front);
	for (connection = front->connections.next; connection != &front->connections; connection = next) {
		next = connection->next;
		if (connection_is_quiet(connection, now))
			ab_connection_cut(connection);
	}
	if (now >= front->drain_limit && !front->aborted)
		front_abort(front);
	front_maybe_drained(front);
}

void ab_front_drain(struct ab_front *front, uint64_t limit_ms)
{
	front->drain_limit = uv_now(front->env->loop) + limit_ms;
	if (!front->draining) {
		front->draining = true;
		front->hushed_until = uv_now(front->env->loop) + FRONT_HUSH_MS;
		MHD_quiesce_daemon(front->daemon);
		ab_listen_hush(front->listen_fd);
		front_accept_rest(front);
		front->run = true;
	}
	uv_timer_start(&front->sweep, front_on_sweep, limit_ms < FRONT_SWEEP_MS ? limit_ms : FRONT_SWEEP_MS,
	        FRONT_SWEEP_MS);
}

void ab_front_close(struct ab_front *front)
{
	void *handles[] = {&front->events, &front->hangups, &front->prepare, &front->check, &front->idle,
	        &front->retry, &front->sweep};

	uv_poll_stop(&front->events);
	uv_poll_stop(&front->hangups);
	front_abort(front);
	MHD_stop_daemon(front->daemon);
	close(front->hangup_fd);
	for (size_t i = 0; i < AB_COUNT(handles); i++)
		front_close_handle(front, handles[i]);
}
