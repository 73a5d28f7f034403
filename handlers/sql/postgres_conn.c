/* handlers/sql/postgres_conn.c: one connection, from its opening to its end.
 *
 *   CLOSED --open--> RESOLVING --addresses--> CONNECTING --connected--> SETUP --settings are set--> READY
 *      ^                 |                        |                       |                           |
 *      `---- refused, too late (the pool backs off) ----------------------'       broken, given up ---'
 *
 * RESOLVING waits for a thread of its own and is left out where no host is a name; CONNECTING for what
 * PQconnectPoll wants of the socket; SETUP, which is left out where the session is not ours (prepare: false),
 * for the answer to the first query. A READY connection is in pipeline mode for good. After a cancel it is
 * fenced: nothing new is sent before all that was under way has come back, and a sync behind it, so that the
 * cancel can hit nobody else. Every path back to CLOSED is conn_end. */
#include "postgres.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* libuv owns a poll handle until its close callback, so each socket has one of its own. */
struct ab_pg_watch {
	uv_poll_t poll;
	struct ab_pg_conn *conn; /* NULL once released */
	struct ab_pg_pool *pool;
	int events;
};

/* ---- watching the socket ---- */

static void watch_on_closed(uv_handle_t *handle)
{
	struct ab_pg_watch *watch = ab_container_of((uv_poll_t *)handle, struct ab_pg_watch, poll);
	struct ab_pg_pool *pool = watch->pool;

	free(watch);
	ab_pg_pool_let_go(pool);
}

/* Before libpq may close the socket. */
static void conn_unwatch(struct ab_pg_conn *conn)
{
	if (conn->watch == NULL)
		return;
	conn->watch->conn = NULL;
	uv_close((uv_handle_t *)&conn->watch->poll, watch_on_closed);
	conn->watch = NULL;
}

static void conn_on_event(uv_poll_t *poll, int status, int events);

static bool conn_watch(struct ab_pg_conn *conn, int events)
{
	struct ab_pg_watch *watch = conn->watch;

	if (watch == NULL) {
		watch = calloc(1, sizeof(*watch));
		if (watch == NULL)
			return false;
		if (uv_poll_init(conn->pool->env->loop, &watch->poll, PQsocket(conn->pg)) != 0) {
			free(watch);
			return false;
		}
		uv_unref((uv_handle_t *)&watch->poll); /* an idle connection keeps no loop going */
		watch->conn = conn;
		watch->pool = conn->pool;
		conn->pool->handles++;
		conn->watch = watch;
	}
	if (watch->events == events)
		return true;
	watch->events = events;
	return uv_poll_start(&watch->poll, events, conn_on_event) == 0;
}

/* ---- the end ---- */

/* What was under way is nobody's any more: fail it, or send it again. */
static void conn_fail_entries(struct ab_pg_entry *ring, size_t head, size_t count, size_t size,
        const struct ab_error *err, bool again)
{
	for (size_t i = 0; i < count; i++) {
		struct ab_pg_query *query = ring[(head + i) & (size - 1)].query;

		if (query == NULL || --query->entries > 0)
			continue;
		query->conn = NULL;
		if (query->call == NULL)
			ab_pg_query_release(query);
		else if (again && !query->statement->writes && ++query->attempts < AB_PG_ATTEMPTS)
			ab_pg_pool_resubmit(query);
		else
			ab_pg_query_fail(query, err);
	}
}

/* Close whatever is open; the ring is handed to the caller, who frees it. */
static struct ab_pg_conn conn_end(struct ab_pg_conn *conn)
{
	struct ab_pg_conn ended = *conn;

	if (conn->resolving != NULL)
		ab_pg_aside_abandon(conn->resolving);
	if (conn->canceling != NULL)
		ab_pg_aside_abandon(conn->canceling);
	ab_deadline_disarm(&conn->deadline);
	conn_unwatch(conn);
	PQfinish(conn->pg);
	free(conn->prepared);
	*conn = (struct ab_pg_conn){.pool = ended.pool,
	        .epoch = ended.epoch + 1,
	        .dirty = ended.dirty,
	        .next_dirty = ended.next_dirty};
	return ended;
}

void ab_pg_conn_break(struct ab_pg_conn *conn, const char *why, bool again)
{
	struct ab_pg_pool *pool = conn->pool;
	struct ab_pg_conn ended;
	struct ab_error err;

	if (conn->state == AB_PG_CLOSED)
		return;
	ab_error_set(&err, AB_EUPSTREAM, "database '%s': %s", pool->base->name, why);
	ended = conn_end(conn);
	conn_fail_entries(ended.ring, ended.head, ended.count, ended.size, &err, again);
	free(ended.ring);
	if (!pool->closing)
		ab_pg_pool_serve(pool);
}

