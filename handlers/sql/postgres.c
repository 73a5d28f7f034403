/* handlers/sql/postgres.c: PostgreSQL as one of the engines: a database's entry, its table of statements, and
 * the worker's pool for it. */
#include "postgres.h"

#include <string.h>

void ab_pg_unref(struct ab_pg *base)
{
	if (atomic_fetch_sub(&base->refs, 1) != 1)
		return;
	while (base->statements != NULL) {
		struct ab_pg_statement *statement = base->statements;

		base->statements = statement->next;
		free(statement->shape);
		free(statement->text);
		free(statement);
	}
	ab_pg_options_free(base);
	free(base->name);
	free(base);
}

/* ---- opening ---- */

static void *engine_open(const struct ab_sql_entry *entry, struct ab_diags *diags)
{
	struct ab_pg *base = calloc(1, sizeof(*base));

	if (base == NULL || (base->name = strdup(entry->name)) == NULL) {
		ab_diag(diags, entry->url->pos, "out of memory");
		free(base);
		return NULL;
	}
	atomic_init(&base->refs, 1);
	base->pos = entry->url->pos;
	base->serving = entry->use != AB_DATABASE_CHECK;
	base->pool = (unsigned)entry->pool;
	base->timeout_ms = entry->timeout_ms;
	base->max_rows = entry->max_rows;
	base->prepare = entry->prepare;
	if (entry->schema != NULL) {
		ab_diag(diags, entry->schema->pos,
		        "`schema` fills an empty SQLite file; expected it left out, and the schema loaded with psql");
	} else if (ab_pg_options_read(base, entry->url, diags)) {
		return base;
	}
	ab_pg_unref(base);
	return NULL;
}

/* Whether statements can be checked is found out at the first of them: what has none asks no server. */
static void engine_connect(void *arg, enum ab_database_use use, struct ab_diags *diags)
{
	struct ab_pg *base = arg;
	struct ab_error err;

	base->checker = ab_pg_check_connect(base, &err);
	if (base->checker != NULL)
		return;
	if (use == AB_DATABASE_CONNECT)
		ab_diag(diags, base->pos, "database '%s': %s", base->name, err.text);
	else
		ab_hint(diags, base->pos,
		        "database '%s' can't be reached, so its statements are not checked; serving all the same: %s",
		        base->name, err.text);
}

static void engine_loaded(void *arg)
{
	struct ab_pg *base = arg;

	PQfinish(base->checker);
	base->checker = NULL;
}

static void engine_close(void *base)
{
	engine_loaded(base);
	ab_pg_unref(base);
}

/* ---- statements ---- */

static struct ab_pg_statement *statement_find(struct ab_pg *base, const struct ab_sql_check *check)
{
	for (struct ab_pg_statement *s = base->statements; s != NULL; s = s->next)
		if (s->len == check->len && s->writes == check->writes &&
		        memcmp(s->text, check->text, check->len) == 0)
			return s;
	return NULL;
}

static struct ab_pg_statement *statement_add(struct ab_pg *base, const struct ab_sql_check *check)
{
	struct ab_pg_statement *statement = calloc(1, sizeof(*statement));

	if (statement == NULL || (statement->text = strndup(check->text, check->len)) == NULL) {
		free(statement);
		return NULL;
	}
	statement->len = check->len;
	statement->n_params = check->n_params;
	statement->writes = check->writes;
	statement->index = base->n_statements++;
	statement->next = base->statements;
	base->statements = statement;
	return statement;
}

static bool engine_check(void *arg, const struct ab_sql_check *check, struct ab_sql_checked *ret_checked,
        size_t *ret_offset, struct ab_error *err)
{
	struct ab_pg *base = arg;
	struct ab_pg_statement *statement = statement_find(base, check);

	*ret_offset = 0;
	if (statement == NULL)
		statement = statement_add(base, check);
	if (statement == NULL) {
		ab_error_set(err, AB_ENOMEM, "out of memory");
		return false;
	}
	if (base->checker != NULL && (statement->shape == NULL || check->named) &&
	        !ab_pg_check_statement(base, statement, check->named, ret_offset, err))
		return false;
	ret_checked->statement = statement;
	ret_checked->writes = check->writes;
	ret_checked->selects = statement->shape == NULL || statement->shape->selects;
	return true;
}

/* ---- the worker's end ---- */

static void end_close(void *end)
{
	ab_pg_pool_close(end);
}

static void *engine_attach(void *arg, struct ab_env *env)
{
	struct ab_pg_pool *pool = ab_sql_end_find(env->sql, arg);

	if (pool != NULL)
		return pool;
	pool = ab_pg_pool_create(arg, env);
	if (pool == NULL || ab_sql_end_add(env->sql, arg, pool, end_close))
		return pool;
	ab_pg_pool_close(pool);
	return NULL;
}

const struct ab_sql_engine ab_postgres_engine = {
        .dialect = AB_SQL_POSTGRES,
        .keys = (const char *const[]){"url", "pool", "timeout", "max_rows", "prepare", "schema", NULL},
        .open = engine_open,
        .connect = engine_connect,
        .loaded = engine_loaded,
        .close = engine_close,
        .check = engine_check,
        .attach = engine_attach,
        .start = ab_pg_query_start,
        .cancel = ab_pg_query_cancel,
};
