/* handlers/mustache/nest.c: which closing tag belongs to which opening tag, and what stands inside what. */
#include "program.h"

static bool opens(const struct mustache_token *token)
{
	return token->type == TOKEN_SECTION || token->type == TOKEN_INVERTED || token->type == TOKEN_PARENT ||
	       token->type == TOKEN_BLOCK;
}

static const char *sigil(const struct mustache_token *token)
{
	switch (token->type) {
	case TOKEN_SECTION:
		return "#";
	case TOKEN_INVERTED:
		return "^";
	case TOKEN_PARENT:
		return token->dynamic ? "<*" : "<";
	default:
		return "$";
	}
}

/* Inside {{<parent}} only blocks count; anything else would be silently lost. */
static void check_inside_parent(
        struct mustache_compiler *c, const struct mustache_token *token, const struct mustache_token *parent)
{
	switch (token->type) {
	case TOKEN_VALUE:
	case TOKEN_RAW:
	case TOKEN_SECTION:
	case TOKEN_INVERTED:
	case TOKEN_PARTIAL:
	case TOKEN_PARENT:
		ab_mustache_mistake(c, token->pos,
		        "{{%s%.*s}} takes only blocks; expected this tag inside a {{$block}}", sigil(parent),
		        (int)parent->text.len, parent->text.text);
		break;
	default:
		break;
	}
}

/* Close the innermost open tag, `open` (-1: none). Returns what is open then. */
static int nest_close(struct mustache_compiler *c, int open, int at)
{
	struct mustache_token *items = c->tokens.items, *close = &items[at];

	if (open < 0) {
		ab_mustache_mistake(c, close->pos,
		        "{{/%.*s}} closes nothing; expected an opening tag before it", (int)close->text.len,
		        close->text.text);
		return -1;
	}
	if (!mustache_same(items[open].text, close->text) || items[open].dynamic != close->dynamic) {
		ab_mustache_mistake(c, close->pos,
		        "{{/%.*s}} closes {{%s%.*s}} of line %u; expected {{/%s%.*s}}", (int)close->text.len,
		        close->text.text, sigil(&items[open]), (int)items[open].text.len,
		        items[open].text.text, items[open].pos.line, items[open].dynamic ? "*" : "",
		        (int)items[open].text.len, items[open].text.text);
	}
	close->match = open;
	close->up = items[open].up;
	items[open].match = at;
	return items[open].up;
}

void ab_mustache_nest(struct mustache_compiler *c)
{
	struct mustache_token *items = c->tokens.items;
	int open = -1;
	unsigned depth = 0;

	for (int i = 0; i < (int)c->tokens.count; i++) {
		struct mustache_token *token = &items[i];

		if (token->type == TOKEN_CLOSE) {
			depth -= open >= 0;
			open = nest_close(c, open, i);
			continue;
		}
		token->up = open;
		if (open >= 0 && items[open].type == TOKEN_PARENT)
			check_inside_parent(c, token, &items[open]);
		if (!opens(token))
			continue;
		if (++depth > MUSTACHE_DEPTH) {
			ab_mustache_mistake(c, token->pos, "tags nest deeper than %d", MUSTACHE_DEPTH);
			return;
		}
		open = i;
	}
	for (; open >= 0; open = items[open].up)
		ab_mustache_mistake(c, items[open].pos, "{{%s%.*s}} is not closed; expected {{/%s%.*s}}",
		        sigil(&items[open]), (int)items[open].text.len, items[open].text.text,
		        items[open].dynamic ? "*" : "", (int)items[open].text.len, items[open].text.text);
}
