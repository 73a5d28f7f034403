/* tests/handlers/test_sql.c: statements on real SQLite files: what is bound, what comes back, what is
 * written. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(sql, .timeout = 20);

static const char people[] =
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, age INTEGER);"
        "INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Bob', NULL), (3, 'Cyd', 20);";

/* ---- values out ---- */

Test(sql, columns_become_json_types)
{
	static const struct {
		const char *expression, *json;
	} rows[] = {
	        {"1", "1"}, {"9223372036854775807", "9223372036854775807"},
	        {"-9223372036854775807 - 1", "-9223372036854775808"}, {"0.5", "0.5"}, {"3.0", "3.0"},
	        {"-1e-7", "-1e-7"}, {"'text'", "\"text\""}, {"''", "\"\""},
	        {"'\xc3\xa9\xf0\x9f\x90\x9f'", "\"\xc3\xa9\xf0\x9f\x90\x9f\""}, {"NULL", "null"},
	        {"0.0/0", "null"}, {"x''", "\"\""}, {"x'00'", "\"AA==\""}, {"x'0001'", "\"AAE=\""},
	        {"x'000102'", "\"AAEC\""}, {"x'FFFEFDFC'", "\"//79/A==\""},
	        {"CAST('abcd' AS BLOB)", "\"YWJjZA==\""},
	        {"1 = 1", "1"}, /* SQLite has no booleans of its own */
	};
	struct sql_fixture f;

	sql_open(&f, people, "");
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char name[16], mapping[256];

		snprintf(name, sizeof(name), "q%zu", i);
		snprintf(mapping, sizeof(mapping), "{`sql`: `SELECT %s AS x`, `returns`: `value`}",
		        rows[i].expression);
		sql_add(&f, name, mapping);
		sql_expect(&f, name, NULL, rows[i].json);
	}
	sql_close(&f);
}

Test(sql, columns_declared_boolean_become_booleans)
{
	struct sql_fixture f;

	sql_open(&f,
	        "CREATE TABLE t (a BOOLEAN, b bool, c INTEGER, d BOOLEAN NOT NULL, e BOOLEAN, f BOOLEANISH);"
	        "INSERT INTO t VALUES (1, 0, 1, 2, NULL, 1), (0, 1, 0, 0, 'yes', 0);",
	        "");
	sql_add(&f, "q", "{`sql`: `SELECT *, a AS g, a + 0 AS h FROM t ORDER BY rowid`}");
	sql_expect(&f, "q", NULL,
	        "[{\"a\":true,\"b\":false,\"c\":1,\"d\":true,\"e\":null,\"f\":1,\"g\":true,\"h\":1},"
	        "{\"a\":false,\"b\":true,\"c\":0,\"d\":false,\"e\":\"yes\",\"f\":0,\"g\":false,\"h\":0}]");
	sql_close(&f);
}

Test(sql, values_that_json_cant_carry_are_errors)
{
	static const struct {
		const char *expression, *text;
	} rows[] = {
	        {"CAST(x'61ff' AS TEXT)", "column 'x': text that is not UTF-8"},
	        {"CAST(x'610062' AS TEXT)", "column 'x': text with a NUL in it"},
	        {"9e999", "column 'x': an infinite number"},
	        {"zeroblob(20000000)", "string or blob too big"},
	};
	struct sql_fixture f;

	sql_open(&f, people, "");
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char name[16], mapping[256];

		snprintf(name, sizeof(name), "q%zu", i);
		snprintf(mapping, sizeof(mapping), "{`sql`: `SELECT 1 AS w, %s AS x`}", rows[i].expression);
		sql_add(&f, name, mapping);
		sql_expect_error(&f, name, NULL, AB_EUPSTREAM, rows[i].text);
	}
	sql_close(&f);
}

