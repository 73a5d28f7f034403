/* tests/server/test_postgres.c: apps on PostgreSQL end to end: what `check --connect` and the start say, the
 * server's absence and restart under load, and the shop on both engines. */
#include "../lib/http_client.h"
#include "../lib/postgres.h"
#include "../lib/process.h"
#include "../lib/served.h"

#include "../../dispatch/base.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(postgres_app, .timeout = 120);

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* `anabranch check ARGS app.yaml` of this app, whose %s are the URL. */
static void check(
        const char *app, const char *url, const char *option, int exit_code, const char *out, const char *err)
{
	const char *argv[] = {process_anabranch(), "check", option, "app.yaml", NULL};
	struct served served = {0};
	struct process process;
	char *text;

	cr_assert_geq(asprintf(&text, "databases: {main: \"%s\"}\n%s", url, app), 0);
	served_file(&served, "app.yaml", text);
	served_file(&served, "q.sql", "-- of a file\nSELECT x,\n       nmae FROM t WHERE x = :x\n");
	cr_expect_eq(process_run(&process, argv, served.dir, 20000), exit_code, "%s", process.err.data);
	cr_expect_str_eq(process.out.data, out);
	cr_expect_str_eq(process.err.data, err, "%s", process.err.data);
	process_end(&process);
	served_end(&served);
	free(text);
}

static const char wrong[] =
        "resources:\n"
        "  a:\n"
        "    sql: |\n"
        "      SELECT x, :long_name::int, :x::text, 'ünïcödé'\n"
        "        FROM t WHERE y = :x\n"
        "  b: {sql: {file: q.sql}}\n"
        "  c: {sql: \"SELECT 1 AS one, 2 AS one\"}\n"
        "  d: {transaction: [\"DELETE FROM t\", \"SELECT nothing()\"]}\n"
        "  e: {sql: \"SELECT x FROM t WHERE x = :x AND FROM\"}\n"
        "  f: {sql: \"UPDATE t SET x = 1\", returns: row}\n"
        "  g: {sql: \"COPY t TO STDOUT\"}\n"
        "  h: {sql: \"SET search_path = x\"}\n"
        "  all: {json: [\"{a}\", \"{b}\", \"{c}\", \"{d}\", \"{e}\", \"{f}\", \"{g}\", \"{h}\"]}\n"
        "  x: 1\n"
        "  long_name: 2\n"
        "routes: {POST /: all}\n";

Test(postgres_app, check_connect_finds_mistakes_at_their_places)
{
	struct postgres server;
	char url[512];

	postgres_shared(&server);
	snprintf(url, sizeof(url), "%s", postgres_url(&server, postgres_schema(&server)));
	postgres_exec(url, "CREATE TABLE t (x int)");
	check(wrong, url, "--connect", 2, "",
	        "app.yaml:6:22: database 'main': column \"y\" does not exist (42703)\n"
	        "app.yaml:8:13: database 'main': two columns named 'one'; give one another name with AS\n"
	        "app.yaml:9:46: database 'main': function nothing() does not exist (42883); No function matches the "
	        "given name and argument types. You might need to add explicit type casts.\n"
	        "app.yaml:10:46: database 'main': syntax error at or near \"FROM\" (42601)\n"
	        "app.yaml:11:43: this statement gives no rows; expected RETURNING in it, or `returns: count`\n"
	        "app.yaml:12:13: COPY: not allowed in an app; expected a statement that reads or writes rows\n"
	        "app.yaml:13:13: SET: this is about a session, and a connection is shared by all requests; expected a "
	        "statement that reads or writes rows\n"
	        "q.sql:3:8: database 'main': column \"nmae\" does not exist (42703)\n");
}

Test(postgres_app, check_alone_asks_no_server)
{
	check("resources:\n"
	      "  a: {sql: \"SELECT 1 FROM nowhere\"}\n"
	      "routes: {GET /: a}\n",
	        "postgresql://nobody@127.0.0.1:1/none", "--", 0, "app.yaml: fine: 1 resource, 1 route\n", "");
}

Test(postgres_app, check_connect_needs_a_server_and_shows_no_password)
{
	check("resources:\n"
	      "  a: {sql: \"SELECT 1\"}\n"
	      "routes: {GET /: a}\n",
	        "postgresql://nobody:hidden@127.0.0.1:1/none", "--connect", 2, "",
	        "app.yaml:1:19: database 'main': connection to server at \"127.0.0.1\", port 1 failed: Connection "
	        "refused Is the server running on that host and accepting TCP/IP connections?\n");
}

