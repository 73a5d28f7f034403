/* tests/server/test_outcomes.c: what a client gets when sources fail, lack things or are not asked at all;
 * and what the log of the real program has of it. */
#include "web.h"

#include "../lib/http_client.h"
#include "../lib/served.h"
#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(outcomes, .timeout = 60);

static struct fake_upstream *upstream;

/* `text` with the URL of a fake upstream for each UPSTREAM. */
static char *app_text(const char *text)
{
	char *filled = NULL;
	size_t size;
	FILE *out = open_memstream(&filled, &size);
	const char *at;

	upstream = fake_upstream_start();
	cr_assert_not_null(out);
	while ((at = strstr(text, "UPSTREAM")) != NULL) {
		fprintf(out, "%.*s%s", (int)(at - text), text, fake_upstream_url(upstream));
		text = at + strlen("UPSTREAM");
	}
	fputs(text, out);
	cr_assert_eq(fclose(out), 0);
	return filled;
}

static void open_app(struct web *w, const char *yaml)
{
	char *text = app_text(yaml);

	web_begin(w);
	web_file(w, "s.sql",
	        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'One');");
	web_compile(w, text, NULL);
	free(text);
}

static void close_app(struct web *w)
{
	web_close(w);
	fake_upstream_stop(upstream);
}

static void expect(struct web *w, const char *line, int status, const char *body, const char *degraded)
{
	struct web_reply *r = web_get(w, line, NULL, NULL);

	cr_expect_eq(r->reply->status, status, "%s: %d %s", line, r->reply->status, web_body(r));
	if (body != NULL)
		cr_expect_str_eq(web_body(r), body, "%s: %s", line, web_body(r));
	cr_expect_str_eq(web_header(r, "Anabranch-Degraded"), degraded, "%s", line);
	web_done(r);
}

/* ---- upstreams ---- */

static const struct {
	const char *line;
	int status;
	const char *body, *degraded;
} faults[] = {
        {"GET /required/json", 200, NULL, ""},
        {"GET /required/204", 200, "null", ""},
        {"GET /required/status/500", 502, NULL, ""},
        {"GET /required/status/400", 502, NULL, ""},
        {"GET /required/status/401", 502, NULL, ""},
        {"GET /required/status/404", 404, NULL, ""},
        {"GET /required/status/410", 404, NULL, ""},
        {"GET /required/redirect", 502, NULL, ""},
        {"GET /stalled/stall-before", 504, NULL, ""},
        {"GET /stalled/stall-in-head", 504, NULL, ""},
        {"GET /stalled/stall-in-body", 504, NULL, ""},
        {"GET /required/endless", 502, NULL, ""},
        {"GET /required/short-length", 502, NULL, ""},
        {"GET /required/badjson", 502, NULL, ""},
        {"GET /required/gzip-bomb", 502, NULL, ""},
        {"GET /required/reset-in-body", 502, NULL, ""},
        {"GET /required/garbage-status", 502, NULL, ""},
        {"GET /optional/status/500", 200, "null", "optional"},
        {"GET /patient", 200, "null", "patient"},
        {"GET /backed/badjson", 200, "{\"none\":true}", "backed"},
        {"GET /backed/status/404", 200, "{\"none\":true}", "backed"},
        {"GET /absent/status/404", 200, "null", ""},
        {"GET /absent/status/410", 200, "null", ""},
        {"GET /absent/status/500", 502, NULL, ""},
        {"GET /passed/status/401", 401, NULL, ""},
        {"GET /passed/status/403", 403, NULL, ""},
        {"GET /passed/status/409", 502, NULL, ""},
        {"GET /login/status/404", 401, NULL, ""},
        {"GET /down", 502, NULL, ""},
};

