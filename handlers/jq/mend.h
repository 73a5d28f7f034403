/* handlers/jq/mend.h: what to write instead, where a filter is written like something else. */
#ifndef AB_JQ_MEND_H
#define AB_JQ_MEND_H

#include <stddef.h>

/* What is expected at `at` (below len), where the scanner stopped and expected `expected`: a hint for what
 * people of other languages write, else `expected` itself. */
const char *ab_jq_mend(const char *text, size_t len, size_t at, const char *expected);

/* What to add to libjq's message about something at `at`; NULL: nothing. Uses buf. */
const char *ab_jq_mend_undefined(
        const char *message, const char *text, size_t len, size_t at, char *buf, size_t size);

#endif
