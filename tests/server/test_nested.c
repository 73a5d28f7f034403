/* tests/server/test_nested.c: `each` and `call`, from the app file to the answer. */
#include "appfile.h"
#include "web.h"

#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(nested, .timeout = 30);

static struct fake_upstream *upstream;
static struct web web;

/* `yaml` as the app, with an upstream `up` and a database `db` of a table t (1 'One', 2 'Two', 3 'Three'). */
static void open_app(const char *yaml)
{
	char text[8000];

	upstream = fake_upstream_start();
	snprintf(text, sizeof(text),
	        "upstreams: {up: {url: \"%s\", timeout: 2s, max_in_flight: 500}}\n"
	        "databases: {db: {url: sqlite:t.db, schema: s.sql}}\n%s",
	        fake_upstream_url(upstream), yaml);
	web_begin(&web);
	web_file(&web, "s.sql",
	        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);\n"
	        "INSERT INTO t VALUES (1, 'One'), (2, 'Two'), (3, 'Three');");
	web_compile(&web, text, NULL);
}

static void close_app(void)
{
	web_close(&web);
	fake_upstream_stop(upstream);
}

static void run_ms(unsigned ms)
{
	uint64_t end = uv_hrtime() + ms * UINT64_C(1000000);

	while (uv_hrtime() < end)
		uv_run(web.env.loop, UV_RUN_NOWAIT);
}

static bool run_until_held(size_t count)
{
	for (int i = 0; i < 5000 && fake_upstream_held(upstream) != count; i++)
		run_ms(1);
	return fake_upstream_held(upstream) == count;
}

/* ---- each ---- */

Test(nested, each_gives_a_list_in_the_order_of_the_items_whichever_comes_first)
{
	open_app("resources:\n"
	         "  waits: [90, 5, 40]\n"
	         "  slow: {http: \"GET up/reply?ms={ms}&body={ms}\", each: \"{waits}\", as: ms}\n"
	         "routes:\n"
	         "  GET /: slow\n");
	web_expect(&web, "GET /", 200, "[90,5,40]");
	close_app();
}

Test(nested, each_works_on_every_kind)
{
	open_app(
	        "resources:\n"
	        "  ids: [3, 1]\n"
	        "  name: {sql: \"SELECT name FROM t WHERE id = :id\", returns: value, each: \"{ids}\", as: id}\n"
	        "  row: {sql: \"SELECT id, name FROM t WHERE id = :o.id\", returns: row, each: [{id: 2}], as: o}\n"
	        "  text: {text: \"<{{id}}>\", type: html, each: \"{name}\", as: id}\n"
	        "  link: {url: \"/p/{id}\", each: \"{ids}\", as: id}\n"
	        "  all: {json: {name: \"{name}\", row: \"{row}\", text: \"{text}\", link: \"{link}\"}}\n"
	        "routes:\n"
	        "  GET /: all\n");
	web_expect(&web, "GET /", 200,
	        "{\"name\":[\"Three\",\"One\"],\"row\":[{\"id\":2,\"name\":\"Two\"}],"
	        "\"text\":[\"<Three>\",\"<One>\"],\"link\":[\"/p/3\",\"/p/1\"]}");
	close_app();
}

Test(nested, each_keeps_so_many_at_a_time_and_no_more)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  ids: [1, 2, 3, 4, 5, 6, 7]\n"
	         "  held: {http: \"GET up/hold/{i}\", each: \"{ids}\", as: i, concurrency: 3}\n"
	         "  count: {json: \"{held[*].id}\"}\n"
	         "routes:\n"
	         "  GET /: count\n");
	r = web_start(&web, "GET /", NULL, NULL);
	cr_assert(run_until_held(3));
	run_ms(50);
	cr_expect_eq(fake_upstream_held(upstream), 3);
	fake_upstream_release(upstream, 2);
	for (int i = 0; i < 5000 && fake_upstream_count(upstream, "/hold") < 5; i++)
		run_ms(1);
	cr_assert(run_until_held(3));
	run_ms(50);
	cr_expect_eq(fake_upstream_count(upstream, "/hold"), 5);
	fake_upstream_release(upstream, 100);
	web_wait(r);
	cr_expect_str_eq(web_body(r), "[1,1,1,1,1,1,1]");
	web_done(r);
	close_app();
}

