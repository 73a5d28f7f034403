/* tests/server/test_front.c: the front of the real program, by raw sockets: connections that are kept,
 * requests that are refused, clients that are slow or leave, and limits. */
#include "../lib/http_client.h"
#include "../lib/served.h"
#include "../lib/upstream.h"

#include "../../dispatch/base.h"

#include <criterion/criterion.h>
#include <microhttpd.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

TestSuite(front, .timeout = 120);

static const char app_text[] = "server:\n"
                               "  head_timeout: %s\n"
                               "  body_timeout: %s\n"
                               "  send_timeout: 500ms\n"
                               "  deadline: 60s\n"
                               "  max_body: 10000B\n"
                               "  max_in_flight: %u\n"
                               "upstreams:\n"
                               "  up: {url: \"%s\", timeout: 60s, max_in_flight: 10000, max_body: 64MiB}\n"
                               "resources:\n"
                               "  who: World\n"
                               "  greet: {text: \"Hello {{who}}!\"}\n"
                               "  json: {http: \"GET up/json\"}\n"
                               "  big: {http: \"GET up/big?bytes=12000000\"}\n"
                               "  held: {http: \"GET up/hold\"}\n"
                               "  echo: {json: {n: \"{n}\"}}\n"
                               "routes:\n"
                               "  GET /greet: {answer: greet, accept: {who: string}}\n"
                               "  GET /json: json\n"
                               "  GET /big: big\n"
                               "  GET /held: held\n"
                               "  GET /echo/{n}: echo\n"
                               "  POST /echo: {answer: echo, accept: {n: string}}\n"
                               "  DELETE /echo/{n}: echo\n";

struct fixture {
	struct served served;
	struct fake_upstream *upstream;
	unsigned short port;
};

struct settings {
	const char *head_timeout, *body_timeout;
	unsigned max_in_flight, files;
	const char *const *args;
};

static const char *const one_worker[] = {"--workers", "1", NULL};

static void start_with(struct fixture *f, struct settings settings)
{
	char *app;

	memset(f, 0, sizeof(*f));
	f->upstream = fake_upstream_start();
	cr_assert_geq(asprintf(&app, app_text, settings.head_timeout == NULL ? "30s" : settings.head_timeout,
	                      settings.body_timeout == NULL ? "30s" : settings.body_timeout,
	                      settings.max_in_flight == 0 ? 10000 : settings.max_in_flight,
	                      fake_upstream_url(f->upstream)),
	        0);
	served_start_limited(
	        &f->served, app, settings.args == NULL ? one_worker : settings.args, settings.files);
	free(app);
	f->port = f->served.port;
}

static void start(struct fixture *f)
{
	start_with(f, (struct settings){0});
}

/* Ends the server; a leak or a race it had is a failure here. Its log must have `want`, unless NULL, and must
 * not have `unwanted`. */
static void stop_having_logged(struct fixture *f, const char *want, const char *unwanted)
{
	int code = served_stop(&f->served);
	const char *log = f->served.process.err.data;

	cr_expect_eq(code, 0, "exit %d: %.2000s", code, log);
	cr_expect(want == NULL || strstr(log, want) != NULL, "the log has no %s: %.2000s", want, log);
	cr_expect(unwanted == NULL || strstr(log, unwanted) == NULL, "the log has %s: %.300s", unwanted,
	        strstr(log, unwanted) - 200);
	served_end(&f->served);
	fake_upstream_stop(f->upstream);
}

static void stop(struct fixture *f)
{
	stop_having_logged(f, NULL, NULL);
}

/* Ask for `target` on an open connection; its status, 0 for no answer. `want`: the body must be this, or
 * NULL. */
static int ask(struct http_client *client, const char *target, const char *want)
{
	struct http_answer answer;
	int status = 0;

	if (http_request(client, "GET", target, "", NULL) && http_receive(client, &answer, false)) {
		status = answer.status;
		if (want != NULL && strcmp(answer.body, want) != 0)
			cr_expect_str_eq(answer.body, want, "%s", target);
	}
	http_answer_free(&answer);
	return status;
}

/* ---- kept connections ---- */

