/* server/accept_value.h: one text as a value of a type, between accept.c and what it is made of. */
#ifndef AB_ACCEPT_VALUE_H
#define AB_ACCEPT_VALUE_H

#include "routes.h"

/* A new value of accept->type from decoded text (NUL-terminated beyond len). NULL with *ret_message saying
 * why not, or with *ret_message NULL when out of memory. */
json_t *ab_accept_convert(
        const struct ab_accept *accept, const char *text, size_t len, const char **ret_message);

/* Whether a JSON value is null where that may be given: the name's `default` is null. Its limits do not hold
 * then. */
bool ab_accept_null(const struct ab_accept *accept, const json_t *value);

#endif
