/* tests/handlers/test_sql_load.c: what is refused before anything runs: entries of databases, schemas,
 * statements. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(sql_load, .timeout = 20);

static const char schema[] = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);\n"
                             "CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER, name TEXT);\n";

/* ---- statements ---- */

static void write_sql(struct sql_fixture *f, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/q.sql", f->dir);
	file = fopen(path, "we");
	cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(sql_load, a_mistake_in_a_statement_has_its_place)
{
	static const struct {
		const char *sql, *mistakes; /* with DIR/q.sql: in front of each line */
	} rows[] = {
	        {"SELECT nmae FROM people",
	                "1:8: database 'main': no such column: nmae; did you mean 'name'?"},
	        {"-- the name\nSELECT id,\n  nmae FROM people",
	                "3:3: database 'main': no such column: nmae; did you mean 'name'?"},
	        {"SELECT '\xc3\xa9\xc3\xa9', nmae FROM people",
	                "1:14: database 'main': no such column: nmae; did you mean 'name'?"},
	        {"SELECT id FROM\n  poeple WHERE id = :id",
	                "2:3: database 'main': no such table: poeple; did you mean 'people'?"},
	        {"SELECT peoples, x FROM people", "1:8: database 'main': no such column: peoples"},
	        {"SELECT pets.nick\nFROM people", "1:8: database 'main': no such column: pets.nick"},
	        {"SELECT nope(:x)", "1:8: database 'main': no such function: nope"},
	        {"SELECT id FORM people", "1:16: database 'main': near \"people\": syntax error"},
	        {"SELEC id", "1:1: database 'main': near \"SELEC\": syntax error"},
	        {"SELECT (1", "1:1: database 'main': incomplete input"},
	        {"SELECT :a.b.c, :x[0]",
	                "1:18: in SQL a placeholder's path has only names and dots; give the part "
	                "a name: needs: {part: x[...]}"},
	        {"SELECT ?,\n$1", "1:8: '?' is not a placeholder here; write :name\n"
	                          "2:1: '$1' is not a placeholder here; write :name"},
	        {"SELECT id FROM people\nWHERE id = {id}",
	                "2:12: '{id}' is not a placeholder in SQL; write :id"},
	        {"SELECT id FROM people\nWHERE id = {{id}}",
	                "2:12: '{{id}}' is not a placeholder in SQL; write :id"},
	        {"SELECT 1;\nDROP TABLE people",
	                "2:1: a second statement; expected one, as a resource runs exactly one"},
	        {"", "1:1: `sql` without a statement"},
	        {"-- nothing\n", "1:1: `sql` without a statement"},
	        {"SELECT p.id, q.id FROM people p, pets q",
	                "1:1: two columns named 'id'; give one another name with AS"},
	        {"-- all\nSELECT * FROM people, pets",
	                "2:1: two columns named 'id'; give one another name with AS"},
	        {"BEGIN", "1:1: BEGIN: each write is a transaction of its own, and several are one under "
	                  "`transaction`; expected a statement that reads or writes rows"},
	        {" commit ", "1:2: commit: each write is a transaction of its own, and several are one under "
	                     "`transaction`; expected a statement that reads or writes rows"},
	        {"ROLLBACK",
	                "1:1: ROLLBACK: each write is a transaction of its own, and several are one under "
	                "`transaction`; expected a statement that reads or writes rows"},
	        {"SAVEPOINT a",
	                "1:1: SAVEPOINT: each write is a transaction of its own, and several are one under "
	                "`transaction`; expected a statement that reads or writes rows"},
	        {"ATTACH 'x' AS y",
	                "1:1: ATTACH: not allowed in an app; expected a statement that reads or writes rows"},
	        {"VACUUM INTO 'x'",
	                "1:1: VACUUM: not allowed in an app; expected a statement that reads or writes rows"},
	        {"PRAGMA journal_mode = DELETE",
	                "1:1: database 'main': this PRAGMA is not allowed here; expected a "
	                "statement that reads or writes rows"},
	        {"PRAGMA user_version = 4",
	                "1:1: database 'main': this PRAGMA is not allowed here; expected a "
	                "statement that reads or writes rows"},
	        {"EXPLAIN ATTACH 'x' AS y",
	                "1:1: database 'main': ATTACH, DETACH and VACUUM are not allowed; name "
	                "each file under `databases`"},
	        {"SELECT load_extension('x')",
	                "1:8: database 'main': not authorized to use function: load_extension"},
	        {"INSERT INTO people (name) VALUES (:)", "1:35: database 'main': unrecognized token: \":\""},
	};
	struct sql_fixture f;

	sql_open(&f, schema, "");
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char expected[1024] = "", line[512];
		const char *at = rows[i].mistakes;

		while (*at != '\0') {
			size_t len = strcspn(at, "\n");

			snprintf(line, sizeof(line), "%s%s/q.sql:%.*s", expected[0] != '\0' ? "\n" : "",
			        f.dir, (int)len, at);
			strcat(expected, line);
			at += len + (at[len] == '\n');
		}
		write_sql(&f, rows[i].sql);
		sql_expect_mistake(&f, "{`sql`: {`file`: `q.sql`}}", expected);
	}
	sql_close(&f);
}

