/* Requests answered by real app files: answers, errors, negotiation, headers, cookies, redirects, deadlines.
 */
#include "web.h"

#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(exchange, .timeout = 30);

static const char form[] = "Content-Type: application/x-www-form-urlencoded";
static const char wants_html[] = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

static void expect(struct web *w, const char *line, const char *headers, const char *body, int status,
        const char *expected)
{
	struct web_reply *r = web_get(w, line, headers, body);

	cr_expect_eq(r->reply->status, status, "%s: %d\n%s", line, r->reply->status, web_body(r));
	if (expected != NULL)
		cr_expect_str_eq(web_body(r), expected, "%s", line);
	web_done(r);
}

/* ---- answers ---- */

static const char hello[] =
        "resources:\n"
        "  who: World\n"
        "  greet:\n"
        "    text: \"Hello {{who}}!\"\n"
        "  page: {text: \"<b>{{who}}</b>\", type: html}\n"
        "  data: {json: {who: \"{who}\", real: 149.95}}\n"
        "  word: just a string\n"
        "routes:\n"
        "  GET /greet: {answer: greet, accept: {who: string}}\n"
        "  GET /page: {answer: page, accept: {who: string}}\n"
        "  GET /data: data\n"
        "  GET /word: word\n"
        "  GET /both: {answer: {text/html: page, application/json: data, application/hal+json: data}}\n"
        "  POST /made: {answer: data, status: 201, headers: {Location: \"/data\", X-N: 5}}\n";

Test(exchange, answers_at_once_what_needs_no_waiting)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, hello);
	r = web_get(&w, "GET /greet?who=Everyone", NULL, NULL);
	cr_expect_eq(r->code, AB_OK);
	cr_expect_eq(r->reply->status, 200);
	cr_expect_str_eq(web_body(r), "Hello Everyone!");
	cr_expect_eq(r->reply->body_len, strlen("Hello Everyone!"));
	cr_expect_str_eq(r->reply->media, "text/plain; charset=utf-8");
	cr_expect_str_eq(r->reply->route, "GET /greet");
	cr_expect_str_eq(web_header(r, "X-Content-Type-Options"), "nosniff");
	cr_expect_str_eq(web_header(r, "X-Request-Id"), "test-id");
	cr_expect_str_eq(web_header(r, "Content-Security-Policy"), "");
	cr_expect_null(r->reply->error);
	cr_expect_null(r->reply->degraded);
	web_done(r);
	expect(&w, "GET /greet", NULL, NULL, 200, "Hello World!");
	web_close(&w);
}

Test(exchange, html_is_escaped_and_carries_its_policies)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, hello);
	r = web_get(&w, "GET /page?who=%3Cscript%3E", NULL, NULL);
	cr_expect_str_eq(web_body(r), "<b>&lt;script&gt;</b>");
	cr_expect_str_eq(r->reply->media, "text/html; charset=utf-8");
	cr_expect_str_eq(web_header(r, "Referrer-Policy"), "strict-origin-when-cross-origin");
	cr_expect_str_eq(web_header(r, "Content-Security-Policy"),
	        "frame-ancestors 'self'; base-uri 'self'; object-src 'none'");
	web_done(r);
	web_close(&w);
}

Test(exchange, what_is_no_text_is_json)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, hello);
	r = web_get(&w, "GET /data", NULL, NULL);
	cr_expect_str_eq(web_body(r), "{\"who\":\"World\",\"real\":149.95}");
	cr_expect_str_eq(r->reply->media, "application/json");
	web_done(r);
	expect(&w, "GET /word", NULL, NULL, 200, "\"just a string\"");
	web_close(&w);
}

Test(exchange, statuses_and_literal_headers_are_sent)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, hello);
	r = web_get(&w, "POST /made", NULL, NULL);
	cr_expect_eq(r->reply->status, 201);
	cr_expect_str_eq(web_header(r, "Location"), "/data");
	cr_expect_str_eq(web_header(r, "X-N"), "5");
	web_done(r);
	web_close(&w);
}

