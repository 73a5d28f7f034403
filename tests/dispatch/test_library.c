/* tests/dispatch/test_library.c: pipedream's behaviours once more, through the public interface, and what C
 * functions are told when they go wrong. */
#include "../../dispatch/anabranch.h"

#include <criterion/criterion.h>

TestSuite(library, .timeout = 10);
TestSuite(functions, .timeout = 10);

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

/* ---- functions that say what they were made of ---- */

static char order[256]; /* names in the order they were called */

static const char *const no_names[] = {NULL};

/* Its name, and the values of its needs, in a list. `arg` is the description itself. */
static struct anabranch_result trace(struct anabranch_call *call)
{
	const struct anabranch_function *self = (const struct anabranch_function *)anabranch_arg(call);
	json_t *list = json_pack("[s]", self->name);

	strcat(strcat(order, order[0] != '\0' ? " " : ""), self->name);
	for (unsigned i = 0; i < self->n_needs; i++)
		json_array_append_new(list, anabranch_share(call->needs[i]).value);
	return json(list);
}

/* "name: need need", remembered until the test ends. */
static struct anabranch_function *make(const char *spec)
{
	struct anabranch_function *function = calloc(1, sizeof(*function));
	const char **needs = calloc(16, sizeof(*needs));
	char *copy = strdup(spec), *save = NULL, *word = strtok_r(copy, ": ", &save);

	function->name = word;
	function->needs = needs;
	while ((word = strtok_r(NULL, ": ", &save)) != NULL)
		needs[function->n_needs++] = word;
	function->start = trace;
	function->arg = function;
	return function;
}

static void drop(struct anabranch_function *function)
{
	free((char *)(size_t)function->name);
	free((const char **)(size_t)function->needs);
	free(function);
}

struct set {
	struct anabranch *d;
	struct anabranch_function *made[32];
	size_t count;
};

static void set_open(struct set *set)
{
	*set = (struct set){.d = anabranch_create()};
	cr_assert(set->d != NULL);
	order[0] = '\0';
}

static enum anabranch_code set_try(struct set *set, const char *spec, struct anabranch_error *err)
{
	set->made[set->count] = make(spec);
	return anabranch_add(set->d, set->made[set->count++], err);
}

static void set_add(struct set *set, const char *spec)
{
	struct anabranch_error err;

	cr_assert(set_try(set, spec, &err) == ANABRANCH_OK, "%s", err.message);
}

static void set_close(struct set *set)
{
	anabranch_destroy(set->d);
	for (size_t i = 0; i < set->count; i++)
		drop(set->made[i]);
}

/* A value as JSON with single quotes, in static storage; `value` is released. */
static const char *shown(json_t *value)
{
	static char text[1024];
	char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	cr_assert(dump != NULL);
	snprintf(text, sizeof(text), "%s", dump);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '"' ? '\'' : *c;
	free(dump);
	json_decref(value);
	return text;
}

static json_t *given(const char *text)
{
	char quoted[512];
	json_t *value;

	snprintf(quoted, sizeof(quoted), "%s", text);
	for (char *c = quoted; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(quoted, JSON_DECODE_ANY, NULL);
	cr_assert(value != NULL, "%s", text);
	return value;
}

/* The value of a name, or the error's message. */
static const char *get(struct anabranch *d, const char *name, const char *names)
{
	static struct anabranch_error err;
	json_t *object = names != NULL ? given(names) : NULL, *value = NULL;
	enum anabranch_code code = anabranch_get(d, name, object, &value, &err);

	json_decref(object);
	cr_assert((code == ANABRANCH_OK) == (value != NULL));
	cr_assert(code == ANABRANCH_OK || err.code == code);
	return code == ANABRANCH_OK ? shown(value) : err.message;
}

static enum anabranch_code get_error(struct anabranch *d, const char *name, struct anabranch_error *err)
{
	json_t *value = NULL;
	enum anabranch_code code = anabranch_get(d, name, NULL, &value, err);

	cr_assert(value == NULL);
	return code;
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
	struct anabranch_function nameless = {.needs = no_names, .start = trace};
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

/* ---- what completes later ---- */

static struct anabranch_call *waiting[8];
static size_t n_waiting;
static int cancelled;

static void forget_call(struct anabranch_call *call, void *state)
{
	(void)state;
	cancelled++;
	anabranch_complete(call, fail(499, "no longer wanted"));
}

static struct anabranch_result wait_here(struct anabranch_call *call)
{
	waiting[n_waiting++] = call;
	return later(forget_call, NULL);
}

static struct anabranch_function later_named(const char *name)
{
	struct anabranch_function function = {
	        .name = name, .needs = no_names, .how = ANABRANCH_ASYNC, .start = wait_here};

	return function;
}

struct outcome {
	int calls;
	json_t *value;
	struct anabranch_error err;
};

static void on_outcome(void *arg, json_t *value, const struct anabranch_error *err)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->value = value;
	if (err != NULL)
		outcome->err = *err;
}

static void later_set(struct set *s)
{
	static const char *const names[] = {"x", "y", "z"};

	set_open(s);
	n_waiting = 0;
	cancelled = 0;
	for (size_t i = 0; i < 3; i++) {
		struct anabranch_function function = later_named(names[i]);

		cr_assert(anabranch_add(s->d, &function, NULL) == ANABRANCH_OK);
	}
	set_add(s, "t: z x y");
}

static enum anabranch_code start(struct anabranch_callable *c, struct outcome *o, struct anabranch_run **run)
{
	*o = (struct outcome){0};
	return anabranch_start(c, NULL, on_outcome, o, &o->value, run, &o->err);
}

Test(library, results_do_not_depend_on_the_order_of_completion)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome o;
	struct set s;

	later_set(&s);
	cr_assert(anabranch_prepare(s.d, "t", &c, NULL) == ANABRANCH_OK);
	for (size_t i = 0; i < 6; i++) {
		n_waiting = 0;
		cr_assert(start(c, &o, &run) == ANABRANCH_PENDING);
		cr_assert(n_waiting == 3 && o.calls == 0);
		for (size_t k = 0; k < 3; k++) /* they were started in the order of the plan: z, x, y */
			anabranch_complete(waiting[orders[i][k]], json(json_integer(orders[i][k])));
		cr_assert(o.calls == 1);
		cr_assert_str_eq(shown(o.value), "['t',0,1,2]");
	}
	anabranch_callable_destroy(c);
	set_close(&s);
}

