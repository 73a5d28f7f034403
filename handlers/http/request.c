/* handlers/http/request.c: what one transfer sends. Every value is encoded for its place, and what was made
 * is looked at once more before libcurl gets it: no value ends a line or a target early. */
#include "internal.h"

#include <string.h>

/* application/x-www-form-urlencoded, as URL Standard, section 5.2, serializes it. */
void ab_form_encode(struct ab_buf *buf, const char *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '*' ||
		        c == '-' || c == '.' || c == '_') {
			ab_buf_addc(buf, (char)c);
		} else if (c == ' ') {
			ab_buf_addc(buf, '+');
		} else {
			const char code[3] = {'%', hex[c >> 4], hex[c & 15]};

			ab_buf_add(buf, code, sizeof(code));
		}
	}
}

static enum ab_code buf_error(
        struct ab_fetch *fetch, const struct ab_buf *buf, const char *what, struct ab_error *err)
{
	char size[32];

	if (!buf->too_big)
		return ab_error_set(err, AB_ENOMEM, "no memory for %s", what);
	return ab_answer_fail(
	        fetch, err, AB_EINVALID, "%s over %s", what, ab_size_text(buf->max, size, sizeof(size)));
}

/* ---- target ---- */

/* Visible ASCII without '#' is all that may stand in a target; {+x} would let more through. */
static bool target_is_clean(const struct ab_buf *target)
{
	for (size_t i = 0; i < target->len; i++) {
		const char c = target->data[i];

		if (c <= ' ' || c >= 0x7F || c == '#')
			return false;
	}
	return true;
}

static enum ab_code fill_target(struct ab_fetch *fetch, struct ab_error *err)
{
	const struct ab_http_resource *r = fetch->resource;
	struct ab_buf *target = &fetch->target;
	size_t at;
	enum ab_code code;

	ab_buf_adds(target, r->upstream->prefix);
	at = target->len;
	if (!r->slashed)
		ab_buf_addc(target, '/');
	code = ab_uri_template_fill(r->uri, fetch->call, target, err);
	if (code != AB_OK && !target->failed)
		return code;
	if (target->failed)
		return buf_error(fetch, target, "the target", err);
	/* the path may begin with a list of segments, or be empty behind a base path */
	if (!r->slashed && (target->data[at + 1] == '/' || !r->upstream->bare)) {
		memmove(target->data + at, target->data + at + 1, target->len - at);
		target->len--;
	}
	if (!target_is_clean(target))
		return ab_answer_fail(
		        fetch, err, AB_EINVALID, "the target would have characters that no URL has");
	curl_easy_setopt(fetch->easy, CURLOPT_REQUEST_TARGET, target->data);
	return AB_OK;
}

/* ---- header lines: each with its NUL, one after another ---- */

/* End a line of which the value begins at `value`; blanks round it are not part of it. False when it has
 * bytes that a header can't have. */
static bool line_end(struct ab_buf *lines, size_t value)
{
	size_t from = value;

	if (lines->failed)
		return true;
	for (size_t i = value; i < lines->len; i++)
		if (((unsigned char)lines->data[i] < ' ' && lines->data[i] != '\t') || lines->data[i] == 0x7F)
			return false;
	while (lines->len > value && strchr(" \t", lines->data[lines->len - 1]) != NULL)
		lines->len--;
	while (from < lines->len && strchr(" \t", lines->data[from]) != NULL)
		from++;
	if (from == lines->len) { /* sent empty: "Name;" for libcurl */
		lines->len = value - 1;
		lines->data[value - 2] = ';';
	}
	ab_buf_addc(lines, '\0');
	return true;
}

static enum ab_code fill_header(struct ab_fetch *fetch, const struct header *header, struct ab_error *err)
{
	struct ab_buf *lines = &fetch->lines;
	size_t start = lines->len, value;
	enum ab_code code;

	ab_buf_add(lines, header->name, header->name_len);
	ab_buf_add(lines, ": ", 2);
	value = lines->len;
	code = ab_pieces_fill(header->pieces, fetch->call, AB_PIECES_HEADER, lines, err);
	if (lines->failed)
		return buf_error(fetch, lines, "the headers", err);
	if (code == AB_EMISSING) {
		lines->len = start;
		return AB_OK;
	}
	if (code != AB_OK)
		return code;
	if (!line_end(lines, value))
		return ab_answer_fail(
		        fetch, err, AB_EINVALID, "header %s would have control characters", header->name);
	return AB_OK;
}

static enum ab_code fill_line(
        struct ab_fetch *fetch, const char *name, const char *text, struct ab_error *err)
{
	size_t value;

	ab_buf_adds(&fetch->lines, name);
	value = fetch->lines.len;
	ab_buf_adds(&fetch->lines, text);
	if (!line_end(&fetch->lines, value))
		return ab_answer_fail(
		        fetch, err, AB_EINVALID, "header %s would have control characters", name);
	return AB_OK;
}

