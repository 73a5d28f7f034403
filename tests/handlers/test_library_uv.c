/* tests/handlers/test_library_uv.c: dispatchers with a loop: what completes later is waited for, what blocks
 * runs on threads, and two dispatchers in two threads do not meet. */
#include "../../dispatch/anabranch.h"
#include "../../handlers/anabranch-uv.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <time.h>

TestSuite(library_uv, .timeout = 30);

/* ---- a timer, as a user would write it ---- */

struct tick {
	uv_timer_t timer;
	struct anabranch_call *call;
	int cancelled;
};

static void tick_closed(uv_handle_t *handle)
{
	struct tick *tick = handle->data;
	struct anabranch_call *call = tick->call;
	int cancelled = tick->cancelled;

	free(tick);
	anabranch_complete(call, cancelled ? fail(503, "cancelled") : text("tick"));
}

static void tick_fired(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, tick_closed);
}

static void tick_cancel(struct anabranch_call *call, void *state)
{
	struct tick *tick = state;

	(void)call;
	tick->cancelled = 1;
	uv_close((uv_handle_t *)&tick->timer, tick_closed);
}

FUNCTION_ASYNC(tick, ms)
{
	struct tick *tick = calloc(1, sizeof(*tick));

	if (tick == NULL)
		return fail(503, "no memory");
	tick->call = call;
	tick->timer.data = tick;
	uv_timer_init(anabranch_loop(call), &tick->timer);
	uv_timer_start(&tick->timer, tick_fired, (uint64_t)json_integer_value(ms), 0);
	return later(tick_cancel, tick);
}

FUNCTION(ms)
{
	return json(json_integer(20));
}

/* ---- what blocks ---- */

static pthread_t caller;

FUNCTION_BLOCKING(slow, word)
{
	struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

	nanosleep(&pause, NULL);
	return jsonf("{s:O, s:b}", "word", word, "elsewhere", !pthread_equal(pthread_self(), caller));
}

FUNCTION_BLOCKING(refuses, word)
{
	return refuse(422, "word", "%s is no word", json_string_value(word));
}

static int unwanted;

FUNCTION_BLOCKING(patient)
{
	struct timespec pause = {.tv_nsec = 1000 * 1000};

	while (anabranch_wanted(call))
		nanosleep(&pause, NULL);
	__atomic_store_n(&unwanted, 1, __ATOMIC_SEQ_CST);
	return text("too late");
}

FUNCTION(both, tick, slow)
{
	return jsonf("[O, O]", tick, slow);
}

static struct anabranch *make(const struct anabranch_loop_options *options)
{
	const struct anabranch_function *all[] = {&function_tick, &function_ms, &function_slow,
	        &function_refuses, &function_patient, &function_both};
	struct anabranch *d = anabranch_create();

	caller = pthread_self();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		cr_assert(anabranch_add(d, all[i], NULL) == ANABRANCH_OK);
	cr_assert(anabranch_attach(d, options, NULL) == ANABRANCH_OK);
	return d;
}

static json_t *word(void)
{
	return json_pack("{s:s}", "word", "yes");
}

Test(library_uv, a_call_waits_for_timers_and_threads)
{
	struct anabranch *d = make(NULL);
	struct anabranch_error err;
	json_t *given = word(), *value = NULL;
	char *shown;

	cr_assert(anabranch_get(d, "both", given, &value, &err) == ANABRANCH_OK, "%s", err.message);
	shown = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	cr_assert_str_eq(shown, "[\"tick\",{\"elsewhere\":true,\"word\":\"yes\"}]");
	free(shown);
	json_decref(value);
	value = NULL;
	cr_assert(anabranch_get(d, "refuses", given, &value, &err) == ANABRANCH_FAILED);
	cr_assert(err.status == 422 && err.told);
	cr_assert_str_eq(err.message, "yes is no word");
	cr_assert_str_eq(err.field, "word");
	cr_assert(anabranch_attach(d, NULL, &err) == ANABRANCH_INVALID);
	json_decref(given);
	anabranch_destroy(d);
}

