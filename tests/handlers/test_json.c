/* tests/handlers/test_json.c: reading and writing JSON. */
#include "../../handlers/json.h"

#include <criterion/criterion.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

TestSuite(json_read, .timeout = 20);
TestSuite(json_write, .timeout = 20);
TestSuite(utf8, .timeout = 20);

/* From a block of exactly its size, so that a sanitizer sees a byte read beyond. */
static json_t *read_exact(const char *text, size_t len, struct ab_error *err)
{
	char *copy = malloc(len > 0 ? len : 1);
	json_t *value;

	cr_assert_not_null(copy);
	memcpy(copy, text, len);
	value = ab_json_read(copy, len, err);
	free(copy);
	return value;
}

static char *written(const json_t *value)
{
	struct ab_buf buf;

	ab_buf_init(&buf, SIZE_MAX);
	ab_json_write(&buf, value);
	return ab_buf_take(&buf);
}

struct text {
	const char *bytes;
	size_t len;
};
#define T(text)                                                                                              \
	{                                                                                                    \
		text, sizeof(text) - 1                                                                       \
	}

struct accepted {
	struct text text;
	const char *compact; /* as we write it */
};

static void check_accepted(const struct accepted *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ab_error err = {0};
		json_t *value = read_exact(rows[i].text.bytes, rows[i].text.len, &err);
		char *text;

		cr_expect_not_null(value, "%s: %s", rows[i].text.bytes, err.text);
		if (value == NULL)
			continue;
		text = written(value);
		cr_expect_str_eq(text, rows[i].compact, "%s: %s", rows[i].text.bytes, text);
		free(text);
		json_decref(value);
	}
}

Test(json_read, accepts_every_structure)
{
	static const struct accepted rows[] = {
	        {T("null"), "null"},
	        {T("true"), "true"},
	        {T("false"), "false"},
	        {T("0"), "0"},
	        {T("\"\""), "\"\""},
	        {T("[]"), "[]"},
	        {T("{}"), "{}"},
	        {T(" \t\r\n [ \n ] \t"), "[]"},
	        {T(" { } "), "{}"},
	        {T("[1,2 , 3]"), "[1,2,3]"},
	        {T("[[],[[]],{}]"), "[[],[[]],{}]"},
	        {T("{\"a\":1,\"b\" : [true , false,null]}"), "{\"a\":1,\"b\":[true,false,null]}"},
	        {T("{\"b\":1,\"a\":2,\"c\":3}"), "{\"b\":1,\"a\":2,\"c\":3}"},
	        {T("{\"\":0}"), "{\"\":0}"},
	        {T("{\"a\":{\"a\":{\"a\":1}}}"), "{\"a\":{\"a\":{\"a\":1}}}"},
	        {T("{\"A\":1,\"a\":2}"), "{\"A\":1,\"a\":2}"},
	        {T("{\"\\u0061b\":1,\"\\\"\\n\":\"\\t\"}"), "{\"ab\":1,\"\\\"\\n\":\"\\t\"}"},
	        {T("{\"\\u0061\":\"\\u0062\",\"\\u0063\":{\"\\u0064\":\"\\u0065\"}}"),
	                "{\"a\":\"b\",\"c\":{\"d\":\"e\"}}"},
	};

	check_accepted(rows, AB_COUNT(rows));
}

