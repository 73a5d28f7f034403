/* tests/handlers/test_sql_memory.c: what happens when an allocation fails, each in turn: the call fails, or
 * the query goes well all the same; nothing is lost or half done, and the next query is as good as ever. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

TestSuite(sql_memory, .timeout = 20);

#define ENDLESS "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"

/* Allocations until one fails; none does while it is negative. */
static atomic_int left = -1;

static bool fails(void)
{
	int now = atomic_load(&left);

	while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1))
		;
	return now == 1;
}

static void *json_alloc(size_t size)
{
	return fails() ? NULL : malloc(size);
}

static sqlite3_mem_methods usual;

static void *sqlite_alloc(int size)
{
	return fails() ? NULL : usual.xMalloc(size);
}

static void *sqlite_realloc(void *ptr, int size)
{
	return fails() ? NULL : usual.xRealloc(ptr, size);
}

/* Run `name` with the n-th allocation failing, counted from when its thread takes it up: until then an
 * endless query holds the only thread. False when n was more than it needs. */
static bool run_failing(struct sql_fixture *f, const char *name, int n, enum ab_code *ret_code)
{
	struct harness_run *blocker = harness_start(&f->h, "endless", NULL);
	struct harness_run *run = harness_start(&f->h, name, NULL);
	bool failed;

	atomic_store(&left, n);
	ab_run_cancel(blocker->run);
	harness_wait(run);
	failed = atomic_exchange(&left, -1) == 0;
	*ret_code = run->code;
	if (run->code == AB_OK)
		cr_expect(run->value != NULL);
	else
		cr_expect_eq(run->code, AB_ENOMEM, "%d: %s %s", n, ab_code_name(run->code), run->error->text);
	harness_run_end(run);
	harness_run_end(blocker);
	return failed;
}

static const char rows[] = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, raw BLOB, ratio REAL);"
                           "INSERT INTO t VALUES (1, 'a', x'00', 0.5), (2, 'b', NULL, 1.5);";

static void add_all(struct sql_fixture *f)
{
	sql_add(f, "endless", "{`sql`: `" ENDLESS "`, `returns`: `count`}");
	sql_add(f, "all", "{`sql`: `SELECT * FROM t`}");
	sql_add(f, "row", "{`sql`: `SELECT * FROM t ORDER BY name DESC`, `returns`: `row`}");
	sql_add(f, "count", "{`sql`: `SELECT count(*) FROM t`, `returns`: `count`}");
}

static void expect_all_is_well(struct sql_fixture *f)
{
	sql_expect(f, "all", NULL,
	        "[{\"id\":1,\"name\":\"a\",\"raw\":\"AA==\",\"ratio\":0.5},"
	        "{\"id\":2,\"name\":\"b\",\"raw\":null,\"ratio\":1.5}]");
}

Test(sql_memory, any_allocation_of_a_value_may_fail)
{
	static const char *const names[] = {"all", "row", "count"};
	struct sql_fixture f;
	enum ab_code code;

	json_set_alloc_funcs(json_alloc, free);
	sql_open(&f, rows, ", `pool`: 1, `timeout`: `60s`");
	add_all(&f);
	for (size_t i = 0; i < AB_COUNT(names); i++) {
		int n = 1;

		while (run_failing(&f, names[i], n, &code)) {
			cr_expect_eq(code, AB_ENOMEM);
			n++;
		}
		cr_expect(n > 1 && code == AB_OK, "%s: %d", names[i], n);
	}
	expect_all_is_well(&f);
	sql_close(&f);
	json_set_alloc_funcs(malloc, free);
}

static void open_with_failing_sqlite(struct sql_fixture *f)
{
	sqlite3_mem_methods failing;

	cr_assert_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual), SQLITE_OK);
	failing = usual;
	failing.xMalloc = sqlite_alloc;
	failing.xRealloc = sqlite_realloc;
	cr_assert_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
	cr_assert_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
	sql_open(f, rows, ", `pool`: 1, `timeout`: `60s`");
	add_all(f);
}

Test(sql_memory, any_allocation_of_sqlite_may_fail_in_a_query)
{
	struct sql_fixture f;
	enum ab_code code;
	int n = 1;

	open_with_failing_sqlite(&f);
	while (run_failing(&f, "row", n, &code))
		n++;
	cr_expect(n > 1 && code == AB_OK, "%d", n);
	expect_all_is_well(&f);
	sql_close(&f);
}

/* The writer has a thread of its own, and it is not held up: its allocations begin when they like. */
Test(sql_memory, any_allocation_of_sqlite_may_fail_in_a_write)
{
	struct sql_fixture f;
	json_int_t done = 2;
	char expected[32];
	bool failed = true;

	open_with_failing_sqlite(&f);
	sql_add(&f, "add", "{`sql`: `INSERT INTO t (name) VALUES ('c') RETURNING id`, `returns`: `value`}");
	sql_add(&f, "size", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	for (int n = 1; failed && n < 2000; n++) {
		struct harness_run *run;

		atomic_store(&left, n);
		run = harness_get(&f.h, "add", NULL);
		failed = atomic_exchange(&left, -1) == 0;
		cr_expect(run->code == AB_OK || run->code == AB_ENOMEM, "%d: %s", n, run->error->text);
		done += run->code == AB_OK;
		harness_run_end(run);
		snprintf(expected, sizeof(expected), "%lld", (long long)done);
		sql_expect(&f, "size", NULL, expected); /* it is there exactly if it was reported so */
	}
	cr_expect(!failed);
	sql_close(&f);
}
