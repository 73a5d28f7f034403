/* handlers/sql/worker.c: the worker's end of the databases: what comes home from other threads.
 *
 * Threads put what is done into a list and wake the loop; the loop takes all there is at once. */
#include "engine.h"
#include "trip.h"

#include <pthread.h>

struct end {
	struct end *next;
	const void *base;
	void *end;
	void (*close)(void *end);
};

struct ab_sql {
	uv_async_t async;
	pthread_mutex_t lock;
	struct ab_sql_trip *done, **done_tail; /* under the lock */
	size_t outstanding;                    /* trips away; the loop's own */
	bool closing;
	struct end *ends;
	struct ab_buf scratch;
};

enum { SCRATCH_KEPT = 4096 }; /* bytes; a larger one is not kept */

void ab_sql_trip_begin(struct ab_sql *sql, struct ab_sql_trip *trip, void (*home)(struct ab_sql_trip *trip))
{
	trip->sql = sql;
	trip->home = home;
	if (sql->outstanding++ == 0)
		uv_ref((uv_handle_t *)&sql->async);
}

static void sql_on_closed(uv_handle_t *handle)
{
	struct ab_sql *sql = ab_container_of((uv_async_t *)handle, struct ab_sql, async);

	pthread_mutex_destroy(&sql->lock);
	ab_buf_fini(&sql->scratch);
	free(sql);
}

static void sql_maybe_close(struct ab_sql *sql)
{
	if (sql->closing && sql->outstanding == 0 && !uv_is_closing((uv_handle_t *)&sql->async))
		uv_close((uv_handle_t *)&sql->async, sql_on_closed);
}

static void sql_end_trip(struct ab_sql *sql)
{
	if (--sql->outstanding == 0)
		uv_unref((uv_handle_t *)&sql->async);
}

void ab_sql_trip_undo(struct ab_sql_trip *trip)
{
	sql_end_trip(trip->sql);
	sql_maybe_close(trip->sql);
}

void ab_sql_trip_done(struct ab_sql_trip *trip)
{
	struct ab_sql *sql = trip->sql;

	trip->next = NULL;
	pthread_mutex_lock(&sql->lock);
	/* The loop takes all there are, so only the first of them wakes it. Inside the lock: once it is free,
	 * `sql` may end. */
	if (sql->done == NULL)
		uv_async_send(&sql->async);
	*sql->done_tail = trip;
	sql->done_tail = &trip->next;
	pthread_mutex_unlock(&sql->lock);
}

static void sql_on_async(uv_async_t *async)
{
	struct ab_sql *sql = ab_container_of(async, struct ab_sql, async);
	struct ab_sql_trip *trip, *next;

	pthread_mutex_lock(&sql->lock);
	trip = sql->done;
	sql->done = NULL;
	sql->done_tail = &sql->done;
	pthread_mutex_unlock(&sql->lock);
	for (; trip != NULL; trip = next) {
		next = trip->next;
		sql_end_trip(sql);
		trip->home(trip);
	}
	sql_maybe_close(sql);
}

struct ab_sql *ab_sql_create(struct ab_env *env)
{
	struct ab_sql *sql = calloc(1, sizeof(*sql));

	if (sql == NULL)
		return NULL;
	sql->done_tail = &sql->done;
	if (uv_async_init(env->loop, &sql->async, sql_on_async) != 0) {
		free(sql);
		return NULL;
	}
	pthread_mutex_init(&sql->lock, NULL);
	uv_unref((uv_handle_t *)&sql->async); /* only what is away keeps the loop going */
	return sql;
}

struct ab_buf *ab_sql_scratch(struct ab_sql *sql, size_t max)
{
	if (sql->scratch.failed || sql->scratch.size > SCRATCH_KEPT)
		ab_buf_fini(&sql->scratch);
	if (sql->scratch.data == NULL)
		ab_buf_init(&sql->scratch, max);
	sql->scratch.len = 0;
	return &sql->scratch;
}

void *ab_sql_end_find(const struct ab_sql *sql, const void *base)
{
	for (const struct end *end = sql->ends; end != NULL; end = end->next)
		if (end->base == base)
			return end->end;
	return NULL;
}

bool ab_sql_end_add(struct ab_sql *sql, const void *base, void *added, void (*close)(void *end))
{
	struct end *end = malloc(sizeof(*end));

	if (end == NULL)
		return false;
	*end = (struct end){.next = sql->ends, .base = base, .end = added, .close = close};
	sql->ends = end;
	return true;
}

void ab_sql_close(struct ab_sql *sql)
{
	while (sql->ends != NULL) {
		struct end *end = sql->ends;

		sql->ends = end->next;
		end->close(end->end);
		free(end);
	}
	sql->closing = true;
	sql_maybe_close(sql);
}
