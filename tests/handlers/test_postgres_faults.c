/* tests/handlers/test_postgres_faults.c: what PostgreSQL and the way to it can do to a query: time, cancels,
 * neighbours, backends that end, servers that restart, stall or are another one. */
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(postgres_faults, .timeout = 120);

static const char table[] = "CREATE TABLE t (x int)";

/* How many queries of this application run a sleep just now. */
static const char *sleeping(const char *application)
{
	static char sql[256];

	snprintf(sql, sizeof(sql),
	        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s' AND state = 'active' AND "
	        "query LIKE '%%pg_sleep%%'",
	        application);
	return sql;
}

static void open_named(
        struct sql_fixture *f, struct postgres *server, const char *application, const char *more)
{
	char url[512], query[64];

	postgres_shared(server);
	snprintf(query, sizeof(query), "&application_name=%s", application);
	snprintf(url, sizeof(url), "%s", postgres_url(server, query));
	sql_open_postgres(f, url, more);
}

/* ---- time and cancels ---- */

Test(postgres_faults, a_query_out_of_time_ends_on_the_server_too)
{
	struct postgres server;
	struct sql_fixture f;

	open_named(&f, &server, "late", "");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(60)`, `timeout`: `150ms`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect_error(&f, "slow", NULL, AB_ETIMEOUT, "did not end within 150 ms");
	cr_expect(postgres_await(postgres_url(&server, ""), sleeping("late"), "0"));
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
}

struct activity {
	const char *url, *sql, *expected;
};

static bool activity_is(void *arg)
{
	const struct activity *activity = arg;

	return strcmp(postgres_value(activity->url, activity->sql), activity->expected) == 0;
}

static void wait_for(
        struct sql_fixture *f, const struct postgres *server, const char *sql, const char *expected)
{
	char url[512];
	struct activity activity = {url, sql, expected};

	snprintf(url, sizeof(url), "%s", postgres_url(server, ""));
	cr_assert(harness_until_fn(&f->h, activity_is, &activity, 5000), "%s is %s, not %s", sql,
	        postgres_value(url, sql), expected);
}

Test(postgres_faults, a_query_that_nobody_waits_for_is_cancelled_on_the_server)
{
	struct postgres server;
	struct harness_run *run;
	struct sql_fixture f;

	open_named(&f, &server, "left", ", `timeout`: `60s`, `pool`: 1");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(50)`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	for (int i = 0; i < 3; i++) {
		run = harness_start(&f.h, "slow", NULL);
		wait_for(&f, &server, sleeping("left"), "1");
		ab_run_cancel(run->run);
		wait_for(&f, &server, sleeping("left"), "0");
		harness_run_end(run);
		/* The only connection is of use again. */
		sql_expect(&f, "quick", NULL, "1");
	}
	sql_close(&f);
}

Test(postgres_faults, a_cancel_does_not_hit_the_query_of_a_neighbour)
{
	struct harness_run *slow, *neighbour;
	struct postgres server;
	struct sql_fixture f;

	open_named(&f, &server, "shared", ", `timeout`: `20s`, `pool`: 1");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(0.6)`, `returns`: `count`, `timeout`: `20s`}");
	sql_add(&f, "neighbour", "{`sql`: `SELECT 'mine'`, `returns`: `value`}");
	sql_expect(&f, "quick", NULL, "1");
	sql_expect(&f, "neighbour", NULL, "\"mine\"");
	for (int i = 0; i < 5; i++) {
		slow = harness_start(&f.h, "slow", NULL);
		neighbour = harness_start(&f.h, "neighbour", NULL); /* joins: both are sent in this turn */
		wait_for(&f, &server, sleeping("shared"), "1");
		ab_run_cancel(slow->run);
		harness_wait(neighbour);
		cr_assert_eq(
		        neighbour->code, AB_OK, "%s", neighbour->error == NULL ? "" : neighbour->error->text);
		harness_run_end(slow);
		harness_run_end(neighbour);
	}
	sql_close(&f);
}

Test(postgres_faults, a_slow_query_does_not_keep_others_waiting)
{
	struct harness_run *slow;
	struct postgres server;
	struct sql_fixture f;
	uint64_t before;

	open_named(&f, &server, "others", ", `timeout`: `20s`, `pool`: 2");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(2)`, `returns`: `count`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect(&f, "quick", NULL, "1");
	slow = harness_start(&f.h, "slow", NULL);
	wait_for(&f, &server, sleeping("others"), "1");
	before = uv_hrtime();
	for (int i = 0; i < 20; i++)
		sql_expect(&f, "quick", NULL, "1");
	cr_expect_lt((uv_hrtime() - before) / 1000000, 1500);
	harness_run_end(slow);
	sql_close(&f);
}

