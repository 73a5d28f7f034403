/* tests/fuzz/fuzz_placeholder.c: any string with placeholders on any values. The input is the string, a
 * newline and a JSON object of values. What is filled into a header must have no control character. */
#include "../../handlers/json.h"
#include "../../handlers/placeholder.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct ab_pieces *pieces, const struct ab_scope *scope, json_t *values)
{
	json_t **needs = calloc(scope->n_needs + 1, sizeof(json_t *));
	struct ab_call call = {.arena = ab_arena_create(NULL), .needs = needs};
	struct ab_error err = {0};
	struct ab_buf buf;
	enum ab_code rc;

	ab_assert(needs != NULL && call.arena != NULL);
	for (size_t i = 0; i < scope->n_needs; i++) {
		needs[i] = json_object_get(values, scope->needs[i]);
		if (needs[i] == NULL)
			needs[i] = json_null();
	}
	ab_buf_init(&buf, 20000);
	rc = ab_pieces_fill(pieces, &call, AB_PIECES_HEADER, &buf, &err);
	ab_assert(rc == AB_OK || rc == AB_EMISSING || rc == AB_EINVALID);
	for (size_t i = 0; rc == AB_OK && i < buf.len; i++)
		ab_assert((unsigned char)buf.data[i] >= 0x20 && buf.data[i] != 0x7F);
	ab_buf_fini(&buf);
	ab_arena_unref(call.arena);
	free(needs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *newline = size > 0 ? memchr(text, '\n', size) : NULL;
	size_t len = newline != NULL ? (size_t)(newline - text) : 0;
	struct ab_conf conf = {.type = AB_CONF_STRING, .pos = {"fuzz", 1, 1}};
	struct ab_pieces *pieces;
	struct ab_diags *diags;
	struct ab_scope scope;
	json_t *values;
	char *copy;

	if (newline == NULL || memchr(text, 0, len) != NULL || !ab_utf8_valid(text, len))
		return 0;
	copy = strndup(text, len);
	diags = ab_diags_create();
	ab_assert(copy != NULL && diags != NULL);
	values = ab_json_read(newline + 1, size - len - 1, NULL);
	conf.u.string.text = copy;
	conf.u.string.len = len;
	ab_scope_init(&scope, "fuzzed", diags);
	pieces = ab_pieces_compile(&scope, &conf);
	if (pieces != NULL)
		fill(pieces, &scope, values);
	else
		ab_assert(ab_diags_mistakes(diags) > 0);
	ab_pieces_destroy(pieces);
	json_decref(values);
	ab_scope_fini(&scope);
	ab_diags_destroy(diags);
	free(copy);
	return 0;
}
