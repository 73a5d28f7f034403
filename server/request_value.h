/* server/request_value.h: the value `request`, built as far as a plan uses it, and no further. */
#ifndef AB_REQUEST_VALUE_H
#define AB_REQUEST_VALUE_H

#include "accept.h"

/* A new object; NULL when out of memory. `input` holds what has been read of query and body, or is read here.
 */
json_t *ab_request_value(const struct ab_request_use *use, const struct ab_request *request,
        struct ab_input *input, struct ab_arena *arena);

#endif
