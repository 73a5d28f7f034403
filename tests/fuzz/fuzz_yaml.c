/* tests/fuzz/fuzz_yaml.c: any bytes as an app file's text: read without a crash, within bounds, and what is
 * read is a value that JSON can hold. */
#include "../../server/source.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(void *arg, enum ab_severity severity, const char *line)
{
	(void)severity;
	if (strchr(line, '\n') != NULL)
		abort();
	++*(size_t *)arg;
}

/* Every scalar says where it stands, and how it would look in quotes, without leaving its text. */
static void visit(const struct ab_conf *node)
{
	char line[600];

	if (node->pos.line == 0 || node->pos.column == 0)
		abort();
	ab_conf_quote_line(node, line, sizeof(line));
	ab_conf_cut(node);
	if (node->type == AB_CONF_STRING) {
		if (strlen(node->u.string.text) != node->u.string.len)
			abort();
		for (size_t i = 0; i <= node->u.string.len && i < 100; i++)
			if (ab_conf_at(node, i).line < node->pos.line)
				abort();
	}
	for (size_t i = 0; node->type == AB_CONF_LIST && i < node->u.list.count; i++)
		visit(node->u.list.items[i]);
	for (size_t i = 0; node->type == AB_CONF_MAP && i < node->u.map.count; i++)
		visit(node->u.map.pairs[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ab_diags *diags = ab_diags_create();
	struct ab_conf_tree *tree;
	const struct ab_conf *root;
	size_t lines = 0;
	json_t *json;

	if (diags == NULL)
		return 0;
	setenv("HOME", "5", 1);
	root = ab_yaml_read("fuzz.yaml", "/nonexistent", (const char *)data, size, &tree, diags);
	ab_diags_each(diags, check_line, &lines);
	if (root == NULL && lines == 0)
		abort();
	if (root != NULL) {
		visit(root);
		json = ab_conf_json(root);
		if (json == NULL)
			abort();
		json_decref(json);
	}
	ab_conf_tree_destroy(tree);
	ab_diags_destroy(diags);
	return 0;
}
