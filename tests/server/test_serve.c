/* tests/server/test_serve.c: the command serve: how it starts, what it says, how it stops. */
#include "../lib/http_client.h"
#include "../lib/process.h"
#include "../lib/served.h"
#include "../lib/upstream.h"

#include "../../dispatch/base.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(serve, .timeout = 120);

static const char hello[] = "resources:\n"
                            "  who: World\n"
                            "  greet: {text: \"Hello {{who}}!\"}\n"
                            "routes:\n"
                            "  GET /greet: {answer: greet, accept: {who: string}}\n";

static const char *const one_worker[] = {"--workers", "1", NULL};

/* An app with a resource that waits for the upstream to let it go. */
static void start_held(struct served *served, struct fake_upstream **ret_upstream)
{
	char *app;

	memset(served, 0, sizeof(*served));
	*ret_upstream = fake_upstream_start();
	cr_assert_geq(asprintf(&app,
	                      "server: {deadline: 60s}\n"
	                      "upstreams: {up: {url: \"%s\", timeout: 60s}}\n"
	                      "resources:\n"
	                      "  held: {http: \"GET up/hold\"}\n"
	                      "  saved: {http: \"POST up/hold\"}\n"
	                      "  greet: {text: Hello}\n"
	                      "routes:\n"
	                      "  GET /held: held\n"
	                      "  POST /saved: saved\n"
	                      "  GET /greet: greet\n",
	                      fake_upstream_url(*ret_upstream)),
	        0);
	served_start(served, app, one_worker);
	free(app);
}

static void end(struct served *served, struct fake_upstream *upstream, int code)
{
	cr_expect_eq(code, 0, "exit %d: %s", code, served->process.err.data);
	served_end(served);
	fake_upstream_stop(upstream);
}

static bool is_held(void *arg)
{
	return fake_upstream_held(arg) == 1;
}

static bool is_not_ready(void *arg)
{
	const struct served *served = arg;

	return http_get(served->admin, "/healthz", NULL) == 503;
}

static bool is_refused(void *arg)
{
	struct served *served = arg;
	struct http_client client;

	if (!http_open(&client, served->port))
		return true;
	http_close(&client);
	return false;
}

/* ---- starting ---- */

Test(serve, says_where_it_serves_and_logs_each_answer_on_one_line)
{
	struct served served = {0};
	char *body, *line, *rest;
	int code, answers = 0;

	served_start(&served, hello, one_worker);
	cr_expect_eq(http_get(served.port, "/greet?who=You", &body), 200);
	cr_expect_str_eq(body, "Hello You!");
	free(body);
	cr_expect_neq(http_get(served.port, "/nowhere%0a{}?secret=1", NULL), 0);
	cr_expect_eq(http_get(served.port, "/nowhere", NULL), 404);
	code = served_stop(&served);
	cr_expect_eq(code, 0);
	for (line = strtok_r(served.process.err.data, "\n", &rest); line != NULL;
	        line = strtok_r(NULL, "\n", &rest)) {
		json_t *value = json_loads(line, 0, NULL);

		cr_assert_not_null(value, "not JSON: %s", line);
		cr_expect_not_null(json_object_get(value, "time"));
		answers += json_object_get(value, "status") != NULL;
		cr_expect_null(strstr(line, "secret"), "a query is logged: %s", line);
		json_decref(value);
	}
	cr_expect_eq(answers, 3);
	served_end(&served);
}

Test(serve, every_worker_answers)
{
	static const char *const four[] = {"--workers", "4", NULL};
	struct served served = {0};
	int code;

	served_start(&served, hello, four);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(http_get(served.port, "/greet", NULL), 200);
	code = served_stop(&served);
	cr_expect_eq(code, 0);
	cr_expect_not_null(strstr(served.process.err.data, "(4 workers)"));
	served_end(&served);
}