Test(nested, the_item_is_seen_in_its_own_resource_and_wins_there)
{
	open_app("resources:\n"
	         "  ids: [1, 2]\n"
	         "  who: World\n"
	         "  greet: {json: \"Hello {who}\", each: \"{ids}\", as: who}\n"
	         "  page: {json: {who: \"{who}\", greet: \"{greet}\"}}\n"
	         "routes:\n"
	         "  GET /: {answer: page, accept: {who: string}}\n");
	web_expect(&web, "GET /", 200, "{\"who\":\"World\",\"greet\":[\"Hello 1\",\"Hello 2\"]}");
	web_expect(&web, "GET /?who=x", 200, "{\"who\":\"x\",\"greet\":[\"Hello 1\",\"Hello 2\"]}");
	close_app();
}

Test(nested, timeout_fallback_and_optional_are_an_items)
{
	struct web_reply *r;

	open_app(
	        "resources:\n"
	        "  paths: [json, status/500, stall-before]\n"
	        "  a: {http: \"GET up{/p*}\", each: [[json], [status, 500]], as: p, fallback: {value: none}}\n"
	        "  b: {http: \"GET up{/p*}\", each: [[json], [stall-before]], as: p, timeout: 80ms, optional: true}\n"
	        "  page: {json: {a: \"{a[*].id}\", last: \"{a[1]}\", b: \"{b[0].id}\", none: \"{b[1]}\"}}\n"
	        "routes:\n"
	        "  GET /: page\n");
	r = web_get(&web, "GET /", NULL, NULL);
	cr_expect_str_eq(web_body(r), "{\"a\":[1],\"last\":\"none\",\"b\":1,\"none\":null}");
	cr_expect_str_eq(
	        web_header(r, "Anabranch-Degraded"), "a, b", "%s", web_header(r, "Anabranch-Degraded"));
	web_done(r);
	close_app();
}

Test(nested, one_item_that_fails_fails_the_whole_and_each_fallback_stands_in)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  a: {http: \"GET up{/p*}\", each: [[json], [status, 500]], as: p}\n"
	         "  b: {http: \"GET up{/p*}\", each: [[status, 503]], as: p, each_fallback: []}\n"
	         "  c: {http: \"GET up{/p*}\", each: \"{json}\", as: p, each_fallback: {resource: json}}\n"
	         "  json: {text: \"no list\"}\n"
	         "  gone: {http: \"GET up{/p*}\", each: [[status, 404]], as: p}\n"
	         "routes:\n"
	         "  GET /a: a\n"
	         "  GET /b: b\n"
	         "  GET /c: c\n"
	         "  GET /gone: gone\n");
	web_expect_failure(&web, "GET /a", 502, "resource 'a': item 1: ");
	r = web_get(&web, "GET /b", NULL, NULL);
	cr_expect_str_eq(web_body(r), "[]");
	cr_expect_str_eq(web_header(r, "Anabranch-Degraded"), "b");
	web_done(r);
	web_expect(&web, "GET /c", 200, "no list");
	web_expect_failure(&web, "GET /gone", 404, "item 0: ");
	close_app();
}

Test(nested, a_list_that_is_none_or_too_long_is_an_error_of_whoever_made_it)
{
	open_app("resources:\n"
	         "  none: null\n"
	         "  number: 7\n"
	         "  a: {json: \"{x}\", each: \"{none}\", as: x}\n"
	         "  b: {json: \"{x}\", each: \"{number}\", as: x}\n"
	         "  c: {json: \"{x}\", each: \"{ids}\", as: x, max: 2}\n"
	         "  empty: {json: \"{x}\", each: [], as: x}\n"
	         "routes:\n"
	         "  GET /a: a\n"
	         "  GET /b: b\n"
	         "  GET /empty: empty\n"
	         "  GET /c: {answer: c, accept: {ids: [integer]}}\n");
	web_expect_failure(&web, "GET /a", 502, "each: the list is null; expected a list");
	web_expect_failure(&web, "GET /b", 502, "each: the list is a number; expected a list");
	web_expect_failure(&web, "GET /c?ids=1&ids=2&ids=3", 400, "each: 3 items, and max is 2");
	web_expect(&web, "GET /c?ids=1&ids=2", 200, "[1,2]");
	web_expect(&web, "GET /empty", 200, "[]");
	close_app();
}

