/* tests/dispatch/test_run.c: failing fast, cancelling, time running out, what is not given, and who keeps
 * what alive. */
#include "engine.h"

TestSuite(run, .timeout = 10);

/* ---- concurrency and failing fast ---- */

Test(run, what_does_not_wait_for_another_starts_at_once)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "product", .later = true);
	ADD(d, "user", .later = true);
	ADD(d, "related: product", .later = true);
	ADD(d, "page: product user related");
	PLAY(&play, d, .targets = "page");
	cr_assert(play.code == AB_PENDING);
	cr_assert_str_eq(started(), "product user");
	complete("product");
	cr_assert_str_eq(started(), "product user related");
	complete("related");
	cr_assert(play.dones == 0);
	complete("user");
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	cr_assert(ab_run_error(play.run) == NULL);
	cr_assert(ab_run_outstanding(play.run) == 0);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, the_first_failure_in_time_decides_and_cancels_what_is_in_flight)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b", .later = true, .on_cancel = CANCEL_LATER);
	ADD(d, "c", .later = true);
	ADD(d, "t: a b c");
	PLAY(&play, d, .targets = "t");
	fail("c", AB_EUPSTREAM);
	cr_assert(play.dones == 1 && play.done_result == AB_EUPSTREAM);
	cr_assert_str_eq(cancelled(), "a b");
	cr_assert_str_eq(ab_run_error(play.run)->text, "resource 'c': broken");
	cr_assert_str_eq(ab_run_error(play.run)->resource, "c");
	cr_assert(ab_run_outstanding(play.run) == 1);
	complete("b");
	cr_assert(play.dones == 1, "done is called once");
	cr_assert(ab_run_outstanding(play.run) == 0);
	cr_assert_str_eq(value(&play, "t"), "(none)");
	cr_assert_str_eq(value(&play, "b"), "(none)");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_failure_inside_the_start_is_its_result_and_done_is_not_called)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b", .fails = AB_EMISSING);
	ADD(d, "c");
	ADD(d, "t: a b c");
	PLAY(&play, d, .targets = "t");
	cr_assert(play.code == AB_EMISSING);
	cr_assert(ab_run_result(play.run) == AB_EMISSING);
	cr_assert(ab_run_error(play.run)->status == 404);
	cr_assert_str_eq(started(), "a b", "nothing starts after the failure");
	cr_assert_str_eq(cancelled(), "a");
	play_end(&play);
	cr_assert(play.dones == 0);
	ab_dispatcher_destroy(d);
}

Test(run, a_resource_that_two_need_runs_once)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b: a");
	ADD(d, "c: a");
	ADD(d, "t: b c a");
	PLAY(&play, d, .targets = "t a b");
	complete("a");
	cr_assert_str_eq(started(), "a b c t");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, the_arena_may_be_dropped_from_inside_done)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b", .later = true, .on_cancel = CANCEL_LATER);
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t");
	play.drop_in_done = true;
	fail("a", AB_EUPSTREAM);
	cr_assert(play.dones == 1 && play.arena == NULL);
	complete("b"); /* its memory lasts until now */
	play_end(&play);
	ab_dispatcher_destroy(d);
}

static void complete_without_a_value(struct ab_call *call)
{
	ab_call_resolve_new(call, NULL);
}

static void complete_without_a_text(struct ab_call *call)
{
	ab_call_resolve_text(call, &(struct ab_text){.data = NULL});
}

Test(run, a_handler_without_memory_fails_its_resource)
{
	static const struct ab_handler handlers[] = {{.kind = "value", .start = complete_without_a_value},
	        {.kind = "text", .start = complete_without_a_text}};

	for (size_t i = 0; i < AB_COUNT(handlers); i++) {
		struct ab_dispatcher *d = dispatcher();
		struct play play;

		cr_assert(ab_dispatcher_add(d, &(struct ab_resource){.name = "a", .handler = &handlers[i]},
		                  NULL) == AB_OK);
		PLAY(&play, d, .targets = "a");
		cr_assert(play.code == AB_ENOMEM);
		cr_assert_str_eq(ab_run_error(play.run)->text, "resource 'a': out of memory");
		play_end(&play);
		ab_dispatcher_destroy(d);
	}
}

/* ---- cancelling ---- */

Test(run, cancelling_ends_what_is_in_flight_and_done_is_not_called)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b", .later = true, .on_cancel = CANCEL_LATER);
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t");
	ab_run_cancel(play.run);
	cr_assert(ab_run_result(play.run) == AB_ECANCELED);
	cr_assert_str_eq(cancelled(), "a b");
	ab_run_cancel(play.run);
	cr_assert_str_eq(cancelled(), "a b", "once is enough");
	ab_arena_unref(play.arena);
	play.arena = NULL;
	complete("b");
	cr_assert(play.dones == 0);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, cancelling_a_finished_run_is_harmless)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a");
	PLAY(&play, d, .targets = "a");
	ab_run_cancel(play.run);
	ab_run_expire(play.run, NULL);
	cr_assert(ab_run_result(play.run) == AB_OK);
	cr_assert_str_eq(value(&play, "a"), "['a']");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_run_cancelled_before_its_start_starts_nothing)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a");
	play_begin(&play, d, &(struct scene){.targets = "a"});
	ab_run_cancel(play.run);
	play_go(&play);
	cr_assert(play.code == AB_ECANCELED);
	cr_assert_str_empty(started());
	play_end(&play);
	ab_dispatcher_destroy(d);
}