Test(postgres_faults, what_has_joined_a_query_that_turns_out_slow_moves_on)
{
	struct harness_run *slow, *quick[5];
	struct postgres server;
	struct sql_fixture f;
	uint64_t before;

	open_named(&f, &server, "moves", ", `timeout`: `20s`, `pool`: 2");
	sql_add(&f, "quick", "{`sql`: `SELECT 1 + :x::int`, `returns`: `value`}");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(2)`, `returns`: `count`}");
	sql_expect(&f, "quick", "{`x`: 1}", "2");
	before = uv_hrtime();
	slow = harness_start(&f.h, "slow", NULL); /* takes the one connection that is open */
	for (size_t i = 0; i < AB_COUNT(quick); i++)
		quick[i] = harness_start(&f.h, "quick", "{`x`: 2}");
	for (size_t i = 0; i < AB_COUNT(quick); i++) {
		harness_wait(quick[i]);
		cr_expect_eq(quick[i]->code, AB_OK);
		cr_expect_eq(json_integer_value(quick[i]->value), 3);
		harness_run_end(quick[i]);
	}
	cr_expect_lt((uv_hrtime() - before) / 1000000, 1500);
	harness_wait(slow);
	cr_expect_eq(slow->code, AB_OK, "%s", slow->error == NULL ? "" : slow->error->text);
	harness_run_end(slow);
	sql_expect(&f, "quick", "{`x`: 4}", "5");
	sql_close(&f);
}

Test(postgres_faults, more_queries_than_may_wait_are_overload)
{
	enum { LIMIT = 16384, MANY = LIMIT + 100 };
	struct harness_run **runs = calloc(MANY, sizeof(*runs));
	struct postgres server;
	struct sql_fixture f;
	size_t refused = 0;

	open_named(&f, &server, "many", ", `timeout`: `20s`, `pool`: 1");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(0.2)`, `returns`: `count`, `writes`: true}");
	for (size_t i = 0; i < MANY; i++)
		runs[i] = harness_start(&f.h, "slow", NULL);
	for (size_t i = 0; i < MANY; i++)
		refused += runs[i]->done && runs[i]->code == AB_EOVERLOAD;
	cr_expect_geq(refused, MANY - LIMIT - 1);
	cr_expect(strstr(runs[MANY - 1]->error->text, "16384 queries are waiting already") != NULL);
	for (size_t i = 0; i < MANY; i++)
		if (!runs[i]->done)
			ab_run_cancel(runs[i]->run);
	for (size_t i = 0; i < MANY; i++)
		harness_run_end(runs[i]);
	free(runs);
	sql_close(&f);
}

/* ---- statements and their neighbours ---- */

