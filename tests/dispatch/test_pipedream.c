/* tests/dispatch/test_pipedream.c: what the engine shares with the dispatcher it grew from. */
#include "engine.h"

#include <string.h>

TestSuite(pipedream, .timeout = 10);

static struct ab_dispatcher *diamond(void)
{
	struct ab_dispatcher *d = dispatcher();

	ADD(d, "a: b c");
	ADD(d, "b: c d");
	ADD(d, "c: d");
	ADD(d, "d");
	return d;
}

Test(pipedream, calling_resolves_what_is_needed_and_nothing_else)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "who", .value = "'World'");
	ADD(d, "greet: who");
	ADD(d, "other");
	PLAY(&play, d, .targets = "greet");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "greet"), "['greet', 'World']");
	cr_assert_str_eq(started(), "who greet");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_given_name_wins_over_the_resource_and_what_only_it_needed)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "deep");
	ADD(d, "shared");
	ADD(d, "who: deep shared");
	ADD(d, "greet: who shared");
	PLAY(&play, d, .targets = "greet", .acceptable = "who", .give = "{'who': 'Everyone'}");
	cr_assert_str_eq(value(&play, "greet"), "['greet', 'Everyone', ['shared']]");
	cr_assert_str_eq(started(), "shared greet");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, names_always_given_prune_their_resource_when_the_plan_is_compiled)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "deep");
	ADD(d, "who: deep");
	ADD(d, "greet: who");
	PLAY(&play, d, .targets = "greet", .given = "who", .give = "{'who': 1}");
	cr_assert_str_eq(value(&play, "greet"), "['greet', 1]");
	cr_assert(ab_plan_slot(play.plan, "deep") == -1);
	cr_assert(resource(&play, "who") == NULL);
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_given_name_without_a_resource_is_a_need_like_any)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "greet: who");
	PLAY(&play, d, .targets = "greet", .acceptable = "who", .give = "{'who': null}");
	cr_assert_str_eq(value(&play, "greet"), "['greet', null]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_target_that_is_given_needs_no_run)
{
	struct ab_dispatcher *d = diamond();
	struct play play;

	PLAY(&play, d, .targets = "a", .give = "{'a': 7}");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "a"), "7");
	cr_assert_str_empty(started());
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, needs_arrive_in_the_order_listed)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "x", .later = true);
	ADD(d, "y", .later = true);
	ADD(d, "z", .later = true);
	ADD(d, "t: z x y");
	PLAY(&play, d, .targets = "t");
	complete("x");
	complete("y");
	complete("z");
	cr_assert_str_eq(value(&play, "t"), "['t', ['z'], ['x'], ['y']]");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

static void give_forty_two(struct ab_call *call)
{
	ab_call_resolve_new(call, json_integer(42));
}

static void give_first_need(struct ab_call *call)
{
	ab_call_resolve_new(call, json_incref(call->needs[0]));
}

Test(pipedream, one_function_serves_resources_and_needs_of_any_name)
{
	static const struct ab_handler answer = {.kind = "answer", .start = give_forty_two};
	static const struct ab_handler same = {.kind = "same", .start = give_first_need};
	const char *needs[] = {"a_really_long_name"};
	const struct ab_resource specs[] = {
	        {.name = "a_really_long_name", .handler = &answer},
	        {.name = "short", .handler = &same, .needs = needs, .n_needs = 1},
	        {.name = "also", .handler = &answer},
	};
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	for (size_t i = 0; i < AB_COUNT(specs); i++)
		cr_assert(ab_dispatcher_add(d, &specs[i], NULL) == AB_OK);
	PLAY(&play, d, .targets = "short also");
	cr_assert_str_eq(value(&play, "short"), "42");
	cr_assert_str_eq(value(&play, "also"), "42");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_duplicate_name_is_refused)
{
	struct ab_dispatcher *d = diamond();
	struct ab_error err;

	cr_assert(add(d, "c: a", (struct how){.fallback = "[]"}, &err) == AB_EDUPLICATE);
	cr_assert_str_eq(err.text, "there is already a resource 'c'");
	cr_assert(add(d, "e: a a", (struct how){0}, &err) == AB_EDUPLICATE);
	cr_assert_str_eq(err.text, "resource 'e' lists the need 'a' twice");
	ab_dispatcher_destroy(d);
}