Test(nested, cancelling_reaches_every_item)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  ids: [1, 2, 3, 4]\n"
	         "  held: {http: \"GET up/hold/{i}\", each: \"{ids}\", as: i}\n"
	         "  inner: {call: held}\n"
	         "routes:\n"
	         "  GET /: inner\n");
	r = web_start(&web, "GET /", NULL, NULL);
	cr_assert(run_until_held(4));
	ab_exchange_cancel(r->exchange);
	for (int i = 0; i < 2000 && fake_upstream_open(upstream) > 0; i++)
		run_ms(1);
	cr_expect_eq(fake_upstream_open(upstream), 0, "their connections are closed");
	fake_upstream_release(upstream, 100);
	web_done(r);
	close_app();
}

Test(nested, an_item_that_fails_cancels_the_others)
{
	open_app("resources:\n"
	         "  paths: [[hold], [hold, 2], [status, 500]]\n"
	         "  held: {http: \"GET up{/p*}\", each: \"{paths}\", as: p}\n"
	         "routes:\n"
	         "  GET /: held\n");
	web_expect_failure(&web, "GET /", 502, "item 2");
	for (int i = 0; i < 2000 && fake_upstream_held(upstream) > 0; i++)
		run_ms(1);
	cr_expect_leq(fake_upstream_open(upstream), 1);
	fake_upstream_release(upstream, 100);
	close_app();
}

Test(nested, equal_reads_of_a_run_go_out_once)
{
	open_app(
	        "resources:\n"
	        "  ids: [1, 2, 1, 1]\n"
	        "  doc: {http: \"GET up/json/{i}\", each: \"{ids}\", as: i}\n"
	        "  user: {http: GET up/json/user}\n"
	        "  twin: {http: GET up/json/user}\n"
	        "  other: {http: GET up/json/user, headers: {X-Other: \"1\"}}\n"
	        "  card: {json: {user: \"{user.id}\", i: \"{i}\"}}\n"
	        "  cards: {call: card, each: \"{ids}\", as: i}\n"
	        "  names: {sql: \"SELECT name FROM t WHERE id = :i\", returns: value, each: \"{ids}\", as: i}\n"
	        "  page: {json: {doc: \"{doc[*].id}\", cards: \"{cards}\", user: \"{user.id}\", names: \"{names}\", twin: "
	        "\"{twin.id}\"}}\n"
	        "  all: {json: {page: \"{page}\", other: \"{other.id}\"}}\n"
	        "routes:\n"
	        "  GET /: {answer: all}\n");
	web_expect(&web, "GET /", 200,
	        "{\"page\":{\"doc\":[1,1,1,1],\"cards\":[{\"user\":1,\"i\":1},{\"user\":1,\"i\":2},{\"user\":1,\"i\":1},"
	        "{\"user\":1,\"i\":1}],\"user\":1,\"names\":[\"One\",\"Two\",\"One\",\"One\"],\"twin\":1},\"other\":1}");
	cr_expect_eq(fake_upstream_count(upstream, "/json/1"), 1);
	cr_expect_eq(fake_upstream_count(upstream, "/json/2"), 1);
	cr_expect_eq(fake_upstream_count(upstream, "/json/user"), 2, "once, and once with another header");
	web_expect(&web, "GET /", 200, NULL);
	cr_expect_eq(fake_upstream_count(upstream, "/json/1"), 2, "each request asks anew");
	close_app();
}

Test(nested, what_is_read_after_a_write_is_read_anew)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  before: {sql: SELECT count(*) FROM t, returns: value}\n"
	         "  insert: {sql: \"INSERT INTO t (name) VALUES (:before)\", returns: count}\n"
	         "  after: {sql: SELECT count(*) FROM t, returns: value, needs: [insert]}\n"
	         "  page: {json: [\"{before}\", \"{after}\"]}\n"
	         "routes:\n"
	         "  POST /: page\n");
	r = web_get(&web, "POST /", NULL, NULL);
	cr_expect_str_eq(web_body(r), "[3,4]");
	web_done(r);
	close_app();
}

