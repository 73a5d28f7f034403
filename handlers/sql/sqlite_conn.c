/* handlers/sql/sqlite_conn.c: opening a SQLite file with every door closed that a statement has no business
 * with. */
#include "sqlite_conn.h"

#include <string.h>
#include <time.h>

enum {
	PROGRESS_STEPS = 1000, /* of SQLite's machine between two looks at whether a job is still wanted */
	LOAD_BUSY_MS = 10000,  /* how long the start waits for another process's lock */
	MAX_LIKE = 1000,       /* bytes of a LIKE pattern: matching is quadratic and can't be interrupted */
	MAX_COLUMNS = 500,
	MAX_TRIGGER_DEPTH = 100,
};

/* ---- hooks ---- */

/* From inside a step: a non-zero answer interrupts it. */
static int conn_on_progress(void *arg)
{
	struct ab_sqlite_conn *conn = arg;

	return conn->job != NULL && ab_sql_job_stopped(conn->job);
}

/* The file is locked by another connection: wait a little, for at most half of the time the job has, so that
 * what is reported is the lock and not the timeout. `tries` counts from 0 for each lock. */
static int conn_on_busy(void *arg, int tries)
{
	static const unsigned char waits[] = {1, 2, 5, 10, 20};
	struct ab_sqlite_conn *conn = arg;
	uint64_t limit = conn->job != NULL ? conn->job->timeout_ms / 2 : LOAD_BUSY_MS, waited = 0;
	unsigned ms = waits[(size_t)tries < AB_COUNT(waits) ? (size_t)tries : AB_COUNT(waits) - 1];

	for (int i = 0; i < tries && i < (int)AB_COUNT(waits); i++)
		waited += waits[i];
	if (tries > (int)AB_COUNT(waits))
		waited += (uint64_t)(tries - (int)AB_COUNT(waits)) * waits[AB_COUNT(waits) - 1];
	if (conn->job != NULL && ab_sql_job_stopped(conn->job))
		return 0;
	if (waited >= limit)
		return 0;
	nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
	return 1;
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; word != NULL && *list != NULL; list++)
		if (sqlite3_stricmp(word, *list) == 0)
			return true;
	return false;
}

static const char *authorize_pragma(const struct ab_sqlite_conn *conn, const char *name, const char *value)
{
	static const char *const looks[] = {"table_info", "table_xinfo", "table_list", "index_list",
	        "index_info", "index_xinfo", "foreign_key_list", NULL};
	static const char *const numbers[] = {"user_version", "application_id", "data_version", NULL};

	if (is_one_of(name, looks) || (is_one_of(name, numbers) && (value == NULL || conn->in_schema)))
		return NULL;
	return "this PRAGMA is not allowed here; expected a statement that reads or writes rows";
}

/* While SQLite compiles a statement: what it would do. */
static int conn_on_authorize(
        void *arg, int action, const char *a, const char *b, const char *schema, const char *trigger)
{
	struct ab_sqlite_conn *conn = arg;
	const char *why = NULL;

	(void)schema;
	(void)trigger;
	if (conn->own)
		return SQLITE_OK;
	switch (action) {
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT:
		why = conn->in_schema
		              ? "the schema runs in one transaction already; leave BEGIN and COMMIT out"
		              : "transactions are not begun by statements; each write is a transaction of its own";
		break;
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
		why = "ATTACH, DETACH and VACUUM are not allowed; name each file under `databases`";
		break;
	case SQLITE_PRAGMA:
		why = authorize_pragma(conn, a, b);
		break;
	case SQLITE_FUNCTION:
		if (is_one_of(b, (const char *const[]){"load_extension", "fts3_tokenizer", NULL}))
			why = "extensions can't be loaded";
		break;
	default:
		break;
	}
	if (why == NULL)
		return SQLITE_OK;
	conn->refused = why;
	return SQLITE_DENY;
}

/* ---- errors ---- */

enum ab_code ab_sqlite_conn_error(struct ab_sqlite_conn *conn, int rc, struct ab_error *err)
{
	const char *text = conn->db != NULL ? sqlite3_errmsg(conn->db) : sqlite3_errstr(rc);

	conn->failed = rc;
	switch (rc == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : rc & 0xff) {
	case SQLITE_NOMEM:
		return ab_error_set(err, AB_ENOMEM, "database '%s': out of memory", conn->name);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ab_error_set(
		        err, AB_EOVERLOAD, "database '%s': %s by another connection", conn->name, text);
	case SQLITE_AUTH:
		return ab_error_set(err, AB_EUPSTREAM, "database '%s': %s", conn->name,
		        conn->refused != NULL ? conn->refused : text);
	case SQLITE_INTERRUPT:
		return ab_error_set(err, AB_ECANCELED, "database '%s': %s", conn->name, text);
	default:
		return ab_error_set(err, AB_EUPSTREAM, "database '%s': %s", conn->name, text);
	}
}

/* ---- opening ---- */

static void conn_limit(sqlite3 *db)
{
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, AB_SQL_MAX_BYTES);
	sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, AB_SQL_MAX_TEXT);
	sqlite3_limit(db, SQLITE_LIMIT_COLUMN, MAX_COLUMNS);
	sqlite3_limit(db, SQLITE_LIMIT_VARIABLE_NUMBER, 1000);
	sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_LIKE);
	sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, MAX_TRIGGER_DEPTH);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
}

