/* handlers/value.c: the kind `value`, and plain literals: what stands in the app file is the value. */
#include "kinds.h"

#include "json.h"

#include <string.h>

struct value_config {
	json_t *value;
	bool secret;
};

static void value_start(struct ab_call *call)
{
	const struct value_config *config = call->resource->config;

	ab_call_resolve_new(call, json_incref(config->value));
}

static void value_free(void *arg)
{
	struct value_config *config = arg;

	json_decref(config->value);
	free(config);
}

static bool has_secret(const struct ab_conf *conf)
{
	bool secret = conf->secret;

	for (size_t i = 0; conf->type == AB_CONF_LIST && i < conf->u.list.count; i++)
		secret |= has_secret(conf->u.list.items[i]);
	for (size_t i = 0; conf->type == AB_CONF_MAP && i < conf->u.map.count; i++)
		secret |= has_secret(conf->u.map.pairs[i].value);
	return secret;
}

static bool value_compile(struct ab_compile *compile)
{
	struct value_config *config = calloc(1, sizeof(*config));

	if (config != NULL)
		config->value = ab_conf_json(compile->value);
	if (config == NULL || config->value == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		free(config);
		return false;
	}
	config->secret = has_secret(compile->value);
	compile->resource->config = config;
	return true;
}

static void value_describe(const void *arg, char *buf, size_t size)
{
	const struct value_config *config = arg;
	struct ab_buf text;

	ab_buf_init(&text, 4 * size);
	if (!config->secret)
		ab_json_write(&text, config->value);
	if (config->secret)
		snprintf(buf, size, "from ${...}");
	else if (!text.failed && text.len < size && text.len <= 60)
		snprintf(buf, size, "%s", text.data);
	else
		snprintf(buf, size, "a long %s",
		        json_is_object(config->value)  ? "object"
		        : json_is_array(config->value) ? "list"
		                                       : "string");
	ab_buf_fini(&text);
}

static const struct ab_handler value_handler = {.kind = "value", .start = value_start, .free = value_free};
static const char *const value_keys[] = {NULL};

const struct ab_kind ab_kind_value = {
        .name = "value",
        .keys = value_keys,
        .handler = &value_handler,
        .compile = value_compile,
        .describe = value_describe,
};
