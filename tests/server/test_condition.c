/* tests/server/test_condition.c: `jq`, `require` and `if`, from the app file to the answer. */
#include "appfile.h"
#include "web.h"

#include "../lib/harness.h"
#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(condition, .timeout = 30);

static struct fake_upstream *upstream;
static struct web web;

static void open_app(const char *yaml)
{
	char text[8000];

	upstream = fake_upstream_start();
	snprintf(text, sizeof(text), "upstreams: {up: {url: \"%s\", timeout: 2s}}\n%s",
	        fake_upstream_url(upstream), yaml);
	web_open(&web, text);
}

static void close_app(void)
{
	web_close(&web);
	fake_upstream_stop(upstream);
	harness_await_threads("ab-jq");
}

/* What the client is told: a piece of the body. */
static void expect_told(const char *line, int status, const char *told)
{
	struct web_reply *r = web_get(&web, line, NULL, NULL);

	cr_expect_eq(r->reply->status, status, "%s: %d %s", line, r->reply->status, web_body(r));
	cr_expect_not_null(strstr(web_body(r), told), "%s: %s", line, web_body(r));
	web_done(r);
}

/* ---- jq ---- */

Test(condition, a_filter_shapes_what_others_fetched)
{
	open_app("resources:\n"
	         "  a: {http: \"GET up/reply?ms=10&body=%5B1,2,3%5D\"}\n"
	         "  b: {http: \"GET up/reply?ms=10&body=%7B%22min%22:2%7D\"}\n"
	         "  out: {jq: '[$a[] | select(. >= $b.min)]'}\n"
	         "  path: {jq: '$request.query | keys'}\n"
	         "routes:\n"
	         "  GET /out: out\n"
	         "  GET /path: path\n");
	web_expect(&web, "GET /out", 200, "[2,3]");
	web_expect(&web, "GET /path?x=1&y=2", 200, "[\"x\",\"y\"]");
	close_app();
}

Test(condition, what_a_filter_gets_wrong_is_ours_and_no_clients_business)
{
	open_app("resources:\n"
	         "  n: 1\n"
	         "  none: {jq: 'empty'}\n"
	         "  raised: {jq: 'error(\"a secret\")'}\n"
	         "  big: {jq: '$n + 1'}\n"
	         "  soft: {jq: '$n | error', optional: true}\n"
	         "routes:\n"
	         "  GET /none: none\n"
	         "  GET /raised: raised\n"
	         "  GET /soft: soft\n"
	         "  GET /big: {answer: big, accept: {n: integer}}\n");
	web_expect_failure(&web, "GET /none", 500, "gave no value");
	web_expect_failure(&web, "GET /raised", 500, "a secret");
	web_expect(&web, "GET /soft", 200, "null");
	web_expect(&web, "GET /big?n=9007199254740991", 200, "9007199254740992");
	/* What the request brought is the request's fault. */
	expect_told("GET /big?n=9007199254740993", 400, "\"field\":\"n\"");
	close_app();
}

Test(condition, a_filter_that_is_too_slow_is_a_timeout)
{
	open_app("resources:\n"
	         "  slow: {jq: 'reduce range(1000000) as $i (0; . + 1)', timeout: 50ms}\n"
	         "  short: {jq: 'reduce range(1000000) as $i (0; . + 1)', timeout: 20s}\n"
	         "routes:\n"
	         "  GET /slow: slow\n"
	         "  GET /short: {answer: short, deadline: 60ms}\n");
	web_expect_failure(&web, "GET /slow", 504, "within 50 ms");
	web_expect_failure(&web, "GET /short", 504, "the time is up");
	close_app();
}

/* ---- require ---- */