Test(outcomes, each_fault_of_an_upstream_has_its_status)
{
	struct web w;

	open_app(&w, "server: {deadline: 30s}\n"
	             "upstreams:\n"
	             "  up: {url: \"UPSTREAM\", timeout: 20s, max_body: 64KiB}\n"
	             "  nowhere: {url: \"http://127.0.0.1:1\"}\n"
	             "resources:\n"
	             "  required: {http: \"GET up{/fault*}\"}\n"
	             "  stalled: {http: \"GET up{/fault*}\", timeout: 300ms}\n"
	             "  optional: {http: \"GET up{/fault*}\", optional: true}\n"
	             "  patient: {http: GET up/stall-before, optional: true, timeout: 300ms}\n"
	             "  backed: {http: \"GET up{/fault*}\", fallback: {value: {none: true}}}\n"
	             "  absent: {http: \"GET up{/fault*}\", missing: null}\n"
	             "  passed: {http: \"GET up{/fault*}\", pass: [401, 403]}\n"
	             "  login: {http: \"GET up{/fault*}\", missing: 401}\n"
	             "  down: {http: GET nowhere/x}\n"
	             "  optional_page: {json: \"{optional}\"}\n"
	             "  patient_page: {json: \"{patient}\"}\n"
	             "  backed_page: {json: \"{backed}\"}\n"
	             "  absent_page: {json: \"{absent}\"}\n"
	             "  fault: {json: [\"{a}\", \"{b}\"]}\n"
	             "  b: null\n"
	             "routes:\n"
	             "  GET /required/{a}: required\n"
	             "  GET /required/{a}/{b}: {answer: required, accept: {b: string}}\n"
	             "  GET /stalled/{a}: stalled\n"
	             "  GET /patient: patient_page\n"
	             "  GET /optional/{a}/{b}: {answer: optional_page, accept: {b: string}}\n"
	             "  GET /backed/{a}: backed_page\n"
	             "  GET /backed/{a}/{b}: {answer: backed_page, accept: {b: string}}\n"
	             "  GET /absent/{a}/{b}: {answer: absent_page, accept: {b: string}}\n"
	             "  GET /passed/{a}/{b}: {answer: passed, accept: {b: string}}\n"
	             "  GET /login/{a}/{b}: {answer: login, accept: {b: string}}\n"
	             "  GET /down: down\n");
	for (size_t i = 0; i < AB_COUNT(faults); i++)
		expect(&w, faults[i].line, faults[i].status, faults[i].body, faults[i].degraded);
	close_app(&w);
}

/* ---- what is not there ---- */

Test(outcomes, a_row_that_is_not_there_is_what_missing_says)
{
	struct web w;

	open_app(&w, "upstreams: {up: {url: \"UPSTREAM\"}}\n"
	             "databases:\n  main: {url: \"sqlite:t.db\", schema: s.sql}\n"
	             "resources:\n"
	             "  found: {sql: \"SELECT name FROM t WHERE id = :id\", returns: row}\n"
	             "  name: {sql: \"SELECT name FROM t WHERE id = :id\", returns: value, missing: 403}\n"
	             "  maybe: {sql: \"SELECT name FROM t WHERE id = :id\", returns: row, missing: null}\n"
	             "  all: {sql: \"SELECT name FROM t WHERE id = :id\"}\n"
	             "  page: {json: {m: \"{maybe}\", n: \"{maybe.name}\"}}\n"
	             "  unused: {http: GET up/json}\n"
	             "routes:\n"
	             "  GET /found/{id}: {answer: found, accept: {id: integer}}\n"
	             "  GET /name/{id}: {answer: name, accept: {id: integer}}\n"
	             "  GET /page/{id}: {answer: page, accept: {id: integer}}\n"
	             "  GET /all/{id}: {answer: all, accept: {id: integer}}\n"
	             "  GET /guarded/{id}: {answer: unused, guard: [all, name], accept: {id: integer}}\n");
	expect(&w, "GET /found/1", 200, "{\"name\":\"One\"}", "");
	expect(&w, "GET /found/2", 404, NULL, "");
	expect(&w, "GET /name/2", 403, NULL, "");
	expect(&w, "GET /page/2", 200, "{\"m\":null,\"n\":null}", "");
	expect(&w, "GET /all/2", 200, "[]", "");
	expect(&w, "GET /guarded/2", 403, NULL, "");
	cr_expect_eq(fake_upstream_requests(upstream), 0, "nothing starts behind a guard that fails");
	expect(&w, "GET /guarded/1", 200, NULL, "");
	cr_expect_eq(fake_upstream_requests(upstream), 1);
	close_app(&w);
}