static const struct {
	const char *accept, *media, *why;
} negotiated[] = {
        {NULL, "text/html; charset=utf-8", "the first when the client does not say"},
        {"*/*", "text/html; charset=utf-8", "the first of equals"},
        {"application/json", "application/json", "what is asked for"},
        {"text/html;q=0.5, application/json", "application/json", "the higher quality"},
        {"text/html;q=0.5, application/json;q=0.4", "text/html; charset=utf-8", "the higher quality"},
        {"application/json;q=0, */*;q=0.1", "text/html; charset=utf-8",
                "refused by name, though anything will do"},
        {"text/*;q=0.1, application/json;q=0.2", "application/json", "a range of types"},
        {"APPLICATION/JSON", "application/json", "no case"},
        {"application/json ; q=1.0 , text/html ; q=0.9", "application/json", "blanks"},
        {"application/hal+json", "application/hal+json", "a +json type the file names"},
        {"image/png", "text/html; charset=utf-8", "none fits: the first"},
        {";;,,q=1", "text/html; charset=utf-8", "rubbish"},
};

Test(exchange, the_media_type_is_chosen_by_accept)
{
	struct web w;

	web_open(&w, hello);
	for (size_t i = 0; i < AB_COUNT(negotiated); i++) {
		char header[100];
		struct web_reply *r;

		snprintf(header, sizeof(header), "Accept: %s",
		        negotiated[i].accept != NULL ? negotiated[i].accept : "");
		r = web_get(&w, "GET /both", negotiated[i].accept != NULL ? header : NULL, NULL);
		cr_expect_str_eq(r->reply->media, negotiated[i].media, "%s (%s)", header, negotiated[i].why);
		cr_expect_str_eq(web_header(r, "Vary"), "Accept");
		web_done(r);
	}
	web_close(&w);
}

/* ---- methods and paths ---- */

Test(exchange, refuses_what_no_route_takes)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, hello);
	expect(&w, "GET /nothing", NULL, NULL, 404, NULL);
	expect(&w, "GET /greet/", NULL, NULL, 404, NULL);
	expect(&w, "GET /a%00b", NULL, NULL, 400, NULL);
	expect(&w, "GET /%2e%2e/greet", NULL, NULL, 400, NULL);
	expect(&w, "PURGE /greet", NULL, NULL, 501, NULL);
	expect(&w, "TRACE /greet", NULL, NULL, 405, NULL);
	r = web_get(&w, "DELETE /greet", NULL, NULL);
	cr_expect_eq(r->reply->status, 405);
	cr_expect_str_eq(web_header(r, "Allow"), "GET, HEAD, OPTIONS");
	cr_expect_null(r->reply->route);
	web_done(r);
	r = web_get(&w, "OPTIONS /made", NULL, NULL);
	cr_expect_eq(r->reply->status, 204);
	cr_expect_str_eq(web_header(r, "Allow"), "POST, OPTIONS");
	cr_expect_null(r->reply->body);
	web_done(r);
	expect(&w, "OPTIONS /nothing", NULL, NULL, 404, NULL);
	expect(&w, "HEAD /greet", NULL, NULL, 200, "Hello World!");
	web_close(&w);
}

static const struct {
	const char *headers;
	int status;
	const char *why;
} origins[] = {
        {NULL, 201, "no browser"},
        {"Sec-Fetch-Site: same-origin", 201, "our own page"},
        {"Sec-Fetch-Site: none", 201, "the user's own doing"},
        {"Sec-Fetch-Site: cross-site", 403, "another site"},
        {"Sec-Fetch-Site: same-site", 403, "a neighbour under the same domain"},
        {"Origin: https://shop.example\nHost: shop.example", 201, "our own origin"},
        {"Origin: http://Shop.Example:8080\nHost: shop.example:8080", 201, "our own origin, with a port"},
        {"Origin: https://evil.example\nHost: shop.example", 403, "another origin"},
        {"Origin: https://shop.example.evil.example\nHost: shop.example", 403, "one that begins like ours"},
        {"Origin: https://shop.example:8080\nHost: shop.example", 403, "another port"},
        {"Origin: null\nHost: shop.example", 403, "an origin that hides"},
        {"Origin: https://shop.example", 403, "no host to compare with"},
};

