/* server/pattern.h: `pattern` of an accepted name: a POSIX extended expression that must match the whole
 * value.
 *
 * Characters are those of UTF-8, whatever the process's locale. Back-references are refused, since only they
 * can make matching take more than time in proportion to the text. Use on one thread: a worker has its own.
 */
#ifndef AB_PATTERN_H
#define AB_PATTERN_H

#include "../dispatch/error.h"

#include <regex.h>

enum { AB_PATTERN_LENGTH = 4096 }; /* characters a value may have unless max_length says otherwise */

/* Compile; regfree() it. Errors: AB_EINVALID with what is wrong, AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_pattern_compile(const char *text, regex_t *ret_pattern, struct ab_error *err);
bool ab_pattern_matches(const regex_t *pattern, const char *text);

#endif
