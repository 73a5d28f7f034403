/* handlers/sql/postgres_pool.c: a worker's connections to one database, and the queries that wait for one.
 *
 * Which connection a query gets: that of its own run's last queries, else one that is idle, else one that
 * another run's queries are on. One that is busy is joined only while its oldest query is young, so that a
 * slow query stalls nobody; a write joins nobody, and is joined by nobody. With none of these it waits, in
 * order, and more connections are opened, up to the pool's size.
 *
 * A server that can't be reached is tried again at growing intervals with jitter. Queries wait for it within
 * their own time; once it has been down for AB_PG_PATIENCE_MS they fail at once instead. */
#include "postgres.h"

#include <string.h>

static uint64_t pool_now(const struct ab_pg_pool *pool)
{
	return uv_now(pool->env->loop);
}

/* ---- waiting queries ---- */

static void queue_push(struct ab_pg_pool *pool, struct ab_pg_query *query, bool front)
{
	query->queued = true;
	query->conn = NULL;
	query->prev = front ? NULL : pool->last;
	query->next = front ? pool->first : NULL;
	if (query->prev != NULL)
		query->prev->next = query;
	else
		pool->first = query;
	if (query->next != NULL)
		query->next->prev = query;
	else
		pool->last = query;
	pool->n_queued++;
}

void ab_pg_pool_unqueue(struct ab_pg_query *query)
{
	struct ab_pg_pool *pool = query->pool;

	if (query->prev != NULL)
		query->prev->next = query->next;
	else
		pool->first = query->next;
	if (query->next != NULL)
		query->next->prev = query->prev;
	else
		pool->last = query->prev;
	query->queued = false;
	query->next = query->prev = NULL;
	pool->n_queued--;
}

/* ---- which connection ---- */

/* A pooler between us and the server may hand the connection to another server at each sync: there a unit is
 * sent whole, and no other before it has come back. */
static bool may_join_pooled(const struct ab_pg_conn *conn, const struct ab_pg_query *query)
{
	return conn->open && conn->run == query->run && !query->alone &&
	       conn->timeout_ms == query->statement->timeout_ms &&
	       ab_pg_pool_shape(conn->pool, query->statement->parts[0].checked) != NULL;
}

static bool may_join(const struct ab_pg_conn *conn, const struct ab_pg_query *query)
{
	if (AB_UNLIKELY(!conn->pool->base->prepare) && !may_join_pooled(conn, query))
		return false;
	return conn->count < AB_PG_DEPTH && pool_now(conn->pool) - ab_pg_pipe_head(conn)->at <= AB_PG_JOIN_MS;
}

static struct ab_pg_conn *pool_pick(struct ab_pg_pool *pool, const struct ab_pg_query *query)
{
	struct ab_pg_conn *idle = NULL, *same = NULL, *other = NULL;
	bool solo = ab_pg_query_solo(query);
	bool slow = !solo && ab_pg_is_slow(ab_pg_pool_pace(pool, query->statement->parts[0].checked));
	for (unsigned i = 0; i < pool->size; i++) {
		struct ab_pg_conn *conn = &pool->conns[i];

		if (!ab_pg_conn_usable(conn))
			continue;
		if (conn->count == 0)
			idle = idle == NULL ? conn : idle;
		else if (solo || !may_join(conn, query))
			continue;
		else if (conn->run == query->run)
			same = conn;
		else if (conn->slow == 0 && (other == NULL || conn->count < other->count))
			other = conn;
	}
	/* What is known to be slow runs beside its run's others, where there is room. */
	if (same != NULL && (idle == NULL || (!slow && same->slow == 0)))
		return same;
	return idle != NULL || solo ? idle : other;
}

/* ---- opening more ---- */

static bool is_opening(const struct ab_pg_conn *conn)
{
	return conn->state != AB_PG_CLOSED && conn->state != AB_PG_READY;
}

/* One for each query that waits, no more. */
static void pool_grow(struct ab_pg_pool *pool, size_t wanted)
{
	for (unsigned i = 0; i < pool->size; i++)
		if (is_opening(&pool->conns[i]) && wanted > 0)
			wanted--;
	for (unsigned i = 0; i < pool->size && wanted > 0; i++) {
		if (pool->closing || uv_is_active((uv_handle_t *)&pool->retry))
			return;
		if (pool->conns[i].state == AB_PG_CLOSED) {
			wanted--;
			ab_pg_conn_open(&pool->conns[i]);
		}
	}
}

bool ab_pg_pool_is_down(const struct ab_pg_pool *pool)
{
	for (unsigned i = 0; i < pool->size; i++)
		if (pool->conns[i].state == AB_PG_READY)
			return false;
	return pool->down_since != 0;
}

