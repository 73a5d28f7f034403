/* handlers/sql/rows.h: rows becoming a resource's value, the same for every engine: what is kept of them, and
 * where it is too much. No engine here, and no thread. */
#ifndef AB_SQL_ROWS_H
#define AB_SQL_ROWS_H

#include "../../dispatch/error.h"

#include <jansson.h>

/* What a resource makes of the rows. ROW and VALUE take the first row, however many there are. */
enum ab_sql_returns { AB_SQL_ROWS, AB_SQL_ROW, AB_SQL_VALUE, AB_SQL_COUNT };

enum {
	AB_SQL_MAX_BYTES = 16 * 1024 * 1024, /* of a result, and of any one value */
	AB_SQL_CELL_BYTES = 32,              /* what a value costs besides its text, about */
};

struct ab_sql_rows {
	enum ab_sql_returns returns;
	size_t max_rows;
	json_t *value; /* so far */
	size_t count;  /* of rows; what COUNT gives */
	size_t bytes;
};

/* What is wanted of a row that has come. */
enum ab_sql_want { AB_SQL_WANT_NOTHING, AB_SQL_WANT_VALUE, AB_SQL_WANT_ROW, AB_SQL_WANT_STOP };

/* Begin. False with err filled: out of memory. */
AB_NODISCARD bool ab_sql_rows_begin(
        struct ab_sql_rows *rows, enum ab_sql_returns returns, size_t max_rows, struct ab_error *err);
/* One more row has come: nothing of it is wanted, its first value, the row as an object; or it is one too
 * many, and err says so. */
enum ab_sql_want ab_sql_rows_next(struct ab_sql_rows *rows, struct ab_error *err);
/* The value or row that was wanted; stolen. False when it is NULL (err is the maker's), or without memory
 * (err is filled). */
AB_NODISCARD bool ab_sql_rows_add_new(struct ab_sql_rows *rows, json_t *value, struct ab_error *err);
/* The value of it all, which is the caller's; NULL with err filled. */
AB_NODISCARD json_t *ab_sql_rows_end(struct ab_sql_rows *rows, struct ab_error *err);
/* Not wanted any more. Harmless after the end. */
void ab_sql_rows_drop(struct ab_sql_rows *rows);

/* Whether `bytes` more, and a cell, are within bounds. False with err filled. */
AB_NODISCARD bool ab_sql_rows_room(size_t *total, size_t bytes, struct ab_error *err);

/* Values that every engine makes alike. NULL with err filled. */
json_t *ab_sql_base64(const void *bytes, size_t len, struct ab_error *err);
/* Text as it came: JSON can't carry a NUL or what is not UTF-8. */
json_t *ab_sql_string(const char *text, size_t len, struct ab_error *err);

#endif