/* It did not come about. */
static void conn_refused(struct ab_pg_conn *conn, const char *why)
{
	struct ab_pg_pool *pool = conn->pool;
	char line[AB_ERROR_TEXT];
	struct ab_pg_conn ended;

	ab_pg_line(why, line, sizeof(line));
	ended = conn_end(conn);
	free(ended.ring);
	ab_pg_pool_refused(pool, line);
}

/* ---- connecting ---- */

static void conn_on_late(struct ab_deadline *deadline)
{
	struct ab_pg_conn *conn = ab_container_of(deadline, struct ab_pg_conn, deadline);

	conn->pool->rotate++; /* the next try begins with another host */
	conn_refused(conn, "no connection in time");
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static void conn_ready(struct ab_pg_conn *conn)
{
	ab_deadline_disarm(&conn->deadline);
	conn->state = AB_PG_READY;
	ab_pg_pool_connected(conn->pool);
}

static void conn_connected(struct ab_pg_conn *conn)
{
	if (PQsetnonblocking(conn->pg, 1) != 0 || !PQenterPipelineMode(conn->pg) ||
	        !conn_watch(conn, UV_READABLE)) {
		conn_refused(conn, "out of memory");
	} else if (!conn->pool->base->prepare) {
		conn_ready(conn);
	} else if (conn->state = AB_PG_SETUP, ab_pg_pipe_setup(conn)) {
		ab_pg_conn_flush(conn);
	} else {
		conn_refused(conn, PQerrorMessage(conn->pg));
	}
}

/* libpq may have closed its socket and opened another with the same number: each step has a watch of its own.
 */
static void conn_step(struct ab_pg_conn *conn)
{
	PostgresPollingStatusType status;

	conn_unwatch(conn);
	status = PQconnectPoll(conn->pg);
	if (status == PGRES_POLLING_OK)
		conn_connected(conn);
	else if (status == PGRES_POLLING_FAILED)
		conn_refused(conn, PQerrorMessage(conn->pg));
	else if (!conn_watch(conn, status == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
		conn_refused(conn, "out of memory");
}

static void conn_connect(struct ab_pg_conn *conn, const struct ab_pg_host *hosts, size_t n)
{
	conn->state = AB_PG_CONNECTING;
	conn->pg = ab_pg_connect_start(conn->pool->base, hosts, n);
	if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD) {
		conn_refused(conn, conn->pg == NULL ? "out of memory" : PQerrorMessage(conn->pg));
		return;
	}
	PQsetNoticeReceiver(conn->pg, ignore_notice, NULL);
	/* A connection that has just been started is as one that PQconnectPoll wants to write to. */
	if (!conn_watch(conn, UV_WRITABLE))
		conn_refused(conn, "out of memory");
}

static void conn_on_resolved(void *owner, void *arg)
{
	struct ab_pg_conn *conn = owner;
	struct ab_pg_lookup *lookup = arg;

	conn->resolving = NULL;
	if (lookup->n_hosts > 0)
		conn_connect(conn, lookup->hosts, lookup->n_hosts);
	else
		conn_refused(conn, lookup->error);
}

void ab_pg_conn_open(struct ab_pg_conn *conn)
{
	struct ab_pg_pool *pool = conn->pool;
	struct ab_pg_lookup *lookup = NULL;

	conn->state = AB_PG_RESOLVING;
	ab_deadline_arm(pool->connects, &conn->deadline, conn_on_late);
	if (pool->base->n_hosts == 0) {
		conn_connect(conn, NULL, 0);
		return;
	}
	lookup = ab_pg_lookup_create(pool->base, pool->rotate);
	if (lookup == NULL) {
		conn_refused(conn, "out of memory");
	} else if (ab_pg_needs_lookup(pool->base)) {
		conn->resolving = ab_pg_aside_start(
		        pool->env->sql, ab_pg_lookup_run, conn_on_resolved, ab_pg_lookup_free, conn, lookup);
		if (conn->resolving == NULL)
			conn_refused(conn, "no thread to look names up in");
	} else {
		ab_pg_lookup_run(lookup); /* asks nobody */
		conn_connect(conn, lookup->hosts, lookup->n_hosts);
		ab_pg_lookup_free(lookup);
	}
}

/* ---- reading and writing ---- */

void ab_pg_conn_flush(struct ab_pg_conn *conn)
{
	char line[AB_ERROR_TEXT];
	int left = 1;

	if ((!conn->open || ab_pg_pipe_sync(conn, NULL)) && (left = PQflush(conn->pg)) >= 0 &&
	        conn_watch(conn, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE))
		return;
	ab_pg_line(PQerrorMessage(conn->pg), line, sizeof(line));
	ab_pg_conn_break(conn, line, true);
}

/* A result of which many reads have come and no end: its bytes are counted, for libpq keeps all of a row, or
 * of a result that is not read by row, before we see it. False when there are too many. */
static bool conn_count(struct ab_pg_conn *conn)
{
	const struct ab_pg_entry *head = ab_pg_pipe_head(conn);
	int waiting = 0;

	if (++conn->reads <= 4 || head == NULL)
		return true;
	if (ioctl(PQsocket(conn->pg), FIONREAD, &waiting) == 0 && waiting > 0)
		conn->arriving += (size_t)waiting;
	return conn->arriving <= AB_SQL_MAX_BYTES;
}

static void conn_too_much(struct ab_pg_conn *conn)
{
	struct ab_pg_query *query = ab_pg_pipe_head(conn)->query;
	struct ab_error err;

	ab_error_set(&err, AB_EUPSTREAM, "database '%s': a result of more than %d MiB; select less of it",
	        conn->pool->base->name, AB_SQL_MAX_BYTES / 1024 / 1024);
	if (query != NULL && query->call != NULL)
		ab_pg_query_fail(query, &err);
	ab_pg_conn_break(conn, "the connection was given up for a result that is too large", true);
}

static void conn_read(struct ab_pg_conn *conn)
{
	unsigned epoch = conn->epoch;
	char line[AB_ERROR_TEXT];
	int ok;

	if (!conn_count(conn)) {
		conn_too_much(conn);
		return;
	}
	ok = PQconsumeInput(conn->pg);
	ab_pg_pipe_read(conn);
	if (conn->epoch != epoch)
		return;
	if (ok && PQstatus(conn->pg) == CONNECTION_OK) {
		if (conn->state == AB_PG_SETUP && conn->count == 0)
			conn_ready(conn);
		return;
	}
	ab_pg_line(PQerrorMessage(conn->pg), line, sizeof(line));
	if (conn->state == AB_PG_SETUP)
		conn_refused(conn, line);
	else
		ab_pg_conn_break(conn, line[0] == '\0' ? "the connection was lost" : line, false);
}

static void conn_on_event(uv_poll_t *poll, int status, int events)
{
	struct ab_pg_conn *conn = ab_container_of(poll, struct ab_pg_watch, poll)->conn;
	unsigned epoch;

	if (conn == NULL)
		return;
	epoch = conn->epoch;
	if (conn->state == AB_PG_CONNECTING) {
		conn_step(conn);
		return;
	}
	if (status < 0 || (events & UV_READABLE) != 0)
		conn_read(conn);
	if (conn->epoch == epoch && (events & UV_WRITABLE) != 0)
		ab_pg_conn_flush(conn);
}

/* ---- cancelling ---- */

static void cancel_run(void *arg)
{
	char error[256];

	(void)!PQcancel(arg, error, sizeof(error));
}

static void cancel_free(void *arg)
{
	PQfreeCancel(arg);
}

/* The request has reached the backend, or never will. */
static void conn_on_canceled(void *owner, void *arg)
{
	struct ab_pg_conn *conn = owner;
	char line[AB_ERROR_TEXT];

	(void)arg;
	conn->canceling = NULL;
	conn->fenced = true;
	if (ab_pg_pipe_sync(conn, NULL)) {
		ab_pg_pool_dirty(conn);
		return;
	}
	ab_pg_line(PQerrorMessage(conn->pg), line, sizeof(line));
	ab_pg_conn_break(conn, line, false);
}

void ab_pg_conn_cancel(struct ab_pg_conn *conn)
{
	PGcancel *cancel;

	if (conn->state != AB_PG_READY || conn->live > 0 || conn->count == 0 || conn->canceling != NULL)
		return;
	cancel = PQgetCancel(conn->pg);
	if (cancel != NULL)
		conn->canceling = ab_pg_aside_start(
		        conn->pool->env->sql, cancel_run, conn_on_canceled, cancel_free, conn, cancel);
}
