/* handlers/sql/lexer.c: see lexer.h. SQLite's rules are those of its tokenizer's documentation
 * (sqlite.org/lang_keywords.html, lang_expr.html, lang_comment.html), PostgreSQL's those of its manual,
 * section 4.1. */
#include "lexer.h"

#include <stdarg.h>
#include <string.h>

struct lexer {
	enum ab_sql_dialect dialect;
	const char *text;
	size_t len;
	size_t at;
	size_t operand_end; /* where the last operand ended: a colon exactly there may be a slice's */
	size_t subscripts;  /* open square brackets (PostgreSQL) */
	bool ended;         /* a semicolon has been seen */
	enum { READ_UNKNOWN, READ_QUERY, READ_EXPLAIN } reads; /* by the first word (PostgreSQL) */
	bool after_for;                                        /* the last word was FOR */
	ab_sql_mistake_cb mistake;
	void *arg;
	struct ab_sql_scan *scan;
	size_t size; /* of scan->placeholders */
};

static bool is_word_start(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
	return is_word_start(c) || is_digit(c) || c == '$';
}

/* A placeholder's name is one of a resource: ASCII, no dollar. */
static bool is_name_start(int c)
{
	return is_word_start(c) && c < 0x80;
}

static bool is_name(int c)
{
	return is_name_start(c) || is_digit(c);
}

