/* From a method and a raw path to a route. */
#include "../../server/router.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(router, .timeout = 20);

static struct ab_arena *arena(void)
{
	struct ab_arena *new = ab_arena_create(NULL);

	cr_assert_not_null(new);
	return new;
}

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
