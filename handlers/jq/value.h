/* handlers/jq/value.h: values over to libjq and back, without a detour through text. */
#ifndef AB_JQ_VALUE_H
#define AB_JQ_VALUE_H

#include "program.h"

enum { AB_JQ_DEPTH = 600 }; /* deeper is an error, both ways; a document from outside has at most 512 */

/* The value of a need for libjq. Reads `value` and counts nothing on it, so that its owner may be another
 * thread. Of an object of which only some fields are used, only these are converted. `*budget` is lowered by
 * about what it takes in memory. Fails with AB_EINVALID: an integer beyond 2^53, which libjq would bend
 * (named with its path), too deep, or over the budget, which then is 0. */
AB_NODISCARD enum ab_code ab_jq_from_json(const json_t *value, const struct ab_jq_name *name, size_t *budget,
        jv *ret_value, struct ab_error *err);

/* A new value of what libjq came to, which it takes. Whole numbers up to 2^53 are integers, -0 is 0, what is
 * no number or infinite is null. NULL with AB_EINTERNAL (too deep, over the budget) or AB_ENOMEM. */
json_t *ab_jq_to_json(jv value, size_t *budget, struct ab_error *err);

#endif
