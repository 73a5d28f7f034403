/* handlers/sql/postgres_param.c: JSON values as parameters, in their text form, by the type the server has
 * found for each. What does not fit is said here, before anything is sent; what only the server can judge (a
 * date, a member of an enum) it judges when it binds the parameter. */
#include "../json.h"
#include "postgres_types.h"

#include <string.h>

static const char *type_words(enum ab_pg_kind kind)
{
	switch (kind) {
	case AB_PG_BOOL:
		return "a boolean";
	case AB_PG_INT2:
		return "an integer of 16 bits";
	case AB_PG_INT4:
		return "an integer of 32 bits";
	case AB_PG_INT8:
		return "an integer";
	case AB_PG_OID:
		return "an oid";
	case AB_PG_FLOAT4:
	case AB_PG_FLOAT8:
	case AB_PG_NUMERIC:
		return "a number";
	case AB_PG_UUID:
		return "a UUID";
	case AB_PG_BYTEA:
		return "base64 text";
	case AB_PG_DATE:
		return "a date";
	case AB_PG_TIME:
		return "a time";
	case AB_PG_TIMESTAMP:
	case AB_PG_TIMESTAMPTZ:
		return "a timestamp";
	case AB_PG_OTHER:
	case AB_PG_STRING:
	case AB_PG_JSON:
	case AB_PG_JSONB:
	default:
		return "text";
	}
}

static const char *value_words(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return "a string that is not one";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a real number";
	case JSON_ARRAY:
		return "a list";
	case JSON_OBJECT:
		return "an object";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
	default:
		return "null";
	}
}

static enum ab_code misfit(enum ab_pg_kind kind, const json_t *value, struct ab_error *err)
{
	bool integers =
	        json_is_integer(value) && (kind == AB_PG_INT2 || kind == AB_PG_INT4 || kind == AB_PG_OID);

	return ab_error_set(err, AB_EINVALID, "the database expects %s, not %s", type_words(kind),
	        integers ? "one that large" : value_words(value));
}

/* ---- numbers ---- */

static bool fits(enum ab_pg_kind kind, json_int_t value)
{
	switch (kind) {
	case AB_PG_INT2:
		return value >= INT16_MIN && value <= INT16_MAX;
	case AB_PG_INT4:
		return value >= INT32_MIN && value <= INT32_MAX;
	case AB_PG_OID:
		return value >= 0 && value <= UINT32_MAX;
	default:
		return true;
	}
}

/* [+-]digits, with a fraction and exponent where `real`. */
static bool looks_numeric(const char *text, size_t len, bool real)
{
	size_t at = len > 0 && (text[0] == '-' || text[0] == '+'), digits = 0;

	for (; at < len && text[at] >= '0' && text[at] <= '9'; at++)
		digits++;
	if (real && at < len && text[at] == '.')
		for (at++; at < len && text[at] >= '0' && text[at] <= '9'; at++)
			digits++;
	if (digits > 0 && real && at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		at += at < len && (text[at] == '-' || text[at] == '+');
		for (digits = 0; at < len && text[at] >= '0' && text[at] <= '9'; at++)
			digits++;
	}
	return digits > 0 && at == len;
}

static enum ab_code param_integer(
        struct ab_buf *buf, enum ab_pg_kind kind, const json_t *value, struct ab_error *err)
{
	const char *text = json_string_value(value);
	json_int_t integer;

	if (json_is_integer(value)) {
		integer = json_integer_value(value);
	} else if (json_is_real(value)) {
		double real = json_real_value(value);

		/* 2^63 itself is no int64. */
		if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0) ||
		        (double)(json_int_t)real != real)
			return misfit(kind, value, err);
		integer = (json_int_t)real;
	} else if (json_is_boolean(value)) {
		integer = json_is_true(value);
	} else if (text != NULL && looks_numeric(text, json_string_length(value), false)) {
		ab_buf_add(buf, text, json_string_length(value)); /* its size is for the server to judge */
		return AB_OK;
	} else {
		return misfit(kind, value, err);
	}
	if (!fits(kind, integer))
		return misfit(kind, value, err);
	ab_json_write_integer(buf, integer);
	return AB_OK;
}

