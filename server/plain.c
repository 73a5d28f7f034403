/* server/plain.c: what an unquoted scalar is, by the core schema of YAML 1.2 (section 10.3.2), and a refusal
 * for every text that readers of other versions would take for something else. */
#include "conf_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* [-+]?[0-9]+(:[0-9]+)+ : base 60 in YAML 1.1. */
static bool is_sexagesimal(const char *text)
{
	size_t n = digits(text);

	if (n == 0 || text[n] != ':')
		return false;
	while (text[n] == ':') {
		size_t more = digits(text + n + 1);

		if (more == 0)
			return false;
		n += 1 + more;
	}
	return text[n] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(const char *text)
{
	size_t whole = digits(text), part = 0;

	text += whole;
	if (*text == '.') {
		part = digits(text + 1);
		text += 1 + part;
	}
	if (whole == 0 && part == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		if (digits(text) == 0)
			return false;
		text += digits(text);
	}
	return *text == '\0';
}

static bool refuse(char *why, size_t size, const char *text, const char *as, const char *instead)
{
	if (instead[0] != '\0')
		snprintf(why, size, "unquoted %.40s could be a string or %s; expected \"%.40s\" or %s", text,
		        as, text, instead);
	else
		snprintf(why, size, "unquoted %.40s could be a string or %s; expected \"%.40s\"", text, as,
		        text);
	return false;
}

/* 0x1F, 0o17, 0b11: numbers to some readers. */
static bool refuse_based(const char *text, const char *digits_at, char *why, size_t size)
{
	int base = digits_at[1] == 'x' || digits_at[1] == 'X' ? 16 : digits_at[1] == 'o' ? 8 : 2;
	char instead[32] = "";
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(digits_at + 2, &end, base);
	if (errno == 0 && n <= INT64_MAX)
		snprintf(instead, sizeof(instead), "%s%" PRIu64, text[0] == '-' ? "-" : "", n);
	return refuse(why, size, text, "a number", instead);
}

static bool is_based(const char *text)
{
	const char *set;

	if (text[0] != '0' || text[1] == '\0' || text[2] == '\0')
		return false;
	if (text[1] == 'x' || text[1] == 'X')
		set = "0123456789abcdefABCDEF";
	else if (text[1] == 'o')
		set = "01234567";
	else if (text[1] == 'b')
		set = "01";
	else
		return false;
	return text[2 + strspn(text + 2, set)] == '\0';
}

static bool resolve_number(struct ab_conf *node, const char *text, char *why, size_t size)
{
	const char *unsigned_part = text + (*text == '-' || *text == '+');
	char instead[48];

	if (unsigned_part[0] == '0' && digits(unsigned_part) > 1) {
		const char *rest = unsigned_part + strspn(unsigned_part, "0");

		if (digits(rest) == 0)
			rest--;
		snprintf(instead, sizeof(instead), "%s%.40s", *text == '-' ? "-" : "", rest);
		return refuse(why, size, text, "a number", instead);
	}
	errno = 0;
	if (unsigned_part[digits(unsigned_part)] == '\0') {
		node->type = AB_CONF_INT;
		node->u.integer = strtoll(text, NULL, 10);
		if (errno != 0)
			snprintf(why, size, "the number %.40s does not fit 64 bits; expected it in quotes",
			        text);
		return errno == 0;
	}
	node->type = AB_CONF_REAL;
	node->u.real = strtod(text, NULL);
	if (!isfinite(node->u.real)) {
		snprintf(
		        why, size, "the number %.40s is too large for a double; expected it in quotes", text);
		return false;
	}
	return true;
}

static bool resolve_word(struct ab_conf *node, const char *text, bool *ret_known, char *why, size_t size)
{
	static const char *const nulls[] = {"~", "null", "Null", "NULL"};
	static const char *const trues[] = {"true", "True", "TRUE"};
	static const char *const falses[] = {"false", "False", "FALSE"};
	static const char *const yes[] = {"yes", "on", "y"};
	static const char *const no[] = {"no", "off", "n"};
	static const char *const infinite[] = {".inf", "+.inf", "-.inf", ".nan"};

	*ret_known = true;
	if (is_one_of(text, nulls, AB_COUNT(nulls))) {
		node->type = AB_CONF_NULL;
		return true;
	}
	node->type = AB_CONF_BOOL;
	node->u.boolean = is_one_of(text, trues, AB_COUNT(trues));
	if (node->u.boolean || is_one_of(text, falses, AB_COUNT(falses)))
		return true;
	for (size_t i = 0; i < AB_COUNT(yes); i++)
		if (strcasecmp(text, yes[i]) == 0)
			return refuse(why, size, text, "a boolean", "true");
	for (size_t i = 0; i < AB_COUNT(no); i++)
		if (strcasecmp(text, no[i]) == 0)
			return refuse(why, size, text, "a boolean", "false");
	for (size_t i = 0; i < AB_COUNT(infinite); i++) {
		if (strcasecmp(text, infinite[i]) == 0) {
			snprintf(why, size,
			        "unquoted %s is no number that JSON knows; expected \"%s\" or another number",
			        text, text);
			return false;
		}
	}
	*ret_known = false;
	return true;
}

bool ab_plain_resolve(struct ab_conf *node, const char *text, size_t len, char *why, size_t why_size)
{
	const char *unsigned_part = text + (*text == '-' || *text == '+');
	bool known, ok;

	ok = resolve_word(node, text, &known, why, why_size);
	if (known)
		return ok;
	if (is_sexagesimal(unsigned_part))
		return refuse(why, why_size, text, "a number", "");
	if (is_based(unsigned_part))
		return refuse_based(text, unsigned_part, why, why_size);
	if (is_real(unsigned_part))
		return resolve_number(node, text, why, why_size);
	node->type = AB_CONF_STRING;
	node->u.string.text = text;
	node->u.string.len = len;
	return true;
}
