/* handlers/sql/text.h: SQL as it stands in the app file or in a file of its own, and where in it an offset
 * is. */
#ifndef AB_SQL_TEXT_H
#define AB_SQL_TEXT_H

#include "../conf.h"

enum { AB_SQL_MAX_TEXT = 1000000 }; /* bytes, SQLite's own default */

struct ab_sql_text {
	const char *text; /* NUL-terminated */
	size_t len;
	char *owned; /* the bytes, when they were read from a file */
	char *file;  /* its name, for messages */
	const struct ab_conf *conf;
};

/* The text of a scalar (borrowed from the tree). False after reporting that it is none. */
AB_NODISCARD bool ab_sql_text_inline(
        struct ab_sql_text *text, const struct ab_conf *conf, const char *what, struct ab_diags *diags);
/* The text of the file that `conf` names, relative to `dir`. False after reporting. */
AB_NODISCARD bool ab_sql_text_read(struct ab_sql_text *text, const struct ab_conf *conf, const char *dir,
        const char *what, struct ab_diags *diags);
void ab_sql_text_fini(struct ab_sql_text *text);

/* Line and column of the byte at `offset`. Valid until ab_sql_text_fini. */
struct ab_pos ab_sql_text_pos(const struct ab_sql_text *text, size_t offset);

/* `name` if it is absolute, else under `dir`; malloc'ed, NULL when out of memory. */
char *ab_sql_path(const char *dir, const char *name);

#endif