Test(exchange, refuses_unsafe_methods_from_another_site)
{
	struct web w;

	web_open(&w, hello);
	for (size_t i = 0; i < AB_COUNT(origins); i++)
		expect(&w, "POST /made", origins[i].headers, NULL, origins[i].status, NULL);
	expect(&w, "GET /greet", "Sec-Fetch-Site: cross-site", NULL, 200, NULL);
	web_close(&w);
	web_open(&w, "resources:\n  ok: 1\nroutes:\n  POST /hook: {answer: ok, cross_origin: true}\n");
	expect(&w, "POST /hook", "Sec-Fetch-Site: cross-site", NULL, 200, "1");
	web_close(&w);
}

/* ---- errors ---- */

Test(exchange, errors_are_json_for_programs_and_a_page_for_people)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, hello);
	r = web_get(&w, "GET /nothing", "Accept: */*", NULL);
	cr_expect_str_eq(r->reply->media, "application/problem+json");
	cr_expect_str_eq(web_header(r, "Vary"), "Accept");
	cr_expect_not_null(strstr(web_body(r), "\"title\":\"Not Found\",\"status\":404"), "%s", web_body(r));
	web_done(r);
	r = web_get(&w, "GET /data?who=%3Cb%3E", wants_html, NULL);
	cr_expect_eq(r->reply->status, 400);
	cr_expect_str_eq(r->reply->media, "text/html; charset=utf-8");
	cr_expect_not_null(strstr(web_body(r), "<html lang=\"en\">"));
	cr_expect_not_null(strstr(web_body(r), "<title>400 Bad Request</title>"));
	cr_expect_not_null(strstr(web_body(r), "<strong>who</strong>: not accepted: who"));
	cr_expect_not_null(strstr(web_body(r), "test-id"));
	web_done(r);
	r = web_get(&w, "GET /nothing/%3Cscript%3E", wants_html, NULL);
	cr_expect_null(strstr(web_body(r), "<script>"));
	web_done(r);
	web_close(&w);
}

static const char rules[] =
        "resources:\n"
        "  none: {url: \"/x/{maybe.id}\"}\n"
        "  maybe: null\n"
        "  missing_page: {text: \"{{error.status}} {{error.title}} {{given.q}} {{request.path}}\"}\n"
        "  sorry: {text: \"sorry {{error.status}}\"}\n"
        "  again:\n"
        "    text: \"{{#error.fields}}{{field}} {{message}}; {{/error.fields}}{{given.title}}|{{n}}\"\n"
        "  save: {json: {t: \"{title}\", n: \"{n}\"}}\n"
        "routes:\n"
        "  GET /here: {answer: missing_ok}\n"
        "  POST /form:\n"
        "    answer: save\n"
        "    accept: {title: {max_length: 3}, n: {type: integer, default: 4}}\n"
        "    errors: {400: again, 415: {redirect: \"/upload?from={request.path}\", status: 302}}\n"
        "errors:\n"
        "  4xx: {answer: sorry, status: 410}\n"
        "  404: missing_page\n";

Test(exchange, an_error_is_answered_by_its_rule)
{
	struct web_reply *r;
	char yaml[2000];
	struct web w;

	snprintf(yaml, sizeof(yaml), "%s", rules);
	memcpy(strstr(yaml, "missing_ok"), "maybe     ", 10);
	web_open(&w, yaml);
	expect(&w, "GET /nothing?q=a%26b", NULL, NULL, 404, "404 Not Found a&b /nothing");
	expect(&w, "DELETE /here", NULL, NULL, 410, "sorry 405");
	expect(&w, "POST /form", form, "title=long&n=x", 400,
	        "title must be at most 3 characters long; n must be an integer; long|");
	expect(&w, "POST /form", form, "title=long", 400, "title must be at most 3 characters long; long|4");
	r = web_get(&w, "POST /form", "Content-Type: text/plain", "x");
	cr_expect_eq(r->reply->status, 302);
	cr_expect_str_eq(web_header(r, "Location"), "/upload?from=%2Fform");
	cr_expect_not_null(r->reply->error);
	cr_expect_str_eq(r->reply->route, "POST /form");
	web_done(r);
	web_close(&w);
}

