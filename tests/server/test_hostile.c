/* tests/server/test_hostile.c: one value, whatever is in it, in every place of one answer. It arrives in each
 * as that value, and changes nothing else. */
#include "web.h"

#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hostile, .timeout = 30);

static const char form[] = "Content-Type: application/x-www-form-urlencoded";

struct places {
	struct fake_upstream *upstream;
	struct web web;
};

/* The value comes as the path's variable `v`. */
static void places_open(struct places *p)
{
	char yaml[3000];

	p->upstream = fake_upstream_start();
	web_begin(&p->web);
	web_file(&p->web, "s.sql",
	        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x');");
	web_file(&p->web, "page.html", "<p title=\"{{v}}\">{{v}}</p>");
	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\", headers: {X-Fixed: fixed}}\n"
	        "databases:\n  main: {url: \"sqlite:t.db\", schema: s.sql}\n"
	        "resources:\n"
	        "  page: {template: page.html}\n"
	        "  in_path: {http: \"GET up/echo/{v}/end\"}\n"
	        "  in_query: {http: \"GET up/echo?a=1&v={v}&z=2\"}\n"
	        "  in_header: {http: \"GET up/echo\", headers: {X-V: \"{v}\"}}\n"
	        "  in_body: {http: \"POST up/echo\", body: {v: \"{v}\", n: 1}}\n"
	        "  in_form: {http: \"POST up/echo\", form: {v: \"{v}\", n: one}}\n"
	        "  found: {sql: \"SELECT id FROM t WHERE v = :v\"}\n"
	        "  added: {sql: \"INSERT INTO t (v) VALUES (:v) RETURNING v\", returns: row}\n"
	        "  count: {sql: \"SELECT count(*) FROM t\", returns: value}\n"
	        "  fetched: {json: {path: \"{in_path.target}\", query: \"{in_query.target}\", found: \"{found}\"}}\n"
	        "  sent: {json: \"{in_header.headers}\"}\n"
	        "  word: done\n"
	        "routes:\n"
	        "  GET /page/{v}: page\n"
	        "  GET /fetched/{v}: fetched\n"
	        "  GET /sent/{v}: sent\n"
	        "  GET /header/{v}: {answer: word, headers: {X-V: \"{v}\", X-Fixed: fixed}}\n"
	        "  GET /cookie/{v}: {answer: word, cookies: {c: {value: \"{v}\"}}}\n"
	        "  GET /count: count\n"
	        "  POST /body/{v}: in_body\n"
	        "  POST /form/{v}: in_form\n"
	        "  POST /added/{v}: added\n"
	        "  POST /go/{v}: {redirect: \"/there/{v}?v={v}\"}\n",
	        fake_upstream_url(p->upstream));
	web_compile(&p->web, yaml, NULL);
}

static void places_close(struct places *p)
{
	web_close(&p->web);
	fake_upstream_stop(p->upstream);
}

/* Ask "METHOD /place/" with the value behind it; the caller ends the reply. */
static struct web_reply *ask(struct places *p, const char *place, const char *encoded)
{
	static char line[400];

	snprintf(line, sizeof(line), "%s%s", place, encoded);
	return web_get(&p->web, line, *place == 'P' ? form : NULL, NULL);
}

/* The answer's JSON, or the value at `key` of it. The caller frees it. */
static json_t *ask_json(struct places *p, const char *place, const char *encoded)
{
	struct web_reply *r = ask(p, place, encoded);
	json_t *json = json_loads(web_body(r), JSON_DECODE_ANY, NULL);

	cr_assert_eq(r->reply->status, 200, "%s%s: %d %s", place, encoded, r->reply->status, web_body(r));
	cr_assert_not_null(json, "%s%s: %s", place, encoded, web_body(r));
	web_done(r);
	return json;
}

static void expect_member(
        const json_t *json, const char *key, const char *prefix, const char *value, const char *end)
{
	const char *found = json_string_value(json_object_get(json, key));
	char want[400];

	cr_assert_not_null(found, "no %s", key);
	snprintf(want, sizeof(want), "%s%s%s", prefix, value, end);
	cr_expect_str_eq(found, want, "%s is %s and not %s", key, found, want);
}