Test(json_read, accepts_every_number)
{
	static const struct accepted rows[] = {
	        {T("0"), "0"},
	        {T("-0"), "0"},
	        {T("-0.0"), "-0.0"},
	        {T("-1"), "-1"},
	        {T("1234567890"), "1234567890"},
	        {T("999999999999999999"), "999999999999999999"},
	        {T("9223372036854775807"), "9223372036854775807"},
	        {T("-9223372036854775808"), "-9223372036854775808"},
	        {T("9223372036854775808"), "\"9223372036854775808\""},
	        {T("-9223372036854775809"), "\"-9223372036854775809\""},
	        {T("18446744073709551616"), "\"18446744073709551616\""},
	        {T("99999999999999999999999999999"), "\"99999999999999999999999999999\""},
	        {T("[18446744073709551615,1]"), "[\"18446744073709551615\",1]"},
	        {T("1.0"), "1.0"},
	        {T("0.5"), "0.5"},
	        {T("149.95"), "149.95"},
	        {T("1e2"), "100.0"},
	        {T("1E+2"), "100.0"},
	        {T("1e-2"), "0.01"},
	        {T("1.5e3"), "1500.0"},
	        {T("0e99"), "0.0"},
	        {T("0.000000000000000000000000000001"), "1e-30"},
	        {T("123456789012345678901234567890.5"), "1.2345678901234568e+29"},
	        {T("1e22"), "1e+22"},
	        {T("1e23"), "1e+23"},
	        {T("1.7976931348623157e308"), "1.7976931348623157e+308"},
	        {T("5e-324"), "5e-324"},
	        {T("1e-400"), "0.0"},
	        {T("-1e-400"), "-0.0"},
	        {T("1e400"), "\"1e400\""},
	        {T("-1.5e+99999999999999999999"), "\"-1.5e+99999999999999999999\""},
	        {T("1e-99999999999999999999"), "0.0"},
	        {T("[0.1,0.2,0.30000000000000004]"), "[0.1,0.2,0.30000000000000004]"},
	        {T("9007199254740993.0"), "9007199254740992.0"},
	        {T("9007199254740992.5e0"), "9007199254740992.0"},
	        {T("2.2250738585072011e-308"), "2.225073858507201e-308"},
	};

	check_accepted(rows, AB_COUNT(rows));
}

