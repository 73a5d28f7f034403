/* server/uri.c: see uri.h. */
#include "uri.h"

#include "../handlers/json.h"

#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

const char *ab_uri_decode(const char *text, size_t len, bool plus, char *to, size_t *ret_len)
{
	bool ascii = true;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '+' && plus) {
			c = ' ';
		} else if (c == '%') {
			int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
			int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return "has a bad percent-encoding";
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return "has a NUL character";
		if ((unsigned char)c >= 0x80)
			ascii = false;
		to[n++] = c;
	}
	if (!ascii && !ab_utf8_valid(to, n))
		return "is not valid UTF-8";
	*ret_len = n;
	return NULL;
}

/* The bytes a path may have as they are: no control characters, no space, no '#'. */
static const char *path_bytes(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c == 0x7f || c == '#')
			return "has a character that must be percent-encoded";
	}
	return NULL;
}

static bool plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '%' || (unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

static bool dot_segment(const struct ab_slice *segment)
{
	return (segment->len == 1 || segment->len == 2) && segment->text[0] == '.' &&
	       segment->text[segment->len - 1] == '.';
}

/* One segment; *to is where a decoded one goes, allocated for the whole path when the first needs it. */
static const char *split_one(const char *text, size_t len, char **to, struct ab_slice *ret_segment)
{
	const char *bad = path_bytes(text, len);

	*ret_segment = (struct ab_slice){text, len};
	if (bad == NULL && *to != NULL && !plain(text, len)) {
		bad = ab_uri_decode(text, len, false, *to, &ret_segment->len);
		ret_segment->text = *to;
		*to += len;
	}
	if (bad == NULL && dot_segment(ret_segment))
		bad = "has a dot segment";
	return bad;
}

enum ab_code ab_uri_split(const char *path, size_t len, struct ab_arena *arena,
        struct ab_slice segments[AB_MAX_SEGMENTS], size_t *ret_count, struct ab_error *err)
{
	size_t count = 0;
	char *to = NULL;

	if (len == 0 || path[0] != '/')
		return ab_error_set(err, AB_EINVALID, "the path does not begin with '/'");
	if (!plain(path, len)) {
		to = ab_arena_alloc(arena, len);
		if (to == NULL)
			return ab_error_set(err, AB_ENOMEM, "no memory for the path");
	}
	for (size_t at = 1;;) {
		const char *slash = at < len ? memchr(path + at, '/', len - at) : NULL;
		size_t end = slash != NULL ? (size_t)(slash - path) : len;
		struct ab_slice segment;
		const char *bad = split_one(path + at, end - at, &to, &segment);

		if (bad != NULL)
			return ab_error_set(err, AB_EINVALID, "the path %s", bad);
		if (count < AB_MAX_SEGMENTS)
			segments[count] = segment;
		count++;
		if (slash == NULL)
			break;
		at = end + 1;
	}
	*ret_count = count;
	return AB_OK;
}

/* Decode one half of a pair into *to, with a NUL; a half that can't be decoded reads as "". */
static const char *param_half(const char *text, size_t len, char **to, const char **ret_text, size_t *ret_len)
{
	size_t n = 0;
	const char *bad = ab_uri_decode(text, len, true, *to, &n);

	(*to)[n] = '\0';
	*ret_text = *to;
	*ret_len = n;
	*to += n + 1;
	return bad;
}

static void param_read(struct ab_param *param, const char *text, size_t len, char **to)
{
	const char *equals = memchr(text, '=', len);
	size_t name = equals != NULL ? (size_t)(equals - text) : len;
	size_t skip = equals != NULL ? name + 1 : name;
	const char *bad;

	param->bad = param_half(text, name, to, &param->name, &param->name_len);
	bad = param_half(text + skip, len - skip, to, &param->value, &param->value_len);
	if (param->bad == NULL)
		param->bad = bad;
}

static size_t count_pairs(const char *text, size_t len)
{
	size_t pairs = 1;

	for (size_t i = 0; i < len; i++)
		pairs += text[i] == '&';
	return pairs;
}

enum ab_code ab_uri_params(const char *text, size_t len, struct ab_arena *arena, struct ab_param **ret_params,
        size_t *ret_count, struct ab_error *err)
{
	struct ab_param *params;
	size_t pairs, count = 0;
	char *to;

	*ret_params = NULL;
	*ret_count = 0;
	if (len == 0)
		return AB_OK;
	pairs = count_pairs(text, len);
	if (pairs > AB_MAX_PARAMS)
		return ab_error_set(err, AB_EINVALID, "more than %d parameters", AB_MAX_PARAMS);
	params = ab_arena_alloc(arena, pairs * sizeof(*params));
	to = ab_arena_alloc(arena, len + 2 * pairs);
	if (params == NULL || to == NULL)
		return ab_error_set(err, AB_ENOMEM, "no memory for the parameters");
	for (size_t at = 0; at < len;) {
		const char *amp = memchr(text + at, '&', len - at);
		size_t end = amp != NULL ? (size_t)(amp - text) : len;

		if (end > at)
			param_read(&params[count++], text + at, end - at, &to);
		at = end + 1;
	}
	*ret_params = params;
	*ret_count = count;
	return AB_OK;
}
