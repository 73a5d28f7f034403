/* server/router.c: from a method and a raw path to a route.
 *
 * A trie of decoded segments: a node has its literal children sorted, so that one is found by bisection, and
 * at most one variable child, shared by all routes of that shape whatever they call the variable. The walk
 * tries the literal first and the variable after, and looks back only where routes overlap (`/a/{x}/c` and
 * `/{y}/b/d`). A node is reached from its parent alone, so no node is visited twice, and without overlaps one
 * is visited for each segment. */
#include "router.h"

#include <string.h>

struct ab_node {
	struct ab_slice literal;
	struct ab_node **children; /* by length, then bytes */
	size_t n_children;
	struct ab_node *variable;
	const struct ab_route *routes[AB_METHODS];
	unsigned methods; /* bits of the routes that end here */
};

const char *const ab_method_names[AB_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

int ab_method_find(const char *name, size_t len)
{
	for (int i = 0; i < AB_METHODS; i++)
		if (strlen(ab_method_names[i]) == len && memcmp(ab_method_names[i], name, len) == 0)
			return i;
	return -1;
}

struct ab_router *ab_router_create(void)
{
	struct ab_router *router = calloc(1, sizeof(*router));

	if (router == NULL)
		return NULL;
	router->arena = ab_arena_create(NULL);
	if (router->arena == NULL)
		goto fail;
	router->root = ab_arena_calloc(router->arena, 1, sizeof(*router->root));
	if (router->root == NULL)
		goto fail;
	return router;
fail:
	ab_router_destroy(router);
	return NULL;
}

void ab_router_destroy(struct ab_router *router)
{
	if (router == NULL)
		return;
	if (router->arena != NULL)
		ab_arena_unref(router->arena);
	free(router);
}

size_t ab_router_count(const struct ab_router *router)
{
	return router->n_routes;
}

const struct ab_route *ab_router_at(const struct ab_router *router, size_t index)
{
	return router->routes[index];
}

const struct ab_error_rule *ab_router_errors(const struct ab_router *router, size_t *ret_count)
{
	*ret_count = router->n_errors;
	return router->errors;
}

static int slice_compare(const struct ab_slice *a, const struct ab_slice *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->text, b->text, a->len);
}