Test(outcomes, a_template_can_say_what_is_degraded)
{
	struct web w;

	open_app(&w,
	        "upstreams: {up: {url: \"UPSTREAM\"}}\n"
	        "resources:\n"
	        "  reviews: {http: GET up/status/500, fallback: []}\n"
	        "  stock: {http: GET up/stall-before, optional: true}\n"
	        "  fine: {http: GET up/json, optional: true}\n"
	        "  page:\n"
	        "    text: \"{{#degraded.reviews}}reviews: {{reason}}{{/degraded.reviews}}, "
	        "{{#degraded.stock}}stock: {{reason}}{{/degraded.stock}}, "
	        "{{#degraded.fine}}never{{/degraded.fine}}{{^degraded.fine}}{{fine.name}}{{/degraded.fine}}\"\n"
	        "    needs: [reviews, stock]\n"
	        "routes:\n  GET /: page\n");
	expect(&w, "GET /", 200, "reviews: upstream, stock: timeout, Lamp", "reviews, stock");
	close_app(&w);
}

/* ---- what is not asked ---- */

Test(outcomes, a_given_name_is_not_fetched_nor_what_only_it_needed)
{
	struct web w;

	open_app(&w, "upstreams: {up: {url: \"UPSTREAM\"}}\n"
	             "resources:\n"
	             "  category: {http: GET up/json?category}\n"
	             "  product: {http: \"GET up/json?product={category.id}\"}\n"
	             "  shared: {http: GET up/json?shared}\n"
	             "  page: {json: {p: \"{product.name}\", s: \"{shared.id}\"}}\n"
	             "routes:\n"
	             "  POST /: {answer: page, accept: {product: {type: json}}}\n"
	             "  GET /: {answer: page, accept: {product: {type: json}}}\n");
	expect(&w, "GET /", 200, "{\"p\":\"Lamp\",\"s\":1}", "");
	cr_expect_eq(fake_upstream_requests(upstream), 3);
	expect(&w, "GET /?product=%7B%22name%22:%22Vase%22%7D", 200, "{\"p\":\"Vase\",\"s\":1}", "");
	cr_expect_eq(fake_upstream_requests(upstream), 4);
	cr_expect_eq(fake_upstream_count(upstream, "/json?shared"), 2);
	close_app(&w);
}

Test(outcomes, only_the_media_type_that_is_chosen_is_made)
{
	struct web_reply *r;
	struct web w;

	open_app(&w, "upstreams: {up: {url: \"UPSTREAM\"}}\n"
	             "resources:\n"
	             "  product: {http: GET up/json?product}\n"
	             "  menu: {http: GET up/json?menu}\n"
	             "  page: {text: \"{{menu.name}} {{product.name}}\", type: html}\n"
	             "  data: {json: \"{product.name}\"}\n"
	             "routes:\n"
	             "  GET /: {answer: {text/html: page, application/json: data}}\n");
	r = web_get(&w, "GET /", "Accept: application/json", NULL);
	cr_expect_str_eq(web_body(r), "\"Lamp\"");
	web_done(r);
	cr_expect_eq(fake_upstream_count(upstream, "/json?menu"), 0);
	expect(&w, "GET /", 200, "Lamp Lamp", "");
	cr_expect_eq(fake_upstream_count(upstream, "/json?menu"), 1);
	close_app(&w);
}

/* ---- numbers ---- */

Test(outcomes, numbers_beyond_64_bits_lose_no_document)
{
	static const char json[] = "Content-Type: application/json";
	struct web_reply *r;
	struct web w;

	open_app(&w, "upstreams: {up: {url: \"UPSTREAM\"}}\n"
	             "resources: {page: {json: \"{v}\"}, big: {http: GET up/numbers}}\n"
	             "routes:\n"
	             "  GET /: big\n"
	             "  POST /: {answer: page, accept: {v: {type: json, in: body}}}\n");
	fake_upstream_answer(upstream, "/numbers", 200, "application/json",
	        "{\"a\":18446744073709551616,\"b\":1e400,\"c\":1}");
	expect(&w, "GET /", 200, "{\"a\":\"18446744073709551616\",\"b\":\"1e400\",\"c\":1}", "");
	r = web_get(&w, "POST /", json, "{\"a\": [-9223372036854775809], \"c\": 1}");
	cr_expect_str_eq(web_body(r), "{\"a\":[\"-9223372036854775809\"],\"c\":1}");
	web_done(r);
	close_app(&w);
}

/* ---- the log ---- */

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text != NULL ? text : "";
}

/* The line of the log that has this id. */
static json_t *logged(const char *log, const char *id)
{
	const char *at = strstr(log, id), *begin = at;
	json_t *line;

	cr_assert_not_null(at, "no %s in %s", id, log);
	while (begin > log && begin[-1] != '\n')
		begin--;
	line = json_loadb(begin, strcspn(begin, "\n"), 0, NULL);
	cr_assert_not_null(line, "%s", begin);
	return line;
}

