/* handlers/sql/postgres_pipe.c: what is sent on a connection, and the order in which its results come.
 *
 * A unit is what one sync ends, and an implicit transaction of the server's: the reads of one run that
 * started in one turn of the loop; a write; all statements of a `transaction`. Where a read fails, the server
 * skips the rest of its unit, and those are sent once more, each in a unit of its own: nobody's failure is
 * another's. In the sessions that are ours reads are read-only, so that nothing is lost with a unit that
 * failed; a write's unit begins by saying that it may write.
 *
 * libpq 15 makes a system call of every sync, so that one for each query would cost more than the query
 * (docs/operations.md has the measurement); from 17 on a sync waits for the flush at the end of the turn. */
#include "postgres.h"

#include <string.h>

/* ---- the ring ---- */

static bool ring_push(struct ab_pg_conn *conn, enum ab_pg_entry_kind kind, struct ab_pg_query *query,
        const struct ab_pg_statement *statement)
{
	if (AB_UNLIKELY(conn->count == conn->size)) {
		size_t size = conn->size == 0 ? 32 : 2 * conn->size;
		struct ab_pg_entry *ring = malloc(size * sizeof(*ring));

		if (ring == NULL)
			return false;
		for (size_t i = 0; i < conn->count; i++)
			ring[i] = conn->ring[(conn->head + i) & (conn->size - 1)];
		free(conn->ring);
		conn->ring = ring;
		conn->size = size;
		conn->head = 0;
	}
	conn->ring[(conn->head + conn->count++) & (conn->size - 1)] = (struct ab_pg_entry){
	        .kind = kind, .query = query, .statement = statement, .at = uv_now(conn->pool->env->loop)};
	if (query != NULL)
		query->entries++;
	return true;
}

/* The oldest entry is another one: how its result is to be read has to be said before any of it is looked at.
 */
static void begin_head(struct ab_pg_conn *conn)
{
	const struct ab_pg_entry *head = ab_pg_pipe_head(conn);

	conn->reads = conn->arriving = 0;
	if (head != NULL && head->kind == AB_PG_RUN && ab_pg_query_by_row(head->query))
		(void)!PQsetSingleRowMode(conn->pg);
}

/* What libpq has taken. */
static bool sent(struct ab_pg_conn *conn, int ok, enum ab_pg_entry_kind kind, struct ab_pg_query *query,
        const struct ab_pg_statement *statement)
{
	if (!ok || !ring_push(conn, kind, query, statement))
		return false;
	if (conn->count == 1)
		begin_head(conn);
	return true;
}

bool ab_pg_pipe_sync(struct ab_pg_conn *conn, struct ab_pg_query *query)
{
	conn->open = false;
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
	return sent(conn, PQsendPipelineSync(conn->pg), AB_PG_SYNC, query, NULL);
#else
	return sent(conn, PQpipelineSync(conn->pg), AB_PG_SYNC, query, NULL);
#endif
}

/* ---- settings ---- */

static bool send_text(struct ab_pg_conn *conn, const char *text, struct ab_pg_query *query)
{
	return sent(conn, PQsendQueryParams(conn->pg, text, 0, NULL, NULL, NULL, NULL, 0), AB_PG_SET, query,
	        NULL);
}

bool ab_pg_pipe_setup(struct ab_pg_conn *conn)
{
	char text[256];

	conn->timeout_ms = conn->pool->base->timeout_ms;
	snprintf(text, sizeof(text),
	        "SELECT set_config('statement_timeout', '%llu', false),"
	        " set_config('default_transaction_read_only', 'on', false),"
	        " set_config('DateStyle', 'ISO', false), set_config('bytea_output', 'hex', false)",
	        (unsigned long long)conn->timeout_ms);
	return send_text(conn, text, NULL) && ab_pg_pipe_sync(conn, NULL);
}

/* The server's own timeout, where it is another than before: a unit of its own, as one that fails takes its
 * settings with it. */
