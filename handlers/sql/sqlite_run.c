/* handlers/sql/sqlite_run.c: one job on one connection, from its parameters to its value.
 *
 * A read is stepped through and reset. A write is a transaction of its own: begun with the write lock,
 * committed only if its job is still wanted at that moment, rolled back in every other case. */
#include "sqlite_conn.h"

#include <string.h>

/* The statement on this connection, prepared at its first use here. */
static struct ab_sqlite_prepared *run_prepared(
        struct ab_sqlite_conn *conn, const struct ab_sqlite_statement *statement, struct ab_error *err)
{
	struct ab_sqlite_prepared *prepared;
	int rc;

	if (AB_UNLIKELY(statement->index >= conn->n_prepared)) {
		size_t n = statement->index + 16;

		prepared = realloc(conn->prepared, n * sizeof(*prepared));
		if (prepared == NULL) {
			ab_error_set(err, AB_ENOMEM, "out of memory");
			return NULL;
		}
		memset(prepared + conn->n_prepared, 0, (n - conn->n_prepared) * sizeof(*prepared));
		conn->prepared = prepared;
		conn->n_prepared = n;
	}
	prepared = &conn->prepared[statement->index];
	if (AB_LIKELY(prepared->stmt != NULL))
		return prepared;
	rc = sqlite3_prepare_v3(conn->db, statement->text, (int)statement->len, SQLITE_PREPARE_PERSISTENT,
	        &prepared->stmt, NULL);
	if (rc == SQLITE_OK && prepared->stmt != NULL)
		return prepared;
	ab_sqlite_conn_error(conn, rc, err);
	return NULL;
}

/* The job outlives the step, so its texts are not copied. */
static int run_bind(sqlite3_stmt *stmt, const struct ab_sql_param *params, size_t n)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		const struct ab_sql_param *param = &params[i];
		int at = (int)i + 1;

		switch (param->type) {
		case AB_SQL_INTEGER:
			rc = sqlite3_bind_int64(stmt, at, param->u.integer);
			break;
		case AB_SQL_REAL:
			rc = sqlite3_bind_double(stmt, at, param->u.real);
			break;
		case AB_SQL_TEXT:
			rc = sqlite3_bind_text64(
			        stmt, at, param->u.text.data, param->u.text.len, SQLITE_STATIC, SQLITE_UTF8);
			break;
		case AB_SQL_NULL:
			rc = sqlite3_bind_null(stmt, at);
			break;
		}
	}
	return rc;
}

/* Names and types of the columns, as they are since SQLite last compiled the statement. */
static bool run_columns(
        struct ab_sqlite_prepared *prepared, const struct ab_sql_job *job, struct ab_error *err)
{
	if (prepared->columns == NULL ||
	        prepared->reprepares != sqlite3_stmt_status(prepared->stmt, SQLITE_STMTSTATUS_REPREPARE, 0))
		if (!ab_sqlite_columns(prepared)) {
			ab_error_set(err, AB_ENOMEM, "out of memory");
			return false;
		}
	if (prepared->twice >= 0 && (job->returns == AB_SQL_ROWS || job->returns == AB_SQL_ROW)) {
		ab_error_set(err, AB_EUPSTREAM, "two columns named '%s'; give one another name with AS",
		        prepared->columns[prepared->twice].name);
		return false;
	}
	return true;
}

/* Take in the current row. False with err filled. */
static bool run_row(struct ab_sql_rows *rows, struct ab_sqlite_prepared *prepared, struct ab_error *err)
{
	switch (ab_sql_rows_next(rows, err)) {
	case AB_SQL_WANT_ROW:
		return ab_sql_rows_add_new(rows, ab_sqlite_row(prepared, &rows->bytes, err), err);
	case AB_SQL_WANT_VALUE:
		return ab_sql_rows_add_new(rows, ab_sqlite_value(prepared, 0, &rows->bytes, err), err);
	case AB_SQL_WANT_NOTHING:
		return true;
	case AB_SQL_WANT_STOP:
	default:
		return false;
	}
}

/* Step until there is nothing more, or nothing more is wanted. AB_OK, or err filled. */
static enum ab_code run_steps(struct ab_sqlite_conn *conn, struct ab_sqlite_prepared *prepared,
        struct ab_sql_job *job, struct ab_sql_rows *rows, struct ab_error *err)
{
	bool first_only =
	        !job->statement->writes && (job->returns == AB_SQL_ROW || job->returns == AB_SQL_VALUE);
	int rc;

	if (!ab_sql_rows_begin(rows, job->returns, conn->max_rows, err))
		return err->code;
	while ((rc = sqlite3_step(prepared->stmt)) == SQLITE_ROW) {
		err->code = AB_ENOMEM; /* what a NULL value means unless it says more */
		if (!run_columns(prepared, job, err) || !run_row(rows, prepared, err)) {
			if (err->code == AB_ENOMEM)
				ab_error_set(err, AB_ENOMEM, "out of memory");
			ab_error_prefix(err, "database '%s'", conn->name);
			return err->code;
		}
		if (first_only)
			return AB_OK;
	}
	return rc == SQLITE_DONE ? AB_OK : ab_sqlite_conn_error(conn, rc, err);
}

