/* tests/handlers/test_sql_faults.c: what a database does when it is slow, locked, full, broken or asked too
 * much. */
#include "../../handlers/sql/job.h"
#include "../../handlers/sql/sqlite_conn.h"
#include "sql_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(sql_faults, .timeout = 20);

#define ENDLESS "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "

static const char table[] = "CREATE TABLE t (x);";

/* ---- too slow, or no longer wanted ---- */

Test(sql_faults, an_endless_query_ends_at_its_timeout_and_its_thread_goes_on)
{
	struct sql_fixture f;

	sql_open(&f, table, ", `pool`: 1, `timeout`: `60s`");
	sql_add(&f, "endless", "{`sql`: `" ENDLESS "SELECT count(*) AS c FROM n`, `timeout`: `50ms`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_expect_error(&f, "endless", NULL, AB_ETIMEOUT, "database 'main': ");
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
}

Test(sql_faults, a_cancelled_query_is_interrupted)
{
	struct harness_run *run;
	struct sql_fixture f;

	sql_open(&f, table, ", `pool`: 1, `timeout`: `60s`");
	sql_add(&f, "endless", "{`sql`: `" ENDLESS "SELECT count(*) AS c FROM n`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	run = harness_start(&f.h, "endless", NULL);
	harness_idle(&f.h, 20); /* most likely it runs by then; the outcome is the same if not */
	ab_run_cancel(run->run);
	cr_expect_eq(ab_run_outstanding(run->run), 0); /* nobody waits for the thread */
	harness_run_end(run);
	sql_expect(&f, "quick", NULL, "1");
	sql_close(&f);
}

Test(sql_faults, a_query_that_waits_in_vain_times_out_in_the_queue)
{
	struct harness_run *run;
	struct sql_fixture f;

	sql_open(&f, table, ", `pool`: 1, `timeout`: `60s`");
	sql_add(&f, "endless", "{`sql`: `" ENDLESS "SELECT count(*) AS c FROM n`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `timeout`: `30ms`}");
	sql_add(&f, "patient", "{`sql`: `SELECT 1`, `returns`: `value`}");
	run = harness_start(&f.h, "endless", NULL);
	sql_expect_error(&f, "quick", NULL, AB_ETIMEOUT, "no thread was free within 30 ms");
	harness_run_end(run);
	sql_expect(&f, "patient", NULL, "1");
	sql_close(&f);
}

Test(sql_faults, a_write_that_times_out_is_rolled_back)
{
	struct sql_fixture f;

	sql_open(&f, table, ", `timeout`: `60s`");
	sql_add(&f, "endless", "{`sql`: `" ENDLESS "INSERT INTO t SELECT x FROM n`, `timeout`: `50ms`}");
	sql_add(&f, "add", "{`sql`: `INSERT INTO t VALUES (7)`, `returns`: `count`}");
	sql_add(&f, "all", "{`sql`: `SELECT x FROM t`}");
	sql_expect_error(&f, "endless", NULL, AB_ETIMEOUT, "database 'main'");
	sql_expect(&f, "add", NULL, "1");
	sql_expect(&f, "all", NULL, "[{\"x\":7}]");
	sql_close(&f);
}

/* SQLite looks whether a job is still wanted at every thousandth step: once in some hundred times that is
 * when BEGIN has just begun. */
Test(sql_faults, a_write_stopped_while_it_begins_leaves_no_transaction)
{
	char text[] = "INSERT INTO t VALUES (1)";
	struct ab_sqlite_statement insert = {.text = text, .writes = true};
	struct ab_sqlite_conn conn = {.role = AB_SQLITE_WRITER, .name = "main", .max_rows = 1};
	struct ab_sql_job *job = calloc(1, sizeof(*job));
	struct sql_fixture f;

	sql_prepare(&f, NULL);
	sql_exec(&f, "CREATE TABLE t (x)");
	insert.len = strlen(insert.text);
	conn.path = f.path;
	cr_assert_not_null(job);
	job->statement = &insert;
	job->returns = AB_SQL_COUNT;
	job->timeout_ms = 1000;
	for (int i = 0; i < 1000; i++) {
		atomic_store(&job->state, AB_SQL_STOPPED);
		ab_sqlite_run(&conn, job);
		cr_assert_null(job->value);
		cr_assert(
		        conn.db == NULL || sqlite3_get_autocommit(conn.db) != 0, "%d: %s", i, job->err.text);
	}
	atomic_store(&job->state, AB_SQL_RUNNING);
	ab_sqlite_run(&conn, job);
	cr_assert_eq(json_integer_value(job->value), 1, "%s", job->err.text);
	json_decref(job->value);
	ab_sqlite_conn_close(&conn);
	free(job);
	sql_close(&f);
}

enum { HASTY = 400 };

Test(sql_faults, a_write_is_there_exactly_if_it_was_reported_so)
{
	struct harness_run *runs[HASTY];
	struct sql_fixture f;
	size_t done = 0;
	char count[16];

	sql_open(&f, table, "");
	sql_add(&f, "add", "{`sql`: `INSERT INTO t VALUES (:x)`, `returns`: `count`, `timeout`: `1ms`}");
	sql_add(&f, "count", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`, `timeout`: `20s`}");
	sql_add(&f, "last", "{`sql`: `DELETE FROM t WHERE 0`, `returns`: `count`, `timeout`: `20s`}");
	for (size_t i = 0; i < HASTY; i++) {
		runs[i] = harness_start(&f.h, "add", "{`x`: 1}");
		if (i % 4 == 0)
			harness_wait(runs[i]);
	}
	for (size_t i = 0; i < HASTY; i++) {
		harness_wait(runs[i]);
		done += runs[i]->code == AB_OK;
		cr_assert(runs[i]->code == AB_OK || runs[i]->code == AB_ETIMEOUT);
		harness_run_end(runs[i]);
	}
	sql_expect(&f, "last", NULL, "0"); /* the writer is through with all of them */
	snprintf(count, sizeof(count), "%zu", done);
	sql_expect(&f, "count", NULL, count);
	sql_close(&f);
}

Test(sql_faults, a_full_queue_refuses_at_once)
{
	enum { MORE = 1024 + 2 };
	static struct harness_run *runs[MORE];
	struct harness_run *first;
	struct sql_fixture f;
	size_t refused = 0, done = 0;

	sql_open(&f, table, ", `pool`: 1, `timeout`: `60s`");
	sql_add(&f, "endless", "{`sql`: `" ENDLESS "SELECT count(*) AS c FROM n`}");
	sql_add(&f, "quick", "{`sql`: `SELECT 1`, `returns`: `value`}");
	first = harness_start(&f.h, "endless", NULL);
	for (size_t i = 0; i < MORE; i++)
		runs[i] = harness_start(&f.h, "quick", NULL);
	for (size_t i = 0; i < MORE; i++)
		if (runs[i]->code == AB_EOVERLOAD) {
			cr_expect(strstr(runs[i]->error->text, "1024 queries are waiting already") != NULL);
			refused++;
		}
	/* One more when the thread had not taken the first when the last came. */
	cr_expect(refused == 2 || refused == 3, "%zu", refused);
	harness_run_end(first);
	for (size_t i = 0; i < MORE; i++) {
		harness_wait(runs[i]);
		done += runs[i]->code == AB_OK;
		harness_run_end(runs[i]);
	}
	cr_expect_eq(done + refused, MORE);
	sql_close(&f);
}

Test(sql_faults, a_worker_may_end_while_its_query_runs)
{
	for (int database_first = 0; database_first < 2; database_first++) {
		struct sql_fixture f;

		sql_open(&f, table, ", `timeout`: `60s`");
		sql_add(&f, "endless", "{`sql`: `" ENDLESS "SELECT count(*) AS c FROM n WHERE x > :x`}");
		harness_run_end(harness_start(&f.h, "endless", "{`x`: `text`}"));
		if (database_first) {
			sql_close(&f);
			continue;
		}
		ab_sql_close(f.h.env.sql);
		f.h.env.sql = NULL;
		harness_clear(&f.h);
		uv_run(&f.h.loop, UV_RUN_DEFAULT); /* ends when the query has come home */
		sql_close(&f);
	}
}

Test(sql_faults, a_run_starts_only_so_many_fetches)
{
	struct sql_fixture f;

	sql_open(&f, table, "");
	f.h.max_fetches = 1;
	sql_add(&f, "a", "{`sql`: `SELECT 1`, `returns`: `value`}");
	sql_add(&f, "b", "{`sql`: `SELECT :a`, `returns`: `value`}");
	sql_expect(&f, "a", NULL, "1");
	sql_expect_error(&f, "b", NULL, AB_EOVERLOAD, "server.max_fetches");
	sql_close(&f);
}

/* ---- too much ---- */

Test(sql_faults, more_rows_than_max_rows_are_an_error)
{
	struct sql_fixture f;

	sql_open(&f, table, ", `max_rows`: 5");
	sql_add(&f, "q", "{`sql`: `" ENDLESS "SELECT x FROM n LIMIT :n`}");
	sql_add(&f, "count", "{`sql`: `" ENDLESS "SELECT x FROM n LIMIT :n`, `returns`: `count`}");
	sql_expect(&f, "q", "{`n`: 5}", "[{\"x\":1},{\"x\":2},{\"x\":3},{\"x\":4},{\"x\":5}]");
	sql_expect_error(&f, "q", "{`n`: 6}", AB_EUPSTREAM,
	        "database 'main': more than 5 rows; add a LIMIT, or raise max_rows of the database");
	sql_expect(&f, "count", "{`n`: 100}", "100");
	sql_close(&f);
}

Test(sql_faults, more_bytes_than_a_result_may_have_are_an_error)
{
	struct sql_fixture f;

	sql_open(&f, table, ", `timeout`: `20s`");
	sql_add(&f, "q",
	        "{`sql`: `" ENDLESS
	        "SELECT hex(zeroblob(500000)) AS big FROM n LIMIT :n`, `returns`: `rows`}");
	sql_add(&f, "one", "{`sql`: `SELECT length(:x)`, `returns`: `value`}");
	sql_expect_error(&f, "q", "{`n`: 17}", AB_EUPSTREAM, "more than 16 MiB");
	sql_expect(&f, "one", "{`x`: `ok`}", "2");
	sql_close(&f);
}

Test(sql_faults, a_pattern_too_long_to_match_quickly_is_refused)
{
	char given[1200];
	struct sql_fixture f;

	sql_open(&f, table, "");
	sql_add(&f, "q", "{`sql`: `SELECT 'abc' LIKE :p`, `returns`: `value`}");
	sql_expect(&f, "q", "{`p`: `A%`}", "1");
	strcpy(given, "{`p`: `");
	memset(given + strlen(given), '%', 1001);
	strcpy(given + 7 + 1001, "`}");
	sql_expect_error(&f, "q", given, AB_EUPSTREAM, "LIKE or GLOB pattern too complex");
	sql_close(&f);
}

/* ---- locked, changed, read-only, full, broken ---- */

Test(sql_faults, a_lock_of_another_process_is_reported_and_reads_go_on)
{
	struct sql_fixture f;
	sqlite3 *other;

	sql_open(&f, table, "");
	sql_add(&f, "add", "{`sql`: `INSERT INTO t VALUES (1)`, `returns`: `count`, `timeout`: `10s`}");
	sql_add(&f, "hasty", "{`sql`: `INSERT INTO t VALUES (2)`, `returns`: `count`, `timeout`: `2s`}");
	sql_add(&f, "count", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	cr_assert_eq(sqlite3_open(f.path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	sql_expect_error(
	        &f, "hasty", NULL, AB_EOVERLOAD, "database 'main': database is locked by another connection");
	sql_expect(&f, "count", NULL, "0");
	cr_assert_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	sql_expect(&f, "add", NULL, "1");
	sql_expect(&f, "count", NULL, "1");
	sql_close(&f);
}

Test(sql_faults, a_table_changed_under_way_is_seen)
{
	struct sql_fixture f;

	sql_open(&f, "CREATE TABLE t (x); INSERT INTO t VALUES (1); CREATE TABLE u (y);", ", `pool`: 1");
	sql_add(&f, "q", "{`sql`: `SELECT * FROM t`}");
	sql_add(&f, "both", "{`sql`: `SELECT * FROM t, u`}");
	sql_add(&f, "u", "{`sql`: `SELECT count(*) FROM u`, `returns`: `value`}");
	sql_expect(&f, "q", NULL, "[{\"x\":1}]");
	sql_exec(&f, "ALTER TABLE t ADD COLUMN flag BOOLEAN DEFAULT 1");
	sql_expect(&f, "q", NULL, "[{\"x\":1,\"flag\":true}]");
	sql_expect(&f, "both", NULL, "[]");
	sql_exec(&f, "ALTER TABLE u ADD COLUMN x; INSERT INTO u VALUES (1, 2)");
	sql_expect_error(&f, "both", NULL, AB_EUPSTREAM, "two columns named 'x'");
	sql_exec(&f, "DROP TABLE t");
	sql_expect_error(&f, "q", NULL, AB_EUPSTREAM, "database 'main': no such table: t");
	sql_expect(&f, "u", NULL, "1");
	sql_close(&f);
}

/* root may write anywhere, so be somebody else for a while. */
static void be_nobody(bool nobody)
{
	if (getuid() == 0)
		cr_assert_eq(seteuid(nobody ? 65534 : 0), 0);
}

Test(sql_faults, a_read_only_file_is_read)
{
	struct sql_fixture f;
	char expected[200];

	sql_prepare(&f, table);
	sql_exec(&f, "CREATE TABLE t (x); INSERT INTO t VALUES (5)");
	chmod(f.path, 0444);
	chmod(f.dir, 0555);
	be_nobody(true);
	sql_open_entry(&f, "`sqlite:test.db`", true);
	cr_assert(f.database != NULL);
	sql_add(&f, "q", "{`sql`: `SELECT x FROM t`, `returns`: `value`}");
	snprintf(expected, sizeof(expected),
	        "test.yaml:1:2: this writes, which needs write access to the file '%s' and to its folder",
	        f.path);
	sql_expect_mistake(&f, "{`sql`: `DELETE FROM t`, `returns`: `count`}", expected);
	sql_expect(&f, "q", NULL, "5");
	be_nobody(false);
	chmod(f.dir, 0755);
	sql_close(&f);
}

/* Opened by somebody who may only read: what is said. */
static void expect_not_opened(struct sql_fixture *f, mode_t file, mode_t dir, bool serving)
{
	char expected[300], *mistakes;

	chmod(f->path, file);
	chmod(f->dir, dir);
	be_nobody(true);
	sql_open_entry(f, "`sqlite:test.db`", serving);
	be_nobody(false);
	chmod(f->dir, 0755);
	cr_assert(f->database == NULL);
	snprintf(expected, sizeof(expected),
	        "test.yaml:1:1: '%s' is in WAL mode, or a write to it was cut off; reading it, too, needs write access to "
	        "the file and to its folder",
	        f->path);
	mistakes = sql_mistakes(f);
	cr_expect_str_eq(mistakes, expected, "%s", mistakes);
	free(mistakes);
}

Test(sql_faults, a_file_in_wal_mode_is_not_read_without_write_access)
{
	struct sql_fixture f;

	sql_prepare(&f, table);
	sql_exec(&f, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
	expect_not_opened(&f, 0444, 0555, false);
	expect_not_opened(&f, 0444, 0555, true);
	expect_not_opened(&f, 0666, 0555, false);
	sql_close(&f);
}

Test(sql_faults, a_full_disk_is_reported_and_leaves_what_was)
{
	struct rlimit before, small;
	struct sql_fixture f;

	signal(SIGXFSZ, SIG_IGN);
	sql_open(&f, table, ", `timeout`: `20s`");
	sql_add(&f, "big", "{`sql`: `INSERT INTO t VALUES (zeroblob(4000000))`, `returns`: `count`}");
	sql_add(&f, "count", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 1000000;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	sql_expect_error(&f, "big", NULL, AB_EUPSTREAM, "database 'main': ");
	sql_expect(&f, "count", NULL, "0");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	sql_expect(&f, "big", NULL, "1");
	sql_expect(&f, "count", NULL, "1");
	sql_close(&f);
}

/* Write `len` bytes into the file at `offset`, past SQLite. */
static void scribble(const char *path, const void *bytes, size_t len, off_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	cr_assert(fd >= 0 && pwrite(fd, bytes, len, offset) == (ssize_t)len && close(fd) == 0);
}

Test(sql_faults, a_damaged_table_is_reported_and_others_go_on)
{
	enum { FIRST = 4096 }; /* the second page: the root of the first table */
	struct sql_fixture f;
	char good[4096], bad[4096];
	int fd;

	sql_prepare(&f, NULL);
	sql_exec(&f,
	        "PRAGMA page_size = 4096; CREATE TABLE t (x); CREATE TABLE u (y); INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)");
	fd = open(f.path, O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && pread(fd, good, sizeof(good), FIRST) == sizeof(good) && close(fd) == 0);
	memset(bad, 0x5a, sizeof(bad));
	scribble(f.path, bad, sizeof(bad), FIRST);
	sql_open_entry(&f, "{`url`: `sqlite:test.db`, `pool`: 1}", true);
	cr_assert(f.database != NULL);
	sql_add(&f, "t", "{`sql`: `SELECT x FROM t`, `returns`: `value`}");
	sql_add(&f, "u", "{`sql`: `SELECT y FROM u`, `returns`: `value`}");
	sql_expect_error(&f, "t", NULL, AB_EUPSTREAM, "database 'main': database disk image is malformed");
	sql_expect(&f, "u", NULL, "2");
	sql_expect_error(&f, "t", NULL, AB_EUPSTREAM, "malformed");
	scribble(f.path, good, sizeof(good), FIRST); /* repaired: seen without a restart */
	sql_expect(&f, "t", NULL, "1");
	sql_close(&f);
}

Test(sql_faults, a_file_that_is_gone_is_reported)
{
	char bad[64], away[128];
	struct sql_fixture f;

	sql_prepare(&f, NULL);
	sql_exec(&f, "CREATE TABLE t (x)");
	memset(bad, 0x5a, sizeof(bad));
	sql_open_entry(&f, "{`url`: `sqlite:test.db`, `pool`: 1}", true);
	sql_add(&f, "t", "{`sql`: `SELECT count(*) FROM t`, `returns`: `value`}");
	scribble(f.path, bad, sizeof(bad), 4096);
	sql_expect_error(&f, "t", NULL, AB_EUPSTREAM, "malformed"); /* closes the connection */
	snprintf(away, sizeof(away), "%s.away", f.path);
	cr_assert_eq(rename(f.path, away), 0);
	sql_expect_error(&f, "t", NULL, AB_EUPSTREAM, "database 'main': unable to open database file");
	sql_close(&f);
}
