/* server/yaml.c: an app file's text as a tree of nodes, through libyaml's events. Every bound is kept here:
 * depth, nodes, what aliases stand for. The only file that knows yaml.h. */
#include "../handlers/json.h"
#include "conf_tree.h"

#include <string.h>
#include <yaml.h>

struct anchor {
	const char *name;
	const struct ab_conf *node; /* NULL while it is being read */
	size_t size;                /* nodes, with those of aliases inside */
	unsigned height;
};

struct reader {
	yaml_parser_t parser;
	struct ab_conf_tree *tree;
	struct ab_diags *diags;
	const char *dir;
	size_t index, offset;  /* a character's number and the byte it begins at: where the last mark was */
	size_t nodes, aliased; /* counted against the bounds */
	unsigned deepest;
	struct anchor anchors[AB_APP_MAX_ANCHORS];
	size_t n_anchors;
	bool stopped; /* nothing more can be read; reported */
};

/* A growing list in the tree's memory. */
struct items {
	void *data;
	size_t count;
};

static struct ab_conf *read_node(struct reader *r, yaml_event_t *event, unsigned depth);

/* ---- small things ---- */

static struct ab_pos pos_of(const struct reader *r, yaml_mark_t mark)
{
	return (struct ab_pos){
	        .file = r->tree->file, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* For what the parser knows no mark of. */
static struct ab_pos pos_of_byte(const struct reader *r, size_t offset)
{
	struct ab_pos pos = {r->tree->file, 1, 1};

	for (size_t i = 0; i < offset && i < r->tree->len; i++) {
		pos.column += !is_continuation(r->tree->text[i]);
		if (r->tree->text[i] == '\n') {
			pos.line++;
			pos.column = 1;
		}
	}
	return pos;
}

/* The byte a mark is at. Marks count characters and come nearly in order, so walk from the last one. */
static size_t offset_of(struct reader *r, yaml_mark_t mark)
{
	const char *text = r->tree->text;

	while (r->index < mark.index && r->offset < r->tree->len) {
		do
			r->offset++;
		while (is_continuation(text[r->offset]));
		r->index++;
	}
	while (r->index > mark.index && r->offset > 0) {
		do
			r->offset--;
		while (is_continuation(text[r->offset]));
		r->index--;
	}
	return r->offset;
}

static void *stop(struct reader *r)
{
	r->stopped = true;
	return NULL;
}

static void *stop_nomem(struct reader *r, struct ab_pos pos)
{
	ab_diag(r->diags, pos, "out of memory");
	return stop(r);
}

static bool next_event(struct reader *r, yaml_event_t *event)
{
	const yaml_parser_t *p = &r->parser;
	struct ab_pos pos;

	if (yaml_parser_parse(&r->parser, event))
		return true;
	pos = pos_of(r, p->problem_mark);
	if (p->error == YAML_MEMORY_ERROR)
		ab_diag(r->diags, (struct ab_pos){r->tree->file, 1, 1}, "out of memory");
	else if (p->error == YAML_READER_ERROR)
		ab_diag(r->diags, pos_of_byte(r, p->problem_offset),
		        "the control character U+%04X; expected text",
		        p->problem_value < 0 ? 0 : (unsigned)p->problem_value);
	else
		ab_yaml_explain(r->diags, pos, p->problem, p->context, pos_of(r, p->context_mark),
		        r->tree->text, offset_of(r, p->problem_mark));
	stop(r);
	return false;
}

static bool push(struct reader *r, struct items *items, const void *item, size_t size)
{
	if ((items->count & (items->count - 1)) == 0) {
		void *more = ab_tree_alloc(r->tree, (items->count == 0 ? 1 : 2 * items->count) * size);

		if (more == NULL)
			return false;
		if (items->count > 0)
			memcpy(more, items->data, items->count * size);
		items->data = more;
	}
	memcpy((char *)items->data + items->count * size, item, size);
	items->count++;
	return true;
}

/* Count and make a node. NULL when a bound is reached, or no memory. */
static struct ab_conf *new_node(struct reader *r, const yaml_event_t *event, unsigned depth)
{
	struct ab_pos pos = pos_of(r, event->start_mark);
	size_t start = offset_of(r, event->start_mark), end = offset_of(r, event->end_mark);
	struct ab_conf *node;

	if (++r->nodes > AB_APP_MAX_NODES) {
		ab_diag(r->diags, pos, "more than %d values in one file", AB_APP_MAX_NODES);
		return stop(r);
	}
	if (depth > AB_APP_MAX_DEPTH) {
		ab_diag(r->diags, pos, "lists and mappings nested deeper than %d", AB_APP_MAX_DEPTH);
		return stop(r);
	}
	if (depth > r->deepest)
		r->deepest = depth;
	node = ab_tree_alloc(r->tree, sizeof(*node));
	if (node == NULL)
		return stop_nomem(r, pos);
	if (r->tree->text[start] == '&') {
		size_t skipped = strcspn(r->tree->text + start, " \t\r\n");

		skipped += strspn(r->tree->text + start + skipped, " \t");
		start = start + skipped < end ? start + skipped : end;
	}
	*node = (struct ab_conf){
	        .pos = pos, .written = r->tree->text + start, .written_len = end > start ? end - start : 0};
	return node;
}

/* The node counts as a string that needs no further word. */
static void make_refused(struct ab_conf *node)
{
	node->type = AB_CONF_STRING;
	node->u.string.text = "";
	node->u.string.len = 0;
	node->refused = true;
}

/* WHAT; expected quotes, shown in the node's line where that is short enough. */
static void refuse_unquoted(struct reader *r, struct ab_conf *node, const char *what)
{
	char line[600];

	if (ab_conf_quote_line(node, line, sizeof(line))[0] != '\0')
		ab_diag(r->diags, node->pos, "%s; expected quotes: %s", what, line);
	else
		ab_diag(r->diags, node->pos, "%s; expected quotes round it", what);
	make_refused(node);
}

static void refuse_tag(struct reader *r, struct ab_conf *node, const yaml_char_t *tag)
{
	if (tag == NULL)
		return;
	ab_diag(r->diags, node->pos,
	        "the tag %.*s; expected none: quotes make a string, and nothing else needs one",
	        (int)strcspn(node->written, " \t\r\n,]}"), node->written);
	node->refused = true;
}

/* ---- anchors and aliases ---- */

static struct anchor *anchor_find(struct reader *r, const char *name)
{
	for (size_t i = 0; i < r->n_anchors; i++)
		if (strcmp(r->anchors[i].name, name) == 0)
			return &r->anchors[i];
	return NULL;
}

/* NULL when there is no anchor, or it was refused. */
static struct anchor *anchor_begin(struct reader *r, const yaml_char_t *name, struct ab_pos pos)
{
	struct anchor *anchor;

	if (name == NULL)
		return NULL;
	if (anchor_find(r, (const char *)name) != NULL) {
		ab_diag(r->diags, pos, "the anchor &%.60s is here twice; expected names of their own",
		        (const char *)name);
		return NULL;
	}
	if (r->n_anchors == AB_APP_MAX_ANCHORS) {
		ab_diag(r->diags, pos, "more than %d anchors", AB_APP_MAX_ANCHORS);
		return stop(r);
	}
	anchor = &r->anchors[r->n_anchors];
	*anchor = (struct anchor){
	        .name = ab_tree_strndup(r->tree, (const char *)name, strlen((const char *)name)),
	        .size = r->nodes + r->aliased};
	if (anchor->name == NULL)
		return stop_nomem(r, pos);
	r->n_anchors++;
	return anchor;
}

static struct ab_conf *read_alias(struct reader *r, const yaml_event_t *event, unsigned depth)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = anchor_find(r, name);
	struct ab_conf *node = new_node(r, event, depth);
	char what[160];

	if (node == NULL)
		return NULL;
	if (anchor == NULL) {
		snprintf(what, sizeof(what), "an unquoted '*' begins an alias, and no anchor is named %.60s",
		        name);
		refuse_unquoted(r, node, what);
		return node;
	}
	if (anchor->node == NULL) {
		ab_diag(r->diags, node->pos, "the alias *%.60s stands inside what it names", name);
		make_refused(node);
		return node;
	}
	r->aliased += anchor->size;
	if (r->aliased > AB_APP_MAX_ALIASED) {
		ab_diag(r->diags, node->pos, "aliases that stand for more than %d values",
		        AB_APP_MAX_ALIASED);
		return stop(r);
	}
	if (depth + anchor->height > AB_APP_MAX_DEPTH) {
		ab_diag(r->diags, node->pos, "lists and mappings nested deeper than %d", AB_APP_MAX_DEPTH);
		return stop(r);
	}
	if (depth + anchor->height > r->deepest)
		r->deepest = depth + anchor->height;
	*node = *anchor->node;
	return node;
}

/* ---- scalars ---- */

static void resolve_plain(struct reader *r, struct ab_conf *node, bool from_env)
{
	char why[200];

	if (from_env && node->u.string.len == 0)
		return;
	if (ab_plain_resolve(node, node->u.string.text, node->u.string.len, why, sizeof(why)))
		return;
	if (from_env)
		ab_diag(r->diags, node->pos,
		        "unquoted, the value that ${...} has here could be a string or something else; expected quotes: "
		        "\"%.*s\"",
		        (int)(node->written_len > 60 ? 60 : node->written_len), node->written);
	else
		ab_diag(r->diags, node->pos, "%s", why);
	make_refused(node);
}

static struct ab_conf *read_scalar(struct reader *r, const yaml_event_t *event, unsigned depth)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct ab_conf *node = new_node(r, event, depth);
	bool whole;

