/* tests/handlers/test_jq.c: the kinds `jq` and `require`, run by the engine, on the loop and on threads. */
#include "../../handlers/pool.h"
#include "jq_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

TestSuite(jq, .timeout = 30);

/* Runs long and takes little memory; a second or so, not for ever, so that the thread comes back. */
#define SLOW "reduce range(3000000) as $i (0; . + 1)"

Test(jq, filters_compute_from_their_needs)
{
	static const struct {
		const char *filter, *given, *value;
	} rows[] = {
	        {"1 + 1", "{}", "2"},
	        {"$a", "{`a`: {`z`: 1, `b`: [2]}}", "{`z`:1,`b`:[2]}"},
	        {"$a + $b", "{`a`: 1, `b`: 2.5}", "3.5"},
	        {"$b - $a", "{`a`: 1, `b`: 2.5}", "1.5"},
	        {"[$a, $b, $a]", "{`a`: 1, `b`: null}", "[1,null,1]"},
	        {"[$a[] | select(.n > $b) | .x]", "{`a`: [{`n`: 1}, {`n`: 3, `x`: `y`}], `b`: 2}", "[`y`]"},
	        {"{$a, b: ($b | length)}", "{`a`: true, `b`: `four`}", "{`a`:true,`b`:4}"},
	        {"def twice($x): $x * 2; twice($a)", "{`a`: 21}", "42"},
	        {"$a as {x: $b} | $b", "{`a`: {`x`: 1}}", "1"},
	        {"\"\\($a)!\" # with a comment", "{`a`: `hi`}", "`hi!`"},
	        {"reduce $a[] as $x (0; . + $x)", "{`a`: [1, 2, 3]}", "6"},
	        {"$a | sort_by(.k) | map(.k)", "{`a`: [{`k`: 2}, {`k`: 1}]}", "[1,2]"},
	        {"[nan, infinite, -0]", "{}", "[null,null,0]"},
	        {"$__loc__.line", "{}", "1"},
	        {".a = $a", "{`a`: 1}", "{`a`:1}"},
	        {"[$a.x.y, $a.z, $a.x.w]", "{`a`: {`x`: {`y`: 1, `w`: 2}, `v`: 3}}", "[1,null,2]"},
	        {"[$a.x, ($a | keys)]", "{`a`: {`x`: 1, `v`: 3}}", "[1,[`v`,`x`]]"},
	        {"try $a.x catch 4", "{`a`: 3}", "4"},
	};

	for (int on_loop = 0; on_loop < 3; on_loop++) {
		static const char *const keys[] = {"", ", `inline`: true", ", `inline`: false"};
		struct jq_fixture f;

		jq_open(&f);
		for (size_t i = 0; i < AB_COUNT(rows); i++) {
			char name[8], mapping[300];
			size_t len = 0;

			snprintf(name, sizeof(name), "f%zu", i);
			len += (size_t)snprintf(mapping, sizeof(mapping), "{`jq`: `");
			for (const char *c = rows[i].filter; *c != '\0'; c++)
				len += (size_t)snprintf(mapping + len, sizeof(mapping) - len,
				        *c == '"'    ? "\\`"
				        : *c == '\\' ? "\\\\"
				                     : "%c",
				        *c);
			snprintf(mapping + len, sizeof(mapping) - len, "`%s}", keys[on_loop]);
			jq_add(&f, name, mapping);
			jq_expect(&f, name, rows[i].given, rows[i].value);
			jq_expect(&f, name, rows[i].given, rows[i].value); /* a program runs many times */
		}
		jq_close(&f);
	}
}

Test(jq, exactly_one_value_or_an_error)
{
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "none", "{`jq`: `empty`}");
	jq_add(&f, "two", "{`jq`: `$a[]`}");
	jq_add(&f, "one", "{`jq`: `$a[]`, `inline`: true}");
	jq_add(&f, "late", "{`jq`: `1, error(\\`late\\`)`}");
	jq_add(&f, "error", "{`jq`: `error({a: 1})`, `inline`: true}");
	jq_add(&f, "type", "{`jq`: `$a + 1`}");
	jq_expect_error(&f, "none", NULL, AB_EINTERNAL, "gave no value; expected exactly one");
	jq_expect_error(&f, "two", "{`a`: [1, 2]}", AB_EINTERNAL, "gave more than one value");
	jq_expect_error(&f, "one", "{`a`: [1, 2, 3]}", AB_EINTERNAL, "gave more than one value");
	jq_expect(&f, "one", "{`a`: [3]}", "3"); /* what was left of the run before is gone */
	jq_expect_error(&f, "late", NULL, AB_EINTERNAL, "late");
	jq_expect_error(&f, "error", NULL, AB_EINTERNAL, "{\"a\":1}");
	jq_expect_error(&f, "type", "{`a`: {}}", AB_EINTERNAL, "object ({}) and number (1) cannot be added");
	jq_expect(&f, "type", "{`a`: 1}", "2");
	jq_close(&f);
}

