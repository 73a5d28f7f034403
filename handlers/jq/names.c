/* handlers/jq/names.c: see names.h. A parser by recursive descent that builds nothing: it follows which names
 * are bound where, and what `.` is.
 *
 * It accepts a little more than libjq does; what is wrong with the rest libjq says when it compiles. */
#include "names.h"

#include "scanner.h"
#include "words.h"

#include <string.h>

/* Binding strength, weakest first. */
enum {
	PREC_PIPE = 1,
	PREC_COMMA,
	PREC_DEFINED_OR,
	PREC_ASSIGN,
	PREC_OR,
	PREC_AND,
	PREC_COMPARE,
	PREC_ADD,
	PREC_MUL
};

static void parse_exp(struct ab_jq_scanner *s, int min);
static void parse_term(struct ab_jq_scanner *s);

/* ---- strings ---- */

/* From the opening quote to behind the closing one. */
static void parse_string(struct ab_jq_scanner *s)
{
	size_t i = s->token.start + 1;

	while (!s->failed && i < s->len && s->text[i] != '"') {
		if (s->text[i] != '\\') {
			i++;
		} else if (i + 1 < s->len && s->text[i + 1] == '(') {
			if (ab_scan_enter(s)) {
				ab_scan_seek(s, i + 2);
				parse_exp(s, PREC_PIPE);
			}
			ab_scan_leave(s);
			if (!ab_scan_at_op(s, ')'))
				ab_scan_fail(s, "')' to end \\( in a string");
			i = s->token.start + 1;
		} else {
			i += 2;
		}
	}
	if (i < s->len)
		ab_scan_seek(s, i + 1);
	else
		ab_scan_fail(s, "'\"' to end the string");
}

/* A string, perhaps with a format in front. */
static bool at_string(const struct ab_jq_scanner *s)
{
	struct ab_jq_token after;

	if (s->token.type != AB_JQ_FORMAT)
		return s->token.type == AB_JQ_QUOTE;
	after = ab_jq_lex(s->text, s->len, s->token.start + s->token.len);
	return after.type == AB_JQ_QUOTE;
}

static void take_format(struct ab_jq_scanner *s)
{
	const struct ab_jq_token token = s->token;

	ab_scan_next(s);
	if (!ab_jq_is_format(s->text + token.name_start, token.name_len))
		ab_scan_mistake(s, token.start,
		        "%.*s is no format; expected @text, @json, @html, @uri, @csv, @tsv, @sh, @base64 or @base64d",
		        (int)(token.len > 60 ? 60 : token.len), s->text + token.start);
}

static void parse_formatted(struct ab_jq_scanner *s)
{
	if (s->token.type == AB_JQ_FORMAT)
		take_format(s);
	parse_string(s);
}

/* ---- patterns ---- */

/* The variables of a pattern are bound once its body begins, so they are only counted here: `binders` are
 * their tokens. */
struct binders {
	struct ab_jq_token *tokens;
	size_t count;
};

static void parse_pattern(struct ab_jq_scanner *s, struct binders *binders);

static void take_binder(struct ab_jq_scanner *s, struct binders *binders)
{
	if (ab_scan_grow(s, (void **)&binders->tokens, binders->count, sizeof(*binders->tokens)))
		binders->tokens[binders->count++] = s->token;
	ab_scan_next(s);
}

/* A key of an object pattern, and what stands behind its colon. */
static void parse_object_pattern(struct ab_jq_scanner *s, struct binders *binders)
{
	enum ab_jq_dot dot = s->dot;

	if (s->token.type == AB_JQ_BINDING) {
		take_binder(s, binders);
		if (!ab_scan_at_op(s, ':'))
			return;
	} else if (s->token.type == AB_JQ_IDENT) {
		ab_scan_next(s);
	} else if (at_string(s)) {
		s->dot = AB_JQ_DOT_VALUE;
		parse_formatted(s);
	} else if (ab_scan_take_op(s, '(')) {
		s->dot = AB_JQ_DOT_VALUE;
		parse_exp(s, PREC_PIPE);
		ab_scan_want_op(s, ')', "')'");
	} else {
		ab_scan_fail(s, "a key or $name in the pattern");
	}
	s->dot = dot;
	ab_scan_want_op(s, ':', "':' in the pattern");
	parse_pattern(s, binders);
}

