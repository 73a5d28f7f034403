/* handlers/utf8.h: one UTF-8 sequence at a time, for the scanners that meet non-ASCII on their way. */
#ifndef AB_UTF8_H
#define AB_UTF8_H

#include "../dispatch/base.h"

/* The length (2 to 4) of the well-formed sequence that begins at `p` with a byte of 0x80 or more and ends by
 * `end`; 0 when there is none (RFC 3629, section 4: no overlong forms, no surrogates, nothing above
 * U+10FFFF). */
static inline size_t ab_utf8_sequence(const unsigned char *p, const unsigned char *end)
{
	size_t left = (size_t)(end - p);
	unsigned char low = 0x80, high = 0xBF;

	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		if (p[0] == 0xE0)
			low = 0xA0;
		else if (p[0] == 0xED)
			high = 0x9F;
		return left >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xC0) == 0x80 ? 3 : 0;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		if (p[0] == 0xF0)
			low = 0x90;
		else if (p[0] == 0xF4)
			high = 0x8F;
		return left >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xC0) == 0x80 &&
		                       (p[3] & 0xC0) == 0x80
		               ? 4
		               : 0;
	}
	return 0;
}

#endif
