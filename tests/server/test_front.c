/* tests/server/test_front.c: the front of the real program, by raw sockets: connections that are kept, heads
 * and bodies, requests that are refused. */
#include "front.h"

#include "../../dispatch/base.h"

#include <criterion/criterion.h>
#include <microhttpd.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

TestSuite(front, .timeout = 120);

/* ---- kept connections ---- */

Test(front, a_connection_is_kept_after_answers_at_once_and_later)
{
	struct http_client client;
	struct front_fixture f;

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(front_ask(&client, "/greet", "Hello World!"), 200);
		cr_assert_eq(front_ask(&client, "/json", NULL), 200);
		cr_assert_eq(front_ask(&client, "/nowhere", NULL), 404);
		cr_assert_eq(front_ask(&client, "/greet?who=You", "Hello You!"), 200);
	}
	http_close(&client);
	front_stop(&f);
}

Test(front, head_and_1_0_and_close_are_understood)
{
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;
	char value[64];

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	cr_assert(http_request(&client, "HEAD", "/greet", "", NULL));
	cr_assert(http_receive(&client, &answer, true));
	cr_expect_eq(answer.status, 200);
	cr_expect_str_eq(http_field(&answer, "Content-Length", value, sizeof(value)), "12");
	http_answer_free(&answer);
	cr_assert_eq(front_ask(&client, "/greet", "Hello World!"), 200, "the HEAD had no body");
	cr_assert(http_request(&client, "GET", "/greet", "Connection: close\r\n", NULL));
	cr_assert(http_receive(&client, &answer, false));
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);

	cr_assert(http_open(&client, f.port));
	cr_assert(http_sends(&client, "GET /greet HTTP/1.0\r\n\r\n"));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 200);
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);
	front_stop(&f);
}

enum { PIPELINED = 10000 };

static void *send_pipelined(void *arg)
{
	struct http_client *client = arg;
	char text[128];

	for (int i = 0; i < PIPELINED; i++) {
		/* Every hundredth has to wait for an upstream, and those behind it for it. */
		snprintf(text, sizeof(text), "GET %s%d HTTP/1.1\r\nHost: x\r\n\r\n",
		        i % 100 == 99 ? "/json?" : "/echo/", i);
		if (!http_sends(client, text))
			break;
	}
	return NULL;
}

Test(front, ten_thousand_pipelined_requests_are_answered_in_order)
{
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;
	pthread_t sender;
	char want[32];

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	cr_assert_eq(pthread_create(&sender, NULL, send_pipelined, &client), 0);
	for (int i = 0; i < PIPELINED; i++) {
		cr_assert(http_receive(&client, &answer, false), "answer %d", i);
		cr_assert_eq(answer.status, 200);
		snprintf(want, sizeof(want), i % 100 == 99 ? "{\"id\":1" : "{\"n\":\"%d\"}", i);
		cr_assert_eq(strncmp(answer.body, want, strlen(want)), 0, "%s for %s", answer.body, want);
		http_answer_free(&answer);
	}
	pthread_join(sender, NULL);
	http_close(&client);
	front_stop(&f);
}

/* ---- heads, in pieces and in all sizes ---- */

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

Test(front, a_head_may_come_in_any_two_pieces)
{
	static const char head[] = "\r\nGET /greet?who=a%20b HTTP/1.1\r\nHost: example.org:80\r\nX-Empty:\r\n"
	                           "X-Blanks: \t a b \t\r\nCookie: a=b; c=d\r\nAccept: */*\r\n\r\n";
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	for (size_t at = 1; at < sizeof(head) - 1; at++) {
		cr_assert(http_send(&client, head, at));
		nap();
		cr_assert(http_sends(&client, head + at));
		cr_assert(http_receive(&client, &answer, false), "cut at %zu", at);
		cr_assert_eq(answer.status, 200, "cut at %zu: %s", at, answer.body);
		cr_assert_str_eq(answer.body, "Hello a b!");
		http_answer_free(&answer);
	}
	for (size_t at = 0; at < sizeof(head) - 1; at++) {
		cr_assert(http_send(&client, head + at, 1));
		nap();
	}
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 200);
	http_answer_free(&answer);
	http_close(&client);
	front_stop(&f);
}

