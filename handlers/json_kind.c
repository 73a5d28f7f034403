/* handlers/json_kind.c: the kind `json`: a structure with its placeholders filled. */
#include "carry.h"
#include "kinds.h"
#include "placeholder.h"

static void json_start(struct ab_call *call)
{
	struct ab_error err;
	json_t *value = ab_structure_fill(call->resource->config, call, &err);

	if (value != NULL)
		ab_call_resolve_new(call, value);
	else
		ab_call_fail(call, &err);
}

static void json_free(void *config)
{
	ab_structure_destroy(config);
}

static bool json_compile(struct ab_compile *compile)
{
	struct ab_structure *structure = ab_structure_compile(compile->scope, compile->value);

	if (structure == NULL)
		return false;
	compile->resource->config = structure;
	return true;
}

static const struct ab_handler json_handler = {.kind = "json", .start = json_start, .free = json_free};
static const char *const json_keys[] = {NULL};

const struct ab_kind ab_kind_json = {
        .name = "json",
        .keys = json_keys,
        .handler = &json_handler,
        .compile = json_compile,
        .passes_text = ab_passes_always,
};
