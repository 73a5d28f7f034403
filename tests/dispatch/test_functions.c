/* tests/dispatch/test_functions.c: functions that complete later, what they resolve meanwhile, and what is
 * told when one goes wrong. */
#include "trace.h"

TestSuite(later, .timeout = 10);
TestSuite(functions, .timeout = 10);

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

static const char *const no_names[] = {NULL};

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

Test(later, results_do_not_depend_on_the_order_of_completion)
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

Test(later, a_failure_cancels_what_is_in_flight)
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

Test(later, a_run_is_cancelled_and_its_callback_does_not_come)
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

Test(later, a_run_of_which_the_time_is_up_says_what_it_waited_for)
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

Test(later, two_runs_of_one_callable_go_on_at_the_same_time)
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

Test(later, waiting_without_a_loop_is_refused)
{
	struct anabranch_error err;
	struct set s;

	later_set(&s);
	cr_assert(get_error(s.d, "t", &err) == ANABRANCH_INVALID);
	cr_assert(strstr(err.message, "there is no loop to wait with") != NULL);
	cr_assert(cancelled == 3);
	set_close(&s);
}

static struct anabranch_result wait_deaf(struct anabranch_call *call)
{
	waiting[n_waiting++] = call;
	return later(NULL, NULL);
}

Test(later, a_call_may_complete_after_it_was_cancelled_and_everything_was_destroyed_but_the_dispatcher)
{
	struct anabranch_function deaf = later_named("deaf");
	struct anabranch *d = anabranch_create();
	struct anabranch_callable *c = NULL;
	struct anabranch_run *run;
	struct outcome o;

	n_waiting = 0;
	deaf.start = wait_deaf;
	cr_assert(anabranch_add(d, &deaf, NULL) == ANABRANCH_OK);
	cr_assert(anabranch_prepare(d, "deaf", &c, NULL) == ANABRANCH_OK);
	cr_assert(start(c, &o, &run) == ANABRANCH_PENDING);
	anabranch_cancel(run);
	anabranch_callable_destroy(c);
	anabranch_complete(waiting[0], json(json_true()));
	cr_assert(o.calls == 0);
	anabranch_destroy(d);
}

Test(later, what_a_run_needs_stays_though_its_callable_is_destroyed)
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
	        {&function_null_value, "it returned no value (NULL): json_object_get and the like give NULL"},
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
