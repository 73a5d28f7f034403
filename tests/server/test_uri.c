/* Raw paths and queries, decoded once. */
#include "../../server/uri.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(uri, .timeout = 20);

static struct ab_arena *arena(void)
{
	struct ab_arena *new = ab_arena_create(NULL);

	cr_assert_not_null(new);
	return new;
}

/* ---- paths ---- */

/* The segments as "a|b|c", or "!" and the error. */
static const char *split(struct ab_arena *memory, const char *path)
{
	struct ab_slice segments[AB_MAX_SEGMENTS];
	struct ab_error err = {.text = ""};
	size_t count, len = 0;
	static char text[1024];

	if (ab_uri_split(path, strlen(path), memory, segments, &count, &err) != AB_OK) {
		cr_assert_eq(err.status, 400);
		snprintf(text, sizeof(text), "!%s", err.text);
		return text;
	}
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i > 0 ? "|" : "",
		        (int)segments[i].len, segments[i].text);
	return text;
}

static const struct {
	const char *path, *expected, *why;
} paths[] = {
        {"/", "", "the root is one empty segment"},
        {"/a/b", "a|b", "segments"},
        {"/a/", "a|", "a trailing slash is a segment of its own"},
        {"//", "|", "two slashes are two empty segments, not one"},
        {"/a%2Fb/c", "a/b|c", "%2F stays inside its segment"},
        {"/%61%62", "ab", "letters may be encoded"},
        {"/%C3%BC", "\xc3\xbc", "UTF-8, encoded"},
        {"/\xc3\xbc", "\xc3\xbc", "UTF-8 as it is"},
        {"/a%25b", "a%b", "decoded once: a percent sign"},
        {"/%252e%252e", "%2e%2e", "decoded once: no dot segment comes out of it"},
        {"/a+b", "a+b", "a plus in a path is a plus"},
        {"/...", "...", "three dots are a name"},
        {"/.well-known", ".well-known", "so is a leading dot"},
        {"/a%0d%0ab", "a\r\nb",
                "control characters, encoded, are for the places they are put into to encode"},
        {"/..%2Fa", "../a", "no dot segment, only a text with dots: places encode it again"},
        {"", "!the path does not begin with '/'", "empty"},
        {"a/b", "!the path does not begin with '/'", "no slash"},
        {"/a/../b", "!the path has a dot segment", "dot segments"},
        {"/a/.", "!the path has a dot segment", "dot segments"},
        {"/a/%2e%2e/b", "!the path has a dot segment", "dot segments, encoded"},
        {"/a/.%2E", "!the path has a dot segment", "dot segments, half encoded"},
        {"/a%00b", "!the path has a NUL character", "NUL"},
        {"/a%", "!the path has a bad percent-encoding", "cut off"},
        {"/a%2", "!the path has a bad percent-encoding", "cut off"},
        {"/a%zz", "!the path has a bad percent-encoding", "no hexadecimal digits"},
        {"/a%2/b", "!the path has a bad percent-encoding", "a slash is no digit"},
        {"/%ff", "!the path is not valid UTF-8", "a byte that no UTF-8 has"},
        {"/%c3", "!the path is not valid UTF-8", "a character cut off"},
        {"/%ed%a0%80", "!the path is not valid UTF-8", "a surrogate"},
        {"/%c0%af", "!the path is not valid UTF-8", "an overlong slash"},
        {"/a b", "!the path has a character that must be percent-encoded", "a blank"},
        {"/a\tb", "!the path has a character that must be percent-encoded", "a control character"},
        {"/a#b", "!the path has a character that must be percent-encoded", "a fragment"},
};

Test(uri, splits_a_path_and_decodes_each_segment_once)
{
	for (size_t i = 0; i < AB_COUNT(paths); i++) {
		struct ab_arena *memory = arena();

		cr_expect_str_eq(split(memory, paths[i].path), paths[i].expected, "%s (%s): %s",
		        paths[i].path, paths[i].why, split(memory, paths[i].path));
		ab_arena_unref(memory);
	}
}

Test(uri, counts_more_segments_than_it_keeps)
{
	struct ab_slice segments[AB_MAX_SEGMENTS];
	struct ab_arena *memory = arena();
	struct ab_error err;
	char path[400];
	size_t count;

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 == 0 ? '/' : 'a';
	cr_assert_eq(ab_uri_split(path, sizeof(path), memory, segments, &count, &err), AB_OK);
	cr_expect_eq(count, 200);
	ab_arena_unref(memory);
}

/* ---- parameters ---- */

/* "a=1;b=!why" */
static const char *params(struct ab_arena *memory, const char *query)
{
	struct ab_param *list;
	struct ab_error err = {.text = ""};
	size_t count, len = 0;
	static char text[1024];

	text[0] = '\0';
	if (ab_uri_params(query, strlen(query), memory, &list, &count, &err) != AB_OK)
		return strcpy(text, err.text);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s%s", i > 0 ? ";" : "",
		        list[i].name, list[i].bad != NULL ? "!" : "",
		        list[i].bad != NULL ? list[i].bad : list[i].value);
	return text;
}

static const struct {
	const char *query, *expected, *why;
} queries[] = {
        {"", "", "nothing"},
        {"a=1", "a=1", "one"},
        {"a=1&b=2&a=3", "a=1;b=2;a=3", "several, in order, twice the same"},
        {"a", "a=", "a name alone"},
        {"a=", "a=", "an empty value"},
        {"=1", "=1", "an empty name"},
        {"&&a=1&", "a=1", "empty pairs are nothing"},
        {"a=b=c", "a=b=c", "only the first '=' parts"},
        {"a=1+2%2B3", "a=1 2+3", "plus is a space, %2B a plus"},
        {"a%3Db=1%262", "a=b=1&2", "separators, encoded, are text"},
        {"filter%5Btag%5D=x", "filter[tag]=x", "names are decoded"},
        {"q=%C3%BC", "q=\xc3\xbc", "UTF-8"},
        {"a=%00", "a=!has a NUL character", "NUL"},
        {"a=1%", "a=!has a bad percent-encoding", "cut off"},
        {"a=%u00fc", "a=!has a bad percent-encoding", "no such escape"},
        {"a=%fc&b=2", "a=!is not valid UTF-8;b=2", "the others are still read"},
        {"%ff=1", "=!is not valid UTF-8", "a name that can't be read"},
};

Test(uri, decodes_parameters_and_says_which_it_can_not)
{
	for (size_t i = 0; i < AB_COUNT(queries); i++) {
		struct ab_arena *memory = arena();

		cr_expect_str_eq(params(memory, queries[i].query), queries[i].expected, "%s (%s): %s",
		        queries[i].query, queries[i].why, params(memory, queries[i].query));
		ab_arena_unref(memory);
	}
}

Test(uri, refuses_ten_thousand_parameters_without_reading_them)
{
	struct ab_arena *memory = arena();
	char *query = calloc(1, 40001);

	for (size_t i = 0; i < 10000; i++)
		memcpy(query + 4 * i, "a=1&", 4);
	cr_expect_str_eq(params(memory, query), "more than 1000 parameters");
	free(query);
	ab_arena_unref(memory);
}
