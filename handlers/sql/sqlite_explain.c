/* handlers/sql/sqlite_explain.c: what is wrong with a statement, for the person who wrote it: SQLite's
 * message, the place, and the table or column that was probably meant. At load only. */
#include "sqlite_conn.h"

#include <string.h>

enum { MAX_NAMES = 2000 };

/* The unknown name that SQLite's message ends with ("no such table: x", "no such column: t.x"), or NULL. */
static const char *unknown_name(const char *message)
{
	const char *name = strrchr(message, ':');

	if (name == NULL || strncmp(message, "no such ", 8) != 0)
		return NULL;
	name += strspn(name, ": ");
	return strrchr(name, '.') != NULL ? strrchr(name, '.') + 1 : name;
}

static bool is_word_byte(char c)
{
	return ab_is_name((const char[]){'_', c}, 2);
}

/* Where `name` stands in `text` as a word of its own, or 0. */
static size_t offset_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; len > 0 && (at = strcasestr(at, name)) != NULL; at++)
		if ((at == text || !is_word_byte(at[-1])) && !is_word_byte(at[len]))
			return (size_t)(at - text);
	return 0;
}

/* "; did you mean 'x'?" for the nearest of the names that `query` gives, or "". */
static void suggest(struct ab_sqlite_conn *conn, const char *query, const char *name, char *buf, size_t size)
{
	char **names = calloc(MAX_NAMES, sizeof(*names));
	sqlite3_stmt *stmt = NULL;
	size_t count = 0;

	buf[0] = '\0';
	if (names != NULL && sqlite3_prepare_v2(conn->db, query, -1, &stmt, NULL) == SQLITE_OK)
		while (count < MAX_NAMES && sqlite3_step(stmt) == SQLITE_ROW) {
			const unsigned char *text = sqlite3_column_text(stmt, 0);

			names[count] = text == NULL ? NULL : strdup((const char *)text);
			if (names[count] == NULL)
				break;
			count++;
		}
	sqlite3_finalize(stmt);
	if (count > 0)
		ab_did_you_mean(name, (const char *const *)names, count, buf, size);
	while (count > 0)
		free(names[--count]);
	free(names);
}

void ab_sqlite_explain(
        struct ab_sqlite_conn *conn, const char *text, int rc, size_t *ret_offset, struct ab_error *err)
{
	static const char tables[] = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')";
	static const char columns[] =
	        "SELECT DISTINCT c.name FROM sqlite_schema t, pragma_table_info(t.name) c "
	        "WHERE t.type IN ('table', 'view')";
	int offset = sqlite3_error_offset(conn->db);
	const char *unknown;
	char name[128] = "", meant[160];

	ab_sqlite_conn_error(conn, rc, err);
	/* Copied: asking for names makes SQLite forget its message. */
	unknown = unknown_name(sqlite3_errmsg(conn->db));
	if (unknown != NULL && strlen(unknown) < sizeof(name))
		memcpy(name, unknown, strlen(unknown) + 1);
	*ret_offset = offset >= 0 ? (size_t)offset : offset_of(text, name);
	if (name[0] == '\0' || strstr(err->text, "no such function") != NULL)
		return;
	suggest(conn, strstr(err->text, "no such table") != NULL ? tables : columns, name, meant,
	        sizeof(meant));
	ab_error_set(err, err->code, "%s%s", err->text, meant);
}