static bool send_timeout(struct ab_pg_conn *conn, uint64_t ms)
{
	char text[64];

	if (AB_LIKELY(conn->timeout_ms == ms))
		return true;
	if (conn->open && !ab_pg_pipe_sync(conn, NULL))
		return false;
	conn->timeout_ms = ms;
	snprintf(text, sizeof(text), "SET statement_timeout = %llu", (unsigned long long)ms);
	return send_text(conn, text, NULL) && ab_pg_pipe_sync(conn, NULL);
}

/* Where the session is shared with strangers, each unit says all of it for itself. */
static bool send_local(struct ab_pg_conn *conn, struct ab_pg_query *query, bool writes)
{
	char text[256];

	snprintf(text, sizeof(text),
	        "SELECT set_config('statement_timeout', '%llu', true), set_config('DateStyle', 'ISO', true),"
	        " set_config('bytea_output', 'hex', true), set_config('transaction_read_only', '%s', true)",
	        (unsigned long long)query->statement->timeout_ms, writes ? "off" : "on");
	return send_text(conn, text, ab_pg_query_solo(query) ? query : NULL);
}

/* The settings of a unit that begins with this query. */
static bool begin_unit(struct ab_pg_conn *conn, struct ab_pg_query *query)
{
	bool writes = query->statement->writes;

	if (!conn->pool->base->prepare)
		return send_local(conn, query, writes);
	return !writes || send_text(conn, "SET transaction_read_only = off", query);
}

/* ---- statements ---- */

static struct ab_pg_prepared *prepared_of(struct ab_pg_conn *conn, const struct ab_pg_statement *statement)
{
	if (AB_UNLIKELY(statement->index >= conn->n_prepared)) {
		size_t n = statement->index + 16;
		struct ab_pg_prepared *prepared = realloc(conn->prepared, n * sizeof(*prepared));

		if (prepared == NULL)
			return NULL;
		memset(prepared + conn->n_prepared, 0, (n - conn->n_prepared) * sizeof(*prepared));
		conn->prepared = prepared;
		conn->n_prepared = n;
	}
	return &conn->prepared[statement->index];
}

static const char *name_of(const struct ab_pg_statement *statement, struct ab_pg_prepared *prepared)
{
	if (AB_UNLIKELY(prepared->state == AB_PG_UNKNOWN))
		snprintf(prepared->name, sizeof(prepared->name), "ab_%zu_%u", statement->index,
		        prepared->generation);
	return prepared->name;
}

/* Prepare it unless it is, or is about to be; `name` is what it is called from here on. */
static bool send_prepare(struct ab_pg_conn *conn, struct ab_pg_query *query,
        const struct ab_pg_statement *statement, struct ab_pg_prepared *prepared, const char *name)
{
	if (AB_LIKELY(prepared->state != AB_PG_UNKNOWN))
		return true;
	prepared->state = AB_PG_SENT;
	return sent(conn, PQsendPrepare(conn->pg, name, statement->text, 0, NULL), AB_PG_PREPARE, query,
	        statement);
}

