/* handlers/sql/sqlite_conn.h: a connection to a SQLite file, used by one thread, and running one job on it.
 */
#ifndef AB_SQLITE_CONN_H
#define AB_SQLITE_CONN_H

#include "sqlite.h"

#include <sqlite3.h>

struct ab_sqlite_statement {
	size_t index;
	char *text; /* parameters as `?` */
	size_t len;
	bool writes;
	bool selects;
	size_t n_params;
	bool named; /* its column names are known to differ */
	struct ab_sqlite_statement *next;
};

struct ab_sqlite_column {
	const char *name; /* in the block behind the columns */
	size_t len;
	bool boolean; /* declared so */
};

/* A statement as one connection has prepared it. */
struct ab_sqlite_prepared {
	sqlite3_stmt *stmt;
	struct ab_sqlite_column *columns; /* NULL until the first row */
	int n_columns;
	int reprepares; /* SQLite's count when `columns` was made: a changed table may change them */
	int twice;      /* a column whose name an earlier one has, or -1 */
};

enum ab_sqlite_role { AB_SQLITE_CHECKER, AB_SQLITE_READER, AB_SQLITE_WRITER };

struct ab_sqlite_conn {
	sqlite3 *db; /* NULL while it could not be opened */
	enum ab_sqlite_role role;
	const char *name; /* the database's */
	const char *path;
	size_t max_rows;
	struct ab_sqlite_prepared *prepared; /* by a statement's index */
	size_t n_prepared;
	sqlite3_stmt *begin, *commit, *rollback; /* the writer's */
	struct ab_sql_job *job;                  /* what runs now: the hooks ask whether it is still wanted */
	int failed;                              /* SQLite's last failure in this job, or 0 */
	bool own;                                /* a statement of ours: the authorizer lets it pass */
	bool in_schema;                          /* the authorizer allows what a schema needs */
	const char *refused;                     /* what the authorizer last said */
};

/* Open with all limits set. Errors: AB_EUPSTREAM, AB_ENOMEM; conn->db is NULL then. `memory`: an empty
 * database in memory instead of the file. */
AB_NODISCARD enum ab_code ab_sqlite_conn_open(
        struct ab_sqlite_conn *conn, int flags, bool memory, struct ab_error *err);
void ab_sqlite_conn_close(struct ab_sqlite_conn *conn);

/* SQLite's last failure on this connection, in our words: codes as database.h says. */
enum ab_code ab_sqlite_conn_error(struct ab_sqlite_conn *conn, int rc, struct ab_error *err);

/* Step one of `begin`, `commit`, `rollback`. SQLITE_OK or SQLite's code. */
int ab_sqlite_control(struct ab_sqlite_conn *conn, sqlite3_stmt *stmt);

/* Whether the database has no tables yet. */
AB_NODISCARD enum ab_code ab_sqlite_is_empty(
        struct ab_sqlite_conn *conn, bool *ret_empty, struct ab_error *err);
/* Run the schema in one transaction, unless another process has by then. False after reporting to diags. */
AB_NODISCARD bool ab_sqlite_schema_run(
        struct ab_sqlite_conn *conn, const struct ab_sql_text *schema, struct ab_diags *diags);
/* Write-ahead logging, so that readers and the writer don't wait for each other; left as it is where it can't
 * be. */
void ab_sqlite_use_wal(struct ab_sqlite_conn *conn);

/* From here on this connection reads. */
void ab_sqlite_query_only(struct ab_sqlite_conn *conn);

/* Why `text` did not compile, at which byte, and the nearest name where one is unknown. */
void ab_sqlite_explain(
        struct ab_sqlite_conn *conn, const char *text, int rc, size_t *ret_offset, struct ab_error *err);

/* Columns of a prepared statement; prepared->twice tells of a doubled name. False: out of memory. */
AB_NODISCARD bool ab_sqlite_columns(struct ab_sqlite_prepared *prepared);
/* The current row. NULL with err filled; *bytes is added to and bounded by AB_SQL_MAX_BYTES. */
json_t *ab_sqlite_row(const struct ab_sqlite_prepared *prepared, size_t *bytes, struct ab_error *err);
json_t *ab_sqlite_value(
        const struct ab_sqlite_prepared *prepared, int column, size_t *bytes, struct ab_error *err);

/* Open a reader's or the writer's connection unless it is. False with err filled. */
AB_NODISCARD bool ab_sqlite_ready(struct ab_sqlite_conn *conn, struct ab_error *err);

/* Run a job: its value and error are set, nothing is left open. Opens the connection when it is not. */
void ab_sqlite_run(struct ab_sqlite_conn *conn, struct ab_sql_job *job);

#endif
