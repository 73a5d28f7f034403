/* handlers/sql/sqlite_query.c: a statement run by SQLite for a call, and SQLite as one of the engines.
 *
 *   start --queued--> waiting --done, timeout, cancel--> the call completes
 *                                `--> (timeout, cancel) the job comes home later, alone
 *
 * A call completes in one place, query_complete; its job is released in one place, query_on_home. They
 * coincide unless time ran out or the result was no longer wanted. */
#include "../json.h"
#include "engine.h"
#include "sqlite.h"
#include "statement.h"

#include <sched.h>
#include <string.h>

enum {
	MAX_PARAM_BYTES = AB_SQL_MAX_BYTES,
	DEFAULT_POOL = 4, /* at most as many as there are cores */
};

/* ---- the call ---- */

static void query_complete(struct ab_sql_job *job, json_t *value, const struct ab_error *err)
{
	struct ab_call *call = job->call;

	job->call = NULL;
	call->state = NULL;
	ab_context_write(call);
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
static struct ab_sql_param *params_of(struct ab_call *call, size_t n, size_t *ret_bytes, struct ab_error *err)
{
	const struct ab_sql_statement *statement = call->resource->config;
	struct ab_sql_param *params = ab_arena_alloc(call->arena, n * sizeof(*params));
	const struct ab_sql_part *part = statement->parts;
	size_t in_part = 0;

	*ret_bytes = 0;
	if (params == NULL)
		ab_error_set(err, AB_ENOMEM, "out of memory");
	for (size_t i = 0; params != NULL && i < n; i++) {
		const struct ab_ref *ref;

		for (; in_part == part->n_params; part++)
			in_part = 0;
		ref = &part->params[in_part++];
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
	size_t bytes, n = 0, parts = statement->n_parts;
	struct ab_sql_param *params;
	struct ab_sql_job *job;
	char *text;

	for (size_t i = 0; i < parts; i++)
		n += statement->parts[i].n_params;
	params = params_of(call, n, &bytes, err);
	if (params == NULL)
		return NULL;
	job = malloc(sizeof(*job) + n * sizeof(*params) + parts * sizeof(*job->before) + bytes);
	if (job == NULL) {
		ab_error_set(err, AB_ENOMEM, "out of memory");
		return NULL;
	}
	atomic_init(&job->state, AB_SQL_QUEUED);
	job->statement = statement->parts[parts - 1].checked;
	job->before = (struct ab_sqlite_statement **)(job->params + n);
	for (size_t i = 0; i < parts; i++)
		job->before[i] = i + 1 < parts ? statement->parts[i].checked : NULL;
	job->transaction = parts > 1;
	job->returns = statement->returns;
	job->timeout_ms = statement->timeout_ms;
	job->n_params = n;
	job->value = NULL;
	job->call = call;
	job->deadline = (struct ab_deadline){0};
	memcpy(job->params, params, n * sizeof(*params));
	text = (char *)(job->before + parts);
	for (size_t i = 0; i < n; i++) {
		if (params[i].type != AB_SQL_TEXT)
			continue;
		job->params[i].u.text.data = memcpy(text, params[i].u.text.data, params[i].u.text.len);
		text += params[i].u.text.len;
	}
	return job;
}

static void query_on_home(struct ab_sql_trip *trip)
{
	struct ab_sql_job *job = ab_container_of(trip, struct ab_sql_job, trip);

	if (job->call != NULL)
		query_complete(job, job->value, &job->err);
	else
		json_decref(job->value);
	free(job);
}

static enum ab_code query_send(struct ab_call *call, struct ab_error *err)
{
	const struct ab_sql_statement *statement = call->resource->config;
	struct ab_sql_job *job;

	if (ab_context_fetch(call->context, err) != AB_OK || (job = job_create(call, err)) == NULL)
		return err->code;
	/* All of this before the job is sent, for from then on it may be back at any time. */
	call->state = job;
	ab_sql_trip_begin(statement->end, &job->trip, query_on_home);
	if (ab_sqlite_submit(statement->database->base, job, err) == AB_OK) {
		ab_deadline_arm(statement->timeouts, &job->deadline, query_on_expired);
		return AB_OK;
	}
	ab_sql_trip_undo(&job->trip);
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

/* ---- the engine ---- */

static int64_t cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* The path in `sqlite:PATH`, or NULL after reporting. A secret URL is not shown. */
static const char *url_path(const struct ab_conf *conf, struct ab_diags *diags)
{
	static const char usage[] = "expected sqlite:PATH, such as sqlite:shop.db or sqlite:/var/lib/shop.db";
	const char *path = conf->u.string.text + strlen("sqlite:");

	if (*path == '\0')
		ab_diag(diags, conf->pos, "a URL without a path; %s", usage);
	else if (path[0] == ':')
		ab_diag(diags, conf->pos,
		        "a database in memory would be another one for each connection; expected a file, and a `schema` to fill it from");
	else if (strncmp(path, "//", 2) == 0)
		ab_diag(diags, conf->pos, "a path does not begin with //; %s", usage);
	else if (strchr(path, '?') != NULL)
		ab_diag(diags, conf->pos, "a URL with parameters; %s", usage);
	else
		return path;
	return NULL;
}

static void *engine_open(const struct ab_sql_entry *entry, struct ab_diags *diags)
{
	const char *path = url_path(entry->url, diags);
	struct ab_sqlite_options options = {
	        .name = entry->name,
	        .pos = entry->url->pos,
	        .serving = entry->use == AB_DATABASE_SERVE || entry->use == AB_DATABASE_RUN,
	        .pool = (unsigned)entry->pool,
	        .max_rows = entry->max_rows,
	};
	struct ab_sqlite *sqlite = NULL;
	struct ab_sql_text schema = {0};
	char *full;

	if (entry->pool == 0)
		options.pool = (unsigned)(cores() < DEFAULT_POOL ? cores() : DEFAULT_POOL);
	if (entry->schema != NULL && !ab_sql_text_read(&schema, entry->schema, entry->dir, "`schema`", diags))
		return NULL;
	full = path == NULL ? NULL : ab_sql_path(entry->dir, path);
	if (full != NULL) {
		options.path = full;
		options.shown = entry->url->secret ? "${...}" : full;
		options.schema = entry->schema != NULL ? &schema : NULL;
		sqlite = ab_sqlite_open(&options, diags);
	} else if (path != NULL) {
		ab_diag(diags, entry->url->pos, "out of memory");
	}
	free(full);
	ab_sql_text_fini(&schema);
	return sqlite;
}

static void engine_close(void *base)
{
	ab_sqlite_close(base);
}

static bool engine_check(void *base, const struct ab_sql_check *check, struct ab_sql_checked *ret_checked,
        size_t *ret_offset, struct ab_error *err)
{
	struct ab_sqlite_statement *statement = ab_sqlite_prepare(
	        base, check->text, check->len, check->n_params, check->named, ret_offset, err);

	if (statement == NULL)
		return false;
	ret_checked->statement = statement;
	ret_checked->writes = ab_sqlite_writes(statement);
	ret_checked->selects = ab_sqlite_selects(statement);
	return true;
}

static void *engine_attach(void *base, struct ab_env *env)
{
	(void)base;
	return env->sql;
}

const struct ab_sql_engine ab_sqlite_engine = {
        .dialect = AB_SQL_SQLITE,
        .keys = (const char *const[]){"url", "pool", "timeout", "max_rows", "schema", NULL},
        .open = engine_open,
        .close = engine_close,
        .check = engine_check,
        .attach = engine_attach,
        .start = query_start,
        .cancel = query_cancel,
};
