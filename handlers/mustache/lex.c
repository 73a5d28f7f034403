/* handlers/mustache/lex.c: a template's text as tokens, line by line, so that later passes can take lines
 * away.
 *
 * Every line begins with a margin token (its leading blanks, perhaps none) and, but for the last, ends with a
 * newline token. A tag is one token, also when it spans lines. */
#include "program.h"

struct lexer {
	struct mustache_compiler *c;
	const char *at, *end;
	struct mustache_slice open, close; /* delimiters */
	struct ab_pos pos;                 /* of `at`; in an app file's string, of the latest tag */
	const struct ab_conf *conf;
	const char *text;
};

static const char blanks[] = " \t\r\n\v\f";

static bool is_blank(char c)
{
	return c != '\0' && strchr(blanks, c) != NULL;
}

static void lexer_advance(struct lexer *lx, const char *to)
{
	if (lx->conf != NULL)
		lx->at = to;
	for (; lx->at < to; lx->at++) {
		if (*lx->at == '\n') {
			lx->pos.line++;
			lx->pos.column = 1;
		} else if (((unsigned char)*lx->at & 0xc0) != 0x80) {
			lx->pos.column++;
		}
	}
}

static struct mustache_token *lexer_add(
        struct lexer *lx, enum mustache_token_type type, const char *text, size_t len)
{
	struct mustache_tokens *tokens = &lx->c->tokens;
	struct mustache_token *items =
	        ab_mustache_grow(lx->c, tokens->items, tokens->count, &tokens->size, sizeof(*items));

	if (items == NULL)
		return NULL;
	tokens->items = items;
	items += tokens->count++;
	*items = (struct mustache_token){.type = type,
	        .text = {text, (uint32_t)len},
	        .pos = lx->pos,
	        .match = -1,
	        .up = -1,
	        .body = -1};
	return items;
}

static bool starts_with(const char *at, const char *end, struct mustache_slice what)
{
	return (size_t)(end - at) >= what.len && memcmp(at, what.text, what.len) == 0;
}

static struct mustache_slice trim(const char *from, const char *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (from < to && is_blank(to[-1]))
		to--;
	return (struct mustache_slice){from, (uint32_t)(to - from)};
}

/* {{=<% %>=}} */
static void lexer_delimiters(struct lexer *lx, struct mustache_slice inside)
{
	const char *end = inside.text + inside.len, *gap = inside.text;
	struct mustache_slice open, close;

	while (gap < end && !is_blank(*gap))
		gap++;
	open = (struct mustache_slice){inside.text, (uint32_t)(gap - inside.text)};
	close = trim(gap, end);
	for (const char *s = close.text; s < end; s++)
		if (is_blank(*s))
			close.len = 0;
	if (open.len == 0 || close.len == 0 || memchr(inside.text, '=', inside.len) != NULL) {
		ab_mustache_mistake(lx->c, lx->pos,
		        "bad delimiters '%.*s'; expected two words without '=', as in {{=<%% %%>=}}",
		        (int)(inside.len > 40 ? 40 : inside.len), inside.text);
		return;
	}
	lx->open = open;
	lx->close = close;
}

/* A name has no blanks and no braces: what has is most likely a tag that was never closed, or another
 * language. */
static bool lexer_name(struct lexer *lx, struct mustache_slice name)
{
	int shown = (int)(name.len > 40 ? 40 : name.len);

	if (name.len == 0) {
		ab_mustache_mistake(lx->c, lx->pos, "empty tag; expected a name");
		return false;
	}
	for (uint32_t i = 0; i < name.len; i++) {
		char ch = name.text[i];

		if (ch == '{' || ch == '}' || ch == '\n') {
			while (shown > 0 && memchr(name.text, '\n', (size_t)shown) != NULL)
				shown--;
			ab_mustache_mistake(lx->c, lx->pos, "bad tag '%.*s'; expected '%.*s' behind the name",
			        shown, name.text, (int)lx->close.len, lx->close.text);
			return false;
		}
		if (is_blank(ch)) {
			ab_mustache_mistake(lx->c, lx->pos,
			        "bad tag '%.*s'; expected one name without blanks ({{#name}}...{{/name}} is both "
			        "'if' and 'for each', {{^name}}...{{/name}} is 'if not')",
			        shown, name.text);
			return false;
		}
		if ((unsigned char)ch < 0x20 || ch == 0x7f) {
			ab_mustache_mistake(lx->c, lx->pos, "control character in a tag; expected a name");
			return false;
		}
	}
	return true;
}

