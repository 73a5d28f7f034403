/* handlers/sql/statement.h: a resource's statement, compiled; and the database it asks. Private to this
 * folder. */
#ifndef AB_SQL_STATEMENT_H
#define AB_SQL_STATEMENT_H

#include "database.h"
#include "sqlite.h"

struct ab_database {
	char *name;
	char *path;
	uint64_t timeout_ms; /* of statements whose resource has none */
	struct ab_sqlite *sqlite;
};

/* The config of a `sql` resource; one a worker. */
struct ab_sql_statement {
	struct ab_database *database;
	struct ab_sqlite_statement *sqlite;
	struct ab_sql *sql; /* the worker's end */
	enum ab_sql_returns returns;
	uint64_t timeout_ms;
	struct ab_deadline_queue *timeouts;
	char *label; /* the statement on one line, for plans */
	size_t n_params;
	struct ab_ref params[]; /* in the order they occur */
};

void ab_sql_statement_free(void *config);

extern const struct ab_handler ab_sql_handler; /* query.c */

#endif