Test(postgres_app, a_write_on_a_get_route_is_a_mistake)
{
	check("resources:\n"
	      "  a: {sql: \"WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x\"}\n"
	      "routes: {GET /: a}\n",
	        "postgresql://x/y", "--", 2, "",
	        "app.yaml:4:10: route 'GET /': 'a' writes, which a GET route may not; expected POST, PUT, PATCH or DELETE\n");
}

/* ---- serving ---- */

static const char app[] = "server: {deadline: 10s}\n"
                          "resources:\n"
                          "  one: {sql: \"SELECT 1\", returns: value}\n"
                          "  slow: {sql: \"SELECT pg_sleep(3)\", returns: count}\n"
                          "routes: {GET /: one, GET /slow: slow}\n";

Test(postgres_app, a_server_that_is_away_at_the_start_is_waited_for)
{
	struct postgres server;
	struct served served = {0};
	char *text;

	postgres_start(&server, "");
	postgres_stop(&server, "fast");
	cr_assert_geq(asprintf(&text, "databases: {main: {url: \"%s\", timeout: 5s}}\n%s",
	                      postgres_url(&server, ""), app),
	        0);
	served_start(&served, text, NULL);
	cr_expect(strstr(served.process.err.data, "can't be reached, so its statements are not checked") !=
	          NULL);
	postgres_again(&server, "");
	cr_expect_eq(http_get(served.port, "/", NULL), 200);
	cr_expect_eq(served_stop(&served), 0, "%s", served.process.err.data);
	served_end(&served);
	free(text);
	postgres_end(&server);
}

Test(postgres_app, a_mistake_that_the_server_finds_stops_the_start)
{
	const char *argv[] = {process_anabranch(), "serve", "app.yaml", "--admin", "off", NULL};
	struct postgres server;
	struct served served = {0};
	struct process process;
	char *text;

	postgres_shared(&server);
	cr_assert_geq(asprintf(&text,
	                      "databases: {main: \"%s\"}\n"
	                      "resources: {a: {sql: SELECT x FROM nowhere}}\n"
	                      "routes: {GET /: a}\n",
	                      postgres_url(&server, "")),
	        0);
	served_file(&served, "app.yaml", text);
	cr_expect_eq(process_run(&process, argv, served.dir, 20000), 2);
	cr_expect_str_eq(process.err.data,
	        "app.yaml:2:36: database 'main': relation \"nowhere\" does not exist (42P01)\n");
	process_end(&process);
	served_end(&served);
	free(text);
}

struct load {
	unsigned short port;
	atomic_bool over;
	atomic_uint good, bad, other;
};

/* One request after another, each on a connection of its own, until it is over. */
static void *load_main(void *arg)
{
	struct load *load = arg;

	while (!atomic_load(&load->over)) {
		int status = http_get(load->port, "/", NULL);

		if (status == 200)
			atomic_fetch_add(&load->good, 1);
		else if (status == 502)
			atomic_fetch_add(&load->bad, 1);
		else
			atomic_fetch_add(&load->other, 1);
	}
	return NULL;
}

static void *slow_main(void *arg)
{
	struct load *load = arg;

	return http_get(load->port, "/slow", NULL) == 502 ? arg : NULL;
}

