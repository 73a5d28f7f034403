/* tests/dispatch/test_phases.c: guards come first, writes last; and a write that has started is left to
 * finish. */
#include "engine.h"

TestSuite(phases, .timeout = 10);

/* ---- guards ---- */

Test(phases, guards_come_one_after_another_before_anything_else)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "session", .later = true);
	ADD(d, "logged_in: session", .later = true);
	ADD(d, "owner: session item", .later = true);
	ADD(d, "item", .later = true);
	ADD(d, "other", .later = true);
	ADD(d, "page: item other session");
	PLAY(&play, d, .targets = "page", .guards = "logged_in owner");
	cr_assert_str_eq(started(), "session");
	complete("session");
	cr_assert_str_eq(started(), "session logged_in");
	complete("logged_in");
	cr_assert_str_eq(started(), "session logged_in item");
	complete("item");
	cr_assert_str_eq(started(), "session logged_in item owner");
	complete("owner");
	cr_assert_str_eq(started(), "session logged_in item owner other");
	complete("other");
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	cr_assert_str_eq(value(&play, "page"), "['page', ['item'], ['other'], ['session']]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, a_failed_guard_decides_and_nothing_else_has_started)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "logged_in", .fails = AB_EMISSING, .missing_status = 401);
	ADD(d, "page");
	PLAY(&play, d, .targets = "page", .guards = "logged_in");
	cr_assert(play.code == AB_EMISSING);
	cr_assert(ab_run_error(play.run)->status == 401);
	cr_assert_str_eq(started(), "logged_in");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, what_a_guard_no_longer_needs_when_names_are_given_waits_for_the_guard)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "deep", .later = true);
	ADD(d, "session: deep");
	ADD(d, "logged_in: session", .later = true);
	ADD(d, "page: deep");
	PLAY(&play, d, .targets = "page", .guards = "logged_in", .give = "{'session': 1}");
	cr_assert_str_eq(started(), "logged_in");
	complete("logged_in");
	cr_assert_str_eq(started(), "logged_in deep");
	complete("deep");
	cr_assert(play.done_result == AB_OK && play.dones == 1);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, a_guards_fallback_may_need_what_the_answer_needs_too)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "guard", .fails = AB_EUPSTREAM, .fallback_resource = "plan_b");
	ADD(d, "plan_b: shared");
	ADD(d, "shared: deep");
	ADD(d, "deep", .later = true);
	ADD(d, "page: shared");
	PLAY(&play, d, .targets = "page", .guards = "guard");
	complete("deep");
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	cr_assert_str_eq(started(), "guard deep shared plan_b page");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, a_guard_may_not_need_a_write)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;

	ADD(d, "count", .writes = true);
	ADD(d, "guard: count");
	ADD(d, "page");
	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "page", .guards = "guard"),
	        "resource 'count' writes, so a guard may not need it: writes come last");
	cr_assert(err.code == AB_EINVALID);
	cr_assert_str_eq(err.resource, "count");
	ab_dispatcher_destroy(d);
}

/* ---- writes ---- */

Test(phases, a_write_starts_when_all_that_does_not_come_after_it_has_succeeded)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "form");
	ADD(d, "insert: form", .later = true, .writes = true);
	ADD(d, "count: insert");
	ADD(d, "user", .later = true);
	ADD(d, "shaky", .later = true, .fallback_resource = "cached");
	ADD(d, "cached", .later = true);
	ADD(d, "page: insert count user shaky");
	PLAY(&play, d, .targets = "page");
	cr_assert_str_eq(started(), "form user shaky");
	complete("user");
	cr_assert_str_eq(started(), "form user shaky");
	fail("shaky", AB_ETIMEOUT);
	cr_assert_str_eq(started(), "form user shaky cached", "it waits for a fallback too");
	complete("cached");
	cr_assert_str_eq(started(), "form user shaky cached insert");
	complete("insert");
	cr_assert_str_eq(started(), "form user shaky cached insert count page");
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, no_write_starts_after_a_failure)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "insert", .writes = true);
	ADD(d, "check", .later = true);
	PLAY(&play, d, .targets = "insert check");
	fail("check", AB_EINVALID);
	cr_assert(play.done_result == AB_EINVALID);
	cr_assert_str_eq(started(), "check");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, writes_go_in_the_order_of_their_needs)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "one", .later = true, .writes = true);
	ADD(d, "between: one", .later = true);
	ADD(d, "two: one", .later = true, .writes = true);
	PLAY(&play, d, .targets = "two between");
	cr_assert_str_eq(started(), "one");
	complete("one");
	cr_assert_str_eq(started(), "one between");
	complete("between");
	cr_assert_str_eq(started(), "one between two");
	complete("two");
	cr_assert(play.done_result == AB_OK);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, two_writes_without_an_order_are_refused_by_name)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;

	ADD(d, "one", .writes = true);
	ADD(d, "two", .writes = true);
	ADD(d, "page: one two");
	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "page"),
	        "resources 'one' and 'two' both write, and neither needs the other: say under `needs` which comes "
	        "first");
	cr_assert(err.code == AB_EINVALID);
	ab_dispatcher_destroy(d);
}

