/* server/request.h: a request as the front has read it, and the reply it will send; neither knows
 * libmicrohttpd.
 *
 * All strings are borrowed and live in the request's arena or the connection until the reply has been taken.
 */
#ifndef AB_REQUEST_H
#define AB_REQUEST_H

#include "../dispatch/arena.h"
#include "../dispatch/error.h"

struct ab_header {
	const char *name;
	const char *value;
	size_t name_len, value_len;
};

struct ab_request {
	const char *method;
	const char *target; /* raw path and query, as sent; of an absolute target without the authority */
	size_t path_len;    /* of its path; the query follows after '?' */
	const char *query;  /* raw, without '?'; "" when none */
	size_t query_len;
	const struct ab_header *headers;
	size_t n_headers;
	const char *body;
	size_t body_len;
	const char *client;      /* the peer's address, without port */
	const char *id;          /* the request's id */
	const char *traceparent; /* for ab_context: a W3C traceparent to send on, or NULL */
	uint64_t head_ms;        /* loop time at the end of its head, from which deadlines count; 0: now */
};

/* The first header of that name (case-insensitive), or NULL. */
const struct ab_header *ab_request_header(const struct ab_request *request, const char *name);

/* Whether Content-Type is this media type (lower case), whatever its parameters. */
bool ab_request_media(const struct ab_request *request, const char *media);

/* The pairs of a Cookie header (RFC 6265, section 4.2), as sent: set at and end, call until false. */
struct ab_cookies {
	const char *at, *end;
	const char *name, *value; /* not NUL-terminated */
	size_t name_len, value_len;
};
bool ab_cookie_next(struct ab_cookies *cookies);

enum { AB_REPLY_HEADERS = 32 };

struct ab_reply {
	int status;
	char *body; /* malloc'ed, handed over to whoever sends it; NULL when empty */
	size_t body_len;
	const char *media; /* Content-Type, or NULL */
	struct ab_header headers[AB_REPLY_HEADERS];
	size_t n_headers;
	bool close; /* close the connection after it */
	/* For the log line. */
	const char *route;            /* "GET /greet", or NULL */
	const char *degraded;         /* "reviews, related", or NULL */
	const char *causes;           /* "reviews: timed out; related: ...", or NULL */
	const struct ab_error *error; /* why, or NULL */
};

/* Add a header; name and value are borrowed. False when there is no room. */
bool ab_reply_header(struct ab_reply *reply, const char *name, const char *value);

#endif