Test(jq, an_integer_that_jq_would_bend_is_an_error_that_names_it)
{
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "pooled", "{`jq`: `[$ok, $rows[]]`}");
	jq_add(&f, "quick", "{`jq`: `$rows[1].id == $ok`}");
	jq_expect_error(&f, "pooled", "{`ok`: 1, `rows`: [1, {`id`: 9007199254740993}]}", AB_EINVALID,
	        "$rows[1].id: the integer 9007199254740993 is beyond 2^53");
	jq_expect_error(&f, "quick", "{`ok`: 1, `rows`: [1, {`id`: -9007199254740993}]}", AB_EINVALID,
	        "$rows[1].id: the integer -9007199254740993");
	jq_close(&f);
}

/* Debian 12's libjq ends the process on these. */
Test(jq, a_time_that_no_calendar_has_is_an_error)
{
	static const char *const times[] = {"{`a`: 1e20}", "{`a`: -1e300}", "{`a`: 1e300}"};
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "date", "{`jq`: `$a | todate`}");
	jq_add(&f, "other", "{`jq`: `$a | todateiso8601`}");
	jq_add(&f, "time", "{`jq`: `$a | strftime($b)`}");
	jq_add(&f, "local", "{`jq`: `$a | strflocaltime(\\`%Y\\`)`}");
	jq_add(&f, "nan", "{`jq`: `nan | todate`}");
	jq_add(&f, "own", "{`jq`: `def todate: . + 1; $a | todate`}");
	for (size_t i = 0; i < AB_COUNT(times); i++) {
		jq_expect_error(&f, "date", times[i], AB_EINTERNAL, "no calendar has this time");
		jq_expect_error(&f, "other", times[i], AB_EINTERNAL, "no calendar has this time");
		jq_expect_error(&f, "local", times[i], AB_EINTERNAL, "no calendar has this time");
	}
	jq_expect_error(&f, "nan", NULL, AB_EINTERNAL, "no calendar has this time");
	jq_expect_error(&f, "time", "{`a`: 1, `b`: 2}", AB_EINTERNAL, "a short string");
	jq_expect(&f, "date", "{`a`: 1425599621}", "`2015-03-05T23:53:41Z`");
	jq_expect(&f, "time", "{`a`: [2015, 2, 5, 0, 0, 0, 4, 63], `b`: `%d.%m.%Y`}", "`05.03.2015`");
	jq_expect(&f, "local", "{`a`: 86400000}", "`1972`");
	jq_expect(&f, "own", "{`a`: 1e20}", "1e20");
	jq_close(&f);
}

Test(jq, needs_may_be_renamed_and_lead_into_a_value)
{
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "user", "{`value`: {`name`: `Ada`, `id`: 3}}");
	jq_add(&f, "out",
	        "{`jq`: `[$who, $user.id, $gone]`, `needs`: {`who`: `user.name`, `gone`: `user.x`}}");
	jq_expect(&f, "out", NULL, "[`Ada`,3,null]");
	jq_close(&f);
}

Test(jq, a_large_need_sends_even_a_quick_filter_to_a_thread)
{
	char *given = malloc(300000);
	struct harness_run *run;
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "quick", "{`jq`: `$a | length`}");
	memset(given, 'x', 300000);
	memcpy(given, "{`a`: `", 7);
	strcpy(given + 200000, "`}");
	run = harness_start(&f.h, "quick", "{`a`: `xyz`}");
	cr_expect_eq(run->code, AB_OK); /* at once */
	harness_run_end(run);
	run = harness_start(&f.h, "quick", given);
	cr_expect_eq(run->code, AB_PENDING);
	harness_wait(run);
	cr_assert_eq(run->code, AB_OK);
	cr_expect_eq(json_integer_value(run->value), 200000 - 7);
	harness_run_end(run);
	free(given);
	jq_close(&f);
}