static bool pool_gave_up(const struct ab_pg_pool *pool)
{
	return ab_pg_pool_is_down(pool) && pool_now(pool) - pool->down_since > AB_PG_PATIENCE_MS;
}

/* ---- behind a query that takes long ---- */

/* Send on this connection; what breaks meanwhile is cleared up. */
static void pool_send(struct ab_pg_conn *conn, struct ab_pg_query *query)
{
	char line[AB_ERROR_TEXT];
	struct ab_error err;

	if (ab_pg_pipe_send(conn, query))
		return;
	ab_pg_line(PQerrorMessage(conn->pg), line, sizeof(line));
	if (query->entries == 0 && query->call != NULL && ++query->attempts < AB_PG_ATTEMPTS) {
		queue_push(conn->pool, query, true);
	} else if (query->entries == 0 && query->call != NULL) {
		ab_error_set(&err, AB_EUPSTREAM, "database '%s': %s", conn->pool->base->name, line);
		ab_pg_query_fail(query, &err);
	}
	ab_pg_conn_break(conn, line, true);
}

static void pool_watch_stalls(struct ab_pg_pool *pool);

static struct ab_pg_conn *pool_idle(struct ab_pg_pool *pool)
{
	for (unsigned i = 0; i < pool->size; i++)
		if (ab_pg_conn_usable(&pool->conns[i]) && pool->conns[i].count == 0)
			return &pool->conns[i];
	return NULL;
}

/* The next query that waits behind the oldest of the connection, which is old; NULL: there is none. */
static struct ab_pg_query *stalled(const struct ab_pg_conn *conn)
{
	const struct ab_pg_entry *head = ab_pg_pipe_head(conn);

	if (conn->state != AB_PG_READY || head == NULL || head->query == NULL ||
	        pool_now(conn->pool) - head->at < AB_PG_STALL_MS)
		return NULL;
	for (size_t i = 1; i < conn->count; i++) {
		struct ab_pg_query *query = conn->ring[(conn->head + i) & (conn->size - 1)].query;

		if (query != NULL && query != head->query && query->call != NULL && !query->moved &&
		        !query->learning && !ab_pg_query_solo(query))
			return query;
	}
	return NULL;
}

/* Reads that have joined a query which turns out to take long are sent once more where nothing is under way.
 * Only there: when all connections are busy, sending more of the same would make it worse. */
static void pool_on_stall(uv_timer_t *timer)
{
	struct ab_pg_pool *pool = ab_container_of(timer, struct ab_pg_pool, stall);
	struct ab_pg_query *query;
	bool some = false;

	for (unsigned i = 0; i < pool->size; i++) {
		struct ab_pg_conn *conn = &pool->conns[i], *idle = pool_idle(pool);

		while (idle != NULL && (query = stalled(conn)) != NULL && ab_pg_query_leave(query)) {
			query->moved = true;
			pool_send(idle, query);
		}
		some |= conn->count > 1;
	}
	if (some)
		pool_watch_stalls(pool);
}

static void pool_watch_stalls(struct ab_pg_pool *pool)
{
	if (!uv_is_active((uv_handle_t *)&pool->stall))
		uv_timer_start(&pool->stall, pool_on_stall, AB_PG_STALL_MS, 0);
}

/* ---- sending ---- */

void ab_pg_pool_serve(struct ab_pg_pool *pool)
{
	struct ab_pg_conn *conn;

	while (pool->first != NULL && (conn = pool_pick(pool, pool->first)) != NULL) {
		struct ab_pg_query *query = pool->first;

		if (conn->count > 0)
			pool_watch_stalls(pool);
		ab_pg_pool_unqueue(query);
		pool_send(conn, query);
	}
	pool_grow(pool, pool->n_queued);
}

enum ab_code ab_pg_pool_submit(struct ab_pg_pool *pool, struct ab_pg_query *query, struct ab_error *err)
{
	struct ab_pg_conn *conn = pool->first == NULL ? pool_pick(pool, query) : NULL;
	bool joins = conn != NULL && conn->count > 0;

	if (AB_LIKELY(conn != NULL)) {
		pool_send(conn, query);
		if (joins) {
			pool_grow(pool, 1);
			pool_watch_stalls(pool);
		}
		return AB_OK;
	}
	if (pool->n_queued >= AB_PG_QUEUE)
		return ab_error_set(err, AB_EOVERLOAD, "database '%s': %d queries are waiting already",
		        pool->base->name, AB_PG_QUEUE);
	if (pool_gave_up(pool) && uv_is_active((uv_handle_t *)&pool->retry))
		return ab_error_set(err, AB_EUPSTREAM, "database '%s': %s", pool->base->name, pool->why);
	queue_push(pool, query, false);
	ab_pg_pool_serve(pool);
	return AB_OK;
}

