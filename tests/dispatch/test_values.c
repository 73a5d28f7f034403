/* tests/dispatch/test_values.c: what stands in for a failure, what counts as degraded, texts, and what a
 * later run takes over. */
#include "engine.h"

#include <string.h>

TestSuite(values, .timeout = 10);

/* ---- the way of a failure ---- */

Test(values, missing_can_mean_null_and_is_no_degradation)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EMISSING, .missing_null = true, .fallback = "'unused'", .optional = true);
	ADD(d, "t: a degraded");
	PLAY(&play, d, .targets = "t");
	cr_assert_str_eq(value(&play, "t"), "['t', null, {}]");
	cr_assert_str_empty(degraded(&play));
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, missing_null_is_for_absence_alone)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .missing_null = true);
	PLAY(&play, d, .targets = "a");
	cr_assert(play.code == AB_EUPSTREAM);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_missing_resource_has_its_own_status)
{
	static const struct {
		int set, expected;
	} rows[] = {{0, 404}, {401, 401}, {403, 403}};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct ab_dispatcher *d = dispatcher();
		struct play play;

		ADD(d, "a", .fails = AB_EMISSING, .missing_status = rows[i].set);
		PLAY(&play, d, .targets = "a");
		cr_assert(ab_run_error(play.run)->status == rows[i].expected);
		play_end(&play);
		ab_dispatcher_destroy(d);
	}
}