/* The parameters of one statement into the pool's scratch. AB_EINVALID names the one that does not fit. */
static enum ab_code encode(struct ab_pg_pool *pool, const struct ab_pg_query *query,
        const struct ab_sql_part *part, struct ab_error *err)
{
	const struct ab_pg_shape *shape = ab_pg_pool_shape(pool, part->checked);
	const struct ab_call *call = query->call;

	if (!ab_pg_pool_values(pool, part->n_params))
		return ab_error_set(err, AB_ENOMEM, "out of memory");
	if (part->n_params != shape->n_params)
		return ab_error_set(err, AB_EUPSTREAM,
		        "PostgreSQL sees %zu parameters where there are %zu placeholders", shape->n_params,
		        part->n_params);
	if (pool->scratch.failed || pool->scratch.size > 1024 * 1024)
		ab_buf_fini(&pool->scratch);
	if (pool->scratch.data == NULL)
		ab_buf_init(&pool->scratch, 2 * AB_SQL_MAX_BYTES);
	pool->scratch.len = 0;
	for (size_t i = 0; i < part->n_params; i++) {
		const json_t *value = ab_ref_get(&part->params[i], call);

		pool->offsets[i] = SIZE_MAX;
		if (value == NULL || json_is_null(value))
			continue;
		pool->offsets[i] = pool->scratch.len;
		if (ab_pg_param(&pool->scratch, shape->params[i], value, err) != AB_OK) {
			ab_error_prefix(err, "parameter '%s'", call->resource->needs[part->params[i].need]);
			return err->code;
		}
		ab_buf_addc(&pool->scratch, '\0');
	}
	if (pool->scratch.failed)
		return ab_error_set(err, AB_EINVALID, "parameters too large, or out of memory");
	for (size_t i = 0; i < part->n_params; i++)
		pool->values[i] = pool->offsets[i] == SIZE_MAX ? NULL : pool->scratch.data + pool->offsets[i];
	return AB_OK;
}

/* One statement with the parameters that have just been encoded. */
static bool send_run(struct ab_pg_conn *conn, struct ab_pg_query *query, const struct ab_sql_part *part)
{
	const struct ab_pg_statement *statement = part->checked;
	struct ab_pg_pool *pool = conn->pool;
	const struct ab_pg_shape *shape = ab_pg_pool_shape(pool, statement);
	struct ab_pg_prepared *prepared;
	int ok;

	if (!pool->base->prepare) {
		ok = PQsendQueryParams(conn->pg, statement->text, (int)part->n_params, NULL, pool->values,
		        NULL, NULL, shape->binary);
		return sent(conn, ok, AB_PG_RUN, query, statement);
	}
	prepared = prepared_of(conn, statement);
	if (prepared == NULL || !send_prepare(conn, query, statement, prepared, name_of(statement, prepared)))
		return false;
	ok = PQsendQueryPrepared(
	        conn->pg, prepared->name, (int)part->n_params, pool->values, NULL, NULL, shape->binary);
	return sent(conn, ok, AB_PG_RUN, query, statement);
}

/* Ask what a statement's types are before it is run for the first time here. */
static bool send_learn(
        struct ab_pg_conn *conn, struct ab_pg_query *query, const struct ab_pg_statement *statement)
{
	struct ab_pg_prepared unnamed = {0}, *prepared = &unnamed;
	bool named = conn->pool->base->prepare;
	const char *name = "";

	if (named && (prepared = prepared_of(conn, statement)) == NULL)
		return false;
	query->learning = true;
	if (named)
		name = name_of(statement, prepared);
	return (!conn->open || ab_pg_pipe_sync(conn, NULL)) &&
	       send_prepare(conn, query, statement, prepared, name) &&
	       sent(conn, PQsendDescribePrepared(conn->pg, name), AB_PG_DESCRIBE, query, statement) &&
	       ab_pg_pipe_sync(conn, NULL);
}

/* A write's rows may turn out to be too many or not to be rows at all: then nothing may have been done. So
 * its commit waits until they are here. */
static bool holds(const struct ab_pg_query *query)
{
	const struct ab_sql_statement *statement = query->statement;
	const struct ab_sql_part *last = &statement->parts[statement->n_parts - 1];

	return statement->writes && statement->returns != AB_SQL_COUNT &&
	       ab_pg_pool_shape(query->pool, last->checked)->selects;
}

static bool send_solo(struct ab_pg_conn *conn, struct ab_pg_query *query)
{
	const struct ab_sql_statement *statement = query->statement;
	struct ab_error err;

	conn->exclusive = true;
	if (!begin_unit(conn, query))
		return false;
	for (size_t i = 0; i < statement->n_parts; i++)
		if (encode(conn->pool, query, &statement->parts[i], &err) != AB_OK ||
		        !send_run(conn, query, &statement->parts[i]))
			return false;
	query->held = holds(query);
	return query->held ? PQsendFlushRequest(conn->pg) == 1 : ab_pg_pipe_sync(conn, query);
}

