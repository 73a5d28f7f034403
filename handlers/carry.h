/* handlers/carry.h: what of a text comes through a plan unescaped. For the checks of {{{x}}} at load. */
#ifndef AB_CARRY_H
#define AB_CARRY_H

#include "kind.h"

/* Whether a text in a resource's needs may come into its value as it was. */
bool ab_passes_text(const struct ab_resource *resource);
/* For ab_kind.passes_text: always. */
bool ab_passes_always(const struct ab_resource *resource);

/* `marks`, one for each node: mark each node into whose value a marked one's text comes as it was, through
 * needs or as a fallback. */
void ab_carry(const struct ab_plan *plan, bool *marks);

#endif
