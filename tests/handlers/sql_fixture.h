/* tests/handlers/sql_fixture.h: a SQLite file in a folder of its own, open, with resources that ask it. */
#ifndef TEST_SQL_FIXTURE_H
#define TEST_SQL_FIXTURE_H

#include "../../handlers/sql/database.h"
#include "../lib/harness.h"
#include "../lib/postgres.h"

struct sql_fixture {
	struct harness h;
	struct ab_database *database;
	struct test_conf *conf;
	char dir[64];  /* removed by sql_close, with all in it */
	char path[96]; /* of the database */
	char url[512]; /* of PostgreSQL */
};

/* Only the folder and the loop; `schema` goes to DIR/schema.sql. */
void sql_prepare(struct sql_fixture *f, const char *schema);
/* Open PostgreSQL at this URL; `more` as below. */
void sql_open_postgres(struct sql_fixture *f, const char *url, const char *more);
/* The same in a new schema of the shared server, where `schema` has been run. Its URL is in f->url. */
void sql_open_shared(struct sql_fixture *f, const char *schema, const char *more);
/* Open the database as serve does, from the schema. `more`: further keys of the entry, such as ", `pool`: 1".
 */
void sql_open(struct sql_fixture *f, const char *schema, const char *more);
/* Open it (or try to: then f->database is NULL and the mistakes are in f->h.diags). */
void sql_open_entry(struct sql_fixture *f, const char *entry, bool serving);
void sql_close(struct sql_fixture *f);

void sql_add(struct sql_fixture *f, const char *name, const char *mapping);
/* The resource's value must be this JSON. */
void sql_expect(struct sql_fixture *f, const char *name, const char *given, const char *json);
/* It must fail so, with `text` in the error. */
void sql_expect_error(
        struct sql_fixture *f, const char *name, const char *given, enum ab_code code, const char *text);
/* Adding it must fail with exactly these lines. */
void sql_expect_mistake(struct sql_fixture *f, const char *mapping, const char *lines);
/* The mistakes of opening, which are taken; the caller frees them. */
char *sql_mistakes(struct sql_fixture *f);

/* Run SQL on the file, by a connection of the test's own. Fails the test when it fails. */
void sql_exec(struct sql_fixture *f, const char *sql);

#endif
