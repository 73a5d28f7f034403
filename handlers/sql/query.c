/* handlers/sql/query.c: a statement run for a call, and the worker's end of the databases.
 *
 *   start --queued--> waiting --done, timeout, cancel--> the call completes
 *                                `--> (timeout, cancel) the job comes home later, alone
 *
 * A call completes in one place, query_complete; its job is released in one place, query_on_home. They
 * coincide unless time ran out or the result was no longer wanted. */
#include "../json.h"
#include "statement.h"

#include <pthread.h>
#include <string.h>

enum { MAX_PARAM_BYTES = AB_SQLITE_MAX_BYTES };

struct ab_sql {
	uv_async_t async;
	pthread_mutex_t lock;
	struct ab_sql_job *done, **done_tail; /* under the lock */
	size_t outstanding;                   /* jobs away; the loop's own */
	bool closing;
};

/* ---- the call ---- */

static void query_complete(struct ab_sql_job *job, json_t *value, const struct ab_error *err)
{
	struct ab_call *call = job->call;

	job->call = NULL;
	call->state = NULL;
	ab_deadline_disarm(&job->deadline);
	if (value != NULL)
		ab_call_resolve_new(call, value);
	else
		ab_call_fail(call, err);
}

/* Complete the call without its result, unless the result is being committed: then it is waited for. */
static bool query_abandon(struct ab_sql_job *job, const struct ab_error *err)
{
	if (!ab_sql_job_move(job, AB_SQL_QUEUED, AB_SQL_STOPPED) &&
	        !ab_sql_job_move(job, AB_SQL_RUNNING, AB_SQL_STOPPED))
		return false;
	query_complete(job, NULL, err);
	return true;
}

static void query_on_expired(struct ab_deadline *deadline)
{
	struct ab_sql_job *job = ab_container_of(deadline, struct ab_sql_job, deadline);
	const struct ab_sql_statement *statement = job->call->resource->config;
	bool queued = atomic_load(&job->state) == AB_SQL_QUEUED;
	struct ab_error err;

	ab_error_set(&err, AB_ETIMEOUT, "database '%s': %s within %llu ms", statement->database->name,
	        queued ? "no thread was free" : "the statement did not end",
	        (unsigned long long)job->timeout_ms);
	query_abandon(job, &err);
}

static void query_cancel(struct ab_call *call)
{
	struct ab_error err;

	ab_error_set(&err, AB_ECANCELED, "canceled");
	if (call->state != NULL)
		query_abandon(call->state, &err);
}

/* ---- parameters ---- */

static enum ab_code param_json(
        struct ab_sql_param *param, const json_t *value, struct ab_arena *arena, struct ab_error *err)
{
	struct ab_buf buf;

	ab_buf_init(&buf, MAX_PARAM_BYTES);
	ab_json_write(&buf, value);
	if (buf.failed)
		return ab_error_set(
		        err, buf.too_big ? AB_EINVALID : AB_ENOMEM, "too large, or out of memory");
	param->type = AB_SQL_TEXT;
	param->u.text.len = buf.len;
	param->u.text.data = ab_arena_strndup(arena, buf.data, buf.len);
	ab_buf_fini(&buf);
	return param->u.text.data != NULL ? AB_OK : ab_error_set(err, AB_ENOMEM, "out of memory");
}

static enum ab_code param_text(struct ab_sql_param *param, const json_t *value, struct ab_error *err)
{
	param->type = AB_SQL_TEXT;
	param->u.text.data = json_string_value(value);
	param->u.text.len = json_string_length(value);
	if (AB_UNLIKELY(memchr(param->u.text.data, '\0', param->u.text.len) != NULL))
		return ab_error_set(err, AB_EINVALID, "text with a NUL in it");
	if (AB_UNLIKELY(param->u.text.len > MAX_PARAM_BYTES))
		return ab_error_set(err, AB_EINVALID, "text of more than %d bytes", MAX_PARAM_BYTES);
	return AB_OK;
}

/* A value as SQLite takes it: what is missing is NULL, booleans are 0 and 1, lists and objects are JSON text.
 */
static enum ab_code param_of(
        struct ab_sql_param *param, const json_t *value, struct ab_arena *arena, struct ab_error *err)
{
	param->type = AB_SQL_NULL;
	if (value == NULL)
		return AB_OK;
	switch (json_typeof(value)) {
	case JSON_STRING:
		return param_text(param, value, err);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return param_json(param, value, arena, err);
	case JSON_REAL:
		param->type = AB_SQL_REAL;
		param->u.real = json_real_value(value);
		return AB_OK;
	case JSON_INTEGER:
		param->type = AB_SQL_INTEGER;
		param->u.integer = json_integer_value(value);
		return AB_OK;
	case JSON_TRUE:
	case JSON_FALSE:
		param->type = AB_SQL_INTEGER;
		param->u.integer = json_is_true(value);
		return AB_OK;
	case JSON_NULL:
	default:
		return AB_OK;
	}
}

/* The parameters of a call, in its arena, their texts still the needs' own. *ret_bytes: of all texts. */
static struct ab_sql_param *params_of(struct ab_call *call, size_t *ret_bytes, struct ab_error *err)
{
	const struct ab_sql_statement *statement = call->resource->config;
	struct ab_sql_param *params = ab_arena_alloc(call->arena, statement->n_params * sizeof(*params));

