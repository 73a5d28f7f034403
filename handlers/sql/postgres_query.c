/* handlers/sql/postgres_query.c: a statement run by PostgreSQL for a call, from the queue to its value.
 *
 *   start --> waiting --a connection--> [learning -->] sent --results--> the call completes, freed
 *                |                                       |
 *                `--timeout, cancel--> freed             `--timeout, cancel--> completed, and freed when its
 * results, which nobody wants, have come
 *
 * A read out of time completes at once. A write that has been sent waits a little for what became of it: it
 * is cancelled, and nothing else is on its connection. */
#include "postgres.h"

#include <string.h>

enum {
	CANCEL_WORTH_MS = 50
}; /* the server's own timeout is no later: not worth a connection to cancel with */

/* ---- the end of a call ---- */

static struct ab_pg_query *query_create(struct ab_pg_pool *pool)
{
	struct ab_pg_query *query = pool->free;

	if (query != NULL)
		pool->free = query->next;
	else if ((query = malloc(sizeof(*query))) == NULL)
		return NULL;
	/* All but the error's text. */
	memset(query, 0, offsetof(struct ab_pg_query, err));
	query->pool = pool;
	return query;
}

static void query_free(struct ab_pg_query *query)
{
	ab_sql_rows_drop(&query->rows);
	query->next = query->pool->free;
	query->pool->free = query;
}

/* The call completes here and nowhere else. It may start others, which may be on the same connection. */
static void query_complete(struct ab_pg_query *query, json_t *value, const struct ab_error *err)
{
	struct ab_call *call = query->call;

	query->call = NULL;
	call->state = NULL;
	ab_context_write(call);
	ab_deadline_disarm(&query->deadline);
	if (value != NULL)
		ab_call_resolve_new(call, value);
	else
		ab_call_fail(call, err);
}

void ab_pg_query_release(struct ab_pg_query *query)
{
	if (query->queued || query->entries > 0)
		return;
	ab_deadline_disarm(&query->deadline);
	query_free(query);
}

static void query_on_given_up(struct ab_deadline *deadline)
{
	struct ab_pg_query *query = ab_container_of(deadline, struct ab_pg_query, deadline);

	ab_pg_conn_break(query->conn, "the server does not answer", true);
}

/* Fail the call. What is under way of the query goes on alone: nobody's, and ended if that hurts nobody. */
void ab_pg_query_fail(struct ab_pg_query *query, const struct ab_error *err)
{
	struct ab_pg_conn *conn = query->conn;
	uint64_t now = uv_now(query->pool->env->loop);
	bool worth = query->sent_at + query->statement->timeout_ms > now + CANCEL_WORTH_MS;

	if (query->queued)
		ab_pg_pool_unqueue(query);
	if (query->entries == 0) {
		query_complete(query, NULL, err);
		query_free(query);
		return;
	}
	conn->live--;
	ab_deadline_disarm(&query->deadline);
	ab_deadline_arm(query->pool->grace, &query->deadline, query_on_given_up);
	if (worth)
		ab_pg_conn_cancel(conn);
	{
		struct ab_call *call = query->call;

		query->call = NULL;
		call->state = NULL;
		ab_call_fail(call, err);
	}
}

bool ab_pg_query_leave(struct ab_pg_query *query)
{
	struct ab_pg_query *ghost = query_create(query->pool);
	struct ab_pg_conn *conn = query->conn;

	if (ghost == NULL)
		return false;
	ghost->statement = query->statement;
	ghost->conn = conn;
	ghost->part = query->part;
	ghost->slow = query->slow;
	ghost->entries = query->entries;
	ghost->sent_at = query->sent_at;
	for (size_t i = 0; i < conn->count; i++) {
		struct ab_pg_entry *entry = &conn->ring[(conn->head + i) & (conn->size - 1)];

		if (entry->query == query)
			entry->query = ghost;
	}
	ab_deadline_arm(query->pool->grace, &ghost->deadline, query_on_given_up);
	query->entries = 0;
	query->slow = false;
	query->conn = NULL;
	conn->live--;
	return true;
}

/* ---- time ---- */

static void query_on_lost(struct ab_deadline *deadline)
{
	struct ab_pg_query *query = ab_container_of(deadline, struct ab_pg_query, deadline);
	struct ab_pg_conn *conn = query->conn;
	struct ab_error err;

	ab_error_set(&err, AB_ETIMEOUT,
	        "database '%s': no answer within %llu ms and %d more; whether it was done is not known",
	        query->pool->base->name, (unsigned long long)query->statement->timeout_ms,
	        AB_PG_WRITE_GRACE_MS);
	ab_pg_query_fail(query, &err);
	ab_pg_conn_break(conn, "the server does not answer", true);
}

/* A write's end is known to the server alone: stop it, and wait for what it says. */
static void query_write_late(struct ab_pg_query *query)
{
	query->late = true;
	ab_deadline_arm(query->pool->write_grace, &query->deadline, query_on_lost);
	query->conn->live--; /* for the cancel's sake: nobody else is on this connection */
	ab_pg_conn_cancel(query->conn);
	query->conn->live++;
}

