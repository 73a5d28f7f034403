/* tests/server/test_guard.c: which heads are refused, why, and that ordinary ones are not. */
#include "../../server/guard.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(guard, .timeout = 10);
TestSuite(layout, .timeout = 10);

/* Headers are written "Name: value\n..."; the guard gets them split. */
struct guard_case {
	const char *what;
	const char *method, *target, *version;
	const char *fields;
	int status; /* 0: fine */
};

enum { MOST_FIELDS = 128 };

static const char *check(const struct guard_case *c, struct ab_framing *framing, int *status)
{
	static char text[8192];
	static struct ab_header headers[MOST_FIELDS];
	struct ab_head head = {
	        .method = c->method, .target = c->target, .version = c->version, .headers = headers};
	char *line = text;

	snprintf(text, sizeof(text), "%s", c->fields);
	head.target_len = strlen(head.target);
	while (*line != '\0' && head.n_headers < MOST_FIELDS) {
		char *end = strchr(line, '\n'), *colon = strchr(line, ':');

		*end = *colon = '\0';
		headers[head.n_headers++] = (struct ab_header){.name = line,
		        .name_len = strlen(line),
		        .value = colon + 1 + (colon[1] == ' '),
		        .value_len = strlen(colon + 1 + (colon[1] == ' '))};
		line = end + 1;
	}
	return ab_guard_check(&head, framing, status);
}

#define FINE(what, method, target, version, fields)                                                          \
	{                                                                                                    \
		what, method, target, version, fields, 0                                                     \
	}
#define BAD(what, method, target, version, fields)                                                           \
	{                                                                                                    \
		what, method, target, version, fields, 400                                                   \
	}
#define H "Host: example.org\n"