Test(front, a_connection_is_kept_after_answers_at_once_and_later)
{
	struct http_client client;
	struct fixture f;

	start(&f);
	cr_assert(http_open(&client, f.port));
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(ask(&client, "/greet", "Hello World!"), 200);
		cr_assert_eq(ask(&client, "/json", NULL), 200);
		cr_assert_eq(ask(&client, "/nowhere", NULL), 404);
		cr_assert_eq(ask(&client, "/greet?who=You", "Hello You!"), 200);
	}
	http_close(&client);
	stop(&f);
}

Test(front, head_and_1_0_and_close_are_understood)
{
	struct http_client client;
	struct http_answer answer;
	struct fixture f;
	char value[64];

	start(&f);
	cr_assert(http_open(&client, f.port));
	cr_assert(http_request(&client, "HEAD", "/greet", "", NULL));
	cr_assert(http_receive(&client, &answer, true));
	cr_expect_eq(answer.status, 200);
	cr_expect_str_eq(http_field(&answer, "Content-Length", value, sizeof(value)), "12");
	http_answer_free(&answer);
	cr_assert_eq(ask(&client, "/greet", "Hello World!"), 200, "the HEAD had no body");
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
	stop(&f);
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
	struct fixture f;
	pthread_t sender;
	char want[32];

	start(&f);
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
	stop(&f);
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
	struct fixture f;

	start(&f);
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
	stop(&f);
}

/* Of every size, and with few or many fields: answered, or refused for its size, never misread. */
Test(front, a_head_of_any_size_is_answered_or_431)
{
	static char fields[40000], value[20000];
	struct http_client client;
	struct http_answer answer;
	struct fixture f;
	bool answered, refused = false;

	start(&f);
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
	stop(&f);
}

Test(front, targets_have_a_length)
{
	static char target[40000];
	struct http_client client;
	struct http_answer answer;
	struct fixture f;

	start(&f);
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
	stop(&f);
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
	struct fixture f;

	start(&f);
	for (size_t i = 0; i < AB_COUNT(refused); i++)
		expect_refusal(f.port, &refused[i]);
	cr_expect_eq(http_get(f.port, "/greet", NULL), 200);
	stop_having_logged(&f, "\"status\":501", "smuggled");
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
	struct fixture f;

	start(&f);
	cr_assert(http_open(&client, f.port));
	for (size_t i = 0; i < AB_COUNT(accepted); i++) {
		cr_assert(http_send(&client, accepted[i].text, accepted[i].len));
		cr_assert(http_receive(&client, &answer, false), "%s: no answer", accepted[i].what);
		cr_expect_eq(answer.status, accepted[i].status, "%s: %d %s", accepted[i].what, answer.status,
		        answer.body);
		http_answer_free(&answer);
		cr_assert_eq(ask(&client, "/greet", "Hello World!"), 200, "after %s", accepted[i].what);
	}
	http_close(&client);
	stop(&f);
}

/* ---- bodies ---- */

Test(front, a_body_may_be_as_large_as_the_limit_and_no_larger)
{
	static char body[20001];
	struct http_client client;
	struct http_answer answer;
	struct fixture f;

	start(&f);
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
	stop(&f);
}

Test(front, chunks_beyond_the_limit_are_413_and_the_client_can_read_it)
{
	static char chunk[5000];
	struct http_client client;
	struct http_answer answer;
	struct fixture f;

	start(&f);
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
	stop(&f);
}

Test(front, leave_to_send_a_body_is_given_only_for_one_that_is_wanted)
{
	struct http_client client;
	struct http_answer answer;
	struct fixture f;

	start(&f);
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
	stop(&f);
}

/* ---- slow clients ---- */

enum { SLOW = 50 };

struct dripper {
	unsigned short port;
	const char *text; /* sent first */
	int status[SLOW]; /* of what each was answered; 0: nothing */
	bool closed[SLOW];
};