/* Double quotes make identifiers only: with SQLite's old leniency a mistyped column would be a string. */
static int conn_configure(struct ab_sqlite_conn *conn)
{
	sqlite3 *db = conn->db;
	int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	if (rc == SQLITE_OK && conn->role == AB_SQLITE_READER)
		rc = sqlite3_exec(db, "PRAGMA query_only = 1", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	conn_limit(db);
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_handler(db, conn_on_busy, conn);
	sqlite3_progress_handler(db, PROGRESS_STEPS, conn_on_progress, conn);
	return SQLITE_OK;
}

static int conn_prepare_control(struct ab_sqlite_conn *conn)
{
	static const char *const texts[] = {"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"};
	sqlite3_stmt **const stmts[] = {&conn->begin, &conn->commit, &conn->rollback};
	int rc = SQLITE_OK;

	for (size_t i = 0; i < AB_COUNT(texts) && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(conn->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, stmts[i], NULL);
	return rc;
}

enum ab_code ab_sqlite_conn_open(struct ab_sqlite_conn *conn, int flags, bool memory, struct ab_error *err)
{
	int rc = sqlite3_open_v2(
	        memory ? ":memory:" : conn->path, &conn->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = conn_configure(conn);
	if (rc == SQLITE_OK)
		rc = conn_prepare_control(conn);
	if (rc == SQLITE_OK)
		rc = sqlite3_set_authorizer(conn->db, conn_on_authorize, conn);
	if (rc == SQLITE_OK)
		return AB_OK;
	ab_sqlite_conn_error(conn, rc, err);
	ab_sqlite_conn_close(conn);
	return err->code;
}

void ab_sqlite_conn_close(struct ab_sqlite_conn *conn)
{
	for (size_t i = 0; i < conn->n_prepared; i++) {
		sqlite3_finalize(conn->prepared[i].stmt);
		free(conn->prepared[i].columns);
	}
	free(conn->prepared);
	conn->prepared = NULL;
	conn->n_prepared = 0;
	sqlite3_finalize(conn->begin);
	sqlite3_finalize(conn->commit);
	sqlite3_finalize(conn->rollback);
	conn->begin = conn->commit = conn->rollback = NULL;
	sqlite3_close(conn->db);
	conn->db = NULL;
}

/* SQLite compiles a statement anew when the schema has changed, so this is the authorizer's business again.
 */
int ab_sqlite_control(struct ab_sqlite_conn *conn, sqlite3_stmt *stmt)
{
	int rc;

	conn->own = true;
	rc = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	conn->own = false;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- what only the start does ---- */

enum ab_code ab_sqlite_is_empty(struct ab_sqlite_conn *conn, bool *ret_empty, struct ab_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(conn->db, "SELECT count(*) FROM sqlite_schema", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_empty = sqlite3_column_int64(stmt, 0) == 0;
	else
		ab_sqlite_conn_error(conn, rc, err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? AB_OK : err->code;
}

void ab_sqlite_use_wal(struct ab_sqlite_conn *conn)
{
	conn->own = true;
	/* Changing the mode takes the whole file; SQLite does not ask the busy handler for it. Another
	 * process may be doing the same just now. */
	for (int i = 0; i < 100 && sqlite3_db_readonly(conn->db, "main") == 0; i++) {
		if (sqlite3_exec(conn->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_BUSY)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	conn->own = false;
}

void ab_sqlite_query_only(struct ab_sqlite_conn *conn)
{
	conn->own = true;
	sqlite3_exec(conn->db, "PRAGMA query_only = 1", NULL, NULL, NULL);
	conn->own = false;
}

static bool schema_complain(struct ab_sqlite_conn *conn, int rc, const struct ab_sql_text *schema,
        size_t offset, struct ab_diags *diags)
{
	struct ab_error err;

	ab_sqlite_conn_error(conn, rc, &err);
	ab_diag(diags, ab_sql_text_pos(schema, offset), "schema: %s", err.text);
	return false;
}

/* Statement by statement, so that a mistake has a place. */
static bool schema_statements(
        struct ab_sqlite_conn *conn, const struct ab_sql_text *schema, struct ab_diags *diags)
{
	const char *at = schema->text, *end = at + schema->len, *tail;

	while (at < end) {
		sqlite3_stmt *stmt = NULL;
		size_t offset;
		int rc;

		at += strspn(at, " \t\r\n");
		offset = (size_t)(at - schema->text);
		rc = sqlite3_prepare_v2(conn->db, at, (int)(end - at), &stmt, &tail);
		if (rc != SQLITE_OK) {
			int in = sqlite3_error_offset(conn->db);

			return schema_complain(conn, rc, schema, offset + (in > 0 ? (size_t)in : 0), diags);
		}
		while (stmt != NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
			;
		if (stmt != NULL && rc != SQLITE_DONE)
			schema_complain(conn, rc, schema, offset, diags);
		sqlite3_finalize(stmt);
		if (stmt != NULL && rc != SQLITE_DONE)
			return false;
		at = tail;
	}
	return true;
}

bool ab_sqlite_schema_run(
        struct ab_sqlite_conn *conn, const struct ab_sql_text *schema, struct ab_diags *diags)
{
	int rc = ab_sqlite_control(conn, conn->begin);
	struct ab_error err;
	bool empty = false, ok;

	if (rc != SQLITE_OK)
		return schema_complain(conn, rc, schema, 0, diags);
	conn->in_schema = true;
	ok = ab_sqlite_is_empty(conn, &empty, &err) == AB_OK;
	if (!ok)
		ab_diag(diags, ab_sql_text_pos(schema, 0), "schema: %s", err.text);
	else if (empty)
		ok = schema_statements(conn, schema, diags);
	conn->in_schema = false;
	if (ok && (rc = ab_sqlite_control(conn, conn->commit)) != SQLITE_OK)
		ok = schema_complain(conn, rc, schema, 0, diags);
	if (!ok && sqlite3_get_autocommit(conn->db) == 0)
		ab_sqlite_control(conn, conn->rollback);
	return ok;
}
