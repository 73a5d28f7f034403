/* handlers/http/answer.c: what came back, as a value or an error.
 *
 * Errors name the method, the upstream, the path and the status: that is what a log line needs. Queries,
 * headers and bodies are not shown, nor is a path that has a secret in it. */
#include "internal.h"

#include <string.h>
#include <strings.h>

enum { SHOWN_PATH = 200 };

const char *ab_size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	while (unit + 1 < AB_COUNT(units) && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, size, "%llu %s", (unsigned long long)bytes, units[unit]);
	return buf;
}

enum ab_code ab_answer_fail(
        struct ab_fetch *fetch, struct ab_error *err, enum ab_code code, const char *fmt, ...)
{
	const struct ab_http_resource *r = fetch->resource;
	size_t skip = strlen(r->upstream->prefix);
	const char *path = "";
	va_list args;
	int len = 0;

	va_start(args, fmt);
	ab_error_setv(err, code, fmt, args);
	va_end(args);
	if (r->secret) {
		path = "/...";
		len = 4;
	} else if (fetch->target.len > skip) {
		path = fetch->target.data + skip;
		len = (int)strcspn(path, "?");
		len = len > SHOWN_PATH ? SHOWN_PATH : len;
	}
	ab_error_prefix(err, "%s %s%.*s", r->method, r->upstream->name, len, path);
	return code;
}

/* ---- failures of the transfer ---- */

static void error_connect(struct ab_fetch *fetch, struct ab_error *err)
{
	long number = 0;

	if (fetch->refused != NULL) {
		ab_answer_fail(fetch, err, AB_EUPSTREAM,
		        "the upstream's name leads to a %s address, which only its url may name",
		        fetch->refused);
		return;
	}
	curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &number);
	if (number == 0)
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "could not connect");
	else
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "could not connect: %s", strerror((int)number));
}

static void error_stopped(struct ab_fetch *fetch, struct ab_error *err)
{
	char size[32];

	switch (fetch->stop) {
	case STOP_BODY:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "body over %s",
		        ab_size_text(fetch->resource->upstream->max_body, size, sizeof(size)));
		break;
	case STOP_HEAD:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "headers over %s",
		        ab_size_text(HTTP_MAX_HEAD, size, sizeof(size)));
		break;
	case STOP_RETRY:
		ab_answer_fail(fetch, err, AB_EUPSTREAM,
		        "the connection was closed before an answer; a write is not sent twice");
		break;
	case STOP_NONE:
	case STOP_NOMEM:
		ab_answer_fail(fetch, err, AB_ENOMEM, "no memory for the answer");
		break;
	}
}

void ab_answer_error(struct ab_fetch *fetch, CURLcode rc, struct ab_error *err)
{
	if (fetch->stop != STOP_NONE || rc == CURLE_OUT_OF_MEMORY) {
		error_stopped(fetch, err);
		return;
	}
	switch (rc) {
	case CURLE_COULDNT_CONNECT:
		error_connect(fetch, err);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "the %s could not be looked up",
		        rc == CURLE_COULDNT_RESOLVE_HOST ? "host of its url" : "proxy's name");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "TLS: %s",
		        fetch->resource->upstream->secret || fetch->detail[0] == '\0' ? curl_easy_strerror(rc)
		                                                                      : fetch->detail);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		ab_answer_fail(fetch, err, AB_ETIMEOUT, "no connection in time");
		break;
	case CURLE_FILESIZE_EXCEEDED:
		fetch->stop = STOP_BODY;
		error_stopped(fetch, err);
		break;
	case CURLE_GOT_NOTHING:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "the connection was closed before an answer");
		break;
	case CURLE_PARTIAL_FILE:
		ab_answer_fail(
		        fetch, err, AB_EUPSTREAM, "the connection was closed in the middle of the answer");
		break;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "the connection broke off");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "the answer is not HTTP");
		break;
	default:
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "%s", curl_easy_strerror(rc));
		break;
	}
}

static void error_status(struct ab_fetch *fetch, long status, struct ab_error *err)
{
	enum ab_code code = AB_EUPSTREAM;
	bool pass = statuses_has(&fetch->resource->pass, status);

	if (pass && (status == 401 || status == 403))
		code = AB_EFORBIDDEN;
	else if (!pass && (status == 404 || status == 410))
		code = AB_EMISSING;
	ab_answer_fail(fetch, err, code, "answered %ld%s", status,
	        status >= 300 && status < 400 && status != 304 ? " (redirects are not followed)" : "");
	if (pass)
		err->status = (int)status;
}

