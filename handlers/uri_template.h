/* handlers/uri_template.h: RFC 6570 (all four levels), on values, for URLs of fetches, links and redirects.
 */
#ifndef AB_URI_TEMPLATE_H
#define AB_URI_TEMPLATE_H

#include "buf.h"
#include "scope.h"

struct ab_uri_template;

enum {
	/* For fetches and redirects (APPFILE.md, placeholders). In the path whatever is missing, null or
	 * empty fails, and so does a list or object in {x}; in the query {x} fails when missing or null, {?x}
	 * and {&x} leave it out. Off: RFC 6570 as written (kind `url`). */
	AB_URI_STRICT = 1,
};

/* `text` is the template: all of `string`, or a part of it, so that mistakes have positions and what ${...}
 * put there stays literal; both outlive the result. `raw`: the list of names that {+x} and {#x} may use
 * without the per-route check, or NULL. NULL after reporting mistakes ({{x}}, :x, bad operators; with
 * AB_URI_STRICT also a dot segment in the template itself, and a '?' or '&' that can't be right). */
struct ab_uri_template *ab_uri_template_compile(struct ab_scope *scope, const struct ab_conf *string,
        const char *text, size_t len, const struct ab_conf *raw, unsigned flags);
void ab_uri_template_destroy(struct ab_uri_template *uri);

/* Append the expansion. With AB_URI_STRICT the expanded path is refused when, after decoding, it has a
 * segment "." or
 * "..". Errors: AB_EINVALID (the text names the placeholder, never the value), AB_ENOMEM; what was appended
 * is then of no use. */
AB_NODISCARD enum ab_code ab_uri_template_fill(const struct ab_uri_template *uri, const struct ab_call *call,
        struct ab_buf *buf, struct ab_error *err);

/* Whether no value can come into the origin of a template: it begins with a literal origin of http or https,
 * with one
 * '/', with a query or a fragment, or with a literal part of a path. "{x}", "//{x}", "https://{x}" and
 * "https://a.{x}" could lead anywhere. */
bool ab_uri_origin_is_literal(const char *text);

#endif