Test(sql, returns_decides_the_shape)
{
	static const struct {
		const char *query, *returns, *json;
	} rows[] = {
	        {"SELECT id FROM people ORDER BY id", "rows", "[{\"id\":1},{\"id\":2},{\"id\":3}]"},
	        {"SELECT id FROM people WHERE 0", "rows", "[]"},
	        {"SELECT id, name FROM people ORDER BY id DESC", "row", "{\"id\":3,\"name\":\"Cyd\"}"},
	        {"SELECT name, id FROM people ORDER BY id", "value", "\"Ada\""},
	        {"SELECT age FROM people WHERE id = 2", "value", "null"},
	        {"SELECT * FROM people", "count", "3"},
	        {"SELECT * FROM people WHERE 0", "count", "0"},
	        {"SELECT 1, 1", "count", "1"},
	        {"SELECT 7, 7", "value", "7"},
	        {"VALUES (1), (2)", "rows", "[{\"column1\":1},{\"column1\":2}]"},
	        {"WITH a(x) AS (SELECT 5) SELECT x FROM a;", "row", "{\"x\":5}"},
	};
	struct sql_fixture f;

	sql_open(&f, people, "");
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char name[16], mapping[256];

		snprintf(name, sizeof(name), "q%zu", i);
		snprintf(mapping, sizeof(mapping), "{`sql`: `%s`, `returns`: `%s`}", rows[i].query,
		        rows[i].returns);
		sql_add(&f, name, mapping);
		sql_expect(&f, name, NULL, rows[i].json);
	}
	sql_close(&f);
}

Test(sql, a_row_or_value_that_is_not_there_is_missing)
{
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "row", "{`sql`: `SELECT * FROM people WHERE id = :id`, `returns`: `row`}");
	sql_add(&f, "value", "{`sql`: `SELECT age FROM people WHERE id = :id`, `returns`: `value`}");
	sql_add(&f, "null",
	        "{`sql`: `SELECT age FROM people WHERE id = :id`, `returns`: `value`, `missing`: null}");
	sql_expect_error(&f, "row", "{`id`: 9}", AB_EMISSING, "no row");
	sql_expect_error(&f, "value", "{`id`: 9}", AB_EMISSING, "no row");
	sql_expect(&f, "null", "{`id`: 9}", "null");
	sql_expect(&f, "value", "{`id`: 1}", "36");
	sql_close(&f);
}

/* ---- values in ---- */

Test(sql, parameters_are_bound_as_what_they_are)
{
	static const struct {
		const char *given, *row;
	} rows[] = {
	        {"{`x`: 1}", "{\"t\":\"integer\",\"v\":1}"},
	        {"{`x`: -9223372036854775808}", "{\"t\":\"integer\",\"v\":-9223372036854775808}"},
	        {"{`x`: 2.5}", "{\"t\":\"real\",\"v\":2.5}"},
	        {"{`x`: 3.0}", "{\"t\":\"real\",\"v\":3.0}"},
	        {"{`x`: `1`}", "{\"t\":\"text\",\"v\":\"1\"}"},
	        {"{`x`: ``}", "{\"t\":\"text\",\"v\":\"\"}"},
	        {"{`x`: true}", "{\"t\":\"integer\",\"v\":1}"},
	        {"{`x`: false}", "{\"t\":\"integer\",\"v\":0}"},
	        {"{`x`: null}", "{\"t\":\"null\",\"v\":null}"},
	        {"{`x`: [1, `a`, null]}", "{\"t\":\"text\",\"v\":\"[1,\\\"a\\\",null]\"}"},
	        {"{`x`: {`k`: [true]}}", "{\"t\":\"text\",\"v\":\"{\\\"k\\\":[true]}\"}"},
	};
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "q", "{`sql`: `SELECT typeof(:x) AS t, :x AS v`, `returns`: `row`}");
	for (size_t i = 0; i < AB_COUNT(rows); i++)
		sql_expect(&f, "q", rows[i].given, rows[i].row);
	sql_close(&f);
}