Test(condition, a_guard_that_requires_decides_before_anything_is_fetched)
{
	open_app(
	        "resources:\n"
	        "  user: {value: {name: Ann, roles: [admin]}}\n"
	        "  admin: {require: 'any($user.roles[]; . == \"admin\")'}\n"
	        "  grown: {require: '$age >= 18', status: 451, message: Not before 18., field: years}\n"
	        "  page: {http: GET up/echo/page}\n"
	        "routes:\n"
	        "  GET /admin: {answer: page, guard: [admin], accept: {user: json}}\n"
	        "  GET /grown: {answer: page, guard: [admin, grown], accept: {age: {type: integer, name: years}}}\n");
	expect_told("GET /admin", 200, "page");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	expect_told("GET /admin?user={\"roles\":[\"cook\"]}", 403, "\"status\":403");
	expect_told("GET /grown?years=17", 451,
	        "\"errors\":[{\"field\":\"years\",\"message\":\"Not before 18.\"}]");
	expect_told("GET /grown?years=17", 451, "\"detail\":\"Not before 18.\"");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	expect_told("GET /grown?years=18", 200, "page");
	close_app();
}

Test(condition, the_status_of_a_require_may_have_a_page_of_its_own)
{
	open_app("resources:\n"
	         "  paid: {require: '$amount > 10', status: 402, message: More!, field: amount}\n"
	         "  more: {json: {why: \"{error.message}\", of: \"{error.fields}\"}}\n"
	         "routes:\n"
	         "  GET /: {answer: paid, accept: {amount: integer}, errors: {402: more}}\n");
	web_expect(&web, "GET /?amount=11", 200, "true");
	expect_told("GET /?amount=5", 402, "{\"why\":\"More!\",\"of\":[{");
	close_app();
}

/* ---- if ---- */

Test(condition, a_resource_whose_condition_is_false_is_null_and_not_fetched)
{
	open_app("resources:\n"
	         "  tier: plain\n"
	         "  offers: {http: GET up/echo/offers, if: '$tier == \"gold\"'}\n"
	         "  page: {jq: '{fetched: ($offers != null)}'}\n"
	         "routes:\n"
	         "  GET /: {answer: page, accept: {tier: string, offers: json}}\n");
	web_expect(&web, "GET /", 200, "{\"fetched\":false}");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 0);
	web_expect(&web, "GET /?tier=gold", 200, "{\"fetched\":true}");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	/* A given name prunes the condition as well. */
	web_expect(&web, "GET /?tier=gold&offers=3", 200, "{\"fetched\":true}");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	close_app();
}

Test(condition, a_condition_is_no_degradation)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  a: {http: GET up/echo, if: 'false', optional: true}\n"
	         "  b: {value: x, if: '1 == 2'}\n"
	         "  page: {json: [\"{a}\", \"{b}\"]}\n"
	         "routes:\n"
	         "  GET /: page\n");
	r = web_get(&web, "GET /", NULL, NULL);
	cr_expect_str_eq(web_body(r), "[null,null]");
	cr_expect_str_empty(web_header(r, "Anabranch-Degraded"));
	web_done(r);
	close_app();
}

Test(condition, a_condition_on_anything_else_than_a_boolean_is_ours)
{
	open_app("resources:\n"
	         "  n: 1\n"
	         "  a: {value: x, if: '$n'}\n"
	         "routes:\n"
	         "  GET /: a\n");
	web_expect_failure(&web, "GET /", 500, "the filter gave a number; expected true or false");
	close_app();
}

Test(condition, names_mean_what_they_mean_to_the_resource)
{
	open_app("resources:\n"
	         "  user: {value: {name: Ann}}\n"
	         "  a: {json: \"{who}\", needs: {who: user.name}, if: '$who == \"Ann\"'}\n"
	         "  b: {value: x, if: '$request.path == \"/b\"'}\n"
	         "routes:\n"
	         "  GET /a: a\n"
	         "  GET /b: b\n"
	         "  GET /c: b\n");
	web_expect(&web, "GET /a", 200, "\"Ann\"");
	web_expect(&web, "GET /b", 200, "\"x\"");
	web_expect(&web, "GET /c", 200, "null");
	close_app();
}

