/* handlers/mustache/layout.c: which blanks and line ends are the author's layout of tags and not output.
 *
 * A section, comment, delimiter or partial tag alone on its line takes the line with it. A parent's tags,
 * with all between them, count as one such tag. A block begins on the line after its tag when nothing follows
 * that tag; its text loses the indentation it has where it is written, and gets that of the place where it is
 * put. */
#include "program.h"

struct layout {
	struct mustache_token *items;
	int count;
};

static bool is_blank_text(const struct mustache_token *token)
{
	if (token->type == TOKEN_MARGIN)
		return true;
	if (token->type != TOKEN_TEXT)
		return false;
	for (uint32_t i = 0; i < token->text.len; i++)
		if (token->text.text[i] != ' ' && token->text.text[i] != '\t')
			return false;
	return true;
}

static bool is_literal(const struct mustache_token *token)
{
	return token->type <= TOKEN_NEWLINE;
}

static bool is_inheritance(const struct layout *l, const struct mustache_token *token)
{
	if (token->type == TOKEN_CLOSE && token->match >= 0)
		token = &l->items[token->match];
	return token->type == TOKEN_PARENT || token->type == TOKEN_BLOCK;
}

/* The margin of the line that token `at` is on. */
static int line_start(const struct layout *l, int at)
{
	while (at > 0 && l->items[at].type != TOKEN_MARGIN)
		at--;
	return at;
}

/* The newline of the line, or `count` when the text ends first. */
static int line_end(const struct layout *l, int at)
{
	while (at < l->count && l->items[at].type != TOKEN_NEWLINE)
		at++;
	return at;
}

static void hide(struct layout *l, int from, int to)
{
	for (int i = from; i < to && i < l->count; i++)
		if (is_literal(&l->items[i]))
			l->items[i].hidden = true;
}

/* Only blanks in [from, to), and tags of inheritance if those are allowed. */
static bool only(const struct layout *l, int from, int to, bool inheritance)
{
	for (int i = from; i < to; i++)
		if (!is_blank_text(&l->items[i]) && !(inheritance && is_inheritance(l, &l->items[i])))
			return false;
	return true;
}

static bool stands_alone(const struct layout *l, const struct mustache_token *token)
{
	switch (token->type) {
	case TOKEN_SECTION:
	case TOKEN_INVERTED:
	case TOKEN_PARTIAL:
	case TOKEN_COMMENT:
		return true;
	case TOKEN_CLOSE:
		return token->match >= 0 && !is_inheritance(l, token);
	default:
		return false;
	}
}

/* A line with one such tag and blanks. Returns where the next line starts. */
static int layout_line(struct layout *l, int from)
{
	int end = line_end(l, from), tag = -1;

	for (int i = from; i < end; i++) {
		if (is_blank_text(&l->items[i]))
			continue;
		if (tag >= 0 || !stands_alone(l, &l->items[i]))
			return end + 1;
		tag = i;
	}
	if (tag >= 0) {
		hide(l, from, end + 1);
		l->items[tag].fresh = true;
	}
	return end + 1;
}

static void layout_parent(struct layout *l, int at)
{
	int close = l->items[at].match, end = line_end(l, close);

	if (l->items[at - 1].type != TOKEN_MARGIN || !only(l, close + 1, end, false))
		return;
	l->items[at - 1].hidden = true;
	l->items[at].fresh = true;
	hide(l, close + 1, end + 1);
}

static bool is_argument(const struct layout *l, int block)
{
	return l->items[block].up >= 0 && l->items[l->items[block].up].type == TOKEN_PARENT;
}

static void layout_block_tags(struct layout *l, int at)
{
	int close = l->items[at].match;
	int start = line_start(l, at), end = line_end(l, at);
	bool argument = is_argument(l, at);

	if (end < close && only(l, at + 1, end, false) && (argument || only(l, start, at, true))) {
		l->items[at].fresh = true;
		hide(l, at + 1, end + 1);
		if (start == at - 1)
			l->items[start].hidden = true;
	}
	start = line_start(l, close);
	end = line_end(l, close);
	if (start > at && only(l, start, close, true) && (argument || only(l, close + 1, end, true))) {
		hide(l, start, close);
		if (!argument && only(l, close + 1, end, false))
			hide(l, close, end + 1);
	}
}

/* The longest run of blanks that all lines of output between two tags begin with; `common` to start with.
 * False when there is no such line. */
static bool common_margin(const struct layout *l, int from, int to, bool any, struct mustache_slice *common)
{
	bool found = any;

	for (int i = from + 1; i < to; i++) {
		const struct mustache_token *token = &l->items[i];
		uint32_t len = 0;

		if (token->type != TOKEN_MARGIN || token->hidden || i + 1 == to ||
		        token[1].type == TOKEN_NEWLINE)
			continue;
		if (token->up >= 0 && l->items[token->up].type == TOKEN_PARENT)
			continue;
		if (!found) {
			*common = token->text;
			found = true;
		}
		while (len < common->len && len < token->text.len &&
		        common->text[len] == token->text.text[len])
			len++;
		common->len = len;
	}
	return found;
}

static void layout_block_indent(struct layout *l, int at)
{
	struct mustache_token *block = &l->items[at], *margin = &l->items[at - 1];
	struct mustache_slice indent = {NULL, 0}, first = {NULL, 0};

	if (margin->type == TOKEN_MARGIN)
		first = margin->text;
	if (block->fresh) {
		if (!common_margin(l, at, block->match, false, &indent))
			indent = first;
	} else if (first.len > 0) {
		indent = first;
		common_margin(l, at, block->match, true, &indent);
		if (indent.len < first.len)
			return; /* its further lines stand to the left of it: left as they are */
		margin->hidden = true;
	}
	block->indent = indent;
	for (int i = at + 1; i < block->match && indent.len > 0; i++) {
		struct mustache_slice *text = &l->items[i].text;
		uint32_t cut = text->len < indent.len ? text->len : indent.len;

		if (l->items[i].type != TOKEN_MARGIN)
			continue;
		text->text += cut;
		text->len -= cut;
	}
}

void ab_mustache_layout(struct mustache_compiler *c)
{
	struct layout l = {c->tokens.items, (int)c->tokens.count};

	for (int i = 0; i < l.count;)
		i = layout_line(&l, i);
	for (int i = 1; i < l.count; i++) {
		if (l.items[i].type == TOKEN_PARENT)
			layout_parent(&l, i);
		else if (l.items[i].type == TOKEN_BLOCK)
			layout_block_tags(&l, i);
	}
	/* Outer blocks first: what they cut is gone for those inside. */
	for (int i = 1; i < l.count; i++) {
		struct mustache_token *token = &l.items[i];

		if (token->type == TOKEN_BLOCK)
			layout_block_indent(&l, i);
		else if ((token->type == TOKEN_PARTIAL || token->type == TOKEN_PARENT) && token->fresh)
			token->indent = l.items[line_start(&l, i)].text;
	}
}