Test(library, a_failure_cancels_what_is_in_flight)
{
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome o;
	struct set s;

	later_set(&s);
	cr_assert(anabranch_prepare(s.d, "t", &c, NULL) == ANABRANCH_OK);
	cr_assert(start(c, &o, &run) == ANABRANCH_PENDING);
	anabranch_complete(waiting[1], fail(503, "busy"));
	cr_assert(o.calls == 1 && o.value == NULL && o.err.status == 503);
	cr_assert(cancelled == 2);
	anabranch_callable_destroy(c);
	set_close(&s);
}

Test(library, a_run_is_cancelled_and_its_callback_does_not_come)
{
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome o;
	struct set s;

	later_set(&s);
	cr_assert(anabranch_prepare(s.d, "t", &c, NULL) == ANABRANCH_OK);
	cr_assert(start(c, &o, &run) == ANABRANCH_PENDING);
	anabranch_cancel(run);
	cr_assert(o.calls == 0 && cancelled == 3);
	anabranch_callable_destroy(c);
	set_close(&s);
}

Test(library, a_run_of_which_the_time_is_up_says_what_it_waited_for)
{
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome o;
	struct set s;

	later_set(&s);
	cr_assert(anabranch_prepare(s.d, "t", &c, NULL) == ANABRANCH_OK);
	cr_assert(start(c, &o, &run) == ANABRANCH_PENDING);
	anabranch_complete(waiting[0], json(json_null()));
	anabranch_expire(run);
	cr_assert(o.calls == 1 && o.err.code == ANABRANCH_TIMED_OUT);
	cr_assert_str_eq(o.err.message, "the time is up, waiting for 'x', 'y'");
	anabranch_callable_destroy(c);
	set_close(&s);
}

Test(library, two_runs_of_one_callable_go_on_at_the_same_time)
{
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome first, second;
	json_t *names = given("{'x': 1}"), *value = NULL;
	struct set s;

	later_set(&s);
	cr_assert(anabranch_prepare(s.d, "t", &c, NULL) == ANABRANCH_OK);
	cr_assert(start(c, &first, &run) == ANABRANCH_PENDING);
	cr_assert(start(c, &second, &run) == ANABRANCH_PENDING);
	cr_assert(anabranch_start(c, names, on_outcome, &second, &value, &run, NULL) == ANABRANCH_INVALID,
	        "with other names it would need another plan");
	for (size_t i = 0; i < 6; i++)
		anabranch_complete(waiting[i], json(json_integer((json_int_t)i)));
	cr_assert_str_eq(shown(first.value), "['t',0,1,2]");
	cr_assert_str_eq(shown(second.value), "['t',3,4,5]");
	json_decref(names);
	anabranch_callable_destroy(c);
	set_close(&s);
}

