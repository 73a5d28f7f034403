/* tests/handlers/test_jq_value.c: what libjq gets, and what comes back. */
#include "../../handlers/jq/value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(jq_value, .timeout = 20);

enum { PLENTY = 1 << 24 };

static char x[] = "x";
static const struct ab_jq_name whole = {.name = x, .whole = true};

/* There and back; takes the value. */
static json_t *round_trip(json_t *value)
{
	size_t budget = PLENTY;
	struct ab_error err;
	json_t *back;
	jv jq;

	cr_assert_eq(ab_jq_from_json(value, &whole, &budget, &jq, &err), AB_OK, "%s", err.text);
	back = ab_jq_to_json(jq, &budget, &err);
	cr_assert(back != NULL, "%s", err.text);
	json_decref(value);
	return back;
}

static void check(json_t *value, const char *expected)
{
	json_t *back = round_trip(value);
	char *text = json_dumps(back, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));

	cr_expect_str_eq(text, expected, "%s, expected %s", text, expected);
	free(text);
	json_decref(back);
}

static void check_text(const char *json)
{
	check(json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), json);
}

Test(jq_value, values_come_back_as_they_went)
{
	check_text("null");
	check_text("true");
	check_text("false");
	check_text("\"\"");
	check_text("\"a\\u0000b \xc3\xa9 \xf0\x9f\x92\xa9 \\\" \\\\\"");
	check_text("[]");
	check_text("{}");
	check_text("[1,[2,[3,{\"a\":[null]}]]]");
	check_text("{\"z\":1,\"a\":{\"\":2},\"m\":[{}],\"\xc3\xa9\":3}"); /* in their order */
}

Test(jq_value, numbers_keep_their_kind_up_to_two_to_the_53)
{
	check_text("0");
	check_text("-7");
	check_text("9007199254740992");
	check_text("-9007199254740992");
	check_text("0.5");
	check_text("-0.375");
	check(json_real(3.0), "3");  /* whole: an integer */
	check(json_real(-0.0), "0"); /* no negative nothing */
	check(json_real(1e300), "1.0000000000000001e300");
	check(json_real(18014398509481984.0), "18014398509481984.0");
}

Test(jq_value, what_is_no_number_is_null)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY};
	struct ab_error err;

	for (size_t i = 0; i < AB_COUNT(odd); i++) {
		size_t budget = PLENTY;
		json_t *value = ab_jq_to_json(jv_number(odd[i]), &budget, &err);

		cr_expect(json_is_null(value));
	}
}

static void check_refused(json_t *value, size_t budget, const char *expected)
{
	struct ab_error err;
	jv jq;

	cr_assert_eq(ab_jq_from_json(value, &whole, &budget, &jq, &err), AB_EINVALID);
	cr_expect_str_eq(err.text, expected, "%s", err.text);
	json_decref(value);
}

Test(jq_value, integers_that_would_be_bent_are_named)
{
	static const char says[] = "the integer 9007199254740993 is beyond 2^53, and jq would change it";
	char expected[200];

	snprintf(expected, sizeof(expected), "$x: %s", says);
	check_refused(json_integer(9007199254740993), PLENTY, expected);
	snprintf(expected, sizeof(expected), "$x.rows[2].id: %s", says);
	check_refused(
	        json_pack("{s:i, s:[i, n, {s:I}]}", "n", 1, "rows", 1, "id", (json_int_t)9007199254740993),
	        PLENTY, expected);
	check_refused(json_integer(INT64_MIN), PLENTY,
	        "$x: the integer -9223372036854775808 is beyond 2^53, and jq would change it");
	check_refused(json_integer(INT64_MAX), PLENTY,
	        "$x: the integer 9223372036854775807 is beyond 2^53, and jq would change it");
}

static json_t *nested(unsigned depth)
{
	json_t *value = json_array();

	while (depth-- > 0)
		value = json_pack("[o]", value);
	return value;
}

