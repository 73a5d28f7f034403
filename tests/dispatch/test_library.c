/* tests/dispatch/test_library.c: pipedream's behaviours once more, through the public interface. */
#include "trace.h"

TestSuite(library, .timeout = 10);

/* ---- what the linker lists, for anabranch_add_listed ---- */

RESOURCE(listed_who)
{
	return text("World");
}

RESOURCE(listed_greet, listed_who)
{
	return textf("Hello %s!", json_string_value(listed_who));
}

RESOURCE((under_another_name, "listed_other"), (shorter, "listed_a_really_long_name"))
{
	return share(shorter);
}

RESOURCE(listed_a_really_long_name)
{
	return json(json_integer(42));
}

/* ---- the list ---- */

Test(library, the_header_has_the_version_of_the_program)
{
	cr_assert_str_eq(ANABRANCH_VERSION, AB_VERSION);
}

Test(library, what_resource_defines_is_listed_and_added_in_one_call)
{
	struct anabranch *d = anabranch_create();
	struct anabranch_error err;

	cr_assert(anabranch_add_listed(d, &err) == ANABRANCH_OK, "%s", err.message);
	cr_assert_str_eq(get(d, "listed_greet", NULL), "'Hello World!'");
	cr_assert_str_eq(get(d, "listed_greet", "{'listed_who': 'Everyone'}"), "'Hello Everyone!'");
	cr_assert_str_eq(get(d, "listed_other", NULL), "42");
	cr_assert(anabranch_add_listed(d, &err) == ANABRANCH_DUPLICATE);
	anabranch_destroy(d);
}

/* ---- pipedream ---- */

Test(library, calling_resolves_what_is_needed_and_nothing_else)
{
	struct set s;

	set_open(&s);
	set_add(&s, "who");
	set_add(&s, "greet: who");
	set_add(&s, "other");
	cr_assert_str_eq(get(s.d, "greet", NULL), "['greet',['who']]");
	cr_assert_str_eq(order, "who greet");
	set_close(&s);
}

Test(library, a_given_name_wins_over_the_resource_and_what_only_it_needed)
{
	struct set s;

	set_open(&s);
	set_add(&s, "deep");
	set_add(&s, "shared");
	set_add(&s, "who: deep shared");
	set_add(&s, "greet: who shared");
	cr_assert_str_eq(get(s.d, "greet", "{'who': 'Everyone'}"), "['greet','Everyone',['shared']]");
	cr_assert_str_eq(order, "shared greet");
	set_close(&s);
}

Test(library, a_given_name_without_a_resource_is_a_need_like_any)
{
	struct set s;

	set_open(&s);
	set_add(&s, "greet: who");
	cr_assert_str_eq(get(s.d, "greet", "{'who': null}"), "['greet',null]");
	cr_assert_str_eq(get(s.d, "greet", "{'who': 1, 'unused': 2}"), "['greet',1]");
	set_close(&s);
}

Test(library, a_name_that_is_given_itself_needs_no_run)
{
	struct set s;

	set_open(&s);
	set_add(&s, "a: b");
	set_add(&s, "b");
	cr_assert_str_eq(get(s.d, "a", "{'a': 7}"), "7");
	cr_assert_str_empty(order);
	set_close(&s);
}

Test(library, what_several_need_is_called_once)
{
	struct set s;

	set_open(&s);
	set_add(&s, "a: b c");
	set_add(&s, "b: c d");
	set_add(&s, "c: d");
	set_add(&s, "d");
	cr_assert_str_eq(get(s.d, "a", NULL), "['a',['b',['c',['d']],['d']],['c',['d']]]");
	cr_assert_str_eq(order, "d c b a", "depth-first, as declared");
	order[0] = '\0';
	get(s.d, "a", "{'c': 1}");
	cr_assert_str_eq(order, "d b a");
	set_close(&s);
}