Test(json_read, accepts_every_string)
{
	static const struct accepted rows[] = {
	        {T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
	        {T("\"\\u0041\\u00e9\\u20AC\""), "\"A\303\251\342\202\254\""},
	        {T("\"\\ud83d\\ude00\\uD800\\uDC00\\uDBFF\\uDFFF\""),
	                "\"\360\237\230\200\360\220\200\200\364\217\277\277\""},
	        {T("\"\\u0001\\u001f\\u007f\""), "\"\\u0001\\u001f\x7f\""},
	        {T("\"\\uFFFF\\uE000\\u2028\""), "\"\357\277\277\356\200\200\342\200\250\""},
	        {T("\"\303\251\342\202\254\360\237\230\200\""), "\"\303\251\342\202\254\360\237\230\200\""},
	        {T("\"\x7f /'<>\""), "\"\x7f /'<>\""},
	        {T("\"0123456\""), "\"0123456\""},
	        {T("\"01234567\""), "\"01234567\""},
	        {T("\"012345678\""), "\"012345678\""},
	        {T("\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\""),
	                "\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\""},
	        {T("\"0123456\303\25101234567\303\251\""), "\"0123456\303\25101234567\303\251\""},
	        {T("[\"\\n\",\"a\\n\",\"\\na\"]"), "[\"\\n\",\"a\\n\",\"\\na\"]"},
	};

	check_accepted(rows, AB_COUNT(rows));
}

struct refused {
	struct text text;
	const char *says;
};

Test(json_read, refuses_and_says_where_and_what)
{
	static const struct refused rows[] = {
	        /* structure */
	        {T(""), "line 1, column 1: expected a value, found the end of the text"},
	        {T("  \n "), "line 2, column 2: expected a value, found the end of the text"},
	        {T("["), "line 1, column 2: expected a value, found the end of the text"},
	        {T("[1"), "column 3: expected ',' or ']' in a list, found the end"},
	        {T("[1,"), "column 4: expected a value, found the end"},
	        {T("[1,]"), "column 4: expected a value, found ']'"},
	        {T("[,1]"), "column 2: expected a value, found ','"},
	        {T("[1,,2]"), "column 4: expected a value, found ','"},
	        {T("[1 2]"), "column 4: expected ',' or ']' in a list, found '2'"},
	        {T("[1}"), "expected ',' or ']' in a list, found '}'"},
	        {T("]"), "expected a value, found ']'"},
	        {T("{"), "column 2: expected '}' or a key in quotes, found the end"},
	        {T("{\"a\""), "expected ':' after a key, found the end"},
	        {T("{\"a\":"), "expected a value, found the end"},
	        {T("{\"a\":1"), "expected ',' or '}' in an object, found the end"},
	        {T("{\"a\":1,"), "expected a key in quotes, found the end"},
	        {T("{\"a\":1,}"), "column 8: expected a key in quotes, found '}'"},
	        {T("{,}"), "expected '}' or a key in quotes, found ','"},
	        {T("{a:1}"), "column 2: expected '}' or a key in quotes, found 'a'"},
	        {T("{'a':1}"), "found '''"},
	        {T("{1:1}"), "expected '}' or a key in quotes, found '1'"},
	        {T("{\"a\" 1}"), "expected ':' after a key, found '1'"},
	        {T("{\"a\":1 \"b\":2}"), "column 8: expected ',' or '}' in an object, found '\"'"},
	        {T("{\"a\":1]"), "expected ',' or '}' in an object, found ']'"},
	        {T("{\"a\",1}"), "expected ':'"},
	        {T("{\"a\":}"), "expected a value, found '}'"},
	        {T("{\"a\"::1}"), "expected a value, found ':'"},
	        {T("{\"a\":1,\"b\":2,\"a\":3}"), "column 14: this key was in the object before"},
	        {T("{\"a\":1,\"\\u0061\":3}"), "column 8: this key was in the object before"},
	        {T("{\n \"\303\244\": 1,\n \"x\": {\"y\": 1, \"y\": 1}}"),
	                "line 3, column 16: this key was in the object before"},
	        {T("[\"\303\244\",x]"), "line 1, column 6: expected a value, found 'x'"},
	        /* rubbish after, and other things that are not JSON */
	        {T("1 2"), "column 3: expected the end of the text, found '2'"},
	        {T("{}x"), "expected the end of the text, found 'x'"},
	        {T("[]]"), "expected the end of the text, found ']'"},
	        {T("{}{}"), "expected the end of the text"},
	        {T("1\0"), "column 2: expected the end of the text, found byte 0x00"},
	        {T("[]\0"), "expected the end of the text, found byte 0x00"},
	        {T("\0"), "expected a value, found byte 0x00"},
	        {T("\357\273\277{}"), "column 1: a byte order mark; JSON has none"},
	        {T("{}\357\273\277"), "expected the end of the text, found byte 0xEF"},
	        {T("\377\376[\0]\0"), "expected a value, found byte 0xFF"},
	        {T("[1] // x"), "expected the end of the text, found '/'"},
	        {T("/* x */ 1"), "expected a value, found '/'"},
	        {T("[\f1]"), "expected a value, found byte 0x0C"},
	        {T("[\v1]"), "found byte 0x0B"},
	        {T("[\302\2401]"), "found byte 0xC2"},
	        {T("<html>"), "expected a value, found '<'"},
	        /* words */
	        {T("nul"), "expected a value, found 'n'"},
	        {T("tru"), "expected a value"},
	        {T("fals"), "expected a value"},
	        {T("True"), "expected a value"},
	        {T("NaN"), "expected a value"},
	        {T("Infinity"), "expected a value"},
	        {T("undefined"), "expected a value"},
	        {T("truex"), "expected the end of the text, found 'x'"},
	        {T("nullnull"), "expected the end of the text, found 'n'"},
	        /* numbers */
	        {T("-"), "expected a digit after '-', found the end"},
	        {T("-a"), "expected a digit after '-', found 'a'"},
	        {T("--1"), "expected a digit after '-'"},
	        {T("+1"), "expected a value, found '+'"},
	        {T(".5"), "expected a value, found '.'"},
	        {T("-.5"), "expected a digit after '-', found '.'"},
	        {T("1."), "expected a digit after '.', found the end"},
	        {T("1.e1"), "expected a digit after '.', found 'e'"},
	        {T("1.a"), "expected a digit after '.'"},
	        {T("1e"), "expected a digit in the exponent, found the end"},
	        {T("1e+"), "expected a digit in the exponent"},
	        {T("1e-x"), "expected a digit in the exponent, found 'x'"},
	        {T("1.5e"), "expected a digit in the exponent"},
	        {T("1e1.5"), "expected the end of the text, found '.'"},
	        {T("01"), "column 1: a number can't begin with 0"},
	        {T("-01"), "a number can't begin with 0"},
	        {T("00"), "a number can't begin with 0"},
	        {T("0x10"), "expected the end of the text, found 'x'"},
	        {T("1_000"), "expected the end of the text, found '_'"},
	        {T("1,5"), "expected the end of the text, found ','"},
	        {T("-Infinity"), "expected a digit after '-'"},
	        /* strings */
	        {T("\""), "column 2: expected '\"' at the end of a string, found the end"},
	        {T("\"abc"), "expected '\"' at the end of a string"},
	        {T("\"0123456789"), "expected '\"' at the end of a string"},
	        {T("\"abc\\"), "after a backslash, found the end"},
	        {T("\"abc\\\""), "expected '\"' at the end of a string"},
	        {T("'a'"), "expected a value, found '''"},
	        {T("\"a\nb\""), "a control character in a string must be escaped, found byte 0x0A"},
	        {T("\"a\tb\""), "found byte 0x09"},
	        {T("\"a\0b\""), "found byte 0x00"},
	        {T("\"\x1f\""), "found byte 0x1F"},
	        {T("\"0123456789\x01\""), "column 12: a control character"},
	        {T("\"\\n\x01\""), "column 4: a control character"},
	        {T("\"\\a\""), "expected one of \" \\ / b f n r t u after a backslash, found 'a'"},
	        {T("\"\\'\""), "after a backslash, found '''"},
	        {T("\"\\0\""), "after a backslash, found '0'"},
	        {T("\"\\x41\""), "after a backslash, found 'x'"},
	        {T("\"\\\303\251\""), "after a backslash, found byte 0xC3"},
	        {T("\"\\N\""), "after a backslash"},
	        {T("\"\\u\""), "expected four hexadecimal digits after \\u"},
	        {T("\"\\u12\""), "expected four hexadecimal digits after \\u"},
	        {T("\"\\u12G4\""), "expected four hexadecimal digits after \\u"},
	        {T("\"\\u 041\""), "expected four hexadecimal digits after \\u"},
	        {T("\"\\U0041\""), "after a backslash, found 'U'"},
	        {T("\"\\u0000\""), "column 2: \\u0000 is not allowed in a string"},
	        {T("{\"a\\u0000\":1}"), "\\u0000 is not allowed in a string"},
	        /* surrogates */
	        {T("\"\\ud800\""), "the first half of a surrogate pair without the second"},
	        {T("\"x\\ud83dy\""), "column 3: the first half of a surrogate pair without the second"},
	        {T("\"\\ud83d\\n\""), "the first half of a surrogate pair without the second"},
	        {T("\"\\ud83d\\ud83d\""), "the first half of a surrogate pair without the second"},
	        {T("\"\\ud83d\\u0041\""), "the first half of a surrogate pair without the second"},
	        {T("\"\\ud83d\\u\""), "the first half of a surrogate pair without the second"},
	        {T("\"\\ude00\""), "the second half of a surrogate pair without the first"},
	        {T("\"\\ude00\\ud83d\""), "the second half of a surrogate pair without the first"},
	        /* UTF-8 */
	        {T("\"\200\""), "column 2: not UTF-8"},
	        {T("\"\377\""), "not UTF-8"},
	        {T("\"\300\200\""), "not UTF-8"},
	        {T("\"\301\277\""), "not UTF-8"},
	        {T("\"\340\200\200\""), "not UTF-8"},
	        {T("\"\355\240\200\""), "not UTF-8"},
	        {T("\"\360\200\200\200\""), "not UTF-8"},
	        {T("\"\364\220\200\200\""), "not UTF-8"},
	        {T("\"\365\200\200\200\""), "not UTF-8"},
	        {T("\"\303\""), "not UTF-8"},
	        {T("\"\303"), "not UTF-8"},
	        {T("\"\342\202\""), "not UTF-8"},
	        {T("\"\360\237\230\""), "not UTF-8"},
	        {T("\"\\n\303\""), "not UTF-8"},
	        {T("\"\303\251\303\""), "column 3: not UTF-8"},
	        {T("{\"\377\":1}"), "not UTF-8"},
	        {T("\303\251"), "expected a value, found byte 0xC3"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct ab_error err = {0};
		json_t *value = read_exact(rows[i].text.bytes, rows[i].text.len, &err);

		cr_expect_null(value, "row %zu, %s, was accepted", i, rows[i].text.bytes);
		cr_expect_eq(err.code, AB_EINVALID);
		cr_expect(strncmp(err.text, "line ", 5) == 0 && strstr(err.text, rows[i].says) != NULL,
		        "%s: %s", rows[i].text.bytes, err.text);
		json_decref(value);
		cr_expect_null(read_exact(rows[i].text.bytes, rows[i].text.len, NULL), "no error wanted");
	}
}

static const char document[] =
        "{\"id\":7,\"name\":\"Caf\303\251 \\u20ac \\ud83d\\ude00\",\"price\":149.95e0,\"tags\":[\"a\",true,"
        "false,null],\"in\":{\"x\":-12.5,\"y\":[]}}";

Test(json_read, refuses_a_document_cut_short_at_any_byte)
{
	for (size_t len = 0; len < sizeof(document) - 1; len++) {
		struct ab_error err = {0};

		cr_expect_null(read_exact(document, len, &err), "cut to %zu bytes", len);
		cr_expect_eq(err.code, AB_EINVALID);
	}
}

Test(json_read, survives_every_byte_in_every_place)
{
	char copy[sizeof(document)];
	size_t accepted = 0;

	for (size_t at = 0; at < sizeof(document) - 1; at++) {
		for (int byte = 0; byte < 256; byte++) {
			json_t *value;

			memcpy(copy, document, sizeof(document));
			copy[at] = (char)byte;
			value = read_exact(copy, sizeof(document) - 1, NULL);
			accepted += value != NULL;
			json_decref(value);
		}
	}
	cr_expect(accepted > 0 && accepted < 256 * (sizeof(document) - 1));
}

Test(json_read, nests_to_its_depth_and_no_further)
{
	size_t len = 2 * 100000 + 1;
	char *text = malloc(len);
	struct ab_error err;
	json_t *value;

	cr_assert_not_null(text);
	memset(text, '[', AB_JSON_DEPTH);
	memset(text + AB_JSON_DEPTH, ']', AB_JSON_DEPTH);
	value = ab_json_read(text, (size_t)2 * AB_JSON_DEPTH, &err);
	cr_expect_not_null(value);
	json_decref(value);
	memset(text, '[', AB_JSON_DEPTH + 1);
	memset(text + AB_JSON_DEPTH + 1, ']', AB_JSON_DEPTH + 1);
	cr_expect_null(ab_json_read(text, (size_t)2 * AB_JSON_DEPTH + 2, &err));
	cr_expect(strstr(err.text, "column 513: nested too deeply: more than 512 levels") != NULL, "%s",
	        err.text);
	memset(text, '[', 100000);
	cr_expect_null(ab_json_read(text, 100000, &err));
	for (size_t i = 0; i < 100000; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	cr_expect_null(ab_json_read(text, 100000, &err));
	cr_expect(strstr(err.text, "nested too deeply") != NULL);
	free(text);
}

/* The hash of keys is seeded at random; a regular set must not be slow either. */
Test(json_read, reads_ten_thousand_keys_and_finds_the_one_twice)
{
	struct ab_error err;
	struct ab_buf buf;
	json_t *value;

	ab_buf_init(&buf, SIZE_MAX);
	ab_buf_adds(&buf, "{");
	for (int i = 0; i < 10000; i++)
		ab_buf_printf(&buf, "%s\"key%d\":%d", i > 0 ? "," : "", i, i);
	ab_buf_adds(&buf, "}");
	value = ab_json_read(buf.data, buf.len, &err);
	cr_assert_not_null(value);
	cr_expect_eq(json_object_size(value), 10000);
	cr_expect_eq(json_integer_value(json_object_get(value, "key9999")), 9999);
	json_decref(value);
	buf.len--;
	ab_buf_adds(&buf, ",\"key5000\":0}");
	cr_expect_null(ab_json_read(buf.data, buf.len, &err));
	cr_expect(strstr(err.text, "this key was in the object before") != NULL);
	ab_buf_fini(&buf);
}

Test(json_read, takes_long_strings_and_numbers)
{
	size_t len = 1000000;
	char *text = malloc(len + 3);
	struct ab_error err;
	json_t *value;

	cr_assert_not_null(text);
	memset(text, 'x', len);
	text[0] = text[len - 1] = '"';
	memcpy(text + len / 2, "\\n", 2);
	value = read_exact(text, len, &err);
	cr_assert_not_null(value);
	cr_expect_eq(json_string_length(value), len - 3);
	json_decref(value);
	memset(text, '7', len);
	value = read_exact(text, len, &err);
	cr_expect_eq(json_string_length(value), len, "an integer of a million digits");
	json_decref(value);
	text[1] = '.';
	value = read_exact(text, len, &err);
	cr_expect_float_eq(json_real_value(value), 7.0 + 7.0 / 9, 1e-15);
	json_decref(value);
	free(text);
}

Test(json_read, does_not_depend_on_the_locale)
{
	static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_AT.UTF-8"};
	json_t *value;
	char *text;

	/* Where none of them is installed this shows nothing, and nothing is wrong. */
	for (size_t i = 0; i < AB_COUNT(names); i++)
		if (setlocale(LC_ALL, names[i]) != NULL)
			break;
	value = read_exact("[1.25,0.1234567890123456789012,1e-300]", 38, NULL);
	cr_assert_not_null(value);
	text = written(value);
	cr_expect_str_eq(text, "[1.25,0.12345678901234568,1e-300]");
	free(text);
	json_decref(value);
	setlocale(LC_ALL, "C");
}

/* ---- random documents ---- */

static json_t *random_string(unsigned *seed)
{
	static const char *const bits[] = {"a", "Zz", "\"", "\\", "/", "\n", "\x01", "\x7f", " ", "\303\251",
	        "\342\202\254", "\360\237\230\200", "0123456789abcdef", "\342\200\250", "\xef\xbf\xbf"};
	char text[400] = "";

	for (int n = rand_r(seed) % 12; n > 0; n--)
		strcat(text, bits[rand_r(seed) % (int)AB_COUNT(bits)]);
	return json_string(text);
}

static double random_real(unsigned *seed)
{
	union {
		double real;
		uint64_t bits;
	} u;

	switch (rand_r(seed) % 3) {
	case 0:
		return (double)(rand_r(seed) - RAND_MAX / 2) / 100;
	case 1:
		return (double)rand_r(seed) / 3e7;
	default:
		do
			u.bits = (uint64_t)rand_r(seed) << 62 | (uint64_t)rand_r(seed) << 31 |
			         (uint64_t)rand_r(seed);
		while (!isfinite(u.real));
		return u.real;
	}
}

static json_t *random_value(unsigned *seed, int depth)
{
	json_t *value;
	char key[16];

	switch (rand_r(seed) % (depth > 0 ? 9 : 6)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(rand_r(seed) % 2);
	case 2:
		return json_integer(
		        (json_int_t)((uint64_t)rand_r(seed) << (rand_r(seed) % 33)) - rand_r(seed));
	case 3:
		return json_real(random_real(seed));
	case 4:
	case 5:
		return random_string(seed);
	case 6:
		value = json_array();
		for (int n = rand_r(seed) % 6; n > 0; n--)
			json_array_append_new(value, random_value(seed, depth - 1));
		return value;
	default:
		value = json_object();
		for (int n = rand_r(seed) % 6; n > 0; n--) {
			snprintf(key, sizeof(key), "%s%d", rand_r(seed) % 5 == 0 ? "k\n\303\251" : "k",
			        rand_r(seed) % 100);
			json_object_set_new(value, key, random_value(seed, depth - 1));
		}
		return value;
	}
}

Test(json_read, agrees_with_jansson_on_random_documents)
{
	static const size_t flags[] = {
	        JSON_COMPACT, JSON_INDENT(3), JSON_ENSURE_ASCII, JSON_ESCAPE_SLASH | JSON_INDENT(1)};
	unsigned seed = 20;

	for (int i = 0; i < 3000; i++) {
		json_t *value = random_value(&seed, 5), *ours, *again, *theirs;
		char *text = json_dumps(value, JSON_ENCODE_ANY | flags[i % 4]), *mine = written(value);
		struct ab_error err;

		ours = read_exact(text, strlen(text), &err);
		cr_assert(ours != NULL && json_equal(ours, value), "%s: %s", text,
		        ours == NULL ? err.text : "differs");
		again = read_exact(mine, strlen(mine), &err);
		cr_assert(again != NULL && json_equal(again, value), "%s", mine);
		theirs = json_loads(mine, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
		cr_assert(theirs != NULL && json_equal(theirs, value), "%s", mine);
		json_decref(value);
		json_decref(ours);
		json_decref(again);
		json_decref(theirs);
		free(text);
		free(mine);
	}
}

/* ---- writing ---- */

Test(json_write, reals_take_the_shortest_form_that_reads_back)
{
	static const struct {
		double real;
		const char *text;
	} rows[] = {
	        {149.95, "149.95"},
	        {0.1, "0.1"},
	        {0.1 + 0.2, "0.30000000000000004"},
	        {0, "0.0"},
	        {-0.0, "-0.0"},
	        {5, "5.0"},
	        {-3.25, "-3.25"},
	        {100, "100.0"},
	        {1e14, "100000000000000.0"},
	        {1e15, "1e+15"},
	        {123456789012345.6, "123456789012345.6"},
	        {0.0001, "0.0001"},
	        {0.00001, "1e-05"},
	        {1.0 / 3, "0.3333333333333333"},
	        {9007199254740993.0, "9007199254740992.0"},
	        {123456789012345678.0, "1.2345678901234568e+17"},
	        {1e22, "1e+22"},
	        {5e-324, "5e-324"},
	        {DBL_MIN, "2.2250738585072014e-308"},
	        {DBL_MAX, "1.7976931348623157e+308"},
	        {-DBL_MAX, "-1.7976931348623157e+308"},
	        {4.35, "4.35"},
	        {0.07, "0.07"},
	        {1.1, "1.1"},
	        {2.675, "2.675"},
	        {1e-7, "1e-07"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct ab_buf buf;

		ab_buf_init(&buf, 100);
		ab_json_write_real(&buf, rows[i].real);
		cr_expect_str_eq(buf.data, rows[i].text);
		cr_expect_eq(strtod(buf.data, NULL), rows[i].real);
		ab_buf_fini(&buf);
	}
}

Test(json_write, random_reals_read_back_and_are_no_longer_than_need_be)
{
	unsigned seed = 3;

	for (int i = 0; i < 50000; i++) {
		double real = random_real(&seed);
		char shortest[40];
		struct ab_buf buf;

		ab_buf_init(&buf, 100);
		ab_json_write_real(&buf, real);
		cr_assert_eq(strtod(buf.data, NULL), real, "%s", buf.data);
		cr_assert(strpbrk(buf.data, ".e") != NULL, "%s", buf.data);
		for (int digits = 1; digits <= 17; digits++) {
			snprintf(shortest, sizeof(shortest), "%.*g", digits, real);
			if (strtod(shortest, NULL) == real)
				break;
		}
		/* ".0" may have been added, or an exponent been written out. */
		cr_assert(strcmp(buf.data, shortest) == 0 || strstr(buf.data, ".0") != NULL ||
		                  (strchr(shortest, 'e') != NULL && strchr(buf.data, 'e') == NULL),
		        "%s, not %s", buf.data, shortest);
		ab_buf_fini(&buf);
	}
}

Test(json_write, integers_are_whole)
{
	struct ab_buf buf;

	ab_buf_init(&buf, 200);
	ab_json_write_integer(&buf, 0);
	ab_json_write_integer(&buf, -7);
	ab_json_write_integer(&buf, INT64_MAX);
	ab_json_write_integer(&buf, INT64_MIN);
	cr_expect_str_eq(buf.data, "0-79223372036854775807-9223372036854775808");
	ab_buf_fini(&buf);
}

Test(json_write, control_characters_are_escaped_and_nothing_else)
{
	struct ab_buf buf;
	char all[0x80];

	for (int i = 0; i < 0x80; i++)
		all[i] = (char)i;
	ab_buf_init(&buf, 2000);
	ab_json_write_escaped(&buf, all, sizeof(all));
	cr_expect_str_eq(buf.data,
	        "\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f"
	        "\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"
	        " !\\\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f");
	buf.len = 0;
	ab_json_write_escaped(&buf, "</script>\342\200\250\303\251", 14);
	cr_expect_str_eq(buf.data, "</script>\342\200\250\303\251");
	ab_buf_fini(&buf);
}

Test(json_write, a_value_nested_too_deeply_or_too_long_fails_the_buffer)
{
	json_t *deep = json_array(), *long_list = json_array();
	struct ab_buf buf;

	for (int i = 1; i < 2 * AB_JSON_DEPTH; i++)
		deep = json_pack("[o]", deep);
	ab_buf_init(&buf, SIZE_MAX);
	ab_json_write(&buf, deep);
	cr_expect_not(buf.failed);
	cr_expect_eq(buf.len, (size_t)4 * AB_JSON_DEPTH);
	ab_buf_fini(&buf);
	deep = json_pack("[o]", deep);
	ab_buf_init(&buf, SIZE_MAX);
	ab_json_write(&buf, deep);
	cr_expect(buf.failed && buf.too_big);
	ab_buf_fini(&buf);
	json_decref(deep);

	for (int i = 0; i < 1000; i++)
		json_array_append_new(long_list, json_integer(i));
	ab_buf_init(&buf, 1000);
	ab_json_write(&buf, long_list);
	cr_expect(buf.failed && buf.too_big);
	ab_buf_fini(&buf);
	json_decref(long_list);
}

Test(utf8, is_valid_or_not)
{
	static const struct {
		struct text text;
		bool valid;
	} rows[] = {
	        {T(""), true},
	        {T("a\0b"), true},
	        {T("\303\251\342\202\254\360\237\230\200"), true},
	        {T("\302\200\337\277"), true},
	        {T("\340\240\200\355\237\277\356\200\200\357\277\277"), true},
	        {T("\360\220\200\200\364\217\277\277"), true},
	        {T("\200"), false},
	        {T("a\277"), false},
	        {T("\300\200"), false},
	        {T("\301\277"), false},
	        {T("\340\237\277"), false},
	        {T("\355\240\200"), false},
	        {T("\355\277\277"), false},
	        {T("\360\217\277\277"), false},
	        {T("\364\220\200\200"), false},
	        {T("\370\210\200\200\200"), false},
	        {T("\376"), false},
	        {T("\303"), false},
	        {T("\342\202"), false},
	        {T("\360\237\230"), false},
	        {T("\303a"), false},
	        {T("\342\202a"), false},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++)
		cr_expect_eq(
		        ab_utf8_valid(rows[i].text.bytes, rows[i].text.len), rows[i].valid, "row %zu", i);
}