/* Of every size, and with few or many fields: answered, or refused for its size, never misread. */
Test(front, a_head_of_any_size_is_answered_or_431)
{
	static char fields[40000], value[20000];
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;
	bool answered, refused = false;

	front_start(&f);
	for (size_t size = 100; size < 18000; size += 487) {
		cr_assert(http_open(&client, f.port));
		memset(value, 'v', size);
		value[size] = '\0';
		snprintf(fields, sizeof(fields), "X: %s\r\nY: %s\r\n", value + size / 2,
		        value + size - size / 2);
		answered = http_request(&client, "GET", "/greet", fields, NULL) &&
		           http_receive(&client, &answer, false);
		cr_assert(answered, "%zu bytes", size);
		refused |= answer.status == 431;
		cr_expect_eq(answer.status, refused ? 431 : 200, "%zu bytes: %d", size, answer.status);
		cr_expect(size > 8000 || !refused, "%zu bytes are refused", size);
		http_answer_free(&answer);
		http_close(&client);
	}
	cr_expect(refused);
	front_stop(&f);
}

Test(front, targets_have_a_length)
{
	static char target[40000];
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	for (size_t size = 1000; size < 38000; size = size * 3 / 2) {
		memset(target, 'a', size);
		memcpy(target, "/greet?who=", 11);
		target[size] = '\0';
		cr_assert(http_open(&client, f.port));
		cr_assert(http_request(&client, "GET", target, "", NULL));
		cr_assert(http_receive(&client, &answer, false), "%zu bytes", size);
		cr_expect_eq(answer.status, size <= 8192 ? 200 : 414, "%zu bytes: %d", size, answer.status);
		http_answer_free(&answer);
		http_close(&client);
	}
	front_stop(&f);
}

Test(front, a_query_may_have_a_thousand_parameters_and_no_more)
{
	static const int counts[] = {1, 200, 227, 228, 300, 999, 1001, 1500};
	struct front_fixture f;
	struct http_client client;
	char target[8192];

	front_start(&f);
	for (size_t i = 0; i < AB_COUNT(counts); i++) {
		size_t len = (size_t)snprintf(target, sizeof(target), "/greet?who=you");

		for (int n = 1; n < counts[i]; n++)
			len += (size_t)snprintf(target + len, sizeof(target) - len, "&b=%d", n % 10);
		cr_assert(http_open(&client, f.port));
		cr_expect_eq(front_ask(&client, target, counts[i] <= 1000 ? "Hello you!" : NULL),
		        counts[i] <= 1000 ? 200 : 400, "%d parameters", counts[i]);
		http_close(&client);
	}
	front_stop(&f);
}

/* ---- what is refused ---- */

struct raw_case {
	const char *what;
	const char *text; /* what follows it must never be read as a request */
	size_t len;       /* 0: of the text */
	int status;
};

#define NEXT "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
#define HOST "Host: x\r\n"
#define RAW(what, text, status)                                                                              \
	{                                                                                                    \
		what, text, sizeof(text) - 1, status                                                         \
	}

