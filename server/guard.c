/* server/guard.c: see guard.h. */
#include "guard.h"

#include <string.h>
#include <strings.h>

enum { METHOD_MAX = 32, LENGTH_DIGITS = 18 };

/* What a byte may be part of. */
enum {
	BYTE_TOKEN = 1, /* RFC 9110, section 5.6.2 */
	BYTE_VALUE = 2, /* a field's value: visible, blank, tab, beyond ASCII */
	BYTE_TARGET =
	        4,     /* a request target: visible, but no '#'; beyond ASCII is judged when it is decoded */
	BYTE_HOST = 8, /* a registered name: unreserved, sub-delims, percent (RFC 3986, section 3.2.2) */
};

#define T (BYTE_TOKEN | BYTE_VALUE | BYTE_TARGET | BYTE_HOST)
#define V (BYTE_VALUE | BYTE_TARGET)
#define K (BYTE_TOKEN | BYTE_VALUE | BYTE_TARGET)
#define H (BYTE_VALUE | BYTE_TARGET | BYTE_HOST)
static const unsigned char bytes[256] = {
        ['\t'] = BYTE_VALUE,
        [' '] = BYTE_VALUE,
        ['!'] = T,
        ['"'] = V,
        ['#'] = BYTE_TOKEN | BYTE_VALUE,
        ['$'] = T,
        ['%'] = T,
        ['&'] = T,
        ['\''] = T,
        ['('] = H,
        [')'] = H,
        ['*'] = T,
        ['+'] = T,
        [','] = H,
        ['-'] = T,
        ['.'] = T,
        ['/'] = V,
        ['0' ... '9'] = T,
        [':'] = V,
        [';'] = H,
        ['<'] = V,
        ['='] = H,
        ['>'] = V,
        ['?'] = V,
        ['@'] = V,
        ['A' ... 'Z'] = T,
        ['['] = V,
        ['\\'] = V,
        [']'] = V,
        ['^'] = K,
        ['_'] = T,
        ['`'] = K,
        ['a' ... 'z'] = T,
        ['{'] = V,
        ['|'] = K,
        ['}'] = V,
        ['~'] = T,
        [0x80 ... 0xff] = BYTE_VALUE | BYTE_TARGET,
};
#undef T
#undef V
#undef K
#undef H

static bool all_are(const char *text, size_t len, int kind)
{
	for (size_t i = 0; i < len; i++)
		if ((bytes[(unsigned char)text[i]] & kind) == 0)
			return false;
	return true;
}

static bool all_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return len > 0;
}

/* ---- the request line ---- */

/* host [":" port], the host not empty (RFC 9110, section 7.2). User information is refused. */
static bool host_valid(const char *text, size_t len)
{
	const char *colon;
	size_t host;

	if (len > 0 && text[0] == '[') {
		const char *end = memchr(text, ']', len);

		if (end == NULL || end == text + 1)
			return false;
		for (const char *p = text + 1; p < end; p++)
			if (strchr("0123456789abcdefABCDEF:.", *p) == NULL)
				return false;
		host = (size_t)(end + 1 - text);
	} else {
		colon = memchr(text, ':', len);
		host = colon == NULL ? len : (size_t)(colon - text);
		if (host == 0 || !all_are(text, host, BYTE_HOST))
			return false;
	}
	if (host == len)
		return true;
	return text[host] == ':' && len - host <= 6 &&
	       (host + 1 == len || all_digits(text + host + 1, len - host - 1));
}

/* absolute-form (RFC 9112, section 3.2.2): any authority is ours, whoever asked got here. */
static const char *guard_absolute(const struct ab_head *head, struct ab_framing *framing)
{
	const char *authority;
	size_t len;

	if (strncasecmp(head->target, "http://", 7) == 0)
		authority = head->target + 7;
	else if (strncasecmp(head->target, "https://", 8) == 0)
		authority = head->target + 8;
	else
		return "The request target is malformed.";
	len = strcspn(authority, "/?");
	if (!host_valid(authority, len))
		return "The request target names no valid host.";
	framing->form = AB_TARGET_ABSOLUTE;
	framing->path_at = (size_t)(authority + len - head->target);
	return NULL;
}

static const char *guard_target(const struct ab_head *head, struct ab_framing *framing)
{
	if (head->target_len == 0 || !all_are(head->target, head->target_len, BYTE_TARGET))
		return "The request target is malformed.";
	framing->form = AB_TARGET_ORIGIN;
	framing->path_at = 0;
	if (head->target[0] == '/')
		return NULL;
	if (strcmp(head->target, "*") == 0) {
		framing->form = AB_TARGET_ASTERISK;
		return strcmp(head->method, "OPTIONS") == 0 ? NULL : "The request target is malformed.";
	}
	return guard_absolute(head, framing);
}

/* Methods a route can have, and OPTIONS. */
static bool method_known(const char *method)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

	for (size_t i = 0; i < AB_COUNT(known); i++)
		if (strcmp(method, known[i]) == 0)
			return true;
	return false;
}

