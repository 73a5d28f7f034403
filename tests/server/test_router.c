/* Raw paths and queries, decoded once, and the routes they mean. */
#include "../../server/router.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(uri, .timeout = 20);
TestSuite(router, .timeout = 20);

static struct ab_arena *arena(void)
{
	struct ab_arena *new = ab_arena_create(NULL);

	cr_assert_not_null(new);
	return new;
}

/* ---- paths ---- */

/* The segments as "a|b|c", or "!" and the error. */
static const char *split(struct ab_arena *memory, const char *path)
{
	struct ab_slice segments[AB_MAX_SEGMENTS];
	struct ab_error err = {.text = ""};
	size_t count, len = 0;
	static char text[1024];

	if (ab_uri_split(path, strlen(path), memory, segments, &count, &err) != AB_OK) {
		cr_assert_eq(err.status, 400);
		snprintf(text, sizeof(text), "!%s", err.text);
		return text;
	}
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i > 0 ? "|" : "",
		        (int)segments[i].len, segments[i].text);
	return text;
}

static const struct {
	const char *path, *expected, *why;
} paths[] = {
        {"/", "", "the root is one empty segment"},
        {"/a/b", "a|b", "segments"},
        {"/a/", "a|", "a trailing slash is a segment of its own"},
        {"//", "|", "two slashes are two empty segments, not one"},
        {"/a%2Fb/c", "a/b|c", "%2F stays inside its segment"},
        {"/%61%62", "ab", "letters may be encoded"},
        {"/%C3%BC", "\xc3\xbc", "UTF-8, encoded"},
        {"/\xc3\xbc", "\xc3\xbc", "UTF-8 as it is"},
        {"/a%25b", "a%b", "decoded once: a percent sign"},
        {"/%252e%252e", "%2e%2e", "decoded once: no dot segment comes out of it"},
        {"/a+b", "a+b", "a plus in a path is a plus"},
        {"/...", "...", "three dots are a name"},
        {"/.well-known", ".well-known", "so is a leading dot"},
        {"/a%0d%0ab", "a\r\nb",
                "control characters, encoded, are for the places they are put into to encode"},
        {"/..%2Fa", "../a", "no dot segment, only a text with dots: places encode it again"},
        {"", "!the path does not begin with '/'", "empty"},
        {"a/b", "!the path does not begin with '/'", "no slash"},
        {"/a/../b", "!the path has a dot segment", "dot segments"},
        {"/a/.", "!the path has a dot segment", "dot segments"},
        {"/a/%2e%2e/b", "!the path has a dot segment", "dot segments, encoded"},
        {"/a/.%2E", "!the path has a dot segment", "dot segments, half encoded"},
        {"/a%00b", "!the path has a NUL character", "NUL"},
        {"/a%", "!the path has a bad percent-encoding", "cut off"},
        {"/a%2", "!the path has a bad percent-encoding", "cut off"},
        {"/a%zz", "!the path has a bad percent-encoding", "no hexadecimal digits"},
        {"/a%2/b", "!the path has a bad percent-encoding", "a slash is no digit"},
        {"/%ff", "!the path is not valid UTF-8", "a byte that no UTF-8 has"},
        {"/%c3", "!the path is not valid UTF-8", "a character cut off"},
        {"/%ed%a0%80", "!the path is not valid UTF-8", "a surrogate"},
        {"/%c0%af", "!the path is not valid UTF-8", "an overlong slash"},
        {"/a b", "!the path has a character that must be percent-encoded", "a blank"},
        {"/a\tb", "!the path has a character that must be percent-encoded", "a control character"},
        {"/a#b", "!the path has a character that must be percent-encoded", "a fragment"},
};

Test(uri, splits_a_path_and_decodes_each_segment_once)
{
	for (size_t i = 0; i < AB_COUNT(paths); i++) {
		struct ab_arena *memory = arena();

		cr_expect_str_eq(split(memory, paths[i].path), paths[i].expected, "%s (%s): %s",
		        paths[i].path, paths[i].why, split(memory, paths[i].path));
		ab_arena_unref(memory);
	}
}

Test(uri, counts_more_segments_than_it_keeps)
{
	struct ab_slice segments[AB_MAX_SEGMENTS];
	struct ab_arena *memory = arena();
	struct ab_error err;
	char path[400];
	size_t count;

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 == 0 ? '/' : 'a';
	cr_assert_eq(ab_uri_split(path, sizeof(path), memory, segments, &count, &err), AB_OK);
	cr_expect_eq(count, 200);
	ab_arena_unref(memory);
}

/* ---- parameters ---- */

/* "a=1;b=!why" */
static const char *params(struct ab_arena *memory, const char *query)
{
	struct ab_param *list;
	struct ab_error err = {.text = ""};
	size_t count, len = 0;
	static char text[1024];

	text[0] = '\0';
	if (ab_uri_params(query, strlen(query), memory, &list, &count, &err) != AB_OK)
		return strcpy(text, err.text);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s%s", i > 0 ? ";" : "",
		        list[i].name, list[i].bad != NULL ? "!" : "",
		        list[i].bad != NULL ? list[i].bad : list[i].value);
	return text;
}

