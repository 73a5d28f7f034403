/* tests/handlers/test_http_connections.c: connections kept, closed, refused, timed out and cancelled. Counts,
 * not times. */
#include "catalog.h"

#include "../../handlers/http/internal.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static void setup(void)
{
	catalog_open(NULL);
}

TestSuite(http_connections, .init = setup, .fini = catalog_close, .timeout = 20);

static void fetch_fine(const char *name)
{
	struct harness_run *run = harness_get(&catalog_harness, name, NULL);

	cr_assert_eq(run->code, AB_OK, "%s", run->error == NULL ? "" : run->error->text);
	harness_run_end(run);
}

static void reopen(const char *url, const char *settings)
{
	catalog_close_client();
	catalog_open_at(url, settings);
}

/* ---- kept ---- */

Test(http_connections, one_connection_and_one_handle_serve_fetches_one_after_another)
{
	const char *name = catalog_add("{`http`: `GET catalog/json`}");

	for (int i = 0; i < 50; i++)
		fetch_fine(name);
	cr_assert_eq(fake_upstream_connects(catalog_fake), 1);
	cr_assert_eq(fake_upstream_requests(catalog_fake), 50);
	cr_assert_eq(catalog_counted().transfers, 50);
	cr_assert_eq(catalog_counted().handles, 1);
	cr_assert_eq(catalog_counted().connects, 1);
	cr_assert_eq(catalog_counted().polls, 1);
}

Test(http_connections, connections_are_shared_by_the_resources_of_an_upstream)
{
	fetch_fine(catalog_add("{`http`: `GET catalog/json`}"));
	fetch_fine(catalog_add("{`http`: `GET catalog/text`}"));
	fetch_fine(catalog_add("{`http`: `POST catalog/echo`, `body`: [1]}"));
	fetch_fine(catalog_add("{`http`: `GET catalog/gzip`}"));
	fetch_fine(catalog_add("{`http`: `GET catalog/204`}"));
	cr_assert_eq(fake_upstream_connects(catalog_fake), 1);
}

static bool all_held(void *arg)
{
	return fake_upstream_held(catalog_fake) == *(size_t *)arg;
}

Test(http_connections, as_many_connections_as_fetches_at_once_are_made_and_then_kept)
{
	const char *name = catalog_add("{`http`: `GET catalog/hold`, `timeout`: `10s`}");
	struct harness_run *runs[20];
	size_t count = 20;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < count; i++)
			runs[i] = harness_start(&catalog_harness, name, NULL);
		cr_assert(harness_until_fn(&catalog_harness, all_held, &count, 10000));
		fake_upstream_release(catalog_fake, count);
		for (size_t i = 0; i < count; i++) {
			harness_wait(runs[i]);
			cr_assert_eq(runs[i]->code, AB_OK, "round %d, run %zu: %s", round, i,
			        runs[i]->error == NULL ? "" : runs[i]->error->text);
			harness_run_end(runs[i]);
		}
	}
	cr_assert_eq(fake_upstream_connects(catalog_fake), count);
	cr_assert_eq(catalog_counted().handles, count);
	cr_assert_eq(catalog_counted().transfers, 3 * count);
	cr_assert_eq(catalog_counted().polls, count);
}

Test(http_connections, two_resources_that_need_nothing_of_each_other_are_fetched_at_once)
{
	size_t two = 2;
	struct harness_run *run;

	cr_assert(harness_add(&catalog_harness, "a", "{`http`: `GET catalog/hold`, `timeout`: `10s`}"));
	cr_assert(harness_add(&catalog_harness, "b", "{`http`: `GET catalog/hold`, `timeout`: `10s`}"));
	cr_assert(harness_add(&catalog_harness, "c",
	        "{`http`: `GET catalog/echo/{a.id}{?name}`, `needs`: {`name`: `b.name`}}"));
	run = harness_start(&catalog_harness, "c", NULL);
	cr_assert(harness_until_fn(&catalog_harness, all_held, &two, 10000));
	fake_upstream_release(catalog_fake, 2);
	harness_wait(run);
	cr_assert_eq(run->code, AB_OK);
	cr_assert_str_eq(json_string_value(json_object_get(run->value, "target")), "/echo/1?name=Lamp");
	harness_run_end(run);
}

