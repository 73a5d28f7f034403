/* handlers/sql/postgres_types.h: PostgreSQL's types and JSON values, both ways. No libpq here: bytes in,
 * bytes out, so that a fuzzer can reach all of it. */
#ifndef AB_POSTGRES_TYPES_H
#define AB_POSTGRES_TYPES_H

#include "../../dispatch/error.h"
#include "../buf.h"

#include <jansson.h>

/* What a type is to us. All others are text. */
enum ab_pg_kind {
	AB_PG_OTHER,
	AB_PG_BOOL,
	AB_PG_INT2,
	AB_PG_INT4,
	AB_PG_INT8,
	AB_PG_OID,
	AB_PG_FLOAT4,
	AB_PG_FLOAT8,
	AB_PG_NUMERIC,
	AB_PG_STRING, /* text, varchar, char(n), name */
	AB_PG_JSON,
	AB_PG_JSONB,
	AB_PG_BYTEA,
	AB_PG_UUID,
	AB_PG_DATE,
	AB_PG_TIME,
	AB_PG_TIMESTAMP,
	AB_PG_TIMESTAMPTZ,
};

struct ab_pg_type {
	enum ab_pg_kind kind;
	bool array; /* of that kind */
};

/* By the type's oid, which is fixed for those that are built in. */
struct ab_pg_type ab_pg_type(uint32_t oid);
/* Whether we read its binary form. */
static inline bool ab_pg_type_binary(struct ab_pg_type type)
{
	return type.kind != AB_PG_OTHER;
}

/* A value of a result as JSON, new; NULL with err filled: AB_EUPSTREAM, AB_ENOMEM. `bytes` is added to and
 * bounded (rows.h). `data` is `len` bytes as the server sent them, in its binary or text form; they may be
 * anything. */
AB_NODISCARD json_t *ab_pg_value(struct ab_pg_type type, bool binary, const char *data, size_t len,
        size_t *bytes, struct ab_error *err);

/* Append a parameter in its text form; `value` is neither NULL nor null. Errors: AB_EINVALID says what was
 * expected, AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_pg_param(
        struct ab_buf *buf, struct ab_pg_type type, const json_t *value, struct ab_error *err);

/* ---- shared by the files of this header ---- */

/* Days since 2000-01-01 and microseconds since midnight, as ISO 8601 has them. */
void ab_pg_write_date(struct ab_buf *buf, int64_t days);
void ab_pg_write_time(struct ab_buf *buf, int64_t micros);
void ab_pg_write_timestamp(struct ab_buf *buf, int64_t micros, bool zone);
/* The same from the server's text ("2026-01-02 03:04:05.6+02"): the instant in UTC where there is an offset.
 * False when it is not of that form. */
AB_NODISCARD bool ab_pg_read_timestamp(const char *text, size_t len, int64_t *ret_micros);
AB_NODISCARD bool ab_pg_read_date(const char *text, size_t len, int64_t *ret_days);

/* A list from '{1,NULL,"a b"}' and from the binary form of an array. */
AB_NODISCARD json_t *ab_pg_array_text(
        enum ab_pg_kind kind, const char *data, size_t len, size_t *bytes, struct ab_error *err);
AB_NODISCARD json_t *ab_pg_array_binary(
        enum ab_pg_kind kind, const char *data, size_t len, size_t *bytes, struct ab_error *err);

#endif