Test(sql_load, double_quotes_make_no_string)
{
	struct sql_fixture f;
	char *mistakes;

	sql_open(&f, schema, "");
	mistakes = harness_refuse(&f.h, "q", "{`sql`: `SELECT \\`Ada\\` FROM people`}");
	cr_expect(strstr(mistakes, "no such column: ") != NULL, "%s", mistakes);
	free(mistakes);
	sql_close(&f);
}

Test(sql_load, a_secret_path_is_not_shown)
{
	struct sql_fixture f;
	char *mistakes;

	sql_prepare(&f, schema);
	sql_open_entry(&f, "`${sqlite:secret.db}`", true);
	cr_assert(f.database == NULL);
	mistakes = sql_mistakes(&f);
	cr_expect(strstr(mistakes, "there is no file '${...}'") != NULL, "%s", mistakes);
	cr_expect(strstr(mistakes, "secret") == NULL, "%s", mistakes);
	free(mistakes);
	sql_close(&f);
}

Test(sql_load, a_statement_may_stand_in_a_file)
{
	struct sql_fixture f;

	sql_open(&f, schema, "");
	write_sql(&f, "-- one of them\nSELECT\n  :x + 1;\n");
	sql_add(&f, "q", "{`sql`: {`file`: `q.sql`}, `returns`: `value`}");
	sql_expect(&f, "q", "{`x`: 1}", "2");
	sql_close(&f);
}

Test(sql_load, the_keys_beside_a_statement_are_checked)
{
	static const struct {
		const char *mapping, *mistake; /* a part of it */
	} rows[] = {
	        {"{`sql`: `SELECT 1`, `returns`: `rwos`}",
	                "`returns: rwos`; expected rows, row, value or count; did you mean 'rows'?"},
	        {"{`sql`: `SELECT 1`, `returns`: 1}", "expected a string"},
	        {"{`sql`: `SELECT 1`, `database`: `other`}", "no database 'other'"},
	        {"{`sql`: `DELETE FROM people`, `returns`: `row`}",
	                "this statement gives no rows; expected RETURNING in it, or `returns: count`"},
	        {"{`sql`: {`file`: `none.sql`}}", "can't read `file` 'none.sql': No such file or directory"},
	        {"{`sql`: {`file`: `.`}}", "can't read `file` '.': it is a directory"},
	        {"{`sql`: {`file`: `/dev/zero`}}", "can't read `file` '/dev/zero': it is not a regular file"},
	        {"{`sql`: {`file`: `test.db`}}", "`file` 'test.db' is not text in UTF-8"},
	        {"{`sql`: {`flie`: `q.sql`}}", "flie"},
	        {"{`sql`: {}}", "`sql` without a statement; expected a string or {file: x.sql}"},
	        {"{`sql`: 5}", "expected a string"},
	        {"{`sql`: `${SELECT 1}`}", "${...} in a statement: a value never becomes syntax"},
	};
	struct sql_fixture f;

	sql_open(&f, schema, "");
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char *mistakes = harness_refuse(&f.h, "refused", rows[i].mapping);

		cr_expect(strstr(mistakes, rows[i].mistake) != NULL, "%s:\n%s", rows[i].mapping, mistakes);
		free(mistakes);
	}
	sql_close(&f);
}

Test(sql_load, quotes_around_a_placeholder_are_hinted_at)
{
	struct sql_fixture f;
	char *hints;

	sql_open(&f, schema, "");
	sql_add(&f, "q", "{`sql`: `SELECT ':x' AS x`, `returns`: `value`}");
	hints = sql_mistakes(&f);
	cr_expect(strstr(hints, "':x' in quotes is text, not a placeholder") != NULL, "%s", hints);
	free(hints);
	sql_expect(&f, "q", NULL, "\":x\"");
	sql_close(&f);
}