static const struct {
	const char *query, *expected, *why;
} queries[] = {
        {"", "", "nothing"},
        {"a=1", "a=1", "one"},
        {"a=1&b=2&a=3", "a=1;b=2;a=3", "several, in order, twice the same"},
        {"a", "a=", "a name alone"},
        {"a=", "a=", "an empty value"},
        {"=1", "=1", "an empty name"},
        {"&&a=1&", "a=1", "empty pairs are nothing"},
        {"a=b=c", "a=b=c", "only the first '=' parts"},
        {"a=1+2%2B3", "a=1 2+3", "plus is a space, %2B a plus"},
        {"a%3Db=1%262", "a=b=1&2", "separators, encoded, are text"},
        {"filter%5Btag%5D=x", "filter[tag]=x", "names are decoded"},
        {"q=%C3%BC", "q=\xc3\xbc", "UTF-8"},
        {"a=%00", "a=!has a NUL character", "NUL"},
        {"a=1%", "a=!has a bad percent-encoding", "cut off"},
        {"a=%u00fc", "a=!has a bad percent-encoding", "no such escape"},
        {"a=%fc&b=2", "a=!is not valid UTF-8;b=2", "the others are still read"},
        {"%ff=1", "=!is not valid UTF-8", "a name that can't be read"},
};

Test(uri, decodes_parameters_and_says_which_it_can_not)
{
	for (size_t i = 0; i < AB_COUNT(queries); i++) {
		struct ab_arena *memory = arena();

		cr_expect_str_eq(params(memory, queries[i].query), queries[i].expected, "%s (%s): %s",
		        queries[i].query, queries[i].why, params(memory, queries[i].query));
		ab_arena_unref(memory);
	}
}

Test(uri, refuses_ten_thousand_parameters_without_reading_them)
{
	struct ab_arena *memory = arena();
	char *query = calloc(1, 40001);

	for (size_t i = 0; i < 10000; i++)
		memcpy(query + 4 * i, "a=1&", 4);
	cr_expect_str_eq(params(memory, query), "more than 1000 parameters");
	free(query);
	ab_arena_unref(memory);
}

/* ---- routes ---- */

static void add(struct ab_router *router, const char *name, enum ab_code expected)
{
	struct ab_route *route = ab_arena_calloc(router->arena, 1, sizeof(*route));
	struct ab_slice slices[AB_MAX_SEGMENTS];
	struct ab_segment segments[AB_MAX_SEGMENTS];
	const struct ab_route *other;
	const char *path = strchr(name, ' ') + 1;
	struct ab_error err;
	size_t count;

	route->name = name;
	route->method = ab_method_names[ab_method_find(name, (size_t)(path - name) - 1)];
	cr_assert_eq(ab_uri_split(path, strlen(path), router->arena, slices, &count, &err), AB_OK);
	for (size_t i = 0; i < count; i++) {
		bool variable = slices[i].len > 0 && slices[i].text[0] == '{';

		segments[i] = (struct ab_segment){variable, slices[i]};
		route->n_variables += variable;
	}
	cr_assert_eq(ab_router_add(router, route, segments, count, &other), expected, "%s", name);
}

/* "GET /a/{x} x=1" or "405 GET, HEAD, OPTIONS" or "404". */
static const char *match(const struct ab_router *router, struct ab_arena *memory, const char *request)
{
	static char text[512];
	const char *path = strchr(request, ' ') + 1;
	struct ab_match found;
	struct ab_error err;
	char method[16];
	size_t len;

	snprintf(method, sizeof(method), "%.*s", (int)(path - request) - 1, request);
	if (ab_router_match(router, method, path, strlen(path), memory, &found, &err) != AB_OK)
		return err.text[0] != '\0' ? strcpy(text, "400") : NULL;
	if (found.route == NULL) {
		snprintf(text, sizeof(text), found.allow != NULL ? "405 %s" : "404", found.allow);
		return text;
	}
	cr_assert_null(found.allow);
	len = (size_t)snprintf(text, sizeof(text), "%s", found.route->name);
	for (size_t i = 0; i < found.route->n_variables; i++)
		len += (size_t)snprintf(
		        text + len, sizeof(text) - len, " %.*s", (int)found.lengths[i], found.values[i]);
	return text;
}