static bool send_shared(struct ab_pg_conn *conn, struct ab_pg_query *query)
{
	const struct ab_pg_pace *pace;

	if (conn->open &&
	        (query->alone || conn->run != query->run || conn->timeout_ms != query->statement->timeout_ms))
		if (!ab_pg_pipe_sync(conn, NULL))
			return false;
	if (!conn->open && !begin_unit(conn, query))
		return false;
	/* The server keeps results until a sync: those before one that may take long are to come at once. */
	pace = ab_pg_pool_pace(conn->pool, query->statement->parts[0].checked);
	if (conn->open && !ab_pg_is_quick(pace) && PQsendFlushRequest(conn->pg) != 1)
		return false;
	query->slow = ab_pg_is_slow(pace);
	conn->slow += query->slow;
	conn->open = true;
	if (!conn->pool->base->prepare)
		conn->timeout_ms = query->statement->timeout_ms;
	return send_run(conn, query, &query->statement->parts[0]) &&
	       (!query->alone || ab_pg_pipe_sync(conn, NULL));
}

/* All parameters must fit before anything is sent; those of a single statement are then in the scratch. */
static bool fits(struct ab_pg_pool *pool, struct ab_pg_query *query)
{
	const struct ab_sql_statement *statement = query->statement;
	struct ab_error err;

	for (size_t i = 0; i < statement->n_parts; i++)
		if (encode(pool, query, &statement->parts[i], &err) != AB_OK) {
			ab_pg_query_fail(query, &err);
			return false;
		}
	return true;
}

bool ab_pg_pipe_send(struct ab_pg_conn *conn, struct ab_pg_query *query)
{
	const struct ab_sql_statement *statement = query->statement;
	const struct ab_pg_statement *unknown = query->relearn;
	bool solo = ab_pg_query_solo(query), ok;

	query->failed = query->aborted = query->stale = query->learning = query->held = query->answered =
	        false;
	query->relearn = NULL;
	query->slow = false;
	query->part = 0;
	for (size_t i = 0; i < statement->n_parts && unknown == NULL; i++)
		if (ab_pg_pool_shape(conn->pool, statement->parts[i].checked) == NULL)
			unknown = statement->parts[i].checked;
	if (unknown == NULL && !fits(conn->pool, query))
		return true;
	query->conn = conn;
	query->sent_at = uv_now(conn->pool->env->loop);
	conn->live++;
	ab_pg_pool_dirty(conn);
	if (unknown != NULL)
		return send_learn(conn, query, unknown);
	ab_sql_rows_drop(&query->rows);
	ok = ab_sql_rows_begin(&query->rows, statement->returns, conn->pool->base->max_rows, &query->err);
	if (ok && conn->pool->base->prepare)
		ok = send_timeout(conn, statement->timeout_ms);
	ok = ok && (solo ? send_solo(conn, query) : send_shared(conn, query));
	conn->run = query->run;
	return ok;
}

/* ---- reading ---- */

/* All results of the oldest entry have come. */
static void pop(struct ab_pg_conn *conn)
{
	struct ab_pg_entry entry = *ab_pg_pipe_head(conn);
	struct ab_pg_query *query = entry.query;

	conn->head++;
	conn->count--;
	begin_head(conn);
	if (query == NULL)
		return;
	if (entry.kind == AB_PG_RUN)
		query->part++;
	/* Its rows are here: the commit that was held back, or none. */
	if (--query->entries == 0 && query->held) {
		query->held = false;
		if ((!query->failed || send_text(conn, "ROLLBACK", query)) && ab_pg_pipe_sync(conn, query))
			ab_pg_pool_dirty(conn);
		else
			ab_pg_conn_break(conn, "the connection was lost", false);
		return;
	}
	if (query->entries > 0)
		return;
	query->conn = NULL;
	conn->slow -= query->slow;
	query->slow = false;
	if (query->call != NULL)
		conn->live--;
	if (ab_pg_query_solo(query) && !query->learning)
		conn->exclusive = false;
	ab_pg_query_ended(query);
}

