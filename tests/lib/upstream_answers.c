/* tests/lib/upstream_answers.c: one function for each behaviour of the fake upstream, and the table of them.
 */
#include "upstream_answers.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT "{\"id\": 1, \"name\": \"Lamp\", \"price\": 149.95, \"tags\": [\"a\", \"b\"]}"
#define JSON_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

static void *or_die(void *ptr)
{
	if (ptr == NULL) {
		fprintf(stderr, "fake upstream: out of memory\n");
		abort();
	}
	return ptr;
}

char *fake_request_word(const struct fake_request *request, int word)
{
	const char *p = request->raw;

	for (; word > 0; word--)
		p += strcspn(p, " \r") + 1;
	return or_die(strndup(p, strcspn(p, " \r")));
}

static void reply_raw(struct fake_reply *reply, const char *text)
{
	reply->len = strlen(text);
	reply->data = or_die(strdup(text));
}

void fake_reply_set(struct fake_reply *reply, int status, const char *type, const char *body, size_t len)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
	        "HTTP/1.1 %d Fake\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type, len);

	if (status == 204 || status == 304)
		n = snprintf(head, sizeof(head), "HTTP/1.1 %d Fake\r\n\r\n", status);
	reply->len = (size_t)n + len;
	reply->data = or_die(malloc(reply->len + 1));
	memcpy(reply->data, head, (size_t)n);
	if (len > 0)
		memcpy(reply->data + n, body, len);
}

static void reply_json(struct fake_reply *reply)
{
	fake_reply_set(reply, 200, "application/json", DOCUMENT, strlen(DOCUMENT));
}

/* ---- the query ---- */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at;

	if (c == '\0')
		return -1;
	at = strchr(digits, c | 0x20);
	return at == NULL ? -1 : (int)(at - digits);
}

/* The decoded value of a query's name, or NULL; the caller frees it. */
static char *query_get(const char *target, const char *name)
{
	const char *p = strchr(target, '?');
	size_t name_len = strlen(name);

	while (p != NULL) {
		p++;
		if (strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
			size_t len = strcspn(p, "&"), n = 0;
			char *value = or_die(malloc(len + 1));

			for (size_t i = name_len + 1; i < len; i++) {
				if (p[i] == '%' && i + 2 < len && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
					value[n++] = (char)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
					i += 2;
				} else {
					value[n++] = p[i] == '+' ? ' ' : p[i];
				}
			}
			value[n] = '\0';
			return value;
		}
		p = strchr(p, '&');
	}
	return NULL;
}

static unsigned long query_number(const char *target, const char *name, unsigned long otherwise)
{
	char *text = query_get(target, name);

	if (text != NULL)
		otherwise = strtoul(text, NULL, 10);
	free(text);
	return otherwise;
}

/* ---- answers ---- */

static void answer_json(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	reply_json(reply);
}

static void answer_json_suffix(
        const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	fake_reply_set(reply, 200, "application/problem+json; charset=utf-8", DOCUMENT, strlen(DOCUMENT));
}

static void answer_text(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	fake_reply_set(reply, 200, "text/plain", "Hello from upstream", 19);
}