Test(sql_load, a_statement_is_described_on_one_line)
{
	struct sql_fixture f;
	const struct ab_resource *resource;
	char line[256], cut[16];

	sql_open(&f, schema, "");
	sql_add(&f, "q",
	        "{`sql`: `SELECT id,\\n   name\\tFROM people\\n WHERE id = :id;`, `timeout`: `300ms`}");
	resource = ab_dispatcher_find(f.h.dispatcher, "q");
	ab_kind_sql.describe(resource->config, line, sizeof(line));
	cr_expect_str_eq(line, "main: SELECT id, name FROM people WHERE id = :id");
	ab_kind_sql.describe(resource->config, cut, sizeof(cut));
	cr_expect_str_eq(cut, "main: SELECT id");
	cr_expect_eq(resource->timeout_ms, 300);
	sql_close(&f);
}

/* ---- databases ---- */

Test(sql_load, an_entry_is_checked)
{
	static const struct {
		const char *entry, *mistake; /* a part of it */
	} rows[] = {
	        {"`postgresql:host/shop`", "or postgresql://user@host/database"},
	        {"`postgres://host/shop?sslmod=none`", "expected a URL such as postgresql://user"},
	        {"`mysql://host/shop`", "not a database's URL; expected sqlite:PATH"},
	        {"`shop.db`", "not a database's URL"},
	        {"`sqlite:`", "a URL without a path"},
	        {"`sqlite::memory:`", "expected a file, and a `schema`"},
	        {"`sqlite:///x.db`", "a path does not begin with //"},
	        {"`sqlite:x.db?mode=ro`", "a URL with parameters"},
	        {"`sqlite:none.db`", "there is no file '"},
	        {"`sqlite:no/where.db`", "there is no file '"},
	        {"`sqlite:.`", "is not a regular file; expected a SQLite database"},
	        {"`sqlite:schema.sql`", "schema.sql: database 'main': file is not a database"},
	        {"{`pool`: 2}", "database 'main' has no `url`"},
	        {"{`url`: `sqlite:none.db`, `schmea`: `schema.sql`}", "schmea"},
	        {"{`url`: `sqlite:none.db`, `schema`: `none.sql`}", "can't read `schema` 'none.sql'"},
	        {"{`url`: `sqlite:no/where.db`, `schema`: `schema.sql`}", "unable to open database file"},
	        {"{`url`: `sqlite:none.db`, `pool`: 0}", "pool"},
	        {"{`url`: `sqlite:none.db`, `pool`: 65}", "pool"},
	        {"{`url`: `sqlite:none.db`, `timeout`: 5}", "timeout"},
	        {"{`url`: `sqlite:none.db`, `max_rows`: `many`}", "max_rows"},
	        {"5", "expected a string"},
	};
	struct sql_fixture f;

	sql_prepare(&f, schema);
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char *mistakes;

		sql_open_entry(&f, rows[i].entry, true);
		cr_assert(f.database == NULL, "%s", rows[i].entry);
		mistakes = sql_mistakes(&f);
		cr_expect(strstr(mistakes, rows[i].mistake) != NULL, "%s:\n%s", rows[i].entry, mistakes);
		free(mistakes);
	}
	sql_close(&f);
}