Test(exchange, a_page_can_show_its_form_again)
{
	struct web w;

	web_open(&w,
	        "resources:\n"
	        "  form: {text: \"[{{given.title}}]{{#error.fields}}{{message}}{{/error.fields}}\"}\n"
	        "  saved: {text: \"saved {{title}}\"}\n"
	        "routes:\n"
	        "  GET /form: form\n"
	        "  POST /form: {answer: saved, accept: {title: {max_length: 3}}, errors: {400: {answer: form, "
	        "status: 422}}}\n");
	expect(&w, "GET /form?title=x", NULL, NULL, 200, "[]");
	expect(&w, "POST /form", form, "title=abc", 200, "saved abc");
	expect(&w, "POST /form", form, "title=%3Cabc", 422, "[<abc]must be at most 3 characters long");
	web_close(&w);
}

Test(exchange, a_page_made_before_the_failure_is_made_again)
{
	struct fake_upstream *upstream = fake_upstream_start();
	char yaml[400];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\"}\nresources:\n  form: {text: \"{{id}} {{error.status}}\"}\n"
	        "  check: {http: \"GET up/status/500\"}\nroutes:\n"
	        "  \"GET /{id}\": {answer: form, needs: [check], errors: {502: form}}\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	expect(&w, "GET /7", NULL, NULL, 502, "7 502");
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, a_run_that_would_fetch_too_much_is_told_to_come_again)
{
	struct fake_upstream *upstream = fake_upstream_start();
	struct web_reply *r;
	char yaml[400];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "server: {max_fetches: 1}\nupstreams:\n  up: {url: \"%s\"}\nresources:\n  a: {http: \"GET up/json?a\"}\n"
	        "  b: {http: \"GET up/json?b\"}\n  page: {json: {a: \"{a}\", b: \"{b}\"}}\nroutes:\n  GET /: page\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	r = web_get(&w, "GET /", NULL, NULL);
	cr_expect_eq(r->reply->status, 503, "%s", web_body(r));
	cr_expect_str_eq(web_header(r, "Retry-After"), "1");
	web_done(r);
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, a_rule_that_fails_leaves_the_built_in_body)
{
	struct web_reply *r;
	struct web w;

	web_open(&w, "resources:\n"
	             "  gone: null\n"
	             "  page: {json: {id: \"{gone}\"}}\n"
	             "  broken: {json: \"x {error.fields}\"}\n"
	             "routes:\n  GET /: page\n"
	             "errors: {404: broken}\n");
	r = web_get(&w, "GET /nothing", NULL, NULL);
	cr_expect_eq(r->reply->status, 404);
	cr_expect_str_eq(r->reply->media, "application/problem+json");
	web_done(r);
	web_close(&w);
}

Test(exchange, a_value_that_fits_nowhere_is_the_clients_fault_only_when_it_gave_it)
{
	struct web w;

	web_open(&w, "upstreams:\n"
	             "  up: {url: \"http://127.0.0.1:9\"}\n"
	             "resources:\n"
	             "  row: {value: {id: null}}\n"
	             "  id: 7\n"
	             "  fetched: {http: \"GET up/x/{row.id}\"}\n"
	             "  asked: {http: \"GET up/x/{id}\"}\n"
	             "routes:\n"
	             "  GET /fetched: fetched\n"
	             "  GET /asked: {answer: asked, accept: {id: string}}\n");
	expect(&w, "GET /fetched", NULL, NULL, 502, NULL);
	expect(&w, "GET /asked?id=", NULL, NULL, 400,
	        "{\"title\":\"Bad Request\",\"status\":400,\"request_id\":\"test-id\","
	        "\"errors\":[{\"field\":\"id\",\"message\":\"can't be used as it is\"}]}\n");
	web_close(&w);
}

