/* server/source_check.h: what is wrong with the files of an app before anything in them is compiled, and
 * looking a name up through their includes. */
#ifndef AB_SOURCE_CHECK_H
#define AB_SOURCE_CHECK_H

#include "source.h"

/* The definition of `name` under the top-level key `section`, in `from` itself or else in its includes, in
 * order, each with its own (circles are harmless). NULL when there is none. *ret_source (may be NULL): where
 * it stands. */
const struct ab_conf_pair *ab_source_find(const struct ab_source *from, const char *section, const char *name,
        const struct ab_source **ret_source);

/* Call fn for every definition that ab_source_find could return, once each, in the order of the search. */
void ab_source_each(const struct ab_source *from, const char *section,
        void (*fn)(void *arg, const struct ab_source *source, const struct ab_conf_pair *pair), void *arg);

/* Top-level keys, the shapes of sections, names, and names that two includes define. */
void ab_source_check(const struct ab_source *source, bool top, struct ab_diags *diags);

#endif