Test(postgres_app, a_restart_under_load_fails_only_what_is_in_flight)
{
	pthread_t threads[4], slow;
	struct postgres server;
	struct served served = {0};
	struct load load = {0};
	void *was_502;
	char *text;

	postgres_start(&server, "");
	cr_assert_geq(asprintf(&text, "databases: {main: {url: \"%s\", timeout: 5s}}\n%s",
	                      postgres_url(&server, ""), app),
	        0);
	served_start(&served, text, NULL);
	load.port = served.port;
	for (size_t i = 0; i < AB_COUNT(threads); i++)
		pthread_create(&threads[i], NULL, load_main, &load);
	pthread_create(&slow, NULL, slow_main, &load);
	pause_ms(500);
	postgres_stop(&server, "fast");
	pause_ms(300);
	postgres_again(&server, "");
	pause_ms(1000);

	atomic_store(&load.over, true);
	for (size_t i = 0; i < AB_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	pthread_join(slow, &was_502);
	cr_expect_not_null(was_502);
	cr_expect_geq(load.good, 50);
	cr_expect_eq(load.other, 0);
	/* What was on the server's connections as it ended them: two workers have four each. */
	cr_expect_leq(load.bad, 16);
	cr_expect_eq(served_stop(&served), 0, "%s", served.process.err.data);
	served_end(&served);
	free(text);
	postgres_end(&server);
}

/* ---- the shop ---- */

/* What the shop answers to a visit, as one text; the two stock services are routes of its own. */
static char *visit(unsigned short port)
{
	static const char *const paths[] = {"/", "/products/1", "/api/products/1", "/api/products/8",
	        "/products/99", "/services/related/1?except=2"};
	char *all = strdup(""), *body, *more;
	struct http_answer answer;
	struct http_client client;

	for (size_t i = 0; i <= AB_COUNT(paths); i++) {
		int status;

		if (i == 4) { /* a review, which shows from then on */
			cr_assert(http_open(&client, port) &&
			          http_request(&client, "POST", "/products/8/reviews",
			                  "Content-Type: application/x-www-form-urlencoded\r\n",
			                  "author=Ann+%26+Bob&stars=4&body=%3Cwarm%3E+%E2%98%95"));
			cr_assert(http_receive(&client, &answer, false));
			cr_expect_eq(answer.status, 303, "%s", answer.body);
			http_answer_free(&answer);
			http_close(&client);
		}
		status = http_get(port, i == AB_COUNT(paths) ? "/products/8" : paths[i], &body);
		cr_assert_geq(asprintf(&more, "%s%d\n%s\n", all, status, body), 0);
		free(all);
		free(body);
		all = more;
	}
	return all;
}

static void start_shop(struct served *served, const char *url)
{
	const char *argv[] = {
	        process_anabranch(), "serve", "shop.yaml", "--admin", "off", "--log", "json", NULL};
	char command[256], port[8];

	snprintf(port, sizeof(port), "%u", 30000 + (unsigned)getpid() % 2000);
	served_file(served, "empty", "");
	snprintf(command, sizeof(command), "cp examples/shop/* %s/", served->dir);
	cr_assert_eq(system(command), 0, "%s", command);
	setenv("SHOP_PORT", port, 1);
	if (url != NULL) {
		setenv("SHOP_DATABASE", url, 1);
		setenv("SHOP_SCHEMA", "null", 1);
	}
	cr_assert(process_start(&served->process, argv, served->dir));
	cr_assert(
	        process_expect(&served->process, "serving shop.yaml", 20000), "%s", served->process.err.data);
	served->port = (unsigned short)strtoul(port, NULL, 10);
}

/* Runs what a file of SQL says. */
static void load_file(const char *url, const char *path)
{
	FILE *file = fopen(path, "re");
	char *sql = calloc(1, 65536);

	cr_assert(file != NULL && sql != NULL && fread(sql, 1, 65535, file) > 0, "%s", path);
	fclose(file);
	postgres_exec(url, sql);
	free(sql);
}

Test(postgres_app, the_shop_is_the_same_on_both_engines)
{
	struct served sqlite = {0}, postgres = {0};
	struct postgres server;
	char *on_sqlite, *on_postgres, url[512];

	start_shop(&sqlite, NULL);
	on_sqlite = visit(sqlite.port);
	cr_expect_eq(served_stop(&sqlite), 0, "%s", sqlite.process.err.data);
	served_end(&sqlite);
	postgres_shared(&server);
	snprintf(url, sizeof(url), "%s", postgres_url(&server, postgres_schema(&server)));
	load_file(url, "examples/shop/shop.sql");
	load_file(url, "docker/shop-postgres.sql");
	start_shop(&postgres, url);
	on_postgres = visit(postgres.port);
	cr_expect_eq(served_stop(&postgres), 0, "%s", postgres.process.err.data);
	served_end(&postgres);
	cr_expect_str_eq(on_postgres, on_sqlite, "%s\n---- and on SQLite:\n%s", on_postgres, on_sqlite);
	cr_expect(strstr(on_sqlite, "Enamel coffee pot") != NULL && strstr(on_sqlite, "149.95") != NULL &&
	          strstr(on_sqlite, "Ann &amp; Bob") != NULL);
	free(on_sqlite);
	free(on_postgres);
}