/* One of those that come before the last of a transaction: its rows are nobody's. */
static enum ab_code run_before(struct ab_sqlite_conn *conn, const struct ab_sqlite_statement *statement,
        const struct ab_sql_param *params, struct ab_error *err)
{
	struct ab_sqlite_prepared *prepared = run_prepared(conn, statement, err);
	int rc;

	if (prepared == NULL)
		return err->code;
	rc = run_bind(prepared->stmt, params, statement->n_params);
	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(prepared->stmt)) == SQLITE_ROW)
			;
	if (rc != SQLITE_DONE)
		ab_sqlite_conn_error(conn, rc, err);
	sqlite3_reset(prepared->stmt);
	sqlite3_clear_bindings(prepared->stmt);
	return rc == SQLITE_DONE ? AB_OK : err->code;
}

static enum ab_code run_statement(struct ab_sqlite_conn *conn, struct ab_sqlite_prepared *prepared,
        struct ab_sql_job *job, const struct ab_sql_param *params, struct ab_sql_rows *rows,
        struct ab_error *err)
{
	sqlite3_int64 before = sqlite3_total_changes64(conn->db);
	int rc = run_bind(prepared->stmt, params, job->n_params - (size_t)(params - job->params));
	enum ab_code code = rc != SQLITE_OK ? ab_sqlite_conn_error(conn, rc, err)
	                                    : run_steps(conn, prepared, job, rows, err);

	sqlite3_reset(prepared->stmt);
	sqlite3_clear_bindings(prepared->stmt);
	/* What changed nothing leaves the count of the statement before. */
	if (job->statement->writes)
		rows->count =
		        sqlite3_total_changes64(conn->db) == before ? 0 : (size_t)sqlite3_changes64(conn->db);
	return code;
}

static enum ab_code run_control(struct ab_sqlite_conn *conn, sqlite3_stmt *stmt, struct ab_error *err)
{
	int rc = ab_sqlite_control(conn, stmt);

	return rc == SQLITE_OK ? AB_OK : ab_sqlite_conn_error(conn, rc, err);
}

static enum ab_code run_write(struct ab_sqlite_conn *conn, struct ab_sqlite_prepared *prepared,
        struct ab_sql_job *job, struct ab_sql_rows *rows, struct ab_error *err)
{
	const struct ab_sql_param *params = job->params;
	struct ab_error ignored;
	enum ab_code code = run_control(conn, conn->begin, err);

	for (struct ab_sqlite_statement **s = job->before; s != NULL && *s != NULL && code == AB_OK; s++) {
		code = run_before(conn, *s, params, err);
		params += (*s)->n_params;
	}
	if (code == AB_OK)
		code = run_statement(conn, prepared, job, params, rows, err);
	if (code == AB_OK && !ab_sql_job_move(job, AB_SQL_RUNNING, AB_SQL_COMMITTING))
		code = ab_error_set(err, AB_ECANCELED, "database '%s': rolled back", conn->name);
	if (code == AB_OK)
		code = run_control(conn, conn->commit, err);
	/* Some failures have ended the transaction already, and BEGIN may have begun it though it was
	 * interrupted; one that can't be ended ends with its connection. */
	if (sqlite3_get_autocommit(conn->db) == 0 && run_control(conn, conn->rollback, &ignored) != AB_OK)
		ab_sqlite_conn_close(conn);
	return code;
}

/* A file that is damaged, gone or unreadable may be put right while we run: look at it afresh next time. */
static bool is_lasting(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return true;
	default:
		return false;
	}
}

bool ab_sqlite_ready(struct ab_sqlite_conn *conn, struct ab_error *err)
{
	int flags = conn->role == AB_SQLITE_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

	return AB_LIKELY(conn->db != NULL) || ab_sqlite_conn_open(conn, flags, false, err) == AB_OK;
}

void ab_sqlite_run(struct ab_sqlite_conn *conn, struct ab_sql_job *job)
{
	struct ab_sql_rows rows = {0};
	struct ab_error *err = &job->err;
	struct ab_sqlite_prepared *prepared;
	enum ab_code code;

	job->value = NULL;
	conn->job = job;
	conn->failed = SQLITE_OK;
	if (!ab_sqlite_ready(conn, err))
		goto end;
	prepared = run_prepared(conn, job->statement, err);
	if (prepared == NULL)
		code = err->code;
	else if (job->transaction || job->statement->writes)
		code = run_write(conn, prepared, job, &rows, err);
	else
		code = run_statement(conn, prepared, job, job->params, &rows, err);
	if (code == AB_OK)
		job->value = ab_sql_rows_end(&rows, err);
	else
		ab_sql_rows_drop(&rows);
	if (is_lasting(conn->failed))
		ab_sqlite_conn_close(conn);
end:
	conn->job = NULL;
}