/* ---- closed by the upstream ---- */

static bool none_open(void *arg)
{
	(void)arg;
	return fake_upstream_open(catalog_fake) == 0;
}

Test(http_connections, a_kept_connection_that_the_upstream_closes_costs_one_event)
{
	const char *name = catalog_add("{`http`: `GET catalog/json`}");
	uint64_t events;

	fetch_fine(name);
	events = catalog_counted().events;
	fake_upstream_close_idle(catalog_fake);
	harness_idle(&catalog_harness, 100);
	cr_assert(none_open(NULL));
	cr_assert_leq(catalog_counted().events, events + 1, "%llu events",
	        (unsigned long long)(catalog_counted().events - events));
	fetch_fine(name);
	fetch_fine(name);
	cr_assert_eq(fake_upstream_connects(catalog_fake), 2);
	cr_assert_eq(fake_upstream_requests(catalog_fake), 3);
}

Test(http_connections, a_connection_closed_without_notice_is_replaced)
{
	const char *name = catalog_add("{`http`: `GET catalog/close-idle`}");

	for (int i = 0; i < 5; i++)
		fetch_fine(name);
	cr_assert_eq(fake_upstream_requests(catalog_fake), 5);
}

Test(http_connections, a_read_lost_with_a_kept_connection_is_sent_again_but_a_write_is_not)
{
	const char *json = catalog_add("{`http`: `GET catalog/json`}");
	char *outcome;

	fetch_fine(json);
	outcome = catalog_get_outcome("{`http`: `POST catalog/close`, `body`: [1]}", NULL);
	cr_assert_not_null(strstr(outcome, "closed before an answer"), "%s", outcome);
	cr_assert_eq(fake_upstream_count(catalog_fake, "/close"), 1);
	free(outcome);
	fetch_fine(json);
	outcome = catalog_get_outcome("{`http`: `GET catalog/close`, `writes`: true}", NULL);
	cr_assert_not_null(strstr(outcome, "closed before an answer"), "%s", outcome);
	cr_assert_eq(fake_upstream_count(catalog_fake, "/close"), 2);
	free(outcome);
	fetch_fine(json);
	outcome = catalog_get_outcome("{`http`: `GET catalog/close`}", NULL);
	cr_assert_not_null(strstr(outcome, "closed before an answer"), "%s", outcome);
	cr_assert_eq(fake_upstream_count(catalog_fake, "/close"), 4);
	free(outcome);
}

/* ---- refused ---- */

