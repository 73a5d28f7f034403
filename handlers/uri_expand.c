/* handlers/uri_expand.c: appending a URI template's expansion (RFC 6570, section 3.2). See uri_template.h. */
#include "uri_parts.h"

#include "json.h"
#include "placeholder.h"

#include <string.h>

const unsigned char ab_uri_class[256] = {
        ['A' ... 'Z'] = 1,
        ['a' ... 'z'] = 1,
        ['0' ... '9'] = 1,
        ['-'] = 1,
        ['.'] = 1,
        ['_'] = 1,
        ['~'] = 1,
        [':'] = 2,
        ['/'] = 2,
        ['?'] = 2,
        ['#'] = 2,
        ['['] = 2,
        [']'] = 2,
        ['@'] = 2,
        ['!'] = 2,
        ['$'] = 2,
        ['&'] = 2,
        ['\''] = 2,
        ['('] = 2,
        [')'] = 2,
        ['*'] = 2,
        ['+'] = 2,
        [','] = 2,
        [';'] = 2,
        ['='] = 2,
};

/* RFC 6570, appendix A. */
struct uri_op {
	char first;     /* before the first value; 0 for nothing */
	char separator; /* before the others */
	bool named;
	bool empty_equals; /* "name=" for an empty value, else "name" */
	bool reserved;     /* reserved characters and triplets stay as they are */
};

static const struct uri_op *op_of(char op)
{
	static const struct uri_op ops[] = {
	        {0, ',', false, false, false},
	        {0, ',', false, false, true},
	        {'#', ',', false, false, true},
	        {'.', '.', false, false, false},
	        {'/', '/', false, false, false},
	        {';', ';', true, false, false},
	        {'?', '&', true, true, false},
	        {'&', '&', true, true, false},
	};

	switch (op) {
	case '+':
		return &ops[1];
	case '#':
		return &ops[2];
	case '.':
		return &ops[3];
	case '/':
		return &ops[4];
	case ';':
		return &ops[5];
	case '?':
		return &ops[6];
	case '&':
		return &ops[7];
	default:
		return &ops[0];
	}
}

struct expansion {
	const struct ab_uri_template *uri;
	const struct uri_part *part;
	const struct uri_op *op;
	const struct uri_var *var;
	struct ab_buf *buf;
	struct ab_error *err;
	bool begun; /* the operator's first character is out */
};

/* ---- characters ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ab_uri_is_triplet(const char *text, size_t len)
{
	return len >= 3 && text[0] == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0;
}

bool ab_uri_has_dot_segment(const char *text, size_t len)
{
	bool other = false, parameters = false;
	size_t dots = 0, i = 0;
	int c;

	for (;;) {
		if (i == len || text[i] == '?' || text[i] == '#') {
			c = -1;
		} else if (ab_uri_is_triplet(text + i, len - i)) {
			c = (int)((unsigned)hex_digit(text[i + 1]) << 4 | (unsigned)hex_digit(text[i + 2]));
			i += 3;
		} else {
			c = (unsigned char)text[i++];
		}
		if (c == -1 || c == '/' || c == '\\') {
			if (!other && (dots == 1 || dots == 2))
				return true;
			if (c == -1)
				return false;
			other = parameters = false;
			dots = 0;
		} else if (c == ';') {
			parameters = true;
		} else if (!parameters) {
			dots += c == '.';
			other |= c != '.';
		}
	}
}

static void encode(struct ab_buf *buf, const char *text, size_t len, bool reserved)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i = 0, run = 0;

	while (i < len) {
		unsigned char c = (unsigned char)text[i], class = ab_uri_class[c];

		if (class == 1 || (reserved && (class == 2 || ab_uri_is_triplet(text + i, len - i)))) {
			i++;
			continue;
		}
		ab_buf_add(buf, text + run, i - run);
		ab_buf_add(buf, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
		run = ++i;
	}
	ab_buf_add(buf, text + run, len - run);
}

/* The length of the first `n` characters; in a reserved expansion a triplet is one. */
static size_t prefix_len(const char *text, size_t len, unsigned n, bool reserved)
{
	size_t i = 0;

	for (; n > 0 && i < len; n--) {
		if (reserved && ab_uri_is_triplet(text + i, len - i)) {
			i += 3;
			continue;
		}
		i++;
		while (i < len && ((unsigned char)text[i] & 0xC0) == 0x80)
			i++;
	}
	return i;
}