static void cancel_own_run(struct ab_call *call)
{
	ab_run_cancel(call->run);
}

Test(run, a_handler_may_cancel_its_own_run_from_inside_start)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true, .inside = cancel_own_run);
	ADD(d, "b", .inside = cancel_own_run);
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t");
	cr_assert(play.code == AB_ECANCELED);
	cr_assert_str_eq(started(), "a");
	cr_assert_str_eq(cancelled(), "a", "told after its start, not inside it");
	cr_assert(ab_run_outstanding(play.run) == 0);
	play_end(&play);
	PLAY(&play, d, .targets = "b");
	cr_assert(play.code == AB_ECANCELED);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

/* ---- time running out ---- */

Test(run, an_expired_run_fails_with_a_timeout_and_says_what_it_waited_for)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b", .later = true, .optional = true);
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t");
	ab_run_expire(play.run, NULL);
	cr_assert(play.dones == 1 && play.done_result == AB_ETIMEOUT);
	cr_assert_str_eq(ab_run_error(play.run)->text, "the time is up, waiting for 'a', 'b'");
	cr_assert(ab_run_error(play.run)->status == 504);
	cr_assert_str_eq(cancelled(), "a b");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, an_expired_resource_is_cancelled_and_its_fallback_applies)
{
	static const enum on_cancel ways[] = {CANCEL_AT_ONCE, CANCEL_LATER};

	for (size_t i = 0; i < AB_COUNT(ways); i++) {
		struct ab_dispatcher *d = dispatcher();
		struct play play;

		forget();
		ADD(d, "a", .later = true, .fallback = "[]", .on_cancel = ways[i]);
		ADD(d, "b", .later = true);
		ADD(d, "t: a b");
		PLAY(&play, d, .targets = "t");
		ab_run_expire(play.run, resource(&play, "a"));
		ab_run_expire(play.run, resource(&play, "a"));
		cr_assert_str_eq(cancelled(), "a");
		complete("b");
		cr_assert(play.dones == 1 && play.done_result == AB_OK);
		cr_assert_str_eq(value(&play, "t"), "['t', [], ['b']]");
		cr_assert_str_eq(degraded(&play), "a:timeout");
		if (ways[i] == CANCEL_LATER)
			complete("a");
		cr_assert(ab_run_outstanding(play.run) == 0);
		play_end(&play);
		ab_dispatcher_destroy(d);
	}
}

Test(run, an_expired_resource_without_a_way_out_fails_the_run)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b", .later = true);
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t");
	ab_run_expire(play.run, resource(&play, "b"));
	cr_assert(play.dones == 1 && play.done_result == AB_ETIMEOUT);
	cr_assert_str_eq(ab_run_error(play.run)->text, "resource 'b': timed out");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_resource_expired_before_its_start_never_starts)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true);
	ADD(d, "b: a", .optional = true);
	ADD(d, "t: b");
	PLAY(&play, d, .targets = "t");
	ab_run_expire(play.run, resource(&play, "b"));
	cr_assert(play.dones == 0, "the run still waits for a");
	complete("a");
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	cr_assert_str_eq(started(), "a t");
	cr_assert_str_eq(value(&play, "t"), "['t', null]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_resource_waiting_for_its_fallback_resource_can_expire)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback_resource = "cached", .optional = true);
	ADD(d, "cached", .later = true);
	ADD(d, "t: a");
	PLAY(&play, d, .targets = "t");
	ab_run_expire(play.run, resource(&play, "a"));
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	cr_assert_str_eq(value(&play, "t"), "['t', null]");
	cr_assert_str_eq(cancelled(), "cached");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_lazy_resource_can_expire_while_it_runs)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback_resource = "cached");
	ADD(d, "cached", .later = true);
	ADD(d, "t: a");
	PLAY(&play, d, .targets = "t");
	ab_run_expire(play.run, resource(&play, "cached"));
	cr_assert(play.done_result == AB_EUPSTREAM);
	cr_assert_str_eq(
	        ab_run_error(play.run)->text, "resource 'a': broken; fallback resource 'cached': timed out");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

/* ---- inputs ---- */