Test(condition, a_condition_that_speaks_of_the_item_is_judged_for_each)
{
	open_app("resources:\n"
	         "  ids: [1, 2, 3, 4]\n"
	         "  from: 3\n"
	         "  each: {http: \"GET up/reply?body={i}\", each: \"{ids}\", as: i, if: '$i >= $from'}\n"
	         "  whole: {http: \"GET up/reply?body={i}\", each: \"{ids}\", as: i, if: '$from > 3'}\n"
	         "  both: {json: {each: \"{each}\", whole: \"{whole}\"}}\n"
	         "routes:\n"
	         "  GET /: {answer: both, accept: {from: integer, ids: json}}\n");
	web_expect(&web, "GET /", 200, "{\"each\":[null,null,3,4],\"whole\":null}");
	cr_expect_eq(fake_upstream_count(upstream, "/reply"), 2);
	web_expect(&web, "GET /?from=4", 200, "{\"each\":[null,null,null,4],\"whole\":[1,2,3,4]}");
	web_expect(&web, "GET /?ids=[]", 200, "{\"each\":[],\"whole\":null}");
	web_expect_failure(&web, "GET /?ids=[9007199254740993]", 400, "2^53");
	close_app();
}

Test(condition, a_condition_on_a_call_and_one_inside_it)
{
	open_app("resources:\n"
	         "  n: 1\n"
	         "  in: {json: {n: \"{n}\"}, if: '$n > 1'}\n"
	         "  out: {call: in, given: {n: \"{m}\"}, if: '$m != 3'}\n"
	         "routes:\n"
	         "  GET /: {answer: out, accept: {m: integer}}\n");
	web_expect(&web, "GET /?m=2", 200, "{\"n\":2}");
	web_expect(&web, "GET /?m=1", 200, "null");
	web_expect(&web, "GET /?m=3", 200, "null");
	close_app();
}

Test(condition, a_write_may_hang_on_a_condition)
{
	struct web_reply *r;

	open_app("resources:\n"
	         "  n: 1\n"
	         "  send: {http: POST up/echo, if: '$n > 1'}\n"
	         "routes:\n"
	         "  POST /: {answer: send, accept: {n: integer}}\n");
	r = web_get(&web, "POST /", NULL, NULL);
	cr_expect_str_eq(web_body(r), "null");
	web_done(r);
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 0);
	r = web_get(&web, "POST /", "Content-Type: application/json", "{\"n\":2}");
	cr_expect_eq(r->reply->status, 200);
	web_done(r);
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	close_app();
}

/* ---- if on accepted names ---- */

static const char checked[] =
        "resources:\n"
        "  from: 5\n"
        "  note: {http: GET up/echo}\n"
        "  out: {json: {from: \"{from}\", to: \"{to}\", tags: \"{tags}\"}}\n"
        "  form: {json: \"{error.fields}\"}\n"
        "routes:\n"
        "  GET /r:\n"
        "    answer: out\n"
        "    needs: [note]\n"
        "    accept:\n"
        "      from: integer\n"
        "      to: {type: integer, name: upto, if: '$to >= $from', message: must not be before from}\n"
        "      tags: {type: [string], default: [a], if: '($tags | unique | length) == ($tags | length)'}\n"
        "  GET /doc/{n}:\n"
        "    answer: out\n"
        "    accept:\n"
        "      n: {type: integer, if: '$n % 2 == 0'}\n"
        "      from: {type: json, if: '$from.ok'}\n"
        "      to: {type: integer, default: 1}\n"
        "      tags: {type: json, default: null, if: '$tags | length > 1'}\n"
        "    errors: {400: form}\n"
        "  GET /slow:\n"
        "    answer: out\n"
        "    deadline: 100ms\n"
        "    accept:\n"
        "      to: {type: integer, if: 'reduce range(1000000) as $i (0; . + 1) | . > $to'}\n"
        "      tags: {type: json, default: 1}\n";

Test(condition, given_values_are_checked_against_each_other)
{
	open_app(checked);
	web_expect(&web, "GET /r?from=3&upto=3", 200, "{\"from\":3,\"to\":3,\"tags\":[\"a\"]}");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	expect_told("GET /r?from=8&upto=7", 400,
	        "\"errors\":[{\"field\":\"upto\",\"message\":\"must not be before from\"}]");
	/* All of them at once, and nothing is fetched for it. */
	expect_told("GET /r?from=8&upto=7&tags=x&tags=x", 400,
	        "\"errors\":[{\"field\":\"upto\",\"message\":\"must not be before from\"},"
	        "{\"field\":\"tags\",\"message\":\"can't be accepted\"}]");
	/* Wrong types first. */
	expect_told("GET /r?from=x&upto=7&tags=x&tags=x", 400,
	        "\"errors\":[{\"field\":\"from\",\"message\":\"must be an integer\"}]");
	cr_expect_eq(fake_upstream_count(upstream, "/echo"), 1);
	/* What is not given is null, also where a resource stands behind the name. */
	web_expect(&web, "GET /r?upto=-1", 200, "{\"from\":5,\"to\":-1,\"tags\":[\"a\"]}");
	close_app();
}