static void query_on_expired(struct ab_deadline *deadline)
{
	struct ab_pg_query *query = ab_container_of(deadline, struct ab_pg_query, deadline);
	const struct ab_pg_pool *pool = query->pool;
	unsigned long long ms = query->statement->timeout_ms;
	struct ab_error err;

	if (query->entries > 0 && ab_pg_query_solo(query) && !query->learning) {
		query_write_late(query);
		return;
	}
	if (query->queued && ab_pg_pool_is_down(pool))
		ab_error_set(&err, AB_EUPSTREAM, "database '%s': %s", pool->base->name, pool->why);
	else if (query->queued)
		ab_error_set(&err, AB_ETIMEOUT, "database '%s': no connection was free within %llu ms",
		        pool->base->name, ms);
	else
		ab_error_set(&err, AB_ETIMEOUT, "database '%s': the statement did not end within %llu ms",
		        pool->base->name, ms);
	ab_pg_query_fail(query, &err);
}

void ab_pg_query_cancel(struct ab_call *call)
{
	struct ab_pg_query *query = call->state;
	struct ab_error err;

	/* A write that has been sent is not cancelled, but left to finish. */
	if (query == NULL || (query->entries > 0 && query->statement->writes && !query->learning))
		return;
	ab_error_set(&err, AB_ECANCELED, "canceled");
	ab_pg_query_fail(query, &err);
}

/* ---- the beginning ---- */

void ab_pg_query_start(struct ab_call *call)
{
	const struct ab_sql_statement *statement = call->resource->config;
	struct ab_pg_pool *pool = statement->end;
	struct ab_pg_query *query;
	struct ab_error err;

	call->state = NULL;
	err.code = AB_OK;
	if (AB_UNLIKELY(!pool->base->serving)) {
		ab_error_set(&err, AB_EINTERNAL, "database '%s' was opened only to check statements",
		        pool->base->name);
		ab_call_fail(call, &err);
		return;
	}
	query = ab_context_fetch(call->context, &err) == AB_OK ? query_create(pool) : NULL;
	if (query == NULL) {
		if (err.code == AB_OK)
			ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	query->call = call;
	query->statement = statement;
	query->run = call->context;
	call->state = query;
	ab_deadline_arm(statement->timeouts, &query->deadline, query_on_expired);
	if (ab_pg_pool_submit(pool, query, &err) != AB_OK)
		ab_pg_query_fail(query, &err);
}

/* ---- results ---- */

bool ab_pg_query_by_row(const struct ab_pg_query *query)
{
	enum ab_sql_returns returns = query->rows.returns;

	return query->call == NULL || query->part + 1 < query->statement->n_parts ||
	       (returns != AB_SQL_ROW && returns != AB_SQL_VALUE);
}

static json_t *column_value(struct ab_pg_query *query, const PGresult *result, int row, int column)
{
	struct ab_pg_type type = ab_pg_type(PQftype(result, column));
	bool binary = PQfformat(result, column) == 1;
	json_t *value;

	if (PQgetisnull(result, row, column))
		return ab_sql_rows_room(&query->rows.bytes, 0, &query->err) ? json_null() : NULL;
	if (AB_UNLIKELY(binary && !ab_pg_type_binary(type))) {
		query->stale =
		        true; /* text was to be asked for: its type is another since it was described */
		ab_error_set(&query->err, AB_EUPSTREAM, "the column's type has changed");
		return NULL;
	}
	value = ab_pg_value(type, binary, PQgetvalue(result, row, column),
	        (size_t)PQgetlength(result, row, column), &query->rows.bytes, &query->err);
	if (AB_UNLIKELY(value == NULL) && query->err.code == AB_EUPSTREAM)
		ab_error_prefix(&query->err, "column '%s'", PQfname(result, column));
	return value;
}

static json_t *row_value(struct ab_pg_query *query, const PGresult *result, int row)
{
	json_t *object = json_object();
	int n = PQnfields(result);

	if (object == NULL)
		ab_error_set(&query->err, AB_ENOMEM, "out of memory");
	for (int i = 0; object != NULL && i < n; i++) {
		const char *name = PQfname(result, i);
		size_t len = strlen(name);
		json_t *value;

		query->rows.bytes += len;
		value = column_value(query, result, row, i);
		if (value != NULL && json_object_setn_new_nocheck(object, name, len, value) == 0)
			continue;
		if (value != NULL)
			ab_error_set(&query->err, AB_ENOMEM, "out of memory");
		json_decref(object);
		object = NULL;
	}
	return object;
}

static bool take_row(struct ab_pg_query *query, const PGresult *result, int row)
{
	switch (ab_sql_rows_next(&query->rows, &query->err)) {
	case AB_SQL_WANT_ROW:
		return ab_sql_rows_add_new(&query->rows, row_value(query, result, row), &query->err);
	case AB_SQL_WANT_VALUE:
		return ab_sql_rows_add_new(&query->rows, column_value(query, result, row, 0), &query->err);
	case AB_SQL_WANT_NOTHING:
		return true;
	case AB_SQL_WANT_STOP:
	default:
		return false;
	}
}

static void take_rows(struct ab_pg_query *query, const PGresult *result)
{
	int n = PQntuples(result);

	for (int row = 0; row < n && !query->failed; row++)
		if (!take_row(query, result, row)) {
			query->failed = true;
			ab_error_prefix(&query->err, "database '%s'", query->pool->base->name);
		}
	/* There may be many more to come; a write has to be undone first. */
	if (query->failed && !query->stale && !ab_pg_query_solo(query))
		ab_pg_query_fail(query, &query->err);
}

/* The rows a write has changed. */
static void take_count(struct ab_pg_query *query, const PGresult *result)
{
	const char *changed = PQcmdTuples((PGresult *)(uintptr_t)result);

	if (changed[0] != '\0')
		query->rows.count = strtoul(changed, NULL, 10);
}

static void take_run(struct ab_pg_query *query, const PGresult *result)
{
	bool last = query->part + 1 == query->statement->n_parts;

	if (!last || query->call == NULL)
		return;
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		take_rows(query, result);
	if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
		return;
	query->answered = true;
	if (query->rows.returns == AB_SQL_COUNT)
		take_count(query, result);
}

static void take_shape(struct ab_pg_query *query, const struct ab_pg_entry *entry, const PGresult *described)
{
	struct ab_pg_shape *shape = ab_pg_shape_make(described);
	bool ok = shape != NULL;

	ok = ok && ab_pg_pool_learn(query->pool, entry->statement, shape);
	query->answered = ok;
	if (!ok) {
		query->failed = true;
		ab_error_set(&query->err, AB_ENOMEM, "out of memory");
	}
}

static void take_failure(struct ab_pg_query *query, const struct ab_pg_entry *entry, const PGresult *result)
{
	const struct ab_sql_statement *statement = query->statement;
	const struct ab_sql_part *part =
	        query->part < statement->n_parts ? &statement->parts[query->part] : NULL;

	if (query->failed || query->aborted)
		return;
	query->failed = true;
	query->stale = entry->statement != NULL && ab_pg_is_stale(result);
	if (query->stale)
		query->relearn = entry->statement;
	if (query->call != NULL)
		ab_pg_error(query->pool->base, result, query->call, part, &query->err);
	/* Out of time on the server is so for the client. */
	if (query->call != NULL && query->err.code == AB_ETIMEOUT)
		ab_error_set(&query->err, AB_ETIMEOUT,
		        "database '%s': the statement did not end within %llu ms", query->pool->base->name,
		        (unsigned long long)statement->timeout_ms);
}

void ab_pg_query_result(struct ab_pg_query *query, const struct ab_pg_entry *entry, const PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
		if (entry->kind == AB_PG_RUN && !query->failed)
			take_run(query, result);
		else if (entry->kind == AB_PG_DESCRIBE)
			take_shape(query, entry, result);
		break;
	case PGRES_PIPELINE_ABORTED:
		query->aborted |= !query->failed;
		break;
	default:
		take_failure(query, entry, result);
		break;
	}
}