/* ---- the body ---- */

/* application/json, or any type that ends in +json (RFC 6839, 3.1). */
static bool is_json(const char *type)
{
	size_t len = strcspn(type, ";");

	while (len > 0 && strchr(" \t", type[len - 1]) != NULL)
		len--;
	return (len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
	       (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

static json_t *body_text(struct ab_fetch *fetch, const char *type, struct ab_error *err)
{
	const struct ab_buf *body = &fetch->body;
	json_t *value;

	if (memchr(body->data, '\0', body->len) != NULL || !ab_utf8_valid(body->data, body->len)) {
		ab_answer_fail(fetch, err, AB_EUPSTREAM, "answered bytes that are no UTF-8 text (%.60s)",
		        type == NULL ? "no Content-Type" : type);
		return NULL;
	}
	value = json_stringn_nocheck(body->data, body->len);
	if (value == NULL)
		ab_answer_fail(fetch, err, AB_ENOMEM, "no memory for the answer");
	return value;
}

static json_t *body_value(struct ab_fetch *fetch, struct ab_error *err)
{
	char *type = NULL, why[AB_ERROR_TEXT];
	json_t *value;

	if (fetch->body.len == 0)
		return json_null();
	curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
	if (type == NULL || !is_json(type))
		return body_text(fetch, type, err);
	value = ab_json_read(fetch->body.data, fetch->body.len, err);
	if (value == NULL) {
		memcpy(why, err->text, sizeof(why));
		ab_answer_fail(
		        fetch, err, err->code == AB_ENOMEM ? AB_ENOMEM : AB_EUPSTREAM, "not JSON: %s", why);
	}
	return value;
}

/* ---- returns: response ---- */

/* "X-Some-Name" is x_some_name, as request.headers has it. False when the name is too long to be of use. */
static bool header_key(const char *name, size_t len, char *key, size_t size)
{
	if (len == 0 || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		key[i] = name[i] == '-'                     ? '_'
		         : name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20)
		                                            : name[i];
	key[len] = '\0';
	return ab_utf8_valid(key, len);
}

/* Add a line; repeated names are joined (RFC 9110, 5.3). A value that is not UTF-8 is left out. */
static bool header_add(json_t *headers, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value;
	const json_t *before;
	char key[256];
	size_t n;

	if (colon == NULL || !header_key(line, (size_t)(colon - line), key, sizeof(key)))
		return true;
	value = colon + 1;
	n = (size_t)(line + len - value);
	while (n > 0 && strchr(" \t\r\n", value[n - 1]) != NULL)
		n--;
	while (n > 0 && strchr(" \t", *value) != NULL)
		value++, n--;
	if (!ab_utf8_valid(value, n))
		return true;
	before = json_object_get(headers, key);
	if (before == NULL)
		return json_object_set_new_nocheck(headers, key, json_stringn_nocheck(value, n)) == 0;
	return json_object_set_new_nocheck(
	               headers, key, json_sprintf("%s, %.*s", json_string_value(before), (int)n, value)) == 0;
}

static json_t *response_headers(const struct ab_buf *head)
{
	json_t *headers = json_object();
	const char *line = head->data, *end = line + head->len, *next;

	while (headers != NULL && line < end) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next == NULL ? end : next + 1;
		if (!header_add(headers, line, (size_t)(next - line))) {
			json_decref(headers);
			return NULL;
		}
		line = next;
	}
	return headers;
}

/* Takes `body`. */
static json_t *response_value(struct ab_fetch *fetch, long status, json_t *body, struct ab_error *err)
{
	curl_off_t us = 0;
	json_t *value;

	curl_easy_getinfo(fetch->easy, CURLINFO_TOTAL_TIME_T, &us);
	value = json_pack("{s:i, s:o, s:o, s:f}", "status", (int)status, "headers",
	        response_headers(&fetch->head), "body", body, "ms", (double)us / 1000);
	if (value == NULL)
		ab_answer_fail(fetch, err, AB_ENOMEM, "no memory for the answer");
	return value;
}

json_t *ab_answer_value(struct ab_fetch *fetch, struct ab_error *err)
{
	long status = 0;
	json_t *body;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!statuses_has(&fetch->resource->expect, status)) {
		error_status(fetch, status, err);
		return NULL;
	}
	body = body_value(fetch, err);
	if (body == NULL || !fetch->resource->whole)
		return body;
	return response_value(fetch, status, body, err);
}