Test(postgres_faults, one_failing_statement_harms_no_other_of_its_run)
{
	struct sql_fixture f;

	sql_open_shared(&f, table, ", `pool`: 1");
	sql_add(&f, "a", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_add(&f, "bad", "{`sql`: `SELECT 1 / :zero`, `returns`: `value`, `optional`: true}");
	sql_add(&f, "b", "{`sql`: `SELECT 2`, `returns`: `value`}");
	sql_add(&f, "c", "{`sql`: `SELECT x FROM t`, `returns`: `rows`}");
	sql_add(&f, "all", "{`json`: [`{a}`, `{bad}`, `{b}`, `{c}`]}");
	for (int i = 0; i < 3; i++)
		sql_expect(&f, "all", "{`zero`: 0}", "[1,null,2,[]]");
	sql_add(&f, "worse", "{`sql`: `SELECT 1 / :zero`, `returns`: `value`}");
	sql_expect_error(&f, "worse", "{`zero`: 0}", AB_EUPSTREAM, "division by zero");
	sql_expect_error(&f, "worse", "{`zero`: `x`}", AB_EINVALID, "parameter 'zero'");
	sql_close(&f);
}

Test(postgres_faults, a_read_that_writes_in_a_function_is_refused_and_told_how)
{
	struct sql_fixture f;

	sql_open_shared(&f, "CREATE SEQUENCE s", "");
	sql_add(&f, "read", "{`sql`: `SELECT nextval('s')`, `returns`: `value`}");
	sql_add(&f, "write", "{`sql`: `SELECT nextval('s')`, `returns`: `value`, `writes`: true}");
	sql_expect_error(&f, "read", NULL, AB_EUPSTREAM, "writes: true");
	sql_expect(&f, "write", NULL, "1");
	sql_expect_error(&f, "read", NULL, AB_EUPSTREAM, "writes: true");
	sql_close(&f);
}

Test(postgres_faults, a_write_of_too_many_rows_has_written_nothing)
{
	struct sql_fixture f;

	sql_open_shared(&f, table, ", `max_rows`: 3");
	sql_add(&f, "many", "{`sql`: `INSERT INTO t SELECT generate_series(1, 4) RETURNING x`}");
	sql_add(&f, "few", "{`sql`: `INSERT INTO t SELECT generate_series(1, 3) RETURNING x`}");
	sql_add(&f, "n", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	sql_expect_error(&f, "many", NULL, AB_EUPSTREAM, "more than 3 rows");
	sql_expect(&f, "n", NULL, "0");
	sql_expect(&f, "few", NULL, "[{\"x\":1},{\"x\":2},{\"x\":3}]");
	sql_expect(&f, "n", NULL, "3");
	sql_close(&f);
}

Test(postgres_faults, a_commit_that_fails_is_a_failure_of_the_write)
{
	struct sql_fixture f;

	sql_open_shared(&f,
	        "CREATE TABLE p (id int PRIMARY KEY); "
	        "CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
	        "");
	sql_add(&f, "add", "{`sql`: `INSERT INTO c VALUES (:p)`, `returns`: `count`}");
	sql_add(&f, "get", "{`sql`: `INSERT INTO c VALUES (:p) RETURNING p`, `returns`: `value`}");
	sql_add(&f, "n", "{`sql`: `SELECT count(*) FROM c`, `returns`: `value`}");
	sql_expect_error(&f, "add", "{`p`: 7}", AB_EUPSTREAM, "violates foreign key constraint");
	sql_expect_error(&f, "get", "{`p`: 7}", AB_EUPSTREAM, "violates foreign key constraint");
	sql_expect(&f, "n", NULL, "0");
	sql_close(&f);
}

Test(postgres_faults, results_are_bounded_while_they_arrive)
{
	struct sql_fixture f;

	sql_open_shared(&f, NULL, ", `timeout`: `20s`");
	sql_add(&f, "rows", "{`sql`: `SELECT generate_series(1, 100000000) AS x`}");
	sql_add(&f, "first", "{`sql`: `SELECT generate_series(1, 100000000) AS x`, `returns`: `row`}");
	sql_add(&f, "bytes", "{`sql`: `SELECT repeat('x', 1000000) AS x FROM generate_series(1, 100)`}");
	sql_add(&f, "one", "{`sql`: `SELECT repeat('x', 40000000)`, `returns`: `value`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect_error(&f, "rows", NULL, AB_EUPSTREAM, "more than 1000 rows");
	sql_expect_error(&f, "first", NULL, AB_EUPSTREAM, "more than 16 MiB");
	sql_expect_error(&f, "bytes", NULL, AB_EUPSTREAM, "more than 16 MiB");
	sql_expect_error(&f, "one", NULL, AB_EUPSTREAM, "more than 16 MiB");
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
}

/* ---- what is prepared ---- */

Test(postgres_faults, a_table_that_changes_under_its_statements_is_read_as_it_is)
{
	struct sql_fixture f;

	sql_open_shared(&f, "CREATE TABLE t (x int); INSERT INTO t VALUES (1)", ", `pool`: 1");
	sql_add(&f, "all", "{`sql`: `SELECT * FROM t WHERE x::text = :x::text`}");
	sql_add(&f, "add", "{`sql`: `INSERT INTO t (x) VALUES (2) RETURNING *`}");
	sql_expect(&f, "all", "{`x`: 1}", "[{\"x\":1}]");
	sql_expect(&f, "add", NULL, "[{\"x\":2}]");
	postgres_exec(f.url, "ALTER TABLE t ADD y interval DEFAULT '1 day'");
	sql_expect(&f, "all", "{`x`: 1}", "[{\"x\":1,\"y\":\"1 day\"}]");
	sql_expect(&f, "add", NULL, "[{\"x\":2,\"y\":\"1 day\"}]");
	postgres_exec(f.url, "ALTER TABLE t ALTER x TYPE text, DROP y");
	sql_expect(&f, "all", "{`x`: 1}", "[{\"x\":\"1\"}]");
	sql_expect(&f, "add", NULL, "[{\"x\":\"2\"}]");
	postgres_exec(f.url, "DROP TABLE t");
	sql_expect_error(&f, "all", "{`x`: 1}", AB_EUPSTREAM, "relation \"t\" does not exist");
	postgres_exec(f.url, "CREATE TABLE t (x int)");
	sql_expect(&f, "all", "{`x`: 1}", "[]");
	sql_close(&f);
}

Test(postgres_faults, a_session_that_has_forgotten_its_statements_is_told_again)
{
	struct sql_fixture f;

	sql_open_shared(&f, NULL, ", `pool`: 1");
	sql_add(&f, "one", "{`sql`: `SELECT :x::int`, `returns`: `value`}");
	sql_add(&f, "forget", "{`sql`: `DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$`, `returns`: `count`}");
	sql_expect(&f, "one", "{`x`: 1}", "1");
	sql_expect(&f, "forget", NULL, "0");
	sql_expect(&f, "one", "{`x`: 2}", "2");
	sql_close(&f);
}

Test(postgres_faults, without_prepare_a_session_keeps_nothing_of_ours)
{
	struct sql_fixture f;

	sql_open_shared(&f, "CREATE TABLE t (x int); CREATE SEQUENCE s",
	        ", `pool`: 1, `prepare`: false, `timeout`: `5s`");
	sql_add(&f, "one", "{`sql`: `SELECT :x::int + 1`, `returns`: `value`}");
	sql_add(&f, "add", "{`sql`: `INSERT INTO t VALUES (:x)`, `returns`: `count`}");
	sql_add(&f, "next", "{`sql`: `SELECT nextval('s')`, `returns`: `value`}");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(30)`, `timeout`: `100ms`}");
	sql_add(&f, "kept", "{`sql`: `SELECT count(*) FROM pg_prepared_statements`, `returns`: `value`}");
	sql_add(&f, "said",
	        "{`sql`: `SELECT setting FROM pg_settings WHERE name = 'statement_timeout'`, "
	        "`returns`: `value`}");
	sql_expect(&f, "one", "{`x`: 1}", "2");
	sql_expect(&f, "add", "{`x`: 1}", "1");
	sql_expect_error(&f, "next", NULL, AB_EUPSTREAM, "read-only");
	sql_expect_error(&f, "slow", NULL, AB_ETIMEOUT, "within 100 ms");
	sql_expect(&f, "kept", NULL, "0");
	sql_expect(&f, "said", NULL, "\"5000\""); /* for this statement alone */
	sql_expect(&f, "one", "{`x`: 2}", "3");
	sql_close(&f);
}

Test(postgres_faults, the_queries_of_a_run_share_a_connection)
{
	struct harness_run *run;
	struct sql_fixture f;
	char name[16], list[512] = "{`json`: [`{q0}`", mapping[128];

	sql_open_shared(&f, NULL, "");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		snprintf(mapping, sizeof(mapping),
		        "{`sql`: `SELECT pg_backend_pid() + 0 * %d`, `returns`: `value`}", i);
		sql_add(&f, name, mapping);
		if (i > 0)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), ", `{q%d}`", i);
	}
	strcat(list, "]}");
	sql_add(&f, "all", list);
	for (int i = 0; i < 3; i++) { /* the first run opens several */
		run = harness_get(&f.h, "all", NULL);
		cr_assert_eq(run->code, AB_OK);
		for (size_t q = 1; i > 0 && q < 20; q++)
			cr_expect_eq(json_integer_value(json_array_get(run->value, q)),
			        json_integer_value(json_array_get(run->value, 0)));
		harness_run_end(run);
	}
	sql_close(&f);
}

/* ---- the server ---- */

Test(postgres_faults, a_backend_that_is_ended_fails_what_is_on_it_and_nothing_else)
{
	struct postgres server;
	struct harness_run *run;
	struct sql_fixture f;

	open_named(&f, &server, "ended", ", `timeout`: `20s`");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(20)`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect(&f, "quick", NULL, "1");
	run = harness_start(&f.h, "slow", NULL);
	wait_for(&f, &server, sleeping("ended"), "1");
	postgres_exec(postgres_url(&server, ""),
	        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'");
	harness_wait(run);
	cr_expect_eq(run->code, AB_EUPSTREAM);
	cr_expect(strstr(run->error->text, "terminating connection") != NULL, "%s", run->error->text);
	harness_run_end(run);
	for (int i = 0; i < 10; i++)
		sql_expect(&f, "quick", NULL, "1");
	/* One that is idle. */
	postgres_exec(postgres_url(&server, ""),
	        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'");
	harness_idle(&f.h, 200);
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
}

Test(postgres_faults, a_restart_fails_only_what_is_in_flight)
{
	struct harness_run *flying, *waiting;
	struct postgres server;
	struct sql_fixture f;

	postgres_start(&server, "");
	sql_open_postgres(&f, postgres_url(&server, ""), ", `timeout`: `20s`");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(20)`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	for (int i = 0; i < 2; i++) {
		sql_expect(&f, "quick", NULL, "1");
		flying = harness_start(&f.h, "slow", NULL);
		harness_idle(&f.h, 100);
		postgres_stop(&server, i == 0 ? "fast" : "immediate");
		harness_wait(flying);
		cr_expect_eq(flying->code, AB_EUPSTREAM);
		harness_run_end(flying);
		waiting = harness_start(&f.h, "quick", NULL);
		harness_idle(&f.h, 300);
		cr_expect(!waiting->done, "%s", waiting->error == NULL ? "" : waiting->error->text);
		postgres_again(&server, "");
		harness_wait(waiting);
		cr_expect_eq(waiting->code, AB_OK, "%s", waiting->error == NULL ? "" : waiting->error->text);
		harness_run_end(waiting);
	}
	sql_close(&f);
	postgres_end(&server);
}

Test(postgres_faults, a_server_that_stays_away_is_a_502_within_the_time)
{
	struct postgres server;
	struct sql_fixture f;

	postgres_start(&server, "");
	sql_open_postgres(&f, postgres_url(&server, ""), ", `timeout`: `400ms`");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect(&f, "quick", NULL, "1");
	postgres_stop(&server, "immediate");
	harness_idle(&f.h, 100);
	sql_expect_error(&f, "quick", NULL, AB_EUPSTREAM, "failed: ");
	/* After some seconds nobody waits any more. */
	harness_idle(&f.h, 1000);
	for (int i = 0; i < 13; i++)
		sql_expect_error(&f, "quick", NULL, AB_EUPSTREAM, "failed: ");
	uint64_t before = uv_hrtime();
	sql_expect_error(&f, "quick", NULL, AB_EUPSTREAM, "failed: ");
	cr_expect_lt((uv_hrtime() - before) / 1000000, 200);
	postgres_again(&server, "");
	harness_idle(
	        &f.h, 3000); /* no retry goes on without somebody who asks; the next who asks makes one */
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
	postgres_end(&server);
}

Test(postgres_faults, a_server_that_stalls_costs_no_more_than_its_time)
{
	struct postgres server;
	struct sql_fixture f;

	postgres_start(&server, "");
	sql_open_postgres(&f, postgres_url(&server, ""), ", `timeout`: `300ms`");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_add(&f, "write", "{`sql`: `CREATE TABLE w (x int)`, `returns`: `count`}");
	sql_expect(&f, "quick", NULL, "1");
	postgres_signal(&server, SIGSTOP);
	sql_expect_error(&f, "quick", NULL, AB_ETIMEOUT, "300 ms");
	sql_expect_error(&f, "quick", NULL, AB_ETIMEOUT, "300 ms");
	sql_expect_error(&f, "write", NULL, AB_ETIMEOUT, "300 ms");
	postgres_signal(&server, SIGCONT);
	harness_idle(&f.h, 500);
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
	postgres_end(&server);
}

Test(postgres_faults, another_host_takes_over)
{
	struct postgres first, second;
	char url[600];
	struct sql_fixture f;

	postgres_start(&first, "");
	postgres_start(&second, "");
	snprintf(url, sizeof(url), "postgresql://test@/postgres?host=%s,%s&port=%u,%u", first.dir, second.dir,
	        first.port, second.port);
	sql_open_postgres(&f, url, ", `timeout`: `5s`");
	sql_add(&f, "port", "{`sql`: `SELECT current_setting('port')::int`, `returns`: `value`}");
	snprintf(url, sizeof(url), "%u", first.port);
	sql_expect(&f, "port", NULL, url);
	postgres_stop(&first, "immediate");
	harness_idle(&f.h, 100);
	snprintf(url, sizeof(url), "%u", second.port);
	sql_expect(&f, "port", NULL, url);
	sql_close(&f);
	postgres_end(&first);
	postgres_end(&second);
}

Test(postgres_faults, the_host_that_may_be_written_to_is_chosen)
{
	struct postgres first, second;
	char url[600];
	struct sql_fixture f;

	postgres_start(&first, "-c default_transaction_read_only=on");
	postgres_start(&second, "");
	snprintf(url, sizeof(url),
	        "postgresql://test@/postgres?host=%s,%s&port=%u,%u&target_session_attrs=read-write",
	        first.dir, second.dir, first.port, second.port);
	sql_open_postgres(&f, url, ", `timeout`: `5s`");
	sql_add(&f, "port", "{`sql`: `SELECT current_setting('port')::int`, `returns`: `value`}");
	snprintf(url, sizeof(url), "%u", second.port);
	sql_expect(&f, "port", NULL, url);
	sql_close(&f);
	postgres_end(&first);
	postgres_end(&second);
}

Test(postgres_faults, a_connection_too_many_leaves_the_others_at_work)
{
	struct harness_run *runs[6];
	struct postgres server;
	struct sql_fixture f;
	char url[512];

	postgres_start(&server, "");
	postgres_exec(postgres_url(&server, ""), "CREATE ROLE limited LOGIN CONNECTION LIMIT 1");
	snprintf(url, sizeof(url), "postgresql://limited@/postgres?host=%s&port=%u", server.dir, server.port);
	sql_open_postgres(&f, url, ", `timeout`: `10s`");
	sql_add(&f, "slow", "{`sql`: `SELECT pg_sleep(0.05)`, `returns`: `count`}");
	ab_database_loaded(f.database); /* the check's connection is the one that is allowed */
	for (size_t i = 0; i < AB_COUNT(runs); i++)
		runs[i] = harness_start(&f.h, "slow", NULL);
	for (size_t i = 0; i < AB_COUNT(runs); i++) {
		harness_wait(runs[i]);
		cr_expect_eq(runs[i]->code, AB_OK, "%s", runs[i]->error == NULL ? "" : runs[i]->error->text);
		harness_run_end(runs[i]);
	}
	sql_close(&f);
	postgres_end(&server);
}

/* ---- the way there ---- */

Test(postgres_faults, tls_is_verified_as_the_url_says)
{
	struct postgres server;
	struct sql_fixture f;
	char more[160], url[512];

	postgres_shared(&server);
	snprintf(more, sizeof(more), "sslmode=verify-full&sslrootcert=%s/ca.pem", server.dir);
	snprintf(url, sizeof(url), "%s", postgres_tcp_url(&server, "localhost", more));
	sql_open_postgres(&f, url, "");
	sql_add(&f, "tls",
	        "{`sql`: `SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`, `returns`: `value`}");
	sql_expect(&f, "tls", NULL, "true");
	sql_close(&f);
	/* The certificate is for localhost alone. */
	snprintf(url, sizeof(url), "%s", postgres_tcp_url(&server, "127.0.0.1", more));
	sql_open_postgres(&f, url, ", `timeout`: `300ms`");
	sql_add(&f, "tls", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect_error(&f, "tls", NULL, AB_EUPSTREAM, "certificate");
	sql_close(&f);
}

Test(postgres_faults, a_host_that_has_no_address_is_a_502)
{
	struct sql_fixture f;

	sql_prepare(&f, NULL);
	sql_open_entry(&f, "{`url`: `postgresql://u:hidden@nowhere.invalid/db`, `timeout`: `500ms`}", true);
	cr_assert_not_null(f.database);
	sql_add(&f, "one", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect_error(&f, "one", NULL, AB_EUPSTREAM, "could not translate host name \"nowhere.invalid\"");
	char *hints = sql_mistakes(&f);
	cr_expect(strstr(hints, "hidden") == NULL, "%s", hints);
	free(hints);
	sql_close(&f);
}