/* The index of the literal child, or of where it would stand. */
static size_t child_index(const struct ab_node *node, const struct ab_slice *text, bool *ret_found)
{
	size_t low = 0, high = node->n_children;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_compare(text, &node->children[middle]->literal);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct ab_node *child_insert(
        struct ab_router *router, struct ab_node *node, size_t at, const struct ab_slice *text)
{
	size_t size = (node->n_children + 1) * sizeof(struct ab_node *);
	struct ab_node *child = ab_arena_calloc(router->arena, 1, sizeof(*child));
	struct ab_node **children = node->children;

	if (child == NULL)
		return NULL;
	/* Room doubles, so that a folder of n routes costs O(n) memory. */
	if ((node->n_children & (node->n_children - 1)) == 0) {
		children = ab_arena_alloc(router->arena, 2 * size);
		if (children == NULL)
			return NULL;
		if (node->n_children > 0)
			memcpy(children, node->children, node->n_children * sizeof(struct ab_node *));
	}
	memmove(children + at + 1, children + at, (node->n_children - at) * sizeof(struct ab_node *));
	child->literal = *text;
	children[at] = child;
	node->children = children;
	node->n_children++;
	return child;
}

static struct ab_node *child_get(
        struct ab_router *router, struct ab_node *node, const struct ab_segment *segment)
{
	bool found;
	size_t at;

	if (segment->variable) {
		if (node->variable == NULL)
			node->variable = ab_arena_calloc(router->arena, 1, sizeof(*node->variable));
		return node->variable;
	}
	at = child_index(node, &segment->text, &found);
	return found ? node->children[at] : child_insert(router, node, at, &segment->text);
}

static bool remember(struct ab_router *router, struct ab_route *route)
{
	size_t n = router->n_routes;

	if ((n & (n - 1)) == 0) {
		struct ab_route **routes =
		        ab_arena_alloc(router->arena, 2 * (n + 1) * sizeof(struct ab_route *));

		if (routes == NULL)
			return false;
		if (n > 0)
			memcpy(routes, router->routes, n * sizeof(struct ab_route *));
		router->routes = routes;
	}
	router->routes[router->n_routes++] = route;
	return true;
}

enum ab_code ab_router_add(struct ab_router *router, struct ab_route *route,
        const struct ab_segment *segments, size_t count, const struct ab_route **ret_other)
{
	int method = ab_method_find(route->method, strlen(route->method));
	struct ab_node *node = router->root;

	ab_assert(method >= 0 && count <= AB_MAX_SEGMENTS);
	for (size_t i = 0; i < count; i++) {
		node = child_get(router, node, &segments[i]);
		if (node == NULL)
			return AB_ENOMEM;
	}
	if (node->routes[method] != NULL) {
		*ret_other = node->routes[method];
		return AB_EDUPLICATE;
	}
	if (!remember(router, route))
		return AB_ENOMEM;
	node->routes[method] = route;
	node->methods |= 1U << method;
	return AB_OK;
}

/* ---- matching ---- */

struct walk {
	const struct ab_slice *segments;
	size_t count;
	int method;       /* -1: none that a route can have */
	unsigned methods; /* of every path that fits, for Allow */
	bool fits;
	struct ab_match *match;
};

static bool walk_node(struct walk *walk, const struct ab_node *node, size_t depth, size_t variables)
{
	const struct ab_slice *segment = &walk->segments[depth];
	bool found;
	size_t at;

	if (depth == walk->count) {
		walk->fits = walk->fits || node->methods != 0;
		walk->methods |= node->methods;
		if (walk->method >= 0)
			walk->match->route = node->routes[walk->method];
		return walk->match->route != NULL;
	}
	at = child_index(node, segment, &found);
	if (found && walk_node(walk, node->children[at], depth + 1, variables))
		return true;
	if (node->variable == NULL || segment->len == 0 || variables == AB_MAX_VARIABLES)
		return false;
	walk->match->values[variables] = segment->text;
	walk->match->lengths[variables] = segment->len;
	return walk_node(walk, node->variable, depth + 1, variables + 1);
}

/* "GET, HEAD, POST, OPTIONS" */
static const char *allow_text(struct ab_arena *arena, unsigned methods)
{
	char text[64];
	size_t len = 0;

	for (int i = 0; i < AB_METHODS; i++)
		if ((methods & 1U << i) != 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s, %s", ab_method_names[i],
			        i == AB_GET ? "HEAD, " : "");
	snprintf(text + len, sizeof(text) - len, "OPTIONS");
	return ab_arena_strndup(arena, text, strlen(text));
}

enum ab_code ab_router_match(const struct ab_router *router, const char *method, const char *path, size_t len,
        struct ab_arena *arena, struct ab_match *ret_match, struct ab_error *err)
{
	struct ab_slice segments[AB_MAX_SEGMENTS];
	struct walk walk = {.segments = segments, .match = ret_match};
	enum ab_code code = ab_uri_split(path, len, arena, segments, &walk.count, err);

	if (code != AB_OK)
		return code;
	ret_match->route = NULL;
	ret_match->allow = NULL;
	if (walk.count > AB_MAX_SEGMENTS)
		return AB_OK;
	walk.method = strcmp(method, "HEAD") == 0 ? AB_GET : ab_method_find(method, strlen(method));
	if (!walk_node(&walk, router->root, 0, 0) && walk.fits) {
		ret_match->allow = allow_text(arena, walk.methods);
		if (ret_match->allow == NULL)
			return ab_error_set(err, AB_ENOMEM, "no memory for the methods");
	}
	return AB_OK;
}