/* Clients that send a little all the time, until each is closed. */
static void drip(struct dripper *d)
{
	struct http_client clients[SLOW];
	struct http_answer answer;
	int open = SLOW;

	for (int i = 0; i < SLOW; i++) {
		cr_assert(http_open(&clients[i], d->port));
		cr_assert(http_sends(&clients[i], d->text));
	}
	for (int round = 0; round < 2000 && open > 0; round++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		for (int i = 0; i < SLOW; i++) {
			if (!d->closed[i] && !http_sends(&clients[i], "a")) {
				d->closed[i] = true;
				open--;
			}
		}
	}
	for (int i = 0; i < SLOW; i++) {
		if (http_receive(&clients[i], &answer, false))
			d->status[i] = answer.status;
		http_answer_free(&answer);
		http_close(&clients[i]);
	}
}

static void *drip_thread(void *arg)
{
	drip(arg);
	return NULL;
}

/* Others are served all the while. */
static void expect_dripping_ends(struct dripper *d)
{
	struct http_client client;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, drip_thread, d), 0);
	cr_assert(http_open(&client, d->port));
	for (int i = 0; i < 200; i++)
		cr_assert_eq(ask(&client, "/greet", "Hello World!"), 200);
	http_close(&client);
	pthread_join(thread, NULL);
	for (int i = 0; i < SLOW; i++)
		cr_expect(d->closed[i], "client %d still sends", i);
}

Test(front, heads_that_never_end_are_cut_at_the_deadline)
{
	struct fixture f;
	struct dripper d = {.text = "GET /greet HTTP/1.1\r\nHost: x\r\nX: "};

	start_with(&f, (struct settings){.head_timeout = "300ms"});
	d.port = f.port;
	expect_dripping_ends(&d);
	stop(&f);
}