Test(run, an_input_that_is_not_given_fails_the_start)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a: id");
	ADD(d, "b");
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t", .acceptable = "id b");
	cr_assert(play.code == AB_EINVALID);
	cr_assert_str_eq(ab_run_error(play.run)->text, "'id' is not given");
	cr_assert_str_empty(started());
	play_end(&play);
	PLAY(&play, d, .targets = "t", .acceptable = "id b", .give = "{'b': 1}");
	cr_assert(play.code == AB_EINVALID, "also when another name is given");
	play_end(&play);
	PLAY(&play, d, .targets = "t", .acceptable = "id b", .give = "{'a': 1}");
	cr_assert(play.code == AB_OK, "what is not needed need not be given");
	play_end(&play);
	PLAY(&play, d, .targets = "id", .acceptable = "id");
	cr_assert(play.code == AB_EINVALID);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, an_input_only_a_fallback_needs_fails_that_fallback)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_ETIMEOUT, .fallback_resource = "plan_b", .optional = true);
	ADD(d, "plan_b: inner");
	ADD(d, "inner: id");
	PLAY(&play, d, .targets = "a", .acceptable = "id");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "a"), "null");
	play_end(&play);
	PLAY(&play, d, .targets = "a", .acceptable = "id", .give = "{'id': 3}");
	cr_assert_str_eq(value(&play, "a"), "['plan_b', ['inner', 3]]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_value_that_could_not_be_made_fails_the_start)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a: id");
	play_begin(&play, d, &(struct scene){.targets = "a", .acceptable = "id"});
	ab_run_give_new(play.run, -1, json_integer(1)); /* not in the plan: let go */
	ab_run_give_new(play.run, slot(&play, "id"), NULL);
	play_go(&play);
	cr_assert(play.code == AB_ENOMEM);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

/* ---- plans, as tools see them ---- */

Test(run, demand_and_dependence_can_be_asked_of_the_plan)
{
	struct ab_dispatcher *d = dispatcher();
	bool given[8] = {false}, demanded[8];
	struct play play;

	ADD(d, "t: a b");
	ADD(d, "a: deep");
	ADD(d, "b", .fallback_resource = "lazy");
	ADD(d, "lazy");
	ADD(d, "deep");
	play_begin(&play, d, &(struct scene){.targets = "t"});
	cr_assert(ab_plan_size(play.plan) == 5);
	ab_plan_demand(play.plan, given, demanded);
	cr_assert(demanded[slot(&play, "t")] && demanded[slot(&play, "deep")] && demanded[slot(&play, "b")]);
	cr_assert(!demanded[slot(&play, "lazy")]);
	given[slot(&play, "a")] = true;
	ab_plan_demand(play.plan, given, demanded);
	cr_assert(
	        !demanded[slot(&play, "a")] && !demanded[slot(&play, "deep")] && demanded[slot(&play, "b")]);
	cr_assert(ab_plan_depends(play.plan, slot(&play, "t"), slot(&play, "deep")));
	cr_assert(
	        ab_plan_depends(play.plan, slot(&play, "t"), slot(&play, "lazy")), "through a fallback too");
	cr_assert(!ab_plan_depends(play.plan, slot(&play, "b"), slot(&play, "deep")));
	cr_assert(!ab_plan_depends(play.plan, slot(&play, "deep"), slot(&play, "t")));
	cr_assert(ab_plan_node(play.plan, slot(&play, "lazy"))->lazy);
	cr_assert(!ab_plan_node(play.plan, slot(&play, "b"))->lazy);
	cr_assert(ab_plan_node(play.plan, slot(&play, "b"))->fallback == slot(&play, "lazy"));
	cr_assert(ab_plan_node(play.plan, -1) == NULL && ab_plan_node(play.plan, 5) == NULL);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_chain_of_ten_thousand_does_not_recurse)
{
	enum { LENGTH = 10000 };
	struct ab_dispatcher *d = dispatcher();
	struct play play;
	char spec[64];

	for (int i = 0; i < LENGTH; i++) {
		snprintf(spec, sizeof(spec), i + 1 < LENGTH ? "r%d: r%d" : "r%d", i, i + 1);
		ADD(d, spec, .value = "1");
	}
	PLAY(&play, d, .targets = "r0");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "r0"), "1");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_chain_of_fallbacks_does_not_recurse)
{
	enum { LENGTH = 5000 };
	struct ab_dispatcher *d = dispatcher();
	struct play play;
	char spec[64], next[64];

	for (int i = 0; i < LENGTH; i++) {
		snprintf(spec, sizeof(spec), "r%d", i);
		snprintf(next, sizeof(next), "r%d", i + 1);
		if (i + 1 < LENGTH)
			ADD(d, spec, .fails = AB_EUPSTREAM, .fallback_resource = next);
		else
			ADD(d, spec, .value = "'at last'");
	}
	PLAY(&play, d, .targets = "r0");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "r0"), "'at last'");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(run, a_plan_without_targets_is_done_at_once)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	PLAY(&play, d, .targets = "");
	cr_assert(play.code == AB_OK);
	cr_assert(ab_plan_size(play.plan) == 0);
	play_end(&play);
	ab_dispatcher_destroy(d);
}