	if (node == NULL)
		return NULL;
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->type = AB_CONF_STRING;
	node->u.string.text = ab_tree_strndup(r->tree, text, len);
	node->u.string.len = len;
	if (node->u.string.text == NULL)
		return stop_nomem(r, node->pos);
	if (memchr(text, '\0', len) != NULL) {
		ab_diag(r->diags, node->pos, "a NUL character in a string; expected text");
		make_refused(node);
		return node;
	}
	if (!ab_interpolate(r->tree, r->dir, node, &whole, r->diags)) {
		make_refused(node);
		return node;
	}
	if (!node->quoted && event->data.scalar.tag == NULL && (whole || strstr(text, "${") == NULL))
		resolve_plain(r, node, whole);
	refuse_tag(r, node, event->data.scalar.tag);
	return node;
}

/* ---- lists ---- */

static bool is_empty_scalar(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       event->data.scalar.length == 0;
}

static struct ab_conf *read_list(struct reader *r, const yaml_event_t *start, unsigned depth)
{
	struct ab_conf *node = new_node(r, start, depth);
	struct items items = {0};
	yaml_event_t event;

	while (node != NULL) {
		const struct ab_conf *item;

		if (!next_event(r, &event))
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (is_empty_scalar(&event)) {
			ab_diag(r->diags, pos_of(r, event.start_mark),
			        "an item without a value; expected one, or null");
			yaml_event_delete(&event);
			continue;
		}
		item = read_node(r, &event, depth + 1);
		if (item == NULL)
			return NULL;
		if (!push(r, &items, &item, sizeof(struct ab_conf *)))
			return stop_nomem(r, node->pos);
	}
	if (node == NULL)
		return NULL;
	node->written_len = offset_of(r, event.end_mark) - (size_t)(node->written - r->tree->text);
	yaml_event_delete(&event);
	node->type = AB_CONF_LIST;
	node->u.list.items = items.data;
	node->u.list.count = items.count;
	refuse_tag(r, node, start->data.sequence_start.tag);
	return node;
}

