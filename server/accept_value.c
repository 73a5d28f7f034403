/* server/accept_value.c: text to typed values, and limits on them. */
#include "accept_value.h"

#include "../handlers/json.h"
#include "accept.h"
#include "pattern.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* "must be an integer" */
static const char *must(enum ab_type type)
{
	switch (type) {
	case AB_TYPE_STRING:
		return "must be a string";
	case AB_TYPE_INTEGER:
		return "must be an integer";
	case AB_TYPE_NUMBER:
		return "must be a number";
	case AB_TYPE_BOOLEAN:
		return "must be true or false";
	case AB_TYPE_JSON:
		break;
	}
	return "must be JSON";
}

static size_t digits(const char *text)
{
	size_t n = 0;

	while (text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* Plain decimals: an optional minus and digits, all of the text. */
static bool integer_form(const char *text, size_t len)
{
	size_t sign = text[0] == '-';
	size_t n = digits(text + sign);

	return n > 0 && sign + n == len;
}

static bool read_integer(const char *text, size_t len, json_int_t *ret)
{
	if (!integer_form(text, len))
		return false;
	errno = 0;
	*ret = strtoll(text, NULL, 10);
	return errno == 0;
}

/* -?digits[.digits][e[+-]digits], finite. */
static bool read_real(const char *text, size_t len, double *ret)
{
	const char *at = text + (text[0] == '-');
	size_t n = digits(at);

	if (n == 0)
		return false;
	at += n;
	if (*at == '.') {
		n = digits(at + 1);
		if (n == 0)
			return false;
		at += 1 + n;
	}
	if (*at == 'e' || *at == 'E') {
		at += at[1] == '+' || at[1] == '-' ? 2 : 1;
		n = digits(at);
		if (n == 0)
			return false;
		at += n;
	}
	if (at != text + len)
		return false;
	*ret = strtod(text, NULL);
	return isfinite(*ret);
}

static int read_boolean(const char *text, size_t len)
{
	static const char *const words[] = {"false", "true", "0", "1", "off", "on"};

	for (size_t i = 0; i < AB_COUNT(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
			return (int)(i & 1);
	return -1;
}

json_t *ab_accept_convert(
        const struct ab_accept *accept, const char *text, size_t len, const char **ret_message)
{
	json_t *value;
	struct ab_error err;
	json_int_t integer;
	double real;
	int truth;

	*ret_message = NULL;
	switch (accept->type) {
	case AB_TYPE_STRING:
		return json_stringn_nocheck(text, len);
	case AB_TYPE_INTEGER:
		if (read_integer(text, len, &integer))
			return json_integer(integer);
		break;
	case AB_TYPE_NUMBER:
		if (read_integer(text, len, &integer))
			return json_integer(integer);
		if (read_real(text, len, &real))
			return json_real(real);
		break;
	case AB_TYPE_BOOLEAN:
		truth = read_boolean(text, len);
		if (truth >= 0)
			return json_boolean(truth);
		break;
	case AB_TYPE_JSON:
		value = ab_json_read(text, len, &err);
		if (value != NULL || err.code == AB_ENOMEM)
			return value;
		break;
	}
	*ret_message = must(accept->type);
	return NULL;
}

bool ab_accept_null(const struct ab_accept *accept, const json_t *value)
{
	return json_is_null(value) && json_is_null(accept->fallback);
}

/* ---- limits ---- */

static bool has_type(enum ab_type type, const json_t *value)
{
	switch (type) {
	case AB_TYPE_STRING:
		return json_is_string(value);
	case AB_TYPE_INTEGER:
		return json_is_integer(value);
	case AB_TYPE_NUMBER:
		return json_is_number(value);
	case AB_TYPE_BOOLEAN:
		return json_is_boolean(value);
	case AB_TYPE_JSON:
		break;
	}
	return true;
}

static bool below(const struct ab_accept *accept, const json_t *value)
{
	if (!accept->has_min)
		return false;
	if (accept->type == AB_TYPE_INTEGER)
		return json_integer_value(value) < accept->imin;
	return json_number_value(value) < accept->min;
}

static bool above(const struct ab_accept *accept, const json_t *value)
{
	if (!accept->has_max)
		return false;
	if (accept->type == AB_TYPE_INTEGER)
		return json_integer_value(value) > accept->imax;
	return json_number_value(value) > accept->max;
}

static const char *bound(const struct ab_accept *accept, const char *what, bool high, struct ab_arena *arena)
{
	const char *message;

	if (accept->type == AB_TYPE_INTEGER)
		message = ab_arena_printf(
		        arena, "must be %s %lld", what, (long long)(high ? accept->imax : accept->imin));
	else
		message = ab_arena_printf(arena, "must be %s %.15g", what, high ? accept->max : accept->min);
	return message != NULL ? message : "is out of range";
}

static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *judge_length(const struct ab_accept *accept, const char *text, struct ab_arena *arena)
{
	size_t n = characters(text);
	const char *message;

	if (n >= accept->min_length && n <= accept->max_length)
		return NULL;
	if (n < accept->min_length && accept->min_length == 1)
		return "must not be empty";
	if (n < accept->min_length)
		message = ab_arena_printf(arena, "must be at least %zu characters long", accept->min_length);
	else
		message = ab_arena_printf(arena, "must be at most %zu characters long", accept->max_length);
	return message != NULL ? message : "has a length that is not allowed";
}

static bool same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_is_integer(a) && json_is_integer(b)
		               ? json_integer_value(a) == json_integer_value(b)
		               : json_number_value(a) >= json_number_value(b) &&
		                         json_number_value(a) <= json_number_value(b);
	return json_equal(a, b);
}

static const char *judge_choice(const struct ab_accept *accept, const json_t *value, struct ab_arena *arena)
{
	struct ab_buf list;
	const char *message;

	for (size_t i = 0; i < json_array_size(accept->one_of); i++)
		if (same(json_array_get(accept->one_of, i), value))
			return NULL;
	ab_buf_init(&list, 1024);
	for (size_t i = 0; i < json_array_size(accept->one_of); i++) {
		const json_t *choice = json_array_get(accept->one_of, i);

		ab_buf_adds(&list, i == 0 ? "" : ", ");
		if (json_is_string(choice))
			ab_buf_add(&list, json_string_value(choice), json_string_length(choice));
		else
			ab_json_write(&list, choice);
	}
	message = list.failed ? NULL : ab_arena_printf(arena, "must be one of: %s", list.data);
	ab_buf_fini(&list);
	return message != NULL ? message : "is not one of the values it may have";
}

const char *ab_accept_judge(const struct ab_accept *accept, const json_t *value, struct ab_arena *arena)
{
	const char *message = NULL;

	if (!has_type(accept->type, value))
		return must(accept->type);
	if (json_is_string(value) && accept->type == AB_TYPE_STRING) {
		message = judge_length(accept, json_string_value(value), arena);
		if (message == NULL && accept->pattern != NULL &&
		        !ab_pattern_matches(accept->pattern, json_string_value(value)))
			message = "does not have the form it must have";
	} else if (below(accept, value)) {
		message = bound(accept, "at least", false, arena);
	} else if (above(accept, value)) {
		message = bound(accept, "at most", true, arena);
	}
	if (message == NULL && accept->one_of != NULL)
		message = judge_choice(accept, value, arena);
	return message;
}