static bool is_special(const char *text)
{
	return strcasecmp(text, "NaN") == 0 || strcasecmp(text, "Infinity") == 0 ||
	       strcasecmp(text, "-Infinity") == 0;
}

static enum ab_code param_number(
        struct ab_buf *buf, enum ab_pg_kind kind, const json_t *value, struct ab_error *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (json_is_integer(value))
		ab_json_write_integer(buf, json_integer_value(value));
	else if (json_is_real(value))
		ab_json_write_real(buf, json_real_value(value));
	else if (text != NULL && memchr(text, '\0', len) == NULL &&
	         (looks_numeric(text, len, true) || is_special(text)))
		ab_buf_add(buf, text, len);
	else
		return misfit(kind, value, err);
	return AB_OK;
}

/* ---- text and what is written as text ---- */

static enum ab_code param_string(struct ab_buf *buf, const json_t *value, struct ab_error *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (memchr(text, '\0', len) != NULL)
		return ab_error_set(err, AB_EINVALID, "text with a NUL in it");
	ab_buf_add(buf, text, len);
	return AB_OK;
}

/* Any value as text: what is no string as JSON has it. */
static enum ab_code param_text(struct ab_buf *buf, const json_t *value, struct ab_error *err)
{
	if (json_is_string(value))
		return param_string(buf, value, err);
	ab_json_write(buf, value);
	return AB_OK;
}

static enum ab_code param_bool(struct ab_buf *buf, const json_t *value, struct ab_error *err)
{
	static const char *const words[] = {"true", "false", "t", "f", "1", "0", "on", "off", "yes", "no"};
	const char *text = json_string_value(value);

	if (json_is_boolean(value)) {
		ab_buf_addc(buf, json_is_true(value) ? 't' : 'f');
		return AB_OK;
	}
	if (json_is_integer(value) && (json_integer_value(value) == 0 || json_integer_value(value) == 1)) {
		ab_buf_addc(buf, json_integer_value(value) == 1 ? 't' : 'f');
		return AB_OK;
	}
	for (size_t i = 0; text != NULL && i < AB_COUNT(words); i++)
		if (strcmp(text, words[i]) == 0) {
			ab_buf_adds(buf, text);
			return AB_OK;
		}
	return misfit(AB_PG_BOOL, value, err);
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Base64, as bytea is given back, to the server's hexadecimal form. */
static enum ab_code param_bytea(struct ab_buf *buf, const json_t *value, struct ab_error *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (text == NULL || len % 4 != 0)
		return misfit(AB_PG_BYTEA, value, err);
	ab_buf_adds(buf, "\\x");
	for (size_t i = 0; i < len; i += 4) {
		size_t pad = i + 4 < len ? 0 : (size_t)(text[i + 3] == '=') + (text[i + 2] == '=');
		int bits = 0;

		for (size_t j = 0; j < 4; j++) {
			int digit = j >= 4 - pad ? 0 : base64_digit(text[i + j]);

			if (digit < 0)
				return misfit(AB_PG_BYTEA, value, err);
			bits = bits << 6 | digit;
		}
		for (size_t j = 0; j < 3 - pad; j++)
			ab_buf_printf(buf, "%02x", (unsigned)bits >> (16 - 8 * j) & 0xff);
	}
	return AB_OK;
}

static bool is_uuid(const char *text, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			digits++;
		else if (c != '-' || digits % 4 != 0 || digits == 0)
			return false;
	}
	return digits == 32;
}

static enum ab_code param_uuid(struct ab_buf *buf, const json_t *value, struct ab_error *err)
{
	const char *text = json_string_value(value);

	if (text == NULL || !is_uuid(text, json_string_length(value)))
		return misfit(AB_PG_UUID, value, err);
	ab_buf_add(buf, text, json_string_length(value));
	return AB_OK;
}

