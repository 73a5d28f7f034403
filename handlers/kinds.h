/* handlers/kinds.h: the kinds of one file each, for the table in kind.c. http and sql have headers of their
 * own. */
#ifndef AB_KINDS_H
#define AB_KINDS_H

#include "kind.h"

extern const struct ab_kind ab_kind_value;
extern const struct ab_kind ab_kind_json;
extern const struct ab_kind ab_kind_url;
extern const struct ab_kind ab_kind_text;
extern const struct ab_kind ab_kind_template;
extern const struct ab_kind ab_kind_call;
extern const struct ab_kind ab_kind_native; /* native.h */

#endif
