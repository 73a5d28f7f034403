/* handlers/buf.h: a byte buffer that grows up to a maximum set at its birth.
 *
 * A failed append sets `failed` and frees the bytes; later appends do nothing, so a writer checks once at the
 * end. The bytes are always NUL-terminated beyond `len`. */
#ifndef AB_BUF_H
#define AB_BUF_H

#include "../dispatch/base.h"

#include <string.h>

struct ab_buf {
	char *data;
	size_t len;
	size_t size;
	size_t max;
	bool failed; /* out of memory, or over max (then too_big) */
	bool too_big;
};

/* Nothing is allocated before the first append. `max` in bytes. */
void ab_buf_init(struct ab_buf *buf, size_t max);
void ab_buf_fini(struct ab_buf *buf);
/* Room for `more` bytes at the end, or NULL; the caller writes there and adds to len. */
char *ab_buf_reserve(struct ab_buf *buf, size_t more);
void ab_buf_printf(struct ab_buf *buf, const char *fmt, ...) AB_PRINTF(2, 3);
/* The bytes are the caller's now (free()); the buffer is empty. NULL when it had failed or on no memory; an
 * empty buffer gives an empty string. */
char *ab_buf_take(struct ab_buf *buf);

static inline void ab_buf_add(struct ab_buf *buf, const void *bytes, size_t len)
{
	char *to;

	if (AB_LIKELY(!buf->failed && len < buf->size - buf->len)) {
		to = buf->data + buf->len;
	} else {
		to = ab_buf_reserve(buf, len);
		if (to == NULL)
			return;
	}
	memcpy(to, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

static inline void ab_buf_adds(struct ab_buf *buf, const char *text)
{
	ab_buf_add(buf, text, strlen(text));
}

static inline void ab_buf_addc(struct ab_buf *buf, char c)
{
	ab_buf_add(buf, &c, 1);
}

#endif
