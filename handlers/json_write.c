/* handlers/json_write.c: values to JSON text. Ours because jansson prints 149.95 as 149.94999999999999, and
 * every answer of a `json` resource passes through here. */
#include "json.h"
#include "utf8.h"

#include <locale.h>
#include <math.h>

/* How each byte is written inside a string: 0 as it is, 'u' as \u00XX, else after a backslash. */
static const char json_escapes[256] = {
        [0x00 ... 0x07] = 'u',
        ['\b'] = 'b',
        ['\t'] = 't',
        ['\n'] = 'n',
        [0x0B] = 'u',
        ['\f'] = 'f',
        ['\r'] = 'r',
        [0x0E ... 0x1F] = 'u',
        ['"'] = '"',
        ['\\'] = '\\',
};

static void write_value(struct ab_buf *buf, const json_t *value, unsigned depth);

/* jansson's iterators want a pointer to non-const; they change nothing. */
static json_t *json_unconst(const json_t *value)
{
	return (json_t *)(uintptr_t)value;
}

static size_t json_clean_run(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && json_escapes[(unsigned char)text[i]] == 0)
		i++;
	return i;
}

void ab_json_write_escaped(struct ab_buf *buf, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t run;

	for (;;) {
		run = json_clean_run(text, len);
		ab_buf_add(buf, text, run);
		if (run == len)
			return;
		unsigned char c = (unsigned char)text[run];
		char how = json_escapes[c];

		if (how == 'u')
			ab_buf_add(buf, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
		else
			ab_buf_add(buf, (char[]){'\\', how}, 2);
		text += run + 1;
		len -= run + 1;
	}
}

static void write_string(struct ab_buf *buf, const char *text, size_t len)
{
	ab_buf_addc(buf, '"');
	ab_json_write_escaped(buf, text, len);
	ab_buf_addc(buf, '"');
}

void ab_json_write_integer(struct ab_buf *buf, json_int_t value)
{
	unsigned long long left = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
	char digits[24];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (value < 0)
		digits[--at] = '-';
	ab_buf_add(buf, digits + at, sizeof(digits) - at);
}

/* Numbers people write: few digits, a few of them after the point. i / 10^k with both exact in a double is
 * rounded once, as reading the decimal is, so equality means that "i, point k from the right" reads back the
 * same; and a decimal of up to 15 digits is the only one of its length to do so. */
static bool write_short_real(struct ab_buf *buf, double value)
{
	double magnitude = fabs(value);
	double scale = 10;
	unsigned long long digits;
	char text[32];
	size_t at = sizeof(text);

	if (!(magnitude < 1e15) || (magnitude < 1e-4 && magnitude != 0))
		return false;
	for (int places = 1; magnitude * scale < 1e15; places++, scale *= 10) {
		digits = (unsigned long long)(magnitude * scale + 0.5);
		if ((double)digits / scale != magnitude)
			continue;
		for (int i = 0; i < places; i++, digits /= 10)
			text[--at] = (char)('0' + digits % 10);
		text[--at] = '.';
		do
			text[--at] = (char)('0' + digits % 10);
		while ((digits /= 10) != 0);
		if (signbit(value))
			text[--at] = '-';
		ab_buf_add(buf, text + at, sizeof(text) - at);
		return true;
	}
	return false;
}

void ab_json_write_real(struct ab_buf *buf, double value)
{
	locale_t c, old;
	char text[40];

	if (!isfinite(value)) { /* jansson makes none; JSON has none */
		ab_buf_adds(buf, "null");
		return;
	}
	if (write_short_real(buf, value))
		return;
	/* printf and strtod follow the thread's locale, which a program that embeds us may have set. The C
	 * locale is a constant of the C library: nothing is allocated. */
	c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	old = c != (locale_t)0 ? uselocale(c) : (locale_t)0;
	/* Below the normal range fewer digits than 15 may do. */
	for (int digits = fabs(value) < 2.3e-308 ? 1 : 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value) /* NOLINT: the very same is wanted */
			break;
	}
	if (c != (locale_t)0) {
		uselocale(old);
		freelocale(c);
	}
	ab_buf_adds(buf, text);
	if (strpbrk(text, ".e") == NULL)
		ab_buf_adds(buf, ".0");
}

static void write_object(struct ab_buf *buf, const json_t *value, unsigned depth)
{
	json_t *object = json_unconst(value);
	char before = '{';

	if (json_object_size(value) == 0) {
		ab_buf_add(buf, "{}", 2);
		return;
	}
	for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
		ab_buf_addc(buf, before);
		write_string(buf, json_object_iter_key(at), json_object_iter_key_len(at));
		ab_buf_addc(buf, ':');
		write_value(buf, json_object_iter_value(at), depth + 1);
		before = ',';
	}
	ab_buf_addc(buf, '}');
}

static void write_array(struct ab_buf *buf, const json_t *value, unsigned depth)
{
	ab_buf_addc(buf, '[');
	for (size_t i = 0; i < json_array_size(value) && !buf->failed; i++) {
		if (i > 0)
			ab_buf_addc(buf, ',');
		write_value(buf, json_array_get(value, i), depth + 1);
	}
	ab_buf_addc(buf, ']');
}

/* Recursive, at most AB_JSON_DEPTH * 2 frames of a few dozen bytes. */
static void write_value(struct ab_buf *buf, const json_t *value, unsigned depth)
{
	if (depth > AB_JSON_DEPTH * 2) {
		ab_buf_fini(buf);
		buf->failed = buf->too_big = true;
	}
	if (buf->failed)
		return;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		write_object(buf, value, depth);
		break;
	case JSON_ARRAY:
		write_array(buf, value, depth);
		break;
	case JSON_STRING:
		write_string(buf, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		ab_json_write_integer(buf, json_integer_value(value));
		break;
	case JSON_REAL:
		ab_json_write_real(buf, json_real_value(value));
		break;
	case JSON_TRUE:
		ab_buf_add(buf, "true", 4);
		break;
	case JSON_FALSE:
		ab_buf_add(buf, "false", 5);
		break;
	case JSON_NULL:
		ab_buf_add(buf, "null", 4);
		break;
	}
}

void ab_json_write(struct ab_buf *buf, const json_t *value)
{
	write_value(buf, value, 1);
}

bool ab_utf8_valid(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;
	size_t sequence;

	while (p < end) {
		if (*p < 0x80) {
			p++;
			continue;
		}
		sequence = ab_utf8_sequence(p, end);
		if (sequence == 0)
			return false;
		p += sequence;
	}
	return true;
}
