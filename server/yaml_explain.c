/* server/yaml_explain.c: the parser's complaints, said in words of the app file. Most come from missing
 * quotes, so the message shows the line as it would look with them. */
#include "conf_tree.h"

#include <string.h>

/* Where an unquoted value stands: `start` to `end` on one line. */
struct extent {
	const char *start, *end;
};

static const char *start_of_line(const char *at)
{
	while (at[-1] != '\n')
		at--;
	return at;
}

/* Skip a quoted string that begins at `at`; stays before the line's end. */
static const char *skip_quoted(const char *at)
{
	char quote = *at++;

	while (*at != '\0' && *at != '\n' && *at != '\r' && *at != quote)
		at += *at == '\\' && quote == '"' && at[1] != '\0' && at[1] != '\n' ? 2 : 1;
	return *at == quote ? at + 1 : at;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* The '-' of a block list. */
static bool is_item(const char *line, const char *at)
{
	return *at == '-' && at[1] == ' ' && strspn(line, " ") == (size_t)(at - line);
}

/* What an item of a flow list follows on. */
static bool is_flow_item(const char *line, const char *at)
{
	return *at == ',' || (*at == '[' && (at == line || strchr(" {[,", at[-1]) != NULL));
}

/* The unquoted value that the parser stumbled in at `at`: from after the last "key: " (or the "- ") before it
 * to where the value was meant to end. False when there is none. */
static bool find_value(const char *at, struct extent *ret)
{
	const char *line = start_of_line(at), *start = NULL, *c = line;
	int flow = 0, depth = 0;

	while (c < at) {
		if ((*c == '"' || *c == '\'') &&
		        (c == line || is_blank(c[-1]) || strchr("{[,", c[-1]) != NULL)) {
			c = skip_quoted(c);
			continue;
		}
		flow += (*c == '{' || *c == '[') && (start == NULL || c == start);
		if ((*c == ':' && is_blank(c[1])) || is_item(line, c) || (flow > 0 && is_flow_item(line, c)))
			start = c + 1 + strspn(c + 1, " \t");
		c++;
	}
	if (start == NULL || start > at || *start == '"' || *start == '\'')
		return false;
	for (c = start; *c != '\0' && *c != '\n' && *c != '\r'; c++) {
		depth += *c == '{' || *c == '[';
		depth -= *c == '}' || *c == ']';
		if (flow > 0 && (depth < 0 || (depth == 0 && *c == ',')))
			break;
	}
	while (c > start && is_blank(c[-1]))
		c--;
	*ret = (struct extent){start, c};
	return c > start;
}

/* Report WHAT; with quotes: LINE. When no value is found, only `what`. */
static void say_quotes(
        struct ab_diags *diags, struct ab_pos pos, const char *at, const char *what, const char *expected)
{
	struct extent value;
	struct ab_conf node = {.pos = pos};
	char line[600];

	if (find_value(at, &value)) {
		node.written = value.start;
		node.written_len = (size_t)(value.end - value.start);
		if (ab_conf_quote_line(&node, line, sizeof(line))[0] != '\0') {
			ab_diag(diags, pos, "%s; expected quotes: %s", what, line);
			return;
		}
	}
	ab_diag(diags, pos, "%s; expected %s", what, expected);
}

static void say_no_token(struct ab_diags *diags, struct ab_pos pos, const char *at)
{
	char what[80];

	if (*at == '\t') {
		ab_diag(diags, pos, "a tab can't indent; expected spaces");
		return;
	}
	snprintf(what, sizeof(what), "an unquoted value can't begin with '%c'", *at);
	say_quotes(diags, pos, at, what, "quotes round it");
}

/* Whether the line before `line` has a ':'. (A line that only the parser sees as one, after a lone carriage
 * return, has none before it here.) */
static bool colon_above(const char *text, const char *line)
{
	const char *above;

	if (line == text)
		return true;
	above = start_of_line(line - 1);
	return memchr(above, ':', (size_t)(line - above)) != NULL;
}

/* "a: b: c" needs quotes; a line that merely stands too deep has no other ': ' before the one found. */
static void say_second_colon(struct ab_diags *diags, struct ab_pos pos, const char *text, const char *at)
{
	const char *line = start_of_line(at);

	for (const char *c = line; c < at; c++) {
		if (*c == ':' && is_blank(c[1])) {
			say_quotes(diags, pos, at, "a second ': ' in an unquoted value",
			        "quotes round the value");
			return;
		}
	}
	if (!colon_above(text, line))
		ab_diag(diags, pos, "the line above has no ':'; expected 'key: value'");
	else
		ab_diag(diags, pos,
		        "this line reads as more of the value above; expected the indentation of its neighbours, or "
		        "nothing after the ':' above");
}

static void say_block_key(struct ab_diags *diags, struct ab_pos pos, const char *at)
{
	const char *line = start_of_line(at);

	if (*at == ':')
		ab_diag(diags, pos, "a ':' without a key; expected 'key: value'");
	else if (line + strspn(line, " ") == at)
		ab_diag(diags, pos,
		        "this line does not fit the lines above; expected a key at their indentation");
	else
		say_quotes(diags, pos, at, "text after the value's end", "the end of the line");
}

static void say_unclosed(
        struct ab_diags *diags, struct ab_pos pos, struct ab_pos context_pos, const char *context)
{
	if (context != NULL && strstr(context, "quoted scalar") != NULL)
		ab_diag(diags, context_pos, "quotes that are not closed; expected the closing quote");
	else
		ab_diag(diags, pos, "the file ends too early; expected what closes the part begun at line %u",
		        context_pos.line);
}

static const char *skip_back(const char *at)
{
	while (at[-1] == ' ' || at[-1] == '\t')
		at--;
	return at;
}

/* "{a: 1 b: 2}", where the parser stumbles at the second ':': what stands before its key is whole. */
static bool number_before_key(const char *at)
{
	const char *key = at, *value;
	bool number;

	while (key[-1] != ' ' && key[-1] != '\n')
		key--;
	value = skip_back(key);
	number = value[-1] >= '0' && value[-1] <= '9';
	while (value[-1] >= '0' && value[-1] <= '9')
		value--;
	return *at == ':' && number && *skip_back(value) == ' ' && skip_back(value)[-1] == ':';
}

/* "{GET /a/{x}: y}": the '{' at which the parser stumbles is in a key, which is shown with its quotes. */
static bool say_route_key(struct ab_diags *diags, struct ab_pos pos, const char *at)
{
	const char *line = start_of_line(at), *key = at;
	size_t len;

	while (key > line && strchr("{,:", key[-1]) == NULL)
		key--;
	key += strspn(key, " \t");
	len = strcspn(key, ": \t\r\n");
	if (*at != '{' || key[len] != ' ' || key[len + 1] != '/')
		return false;
	len += 1 + strcspn(key + len + 1, ": \t\r\n");
	ab_diag(diags, pos, "a '{' in an unquoted key; expected quotes round the key: \"%.*s\"",
	        len > 200 ? 200 : (int)len, key);
	return true;
}

/* A mapping or a list that ends, or goes on, where it should not. */
static void say_bracket(
        struct ab_diags *diags, struct ab_pos pos, struct ab_pos context_pos, const char *at, char closing)
{
	const char *before = skip_back(at);

	if (*at == '\0')
		ab_diag(diags, context_pos, "a bracket that is not closed; expected its %c", closing);
	else if (say_route_key(diags, pos, at))
		return;
	else if (strchr("}]\"'", before[-1]) != NULL && (*at == '"' || *at == '\''))
		ab_diag(diags, pos, "nothing parts this from what stands before it; expected a ',' between");
	else if (number_before_key(at))
		ab_diag(diags, pos,
		        "nothing parts this key from the value before it; expected a ',' between");
	else if (context_pos.line != pos.line)
		ab_diag(diags, pos,
		        "the bracket at line %u, column %u is still open; expected ',' or its %c before this",
		        context_pos.line, context_pos.column, closing);
	else
		say_quotes(diags, pos, at, "a value inside brackets ends here unexpectedly",
		        "',' or the closing bracket");
}

struct plain_words {
	const char *problem, *words;
};

static const struct plain_words known[] = {
        {"block sequence entries are not allowed",
                "a '-' item can't stand here; expected it on a line of its own, under its "
                "key"},
        {"mapping keys are not allowed", "a '?' can't stand here; expected 'key: value'"},
        {"found unknown escape character",
                "an unknown \\ escape in double quotes; expected single quotes, or \\\\ for a "
                "backslash"},
        {"found invalid Unicode character escape code",
                "a \\u escape that is no character by itself; expected the "
                "character written out"},
        {"did not find expected hexdecimal number",
                "an incomplete \\ escape; expected hexadecimal digits after \\x, \\u or "
                "\\U"},
        {"found a tab character", "a tab can't indent; expected spaces"},
        {"found an indentation indicator",
                "a wrong indentation number after | or >; expected 1 to 9, or none"},
        {"did not find expected comment or line break",
                "text after | or >; expected the text on the next lines, indented"},
        {"did not find expected <document start>",
                "text after the document's end, or a directive; expected one plain "
                "document"},
        {"directive", "a % directive; expected none"},
        {"document indicator", "a '---' or '...' inside quotes; expected the closing quote"},
        {"incompatible YAML document", "a %YAML directive for another version; expected none"},
        {"did not find expected '-' indicator",
                "this line does not fit the list above; expected '- ' at its indentation"},
        {"undefined tag handle", "a tag; expected none: quotes make a string"},
        {"did not find expected '!'", "a tag; expected none: quotes make a string"},
        {"did not find the expected '>'", "a tag; expected none: quotes make a string"},
        {"did not find expected tag URI", "a tag; expected none: quotes make a string"},
};

static bool has(const char *problem, const char *words)
{
	return problem != NULL && strstr(problem, words) != NULL;
}

void ab_yaml_explain(struct ab_diags *diags, struct ab_pos pos, const char *problem, const char *context,
        struct ab_pos context_pos, const char *text, size_t offset)
{
	const char *at = text + offset;

	if (has(problem, "cannot start any token")) {
		say_no_token(diags, pos, at);
		return;
	}
	if (has(problem, "mapping values are not allowed")) {
		say_second_colon(diags, pos, text, at);
		return;
	}
	if (has(problem, "end of stream")) {
		say_unclosed(diags, pos, context_pos, context);
		return;
	}
	if (has(problem, "alphabetic or numeric character")) {
		say_quotes(diags, pos, at,
		        has(context, "alias") ? "an unquoted '*' begins an alias"
		                              : "an unquoted '&' begins an anchor",
		        "quotes round the value");
		return;
	}
	if (has(problem, "expected ',' or")) {
		say_bracket(diags, pos, context_pos, at, problem[strlen(problem) - 2]);
		return;
	}
	if (has(problem, "unexpected ':'")) {
		say_quotes(diags, pos, at, "a ':' in an unquoted value", "quotes round the value");
		return;
	}
	if (has(problem, "did not find expected key")) {
		say_block_key(diags, pos, at);
		return;
	}
	if (has(problem, "could not find expected ':'")) {
		ab_diag(diags, context_pos, "a line without ':'; expected 'key: value'");
		return;
	}
	if (has(problem, "did not find expected node content")) {
		say_quotes(diags, pos, at, "a value was expected here", "a value");
		return;
	}
	for (size_t i = 0; i < AB_COUNT(known); i++) {
		if (has(problem, known[i].problem)) {
			ab_diag(diags, pos, "%s", known[i].words);
			return;
		}
	}
	ab_diag(diags, pos, "not YAML: %s", problem != NULL ? problem : "unreadable");
}