Test(nested, what_another_item_read_while_a_write_was_on_its_way_does_not_do_after_it)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  post: {http: \"POST up/hold/{i}\"}\n"
	         "  stock: {http: GET up/json/stock, needs: [post]}\n"
	         "  id: {json: \"{stock.id}\"}\n"
	         "  all: {call: id, each: [1, 2], as: i, concurrency: 2}\n"
	         "routes:\n"
	         "  POST /: all\n");
	r = web_start(&web, "POST /", NULL, NULL);
	cr_assert(run_until_held(2));
	fake_upstream_release(upstream, 1);
	for (int i = 0; i < 5000 && fake_upstream_count(upstream, "/json/stock") < 1; i++)
		run_ms(1);
	run_ms(50);
	cr_expect_eq(fake_upstream_held(upstream), 1);
	fake_upstream_release(upstream, 1);
	web_wait(r);
	cr_expect_str_eq(web_body(r), "[1,1]", "%s", web_body(r));
	cr_expect_eq(fake_upstream_count(upstream, "/json/stock"), 2);
	web_done(r);
	close_app();
}

Test(nested, writes_go_one_by_one_in_the_order_of_the_list)
{
	struct web_reply *r;

	open_app(
	        "resources:\n"
	        "  insert: {sql: \"INSERT INTO t (id, name) VALUES (:row.id, :row.name)\", returns: count, each: \"{rows}\", "
	        "as: row}\n"
	        "  names: {sql: \"SELECT name FROM t WHERE id > 3 ORDER BY rowid\", needs: [insert]}\n"
	        "  posts: {http: \"POST up/echo/{p}\", body: {n: \"{p}\"}, each: [3, 1, 2], as: p, needs: [names]}\n"
	        "  page: {json: {n: \"{names[*].name}\", p: \"{posts[*].target}\"}}\n"
	        "routes:\n"
	        "  POST /: {answer: page, accept: {rows: {type: [json]}}}\n");
	r = web_get(&web, "POST /", "Content-Type: application/json",
	        "{\"rows\": [{\"id\": 11, \"name\": \"a\"}, {\"id\": 12, \"name\": \"b\"}]}");
	cr_expect_str_eq(web_body(r), "{\"n\":[\"a\",\"b\"],\"p\":[\"/echo/3\",\"/echo/1\",\"/echo/2\"]}");
	web_done(r);
	for (size_t i = 0; i < 3; i++) {
		char *request = fake_upstream_request(upstream, i), target[32];

		snprintf(target, sizeof(target), "POST /echo/%d ", i == 0 ? 3 : (int)i);
		cr_expect_eq(strncmp(request, target, strlen(target)), 0, "%zu: %.20s", i, request);
		free(request);
	}
	close_app();
}

Test(nested, fetches_of_items_count_for_the_limit_of_a_run)
{
	open_app("server: {max_fetches: 3}\n"
	         "resources:\n"
	         "  three: {http: \"GET up/json/{i}\", each: [1, 2, 3, 3, 2, 1], as: i}\n"
	         "  four: {http: \"GET up/json/{i}\", each: [1, 2, 3, 4], as: i}\n"
	         "  count: {json: \"{three[*].id}\"}\n"
	         "routes:\n"
	         "  GET /three: count\n"
	         "  GET /four: four\n");
	web_expect(&web, "GET /three", 200, "[1,1,1,1,1,1]");
	web_expect_failure(&web, "GET /four", 503, "max_fetches");
	close_app();
}

/* ---- call ---- */