/* "HTTP/1.x"; *ret_old: 1.0, which knows neither chunks nor a required Host. */
static bool version_valid(const char *version, bool *ret_old)
{
	if (strncmp(version, "HTTP/1.", 7) != 0 || !all_digits(version + 7, strlen(version + 7)) ||
	        version[8] != '\0')
		return false;
	*ret_old = version[7] == '0';
	return true;
}

/* ---- the fields ---- */

struct fields {
	const struct ab_header *host, *length, *coding;
	bool doubled;
};

static void field_once(struct fields *fields, const struct ab_header **slot, const struct ab_header *header)
{
	if (*slot != NULL)
		fields->doubled = true;
	*slot = header;
}

static bool named(const struct ab_header *header, const char *name, size_t len)
{
	return header->name_len == len && strncasecmp(header->name, name, len) == 0;
}

/* Remember the fields the guard has rules for; the length of the name tells most others apart at once. */
static void field_note(struct fields *fields, struct ab_framing *framing, const struct ab_header *header)
{
	switch (header->name_len) {
	case 4:
		if (named(header, "Host", 4))
			field_once(fields, &fields->host, header);
		break;
	case 6:
		if (named(header, "Expect", 6) && strcasecmp(header->value, "100-continue") == 0)
			framing->expects_continue = true;
		break;
	case 11:
		if (named(header, "traceparent", 11))
			framing->traceparent = header;
		break;
	case 14:
		if (named(header, "Content-Length", 14))
			field_once(fields, &fields->length, header);
		break;
	case 17:
		if (named(header, "Transfer-Encoding", 17))
			field_once(fields, &fields->coding, header);
		break;
	default:
		break;
	}
}

static const char *guard_fields(const struct ab_head *head, struct ab_framing *framing, struct fields *fields)
{
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct ab_header *header = &head->headers[i];

		if (header->name_len == 0 || !all_are(header->name, header->name_len, BYTE_TOKEN))
			return "A field name is malformed.";
		if (!all_are(header->value, header->value_len, BYTE_VALUE))
			return "A field value has a control character.";
		field_note(fields, framing, header);
	}
	if (fields->doubled)
		return "A field that may stand once stands twice.";
	return NULL;
}

static const char *guard_framing(const struct fields *fields, bool old, struct ab_framing *framing)
{
	const struct ab_header *length = fields->length, *coding = fields->coding;

	if (coding != NULL && length != NULL)
		return "The request has two lengths.";
	if (coding != NULL) {
		/* Nothing may follow, blanks neither: libmicrohttpd would not see chunks then. */
		if (old || strcasecmp(coding->value, "chunked") != 0)
			return "The transfer coding is not understood.";
		framing->chunked = true;
	}
	if (length != NULL) {
		if (!all_digits(length->value, length->value_len))
			return "The content length is malformed.";
		framing->length =
		        length->value_len > LENGTH_DIGITS ? UINT64_MAX : strtoull(length->value, NULL, 10);
	}
	return NULL;
}

const char *ab_guard_check(const struct ab_head *head, struct ab_framing *ret_framing, int *ret_status)
{
	size_t method_len = strlen(head->method);
	struct fields fields = {0};
	const char *why;
	bool old;

	*ret_framing = (struct ab_framing){0};
	*ret_status = 400;
	if (method_len == 0 || method_len > METHOD_MAX || !all_are(head->method, method_len, BYTE_TOKEN))
		return "The method is malformed.";
	if (!version_valid(head->version, &old))
		return "The protocol version is malformed.";
	if (head->target_len > AB_MAX_TARGET) {
		*ret_status = 414;
		return "The request target is too long.";
	}
	if (head->n_headers > AB_MAX_HEADERS) {
		*ret_status = 431;
		return "The request has too many header fields.";
	}
	why = guard_fields(head, ret_framing, &fields);
	if (why != NULL)
		return why;
	if (fields.host == NULL ? !old : !host_valid(fields.host->value, fields.host->value_len))
		return "The request names no valid host.";
	why = guard_framing(&fields, old, ret_framing);
	if (why != NULL)
		return why;
	if (!method_known(head->method)) {
		*ret_status = 501;
		return "The method is not implemented.";
	}
	return guard_target(head, ret_framing);
}

/* ---- the layout ---- */

static void layout_want(struct ab_layout *layout, const char *piece)
{
	if (layout->next != (uintptr_t)piece)
		layout->broken = true;
}

void ab_layout_begin(struct ab_layout *layout, const char *method, const char *target, size_t target_len,
        const char *version)
{
	*layout = (struct ab_layout){.next = (uintptr_t)method + strlen(method) + 1};
	layout_want(layout, target);
	layout->next += target_len + 1;
	layout_want(layout, version);
	layout->next += strlen(version) + 2;
}

void ab_layout_header(
        struct ab_layout *layout, const char *name, size_t name_len, const char *value, size_t value_len)
{
	layout_want(layout, name);
	if ((uintptr_t)value <= (uintptr_t)name + name_len)
		layout->broken = true;
	layout->next = (uintptr_t)value + value_len + 2;
}

bool ab_layout_end(const struct ab_layout *layout, const char *method, size_t head_len)
{
	return !layout->broken && layout->next + 2 == (uintptr_t)method + head_len;
}