Test(exchange, details_are_for_the_log_unless_in_development)
{
	static const struct ab_app_options dev = {.dev = true};
	struct fake_upstream *upstream = fake_upstream_start();
	struct web_reply *r;
	char yaml[500];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\"}\nresources:\n  user: {http: \"GET up/status/500\"}\n"
	        "  page: {json: {u: \"{user}\"}}\nroutes:\n  GET /: page\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	r = web_get(&w, "GET /", NULL, NULL);
	cr_expect_eq(r->code, AB_PENDING);
	cr_expect_eq(r->reply->status, 502);
	cr_expect_null(strstr(web_body(r), "detail"), "%s", web_body(r));
	cr_expect_null(strstr(web_body(r), "user"), "%s", web_body(r));
	cr_expect_str_eq(r->reply->error->resource, "user");
	web_done(r);
	web_close(&w);
	web_begin(&w);
	web_compile(&w, yaml, &dev);
	r = web_get(&w, "GET /", NULL, NULL);
	cr_expect_not_null(strstr(web_body(r), "resource 'user'"), "%s", web_body(r));
	web_done(r);
	web_close(&w);
	fake_upstream_stop(upstream);
}

/* ---- waiting ---- */

Test(exchange, the_deadline_ends_what_takes_too_long)
{
	struct fake_upstream *upstream = fake_upstream_start();
	char yaml[600];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\", timeout: 60s}\nresources:\n  slow: {http: \"GET up/stall-before\"}\n"
	        "  late: {text: \"late {{error.status}}\"}\n  more: {json: \"{other}\"}\n"
	        "  other: {http: \"GET up/json\"}\nroutes:\n"
	        "  GET /: {answer: slow, deadline: 50ms}\n"
	        "  GET /late: {answer: slow, deadline: 50ms, errors: {504: late}}\n"
	        "  GET /more: {answer: slow, deadline: 50ms, errors: {504: more}}\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	expect(&w, "GET /", NULL, NULL, 504, NULL);
	expect(&w, "GET /late", NULL, NULL, 504, "late 504");
	/* An error page that would have to wait has no time left. */
	expect(&w, "GET /more", "Accept: application/json", NULL, 504,
	        "{\"title\":\"Gateway Timeout\",\"status\":504,\"request_id\":\"test-id\"}\n");
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, the_servers_deadline_holds_where_no_route_is_met)
{
	struct fake_upstream *upstream = fake_upstream_start();
	char yaml[400];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "server: {deadline: 50ms}\nupstreams:\n  up: {url: \"%s\", timeout: 60s}\n"
	        "resources:\n  slow: {http: \"GET up/stall-before\"}\nerrors: {404: slow}\nroutes: {GET /: slow}\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	expect(&w, "GET /nowhere", "Accept: application/json", NULL, 404,
	        "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"No route has this path.\",\"request_id\":\"test-id\"}\n");
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, an_error_page_may_fetch_and_takes_over_what_was_fetched)
{
	struct fake_upstream *upstream = fake_upstream_start();
	char yaml[700];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\"}\nresources:\n  user: {http: \"GET up/json?user\"}\n"
	        "  broken: {http: \"GET up/status/500\", needs: [user]}\n  menu: {http: \"GET up/json?menu\"}\n"
	        "  sorry: {text: \"{{user.name}} {{menu.id}} {{error.resource}}\"}\nroutes:\n"
	        "  GET /: {answer: broken, errors: {5xx: {answer: sorry, status: 503}}}\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	expect(&w, "GET /", NULL, NULL, 503, "Lamp 1 broken");
	cr_expect_eq(fake_upstream_count(upstream, "/json?user"), 1);
	cr_expect_eq(fake_upstream_count(upstream, "/json?menu"), 1);
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, a_client_that_leaves_cancels_its_run)
{
	struct fake_upstream *upstream = fake_upstream_start();
	struct web_reply *r;
	char yaml[300];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\", timeout: 60s}\nresources:\n  slow: {http: \"GET up/hold\"}\n"
	        "routes:\n  GET /: slow\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	r = web_start(&w, "GET /", NULL, NULL);
	while (fake_upstream_held(upstream) == 0)
		uv_run(w.env.loop, UV_RUN_NOWAIT);
	ab_exchange_cancel(r->exchange);
	cr_expect_not(r->done);
	for (int i = 0; i < 50; i++)
		uv_run(w.env.loop, UV_RUN_NOWAIT);
	cr_expect_not(r->done, "done is not called after a cancel");
	web_done(r);
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, what_degraded_is_told_and_not_stored)
{
	struct fake_upstream *upstream = fake_upstream_start();
	struct web_reply *r;
	char yaml[700];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "server: {server_timing: true}\n"
	        "upstreams:\n  up: {url: \"%s\"}\nresources:\n  reviews: {http: \"GET up/status/500\", fallback: []}\n"
	        "  related: {http: \"GET up/close\", optional: true}\n"
	        "  page: {json: {r: \"{reviews}\", x: \"{related}\"}}\nroutes:\n"
	        "  GET /: {answer: page, headers: {Cache-Control: max-age=60}}\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	r = web_get(&w, "GET /", NULL, NULL);
	cr_expect_eq(r->reply->status, 200);
	cr_expect_str_eq(web_body(r), "{\"r\":[],\"x\":null}");
	cr_expect_str_eq(r->reply->degraded, "reviews, related");
	cr_expect_not_null(strstr(r->reply->causes, "reviews: "), "%s", r->reply->causes);
	cr_expect_not_null(strstr(r->reply->causes, "answered 500; related: "), "%s", r->reply->causes);
	cr_expect_str_eq(web_header(r, "Anabranch-Degraded"), "reviews, related");
	cr_expect_str_eq(web_header(r, "Cache-Control"), "no-store");
	cr_expect_eq(strncmp(web_header(r, "Server-Timing"), "reviews;dur=", 12), 0, "%s",
	        web_header(r, "Server-Timing"));
	cr_expect_not_null(strstr(web_header(r, "Server-Timing"), ", page;dur="));
	web_done(r);
	web_close(&w);
	fake_upstream_stop(upstream);
}