/* ---- the end of what was under way ---- */

static void query_again(struct ab_pg_query *query)
{
	struct ab_error err;

	if (++query->attempts < AB_PG_ATTEMPTS) {
		ab_pg_pool_resubmit(query);
		return;
	}
	if (!query->failed)
		ab_error_set(&query->err, AB_EUPSTREAM,
		        "database '%s': other statements keep failing before it", query->pool->base->name);
	err = query->err;
	ab_pg_query_fail(query, &err);
}

/* The statement's types are known now; its rows may not do. */
static void query_learned(struct ab_pg_query *query)
{
	const struct ab_sql_statement *statement = query->statement;
	const struct ab_pg_shape *shape =
	        ab_pg_pool_shape(query->pool, statement->parts[statement->n_parts - 1].checked);
	bool named = statement->returns == AB_SQL_ROWS || statement->returns == AB_SQL_ROW;

	if (shape != NULL && named && shape->twice[0] != '\0') {
		ab_pg_shape_refuse(query->pool->base, shape, &query->err);
		ab_pg_query_fail(query, &query->err);
		return;
	}
	ab_pg_pool_resubmit(query);
}

void ab_pg_query_ended(struct ab_pg_query *query)
{
	json_t *value;

	if (query->call == NULL) {
		ab_pg_query_release(query);
	} else if (query->failed) {
		if (query->stale)
			query_again(query);
		else
			ab_pg_query_fail(query, &query->err);
	} else if (query->aborted) {
		query->alone = true;
		query_again(query);
	} else if (!query->answered) {
		ab_error_set(&query->err, AB_EUPSTREAM, "database '%s': the connection was lost",
		        query->pool->base->name);
		ab_pg_query_fail(query, &query->err);
	} else if (query->learning) {
		query_learned(query);
	} else {
		value = ab_sql_rows_end(&query->rows, &query->err);
		query_complete(query, value, &query->err);
		query_free(query);
	}
}