void ab_pg_pool_resubmit(struct ab_pg_query *query)
{
	struct ab_pg_conn *conn = pool_pick(query->pool, query);

	if (conn != NULL) {
		pool_send(conn, query);
		return;
	}
	queue_push(query->pool, query, true);
	ab_pg_pool_serve(query->pool);
}

/* ---- at the end of a turn ---- */

static void pool_on_idle(uv_idle_t *idle)
{
	struct ab_pg_pool *pool = ab_container_of(idle, struct ab_pg_pool, idle);
	struct ab_pg_conn *conn;

	uv_idle_stop(idle);
	while ((conn = pool->dirty) != NULL) {
		pool->dirty = conn->next_dirty;
		conn->dirty = false;
		/* It may have broken since, and be another one that is not connected yet. */
		if (conn->state == AB_PG_SETUP || conn->state == AB_PG_READY)
			ab_pg_conn_flush(conn);
	}
}

/* All queries of a turn go out at its end, with one system call a connection. An idle handle and no
 * `prepare`: it runs also when the query was sent by another `prepare` of the turn, after which the loop
 * would sleep. */
void ab_pg_pool_dirty(struct ab_pg_conn *conn)
{
	struct ab_pg_pool *pool = conn->pool;

	if (conn->dirty)
		return;
	if (pool->dirty == NULL)
		uv_idle_start(&pool->idle, pool_on_idle);
	conn->dirty = true;
	conn->next_dirty = pool->dirty;
	pool->dirty = conn;
}

/* ---- a server that can't be reached ---- */

void ab_pg_pool_connected(struct ab_pg_pool *pool)
{
	pool->fails = 0;
	pool->down_since = 0;
	uv_timer_stop(&pool->retry);
	ab_pg_pool_serve(pool);
}

static void pool_fail_waiting(struct ab_pg_pool *pool)
{
	struct ab_error err;

	while (pool->first != NULL) {
		struct ab_pg_query *query = pool->first;

		ab_error_set(&err, AB_EUPSTREAM, "database '%s': %s", pool->base->name, pool->why);
		ab_pg_pool_unqueue(query);
		ab_pg_query_fail(query, &err);
	}
}

static void pool_on_retry(uv_timer_t *timer)
{
	struct ab_pg_pool *pool = ab_container_of(timer, struct ab_pg_pool, retry);

	ab_pg_pool_serve(pool);
}

void ab_pg_pool_refused(struct ab_pg_pool *pool, const char *why)
{
	uint64_t delay = AB_PG_RETRY_MIN_MS;

	if (pool->closing)
		return;
	snprintf(pool->why, sizeof(pool->why), "%s", why);
	if (pool->down_since == 0)
		pool->down_since = pool_now(pool);
	for (unsigned i = 0; i < pool->fails && delay < AB_PG_RETRY_MAX_MS; i++)
		delay *= 2;
	if (delay > AB_PG_RETRY_MAX_MS)
		delay = AB_PG_RETRY_MAX_MS;
	/* While queries wait for it, a server that comes back is not kept waiting long. */
	if (!pool_gave_up(pool) && delay > AB_PG_RETRY_MAX_MS / 10)
		delay = AB_PG_RETRY_MAX_MS / 10;
	delay = delay / 2 + (uint64_t)rand_r(&pool->seed) % delay;
	pool->fails++;
	uv_timer_start(&pool->retry, pool_on_retry, delay, 0);
	if (pool_gave_up(pool))
		pool_fail_waiting(pool);
}

/* ---- what is known of statements ---- */

const struct ab_pg_shape *ab_pg_pool_shape(
        const struct ab_pg_pool *pool, const struct ab_pg_statement *statement)
{
	return AB_LIKELY(statement->index < pool->n_shapes && pool->shapes[statement->index] != NULL)
	               ? pool->shapes[statement->index]
	               : statement->shape;
}

bool ab_pg_pool_learn(
        struct ab_pg_pool *pool, const struct ab_pg_statement *statement, struct ab_pg_shape *shape)
{
	if (statement->index >= pool->n_shapes) {
		size_t n = statement->index + 16;
		struct ab_pg_shape **grown = realloc(pool->shapes, n * sizeof(*grown));

		if (grown == NULL) {
			free(shape);
			return false;
		}
		memset(grown + pool->n_shapes, 0, (n - pool->n_shapes) * sizeof(*grown));
		pool->shapes = grown;
		pool->n_shapes = n;
	}
	free(pool->shapes[statement->index]);
	pool->shapes[statement->index] = shape;
	return true;
}

