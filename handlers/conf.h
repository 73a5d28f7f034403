/* handlers/conf.h: the app file as a tree with positions, and the list of what is wrong with it.
 *
 * server/yaml.c reads YAML or JSON into this tree; kinds, upstreams and databases compile from it. The tree
 * is read-only afterwards and lives until ab_conf_tree_destroy (server/source.h), so compiled things may
 * borrow its strings. Diagnostics are collected, as many as can be found in one go. */
#ifndef AB_CONF_H
#define AB_CONF_H

#include "../dispatch/base.h"

#include <jansson.h>
#include <stdarg.h>

enum ab_conf_type {
	AB_CONF_NULL,
	AB_CONF_BOOL,
	AB_CONF_INT,
	AB_CONF_REAL,
	AB_CONF_STRING,
	AB_CONF_LIST,
	AB_CONF_MAP,
};

struct ab_pos {
	const char *file; /* as the user named it */
	unsigned line;    /* from 1 */
	unsigned column;  /* from 1, in characters */
};

struct ab_conf_pair;

/* Bytes of a string that ${...} put there: never to be read as a placeholder, always literal. */
struct ab_conf_span {
	size_t from, to;
};

struct ab_conf {
	enum ab_conf_type type;
	struct ab_pos pos;
	bool secret;  /* its text came, wholly or in part, from ${...} */
	bool quoted;  /* a scalar written in quotes or as a block */
	bool refused; /* a mistake about it is in the list already; the functions below are silent about it */
	/* How it stands in the file: a piece of the whole text, which begins with a newline and ends with a
	 * NUL. NULL for a node that was not read from a file. */
	const char *written;
	size_t written_len;
	const struct ab_conf_span *spans; /* in order; what ${...} put into the string */
	size_t n_spans;
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct {
			const char *text; /* NUL-terminated; no NUL inside */
			size_t len;
		} string;
		struct {
			const struct ab_conf *const *items;
			size_t count;
		} list;
		struct {
			const struct ab_conf_pair *pairs; /* in file order, keys unique */
			size_t count;
		} map;
	} u;
};

struct ab_conf_pair {
	const char *key;
	struct ab_pos pos;
	const struct ab_conf *value;
};

/* ---- what is wrong ---- */

enum ab_severity { AB_MISTAKE, AB_HINT };

struct ab_diags; /* grows; sorted by position when printed; equal lines once; at most 100 of each severity
                    kept */

struct ab_diags *ab_diags_create(void);
void ab_diags_destroy(struct ab_diags *diags);
/* "file:line:column: TEXT". TEXT: what; expected what; did you mean. */
void ab_diag(struct ab_diags *diags, struct ab_pos pos, const char *fmt, ...) AB_PRINTF(3, 4);
void ab_hint(struct ab_diags *diags, struct ab_pos pos, const char *fmt, ...) AB_PRINTF(3, 4);
size_t ab_diags_mistakes(const struct ab_diags *diags);
/* Whether as many mistakes are kept as ever will be: what is costly to say need not be worked out then. */
bool ab_diags_full(const struct ab_diags *diags);
/* Whether a mistake is listed at this very position. */
bool ab_diags_at(const struct ab_diags *diags, struct ab_pos pos);
/* fn for each line, without newline, in order of position (files by name); then one line for what was not
 * kept. */
void ab_diags_each(struct ab_diags *diags, void (*fn)(void *arg, enum ab_severity severity, const char *line),
        void *arg);

/* ---- reading the tree; each reports to `diags` and returns false or NULL when the shape is wrong ---- */

/* The value of a key, or NULL. */
const struct ab_conf *ab_conf_get(const struct ab_conf *map, const char *key);
const struct ab_conf_pair *ab_conf_pair(const struct ab_conf *map, const char *key);
/* Every key of `map` must be in the NULL-terminated list; others are mistakes naming the nearest. `what` is
 * the thing in words: "an upstream", "resource 'user'". */
bool ab_conf_only(
        const struct ab_conf *map, const char *what, const char *const *keys, struct ab_diags *diags);
/* "a string", "a list", ... with its value where short: for messages. Secrets are never shown. */
const char *ab_conf_describe(const struct ab_conf *node, char *buf, size_t size);
/* Whether the byte at `offset` of a string came from ${...}. */
static inline bool ab_conf_from_env(const struct ab_conf *string, size_t offset)
{
	for (size_t i = 0; i < string->n_spans; i++)
		if (offset >= string->spans[i].from && offset < string->spans[i].to)
			return true;
	return false;
}
/* Where the byte at `offset` of a string stands in the file: exact in plain and literal scalars, near in
 * others. */
struct ab_pos ab_conf_at(const struct ab_conf *string, size_t offset);
/* The line `node` stands on, as it would look with quotes round the node; for messages. "" when there is
 * none. */
const char *ab_conf_quote_line(const struct ab_conf *node, char *buf, size_t size);
/* Whether a ' #' ended this unquoted string: what follows on its line is a comment. */
bool ab_conf_cut(const struct ab_conf *node);
bool ab_conf_want(
        const struct ab_conf *node, enum ab_conf_type type, const char *what, struct ab_diags *diags);
const char *ab_conf_string(const struct ab_conf *node, const char *what, struct ab_diags *diags);
bool ab_conf_bool(const struct ab_conf *node, const char *what, bool *ret, struct ab_diags *diags);
bool ab_conf_int(const struct ab_conf *node, const char *what, int64_t min, int64_t max, int64_t *ret,
        struct ab_diags *diags);
/* "300ms", "2s", "5m", "1h", "7d" in milliseconds, 1 ms to 366 days; a bare number is a mistake that shows
 * the unit. */
bool ab_conf_duration(const struct ab_conf *node, const char *what, uint64_t *ret_ms, struct ab_diags *diags);
/* "64KiB", "1MiB", "1GiB", "500B" in bytes, 0 to 1 TiB. */
bool ab_conf_size(const struct ab_conf *node, const char *what, uint64_t *ret_bytes, struct ab_diags *diags);
/* A new json value of the node, as written. NULL when out of memory. */
json_t *ab_conf_json(const struct ab_conf *node);

/* The candidate nearest to `name` by edit distance, when near enough to be worth saying; else NULL. */
const char *ab_nearest(const char *name, const char *const *candidates, size_t count);
/* "; did you mean 'x'?" for the nearest candidate, or "": to end a message with. */
const char *ab_did_you_mean(
        const char *name, const char *const *candidates, size_t count, char *buf, size_t size);
bool ab_is_name(const char *text, size_t len); /* [A-Za-z_][A-Za-z0-9_]* */

#endif