Test(values, a_handlers_own_status_is_carried)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EFORBIDDEN, .status = 401);
	PLAY(&play, d, .targets = "a");
	cr_assert(ab_run_error(play.run)->status == 401);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_fallback_stands_in_and_is_degraded)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_ETIMEOUT, .fallback = "[1]");
	ADD(d, "t: a degraded");
	PLAY(&play, d, .targets = "t");
	cr_assert_str_eq(value(&play, "t"), "['t', [1], {'a': {'reason': 'timeout'}}]");
	cr_assert_str_eq(degraded(&play), "a:timeout");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, an_optional_resource_is_null_and_degraded)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .optional = true);
	ADD(d, "t: a");
	PLAY(&play, d, .targets = "t");
	cr_assert_str_eq(value(&play, "t"), "['t', null]");
	cr_assert_str_eq(degraded(&play), "a:upstream");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, reasons_are_short_words)
{
	static const struct {
		enum ab_code code;
		const char *expected;
	} rows[] = {
	        {AB_ETIMEOUT, "a:timeout"},
	        {AB_EUPSTREAM, "a:upstream"},
	        {AB_EMISSING, "a:missing"},
	        {AB_EFORBIDDEN, "a:forbidden"},
	        {AB_EOVERLOAD, "a:overload"},
	        {AB_ENOMEM, "a:overload"},
	        {AB_EINVALID, "a:invalid"},
	        {AB_EINTERNAL, "a:error"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct ab_dispatcher *d = dispatcher();
		struct play play;

		ADD(d, "a", .fails = rows[i].code, .optional = true);
		PLAY(&play, d, .targets = "a");
		cr_assert_str_eq(degraded(&play), rows[i].expected);
		play_end(&play);
		ab_dispatcher_destroy(d);
	}
}

Test(values, a_fallback_resource_starts_only_on_failure_and_with_what_it_needs)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .later = true, .fallback_resource = "cached");
	ADD(d, "cached: key", .later = true);
	ADD(d, "key");
	ADD(d, "t: a");
	PLAY(&play, d, .targets = "t");
	complete("a");
	cr_assert_str_eq(started(), "a t");
	cr_assert_str_empty(degraded(&play));
	play_end(&play);
	forget();
	PLAY(&play, d, .targets = "t");
	fail("a", AB_EUPSTREAM);
	cr_assert_str_eq(started(), "a key cached");
	complete("cached");
	cr_assert_str_eq(value(&play, "t"), "['t', ['cached', ['key']]]");
	cr_assert_str_eq(degraded(&play), "a:upstream");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_fallback_that_fails_too_tells_both_errors)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "related", .fails = AB_ETIMEOUT, .fallback_resource = "cached");
	ADD(d, "cached", .fails = AB_EMISSING);
	ADD(d, "deep", .fails = AB_EUPSTREAM);
	ADD(d, "middle: deep");
	ADD(d, "other", .fails = AB_ETIMEOUT, .fallback_resource = "middle");
	PLAY(&play, d, .targets = "related");
	cr_assert(play.code == AB_ETIMEOUT, "the status is that of the resource itself");
	cr_assert(ab_run_error(play.run)->status == 504);
	cr_assert_str_eq(ab_run_error(play.run)->text,
	        "resource 'related': broken; fallback resource 'cached': broken");
	play_end(&play);
	PLAY(&play, d, .targets = "other");
	cr_assert_str_eq(ab_run_error(play.run)->text,
	        "resource 'other': broken; fallback resource 'middle': resource 'deep': broken");
	cr_assert_str_eq(ab_run_error(play.run)->resource, "other");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, optional_comes_after_the_fallback_resource)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_ETIMEOUT, .fallback_resource = "cached", .optional = true);
	ADD(d, "cached", .fails = AB_EMISSING);
	PLAY(&play, d, .targets = "a");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "a"), "null");
	cr_assert_str_eq(degraded(&play), "a:timeout");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_failing_lazy_need_fails_every_fallback_that_needs_it_but_not_the_run)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "deep", .later = true);
	ADD(d, "plan_b: deep");
	ADD(d, "plan_c: deep slow");
	ADD(d, "slow", .later = true);
	ADD(d, "b", .fails = AB_EUPSTREAM, .fallback_resource = "plan_b", .optional = true);
	ADD(d, "c", .fails = AB_EUPSTREAM, .fallback_resource = "plan_c", .optional = true);
	ADD(d, "late", .later = true, .fallback_resource = "plan_b", .optional = true);
	ADD(d, "t: b c late");
	PLAY(&play, d, .targets = "t");
	fail("deep", AB_ETIMEOUT);
	cr_assert(play.dones == 0);
	fail("late", AB_EMISSING); /* its fallback has failed before it was asked for */
	cr_assert(play.dones == 1 && play.done_result == AB_OK);
	cr_assert_str_eq(value(&play, "t"), "['t', null, null, null]");
	cr_assert_str_eq(degraded(&play), "b:upstream c:upstream late:missing");
	cr_assert_str_eq(cancelled(), "slow", "nobody waits for it any more");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_fallback_resource_that_is_needed_anyway_runs_once)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback_resource = "b");
	ADD(d, "b", .later = true);
	ADD(d, "t: a b");
	PLAY(&play, d, .targets = "t");
	complete("b");
	cr_assert_str_eq(value(&play, "t"), "['t', ['b'], ['b']]");
	play_end(&play);
	PLAY(&play, d, .targets = "t", .give = "{'b': 9}");
	cr_assert_str_eq(value(&play, "t"), "['t', 9, 9]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, fallbacks_may_have_fallbacks)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback_resource = "b");
	ADD(d, "b", .fails = AB_ETIMEOUT, .fallback_resource = "c");
	ADD(d, "c", .fails = AB_EMISSING, .fallback = "0");
	ADD(d, "t: a degraded");
	PLAY(&play, d, .targets = "t");
	cr_assert_str_eq(value(&play, "t"),
	        "['t', 0, {'a': {'reason': 'upstream'}, 'b': {'reason': 'timeout'}, 'c': {'reason': 'missing'}}]");
	cr_assert_str_eq(degraded(&play), "c:missing b:timeout a:upstream");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

/* ---- degraded ---- */

Test(values, degraded_holds_only_what_the_resource_rests_on)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "one", .fails = AB_ETIMEOUT, .optional = true);
	ADD(d, "two", .fails = AB_EUPSTREAM, .optional = true);
	ADD(d, "mid: one");
	ADD(d, "left: mid degraded");
	ADD(d, "right: two degraded");
	ADD(d, "none: degraded");
	ADD(d, "t: left right none");
	PLAY(&play, d, .targets = "t degraded");
	cr_assert_str_eq(value(&play, "left"), "['left', ['mid', null], {'one': {'reason': 'timeout'}}]");
	cr_assert_str_eq(value(&play, "right"), "['right', null, {'two': {'reason': 'upstream'}}]");
	cr_assert_str_eq(value(&play, "none"), "['none', {}]");
	cr_assert_str_eq(
	        value(&play, "degraded"), "{'one': {'reason': 'timeout'}, 'two': {'reason': 'upstream'}}");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_fallback_resource_that_ran_for_nothing_is_not_reported)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback_resource = "b", .optional = true);
	ADD(d, "b: shaky broken");
	ADD(d, "shaky", .fails = AB_ETIMEOUT, .fallback = "1");
	ADD(d, "broken", .fails = AB_EINTERNAL);
	PLAY(&play, d, .targets = "a");
	cr_assert_str_eq(degraded(&play), "a:upstream");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

/* ---- texts ---- */