Test(nested, a_call_is_a_run_of_its_own_with_what_it_is_given)
{
	open_app("resources:\n"
	         "  who: World\n"
	         "  title: {json: \"Dear {who}\"}\n"
	         "  greet: {text: \"{{title}} {{n}}\"}\n"
	         "  a: {call: greet, given: {n: 1}}\n"
	         "  b: {call: greet, given: {n: \"{who}!\", who: \"{m}\"}}\n"
	         "  c: {call: greet, given: {n: 2, title: \"{m}\"}}\n"
	         "  page: {json: [\"{a}\", \"{b}\", \"{c}\"]}\n"
	         "routes:\n"
	         "  GET /: {answer: page, accept: {who: string, m: string}}\n");
	web_expect(&web, "GET /?m=M", 200, "[\"Dear World 1\",\"Dear M World!\",\"M 2\"]");
	web_expect(&web, "GET /?m=M&who=x", 200, "[\"Dear World 1\",\"Dear M x!\",\"M 2\"]");
	close_app();
}

Test(nested, a_call_of_each_item_and_each_of_an_each)
{
	open_app(
	        "resources:\n"
	        "  shelves: [{name: A, ids: [1, 2]}, {name: B, ids: [3]}, {name: C, ids: []}]\n"
	        "  book: {sql: \"SELECT name FROM t WHERE id = :id\", returns: value, each: \"{shelf.ids}\", as: id}\n"
	        "  card: {json: {shelf: \"{shelf.name}\", books: \"{book}\"}}\n"
	        "  cards: {call: card, each: \"{shelves}\", as: shelf}\n"
	        "routes:\n"
	        "  GET /: cards\n");
	web_expect(&web, "GET /", 200,
	        "[{\"shelf\":\"A\",\"books\":[\"One\",\"Two\"]},{\"shelf\":\"B\",\"books\":[\"Three\"]},"
	        "{\"shelf\":\"C\",\"books\":[]}]");
	close_app();
}

Test(nested, the_request_is_known_inside)
{
	open_app("resources:\n"
	         "  where: {json: \"{request.path} {request.query.q}\"}\n"
	         "  a: {call: where}\n"
	         "  b: {call: a, each: [1, 2], as: k}\n"
	         "routes:\n"
	         "  GET /here: b\n");
	web_expect(&web, "GET /here?q=1", 200, "[\"/here 1\",\"/here 1\"]");
	close_app();
}

Test(nested, how_the_inner_run_fails_is_how_the_call_fails)
{
	open_app("resources:\n"
	         "  gone: {http: GET up/status/404}\n"
	         "  secret: {http: GET up/status/404, missing: 403}\n"
	         "  broken: {http: GET up/status/500}\n"
	         "  gone_page: {json: \"{gone}\"}\n"
	         "  a: {call: gone_page}\n"
	         "  b: {call: secret}\n"
	         "  c: {call: broken, fallback: 7}\n"
	         "  d: {call: broken, optional: true}\n"
	         "  e: {call: gone, missing: null}\n"
	         "  f: {call: stalled, timeout: 60ms}\n"
	         "  stalled: {http: GET up/stall-before}\n"
	         "routes:\n"
	         "  GET /a: a\n"
	         "  GET /b: b\n"
	         "  GET /c: c\n"
	         "  GET /d: d\n"
	         "  GET /e: e\n"
	         "  GET /f: f\n");
	web_expect_failure(&web, "GET /a", 404, "resource 'a': resource 'gone': ");
	web_expect_failure(&web, "GET /b", 403, "resource 'b': resource 'secret': ");
	web_expect(&web, "GET /c", 200, "7");
	web_expect(&web, "GET /d", 200, "null");
	web_expect(&web, "GET /e", 200, "null");
	web_expect_failure(&web, "GET /f", 504, "resource 'f': 'stalled' was not there within 60 ms");
	close_app();
}

Test(nested, what_stands_in_inside_is_told_outside)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  shaky: {http: GET up/status/500, fallback: []}\n"
	         "  inner: {json: {x: \"{shaky}\", k: \"{k}\"}}\n"
	         "  list: {call: inner, each: [1, 2], as: k}\n"
	         "  page: {text: \"{{#degraded.list}}{{reason}}{{/degraded.list}}\", needs: [list]}\n"
	         "routes:\n"
	         "  GET /: page\n");
	r = web_get(&web, "GET /", NULL, NULL);
	cr_expect_str_eq(web_body(r), "upstream");
	cr_expect_str_eq(web_header(r, "Anabranch-Degraded"), "list");
	cr_expect_str_eq(web_header(r, "Cache-Control"), "no-store");
	web_done(r);
	close_app();
}

