/* handlers/sql/sqlite.h: one SQLite database: its threads, connections and statements.
 *
 * SQLite blocks, so reader threads and one writer thread, each with a connection of its own, take jobs from
 * two bounded queues. Statements are checked and numbered once for the process; each connection prepares what
 * it is asked to run, once. sqlite3.h stays inside this folder's sqlite*.c. */
#ifndef AB_SQLITE_H
#define AB_SQLITE_H

#include "job.h"
#include "text.h"

enum {
	AB_SQLITE_QUEUE = 1024, /* jobs waiting, for readers and for the writer each */
};

struct ab_sqlite_options {
	const char *name; /* the database's, for messages; borrowed */
	const char *path;
	const char *shown;                /* the same for messages: a path may be secret */
	struct ab_pos pos;                /* where it is named */
	const struct ab_sql_text *schema; /* or NULL; used during open only */
	bool serving;
	unsigned pool; /* reader threads */
	size_t max_rows;
};

/* Open, create from the schema where that applies, start the threads (when serving). NULL after reporting. */
struct ab_sqlite *ab_sqlite_open(const struct ab_sqlite_options *options, struct ab_diags *diags);
/* Ends the threads; jobs in the queues are run or, if stopped, handed back first. */
void ab_sqlite_close(struct ab_sqlite *sqlite);

/* Check a statement whose `n_params` parameters are written `?`; `named`: its rows become objects, so names
 * of columns must differ. The same text gives the same statement. It lives as long as the database. Any
 * thread. NULL with *ret_offset (a byte of `text`) and err filled. */
struct ab_sqlite_statement *ab_sqlite_prepare(struct ab_sqlite *sqlite, const char *text, size_t len,
        size_t n_params, bool named, size_t *ret_offset, struct ab_error *err);
bool ab_sqlite_writes(const struct ab_sqlite_statement *statement);
/* Whether it gives rows at all. */
bool ab_sqlite_selects(const struct ab_sqlite_statement *statement);

/* Queue a job; it comes back as its trip. Any thread. AB_EOVERLOAD: the queue is full, nothing
 * happened. */
AB_NODISCARD enum ab_code ab_sqlite_submit(
        struct ab_sqlite *sqlite, struct ab_sql_job *job, struct ab_error *err);

#endif