/* ---- mappings ---- */

struct mapping {
	struct ab_conf *node;
	bool flow;
	struct items pairs;
	struct ab_conf *cut; /* the value that a comma ended, when keys without values follow it */
	bool dropped;        /* a key was, for want of a value */
	bool placeholder;    /* {name.path} where "{name.path}" was meant */
	unsigned depth;
};

static bool looks_like_path(const char *text)
{
	return text[0] != '\0' &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$@"
	                         "+#?&;/")] == '\0';
}

/* The keys of a file that hold a mapping, and so no null. */
static bool is_section(const char *name)
{
	static const char *const sections[] = {
	        "resources", "routes", "errors", "server", "upstreams", "databases", "defaults"};

	for (size_t i = 0; i < AB_COUNT(sections); i++)
		if (strcmp(name, sections[i]) == 0)
			return true;
	return false;
}

/* A key of a flow mapping that has no value: what is left of a text that quotes should have kept together. */
static void key_without_value(
        struct reader *r, struct mapping *m, const struct ab_conf *key, const char *name)
{
	struct ab_conf_pair *last =
	        m->pairs.count == 0 ? NULL : (struct ab_conf_pair *)m->pairs.data + m->pairs.count - 1;
	const char *after = key->written + key->written_len;
	struct ab_conf *value;