static enum ab_code param_one(
        struct ab_buf *buf, enum ab_pg_kind kind, const json_t *value, struct ab_error *err)
{
	switch (kind) {
	case AB_PG_BOOL:
		return param_bool(buf, value, err);
	case AB_PG_INT2:
	case AB_PG_INT4:
	case AB_PG_INT8:
	case AB_PG_OID:
		return param_integer(buf, kind, value, err);
	case AB_PG_FLOAT4:
	case AB_PG_FLOAT8:
	case AB_PG_NUMERIC:
		return param_number(buf, kind, value, err);
	case AB_PG_JSON:
	case AB_PG_JSONB:
		ab_json_write(buf, value);
		return AB_OK;
	case AB_PG_BYTEA:
		return param_bytea(buf, value, err);
	case AB_PG_UUID:
		return param_uuid(buf, value, err);
	case AB_PG_DATE:
	case AB_PG_TIME:
	case AB_PG_TIMESTAMP:
	case AB_PG_TIMESTAMPTZ:
		return json_is_string(value) ? param_string(buf, value, err) : misfit(kind, value, err);
	case AB_PG_STRING:
	case AB_PG_OTHER:
	default:
		return param_text(buf, value, err);
	}
}

/* ---- arrays ---- */

/* An element in quotes, so that no text is taken for a NULL, a brace or a comma. */
static enum ab_code param_element(
        struct ab_buf *buf, enum ab_pg_kind kind, const json_t *value, struct ab_error *err)
{
	struct ab_buf element;
	enum ab_code code;

	ab_buf_init(&element, buf->max);
	code = param_one(&element, kind, value, err);
	ab_buf_addc(buf, '"');
	for (size_t i = 0; code == AB_OK && i < element.len; i++) {
		if (element.data[i] == '"' || element.data[i] == '\\')
			ab_buf_addc(buf, '\\');
		ab_buf_addc(buf, element.data[i]);
	}
	ab_buf_addc(buf, '"');
	if (code == AB_OK && element.failed)
		code = ab_error_set(
		        err, element.too_big ? AB_EINVALID : AB_ENOMEM, "too large, or out of memory");
	ab_buf_fini(&element);
	return code;
}

enum { MAX_DIMENSIONS = 6 };

/* Lists inside lists are further dimensions, but not where an element is JSON itself. */
static enum ab_code param_array(struct ab_buf *buf, enum ab_pg_kind kind, const json_t *list, int depth,
        struct ab_error *err) /* NOLINT(misc-no-recursion) */
{
	bool document = kind == AB_PG_JSON || kind == AB_PG_JSONB;
	enum ab_code code = AB_OK;
	const json_t *value;
	size_t i;

	if (depth == MAX_DIMENSIONS)
		return ab_error_set(err, AB_EINVALID, "lists nested deeper than %d", MAX_DIMENSIONS);
	ab_buf_addc(buf, '{');
	json_array_foreach(list, i, value)
	{
		if (i > 0)
			ab_buf_addc(buf, ',');
		if (json_is_null(value))
			ab_buf_adds(buf, "NULL");
		else if (json_is_array(value) && !document)
			code = param_array(buf, kind, value, depth + 1, err);
		else
			code = param_element(buf, kind, value, err);
		if (code != AB_OK)
			return code;
	}
	ab_buf_addc(buf, '}');
	return AB_OK;
}

enum ab_code ab_pg_param(
        struct ab_buf *buf, struct ab_pg_type type, const json_t *value, struct ab_error *err)
{
	enum ab_code code;

	if (!type.array)
		code = param_one(buf, type.kind, value, err);
	else if (json_is_array(value))
		code = param_array(buf, type.kind, value, 0, err);
	else
		return ab_error_set(err, AB_EINVALID, "the database expects a list of %s, not %s",
		        type_words(type.kind), value_words(value));
	if (code == AB_OK && buf->failed)
		return ab_error_set(
		        err, buf->too_big ? AB_EINVALID : AB_ENOMEM, "too large, or out of memory");
	return code;
}