static enum ab_code fill_headers(struct ab_fetch *fetch, struct ab_error *err)
{
	const struct ab_http_resource *r = fetch->resource;
	const struct ab_context *context = fetch->call->context;
	enum ab_code code = AB_OK;

	for (size_t i = 0; code == AB_OK && r->n_filled > 0 && i < r->headers.count; i++)
		if (r->headers.list[i].pieces != NULL)
			code = fill_header(fetch, &r->headers.list[i], err);
	if (code == AB_OK && r->send_id && context->request_id != NULL)
		code = fill_line(fetch, "X-Request-Id: ", context->request_id, err);
	if (code == AB_OK && r->send_trace && context->traceparent != NULL)
		code = fill_line(fetch, "traceparent: ", context->traceparent, err);
	return code;
}

/* Chain the lines in front of those that are always the same. Last, since the buffer moves while it grows. */
static void link_lines(struct ab_fetch *fetch)
{
	struct curl_slist *list = fetch->resource->fixed, *node = fetch->nodes;
	char *line = fetch->lines.data, *end = line + fetch->lines.len;

	for (; line < end; line += strlen(line) + 1, node++) {
		node->data = line;
		node->next = node + 1;
	}
	if (node != fetch->nodes) {
		node[-1].next = list;
		list = fetch->nodes;
	}
	if (list != fetch->list) {
		curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, list);
		fetch->list = list;
	}
}

/* ---- body ---- */

static enum ab_code fill_form(struct ab_fetch *fetch, struct ab_error *err)
{
	const struct ab_http_resource *r = fetch->resource;
	struct ab_buf *payload = &fetch->payload, value;
	enum ab_code code = AB_OK;

	ab_buf_init(&value, HTTP_MAX_PAYLOAD);
	for (size_t i = 0; i < r->n_fields && !payload->failed; i++) {
		value.len = 0;
		code = ab_pieces_fill(r->fields[i].pieces, fetch->call, AB_PIECES_TEXT, &value, err);
		if (value.failed) {
			code = buf_error(fetch, &value, "a form field", err);
			break;
		}
		if (code == AB_EMISSING) {
			code = AB_OK;
			continue;
		}
		if (code != AB_OK)
			break;
		if (payload->len > 0)
			ab_buf_addc(payload, '&');
		ab_buf_adds(payload, r->fields[i].name);
		if (value.len > 0)
			ab_form_encode(payload, value.data, value.len);
	}
	ab_buf_fini(&value);
	return code;
}

/* A body that is one placeholder: text stays text, the rest is JSON, null is no body. */
static enum ab_code fill_value(struct ab_fetch *fetch, struct ab_error *err)
{
	json_t *value = ab_structure_fill(fetch->resource->json, fetch->call, err);
	const char *type = "application/json";

	if (value == NULL)
		return err->code;
	if (json_is_string(value)) {
		ab_buf_add(&fetch->payload, json_string_value(value), json_string_length(value));
		type = "text/plain; charset=utf-8";
	} else if (json_is_null(value)) {
		type = NULL;
	} else {
		ab_json_write(&fetch->payload, value);
	}
	json_decref(value);
	if (fetch->resource->typed)
		return AB_OK;
	if (type != NULL)
		return fill_line(fetch, "Content-Type: ", type, err);
	ab_buf_add(&fetch->lines, "Content-Type:", sizeof("Content-Type:")); /* none; with its NUL */
	return AB_OK;
}

static enum ab_code fill_payload(struct ab_fetch *fetch, struct ab_error *err)
{
	const struct ab_http_resource *r = fetch->resource;
	struct ab_buf *payload = &fetch->payload;
	enum ab_code code = AB_OK;

	switch (r->payload) {
	case PAYLOAD_NONE:
		return AB_OK;
	case PAYLOAD_JSON:
		code = ab_structure_write(r->json, fetch->call, payload, err);
		break;
	case PAYLOAD_VALUE:
		code = fill_value(fetch, err);
		break;
	case PAYLOAD_TEXT:
		code = ab_pieces_fill(r->text, fetch->call, AB_PIECES_TEXT, payload, err);
		if (code == AB_EMISSING)
			return ab_answer_fail(
			        fetch, err, AB_EINVALID, "the body has a placeholder without a value");
		break;
	case PAYLOAD_FORM:
		code = fill_form(fetch, err);
		break;
	}
	if (payload->failed)
		return buf_error(fetch, payload, "the request's body", err);
	if (code != AB_OK)
		return code;
	curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, payload->len == 0 ? "" : payload->data);
	curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)payload->len);
	return AB_OK;
}

enum ab_code ab_request_fill(struct ab_fetch *fetch, struct ab_error *err)
{
	enum ab_code code = fill_target(fetch, err);

	if (code == AB_OK)
		code = fill_headers(fetch, err);
	if (code == AB_OK)
		code = fill_payload(fetch, err);
	if (code != AB_OK)
		return code;
	if (fetch->lines.failed)
		return buf_error(fetch, &fetch->lines, "the headers", err);
	link_lines(fetch);
	return AB_OK;
}