Test(nested, a_write_inside_makes_the_call_a_write)
{
	char *mistakes = web_mistakes("upstreams: {up: {url: \"http://127.0.0.1:1\"}}\n"
	                              "resources:\n"
	                              "  post: {http: POST up/x}\n"
	                              "  inner: {json: \"{post}\"}\n"
	                              "  a: {call: inner}\n"
	                              "  many: {call: a, each: [1], as: k}\n"
	                              "routes:\n"
	                              "  GET /: many\n");

	cr_expect_str_eq(mistakes,
	        "app.yaml:8:3: route 'GET /': 'many' writes, which a GET route may not; expected POST, PUT, PATCH or "
	        "DELETE\n",
	        "%s", mistakes);
	free(mistakes);
}

/* ---- mistakes ---- */

static const struct wrong wrong[] = {
        {"as is missing", "resources: {a: {json: 1, each: [1]}}",
                "app.yaml:1:26: each of resource 'a' without `as`; expected the name of an item, as in as: item"},
        {"as without each", "resources: {a: {json: 1, as: x}}",
                "app.yaml:1:26: as of resource 'a' means nothing without `each`; expected both, or neither"},
        {"a reserved name", "resources: {a: {json: 1, each: [1], as: request}}",
                "app.yaml:1:41: 'request' can't be the name of an item; expected one that is not reserved"},
        {"no name", "resources: {a: {json: 1, each: [1], as: 1x}}",
                "app.yaml:1:41: '1x' can't be the name of an item; expected letters, digits and _, not a digit first"},
        {"a list without braces", "resources: {b: [1], a: {json: 1, each: b, as: x}}",
                "app.yaml:1:40: each is a text; expected a list, or one placeholder in quotes as in each: \"{items}\""},
        {"a number as list", "resources: {a: {json: 1, each: 7, as: x}}",
                "app.yaml:1:32: each is the number 7; expected a list, or a placeholder in quotes as in each: \"{items}\""},
        {"its own items", "resources: {a: {json: 1, each: \"{x}\", as: x}}",
                "app.yaml:1:32: each can't use 'x', which stands for its own items"},
        {"too many at a time", "resources: {a: {json: 1, each: [1], as: x, concurrency: 0}}",
                "app.yaml:1:57: concurrency of resource 'a' is the number 0; expected 1 to 1000"},
        {"a bare text as each_fallback", "resources: {a: {json: 1, each: [1], as: x, each_fallback: b}}",
                "app.yaml:1:59: each_fallback of resource 'a' could be a text or a resource; expected {value: \"b\"} or "
                "{resource: b}"},
        {"a resource for an item",
                "resources: {b: 1, a: {json: 1, each: [1], as: x, fallback: {resource: b}}}",
                "app.yaml:1:47: each: 'a' falls back to a resource for an item, which stands alone; expected fallback: "
                "{value: ...}, or each_fallback: {resource: ...} for the whole"},
        {"call of nothing", "resources: {page: 1, a: {call: pgae}}",
                "app.yaml:1:32: call: 'pgae' does not exist; did you mean 'page'? Available: page, request, error, given"},
        {"given that nothing needs", "resources: {page: 1, a: {call: page, given: {x: 1}}}",
                "app.yaml:1:46: given: nothing that 'page' rests on needs 'x'; expected it left out"},
        {"given that is misspelt",
                "resources: {page: {json: \"{name}\"}, a: {call: page, given: {nmae: 1, name: 1}}}",
                "app.yaml:1:61: given: nothing that 'page' rests on needs 'nmae'; expected it left out; did you mean 'name'?"},
        {"given to what has a mistake of its own",
                "resources: {page: {json: \"{name}\", tiemout: 1s}, a: {call: page, given: {name: 1}}}",
                "app.yaml:1:36: unknown key 'tiemout' in resource 'page'; expected json, each, fallback, optional, if, needs or infer"},
        {"the item given as well",
                "resources: {b: {json: \"{x}\"}, a: {call: b, each: [1], as: x, given: {x: 1}}}",
                "app.yaml:1:70: given: 'x' is the item of this `each`, which is given anyway; expected another name for "
                "the item, or this left out"},
        {"called and given", "resources: {page: 1, a: {call: page, given: {page: 1}}}",
                "app.yaml:1:32: 'page' is called, and is given as well; expected one or the other"},
        {"a reserved name given",
                "resources: {page: {json: \"{request.path}\"}, a: {call: page, given: {request: 1}}}",
                "app.yaml:1:69: given: 'request' is reserved, and known inside as it is here; expected it left out"},
        {"an item under needs", "resources: {a: {json: 1, each: [1], as: x, needs: [x]}}",
                "app.yaml:1:52: 'x' under `needs` of resource 'a' is the name of an item, which is there anyway; expected "
                "it left out"},
        {"a circle of one", "resources: {a: {call: a}}",
                "app.yaml:1:23: the calls run in a circle: 'a' calls 'a', which rests on 'a'"},
        {"a circle of calls",
                "resources: {a: {call: b}, b: {json: \"{c}\"}, c: {call: d}, d: {json: \"{a}\"}}",
                "app.yaml:1:55: the calls run in a circle: 'c' calls 'd', which rests on 'a'"},
        {"what the route gives is not known inside",
                "resources:\n  page: {json: \"{id}\"}\n  a: {call: page}\nroutes:\n  GET /{id}: a\n",
                "app.yaml:3:13: call: in a run of 'page', resource 'page' needs 'id', which does not exist; available: page, request, error, given; what the request gives is not known there, expected it under `given`, as in given: {name: \"{name}\"}"},
        {"a stranger's HTML through a call",
                "resources:\n  box: {text: \"{{{x}}}\", type: html}\n  a: {call: box, given: {x: \"{who}\"}}\n"
                "routes:\n  GET /: {answer: a, accept: {who: string}}\n",
                "app.yaml:2:16: route 'GET /': the request can give 'who', so {{{who}}} would put a stranger's HTML into "
                "the page; expected {{who}}"},
        {"a stranger's HTML as an item",
                "resources:\n  box: {text: \"{{{x}}}\", type: html, each: \"{list}\", as: x}\n"
                "routes:\n  GET /: {answer: box, accept: {list: [string]}}\n",
                "app.yaml:2:16: route 'GET /': the request can give 'list', so {{{list}}} would put a stranger's HTML "
                "into the page; expected {{list}}"},
};