Test(serve, the_admin_listener_knows_healthz_alone)
{
	struct served served = {0};
	struct http_client client;
	struct http_answer answer;
	char *body;

	served_start(&served, hello, one_worker);
	cr_expect_eq(http_get(served.admin, "/healthz", &body), 200);
	cr_expect_str_eq(body, "ok\n");
	free(body);
	cr_expect_eq(http_get(served.admin, "/greet", NULL), 404);
	cr_expect_eq(http_get(served.port, "/healthz", NULL), 404);
	cr_assert(http_open(&client, served.admin));
	cr_assert(http_request(&client, "POST", "/healthz", "", "x"));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 405);
	http_answer_free(&answer);
	http_close(&client);
	cr_expect_eq(served_stop(&served), 0);
	served_end(&served);
}

/* Run the command to its end. */
static int run(struct process *process, const char *dir, const char *const *args)
{
	const char *argv[16] = {process_anabranch(), "serve"};
	size_t n = 2;

	while (*args != NULL && n < AB_COUNT(argv) - 1)
		argv[n++] = *args++;
	argv[n] = NULL;
	return process_run(process, argv, dir, 30000);
}

Test(serve, an_address_in_use_is_named_and_ends_it)
{
	struct served served = {0};
	struct process process = {0};
	char address[32];

	served_start(&served, hello, one_worker);
	for (int workers = 1; workers <= 2; workers++) {
		snprintf(address, sizeof(address), "127.0.0.1:%u", served.port);
		cr_expect_eq(run(&process, served.dir,
		                     (const char *[]){"--listen", address, "--admin", "off", "--workers",
		                             workers == 1 ? "1" : "2", "app.yaml", NULL}),
		        1);
		cr_expect_not_null(strstr(process.err.data, address), "%s", process.err.data);
		cr_expect_not_null(strstr(process.err.data, "in use"));
		process_end(&process);
	}
	snprintf(address, sizeof(address), "127.0.0.1:%u", served.admin);
	cr_expect_eq(
	        run(&process, served.dir,
	                (const char *[]){"--listen", "127.0.0.1:0", "--admin", address, "app.yaml", NULL}),
	        1);
	cr_expect_not_null(strstr(process.err.data, address), "%s", process.err.data);
	process_end(&process);
	cr_expect_eq(served_stop(&served), 0);
	served_end(&served);
}

Test(serve, a_mistake_in_the_app_ends_it_before_it_listens)
{
	struct served served = {0};
	struct process process = {0};

	served_file(&served, "bad.yaml", "resources:\n  a: {text: \"{{b}}\"}\nroutes:\n  GET /: a\n");
	cr_expect_eq(run(&process, served.dir, (const char *[]){"bad.yaml", NULL}), 2);
	cr_expect_not_null(strstr(process.err.data, "bad.yaml:2:"), "%s", process.err.data);
	process_end(&process);
	cr_expect_eq(run(&process, served.dir, (const char *[]){"none.yaml", NULL}), 2);
	cr_expect_not_null(strstr(process.err.data, "none.yaml"), "%s", process.err.data);
	process_end(&process);
	served_end(&served);
}

Test(serve, wrong_usage_is_told_and_help_shown)
{
	static const char *const wrong[][4] = {
	        {NULL},
	        {"--workers", "0", "app.yaml"},
	        {"--workers", "1x", "app.yaml"},
	        {"--workers", "app.yaml"},
	        {"--listen", "127.0.0.1", "app.yaml"},
	        {"--listen", "nowhere.example:80", "app.yaml"},
	        {"--listen", "127.0.0.1:65536", "app.yaml"},
	        {"--listen", "[::1:80", "app.yaml"},
	        {"--admin", "9901", "app.yaml"},
	        {"--log", "xml", "app.yaml"},
	        {"--nothing", "app.yaml"},
	        {"app.yaml", "app.yaml"},
	};
	struct served served = {0};
	struct process process = {0};

	served_file(&served, "app.yaml", hello);
	for (size_t i = 0; i < AB_COUNT(wrong); i++) {
		cr_expect_eq(
		        run(&process, served.dir, wrong[i]), 2, "case %zu: exit %d", i, process.exit_code);
		cr_expect_not_null(strstr(process.err.data, "serve"), "case %zu: %s", i, process.err.data);
		process_end(&process);
	}
	cr_expect_eq(run(&process, served.dir,
	                     (const char *[]){"--accept-all", "--listen", "0.0.0.0:0", "app.yaml", NULL}),
	        2);
	cr_expect_not_null(strstr(process.err.data, "loopback"), "%s", process.err.data);
	process_end(&process);
	cr_expect_eq(run(&process, served.dir, (const char *[]){"--help", NULL}), 0);
	cr_expect_not_null(strstr(process.out.data, "--listen"));
	process_end(&process);
	served_end(&served);
}

