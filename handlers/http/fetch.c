/* handlers/http/fetch.c: one transfer, from start to its one completion.
 *
 *   idle --start--> in the multi --libcurl is done--------------------> value or error --> idle
 *                        `--timeout, connect timeout, cancel: removed --^
 *
 * Everything that is the same each time is set on the easy handle once. No path here runs inside a libcurl
 * callback but those named fetch_on_..., which only take notes. */
#include "internal.h"

#include <string.h>

/* ---- libcurl's callbacks ---- */

/* CURLOPT_WRITEFUNCTION: decoded bytes. Fewer than came ends the transfer. */
static size_t fetch_on_body(char *data, size_t size, size_t count, void *arg)
{
	struct ab_fetch *fetch = arg;

	if (size * count == 0)
		return 0;
	ab_buf_add(&fetch->body, data, size * count);
	if (AB_LIKELY(!fetch->body.failed))
		return size * count;
	fetch->stop = fetch->body.too_big ? STOP_BODY : STOP_NOMEM;
	return 0;
}

/* CURLOPT_HEADERFUNCTION: a line at a time, status lines and those of 1xx and trailers as well. */
static size_t fetch_on_head(char *data, size_t size, size_t count, void *arg)
{
	struct ab_fetch *fetch = arg;
	size_t len = size * count;

	fetch->head_bytes += len;
	if (AB_UNLIKELY(fetch->head_bytes > HTTP_MAX_HEAD)) {
		fetch->stop = STOP_HEAD;
		return 0;
	}
	if (!fetch->resource->whole)
		return len;
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
		fetch->head.len = 0; /* the one before was a 1xx */
	ab_buf_add(&fetch->head, data, len);
	if (AB_LIKELY(!fetch->head.failed))
		return len;
	fetch->stop = STOP_NOMEM;
	return 0;
}

static void fetch_on_connect_timeout(struct ab_deadline *deadline);

/* A new connection begins: with a name to look up, or a socket to open. */
static void fetch_on_connecting(struct ab_fetch *fetch)
{
	if (fetch->resource->connect_timeouts != NULL && !ab_deadline_armed(&fetch->connect_timeout))
		ab_deadline_arm(
		        fetch->resource->connect_timeouts, &fetch->connect_timeout, fetch_on_connect_timeout);
}

static int fetch_on_lookup(void *state, void *reserved, void *arg)
{
	(void)state;
	(void)reserved;
	fetch_on_connecting(arg);
	return 0;
}

/* CURLOPT_OPENSOCKETFUNCTION: for each address tried, after resolving. */
static curl_socket_t fetch_on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct ab_fetch *fetch = arg;
	struct ab_upstream *upstream = fetch->resource->upstream;
	const char *refused = ab_address_refused(&address->addr, upstream->peer);

	(void)purpose;
	if (refused != NULL) {
		fetch->refused = refused;
		return CURL_SOCKET_BAD;
	}
	fetch_on_connecting(fetch);
	return ab_multi_open_socket(upstream->multi, address);
}

/* CURLOPT_PREREQFUNCTION: connected, about to send. libcurl sends again when a kept connection turns out to
 * be closed; a write that may have arrived must not be. */
static int fetch_on_sending(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct ab_fetch *fetch = arg;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	ab_deadline_disarm(&fetch->connect_timeout);
	if (fetch->attempts++ > 0 && fetch->resource->writes) {
		fetch->stop = STOP_RETRY;
		return CURL_PREREQFUNC_ABORT;
	}
	return CURL_PREREQFUNC_OK;
}

/* ---- the easy handle ---- */

/* Set an option in `fetch_setup`, which remembers the first failure. */
#define SET(option, value)                                                                                   \
	do {                                                                                                 \
		if (rc == CURLE_OK)                                                                          \
			rc = curl_easy_setopt(fetch->easy, option, value);                                   \
	} while (0)

static CURLcode setup_method(struct ab_fetch *fetch)
{
	const struct ab_http_resource *r = fetch->resource;
	const char *method = r->method;
	CURLcode rc = CURLE_OK;

	if (strcmp(method, "GET") == 0)
		return rc;
	if (strcmp(method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
		return rc;
	}
	/* DELETE and OPTIONS without a body say nothing of one; the others say it is empty */
	if (r->payload != PAYLOAD_NONE || method[0] == 'P') {
		SET(CURLOPT_POSTFIELDS, "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
	}
	if (strcmp(method, "POST") != 0)
		SET(CURLOPT_CUSTOMREQUEST, method);
	return rc;
}

/* What keeps a transfer where the app file sent it. */
static CURLcode setup_origin(struct ab_fetch *fetch)
{
	const struct ab_upstream *upstream = fetch->resource->upstream;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_CURLU, upstream->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, upstream->proxy == NULL ? "" : upstream->proxy);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NOPROXY, ""); /* the environment's is not asked */
	SET(CURLOPT_OPENSOCKETFUNCTION, fetch_on_open);
	SET(CURLOPT_OPENSOCKETDATA, fetch);
	SET(CURLOPT_CLOSESOCKETFUNCTION, ab_multi_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, upstream->multi);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (upstream->ca != NULL)
		SET(CURLOPT_CAINFO, upstream->ca);
	if (upstream->cert != NULL) {
		SET(CURLOPT_SSLCERT, upstream->cert);
		SET(CURLOPT_SSLKEY, upstream->cert);
		SET(CURLOPT_KEYPASSWD, ""); /* never ask on the terminal */
	}
	if (upstream->http2)
		SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)(upstream->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	return rc;
}