Test(nested, mistakes_are_told_where_they_stand)
{
	appfile_expect(wrong, AB_COUNT(wrong));
}

Test(nested, a_callers_html_may_be_put_in_where_it_was_escaped_inside)
{
	open_app("resources:\n"
	         "  card: {text: \"<b>{{who}}</b>\", type: html}\n"
	         "  cards: {call: card, each: \"{whos}\", as: who}\n"
	         "  page: {text: \"{{#cards}}{{{.}}}{{/cards}}\", type: html, needs: [cards]}\n"
	         "routes:\n"
	         "  GET /: {answer: page, accept: {whos: [string]}}\n");
	web_expect(&web, "GET /?whos=a&whos=%3C", 200, "<b>a</b><b>&lt;</b>");
	close_app();
}

/* Each rests on the one before twice: what is looked at again for each use would take hours. */
Test(nested, calls_that_rest_on_calls_are_looked_at_once)
{
	char yaml[8000];
	size_t len = (size_t)snprintf(yaml, sizeof(yaml), "resources:\n  r0: {json: \"{x}\"}\n");
	char *mistakes;

	for (int i = 1; i <= 40; i++)
		len += (size_t)snprintf(yaml + len, sizeof(yaml) - len,
		        "  a%d: {call: r%d, given: {x: \"{x}\"}}\n"
		        "  b%d: {call: r%d, given: {x: \"{x}\"}}\n"
		        "  r%d: {json: [\"{a%d}\", \"{b%d}\"]}\n",
		        i, i - 1, i, i - 1, i, i, i);
	snprintf(yaml + len, sizeof(yaml) - len,
	        "  page: {text: \"{{{r40}}}\", type: html}\n"
	        "routes:\n  GET /: {answer: page, accept: {x: string}}\n");
	mistakes = web_mistakes(yaml);
	cr_expect_not_null(
	        strstr(mistakes, "the request can give 'r40', or what stands in it"), "%s", mistakes);
	free(mistakes);
}