Test(condition, a_check_judges_what_is_there)
{
	open_app(checked);
	web_expect(&web, "GET /doc/2?from={\"ok\":true}", 200,
	        "{\"from\":{\"ok\":true},\"to\":1,\"tags\":null}");
	web_expect(&web, "GET /doc/3?from={\"ok\":true}", 400,
	        "[{\"field\":\"n\",\"message\":\"can't be accepted\"}]");
	/* A filter that fails on what was given refuses it; one that gives no boolean is wrong itself. */
	web_expect(
	        &web, "GET /doc/2?from=7", 400, "[{\"field\":\"from\",\"message\":\"can't be accepted\"}]");
	web_expect(&web, "GET /doc/1?from={\"ok\":false}&tags=[1]", 400,
	        "[{\"field\":\"n\",\"message\":\"can't be accepted\"},"
	        "{\"field\":\"from\",\"message\":\"can't be accepted\"},"
	        "{\"field\":\"tags\",\"message\":\"can't be accepted\"}]");
	web_expect_failure(&web, "GET /doc/2?from={\"ok\":1}", 500, "neither true nor false");
	web_expect(&web, "GET /doc/2?from=null", 200, "{\"from\":null,\"to\":1,\"tags\":null}");
	close_app();
}

Test(condition, a_check_that_is_too_slow_ends_at_the_deadline)
{
	struct web_reply *r;

	open_app(checked);
	web_expect_failure(&web, "GET /slow?to=1", 504, "the time is up");
	r = web_start(&web, "GET /slow?to=1", NULL, NULL);
	cr_expect_eq(r->code, AB_PENDING);
	ab_exchange_cancel(r->exchange); /* the client has gone */
	web_done(r);
	close_app();
}

/* ---- at load ---- */

