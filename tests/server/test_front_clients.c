/* tests/server/test_front_clients.c: the front of the real program with clients that are slow, leave, or are
 * many. */
#include "front.h"

#include "../../dispatch/base.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

TestSuite(front_clients, .timeout = 120);

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
		cr_assert_eq(front_ask(&client, "/greet", "Hello World!"), 200);
	http_close(&client);
	pthread_join(thread, NULL);
	for (int i = 0; i < SLOW; i++)
		cr_expect(d->closed[i], "client %d still sends", i);
}

Test(front_clients, heads_that_never_end_are_cut_at_the_deadline)
{
	struct front_fixture f;
	struct dripper d = {.text = "GET /greet HTTP/1.1\r\nHost: x\r\nX: "};

	front_start_with(&f, (struct front_settings){.head_timeout = "300ms"});
	d.port = f.port;
	expect_dripping_ends(&d);
	front_stop(&f);
}

Test(front_clients, bodies_that_never_end_are_cut_at_the_deadline)
{
	struct front_fixture f;
	struct dripper d = {.text = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"};

	front_start_with(&f, (struct front_settings){.body_timeout = "300ms"});
	d.port = f.port;
	expect_dripping_ends(&d);
	front_stop(&f);
}

Test(front_clients, a_slow_body_is_answered_with_408)
{
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start_with(&f, (struct front_settings){.body_timeout = "200ms"});
	cr_assert(http_open(&client, f.port));
	cr_assert(http_sends(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nn="));
	cr_assert(http_receive(&client, &answer, false));
	cr_expect_eq(answer.status, 408);
	http_answer_free(&answer);
	cr_expect(http_ends(&client));
	http_close(&client);
	front_stop(&f);
}

Test(front_clients, a_connection_that_says_nothing_is_closed_without_an_answer)
{
	struct http_client client;
	struct front_fixture f;

	front_start_with(&f, (struct front_settings){.head_timeout = "200ms"});
	cr_assert(http_open(&client, f.port));
	cr_expect(http_ends(&client));
	http_close(&client);
	front_stop(&f);
}

/* Whether the server has closed its end of every connection. */
static bool has_no_client(void *arg)
{
	const struct front_fixture *f = arg;
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

Test(front_clients, an_answer_nobody_reads_is_given_up)
{
	struct http_client slow, quick;
	struct http_answer answer;
	struct front_fixture f;
	int little = 4096;

	front_start(&f);
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
	front_stop_having_logged(&f, "\"aborted\":true", NULL);
}

/* A chunk header without an end fills libmicrohttpd's buffer, and nothing would ever be read again. */
Test(front_clients, an_endless_chunk_header_ends_at_the_deadline_and_delays_nobody)
{
	static char flood[64 * 1024];
	struct http_client clients[5], other;
	struct front_fixture f;

	front_start_with(&f, (struct front_settings){.body_timeout = "300ms"});
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
		cr_assert_eq(front_ask(&other, "/json", NULL), 200);
	http_close(&other);
	for (size_t i = 0; i < AB_COUNT(clients); i++) {
		struct http_answer answer;

		while (http_receive(&clients[i], &answer, false))
			http_answer_free(&answer);
		http_answer_free(&answer);
		cr_expect(clients[i].ended, "connection %zu goes on", i);
		http_close(&clients[i]);
	}
	front_stop(&f);
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

Test(front_clients, a_client_that_leaves_takes_its_fetches_with_it)
{
	static void (*const leave[])(struct http_client * client) = {http_close, http_reset, http_half_close};
	struct http_client client;
	struct front_fixture f;

	front_start(&f);
	for (size_t i = 0; i < AB_COUNT(leave); i++) {
		struct held one = {f.upstream, 1};

		cr_assert(http_open(&client, f.port));
		cr_assert_eq(front_ask(&client, "/greet", NULL), 200);
		cr_assert(http_request(&client, "GET", "/held", "", NULL));
		cr_assert(wait_until(are_held, &one));
		leave[i](&client);
		cr_expect(wait_until(none_open, f.upstream), "way %zu of leaving: the transfer goes on", i);
		if (client.fd >= 0) {
			cr_expect(http_ends(&client), "half closed: it is closed in turn");
			http_close(&client);
		}
	}
	front_stop_having_logged(&f, "\"status\":499", NULL);
}

Test(front_clients, a_client_that_has_said_its_last_word_before_is_gone_too)
{
	struct http_client client;
	struct front_fixture f;

	front_start(&f);
	cr_assert(http_open(&client, f.port));
	cr_assert(http_request(&client, "GET", "/held", "", NULL));
	http_half_close(&client);
	cr_expect(http_ends(&client));
	cr_expect(wait_until(none_open, f.upstream));
	http_close(&client);
	front_stop(&f);
}

struct descriptors {
	struct front_fixture *f;
	size_t before;
};

static bool as_before(void *arg)
{
	struct descriptors *d = arg;

	return served_descriptors(&d->f->served) <= d->before;
}

Test(front_clients, descriptors_are_given_back_whatever_clients_do)
{
	struct http_client clients[100];
	struct descriptors d;
	struct front_fixture f;

	front_start(&f);
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
	front_stop(&f);
}

/* ---- many waiting ---- */

enum { WAITING = 2000 };

Test(front_clients, no_request_waits_behind_thousands_that_are_suspended)
{
	static struct http_client waiting[WAITING];
	struct held all, more;
	struct http_client client;
	struct http_answer answer;
	struct front_fixture f;

	front_start(&f);
	all = (struct held){f.upstream, WAITING};
	for (int i = 0; i < WAITING; i++) {
		cr_assert(http_open(&waiting[i], f.port));
		cr_assert(http_request(&waiting[i], "GET", "/held", "", NULL));
	}
	cr_assert(wait_until(are_held, &all), "%zu held", fake_upstream_held(f.upstream));
	cr_assert(http_open(&client, f.port));
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(front_ask(&client, "/greet", "Hello World!"), 200);
		cr_assert_eq(front_ask(&client, "/json", NULL), 200);
	}
	/* Now one that waits among them is let go: the oldest, by releasing in order of arrival. */
	fake_upstream_release(f.upstream, 1);
	more = (struct held){f.upstream, WAITING - 1};
	cr_assert(wait_until(are_held, &more));
	cr_assert_eq(front_ask(&client, "/json", NULL), 200);
	fake_upstream_release(f.upstream, WAITING - 1);
	for (int i = 0; i < WAITING; i++) {
		cr_assert(http_receive(&waiting[i], &answer, false), "connection %d was forgotten", i);
		cr_assert_eq(answer.status, 200);
		http_answer_free(&answer);
		/* A second one on the same connection, at once. */
		cr_assert_eq(front_ask(&waiting[i], "/greet", "Hello World!"), 200);
		http_close(&waiting[i]);
	}
	http_close(&client);
	front_stop(&f);
}

Test(front_clients, more_than_max_in_flight_are_503_with_retry_after_until_there_is_room)
{
	struct http_client waiting[3], client;
	struct http_answer answer;
	struct held three;
	struct front_fixture f;
	char value[64];

	front_start_with(&f, (struct front_settings){.max_in_flight = 3});
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
	cr_expect_eq(front_ask(&client, "/greet", "Hello World!"), 200);
	http_close(&client);
	front_stop(&f);
}

Test(front_clients, a_flood_beyond_the_descriptors_passes_and_service_goes_on)
{
	struct http_client clients[200];
	struct front_fixture f;
	int open = 0;

	front_start_with(&f, (struct front_settings){.files = 64});
	for (size_t i = 0; i < AB_COUNT(clients); i++)
		if (http_open(&clients[i], f.port))
			open++;
	cr_expect_gt(open, 64, "the kernel accepts more than the program can");
	for (size_t i = 0; i < AB_COUNT(clients); i++)
		http_close(&clients[i]);
	cr_expect_eq(http_get(f.port, "/json", NULL), 200);
	front_stop(&f);
}
