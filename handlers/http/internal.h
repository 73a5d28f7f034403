/* handlers/http/internal.h: what the files of this folder share.
 *
 *   client.c    a curl multi on the worker's loop: sockets, timer, finished transfers
 *   address.c   which addresses a transfer may connect to
 *   headers.c   `headers` of upstreams and resources
 *   upstream.c  an `upstreams:` entry: origin, limits, headers
 *   resource.c  kind `http`, compiled
 *   request.c   what one transfer sends: target, headers, body
 *   fetch.c     one transfer, from start to its one completion
 *   answer.c    what came back, as a value or an error */
#ifndef AB_HTTP_INTERNAL_H
#define AB_HTTP_INTERNAL_H

#include "../json.h"
#include "../placeholder.h"
#include "../uri_template.h"
#include "http.h"

#include <curl/curl.h>
#include <sys/socket.h>

enum {
	HTTP_MAX_TARGET = 64 * 1024,         /* bytes of an expanded path with its query */
	HTTP_MAX_LINES = 64 * 1024,          /* of all header lines of a request that are made for it */
	HTTP_MAX_PAYLOAD = 16 * 1024 * 1024, /* of a request's body */
	HTTP_MAX_HEAD = 64 * 1024,           /* of a response's header lines, those of 1xx included */
	HTTP_KEPT_BUFFER = 16 * 1024,        /* a larger buffer is given back after its transfer */
	HTTP_IN_FLIGHT = 256,                /* max_in_flight unless set */
};

/* ---- client.c ---- */

struct watch;

struct ab_http {
	struct ab_env *env;
	struct ab_http_counts counts;
	struct watch **watches; /* by descriptor */
	size_t n_watches;
};

/* One curl multi. Each upstream has its own: connections, name cache and client certificate are never shared
 * between upstreams, and an upstream in trouble is alone with it. */
struct ab_multi {
	CURLM *curl;
	struct ab_http *http;
	uv_timer_t timer;
};

/* NULL when out of memory. `keep`: idle connections kept. */
struct ab_multi *ab_multi_create(struct ab_http *http, unsigned keep);
/* Closes the connections; frees itself once the loop has closed its handles. No transfer may be in it. NULL
 * is fine. */
void ab_multi_close(struct ab_multi *multi);
/* CURLOPT_CLOSESOCKETFUNCTION, with the multi as its argument. */
int ab_multi_close_socket(void *arg, curl_socket_t fd);
/* A non-blocking socket under watch, or CURL_SOCKET_BAD. For CURLOPT_OPENSOCKETFUNCTION. */
curl_socket_t ab_multi_open_socket(struct ab_multi *multi, const struct curl_sockaddr *address);
/* ---- address.c ---- */

/* Why an address may not be connected to ("link-local", ...), or NULL. `literal`: the host as the app file
 * has it; what it names literally is allowed. */
const char *ab_address_refused(const struct sockaddr *address, const char *literal);

/* ---- upstream.c ---- */

/* A header line made at load, or a name whose value is filled for each request. */
struct header {
	char *name;
	size_t name_len;
	char *value; /* literal; NULL when there are pieces */
	struct ab_pieces *pieces;
};

struct headers {
	struct header *list;
	size_t count;
};

struct ab_upstream {
	char *name;
	struct ab_env *env;
	struct ab_multi *multi;
	struct ab_upstream_shared *shared;
	CURLU *url;   /* the origin, path "/" */
	char *peer;   /* the host connected to, the proxy's if there is one; no brackets round an IPv6 address
	               */
	bool bare;    /* no base path */
	char *prefix; /* in front of each target: the base path without its last slash, after the origin for a
	                 proxy */
	char *proxy, *ca, *cert; /* NULL unless set */
	bool tls, http2;
	bool secret; /* the url or a file's name has a secret in it */
	uint64_t timeout_ms, connect_timeout_ms;
	size_t max_body;
	unsigned max_in_flight;
	struct headers headers;
	struct ab_http_resource *resources; /* those that read */
};

/* Take a place among the transfers in flight; AB_EOVERLOAD when there is none. Given back with _leave. */
AB_NODISCARD enum ab_code ab_upstream_enter(struct ab_upstream *upstream, struct ab_error *err);
void ab_upstream_leave(struct ab_upstream *upstream);

/* Read a `headers` mapping; `scope` NULL: values are literal. False after mistakes; `ret` may be freed all
 * the same. */
bool ab_headers_compile(
        struct headers *ret, const struct ab_conf *map, struct ab_scope *scope, struct ab_diags *diags);
