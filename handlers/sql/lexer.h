/* handlers/sql/lexer.h: finds the placeholders of a statement, and what is no part of one statement.
 *
 * Only as much of SQL as decides where a colon means a placeholder: strings, identifiers, comments, casts,
 * subscripts, dollar quotes. What the words mean is the database's business. */
#ifndef AB_SQL_LEXER_H
#define AB_SQL_LEXER_H

#include "../../dispatch/error.h"

/* Where the engines differ:
 *   SQLite      [x] and `x` are identifiers; comments do not nest; no casts with ::
 *   PostgreSQL  E'\'' has escapes, $tag$...$tag$ is a string, comments nest, x::type is a cast, a[1:2] a
 * slice. In a subscript a colon right behind an operand (no blank between) belongs to the slice: a[lo:hi] has
 * no placeholder, a[:lo::hi] has a cast; write a[:lo : :hi]. */
enum ab_sql_dialect { AB_SQL_SQLITE, AB_SQL_POSTGRES };

enum { AB_SQL_MAX_PLACEHOLDERS = 1000 };

struct ab_sql_placeholder {
	size_t start; /* of the colon */
	size_t len;   /* with the colon; the name and its path are what follows it */
};

struct ab_sql_scan {
	struct ab_sql_placeholder *placeholders; /* in order of appearance, one each time a name occurs */
	size_t count;
	size_t start; /* of the first word; with word_len 0 there is no statement */
	size_t word_len;
	size_t end;  /* beyond the last token, without a final semicolon */
	bool writes; /* PostgreSQL: by its words, anything but a plain SELECT; SQLite is asked instead */
};

/* Told of each mistake, or hint, with the offset it concerns. */
typedef void (*ab_sql_mistake_cb)(void *arg, size_t offset, bool hint, const char *text);

/* Scan one statement. AB_OK also after mistakes (the caller counts them); AB_ENOMEM. Release with
 * ab_sql_scan_fini, also after a failure. */
AB_NODISCARD enum ab_code ab_sql_scan(enum ab_sql_dialect dialect, const char *text, size_t len,
        ab_sql_mistake_cb mistake, void *arg, struct ab_sql_scan *ret_scan);
void ab_sql_scan_fini(struct ab_sql_scan *scan);

#endif
