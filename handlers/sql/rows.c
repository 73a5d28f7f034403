/* handlers/sql/rows.c: see rows.h. */
#include "rows.h"

#include "../json.h"

#include <string.h>

bool ab_sql_rows_begin(
        struct ab_sql_rows *rows, enum ab_sql_returns returns, size_t max_rows, struct ab_error *err)
{
	*rows = (struct ab_sql_rows){.returns = returns, .max_rows = max_rows};
	if (returns != AB_SQL_ROWS || (rows->value = json_array()) != NULL)
		return true;
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return false;
}

enum ab_sql_want ab_sql_rows_next(struct ab_sql_rows *rows, struct ab_error *err)
{
	rows->count++;
	switch (rows->returns) {
	case AB_SQL_ROW:
		return rows->count == 1 ? AB_SQL_WANT_ROW : AB_SQL_WANT_NOTHING;
	case AB_SQL_VALUE:
		return rows->count == 1 ? AB_SQL_WANT_VALUE : AB_SQL_WANT_NOTHING;
	case AB_SQL_ROWS:
		if (rows->count <= rows->max_rows)
			return AB_SQL_WANT_ROW;
		ab_error_set(err, AB_EUPSTREAM,
		        "more than %zu rows; add a LIMIT, or raise max_rows of the database", rows->max_rows);
		return AB_SQL_WANT_STOP;
	case AB_SQL_COUNT:
	default:
		return AB_SQL_WANT_NOTHING;
	}
}

bool ab_sql_rows_add_new(struct ab_sql_rows *rows, json_t *value, struct ab_error *err)
{
	if (value == NULL)
		return false;
	if (rows->returns != AB_SQL_ROWS) {
		rows->value = value;
		return true;
	}
	if (json_array_append_new(rows->value, value) == 0)
		return true;
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return false;
}

json_t *ab_sql_rows_end(struct ab_sql_rows *rows, struct ab_error *err)
{
	json_t *value = rows->value;

	rows->value = NULL;
	if (rows->returns == AB_SQL_COUNT) {
		value = json_integer((json_int_t)rows->count);
		if (value == NULL)
			ab_error_set(err, AB_ENOMEM, "out of memory");
	} else if (value == NULL) {
		ab_error_set(err, AB_EMISSING, "the query gave no row");
	}
	return value;
}

void ab_sql_rows_drop(struct ab_sql_rows *rows)
{
	json_decref(rows->value);
	rows->value = NULL;
}

bool ab_sql_rows_room(size_t *total, size_t bytes, struct ab_error *err)
{
	*total += AB_SQL_CELL_BYTES + bytes;
	if (AB_LIKELY(*total <= AB_SQL_MAX_BYTES))
		return true;
	ab_error_set(err, AB_EUPSTREAM, "a result of more than %d MiB; select less of it",
	        AB_SQL_MAX_BYTES / 1024 / 1024);
	return false;
}

/* ---- values ---- */

static json_t *or_no_memory(json_t *value, struct ab_error *err)
{
	if (AB_UNLIKELY(value == NULL))
		ab_error_set(err, AB_ENOMEM, "out of memory");
	return value;
}

json_t *ab_sql_base64(const void *data, size_t len, struct ab_error *err)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *bytes = data;
	size_t size = (len + 2) / 3 * 4, at = 0;
	char *text = malloc(size + 1);
	json_t *value;

	if (text == NULL)
		return or_no_memory(NULL, err);
	for (size_t i = 0; i < len; i += 3) {
		unsigned bits = (unsigned)bytes[i] << 16 | (i + 1 < len ? (unsigned)bytes[i + 1] << 8 : 0) |
		                (i + 2 < len ? bytes[i + 2] : 0);

		text[at++] = digits[bits >> 18];
		text[at++] = digits[bits >> 12 & 63];
		text[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		text[at++] = i + 2 < len ? digits[bits & 63] : '=';
	}
	value = json_stringn_nocheck(text, size);
	free(text);
	return or_no_memory(value, err);
}

json_t *ab_sql_string(const char *text, size_t len, struct ab_error *err)
{
	if (memchr(text, '\0', len) != NULL)
		ab_error_set(err, AB_EUPSTREAM, "text with a NUL in it");
	else if (!ab_utf8_valid(text, len))
		ab_error_set(err, AB_EUPSTREAM, "text that is not UTF-8");
	else
		return or_no_memory(json_stringn_nocheck(text, len), err);
	return NULL;
}