Test(values, a_text_keeps_its_bytes_and_becomes_json_only_when_needed)
{
	struct ab_dispatcher *d = dispatcher();
	const struct ab_text *text;
	struct play play;
	char *bytes;

	ADD(d, "inner", .text = "in\"ner");
	ADD(d, "page: inner", .text = "<p>page</p>");
	PLAY(&play, d, .targets = "page");
	text = ab_run_text(play.run, slot(&play, "page"));
	cr_assert(text != NULL);
	cr_assert_str_eq(text->data, "<p>page</p>");
	cr_assert_str_eq(text->media, "text/plain");
	cr_assert(text->len == 11);
	cr_assert_str_eq(value(&play, "inner"), "'in\\'ner'");
	bytes = ab_run_take_text(play.run, slot(&play, "page"));
	cr_assert_str_eq(bytes, "<p>page</p>");
	free(bytes);
	cr_assert(ab_run_text(play.run, slot(&play, "page")) == NULL);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_text_that_stands_in_is_a_text_still)
{
	struct ab_dispatcher *d = dispatcher();
	const struct ab_text *text;
	struct play play;

	ADD(d, "a", .fails = AB_ETIMEOUT, .fallback_resource = "page");
	ADD(d, "page", .text = "<p>page</p>");
	PLAY(&play, d, .targets = "a");
	text = ab_run_text(play.run, slot(&play, "a"));
	cr_assert(text != NULL);
	cr_assert_str_eq(text->data, "<p>page</p>");
	cr_assert_str_eq(text->media, "text/plain");
	cr_assert_str_eq(value(&play, "a"), "'<p>page</p>'");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_value_is_no_text)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a");
	PLAY(&play, d, .targets = "a");
	cr_assert(ab_run_text(play.run, slot(&play, "a")) == NULL);
	cr_assert(ab_run_text(play.run, -1) == NULL);
	cr_assert(ab_run_value(play.run, 99) == NULL);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_text_nobody_wants_is_let_go)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .text = "late", .later = true, .on_cancel = CANCEL_LATER);
	PLAY(&play, d, .targets = "a");
	ab_run_cancel(play.run);
	complete("a");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, a_text_stands_in_for_another_as_a_string)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback_resource = "b");
	ADD(d, "b", .text = "plain");
	PLAY(&play, d, .targets = "a");
	cr_assert_str_eq(value(&play, "a"), "'plain'");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

/* ---- an error page's run ---- */

/* The failed run's values for a second plan of the same dispatcher. */
static void play_after(struct play *next, const struct play *before, const struct ab_dispatcher *from,
        const struct scene *scene)
{
	play_begin(next, from, scene);
	ab_run_inherit(next->run, before->run);
	play_go(next);
}

Test(values, a_later_run_takes_over_what_was_resolved)
{
	struct ab_dispatcher *d = dispatcher();
	struct play first, second;

	ADD(d, "user");
	ADD(d, "snippet", .text = "<b>");
	ADD(d, "product: user snippet id", .fails = AB_EMISSING);
	ADD(d, "fresh");
	ADD(d, "sorry: user snippet fresh id error");
	PLAY(&first, d, .targets = "product", .acceptable = "id", .give = "{'id': 5}");
	cr_assert(first.code == AB_EMISSING);
	forget();
	play_after(&second, &first, d,
	        &(struct scene){.targets = "sorry snippet",
	                .acceptable = "id",
	                .reserved = "error",
	                .give = "{'error': 404}"});
	cr_assert(second.code == AB_OK);
	cr_assert_str_eq(started(), "fresh sorry");
	cr_assert_str_eq(value(&second, "sorry"), "['sorry', ['user'], '<b>', ['fresh'], 5, 404]");
	play_end(&first);
	cr_assert_str_eq(ab_run_text(second.run, slot(&second, "snippet"))->data, "<b>", "a copy of its own");
	play_end(&second);
	ab_dispatcher_destroy(d);
}

Test(values, what_failed_is_not_tried_again_by_a_later_run)
{
	struct ab_dispatcher *d = dispatcher();
	struct play first, second;

	ADD(d, "product", .fails = AB_EMISSING);
	ADD(d, "sorry: product");
	ADD(d, "plain", .fails = AB_EUPSTREAM, .fallback_resource = "sorry", .optional = true);
	PLAY(&first, d, .targets = "product");
	forget();
	play_after(&second, &first, d, &(struct scene){.targets = "sorry"});
	cr_assert(second.code == AB_EMISSING);
	cr_assert_str_eq(ab_run_error(second.run)->text, "resource 'product': broken");
	cr_assert_str_empty(started());
	play_end(&second);
	play_after(&second, &first, d, &(struct scene){.targets = "plain"});
	cr_assert(second.code == AB_OK);
	cr_assert_str_eq(started(), "plain");
	play_end(&second);
	play_end(&first);
	ab_dispatcher_destroy(d);
}