/* ---- values ---- */

__attribute__((cold)) static enum ab_code refuse(struct expansion *x, const char *why)
{
	return ab_error_set(x->err, AB_EINVALID, "URL: {%.*s} %s",
	        (int)(x->var->spelled_len > 80 ? 80 : x->var->spelled_len), x->var->spelled, why);
}

static void begin(struct expansion *x)
{
	if (x->begun)
		ab_buf_addc(x->buf, x->op->separator);
	else if (x->op->first != 0)
		ab_buf_addc(x->buf, x->op->first);
	x->begun = true;
}

/* A string, number or boolean, encoded. */
static enum ab_code append_scalar(struct expansion *x, const json_t *value, unsigned prefix)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value), start = x->buf->len;
	char number[40];

	if (text == NULL) {
		if (!ab_scalar_write(x->buf, value))
			return refuse(x, "holds a list, object or null inside a list or object");
		len = x->buf->len - start;
		if (x->buf->failed || len > sizeof(number))
			return AB_OK; /* the caller looks at the buffer at the end */
		memcpy(number, x->buf->data + start, len);
		text = number;
		x->buf->len = start;
	} else if (len == 0 && x->uri->strict && x->part->where == URI_PATH) {
		return refuse(x, "is empty, and a URL's path needs a value there");
	}
	if (prefix > 0)
		len = prefix_len(text, len, prefix, x->op->reserved);
	encode(x->buf, text, len, x->op->reserved);
	return AB_OK;
}

static bool is_empty(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) == 0;
}

/* "name=value", or as the operator has it for an empty value. */
static enum ab_code append_named(
        struct expansion *x, const char *name, size_t len, const json_t *value, unsigned prefix)
{
	ab_buf_add(x->buf, name, len);
	if (!is_empty(value) || x->op->empty_equals)
		ab_buf_addc(x->buf, '=');
	return is_empty(value) ? AB_OK : append_scalar(x, value, prefix);
}

static enum ab_code append_item(struct expansion *x, const json_t *item, bool *first)
{
	const struct uri_var *var = x->var;

	if (var->explode) {
		begin(x);
		if (x->op->named)
			return append_named(x, var->name, var->name_len, item, 0);
	} else if (!*first) {
		ab_buf_addc(x->buf, ',');
	}
	*first = false;
	return append_scalar(x, item, 0);
}

static enum ab_code append_list(struct expansion *x, const json_t *list)
{
	enum ab_code rc = AB_OK;
	bool first = true;

	for (size_t i = 0; i < json_array_size(list) && rc == AB_OK; i++)
		if (!json_is_null(json_array_get(list, i)))
			rc = append_item(x, json_array_get(list, i), &first);
	return rc;
}

static enum ab_code append_pair(
        struct expansion *x, const char *key, size_t len, const json_t *value, bool *first)
{
	if (x->var->explode)
		begin(x);
	else if (!*first)
		ab_buf_addc(x->buf, ',');
	*first = false;
	encode(x->buf, key, len, x->op->reserved);
	if (!x->var->explode)
		ab_buf_addc(x->buf, ',');
	else if (x->op->named)
		return append_named(x, "", 0, value, 0);
	else
		ab_buf_addc(x->buf, '=');
	return append_scalar(x, value, 0);
}

static enum ab_code append_object(struct expansion *x, json_t *object)
{
	enum ab_code rc = AB_OK;
	bool first = true;

	for (void *at = json_object_iter(object); at != NULL && rc == AB_OK;
	        at = json_object_iter_next(object, at))
		if (!json_is_null(json_object_iter_value(at)))
			rc = append_pair(x, json_object_iter_key(at), json_object_iter_key_len(at),
			        json_object_iter_value(at), &first);
	return rc;
}

