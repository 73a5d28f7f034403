/* handlers/jq/scanner.h: what the grammar in names.c stands on: the next token, the names that are bound, the
 * uses of an input that is null. Private to the two. */
#ifndef AB_JQ_SCANNER_H
#define AB_JQ_SCANNER_H

#include "lex.h"
#include "names.h"

/* What `.` stands for. */
enum ab_jq_dot {
	AB_JQ_DOT_NULL,  /* the input of the filter, which is null */
	AB_JQ_DOT_VALUE, /* some value; or nobody knows */
};

/* A name that the filter itself binds. */
struct ab_jq_bound {
	const char *name;
	size_t len;
	bool function; /* else a variable */
	unsigned args;
};

/* How the input is used: .name, .[0], {name}, length, the whole of it. */
enum ab_jq_use { AB_JQ_USE_FIELD, AB_JQ_USE_INDEX, AB_JQ_USE_SHORTHAND, AB_JQ_USE_CALL, AB_JQ_USE_WHOLE };

/* A use of the null input, which counts unless it turns out to be assigned to: `.a = 1`. */
struct ab_jq_null_use {
	enum ab_jq_use use;
	size_t offset, len;
};

struct ab_jq_scanner {
	const char *text;
	size_t len;
	const struct ab_jq_scan_fns *fns;
	void *arg;
	struct ab_jq_token token; /* the next */
	enum ab_jq_dot dot;
	unsigned depth;
	bool failed, no_memory, slow, formats_time;
	size_t failed_at;
	const char *expected;
	struct ab_jq_bound *bounds; /* innermost last */
	size_t n_bounds;
	struct ab_jq_null_use *uses;
	size_t n_uses;
};

/* ---- tokens ---- */

/* Stop here: something else was expected. Every loop ends then, for the text is at its end. */
void ab_scan_fail(struct ab_jq_scanner *s, const char *expected);
void ab_scan_seek(struct ab_jq_scanner *s, size_t offset);
void ab_scan_next(struct ab_jq_scanner *s);
bool ab_scan_at_op(const struct ab_jq_scanner *s, int op);
bool ab_scan_at_word(const struct ab_jq_scanner *s, const char *word);
/* Go on if it is there. */
bool ab_scan_take_op(struct ab_jq_scanner *s, int op);
bool ab_scan_take_word(struct ab_jq_scanner *s, const char *word);
/* Go on if it is there, else fail. */
void ab_scan_want_op(struct ab_jq_scanner *s, int op, const char *expected);
void ab_scan_want_word(struct ab_jq_scanner *s, const char *word, const char *expected);
/* One level of nesting more; false after a failure. In pairs. */
bool ab_scan_enter(struct ab_jq_scanner *s);
void ab_scan_leave(struct ab_jq_scanner *s);

/* ---- names ---- */

/* Room for one more in a vector that grows by powers of two; false after failing. */
bool ab_scan_grow(struct ab_jq_scanner *s, void **items, size_t count, size_t size);
void ab_scan_bind(struct ab_jq_scanner *s, const struct ab_jq_token *token, bool function, unsigned args);
bool ab_scan_is_bound(
        const struct ab_jq_scanner *s, const char *name, size_t len, bool function, unsigned args);
void ab_scan_mistake(struct ab_jq_scanner *s, size_t offset, const char *fmt, ...) AB_PRINTF(3, 4);
/* A piece of the text works on `.`: remembered where that is the null input. */
void ab_scan_use_dot(struct ab_jq_scanner *s, enum ab_jq_use use, size_t offset, size_t len);
/* Take a $name. */
void ab_scan_use_variable(struct ab_jq_scanner *s);
void ab_scan_report_uses(struct ab_jq_scanner *s);

#endif
