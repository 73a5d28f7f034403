/* handlers/jq/scanner.c: see scanner.h. */
#include "scanner.h"

#include "words.h"

#include <stdarg.h>
#include <string.h>

enum { MAX_DEPTH = 200 }; /* of brackets, pipes and definitions inside one another */

/* ---- tokens ---- */

/* Every loop ends: after a failure the text is at its end. */
void ab_scan_fail(struct ab_jq_scanner *s, const char *expected)
{
	if (!s->failed) {
		s->failed = true;
		s->failed_at = s->token.start;
		s->expected = expected;
	}
	s->token = (struct ab_jq_token){.type = AB_JQ_END, .start = s->len};
}

void ab_scan_seek(struct ab_jq_scanner *s, size_t offset)
{
	if (!s->failed)
		s->token = ab_jq_lex(s->text, s->len, offset);
}

void ab_scan_next(struct ab_jq_scanner *s)
{
	ab_scan_seek(s, s->token.start + s->token.len);
}

bool ab_scan_at_op(const struct ab_jq_scanner *s, int op)
{
	return s->token.type == AB_JQ_OP && s->token.op == op;
}

bool ab_scan_at_word(const struct ab_jq_scanner *s, const char *word)
{
	return s->token.type == AB_JQ_IDENT && s->token.len == strlen(word) &&
	       memcmp(s->text + s->token.start, word, s->token.len) == 0;
}

bool ab_scan_take_op(struct ab_jq_scanner *s, int op)
{
	bool there = ab_scan_at_op(s, op);

	if (there)
		ab_scan_next(s);
	return there;
}

bool ab_scan_take_word(struct ab_jq_scanner *s, const char *word)
{
	bool there = ab_scan_at_word(s, word);

	if (there)
		ab_scan_next(s);
	return there;
}

void ab_scan_want_op(struct ab_jq_scanner *s, int op, const char *expected)
{
	if (!ab_scan_take_op(s, op))
		ab_scan_fail(s, expected);
}

void ab_scan_want_word(struct ab_jq_scanner *s, const char *word, const char *expected)
{
	if (!ab_scan_take_word(s, word))
		ab_scan_fail(s, expected);
}

bool ab_scan_enter(struct ab_jq_scanner *s)
{
	if (s->depth++ >= MAX_DEPTH)
		ab_scan_fail(s, "at most 200 levels of nesting");
	return !s->failed;
}

void ab_scan_leave(struct ab_jq_scanner *s)
{
	s->depth--;
}

/* ---- names ---- */

bool ab_scan_grow(struct ab_jq_scanner *s, void **items, size_t count, size_t size)
{
	void *bigger;

	if (count != 0 && (count & (count - 1)) != 0)
		return true;
	bigger = reallocarray(*items, count == 0 ? 1 : 2 * count, size);
	if (bigger == NULL) {
		s->no_memory = true;
		ab_scan_fail(s, "memory");
		return false;
	}
	*items = bigger;
	return true;
}

void ab_scan_bind(struct ab_jq_scanner *s, const struct ab_jq_token *token, bool function, unsigned args)
{
	if (!ab_scan_grow(s, (void **)&s->bounds, s->n_bounds, sizeof(*s->bounds)))
		return;
	s->bounds[s->n_bounds++] = (struct ab_jq_bound){
	        .name = s->text + token->name_start,
	        .len = token->name_len,
	        .function = function,
	        .args = args,
	};
}

bool ab_scan_is_bound(
        const struct ab_jq_scanner *s, const char *name, size_t len, bool function, unsigned args)
{
	for (size_t i = s->n_bounds; i > 0; i--) {
		const struct ab_jq_bound *bound = &s->bounds[i - 1];

		if (bound->function == function && bound->args == args && bound->len == len &&
		        memcmp(bound->name, name, len) == 0)
			return true;
	}
	return false;
}

void ab_scan_mistake(struct ab_jq_scanner *s, size_t offset, const char *fmt, ...)
{
	char message[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	s->fns->mistake(s->arg, offset, message);
}

/* A piece of the text that works on `.`: remembered where that is the null input. */
void ab_scan_use_dot(struct ab_jq_scanner *s, enum ab_jq_use use, size_t offset, size_t len)
{
	if (s->dot != AB_JQ_DOT_NULL || s->failed ||
	        !ab_scan_grow(s, (void **)&s->uses, s->n_uses, sizeof(*s->uses)))
		return;
	s->uses[s->n_uses++] = (struct ab_jq_null_use){use, offset, len};
}

void ab_scan_use_variable(struct ab_jq_scanner *s)
{
	const struct ab_jq_token token = s->token;
	const char *name = s->text + token.name_start;
	size_t fields;

	ab_scan_next(s);
	if (ab_scan_is_bound(s, name, token.name_len, false, 0))
		return;
	if (token.name_len == 7 && memcmp(name, "__loc__", 7) == 0)
		return;
	if (token.name_len == 3 && memcmp(name, "ENV", 3) == 0) {
		ab_scan_mistake(s, token.start, "$ENV: %s", ab_jq_refused("env", 3));
		return;
	}
	fields = ab_jq_lex_fields(s->text, s->len, token.name_start + token.name_len);
	s->fns->need(s->arg, token.start, name, token.name_len, token.name_len + fields);
}

static void report_use(struct ab_jq_scanner *s, const struct ab_jq_null_use *use)
{
	const char *text = s->text + use->offset;
	int len = (int)(use->len > 60 ? 60 : use->len);

	while (len > 1 && strchr(" \t\n", text[len - 1]) != NULL)
		len--;
	switch (use->use) {
	case AB_JQ_USE_FIELD:
		ab_scan_mistake(s, use->offset,
		        "%.*s is a field of the input, which is null here; expected $name%.*s", len, text,
		        len, text);
		break;
	case AB_JQ_USE_INDEX:
		ab_scan_mistake(s, use->offset,
		        "%.*s is a part of the input, which is null here; expected $name%.*s", len, text,
		        len - (text[1] == '['), text + (text[1] == '['));
		break;
	case AB_JQ_USE_SHORTHAND:
		ab_scan_mistake(s, use->offset,
		        "{%.*s} takes a field of the input, which is null here; expected {%.*s: $name.%.*s}",
		        len, text, len, text, len, text);
		break;
	case AB_JQ_USE_CALL:
		ab_scan_mistake(s, use->offset,
		        "%.*s works on the input, which is null here; expected $name | %.*s", len, text, len,
		        text);
		break;
	case AB_JQ_USE_WHOLE:
	default:
		ab_scan_mistake(
		        s, use->offset, "%.*s is the input, which is null here; expected $name", len, text);
		break;
	}
}

void ab_scan_report_uses(struct ab_jq_scanner *s)
{
	for (size_t i = 0; i < s->n_uses; i++)
		report_use(s, &s->uses[i]);
}