static enum mustache_token_type tag_type(char sigil)
{
	switch (sigil) {
	case '#':
		return TOKEN_SECTION;
	case '^':
		return TOKEN_INVERTED;
	case '/':
		return TOKEN_CLOSE;
	case '>':
		return TOKEN_PARTIAL;
	case '<':
		return TOKEN_PARENT;
	case '$':
		return TOKEN_BLOCK;
	case '&':
	case '{':
		return TOKEN_RAW;
	case '!':
	case '=':
		return TOKEN_COMMENT;
	default:
		return TOKEN_VALUE;
	}
}

/* Where the tag's inside ends; *ret_after is behind the tag. NULL when it is not closed. */
static const char *tag_end(const struct lexer *lx, const char *from, char sigil, const char **ret_after)
{
	bool brace = sigil == '{' || sigil == '=';
	char last = sigil == '{' ? '}' : '=';

	for (const char *at = from; at < lx->end; at++) {
		if (brace && *at != last)
			continue;
		if (starts_with(at + brace, lx->end, lx->close)) {
			*ret_after = at + brace + lx->close.len;
			return at;
		}
	}
	return NULL;
}

/* False when the tag does not end. */
static bool lexer_tag(struct lexer *lx)
{
	const char *from = lx->at + lx->open.len, *to, *after;
	struct mustache_slice inside;
	struct mustache_token *token;
	enum mustache_token_type type;
	bool dynamic = false;
	char sigil;

	if (lx->conf != NULL)
		lx->pos = ab_conf_at(lx->conf, (size_t)(lx->at - lx->text));
	while (from < lx->end && is_blank(*from))
		from++;
	sigil = '\0';
	type = TOKEN_VALUE;
	if (from < lx->end && !starts_with(from, lx->end, lx->close)) {
		type = tag_type(*from);
		if (type != TOKEN_VALUE)
			sigil = *from++;
	}
	to = tag_end(lx, from, sigil, &after);
	if (to == NULL) {
		ab_mustache_mistake(lx->c, lx->pos, "tag is not closed; expected '%s%.*s'",
		        sigil == '{'   ? "}"
		        : sigil == '=' ? "="
		                       : "",
		        (int)lx->close.len, lx->close.text);
		return false;
	}
	inside = trim(from, to);
	if (sigil == '=') {
		lexer_delimiters(lx, inside);
	} else if (sigil != '!') {
		if ((type == TOKEN_PARTIAL || type == TOKEN_PARENT || type == TOKEN_CLOSE) &&
		        inside.len > 0 && *inside.text == '*') {
			dynamic = true;
			inside = trim(inside.text + 1, inside.text + inside.len);
		}
		if (!lexer_name(lx, inside))
			inside = (struct mustache_slice){"?", 1};
	}
	token = lexer_add(lx, type, inside.text, inside.len);
	if (token != NULL)
		token->dynamic = dynamic;
	lexer_advance(lx, after);
	return true;
}

static void lexer_margin(struct lexer *lx)
{
	const char *to = lx->at;

	while (to < lx->end && (*to == ' ' || *to == '\t'))
		to++;
	lexer_add(lx, TOKEN_MARGIN, lx->at, (size_t)(to - lx->at));
	lexer_advance(lx, to);
}

/* The literal up to the next tag or line end. */
static void lexer_text(struct lexer *lx)
{
	const char *to = lx->at;

	while (to < lx->end && *to != '\n' && !starts_with(to, lx->end, lx->open))
		to++;
	if (to < lx->end && *to == '\n' && to > lx->at && to[-1] == '\r')
		to--;
	if (to > lx->at) {
		lexer_add(lx, TOKEN_TEXT, lx->at, (size_t)(to - lx->at));
		lexer_advance(lx, to);
	}
	if (lx->at < lx->end &&
	        (*lx->at == '\n' || (*lx->at == '\r' && lx->at + 1 < lx->end && lx->at[1] == '\n'))) {
		to = lx->at + (*lx->at == '\r' ? 2 : 1);
		lexer_add(lx, TOKEN_NEWLINE, lx->at, (size_t)(to - lx->at));
		lexer_advance(lx, to);
		lexer_margin(lx);
	}
}

void ab_mustache_lex(struct mustache_compiler *c, const struct mustache_body *body)
{
	struct lexer lx = {
	        .c = c,
	        .at = body->text,
	        .end = body->text + body->len,
	        .open = {"{{", 2},
	        .close = {"}}", 2},
	        .pos = body->start,
	        .conf = body->conf,
	        .text = body->text,
	};

	c->tokens.count = 0;
	lexer_margin(&lx);
	while (lx.at < lx.end && !c->no_memory) {
		if (!starts_with(lx.at, lx.end, lx.open))
			lexer_text(&lx);
		else if (!lexer_tag(&lx))
			break;
	}
}