Test(front, bodies_that_never_end_are_cut_at_the_deadline)
{
	struct fixture f;
	struct dripper d = {.text = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"};

	start_with(&f, (struct settings){.body_timeout = "300ms"});
	d.port = f.port;
	expect_dripping_ends(&d);
	stop(&f);
}

Test(front, a_slow_body_is_answered_with_408)
{
	struct http_client client;
	struct http_answer answer;
	struct fixture f;

	start_with(&f, (struct settings){.body_timeout = "200ms"});
	cr_assert(http_open(&client, f.port));
	cr_assert(http_sends(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nn="));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 408);
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);
	stop(&f);
}

Test(front, a_connection_that_says_nothing_is_closed_without_an_answer)
{
	struct http_client client;
	struct fixture f;

	start_with(&f, (struct settings){.head_timeout = "200ms"});
	cr_assert(http_open(&client, f.port));
	cr_expect(http_ends(&client));
	http_close(&client);
	stop(&f);
}

/* Whether the server has closed its end of every connection. */
static bool has_no_client(void *arg)
{
	const struct fixture *f = arg;
	char line[256];
	bool none = true;
	FILE *table = fopen("/proc/net/tcp", "r");
	unsigned local, state;

	if (table == NULL)
		return false;
	while (fgets(line, sizeof(line), table) != NULL)
		if (sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%*X %X", &local, &state) == 2 &&
		        local == f->port)
			none &= state != 1 && state != 8; /* established, or waiting for us to close */
	fclose(table);
	return none;
}

Test(front, an_answer_nobody_reads_is_given_up)
{
	struct http_client slow, quick;
	struct http_answer answer;
	struct fixture f;
	int little = 4096;

	start(&f);
	cr_assert(http_open(&slow, f.port));
	setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	cr_assert(http_request(&slow, "GET", "/big", "", NULL));
	cr_assert(http_open(&quick, f.port));
	cr_assert(http_request(&quick, "GET", "/big", "", NULL));
	cr_assert(http_receive(&quick, &answer, false), "one that is read comes whole");
	cr_expect_eq(answer.body_len, 12000000);
	http_answer_free(&answer);
	http_close(&quick);
	/* The kernel's buffers hold some of it, not all. When no other is open, the server has cut it. */
	cr_expect(wait_until(has_no_client, &f), "it is still being sent");
	cr_expect_not(http_receive(&slow, &answer, false), "all of it came after all");
	http_answer_free(&answer);
	http_close(&slow);
	stop_having_logged(&f, "\"aborted\":true", NULL);
}

/* A chunk header without an end fills libmicrohttpd's buffer, and nothing would ever be read again. */
Test(front, an_endless_chunk_header_ends_at_the_deadline_and_delays_nobody)
{
	static char flood[64 * 1024];
	struct http_client clients[5], other;
	struct fixture f;

	start_with(&f, (struct settings){.body_timeout = "300ms"});
	memset(flood, 'x', sizeof(flood));
	for (size_t i = 0; i < AB_COUNT(clients); i++) {
		cr_assert(http_open(&clients[i], f.port));
		cr_assert(http_sends(&clients[i],
		        "GET /json HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\n"
		        "Transfer-Encoding: chunked\r\n\r\n1;"));
		http_send(&clients[i], flood, sizeof(flood));
	}
	cr_assert(http_open(&other, f.port));
	for (int i = 0; i < 100; i++)
		cr_assert_eq(ask(&other, "/json", NULL), 200);
	http_close(&other);
	for (size_t i = 0; i < AB_COUNT(clients); i++) {
		struct http_answer answer;

		while (http_receive(&clients[i], &answer, false))
			http_answer_free(&answer);
		http_answer_free(&answer);
		cr_expect(clients[i].ended, "connection %zu goes on", i);
		http_close(&clients[i]);
	}
	stop(&f);
}

/* ---- clients that leave ---- */

struct held {
	struct fake_upstream *upstream;
	size_t count;
};

static bool are_held(void *arg)
{
	struct held *held = arg;

	return fake_upstream_held(held->upstream) == held->count;
}

static bool none_open(void *arg)
{
	return fake_upstream_open(arg) == 0;
}

Test(front, a_client_that_leaves_takes_its_fetches_with_it)
{
	static void (*const leave[])(struct http_client * client) = {http_close, http_reset, http_half_close};
	struct http_client client;
	struct fixture f;

	start(&f);
	for (size_t i = 0; i < AB_COUNT(leave); i++) {
		struct held one = {f.upstream, 1};

		cr_assert(http_open(&client, f.port));
		cr_assert_eq(ask(&client, "/greet", NULL), 200);
		cr_assert(http_request(&client, "GET", "/held", "", NULL));
		cr_assert(wait_until(are_held, &one));
		leave[i](&client);
		cr_expect(wait_until(none_open, f.upstream), "way %zu of leaving: the transfer goes on", i);
		if (client.fd >= 0) {
			cr_expect(http_ends(&client), "half closed: it is closed in turn");
			http_close(&client);
		}
	}
	stop_having_logged(&f, "\"status\":499", NULL);
}

Test(front, a_client_that_has_said_its_last_word_before_is_gone_too)
{
	struct http_client client;
	struct fixture f;

	start(&f);
	cr_assert(http_open(&client, f.port));
	cr_assert(http_request(&client, "GET", "/held", "", NULL));
	http_half_close(&client);
	cr_expect(http_ends(&client));
	cr_expect(wait_until(none_open, f.upstream));
	http_close(&client);
	stop(&f);
}

struct descriptors {
	struct fixture *f;
	size_t before;
};

static bool as_before(void *arg)
{
	struct descriptors *d = arg;

	return served_descriptors(&d->f->served) <= d->before;
}

Test(front, descriptors_are_given_back_whatever_clients_do)
{
	struct http_client clients[100];
	struct descriptors d;
	struct fixture f;

	start(&f);
	d.f = &f;
	cr_assert_eq(http_get(f.port, "/greet", NULL), 200);
	d.before = served_descriptors(&f.served);
	for (size_t i = 0; i < AB_COUNT(clients); i++) {
		cr_assert(http_open(&clients[i], f.port));
		switch (i % 5) {
		case 0:
			http_sends(&clients[i], "GET /gre");
			break;
		case 1:
			http_request(&clients[i], "GET", "/held", "", NULL);
			break;
		case 2:
			http_sends(
			        &clients[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nn=");
			break;
		case 3:
			http_sends(&clients[i], "GET /greet HTTP/1.1\r\n\r\n");
			break;
		default:
			break;
		}
	}
	for (size_t i = 0; i < AB_COUNT(clients); i++) {
		if (i % 2 == 0)
			http_close(&clients[i]);
		else
			http_reset(&clients[i]);
	}
	cr_expect(wait_until(as_before, &d), "%zu descriptors, %zu before", served_descriptors(&f.served),
	        d.before);
	cr_expect_eq(http_get(f.port, "/greet", NULL), 200);
	stop(&f);
}

/* ---- many waiting ---- */

enum { WAITING = 2000 };

Test(front, no_request_waits_behind_thousands_that_are_suspended)
{
	static struct http_client waiting[WAITING];
	struct held all, more;
	struct http_client client;
	struct http_answer answer;
	struct fixture f;

	start(&f);
	all = (struct held){f.upstream, WAITING};
	for (int i = 0; i < WAITING; i++) {
		cr_assert(http_open(&waiting[i], f.port));
		cr_assert(http_request(&waiting[i], "GET", "/held", "", NULL));
	}
	cr_assert(wait_until(are_held, &all), "%zu held", fake_upstream_held(f.upstream));
	cr_assert(http_open(&client, f.port));
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(ask(&client, "/greet", "Hello World!"), 200);
		cr_assert_eq(ask(&client, "/json", NULL), 200);
	}
	/* Now one that waits among them is let go: the oldest, by releasing in order of arrival. */
	fake_upstream_release(f.upstream, 1);
	more = (struct held){f.upstream, WAITING - 1};
	cr_assert(wait_until(are_held, &more));
	cr_assert_eq(ask(&client, "/json", NULL), 200);
	fake_upstream_release(f.upstream, WAITING - 1);
	for (int i = 0; i < WAITING; i++) {
		cr_assert(http_receive(&waiting[i], &answer, false), "connection %d was forgotten", i);
		cr_assert_eq(answer.status, 200);
		http_answer_free(&answer);
		/* A second one on the same connection, at once. */
		cr_assert_eq(ask(&waiting[i], "/greet", "Hello World!"), 200);
		http_close(&waiting[i]);
	}
	http_close(&client);
	stop(&f);
}

Test(front, more_than_max_in_flight_are_503_with_retry_after_until_there_is_room)
{
	struct http_client waiting[3], client;
	struct http_answer answer;
	struct held three;
	struct fixture f;
	char value[64];

	start_with(&f, (struct settings){.max_in_flight = 3});
	three = (struct held){f.upstream, 3};
	for (size_t i = 0; i < AB_COUNT(waiting); i++) {
		cr_assert(http_open(&waiting[i], f.port));
		cr_assert(http_request(&waiting[i], "GET", "/held", "", NULL));
	}
	cr_assert(wait_until(are_held, &three));
	cr_assert(http_open(&client, f.port));
	for (int i = 0; i < 10; i++) {
		cr_assert(http_request(&client, "GET", "/greet", "", NULL));
		cr_assert(http_receive(&client, &answer, false));
		cr_expect_eq(answer.status, 503);
		cr_expect_not_null(http_field(&answer, "Retry-After", value, sizeof(value)));
		http_answer_free(&answer);
	}
	cr_expect_eq(http_get(f.served.admin, "/healthz", NULL), 200, "the admin listener answers");
	fake_upstream_release(f.upstream, 3);
	for (size_t i = 0; i < AB_COUNT(waiting); i++) {
		cr_assert(http_receive(&waiting[i], &answer, false));
		cr_expect_eq(answer.status, 200);
		http_answer_free(&answer);
		http_close(&waiting[i]);
	}
	cr_expect_eq(ask(&client, "/greet", "Hello World!"), 200);
	http_close(&client);
	stop(&f);
}

Test(front, a_flood_beyond_the_descriptors_passes_and_service_goes_on)
{
	struct http_client clients[200];
	struct fixture f;
	int open = 0;

	start_with(&f, (struct settings){.files = 64});
	for (size_t i = 0; i < AB_COUNT(clients); i++)
		if (http_open(&clients[i], f.port))
			open++;
	cr_expect_gt(open, 64, "the kernel accepts more than the program can");
	for (size_t i = 0; i < AB_COUNT(clients); i++)
		http_close(&clients[i]);
	cr_expect_eq(http_get(f.port, "/json", NULL), 200);
	stop(&f);
}
