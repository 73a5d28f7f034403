/* server/routes_build.h: what the files that compile `routes:` and `errors:` share while they do.
 *
 *   routes.c         the keys of a route, its path, the whole loop
 *   routes_accept.c  accept:
 *   routes_check.c   ... and the `if` of its names
 *   routes_answer.c  answer, needs, guard -> plans, one for each media type, and the checks on them
 *   routes_errors.c  errors:
 *   routes_parts.c   headers, cookies, redirect: small resources of the route's own
 *   routes_cookies.c ... the cookies */
#ifndef AB_ROUTES_BUILD_H
#define AB_ROUTES_BUILD_H

#include "router.h"

#include <string.h>

/* A place that has been complained about. */
struct ab_said {
	struct ab_pos pos;
	struct ab_said *next;
};

struct ab_build {
	struct ab_app *app;
	struct ab_router *router;
	const struct ab_source *source;
	struct ab_diags *diags;
	const char **names; /* every visible resource, sorted, for "did you mean" */
	size_t n_names;
	struct ab_route *route;       /* NULL for top-level errors where no route was reached */
	const struct ab_conf *accept; /* the route's `accept` mapping, or NULL */
	struct ab_said *said;
	bool no_memory;
};

/* Zeroed memory of the router's; NULL sets build->no_memory. */
void *ab_build_alloc(struct ab_build *build, size_t count, size_t size);
/* fn(ptr) when the router goes. */
bool ab_build_defer(struct ab_build *build, void (*fn)(void *ptr), void *ptr);
void ab_build_free_json(void *value);
/* "; did you mean 'x'?" or "" */
const char *ab_build_nearest(struct ab_build *build, const char *name, char *buf, size_t size);

/* Fill build->route->accepts: the path's variables first, then what `accept` lists besides. */
bool ab_build_accepts(struct ab_build *build, const struct ab_segment *segments, size_t count);

/* The checks of build->route->accepts. */
bool ab_build_checks(struct ab_build *build);

/* ---- one way to reply: of a route, or of an error rule ---- */

struct ab_reply_spec {
	const char *what; /* "route 'GET /x'", for messages */
	struct ab_pos pos;
	const struct ab_conf *answer; /* a name, or a mapping of media types; or NULL */
	const struct ab_conf *redirect, *headers, *cookies;
	const struct ab_conf *guard, *needs;
	bool read_only; /* a write is a mistake */
	bool error;     /* for an error: `error` and `given` are not null */
};

/* Compile the spec's plans and fixed headers. False after mistakes. */
bool ab_build_reply(struct ab_build *build, const struct ab_reply_spec *spec, struct ab_answer **ret_answers,
        size_t *ret_count, struct ab_fixed *ret_fixed);

/* A route's own errors followed by the app's; build->route may be NULL. */
bool ab_build_errors(struct ab_build *build, const struct ab_conf *own, const struct ab_conf *top,
        struct ab_error_rule **ret_rules, size_t *ret_count);
/* `status` of a reply that redirects, or does not. */
bool ab_build_status(struct ab_build *build, const struct ab_conf *status, bool redirects, int *ret_status);

/* ---- headers, cookies, redirect ---- */

enum { AB_PART_HEADERS, AB_PART_COOKIES, AB_PART_REDIRECT, AB_PARTS };

struct ab_parts {
	struct ab_dispatcher *dispatcher; /* the app's own, or one with the parts over it */
	bool has[AB_PARTS];
	const char *names[AB_PARTS]; /* "redirect of GET /x": no name that a resource or a request can have */
	struct ab_scope scopes[AB_PARTS]; /* what each part uses */
	struct ab_fixed fixed;
};
extern const char *const ab_part_keys[AB_PARTS]; /* "headers", ... */

bool ab_parts_compile(struct ab_parts *parts, struct ab_build *build, const struct ab_reply_spec *spec);
void ab_parts_fini(struct ab_parts *parts);
bool ab_parts_cookies(struct ab_build *build, struct ab_parts *parts, const struct ab_conf *conf);

/* Add what was compiled as a resource of the route's own; takes `config`, also when it fails. */
bool ab_parts_add(struct ab_build *build, struct ab_parts *parts, int part, const struct ab_handler *handler,
        void *config);
bool ab_parts_want_map(struct ab_build *build, const struct ab_conf *conf, const char *what, size_t max);
/* A name of a header or a cookie: RFC 9110, section 5.6.2, token. */
bool ab_parts_is_token(const char *text);
bool ab_parts_control_free(const char *text);

#endif
