/* server/router.h: how routes.c and its helpers fill a router; routes.h is what serving needs of it. */
#ifndef AB_ROUTER_H
#define AB_ROUTER_H

#include "routes.h"
#include "uri.h"

/* Methods a route can have. HEAD and OPTIONS are derived. */
enum ab_method { AB_GET, AB_POST, AB_PUT, AB_PATCH, AB_DELETE, AB_METHODS };

/* The method of that name, case-sensitive, or -1. */
int ab_method_find(const char *name, size_t len);
extern const char *const ab_method_names[AB_METHODS];

/* One segment of a route's path, decoded. */
struct ab_segment {
	bool variable;
	struct ab_slice text; /* the literal, or the variable's name; lives as long as the router */
};

struct ab_node;

struct ab_router {
	struct ab_arena *arena; /* of everything compiled for routes */
	struct ab_node *root;
	struct ab_route **routes;
	size_t n_routes;
	struct ab_error_rule *errors;
	size_t n_errors;
	struct ab_deadline_queue *deadline; /* of a request that no route takes; NULL: there is no loop */
};

/* An empty router; NULL when out of memory. Freed by ab_router_destroy. */
struct ab_router *ab_router_create(void);

/* Add a route, borrowed (it lives in router->arena). Errors: AB_EDUPLICATE, with *ret_other the route that
 * has this method and shape already; AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_router_add(struct ab_router *router, struct ab_route *route,
        const struct ab_segment *segments, size_t count, const struct ab_route **ret_other);

#endif