Test(sql_load, a_schema_is_run_once)
{
	struct sql_fixture f;

	sql_open(&f, "CREATE TABLE t (x); INSERT INTO t VALUES (1);\n-- the end", "");
	ab_database_close(f.database);
	sql_open_entry(&f, "{`url`: `sqlite:test.db`, `schema`: `schema.sql`}", true);
	sql_add(&f, "q", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	sql_expect(&f, "q", NULL, "1");
	sql_close(&f);
}

Test(sql_load, two_that_start_at_once_run_a_schema_once)
{
	struct sql_fixture f;
	int status, failed = 0;
	pid_t pids[6];

	sql_prepare(&f, "CREATE TABLE t (x); INSERT INTO t VALUES (1);");
	for (size_t i = 0; i < AB_COUNT(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			sql_open_entry(&f, "{`url`: `sqlite:test.db`, `schema`: `schema.sql`}", true);
			if (f.database == NULL)
				fprintf(stderr, "%s\n", sql_mistakes(&f));
			ab_database_close(f.database);
			_exit(f.database == NULL);
		}
	}
	for (size_t i = 0; i < AB_COUNT(pids); i++)
		failed += waitpid(pids[i], &status, 0) != pids[i] || status != 0;
	cr_expect_eq(failed, 0);
	sql_open_entry(&f, "`sqlite:test.db`", true);
	sql_add(&f, "q", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	sql_expect(&f, "q", NULL, "1");
	sql_close(&f);
}

Test(sql_load, a_mistake_in_a_schema_has_its_place_and_leaves_nothing)
{
	static const struct {
		const char *schema, *mistake;
	} rows[] = {
	        {"CREATE TABLE a (x);\nCREATE TABEL b (x);",
	                "schema.sql:2:8: schema: database 'main': near \"TABEL\": syntax error"},
	        {"CREATE TABLE a (x UNIQUE);\n\n  INSERT INTO a VALUES (1), (1);",
	                "schema.sql:3:3: schema: database 'main': UNIQUE constraint failed: a.x"},
	        {"CREATE TABLE a (x);\nCOMMIT;",
	                "schema.sql:2:1: schema: database 'main': the schema runs in one "
	                "transaction already; leave BEGIN and COMMIT out"},
	        {"CREATE TABLE a (x);\nPRAGMA journal_mode = DELETE;", "this PRAGMA is not allowed here"},
	        {"CREATE TABLE a (x);\nATTACH 'b' AS b;", "ATTACH, DETACH and VACUUM are not allowed"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct sql_fixture f;
		char *mistakes;

		sql_prepare(&f, rows[i].schema);
		sql_open_entry(&f, "{`url`: `sqlite:test.db`, `schema`: `schema.sql`}", true);
		cr_assert(f.database == NULL);
		mistakes = sql_mistakes(&f);
		cr_expect(strstr(mistakes, rows[i].mistake) != NULL, "%s:\n%s", rows[i].schema, mistakes);
		free(mistakes);
		sql_exec(&f, "CREATE TABLE a (x)"); /* there is none */
		sql_close(&f);
	}
}

Test(sql_load, a_schema_may_set_numbers_and_make_triggers)
{
	struct sql_fixture f;

	sql_open(&f,
	        "PRAGMA user_version = 3; CREATE TABLE a (x); CREATE TABLE log (x);"
	        "CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO log VALUES (new.x); END;",
	        "");
	sql_add(&f, "add", "{`sql`: `INSERT INTO a VALUES (1), (2)`, `returns`: `count`}");
	sql_add(&f, "log", "{`sql`: `SELECT count(*) FROM log`, `returns`: `value`}");
	sql_expect(&f, "add", NULL, "2");
	sql_expect(&f, "log", NULL, "2");
	sql_close(&f);
}

Test(sql_load, a_check_leaves_no_file_and_checks_against_the_schema)
{
	struct sql_fixture f;

	sql_prepare(&f, schema);
	sql_open_entry(&f, "{`url`: `sqlite:test.db`, `schema`: `schema.sql`}", false);
	cr_assert(f.database != NULL);
	sql_add(&f, "q", "{`sql`: `SELECT name FROM people`}");
	write_sql(&f, "SELECT nmae FROM people");
	free(harness_refuse(&f.h, "bad", "{`sql`: {`file`: `q.sql`}}"));
	sql_expect_error(&f, "q", NULL, AB_EINTERNAL, "opened only to check statements");
	cr_expect(access(f.path, F_OK) != 0);
	sql_close(&f);
}

Test(sql_load, a_check_reads_a_file_that_is_there)
{
	struct sql_fixture f;
	char log[128];

	sql_prepare(&f, "CREATE TABLE other (x);");
	sql_exec(&f, "PRAGMA journal_mode = WAL; CREATE TABLE mine (y)");
	sql_open_entry(&f, "{`url`: `sqlite:test.db`, `schema`: `schema.sql`}", false);
	cr_assert(f.database != NULL);
	sql_add(&f, "q", "{`sql`: `SELECT y FROM mine`}");
	sql_add(&f, "w", "{`sql`: `DELETE FROM mine`, `returns`: `count`}");
	cr_expect(ab_dispatcher_find(f.h.dispatcher, "w")->writes);
	harness_clear(&f.h);
	ab_database_close(f.database);
	f.database = NULL;
	snprintf(log, sizeof(log), "%s-wal", f.path);
	cr_expect(access(log, F_OK) != 0, "the log is left behind");
	sql_close(&f);
}