Test(library, the_order_is_depth_first_where_branches_do_not_meet)
{
	struct set s;

	set_open(&s);
	set_add(&s, "t: p q r");
	set_add(&s, "p: s");
	set_add(&s, "q");
	set_add(&s, "r: s u");
	set_add(&s, "s");
	set_add(&s, "u");
	get(s.d, "t", NULL);
	cr_assert_str_eq(order, "s p q u r t");
	set_close(&s);
}

Test(library, one_function_serves_resources_and_needs_of_any_name)
{
	struct anabranch_function *also = make("also");
	struct set s;

	set_open(&s);
	set_add(&s, "a_really_long_name");
	set_add(&s, "short: a_really_long_name");
	also->start = s.made[1]->start;
	cr_assert(anabranch_add(s.d, also, NULL) == ANABRANCH_OK);
	cr_assert_str_eq(get(s.d, "short", NULL), "['short',['a_really_long_name']]");
	cr_assert_str_eq(get(s.d, "also", NULL), "['also']");
	set_close(&s);
	drop(also);
}

Test(library, a_duplicate_name_is_refused)
{
	struct anabranch_error err;
	struct set s;

	set_open(&s);
	set_add(&s, "c");
	cr_assert(set_try(&s, "c: a", &err) == ANABRANCH_DUPLICATE);
	cr_assert_str_eq(err.message, "there is already a resource 'c'");
	cr_assert_str_eq(anabranch_code_name(err.code), "DuplicateResource");
	cr_assert(set_try(&s, "e: a a", &err) == ANABRANCH_DUPLICATE);
	cr_assert_str_eq(err.message, "resource 'e' lists the need 'a' twice");
	set_close(&s);
}

Test(library, a_name_that_is_none_is_refused)
{
	struct anabranch_function nameless = {0};
	struct anabranch_error err;
	struct set s;

	set_open(&s);
	cr_assert(set_try(&s, "a-b", &err) == ANABRANCH_INVALID);
	cr_assert(strstr(err.message, "'a-b' can't be the name of a resource") != NULL);
	cr_assert(set_try(&s, "a: user.name", &err) == ANABRANCH_INVALID);
	cr_assert(strstr(err.message, "'user.name', which resource 'a' needs") != NULL);
	cr_assert(anabranch_add(s.d, &nameless, &err) == ANABRANCH_INVALID);
	set_close(&s);
}

Test(library, a_circle_is_found_before_anything_is_called_and_shown_whole)
{
	struct anabranch_error err;
	struct set s;

	set_open(&s);
	set_add(&s, "start: one");
	set_add(&s, "one: two");
	set_add(&s, "two: three");
	set_add(&s, "three: one");
	cr_assert(get_error(s.d, "start", &err) == ANABRANCH_CIRCULAR);
	cr_assert_str_eq(err.message, "the needs run in a circle: one -> two -> three -> one");
	cr_assert_str_eq(err.resource, "one");
	cr_assert_str_empty(order);
	cr_assert_str_eq(get(s.d, "start", "{'three': 3}"), "['start',['one',['two',3]]]");
	set_close(&s);
}