/* ---- headers, cookies, redirects ---- */

Test(exchange, placeholders_in_headers_cookies_and_redirects_are_needs)
{
	struct web_reply *r;
	struct web w;

	web_open(&w,
	        "resources:\n"
	        "  token: {json: \"a b;c\\u00e4\"}\n"
	        "  nothing: null\n"
	        "  page: hi\n"
	        "routes:\n"
	        "  GET /:\n"
	        "    answer: page\n"
	        "    accept: {who: {default: null}}\n"
	        "    headers: {X-Who: \"{who}\", X-None: \"{nothing}\", X-Both: \"<{token}>\", Vary: Cookie}\n"
	        "    cookies:\n"
	        "      sid: {value: \"{token}\", max_age: 7d}\n"
	        "      old: {value: \"{nothing}\"}\n"
	        "      plain: {value: x, http_only: false, secure: false, same_site: Strict, path: /a, domain: x.example}\n"
	        "  POST /go/{id}: {redirect: \"/there/{id}{?who}\", accept: {who: {type: string, default: null}}}\n"
	        "  POST /away: {answer: page, redirect: \"https://x.example/?t={token}\", status: 307}\n");
	r = web_get(&w, "GET /?who=me", NULL, NULL);
	cr_expect_eq(r->reply->status, 200, "%s", web_body(r));
	cr_expect_str_eq(web_header(r, "X-Who"), "me");
	cr_expect_str_eq(web_header(r, "X-None"), "");
	cr_expect_str_eq(web_header(r, "X-Both"), "<a b;c\xc3\xa4>");
	cr_expect_str_eq(web_header(r, "Vary"), "Cookie");
	cr_expect_str_eq(web_header(r, "Set-Cookie"),
	        "sid=a%20b%3Bc%C3%A4; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax | "
	        "old=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax | "
	        "plain=x; Path=/a; Domain=x.example; SameSite=Strict");
	web_done(r);
	r = web_get(&w, "GET /?who=a%0d%0aSet-Cookie:x", NULL, NULL);
	cr_expect_neq(r->reply->status, 200, "control characters in a header fail");
	cr_expect_str_eq(web_header(r, "X-Who"), "");
	web_done(r);
	r = web_get(&w, "POST /go/a%2Fb%3F%0d%0a", form, "who=x%26y");
	cr_expect_eq(r->reply->status, 303, "%s", web_body(r));
	cr_expect_str_eq(web_header(r, "Location"), "/there/a%2Fb%3F%0D%0A?who=x%26y");
	cr_expect_null(r->reply->body);
	web_done(r);
	r = web_get(&w, "POST /go/..", NULL, NULL);
	cr_expect_eq(r->reply->status, 400);
	web_done(r);
	r = web_get(&w, "POST /away", NULL, NULL);
	cr_expect_eq(r->reply->status, 307);
	cr_expect_str_eq(web_header(r, "Location"), "https://x.example/?t=a%20b%3Bc%C3%A4");
	cr_expect_null(r->reply->body, "a redirect's answer is not sent");
	web_done(r);
	web_close(&w);
}