Test(values, a_write_in_flight_is_not_begun_again_by_a_later_run)
{
	struct ab_dispatcher *d = dispatcher();
	struct play first, second;

	ADD(d, "insert", .writes = true, .later = true);
	ADD(d, "sorry: insert");
	PLAY(&first, d, .targets = "insert");
	ab_run_expire(first.run, NULL);
	play_after(&second, &first, d, &(struct scene){.targets = "sorry"});
	cr_assert(second.code == AB_ECANCELED);
	cr_assert_str_eq(ab_run_error(second.run)->text,
	        "resource 'insert': it was begun by the run before, which ended first");
	cr_assert_str_eq(started(), "insert");
	play_end(&second);
	complete("insert");
	play_after(&second, &first, d, &(struct scene){.targets = "sorry"});
	cr_assert(second.code == AB_ECANCELED, "nor once it has ended");
	cr_assert_str_eq(started(), "insert");
	play_end(&second);
	play_end(&first);
	ab_dispatcher_destroy(d);
}

Test(values, what_was_cancelled_may_be_fetched_by_a_later_run)
{
	struct ab_dispatcher *d = dispatcher();
	struct play first, second;

	ADD(d, "user", .later = true);
	ADD(d, "product", .fails = AB_EMISSING);
	ADD(d, "page: user product");
	ADD(d, "sorry: user");
	PLAY(&first, d, .targets = "page");
	forget();
	play_after(&second, &first, d, &(struct scene){.targets = "sorry"});
	complete("user");
	cr_assert(second.done_result == AB_OK);
	cr_assert_str_eq(started(), "user sorry");
	play_end(&second);
	play_end(&first);
	ab_dispatcher_destroy(d);
}

Test(values, a_later_run_knows_what_was_degraded)
{
	struct ab_dispatcher *d = dispatcher();
	struct play first, second, third;

	ADD(d, "shaky", .fails = AB_ETIMEOUT, .optional = true);
	ADD(d, "product: shaky", .fails = AB_EMISSING);
	ADD(d, "new", .fails = AB_EUPSTREAM, .optional = true);
	ADD(d, "sorry: new degraded");
	ADD(d, "last: degraded");
	PLAY(&first, d, .targets = "product");
	play_after(&second, &first, d, &(struct scene){.targets = "sorry"});
	cr_assert_str_eq(value(&second, "sorry"),
	        "['sorry', null, {'new': {'reason': 'upstream'}, 'shaky': {'reason': 'timeout'}}]");
	cr_assert_str_eq(degraded(&second), "shaky:timeout new:upstream");
	play_after(&third, &second, d, &(struct scene){.targets = "last"});
	cr_assert_str_eq(value(&third, "last"),
	        "['last', {'new': {'reason': 'upstream'}, 'shaky': {'reason': 'timeout'}}]");
	play_end(&third);
	play_end(&second);
	play_end(&first);
	ab_dispatcher_destroy(d);
}

Test(values, a_conditional_resource_is_null_and_not_started_where_its_last_need_is_false)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "no", .value = "false");
	ADD(d, "yes", .value = "true");
	ADD(d, "skipped: yes no", .conditional = true);
	ADD(d, "taken: no yes", .conditional = true);
	ADD(d, "page: skipped taken");
	PLAY(&play, d, .targets = "page");
	cr_assert_eq(play.code, AB_OK);
	cr_assert_str_eq(value(&play, "page"), "['page', null, ['taken', false, true]]");
	cr_assert_null(strstr(started(), "skipped"));
	cr_assert_str_eq(degraded(&play), "");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(values, what_a_client_may_be_told_stays_with_an_error_until_it_is_set_anew)
{
	struct ab_error err;

	ab_error_set(&err, AB_EINVALID, "one");
	err.message = "for all";
	err.field = "age";
	ab_error_prefix(&err, "two");
	cr_assert_str_eq(err.message, "for all");
	ab_error_set(&err, AB_EINVALID, "three");
	cr_assert_null(err.message);
	cr_assert_null(err.field);
}

Test(values, a_name_is_taken_over_only_for_the_same_resource)
{
	struct ab_dispatcher *one = dispatcher(), *two = dispatcher();
	struct play first, second;

	ADD(one, "a", .value = "1");
	ADD(two, "a", .value = "2");
	PLAY(&first, one, .targets = "a");
	play_after(&second, &first, two, &(struct scene){.targets = "a"});
	cr_assert_str_eq(value(&second, "a"), "2");
	play_end(&second);
	play_end(&first);
	ab_dispatcher_destroy(one);
	ab_dispatcher_destroy(two);
}
