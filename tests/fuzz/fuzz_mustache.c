/* tests/fuzz/fuzz_mustache.c: any text as a template, with itself among its partials, rendered on awkward
 * data.
 *
 * The first byte picks the escape. Parts after a form feed are the partials "a", "b" and "c". */
#include "../../handlers/mustache/mustache.h"

static const char data_text[] =
        "{\"a\": \"a\", \"b\": [{\"a\": \"<'\\\"&>\", \"b\": [1, 2.5, null, \"\"]}, [], {}, \"b\"], \"c\": {\"a\": {\"b\": "
        "{\"c\": true}}, \"c\": \"c\"}, \"x\": 1, \"y\": 0, \"z\": \"{{a}}\\n{{>a}}\"}";

enum { PARTS = 4 };

struct parts {
	struct {
		const char *text;
		size_t len;
	} items[PARTS];
};

static char *load(void *arg, const char *name, size_t *ret_len, const char **ret_file, const char **ret_why)
{
	const struct parts *parts = arg;
	size_t i = name[0] >= 'a' && name[0] < 'a' + PARTS && name[1] == '\0'
	                   ? (size_t)(name[0] - 'a' + 1) % PARTS
	                   : 0;
	char *copy;

	(void)ret_why;
	if (i == 0 && name[0] != 'd')
		return NULL;
	*ret_file = name;
	*ret_len = parts->items[i].len;
	copy = malloc(*ret_len + 1);
	if (copy != NULL && *ret_len > 0)
		memcpy(copy, parts->items[i].text, *ret_len);
	return copy;
}

static void read_name(const struct ab_mustache *template)
{
	struct ab_pos pos;

	for (size_t i = 0; i < ab_mustache_names(template); i++)
		if (ab_mustache_name(template, i)->len == 0)
			abort(); /* a name is never empty */
	ab_mustache_implicit(template, &pos);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static const char *const dynamic[] = {"a", "b", "c", NULL};
	static json_t *data;
	struct parts parts = {0};
	struct ab_mustache_loader loader = {.load = load, .arg = &parts, .dynamic = dynamic};
	struct ab_pos start = {"page", 1, 1};
	const char *at = (const char *)input, *end = at + size;
	struct ab_mustache *template;
	struct ab_diags *diags;
	struct ab_error err;
	struct ab_buf buf;

	if (data == NULL)
		data = json_loads(data_text, 0, NULL);
	if (size == 0 || data == NULL || (diags = ab_diags_create()) == NULL)
		return 0;
	loader.missing_is_empty = (*input & 4) != 0;
	at++;
	for (size_t i = 0; i < PARTS && at < end; i++) {
		const char *cut = i + 1 < PARTS ? memchr(at, '\f', (size_t)(end - at)) : NULL;

		parts.items[i].text = at;
		parts.items[i].len = (size_t)((cut != NULL ? cut : end) - at);
		at = cut != NULL ? cut + 1 : end;
	}
	template = ab_mustache_compile(parts.items[0].text != NULL ? parts.items[0].text : "",
	        parts.items[0].len, start, NULL, (enum ab_escape)((*input & 3) % 3), &loader, diags);
	if ((template == NULL) != (ab_diags_mistakes(diags) > 0))
		abort(); /* nothing fails silently, nothing with mistakes is used */
	if (template != NULL) {
		read_name(template);
		ab_buf_init(&buf, 1 << 16);
		if (ab_mustache_render_data(template, data, &buf, &err) != AB_OK && buf.len > 1 << 16)
			abort();
		ab_buf_fini(&buf);
	}
	ab_mustache_destroy(template);
	ab_diags_destroy(diags);
	return 0;
}
