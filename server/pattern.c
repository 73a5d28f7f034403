/* server/pattern.c: see pattern.h. */
#include "pattern.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t utf8;

static void make_locale(void)
{
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* glibc's matcher asks the thread's locale what a character is, when compiling and when matching. */
static locale_t enter(void)
{
	pthread_once(&once, make_locale);
	return utf8 != (locale_t)0 ? uselocale(utf8) : (locale_t)0;
}

static void leave(locale_t before)
{
	if (before != (locale_t)0)
		uselocale(before);
}

static bool has_back_reference(const char *text)
{
	for (; *text != '\0'; text++) {
		if (text[0] != '\\' || text[1] == '\0')
			continue;
		text++;
		if (*text >= '1' && *text <= '9')
			return true;
	}
	return false;
}

static enum ab_code compile(const char *text, regex_t *ret, struct ab_error *err)
{
	locale_t before = enter();
	int rc = regcomp(ret, text, REG_EXTENDED | REG_NOSUB);
	char why[128];

	leave(before);
	if (rc == 0)
		return AB_OK;
	if (rc == REG_ESPACE)
		return ab_error_set(err, AB_ENOMEM, "the pattern needs too much memory");
	regerror(rc, ret, why, sizeof(why));
	return ab_error_set(err, AB_EINVALID, "%s", why);
}

enum ab_code ab_pattern_compile(const char *text, regex_t *ret_pattern, struct ab_error *err)
{
	enum ab_code code;
	regex_t alone;
	char *whole;

	if (has_back_reference(text))
		return ab_error_set(err, AB_EINVALID, "back-references are not supported");
	/* By itself first: "a)(b" must not become valid by what is put around it. */
	code = compile(text, &alone, err);
	if (code != AB_OK)
		return code;
	regfree(&alone);
	if (asprintf(&whole, "^(%s)$", text) < 0)
		return ab_error_set(err, AB_ENOMEM, "no memory for the pattern");
	code = compile(whole, ret_pattern, err);
	free(whole);
	return code;
}

bool ab_pattern_matches(const regex_t *pattern, const char *text)
{
	locale_t before = enter();
	int rc = regexec(pattern, text, 0, NULL, 0);

	leave(before);
	return rc == 0;
}