static int ask(const struct served *served, const char *target, char *ret_id, size_t size, char **ret_body)
{
	struct http_client client;
	struct http_answer answer;
	int status;

	cr_assert(http_open(&client, served->port));
	cr_assert(http_request(&client, "GET", target, "", NULL));
	cr_assert(http_receive(&client, &answer, false));
	cr_assert_not_null(http_field(&answer, "X-Request-Id", ret_id, size));
	status = answer.status;
	*ret_body = answer.body;
	answer.body = NULL;
	http_answer_free(&answer);
	http_close(&client);
	return status;
}

Test(outcomes, the_log_has_under_the_answers_id_what_the_client_is_not_told)
{
	static const char *const one_worker[] = {"--workers", "1", NULL};
	struct served served = {0};
	char *text = app_text("upstreams: {up: {url: \"UPSTREAM\"}}\n"
	                      "resources:\n"
	                      "  user: {http: GET up/status/500}\n"
	                      "  spare: {http: GET up/badjson}\n"
	                      "  stock: {http: GET up/status/503, fallback: {resource: spare}}\n"
	                      "  reviews: {http: GET up/status/500, fallback: []}\n"
	                      "  page: {json: \"{reviews}\"}\n"
	                      "  broken: {json: \"{stock}\"}\n"
	                      "routes:\n  GET /user/{x}: {answer: page, needs: [user]}\n"
	                      "  GET /broken: broken\n  GET /page: page\n");
	char failed[64], chained[64], fine[64], *body;
	json_t *line;

	served_start(&served, text, one_worker);
	free(text);
	cr_expect_eq(ask(&served, "/user/secret-value", failed, sizeof(failed), &body), 502);
	cr_expect_not_null(strstr(body, failed), "the client can quote the id");
	cr_expect_null(strstr(body, "user"), "%s", body);
	free(body);
	cr_expect_eq(ask(&served, "/broken", chained, sizeof(chained), &body), 502);
	free(body);
	cr_expect_eq(ask(&served, "/page", fine, sizeof(fine), &body), 200);
	free(body);
	cr_expect_eq(served_stop(&served), 0);

	line = logged(served.process.err.data, failed);
	cr_expect_str_eq(text_of(line, "route"), "GET /user/{x}");
	cr_expect_eq(json_integer_value(json_object_get(line, "status")), 502);
	cr_expect_str_eq(text_of(line, "resource"), "user");
	cr_expect_not_null(strstr(text_of(line, "error"), "GET up/status/500"), "%s", text_of(line, "error"));
	json_decref(line);
	line = logged(served.process.err.data, chained);
	cr_expect_not_null(strstr(text_of(line, "error"), "503"), "%s", text_of(line, "error"));
	cr_expect_not_null(
	        strstr(text_of(line, "error"), "spare"), "both causes: %s", text_of(line, "error"));
	json_decref(line);
	line = logged(served.process.err.data, fine);
	cr_expect_str_eq(text_of(line, "degraded"), "reviews");
	cr_expect_eq(json_integer_value(json_object_get(line, "bytes")), 2);
	cr_expect(json_is_number(json_object_get(line, "ms")));
	json_decref(line);
	cr_expect_null(strstr(served.process.err.data, "secret-value"), "values are not logged");
	served_end(&served);
	fake_upstream_stop(upstream);
}

Test(outcomes, without_an_access_log_only_failures_are_logged)
{
	struct served served = {0};
	char *text = app_text("server: {access_log: false}\nupstreams: {up: {url: \"UPSTREAM\"}}\n"
	                      "resources: {fine: 1, broken: {http: GET up/close}}\n"
	                      "routes: {GET /fine: fine, GET /broken: broken}\n");
	char fine[64], broken[64], *body;

	served_start(&served, text, NULL);
	free(text);
	cr_expect_eq(ask(&served, "/fine", fine, sizeof(fine), &body), 200);
	free(body);
	cr_expect_eq(ask(&served, "/broken", broken, sizeof(broken), &body), 502);
	free(body);
	cr_expect_eq(served_stop(&served), 0);
	cr_expect_null(strstr(served.process.err.data, fine));
	cr_expect_not_null(strstr(served.process.err.data, broken));
	served_end(&served);
	fake_upstream_stop(upstream);
}