static json_t *echo_headers(const struct fake_request *request)
{
	json_t *headers = or_die(json_object());
	const char *p = strstr(request->raw, "\r\n") + 2;

	while (*p != '\r') {
		size_t len = strcspn(p, "\r"), colon = strcspn(p, ":");
		size_t start = colon + 1 + strspn(p + colon + 1, " ");
		char *name = or_die(strndup(p, colon));
		const json_t *before;

		for (char *c = name; *c != '\0'; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
		before = json_object_get(headers, name);
		if (before == NULL)
			json_object_set_new(headers, name, json_stringn(p + start, len - start));
		else
			json_object_set_new(headers, name,
			        json_sprintf("%s, %.*s", json_string_value(before), (int)(len - start),
			                p + start));
		free(name);
		p += len + 2;
	}
	return headers;
}

static void answer_echo(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	char *method = fake_request_word(request, 0), *text;
	json_t *body = json_stringn(request->raw + request->head_len, request->len - request->head_len);
	json_t *echo = json_pack("{s:s, s:s, s:o, s:o, s:I}", "method", method, "target", target, "headers",
	        echo_headers(request), "body", body == NULL ? json_null() : body, "connection",
	        (json_int_t)request->connection);

	text = or_die(json_dumps(or_die(echo), JSON_COMPACT));
	fake_reply_set(reply, 200, "application/json", text, strlen(text));
	free(text);
	json_decref(echo);
	free(method);
}

static void answer_status(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	int status = atoi(target + strlen("/status/"));
	char body[64];

	(void)request;
	snprintf(body, sizeof(body), "{\"status\": %d}", status);
	fake_reply_set(
	        reply, status, "application/json", body, status == 204 || status == 304 ? 0 : strlen(body));
}

static void answer_204(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	fake_reply_set(reply, 204, "", "", 0);
}

static void answer_empty(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	fake_reply_set(reply, 200, "application/json", "", 0);
}

static void answer_reply(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	char *type = query_get(target, "type"), *body = query_get(target, "body");
	char *name = query_get(target, "name"), *header = query_get(target, "header"), *text;
	int n = asprintf(&text,
	        "HTTP/1.1 %lu Fake\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s%s%s\r\n%s",
	        query_number(target, "status", 200), type == NULL ? "application/json" : type,
	        body == NULL ? (size_t)0 : strlen(body), name == NULL ? "" : name, name == NULL ? "" : ": ",
	        header == NULL ? "" : header, name == NULL ? "" : "\r\n", body == NULL ? "" : body);

	(void)request;
	if (n < 0)
		abort();
	reply->data = text;
	reply->len = (size_t)n;
	reply->wait_ms = (unsigned)query_number(target, "ms", 0);
	free(type);
	free(body);
	free(name);
	free(header);
}

static void answer_big(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	size_t len = query_number(target, "bytes", 1000);
	char *body = or_die(malloc(len + 2));

	(void)request;
	memset(body, 'x', len);
	body[0] = '"';
	body[len - 1] = '"';
	fake_reply_set(reply, 200, "application/json", body, len);
	free(body);
}

static void answer_chunked(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	char text[1024] = JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n";
	size_t n = strlen(text), left;

	(void)request, (void)target;
	for (const char *p = DOCUMENT; *p != '\0'; p += left < 7 ? left : 7) {
		left = strlen(p);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%zx\r\n%.7s\r\n", left < 7 ? left : 7, p);
	}
	snprintf(text + n, sizeof(text) - n, "0\r\n\r\n");
	reply_raw(reply, text);
}

static uint32_t crc32_of(const char *text, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* gzip (RFC 1952) with one stored block (RFC 1951, 3.2.4), so that no compressor is needed. */
static void answer_gzip(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	const size_t len = strlen(DOCUMENT);
	const uint32_t crc = crc32_of(DOCUMENT, len);
	unsigned char body[256] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1};
	size_t n = 11;
	char head[256];
	int head_len;

	(void)request, (void)target;
	body[n++] = (unsigned char)len;
	body[n++] = 0;
	body[n++] = (unsigned char)~len;
	body[n++] = 0xff;
	memcpy(body + n, DOCUMENT, len);
	n += len;
	for (int shift = 0; shift < 32; shift += 8)
		body[n++] = (unsigned char)(crc >> shift);
	body[n++] = (unsigned char)len;
	n += 3;
	head_len = snprintf(
	        head, sizeof(head), JSON_HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);
	reply->len = (size_t)head_len + n;
	reply->data = or_die(malloc(reply->len));
	memcpy(reply->data, head, (size_t)head_len);
	memcpy(reply->data + head_len, body, n);
}

static void answer_headers(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	reply_raw(reply,
	        JSON_HEAD "X-Twice: one\r\nX-Cased-Name:  padded \r\nETag: \"v1\"\r\nx-twice: two\r\n"
	                  "X-Empty:\r\nContent-Length: 2\r\n\r\n{}");
}

static void answer_redirect(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	char *to = query_get(target, "to"), *text;

	(void)request;
	if (asprintf(&text, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
	            to == NULL ? "/json" : to) < 0)
		abort();
	reply->data = text;
	reply->len = strlen(text);
	free(to);
}

static void answer_slow(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request;
	reply_json(reply);
	reply->wait_ms = (unsigned)query_number(target, "ms", 0);
}

static void answer_hold(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	reply_json(reply);
	reply->hold = true;
}

static void answer_close_idle(
        const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	(void)request, (void)target;
	reply_json(reply);
	reply->after = FAKE_CLOSE;
}

/* ---- faults ---- */

static void reply_then(struct fake_reply *reply, const char *text, enum fake_after after)
{
	reply_raw(reply, text);
	reply->after = after;
}

static void reply_repeat(struct fake_reply *reply, const char *text, const char *repeat, unsigned ms)
{
	reply_then(reply, text, FAKE_REPEAT);
	reply->repeat = repeat;
	reply->repeat_len = strlen(repeat);
	reply->repeat_ms = ms;
}

struct bits {
	unsigned char bytes[64];
	unsigned count;
};

/* Huffman codes go in from their highest bit (RFC 1951, 3.1.1). */
static void bits_put(struct bits *bits, unsigned code, int len)
{
	for (int i = len - 1; i >= 0; i--, bits->count++)
		bits->bytes[bits->count / 8] |= (unsigned char)((code >> i & 1) << bits->count % 8);
}

/* A block with fixed codes: a zero byte, then "258 bytes from 1 byte back" for ever, in 13 bits each time;
 * eight of those are 13 whole bytes, which are sent again and again. */
static void answer_gzip_bomb(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	static const char head[] =
	        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n"
	        "\x1f\x8b\x08\0\0\0\0\0\0\x03";
	static char repeat[13 * 1024];
	static struct bits bits;
	size_t head_len = sizeof(head) - 1;

	(void)request, (void)target;
	bits = (struct bits){.count = 0};
	bits_put(&bits, 2, 3);    /* not the last block, fixed codes */
	bits_put(&bits, 0x30, 8); /* literal 0 */
	while (bits.count < 8 * 32) {
		bits_put(&bits, 0xc5, 8); /* length 258 */
		bits_put(&bits, 0, 5);    /* distance 1 */
	}
	for (size_t i = 0; i < sizeof(repeat); i++)
		repeat[i] = (char)bits.bytes[2 + i % 13];
	reply->len = head_len + 2;
	reply->data = or_die(malloc(reply->len));
	memcpy(reply->data, head, head_len);
	memcpy(reply->data + head_len, bits.bytes, 2);
	reply->after = FAKE_REPEAT;
	reply->repeat = repeat;
	reply->repeat_len = sizeof(repeat);
}

static const char filler[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/* What is sent and done for faults that are no more than that. */
static const struct {
	const char *path;
	const char *text;
	enum fake_after after;
	const char *repeat;
	unsigned ms;
} faults[] = {
        {"stall-before", "", FAKE_STALL, NULL, 0},
        {"stall-in-head", "HTTP/1.1 200 OK\r\nContent-Ty", FAKE_STALL, NULL, 0},
        {"stall-in-body", JSON_HEAD "Content-Length: 20\r\n\r\n{\"half\":", FAKE_STALL, NULL, 0},
        {"endless", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", FAKE_REPEAT, filler, 0},
        {"endless-head", "HTTP/1.1 200 OK\r\n", FAKE_REPEAT, "X-More: and more and more\r\n", 0},
        {"endless-1xx", "", FAKE_REPEAT, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", 0},
        {"drip", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", FAKE_REPEAT, "x", 10},
        {"short-length", JSON_HEAD "Content-Length: 100\r\n\r\n{\"a\": 123}", FAKE_CLOSE, NULL, 0},
        {"long-body", JSON_HEAD "Content-Length: 5\r\n\r\n12345HTTP/1.1 200 OK", FAKE_KEEP, NULL, 0},
        {"badjson", JSON_HEAD "Content-Length: 9\r\n\r\n{\"a\": [1,", FAKE_KEEP, NULL, 0},
        {"badutf8", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na\xff\xfe!",
                FAKE_KEEP, NULL, 0},
        {"reset", "", FAKE_RESET, NULL, 0},
        {"reset-in-body", JSON_HEAD "Content-Length: 20\r\n\r\n{\"half\":", FAKE_RESET, NULL, 0},
        {"close", "", FAKE_CLOSE, NULL, 0},
        {"garbage-status", "HTPT/9 fine thanks\r\n\r\nhello", FAKE_CLOSE, NULL, 0},
        {"garbage-head", "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\n{}", FAKE_KEEP, NULL,
                0},
};

static const struct {
	const char *path;
	void (*answer)(const struct fake_request *request, const char *target, struct fake_reply *reply);
} answers[] = {
        {"json", answer_json},
        {"json-suffix", answer_json_suffix},
        {"text", answer_text},
        {"echo", answer_echo},
        {"status", answer_status},
        {"204", answer_204},
        {"empty", answer_empty},
        {"reply", answer_reply},
        {"big", answer_big},
        {"chunked", answer_chunked},
        {"gzip", answer_gzip},
        {"headers", answer_headers},
        {"redirect", answer_redirect},
        {"slow", answer_slow},
        {"hold", answer_hold},
        {"close-idle", answer_close_idle},
        {"gzip-bomb", answer_gzip_bomb},
};

static bool segment_is(const char *target, const char *name)
{
	size_t len = strlen(name);

	/* strchr finds the end of the string too: a segment ends there as well */
	return target[0] == '/' && strncmp(target + 1, name, len) == 0 &&
	       strchr("/?", target[1 + len]) != NULL;
}

static void reply_find(const struct fake_request *request, const char *target, struct fake_reply *reply)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (segment_is(target, answers[i].path)) {
			answers[i].answer(request, target, reply);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (!segment_is(target, faults[i].path))
			continue;
		if (faults[i].repeat != NULL)
			reply_repeat(reply, faults[i].text, faults[i].repeat, faults[i].ms);
		else
			reply_then(reply, faults[i].text, faults[i].after);
		return;
	}
	fake_reply_set(reply, 404, "application/json", "{\"error\": \"no such path\"}", 25);
}

void fake_reply_make(const struct fake_request *request, struct fake_reply *reply)
{
	char *target = fake_request_word(request, 1);

	reply_find(request, target, reply);
	free(target);
}