/* ---- require ---- */

Test(jq, require_is_true_or_tells_the_client_what_it_may_know)
{
	struct harness_run *run;
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "plain", "{`require`: `$a > 1`}");
	jq_add(&f, "told",
	        "{`require`: `$a[0] > 1`, `status`: 409, `message`: `too small`, `field`: `amount`}");
	jq_expect(&f, "plain", "{`a`: 2}", "true");
	jq_expect(&f, "told", "{`a`: [2]}", "true");
	run = harness_get(&f.h, "plain", "{`a`: 1}");
	cr_expect_eq(run->code, AB_EFORBIDDEN);
	cr_expect_eq(run->error->status, 403);
	cr_expect_null(run->error->message);
	cr_expect_null(run->error->field);
	harness_run_end(run);
	run = harness_get(&f.h, "told", "{`a`: [1]}");
	cr_expect_eq(run->error->status, 409);
	cr_expect_str_eq(run->error->message, "too small");
	cr_expect_not_null(strstr(run->error->text, "what it requires does not hold: too small"), "%s",
	        run->error->text);
	cr_expect_str_eq(run->error->field, "amount");
	harness_run_end(run);
	jq_close(&f);
}

Test(jq, require_wants_true_or_false_and_nothing_like_it)
{
	static const char *const rows[][2] = {{"null", "null"}, {"1", "a number"}, {"1.5", "a number"},
	        {"\\`x\\`", "a string"}, {"[]", "a list"}, {"{}", "an object"}};
	struct jq_fixture f;
	char name[8], mapping[100], says[100];

	jq_open(&f);
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		snprintf(name, sizeof(name), "r%zu", i);
		snprintf(mapping, sizeof(mapping), "{`require`: `%s`}", rows[i][0]);
		snprintf(says, sizeof(says), "the filter gave %s; expected true or false", rows[i][1]);
		jq_add(&f, name, mapping);
		jq_expect_error(&f, name, NULL, AB_EINTERNAL, says);
	}
	jq_close(&f);
}

/* ---- at load ---- */

Test(jq, mistakes_are_said_at_load)
{
	static const struct {
		const char *mapping, *lines;
	} rows[] = {
	        {"{`jq`: `.foo`}",
	                "test.yaml:1:2: .foo is a field of the input, which is null here; expected $name.foo"},
	        {"{`jq`: `$a | nosuch(1)`}", "test.yaml:1:2: nosuch/1 is not defined"},
	        {"{`jq`: `label $x | break $y`}", "test.yaml:1:2: break $y: there is no label $y around it"},
	        {"{`jq`: `$a + 1 + zip`}",
	                "test.yaml:1:2: zip/0 is not defined; expected a function of jq, or $zip for a need"},
	        {"{`jq`: `$a.b-zip`}",
	                "test.yaml:1:2: zip/0 is not defined; expected a function of jq, $zip for a need, or quotes round a key with a '-', as in .\"a-b\""},
	        {"{`jq`: `$a == 1 || $b`}", "test.yaml:1:2: '|' in `jq`; expected `or`"},
	        {"{`jq`: `$a && $b`}", "test.yaml:1:2: '&' in `jq`; expected `and`"},
	        {"{`jq`: `!$a`}", "test.yaml:1:2: '!' in `jq`; expected `| not` behind the value"},
	        {"{`jq`: `$a === 1`}", "test.yaml:1:2: '=' in `jq`; expected == to compare"},
	        {"{`jq`: `{{a}}`}",
	                "test.yaml:1:2: '{' in `jq`; expected $name, as a filter writes {{name}}"},
	        {"{`jq`: `:a + 1`}", "test.yaml:1:2: ':' in `jq`; expected $name, as a filter writes :name"},
	        {"{`jq`: `$a.b = 1`}",
	                "test.yaml:1:2: = changes a part of the input, and $a is none; expected == to compare, or $a | .field = ..."},
	        {"{`jq`: `$a) + ($b`}", "test.yaml:1:2: ')' in `jq`; expected an operator, or the end"},
	        {"{`jq`: `$a |`}", "test.yaml:1:2: `jq` ends too early; expected an expression"},
	        {"{`jq`: ``}", "test.yaml:1:2: `jq` ends too early; expected an expression"},
	        {"{`jq`: {`id`: 1}}", "test.yaml:1:2: `jq` is a mapping; expected a string"},
	        {"{`jq`: `$a`, `inline`: 1}",
	                "test.yaml:1:3: `inline` is the number 1; expected true or false"},
	        {"{`jq`: `$a`, `inline`: true, `timeout`: `1s`}",
	                "test.yaml:1:4: timeout means nothing beside inline: true: nothing can end a filter on the loop; "
	                "expected one of the two"},
	        {"{`require`: `$a`, `status`: 500}",
	                "test.yaml:1:3: `status` is the number 500; expected 400 to 499"},
	        {"{`require`: `$a`, `message`: ``}",
	                "test.yaml:1:3: `message` is an empty string; expected a sentence, or it left out"},
	        {"{`require`: `$a`, `field`: 3}",
	                "test.yaml:1:3: `field` is the number 3; expected a string"},
	        {"{`jq`: `input`}",
	                "test.yaml:1:2: input: there is no input to read; expected $name for what another resource gives"},
	};
	struct jq_fixture f;

	jq_open(&f);
	for (size_t i = 0; i < AB_COUNT(rows); i++)
		jq_expect_mistake(&f, rows[i].mapping, rows[i].lines);
	jq_close(&f);
}