static void parse_pattern(struct ab_jq_scanner *s, struct binders *binders)
{
	if (!ab_scan_enter(s)) {
		ab_scan_leave(s);
		return;
	}
	if (s->token.type == AB_JQ_BINDING) {
		take_binder(s, binders);
	} else if (ab_scan_take_op(s, '[')) {
		do
			parse_pattern(s, binders);
		while (ab_scan_take_op(s, ','));
		ab_scan_want_op(s, ']', "']' to end the pattern");
	} else if (ab_scan_take_op(s, '{')) {
		do
			parse_object_pattern(s, binders);
		while (ab_scan_take_op(s, ','));
		ab_scan_want_op(s, '}', "'}' to end the pattern");
	} else {
		ab_scan_fail(s, "$name, [$a, $b] or {$a, b: $c} behind `as`");
	}
	ab_scan_leave(s);
}

/* Behind `as`: patterns with ?// between them. The caller binds, and frees. */
static void parse_patterns(struct ab_jq_scanner *s, struct binders *binders)
{
	*binders = (struct binders){0};
	do
		parse_pattern(s, binders);
	while (ab_scan_take_op(s, AB_JQ_ALTERNATION));
}

static void bind_all(struct ab_jq_scanner *s, struct binders *binders)
{
	for (size_t i = 0; i < binders->count; i++)
		ab_scan_bind(s, &binders->tokens[i], false, 0);
	free(binders->tokens);
	*binders = (struct binders){0};
}

/* ---- constructs ---- */

/* An expression on another input, with all its pipes. */
static void parse_on(struct ab_jq_scanner *s, enum ab_jq_dot dot)
{
	enum ab_jq_dot before = s->dot;

	s->dot = dot;
	parse_exp(s, PREC_PIPE);
	s->dot = before;
}

/* reduce TERM as PATTERN (init; update), foreach likewise with a third part or not. The bindings hold from
 * the second part on. */
static void parse_reduce(struct ab_jq_scanner *s)
{
	size_t n_bounds = s->n_bounds;
	struct binders binders;

	s->slow = true;
	ab_scan_next(s);
	parse_term(s);
	ab_scan_want_word(s, "as", "`as`");
	parse_patterns(s, &binders);
	ab_scan_want_op(s, '(', "'('");
	parse_exp(s, PREC_PIPE);
	bind_all(s, &binders);
	ab_scan_want_op(s, ';', "';'");
	parse_on(s, AB_JQ_DOT_VALUE);
	if (ab_scan_take_op(s, ';'))
		parse_on(s, AB_JQ_DOT_VALUE);
	ab_scan_want_op(s, ')', "')'");
	s->n_bounds = n_bounds;
}

static void parse_if(struct ab_jq_scanner *s)
{
	do {
		ab_scan_next(s); /* if, elif */
		parse_exp(s, PREC_PIPE);
		ab_scan_want_word(s, "then", "`then`");
		parse_exp(s, PREC_PIPE);
	} while (ab_scan_at_word(s, "elif"));
	if (ab_scan_take_word(s, "else"))
		parse_exp(s, PREC_PIPE);
	ab_scan_want_word(s, "end", "`end`");
}

static void parse_operand(struct ab_jq_scanner *s);

static void parse_try(struct ab_jq_scanner *s)
{
	enum ab_jq_dot dot = s->dot;

	ab_scan_next(s);
	parse_operand(s);
	if (!ab_scan_take_word(s, "catch"))
		return;
	s->dot = AB_JQ_DOT_VALUE;
	parse_operand(s);
	s->dot = dot;
}

/* def name: body;  def name(f; $a): body;  The name is known in its own body, $a also as a function. */
static void parse_def(struct ab_jq_scanner *s)
{
	struct ab_jq_token name, params[64];
	unsigned n = 0;
	size_t n_bounds;

	s->slow = true;
	ab_scan_next(s);
	if (s->token.type != AB_JQ_IDENT)
		ab_scan_fail(s, "a name to define");
	name = s->token;
	ab_scan_next(s);
	if (ab_scan_take_op(s, '(')) {
		do {
			if ((s->token.type != AB_JQ_IDENT && s->token.type != AB_JQ_BINDING) ||
			        n == AB_COUNT(params))
				ab_scan_fail(s, "a parameter, at most 64 of them");
			else
				params[n++] = s->token;
			ab_scan_next(s);
		} while (ab_scan_take_op(s, ';'));
		ab_scan_want_op(s, ')', "')'");
	}
	ab_scan_want_op(s, ':', "':'");
	ab_scan_bind(s, &name, true, n);
	n_bounds = s->n_bounds;
	for (unsigned i = 0; i < n; i++) {
		ab_scan_bind(s, &params[i], true, 0);
		if (params[i].type == AB_JQ_BINDING)
			ab_scan_bind(s, &params[i], false, 0);
	}
	parse_on(s, AB_JQ_DOT_VALUE);
	s->n_bounds = n_bounds;
	ab_scan_want_op(s, ';', "';' to end the definition");
}

