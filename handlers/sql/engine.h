/* handlers/sql/engine.h: what an engine is to the rest of this folder: a table of functions, chosen by the
 * scheme of the database's URL. Private to this folder.
 *
 * Engines share one notion of a statement (statement.h: text, placeholders, what it returns), of a parameter
 * (the value a placeholder stands for, bound and never spliced in) and of rows (rows.h). How a statement is
 * checked, sent and cancelled is the engine's own business. */
#ifndef AB_SQL_ENGINE_H
#define AB_SQL_ENGINE_H

#include "../buf.h"
#include "database.h"
#include "lexer.h"
#include "text.h"

/* An entry under `databases:` as it is read; what is not set has its default. */
struct ab_sql_entry {
	const char *name;
	const struct ab_conf *conf;   /* the entry */
	const struct ab_conf *url;    /* a string */
	const struct ab_conf *schema; /* or NULL */
	const char *dir;              /* relative paths start here */
	enum ab_database_use use;
	uint64_t timeout_ms;
	int64_t pool; /* 0: unset */
	size_t max_rows;
	bool prepare; /* true unless set */
};

/* A statement to be checked, its placeholders replaced as the engine writes parameters. */
struct ab_sql_check {
	const char *text;
	size_t len;
	size_t n_params;
	bool named;  /* its rows become objects, so names of columns must differ */
	bool writes; /* as far as the lexer or the resource says */
};

/* What the engine says of it. */
struct ab_sql_checked {
	void *statement; /* the engine's own; lives as long as the database */
	bool writes;
	bool selects; /* gives rows; true where that is not known yet */
};

struct ab_sql_engine {
	enum ab_sql_dialect dialect;
	const char *const *keys; /* of its entries, NULL-terminated */
	/* The open database, or NULL after reporting. */
	void *(*open)(const struct ab_sql_entry *entry, struct ab_diags *diags);
	/* Connect for the checks that follow, or say why that can't be. NULL: nothing to do. */
	void (*connect)(void *base, enum ab_database_use use, struct ab_diags *diags);
	/* No more checks follow. May be NULL. */
	void (*loaded)(void *base);
	void (*close)(void *base);
	/* Check a statement. False with *ret_offset (a byte of check->text) and err filled. Any thread; at
	 * load only. */
	bool (*check)(void *base, const struct ab_sql_check *check, struct ab_sql_checked *ret_checked,
	        size_t *ret_offset, struct ab_error *err);
	/* The worker's end of the database, made at its first statement; NULL when out of memory. */
	void *(*attach)(void *base, struct ab_env *env);
	void (*start)(struct ab_call *call);
	void (*cancel)(struct ab_call *call);
};

extern const struct ab_sql_engine ab_sqlite_engine;   /* sqlite_query.c */
extern const struct ab_sql_engine ab_postgres_engine; /* postgres.c */

/* An empty buffer of at most `max` bytes, for what is needed only until the next call of this. */
struct ab_buf *ab_sql_scratch(struct ab_sql *sql, size_t max);
/* What an engine keeps for a worker and a database, ended by `close` when the worker's end of the databases
 * is. */
void *ab_sql_end_find(const struct ab_sql *sql, const void *base);
AB_NODISCARD bool ab_sql_end_add(struct ab_sql *sql, const void *base, void *end, void (*close)(void *end));

struct ab_database {
	char *name;
	uint64_t timeout_ms; /* of statements whose resource has none */
	const struct ab_sql_engine *engine;
	void *base; /* the engine's own */
};

#endif