Test(pipedream, the_order_of_resolution_is_depth_first_by_declaration)
{
	struct ab_dispatcher *d = diamond();
	struct play play;

	PLAY(&play, d, .targets = "a");
	cr_assert_str_eq(started(), "d c b a");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, names_already_resolved_are_left_out_of_the_order)
{
	struct ab_dispatcher *d = diamond();
	struct play play;

	PLAY(&play, d, .targets = "a", .give = "{'c': 1}");
	cr_assert_str_eq(started(), "d b a");
	play_end(&play);
	forget();
	PLAY(&play, d, .targets = "a", .give = "{'d': 1}");
	cr_assert_str_eq(started(), "c b a");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, the_order_is_depth_first_where_branches_do_not_meet)
{
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "t: p q r");
	ADD(d, "p: s");
	ADD(d, "q");
	ADD(d, "r: s u");
	ADD(d, "s");
	ADD(d, "u");
	PLAY(&play, d, .targets = "t");
	cr_assert_str_eq(started(), "s p q u r t");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_circle_is_found_before_anything_runs_and_shown_whole)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;

	ADD(d, "start: one");
	ADD(d, "one: two");
	ADD(d, "two: three");
	ADD(d, "three: one");
	ADD(d, "self: self");
	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "start"),
	        "the needs run in a circle: one -> two -> three -> one");
	cr_assert(err.code == AB_ECIRCULAR);
	cr_assert_str_eq(err.resource, "one");
	cr_assert_str_eq(
	        COMPILE_ERROR(&err, d, .targets = "self"), "the needs run in a circle: self -> self");
	cr_assert_str_empty(started());
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_circle_is_cut_by_a_name_always_given_but_not_by_an_acceptable_one)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;
	struct play play;

	ADD(d, "one: two");
	ADD(d, "two: one");
	PLAY(&play, d, .targets = "one", .given = "two", .give = "{'two': 2}");
	cr_assert_str_eq(value(&play, "one"), "['one', 2]");
	play_end(&play);
	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "one", .acceptable = "two"),
	        "the needs run in a circle: one -> two -> one");
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_circle_through_a_fallback_is_a_circle)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;

	ADD(d, "one", .fallback_resource = "two");
	ADD(d, "two: one");
	cr_assert_str_eq(
	        COMPILE_ERROR(&err, d, .targets = "one"), "the needs run in a circle: one -> two -> one");
	ab_dispatcher_destroy(d);
}

Test(pipedream, a_long_circle_is_shown_by_its_ends)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;
	char spec[64];

	for (int i = 0; i < 500; i++) {
		snprintf(spec, sizeof(spec), "r%d: r%d", i, (i + 1) % 500);
		ADD(d, spec);
	}
	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "r0"),
	        "the needs run in a circle: r0 -> r1 -> r2 -> r3 -> r4 -> r5 -> r6 -> r7 -> (488 more) -> "
	        "r496 -> r497 -> r498 -> r499 -> r0");
	ab_dispatcher_destroy(d);
}

Test(pipedream, an_unresolvable_name_lists_what_is_available_across_sub_dispatchers)
{
	struct ab_dispatcher *top = dispatcher(), *sub = dispatcher(), *subsub = dispatcher();
	struct ab_error err;

	ADD(top, "page: produkt");
	ADD(sub, "product");
	ADD(subsub, "user");
	ADD(subsub, "page");
	cr_assert(ab_dispatcher_include(top, sub, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(sub, subsub, NULL) == AB_OK);
	cr_assert_str_eq(
	        COMPILE_ERROR(&err, top, .targets = "page", .acceptable = "id", .reserved = "request"),
	        "resource 'page' needs 'produkt', which does not exist; did you mean 'product'? "
	        "Available: page, product, user, id, request");
	cr_assert(err.code == AB_EUNRESOLVABLE);
	cr_assert_str_eq(err.resource, "page");
	cr_assert_str_eq(COMPILE_ERROR(&err, top, .targets = "entirely_else"),
	        "'entirely_else' does not exist; available: page, product, user");
	ab_dispatcher_destroy(top);
	ab_dispatcher_destroy(sub);
	ab_dispatcher_destroy(subsub);
}

Test(pipedream, a_long_list_of_what_is_available_ends_in_a_number)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;
	char spec[64];

	for (int i = 0; i < 100; i++) {
		snprintf(spec, sizeof(spec), "r%02d", i);
		ADD(d, spec);
	}
	COMPILE_ERROR(&err, d, .targets = "what");
	cr_assert(strstr(err.text, "r00, r01, ") != NULL, "%s", err.text);
	cr_assert(strstr(err.text, ", r19 and 80 more") != NULL, "%s", err.text);
	ab_dispatcher_destroy(d);
}