Test(phases, a_write_reached_only_through_a_fallback_is_refused)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;

	ADD(d, "log", .writes = true);
	ADD(d, "plan_b: log");
	ADD(d, "page", .fallback_resource = "plan_b");
	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "page"),
	        "resource 'log' writes, so it may not be reached only through a fallback");
	cr_assert(err.code == AB_EINVALID);
	ab_dispatcher_destroy(d);
}

Test(phases, a_fallback_may_not_begin_a_write_that_given_names_took_out_of_the_run)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "write", .writes = true);
	ADD(d, "x: write");
	ADD(d, "plan_b: write");
	ADD(d, "y", .fails = AB_EUPSTREAM, .fallback_resource = "plan_b");
	ADD(d, "page: x y");
	PLAY(&play, d, .targets = "page", .give = "{'x': 1}");
	cr_assert(play.code == AB_EUPSTREAM);
	cr_assert_str_eq(started(), "y");
	cr_assert_str_eq(ab_run_error(play.run)->text,
	        "resource 'y': broken; fallback resource 'plan_b': resource "
	        "'write': it writes, which a fallback may not begin");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, a_fallback_that_needs_a_write_of_the_run_waits_for_it)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "write", .later = true, .writes = true);
	ADD(d, "plan_b: write");
	ADD(d, "y", .fails = AB_EUPSTREAM, .fallback_resource = "plan_b");
	ADD(d, "page: write y");
	PLAY(&play, d, .targets = "page");
	complete("write");
	cr_assert(play.done_result == AB_OK);
	cr_assert_str_eq(value(&play, "y"), "['plan_b', ['write']]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

static void count_end(void *arg, int at, const struct ab_error *err)
{
	int *counts = arg;

	(void)at;
	counts[err == NULL ? 0 : err->code == AB_ECANCELED ? 1 : 2]++;
}

static void count_start(void *arg, int at)
{
	int *counts = arg;

	(void)at;
	counts[3]++;
}

Test(phases, a_started_write_is_never_cancelled_and_keeps_its_memory)
{
	struct ab_dispatcher *d = dispatcher();
	int counts[4] = {0};
	struct ab_observer observer = {.started = count_start, .ended = count_end, .arg = counts};
	struct play play;

	ADD(d, "insert", .later = true, .writes = true);
	ADD(d, "after: insert", .writes = true);
	ADD(d, "page: after");
	play_begin(&play, d, &(struct scene){.targets = "page"});
	ab_run_observe(play.run, &observer);
	play_go(&play);
	cr_assert(in_flight("insert"));
	ab_run_cancel(play.run);
	cr_assert_str_empty(cancelled());
	cr_assert(ab_run_outstanding(play.run) == 1);
	ab_arena_unref(play.arena);
	play.arena = NULL;
	complete("insert");
	cr_assert_str_eq(started(), "insert", "no further write begins");
	cr_assert(play.dones == 0);
	cr_assert(counts[0] == 1 && counts[1] == 0 && counts[2] == 0 && counts[3] == 1);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, an_expired_write_fails_but_is_left_to_finish)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "insert", .later = true, .writes = true);
	PLAY(&play, d, .targets = "insert");
	ab_run_expire(play.run, resource(&play, "insert"));
	cr_assert(play.dones == 1 && play.done_result == AB_ETIMEOUT);
	cr_assert_str_empty(cancelled());
	cr_assert(ab_run_outstanding(play.run) == 1);
	complete("insert");
	cr_assert(ab_run_outstanding(play.run) == 0);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, the_plan_tells_what_a_write_waits_for)
{
	struct ab_dispatcher *d = dispatcher();
	const struct ab_plan_node *node;
	struct play play;

	ADD(d, "a");
	ADD(d, "w: a", .writes = true);
	ADD(d, "b");
	ADD(d, "t: w b");
	play_begin(&play, d, &(struct scene){.targets = "t"});
	node = ab_plan_node(play.plan, slot(&play, "w"));
	cr_assert(node->n_after == 1 && node->after[0] == slot(&play, "b"));
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(phases, phases_can_be_asked_of_the_plan)
{
	struct ab_dispatcher *d = dispatcher();
	bool given[8] = {false};
	struct play play;
	int phases[8];

	ADD(d, "t: a b");
	ADD(d, "a: shared");
	ADD(d, "b: unused");
	ADD(d, "unused");
	ADD(d, "shared");
	ADD(d, "guard: shared");
	play_begin(&play, d, &(struct scene){.targets = "t", .guards = "guard"});
	given[slot(&play, "b")] = true;
	ab_plan_phases(play.plan, given, phases);
	cr_assert(phases[slot(&play, "guard")] == 0 && phases[slot(&play, "shared")] == 0);
	cr_assert(phases[slot(&play, "t")] == 1 && phases[slot(&play, "a")] == 1);
	cr_assert(phases[slot(&play, "b")] == -1 && phases[slot(&play, "unused")] == -1);
	play_end(&play);
	ab_dispatcher_destroy(d);
}
