/* handlers/structure.c: JSON structures made of literals and strings with placeholders. See placeholder.h.
 *
 * What has no placeholder in it, however large, is one value made at load and shared by reference. */
#include "placeholder.h"

#include "json.h"

#include <string.h>

enum { STRUCTURE_TEXT_MAX = 16 * 1024 * 1024 }; /* of one mixed string */

enum node_type {
	NODE_LITERAL,
	NODE_VALUE, /* a string that is one placeholder */
	NODE_TEXT,  /* a string with placeholders and other text */
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_type type;
	json_t *literal;
	struct ab_pieces *pieces; /* NODE_VALUE, NODE_TEXT */
	struct node *items;       /* NODE_LIST, NODE_MAP */
	const char **keys;        /* NODE_MAP; of the app file */
	size_t count;
};

struct ab_structure {
	struct node root;
};

/* ---- compiling ---- */

static bool node_compile(struct ab_scope *scope, const struct ab_conf *conf, struct node *node);

static void node_fini(struct node *node)
{
	for (size_t i = 0; node->items != NULL && i < node->count; i++)
		node_fini(&node->items[i]);
	free(node->items);
	free(node->keys);
	ab_pieces_destroy(node->pieces);
	json_decref(node->literal);
	*node = (struct node){0};
}

static bool node_nomem(struct ab_scope *scope, const struct ab_conf *conf)
{
	ab_diag(scope->diags, conf->pos, "out of memory");
	return false;
}

/* `{product.name}` without quotes is a mapping with one key and nothing under it. */
static bool is_unquoted(struct ab_scope *scope, const struct ab_conf *conf)
{
	const struct ab_conf *value = conf->u.map.count == 1 ? conf->u.map.pairs[0].value : NULL;
	char line[400];

	if (value == NULL || conf->written == NULL || conf->written[0] != '{' ||
	        value->type != AB_CONF_NULL || value->written_len != 0)
		return false;
	ab_conf_quote_line(conf, line, sizeof(line));
	ab_diag(scope->diags, conf->pos,
	        "'{%.80s}' without quotes is a mapping; a placeholder needs quotes%s%s",
	        conf->u.map.pairs[0].key, line[0] != '\0' ? ": " : "", line);
	return true;
}

/* Whether it became the one literal that a list or mapping of literals is, unless out of memory. */
static bool node_collapse(struct node *node)
{
	json_t *literal = node->type == NODE_MAP ? json_object() : json_array();
	bool ok = literal != NULL;

	for (size_t i = 0; i < node->count && ok; i++) {
		json_t *item = json_incref(node->items[i].literal);

		ok = (node->type == NODE_MAP ? json_object_set_new_nocheck(literal, node->keys[i], item)
		                             : json_array_append_new(literal, item)) == 0;
	}
	if (!ok) {
		json_decref(literal);
		return false;
	}
	node_fini(node);
	node->type = NODE_LITERAL;
	node->literal = literal;
	return true;
}

static bool string_compile(struct ab_scope *scope, const struct ab_conf *conf, struct node *node)
{
	const char *text;

	node->pieces = ab_pieces_compile(scope, conf);
	if (node->pieces == NULL)
		return false;
	if (!ab_pieces_literal(node->pieces, &text)) {
		node->type = ab_pieces_alone(node->pieces) != NULL ? NODE_VALUE : NODE_TEXT;
		return true;
	}
	node->literal = json_string(text);
	ab_pieces_destroy(node->pieces);
	node->pieces = NULL;
	return node->literal != NULL || node_nomem(scope, conf);
}

static bool items_compile(struct ab_scope *scope, const struct ab_conf *conf, struct node *node)
{
	bool map = conf->type == AB_CONF_MAP, literal = true, ok = true;

	node->type = map ? NODE_MAP : NODE_LIST;
	node->count = map ? conf->u.map.count : conf->u.list.count;
	node->items = calloc(node->count + 1, sizeof(*node->items));
	node->keys = map ? calloc(node->count + 1, sizeof(*node->keys)) : NULL;
	if (node->items == NULL || (map && node->keys == NULL))
		return node_nomem(scope, conf);
	for (size_t i = 0; i < node->count; i++) {
		if (map)
			node->keys[i] = conf->u.map.pairs[i].key;
		ok &= node_compile(
		        scope, map ? conf->u.map.pairs[i].value : conf->u.list.items[i], &node->items[i]);
		literal &= node->items[i].type == NODE_LITERAL;
	}
	if (ok && literal && !node_collapse(node))
		return node_nomem(scope, conf);
	return ok;
}

/* On failure the node is for node_fini all the same. Depth is that of the tree, which its reader bounds. */
static bool node_compile(struct ab_scope *scope, const struct ab_conf *conf, struct node *node)
{
	switch (conf->type) {
	case AB_CONF_STRING:
		return string_compile(scope, conf, node);
	case AB_CONF_MAP:
		return !is_unquoted(scope, conf) && items_compile(scope, conf, node);
	case AB_CONF_LIST:
		return items_compile(scope, conf, node);
	default:
		node->literal = ab_conf_json(conf);
		return node->literal != NULL || node_nomem(scope, conf);
	}
}

struct ab_structure *ab_structure_compile(struct ab_scope *scope, const struct ab_conf *conf)
{
	struct ab_structure *structure = calloc(1, sizeof(*structure));

	if (structure == NULL) {
		node_nomem(scope, conf);
		return NULL;
	}
	if (!node_compile(scope, conf, &structure->root)) {
		ab_structure_destroy(structure);
		return NULL;
	}
	return structure;
}

void ab_structure_destroy(struct ab_structure *structure)
{
	if (structure == NULL)
		return;
	node_fini(&structure->root);
	free(structure);
}