Test(sql, paths_reach_into_a_need_and_what_is_missing_is_null)
{
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "q",
	        "{`sql`: `SELECT :u.id AS a, :u.address.zip AS b, :u.no.where AS c, :w AS d`, `returns`: `row`}");
	sql_expect(&f, "q", "{`u`: {`id`: 4, `address`: {`zip`: `NW1`}}, `w`: 2}",
	        "{\"a\":4,\"b\":\"NW1\",\"c\":null,\"d\":2}");
	sql_close(&f);
}

Test(sql, one_resource_feeds_another)
{
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "person", "{`sql`: `SELECT * FROM people WHERE name = :name`, `returns`: `row`}");
	sql_add(&f, "older",
	        "{`sql`: `SELECT count(*) FROM people WHERE age > :person.age`, `returns`: `value`}");
	sql_expect(&f, "older", "{`name`: `Cyd`}", "1");
	sql_close(&f);
}

Test(sql, lists_are_used_through_json_each)
{
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "q",
	        "{`sql`: `SELECT name FROM people WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id`}");
	sql_expect(&f, "q", "{`ids`: [3, 1]}", "[{\"name\":\"Ada\"},{\"name\":\"Cyd\"}]");
	sql_expect(&f, "q", "{`ids`: []}", "[]");
	sql_close(&f);
}

Test(sql, hostile_text_is_only_text)
{
	static const char *const texts[] = {
	        "' OR '1'='1",
	        "'; DROP TABLE people; --",
	        "\\\" OR 1=1 --",
	        "x' UNION SELECT name FROM sqlite_master --",
	        ":id",
	        "?1",
	        "/* */",
	        "{{x}} {x} ${HOME} $$",
	        "%' --",
	        "\\u0001\\u001f",
	        "\\ud83d\\udc1f",
	        "x'27'",
	};
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "echo",
	        "{`sql`: `SELECT :x = :x AS same, length(:x) > 0 AS some, :x AS x`, `returns`: `row`}");
	sql_add(&f, "find", "{`sql`: `SELECT * FROM people WHERE name = :x`}");
	sql_add(&f, "add",
	        "{`sql`: `INSERT INTO people (name) VALUES (:x) RETURNING name = :x AS same`, `returns`: `value`}");
	sql_add(&f, "count", "{`sql`: `SELECT count(*) FROM people`, `returns`: `value`}");
	for (size_t i = 0; i < AB_COUNT(texts); i++) {
		char given[128], *quoted;
		struct harness_run *run;
		json_t *json;

		snprintf(given, sizeof(given), "{`x`: `%s`}", texts[i]);
		sql_expect(&f, "find", given, "[]");
		run = harness_get(&f.h, "echo", given);
		cr_assert_eq(run->code, AB_OK);
		cr_expect_eq(json_integer_value(json_object_get(run->value, "same")), 1);
		cr_expect_eq(json_integer_value(json_object_get(run->value, "some")), 1);
		quoted = test_quotes(given);
		json = json_loads(quoted, 0, NULL);
		cr_expect(json_equal(json_object_get(run->value, "x"), json_object_get(json, "x")), "%s",
		        given);
		json_decref(json);
		free(quoted);
		harness_run_end(run);
		sql_expect(&f, "add", given, "1");
	}
	sql_expect(&f, "count", NULL, "15");
	sql_close(&f);
}

Test(sql, text_with_a_nul_is_refused)
{
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "q", "{`sql`: `SELECT :x`, `returns`: `value`}");
	sql_expect_error(&f, "q", "{`x`: `a\\u0000b`}", AB_EINVALID, "parameter 'x': text with a NUL in it");
	sql_close(&f);
}

/* ---- writes ---- */

