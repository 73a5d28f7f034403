/* handlers/jq/lex.c: see lex.h. The words of libjq 1.6 and 1.7 together: what one of them does not know it
 * says when it compiles. */
#include "lex.h"

#include <string.h>

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Beyond the name at `i`; `i` when there is none. */
static size_t name_end(const char *text, size_t len, size_t i)
{
	if (i >= len || !is_alpha(text[i]))
		return i;
	while (i < len && (is_alpha(text[i]) || is_digit(text[i])))
		i++;
	return i;
}

/* The same with modules: a::b. */
static size_t path_end(const char *text, size_t len, size_t i)
{
	size_t end = name_end(text, len, i);

	while (end > i && end + 2 < len && text[end] == ':' && text[end + 1] == ':' &&
	        is_alpha(text[end + 2]))
		end = name_end(text, len, end + 2);
	return end;
}

/* Carriage returns are none of jq's blanks; it says so itself. A comment ends with its line: in jq 1.6 a
 * carriage return ends it as well, and then is no blank, so that nothing behind one is ever hidden. */
static size_t skip_blanks(const char *text, size_t len, size_t i)
{
	while (i < len) {
		if (text[i] == '#')
			while (i < len && text[i] != '\n' && text[i] != '\r')
				i++;
		else if (text[i] == ' ' || text[i] == '\t' || text[i] == '\n')
			i++;
		else
			break;
	}
	return i;
}

static size_t number_end(const char *text, size_t len, size_t i)
{
	size_t exponent;

	while (i < len && (is_digit(text[i]) || text[i] == '.'))
		i++;
	if (i < len && (text[i] == 'e' || text[i] == 'E')) {
		exponent = i + 1;
		if (exponent < len && (text[exponent] == '+' || text[exponent] == '-'))
			exponent++;
		if (exponent < len && is_digit(text[exponent])) {
			i = exponent;
			while (i < len && is_digit(text[i]))
				i++;
		}
	}
	return i;
}

static void lex_op(const char *text, size_t len, struct ab_jq_token *token)
{
	static const struct {
		char text[4];
		int op;
	} ops[] = {
	        {"?//", AB_JQ_ALTERNATION},
	        {"//=", AB_JQ_ASSIGN},
	        {"//", AB_JQ_DEFINED_OR},
	        {"==", AB_JQ_EQ},
	        {"!=", AB_JQ_NEQ},
	        {"<=", AB_JQ_LE},
	        {">=", AB_JQ_GE},
	        {"|=", AB_JQ_UPDATE},
	        {"+=", AB_JQ_ASSIGN},
	        {"-=", AB_JQ_ASSIGN},
	        {"*=", AB_JQ_ASSIGN},
	        {"/=", AB_JQ_ASSIGN},
	        {"%=", AB_JQ_ASSIGN},
	        {"..", AB_JQ_REC},
	};
	const char *at = text + token->start;
	size_t left = len - token->start;

	for (size_t i = 0; i < AB_COUNT(ops); i++) {
		size_t n = strlen(ops[i].text);

		if (n > left || memcmp(at, ops[i].text, n) != 0)
			continue;
		token->op = ops[i].op;
		token->len = n;
		return;
	}
	token->op = (unsigned char)*at;
	token->len = 1;
	if (*at == '\0' || strchr(".?=;,:|+-*/%<>()[]{}", *at) == NULL)
		token->type = AB_JQ_BAD;
}

/* A $ and a name, with blanks between them perhaps. */
static void lex_binding(const char *text, size_t len, struct ab_jq_token *token)
{
	size_t start = skip_blanks(text, len, token->start + 1), end = path_end(text, len, start);

	token->type = end > start ? AB_JQ_BINDING : AB_JQ_BAD;
	token->len = end > start ? end - token->start : 1;
	token->name_start = start;
	token->name_len = end - start;
}

static void lex_span(struct ab_jq_token *token, enum ab_jq_token_type type, size_t end, size_t skip)
{
	token->type = type;
	token->len = end - token->start;
	token->name_start = token->start + skip;
	token->name_len = token->len - skip;
}

struct ab_jq_token ab_jq_lex(const char *text, size_t len, size_t offset)
{
	struct ab_jq_token token = {.type = AB_JQ_OP, .start = skip_blanks(text, len, offset)};
	size_t i = token.start;
	char c;

	if (i >= len) {
		token.type = AB_JQ_END;
		return token;
	}
	c = text[i];
	if (is_alpha(c)) {
		lex_span(&token, AB_JQ_IDENT, path_end(text, len, i), 0);
	} else if (c == '.' && i + 1 < len && is_alpha(text[i + 1])) {
		lex_span(&token, AB_JQ_FIELD, name_end(text, len, i + 1), 1);
	} else if (c == '@' && i + 1 < len && (is_alpha(text[i + 1]) || is_digit(text[i + 1]))) {
		do
			i++;
		while (i < len && (is_alpha(text[i]) || is_digit(text[i])));
		lex_span(&token, AB_JQ_FORMAT, i, 1);
	} else if (is_digit(c) || (c == '.' && i + 1 < len && is_digit(text[i + 1]))) {
		lex_span(&token, AB_JQ_NUMBER, number_end(text, len, i), 0);
	} else if (c == '"') {
		lex_span(&token, AB_JQ_QUOTE, i + 1, 1);
	} else if (c == '$') {
		lex_binding(text, len, &token);
	} else {
		lex_op(text, len, &token);
	}
	return token;
}

size_t ab_jq_lex_fields(const char *text, size_t len, size_t offset)
{
	size_t i = offset;

	while (i + 1 < len && text[i] == '.' && is_alpha(text[i + 1]))
		i = name_end(text, len, i + 1);
	return i - offset;
}
