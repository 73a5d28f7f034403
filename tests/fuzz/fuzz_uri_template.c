/* tests/fuzz/fuzz_uri_template.c: any URI template on any values. The input is a byte of flags, the template,
 * a newline and a JSON object of values. What is expanded must be made of the characters of a URL, and when
 * strict have no dot segment in its path. */
#include "../../handlers/json.h"
#include "../../handlers/uri_parts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ab_buf *buf, bool strict)
{
	for (size_t i = 0; i < buf->len; i++)
		ab_assert(ab_uri_class[(unsigned char)buf->data[i]] != 0 ||
		          ab_uri_is_triplet(buf->data + i, buf->len - i));
	if (strict && buf->len > 0)
		ab_assert(!ab_uri_has_dot_segment(buf->data, buf->len));
}

static void fill(struct ab_uri_template *uri, const struct ab_scope *scope, json_t *values)
{
	json_t **needs = calloc(scope->n_needs + 1, sizeof(json_t *));
	struct ab_call call = {.arena = ab_arena_create(NULL), .needs = needs};
	struct ab_error err = {0};
	struct ab_buf buf;

	ab_assert(needs != NULL && call.arena != NULL);
	for (size_t i = 0; i < scope->n_needs; i++) {
		needs[i] = json_object_get(values, scope->needs[i]);
		if (needs[i] == NULL)
			needs[i] = json_null();
	}
	ab_buf_init(&buf, 20000);
	if (ab_uri_template_fill(uri, &call, &buf, &err) == AB_OK)
		check(&buf, uri->strict);
	else
		ab_assert(err.code == AB_EINVALID);
	ab_buf_fini(&buf);
	ab_arena_unref(call.arena);
	free(needs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1, *newline = size > 1 ? memchr(text, '\n', size - 1) : NULL;
	size_t len = newline != NULL ? (size_t)(newline - text) : 0;
	struct ab_conf conf = {.type = AB_CONF_STRING, .pos = {"fuzz", 1, 1}};
	struct ab_uri_template *uri;
	struct ab_diags *diags;
	struct ab_scope scope;
	json_t *values;
	char *copy;

	if (newline == NULL || memchr(text, 0, len) != NULL || !ab_utf8_valid(text, len))
		return 0;
	copy = strndup(text, len);
	diags = ab_diags_create();
	ab_assert(copy != NULL && diags != NULL);
	values = ab_json_read(newline + 1, size - len - 2, NULL);
	conf.u.string.text = copy;
	conf.u.string.len = len;
	ab_scope_init(&scope, "fuzzed", diags);
	uri = ab_uri_template_compile(&scope, &conf, copy, len, NULL, data[0] & 1 ? AB_URI_STRICT : 0);
	if (uri != NULL)
		fill(uri, &scope, values);
	else
		ab_assert(ab_diags_mistakes(diags) > 0);
	ab_uri_template_destroy(uri);
	json_decref(values);
	ab_scope_fini(&scope);
	ab_diags_destroy(diags);
	free(copy);
	return 0;
}
