/* handlers/buf.c: see buf.h. */
#include "buf.h"

#include <stdarg.h>

void ab_buf_init(struct ab_buf *buf, size_t max)
{
	*buf = (struct ab_buf){.max = max};
}

void ab_buf_fini(struct ab_buf *buf)
{
	free(buf->data);
	ab_buf_init(buf, buf->max);
}

static char *buf_fail(struct ab_buf *buf, bool too_big)
{
	ab_buf_fini(buf);
	buf->failed = true;
	buf->too_big = too_big;
	return NULL;
}

char *ab_buf_reserve(struct ab_buf *buf, size_t more)
{
	size_t size = buf->size == 0 ? 256 : buf->size;
	char *data;

	if (buf->failed)
		return NULL;
	if (more > buf->max - buf->len)
		return buf_fail(buf, true);
	if (buf->size - buf->len > more)
		return buf->data + buf->len;
	while (size - buf->len <= more)
		size *= 2;
	if (size > buf->max && buf->max < SIZE_MAX) /* ab_buf_add looks at the size alone */
		size = buf->max + 1;
	data = realloc(buf->data, size);
	if (data == NULL)
		return buf_fail(buf, false);
	buf->data = data;
	buf->size = size;
	return data + buf->len;
}

void ab_buf_printf(struct ab_buf *buf, const char *fmt, ...)
{
	va_list args;
	char *to;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	to = ab_buf_reserve(buf, (size_t)len);
	if (to == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(to, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

char *ab_buf_take(struct ab_buf *buf)
{
	char *data = NULL;

	if (!buf->failed && (buf->data != NULL || ab_buf_reserve(buf, 0) != NULL)) {
		data = buf->data;
		data[buf->len] = '\0';
	}
	ab_buf_init(buf, buf->max);
	return data;
}