Test(exchange, what_a_route_makes_itself_fails_under_a_name_for_people)
{
	struct web_reply *r;
	struct web w;

	web_open(&w,
	        "resources: {page: {text: x}, sorry: {text: \"{{error.resource}}\"}}\n"
	        "routes:\n"
	        "  GET /go: {redirect: \"/x/{to}\", accept: {to: string}}\n"
	        "  GET /set: {answer: page, headers: {X-A: \"{to}\"}, accept: {to: json}, errors: {5xx: sorry, 4xx: "
	        "sorry}}\n");
	r = web_get(&w, "GET /go?to=", NULL, NULL);
	cr_expect_str_eq(r->reply->error->resource, "redirect of GET /go");
	cr_expect_not_null(
	        strstr(r->reply->error->text, "{to} is empty, and a URL's path needs a value there"), "%s",
	        r->reply->error->text);
	web_done(r);
	r = web_get(&w, "GET /set?to=[1]", NULL, NULL);
	cr_expect_str_eq(web_body(r), "headers of GET /set");
	web_done(r);
	web_close(&w);
}

Test(exchange, a_routes_own_policies_replace_the_servers)
{
	struct web_reply *r;
	struct web w;

	web_open(&w,
	        "resources:\n  page: {text: x, type: html}\nroutes:\n  GET /:\n    answer: page\n"
	        "    headers: {content-security-policy: \"default-src 'self'\", Referrer-Policy: no-referrer}\n");
	r = web_get(&w, "GET /", NULL, NULL);
	cr_expect_str_eq(web_header(r, "Content-Security-Policy"), "default-src 'self'");
	cr_expect_str_eq(web_header(r, "Referrer-Policy"), "no-referrer");
	web_done(r);
	web_close(&w);
}

