/* handlers/mustache/lint.c: hints at tags where escaping for HTML does not protect: scripts, styles,
 * attributes without quotes, the beginning of a URL. A scan of the literal text, not an HTML parser; it only
 * ever hints. */
#include "program.h"

#include <ctype.h>

enum where {
	IN_TEXT,
	IN_COMMENT,
	IN_NAME,
	IN_TAG,
	AFTER_EQUALS,
	IN_BARE,
	IN_DOUBLE,
	IN_SINGLE,
	IN_SCRIPT,
	IN_STYLE
};

struct scan {
	enum where where;
	char last[9];       /* the latest characters, in lower case */
	char name[16];      /* of the element */
	char attribute[16]; /* the latest */
	bool value_begun;   /* something stands before in the attribute's value */
};

static bool ends(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return memcmp(s->last + sizeof(s->last) - len, text, len) == 0;
}

static void append(char *word, size_t size, char c)
{
	size_t len = strlen(word);

	if (len + 1 < size)
		word[len] = c;
}

static void scan_name(struct scan *s, char c)
{
	if (c == '>')
		s->where = strcmp(s->name, "script") == 0  ? IN_SCRIPT
		           : strcmp(s->name, "style") == 0 ? IN_STYLE
		                                           : IN_TEXT;
	else if (isspace((unsigned char)c) || c == '/')
		s->where = IN_TAG;
	else if (s->where == IN_NAME)
		append(s->name, sizeof(s->name), c);
}

static void scan_tag(struct scan *s, char c)
{
	if (c == '=') {
		s->where = AFTER_EQUALS;
		s->value_begun = false;
		return;
	}
	if (isspace((unsigned char)s->last[sizeof(s->last) - 2]))
		memset(s->attribute, 0, sizeof(s->attribute));
	append(s->attribute, sizeof(s->attribute), c);
	scan_name(s, c);
}

static void scan_char(struct scan *s, char c)
{
	c = (char)tolower((unsigned char)c);
	memmove(s->last, s->last + 1, sizeof(s->last) - 1);
	s->last[sizeof(s->last) - 1] = c;
	switch (s->where) {
	case IN_TEXT:
		if (s->last[sizeof(s->last) - 2] == '<' && (isalpha((unsigned char)c) || c == '/')) {
			memset(s->name, 0, sizeof(s->name));
			s->name[0] = c;
			s->where = IN_NAME;
		} else if (ends(s, "<!--")) {
			s->where = IN_COMMENT;
		}
		break;
	case IN_COMMENT:
		if (ends(s, "-->"))
			s->where = IN_TEXT;
		break;
	case IN_NAME:
		scan_name(s, c);
		break;
	case IN_TAG:
		scan_tag(s, c);
		break;
	case AFTER_EQUALS:
	case IN_BARE:
		if (s->where == AFTER_EQUALS && (c == '"' || c == '\''))
			s->where = c == '"' ? IN_DOUBLE : IN_SINGLE;
		else if (c == '>' || (s->where == IN_BARE && isspace((unsigned char)c)))
			scan_name(s, c);
		else if (!isspace((unsigned char)c))
			s->where = IN_BARE;
		break;
	case IN_DOUBLE:
	case IN_SINGLE:
		if (c == (s->where == IN_DOUBLE ? '"' : '\''))
			s->where = IN_TAG;
		s->value_begun = true;
		break;
	case IN_SCRIPT:
	case IN_STYLE:
		if (ends(s, s->where == IN_SCRIPT ? "</script" : "</style"))
			s->where = IN_TAG;
		if (s->where == IN_TAG)
			memset(s->name, 0, sizeof(s->name));
		break;
	}
}

static bool takes_url(const char *attribute)
{
	static const char *const urls[] = {"href", "src", "action", "formaction", "xlink:href"};

	for (size_t i = 0; i < AB_COUNT(urls); i++)
		if (strcmp(attribute, urls[i]) == 0)
			return true;
	return false;
}

static void lint_value(struct scan *s, const struct mustache_token *token, struct ab_diags *diags)
{
	int len = (int)(token->text.len > 60 ? 60 : token->text.len);
	const char *name = token->text.text;
	bool quoted = s->where == IN_DOUBLE || s->where == IN_SINGLE;

	if (s->where == IN_SCRIPT || s->where == IN_STYLE)
		ab_hint(diags, token->pos,
		        "{{%.*s}} inside <%s>: escaping for HTML does not protect there; "
		        "put the value into a data- attribute and read it from the script",
		        len, name, s->where == IN_SCRIPT ? "script" : "style");
	else if (s->where == AFTER_EQUALS || s->where == IN_BARE)
		ab_hint(diags, token->pos,
		        "{{%.*s}} in an attribute without quotes: a blank in the value begins "
		        "another attribute; write %s=\"{{%.*s}}\"",
		        len, name, s->attribute, len, name);
	else if (quoted && strncmp(s->attribute, "on", 2) == 0)
		ab_hint(diags, token->pos,
		        "{{%.*s}} inside %s: escaping for HTML does not protect in a script; "
		        "put the value into a data- attribute",
		        len, name, s->attribute);
	else if (quoted && !s->value_begun && takes_url(s->attribute))
		ab_hint(diags, token->pos,
		        "{{%.*s}} begins the URL in %s, so it may be 'javascript:'; "
		        "begin with literal text, or make the URL with the kind `url`",
		        len, name, s->attribute);
	if (s->where == AFTER_EQUALS)
		s->where = IN_BARE;
	s->value_begun = true;
}

void ab_mustache_lint(const struct mustache_tokens *tokens, struct ab_diags *diags)
{
	struct scan s = {.where = IN_TEXT};

	for (size_t i = 0; i < tokens->count; i++) {
		const struct mustache_token *token = &tokens->items[i];

		if (token->type == TOKEN_VALUE)
			lint_value(&s, token, diags);
		else if (token->type <= TOKEN_NEWLINE)
			for (uint32_t k = 0; k < token->text.len; k++)
				scan_char(&s, token->text.text[k]);
	}
}
