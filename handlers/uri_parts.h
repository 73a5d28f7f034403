/* handlers/uri_parts.h: what a compiled URI template consists of; between uri_template.c, which makes it, and
 * uri_expand.c, which appends it. */
#ifndef AB_URI_PARTS_H
#define AB_URI_PARTS_H

#include "uri_template.h"

enum uri_where { URI_PATH, URI_QUERY, URI_FRAGMENT };

struct uri_var {
	struct ab_ref ref;
	const char *spelled; /* in the app file: "user.name" */
	size_t spelled_len;
	const char *name; /* as `name=` is written: percent-encoded */
	size_t name_len;
	unsigned prefix; /* characters, 0 for all */
	bool explode;
};

struct uri_part {
	enum uri_where where;
	char op;          /* of an expression: one of "+#./;?&", or 0 */
	const char *text; /* literal text, ready to append; NULL for an expression */
	size_t len;
	struct uri_var *vars;
	size_t n_vars;
};

struct ab_uri_template {
	bool strict;
	char *text; /* all literal text and names, encoded */
	struct uri_var *vars;
	size_t n_vars;
	size_t count;
	struct uri_part parts[];
};

/* RFC 3986, section 2: 1 unreserved, 2 reserved, 0 to be percent-encoded. */
extern const unsigned char ab_uri_class[256];
bool ab_uri_is_triplet(const char *text, size_t len); /* "%41..." */
/* Whether the path that ends with the text, or before a '?' or '#', has a segment "." or ".." after decoding.
 * A backslash counts as a slash, and what follows a ';' as not there, because some servers read them so. */
bool ab_uri_has_dot_segment(const char *text, size_t len);

#endif