Test(library_uv, a_function_that_does_not_return_in_time_has_failed)
{
	const struct anabranch_loop_options options = {.timeout_ms = 50, .threads = 1};
	struct anabranch *d = make(&options);
	struct anabranch_error err;
	json_t *value = NULL;

	cr_assert(anabranch_get(d, "patient", NULL, &value, &err) == ANABRANCH_TIMED_OUT);
	cr_assert_str_eq(err.message, "resource 'patient': patient did not end within 50 ms");
	anabranch_destroy(d);
	for (int i = 0; i < 1000 && !__atomic_load_n(&unwanted, __ATOMIC_SEQ_CST); i++)
		uv_sleep(5);
	cr_assert(__atomic_load_n(&unwanted, __ATOMIC_SEQ_CST) == 1, "it is told that nobody waits");
	uv_sleep(20);
}

struct outcome {
	int calls;
	json_t *value;
	enum anabranch_code code;
};

static void on_outcome(void *arg, json_t *value, const struct anabranch_error *err)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->value = value;
	outcome->code = err != NULL ? err->code : ANABRANCH_OK;
}

Test(library_uv, on_ones_own_loop_a_callback_comes_and_a_run_can_be_cancelled)
{
	struct anabranch_loop_options options = {0};
	struct anabranch_callable *c = NULL;
	struct outcome first = {0}, second = {0};
	struct anabranch_run *run;
	json_t *given = word();
	struct anabranch *d;
	uv_loop_t loop;

	cr_assert(uv_loop_init(&loop) == 0);
	options.loop = &loop;
	d = make(&options);
	cr_assert(anabranch_prepare(d, "both", &c, NULL) == ANABRANCH_OK);
	cr_assert(
	        anabranch_start(c, given, on_outcome, &first, &first.value, &run, NULL) == ANABRANCH_PENDING);
	cr_assert(anabranch_start(c, given, on_outcome, &second, &second.value, &run, NULL) ==
	          ANABRANCH_PENDING);
	anabranch_cancel(run);
	uv_run(&loop, UV_RUN_DEFAULT);
	cr_assert(first.calls == 1 && first.code == ANABRANCH_OK && second.calls == 0);
	json_decref(first.value);
	json_decref(given);
	anabranch_callable_destroy(c);
	anabranch_destroy(d);
	uv_run(&loop, UV_RUN_DEFAULT);
	cr_assert(uv_loop_close(&loop) == 0);
}

static void *call_often(void *arg)
{
	struct anabranch *d = anabranch_create();
	json_t *given = json_pack("{s:s, s:i}", "word", "w", "ms", 1);
	struct anabranch_callable *c = NULL;
	size_t *fine = arg;

	if (anabranch_add(d, &function_tick, NULL) == ANABRANCH_OK &&
	        anabranch_add(d, &function_slow, NULL) == ANABRANCH_OK &&
	        anabranch_add(d, &function_both, NULL) == ANABRANCH_OK &&
	        anabranch_attach(d, NULL, NULL) == ANABRANCH_OK &&
	        anabranch_prepare(d, "both", &c, NULL) == ANABRANCH_OK) {
		for (int i = 0; i < 20; i++) {
			json_t *value = NULL;

			*fine += anabranch_callable_call(c, given, &value, NULL) == ANABRANCH_OK;
			json_decref(value);
		}
	}
	anabranch_callable_destroy(c);
	anabranch_destroy(d);
	json_decref(given);
	return NULL;
}

Test(library_uv, two_dispatchers_in_two_threads)
{
	size_t fine[2] = {0};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert(pthread_create(&threads[i], NULL, call_often, &fine[i]) == 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_assert(fine[0] == 20 && fine[1] == 20);
}
