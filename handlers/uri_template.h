/* handlers/uri_template.h: RFC 6570 (all four levels), on values, for URLs of fetches, links and redirects.
 */
#ifndef AB_URI_TEMPLATE_H
#define AB_URI_TEMPLATE_H

#include "buf.h"
#include "scope.h"

struct ab_uri_template;

enum {
	AB_URI_STRICT = 1, /* a path or {x} value that is missing, null or empty fails (APPFILE.md,
	                    * placeholders); off: RFC 6570 as written (kind `url`) */
};

/* `raw`: the list of names that {+x} and {#x} may use without the per-route check, or NULL. NULL after
 * reporting mistakes ({{x}}, :x, bad operators) with position. */
struct ab_uri_template *ab_uri_template_compile(struct ab_scope *scope, const struct ab_conf *string,
        const char *text, size_t len, const struct ab_conf *raw, unsigned flags);
void ab_uri_template_destroy(struct ab_uri_template *uri);

/* Append the expansion. With AB_URI_STRICT the expanded path is refused when, after decoding, it has a dot
 * segment that the template's own literal text did not. Errors: AB_EINVALID, AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_uri_template_fill(const struct ab_uri_template *uri, const struct ab_call *call,
        struct ab_buf *buf, struct ab_error *err);

#endif