/* clang-format off */
static const struct wrong mistakes[] = {
	{"the input",
		"resources:\n"
		"  p: 1\n"
		"  a: {jq: '[.items[] | .x]'}\n",
		"app.yaml:3:13: .items is a field of the input, which is null here; expected $name.items"},
	{"libjq's own, on the second line",
		"resources:\n"
		"  p: 1\n"
		"  a:\n"
		"    jq: |\n"
		"      $p | {a: .x}\n"
		"         | nosuch(1)\n",
		"app.yaml:6:12: nosuch/1 is not defined"},
	{"a bracket too many",
		"resources:\n"
		"  a: {jq: '1) + (2'}\n",
		"app.yaml:2:13: ')' in `jq`; expected an operator, or the end"},
	{"a filter without quotes",
		"resources:\n"
		"  p: 1\n"
		"  a: {jq: {id: $p}}\n",
		"app.yaml:3:11: `jq` is a mapping; expected a string; with quotes: a: {jq: \"{id: $p}\"}"},
	{"the environment",
		"resources:\n"
		"  a: {jq: '\"${HOME}\"'}\n"
		"  b: {jq: '$ENV.HOME + env.HOME'}\n",
		"app.yaml:2:11: ${...} in a filter: a value never becomes syntax; expected it in a `value` that the filter needs as $name\n"
		"app.yaml:3:12: $ENV: a filter does not see the environment; expected ${NAME} in a `value` that it needs\n"
		"app.yaml:3:24: env: a filter does not see the environment; expected ${NAME} in a `value` that it needs"},
	{"a need that is none",
		"resources:\n"
		"  price: 1\n"
		"  a: {jq: '$prize + 1'}\n",
		"app.yaml:3:12: resource 'a' needs 'prize', which is no resource, and no route accepts it; expected one or the other; did you mean 'price'?"},
	{"keys that mean nothing",
		"resources:\n"
		"  a: {jq: '1', missing: null, writes: true, status: 4, pass: [404]}\n"
		"  b: {require: 'true', returns: row}\n",
		"app.yaml:2:16: missing means nothing on resource 'a': a 'jq' is never missing; expected it left out\n"
		"app.yaml:2:31: writes means nothing on resource 'a': a 'jq' changes nothing outside; expected it left out\n"
		"app.yaml:2:45: unknown key 'status' in resource 'a'; expected jq, inline, each, timeout, missing, pass, fallback, optional, writes, if, needs or infer\n"
		"app.yaml:2:56: pass means nothing on resource 'a': only an 'http' has an upstream's status; expected it left out\n"
		"app.yaml:3:24: unknown key 'returns' in resource 'b'; expected require, inline, status, message, field, each, timeout, fallback, optional, if, needs or infer"},
	{"a comment of YAML's cuts a filter",
		"resources:\n"
		"  p: [1]\n"
		"  a:\n"
		"    jq: $p | map(. #1)\n",
		"app.yaml:4:9: ' #' begins a comment and cuts the jq off; expected quotes: jq: \"$p | map(. #1)\""},
	{"conditions",
		"resources:\n"
		"  n: 1\n"
		"  a: {value: x, if: true}\n"
		"  b: {value: x, if: '.x'}\n"
		"  c: {value: x, if: '$nope'}\n"
		"  d: {value: x, if: '$n >'}\n"
		"  e: {value: x, if: '$n', infer: false}\n"
		"  f: {json: \"{i}\", each: [1], as: i, if: '$i | nosuch'}\n",
		"app.yaml:3:21: `if` is true; expected a string; with quotes: a: {value: x, if: \"true\"}\n"
		"app.yaml:4:22: .x is a field of the input, which is null here; expected $name.x\n"
		"app.yaml:5:22: resource 'c' needs 'nope', which is no resource, and no route accepts it; expected one or the other\n"
		"app.yaml:6:26: `if` ends too early; expected an expression\n"
		"app.yaml:7:22: 'n' is not under needs, and 'e' says infer: false; expected it there\n"
		"app.yaml:8:48: nosuch/0 is not defined; expected a function of jq, or $nosuch for a need"},
	{"checks of given values",
		"resources: {from: 1}\n"
		"routes:\n"
		"  GET /{id}:\n"
		"    answer: from\n"
		"    accept:\n"
		"      a: {type: integer, if: '$a > $from'}\n"
		"      b: {type: integer, if: '$id > $b'}\n"
		"  GET /x/{id}:\n"
		"    answer: from\n"
		"    accept:\n"
		"      a: {type: integer, if: '$a > .b'}\n"
		"      b: {type: integer, if: '$b > $id)'}\n"
		"  GET /y/{id}:\n"
		"    answer: from\n"
		"    accept:\n"
		"      a: {type: integer, if: '$a > 1'}\n"
		"      b: {type: integer, if: '$b | nosuch'}\n"
		"  GET /z/{id}:\n"
		"    answer: from\n"
		"    accept: {a: {type: integer, if: 1}}\n",
		"app.yaml:6:36: $from in an `if` under accept: only what this route accepts is known there, and a `require` under guard knows resources too; expected a name that it accepts\n"
		"app.yaml:11:36: .b is a field of the input, which is null here; expected $name.b\n"
		"app.yaml:17:36: nosuch/0 is not defined; expected a function of jq, or $nosuch for a need\n"
		"app.yaml:20:37: `if` is the number 1; expected a string; with quotes: accept: {a: {type: integer, if: \"1\"}}"},
	{"a default",
		"defaults: {if: 'true'}\n",
		"app.yaml:1:12: unknown key 'if' in defaults; expected timeout, missing, pass, fallback, optional or writes"},
};
/* clang-format on */

Test(condition, mistakes_are_said_at_their_place)
{
	appfile_expect(mistakes, AB_COUNT(mistakes));
}

Test(condition, a_condition_is_not_counted_nor_missed)
{
	static const char app[] = "resources:\n"
	                          "  n: 1\n"
	                          "  a: {value: x, if: '$n > 1'}\n"
	                          "  b: {value: x, if: '$n > 1'}\n"
	                          "routes:\n"
	                          "  GET /: a\n";
	char *hints = web_hints(app);

	cr_expect_str_eq(hints, "app.yaml:4:3: no route uses resource 'b'\n", "%s", hints);
	free(hints);
}
