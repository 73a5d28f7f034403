/* handlers/sql/database.h: databases, and the worker's end of them.
 *
 * A database belongs to the process: SQLite blocks, so it has reader threads and one writer thread of its
 * own, with bounded queues. A worker's end (struct ab_sql) takes results back to the worker's loop through a
 * uv_async. */
#ifndef AB_DATABASE_H
#define AB_DATABASE_H

#include "../kind.h"

struct ab_database;

/* Open the `databases:` entry `name` (a URL or a mapping). `serving`: run `schema` on an empty file;
 * otherwise (check, plan) the file is opened only to check statements, and an absent file is checked against
 * the schema in memory. NULL when there were mistakes. `dir`: relative paths start here. */
struct ab_database *ab_database_open(
        const char *name, const struct ab_conf *conf, const char *dir, bool serving, struct ab_diags *diags);
/* Ends the threads; every statement must have completed. */
void ab_database_close(struct ab_database *database);
const char *ab_database_name(const struct ab_database *database);

struct ab_sql *ab_sql_create(struct ab_env *env);
/* All calls must have completed. Frees itself when the loop has closed its handle. */
void ab_sql_close(struct ab_sql *sql);

extern const struct ab_kind ab_kind_sql;

#endif