Test(sql, what_sqlite_says_writes_is_a_write)
{
	static const struct {
		const char *mapping;
		bool writes;
	} rows[] = {
	        {"{`sql`: `SELECT 1`}", false},
	        {"{`sql`: `SELECT 1`, `writes`: true}", true},
	        {"{`sql`: `INSERT INTO people (name) VALUES ('x')`}", true},
	        {"{`sql`: `WITH a(x) AS (SELECT 1) DELETE FROM people WHERE id IN a`}", true},
	        {"{`sql`: `WITH a(x) AS (SELECT 1) SELECT * FROM a`}", false},
	        {"{`sql`: `CREATE TABLE IF NOT EXISTS people (id)`}", true},
	        {"{`sql`: `PRAGMA table_info(people)`}", false},
	};
	struct sql_fixture f;

	sql_open(&f, people, "");
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char name[16];

		snprintf(name, sizeof(name), "q%zu", i);
		sql_add(&f, name, rows[i].mapping);
		cr_expect_eq(ab_dispatcher_find(f.h.dispatcher, name)->writes, rows[i].writes, "%s",
		        rows[i].mapping);
	}
	sql_close(&f);
}

Test(sql, a_write_counts_or_returns)
{
	struct sql_fixture f;

	sql_open(&f, people, "");
	sql_add(&f, "add", "{`sql`: `INSERT INTO people (name) VALUES (:n)`, `returns`: `count`}");
	sql_add(&f, "plain", "{`sql`: `INSERT INTO people (name) VALUES (:n)`}");
	sql_add(&f, "id",
	        "{`sql`: `INSERT INTO people (name) VALUES (:n) RETURNING id`, `returns`: `value`}");
	sql_add(&f, "grow", "{`sql`: `UPDATE people SET age = age + 1 RETURNING name, age`}");
	sql_add(&f, "first",
	        "{`sql`: `UPDATE people SET age = 1 WHERE id <= :n RETURNING id`, `returns`: `row`}");
	sql_add(&f, "none", "{`sql`: `DELETE FROM people WHERE id = -1`, `returns`: `count`}");
	sql_add(&f, "table", "{`sql`: `CREATE TABLE more (x)`, `returns`: `count`}");
	sql_add(&f, "ones", "{`sql`: `SELECT count(*) FROM people WHERE age = 1`, `returns`: `value`}");
	sql_expect(&f, "add", "{`n`: `Dee`}", "1");
	sql_expect(&f, "plain", "{`n`: `Eve`}", "[]");
	sql_expect(&f, "id", "{`n`: `Fay`}", "6");
	sql_expect(&f, "grow", NULL,
	        "[{\"name\":\"Ada\",\"age\":37},{\"name\":\"Bob\",\"age\":null},{\"name\":\"Cyd\",\"age\":21},"
	        "{\"name\":\"Dee\",\"age\":null},{\"name\":\"Eve\",\"age\":null},{\"name\":\"Fay\",\"age\":null}]");
	sql_expect(&f, "none", NULL, "0");
	sql_expect(&f, "table", NULL, "0");
	sql_expect(&f, "first", "{`n`: 2}", "{\"id\":1}");
	sql_expect(&f, "ones", NULL, "2"); /* the first row was wanted, all were written */
	sql_expect_error(&f, "first", "{`n`: 0}", AB_EMISSING, "no row");
	sql_close(&f);
}

Test(sql, a_write_that_fails_leaves_nothing)
{
	struct sql_fixture f;

	sql_open(&f, people, ", `max_rows`: 3");
	sql_add(&f, "count", "{`sql`: `SELECT count(*) FROM people`, `returns`: `value`}");
	sql_add(&f, "twice", "{`sql`: `INSERT INTO people (name) VALUES ('Dee'), ('Ada')`}");
	sql_add(&f, "half", "{`sql`: `INSERT OR FAIL INTO people (name) VALUES ('Dee'), ('Ada')`}");
	sql_add(&f, "back", "{`sql`: `INSERT OR ROLLBACK INTO people (name) VALUES ('Dee'), ('Ada')`}");
	sql_add(&f, "many",
	        "{`sql`: `INSERT INTO people (name) VALUES ('d'), ('e'), ('f'), ('g') RETURNING id`}");
	sql_add(&f, "bad", "{`sql`: `INSERT INTO people (name) VALUES ('d') RETURNING CAST(x'ff' AS TEXT)`}");
	sql_add(&f, "good", "{`sql`: `INSERT INTO people (name) VALUES ('d'), ('e'), ('f') RETURNING id`}");
	sql_expect_error(
	        &f, "twice", NULL, AB_EUPSTREAM, "database 'main': UNIQUE constraint failed: people.name");
	sql_expect_error(&f, "half", NULL, AB_EUPSTREAM, "UNIQUE constraint failed");
	sql_expect_error(&f, "back", NULL, AB_EUPSTREAM, "UNIQUE constraint failed");
	sql_expect_error(&f, "many", NULL, AB_EUPSTREAM, "more than 3 rows");
	sql_expect_error(&f, "bad", NULL, AB_EUPSTREAM, "not UTF-8");
	sql_expect(&f, "count", NULL, "3");
	sql_expect(&f, "good", NULL, "[{\"id\":4},{\"id\":5},{\"id\":6}]");
	sql_expect(&f, "count", NULL, "6");
	sql_close(&f);
}

