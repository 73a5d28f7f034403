/* tests/handlers/test_postgres.c: resources of PostgreSQL: values, parameters, writes. The server is real. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(postgres, .timeout = 60);

static const char table[] = "CREATE TABLE t (id int PRIMARY KEY, name text, tags text[], doc jsonb);"
                            "INSERT INTO t VALUES (1, 'Ada', '{a,b}', '{\"x\": 1}'), (2, NULL, NULL, NULL)";

Test(postgres, rows_are_lists_of_objects_and_a_row_is_one)
{
	struct sql_fixture f;

	sql_open_shared(&f, table, "");
	sql_add(&f, "all", "{`sql`: `SELECT * FROM t ORDER BY id`}");
	sql_add(&f, "one", "{`sql`: `SELECT id, name FROM t WHERE id = :id`, `returns`: `row`}");
	sql_add(&f, "name", "{`sql`: `SELECT name FROM t WHERE id = :id`, `returns`: `value`}");
	sql_add(&f, "n", "{`sql`: `SELECT 1 FROM t`, `returns`: `count`}");
	sql_expect(&f, "all", NULL,
	        "[{\"id\":1,\"name\":\"Ada\",\"tags\":[\"a\",\"b\"],\"doc\":{\"x\":1}},"
	        "{\"id\":2,\"name\":null,\"tags\":null,\"doc\":null}]");
	sql_expect(&f, "one", "{`id`: 1}", "{\"id\":1,\"name\":\"Ada\"}");
	sql_expect(&f, "name", "{`id`: 2}", "null");
	sql_expect(&f, "n", NULL, "2");
	sql_expect_error(&f, "one", "{`id`: 3}", AB_EMISSING, "no row");
	sql_expect_error(&f, "name", "{`id`: 3}", AB_EMISSING, "no row");
	sql_close(&f);
}

struct typed {
	const char *expression, *json;
};

/* Each of them in binary form, and again in text form: a column of a type that we read only as text has its
 * whole row sent so. */
static const struct typed typed[] = {
        {"32767::int2", "32767"},
        {"(-2147483648)::int4", "-2147483648"},
        {"9223372036854775807::int8", "9223372036854775807"},
        {"(-9223372036854775808)::int8", "-9223372036854775808"},
        {"4294967295::oid", "4294967295"},
        {"0.1::float4", "0.1"},
        {"1.5::float8", "1.5"},
        {"'NaN'::float8", "\"NaN\""},
        {"'-Infinity'::float4", "\"-Infinity\""},
        {"149.95::numeric", "\"149.95\""},
        {"12::numeric", "12"},
        {"(-9223372036854775808)::numeric", "-9223372036854775808"},
        {"9223372036854775808::numeric", "\"9223372036854775808\""},
        {"0::numeric", "0"},
        {"1.00::numeric(5,2)", "\"1.00\""},
        {"0.000000012::numeric", "\"0.000000012\""},
        {"1e20::numeric", "\"100000000000000000000\""},
        {"10000::numeric * 10000", "100000000"},
        {"'NaN'::numeric", "\"NaN\""},
        {"true", "true"},
        {"false", "false"},
        {"'a\"b'::text", "\"a\\\"b\""},
        {"'x'::char(3)", "\"x  \""},
        {"'{\"a\": [1, 2.5, null]}'::json", "{\"a\":[1,2.5,null]}"},
        {"'[true]'::jsonb", "[true]"},
        {"'\\x00ff10'::bytea", "\"AP8Q\""},
        {"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""},
        {"date '2026-11-24'", "\"2026-11-24\""},
        {"date '0044-03-15 BC'", "\"-0043-03-15\""},
        {"date '12026-02-28'", "\"+12026-02-28\""},
        {"date '1600-02-29'", "\"1600-02-29\""},
        {"date 'infinity'", "\"infinity\""},
        {"time '23:59:59.000001'", "\"23:59:59.000001\""},
        {"timestamp '2026-01-02 03:04:05.600'", "\"2026-01-02T03:04:05.6\""},
        {"timestamp '1969-12-31 23:59:59.999999'", "\"1969-12-31T23:59:59.999999\""},
        {"timestamptz '2026-01-02 03:04:05+02:30'", "\"2026-01-02T00:34:05Z\""},
        {"timestamptz '-infinity'", "\"-infinity\""},
        {"ARRAY[1,NULL,3]", "[1,null,3]"},
        {"'{}'::int[]", "[]"},
        {"ARRAY[['a','b,c'],['NULL','{\"']]", "[[\"a\",\"b,c\"],[\"NULL\",\"{\\\"\"]]"},
        {"'[0:1]={5,6}'::int[]", "[5,6]"},
        {"ARRAY['2026-01-02'::date]", "[\"2026-01-02\"]"},
        {"ARRAY['[1]'::jsonb]", "[[1]]"},
        {"NULL::int", "null"},
};

static void expect_typed(const char *more_columns, const char *more_json)
{
	char mapping[1024], json[1024];
	struct sql_fixture f;

	for (size_t first = 0; first < AB_COUNT(typed); first += 20) {
		sql_open_shared(&f, NULL, "");
		for (size_t i = first; i < AB_COUNT(typed) && i < first + 20; i++) {
			char name[16], escaped[512], *to = escaped;

			snprintf(name, sizeof(name), "r%zu", i);
			for (const char *at = typed[i].expression; *at != '\0'; at++) {
				if (*at == '"' || *at == '\\')
					*to++ = '\\';
				*to++ = *at;
			}
			*to = '\0';
			snprintf(mapping, sizeof(mapping), "{`sql`: `SELECT %s AS v%s`, `returns`: `row`}",
			        escaped, more_columns);
			snprintf(json, sizeof(json), "{\"v\":%s%s}", typed[i].json, more_json);
			sql_add(&f, name, mapping);
			sql_expect(&f, name, NULL, json);
		}
		sql_close(&f);
	}
}

Test(postgres, each_type_has_its_json_in_binary_form)
{
	expect_typed("", "");
}

Test(postgres, each_type_has_the_same_json_in_text_form)
{
	expect_typed(", '1 day'::interval AS w", ",\"w\":\"1 day\"");
}