Test(exchange, a_guard_decides_before_anything_starts)
{
	struct fake_upstream *upstream = fake_upstream_start();
	char yaml[700];
	struct web w;

	snprintf(yaml, sizeof(yaml),
	        "upstreams:\n  up: {url: \"%s\"}\nresources:\n"
	        "  user: {http: \"GET up/status/404\", missing: 401}\n  page: {http: \"GET up/json\"}\n"
	        "routes:\n  GET /: {answer: page, guard: [user], errors: {401: {redirect: \"/login?next={request.path}\"}}}\n",
	        fake_upstream_url(upstream));
	web_open(&w, yaml);
	expect(&w, "GET /", NULL, NULL, 303, "");
	cr_expect_eq(fake_upstream_count(upstream, "/json"), 0);
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(exchange, a_write_is_done_and_its_route_redirects)
{
	struct web_reply *r;
	struct web w;

	web_begin(&w);
	web_file(&w, "s.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT);");
	web_compile(&w,
	        "databases:\n  main: {url: \"sqlite:t.db\", schema: s.sql}\n"
	        "resources:\n"
	        "  save: {sql: \"INSERT INTO t (body) VALUES (:body)\", returns: count}\n"
	        "  drop: {sql: \"DELETE FROM t WHERE id = :id\", returns: count}\n"
	        "  all: {sql: \"SELECT body FROM t\"}\n"
	        "routes:\n"
	        "  GET /: all\n"
	        "  POST /: {needs: [save], redirect: /, accept: {body: string}}\n"
	        "  DELETE /{id}: {needs: [drop], status: 204, accept: {id: integer}}\n",
	        NULL);
	r = web_get(&w, "POST /", form, "body='%3B DROP TABLE t%3B --");
	cr_expect_eq(r->reply->status, 303, "%s", web_body(r));
	cr_expect_str_eq(web_header(r, "Location"), "/");
	web_done(r);
	expect(&w, "GET /", NULL, NULL, 200, "[{\"body\":\"'; DROP TABLE t; --\"}]");
	r = web_get(&w, "DELETE /1", NULL, NULL);
	cr_expect_eq(r->reply->status, 204, "%s", web_body(r));
	cr_expect_null(r->reply->body);
	cr_expect_null(r->reply->media);
	web_done(r);
	expect(&w, "GET /", NULL, NULL, 200, "[]");
	web_close(&w);
}

Test(exchange, request_is_built_as_far_as_it_is_used)
{
	struct web w;

	web_open(&w,
	        "resources:\n"
	        "  some: {json: {p: \"{request.path}\", q: \"{request.query.a}\", b: \"{request.query.b}\",\n"
	        "    h: \"{request.headers.x_two}\", c: \"{request.cookies.sid}\", m: \"{request.method}\",\n"
	        "    who: \"{request.client}\", id: \"{request.id}\"}}\n"
	        "  whole: {json: \"{request}\"}\n"
	        "  body: {json: \"{request.body}\"}\n"
	        "routes:\n  GET /some%2F: some\n  GET /whole: whole\n  POST /body: body\n");
	expect(&w, "GET /some%2f?a=1&a=2&b=x&c=y", "X-Two: 1\nX-Two: 2\nCookie: sid=a%20b; sid=c", NULL, 200,
	        "{\"p\":\"/some%2f\",\"q\":[\"1\",\"2\"],\"b\":\"x\",\"h\":\"1, 2\",\"c\":\"a b\",\"m\":\"GET\","
	        "\"who\":\"192.0.2.7\",\"id\":\"test-id\"}");
	expect(&w, "GET /whole?x=1", "X-Y: z", NULL, 200,
	        "{\"method\":\"GET\",\"path\":\"/whole\",\"client\":\"192.0.2.7\",\"id\":\"test-id\",\"query\":{\"x\":\"1\"},"
	        "\"headers\":{\"x_y\":\"z\"},\"cookies\":{},\"body\":null}");
	expect(&w, "POST /body", "Content-Type: text/plain", "any text", 200, "\"any text\"");
	expect(&w, "POST /body", "Content-Type: application/json", "{\"a\": [1]}", 200, "{\"a\":[1]}");
	expect(&w, "POST /body", form, "a=1&b=2&a=3", 200, "{\"a\":[\"1\",\"3\"],\"b\":\"2\"}");
	expect(&w, "POST /body", "Content-Type: application/json", "{broken", 200, "\"{broken\"");
	expect(&w, "POST /body", NULL, "\xff", 200, "null");
	web_close(&w);
}