static const struct raw_case refused[] = {
        RAW("a length and chunks",
                "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\n\r\n" NEXT,
                400),
        RAW("two lengths",
                "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 36\r\n\r\n" NEXT, 400),
        RAW("two equal lengths",
                "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" NEXT, 400),
        RAW("a negative length", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n" NEXT, 400),
        RAW("a length with a sign", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +0\r\n\r\n" NEXT, 400),
        RAW("a length of words", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: four\r\n\r\n" NEXT, 400),
        RAW("a length beyond 64 bits",
                "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n" NEXT, 413),
        RAW("another coding", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n" NEXT, 400),
        RAW("chunked and a blank",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400),
        RAW("a blank before the colon",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
        RAW("chunks in 1.0",
                "POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
        RAW("a folded field", "GET /greet HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n" NEXT, 400),
        RAW("a folded coding",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
        RAW("a field folded last", "GET /greet HTTP/1.1\r\nX: a\r\n" HOST "\tb\r\n\r\n" NEXT, 400),
        RAW("a bare LF after the request line", "GET /greet HTTP/1.1\n" HOST "\r\n" NEXT, 400),
        RAW("a bare LF after a field", "GET /greet HTTP/1.1\r\nX: a\n" HOST "\r\n" NEXT, 400),
        RAW("a bare LF at the end", "GET /greet HTTP/1.1\r\n" HOST "\n" NEXT, 400),
        RAW("a bare CR in a value", "GET /greet HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n" NEXT, 400),
        RAW("NUL in a value", "GET /greet HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n" NEXT, 400),
        RAW("NUL in a name", "GET /greet HTTP/1.1\r\n" HOST "X\0Y: a\r\n\r\n" NEXT, 400),
        RAW("NUL in the target", "GET /greet\0 HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("NUL in the method", "G\0T /greet HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a control byte in a value", "GET /greet HTTP/1.1\r\n" HOST "X: \001\r\n\r\n" NEXT, 400),
        RAW("an empty name", "GET /greet HTTP/1.1\r\n" HOST ": a\r\n\r\n" NEXT, 400),
        RAW("no colon", "GET /greet HTTP/1.1\r\n" HOST "nothing\r\n\r\n" NEXT, 400),
        RAW("a name that is no token", "GET /greet HTTP/1.1\r\n" HOST "a(b): c\r\n\r\n" NEXT, 400),
        RAW("no Host", "GET /greet HTTP/1.1\r\n\r\n" NEXT, 400),
        RAW("two Hosts", "GET /greet HTTP/1.1\r\n" HOST HOST "\r\n" NEXT, 400),
        RAW("a bad Host", "GET /greet HTTP/1.1\r\nHost: a b\r\n\r\n" NEXT, 400),
        RAW("no version", "GET /greet\r\n" HOST "\r\n" NEXT, 400),
        RAW("a version of another protocol", "GET /greet HTTPS/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a version to come", "GET /greet HTTP/9.1\r\n" HOST "\r\n" NEXT, 505),
        RAW("two blanks", "GET  /greet HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a blank in the target", "GET /gr eet HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a blank after the version", "GET /greet HTTP/1.1 \r\n" HOST "\r\n" NEXT, 400),
        RAW("a fragment", "GET /greet#a HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a relative target", "GET greet HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("an asterisk for GET", "GET * HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a method that is no token", "G(T /greet HTTP/1.1\r\n" HOST "\r\n" NEXT, 400),
        RAW("a method unknown", "BREW /greet HTTP/1.1\r\n" HOST "\r\n" NEXT, 501),
        RAW("CONNECT", "CONNECT x:80 HTTP/1.1\r\n" HOST "\r\n" NEXT, 501),
        RAW("a GET with a body", "GET /greet HTTP/1.1\r\n" HOST "Content-Length: 36\r\n\r\n" NEXT, 400),
        RAW("a body too large", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10001\r\n\r\n" NEXT, 413),
        RAW("a chunk size that is none",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n" NEXT, 400),
        RAW("a chunk size with a prefix",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n" NEXT,
                400),
        RAW("a chunk longer than said",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" NEXT,
                400),
        RAW("a chunk beyond 64 bits",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" NEXT,
                413),
        RAW("chunks too large",
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffff\r\n" NEXT "(and more)",
                0),
};

/* libmicrohttpd 0.9.75 refuses a bad Content-Length by itself, and sends its refusal more than once. */
static bool refused_by_library(const struct raw_case *c)
{
	return strstr(c->text, "Content-Length: -") != NULL || strstr(c->text, "Content-Length: +") != NULL ||
	       strstr(c->text, "Content-Length: four") != NULL || strstr(c->text, "Length: 184467") != NULL;
}

/* 1.0 closes some without a word. */
static const bool closes_silently = MHD_VERSION >= 0x01000000;

/* One answer, the refusal, and then the end: whatever stood behind it was not read as a request. */
static void expect_refusal(unsigned short port, const struct raw_case *c)
{
	struct http_client client;
	struct http_answer answer = {0};

	cr_assert(http_open(&client, port));
	cr_assert(http_send(&client, c->text, c->len));
	if (c->status != 0 && http_receive(&client, &answer, false))
		cr_expect_eq(answer.status, c->status, "%s: %d", c->what, answer.status);
	else
		cr_expect(c->status == 0 || closes_silently, "%s: no answer", c->what);
	http_answer_free(&answer);
	http_half_close(&client);
	cr_expect(http_ends(&client) || refused_by_library(c), "%s: the connection goes on: %s", c->what,
	        client.bytes);
	http_close(&client);
}

Test(front, what_could_be_read_in_two_ways_is_refused_and_ends_the_connection)
{
	struct front_fixture f;

	front_start(&f);
	for (size_t i = 0; i < AB_COUNT(refused); i++)
		expect_refusal(f.port, &refused[i]);
	cr_expect_eq(http_get(f.port, "/greet", NULL), 200);
	front_stop_having_logged(&f, "\"status\":501", "smuggled");
}

static const struct raw_case accepted[] = {
        RAW("an empty line first", "\r\nGET /greet HTTP/1.1\r\n" HOST "\r\n", 200),
        RAW("an absolute target", "GET http://elsewhere.org/greet HTTP/1.1\r\n" HOST "\r\n", 200),
        RAW("an absolute target without a path", "GET http://elsewhere.org HTTP/1.1\r\n" HOST "\r\n", 404),
        RAW("an absolute target with a query alone", "GET http://elsewhere.org?a=b HTTP/1.1\r\n" HOST "\r\n",
                404),
        RAW("OPTIONS of the server", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 204),
        RAW("a later minor version", "GET /greet HTTP/1.5\r\n" HOST "\r\n", 200),
        RAW("no blank after the colon", "GET /greet HTTP/1.1\r\nHost:x\r\n\r\n", 200),
        RAW("blanks and tabs around a value", "GET /greet HTTP/1.1\r\nHost: \t x \t \r\n\r\n", 200),
        RAW("an empty value last", "GET /greet HTTP/1.1\r\n" HOST "X:\r\n\r\n", 200),
        RAW("an upgrade nobody knows",
                "GET /greet HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
        RAW("a length of nothing", "GET /greet HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200),
        RAW("a form",
                "POST /echo HTTP/1.1\r\n" HOST "Content-Type: application/x-www-form-urlencoded\r\n"
                "Content-Length: 3\r\n\r\nn=1",
                200),
        RAW("a form in chunks",
                "POST /echo HTTP/1.1\r\n" HOST "Content-Type: application/x-www-form-urlencoded\r\n"
                "Transfer-Encoding: chunked\r\n\r\n1\r\nn\r\n002\r\n=1\r\n0\r\nTrailer: x\r\n\r\n",
                200),
        RAW("a body for DELETE", "DELETE /echo/1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 200),
        RAW("a raw path outside ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 404),
        RAW("a method this path has not", "POST /greet HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405),
        RAW("%00 in a path", "GET /echo/%00 HTTP/1.1\r\n" HOST "\r\n", 400),
        RAW("dots in a path", "GET /echo/../greet HTTP/1.1\r\n" HOST "\r\n", 400),
        RAW("encoded dots in a path", "GET /echo/%2e%2e/greet HTTP/1.1\r\n" HOST "\r\n", 400),
};

/* Answered, and the connection serves on. */
Test(front, what_is_unusual_but_clear_is_answered_and_the_connection_kept)
{
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	for (size_t i = 0; i < AB_COUNT(accepted); i++) {
		cr_assert(http_send(&client, accepted[i].text, accepted[i].len));
		cr_assert(http_receive(&client, &answer, false), "%s: no answer", accepted[i].what);
		cr_expect_eq(answer.status, accepted[i].status, "%s: %d %s", accepted[i].what, answer.status,
		        answer.body);
		http_answer_free(&answer);
		cr_assert_eq(front_ask(&client, "/greet", "Hello World!"), 200, "after %s", accepted[i].what);
	}
	http_close(&client);
	front_stop(&f);
}

/* ---- bodies ---- */

Test(front, a_body_may_be_as_large_as_the_limit_and_no_larger)
{
	static char body[20001];
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	memset(body, 'a', sizeof(body) - 1);
	memcpy(body, "n=", 2);
	for (size_t size = 9999; size <= 10001; size++) {
		body[size] = '\0';
		cr_assert(http_open(&client, f.port));
		cr_assert(http_request(&client, "POST", "/echo",
		        "Content-Type: application/x-www-form-urlencoded\r\n", body));
		cr_assert(http_receive(&client, &answer, false), "%zu bytes", size);
		cr_expect_eq(answer.status, size > 10000 ? 413 : 200, "%zu bytes: %d", size, answer.status);
		http_answer_free(&answer);
		if (size > 10000)
			cr_expect(http_ends(&client));
		http_close(&client);
		body[size] = 'a';
	}
	front_stop(&f);
}

Test(front, chunks_beyond_the_limit_are_413_and_the_client_can_read_it)
{
	static char chunk[5000];
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	memset(chunk, 'a', sizeof(chunk));
	cr_assert(http_open(&client, f.port));
	cr_assert(http_sends(&client, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
	for (int i = 0; i < 20; i++) { /* ten times the limit, before it looks for an answer */
		char head[16];

		snprintf(head, sizeof(head), "%zx\r\n", sizeof(chunk));
		if (!http_sends(&client, head) || !http_send(&client, chunk, sizeof(chunk)) ||
		        !http_sends(&client, "\r\n"))
			break;
	}
	http_sends(&client, "0\r\n\r\n" NEXT);
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 413);
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);
	front_stop(&f);
}

Test(front, leave_to_send_a_body_is_given_only_for_one_that_is_wanted)
{
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	cr_assert(http_sends(&client,
	        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n"
	        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 100);
	http_answer_free(&answer);
	cr_assert(http_sends(&client, "n=1"));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 200);
	http_answer_free(&answer);
	cr_assert(http_sends(&client,
	        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 10001\r\n\r\n"));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 413);
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);
	front_stop(&f);
}
