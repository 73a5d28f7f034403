/* tests/fuzz/fuzz_sql_lexer.c: any bytes as a statement, in both dialects.
 *
 * Whatever is found lies in the text, in order, and is a name. SQLite itself must agree: a text that it
 * compiles, placeholders replaced as the compiler of statements does it, has as many parameters as we have
 * found. */
#include "../../handlers/sql/lexer.h"

#include <sqlite3.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct mistakes {
	size_t len; /* of the text */
	size_t count;
};

static void on_mistake(void *arg, size_t offset, bool hint, const char *text)
{
	struct mistakes *mistakes = arg;

	ab_assert(offset <= mistakes->len && text[0] != '\0');
	mistakes->count += !hint;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '.';
}

static void check_scan(const struct ab_sql_scan *scan, const char *text, size_t len)
{
	size_t end = scan->start;

	ab_assert(scan->start <= scan->end && scan->end <= len);
	ab_assert(scan->start + scan->word_len <= scan->end);
	for (size_t i = 0; i < scan->count; i++) {
		const struct ab_sql_placeholder *placeholder = &scan->placeholders[i];

		ab_assert(placeholder->start >= end && placeholder->len >= 2);
		end = placeholder->start + placeholder->len;
		ab_assert(end <= scan->end && text[placeholder->start] == ':');
		for (size_t j = 1; j < placeholder->len; j++)
			ab_assert(is_name_byte(text[placeholder->start + j]));
	}
}

/* The text as SQLite gets it: each placeholder a `?` and blanks. */
static void check_with_sqlite(const struct ab_sql_scan *scan, const char *text)
{
	static sqlite3 *db;
	char *sql = strndup(text + scan->start, scan->end - scan->start);
	sqlite3_stmt *stmt = NULL;

	if (db == NULL)
		sqlite3_open(":memory:", &db);
	for (size_t i = 0; i < scan->count; i++) {
		memset(sql + scan->placeholders[i].start - scan->start, ' ', scan->placeholders[i].len);
		sql[scan->placeholders[i].start - scan->start] = '?';
	}
	if (sqlite3_prepare_v2(db, sql, (int)strlen(sql), &stmt, NULL) == SQLITE_OK && stmt != NULL)
		ab_assert((size_t)sqlite3_bind_parameter_count(stmt) == scan->count);
	sqlite3_finalize(stmt);
	free(sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as large as the text, so that reading beyond it is seen. */
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text = realloc(text, size > 0 ? size : 1);
	for (int dialect = AB_SQL_SQLITE; dialect <= AB_SQL_POSTGRES; dialect++) {
		struct mistakes mistakes = {.len = size};
		struct ab_sql_scan scan;

		if (ab_sql_scan((enum ab_sql_dialect)dialect, text, size, on_mistake, &mistakes, &scan) ==
		        AB_OK)
			check_scan(&scan, text, size);
		if (dialect == AB_SQL_SQLITE && mistakes.count == 0 && scan.end > scan.start)
			check_with_sqlite(&scan, text);
		ab_sql_scan_fini(&scan);
	}
	free(text);
	return 0;
}
