/* tests/handlers/mustache_fixture.h: templates compiled and rendered from C strings. In JSON a backtick
 * stands for a double quote. Partials are a JSON object of texts; a partial's file is its name; all may be
 * chosen by {{>*name}}. */
#ifndef TEST_MUSTACHE_FIXTURE_H
#define TEST_MUSTACHE_FIXTURE_H

#include "../../handlers/mustache/mustache.h"

struct fixture {
	json_t *partials;
	struct ab_diags *diags;
	struct ab_mustache *template; /* NULL after mistakes */
};

/* `missing_is_empty` as in the loader; `partials` may be NULL. */
void fixture_compile(struct fixture *f, const char *text, enum ab_escape escape, const char *partials,
        bool missing_is_empty);
void fixture_end(struct fixture *f);

/* The output; or "Code: text" of the error; or the mistakes. The caller frees it. */
char *fixture_render(const char *text, enum ab_escape escape, const char *data, const char *partials);
/* The mistakes and hints, a line each. The caller frees it. */
char *fixture_mistakes(const char *text, enum ab_escape escape, const char *partials);

#endif
