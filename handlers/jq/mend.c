/* handlers/jq/mend.c: see mend.h. */
#include "mend.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char before(const char *text, size_t at, size_t steps)
{
	return at >= steps ? text[at - steps] : '\0';
}

const char *ab_jq_mend(const char *text, size_t len, size_t at, const char *expected)
{
	char next = at + 1 < len ? text[at + 1] : '\0';

	switch (text[at]) {
	case '\'':
		return "double quotes round a text";
	case '&':
		return "`and`";
	case '|':
		return before(text, at, 1) == '|' ? "`or`" : expected;
	case '!':
		return next != '=' ? "`| not` behind the value" : expected;
	case '=':
		return before(text, at, 1) == '=' ? "== to compare" : expected;
	case '{':
		return before(text, at, 1) == '{' ? "$name, as a filter writes {{name}}" : expected;
	case ':':
		return isalpha((unsigned char)next) ? "$name, as a filter writes :name" : expected;
	default:
		return expected;
	}
}

const char *ab_jq_mend_undefined(
        const char *message, const char *text, size_t len, size_t at, char *buf, size_t size)
{
	static const char ending[] = "/0 is not defined";
	size_t name = strcspn(message, "/");
	int shown = (int)(name > 60 ? 60 : name);

	if (strcmp(message + name, ending) != 0)
		return NULL;
	if (at > 1 && at < len && text[at - 1] == '-' && isalnum((unsigned char)text[at - 2]))
		snprintf(buf, size,
		        "; expected a function of jq, $%.*s for a need, or quotes round a key with a '-', as in .\"a-b\"",
		        shown, message);
	else
		snprintf(buf, size, "; expected a function of jq, or $%.*s for a need", shown, message);
	return buf;
}
