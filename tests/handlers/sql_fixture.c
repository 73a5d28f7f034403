/* tests/handlers/sql_fixture.c: see sql_fixture.h. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "can't write %s", path);
}

static struct ab_database *the_database(struct ab_compile *compile, const char *name)
{
	struct sql_fixture *f = ab_container_of((struct harness *)compile->app, struct sql_fixture, h);

	if (name == NULL || strcmp(name, "main") == 0)
		return f->database;
	ab_diag(compile->diags, ab_conf_get(compile->map, "database")->pos, "no database '%s'", name);
	return NULL;
}

void sql_prepare(struct sql_fixture *f, const char *schema)
{
	char path[96];

	memset(f, 0, sizeof(*f));
	strcpy(f->dir, "/tmp/ab-sql-XXXXXX");
	cr_assert(mkdtemp(f->dir) != NULL);
	snprintf(f->path, sizeof(f->path), "%s/test.db", f->dir);
	snprintf(path, sizeof(path), "%s/schema.sql", f->dir);
	if (schema != NULL)
		write_file(path, schema);
	harness_open(&f->h);
	f->h.dir = f->dir;
	f->h.database = the_database;
	f->h.env.sql = ab_sql_create(&f->h.env);
	cr_assert(f->h.env.sql != NULL);
}

void sql_open_entry(struct sql_fixture *f, const char *entry, bool serving)
{
	test_conf_destroy(f->conf);
	f->conf = test_conf_create(entry);
	f->database = ab_database_open("main", test_conf_root(f->conf), f->dir,
	        serving ? AB_DATABASE_SERVE : AB_DATABASE_CHECK, f->h.diags);
}

void sql_open(struct sql_fixture *f, const char *schema, const char *more)
{
	char entry[512];

	sql_prepare(f, schema);
	snprintf(entry, sizeof(entry), "{`url`: `sqlite:test.db`, `schema`: `schema.sql`%s}", more);
	sql_open_entry(f, entry, true);
	if (f->database == NULL)
		cr_assert_fail("%s", harness_mistakes(&f->h));
}

void sql_open_postgres(struct sql_fixture *f, const char *url, const char *more)
{
	char entry[1024];

	sql_prepare(f, NULL);
	snprintf(f->url, sizeof(f->url), "%s", url);
	snprintf(entry, sizeof(entry), "{`url`: `%s`%s}", url, more);
	sql_open_entry(f, entry, true);
	if (f->database == NULL)
		cr_assert_fail("%s", harness_mistakes(&f->h));
}

void sql_open_shared(struct sql_fixture *f, const char *schema, const char *more)
{
	struct postgres server;
	char url[512];

	postgres_shared(&server);
	snprintf(url, sizeof(url), "%s", postgres_url(&server, postgres_schema(&server)));
	if (schema != NULL)
		postgres_exec(url, schema);
	sql_open_postgres(f, url, more);
}

static void remove_dir(const char *dir)
{
	DIR *entries = opendir(dir);
	struct dirent *entry;

	cr_assert(entries != NULL);
	while ((entry = readdir(entries)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
	rmdir(dir);
}

void sql_close(struct sql_fixture *f)
{
	harness_clear(&f->h);
	ab_database_close(f->database);
	if (f->h.env.sql != NULL)
		ab_sql_close(f->h.env.sql);
	harness_close(&f->h);
	test_conf_destroy(f->conf);
	remove_dir(f->dir);
}

void sql_add(struct sql_fixture *f, const char *name, const char *mapping)
{
	if (!harness_add(&f->h, name, mapping))
		cr_assert_fail("%s", harness_mistakes(&f->h));
}

void sql_expect(struct sql_fixture *f, const char *name, const char *given, const char *json)
{
	struct harness_run *run = harness_get(&f->h, name, given);
	char *text;

	if (run->code != AB_OK)
		cr_assert_fail("%s %s: %s", name, given, run->error->text);
	text = json_dumps(run->value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	cr_assert_str_eq(text, json, "%s %s: %s, expected %s", name, given, text, json);
	free(text);
	harness_run_end(run);
}

void sql_expect_error(
        struct sql_fixture *f, const char *name, const char *given, enum ab_code code, const char *text)
{
	struct harness_run *run = harness_get(&f->h, name, given);

	cr_assert_eq(run->code, code, "%s %s: %s %s", name, given, ab_code_name(run->code),
	        run->error != NULL ? run->error->text : "");
	cr_assert(strstr(run->error->text, text) != NULL, "%s %s: %s", name, given, run->error->text);
	harness_run_end(run);
}

void sql_expect_mistake(struct sql_fixture *f, const char *mapping, const char *lines)
{
	char *mistakes = harness_refuse(&f->h, "refused", mapping);

	cr_assert_str_eq(mistakes, lines, "%s:\n%s\nexpected\n%s", mapping, mistakes, lines);
	free(mistakes);
}

char *sql_mistakes(struct sql_fixture *f)
{
	char *text = harness_mistakes(&f->h);

	ab_diags_destroy(f->h.diags);
	f->h.diags = ab_diags_create();
	return text;
}

void sql_exec(struct sql_fixture *f, const char *sql)
{
	sqlite3 *db;
	char *error = NULL;

	cr_assert_eq(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	sqlite3_exec(db, sql, NULL, NULL, &error);
	cr_assert(error == NULL, "%s: %s", sql, error);
	sqlite3_close(db);
}
