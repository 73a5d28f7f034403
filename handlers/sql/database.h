/* handlers/sql/database.h: databases, and the worker's end of them.
 *
 * A database belongs to the process. SQLite blocks, so it has reader threads and one writer thread of its
 * own, with bounded queues; PostgreSQL does not, so each worker has connections of its own on its loop. A
 * worker's end (struct ab_sql) holds those, and takes what comes from other threads back to the loop through
 * a uv_async. */
#ifndef AB_DATABASE_H
#define AB_DATABASE_H

#include "../kind.h"

struct ab_database;

/* What it is opened for. */
enum ab_database_use {
	AB_DATABASE_CHECK,   /* statements are checked as far as that asks no server */
	AB_DATABASE_SERVE,   /* statements are checked, then run */
	AB_DATABASE_RUN,     /* statements are run; a server is asked about them only then */
	AB_DATABASE_CONNECT, /* statements are checked against the real database, and not run */
};

/* Open the `databases:` entry `name` (a URL or a mapping). NULL when there were mistakes. `dir`: relative
 * paths start here. SQLite: SERVE and RUN run `schema` on an empty file (in one transaction, by one process),
 * turn write-ahead logging on, start the threads. Otherwise the file is opened only to check statements, and
 * an absent or empty file is checked against the schema in memory. May wait for another process's lock, for
 * 10 s at most. PostgreSQL: SERVE and CONNECT connect for the checks, for 5 s at most; where that fails
 * CONNECT reports a mistake, SERVE a hint. */
struct ab_database *ab_database_open(const char *name, const struct ab_conf *conf, const char *dir,
        enum ab_database_use use, struct ab_diags *diags);
/* No more statements will be compiled: what was open for their checks is closed. NULL is fine. */
void ab_database_loaded(struct ab_database *database);
/* Ends the threads. Every call must have completed; a statement still running for a call that was cancelled
 * or out of time is interrupted and waited for. NULL is fine. */
void ab_database_close(struct ab_database *database);

struct ab_sql *ab_sql_create(struct ab_env *env);
/* All calls must have completed. Frees itself, on the loop, when the last statement is back that was
 * cancelled or out of time; those keep the loop going, an idle end does not. Before or after
 * ab_database_close. */
void ab_sql_close(struct ab_sql *sql);

/* `returns`: rows a list of objects; row the first row, value its first column, however many there are,
 * AB_EMISSING when there is none; count the rows a write changed, or a query gave. At most max_rows rows and
 * 16 MiB. A call fails with AB_ETIMEOUT (`timeout` of the resource, else of the database; counted from the
 * start, waiting included), AB_EOVERLOAD (queue full; another process's lock held for half of the timeout),
 * AB_EINVALID (a parameter with a NUL), AB_EUPSTREAM (whatever else SQLite says: constraints, damage, a full
 * disk), AB_ENOMEM. A write that fails has left nothing, also when it fails by its timeout: while a commit is
 * under way its outcome is waited for. */
extern const struct ab_kind ab_kind_sql;
extern const struct ab_kind ab_kind_transaction; /* several statements as one */

#endif