/* What a result says of the connection itself. */
static void note(struct ab_pg_conn *conn, const struct ab_pg_entry *entry, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	struct ab_pg_prepared *prepared;

	if (entry->statement == NULL || !conn->pool->base->prepare)
		return;
	prepared = &conn->prepared[entry->statement->index];
	if (entry->kind == AB_PG_PREPARE && status == PGRES_COMMAND_OK) {
		prepared->state = AB_PG_PREPARED;
	} else if (entry->kind == AB_PG_PREPARE || ab_pg_is_stale(result)) {
		prepared->state = AB_PG_UNKNOWN;
		prepared->generation += status == PGRES_FATAL_ERROR;
	}
}

/* A setting or a sync of the connection's own has failed: nothing it says can be relied on. */
static void own_failure(struct ab_pg_conn *conn, const PGresult *result)
{
	char line[AB_ERROR_TEXT];

	snprintf(conn->pool->why, sizeof(conn->pool->why), "%s",
	        ab_pg_line(PQresultErrorMessage(result), line, sizeof(line)));
	ab_pg_conn_break(conn, line, false);
}

/* How long the statement took: since the one before it on this connection, or since it was sent. Mostly
 * the least of it counts: a server, or a loop, that is busy makes every statement look slow. */
static void measure(struct ab_pg_conn *conn, const struct ab_pg_entry *entry)
{
	uint64_t now = uv_now(conn->pool->env->loop);
	uint64_t from = entry->at > conn->result_at ? entry->at : conn->result_at;
	struct ab_pg_pace *pace = ab_pg_pool_pace(conn->pool, entry->statement);

	float ms = (float)(now - from);

	conn->result_at = now;
	if (pace == NULL)
		return;
	if (pace->samples == 0 || ms < pace->ms)
		pace->ms = ms;
	else
		pace->ms += (ms - pace->ms) / 32;
	pace->samples += pace->samples < AB_PG_SAMPLES;
}

static bool take(struct ab_pg_conn *conn, PGresult *result)
{
	struct ab_pg_entry entry = *ab_pg_pipe_head(conn);
	ExecStatusType status = PQresultStatus(result);
	unsigned epoch = conn->epoch;

	conn->reads = conn->arriving = 0;
	if (entry.kind == AB_PG_RUN && status != PGRES_SINGLE_TUPLE)
		measure(conn, &entry);
	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(result);
		if (entry.kind != AB_PG_SYNC) {
			ab_pg_conn_break(conn, "results out of step", false);
			return false;
		}
		pop(conn);
		return conn->epoch == epoch;
	}
	note(conn, &entry, result);
	if (entry.query != NULL)
		ab_pg_query_result(entry.query, &entry, result);
	else if (status == PGRES_FATAL_ERROR)
		own_failure(conn, result);
	PQclear(result);
	return conn->epoch == epoch;
}

void ab_pg_pipe_read(struct ab_pg_conn *conn)
{
	unsigned epoch = conn->epoch, nulls = 0;
	PGresult *result;

	while (conn->count > 0 && !PQisBusy(conn->pg)) {
		result = PQgetResult(conn->pg);
		if (result != NULL) {
			nulls = 0;
			if (!take(conn, result))
				return;
			continue;
		}
		if (ab_pg_pipe_head(conn)->kind != AB_PG_SYNC) {
			nulls = 0;
			pop(conn);
		} else if (++nulls > 2) {
			break; /* the connection has ended before its sync */
		}
		if (conn->epoch != epoch)
			return;
	}
	if (conn->count == 0) {
		conn->fenced = false;
		if (conn->state == AB_PG_READY)
			ab_pg_pool_serve(conn->pool);
	}
}