/* ---- terms ---- */

static void parse_value(struct ab_jq_scanner *s)
{
	enum ab_jq_dot dot = s->dot;

	/* jq 1.6 wants a term or terms with pipes between them. */
	parse_exp(s, PREC_DEFINED_OR);
	while (ab_scan_take_op(s, '|')) {
		s->dot = AB_JQ_DOT_VALUE;
		parse_exp(s, PREC_DEFINED_OR);
	}
	s->dot = dot;
}

/* One entry of an object under construction. */
static void parse_entry(struct ab_jq_scanner *s)
{
	struct ab_jq_token key = s->token;

	if (key.type == AB_JQ_IDENT || at_string(s)) {
		if (key.type == AB_JQ_IDENT)
			ab_scan_next(s);
		else
			parse_formatted(s);
		if (!ab_scan_at_op(s, ':')) {
			ab_scan_use_dot(s, key.type == AB_JQ_IDENT ? AB_JQ_USE_SHORTHAND : AB_JQ_USE_CALL,
			        key.start, key.len);
			return;
		}
	} else if (key.type == AB_JQ_BINDING) {
		ab_scan_use_variable(s);
		if (!ab_scan_at_op(s, ':'))
			return;
	} else if (ab_scan_take_op(s, '(')) {
		parse_exp(s, PREC_PIPE);
		ab_scan_want_op(s, ')', "')'");
	} else {
		ab_scan_fail(s, "a key, or '}'");
	}
	ab_scan_want_op(s, ':', "':'");
	parse_value(s);
}

static void parse_object(struct ab_jq_scanner *s)
{
	ab_scan_next(s);
	while (!s->failed && !ab_scan_at_op(s, '}')) {
		parse_entry(s);
		if (!ab_scan_take_op(s, ','))
			break;
	}
	ab_scan_want_op(s, '}', "'}'");
}

static void check_call(struct ab_jq_scanner *s, const struct ab_jq_token *name, unsigned args)
{
	const char *text = s->text + name->start, *why;

	if (ab_scan_is_bound(s, text, name->len, true, args)) {
		s->slow = true;
		return;
	}
	if (!ab_jq_is_quick(text, name->len, args))
		s->slow = true;
	s->formats_time |= ab_jq_formats_time(text, name->len);
	why = ab_jq_refused(text, name->len);
	if (why != NULL)
		ab_scan_mistake(
		        s, name->start, "%.*s: %s", (int)(name->len > 60 ? 60 : name->len), text, why);
	else if (ab_jq_reads_input(text, name->len, args))
		ab_scan_use_dot(s, AB_JQ_USE_CALL, name->start, name->len);
}

/* A function with its arguments, each of which may be run on anything. */
static void parse_call(struct ab_jq_scanner *s)
{
	struct ab_jq_token name = s->token;
	unsigned args = 0;

	ab_scan_next(s);
	if (ab_scan_take_op(s, '(')) {
		do {
			args++;
			parse_on(s, AB_JQ_DOT_VALUE);
		} while (ab_scan_take_op(s, ';'));
		ab_scan_want_op(s, ')', "')'");
	}
	check_call(s, &name, args);
}

static void parse_word(struct ab_jq_scanner *s)
{
	size_t start = s->token.start;
	int len = (int)s->token.len;

	if (ab_scan_at_word(s, "if")) {
		parse_if(s);
	} else if (ab_scan_at_word(s, "reduce") || ab_scan_at_word(s, "foreach")) {
		parse_reduce(s);
	} else if (ab_scan_at_word(s, "break")) {
		ab_scan_next(s);
		if (s->token.type != AB_JQ_BINDING)
			ab_scan_fail(s, "the $name of a label");
		ab_scan_next(s);
	} else if (ab_scan_at_word(s, "import") || ab_scan_at_word(s, "include") ||
	           ab_scan_at_word(s, "module")) {
		ab_scan_mistake(
		        s, start, "%.*s: a filter stands alone; expected it left out", len, s->text + start);
		ab_scan_fail(s, "no modules");
	} else if (ab_jq_is_keyword(s->text + start, s->token.len)) {
		ab_scan_fail(s, "an expression");
	} else {
		parse_call(s);
	}
}