static const struct {
	const char *request, *expected, *why;
} matches[] = {
        {"GET /", "GET /", "the root"},
        {"GET /products", "GET /products", "a literal"},
        {"GET /products/", "404", "a trailing slash is another path"},
        {"GET /docs/", "GET /docs/", "and may have its route"},
        {"GET /docs", "404", "which is not the path without"},
        {"GET /products/7", "GET /products/{id} 7", "a variable"},
        {"GET /products/new", "GET /products/new", "a literal wins over a variable"},
        {"GET /products/a%2Fb", "GET /products/{id} a/b", "%2F stays inside"},
        {"GET /products/%6eew", "GET /products/new", "the same path in another spelling is the same route"},
        {"GET /%70roducts", "GET /products", "the same path in another spelling is the same route"},
        {"GET //products", "404", "two slashes are not one"},
        {"GET /products//reviews", "404", "an empty variable does not match"},
        {"HEAD /products/7", "GET /products/{id} 7", "HEAD runs the GET route"},
        {"POST /products", "POST /products", "by method"},
        {"DELETE /products", "405 GET, HEAD, POST, OPTIONS", "no such method here"},
        {"POST /products/7", "405 GET, HEAD, PUT, OPTIONS", "no such method here"},
        {"PUT /products/new", "PUT /products/{id} new", "a method the literal does not have: the variable's"},
        {"OPTIONS /products", "405 GET, HEAD, POST, OPTIONS", "OPTIONS runs none, but is told"},
        {"OPTIONS /nothing", "404", "OPTIONS of nothing"},
        {"get /products", "405 GET, HEAD, POST, OPTIONS", "methods are case-sensitive"},
        {"GET /Products", "404", "paths are case-sensitive"},
        {"GET /a/1/c", "GET /a/{x}/c 1", "overlapping routes"},
        {"GET /a/b/d", "GET /{y}/b/d a", "overlapping routes: back to the variable"},
        {"GET /z/b/d", "GET /{y}/b/d z", "overlapping routes"},
        {"GET /a/1/d", "404", "overlapping routes, neither"},
        {"GET /files/%2e%2e/x", "400", "dot segments never get as far as a route"},
        {"GET /caf%C3%A9", "GET /caf\xc3\xa9", "a literal beyond ASCII"},
        {"GET /caf\xc3\xa9", "GET /caf\xc3\xa9", "a literal beyond ASCII"},
};

Test(router, finds_the_route_that_a_raw_path_means)
{
	static const char *const routes[] = {"GET /", "GET /products", "POST /products", "GET /products/{id}",
	        "PUT /products/{id}", "GET /products/new", "GET /products/{id}/reviews", "GET /docs/",
	        "GET /a/{x}/c", "GET /{y}/b/d", "GET /caf\xc3\xa9"};
	struct ab_router *router = ab_router_create();
	struct ab_arena *memory = arena();

	for (size_t i = 0; i < AB_COUNT(routes); i++)
		add(router, routes[i], AB_OK);
	for (size_t i = 0; i < AB_COUNT(matches); i++)
		cr_expect_str_eq(match(router, memory, matches[i].request), matches[i].expected,
		        "%s (%s): %s", matches[i].request, matches[i].why,
		        match(router, memory, matches[i].request));
	cr_expect_eq(ab_router_count(router), AB_COUNT(routes));
	cr_expect_str_eq(ab_router_at(router, 3)->name, "GET /products/{id}");
	ab_arena_unref(memory);
	ab_router_destroy(router);
}

Test(router, two_routes_of_one_shape_are_duplicates)
{
	struct ab_router *router = ab_router_create();

	add(router, "GET /a/{x}", AB_OK);
	add(router, "GET /a/{y}", AB_EDUPLICATE);
	add(router, "POST /a/{y}", AB_OK);
	add(router, "GET /a/x", AB_OK);
	ab_router_destroy(router);
}

Test(router, finds_each_of_many_routes_in_one_folder)
{
	struct ab_router *router = ab_router_create();
	struct ab_arena *memory = arena();
	char names[700][32];

	for (int i = 0; i < 700; i++) {
		snprintf(names[i], sizeof(names[i]), "GET /x/%d%s", (i * 7919) % 700,
		        i % 3 == 0 ? "/{id}" : "");
		add(router, names[i], AB_OK);
	}
	for (int i = 0; i < 700; i++) {
		char request[40];

		snprintf(request, sizeof(request), "GET /x/%d%s", (i * 7919) % 700, i % 3 == 0 ? "/1" : "");
		cr_expect_eq(strncmp(match(router, memory, request), names[i], strlen(names[i])), 0, "%s",
		        request);
	}
	ab_arena_unref(memory);
	ab_router_destroy(router);
}

Test(router, a_path_with_more_segments_than_any_route_is_not_found)
{
	struct ab_router *router = ab_router_create();
	struct ab_arena *memory = arena();
	struct ab_match found;
	struct ab_error err;
	char path[100000];

	memset(path, '/', sizeof(path));
	add(router, "GET /{a}", AB_OK);
	cr_assert_eq(ab_router_match(router, "GET", path, sizeof(path), memory, &found, &err), AB_OK);
	cr_expect_null(found.route);
	cr_expect_null(found.allow);
	ab_arena_unref(memory);
	ab_router_destroy(router);
}