	*ret_bytes = 0;
	if (params == NULL)
		ab_error_set(err, AB_ENOMEM, "out of memory");
	for (size_t i = 0; params != NULL && i < statement->n_params; i++) {
		const struct ab_ref *ref = &statement->params[i];

		if (param_of(&params[i], ab_ref_get(ref, call), call->arena, err) != AB_OK) {
			ab_error_prefix(err, "parameter '%s'", call->resource->needs[ref->need]);
			return NULL;
		}
		if (params[i].type == AB_SQL_TEXT)
			*ret_bytes += params[i].u.text.len;
	}
	return params;
}

/* ---- out and home ---- */

/* A job in one piece of memory of its own, texts included: it may come home long after its request is over.
 */
static struct ab_sql_job *job_create(struct ab_call *call, struct ab_error *err)
{
	const struct ab_sql_statement *statement = call->resource->config;
	size_t bytes, n = statement->n_params;
	struct ab_sql_param *params = params_of(call, &bytes, err);
	struct ab_sql_job *job;
	char *text;

	if (params == NULL)
		return NULL;
	job = malloc(sizeof(*job) + n * sizeof(*params) + bytes);
	if (job == NULL) {
		ab_error_set(err, AB_ENOMEM, "out of memory");
		return NULL;
	}
	atomic_init(&job->state, AB_SQL_QUEUED);
	job->sql = statement->sql;
	job->statement = statement->sqlite;
	job->returns = statement->returns;
	job->timeout_ms = statement->timeout_ms;
	job->n_params = n;
	job->value = NULL;
	job->call = call;
	job->deadline = (struct ab_deadline){0};
	memcpy(job->params, params, n * sizeof(*params));
	text = (char *)(job->params + n);
	for (size_t i = 0; i < n; i++) {
		if (params[i].type != AB_SQL_TEXT)
			continue;
		job->params[i].u.text.data = memcpy(text, params[i].u.text.data, params[i].u.text.len);
		text += params[i].u.text.len;
	}
	return job;
}

static enum ab_code query_send(struct ab_call *call, struct ab_error *err)
{
	const struct ab_sql_statement *statement = call->resource->config;
	struct ab_sql *sql = statement->sql;
	struct ab_sql_job *job;

	if (ab_context_fetch(call->context, err) != AB_OK || (job = job_create(call, err)) == NULL)
		return err->code;
	/* All of this before the job is sent, for from then on it may be back at any time. */
	call->state = job;
	if (sql->outstanding++ == 0)
		uv_ref((uv_handle_t *)&sql->async);
	if (ab_sqlite_submit(statement->database->sqlite, job, err) == AB_OK) {
		ab_deadline_arm(statement->timeouts, &job->deadline, query_on_expired);
		return AB_OK;
	}
	if (--sql->outstanding == 0)
		uv_unref((uv_handle_t *)&sql->async);
	call->state = NULL;
	free(job);
	return err->code;
}

static void query_start(struct ab_call *call)
{
	struct ab_error err;

	call->state = NULL;
	if (query_send(call, &err) != AB_OK)
		ab_call_fail(call, &err);
}

/* A job is back on its loop. */
static void query_on_home(struct ab_sql_job *job)
{
	if (job->call != NULL)
		query_complete(job, job->value, &job->err);
	else
		json_decref(job->value);
	free(job);
}

void ab_sql_job_done(struct ab_sql_job *job)
{
	struct ab_sql *sql = job->sql;

	job->next = NULL;
	pthread_mutex_lock(&sql->lock);
	/* The loop takes all there are, so only the first of them wakes it. Inside the lock: once it is free,
	 * `sql` may end. */
	if (sql->done == NULL)
		uv_async_send(&sql->async);
	*sql->done_tail = job;
	sql->done_tail = &job->next;
	pthread_mutex_unlock(&sql->lock);
}

const struct ab_handler ab_sql_handler = {
        .kind = "sql",
        .start = query_start,
        .cancel = query_cancel,
        .free = ab_sql_statement_free,
};

/* ---- the worker's end ---- */

static void sql_on_closed(uv_handle_t *handle)
{
	struct ab_sql *sql = ab_container_of((uv_async_t *)handle, struct ab_sql, async);

	pthread_mutex_destroy(&sql->lock);
	free(sql);
}

static void sql_maybe_close(struct ab_sql *sql)
{
	if (sql->closing && sql->outstanding == 0 && !uv_is_closing((uv_handle_t *)&sql->async))
		uv_close((uv_handle_t *)&sql->async, sql_on_closed);
}

static void sql_on_async(uv_async_t *async)
{
	struct ab_sql *sql = ab_container_of(async, struct ab_sql, async);
	struct ab_sql_job *job, *next;

	pthread_mutex_lock(&sql->lock);
	job = sql->done;
	sql->done = NULL;
	sql->done_tail = &sql->done;
	pthread_mutex_unlock(&sql->lock);
	for (; job != NULL; job = next) {
		next = job->next;
		if (--sql->outstanding == 0)
			uv_unref((uv_handle_t *)async);
		query_on_home(job);
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
	uv_unref((uv_handle_t *)&sql->async); /* only jobs that are away keep the loop going */
	return sql;
}

void ab_sql_close(struct ab_sql *sql)
{
	sql->closing = true;
	sql_maybe_close(sql);
}