static const struct guard_case cases[] = {
        FINE("a plain request", "GET", "/", "HTTP/1.1", H),
        FINE("a query", "GET", "/a?b=c&d=%20", "HTTP/1.1", H),
        FINE("bytes beyond ASCII are judged when decoded", "GET", "/\xc3\xa9", "HTTP/1.1", H),
        FINE("1.0 needs no Host", "GET", "/", "HTTP/1.0", ""),
        FINE("a later minor version is read as 1.1", "GET", "/", "HTTP/1.9", H),
        FINE("absolute form", "GET", "http://other.org:80/x", "HTTP/1.1", H),
        FINE("absolute form without a path", "GET", "https://other.org?x", "HTTP/1.1", H),
        FINE("absolute form, IPv6", "GET", "http://[::1]:8080/", "HTTP/1.1", H),
        FINE("asterisk form", "OPTIONS", "*", "HTTP/1.1", H),
        FINE("Host with a port", "GET", "/", "HTTP/1.1", "Host: example.org:8080\n"),
        FINE("Host as IPv6", "GET", "/", "HTTP/1.1", "host: [::1]:8080\n"),
        FINE("Host with an empty port", "GET", "/", "HTTP/1.1", "Host: example.org:\n"),
        FINE("an empty value", "GET", "/", "HTTP/1.1", H "X: \n"),
        FINE("a tab and Latin-1 in a value", "GET", "/", "HTTP/1.1", H "X: a\tb\xe9\n"),
        FINE("any token is a name", "GET", "/", "HTTP/1.1", H "!#$%&'*+-.^_`|~09aZ: 1\n"),
        FINE("a length", "POST", "/", "HTTP/1.1", H "Content-Length: 12\n"),
        FINE("chunks, in any case", "POST", "/", "HTTP/1.1", H "transfer-encoding: Chunked\n"),

        BAD("no Host", "GET", "/", "HTTP/1.1", ""),
        BAD("two Hosts", "GET", "/", "HTTP/1.1", H H),
        BAD("two Hosts in 1.0", "GET", "/", "HTTP/1.0", H "host: b\n"),
        BAD("an empty Host", "GET", "/", "HTTP/1.1", "Host: \n"),
        BAD("Host with a path", "GET", "/", "HTTP/1.1", "Host: a/b\n"),
        BAD("Host with a user", "GET", "/", "HTTP/1.1", "Host: a@b\n"),
        BAD("Host with a blank", "GET", "/", "HTTP/1.1", "Host: a b\n"),
        BAD("Host with two values", "GET", "/", "HTTP/1.1", "Host: a, b c\n"),
        BAD("Host with a port that is none", "GET", "/", "HTTP/1.1", "Host: a:8o\n"),
        BAD("Host with a port too long", "GET", "/", "HTTP/1.1", "Host: a:123456\n"),
        BAD("Host of brackets alone", "GET", "/", "HTTP/1.1", "Host: []\n"),
        BAD("Host with an open bracket", "GET", "/", "HTTP/1.1", "Host: [::1\n"),
        BAD("Host with text after the bracket", "GET", "/", "HTTP/1.1", "Host: [::1]x\n"),
        BAD("a bad Host in 1.0", "GET", "/", "HTTP/1.0", "Host: a b\n"),

        BAD("a length and chunks", "POST", "/", "HTTP/1.1",
                H "Content-Length: 4\nTransfer-Encoding: chunked\n"),
        BAD("two lengths", "POST", "/", "HTTP/1.1", H "Content-Length: 4\nContent-Length: 5\n"),
        BAD("two equal lengths", "POST", "/", "HTTP/1.1", H "Content-Length: 4\nContent-Length: 4\n"),
        BAD("a list of lengths", "POST", "/", "HTTP/1.1", H "Content-Length: 4, 4\n"),
        BAD("a negative length", "POST", "/", "HTTP/1.1", H "Content-Length: -4\n"),
        BAD("a length with a sign", "POST", "/", "HTTP/1.1", H "Content-Length: +4\n"),
        BAD("a length in hex", "POST", "/", "HTTP/1.1", H "Content-Length: 0x4\n"),
        BAD("an empty length", "POST", "/", "HTTP/1.1", H "Content-Length: \n"),
        BAD("chunks in 1.0", "POST", "/", "HTTP/1.0", H "Transfer-Encoding: chunked\n"),
        BAD("another coding", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: gzip\n"),
        BAD("identity", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: identity\n"),
        BAD("a list of codings", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: gzip, chunked\n"),
        BAD("chunked, nearly", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: xchunked\n"),
        BAD("chunked, quoted", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: \"chunked\"\n"),
        BAD("chunked, with a blank after it", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: chunked \n"),
        BAD("chunked, with a vertical tab", "POST", "/", "HTTP/1.1", H "Transfer-Encoding: \vchunked\n"),
        BAD("chunked twice", "POST", "/", "HTTP/1.1",
                H "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n"),

        BAD("a blank before the colon", "GET", "/", "HTTP/1.1", H "X : 1\n"),
        BAD("a blank before the colon of a coding", "POST", "/", "HTTP/1.1",
                H "Transfer-Encoding : chunked\n"),
        BAD("a blank before a name", "GET", "/", "HTTP/1.1", H " X: 1\n"),
        BAD("an empty name", "GET", "/", "HTTP/1.1", H ": 1\n"),
        BAD("a slash in a name", "GET", "/", "HTTP/1.1", H "X/Y: 1\n"),
        BAD("a byte beyond ASCII in a name", "GET", "/", "HTTP/1.1", H "X\xe9: 1\n"),
        BAD("CR in a value", "GET", "/", "HTTP/1.1", H "X: a\rb\n"),
        BAD("a control byte in a value", "GET", "/", "HTTP/1.1", H "X: a\001b\n"),
        BAD("DEL in a value", "GET", "/", "HTTP/1.1", H "X: a\177b\n"),

        BAD("no method", "", "/", "HTTP/1.1", H),
        BAD("a method that is no token", "GE(T", "/", "HTTP/1.1", H),
        BAD("a method without an end", "GETGETGETGETGETGETGETGETGETGETGETGETGET", "/", "HTTP/1.1", H),
        {"a method nobody knows", "BREW", "/", "HTTP/1.1", H, 501},
        {"methods are case-sensitive", "get", "/", "HTTP/1.1", H, 501},
        {"TRACE", "TRACE", "/", "HTTP/1.1", H, 501},
        {"CONNECT", "CONNECT", "a:80", "HTTP/1.1", H, 501},
        BAD("no version", "GET", "/", "", H),
        BAD("another protocol", "GET", "/", "HTCPCP/1.1", H),
        BAD("lower case", "GET", "/", "http/1.1", H),
        BAD("another major version", "GET", "/", "HTTP/2.0", H),
        BAD("two digits", "GET", "/", "HTTP/1.10", H),

        BAD("no target", "GET", "", "HTTP/1.1", H),
        BAD("a relative target", "GET", "a", "HTTP/1.1", H),
        BAD("a blank in the target", "GET", "/a b", "HTTP/1.1", H),
        BAD("a tab in the target", "GET", "/a\tb", "HTTP/1.1", H),
        BAD("a control byte in the target", "GET", "/a\001", "HTTP/1.1", H),
        BAD("a fragment in the target", "GET", "/a#b", "HTTP/1.1", H),
        BAD("an asterisk for GET", "GET", "*", "HTTP/1.1", H),
        BAD("another scheme", "GET", "ftp://a/", "HTTP/1.1", H),
        BAD("an absolute target without a host", "GET", "http:///x", "HTTP/1.1", H),
        BAD("an absolute target with a user", "GET", "http://u:p@a/", "HTTP/1.1", H),
};

Test(guard, judges_heads)
{
	for (size_t i = 0; i < AB_COUNT(cases); i++) {
		struct ab_framing framing;
		int status = 0;
		const char *why = check(&cases[i], &framing, &status);

		cr_expect_eq(why == NULL ? 0 : status, cases[i].status, "%s: %d %s", cases[i].what, status,
		        why == NULL ? "accepted" : why);
	}
}

Test(guard, says_what_follows_the_head)
{
	struct ab_framing framing;
	int status;

	cr_assert_null(check(&(struct guard_case){"", "POST", "/", "HTTP/1.1",
	                             H "Expect: 100-Continue\nContent-Length: 1234\ntraceparent: x\n", 0},
	        &framing, &status));
	cr_expect_eq(framing.length, 1234);
	cr_expect(framing.expects_continue);
	cr_expect_not(framing.chunked);
	cr_expect_str_eq(framing.traceparent->value, "x");
	cr_assert_null(check(
	        &(struct guard_case){"", "GET", "http://a.org:80?q", "HTTP/1.1", H, 0}, &framing, &status));
	cr_expect_eq(framing.form, AB_TARGET_ABSOLUTE);
	cr_expect_eq(framing.path_at, strlen("http://a.org:80"));
}

Test(guard, a_length_beyond_all_numbers_is_the_largest)
{
	struct ab_framing framing;
	int status;

	cr_assert_null(check(&(struct guard_case){"", "POST", "/", "HTTP/1.1",
	                             H "Content-Length: 99999999999999999999999999999999\n", 0},
	        &framing, &status));
	cr_expect_eq(framing.length, UINT64_MAX);
}

Test(guard, too_long_a_target_is_414_and_too_many_fields_431)
{
	static char target[AB_MAX_TARGET + 2], fields[8192];
	struct ab_framing framing;
	int status;

	memset(target, 'a', AB_MAX_TARGET + 1);
	target[0] = '/';
	cr_assert_not_null(
	        check(&(struct guard_case){"", "GET", target, "HTTP/1.1", H, 0}, &framing, &status));
	cr_expect_eq(status, 414);
	target[AB_MAX_TARGET] = '\0';
	cr_expect_null(check(&(struct guard_case){"", "GET", target, "HTTP/1.1", H, 0}, &framing, &status));
	strcpy(fields, H);
	for (int i = 0; i < AB_MAX_HEADERS; i++)
		strcat(fields, "X: 1\n");
	cr_assert_not_null(
	        check(&(struct guard_case){"", "GET", "/", "HTTP/1.1", fields, 0}, &framing, &status));
	cr_expect_eq(status, 431);
}

/* A read buffer after libmicrohttpd 0.9.75 has parsed it: '~' stands for each byte it set to NUL. */
static bool layout_fine(const char *text, const char *const *names, const char *const *values)
{
	static char buffer[512];
	const char *method = buffer, *target, *version;
	size_t len = strlen(text);
	struct ab_layout layout;

	for (size_t i = 0; i <= len; i++)
		buffer[i] = text[i] == '~' ? '\0' : text[i];
	target = method + strlen(method) + 1;
	version = memmem(buffer, len, "HTTP/1.1", 8);
	ab_layout_begin(&layout, method, target, strlen(target), version);
	for (; *names != NULL; names++, values++) {
		const char *name = memmem(buffer, len, *names, strlen(*names));
		const char *value = memmem(buffer, len, *values, strlen(*values));

		ab_layout_header(&layout, name, strlen(name), value, strlen(value));
	}
	return ab_layout_end(&layout, method, len);
}

Test(layout, lines_one_after_the_other_are_fine)
{
	static const char *const names[] = {"Host", "Xx", NULL}, *const values[] = {"a.org", "one", NULL};

	cr_expect(layout_fine("GET~/x~HTTP/1.1~~Host~ a.org~~Xx~one~~~~", names, values));
	cr_expect(layout_fine("GET~/x~HTTP/1.1~~Host~a.org~~Xx~   one~~~~", names, values),
	        "blanks before a value");
}

Test(layout, bare_line_feeds_and_nuls_show)
{
	static const char *const names[] = {"Host", "Xx", NULL}, *const values[] = {"a.org", "one", NULL};

	cr_expect_not(layout_fine("GET~/x~HTTP/1.1~Host~ a.org~~Xx~one~~~~", names, values),
	        "LF after the first line");
	cr_expect_not(
	        layout_fine("GET~/x~HTTP/1.1~~Host~ a.org~Xx~one~~~~", names, values), "LF after a field");
	cr_expect_not(layout_fine("GET~/x~HTTP/1.1~~Host~ a.org~~Xx~one~~~", names, values), "LF at the end");
	cr_expect_not(
	        layout_fine("GET~/x~HTTP/1.1~~Host~ a.org~b~~Xx~one~~~~", names, values), "NUL in a value");
	cr_expect_not(layout_fine("GET~/x~HTTP/1.1~~Host~ a.org~~Xx~one~b~~~~", names, values),
	        "NUL in the last value");
	cr_expect_not(layout_fine("GET~/x~y~HTTP/1.1~~Host~ a.org~~Xx~one~~~~", names, values),
	        "NUL in the target");
	cr_expect_not(
	        layout_fine("G~ET~/x~HTTP/1.1~~Host~ a.org~~Xx~one~~~~", names, values), "NUL in the method");
	cr_expect_not(layout_fine("GET~/x~ HTTP/1.1~~Host~ a.org~~Xx~one~~~~", names, values), "two blanks");
}
