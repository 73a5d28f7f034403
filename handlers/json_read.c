/* handlers/json_read.c: JSON text to values, in one pass. Ours because jansson's lexer looks at every byte
 * through several calls and costs more than the fetch of a small document, refuses a document for one number
 * beyond 64 bits, and accepts what others read differently (a NUL after a number, duplicate keys).
 *
 * Choices where RFC 8259 leaves some: `-0` is the integer 0 and `-0.0` the real -0.0; a real too small for a
 * double is 0.0; one too large, like an integer beyond 64 bits, becomes a string of its text. */
#include "json.h"
#include "utf8.h"

#include <locale.h>
#include <math.h>

struct json_reader {
	const unsigned char *at;
	const unsigned char *end;
	const unsigned char *start;
	char *scratch; /* room for any string still to come, made for the first that has an escape */
	unsigned depth;
	bool refused; /* err is filled; a NULL without it is out of memory */
	struct ab_error *err;
};

struct json_span {
	const char *text; /* in the input, or in scratch until the next string is read */
	size_t len;
};

/* Bytes a string can hold as they are, apart from UTF-8 sequences. */
static const bool json_plain[256] = {
        [0x20 ... 0x21] = true,
        [0x23 ... 0x5B] = true,
        [0x5D ... 0x7F] = true,
};

static const double json_powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
        1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static json_t *read_value(struct json_reader *r);

/* ---- errors ---- */

/* "line L, column C: WHAT, found F"; `found` false: without the last. Always NULL, so that callers can return
 * it. */
__attribute__((cold, noinline)) static void *read_error(
        struct json_reader *r, const unsigned char *at, bool found, const char *what)
{
	size_t line = 1, column = 1;
	char seen[32];

	for (const unsigned char *p = r->start; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if ((*p & 0xC0) != 0x80) {
			column++;
		}
	}
	if (at == r->end)
		snprintf(seen, sizeof(seen), "the end of the text");
	else if (*at >= 0x20 && *at < 0x7F)
		snprintf(seen, sizeof(seen), "'%c'", *at);
	else
		snprintf(seen, sizeof(seen), "byte 0x%02X", *at);
	r->refused = true;
	ab_error_set(r->err, AB_EINVALID, "line %zu, column %zu: %s%s%s", line, column, what,
	        found ? ", found " : "", found ? seen : "");
	return NULL;
}

/* ---- strings ---- */

/* The first byte from `p` on that json_plain does not list. */
static inline const unsigned char *skip_plain(const unsigned char *p, const unsigned char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
	uint64_t word, quote, slash, special;

	/* Eight bytes at a time. A borrow can only mark a byte above one that is marked rightly, so a word
	 * without a mark has nothing special in it; one with a mark is looked at byte by byte. */
	while (end - p >= 8) {
		memcpy(&word, p, sizeof(word));
		quote = word ^ (ones * '"');
		slash = word ^ (ones * '\\');
		special = (word - ones * 0x20) | (quote - ones) | (slash - ones) | word;
		if ((special & highs) != 0)
			break;
		p += 8;
	}
	while (p < end && json_plain[*p])
		p++;
	return p;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int read_hex4(const unsigned char *p, const unsigned char *end)
{
	int unit = 0, digit;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static char *put_utf8(char *to, unsigned long c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xC0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*to++ = (char)(0xE0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3F));
		*to++ = (char)(0x80 | (c & 0x3F));
	} else {
		*to++ = (char)(0xF0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3F));
		*to++ = (char)(0x80 | (c >> 6 & 0x3F));
		*to++ = (char)(0x80 | (c & 0x3F));
	}
	return to;
}

/* A \uXXXX, or two that are a surrogate pair; `p` is at the backslash. The end of it, or NULL after an error.
 */
static const unsigned char *read_unicode(struct json_reader *r, const unsigned char *p, char **to)
{
	int unit = read_hex4(p + 2, r->end), low;
	unsigned long c = (unsigned long)unit;

	if (unit < 0)
		return read_error(r, p, false, "expected four hexadecimal digits after \\u");
	if (unit == 0)
		return read_error(r, p, false, "\\u0000 is not allowed in a string");
	p += 6;
	if (unit >= 0xDC00 && unit <= 0xDFFF)
		return read_error(r, p - 6, false, "the second half of a surrogate pair without the first");
	if (unit >= 0xD800 && unit <= 0xDBFF) {
		low = r->end - p >= 2 && p[0] == '\\' && p[1] == 'u' ? read_hex4(p + 2, r->end) : -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return read_error(
			        r, p - 6, false, "the first half of a surrogate pair without the second");
		c = 0x10000 + ((c - 0xD800) << 10) + (unsigned long)(low - 0xDC00);
		p += 6;
	}
	*to = put_utf8(*to, c);
	return p;
}

