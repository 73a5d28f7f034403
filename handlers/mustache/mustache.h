/* handlers/mustache/mustache.h: Mustache on values, compiled once and rendered into one buffer.
 *
 * Complete against the official specification with inheritance and dynamic names; no lambdas. False, null,
 * what is missing, "", [] and 0 are falsy. Templates are read-only once compiled. */
#ifndef AB_MUSTACHE_H
#define AB_MUSTACHE_H

#include "../../dispatch/error.h"
#include "../buf.h"
#include "../conf.h"

#include <jansson.h>

enum ab_escape { AB_ESCAPE_NONE, AB_ESCAPE_HTML, AB_ESCAPE_JSON };

struct ab_mustache; /* a template and everything it includes */

/* How partials are found at compile time. Returns malloc'ed text (the compiler frees it) and its file name
 * for messages (kept by the loader until the next call), or NULL when there is none; *ret_why may then say
 * why. */
struct ab_mustache_loader {
	char *(*load)(
	        void *arg, const char *name, size_t *ret_len, const char **ret_file, const char **ret_why);
	void *arg;
	const char *const *dynamic; /* names that {{>*name}} may choose from, NULL-terminated; may be NULL */
	bool missing_is_empty;      /* the specification's rule; otherwise a missing partial is a mistake */
};

/* A name the template takes from outside. */
struct ab_mustache_name {
	const char *text; /* as written, first segment only; not NUL-terminated */
	size_t len;
	struct ab_pos pos; /* where it is first needed, else first mentioned; pos.file as long as the template
	                      or `conf` */
	bool needed;       /* outside sections, head of an outermost section, or inverted: a need by itself */
	bool raw; /* used with {{{x}}} or {{&x}} somewhere, or head of a section with such a tag inside */
	struct ab_pos raw_pos;
};

/* `start`: where the text begins, for messages (file, line, column); `conf`: the string of the app file it
 * is, or NULL when it is a file of its own. The text is copied. `loader` NULL: partials are a mistake. NULL
 * after reporting every mistake. */
struct ab_mustache *ab_mustache_compile(const char *text, size_t len, struct ab_pos start,
        const struct ab_conf *conf, enum ab_escape escape, const struct ab_mustache_loader *loader,
        struct ab_diags *diags);
void ab_mustache_destroy(struct ab_mustache *template);

/* First segments the template (with its static and declared dynamic partials) may look up at the root, each
 * once. */
size_t ab_mustache_names(const struct ab_mustache *template);
const struct ab_mustache_name *ab_mustache_name(const struct ab_mustache *template, size_t index);

/* Whether {{.}} stands outside every section, where only a whole document gives it a meaning; where first. */
bool ab_mustache_implicit(const struct ab_mustache *template, struct ab_pos *ret_pos);
/* Whether there is a {{>*name}} or {{<*name}}. */
bool ab_mustache_dynamic(const struct ab_mustache *template);
/* Every lookup of a name as written, path included ("request.query.page"): fn(arg, text, len, pos). */
void ab_mustache_each_use(const struct ab_mustache *template, size_t index,
        void (*fn)(void *arg, const char *text, size_t len, struct ab_pos pos), void *arg);

/* Render. `root` gives, for each name index, the root's value or NULL: an array of ab_mustache_names()
 * values. `implicit` is what {{.}} means at the root (or NULL). Sections and partials nest to a bound, output
 * grows to buf->max, and the turns of its loops are counted. Lists and objects print as compact JSON. Errors:
 * AB_EINVALID (too deep), AB_EOVERLOAD (too big, too many turns), AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_mustache_render(const struct ab_mustache *template, json_t *const *root,
        json_t *implicit, struct ab_buf *buf, struct ab_error *err);
/* The same for a whole document: each name is looked up in `data`. */
AB_NODISCARD enum ab_code ab_mustache_render_data(
        const struct ab_mustache *template, json_t *data, struct ab_buf *buf, struct ab_error *err);

/* By a file's ending: false when the ending is none of .html .xml .svg .atom .json .txt .csv .md */
bool ab_media_by_ending(const char *file, enum ab_escape *ret_escape, const char **ret_media);

#endif