Test(sql, foreign_keys_are_kept_also_deferred_ones)
{
	struct sql_fixture f;

	sql_open(&f,
	        "CREATE TABLE a (id INTEGER PRIMARY KEY);"
	        "CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED, c INTEGER REFERENCES a (id));",
	        "");
	sql_add(&f, "now", "{`sql`: `INSERT INTO b (c) VALUES (7)`}");
	sql_add(&f, "late", "{`sql`: `INSERT INTO b (a) VALUES (7)`}");
	sql_add(&f, "count", "{`sql`: `SELECT count(*) FROM b`, `returns`: `value`}");
	sql_expect_error(&f, "now", NULL, AB_EUPSTREAM, "FOREIGN KEY constraint failed");
	sql_expect_error(&f, "late", NULL, AB_EUPSTREAM, "FOREIGN KEY constraint failed");
	sql_expect(&f, "count", NULL, "0");
	sql_close(&f);
}

enum { WRITES = 200 };

Test(sql, writes_are_one_after_another)
{
	struct harness_run *runs[WRITES];
	struct sql_fixture f;
	json_int_t sum = 0;

	sql_open(&f, "CREATE TABLE n (v INTEGER NOT NULL); INSERT INTO n VALUES (0);", ", `timeout`: `60s`");
	sql_add(&f, "next", "{`sql`: `UPDATE n SET v = v + 1 RETURNING v`, `returns`: `value`}");
	for (size_t i = 0; i < WRITES; i++)
		runs[i] = harness_start(&f.h, "next", NULL);
	for (size_t i = 0; i < WRITES; i++) {
		harness_wait(runs[i]);
		cr_assert_eq(runs[i]->code, AB_OK);
		sum += json_integer_value(runs[i]->value);
		harness_run_end(runs[i]);
	}
	cr_expect_eq(sum, WRITES * (WRITES + 1) / 2); /* each number from 1 on once */
	sql_close(&f);
}

Test(sql, a_result_is_one_answer_s_own)
{
	struct harness_run *runs[WRITES];
	struct sql_fixture f;

	sql_open(&f, people, ", `timeout`: `60s`, `pool`: 4");
	sql_add(&f, "q",
	        "{`sql`: `SELECT :x * 2 AS y, name FROM people WHERE id = 1 + :x % 3`, `returns`: `row`}");
	for (size_t i = 0; i < WRITES; i++) {
		char given[32];

		snprintf(given, sizeof(given), "{`x`: %zu}", i);
		runs[i] = harness_start(&f.h, "q", given);
	}
	for (size_t i = 0; i < WRITES; i++) {
		harness_wait(runs[i]);
		cr_assert_eq(runs[i]->code, AB_OK);
		cr_expect_eq(json_integer_value(json_object_get(runs[i]->value, "y")), 2 * (json_int_t)i);
		cr_expect_str_eq(
		        json_string_value(json_object_get(runs[i]->value, "name")), i % 3 == 0   ? "Ada"
		                                                                    : i % 3 == 1 ? "Bob"
		                                                                                 : "Cyd");
		harness_run_end(runs[i]);
	}
	sql_close(&f);
}