/* Behind [: an index, a slice, or nothing. */
static void parse_index(struct ab_jq_scanner *s)
{
	struct ab_jq_token first = s->token;

	if (ab_scan_take_op(s, ']')) {
		s->slow = true;
		return;
	}
	if (!ab_scan_at_op(s, ':'))
		parse_exp(s, PREC_PIPE);
	/* Anything but one literal may be a list, which is searched for. */
	if (!ab_scan_at_op(s, ']') || s->token.start != first.start + first.len || first.type != AB_JQ_NUMBER)
		s->slow = true;
	if (ab_scan_take_op(s, ':') && !ab_scan_at_op(s, ']'))
		parse_exp(s, PREC_PIPE);
	ab_scan_want_op(s, ']', "']'");
}

static void parse_postfix(struct ab_jq_scanner *s)
{
	for (;;) {
		if (s->token.type == AB_JQ_FIELD || ab_scan_at_op(s, '?')) {
			ab_scan_next(s);
		} else if (ab_scan_take_op(s, '[')) {
			parse_index(s);
		} else if (ab_scan_at_op(s, '.')) {
			ab_scan_next(s);
			if (at_string(s))
				parse_formatted(s);
			else if (ab_scan_take_op(s, '['))
				parse_index(s);
			else
				ab_scan_fail(s, "a field behind '.', as in .name or .[\"any name\"]");
		} else {
			return;
		}
	}
}

/* . alone, or with a string or an index right behind it. */
static void parse_dot(struct ab_jq_scanner *s)
{
	size_t start = s->token.start;
	bool path;

	ab_scan_next(s);
	path = ab_scan_at_op(s, '[') || at_string(s);
	if (at_string(s))
		parse_formatted(s);
	else if (ab_scan_take_op(s, '['))
		parse_index(s);
	if (path)
		ab_scan_use_dot(s, AB_JQ_USE_INDEX, start, (s->failed ? s->len : s->token.start) - start);
	else
		ab_scan_use_dot(s, AB_JQ_USE_WHOLE, start, 1);
}

static void parse_primary(struct ab_jq_scanner *s)
{
	const struct ab_jq_token token = s->token;

	if (at_string(s)) {
		parse_formatted(s);
	} else if (token.type == AB_JQ_BINDING) {
		ab_scan_use_variable(s);
	} else if (token.type == AB_JQ_FIELD) {
		ab_scan_use_dot(s, AB_JQ_USE_FIELD, token.start, token.len);
		ab_scan_next(s);
	} else if (token.type == AB_JQ_NUMBER) {
		ab_scan_next(s);
	} else if (token.type == AB_JQ_FORMAT) {
		ab_scan_use_dot(s, AB_JQ_USE_CALL, token.start, token.len);
		take_format(s);
	} else if (token.type == AB_JQ_IDENT) {
		parse_word(s);
	} else if (ab_scan_at_op(s, '.')) {
		parse_dot(s);
	} else if (ab_scan_take_op(s, AB_JQ_REC)) {
		s->slow = true;
		ab_scan_use_dot(s, AB_JQ_USE_CALL, token.start, token.len);
	} else if (ab_scan_take_op(s, '(')) {
		parse_exp(s, PREC_PIPE);
		ab_scan_want_op(s, ')', "')'");
	} else if (ab_scan_take_op(s, '[')) {
		if (!ab_scan_at_op(s, ']'))
			parse_exp(s, PREC_PIPE);
		ab_scan_want_op(s, ']', "']'");
	} else if (ab_scan_at_op(s, '{')) {
		parse_object(s);
	} else {
		ab_scan_fail(s, "an expression");
	}
}

static void parse_term(struct ab_jq_scanner *s)
{
	if (ab_scan_enter(s)) {
		parse_primary(s);
		parse_postfix(s);
	}
	ab_scan_leave(s);
}

/* ---- expressions ---- */

/* Bodies reach as far as they can: to the end of what brackets them. */
static void parse_body(struct ab_jq_scanner *s, size_t n_bounds)
{
	if (ab_scan_enter(s))
		parse_exp(s, PREC_PIPE);
	ab_scan_leave(s);
	s->n_bounds = n_bounds;
}

static void parse_operand(struct ab_jq_scanner *s)
{
	size_t n_bounds = s->n_bounds;
	struct binders binders;

	if (ab_scan_take_op(s, '-')) {
		if (ab_scan_enter(s))
			parse_exp(s, PREC_MUL);
		ab_scan_leave(s);
	} else if (ab_scan_at_word(s, "def")) {
		parse_def(s);
		parse_body(s, n_bounds);
	} else if (ab_scan_at_word(s, "try")) {
		if (ab_scan_enter(s))
			parse_try(s);
		ab_scan_leave(s);
		parse_postfix(s);
	} else if (ab_scan_take_word(s, "label")) {
		if (s->token.type != AB_JQ_BINDING)
			ab_scan_fail(s, "the $name of a label");
		ab_scan_next(s);
		ab_scan_want_op(s, '|', "'|' behind the label");
		parse_body(s, n_bounds);
	} else {
		parse_term(s);
		if (!ab_scan_take_word(s, "as"))
			return;
		parse_patterns(s, &binders);
		bind_all(s, &binders);
		ab_scan_want_op(s, '|', "'|' behind `as`");
		parse_body(s, n_bounds);
	}
}

