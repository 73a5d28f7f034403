/* server/routes.h: routes: which one a request means, what it may give, and what its answer is made of.
 *
 * Compiled at load (routes.c and routes_*.c), matched by a trie on the raw path's segments (router.c), so
 * matching is linear in the path. All of it is read-only while serving, one copy a worker. */
#ifndef AB_ROUTES_H
#define AB_ROUTES_H

#include "../dispatch/run.h"
#include "app.h"
#include "request.h"

#include <regex.h>

enum ab_type {
	AB_TYPE_STRING,
	AB_TYPE_INTEGER,
	AB_TYPE_NUMBER,
	AB_TYPE_BOOLEAN,
	AB_TYPE_JSON,
};

enum ab_in { AB_IN_PATH, AB_IN_QUERY, AB_IN_BODY, AB_IN_HEADER, AB_IN_COOKIE };

/* A name a route accepts. */
struct ab_accept {
	const char *name;    /* inside */
	const char *outside; /* how the request spells it */
	size_t outside_len;
	enum ab_in in;
	enum ab_type type;
	bool repeats;    /* [type] */
	bool whole_body; /* in: body, type: json, said so; no other name is taken from the body then */
	bool required;
	json_t *fallback; /* `default`, owned by this worker's router; NULL: none */
	bool has_min, has_max;
	double min, max; /* for integer and number; integers are compared exactly through imin, imax */
	int64_t imin, imax;
	size_t min_length, max_length; /* characters; max SIZE_MAX: none */
	size_t max_items;
	regex_t *pattern;    /* matches the whole value */
	json_t *one_of;      /* a list of values of this type, or NULL */
	const char *message; /* told to the client instead of the built-in sentence, or NULL */
};

/* What a plan uses of `request`, so that no more is built. Lists are NULL-terminated. */
struct ab_request_use {
	bool method, path, client, id, body;
	bool all_query, all_headers, all_cookies;
	const char *const *query, *const *headers, *const *cookies; /* single names, when not all */
};

/* One way to answer: a media type (NULL: the only one), its plan, and where in the plan things are. */
struct ab_answer {
	const char *media;
	struct ab_plan *plan;
	int answer;                     /* slot; -1 when there is none: a redirect, or 204 */
	int headers, cookies, redirect; /* slots of the route's own resources, or -1 */
	int request, error, given;      /* slots of reserved names, or -1 */
	int *accepts;                   /* for each of route->accepts: its slot, or -1 */
	bool shares;                    /* reads may turn out equal: there are several, or nested runs */
	struct ab_request_use use;
};

/* Headers of a reply that hold no placeholder, and which of the server's own they replace. */
struct ab_fixed {
	const struct ab_header *headers;
	size_t count;
	bool has_csp, has_referrer, has_nosniff, has_cache_control;
};

/* errors: {404: x, 5xx: {...}} */
struct ab_error_rule {
	int from, to; /* statuses it is for: 404..404, 500..599 */
	struct ab_pos pos;
	int status;                /* answered instead, or 0 */
	struct ab_answer *answers; /* like a route's; plans inherit the run's values */
	size_t n_answers;
	struct ab_fixed fixed;
};

struct ab_route {
	const char *name; /* "GET /products/{product_id}" */
	const char *method;
	struct ab_pos pos;
	struct ab_accept *accepts; /* path variables first, in path order */
	size_t n_accepts;
	size_t n_variables; /* how many of them are path variables */
	/* What is given is judged by this plan, if there is one: the value of check_slot lists those of
	 * `checks` (indexes of accepts) that are refused. */
	struct ab_plan *check;
	int check_slot;
	int *check_slots; /* for each of accepts: its slot, or -1 */
	size_t *checks;
	size_t n_checks;
	struct ab_answer *answers;
	size_t n_answers;
	int status; /* of a success: 200; 303 with a redirect */
	struct ab_fixed fixed;
	struct ab_error_rule *errors; /* the route's own, then the app's; first match wins */
	size_t n_errors;
	uint64_t deadline_ms;
	struct ab_deadline_queue *deadline;
	bool cross_origin;
	bool accept_unknown;
	bool takes_body;  /* some name of it comes from the body */
	bool leaves_body; /* takes nothing from the body, but its plan uses request.body, so any body will do
	                   */
};

/* request, degraded, error, given: no resource's name, and nothing a request can give. */
bool ab_is_reserved(const char *name);

/* Compile `routes:` and `errors:` of the app. False after mistakes. */
bool ab_routes_compile(struct ab_app *app, const struct ab_sources *sources, struct ab_diags *diags);
void ab_router_destroy(struct ab_router *router);
size_t ab_router_count(const struct ab_router *router);
const struct ab_route *ab_router_at(const struct ab_router *router, size_t index); /* in file order */
/* Rules of the top-level `errors:` for requests that reached no route. */
const struct ab_error_rule *ab_router_errors(const struct ab_router *router, size_t *ret_count);

enum { AB_MAX_VARIABLES = 16 };

struct ab_match {
	const struct ab_route *route; /* NULL: nothing for this path, or not this method */
	const char *allow;            /* for 405 and OPTIONS: "GET, HEAD, OPTIONS"; NULL: no such path */
	/* Decoded values of the path variables, in order; not NUL-terminated. They live in the path or the
	 * arena. */
	const char *values[AB_MAX_VARIABLES];
	size_t lengths[AB_MAX_VARIABLES];
};

/* Match a raw (still encoded) path, query cut off. HEAD matches GET; OPTIONS matches no route, only fills
 * `allow`. AB_EINVALID: bad percent-encoding, %00, invalid UTF-8, dot segments; AB_ENOMEM. Otherwise AB_OK,
 * with ret_match saying what was found. */
AB_NODISCARD enum ab_code ab_router_match(const struct ab_router *router, const char *method,
        const char *path, size_t len, struct ab_arena *arena, struct ab_match *ret_match,
        struct ab_error *err);

#endif