static bool is_blank(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The byte `ahead` of the current one, or -1 beyond the end. */
static int peek(const struct lexer *lexer, size_t ahead)
{
	return ahead < lexer->len - lexer->at ? (unsigned char)lexer->text[lexer->at + ahead] : -1;
}

static void complain(struct lexer *lexer, size_t offset, bool hint, const char *fmt, ...) AB_PRINTF(4, 5);
static void complain(struct lexer *lexer, size_t offset, bool hint, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	lexer->mistake(lexer->arg, offset, hint, text);
}

/* How many bytes of a name start at `at`; long names are cut for messages. */
static int name_len(const struct lexer *lexer, size_t at)
{
	size_t len = 0;

	while (at + len < lexer->len && len < 60 && is_name((unsigned char)lexer->text[at + len]))
		len++;
	return (int)len;
}

/* ---- what is skipped: comments, strings, identifiers ---- */

static void skip_line_comment(struct lexer *lexer)
{
	while (lexer->at < lexer->len && lexer->text[lexer->at] != '\n')
		lexer->at++;
}

static void skip_block_comment(struct lexer *lexer)
{
	size_t start = lexer->at, depth = 1;

	lexer->at += 2;
	while (lexer->at < lexer->len) {
		if (peek(lexer, 0) == '*' && peek(lexer, 1) == '/') {
			lexer->at += 2;
			if (--depth == 0)
				return;
		} else if (lexer->dialect == AB_SQL_POSTGRES && peek(lexer, 0) == '/' &&
		           peek(lexer, 1) == '*') {
			lexer->at += 2;
			depth++;
		} else {
			lexer->at++;
		}
	}
	complain(lexer, start, false, "a comment without its end; expected */");
}

/* From an opening quote to beyond the closing one, which is doubled to stand for itself. */
static void skip_quoted(struct lexer *lexer, char close, bool escapes, const char *what)
{
	size_t start = lexer->at++;

	while (lexer->at < lexer->len) {
		char c = lexer->text[lexer->at++];

		if (c == '\\' && escapes) {
			lexer->at += lexer->at < lexer->len;
		} else if (c == close) {
			if (close == ']' || peek(lexer, 0) != close)
				return;
			lexer->at++;
		}
	}
	complain(lexer, start, false, "%s without its end; expected %c", what, close);
}

/* Quotes around a placeholder make it text: allowed, as text may look like that, but rarely meant. */
static void hint_quoted(struct lexer *lexer, size_t start)
{
	size_t from = start + 1, len = lexer->at - start;

	if (len < 4 || lexer->text[lexer->at - 1] != '\'' || lexer->text[from] != ':')
		return;
	if (is_name_start((unsigned char)lexer->text[from + 1]) &&
	        (size_t)name_len(lexer, from + 1) == len - 3)
		complain(lexer, start, true,
		        "':%.*s' in quotes is text, not a placeholder; :%.*s is the value",
		        name_len(lexer, from + 1), lexer->text + from + 1, name_len(lexer, from + 1),
		        lexer->text + from + 1);
}

/* PostgreSQL joins strings that have only blanks with a line break, or line comments, between them; the later
 * parts have the first one's escapes. Moves to the next part's quote. */
static bool string_continues(struct lexer *lexer)
{
	size_t start = lexer->at;
	bool broken = false;

	for (;;) {
		if (is_blank(peek(lexer, 0))) {
			broken |= peek(lexer, 0) == '\n' || peek(lexer, 0) == '\r';
			lexer->at++;
		} else if (broken && peek(lexer, 0) == '-' && peek(lexer, 1) == '-') {
			skip_line_comment(lexer);
		} else {
			break;
		}
	}
	if (broken && peek(lexer, 0) == '\'')
		return true;
	lexer->at = start;
	return false;
}

static void skip_string(struct lexer *lexer, bool escapes)
{
	size_t start = lexer->at;

	skip_quoted(lexer, '\'', escapes, "a string");
	hint_quoted(lexer, start);
	while (lexer->dialect == AB_SQL_POSTGRES && string_continues(lexer))
		skip_quoted(lexer, '\'', escapes, "a string");
}

/* $tag$ ... $tag$; false when there is no such quote here. */
static bool skip_dollar_quoted(struct lexer *lexer)
{
	size_t start = lexer->at, tag = 1;
	const char *end;

	if (is_word_start(peek(lexer, 1)))
		while (is_word(peek(lexer, tag)) && peek(lexer, tag) != '$')
			tag++;
	if (peek(lexer, tag++) != '$')
		return false;
	end = memmem(lexer->text + start + tag, lexer->len - start - tag, lexer->text + start, tag);
	if (end == NULL) {
		lexer->at = lexer->len;
		complain(lexer, start, false, "a dollar-quoted string without its end");
	} else {
		lexer->at = (size_t)(end - lexer->text) + tag;
	}
	return true;
}

/* ---- placeholders, and what is mistaken for one ---- */

static enum ab_code placeholder_add(struct lexer *lexer, size_t start, size_t len)
{
	struct ab_sql_scan *scan = lexer->scan;

	if (scan->count == AB_SQL_MAX_PLACEHOLDERS) {
		complain(lexer, start, false, "more than %d placeholders in a statement",
		        AB_SQL_MAX_PLACEHOLDERS);
		lexer->at = lexer->len;
		return AB_OK;
	}
	if (scan->count == lexer->size) {
		size_t size = lexer->size == 0 ? 8 : lexer->size * 2;
		struct ab_sql_placeholder *grown = realloc(scan->placeholders, size * sizeof(*grown));

		if (grown == NULL)
			return AB_ENOMEM;
		scan->placeholders = grown;
		lexer->size = size;
	}
	scan->placeholders[scan->count++] = (struct ab_sql_placeholder){.start = start, .len = len};
	return AB_OK;
}

/* At a colon with a name behind it. */
static enum ab_code scan_placeholder(struct lexer *lexer)
{
	size_t start = lexer->at;

	do {
		lexer->at++;
		while (is_name(peek(lexer, 0)))
			lexer->at++;
	} while (peek(lexer, 0) == '.' && is_name_start(peek(lexer, 1)));
	if (peek(lexer, 0) == '[')
		complain(lexer, lexer->at, false,
		        "in SQL a placeholder's path has only names and dots; give the part a name: needs: {part: %.*s[...]}",
		        (int)(lexer->at - start - 1 > 60 ? 60 : lexer->at - start - 1),
		        lexer->text + start + 1);
	else if (is_word(peek(lexer, 0)))
		complain(lexer, lexer->at, false,
		        "a placeholder's name is of letters, digits and _ (ASCII only)");
	return placeholder_add(lexer, start, lexer->at - start);
}

static enum ab_code scan_colon(struct lexer *lexer)
{
	bool postgres = lexer->dialect == AB_SQL_POSTGRES;
	int next = peek(lexer, 1);

	if (next == ':') {
		if (!postgres)
			complain(lexer, lexer->at, false,
			        "SQLite has no casts with '::'; write CAST(value AS type)");
		lexer->at += 2;
		return AB_OK;
	}
	if (postgres && lexer->subscripts > 0 && lexer->operand_end == lexer->at) {
		lexer->at++;
		return AB_OK;
	}
	if (is_name_start(next))
		return scan_placeholder(lexer);
	if (is_word(next) && !(postgres && lexer->subscripts > 0))
		complain(lexer, lexer->at, false,
		        "a placeholder's name begins with a letter or _; expected :name");
	lexer->at++;
	return AB_OK;
}

/* `?`, `?1`: another library's placeholder; in PostgreSQL also an operator, which has a function too. */
static void refuse_question(struct lexer *lexer)
{
	complain(lexer, lexer->at, false, "'?' is not a placeholder here; write :name%s",
	        lexer->dialect == AB_SQL_POSTGRES ? " (for the operator, jsonb_exists)" : "");
	do
		lexer->at++;
	while (is_digit(peek(lexer, 0)));
}

/* `$1`, `$x`, `@x`, and `#x`, which SQLite takes for one as well. */
static void refuse_sigil(struct lexer *lexer)
{
	char sigil = lexer->text[lexer->at];
	int len = name_len(lexer, lexer->at + 1);
	const char *name = lexer->text + lexer->at + 1;

	if (is_name_start(peek(lexer, 1)))
		complain(lexer, lexer->at, false, "'%c%.*s' is not a placeholder here; write :%.*s", sigil,
		        len, name, len, name);
	else
		complain(lexer, lexer->at, false, "'%c%.*s' is not a placeholder here; write :name", sigil,
		        len, name);
	lexer->at += 1 + (size_t)len;
}

/* `{x}` and `{{x}}`; any other brace is left for the database to refuse. */
static void scan_brace(struct lexer *lexer)
{
	size_t braces = peek(lexer, 1) == '{' ? 2 : 1;
	size_t from = lexer->at + braces, end = from;

	if (is_name_start(peek(lexer, braces)))
		while (end < lexer->len && end - from < 60 &&
		        (is_name((unsigned char)lexer->text[end]) || lexer->text[end] == '.'))
			end++;
	if (end > from && end < lexer->len && lexer->text[end] == '}') {
		complain(lexer, lexer->at, false, "'%.*s' is not a placeholder in SQL; write :%.*s",
		        (int)(end - lexer->at + (end + braces <= lexer->len ? braces : 1)),
		        lexer->text + lexer->at, (int)(end - from), lexer->text + from);
		lexer->at = end;
	}
	lexer->at++;
	while (peek(lexer, 0) == '}')
		lexer->at++;
}

/* PostgreSQL reads as many of these as stand together as one operator: @>, ?|, <@, @@. */
static bool is_operator(int c)
{
	return c > 0 && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

static void scan_operator(struct lexer *lexer)
{
	size_t len = 0;

	while (is_operator(peek(lexer, len)) && !(peek(lexer, len) == '-' && peek(lexer, len + 1) == '-') &&
	        !(peek(lexer, len) == '/' && peek(lexer, len + 1) == '*'))
		len++;
	if (len == 1 && peek(lexer, 0) == '?')
		refuse_question(lexer);
	else if (len == 1 && peek(lexer, 0) == '@' && is_name_start(peek(lexer, 1)))
		refuse_sigil(lexer);
	else
		lexer->at += len;
}

/* ---- whether it writes ---- */

static bool is_in(const char *word, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && strncasecmp(word, list[i], len) == 0)
			return true;
	return false;
}

/* PostgreSQL says of no statement whether it only reads. By its words: a query that has none of those with
 * which rows are changed, locked or kept, nor explains by doing. Quoted, they are names. */
static void judge_word(struct lexer *lexer, const char *word, size_t len)
{
	static const char *const queries[] = {"SELECT", "VALUES", "TABLE", "WITH", "SHOW"};
	static const char *const changes[] = {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO"};
	static const char *const locks[] = {"UPDATE", "SHARE", "NO", "KEY"};
	bool after_for = lexer->after_for;

	lexer->after_for = len == 3 && strncasecmp(word, "FOR", 3) == 0;
	if (lexer->reads == READ_UNKNOWN) {
		if (is_in(word, len, queries, AB_COUNT(queries)))
			lexer->reads = READ_QUERY;
		else if (len == 7 && strncasecmp(word, "EXPLAIN", 7) == 0)
			lexer->reads = READ_EXPLAIN;
		else
			lexer->scan->writes = true;
		if (lexer->reads == READ_UNKNOWN)
			lexer->reads = READ_QUERY;
	} else if (lexer->reads == READ_EXPLAIN) {
		lexer->scan->writes |= is_in(word, len, (const char *const[]){"ANALYZE", "ANALYSE"}, 2);
	} else {
		lexer->scan->writes |= is_in(word, len, changes, AB_COUNT(changes)) ||
		                       (after_for && is_in(word, len, locks, AB_COUNT(locks)));
	}
}

/* ---- tokens ---- */

static void scan_word(struct lexer *lexer)
{
	size_t start = lexer->at;

	while (is_word(peek(lexer, 0)))
		lexer->at++;
	if (lexer->dialect == AB_SQL_POSTGRES)
		judge_word(lexer, lexer->text + start, lexer->at - start);
	if (lexer->scan->word_len == 0 && lexer->scan->start == start)
		lexer->scan->word_len = lexer->at - start;
	if (lexer->dialect == AB_SQL_POSTGRES && peek(lexer, 0) == '\'' && lexer->at - start == 1 &&
	        (lexer->text[start] == 'e' || lexer->text[start] == 'E'))
		skip_string(lexer, true);
	lexer->operand_end = lexer->at;
}

static void scan_number(struct lexer *lexer)
{
	while (is_word(peek(lexer, 0)) || peek(lexer, 0) == '.')
		lexer->at++;
	lexer->operand_end = lexer->at;
}

static enum ab_code scan_postgres(struct lexer *lexer, int c)
{
	switch (c) {
	case '$':
		if (!skip_dollar_quoted(lexer))
			refuse_sigil(lexer);
		break;
	case '[':
		lexer->subscripts++;
		lexer->at++;
		return AB_OK;
	case ']':
		lexer->subscripts -= lexer->subscripts > 0;
		lexer->at++;
		break;
	default:
		if (!is_operator(c)) {
			lexer->at++;
			return AB_OK;
		}
		scan_operator(lexer);
		return AB_OK;
	}
	lexer->operand_end = lexer->at;
	return AB_OK;
}

static enum ab_code scan_sqlite(struct lexer *lexer, int c)
{
	switch (c) {
	case '[':
		skip_quoted(lexer, ']', false, "an identifier");
		break;
	case '`':
		skip_quoted(lexer, '`', false, "an identifier");
		break;
	case '?':
		refuse_question(lexer);
		break;
	case '$':
	case '@':
	case '#':
		refuse_sigil(lexer);
		break;
	default:
		lexer->at++;
	}
	return AB_OK;
}

static enum ab_code scan_token(struct lexer *lexer)
{
	int c = peek(lexer, 0);
	enum ab_code code = AB_OK;

	if (is_word_start(c)) {
		scan_word(lexer);
	} else if (is_digit(c)) {
		scan_number(lexer);
	} else if (c == '\'') {
		skip_string(lexer, false);
		lexer->operand_end = lexer->at;
	} else if (c == '"') {
		skip_quoted(lexer, '"', false, "an identifier");
		lexer->operand_end = lexer->at;
	} else if (c == ')') {
		lexer->operand_end = ++lexer->at;
	} else if (c == ':') {
		code = scan_colon(lexer);
		if (lexer->text[lexer->at - 1] != ':')
			lexer->operand_end = lexer->at;
	} else if (c == '{') {
		scan_brace(lexer);
	} else if (lexer->dialect == AB_SQL_POSTGRES) {
		code = scan_postgres(lexer, c);
	} else {
		code = scan_sqlite(lexer, c);
	}
	return code;
}

/* Blanks and comments, and the one semicolon that may end the statement. */
static bool skip_between(struct lexer *lexer)
{
	int c = peek(lexer, 0), next = peek(lexer, 1);

	if (is_blank(c)) {
		lexer->at++;
	} else if (c == '-' && next == '-') {
		skip_line_comment(lexer);
	} else if (c == '/' && next == '*') {
		skip_block_comment(lexer);
	} else if (c == ';') {
		lexer->ended = true;
		lexer->at++;
	} else {
		return false;
	}
	return true;
}

enum ab_code ab_sql_scan(enum ab_sql_dialect dialect, const char *text, size_t len, ab_sql_mistake_cb mistake,
        void *arg, struct ab_sql_scan *ret_scan)
{
	struct lexer lexer = {.dialect = dialect,
	        .text = text,
	        .len = len,
	        .operand_end = SIZE_MAX,
	        .mistake = mistake,
	        .arg = arg,
	        .scan = ret_scan};
	const char *nul;
	bool begun = false;

	*ret_scan = (struct ab_sql_scan){0};
	nul = memchr(text, '\0', len);
	if (nul != NULL) {
		complain(&lexer, (size_t)(nul - text), false, "a NUL byte in a statement");
		return AB_OK;
	}
	while (lexer.at < len) {
		if (skip_between(&lexer))
			continue;
		if (lexer.ended && begun) {
			complain(&lexer, lexer.at, false,
			        "a second statement; expected one, as a resource runs exactly one");
			break;
		}
		lexer.ended = false;
		if (!begun)
			ret_scan->start = lexer.at;
		begun = true;
		if (scan_token(&lexer) != AB_OK)
			return AB_ENOMEM;
		ret_scan->end = lexer.at;
	}
	return AB_OK;
}

void ab_sql_scan_fini(struct ab_sql_scan *scan)
{
	free(scan->placeholders);
	*scan = (struct ab_sql_scan){0};
}