	m->dropped = true;
	if (m->flow && (*after == '[' || *after == '{')) /* the parser is about to stumble over the same */
		return;
	after += strspn(after, " \t");
	if (m->flow && *after != ':' && !key->quoted) {
		if (last == NULL && *after == '}' && looks_like_path(name)) {
			m->placeholder = true;
			return;
		}
		value = last == NULL ? NULL : (struct ab_conf *)(uintptr_t)last->value;
		if (value != NULL && value->type < AB_CONF_LIST && !value->quoted && !value->secret) {
			value->written_len = (size_t)(key->written + key->written_len - value->written);
			m->cut = value;
			return;
		}
		if (strchr(name, ':') != NULL) {
			ab_diag(r->diags, key->pos,
			        "'%.60s' is a key without a value; expected a space after its ':'", name);
			return;
		}
	}
	ab_diag(r->diags, key->pos, "'%.60s' has no value; expected %s", name,
	        strstr(name, " /") != NULL          ? "the name of a resource"
	        : m->depth == 1 && is_section(name) ? "a mapping"
	                                            : "one, or null");
}

static void report_cut(struct reader *r, struct mapping *m)
{
	if (m->cut != NULL)
		refuse_unquoted(r, m->cut, "a comma ends an unquoted value inside {}");
	m->cut = NULL;
}

/* The key's text, or NULL when it is refused (or reading has stopped); *ret_key has where it stands. */
static const char *read_key(
        struct reader *r, struct mapping *m, yaml_event_t *event, struct ab_conf **ret_key)
{
	struct ab_conf *key;
	const char *text;
	bool plain;

	if (event->type != YAML_SCALAR_EVENT) {
		key = read_node(r, event, m->depth + 1);
		*ret_key = key;
		if (key == NULL)
			return NULL;
		if (m->flow && m->pairs.count == 0 && m->node->written[1] == '{')
			m->placeholder = true;
		else if (!key->refused)
			ab_diag(r->diags, key->pos, "a key that is not a string; expected 'key: value'");
		return NULL;
	}
	key = new_node(r, event, m->depth + 1);
	*ret_key = key;
	if (key == NULL) {
		yaml_event_delete(event);
		return NULL;
	}
	plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	key->quoted = !plain;
	text = ab_tree_strndup(r->tree, (const char *)event->data.scalar.value, event->data.scalar.length);
	if (text == NULL)
		stop_nomem(r, key->pos);
	else if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
		ab_diag(r->diags, key->pos, "an anchor or a tag at a key; expected none");
	else if (strlen(text) != event->data.scalar.length)
		ab_diag(r->diags, key->pos, "a NUL character in a key; expected text");
	else if (plain && text[0] == '\0')
		ab_diag(r->diags, key->pos, "a ':' without a key; expected 'key: value'");
	else if (plain && strcmp(text, "<<") == 0)
		ab_diag(r->diags, key->pos,
		        "merge keys ('<<') are not part of an app file; expected the keys written out");
	else if (strstr(text, "${") != NULL)
		ab_diag(r->diags, key->pos, "${...} can't stand in a key; expected it in a value");
	else {
		yaml_event_delete(event);
		return text;
	}
	yaml_event_delete(event);
	return NULL;
}

static bool read_pair(struct reader *r, struct mapping *m, yaml_event_t *event)
{
	struct ab_conf *key = NULL;
	struct ab_conf_pair pair;

	pair.key = read_key(r, m, event, &key);
	if (r->stopped || key == NULL || !next_event(r, event))
		return false;
	if (is_empty_scalar(event)) {
		if (pair.key != NULL)
			key_without_value(r, m, key, pair.key);
		yaml_event_delete(event);
		return true;
	}
	report_cut(r, m);
	pair.pos = key->pos;
	pair.value = read_node(r, event, m->depth + 1);
	if (pair.value == NULL)
		return false;
	if (pair.key != NULL && !push(r, &m->pairs, &pair, sizeof(pair))) {
		stop_nomem(r, key->pos);
		return false;
	}
	return true;
}

static int pair_compare(const void *a, const void *b)
{
	const struct ab_conf_pair *x = *(const struct ab_conf_pair *const *)a,
	                          *y = *(const struct ab_conf_pair *const *)b;
	int by_key = strcmp(x->key, y->key);

	return by_key != 0 ? by_key : x < y ? -1 : x > y;
}

