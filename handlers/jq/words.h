/* handlers/jq/words.h: what is known of jq's builtin functions by their names. */
#ifndef AB_JQ_WORDS_H
#define AB_JQ_WORDS_H

#include "../../dispatch/base.h"

/* What may stand behind an @. */
bool ab_jq_is_format(const char *name, size_t len);
bool ab_jq_is_keyword(const char *name, size_t len);
/* Why a function is refused, or NULL: it reaches outside the filter. */
const char *ab_jq_refused(const char *name, size_t len);
/* It works on its input and on nothing else that matters; `args`: how many it is called with. */
bool ab_jq_reads_input(const char *name, size_t len, unsigned args);
/* It writes a time out. */
bool ab_jq_formats_time(const char *name, size_t len);
/* Its time is bounded by the size of its input. */
bool ab_jq_is_quick(const char *name, size_t len, unsigned args);

#endif
