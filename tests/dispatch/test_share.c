/* tests/dispatch/test_share.c: equal reads go out once, whoever comes, leaves or fails. */
#include "engine.h"

#include <string.h>

TestSuite(share, .timeout = 10);

/* Two runs of one request: they share `root`. */
struct pair {
	struct ab_arena *root;
	struct ab_share *share;
	struct ab_dispatcher *d;
	struct play one, two;
};

static void pair_open(struct pair *pair)
{
	pair->root = ab_arena_create(NULL);
	pair->share = ab_share_create(pair->root);
	cr_assert(pair->share != NULL);
	share_among(pair->share);
	pair->d = dispatcher();
}

static void pair_close(struct pair *pair)
{
	play_end(&pair->one);
	play_end(&pair->two);
	ab_dispatcher_destroy(pair->d);
	ab_arena_unref(pair->root);
}

Test(share, equal_reads_of_a_run_start_once_and_have_one_value)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "GET /x", .value = "[1]", .later = true);
	ADD(pair.d, "b", .key = "GET /x", .value = "[2]", .later = true);
	ADD(pair.d, "c", .key = "GET /y", .value = "[3]");
	ADD(pair.d, "page: a b c");
	PLAY(&pair.one, pair.d, .targets = "page");
	cr_assert_str_eq(started(), "a c");
	complete("a");
	cr_assert_str_eq(value(&pair.one, "page"), "['page', [1], [1], [3]]");
	cr_assert_eq(pair.one.dones, 1);
	PLAY(&pair.two, pair.d, .targets = "b c");
	cr_assert_str_eq(value(&pair.two, "b"), "[1]");
	cr_assert_str_eq(started(), "a c page");
	pair_close(&pair);
}

Test(share, a_failure_is_shared_too_and_each_takes_it_in_its_own_way)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "k", .later = true, .fallback = "'A'");
	ADD(pair.d, "b", .key = "k", .optional = true);
	ADD(pair.d, "c", .key = "k");
	ADD(pair.d, "page: a b");
	PLAY(&pair.one, pair.d, .targets = "page");
	fail("a", AB_ETIMEOUT);
	cr_assert_str_eq(value(&pair.one, "page"), "['page', 'A', null]");
	cr_assert_str_eq(degraded(&pair.one), "a:timeout b:timeout");
	PLAY(&pair.two, pair.d, .targets = "c");
	cr_assert_eq(pair.two.code, AB_ETIMEOUT);
	cr_assert_str_eq(ab_run_error(pair.two.run)->text, "resource 'c': broken");
	pair_close(&pair);
}

Test(share, a_leader_that_is_cancelled_goes_on_for_those_who_follow)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "k", .later = true, .value = "7");
	PLAY(&pair.one, pair.d, .targets = "a");
	PLAY(&pair.two, pair.d, .targets = "a");
	ab_run_cancel(pair.one.run);
	cr_assert_str_empty(cancelled());
	cr_assert_eq(ab_run_outstanding(pair.one.run), 1);
	complete("a");
	cr_assert_eq(pair.one.dones, 0);
	cr_assert_eq(pair.two.dones, 1);
	cr_assert_str_eq(value(&pair.two, "a"), "7");
	cr_assert_eq(ab_run_outstanding(pair.one.run), 0);
	pair_close(&pair);
}

Test(share, the_last_who_leaves_cancels_the_leader)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "k", .later = true, .value = "7");
	PLAY(&pair.one, pair.d, .targets = "a");
	PLAY(&pair.two, pair.d, .targets = "a");
	ab_run_cancel(pair.one.run);
	cr_assert_str_empty(cancelled());
	ab_run_cancel(pair.two.run);
	cr_assert_str_eq(cancelled(), "a");
	cr_assert_eq(ab_run_outstanding(pair.one.run) + ab_run_outstanding(pair.two.run), 0);
	pair_close(&pair);
}

Test(share, a_follower_that_leaves_disturbs_nobody)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "k", .later = true, .value = "7");
	PLAY(&pair.one, pair.d, .targets = "a");
	PLAY(&pair.two, pair.d, .targets = "a");
	ab_run_cancel(pair.two.run);
	cr_assert_eq(ab_run_outstanding(pair.two.run), 0);
	complete("a");
	cr_assert_eq(pair.one.dones, 1);
	cr_assert_eq(pair.two.dones, 0);
	cr_assert_str_empty(cancelled());
	pair_close(&pair);
}