/* ---- looking inside ---- */

bool ab_structure_alone(const struct ab_structure *structure)
{
	return structure->root.type == NODE_VALUE;
}

static void node_needs(const struct node *node, bool *used)
{
	if (node->pieces != NULL)
		ab_pieces_needs(node->pieces, used);
	for (size_t i = 0; i < node->count; i++)
		node_needs(&node->items[i], used);
}

void ab_structure_needs(const struct ab_structure *structure, bool *used)
{
	node_needs(&structure->root, used);
}

/* ---- filling ---- */

static json_t *node_fill(const struct node *node, const struct ab_call *call, struct ab_error *err);

static json_t *fill_nomem(struct ab_error *err)
{
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return NULL;
}

/* Borrowed, or NULL when missing. */
static json_t *node_value(const struct node *node, const struct ab_call *call)
{
	return ab_ref_get(ab_pieces_alone(node->pieces), call);
}

static json_t *text_fill(const struct node *node, const struct ab_call *call, struct ab_error *err)
{
	struct ab_buf buf;
	json_t *value = NULL;
	enum ab_code rc;

	ab_buf_init(&buf, STRUCTURE_TEXT_MAX);
	rc = ab_pieces_fill(node->pieces, call, AB_PIECES_TEXT, &buf, err);
	if (rc == AB_EMISSING)
		value = json_null();
	else if (rc == AB_OK) {
		value = json_stringn_nocheck(buf.data != NULL ? buf.data : "", buf.len);
		if (value == NULL)
			fill_nomem(err);
	}
	ab_buf_fini(&buf);
	return value;
}

static json_t *items_fill(const struct node *node, const struct ab_call *call, struct ab_error *err)
{
	json_t *filled = node->type == NODE_MAP ? json_object() : json_array(), *item;
	int rc;

	if (filled == NULL)
		return fill_nomem(err);
	for (size_t i = 0; i < node->count; i++) {
		item = node_fill(&node->items[i], call, err);
		if (item == NULL) {
			json_decref(filled);
			return NULL;
		}
		rc = node->type == NODE_MAP ? json_object_set_new_nocheck(filled, node->keys[i], item)
		                            : json_array_append_new(filled, item);
		if (rc != 0) {
			json_decref(filled);
			return fill_nomem(err);
		}
	}
	return filled;
}

static json_t *node_fill(const struct node *node, const struct ab_call *call, struct ab_error *err)
{
	json_t *value;

	switch (node->type) {
	case NODE_LITERAL:
		return json_incref(node->literal);
	case NODE_VALUE:
		value = node_value(node, call);
		return value == NULL ? json_null() : json_incref(value);
	case NODE_TEXT:
		return text_fill(node, call, err);
	case NODE_LIST:
	case NODE_MAP:
		break;
	}
	return items_fill(node, call, err);
}

json_t *ab_structure_fill(
        const struct ab_structure *structure, const struct ab_call *call, struct ab_error *err)
{
	return node_fill(&structure->root, call, err);
}

/* ---- writing ---- */

static void write_string(struct ab_buf *buf, const char *text, size_t len)
{
	ab_buf_addc(buf, '"');
	ab_json_write_escaped(buf, text, len);
	ab_buf_addc(buf, '"');
}

static enum ab_code text_write(
        const struct node *node, const struct ab_call *call, struct ab_buf *buf, struct ab_error *err)
{
	struct ab_buf text;
	enum ab_code rc;

	ab_buf_init(&text, STRUCTURE_TEXT_MAX);
	rc = ab_pieces_fill(node->pieces, call, AB_PIECES_TEXT, &text, err);
	if (rc == AB_OK) {
		write_string(buf, text.data != NULL ? text.data : "", text.len);
	} else if (rc == AB_EMISSING) {
		ab_buf_adds(buf, "null");
		rc = AB_OK;
	}
	ab_buf_fini(&text);
	return rc;
}

static enum ab_code node_write(
        const struct node *node, const struct ab_call *call, struct ab_buf *buf, struct ab_error *err)
{
	json_t *value;
	enum ab_code rc = AB_OK;

	switch (node->type) {
	case NODE_LITERAL:
		ab_json_write(buf, node->literal);
		return AB_OK;
	case NODE_VALUE:
		value = node_value(node, call);
		if (value == NULL)
			ab_buf_adds(buf, "null");
		else
			ab_json_write(buf, value);
		return AB_OK;
	case NODE_TEXT:
		return text_write(node, call, buf, err);
	case NODE_LIST:
	case NODE_MAP:
		break;
	}
	ab_buf_addc(buf, node->type == NODE_MAP ? '{' : '[');
	for (size_t i = 0; i < node->count && rc == AB_OK; i++) {
		if (i > 0)
			ab_buf_addc(buf, ',');
		if (node->type == NODE_MAP) {
			write_string(buf, node->keys[i], strlen(node->keys[i]));
			ab_buf_addc(buf, ':');
		}
		rc = node_write(&node->items[i], call, buf, err);
	}
	ab_buf_addc(buf, node->type == NODE_MAP ? '}' : ']');
	return rc;
}

enum ab_code ab_structure_write(const struct ab_structure *structure, const struct ab_call *call,
        struct ab_buf *buf, struct ab_error *err)
{
	enum ab_code rc = node_write(&structure->root, call, buf, err);

	if (rc == AB_OK && buf->failed)
		return buf->too_big ? ab_error_set(err, AB_EINVALID,
		                              "larger than the %zu bytes there are for it, or "
		                              "nested too deeply",
		                              buf->max)
		                    : ab_error_set(err, AB_ENOMEM, "out of memory");
	return rc;
}