/* A key twice: report the later ones and forget them. */
static bool drop_duplicates(struct reader *r, struct mapping *m)
{
	struct ab_conf_pair *pairs = m->pairs.data;
	const struct ab_conf_pair **sorted;
	size_t kept = 0;

	if (m->pairs.count < 2)
		return true;
	sorted = malloc(m->pairs.count * sizeof(struct ab_conf_pair *));
	if (sorted == NULL) {
		stop_nomem(r, m->node->pos);
		return false;
	}
	for (size_t i = 0; i < m->pairs.count; i++)
		sorted[i] = &pairs[i];
	qsort(sorted, m->pairs.count, sizeof(struct ab_conf_pair *), pair_compare);
	for (size_t i = 1; i < m->pairs.count; i++) {
		struct ab_conf_pair *pair = (struct ab_conf_pair *)(uintptr_t)sorted[i];

		if (strcmp(sorted[i - 1]->key, pair->key) != 0)
			continue;
		ab_diag(r->diags, pair->pos, "'%.60s' is here twice; expected it once (first at line %u)",
		        pair->key, sorted[i - 1]->pos.line);
		pair->value = NULL;
	}
	free(sorted);
	for (size_t i = 0; i < m->pairs.count; i++)
		if (pairs[i].value != NULL)
			pairs[kept++] = pairs[i];
	m->pairs.count = kept;
	return true;
}

static void report_placeholder(struct reader *r, struct ab_conf *node)
{
	if (node->written[-1] == '{') /* the inner one of {{...}} */
		make_refused(node);
	else
		refuse_unquoted(r, node, "{...} without quotes is a mapping, not a placeholder");
}

static struct ab_conf *read_mapping(struct reader *r, const yaml_event_t *start, unsigned depth)
{
	struct mapping m = {
	        .node = new_node(r, start, depth),
	        .flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
	        .depth = depth,
	};
	yaml_event_t event;

	while (m.node != NULL) {
		if (!next_event(r, &event))
			return NULL;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		if (!read_pair(r, &m, &event))
			return NULL;
	}
	if (m.node == NULL)
		return NULL;
	m.node->written_len = offset_of(r, event.end_mark) - (size_t)(m.node->written - r->tree->text);
	yaml_event_delete(&event);
	report_cut(r, &m);
	if (m.placeholder) {
		report_placeholder(r, m.node);
		return m.node;
	}
	if (!drop_duplicates(r, &m))
		return NULL;
	m.node->type = AB_CONF_MAP;
	m.node->u.map.pairs = m.pairs.data;
	m.node->u.map.count = m.pairs.count;
	m.node->refused = m.dropped && m.pairs.count == 0;
	refuse_tag(r, m.node, start->data.mapping_start.tag);
	return m.node;
}

/* Read the node that begins with `event`, which is deleted. NULL when reading has stopped. Recurses to
 * AB_APP_MAX_DEPTH. */
static struct ab_conf *read_node(struct reader *r, yaml_event_t *event, unsigned depth)
{
	const yaml_char_t *name = event->type == YAML_SCALAR_EVENT ? event->data.scalar.anchor
	                          : event->type == YAML_SEQUENCE_START_EVENT
	                                  ? event->data.sequence_start.anchor
	                          : event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.anchor
	                                                                    : NULL;
	struct anchor *anchor = anchor_begin(r, name, pos_of(r, event->start_mark));
	unsigned deepest = r->deepest;
	struct ab_conf *node = NULL;

	r->deepest = depth;
	if (r->stopped)
		node = NULL;
	else if (event->type == YAML_ALIAS_EVENT)
		node = read_alias(r, event, depth);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		node = read_list(r, event, depth);
	else if (event->type == YAML_MAPPING_START_EVENT)
		node = read_mapping(r, event, depth);
	else
		node = read_scalar(r, event, depth);
	yaml_event_delete(event);
	if (anchor != NULL && node != NULL) {
		anchor->node = node;
		anchor->size = r->nodes + r->aliased - anchor->size;
		anchor->height = r->deepest - depth;
	}
	if (deepest > r->deepest)
		r->deepest = deepest;
	return node;
}

/* ---- the document ---- */