Test(share, what_was_cancelled_is_asked_anew)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "k", .later = true, .value = "7");
	PLAY(&pair.one, pair.d, .targets = "a");
	ab_run_cancel(pair.one.run);
	cr_assert_str_eq(cancelled(), "a");
	PLAY(&pair.two, pair.d, .targets = "a");
	cr_assert_str_eq(started(), "a a");
	complete("a");
	cr_assert_str_eq(value(&pair.two, "a"), "7");
	pair_close(&pair);
}

Test(share, after_a_write_what_was_read_is_read_again)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "done", .key = "k", .value = "1");
	ADD(pair.d, "going", .key = "g", .value = "2", .later = true);
	PLAY(&pair.one, pair.d, .targets = "done going");
	cr_assert_str_eq(started(), "done going");
	ab_share_forget(pair.share);
	PLAY(&pair.two, pair.d, .targets = "done going");
	cr_assert_str_eq(started(), "done going done going");
	complete("going");
	complete("going");
	cr_assert_str_eq(value(&pair.one, "going"), "2");
	cr_assert_str_eq(value(&pair.two, "going"), "2");
	pair_close(&pair);
}

Test(share, a_failed_run_whose_others_follow_the_same_read_ends_once)
{
	struct pair pair;

	pair_open(&pair);
	ADD(pair.d, "a", .key = "k", .later = true);
	ADD(pair.d, "b", .key = "k");
	ADD(pair.d, "c", .key = "k");
	ADD(pair.d, "page: a b c");
	PLAY(&pair.one, pair.d, .targets = "page");
	PLAY(&pair.two, pair.d, .targets = "page");
	fail("a", AB_EUPSTREAM);
	cr_assert_eq(pair.one.dones, 1);
	cr_assert_eq(pair.two.dones, 1);
	cr_assert_eq(pair.two.done_result, AB_EUPSTREAM);
	pair_close(&pair);
}

Test(share, many_keys_are_all_found_again)
{
	static char keys[500][16];
	struct pair pair;
	char name[16];

	pair_open(&pair);
	for (int i = 0; i < 500; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key %d", i);
		snprintf(name, sizeof(name), "r%d", i);
		ADD(pair.d, name, .key = keys[i], .value = "1");
		snprintf(name, sizeof(name), "s%d", i);
		ADD(pair.d, name, .key = keys[i], .value = "2");
	}
	PLAY(&pair.one, pair.d, .targets = "r0");
	PLAY(&pair.two, pair.d, .targets = "s0");
	for (int i = 1; i < 500; i++) {
		struct play r, s;

		snprintf(name, sizeof(name), "r%d", i);
		PLAY(&r, pair.d, .targets = name);
		snprintf(name, sizeof(name), "s%d", i);
		PLAY(&s, pair.d, .targets = name);
		cr_assert_str_eq(value(&s, name), "1");
		play_end(&r);
		play_end(&s);
	}
	pair_close(&pair);
}

/* A table full of long keys would leave the request no memory for anything else. */
Test(share, keys_do_not_take_all_the_memory_of_a_request)
{
	static char keys[80][1024 * 1024];
	struct pair pair;
	struct play plays[80];
	char name[16];

	pair_open(&pair);
	for (int i = 0; i < 80; i++) {
		memset(keys[i], 'k', sizeof(keys[i]) - 1);
		keys[i][0] = (char)('!' + i);
		snprintf(name, sizeof(name), "r%d", i);
		ADD(pair.d, name, .key = keys[i], .value = "1");
		PLAY(&plays[i], pair.d, .targets = name);
		cr_assert_str_eq(value(&plays[i], name), "1");
	}
	cr_expect_not_null(ab_arena_alloc(pair.root, 32 * 1024 * 1024));
	for (int i = 0; i < 80; i++)
		play_end(&plays[i]);
	PLAY(&pair.one, pair.d, .targets = "r0");
	PLAY(&pair.two, pair.d, .targets = "r79");
	cr_expect_null(strstr(started(), "r0 r1 r0"));
	cr_expect_not_null(strstr(started(), "r79 r79"));
	pair_close(&pair);
}
