/* handlers/sql/postgres_value.c: values of results as JSON, from their binary and their text form.
 *
 * Nothing loses precision silently: a numeric is an integer where it is one of 64 bits, else a string of its
 * digits; NaN and the infinities, which JSON has not, are strings. */
#include "../json.h"
#include "postgres_types.h"
#include "rows.h"

#include <math.h>
#include <string.h>

struct ab_pg_type ab_pg_type(uint32_t oid)
{
	switch (oid) {
	case 16:
		return (struct ab_pg_type){AB_PG_BOOL, false};
	case 17:
		return (struct ab_pg_type){AB_PG_BYTEA, false};
	case 20:
		return (struct ab_pg_type){AB_PG_INT8, false};
	case 21:
		return (struct ab_pg_type){AB_PG_INT2, false};
	case 23:
		return (struct ab_pg_type){AB_PG_INT4, false};
	case 26:
		return (struct ab_pg_type){AB_PG_OID, false};
	case 19:
	case 25:
	case 1042:
	case 1043:
		return (struct ab_pg_type){AB_PG_STRING, false};
	case 114:
		return (struct ab_pg_type){AB_PG_JSON, false};
	case 3802:
		return (struct ab_pg_type){AB_PG_JSONB, false};
	case 700:
		return (struct ab_pg_type){AB_PG_FLOAT4, false};
	case 701:
		return (struct ab_pg_type){AB_PG_FLOAT8, false};
	case 1700:
		return (struct ab_pg_type){AB_PG_NUMERIC, false};
	case 2950:
		return (struct ab_pg_type){AB_PG_UUID, false};
	case 1082:
		return (struct ab_pg_type){AB_PG_DATE, false};
	case 1083:
		return (struct ab_pg_type){AB_PG_TIME, false};
	case 1114:
		return (struct ab_pg_type){AB_PG_TIMESTAMP, false};
	case 1184:
		return (struct ab_pg_type){AB_PG_TIMESTAMPTZ, false};
	case 1000:
		return (struct ab_pg_type){AB_PG_BOOL, true};
	case 1001:
		return (struct ab_pg_type){AB_PG_BYTEA, true};
	case 1016:
		return (struct ab_pg_type){AB_PG_INT8, true};
	case 1005:
		return (struct ab_pg_type){AB_PG_INT2, true};
	case 1007:
		return (struct ab_pg_type){AB_PG_INT4, true};
	case 1028:
		return (struct ab_pg_type){AB_PG_OID, true};
	case 1003:
	case 1009:
	case 1014:
	case 1015:
		return (struct ab_pg_type){AB_PG_STRING, true};
	case 199:
		return (struct ab_pg_type){AB_PG_JSON, true};
	case 3807:
		return (struct ab_pg_type){AB_PG_JSONB, true};
	case 1021:
		return (struct ab_pg_type){AB_PG_FLOAT4, true};
	case 1022:
		return (struct ab_pg_type){AB_PG_FLOAT8, true};
	case 1231:
		return (struct ab_pg_type){AB_PG_NUMERIC, true};
	case 2951:
		return (struct ab_pg_type){AB_PG_UUID, true};
	case 1182:
		return (struct ab_pg_type){AB_PG_DATE, true};
	case 1183:
		return (struct ab_pg_type){AB_PG_TIME, true};
	case 1115:
		return (struct ab_pg_type){AB_PG_TIMESTAMP, true};
	case 1185:
		return (struct ab_pg_type){AB_PG_TIMESTAMPTZ, true};
	default:
		return (struct ab_pg_type){AB_PG_OTHER, false};
	}
}

/* ---- pieces ---- */

static json_t *no_memory(struct ab_error *err)
{
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return NULL;
}

static json_t *nonsense(struct ab_error *err)
{
	ab_error_set(err, AB_EUPSTREAM, "a value that is not of its type's form");
	return NULL;
}

static json_t *made(json_t *value, struct ab_error *err)
{
	return AB_LIKELY(value != NULL) ? value : no_memory(err);
}