struct ab_pg_pace *ab_pg_pool_pace(struct ab_pg_pool *pool, const struct ab_pg_statement *statement)
{
	if (AB_UNLIKELY(statement->index >= pool->n_paces)) {
		size_t n = statement->index + 16;
		struct ab_pg_pace *paces = realloc(pool->paces, n * sizeof(*paces));

		if (paces == NULL)
			return NULL;
		memset(paces + pool->n_paces, 0, (n - pool->n_paces) * sizeof(*paces));
		pool->paces = paces;
		pool->n_paces = n;
	}
	return &pool->paces[statement->index];
}

bool ab_pg_pool_values(struct ab_pg_pool *pool, size_t n)
{
	const char **values;
	size_t *offsets;

	if (AB_LIKELY(n <= pool->n_values))
		return true;
	values = realloc(pool->values, n * sizeof(*values));
	if (values != NULL)
		pool->values = values;
	offsets = realloc(pool->offsets, n * sizeof(*offsets));
	if (offsets != NULL)
		pool->offsets = offsets;
	if (values == NULL || offsets == NULL)
		return false;
	pool->n_values = n;
	return true;
}

/* ---- beginning and end ---- */

/* A set `pool` is the process's, shared out among its workers. */
static unsigned pool_share(const struct ab_pg *base, const struct ab_env *env)
{
	unsigned workers = env->workers == 0 ? 1 : env->workers, share;

	if (base->pool == 0)
		return AB_PG_POOL;
	share = base->pool / workers + (env->worker < base->pool % workers);
	return share == 0 ? 1 : share;
}

static void pool_free(struct ab_pg_pool *pool)
{
	for (size_t i = 0; i < pool->n_shapes; i++)
		free(pool->shapes[i]);
	free(pool->shapes);
	free(pool->paces);
	free(pool->values);
	free(pool->offsets);
	free(pool->conns);
	ab_buf_fini(&pool->scratch);
	while (pool->free != NULL) {
		struct ab_pg_query *query = pool->free;

		pool->free = query->next;
		free(query);
	}
	ab_pg_unref(pool->base);
	free(pool);
}

void ab_pg_pool_let_go(struct ab_pg_pool *pool)
{
	if (--pool->handles == 0)
		pool_free(pool);
}

static void pool_on_idle_closed(uv_handle_t *handle)
{
	ab_pg_pool_let_go(ab_container_of((uv_idle_t *)handle, struct ab_pg_pool, idle));
}

static void pool_on_stall_closed(uv_handle_t *handle)
{
	ab_pg_pool_let_go(ab_container_of((uv_timer_t *)handle, struct ab_pg_pool, stall));
}

static void pool_on_retry_closed(uv_handle_t *handle)
{
	ab_pg_pool_let_go(ab_container_of((uv_timer_t *)handle, struct ab_pg_pool, retry));
}

struct ab_pg_pool *ab_pg_pool_create(struct ab_pg *base, struct ab_env *env)
{
	struct ab_pg_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->size = pool_share(base, env);
	pool->conns = calloc(pool->size, sizeof(*pool->conns));
	pool->env = env;
	pool->connects = ab_deadlines_queue(env->deadlines, base->connect_ms);
	pool->grace = ab_deadlines_queue(env->deadlines, AB_PG_GRACE_MS);
	pool->write_grace = ab_deadlines_queue(env->deadlines, AB_PG_WRITE_GRACE_MS);
	if (pool->conns == NULL || pool->connects == NULL || pool->grace == NULL ||
	        pool->write_grace == NULL) {
		free(pool->conns);
		free(pool);
		return NULL;
	}
	for (unsigned i = 0; i < pool->size; i++)
		pool->conns[i].pool = pool;
	ab_buf_init(&pool->scratch, 2 * AB_SQL_MAX_BYTES);
	pool->seed = (unsigned)uv_hrtime() ^ (env->worker << 16);
	uv_idle_init(env->loop, &pool->idle);
	uv_timer_init(env->loop, &pool->retry);
	uv_unref((uv_handle_t *)&pool->retry); /* who waits for it has a deadline of its own */
	uv_timer_init(env->loop, &pool->stall);
	uv_unref((uv_handle_t *)&pool->stall);
	pool->handles = 3;
	pool->base = base;
	atomic_fetch_add(&base->refs, 1);
	return pool;
}

void ab_pg_pool_close(struct ab_pg_pool *pool)
{
	ab_assert(pool->first == NULL);
	pool->closing = true;
	for (unsigned i = 0; i < pool->size; i++)
		ab_pg_conn_break(&pool->conns[i], "closing", false);
	uv_close((uv_handle_t *)&pool->idle, pool_on_idle_closed);
	uv_close((uv_handle_t *)&pool->retry, pool_on_retry_closed);
	uv_close((uv_handle_t *)&pool->stall, pool_on_stall_closed);
}
