/* What requests may give: types, limits, places, and every offending field at once. */
#include "web.h"

#include "../../dispatch/alloc.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(accept, .timeout = 30);

/* Answers show what was given: {"v": value}. */
#define SHOW(accept)                                                                                         \
	"resources:\n"                                                                                       \
	"  show: {json: {v: \"{v}\"}}\n"                                                                     \
	"  v: null\n"                                                                                        \
	"  secret: hidden\n"                                                                                 \
	"  both: {json: {v: \"{v}\", s: \"{secret}\"}}\n"                                                    \
	"routes:\n"                                                                                          \
	"  GET /v: {answer: both, accept: {v: " accept "}}\n"                                                \
	"  POST /v: {answer: both, accept: {v: " accept "}}\n"

static const char form[] = "Content-Type: application/x-www-form-urlencoded";
static const char json[] = "Content-Type: application/json; charset=utf-8";

/* The value `v` of the answer as JSON, or "STATUS field: message; ..." */
static char *outcome(struct web *w, const char *line, const char *headers, const char *body)
{
	struct web_reply *r = web_get(w, line, headers, body);
	json_t *root = json_loads(web_body(r), JSON_DECODE_ANY, NULL), *errors;
	char *text = NULL, *more;

	cr_assert_not_null(root, "%s: %s", line, web_body(r));
	if (r->reply->status == 200) {
		text = json_dumps(
		        json_object_get(root, "v"), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	} else {
		cr_assert(asprintf(&text, "%d", r->reply->status) > 0);
		errors = json_object_get(root, "errors");
		for (size_t i = 0; i < json_array_size(errors); i++) {
			const json_t *error = json_array_get(errors, i);

			cr_assert(asprintf(&more, "%s%s %s %s", text, i > 0 ? ";" : "",
			                  json_string_value(json_object_get(error, "field")),
			                  json_string_value(json_object_get(error, "message"))) > 0);
			free(text);
			text = more;
		}
	}
	json_decref(root);
	web_done(r);
	return text;
}

static void expect(struct web *w, const char *line, const char *headers, const char *body,
        const char *expected, const char *why)
{
	char *found = outcome(w, line, headers, body);

	cr_expect_str_eq(found, expected, "%s %s (%s)\n  found    %s\n  expected %s", line,
	        body != NULL ? body : "", why, found, expected);
	free(found);
}

static const struct {
	const char *type, *query, *expected, *why;
} types[] = {
        {"string", "v=abc", "\"abc\"", "a string"},
        {"string", "v=", "\"\"", "an empty string is one"},
        {"string", "v", "\"\"", "a name alone is an empty string"},
        {"string", "v=a+b%2B%C3%BC", "\"a b+\xc3\xbc\"", "decoded once"},
        {"string", "v=%2500", "\"%00\"", "decoded once"},
        {"string", "v=%00", "400 v has a NUL character", "NUL"},
        {"string", "v=%f", "400 v has a bad percent-encoding", "bad percent-encoding"},
        {"string", "v=%ff", "400 v is not valid UTF-8", "invalid UTF-8"},
        {"string", "v=1&v=2", "400 v is given more than once", "twice"},
        {"string", "", "null", "not given: the resource"},
        {"string", "x=%ff", "400 x is not valid UTF-8", "refused in names that are not accepted, too"},
        {"string", "x=1&v=2", "\"2\"", "unknown names are left alone"},
        {"string", "secret=1", "400 secret not accepted: secret", "a name of the plan"},
        {"string", "both=1&secret=2", "400 both not accepted: both; secret not accepted: secret",
                "the answer, and another"},
        {"string", "v=<script>&x=%3Cb%3E", "\"<script>\"", "no syntax"},
        {"integer", "v=5", "5", "an integer"},
        {"integer", "v=-5", "-5", "a negative one"},
        {"integer", "v=007", "7", "still a plain decimal"},
        {"integer", "v=9223372036854775807", "9223372036854775807", "the largest"},
        {"integer", "v=-9223372036854775808", "-9223372036854775808", "the smallest"},
        {"integer", "v=9223372036854775808", "400 v must be an integer", "beyond 64 bits"},
        {"integer", "v=1.0", "400 v must be an integer", "a real"},
        {"integer", "v=1e3", "400 v must be an integer", "an exponent"},
        {"integer", "v=0x10", "400 v must be an integer", "hexadecimal"},
        {"integer", "v=%2B5", "400 v must be an integer", "a plus"},
        {"integer", "v=+5", "400 v must be an integer", "a blank"},
        {"integer", "v=5+", "400 v must be an integer", "a blank"},
        {"integer", "v=-", "400 v must be an integer", "a sign alone"},
        {"integer", "v=", "null", "empty is absent"},
        {"number", "v=1.5", "1.5", "a number"},
        {"number", "v=-2", "-2", "an integer is one"},
        {"number", "v=1e3", "1000.0", "an exponent"},
        {"number", "v=1e400", "400 v must be a number", "infinite"},
        {"number", "v=nan", "400 v must be a number", "no number"},
        {"number", "v=.5", "400 v must be a number", "no digit before the point"},
        {"number", "v=1.", "400 v must be a number", "no digit after the point"},
        {"number", "v=1e", "400 v must be a number", "an exponent cut off"},
        {"number", "v=0x1p3", "400 v must be a number", "hexadecimal"},
        {"boolean", "v=true", "true", "true"},
        {"boolean", "v=on", "true", "a checkbox"},
        {"boolean", "v=1", "true", "1"},
        {"boolean", "v=false", "false", "false"},
        {"boolean", "v=off", "false", "off"},
        {"boolean", "v=0", "false", "0"},
        {"boolean", "v=yes", "400 v must be true or false", "not one of the words"},
        {"boolean", "v=TRUE", "400 v must be true or false", "another case"},
        {"json", "v=%7B%22a%22:[1,2]%7D", "{\"a\":[1,2]}", "JSON"},
        {"json", "v=nonsense", "400 v must be JSON", "no JSON"},
        {"json", "v=", "null", "empty is absent"},
        {"[integer]", "v=1&v=2&v=3", "[1,2,3]", "repeated"},
        {"[integer]", "v=1", "[1]", "repeated once"},
        {"[integer]", "v=1&v=x&v=y", "400 v must be an integer", "one complaint a field"},
        {"[string]", "v=a&v=", "[\"a\",\"\"]", "repeated strings may be empty"},
        {"{type: integer, min: 1, max: 5}", "v=1", "1", "at the bound"},
        {"{type: integer, min: 1, max: 5}", "v=0", "400 v must be at least 1", "below"},
        {"{type: integer, min: 1, max: 5}", "v=6", "400 v must be at most 5", "above"},
        {"{type: integer, max: 9223372036854775806}", "v=9223372036854775807",
                "400 v must be at most 9223372036854775806", "compared exactly, not as doubles"},
        {"{type: number, min: 0.5}", "v=0.25", "400 v must be at least 0.5", "below"},
        {"{min_length: 2, max_length: 3}", "v=%C3%BC%C3%BC", "\"\xc3\xbc\xc3\xbc\"", "characters, not bytes"},
        {"{min_length: 2, max_length: 3}", "v=%C3%BC", "400 v must be at least 2 characters long",
                "characters, not bytes"},
        {"{min_length: 2, max_length: 3}", "v=abcd", "400 v must be at most 3 characters long", "too long"},
        {"{min_length: 1}", "v=", "400 v must not be empty", "empty"},
        {"{type: [integer], max_items: 2}", "v=1&v=2&v=3", "400 v must have at most 2 items", "too many"},
        {"{type: [integer], max: 2}", "v=1&v=3", "400 v must be at most 2", "each item"},
        {"{pattern: '[a-z]+'}", "v=abc", "\"abc\"", "matches"},
        {"{pattern: '[a-z]+'}", "v=abc1", "400 v does not have the form it must have",
                "the whole must match"},
        {"{pattern: 'a|bc'}", "v=abc", "400 v does not have the form it must have",
                "alternatives are anchored too"},
        {"{pattern: '[a-z]+'}", "v=abc%0Ax", "400 v does not have the form it must have",
                "a newline ends nothing"},
        {"{pattern: '.{2}'}", "v=%C3%BC%C3%BC", "\"\xc3\xbc\xc3\xbc\"", "a dot is a character"},
        {"{one_of: [red, blue]}", "v=red", "\"red\"", "one of them"},
        {"{one_of: [red, blue]}", "v=green", "400 v must be one of: red, blue", "none of them"},
        {"{type: integer, one_of: [1, 2]}", "v=02", "2", "compared as what it is"},
        {"{type: integer, one_of: [1, 2]}", "v=3", "400 v must be one of: 1, 2", "none of them"},
        {"{type: integer, default: 7}", "", "7", "a default"},
        {"{type: integer, default: 7}", "v=8", "8", "a default not needed"},
        {"{type: integer, default: 7}", "v=x", "400 v must be an integer", "a default is no way out"},
        {"{type: integer, default: null}", "", "null", "a null default"},
        {"{type: integer, message: say a number}", "v=x", "400 v say a number", "the file's own words"},
        {"{name: 'filter[v]'}", "filter%5Bv%5D=x", "\"x\"", "another name outside"},
        {"{name: 'filter[v]'}", "v=x", "400 v not accepted: v", "and not the one inside"},
};

Test(accept, a_query_gives_values_of_the_declared_types)
{
	for (size_t i = 0; i < AB_COUNT(types); i++) {
		char yaml[1200], line[200];
		struct web w;

		snprintf(yaml, sizeof(yaml), SHOW("%s"), types[i].type, types[i].type);
		snprintf(line, sizeof(line), "GET /v?%s", types[i].query);
		web_open(&w, yaml);
		expect(&w, line, NULL, NULL, types[i].expected, types[i].why);
		web_close(&w);
	}
}

static const struct {
	const char *type, *header, *body, *expected, *why;
} bodies[] = {
        {"string", form, "v=a+b", "\"a b\"", "a form"},
        {"string", NULL, NULL, "null", "no body"},
        {"integer", form, "v=", "null", "an empty field is absent"},
        {"string", form, "v=1&v=2", "400 v is given more than once", "twice"},
        {"string", form, "v=1&x=2&y=3&x=4", "400 x not accepted: x; y not accepted: y",
                "unknown names in a body"},
        {"string", form, "secret=1", "400 secret not accepted: secret", "a name of the plan"},
        {"string", form, "v=%00", "400 v has a NUL character", "NUL"},
        {"string", NULL, "v=1", "415", "no media type"},
        {"string", "Content-Type: text/plain", "v=1", "415", "another media type"},
        {"string", "Content-Type: application/jsonx", "{}", "415", "no such media type"},
        {"string", "Content-Type: multipart/form-data; boundary=x", "--x--", "415", "a media type not taken"},
        {"string", "Content-Type: application/json\nContent-Encoding: gzip", "{\"v\": \"a\"}", "415",
                "a coding"},
        {"string", "Content-Type: application/json\nContent-Encoding: Identity", "{\"v\": \"a\"}", "\"a\"",
                "no coding"},
        {"string", json, "{\"v\": \"a\"}", "\"a\"", "JSON"},
        {"string", json, "{\"v\": 5}", "400 v must be a string", "JSON of another type"},
        {"string", json, "{\"v\": null}", "400 v must be a string", "null is not absent"},
        {"{type: string, default: null, min_length: 3}", json, "{\"v\": null}", "null", "a default of null"},
        {"{type: [integer], default: null, max_items: 1}", json, "{\"v\": null}", "null", "null for a list"},
        {"{type: [integer], default: null}", json, "{\"v\": [null]}", "400 v must be an integer",
                "a null item"},
        {"{type: string, default: x}", json, "{\"v\": null}", "400 v must be a string", "another default"},
        {"integer", json, "{\"v\": 5}", "5", "a JSON integer"},
        {"integer", json, "{\"v\": \"5\"}", "400 v must be an integer", "a string is no integer"},
        {"integer", json, "{\"v\": 5.0}", "400 v must be an integer", "a real is no integer"},
        {"integer", json, "{\"v\": 18446744073709551616}", "400 v must be an integer", "beyond 64 bits"},
        {"boolean", json, "{\"v\": true}", "true", "a JSON boolean"},
        {"boolean", json, "{\"v\": 1}", "400 v must be true or false", "a number is no boolean"},
        {"json", json, "{\"v\": {\"a\": [null]}}", "{\"a\":[null]}", "any JSON"},
        {"json", json, "{\"v\": null}", "null", "null is JSON"},
        {"json", form, "v=[1]", "[1]", "JSON in a form"},
        {"[integer]", json, "{\"v\": [1, 2]}", "[1,2]", "a list"},
        {"[integer]", json, "{\"v\": []}", "[]", "an empty list is given"},
        {"[integer]", json, "{\"v\": 1}", "400 v must be a list", "no list"},
        {"[integer]", json, "{\"v\": [1, \"x\"]}", "400 v must be an integer", "a wrong item"},
        {"string", json, "{\"v\": \"a\", \"x\": 1}", "400 x not accepted: x", "unknown names in a body"},
        {"string", json, "[1]", "400  the body must be a JSON object", "no object"},
        {"{type: json, in: body}", json, "[1, 2]", "[1,2]", "the whole body"},
        {"{type: json, in: body}", json, "\"x\"", "\"x\"", "the whole body, a string"},
        {"{type: json, in: body}", form, "v=1", "415", "the whole body is JSON"},
        {"{type: integer, in: query}", json, "{}", "null", "from the query instead"},
        {"{type: string, in: header, name: X-V}", "X-V: a b", NULL, "\"a b\"", "from a header"},
        {"{type: string, in: header, name: X-V}", "x-v: a", NULL, "\"a\"", "header names have no case"},
        {"{type: string, in: header, name: X-V}", "X-V: a\nX-V: b", NULL, "400 X-V is given more than once",
                "twice"},
        {"{type: integer, in: header}", "V: 5", NULL, "5", "a header of that name"},
        {"{type: string, in: header}", "V: \xff", NULL, "400 v is not valid UTF-8",
                "a header that is no UTF-8"},
        {"{type: string, in: cookie}", "Cookie: a=1; v=x%20y; b=2", NULL, "\"x y\"", "from a cookie"},
        {"{type: string, in: cookie}", "Cookie: v=50%", NULL, "\"50%\"", "a cookie that others set"},
        {"{type: string, in: cookie}", "Cookie: v=1; v=2", NULL, "400 v is given more than once", "twice"},
        {"{type: string, in: cookie}", "Cookie: ;;v;=;", NULL, "null", "rubbish"},
};

Test(accept, a_post_gives_values_from_its_body_or_where_the_file_says)
{
	for (size_t i = 0; i < AB_COUNT(bodies); i++) {
		char yaml[1200];
		struct web w;

		/* A GET route can't take a name from the body. */
		snprintf(yaml, sizeof(yaml),
		        "resources:\n  v: null\n  secret: hidden\n  both: {json: {v: \"{v}\", s: \"{secret}\"}}\n"
		        "routes:\n  POST /v: {answer: both, accept: {v: %s}}\n",
		        bodies[i].type);
		web_open(&w, yaml);
		expect(&w, "POST /v", bodies[i].header, bodies[i].body, bodies[i].expected, bodies[i].why);
		web_close(&w);
	}
}

Test(accept, names_every_offending_field_at_once)
{
	struct web w;

	web_open(&w, "resources:\n"
	             "  page: {json: {a: \"{a}\", b: \"{b}\", c: \"{c}\", d: \"{d}\", id: \"{id}\"}}\n"
	             "  d: 1\n"
	             "routes:\n"
	             "  GET /x/{id}:\n"
	             "    answer: page\n"
	             "    accept: {id: integer, a: integer, b: {max_length: 1}, c: string}\n");
	expect(&w, "GET /x/abc?a=x&b=long&d=2&e=3", NULL, NULL,
	        "400 id must be an integer; a must be an integer; b must be at most 1 characters long; d not accepted: d; "
	        "c is required",
	        "all of them");
	web_close(&w);
}

Test(accept, a_body_that_was_not_read_is_not_said_to_lack_fields)
{
	struct web w;

	web_open(&w, "resources:\n"
	             "  page: {json: {a: \"{a}\", b: \"{b}\"}}\n"
	             "routes:\n"
	             "  POST /x:\n"
	             "    answer: page\n"
	             "    accept: {a: string, b: {type: integer, in: query}}\n");
	expect(&w, "POST /x?b=1", "Content-Type: text/plain", "a=1", "415", "another media type");
	expect(&w, "POST /x?b=z", NULL, "a=1", "415 b must be an integer",
	        "no media type, and a wrong query");
	expect(&w, "POST /x", json, "[1]", "400  the body must be a JSON object; b is required", "no object");
	expect(&w, "POST /x?b=1", form, "", "400 a is required", "no body at all");
	web_close(&w);
}

Test(accept, the_body_of_a_refusal_is_a_problem_document)
{
	struct web_reply *r;
	struct web w;
	json_t *problem;

	web_open(&w, SHOW("integer"));
	r = web_get(&w, "GET /v?v=x", NULL, NULL);
	cr_expect_eq(r->reply->status, 400);
	cr_expect_str_eq(r->reply->media, "application/problem+json");
	problem = json_loads(web_body(r), 0, NULL);
	cr_expect_str_eq(json_string_value(json_object_get(problem, "title")), "Bad Request");
	cr_expect_eq(json_integer_value(json_object_get(problem, "status")), 400);
	cr_expect_str_eq(json_string_value(json_object_get(problem, "request_id")), "test-id");
	cr_expect_eq(json_array_size(json_object_get(problem, "errors")), 1);
	cr_expect_not_null(r->reply->error, "the log is told why");
	json_decref(problem);
	web_done(r);
	web_close(&w);
}

Test(accept, ten_thousand_parameters_are_one_complaint)
{
	char *line = malloc(60000);
	struct web w;
	size_t len;

	web_open(&w, SHOW("string"));
	len = (size_t)sprintf(line, "GET /v?");
	for (size_t i = 0; i < 10000; i++)
		len += (size_t)sprintf(line + len, "x=1&");
	expect(&w, line, NULL, NULL, "400  the query has more than 1000 parameters, which is the limit",
	        "ten thousand");
	expect(&w, "POST /v", form, strchr(line, '?') + 1,
	        "400  the form has more than 1000 fields, which is the limit", "ten thousand");
	free(line);
	web_close(&w);
}

Test(accept, a_body_100000_levels_deep_is_refused)
{
	char *body = malloc(200001), *found;
	struct web w;

	memset(body, '[', 100000);
	memset(body + 100000, ']', 100000);
	body[200000] = '\0';
	web_open(&w, SHOW("json"));
	found = outcome(&w, "POST /v", json, body);
	cr_expect_eq(strncmp(found, "400  the body is not the JSON that is read here", 47), 0, "%s", found);
	free(found);
	free(body);
	web_close(&w);
}

Test(accept, a_route_that_accepts_nothing_still_judges_a_body)
{
	char *found;
	struct web w;

	web_open(&w, "resources:\n  page: {json: {v: 1}}\nroutes:\n  POST /v: page\n");
	expect(&w, "POST /v", NULL, NULL, "1", "no body");
	expect(&w, "POST /v", form, "x=1", "400 x not accepted: x", "a name");
	expect(&w, "POST /v", json, "{}", "1", "no names");
	expect(&w, "POST /v", "Content-Type: text/plain", "x", "415", "no names can be in it");
	found = outcome(&w, "POST /v", json, "{\"x\": tru");
	cr_expect_eq(strncmp(found, "400  the body is not the JSON", 29), 0, "%s", found);
	free(found);
	web_close(&w);
}

static void expect_detail(struct web *w, const char *line, const char *headers, const char *detail)
{
	struct web_reply *r = web_get(w, line, headers, "x");

	cr_expect_eq(r->reply->status, 415);
	cr_expect_not_null(strstr(web_body(r), detail), "%s", web_body(r));
	web_done(r);
}

Test(accept, a_kind_of_body_that_is_not_taken_is_told_what_is)
{
	struct web w;

	web_open(&w,
	        "resources:\n  page: {json: {v: \"{request.body}\"}}\n  all: {json: {v: \"{v}\"}}\nroutes:\n"
	        "  POST /v: {answer: all, accept: {v: string}}\n  POST /raw: page\n"
	        "  POST /all: {answer: all, accept: {v: {type: json, in: body}}}\n");
	expect_detail(&w, "POST /v", "Content-Type: text/plain",
	        "expected application/x-www-form-urlencoded or application/json\"");
	expect_detail(&w, "POST /all", form, "expected application/json\"");
	expect_detail(&w, "POST /raw", "Content-Encoding: br", "Content-Encoding");
	web_close(&w);
}

Test(accept, more_fields_than_are_read_are_refused_by_that_limit_alone)
{
	char fields[3001] = "";
	struct web w;

	for (size_t i = 0; i < 1500; i++)
		strcpy(fields + 2 * i, "a&");
	web_open(&w,
	        "resources:\n  page: {json: {v: \"{request.body}\"}}\n  all: {json: {v: \"{v}\"}}\nroutes:\n"
	        "  POST /v: {answer: all, accept: {v: string}}\n  POST /raw: page\n");
	expect(&w, "POST /v", form, fields, "400  the form has more than 1000 fields, which is the limit",
	        "accepted");
	expect(&w, "POST /raw", form, fields, "400  the form has more than 1000 fields, which is the limit",
	        "left to request.body");
	expect(&w, "POST /raw", "Content-Type: text/plain", "a&b", "\"a&b\"", "no form");
	expect(&w, "POST /raw", form, "a=1&a=2", "{\"a\":[\"1\",\"2\"]}", "a form within the limit");
	web_close(&w);
}

Test(accept, unknown_names_in_a_body_can_be_allowed_but_not_those_of_the_plan)
{
	struct web w;

	web_open(&w, "resources:\n  secret: s\n  page: {json: {v: \"{v}\", s: \"{secret}\"}}\n"
	             "routes:\n  POST /v: {answer: page, accept: {v: string}, accept_unknown: true}\n");
	expect(&w, "POST /v", form, "v=1&x=2", "\"1\"", "unknown");
	expect(&w, "POST /v", json, "{\"v\": \"1\", \"x\": 2}", "\"1\"", "unknown");
	expect(&w, "POST /v", form, "v=1&secret=2", "400 secret not accepted: secret", "of the plan");
	expect(&w, "POST /v", json, "{\"v\": \"1\", \"secret\": 2}", "400 secret not accepted: secret",
	        "of the plan");
	expect(&w, "POST /v?v=1", form, "v=2", "400 v not accepted: v", "accepted, but not from the query");
	web_close(&w);
}

Test(accept, a_required_name_without_a_resource_must_be_given)
{
	struct web w;

	web_open(&w,
	        "resources:\n  page: {json: {v: \"{v}\"}}\nroutes:\n  GET /v: {answer: page, accept: {v: integer}}\n"
	        "  GET /p/{v}: {answer: page, accept: {v: {type: integer, min: 1}}}\n  GET /s/{v}: page\n");
	expect(&w, "GET /v", NULL, NULL, "400 v is required", "not given");
	expect(&w, "GET /v?v=", NULL, NULL, "400 v is required", "empty");
	expect(&w, "GET /p/5", NULL, NULL, "5", "a path variable of a type");
	expect(&w, "GET /p/0", NULL, NULL, "400 v must be at least 1", "a path variable below its limit");
	expect(&w, "GET /s/5", NULL, NULL, "\"5\"", "a path variable is a string unless said otherwise");
	expect(&w, "GET /s/a%2F..%0d%0a%22", NULL, NULL, "\"a/..\\r\\n\\\"\"", "a path variable of any text");
	expect(&w, "GET /s/5?v=6", NULL, NULL, "400 v not accepted: v",
	        "a path variable can't be given in the query too");
	web_close(&w);
}

Test(accept, accept_all_opens_every_resource_but_the_answer)
{
	static const struct ab_app_options options = {.accept_all = true};
	struct web w;

	web_begin(&w);
	web_compile(&w,
	        "resources:\n  a: 1\n  v: {json: {a: \"{a}\"}}\n  page: {json: {v: \"{v}\", p: \"{request.path}\"}}\n"
	        "routes:\n  GET /v: page\n  POST /v: page\n  GET /t: {answer: page, accept: {a: integer}}\n",
	        &options);
	expect(&w, "GET /v", NULL, NULL, "{\"a\":1}", "nothing given");
	expect(&w, "GET /v?a=5", NULL, NULL, "{\"a\":5}", "JSON where it is JSON");
	expect(&w, "GET /v?a=x", NULL, NULL, "{\"a\":\"x\"}", "else a string");
	expect(&w, "GET /v?v=%5B1%5D", NULL, NULL, "[1]", "any resource of the plan");
	expect(&w, "GET /v?page=1", NULL, NULL, "400 page not accepted: page", "not the answer");
	expect(&w, "GET /v?request=1", NULL, NULL, "400 request not accepted: request", "nothing reserved");
	expect(&w, "GET /v?a=1&a=2", NULL, NULL, "400 a is given more than once", "twice");
	expect(&w, "POST /v", json, "{\"a\": {\"b\": 1}}", "{\"a\":{\"b\":1}}", "a JSON body");
	expect(&w, "GET /t?a=x", NULL, NULL, "400 a must be an integer", "a declared type wins");
	web_close(&w);
}

static size_t allocated;

static void *counting_malloc(size_t size)
{
	allocated += size;
	return malloc(size);
}

Test(accept, a_list_of_mistakes_costs_what_its_first_does)
{
	static const struct ab_alloc_funcs counting = {counting_malloc, realloc, free};
	enum { ITEMS = 100000 };
	char *body = malloc(2 * ITEMS + 16), *at = body;
	struct web w;

	cr_assert_not_null(body);
	at += sprintf(at, "{\"v\": [1");
	for (size_t i = 1; i < ITEMS; i++)
		at += sprintf(at, ",1");
	memcpy(at, "]}", 3);
	web_open(&w, "resources: {a: {json: {v: \"{v}\"}}}\nroutes:\n"
	             "  POST /min: {answer: a, accept: {v: {type: [integer], min: 5}}}\n"
	             "  POST /max: {answer: a, accept: {v: {type: [integer], max_items: 2}}}\n");
	ab_set_alloc_funcs(&counting);
	expect(&w, "POST /min", json, body, "400 v must be at least 5", "all of them wrong");
	expect(&w, "POST /max", json, body, "400 v must have at most 2 items", "too many");
	ab_set_alloc_funcs(NULL);
	cr_expect_lt(allocated, 512 * 1024);
	web_close(&w);
	free(body);
}

/* ---- mistakes ---- */

static const struct {
	const char *method, *accept, *expected, *why;
} mistakes[] = {
        {"GET", "{who: strin}", "no type 'strin'", "a type that does not exist"},
        {"GET", "{who: strin}", "did you mean 'string'", "a type that does not exist"},
        {"GET", "{who: {type: string, mx: 3}}", "mx", "an unknown key"},
        {"GET", "{who: {type: string, min: 3}}", "'min' is for integer and number only", "min is no length"},
        {"GET", "{who: {type: integer, max_length: 3}}", "'max_length' is for string only",
                "an integer has no length"},
        {"GET", "{who: {type: integer, pattern: '[0-9]'}}", "'pattern' is for string only",
                "an integer has no form"},
        {"GET", "{who: {max_items: 3}}", "'max_items' is for [type] only", "one value has no items"},
        {"GET", "{who: {type: integer, min: 3, max: 2}}", "nothing would be accepted", "an empty range"},
        {"GET", "{who: {pattern: 'a)(b'}}", "not a POSIX extended expression", "a broken pattern"},
        {"GET", "{who: {pattern: '(a)\\1'}}", "back-references", "a pattern that could take for ever"},
        {"GET", "{who: {type: integer, default: x}}", "a value of 'default' must be an integer",
                "a wrong default"},
        {"GET", "{who: {default: 5}}", "put it in quotes", "a default without its quotes"},
        {"GET", "{who: {type: integer, max: 3, default: 4}}", "must be at most 3",
                "a default beyond its limit"},
        {"GET", "{who: {type: [integer], default: 4}}", "must be a list", "a default that is no list"},
        {"GET", "{who: {one_of: []}}", "'one_of' is empty", "no choice"},
        {"GET", "{who: {type: integer, one_of: [a]}}", "a value of 'one_of' must be an integer",
                "a wrong choice"},
        {"GET", "{who: {in: body}}", "a GET request has no body", "a body on GET"},
        {"GET", "{who: {in: head}}", "no place 'head'", "a place that does not exist"},
        {"GET", "{who: {in: path}}", "the path has no variable {who}", "no such variable"},
        {"GET", "{id: {in: query}}", "it is a variable of the path", "in the path already"},
        {"GET", "{id: {default: x}}", "a default is never used", "a path variable is always there"},
        {"GET", "{id: [string]}", "a path variable comes once", "a path variable repeated"},
        {"GET", "{request: string}", "reserved", "a reserved name"},
        {"GET", "{greet: string}", "which is its answer", "the answer"},
        {"GET", "{'a-b': string}", "not a name", "no name"},
        {"GET", "{who: {name: x}, id2: {name: x}}", "are the same to the request", "two of one name"},
        {"POST", "{who: {in: body, type: json}, x: string}", "takes the whole of it",
                "the whole body and a part"},
};

Test(accept, mistakes_in_accept_are_found_at_load)
{
	for (size_t i = 0; i < AB_COUNT(mistakes); i++) {
		char yaml[500], *found;

		snprintf(yaml, sizeof(yaml),
		        "resources:\n  who: World\n  greet: {text: \"Hello {{who}} {{id}}\"}\n"
		        "routes:\n  %s /greet/{id}:\n    answer: greet\n    accept: %s\n",
		        mistakes[i].method, mistakes[i].accept);
		found = web_mistakes(yaml);
		cr_expect_not_null(strstr(found, mistakes[i].expected), "%s (%s):\n%s", mistakes[i].accept,
		        mistakes[i].why, found);
		cr_expect_eq(strncmp(found, "app.yaml:", 9), 0, "%s", found);
		free(found);
	}
}

Test(accept, a_name_that_only_a_call_could_use_is_hinted_at_with_how_to_give_it)
{
	char *found =
	        web_hints("resources:\n  who: Ann\n  card: {json: {a: \"{who}\"}}\n  page: {call: card}\n"
	                  "routes:\n  GET /: {answer: page, accept: {who: string}}\n");

	cr_expect_not_null(
	        strstr(found, "accepts 'who', but nothing in it uses that; a run of its own under `call` has "
	                      "it only where `given` gives it"),
	        "%s", found);
	free(found);
}

Test(accept, a_name_that_nothing_uses_is_hinted_at)
{
	char *found = web_hints(
	        "resources:\n  page: {json: {a: 1}}\nroutes:\n  GET /: {answer: page, accept: {x: string}}\n");

	cr_expect_not_null(strstr(found, "accepts 'x', but nothing in it uses that"), "%s", found);
	free(found);
}