static uint64_t big_endian(const char *data, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | (unsigned char)data[i];
	return value;
}

static json_t *value_double(double real, struct ab_error *err)
{
	if (AB_LIKELY(isfinite(real)))
		return made(json_real(real), err);
	return made(json_string_nocheck(isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity"), err);
}

/* The shortest decimal that is this float, as a double: 0.1 and not 0.10000000149011612. */
static json_t *value_float(float real, struct ab_error *err)
{
	char text[32];

	if (!isfinite(real))
		return value_double((double)real, err);
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)real);
		if (strtof(text, NULL) == real)
			break;
	}
	return made(json_real(strtod(text, NULL)), err);
}

/* A JSON document of the database's. */
static json_t *value_json(const char *text, size_t len, struct ab_error *err)
{
	json_t *value = ab_json_read(text, len, err);

	if (value == NULL && err->code == AB_EINVALID) {
		err->code = AB_EUPSTREAM;
		err->status = ab_code_status(AB_EUPSTREAM);
		ab_error_prefix(err, "a JSON document");
	}
	return value;
}

static json_t *take_text(struct ab_buf *buf, struct ab_error *err)
{
	json_t *value = buf->failed ? NULL : json_stringn_nocheck(buf->data, buf->len);

	ab_buf_fini(buf);
	return made(value, err);
}

/* ---- numeric ---- */

/* An integer of 64 bits where `text` is one, else the text. */
static json_t *value_digits(const char *text, size_t len, struct ab_error *err)
{
	size_t at = len > 0 && text[0] == '-';
	uint64_t value = 0, limit = (uint64_t)INT64_MAX + at;

	for (; at < len; at++) {
		unsigned digit = (unsigned char)text[at] - '0';

		if (digit > 9 || value > (limit - digit) / 10)
			return ab_sql_string(text, len, err);
		value = value * 10 + digit;
	}
	if (len == 0 || (len == 1 && text[0] == '-'))
		return nonsense(err);
	return made(json_integer(text[0] == '-' ? (json_int_t)(0 - value) : (json_int_t)value), err);
}

enum { NUMERIC_NEGATIVE = 0x4000, NUMERIC_NAN = 0xc000, NUMERIC_PINF = 0xd000, NUMERIC_NINF = 0xf000 };

/* The digits of base 10000, of which there are `n`: the one at `i` of the value's own numbering. */
static unsigned numeric_digit(const char *digits, int n, int i)
{
	return i < 0 || i >= n ? 0 : (unsigned)big_endian(digits + 2 * i, 2) % 10000;
}

static json_t *value_numeric(const char *data, size_t len, struct ab_error *err)
{
	int n, weight, sign, scale;
	struct ab_buf buf;

	if (len < 8)
		return nonsense(err);
	n = (int)big_endian(data, 2);
	weight = (int16_t)big_endian(data + 2, 2);
	sign = (int)big_endian(data + 4, 2);
	scale = (int)big_endian(data + 6, 2) & 0x3fff;
	if (len != 8 + 2 * (size_t)n)
		return nonsense(err);
	data += 8;
	if (sign == NUMERIC_NAN || sign == NUMERIC_PINF || sign == NUMERIC_NINF)
		return made(json_string_nocheck(sign == NUMERIC_NAN    ? "NaN"
		                                : sign == NUMERIC_PINF ? "Infinity"
		                                                       : "-Infinity"),
		        err);
	ab_buf_init(&buf, 256 * 1024);
	if (sign == NUMERIC_NEGATIVE)
		ab_buf_addc(&buf, '-');
	ab_buf_printf(&buf, "%u", weight < 0 ? 0 : numeric_digit(data, n, 0));
	for (int i = 1; i <= weight; i++)
		ab_buf_printf(&buf, "%04u", numeric_digit(data, n, i));
	if (scale > 0) {
		size_t end = buf.len + 1 + (size_t)scale;

		ab_buf_addc(&buf, '.');
		for (int i = weight + 1; !buf.failed && buf.len < end; i++)
			ab_buf_printf(&buf, "%04u", numeric_digit(data, n, i));
		if (!buf.failed)
			buf.len = end;
	} else if (!buf.failed) {
		json_t *value = value_digits(buf.data, buf.len, err);

		ab_buf_fini(&buf);
		return value;
	}
	return take_text(&buf, err);
}