Test(jq_value, depth_and_size_have_bounds_both_ways)
{
	struct ab_error err;
	size_t budget;
	json_t *value;
	jv jq;

	json_decref(round_trip(nested(AB_JQ_DEPTH)));
	value = nested(AB_JQ_DEPTH + 1);
	budget = PLENTY;
	cr_expect_eq(ab_jq_from_json(value, &whole, &budget, &jq, &err), AB_EINVALID);
	cr_expect(strstr(err.text, "nested too deeply") != NULL, "%s", err.text);
	cr_expect_gt(budget, 0); /* so that nobody takes it for too large */
	json_decref(value);

	jq = jv_array();
	for (int i = 0; i <= AB_JQ_DEPTH; i++)
		jq = jv_array_append(jv_array(), jq);
	cr_expect_null(ab_jq_to_json(jq, &budget, &err));
	cr_expect_eq(err.code, AB_EINTERNAL);

	check_refused(json_string("0123456789"), 40, "$x: more than a filter may be given");
	check_refused(json_pack("{s:[i,i]}", "a", 1, 2), 100, "$x.a[1]: more than a filter may be given");
	budget = 100;
	cr_expect_null(
	        ab_jq_to_json(jv_array_append(JV_ARRAY_2(jv_null(), jv_null()), jv_null()), &budget, &err));
	cr_expect(strstr(err.text, "larger than a filter may make") != NULL, "%s", err.text);
	budget = 40;
	cr_expect_null(ab_jq_to_json(jv_string("0123456789"), &budget, &err));
	cr_expect_null(
	        ab_jq_to_json(jv_object_set(jv_object(), jv_string("0123456789"), jv_null()), &budget, &err));
}

Test(jq_value, only_the_fields_that_are_used_are_converted)
{
	char a[] = "a", b[] = "b", *fields[] = {a, b};
	const struct ab_jq_name some = {.name = x, .fields = fields, .n_fields = 2};
	static const char *const rows[][2] = {
	        {"{\"c\":[1,2],\"b\":{\"c\":3},\"a\":1}", "{\"a\":1,\"b\":{\"c\":3}}"},
	        {"{\"c\":9007199254740993,\"a\":null}", "{\"a\":null}"},
	        {"{}", "{}"},
	        {"[1,{\"a\":1}]", "[1,{\"a\":1}]"}, /* jq has its own word for what is no object */
	        {"3", "3"},
	        {"{\"b\":[9007199254740993]}", NULL},
	};
	struct ab_error err;
	jv jq;

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		size_t budget = PLENTY;
		json_t *value = json_loads(rows[i][0], JSON_DECODE_ANY, NULL);
		enum ab_code code = ab_jq_from_json(value, &some, &budget, &jq, &err);

		json_decref(value);
		cr_assert_eq(code, rows[i][1] != NULL ? AB_OK : AB_EINVALID);
		if (code != AB_OK)
			continue;
		jq = jv_dump_string(jq, 0);
		cr_expect_str_eq(jv_string_value(jq), rows[i][1]);
		jv_free(jq);
	}
	cr_expect(strncmp(err.text, "$x.b[0]: the integer", 20) == 0, "%s", err.text);
}

/* ---- without memory ---- */

static int allocations_left;

static void *failing_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

Test(jq_value, every_allocation_may_fail_on_the_way_back)
{
	json_t *value = NULL;
	struct ab_error err;
	int n = 0;

	json_set_alloc_funcs(failing_malloc, free);
	do {
		size_t budget = PLENTY;
		jv jq = jv_parse(
		        "{\"a\":[1,2.5,\"x\",null,true,{\"b\":{}}],\"c\":\"yyyyyyyyyyyyyyyyyyyyyyyy\"}");

		allocations_left = n++;
		value = ab_jq_to_json(jq, &budget, &err);
		cr_assert(value != NULL || err.code == AB_ENOMEM);
	} while (value == NULL && n < 1000);
	cr_expect_gt(n, 10);
	json_decref(value);
	json_set_alloc_funcs(malloc, free);
}