Test(library, an_unresolvable_name_lists_what_is_available_across_included_dispatchers)
{
	struct set top, sub, subsub;
	struct anabranch_error err;

	set_open(&top);
	set_open(&sub);
	set_open(&subsub);
	set_add(&top, "page: produkt");
	set_add(&sub, "product");
	set_add(&subsub, "user");
	cr_assert(anabranch_include(top.d, sub.d, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_include(sub.d, subsub.d, NULL) == ANABRANCH_OK);
	cr_assert(get_error(top.d, "page", &err) == ANABRANCH_UNRESOLVABLE);
	cr_assert_str_eq(err.message,
	        "resource 'page' needs 'produkt', which does not exist; did you mean 'product'? Available: page, "
	        "product, user");
	cr_assert(get_error(top.d, "entirely_else", &err) == ANABRANCH_UNRESOLVABLE);
	set_close(&top);
	set_close(&sub);
	set_close(&subsub);
}

Test(library, included_dispatchers_are_searched_in_order_and_nested)
{
	struct set top, first, inner, second;

	set_open(&top);
	set_open(&first);
	set_open(&inner);
	set_open(&second);
	set_add(&top, "t: a b c d");
	set_add(&top, "a");
	set_add(&first, "a: nowhere");
	set_add(&first, "b");
	set_add(&inner, "b: nowhere");
	set_add(&inner, "c");
	set_add(&second, "c: nowhere");
	set_add(&second, "d: a");
	cr_assert(anabranch_include(top.d, first.d, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_include(first.d, inner.d, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_include(top.d, second.d, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_include(second.d, top.d, NULL) == ANABRANCH_OK, "a circle does no harm");
	cr_assert_str_eq(get(top.d, "t", NULL), "['t',['a'],['b'],['c'],['d',['a']]]");
	set_close(&top);
	set_close(&first);
	set_close(&inner);
	set_close(&second);
}

/* ---- wrapping ---- */

FUNCTION(describe, user, tone)
{
	return textf("%s is %s", json_string_value(user), json_string_value(tone));
}

FUNCTION(wrapped_user)
{
	return text("Ada");
}

Test(library, a_wrapped_function_gets_the_rest_of_its_needs_resolved)
{
	struct anabranch_function user = function_wrapped_user;
	struct anabranch *d = anabranch_create();
	struct anabranch_callable *c = NULL;
	struct anabranch_error err;
	json_t *value, *names;

	user.name = "user";
	cr_assert(anabranch_add(d, &user, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_wrap(d, &function_describe, &c, &err) == ANABRANCH_OK);
	names = given("{'tone': 'friendly'}");
	for (int i = 0; i < 3; i++) { /* the plan is kept */
		cr_assert(anabranch_callable_call(c, names, &value, &err) == ANABRANCH_OK, "%s", err.message);
		cr_assert_str_eq(shown(value), "'Ada is friendly'");
	}
	json_decref(names);
	names = given("{'tone': 'grave', 'user': 'Bob'}");
	cr_assert(anabranch_callable_call(c, names, &value, &err) == ANABRANCH_OK);
	cr_assert_str_eq(shown(value), "'Bob is grave'");
	json_decref(names);
	value = NULL;
	cr_assert(anabranch_callable_call(c, NULL, &value, &err) == ANABRANCH_UNRESOLVABLE);
	cr_assert(value == NULL);
	cr_assert(strstr(err.message, "'tone', which does not exist") != NULL, "%s", err.message);
	cr_assert(get_error(d, "describe", &err) == ANABRANCH_UNRESOLVABLE, "it is no resource");
	anabranch_callable_destroy(c);
	anabranch_destroy(d);
}

Test(library, what_is_given_must_be_an_object)
{
	struct anabranch_error err;
	json_t *value = NULL, *list = json_array();
	struct set s;

	set_open(&s);
	set_add(&s, "a");
	cr_assert(anabranch_get(s.d, "a", list, &value, &err) == ANABRANCH_INVALID);
	cr_assert(value == NULL);
	json_decref(list);
	set_close(&s);
}

/* ---- failures and error handlers ---- */

FUNCTION(broken)
{
	return fail(502, "it broke %d times", 2);
}

FUNCTION(picky, who)
{
	return refuse(422, "who", "'%s' is not wanted", json_string_value(who));
}

Test(library, a_failure_carries_a_status_and_a_message)
{
	struct anabranch *d = anabranch_create();
	struct anabranch_error err;
	json_t *value = NULL, *names = given("{'who': 'Eve'}");

	cr_assert(anabranch_add(d, &function_broken, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_add(d, &function_picky, NULL) == ANABRANCH_OK);
	cr_assert(get_error(d, "broken", &err) == ANABRANCH_FAILED);
	cr_assert(err.status == 502 && err.told == 0);
	cr_assert_str_eq(err.message, "resource 'broken': it broke 2 times");
	cr_assert_str_eq(err.resource, "broken");
	cr_assert(anabranch_get(d, "picky", names, &value, &err) == ANABRANCH_FAILED);
	cr_assert(err.status == 422 && err.told == 1);
	cr_assert_str_eq(err.message, "'Eve' is not wanted");
	cr_assert_str_eq(err.field, "who");
	json_decref(names);
	anabranch_destroy(d);
}

struct seen {
	char *log;
	const char *name;
	const char *gives;
	int status;
};

static void see(void *arg, struct anabranch_error *err, json_t **ret_value)
{
	struct seen *seen = arg;

	sprintf(seen->log + strlen(seen->log), "%s(%s %d) ", seen->name, err->resource, err->status);
	if (seen->gives != NULL)
		*ret_value = json_string(seen->gives);
	if (seen->status != 0) {
		err->status = seen->status;
		snprintf(err->message, sizeof(err->message), "changed by %s", seen->name);
	}
}

Test(library, error_handlers_are_asked_in_the_order_they_were_added)
{
	char log[256] = "";
	struct seen first = {.log = log, .name = "first"}, second = {.log = log, .name = "second"};
	struct anabranch *d = anabranch_create();
	struct anabranch_error err;

	cr_assert(anabranch_add(d, &function_broken, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(d, see, &first, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(d, see, &second, NULL) == ANABRANCH_OK);
	cr_assert(get_error(d, "broken", &err) == ANABRANCH_FAILED);
	cr_assert_str_eq(log, "first(broken 502) second(broken 502) ");
	anabranch_destroy(d);
}

Test(library, an_error_handler_may_give_a_value_and_ends_the_asking)
{
	char log[256] = "";
	struct seen first = {.log = log, .name = "first", .gives = "five"},
	            second = {.log = log, .name = "second"};
	struct anabranch *d = anabranch_create();

	cr_assert(anabranch_add(d, &function_broken, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(d, see, &first, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(d, see, &second, NULL) == ANABRANCH_OK);
	cr_assert_str_eq(get(d, "broken", NULL), "'five'");
	cr_assert_str_eq(log, "first(broken 502) ");
	anabranch_destroy(d);
}

Test(library, an_error_handler_may_change_the_error)
{
	char log[256] = "";
	struct seen first = {.log = log, .name = "first", .status = 403},
	            second = {.log = log, .name = "second"};
	struct anabranch *d = anabranch_create();
	struct anabranch_error err;

	cr_assert(anabranch_add(d, &function_broken, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(d, see, &first, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(d, see, &second, NULL) == ANABRANCH_OK);
	cr_assert(get_error(d, "broken", &err) == ANABRANCH_FAILED);
	cr_assert(err.status == 403);
	cr_assert_str_eq(err.message, "resource 'broken': changed by first");
	cr_assert_str_eq(log, "first(broken 502) second(broken 403) ");
	anabranch_destroy(d);
}

Test(library, handlers_of_the_resources_own_dispatcher_are_asked_before_those_that_include_it)
{
	char log[256] = "";
	struct seen at_top = {.log = log, .name = "top"}, at_sub = {.log = log, .name = "sub"};
	struct anabranch *top = anabranch_create(), *sub = anabranch_create();
	struct anabranch_callable *c = NULL;
	json_t *value = NULL, *names = given("{'who': 'Eve'}");

	cr_assert(anabranch_add(sub, &function_broken, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_include(top, sub, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(top, see, &at_top, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_on_error(sub, see, &at_sub, NULL) == ANABRANCH_OK);
	get(top, "broken", NULL);
	cr_assert_str_eq(log, "sub(broken 502) top(broken 502) ");
	log[0] = '\0';
	cr_assert(anabranch_wrap(top, &function_picky, &c, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_callable_call(c, names, &value, NULL) == ANABRANCH_FAILED);
	cr_assert_str_eq(log, "top(picky 422) ", "a wrapped function's failure is heard of too");
	json_decref(names);
	anabranch_callable_destroy(c);
	anabranch_destroy(top);
	anabranch_destroy(sub);
}