/* ---- dates and times ---- */

static json_t *value_moment(enum ab_pg_kind kind, int64_t moment, struct ab_error *err)
{
	struct ab_buf buf;

	ab_buf_init(&buf, 128);
	if (kind == AB_PG_DATE && (moment == INT32_MAX || moment == INT32_MIN))
		ab_buf_adds(&buf, moment > 0 ? "infinity" : "-infinity");
	else if (kind != AB_PG_DATE && (moment == INT64_MAX || moment == INT64_MIN))
		ab_buf_adds(&buf, moment > 0 ? "infinity" : "-infinity");
	else if (kind == AB_PG_DATE)
		ab_pg_write_date(&buf, moment);
	else if (kind == AB_PG_TIME)
		ab_pg_write_time(&buf, moment);
	else
		ab_pg_write_timestamp(&buf, moment, kind == AB_PG_TIMESTAMPTZ);
	return take_text(&buf, err);
}

/* The server's text, for a session whose DateStyle is ISO; another form is kept as it is. */
static json_t *value_moment_text(enum ab_pg_kind kind, const char *text, size_t len, struct ab_error *err)
{
	int64_t moment;

	if (kind == AB_PG_DATE ? ab_pg_read_date(text, len, &moment)
	                       : ab_pg_read_timestamp(text, len, &moment))
		return value_moment(kind, moment, err);
	return ab_sql_string(text, len, err);
}

/* ---- one value ---- */

static json_t *value_uuid(const char *data, struct ab_error *err)
{
	static const char digits[] = "0123456789abcdef";
	char text[36];
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		text[at++] = digits[(unsigned char)data[i] >> 4];
		text[at++] = digits[(unsigned char)data[i] & 15];
	}
	return made(json_stringn_nocheck(text, sizeof(text)), err);
}

static json_t *value_binary(enum ab_pg_kind kind, const char *data, size_t len, struct ab_error *err)
{
	static const unsigned char sizes[] = {[AB_PG_BOOL] = 1,
	        [AB_PG_INT2] = 2,
	        [AB_PG_INT4] = 4,
	        [AB_PG_OID] = 4,
	        [AB_PG_INT8] = 8,
	        [AB_PG_FLOAT4] = 4,
	        [AB_PG_FLOAT8] = 8,
	        [AB_PG_UUID] = 16,
	        [AB_PG_DATE] = 4,
	        [AB_PG_TIME] = 8,
	        [AB_PG_TIMESTAMP] = 8,
	        [AB_PG_TIMESTAMPTZ] = 8};
	union {
		uint64_t bits;
		double real;
	} d;
	union {
		uint32_t bits;
		float real;
	} f;

	if (kind < AB_COUNT(sizes) && sizes[kind] != 0 && len != sizes[kind])
		return nonsense(err);
	switch (kind) {
	case AB_PG_BOOL:
		return json_boolean(data[0] != 0);
	case AB_PG_INT2:
		return made(json_integer((int16_t)big_endian(data, 2)), err);
	case AB_PG_INT4:
		return made(json_integer((int32_t)big_endian(data, 4)), err);
	case AB_PG_OID:
		return made(json_integer((json_int_t)big_endian(data, 4)), err);
	case AB_PG_INT8:
		return made(json_integer((json_int_t)big_endian(data, 8)), err);
	case AB_PG_FLOAT4:
		f.bits = (uint32_t)big_endian(data, 4);
		return value_float(f.real, err);
	case AB_PG_FLOAT8:
		d.bits = big_endian(data, 8);
		return value_double(d.real, err);
	case AB_PG_NUMERIC:
		return value_numeric(data, len, err);
	case AB_PG_JSON:
		return value_json(data, len, err);
	case AB_PG_JSONB: /* a version, then the text */
		return len == 0 || data[0] != 1 ? nonsense(err) : value_json(data + 1, len - 1, err);
	case AB_PG_BYTEA:
		return ab_sql_base64(data, len, err);
	case AB_PG_UUID:
		return value_uuid(data, err);
	case AB_PG_DATE:
		return value_moment(kind, (int32_t)big_endian(data, 4), err);
	case AB_PG_TIME:
	case AB_PG_TIMESTAMP:
	case AB_PG_TIMESTAMPTZ:
		return value_moment(kind, (int64_t)big_endian(data, 8), err);
	case AB_PG_STRING:
	case AB_PG_OTHER:
	default:
		return ab_sql_string(data, len, err);
	}
}

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "\x0a0b"; the older escape form is kept as it is. */
static json_t *value_bytea_text(const char *text, size_t len, struct ab_error *err)
{
	unsigned char *bytes;
	json_t *value;
	size_t n;

	if (len < 2 || text[0] != '\\' || text[1] != 'x' || len % 2 != 0)
		return ab_sql_string(text, len, err);
	n = len / 2 - 1;
	bytes = malloc(n + 1);
	if (bytes == NULL)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		int high = hex_of(text[2 + 2 * i]), low = hex_of(text[3 + 2 * i]);

		if (high < 0 || low < 0) {
			free(bytes);
			return nonsense(err);
		}
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	value = ab_sql_base64(bytes, n, err);
	free(bytes);
	return value;
}