/* One escape; `p` is at the backslash. The end of it, or NULL after an error. */
static const unsigned char *read_escape(struct json_reader *r, const unsigned char *p, char **to)
{
	static const char meant[128] = {['"'] = '"',
	        ['\\'] = '\\',
	        ['/'] = '/',
	        ['b'] = '\b',
	        ['f'] = '\f',
	        ['n'] = '\n',
	        ['r'] = '\r',
	        ['t'] = '\t'};

	if (r->end - p >= 2 && p[1] == 'u')
		return read_unicode(r, p, to);
	if (r->end - p < 2 || p[1] >= 0x80 || meant[p[1]] == 0)
		return read_error(r, p + 1, true, "expected one of \" \\ / b f n r t u after a backslash");
	*(*to)++ = meant[p[1]];
	return p + 2;
}

/* What is wrong with the byte at `p`, which can't stand in a string. */
static bool string_error(struct json_reader *r, const unsigned char *p)
{
	if (p == r->end)
		read_error(r, p, true, "expected '\"' at the end of a string");
	else if (*p >= 0x80)
		read_error(r, p, false, "not UTF-8");
	else
		read_error(r, p, true, "a control character in a string must be escaped");
	return false;
}

/* The rest of a string that began at `start`, from its first escape, at `p`. An escape is longer than what it
 * means, so what is left of the input bounds the result. */
static bool read_escaped_string(
        struct json_reader *r, const unsigned char *start, const unsigned char *p, struct json_span *ret_span)
{
	const unsigned char *from = start;
	size_t sequence;
	char *to;

	if (r->scratch == NULL)
		r->scratch = malloc((size_t)(r->end - start));
	if (r->scratch == NULL)
		return false;
	to = r->scratch;
	for (;;) {
		if (p < r->end && *p >= 0x80 && (sequence = ab_utf8_sequence(p, r->end)) > 0) {
			p = skip_plain(p + sequence, r->end);
			continue;
		}
		memcpy(to, from, (size_t)(p - from));
		to += p - from;
		if (p < r->end && *p == '"')
			break;
		if (p == r->end || *p != '\\')
			return string_error(r, p);
		p = read_escape(r, p, &to);
		if (p == NULL)
			return false;
		from = p;
		p = skip_plain(p, r->end);
	}
	r->at = p + 1;
	*ret_span = (struct json_span){.text = r->scratch, .len = (size_t)(to - r->scratch)};
	return true;
}

/* A string, from behind its first quote to behind its last. */
static inline bool read_string(struct json_reader *r, struct json_span *ret_span)
{
	const unsigned char *start = r->at, *p = skip_plain(start, r->end);
	size_t sequence;

	while (p < r->end && *p >= 0x80) {
		sequence = ab_utf8_sequence(p, r->end);
		if (sequence == 0)
			return string_error(r, p);
		p = skip_plain(p + sequence, r->end);
	}
	if (AB_UNLIKELY(p == r->end || *p != '"'))
		return p < r->end && *p == '\\' ? read_escaped_string(r, start, p, ret_span)
		                                : string_error(r, p);
	r->at = p + 1;
	*ret_span = (struct json_span){.text = (const char *)start, .len = (size_t)(p - start)};
	return true;
}

/* ---- numbers ---- */

struct json_number {
	const unsigned char *start;
	uint64_t digits; /* all digits as one integer, wrapped when there are more than 19 */
	size_t n_digits;
	long exponent; /* of ten, for `digits` */
	bool negative;
};

static inline bool is_digit(const struct json_reader *r, const unsigned char *p)
{
	return p < r->end && *p >= '0' && *p <= '9';
}

static inline const unsigned char *read_digits(
        const struct json_reader *r, const unsigned char *p, struct json_number *n)
{
	const unsigned char *start = p;

	for (; is_digit(r, p); p++)
		n->digits = n->digits * 10 + (uint64_t)(*p - '0');
	n->n_digits += (size_t)(p - start);
	return p;
}