const struct header *ab_headers_find(const struct headers *headers, const char *name);
void ab_headers_fini(struct headers *headers);

/* ---- resource.c ---- */

enum payload { PAYLOAD_NONE, PAYLOAD_JSON, PAYLOAD_TEXT, PAYLOAD_VALUE, PAYLOAD_FORM };

struct field {
	char *name; /* encoded, with '=' */
	struct ab_pieces *pieces;
};

struct statuses {
	uint64_t bits[10]; /* one each for 0 to 639 */
};

struct ab_http_resource {
	struct ab_upstream *upstream;
	const char *method; /* static */
	char *label;        /* "GET catalog/products/{id}"; cut where a secret begins */
	bool secret;        /* the target has a secret in it: never shown */
	bool writes;
	bool whole; /* returns: response */
	bool send_id, send_trace;
	struct ab_uri_template *uri;
	bool slashed; /* the template's text begins with a slash */
	struct headers headers;
	size_t n_filled;          /* how many of them have placeholders */
	struct curl_slist *fixed; /* lines that are the same each time */
	enum payload payload;
	struct ab_structure *json; /* PAYLOAD_JSON, PAYLOAD_VALUE */
	struct ab_pieces *text;
	struct field *fields;
	size_t n_fields;
	bool typed; /* Content-Type is among the headers */
	struct statuses expect, pass;
	uint64_t timeout_ms, connect_ms; /* connect_ms 0: no shorter than timeout_ms */
	struct ab_deadline_queue *timeouts, *connect_timeouts;
	struct ab_fetch *idle; /* kept handles */
	/* Among the upstream's: the first of those that would get the same value for the same request. */
	const struct ab_http_resource *same;
	struct ab_http_resource *next;
};

static inline bool statuses_has(const struct statuses *statuses, long status)
{
	return status >= 0 && status < 640 && (statuses->bits[status / 64] >> (status % 64) & 1) != 0;
}

/* ---- fetch.c ---- */

/* Why a transfer was ended by ourselves. */
enum stop { STOP_NONE, STOP_BODY, STOP_HEAD, STOP_NOMEM, STOP_RETRY };

/* A transfer with its easy handle; kept by the resource between transfers. */
struct ab_fetch {
	struct ab_fetch *next; /* among the resource's idle ones */
	struct ab_http_resource *resource;
	struct ab_call *call; /* NULL while idle */
	CURL *easy;
	struct ab_deadline timeout, connect_timeout;
	struct ab_buf target, lines, payload; /* what is sent */
	struct ab_buf body, head;             /* what came; head only for `returns: response` */
	size_t head_bytes;
	unsigned attempts; /* how often libcurl began to send */
	bool entered;      /* counted among the upstream's in flight */
	enum stop stop;
	char detail[CURL_ERROR_SIZE]; /* libcurl's, for errors of TLS */
	const char *refused;          /* an address was refused, and why */
	struct curl_slist *list;      /* what the easy handle has as its headers */
	struct curl_slist *nodes;     /* n_filled + FETCH_LINES of them, chained to resource->fixed */
};

enum { FETCH_LINES = 3 }; /* besides those with placeholders: request id, traceparent, content type */

struct ab_fetch *ab_fetch_create(struct ab_http_resource *resource, struct ab_error *err);
void ab_fetch_start(struct ab_call *call);
void ab_fetch_cancel(struct ab_call *call);
/* client.c tells the fetch of a finished transfer, which is out of the multi already. */
void ab_fetch_on_done(struct ab_fetch *fetch, CURLcode rc);
void ab_fetch_destroy(struct ab_fetch *fetch);

/* ---- request.c ---- */

void ab_form_encode(struct ab_buf *buf, const char *text, size_t len);
/* Fill fetch->target, ->lines, ->payload and hand them to the easy handle. */
AB_NODISCARD enum ab_code ab_request_fill(struct ab_fetch *fetch, struct ab_error *err);

/* ---- answer.c ---- */

/* The value of a transfer that libcurl calls complete. NULL with err filled otherwise. */
json_t *ab_answer_value(struct ab_fetch *fetch, struct ab_error *err);
/* What a failed transfer is called. */
void ab_answer_error(struct ab_fetch *fetch, CURLcode rc, struct ab_error *err);
/* "GET catalog/products/1: TEXT": the query, and a target with a secret in it, are not shown. */
enum ab_code ab_answer_fail(struct ab_fetch *fetch, struct ab_error *err, enum ab_code code, const char *fmt,
        ...) AB_PRINTF(4, 5);
/* "1 MiB" */
const char *ab_size_text(uint64_t bytes, char *buf, size_t size);

#endif