Test(library, waiting_without_a_loop_is_refused)
{
	struct anabranch_error err;
	struct set s;

	later_set(&s);
	cr_assert(get_error(s.d, "t", &err) == ANABRANCH_INVALID);
	cr_assert(strstr(err.message, "there is no loop to wait with") != NULL);
	cr_assert(cancelled == 3);
	set_close(&s);
}

Test(library, a_call_that_completes_after_it_was_cancelled_keeps_what_it_needs_till_then)
{
	struct anabranch_function slow = later_named("slow");
	struct anabranch *d = anabranch_create();
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome o;

	n_waiting = 0;
	cr_assert(anabranch_add(d, &slow, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_prepare(d, "slow", &c, NULL) == ANABRANCH_OK);
	cr_assert(start(c, &o, &run) == ANABRANCH_PENDING);
	anabranch_callable_destroy(c);
	anabranch_complete(waiting[0], json(json_true()));
	cr_assert_str_eq(shown(o.value), "true");
	anabranch_destroy(d);
}

/* ---- resolving in the middle ---- */

static void on_price(
        struct anabranch_call *call, void *arg, const json_t *value, const struct anabranch_error *err)
{
	(void)arg;
	if (value == NULL)
		anabranch_complete(call, anabranch_fail_as(err));
	else
		anabranch_complete(call, jsonf("{s:O}", "price", value));
}

FUNCTION_ASYNC(quote, product)
{
	anabranch_resolve(call, "price", json_pack("{s:O}", "product_id", product), on_price, NULL);
	return later(NULL, NULL);
}

FUNCTION_ASYNC(quote_nothing)
{
	anabranch_resolve(call, "prize", NULL, on_price, NULL);
	return later(NULL, NULL);
}

FUNCTION(price, product_id)
{
	return json(json_integer(10 * json_integer_value(product_id)));
}

Test(functions, a_resource_is_resolved_in_the_middle_of_a_call)
{
	struct anabranch *d = anabranch_create();
	struct anabranch_error err;

	cr_assert(anabranch_add(d, &function_quote, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_add(d, &function_quote_nothing, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_add(d, &function_price, NULL) == ANABRANCH_OK);
	cr_assert_str_eq(get(d, "quote", "{'product': 7}"), "{'price':70}");
	cr_assert(get_error(d, "quote_nothing", &err) == ANABRANCH_FAILED);
	cr_assert(strstr(err.message, "'prize' does not exist; did you mean 'price'?") != NULL, "%s",
	        err.message);
	anabranch_destroy(d);
}

Test(functions, what_is_resolved_in_the_middle_is_cancelled_with_the_call_and_heard_of)
{
	struct anabranch_function slow = later_named("price");
	struct anabranch *d = anabranch_create();
	struct anabranch_callable *c = NULL;
	json_t *names = given("{'product': 7}");
	struct anabranch_run *run;
	struct outcome o = {0};

	n_waiting = 0;
	cancelled = 0;
	cr_assert(anabranch_add(d, &function_quote, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_add(d, &slow, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_prepare(d, "quote", &c, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_start(c, names, on_outcome, &o, &o.value, &run, NULL) == ANABRANCH_PENDING);
	anabranch_complete(waiting[0], json(json_integer(5)));
	cr_assert_str_eq(shown(o.value), "{'price':5}");
	cr_assert(anabranch_start(c, names, on_outcome, &o, &o.value, &run, NULL) == ANABRANCH_PENDING);
	anabranch_cancel(run);
	cr_assert(cancelled == 1 && o.calls == 1);
	json_decref(names);
	anabranch_callable_destroy(c);
	anabranch_destroy(d);
}

/* ---- what goes wrong in functions ---- */

FUNCTION(null_value)
{
	return json(NULL);
}

FUNCTION(bad_format)
{
	return jsonf("{s:i", "a", 1);
}

FUNCTION(bad_status)
{
	return fail(200, "fine?");
}

FUNCTION(no_text)
{
	return text(NULL);
}

FUNCTION(not_utf8)
{
	return text("\xff\xfe");
}

FUNCTION(answers_later)
{
	return later(NULL, NULL);
}

FUNCTION(garbage)
{
	struct anabranch_result result = json(NULL);

	result.kind = (enum anabranch_kind)77;
	return result;
}

FUNCTION(long_text)
{
	return textf("%*d", 1000, 7);
}

FUNCTION(picture)
{
	return anabranch_media("image/svg+xml", strdup("<svg/>"), 6);
}

Test(functions, what_a_function_must_not_return_is_told)
{
	static const struct {
		const struct anabranch_function *function;
		const char *told;
	} table[] = {
	        {&function_null_value, "it returned no value (NULL)"},
	        {&function_bad_format, "jsonf(\"{s:i\"): "},
	        {&function_bad_status, "fine? (and its status, 200, is none; expected 400 to 599)"},
	        {&function_no_text, "text(NULL): there is no text"},
	        {&function_not_utf8, "the text is not UTF-8"},
	        {&function_answers_later, "it returned later(...), which only a RESOURCE_ASYNC may"},
	        {&function_garbage, "it returned what none of"},
	};
	struct anabranch_error err;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct anabranch *d = anabranch_create();

		cr_assert(anabranch_add(d, table[i].function, NULL) == ANABRANCH_OK);
		cr_assert(get_error(d, table[i].function->name, &err) != ANABRANCH_OK);
		cr_assert(strstr(err.message, table[i].told) != NULL, "%s", err.message);
		anabranch_destroy(d);
	}
}

Test(functions, texts_of_any_length_and_type)
{
	struct anabranch *d = anabranch_create();

	cr_assert(anabranch_add(d, &function_long_text, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_add(d, &function_picture, NULL) == ANABRANCH_OK);
	cr_assert(strlen(get(d, "long_text", NULL)) == 1002);
	cr_assert_str_eq(get(d, "picture", NULL), "'<svg/>'");
	anabranch_destroy(d);
}

FUNCTION(borrows, user)
{
	return json(json_object_get(user, "name")); /* a part of `user`, with no count of its own */
}

FUNCTION(borrows_deep, user)
{
	return json(json_pack("[[o]]", json_object_get(user, "name")));
}

FUNCTION(borrows_shared, user)
{
	json_t *list = json_array();

	json_array_append_new(list, json_incref(json_object_get(user, "name")));
	json_array_append_new(list, json_object_get(user, "name")); /* the second has no count */
	return json(list);
}

FUNCTION(borrows_whole, user)
{
	union {
		const json_t *shared;
		json_t *counted;
	} cast = {.shared = user};

	return json(json_pack("[o]", cast.counted));
}

FUNCTION(borrows_well, user)
{
	return json(json_pack("[O, o]", json_object_get(user, "name"), json_string("own")));
}

FUNCTION(some_user)
{
	return jsonf("{s:s}", "name", "Ada");
}

Test(functions, a_borrowed_reference_is_found_before_it_is_released_twice)
{
	static const struct anabranch_function *const wrong[] = {
	        &function_borrows, &function_borrows_deep, &function_borrows_shared, &function_borrows_whole};
	struct anabranch_function user = function_some_user;
	struct anabranch_error err;

	user.name = "user";
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct anabranch *d = anabranch_create();

		anabranch_check_results(d, 1);
		cr_assert(anabranch_add(d, &user, NULL) == ANABRANCH_OK);
		cr_assert(anabranch_add(d, wrong[i], NULL) == ANABRANCH_OK);
		cr_assert(get_error(d, wrong[i]->name, &err) == ANABRANCH_FAILED, "%s", wrong[i]->name);
		cr_assert(
		        strstr(err.message,
		                "it returned what belongs to its need 'user' without a reference of its own") !=
		                NULL,
		        "%s", err.message);
		anabranch_destroy(d);
	}
}

Test(functions, what_is_counted_well_passes)
{
	struct anabranch_function user = function_some_user;
	struct anabranch *d = anabranch_create();

	user.name = "user";
	anabranch_check_results(d, 1);
	cr_assert(anabranch_add(d, &user, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_add(d, &function_borrows_well, NULL) == ANABRANCH_OK);
	cr_assert_str_eq(get(d, "borrows_well", NULL), "['Ada','own']");
	cr_assert_str_eq(get(d, "borrows_well", "{'user': {'name': true}}"), "[true,'own']");
	anabranch_destroy(d);
}

FUNCTION(eight, a, b, c, d, e, f, g, h)
{
	return jsonf("[O, O, O, O, O, O, O, O]", a, b, c, d, e, f, g, h);
}

Test(functions, eight_needs_arrive_in_their_order)
{
	struct anabranch *d = anabranch_create();

	cr_assert(anabranch_add(d, &function_eight, NULL) == ANABRANCH_OK);
	cr_assert_str_eq(get(d, "eight", "{'h': 8, 'g': 7, 'f': 6, 'e': 5, 'd': 4, 'c': 3, 'b': 2, 'a': 1}"),
	        "[1,2,3,4,5,6,7,8]");
	anabranch_destroy(d);
}

FUNCTION_BLOCKING(blocks)
{
	return json(json_boolean(anabranch_wanted(call)));
}

Test(functions, without_a_loop_what_blocks_simply_runs)
{
	struct anabranch *d = anabranch_create();

	cr_assert(anabranch_add(d, &function_blocks, NULL) == ANABRANCH_OK);
	cr_assert_str_eq(get(d, "blocks", NULL), "true");
	anabranch_destroy(d);
}