static int precedence(const struct ab_jq_scanner *s)
{
	if (ab_scan_at_word(s, "or"))
		return PREC_OR;
	if (ab_scan_at_word(s, "and"))
		return PREC_AND;
	if (s->token.type != AB_JQ_OP)
		return 0;
	switch (s->token.op) {
	case '|':
		return PREC_PIPE;
	case ',':
		return PREC_COMMA;
	case AB_JQ_DEFINED_OR:
	case AB_JQ_ALTERNATION:
		return PREC_DEFINED_OR;
	case '=':
	case AB_JQ_ASSIGN:
	case AB_JQ_UPDATE:
		return PREC_ASSIGN;
	case '<':
	case '>':
	case AB_JQ_EQ:
	case AB_JQ_NEQ:
	case AB_JQ_LE:
	case AB_JQ_GE:
		return PREC_COMPARE;
	case '+':
	case '-':
		return PREC_ADD;
	case '*':
	case '/':
	case '%':
		return PREC_MUL;
	default:
		return 0;
	}
}

/* Strings multiply into long ones, lists are subtracted item by item. */
static bool op_is_slow(const struct ab_jq_scanner *s, int op)
{
	return op == '*' || op == '=' || op == AB_JQ_ASSIGN || op == AB_JQ_UPDATE || op == ',' ||
	       (op == '-' && s->token.type != AB_JQ_NUMBER);
}

/* `$x.y = 1` changes a part of the input, where there is no $x. */
static void check_assigned(struct ab_jq_scanner *s, const struct ab_jq_token *left)
{
	const struct ab_jq_token op = s->token;
	int name = (int)(left->name_len > 60 ? 60 : left->name_len);

	if (left->type != AB_JQ_BINDING || s->failed)
		return;
	ab_scan_mistake(s, op.start,
	        "%.*s changes a part of the input, and $%.*s is none; expected %s$%.*s | .field %.*s ...",
	        (int)op.len, s->text + op.start, name, s->text + left->name_start,
	        op.op == '=' ? "== to compare, or " : "", name, s->text + left->name_start, (int)op.len,
	        s->text + op.start);
}

/* Operands with what binds them at least as strongly as `min`. Which side of two equals binds first makes no
 * difference here. Behind the first | nothing works on the input any more. */
static void parse_exp(struct ab_jq_scanner *s, int min)
{
	enum ab_jq_dot before = s->dot, dot = s->dot;
	const struct ab_jq_token left = s->token;
	size_t n_uses = s->n_uses;
	int prec, op;

	if (!ab_scan_enter(s)) {
		ab_scan_leave(s);
		return;
	}
	parse_operand(s);
	while (!s->failed && (prec = precedence(s)) != 0 && prec >= min) {
		op = s->token.type == AB_JQ_OP ? s->token.op : 0;
		if (prec == PREC_ASSIGN)
			check_assigned(s, &left);
		ab_scan_next(s);
		s->slow |= op_is_slow(s, op);
		if (prec == PREC_ASSIGN)
			s->n_uses = n_uses;
		if (op == '|')
			dot = AB_JQ_DOT_VALUE;
		s->dot = op == AB_JQ_UPDATE ? AB_JQ_DOT_VALUE : dot;
		parse_exp(s, prec + 1);
		s->dot = dot;
	}
	s->dot = before;
	ab_scan_leave(s);
}

void ab_jq_scan(const char *text, size_t len, const struct ab_jq_scan_fns *fns, void *arg,
        struct ab_jq_scan *ret_scan)
{
	struct ab_jq_scanner s = {.text = text, .len = len, .fns = fns, .arg = arg, .dot = AB_JQ_DOT_NULL};

	ab_scan_seek(&s, 0);
	parse_exp(&s, PREC_PIPE);
	if (s.token.type != AB_JQ_END)
		ab_scan_fail(&s, "an operator, or the end");
	ab_scan_report_uses(&s);
	*ret_scan = (struct ab_jq_scan){
	        .understood = !s.failed,
	        .offset = s.failed_at,
	        .expected = s.expected,
	        .quick = !s.failed && !s.slow,
	        .formats_time = s.formats_time,
	        .no_memory = s.no_memory,
	};
	free(s.bounds);
	free(s.uses);
}
