/* dispatch/error.c: filling the one struct that says what went wrong. */
#include "error.h"

#include <string.h>

static const struct {
	int status;
	const char *name;
} codes[] = {
#define X(code, status, name) [code] = {status, name},
        AB_CODES(X)
#undef X
};

const char *ab_code_name(enum ab_code code)
{
	return (size_t)code < AB_COUNT(codes) ? codes[code].name : "Unknown";
}

int ab_code_status(enum ab_code code)
{
	return (size_t)code < AB_COUNT(codes) ? codes[code].status : 500;
}

const char *ab_code_reason(enum ab_code code)
{
	switch (code) {
	case AB_ETIMEOUT:
		return "timeout";
	case AB_EUPSTREAM:
		return "upstream";
	case AB_EMISSING:
		return "missing";
	case AB_EFORBIDDEN:
		return "forbidden";
	case AB_EOVERLOAD:
	case AB_ENOMEM:
		return "overload";
	case AB_EINVALID:
		return "invalid";
	default:
		return "error";
	}
}

/* A cut may fall inside a character: take back the bytes of one that is not whole. */
static void text_trim(char *text, size_t len)
{
	size_t start = len;
	unsigned char lead;
	size_t want;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
		start--;
	if (start == 0)
		return;
	lead = (unsigned char)text[start - 1];
	want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (want > len - start + 1)
		text[start - 1] = '\0';
}

/* Formats aside first: the arguments may point into err->text. */
static AB_PRINTF(2, 0) void text_format(struct ab_error *err, const char *fmt, va_list args)
{
	char text[AB_ERROR_TEXT];
	int len = vsnprintf(text, sizeof(text), fmt, args);

	if (len < 0)
		text[0] = '\0';
	else if ((size_t)len >= sizeof(text))
		text_trim(text, sizeof(text) - 1);
	memcpy(err->text, text, strlen(text) + 1);
}

enum ab_code ab_error_setv(struct ab_error *err, enum ab_code code, const char *fmt, va_list args)
{
	if (err == NULL)
		return code;
	text_format(err, fmt, args);
	err->code = code;
	err->status = ab_code_status(code);
	err->resource = NULL;
	err->message = NULL;
	err->field = NULL;
	return code;
}

enum ab_code ab_error_set(struct ab_error *err, enum ab_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ab_error_setv(err, code, fmt, args);
	va_end(args);
	return code;
}

static AB_PRINTF(2, 3) void text_set(struct ab_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	text_format(err, fmt, args);
	va_end(args);
}

void ab_error_prefix(struct ab_error *err, const char *fmt, ...)
{
	struct ab_error prefix;
	va_list args;

	if (err == NULL)
		return;
	va_start(args, fmt);
	text_format(&prefix, fmt, args);
	va_end(args);
	text_set(err, "%s: %s", prefix.text, err->text);
}