/* NUL-terminated, for strtod; NULL when too long for a number. */
static const char *short_text(const char *text, size_t len, char *buf, size_t size)
{
	if (len == 0 || len >= size || memchr(text, '\0', len) != NULL)
		return NULL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return buf;
}

static json_t *value_real_text(enum ab_pg_kind kind, const char *text, size_t len, struct ab_error *err)
{
	char buf[64], *end;
	double real;

	if (short_text(text, len, buf, sizeof(buf)) == NULL)
		return nonsense(err);
	real = strtod(buf, &end);
	if (*end != '\0' || end == buf)
		return nonsense(err);
	return kind == AB_PG_FLOAT4 ? value_float((float)real, err) : value_double(real, err);
}

static json_t *value_text(enum ab_pg_kind kind, const char *data, size_t len, struct ab_error *err)
{
	switch (kind) {
	case AB_PG_BOOL:
		return len != 1 ? nonsense(err) : json_boolean(data[0] == 't');
	case AB_PG_INT2:
	case AB_PG_INT4:
	case AB_PG_INT8:
	case AB_PG_OID:
	case AB_PG_NUMERIC:
		return value_digits(data, len, err);
	case AB_PG_FLOAT4:
	case AB_PG_FLOAT8:
		return value_real_text(kind, data, len, err);
	case AB_PG_JSON:
	case AB_PG_JSONB:
		return value_json(data, len, err);
	case AB_PG_BYTEA:
		return value_bytea_text(data, len, err);
	case AB_PG_DATE:
	case AB_PG_TIMESTAMP:
	case AB_PG_TIMESTAMPTZ:
		return value_moment_text(kind, data, len, err);
	case AB_PG_STRING:
	case AB_PG_UUID:
	case AB_PG_TIME:
	case AB_PG_OTHER:
	default:
		return ab_sql_string(data, len, err);
	}
}

json_t *ab_pg_value(struct ab_pg_type type, bool binary, const char *data, size_t len, size_t *bytes,
        struct ab_error *err)
{
	if (type.array)
		return binary ? ab_pg_array_binary(type.kind, data, len, bytes, err)
		              : ab_pg_array_text(type.kind, data, len, bytes, err);
	if (!ab_sql_rows_room(bytes, len, err))
		return NULL;
	return binary ? value_binary(type.kind, data, len, err) : value_text(type.kind, data, len, err);
}