static const struct {
	const char *encoded; /* as a client sends it, and as it goes on in a URL */
	const char *value;
	const char *html;
} values[] = {
        {"a%2Fb", "a/b", "a/b"},
        {"a..%2F", "a../", "a../"},
        {"user%40evil.example", "user@evil.example", "user@evil.example"},
        {"a%3Fx%3D1", "a?x=1", "a?x=1"},
        {"a%23b", "a#b", "a#b"},
        {"a%26b%3Dc", "a&b=c", "a&amp;b=c"},
        {"%27%20OR%20%271%27%3D%271", "' OR '1'='1", "&#39; OR &#39;1&#39;=&#39;1"},
        {"%27%3B%20DROP%20TABLE%20t%3B%20--", "'; DROP TABLE t; --", "&#39;; DROP TABLE t; --"},
        {"%22%20onclick%3D%22x", "\" onclick=\"x", "&quot; onclick=&quot;x"},
        {"%3Cscript%3Ealert%281%29%3C%2Fscript%3E", "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"%7B%7Bv%7D%7D%20%7Bv%7D%20%24%7BHOME%7D%20%3Av", "{{v}} {v} ${HOME} :v", "{{v}} {v} ${HOME} :v"},
        {"%252e%252e%252F", "%2e%2e%2F", "%2e%2e%2F"},
        {"%C3%A9%F0%9F%90%9F", "\xc3\xa9\xf0\x9f\x90\x9f", "\xc3\xa9\xf0\x9f\x90\x9f"},
};

/* ---- each value in each place ---- */

static void expect_in_html(struct places *p, size_t i)
{
	struct web_reply *r = ask(p, "GET /page/", values[i].encoded);
	char want[400];

	snprintf(want, sizeof(want), "<p title=\"%s\">%s</p>", values[i].html, values[i].html);
	cr_expect_str_eq(web_body(r), want);
	web_done(r);
}

static void expect_in_urls(struct places *p, size_t i)
{
	json_t *json = ask_json(p, "GET /fetched/", values[i].encoded);
	struct web_reply *r;
	char want[400];

	expect_member(json, "path", "/echo/", values[i].encoded, "/end");
	expect_member(json, "query", "/echo?a=1&v=", values[i].encoded, "&z=2");
	cr_expect_eq(json_array_size(json_object_get(json, "found")), 0, "%s", values[i].value);
	json_decref(json);
	r = ask(p, "POST /go/", values[i].encoded);
	snprintf(want, sizeof(want), "/there/%s?v=%s", values[i].encoded, values[i].encoded);
	cr_expect_eq(r->reply->status, 303);
	cr_expect_str_eq(web_header(r, "Location"), want);
	web_done(r);
}

static void expect_in_headers(struct places *p, size_t i)
{
	struct web_reply *r = ask(p, "GET /header/", values[i].encoded);
	size_t n_headers = r->reply->n_headers;
	json_t *json;

	cr_expect_str_eq(web_header(r, "X-V"), values[i].value);
	cr_expect_str_eq(web_header(r, "X-Fixed"), "fixed");
	web_done(r);
	r = ask(p, "GET /header/", "plain");
	cr_expect_eq(r->reply->n_headers, n_headers, "as many headers as with any value");
	web_done(r);
	r = ask(p, "GET /cookie/", values[i].encoded);
	cr_expect_null(strpbrk(web_header(r, "Set-Cookie") + 2, "\"',\\"), "%s", web_header(r, "Set-Cookie"));
	cr_expect_not_null(strstr(web_header(r, "Set-Cookie"), "; Path=/; HttpOnly; Secure; SameSite=Lax"));
	web_done(r);
	json = ask_json(p, "GET /sent/", values[i].encoded);
	expect_member(json, "x-v", "", values[i].value, "");
	expect_member(json, "x-fixed", "", "fixed", "");
	json_decref(json);
}

/* A blank in a form is a plus (WHATWG URL, section 5.2). */
static const char *form_encoded(const char *encoded)
{
	static char text[200];
	size_t len = 0;

	for (const char *c = encoded; *c != '\0'; c++) {
		bool blank = strncmp(c, "%20", 3) == 0;

		text[len++] = blank ? '+' : *c;
		c += blank ? 2 : 0;
	}
	text[len] = '\0';
	return text;
}

static void expect_in_bodies(struct places *p, size_t i)
{
	json_t *json = ask_json(p, "POST /body/", values[i].encoded), *body;

	body = json_loads(json_string_value(json_object_get(json, "body")), 0, NULL);
	expect_member(body, "v", "", values[i].value, "");
	cr_expect_eq(json_object_size(body), 2);
	json_decref(body);
	json_decref(json);
	json = ask_json(p, "POST /form/", values[i].encoded);
	expect_member(json, "body", "v=", form_encoded(values[i].encoded), "&n=one");
	json_decref(json);
}

static void expect_in_sql(struct places *p, size_t i)
{
	json_t *json = ask_json(p, "POST /added/", values[i].encoded);

	expect_member(json, "v", "", values[i].value, "");
	json_decref(json);
	json = ask_json(p, "GET /count", "");
	cr_expect_eq(json_integer_value(json), (json_int_t)i + 2, "one row more for each");
	json_decref(json);
}

Test(hostile, a_path_variable_is_encoded_for_each_place_it_reaches)
{
	struct places p;

	places_open(&p);
	for (size_t i = 0; i < AB_COUNT(values); i++) {
		expect_in_html(&p, i);
		expect_in_urls(&p, i);
		expect_in_headers(&p, i);
		expect_in_bodies(&p, i);
		expect_in_sql(&p, i);
	}
	places_close(&p);
}

/* ---- line ends ---- */

#define LINES "a%0D%0AX-Evil%3A%201%0D%0A%0D%0A"
#define LINES_VALUE "a\r\nX-Evil: 1\r\n\r\n"

Test(hostile, line_ends_are_encoded_or_fail_and_never_begin_a_line)
{
	struct web_reply *r;
	struct places p;
	json_t *json;

	places_open(&p);
	json = ask_json(&p, "GET /fetched/", LINES);
	expect_member(json, "path", "/echo/", LINES, "/end");
	expect_member(json, "query", "/echo?a=1&v=", LINES, "&z=2");
	json_decref(json);
	json = ask_json(&p, "POST /added/", LINES);
	expect_member(json, "v", "", LINES_VALUE, "");
	json_decref(json);
	json = ask_json(&p, "POST /form/", LINES);
	expect_member(json, "body", "v=", form_encoded(LINES), "&n=one");
	json_decref(json);
	r = ask(&p, "GET /page/", LINES);
	cr_expect_str_eq(web_body(r), "<p title=\"" LINES_VALUE "\">" LINES_VALUE "</p>");
	web_done(r);
	r = ask(&p, "GET /cookie/", LINES);
	cr_expect_eq(strncmp(web_header(r, "Set-Cookie"), "c=" LINES ";", strlen("c=" LINES ";")), 0, "%s",
	        web_header(r, "Set-Cookie"));
	web_done(r);
	r = ask(&p, "GET /header/", LINES);
	cr_expect_eq(r->reply->status, 400, "%d", r->reply->status);
	cr_expect_str_eq(web_header(r, "X-V"), "");
	web_done(r);
	r = ask(&p, "GET /sent/", LINES);
	cr_expect_eq(r->reply->status, 400, "%d", r->reply->status);
	web_done(r);
	cr_expect_eq(fake_upstream_requests(p.upstream), 3, "the request with the header is not sent");
	for (size_t i = 0; i < fake_upstream_requests(p.upstream); i++) {
		char *raw = fake_upstream_request(p.upstream, i);

		cr_expect_null(strstr(raw, "\nX-Evil"), "%s", raw);
		free(raw);
	}
	places_close(&p);
}

/* ---- dot segments ---- */

Test(hostile, dot_segments_never_get_into_a_path)
{
	static const char *const segments[] = {"..%2F..%2Fetc", "..%2f", "%2F..", "a%2F..%2Fb", "a%2F."};
	struct web_reply *r;
	struct places p;

	places_open(&p);
	for (size_t i = 0; i < AB_COUNT(segments); i++) {
		r = ask(&p, "GET /fetched/", segments[i]);
		cr_expect_eq(r->reply->status, 400, "%s: %d", segments[i], r->reply->status);
		web_done(r);
		r = ask(&p, "POST /go/", segments[i]);
		cr_expect_eq(r->reply->status, 400, "%s: %d", segments[i], r->reply->status);
		cr_expect_str_eq(web_header(r, "Location"), "");
		web_done(r);
		r = ask(&p, "POST /added/", segments[i]);
		cr_expect_eq(r->reply->status, 200, "fine where it is no path");
		web_done(r);
	}
	cr_expect_eq(fake_upstream_count(p.upstream, "/echo/"), 0);
	places_close(&p);
}