/* ---- too slow ---- */

static bool no_thread_is_lost(void *arg)
{
	struct jq_fixture *f = arg;

	return ab_threads_stats(ab_jq_shared_threads(f->shared)).lost == 0;
}

Test(jq, a_filter_that_does_not_end_in_time_costs_its_thread_not_the_others)
{
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "slow", "{`jq`: `" SLOW "`, `timeout`: `200ms`}");
	jq_add(&f, "quick", "{`jq`: `[$a] | map(. + 1)`, `timeout`: `9s`}");
	jq_expect(&f, "quick", "{`a`: 1}", "[2]");
	jq_expect_error(&f, "slow", NULL, AB_ETIMEOUT, "the filter did not end within 200 ms");
	jq_expect_error(&f, "slow", NULL, AB_ETIMEOUT, "the filter did not end within 200 ms");
	cr_expect_gt(ab_threads_stats(ab_jq_shared_threads(f.shared)).lost, 0);
	jq_expect(&f, "quick", "{`a`: 1}", "[2]"); /* a new thread compiles it again */
	cr_expect(harness_until_fn(&f.h, no_thread_is_lost, &f, 10000));
	jq_expect(&f, "quick", "{`a`: 1}", "[2]");
	jq_close(&f);
}

Test(jq, closing_does_not_wait_for_a_filter_that_runs)
{
	struct timespec begun, now;
	struct harness_run *run;
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "slow", "{`jq`: `" SLOW "`, `timeout`: `200ms`}");
	jq_add(&f, "cancelled", "{`jq`: `" SLOW " | $a`, `timeout`: `9s`}");
	jq_add(&f, "quick", "{`jq`: `[$a]`, `timeout`: `9s`}");
	jq_expect(&f, "quick", "{`a`: 1}", "[1]");
	jq_expect_error(&f, "slow", NULL, AB_ETIMEOUT, "did not end");
	run = harness_start(&f.h, "cancelled", "{`a`: [1, `xyz`]}");
	harness_idle(&f.h, 50);
	harness_run_end(run); /* the thread goes on with values of its own */
	clock_gettime(CLOCK_MONOTONIC, &begun);
	jq_close(&f);
	clock_gettime(CLOCK_MONOTONIC, &now);
	cr_expect_lt(now.tv_sec - begun.tv_sec, 5);
	harness_await_threads("ab-jq");
}

Test(jq, many_at_once_are_each_answered)
{
	struct harness_run *runs[50];
	struct jq_fixture f;

	jq_open(&f);
	jq_add(&f, "sum", "{`jq`: `reduce range($n) as $i (0; . + $i)`, `timeout`: `20s`}");
	ab_jq_shared_start(f.shared);
	for (int i = 0; i < 50; i++) {
		char given[40];

		snprintf(given, sizeof(given), "{`n`: %d}", i + 1);
		runs[i] = harness_start(&f.h, "sum", given);
	}
	for (int i = 0; i < 50; i++) {
		harness_wait(runs[i]);
		cr_assert_eq(runs[i]->code, AB_OK);
		cr_expect_eq(json_integer_value(runs[i]->value), i * (i + 1) / 2);
		harness_run_end(runs[i]);
	}
	jq_close(&f);
}