static CURLcode setup_transfer(struct ab_fetch *fetch)
{
	const struct ab_http_resource *r = fetch->resource;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PRIVATE, fetch);
	SET(CURLOPT_ERRORBUFFER, fetch->detail);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver's thread */
	SET(CURLOPT_BUFFERSIZE, 16384L);
	SET(CURLOPT_ACCEPT_ENCODING, "");
	SET(CURLOPT_USERAGENT, "anabranch/" AB_VERSION);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->upstream->max_body);
	SET(CURLOPT_WRITEFUNCTION, fetch_on_body);
	SET(CURLOPT_WRITEDATA, fetch);
	SET(CURLOPT_HEADERFUNCTION, fetch_on_head);
	SET(CURLOPT_HEADERDATA, fetch);
	SET(CURLOPT_PREREQFUNCTION, fetch_on_sending);
	SET(CURLOPT_PREREQDATA, fetch);
	SET(CURLOPT_RESOLVER_START_FUNCTION, fetch_on_lookup);
	SET(CURLOPT_RESOLVER_START_DATA, fetch);
	SET(CURLOPT_HTTPHEADER, r->fixed);
	fetch->list = r->fixed;
	return rc;
}

struct ab_fetch *ab_fetch_create(struct ab_http_resource *resource, struct ab_error *err)
{
	struct ab_fetch *fetch = calloc(1, sizeof(*fetch));
	CURLcode rc = CURLE_OUT_OF_MEMORY;

	if (fetch == NULL) {
		ab_error_set(err, AB_ENOMEM, "no memory for a transfer");
		return NULL;
	}
	fetch->resource = resource;
	ab_buf_init(&fetch->target, HTTP_MAX_TARGET);
	ab_buf_init(&fetch->lines, HTTP_MAX_LINES);
	ab_buf_init(&fetch->payload, HTTP_MAX_PAYLOAD);
	ab_buf_init(&fetch->body, resource->upstream->max_body);
	ab_buf_init(&fetch->head, HTTP_MAX_HEAD);
	fetch->nodes = calloc(resource->n_filled + FETCH_LINES, sizeof(*fetch->nodes));
	fetch->easy = curl_easy_init();
	if (fetch->nodes != NULL && fetch->easy != NULL)
		rc = setup_origin(fetch);
	if (rc == CURLE_OK)
		rc = setup_method(fetch);
	if (rc == CURLE_OK)
		rc = setup_transfer(fetch);
	if (rc != CURLE_OK) {
		ab_error_set(err, rc == CURLE_OUT_OF_MEMORY ? AB_ENOMEM : AB_EINTERNAL, "libcurl: %s",
		        curl_easy_strerror(rc));
		ab_fetch_destroy(fetch);
		return NULL;
	}
	resource->upstream->env->http->counts.handles++;
	return fetch;
}

void ab_fetch_destroy(struct ab_fetch *fetch)
{
	curl_easy_cleanup(fetch->easy);
	ab_buf_fini(&fetch->target);
	ab_buf_fini(&fetch->lines);
	ab_buf_fini(&fetch->payload);
	ab_buf_fini(&fetch->body);
	ab_buf_fini(&fetch->head);
	free(fetch->nodes);
	free(fetch);
}

/* ---- the end: every path comes here once ---- */

/* Empty for the next transfer; what one large transfer needed is not kept for all the small ones after it. */
static void buf_reset(struct ab_buf *buf)
{
	if (buf->failed || buf->size > HTTP_KEPT_BUFFER)
		ab_buf_fini(buf);
	buf->len = 0;
}

static void fetch_release(struct ab_fetch *fetch)
{
	struct ab_http_resource *r = fetch->resource;

	ab_deadline_disarm(&fetch->timeout);
	ab_deadline_disarm(&fetch->connect_timeout);
	if (AB_LIKELY(fetch->entered))
		ab_upstream_leave(r->upstream);
	fetch->entered = false;
	buf_reset(&fetch->target);
	buf_reset(&fetch->lines);
	buf_reset(&fetch->payload);
	buf_reset(&fetch->body);
	buf_reset(&fetch->head);
	fetch->head_bytes = 0;
	fetch->attempts = 0;
	fetch->stop = STOP_NONE;
	fetch->refused = NULL;
	fetch->call = NULL;
	fetch->next = r->idle;
	r->idle = fetch;
}

