/* tests/handlers/test_sql_transaction.c: several statements as one, on both engines alike. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

TestSuite(sql_transaction, .timeout = 60);

static const char schema[] =
        "CREATE TABLE accounts (id int PRIMARY KEY, cents int NOT NULL CHECK (cents >= 0));"
        "CREATE TABLE moves (a int, b int, cents int);"
        "INSERT INTO accounts VALUES (1, 100), (2, 0);";

static void open_engine(struct sql_fixture *f, bool postgres)
{
	if (postgres)
		sql_open_shared(f, schema, "");
	else
		sql_open(f, schema, "");
}

static void check_all_or_nothing(bool postgres)
{
	struct sql_fixture f;

	open_engine(&f, postgres);
	sql_add(&f, "move",
	        "{`transaction`: [`UPDATE accounts SET cents = cents + :n WHERE id = :to`, "
	        "`UPDATE accounts SET cents = cents - :n WHERE id = :of`, "
	        "`INSERT INTO moves (a, b, cents) VALUES (:of, :to, :n)`, "
	        "`SELECT id, cents FROM accounts ORDER BY id`]}");
	sql_add(&f, "all", "{`sql`: `SELECT id, cents FROM accounts ORDER BY id`}");
	sql_add(&f, "moves", "{`sql`: `SELECT count(*) FROM moves`, `returns`: `value`}");
	sql_expect(&f, "move", "{`n`: 30, `of`: 1, `to`: 2}",
	        "[{\"id\":1,\"cents\":70},{\"id\":2,\"cents\":30}]");
	sql_expect_error(&f, "move", "{`n`: 71, `of`: 1, `to`: 2}", AB_EUPSTREAM, "onstraint");
	sql_expect(&f, "all", NULL, "[{\"id\":1,\"cents\":70},{\"id\":2,\"cents\":30}]");
	sql_expect(&f, "moves", NULL, "1");
	sql_expect(&f, "move", "{`n`: 70, `of`: 1, `to`: 2}",
	        "[{\"id\":1,\"cents\":0},{\"id\":2,\"cents\":100}]");
	sql_expect(&f, "moves", NULL, "2");
	sql_close(&f);
}

Test(sql_transaction, is_all_or_nothing_on_sqlite)
{
	check_all_or_nothing(false);
}

Test(sql_transaction, is_all_or_nothing_on_postgres)
{
	check_all_or_nothing(true);
}

static void check_returns(bool postgres)
{
	struct sql_fixture f;

	open_engine(&f, postgres);
	sql_add(&f, "count",
	        "{`transaction`: [`SELECT 1`, `DELETE FROM moves`, `UPDATE accounts SET cents = 5`], "
	        "`returns`: `count`}");
	sql_add(&f, "value",
	        "{`transaction`: [`UPDATE accounts SET cents = cents + 1`, "
	        "`SELECT sum(cents) FROM accounts`], `returns`: `value`}");
	sql_add(&f, "row",
	        "{`transaction`: [`SELECT 1 WHERE :no = 0`, `SELECT 1 AS x WHERE :x <> 0`], `returns`: `row`}");
	sql_add(&f, "none", "{`transaction`: [`DELETE FROM moves`]}");
	sql_expect(&f, "count", NULL, "2");
	sql_expect(&f, "value", NULL, "12");
	sql_expect_error(&f, "row", "{`no`: 1, `x`: 0}", AB_EMISSING, "no row");
	sql_expect(&f, "none", NULL, "[]");
	sql_close(&f);
}

Test(sql_transaction, gives_what_its_last_statement_gives_on_sqlite)
{
	check_returns(false);
}

Test(sql_transaction, gives_what_its_last_statement_gives_on_postgres)
{
	check_returns(true);
}

/* A parameter that does not fit is found before anything is sent. */
Test(sql_transaction, a_misfit_in_the_last_statement_has_done_nothing)
{
	struct sql_fixture f;

	open_engine(&f, true);
	sql_add(&f, "t", "{`transaction`: [`DELETE FROM accounts`, `SELECT :x::int`], `returns`: `value`}");
	sql_add(&f, "n", "{`sql`: `SELECT count(*) FROM accounts`, `returns`: `value`}");
	sql_expect_error(
	        &f, "t", "{`x`: `seven`}", AB_EINVALID, "parameter 'x': the database expects an integer");
	sql_expect(&f, "n", NULL, "2");
	sql_expect(&f, "t", "{`x`: 7}", "7");
	sql_expect(&f, "n", NULL, "0");
	sql_close(&f);
}

/* Many at once, each adding one and reading: no two may see the same. */
static void check_isolation(bool postgres)
{
	enum { MANY = 40 };
	struct harness_run *runs[MANY];
	bool seen[MANY + 1] = {false};
	struct sql_fixture f;

	open_engine(&f, postgres);
	sql_add(&f, "next",
	        "{`transaction`: [`UPDATE accounts SET cents = cents + 1 WHERE id = 2`, "
	        "`SELECT cents FROM accounts WHERE id = 2`], `returns`: `value`, `timeout`: `20s`}");
	for (size_t i = 0; i < MANY; i++)
		runs[i] = harness_start(&f.h, "next", NULL);
	for (size_t i = 0; i < MANY; i++) {
		json_int_t value;

		harness_wait(runs[i]);
		cr_assert_eq(runs[i]->code, AB_OK, "%s", runs[i]->error == NULL ? "" : runs[i]->error->text);
		value = json_integer_value(runs[i]->value);
		cr_assert(value >= 1 && value <= MANY && !seen[value]);
		seen[value] = true;
		harness_run_end(runs[i]);
	}
	sql_close(&f);
}

Test(sql_transaction, each_sees_the_others_whole_on_sqlite)
{
	check_isolation(false);
}

Test(sql_transaction, each_sees_the_others_whole_on_postgres)
{
	check_isolation(true);
}

Test(sql_transaction, its_statements_are_checked_each_at_its_place)
{
	struct sql_fixture f;

	open_engine(&f, false);
	sql_expect_mistake(
	        &f, "{`transaction`: []}", "test.yaml:1:2: `transaction` of 0 statements; expected 1 to 32");
	sql_expect_mistake(&f, "{`transaction`: `SELECT 1`}",
	        "test.yaml:1:2: `transaction` is the string 'SELECT 1'; expected a list");
	sql_expect_mistake(&f, "{`transaction`: [`SELECT 1`, `COMMIT`]}",
	        "test.yaml:1:4: COMMIT: each write is a transaction of its own, and several are one under `transaction`; "
	        "expected a statement that reads or writes rows");
	sql_expect_mistake(&f, "{`transaction`: [`SELECT 1`, `DELETE FROM moves`], `returns`: `row`}",
	        "test.yaml:1:5: this statement gives no rows; expected RETURNING in it, or `returns: count`");
	sql_close(&f);
}
