/* tests/lib/conf.c: see conf.h. The tree borrows its strings from the parsed JSON, which is kept with it. */
#include "conf.h"

#include <string.h>

struct chunk {
	struct chunk *next;
	max_align_t data[];
};

struct test_conf {
	json_t *json;
	struct chunk *chunks;
	const struct ab_conf *root;
	unsigned nodes;
};

static void *or_die(void *ptr)
{
	if (ptr == NULL) {
		fprintf(stderr, "test conf: out of memory\n");
		abort();
	}
	return ptr;
}

static void *conf_alloc(struct test_conf *conf, size_t size)
{
	struct chunk *chunk = or_die(calloc(1, sizeof(*chunk) + size));

	chunk->next = conf->chunks;
	conf->chunks = chunk;
	return chunk->data;
}

static const struct ab_conf *conf_build(struct test_conf *conf, json_t *json);

static void build_list(struct test_conf *conf, struct ab_conf *node, json_t *json)
{
	size_t count = json_array_size(json);
	const struct ab_conf **items = conf_alloc(conf, (count + 1) * sizeof(struct ab_conf *));

	for (size_t i = 0; i < count; i++)
		items[i] = conf_build(conf, json_array_get(json, i));
	node->type = AB_CONF_LIST;
	node->u.list.items = items;
	node->u.list.count = count;
}

static void build_map(struct test_conf *conf, struct ab_conf *node, json_t *json)
{
	struct ab_conf_pair *pairs = conf_alloc(conf, (json_object_size(json) + 1) * sizeof(*pairs));
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(json, key, value)
	{
		pairs[n].key = key;
		pairs[n].value = conf_build(conf, value);
		pairs[n].pos = pairs[n].value->pos;
		n++;
	}
	node->type = AB_CONF_MAP;
	node->u.map.pairs = pairs;
	node->u.map.count = n;
}

static void build_string(struct test_conf *conf, struct ab_conf *node, const char *text)
{
	size_t len = strlen(text);

	node->type = AB_CONF_STRING;
	node->quoted = true;
	if (len > 3 && strncmp(text, "${", 2) == 0 && text[len - 1] == '}') {
		struct ab_conf_span *span = conf_alloc(conf, sizeof(*span));
		char *value = conf_alloc(conf, len);

		len -= 3;
		memcpy(value, text + 2, len);
		span->to = len;
		node->spans = span;
		node->n_spans = 1;
		node->secret = true;
		text = value;
	}
	node->u.string.text = text;
	node->u.string.len = len;
}

static const struct ab_conf *conf_build(struct test_conf *conf, json_t *json)
{
	struct ab_conf *node = conf_alloc(conf, sizeof(*node));

	node->pos = (struct ab_pos){.file = "test.yaml", .line = 1, .column = ++conf->nodes};
	switch (json_typeof(json)) {
	case JSON_NULL:
		node->type = AB_CONF_NULL;
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		node->type = AB_CONF_BOOL;
		node->u.boolean = json_is_true(json);
		break;
	case JSON_INTEGER:
		node->type = AB_CONF_INT;
		node->u.integer = json_integer_value(json);
		break;
	case JSON_REAL:
		node->type = AB_CONF_REAL;
		node->u.real = json_real_value(json);
		break;
	case JSON_STRING:
		build_string(conf, node, json_string_value(json));
		break;
	case JSON_ARRAY:
		build_list(conf, node, json);
		break;
	case JSON_OBJECT:
		build_map(conf, node, json);
		break;
	}
	return node;
}

char *test_quotes(const char *text)
{
	char *copy = or_die(strdup(text));

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '`')
			*c = '"';
	return copy;
}

struct test_conf *test_conf_create(const char *text)
{
	struct test_conf *conf = or_die(calloc(1, sizeof(*conf)));
	char *quoted = test_quotes(text);
	json_error_t error;

	conf->json = json_loads(quoted, JSON_DECODE_ANY, &error);
	if (conf->json == NULL) {
		fprintf(stderr, "test conf: %s in %s\n", error.text, quoted);
		abort();
	}
	free(quoted);
	conf->root = conf_build(conf, conf->json);
	return conf;
}

void test_conf_destroy(struct test_conf *conf)
{
	if (conf == NULL)
		return;
	while (conf->chunks != NULL) {
		struct chunk *chunk = conf->chunks;

		conf->chunks = chunk->next;
		free(chunk);
	}
	json_decref(conf->json);
	free(conf);
}

const struct ab_conf *test_conf_root(const struct test_conf *conf)
{
	return conf->root;
}

static void append_line(void *arg, enum ab_severity severity, const char *line)
{
	char **text = arg, *longer;

	(void)severity;
	if (asprintf(&longer, "%s%s%s", *text, **text == '\0' ? "" : "\n", line) < 0)
		abort();
	free(*text);
	*text = longer;
}

char *test_diags(struct ab_diags *diags)
{
	char *text = or_die(strdup(""));

	ab_diags_each(diags, append_line, &text);
	return text;
}