Test(serve, goes_on_without_its_log)
{
	struct served served = {0};

	served_start(&served, hello, one_worker);
	close(served.process.err_fd);
	served.process.err_fd = -1;
	for (int i = 0; i < 200; i++)
		cr_assert_eq(http_get(served.port, "/greet", NULL), 200);
	cr_expect_eq(served_stop(&served), 0);
	served_end(&served);
}

/* ---- stopping ---- */

static void expect_gentle_stop(int signum)
{
	struct fake_upstream *upstream;
	struct served served;
	struct http_client client, idle;
	struct http_answer answer;
	char value[32];

	start_held(&served, &upstream);
	cr_assert(http_open(&idle, served.port));
	cr_assert(http_request(&idle, "GET", "/greet", "", NULL));
	cr_assert(http_receive(&idle, &answer, false));
	http_answer_free(&answer);
	cr_assert(http_open(&client, served.port));
	cr_assert(http_request(&client, "GET", "/held", "", NULL));
	cr_assert(wait_until(is_held, upstream));
	served_signal(&served, signum);
	cr_expect(wait_until(is_not_ready, &served), "still ready");
	cr_expect(wait_until(is_refused, &served), "still accepts");
	cr_expect(http_ends(&idle), "an idle connection stays open");
	http_close(&idle);
	fake_upstream_release(upstream, 1);
	cr_assert(http_receive(&client, &answer, false), "what was in flight is not answered");
	cr_expect_eq(answer.status, 200);
	cr_expect_str_eq(http_field(&answer, "Connection", value, sizeof(value)), "close");
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);
	end(&served, upstream, served_wait(&served));
}

Test(serve, sigterm_answers_what_is_in_flight)
{
	expect_gentle_stop(SIGTERM);
}

Test(serve, sigint_answers_what_is_in_flight)
{
	expect_gentle_stop(SIGINT);
}

Test(serve, a_second_signal_stops_at_once)
{
	struct fake_upstream *upstream;
	struct served served;
	struct http_client client;

	start_held(&served, &upstream);
	cr_assert(http_open(&client, served.port));
	cr_assert(http_request(&client, "GET", "/held", "", NULL));
	cr_assert(wait_until(is_held, upstream));
	served_signal(&served, SIGTERM);
	cr_expect(wait_until(is_not_ready, &served));
	served_signal(&served, SIGTERM);
	cr_expect(http_ends(&client));
	http_close(&client);
	end(&served, upstream, served_wait(&served));
}

Test(serve, a_write_whose_client_left_is_waited_for)
{
	struct fake_upstream *upstream;
	struct served served;
	struct http_client client;

	start_held(&served, &upstream);
	cr_assert(http_open(&client, served.port));
	cr_assert(http_request(&client, "POST", "/saved", "", ""));
	cr_assert(wait_until(is_held, upstream));
	http_close(&client);
	served_signal(&served, SIGTERM);
	cr_expect(wait_until(is_refused, &served));
	cr_expect_eq(fake_upstream_held(upstream), 1, "the write goes on");
	cr_expect_eq(kill(served.process.pid, 0), 0);
	fake_upstream_release(upstream, 1);
	end(&served, upstream, served_wait(&served));
}

/* ---- the deadline ---- */