static json_t *number_as_text(struct json_reader *r, const struct json_number *n)
{
	return json_stringn_nocheck((const char *)n->start, (size_t)(r->at - n->start));
}

static json_t *make_integer(struct json_reader *r, const struct json_number *n)
{
	uint64_t limit = (uint64_t)INT64_MAX + n->negative;

	/* Nineteen digits fit 64 bits without a sign, so only those need a look at the sum. */
	if (AB_UNLIKELY(n->n_digits > 19 || n->digits > limit))
		return number_as_text(r, n);
	return json_integer(n->negative ? (json_int_t)(0 - n->digits) : (json_int_t)n->digits);
}

/* What the exact way could not do: by the C library, in the C locale whatever the thread's is (a constant of
 * the C library, nothing is allocated for it). */
static json_t *make_real_slowly(struct json_reader *r, const struct json_number *n)
{
	size_t len = (size_t)(r->at - n->start);
	char small[64], *copy = len < sizeof(small) ? small : malloc(len + 1);
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	json_t *value = NULL;
	double real;

	if (copy != NULL && c != (locale_t)0) {
		memcpy(copy, n->start, len);
		copy[len] = '\0';
		real = strtod_l(copy, NULL, c);
		value = isfinite(real) ? json_real(real) : number_as_text(r, n);
	}
	if (c != (locale_t)0)
		freelocale(c);
	if (copy != small)
		free(copy);
	return value;
}

/* Up to 2^53 and 10^22 are exact in a double, and one operation on two exact doubles is rounded as it should
 * be. */
static json_t *make_real(struct json_reader *r, const struct json_number *n)
{
	double real = (double)n->digits;

	if (n->n_digits > 19 || n->digits > UINT64_C(1) << 53 || n->exponent < -22 || n->exponent > 22)
		return make_real_slowly(r, n);
	real = n->exponent < 0 ? real / json_powers[-n->exponent] : real * json_powers[n->exponent];
	return json_real(n->negative ? -real : real);
}

/* The rest of a real from its '.' or 'e' on. */
static json_t *read_real(struct json_reader *r, const unsigned char *p, struct json_number *n)
{
	const unsigned char *start;
	bool negative = false;
	long exponent = 0;

	if (*p == '.') {
		start = ++p;
		p = read_digits(r, p, n);
		if (p == start)
			return read_error(r, p, true, "expected a digit after '.'");
		n->exponent = -(long)(p - start);
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < r->end && (*p == '+' || *p == '-'))
			negative = *p++ == '-';
		if (!is_digit(r, p))
			return read_error(r, p, true, "expected a digit in the exponent");
		for (; is_digit(r, p); p++)
			if (exponent < 100000)
				exponent = exponent * 10 + (*p - '0');
		n->exponent += negative ? -exponent : exponent;
	}
	r->at = p;
	return make_real(r, n);
}

static json_t *read_number(struct json_reader *r)
{
	struct json_number n = {.start = r->at};
	const unsigned char *p = r->at;
	json_t *value;

	if (*p == '-') {
		n.negative = true;
		p++;
	}
	if (!is_digit(r, p))
		return read_error(r, p, true, "expected a digit after '-'");
	if (*p == '0' && is_digit(r, p + 1))
		return read_error(r, p, false, "a number can't begin with 0 and more digits");
	p = read_digits(r, p, &n);
	if (p < r->end && (*p == '.' || *p == 'e' || *p == 'E')) {
		value = read_real(r, p, &n);
	} else {
		r->at = p;
		value = make_integer(r, &n);
	}
	return value;
}

/* ---- the rest ---- */