Test(nested, an_item_may_be_called_as_its_resource_is)
{
	open_app("resources:\n"
	         "  ids: [json, missing]\n"
	         "  user: {http: \"GET up/{user}\", each: \"{ids}\", as: user, fallback: {value: {id: 0}}}\n"
	         "  list: {json: \"{user[*].id}\"}\n"
	         "  hard: {http: \"GET up/{hard}\", each: [gone], as: hard}\n"
	         "routes:\n"
	         "  GET /: list\n"
	         "  GET /hard: hard\n");
	web_expect(&web, "GET /", 200, "[1,0]");
	web_expect_failure(&web, "GET /hard", 404, "resource 'hard': item 0: GET up/gone: answered 404");
	close_app();
}

/* Both ways round: what is compiled first may have others compiled for its sake. */
Test(nested, calls_are_not_nested_deeper_than_the_stack_bears)
{
	for (int up = 0; up < 2; up++) {
		static char yaml[200000];
		size_t len = (size_t)snprintf(yaml, sizeof(yaml), "resources:\n  r0: 1\n");
		char *mistakes;

		for (int i = 1; i <= 101; i++)
			len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "  r%d: {call: r%d}\n",
			        up ? i : 102 - i, up ? i - 1 : 101 - i);
		mistakes = web_mistakes(yaml);
		cr_expect_str_eq(mistakes,
		        up ? "app.yaml:103:16: call: 'r101' has more than 100 calls one inside another; expected fewer\n"
		           : "app.yaml:102:14: call: 'r2' has more than 100 calls one inside another; expected fewer\n",
		        "%s", mistakes);
		free(mistakes);
	}
}

Test(nested, a_call_that_the_top_file_replaces_makes_no_circle)
{
	web_begin(&web);
	web_file(&web, "part.yaml", "resources:\n  a: {call: b}\n  b: 1\n");
	web_compile(&web,
	        "include: [part.yaml]\nresources:\n  a: 7\n  b: {call: c}\n  c: {json: \"{a}\"}\nroutes: {GET /: b}\n",
	        NULL);
	web_expect(&web, "GET /", 200, "7");
	web_close(&web);
}

/* ---- the loop ---- */

/* {"ids": [0, 1, ...]}; the caller frees it. */
static char *many_ids(int count)
{
	char *text = malloc((size_t)count * 8 + 32);
	size_t len;

	cr_assert_not_null(text);
	len = (size_t)sprintf(text, "{\"ids\": [0");
	for (int i = 1; i < count; i++)
		len += (size_t)sprintf(text + len, ",%d", i);
	strcpy(text + len, "]}");
	return text;
}

Test(nested, what_waits_for_nothing_lets_others_have_their_turn_and_ends_at_its_deadline)
{
	static const char json[] = "Content-Type: application/json";
	struct web_reply *long_one, *endless, *quick;
	char *ids = many_ids(100000);

	open_app("resources:\n"
	         "  one: {json: \"n{i}\", each: \"{ids}\", as: i, max: 100000}\n"
	         "  again: {call: one, given: {ids: \"{ids}\"}, each: \"{ids}\", as: k, max: 100000}\n"
	         "  quick: 1\n"
	         "routes:\n"
	         "  POST /long: {answer: one, accept: {ids: json}, deadline: 20s}\n"
	         "  POST /endless: {answer: again, accept: {ids: json}, deadline: 200ms}\n"
	         "  GET /quick: quick\n");
	long_one = web_start(&web, "POST /long", json, ids);
	endless = web_start(&web, "POST /endless", json, ids);
	quick = web_get(&web, "GET /quick", NULL, NULL);
	cr_expect_not(long_one->done, "it goes on beside others");
	web_wait(endless);
	cr_expect_eq(endless->reply->status, 504);
	web_wait(long_one);
	cr_expect_eq(strncmp(web_body(long_one), "[\"n0\",\"n1\",", 11), 0, "%.40s", web_body(long_one));
	web_done(long_one);
	web_done(endless);
	web_done(quick);
	close_app();
	free(ids);
}