/* The fetch is free again before the call completes: what starts because of it may use it. */
static void fetch_finish(struct ab_fetch *fetch, json_t *value, const struct ab_error *err)
{
	struct ab_call *call = fetch->call;

	ab_context_write(call);
	fetch_release(fetch);
	if (value != NULL)
		ab_call_resolve_new(call, value);
	else
		ab_call_fail(call, err);
}

void ab_fetch_on_done(struct ab_fetch *fetch, CURLcode rc)
{
	struct ab_error err;
	json_t *value = NULL;

	if (rc == CURLE_OK)
		value = ab_answer_value(fetch, &err);
	else
		ab_answer_error(fetch, rc, &err);
	fetch_finish(fetch, value, &err);
}

/* End it from outside; its connection is closed unless another transfer shares it. */
static void fetch_abort(struct ab_fetch *fetch, const struct ab_error *err)
{
	CURLMcode rc = curl_multi_remove_handle(fetch->resource->upstream->multi->curl, fetch->easy);

	ab_assert(rc == CURLM_OK); /* never from inside libcurl */
	fetch_finish(fetch, NULL, err);
}

static void fetch_on_timeout(struct ab_deadline *deadline)
{
	struct ab_fetch *fetch = ab_container_of(deadline, struct ab_fetch, timeout);
	struct ab_error err;

	ab_answer_fail(fetch, &err, AB_ETIMEOUT, "%s within %llu ms",
	        fetch->attempts == 0     ? "no connection"
	        : fetch->head_bytes == 0 ? "no answer"
	                                 : "no end of the answer",
	        (unsigned long long)fetch->resource->timeout_ms);
	fetch_abort(fetch, &err);
}

static void fetch_on_connect_timeout(struct ab_deadline *deadline)
{
	struct ab_fetch *fetch = ab_container_of(deadline, struct ab_fetch, connect_timeout);
	struct ab_error err;

	ab_answer_fail(fetch, &err, AB_ETIMEOUT, "no connection within %llu ms",
	        (unsigned long long)fetch->resource->connect_ms);
	fetch_abort(fetch, &err);
}

void ab_fetch_cancel(struct ab_call *call)
{
	struct ab_error err;

	ab_error_set(&err, AB_ECANCELED, "the result is no longer wanted");
	fetch_abort(call->state, &err);
}

/* ---- the start ---- */

static struct ab_fetch *fetch_take(struct ab_http_resource *r, struct ab_error *err)
{
	struct ab_fetch *fetch = r->idle;

	if (fetch == NULL)
		return ab_fetch_create(r, err);
	r->idle = fetch->next;
	return fetch;
}

/* Whether an equal read of the request does for this one. A write makes what was read before doubtful. */
static bool fetch_follows(const struct ab_fetch *fetch)
{
	const struct ab_http_resource *r = fetch->resource;
	struct ab_call *call = fetch->call;
	struct ab_share *share = ((const struct ab_context *)call->context)->share;
	size_t target = fetch->target.len, lines = fetch->lines.len;
	unsigned char *key;

	ab_context_write(call);
	if (share == NULL || call->resource->writes)
		return false;
	key = ab_arena_alloc(call->arena, sizeof(void *) + target + lines);
	if (key == NULL)
		return false;
	memcpy(key, &r->same, sizeof(void *));
	memcpy(key + sizeof(void *), fetch->target.data, target);
	if (lines > 0)
		memcpy(key + sizeof(void *) + target, fetch->lines.data, lines);
	return ab_share_join(share, call, key, sizeof(void *) + target + lines);
}

/* All that may refuse a transfer before it begins. */
static enum ab_code fetch_begin(struct ab_fetch *fetch, struct ab_error *err)
{
	struct ab_http_resource *r = fetch->resource;
	enum ab_code code = ab_context_fetch(fetch->call->context, err);

	if (code == AB_OK)
		code = ab_upstream_enter(r->upstream, err);
	if (code != AB_OK)
		return code;
	fetch->entered = true;
	if (curl_multi_add_handle(r->upstream->multi->curl, fetch->easy) != CURLM_OK)
		return ab_answer_fail(fetch, err, AB_ENOMEM, "no memory for a transfer");
	r->upstream->env->http->counts.transfers++;
	ab_deadline_arm(r->timeouts, &fetch->timeout, fetch_on_timeout);
	return AB_OK;
}

void ab_fetch_start(struct ab_call *call)
{
	struct ab_fetch *fetch;
	struct ab_error err;

	fetch = fetch_take(call->resource->config, &err);
	if (fetch == NULL) {
		ab_call_fail(call, &err);
		return;
	}
	fetch->call = call;
	call->state = fetch;
	if (ab_request_fill(fetch, &err) != AB_OK)
		fetch_finish(fetch, NULL, &err);
	else if (fetch_follows(fetch))
		fetch_release(fetch);
	else if (fetch_begin(fetch, &err) != AB_OK)
		fetch_finish(fetch, NULL, &err);
}