static inline void skip_space(struct json_reader *r)
{
	const unsigned char *p = r->at;

	while (p < r->end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	r->at = p;
}

/* Skip space; whether `c` comes next, which is skipped too. */
static inline bool take(struct json_reader *r, unsigned char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* The value behind a key, and the two into the object. */
static bool read_member_value(struct json_reader *r, json_t *object, const char *key, size_t key_len)
{
	json_t *value;

	if (AB_UNLIKELY(!take(r, ':'))) {
		read_error(r, r->at, true, "expected ':' after a key");
		return false;
	}
	value = read_value(r);
	return value != NULL && json_object_setn_new_nocheck(object, key, key_len, value) == 0;
}

static bool read_member(struct json_reader *r, json_t *object)
{
	size_t size = json_object_size(object);
	const unsigned char *key_at;
	struct json_span key = {0};
	char *copy;
	bool ok;

	if (AB_UNLIKELY(!take(r, '"'))) {
		read_error(r, r->at, true,
		        size == 0 ? "expected '}' or a key in quotes" : "expected a key in quotes");
		return false;
	}
	key_at = r->at - 1;
	if (!read_string(r, &key))
		return false;
	if (AB_LIKELY(key.text != r->scratch)) {
		ok = read_member_value(r, object, key.text, key.len);
	} else { /* the value may want scratch too */
		copy = malloc(key.len);
		ok = copy != NULL && read_member_value(r, object, memcpy(copy, key.text, key.len), key.len);
		free(copy);
	}
	if (AB_UNLIKELY(ok && json_object_size(object) == size)) { /* it has replaced one */
		read_error(r, key_at, false, "this key was in the object before");
		return false;
	}
	return ok;
}

static json_t *read_object(struct json_reader *r)
{
	json_t *object = json_object();

	if (object == NULL)
		return NULL;
	r->at++;
	if (take(r, '}'))
		return object;
	do {
		if (!read_member(r, object)) {
			json_decref(object);
			return NULL;
		}
	} while (take(r, ','));
	if (AB_LIKELY(r->at < r->end && *r->at == '}')) {
		r->at++;
		return object;
	}
	json_decref(object);
	return read_error(r, r->at, true, "expected ',' or '}' in an object");
}

static json_t *read_array(struct json_reader *r)
{
	json_t *array = json_array(), *value;

	if (array == NULL)
		return NULL;
	r->at++;
	if (take(r, ']'))
		return array;
	do {
		value = read_value(r);
		if (value == NULL || json_array_append_new(array, value) != 0) {
			json_decref(array);
			return NULL;
		}
	} while (take(r, ','));
	if (AB_LIKELY(r->at < r->end && *r->at == ']')) {
		r->at++;
		return array;
	}
	json_decref(array);
	return read_error(r, r->at, true, "expected ',' or ']' in a list");
}

static json_t *read_nested(struct json_reader *r)
{
	json_t *value;

	if (r->depth == AB_JSON_DEPTH)
		return read_error(r, r->at, false, "nested too deeply: more than 512 levels");
	r->depth++;
	value = *r->at == '{' ? read_object(r) : read_array(r);
	r->depth--;
	return value;
}

static bool take_word(struct json_reader *r, const char *word, size_t len)
{
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	return true;
}

static json_t *read_scalar(struct json_reader *r)
{
	struct json_span span = {0};

	switch (*r->at) {
	case '"':
		r->at++;
		if (!read_string(r, &span))
			return NULL;
		return json_stringn_nocheck(span.text, span.len);
	case '-':
	case '0' ... '9':
		return read_number(r);
	case 't':
		if (take_word(r, "true", 4))
			return json_true();
		break;
	case 'f':
		if (take_word(r, "false", 5))
			return json_false();
		break;
	case 'n':
		if (take_word(r, "null", 4))
			return json_null();
		break;
	default:
		break;
	}
	return read_error(r, r->at, true, "expected a value");
}

static json_t *read_value(struct json_reader *r)
{
	skip_space(r);
	if (AB_UNLIKELY(r->at == r->end))
		return read_error(r, r->at, true, "expected a value");
	if (*r->at == '{' || *r->at == '[')
		return read_nested(r);
	return read_scalar(r);
}

json_t *ab_json_read(const char *text, size_t len, struct ab_error *err)
{
	const unsigned char *start = (const unsigned char *)text;
	struct json_reader r = {.at = start, .end = start + len, .start = start, .err = err};
	json_t *value = NULL;

	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		read_error(&r, start, false, "a byte order mark; JSON has none");
	} else {
		value = read_value(&r);
		skip_space(&r);
		if (value != NULL && r.at != r.end) {
			json_decref(value);
			value = read_error(&r, r.at, true, "expected the end of the text");
		}
	}
	free(r.scratch);
	if (value == NULL && !r.refused)
		ab_error_set(err, AB_ENOMEM, "out of memory");
	return value;
}