static const struct ab_conf *read_root(struct reader *r, yaml_event_t *event)
{
	struct ab_pos pos = pos_of(r, event->start_mark);
	const struct ab_conf *root;

	if (event->data.document_start.version_directive != NULL ||
	        event->data.document_start.tag_directives.start !=
	                event->data.document_start.tag_directives.end)
		ab_diag(r->diags, (struct ab_pos){r->tree->file, 1, 1}, "a %% directive; expected none");
	yaml_event_delete(event);
	if (!next_event(r, event))
		return NULL;
	if (is_empty_scalar(event)) {
		yaml_event_delete(event);
		ab_diag(r->diags, pos,
		        "the file holds no document; expected a mapping with resources and routes");
		return stop(r);
	}
	root = read_node(r, event, 1);
	if (root == NULL || !next_event(r, event))
		return NULL;
	yaml_event_delete(event); /* the document's end */
	if (!next_event(r, event))
		return NULL;
	if (event->type == YAML_DOCUMENT_START_EVENT)
		ab_diag(r->diags, pos_of(r, event->start_mark), "a second document; expected one in a file");
	yaml_event_delete(event);
	return root;
}

static const struct ab_conf *read_stream(struct reader *r)
{
	yaml_event_t event;

	if (!next_event(r, &event))
		return NULL;
	yaml_event_delete(&event); /* the stream's start */
	if (!next_event(r, &event))
		return NULL;
	if (event.type == YAML_DOCUMENT_START_EVENT)
		return read_root(r, &event);
	yaml_event_delete(&event);
	ab_diag(r->diags, (struct ab_pos){r->tree->file, 1, 1},
	        "the file is empty; expected a mapping with resources and routes");
	return NULL;
}

/* Text that libyaml may see: UTF-8 without NUL, of a bearable size. */
static bool check_text(const char *file, const char *text, size_t len, struct ab_diags *diags)
{
	struct ab_pos pos = {file, 1, 1};
	const char *end = text + len;

	if (len > AB_APP_MAX_BYTES) {
		ab_diag(diags, pos, "the file has %zu bytes; expected at most %d", len, AB_APP_MAX_BYTES);
		return false;
	}
	for (const char *line = text; line < end; pos.line++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = newline == NULL ? (size_t)(end - line) : (size_t)(newline + 1 - line);

		if (memchr(line, '\0', n) != NULL || !ab_utf8_valid(line, n)) {
			ab_diag(diags, pos,
			        memchr(line, '\0', n) != NULL
			                ? "a NUL byte; expected UTF-8 text"
			                : "bytes that are not UTF-8; expected UTF-8 text");
			return false;
		}
		line += n;
	}
	return true;
}

static struct ab_conf_tree *tree_for(const char *file, const char *text, size_t len)
{
	struct ab_conf_tree *tree = ab_tree_create();
	char *copy;

	if (tree == NULL)
		return NULL;
	copy = ab_tree_alloc(tree, len + 2);
	tree->file = ab_tree_strndup(tree, file, strlen(file));
	if (copy == NULL || tree->file == NULL) {
		ab_conf_tree_destroy(tree);
		return NULL;
	}
	copy[0] = '\n';
	memcpy(copy + 1, text, len);
	copy[len + 1] = '\0';
	tree->text = copy + 1;
	tree->len = len;
	return tree;
}

const struct ab_conf *ab_yaml_read(const char *file, const char *dir, const char *text, size_t len,
        struct ab_conf_tree **ret_tree, struct ab_diags *diags)
{
	struct reader *r;
	const struct ab_conf *root = NULL;

	*ret_tree = NULL;
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if (!check_text(file, text, len, diags))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL || !yaml_parser_initialize(&r->parser)) {
		free(r);
		ab_diag(diags, (struct ab_pos){file, 1, 1}, "out of memory");
		return NULL;
	}
	r->diags = diags;
	r->dir = dir;
	r->tree = tree_for(file, text, len);
	if (r->tree == NULL) {
		ab_diag(diags, (struct ab_pos){file, 1, 1}, "out of memory");
	} else {
		yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->tree->text, len);
		root = read_stream(r);
	}
	yaml_parser_delete(&r->parser);
	if (r->stopped || root == NULL) {
		ab_conf_tree_destroy(r->tree);
		root = NULL;
	} else {
		*ret_tree = r->tree;
	}
	free(r);
	return root;
}
