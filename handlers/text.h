/* handlers/text.h: what the kinds `text` and `template` share: a compiled template tied to a resource's
 * needs. */
#ifndef AB_TEXT_H
#define AB_TEXT_H

#include "kind.h"
#include "mustache/mustache.h"

enum { AB_TEXT_MAX = 8 << 20 }; /* bytes of one rendered text */

struct ab_text_config {
	struct ab_mustache *template;
	struct ab_ref *refs; /* one for each name of the template */
	bool *bound;         /* whether that name is a need; else its value is missing at the root */
	const char *media;
	enum ab_escape escape;
	char *what;      /* for plans */
	size_t last_len; /* of the latest text: how much room the next one gets. One worker, so no lock */
};

/* Make the needs of `template` known to the scope and fill resource->config. Takes `template`, and `what`
 * (malloc'ed, may be NULL); false after mistakes, nothing left behind. */
bool ab_text_bind(struct ab_compile *compile, struct ab_mustache *template, enum ab_escape escape,
        const char *media, char *what);

/* For handlers of both kinds. */
void ab_text_start(struct ab_call *call);
void ab_text_free(void *config);
void ab_text_describe(const void *config, char *buf, size_t size);

/* Whether the resource is a text of ours in which what it needs stands as HTML may not have it: a text or
 * template that does not escape HTML. False for resources of other kinds. */
bool ab_text_leaves_html(const struct ab_resource *resource);

/* For `check`: names used only inside sections, which are no needs: fn(arg, name, len, where). Nothing for a
 * resource of another kind. */
void ab_text_each_inner(const struct ab_resource *resource,
        void (*fn)(void *arg, const char *name, size_t len, struct ab_pos pos), void *arg);

#endif