Test(pipedream, an_empty_dispatcher_says_that_nothing_is_available)
{
	struct ab_dispatcher *d = dispatcher();
	struct ab_error err;

	cr_assert_str_eq(COMPILE_ERROR(&err, d, .targets = "x"), "'x' does not exist; available: nothing");
	ab_dispatcher_destroy(d);
}

Test(pipedream, sub_dispatchers_are_searched_in_order_and_nested)
{
	struct ab_dispatcher *top = dispatcher(), *first = dispatcher(), *inner = dispatcher(),
	                     *second = dispatcher();
	struct play play;

	ADD(top, "t: a b c d");
	ADD(top, "a", .value = "'top'");
	ADD(first, "a", .value = "'first'");
	ADD(first, "b", .value = "'first'");
	ADD(inner, "b", .value = "'inner'");
	ADD(inner, "c", .value = "'inner'");
	ADD(second, "c", .value = "'second'");
	ADD(second, "d: a");
	cr_assert(ab_dispatcher_include(top, first, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(first, inner, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(top, second, NULL) == AB_OK);
	PLAY(&play, top, .targets = "t");
	/* What an include's resource needs is looked up from the top as well: d gets the top's a. */
	cr_assert_str_eq(value(&play, "t"), "['t', 'top', 'first', 'inner', ['d', 'top']]");
	play_end(&play);
	ab_dispatcher_destroy(top);
	ab_dispatcher_destroy(first);
	ab_dispatcher_destroy(inner);
	ab_dispatcher_destroy(second);
}

static void count_name(const struct ab_resource *one, void *arg)
{
	char *text = arg;

	strcat(text, one->name);
	strcat(text, " ");
}

Test(pipedream, sub_dispatchers_in_a_circle_do_no_harm)
{
	struct ab_dispatcher *one = dispatcher(), *two = dispatcher();
	struct ab_error err;
	struct play play;
	char names[64] = "";

	ADD(one, "a: b");
	ADD(two, "b: c");
	ADD(two, "a");
	ADD(one, "c");
	cr_assert(ab_dispatcher_include(one, two, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(two, one, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(two, two, NULL) == AB_OK);
	PLAY(&play, one, .targets = "a");
	cr_assert_str_eq(value(&play, "a"), "['a', ['b', ['c']]]");
	play_end(&play);
	COMPILE_ERROR(&err, one, .targets = "zzzz");
	cr_assert(ab_dispatcher_find(two, "c") != NULL);
	cr_assert(ab_dispatcher_find(two, "zzzz") == NULL);
	ab_dispatcher_each(one, count_name, names);
	cr_assert_str_eq(names, "a b c ");
	ab_dispatcher_destroy(one);
	ab_dispatcher_destroy(two);
}

/* ---- error handlers ---- */

struct seen {
	char log[256];
	const char *name;
	enum ab_verdict verdict;
	enum ab_code change;
	json_t *gives;
};

static enum ab_verdict see(
        void *arg, const struct ab_resource *failed, struct ab_error *err, json_t **ret_value)
{
	struct seen *seen = arg;
	static char *log;

	if (log == NULL)
		log = seen->log;
	snprintf(log + strlen(log), sizeof(seen->log) - strlen(log), "%s(%s %s) ", seen->name, failed->name,
	        ab_code_name(err->code));
	if (seen->change != AB_OK)
		ab_error_set(err, seen->change, "changed by %s, was: %s", seen->name, err->text);
	if (seen->verdict == AB_GIVE)
		*ret_value = json_incref(seen->gives);
	return seen->verdict;
}

Test(pipedream, error_handlers_are_asked_in_the_order_they_were_added)
{
	struct seen first = {.name = "first"}, second = {.name = "second"};
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM);
	cr_assert(ab_dispatcher_on_error(d, see, &first, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(d, see, &second, NULL) == AB_OK);
	PLAY(&play, d, .targets = "a");
	cr_assert(play.code == AB_EUPSTREAM);
	cr_assert_str_eq(first.log, "first(a UpstreamFailed) second(a UpstreamFailed) ");
	cr_assert_str_eq(ab_run_error(play.run)->text, "resource 'a': broken");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, an_error_handler_may_give_a_value_and_ends_the_asking)
{
	struct seen first = {.name = "first", .verdict = AB_GIVE, .gives = json_integer(5)},
	            second = {.name = "second"};
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM, .fallback = "'unused'");
	ADD(d, "t: a");
	cr_assert(ab_dispatcher_on_error(d, see, &first, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(d, see, &second, NULL) == AB_OK);
	PLAY(&play, d, .targets = "t");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(value(&play, "t"), "['t', 5]");
	cr_assert_str_eq(first.log, "first(a UpstreamFailed) ");
	cr_assert_str_empty(degraded(&play), "a value given by an error handler is no degradation");
	play_end(&play);
	ab_dispatcher_destroy(d);
	json_decref(first.gives);
}

Test(pipedream, an_error_handler_may_change_the_error)
{
	struct seen first = {.name = "first", .change = AB_EFORBIDDEN}, second = {.name = "second"};
	struct ab_dispatcher *d = dispatcher();
	struct play play;

	ADD(d, "a", .fails = AB_EUPSTREAM);
	cr_assert(ab_dispatcher_on_error(d, see, &first, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(d, see, &second, NULL) == AB_OK);
	PLAY(&play, d, .targets = "a");
	cr_assert(play.code == AB_EFORBIDDEN);
	cr_assert(ab_run_error(play.run)->status == 403);
	cr_assert_str_eq(ab_run_error(play.run)->text, "resource 'a': changed by first, was: broken");
	cr_assert_str_eq(ab_run_error(play.run)->resource, "a");
	cr_assert_str_eq(first.log, "first(a UpstreamFailed) second(a Forbidden) ");
	play_end(&play);
	ab_dispatcher_destroy(d);
}

Test(pipedream, handlers_of_the_resources_own_dispatcher_are_asked_before_those_that_include_it)
{
	struct seen top_seen = {.name = "top"}, middle_seen = {.name = "middle"},
	            inner_seen = {.name = "inner"}, aside_seen = {.name = "aside"};
	struct ab_dispatcher *top = dispatcher(), *middle = dispatcher(), *inner = dispatcher(),
	                     *aside = dispatcher();
	struct play play;

	ADD(inner, "a", .fails = AB_EUPSTREAM, .optional = true);
	ADD(middle, "b", .fails = AB_ETIMEOUT, .optional = true);
	ADD(top, "t: a b");
	cr_assert(ab_dispatcher_include(top, aside, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(top, middle, NULL) == AB_OK);
	cr_assert(ab_dispatcher_include(middle, inner, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(top, see, &top_seen, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(middle, see, &middle_seen, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(inner, see, &inner_seen, NULL) == AB_OK);
	cr_assert(ab_dispatcher_on_error(aside, see, &aside_seen, NULL) == AB_OK);
	PLAY(&play, top, .targets = "t");
	cr_assert(play.code == AB_OK);
	cr_assert_str_eq(inner_seen.log,
	        "inner(a UpstreamFailed) middle(a UpstreamFailed) top(a UpstreamFailed) "
	        "middle(b Timeout) top(b Timeout) ");
	play_end(&play);
	ab_dispatcher_destroy(top);
	ab_dispatcher_destroy(middle);
	ab_dispatcher_destroy(inner);
	ab_dispatcher_destroy(aside);
}

Test(pipedream, results_do_not_depend_on_the_order_of_completion)
{
	static const char *const orders[][3] = {{"x", "y", "z"}, {"x", "z", "y"}, {"y", "x", "z"},
	        {"y", "z", "x"}, {"z", "x", "y"}, {"z", "y", "x"}};
	struct ab_dispatcher *d = dispatcher();

	ADD(d, "x", .later = true);
	ADD(d, "y", .later = true);
	ADD(d, "z", .later = true, .fails = AB_ETIMEOUT, .optional = true);
	ADD(d, "xy: x y");
	ADD(d, "yz: y z degraded");
	ADD(d, "t: xy yz x degraded");
	for (size_t i = 0; i < AB_COUNT(orders); i++) {
		struct play play;

		PLAY(&play, d, .targets = "t");
		cr_assert(play.code == AB_PENDING);
		for (size_t j = 0; j < 3; j++)
			complete(orders[i][j]);
		cr_assert(play.dones == 1 && play.done_result == AB_OK);
		cr_assert_str_eq(value(&play, "t"),
		        "['t', ['xy', ['x'], ['y']], ['yz', ['y'], null, {'z': {'reason': 'timeout'}}], ['x'], "
		        "{'z': {'reason': 'timeout'}}]");
		play_end(&play);
	}
	ab_dispatcher_destroy(d);
}
