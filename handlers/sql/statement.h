/* handlers/sql/statement.h: a resource's statement, compiled; and the database it asks. Private to this
 * folder. */
#ifndef AB_SQL_STATEMENT_H
#define AB_SQL_STATEMENT_H

#include "engine.h"
#include "rows.h"

/* One statement as its engine has checked it, and what its placeholders stand for. */
struct ab_sql_part {
	void *checked; /* the engine's own */
	size_t n_params;
	struct ab_ref *params; /* in the order they occur */
};

/* The config of a `sql` resource; one a worker. */
struct ab_sql_statement {
	const struct ab_database *database;
	void *end; /* the worker's, of the database: what engine->attach gave */
	enum ab_sql_returns returns;
	bool writes;
	uint64_t timeout_ms;
	struct ab_deadline_queue *timeouts;
	char *label; /* the statement on one line, for plans */
	size_t n_parts;
	struct ab_sql_part parts[];
};

void ab_sql_statement_free(void *config);

/* follow.c: whether an equal read of the request does for this call. A write makes what was read before
 * doubtful. */
bool ab_sql_follows(struct ab_call *call);

#endif