/* A port that nobody listens on: bound and not listening, so that nobody else gets it. */
static int closed_port(char *url, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
	          getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	snprintf(url, size, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	return fd;
}

Test(http_connections, a_refused_connection_is_an_upstream_error)
{
	char url[64];
	int fd = closed_port(url, sizeof(url));

	reopen(url, NULL);
	catalog_expect("{`http`: `GET catalog/json`}", NULL,
	        "UpstreamFailed 502 GET catalog/json: could not connect: Connection refused");
	close(fd);
}

Test(http_connections, an_unknown_name_is_an_upstream_error)
{
	char *outcome;

	reopen("http://no-such-host.invalid", NULL);
	outcome = catalog_get_outcome("{`http`: `GET catalog/json`, `timeout`: `3s`}", NULL);
	cr_assert(strstr(outcome, "UpstreamFailed 502") != NULL || strstr(outcome, "Timeout 504") != NULL,
	        "%s", outcome);
	free(outcome);
}

Test(http_connections, a_name_is_resolved_and_connected_to)
{
	char url[64];

	snprintf(url, sizeof(url), "http://localhost:%u", (unsigned)fake_upstream_port(catalog_fake));
	reopen(url, NULL);
	fetch_fine(catalog_add("{`http`: `GET catalog/json`}"));
}

static const char *refused(const char *ip, const char *literal)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_storage address = {0};

	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
		memcpy(&address, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
		memcpy(&address, &v6, sizeof(v6));
	else
		cr_assert(false, "%s", ip);
	return ab_address_refused((struct sockaddr *)&address, literal);
}

Test(http_connections, addresses_that_no_name_may_lead_to_are_refused)
{
	static const struct {
		const char *ip, *why;
	} rows[] = {
	        {"127.0.0.1", NULL},
	        {"10.1.2.3", NULL},
	        {"192.168.0.1", NULL},
	        {"169.253.255.255", NULL},
	        {"169.254.169.254", "link-local"},
	        {"0.0.0.0", "unspecified"},
	        {"0.1.2.3", "unspecified"},
	        {"223.255.255.255", NULL},
	        {"224.0.0.1", "multicast"},
	        {"239.255.255.255", "multicast"},
	        {"255.255.255.255", "broadcast"},
	        {"::1", NULL},
	        {"fd00::1", NULL},
	        {"2001:db8::1", NULL},
	        {"::", "unspecified"},
	        {"fe80::1", "link-local"},
	        {"febf::1", "link-local"},
	        {"ff02::1", "multicast"},
	        {"::ffff:127.0.0.1", NULL},
	        {"::ffff:169.254.169.254", "link-local"},
	        {"::ffff:0.0.0.0", "unspecified"},
	        {"64:ff9b::169.254.169.254", "link-local"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = refused(rows[i].ip, "catalog.example");

		cr_assert((why == NULL) == (rows[i].why == NULL) &&
		                  (why == NULL || strcmp(why, rows[i].why) == 0),
		        "%s: %s", rows[i].ip, why);
		cr_assert_null(refused(rows[i].ip, rows[i].ip), "%s as written", rows[i].ip);
	}
	cr_assert_not_null(refused("169.254.169.254", "169.254.169.253"));
	cr_assert_null(refused("fe80::1", "fe80::1%eth0"));
}

/* 0.0.0.0 means this host: that the literal works shows that it is the policy that refuses, and lets it pass.
 */
Test(http_connections, a_literal_address_of_the_file_is_connected_to)
{
	char url[64];

	snprintf(url, sizeof(url), "http://0.0.0.0:%u", (unsigned)fake_upstream_port(catalog_fake));
	reopen(url, NULL);
	fetch_fine(catalog_add("{`http`: `GET catalog/json`}"));
}

/* ---- time ---- */

Test(http_connections, an_upstream_that_says_nothing_times_out)
{
	catalog_expect("{`http`: `GET catalog/stall-before`, `timeout`: `500ms`}", NULL,
	        "Timeout 504 GET catalog/stall-before: no answer within 500 ms");
	catalog_expect("{`http`: `GET catalog/stall-in-head`, `timeout`: `500ms`}", NULL,
	        "Timeout 504 GET catalog/stall-in-head: no end of the answer within 500 ms");
}

Test(http_connections, a_body_that_stalls_or_drips_times_out)
{
	catalog_expect("{`http`: `GET catalog/stall-in-body`, `timeout`: `500ms`}", NULL,
	        "Timeout 504 GET catalog/stall-in-body: no end of the answer within 500 ms");
	catalog_expect("{`http`: `GET catalog/drip`, `timeout`: `500ms`}", NULL,
	        "Timeout 504 GET catalog/drip: no end of the answer within 500 ms");
	cr_assert(harness_until_fn(&catalog_harness, none_open, NULL, 5000),
	        "a timed out connection is still open");
}

Test(http_connections, the_upstreams_timeout_holds_unless_the_resource_has_one)
{
	reopen(fake_upstream_url(catalog_fake), "`timeout`: `400ms`");
	catalog_expect("{`http`: `GET catalog/stall-before`}", NULL,
	        "Timeout 504 GET catalog/stall-before: no answer within 400 ms");
	catalog_expect("{`http`: `GET catalog/slow?ms=600`, `timeout`: `10s`}", NULL,
	        "{`id`:1,`name`:`Lamp`,`price`:149.95,`tags`:[`a`,`b`]}");
}

/* A listener that accepts nothing, its queue full: connecting to it does not end. */
struct full {
	int listener, clients[8];
	char url[64];
};

static void full_open(struct full *full)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	full->listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(full->listener >= 0 && bind(full->listener, (struct sockaddr *)&address, len) == 0 &&
	          listen(full->listener, 0) == 0 &&
	          getsockname(full->listener, (struct sockaddr *)&address, &len) == 0);
	for (size_t i = 0; i < sizeof(full->clients) / sizeof(full->clients[0]); i++) {
		full->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(full->clients[i], (struct sockaddr *)&address, len);
	}
	snprintf(full->url, sizeof(full->url), "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
}

static void full_close(struct full *full)
{
	for (size_t i = 0; i < sizeof(full->clients) / sizeof(full->clients[0]); i++)
		close(full->clients[i]);
	close(full->listener);
}

Test(http_connections, connecting_has_a_timeout_of_its_own)
{
	struct full full;

	full_open(&full);
	reopen(full.url, "`connect_timeout`: `50ms`, `timeout`: `10s`");
	catalog_expect("{`http`: `GET catalog/json`}", NULL,
	        "Timeout 504 GET catalog/json: no connection within 50 ms");
	catalog_expect("{`http`: `GET catalog/json`, `timeout`: `40ms`}", NULL,
	        "Timeout 504 GET catalog/json: no connection within 40 ms");
	full_close(&full);
}

Test(http_connections, a_connect_timeout_says_nothing_about_an_answer)
{
	reopen(fake_upstream_url(catalog_fake), "`connect_timeout`: `200ms`, `timeout`: `10s`");
	fetch_fine(catalog_add("{`http`: `GET catalog/slow?ms=300`}"));
	fetch_fine(catalog_add("{`http`: `GET catalog/slow?ms=300`}"));
}

/* Many transfers with nothing else going on: the last completions come from timers alone. */
Test(http_connections, no_completion_is_lost_when_timeouts_end_the_last_transfers)
{
	const char *name = catalog_add("{`http`: `GET catalog/stall-before`, `timeout`: `60ms`}");
	struct harness_run *runs[30];

	for (size_t i = 0; i < 30; i++)
		runs[i] = harness_start(&catalog_harness, name, NULL);
	for (size_t i = 0; i < 30; i++) {
		harness_wait(runs[i]);
		cr_assert_eq(runs[i]->code, AB_ETIMEOUT);
		harness_run_end(runs[i]);
	}
}

/* ---- cancelled ---- */

static bool one_requested(void *arg)
{
	(void)arg;
	return fake_upstream_requests(catalog_fake) > 0;
}

Test(http_connections, a_cancelled_fetch_closes_its_connection_and_harms_no_other)
{
	const char *stalled = catalog_add("{`http`: `GET catalog/stall-in-body`, `timeout`: `10s`}");
	struct harness_run *run = harness_start(&catalog_harness, stalled, NULL);

	cr_assert(harness_until_fn(&catalog_harness, one_requested, NULL, 5000));
	ab_run_cancel(run->run);
	cr_assert_eq(ab_run_outstanding(run->run), 0, "a cancelled fetch ends at once");
	run->done = true;
	harness_run_end(run);
	cr_assert(harness_until_fn(&catalog_harness, none_open, NULL, 5000), "the connection is still open");
	fetch_fine(catalog_add("{`http`: `GET catalog/json`}"));
	cr_assert_eq(fake_upstream_connects(catalog_fake), 2);
}

Test(http_connections, a_fetch_cancelled_before_it_was_sent_is_never_sent)
{
	const char *name = catalog_add("{`http`: `GET catalog/json`}");
	struct harness_run *run = harness_start(&catalog_harness, name, NULL);

	ab_run_cancel(run->run);
	run->done = true;
	harness_run_end(run);
	fetch_fine(name);
	cr_assert_eq(fake_upstream_requests(catalog_fake), 1);
	cr_assert_eq(catalog_counted().handles, 1);
}

Test(http_connections, a_failure_cancels_what_the_run_has_in_flight)
{
	struct harness_run *run;

	cr_assert(harness_add(
	        &catalog_harness, "slow", "{`http`: `GET catalog/stall-before`, `timeout`: `10s`}"));
	cr_assert(harness_add(&catalog_harness, "bad", "{`http`: `GET catalog/status/500`}"));
	cr_assert(harness_add(&catalog_harness, "both", "{`json`: [`{slow}`, `{bad}`]}"));
	run = harness_get(&catalog_harness, "both", NULL);
	cr_assert_eq(run->code, AB_EUPSTREAM);
	cr_assert_eq(ab_run_outstanding(run->run), 0);
	harness_run_end(run);
}

/* ---- limits ---- */

Test(http_connections, no_more_than_max_in_flight_go_out_at_once)
{
	struct harness_run *runs[3], *over;
	const char *name;
	size_t three = 3;

	reopen(fake_upstream_url(catalog_fake), "`max_in_flight`: 3");
	name = catalog_add("{`http`: `GET catalog/hold`, `timeout`: `10s`}");
	for (size_t i = 0; i < 3; i++)
		runs[i] = harness_start(&catalog_harness, name, NULL);
	over = harness_start(&catalog_harness, name, NULL);
	cr_assert_eq(over->code, AB_EOVERLOAD);
	cr_assert_eq(over->error->status, 503);
	harness_run_end(over);
	cr_assert(harness_until_fn(&catalog_harness, all_held, &three, 5000));
	fake_upstream_release(catalog_fake, 4);
	for (size_t i = 0; i < 3; i++) {
		harness_wait(runs[i]);
		cr_assert_eq(runs[i]->code, AB_OK);
		harness_run_end(runs[i]);
	}
	fetch_fine(name);
}

/* As two workers have it: an upstream each, one shared part. */
Test(http_connections, max_in_flight_counts_for_the_whole_process)
{
	struct test_conf *conf = test_conf_create("{`url`: `http://127.0.0.1`, `max_in_flight`: 2}");
	struct ab_upstream_shared *shared = NULL;
	struct ab_upstream *workers[2];
	struct ab_error err;

	for (size_t i = 0; i < 2; i++) {
		workers[i] = ab_upstream_compile(&catalog_harness.env, "other", test_conf_root(conf), &shared,
		        ".", catalog_harness.diags);
		cr_assert_not_null(workers[i]);
		cr_assert_eq(ab_upstream_enter(workers[i], &err), AB_OK);
	}
	cr_assert_eq(ab_upstream_enter(workers[0], &err), AB_EOVERLOAD);
	cr_assert_eq(ab_upstream_enter(workers[1], &err), AB_EOVERLOAD);
	ab_upstream_leave(workers[0]);
	cr_assert_eq(ab_upstream_enter(workers[1], &err), AB_OK);
	ab_upstream_destroy(workers[0]);
	ab_upstream_destroy(workers[1]);
	ab_upstream_shared_unref(shared);
	test_conf_destroy(conf);
}

Test(http_connections, every_way_a_fetch_can_end_gives_its_place_back)
{
	static const char *const paths[] = {
	        "json", "status/500", "reset", "stall-before", "endless", "badjson", "echo/{x}"};

	reopen(fake_upstream_url(catalog_fake), "`max_in_flight`: 1");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char mapping[96], *outcome;

		snprintf(mapping, sizeof(mapping), "{`http`: `GET catalog/%s`, `timeout`: `80ms`}", paths[i]);
		outcome = catalog_get_outcome(mapping, "{`x`: null}");
		cr_assert_null(strstr(outcome, "Overloaded"), "%s: %s", paths[i], outcome);
		free(outcome);
	}
	struct harness_run *run =
	        harness_start(&catalog_harness, catalog_add("{`http`: `GET catalog/stall-before`}"), NULL);
	ab_run_cancel(run->run);
	run->done = true;
	harness_run_end(run);
	fetch_fine(catalog_add("{`http`: `GET catalog/json`, `timeout`: `10s`}"));
}

Test(http_connections, a_run_may_start_only_so_many_fetches)
{
	struct harness_run *run;

	catalog_harness.max_fetches = 2;
	cr_assert(harness_add(&catalog_harness, "a", "{`http`: `GET catalog/json`}"));
	cr_assert(harness_add(&catalog_harness, "b", "{`http`: `GET catalog/json`}"));
	cr_assert(harness_add(&catalog_harness, "c", "{`http`: `GET catalog/json`}"));
	cr_assert(harness_add(&catalog_harness, "two", "{`json`: [`{a}`, `{b}`]}"));
	cr_assert(harness_add(&catalog_harness, "three", "{`json`: [`{a}`, `{b}`, `{c}`]}"));
	fetch_fine("two");
	run = harness_get(&catalog_harness, "three", NULL);
	cr_assert_eq(run->code, AB_EOVERLOAD);
	harness_run_end(run);
}