static enum ab_code append_composite(struct expansion *x, json_t *value)
{
	const char *what = json_is_array(value) ? "is a list" : "is an object";

	if (x->var->prefix > 0)
		return ab_error_set(x->err, AB_EINVALID, "URL: {%.*s} %s, of which :%u can't take a part",
		        (int)(x->var->spelled_len > 80 ? 80 : x->var->spelled_len), x->var->spelled, what,
		        x->var->prefix);
	if (x->uri->strict && x->part->where == URI_PATH && x->part->op == 0 && !x->var->explode)
		return refuse(x, json_is_array(value)
		                         ? "is a list, which a URL's path takes only as {x*} or {/x*}"
		                         : "is an object, which a URL's path takes only as {x*} or {;x*}");
	if (!x->var->explode) {
		begin(x);
		if (x->op->named) {
			ab_buf_add(x->buf, x->var->name, x->var->name_len);
			ab_buf_addc(x->buf, '=');
		}
	}
	return json_is_array(value) ? append_list(x, value) : append_object(x, value);
}

/* RFC 6570, section 2.3: a list or object without a member that has a value is undefined. */
static bool is_undefined(json_t *value)
{
	if (value == NULL || json_is_null(value))
		return true;
	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			if (!json_is_null(json_array_get(value, i)))
				return false;
		return true;
	}
	if (json_is_object(value)) {
		for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at))
			if (!json_is_null(json_object_iter_value(at)))
				return false;
		return true;
	}
	return false;
}

static enum ab_code expand_undefined(struct expansion *x, const json_t *value)
{
	char op = x->part->op;

	if (!x->uri->strict || op == '?' || op == '&' || op == '#')
		return AB_OK;
	return refuse(x, value == NULL ? "is missing" : json_is_null(value) ? "is null" : "is empty");
}

static enum ab_code expand_var(struct expansion *x, const struct ab_call *call)
{
	json_t *value = ab_ref_get(&x->var->ref, call);

	if (is_undefined(value))
		return expand_undefined(x, value);
	if (json_is_array(value) || json_is_object(value))
		return append_composite(x, value);
	begin(x);
	if (x->op->named)
		return append_named(x, x->var->name, x->var->name_len, value, x->var->prefix);
	return append_scalar(x, value, x->var->prefix);
}

static enum ab_code expand_part(const struct ab_uri_template *uri, const struct uri_part *part,
        const struct ab_call *call, struct ab_buf *buf, struct ab_error *err)
{
	struct expansion x = {.uri = uri, .part = part, .op = op_of(part->op), .buf = buf, .err = err};
	enum ab_code rc = AB_OK;

	for (size_t i = 0; i < part->n_vars && rc == AB_OK; i++) {
		x.var = &part->vars[i];
		rc = expand_var(&x, call);
	}
	return rc;
}

enum ab_code ab_uri_template_fill(const struct ab_uri_template *uri, const struct ab_call *call,
        struct ab_buf *buf, struct ab_error *err)
{
	size_t start = buf->len;
	enum ab_code rc = AB_OK;

	for (size_t i = 0; i < uri->count && rc == AB_OK; i++) {
		if (uri->parts[i].text != NULL)
			ab_buf_add(buf, uri->parts[i].text, uri->parts[i].len);
		else
			rc = expand_part(uri, &uri->parts[i], call, buf, err);
	}
	if (rc != AB_OK)
		return rc;
	if (buf->failed)
		return buf->too_big ? ab_error_set(err, AB_EINVALID, "URL: longer than %zu bytes", buf->max)
		                    : ab_error_set(err, AB_ENOMEM, "out of memory");
	if (uri->strict && uri->n_vars > 0 && buf->len > start &&
	        ab_uri_has_dot_segment(buf->data + start, buf->len - start))
		return ab_error_set(err, AB_EINVALID, "URL: a value makes a '.' or '..' segment in its path");
	return AB_OK;
}
