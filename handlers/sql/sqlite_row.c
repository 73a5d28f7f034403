/* handlers/sql/sqlite_row.c: rows of SQLite as JSON values.
 *
 * integer, real and text as they are, NULL null, a blob as base64 text, a column declared BOOLEAN as a
 * boolean. Built on the database's thread, of fresh values only, and handed over whole. */
#include "sqlite_conn.h"

#include <math.h>
#include <string.h>

static bool is_boolean(const char *type)
{
	return type != NULL && (sqlite3_stricmp(type, "BOOLEAN") == 0 || sqlite3_stricmp(type, "BOOL") == 0);
}

/* The first column that has an earlier one's name, or -1. */
static int columns_twice(const struct ab_sqlite_prepared *prepared)
{
	for (int i = 1; i < prepared->n_columns; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(prepared->columns[i].name, prepared->columns[j].name) == 0)
				return i;
	return -1;
}

bool ab_sqlite_columns(struct ab_sqlite_prepared *prepared)
{
	int n = sqlite3_column_count(prepared->stmt);
	size_t size = (size_t)n * sizeof(*prepared->columns) + 1;
	char *names;

	for (int i = 0; i < n; i++) {
		const char *name = sqlite3_column_name(prepared->stmt, i);

		if (name == NULL)
			return false;
		size += strlen(name) + 1;
	}
	free(prepared->columns);
	prepared->columns = malloc(size);
	if (prepared->columns == NULL)
		return false;
	names = (char *)(prepared->columns + n);
	for (int i = 0; i < n; i++) {
		struct ab_sqlite_column *column = &prepared->columns[i];

		column->len = strlen(sqlite3_column_name(prepared->stmt, i));
		column->name = memcpy(names, sqlite3_column_name(prepared->stmt, i), column->len + 1);
		column->boolean = is_boolean(sqlite3_column_decltype(prepared->stmt, i));
		names += column->len + 1;
	}
	prepared->n_columns = n;
	prepared->twice = columns_twice(prepared);
	prepared->reprepares = sqlite3_stmt_status(prepared->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
	return true;
}

static json_t *value_real(double real, struct ab_error *err)
{
	if (isfinite(real))
		return json_real(real);
	ab_error_set(err, AB_EUPSTREAM, "an infinite number");
	return NULL;
}

/* SQLite keeps whatever bytes it was given as text. */
static json_t *in_column(json_t *value, const struct ab_sqlite_column *column, struct ab_error *err)
{
	if (AB_UNLIKELY(value == NULL) && err->code == AB_EUPSTREAM)
		ab_error_prefix(err, "column '%s'", column->name);
	return value;
}

json_t *ab_sqlite_value(const struct ab_sqlite_prepared *prepared, int i, size_t *bytes, struct ab_error *err)
{
	const struct ab_sqlite_column *column = &prepared->columns[i];
	sqlite3_stmt *stmt = prepared->stmt;
	const void *data = NULL;
	size_t len = 0;
	int type = sqlite3_column_type(stmt, i);

	if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
		data = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(stmt, i)
		                           : sqlite3_column_blob(stmt, i);
		len = (size_t)sqlite3_column_bytes(stmt, i);
		if (data == NULL && (type == SQLITE_TEXT || len > 0)) {
			ab_error_set(err, AB_ENOMEM, "out of memory");
			return NULL;
		}
	}
	if (!ab_sql_rows_room(bytes, len, err))
		return NULL;
	switch (type) {
	case SQLITE_INTEGER:
		return column->boolean ? json_boolean(sqlite3_column_int64(stmt, i) != 0)
		                       : json_integer(sqlite3_column_int64(stmt, i));
	case SQLITE_FLOAT:
		return in_column(value_real(sqlite3_column_double(stmt, i), err), column, err);
	case SQLITE_TEXT:
		return in_column(ab_sql_string(data, len, err), column, err);
	case SQLITE_BLOB:
		return ab_sql_base64(data, len, err);
	default:
		return json_null();
	}
}

json_t *ab_sqlite_row(const struct ab_sqlite_prepared *prepared, size_t *bytes, struct ab_error *err)
{
	json_t *row = json_object();

	for (int i = 0; row != NULL && i < prepared->n_columns; i++) {
		const struct ab_sqlite_column *column = &prepared->columns[i];

		*bytes += column->len;
		if (json_object_setn_new_nocheck(
		            row, column->name, column->len, ab_sqlite_value(prepared, i, bytes, err)) != 0) {
			json_decref(row);
			row = NULL;
		}
	}
	return row;
}