/* POST /slow/PATH with a body that comes in two pieces, `pause_ms` between them; the status. */
static int post_slowly(const struct served *served, const char *path, unsigned pause_ms)
{
	struct http_client client;
	struct http_answer answer;
	char head[200];
	int status;

	snprintf(head, sizeof(head),
	        "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	        "Content-Length: 2\r\n\r\n{",
	        path);
	cr_assert(http_open(&client, served->port));
	cr_assert(http_sends(&client, head));
	nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000L}, NULL);
	cr_assert(http_sends(&client, "}"));
	cr_assert(http_receive(&client, &answer, false));
	status = answer.status;
	http_answer_free(&answer);
	http_close(&client);
	return status;
}

Test(serve, a_deadline_counts_from_the_end_of_the_head)
{
	struct fake_upstream *upstream = fake_upstream_start();
	struct served served = {0};
	char *app;

	cr_assert_geq(asprintf(&app,
	                      "server: {body_timeout: 30s}\n"
	                      "upstreams: {up: {url: \"%s\", timeout: 60s}}\n"
	                      "resources:\n"
	                      "  quick: {http: \"GET up/json\"}\n"
	                      "  never: {http: \"GET up/stall-before\"}\n"
	                      "  sorry: {text: \"sorry {{error.status}}\"}\n"
	                      "routes:\n"
	                      "  POST /over: {answer: quick, deadline: 300ms}\n"
	                      "  POST /left: {answer: quick, deadline: 60s}\n"
	                      "  POST /less: {answer: never, deadline: 1s, errors: {504: sorry}}\n",
	                      fake_upstream_url(upstream)),
	        0);
	served_start(&served, app, one_worker);
	free(app);
	cr_expect_eq(post_slowly(&served, "/over", 600), 504);
	cr_expect_eq(fake_upstream_requests(upstream), 0, "nothing is asked when no time is left");
	cr_expect_eq(post_slowly(&served, "/left", 600), 200);
	cr_expect_eq(post_slowly(&served, "/less", 400), 504);
	end(&served, upstream, served_stop(&served));
}

Test(serve, signals_with_nothing_in_flight_end_it)
{
	for (int i = 0; i < 5; i++) {
		struct served served = {0};

		served_start(&served, hello, NULL);
		cr_expect_eq(served_stop(&served), 0, "%s", served.process.err.data);
		served_end(&served);
	}
}

/* ---- stopping under load ---- */

enum { CLIENTS = 16 };

struct load {
	unsigned short port;
	_Atomic unsigned answered;
	_Atomic unsigned failed; /* asked on an open connection, and not answered */
};

/* Ask on kept connections, as often as there is one to be had; a connection the server has said it closes, or
 * does not accept, is no failure. */
static void *load_client(void *arg)
{
	struct load *load = arg;
	struct http_client client;
	struct http_answer answer;
	char value[32];
	bool open = true;

	while (http_open(&client, load->port)) {
		for (open = true; open;) {
			bool whole = http_request(&client, "GET", "/greet?who=You", "", NULL) &&
			             http_receive(&client, &answer, false);

			if (whole && answer.status == 200 && strcmp(answer.body, "Hello You!") == 0)
				atomic_fetch_add(&load->answered, 1);
			else
				atomic_fetch_add(&load->failed, 1);
			open = whole && http_field(&answer, "Connection", value, sizeof(value)) == NULL;
			http_answer_free(&answer);
		}
		http_close(&client);
	}
	return NULL;
}

static bool has_load(void *arg)
{
	struct load *load = arg;

	return atomic_load(&load->answered) > 2000;
}

Test(serve, sigterm_under_load_fails_no_request)
{
	static const char *const two[] = {"--workers", "2", NULL};
	struct served served = {0};
	struct load load = {0};
	pthread_t threads[CLIENTS];
	int code;

	served_start(&served, hello, two);
	load.port = served.port;
	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, load_client, &load), 0);
	cr_expect(wait_until(has_load, &load));
	code = served_stop(&served);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(code, 0, "exit %d", code);
	cr_expect_eq(atomic_load(&load.failed), 0, "%u of %u failed", atomic_load(&load.failed),
	        atomic_load(&load.answered));
	served_end(&served);
}
