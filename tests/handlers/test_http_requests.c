/* tests/handlers/test_http_requests.c: what is sent. A value never becomes syntax: whatever it holds, the
 * upstream gets it as that value and nothing else changes. */
#include "catalog.h"

#include <criterion/criterion.h>
#include <string.h>

static void setup(void)
{
	catalog_open(NULL);
}

TestSuite(http_requests, .init = setup, .fini = catalog_close, .timeout = 20);

#define NASTY "a/..?x=1&y=@#%2F\\\"'<b>; {z}"
#define NASTY_JSON "{`x`: `a/..?x=1&y=@#%2F\\\\\\\"'<b>; {z}`}"
#define NASTY_ENCODED "a%2F..%3Fx%3D1%26y%3D%40%23%252F%5C%22%27%3Cb%3E%3B%20%7Bz%7D"

static void expect_echo(
        const char *mapping, const char *given, const char *object, const char *key, const char *want)
{
	char *got = catalog_echo(mapping, given, object, key);

	if (want == NULL)
		cr_assert_null(got, "%s: %s is there: %s", mapping, key, got);
	else
		cr_assert(got != NULL && strcmp(got, want) == 0, "%s: %s\n  got:    %s\n  wanted: %s",
		        mapping, key, got, want);
	free(got);
}

/* ---- target ---- */

Test(http_requests, a_value_in_the_path_stays_one_segment)
{
	expect_echo("{`http`: `GET catalog/echo/{x}/end`}", NASTY_JSON, NULL, "target",
	        "/echo/" NASTY_ENCODED "/end");
}

Test(http_requests, a_value_in_the_query_stays_one_parameter)
{
	expect_echo("{`http`: `GET catalog/echo{?x,n}`}",
	        "{`n`: 5, `x`: `a/..?x=1&y=@#%2F\\\\\\\"'<b>; {z}`}", NULL, "target",
	        "/echo?x=" NASTY_ENCODED "&n=5");
	expect_echo("{`http`: `GET catalog/echo?fixed=1&x={x}`}", NASTY_JSON, NULL, "target",
	        "/echo?fixed=1&x=" NASTY_ENCODED);
}

Test(http_requests, line_ends_and_nul_in_the_target_are_encoded)
{
	expect_echo("{`http`: `GET catalog/echo/{x}`}", "{`x`: `a\\r\\nHost: evil\\u0000`}", NULL, "target",
	        "/echo/a%0D%0AHost%3A%20evil%00");
}

Test(http_requests, a_dot_segment_from_a_value_is_refused)
{
	char *outcome = catalog_get_outcome("{`http`: `GET catalog/echo/{x}/json`}", "{`x`: `..`}");

	cr_assert(strncmp(outcome, "InvalidInput 400", 16) == 0, "%s", outcome);
	free(outcome);
	cr_assert_eq(fake_upstream_requests(catalog_fake), 0);
}

Test(http_requests, a_missing_or_empty_value_in_the_path_sends_nothing)
{
	static const char *const givens[] = {"{`x`: null}", "{`x`: ``}", "{`x`: {}}"};

	for (size_t i = 0; i < sizeof(givens) / sizeof(givens[0]); i++) {
		char *outcome = catalog_get_outcome("{`http`: `GET catalog/echo/{x}`}", givens[i]);

		cr_assert(strncmp(outcome, "InvalidInput 400", 16) == 0, "%s: %s", givens[i], outcome);
		free(outcome);
	}
	cr_assert_eq(fake_upstream_requests(catalog_fake), 0);
}

Test(http_requests, raw_values_still_end_no_line_and_make_no_fragment)
{
	static const char *const values[] = {"{`x`: `a b`}", "{`x`: `a#b`}", "{`x`: `a\\r\\nX: y`}"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct harness_run *run =
		        catalog_get("{`http`: `GET catalog/echo/{+x}`, `raw`: [`x`]}", values[i]);
		const char *target = json_string_value(json_object_get(run->value, "target"));

		/* encoded or refused, never as it is */
		cr_assert(target == NULL || strpbrk(target, " #\r\n") == NULL, "%s", target);
		harness_run_end(run);
	}
	for (size_t i = 0; i < fake_upstream_requests(catalog_fake); i++) {
		char *raw = fake_upstream_request(catalog_fake, i);

		cr_assert_null(strstr(raw, "\r\nX: y"), "%s", raw);
		free(raw);
	}
}

Test(http_requests, the_path_may_be_left_out)
{
	expect_echo("{`http`: `GET catalog{/x*}`}", "{`x`: [`echo`, `b`]}", NULL, "target", "/echo/b");
	catalog_expect("{`http`: `GET catalog`}", NULL, "Missing 404 GET catalog/: answered 404");
	catalog_expect("{`http`: `GET catalog?x=1`}", NULL, "Missing 404 GET catalog/: answered 404");
	char *raw = fake_upstream_request(catalog_fake, 2);
	cr_assert(strncmp(raw, "GET /?x=1 HTTP/1.1\r\n", 20) == 0, "%s", raw);
	free(raw);
}

Test(http_requests, a_target_over_its_limit_is_refused)
{
	size_t len = 80000;
	char *given = malloc(len + 16), *outcome;

	memset(given, 'x', len + 16);
	memcpy(given, "{`x`: `", 7);
	memcpy(given + len, "`}", 3);
	outcome = catalog_get_outcome("{`http`: `GET catalog/echo/{x}`}", given);
	cr_assert_not_null(strstr(outcome, "the target over 64 KiB"), "%s", outcome);
	free(outcome);
	free(given);
	cr_assert_eq(fake_upstream_requests(catalog_fake), 0);
}

/* ---- headers ---- */

Test(http_requests, a_value_in_a_header_arrives_as_it_is)
{
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`X-Value`: `<{x}>`}}", NASTY_JSON, "headers",
	        "x-value", "<" NASTY ">");
}

Test(http_requests, control_characters_in_a_header_fail_the_resource)
{
	static const char *const values[] = {
	        "{`x`: `a\\r\\nX-Evil: 1`}", "{`x`: `a\\nb`}", "{`x`: `a\\u0000b`}", "{`x`: `a\\u007fb`}"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *outcome = catalog_get_outcome(
		        "{`http`: `GET catalog/echo`, `headers`: {`X-Value`: `{x}`}}", values[i]);

		cr_assert(strncmp(outcome, "InvalidInput 400", 16) == 0, "%s: %s", values[i], outcome);
		cr_assert_null(strstr(outcome, "Evil"), "the value is in the error: %s", outcome);
		free(outcome);
	}
	cr_assert_eq(fake_upstream_requests(catalog_fake), 0);
}

Test(http_requests, a_header_without_a_value_is_not_sent)
{
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`X-Value`: `{x}`, `X-Other`: `1`}}",
	        "{`x`: null}", "headers", "x-value", NULL);
}

Test(http_requests, an_empty_header_is_sent_empty)
{
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`X-Value`: `{x}`}}", "{`x`: ``}", "headers",
	        "x-value", "");
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`X-Value`: `{x}`}}", "{`x`: `   `}", "headers",
	        "x-value", "");
	expect_echo(
	        "{`http`: `GET catalog/echo`, `headers`: {`X-Value`: ``}}", NULL, "headers", "x-value", "");
}

Test(http_requests, headers_follow_each_request_on_a_kept_handle)
{
	const char *name = catalog_add(
	        "{`http`: `GET catalog/echo`, `headers`: {`X-A`: `{a}`, `X-B`: `{b}`, `X-C`: `c`}}");
	static const struct {
		const char *given, *a, *b;
	} rows[] = {{"{`a`: `1`, `b`: `2`}", "1", "2"}, {"{`a`: null, `b`: `3`}", NULL, "3"},
	        {"{`a`: null, `b`: null}", NULL, NULL},
	        {"{`a`: `a much longer value than before`, `b`: `4`}", "a much longer value than before",
	                "4"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness_run *run = harness_get(&catalog_harness, name, rows[i].given);
		json_t *headers = json_object_get(run->value, "headers");
		const char *a = json_string_value(json_object_get(headers, "x-a"));
		const char *b = json_string_value(json_object_get(headers, "x-b"));

		cr_assert((a == NULL) == (rows[i].a == NULL) && (a == NULL || strcmp(a, rows[i].a) == 0),
		        "row %zu", i);
		cr_assert((b == NULL) == (rows[i].b == NULL) && (b == NULL || strcmp(b, rows[i].b) == 0),
		        "row %zu", i);
		cr_assert_str_eq(json_string_value(json_object_get(headers, "x-c")), "c");
		harness_run_end(run);
	}
	cr_assert_eq(catalog_counted().handles, 1);
}

Test(http_requests, the_request_id_and_the_trace_go_on)
{
	catalog_harness.request_id = "r-1";
	catalog_harness.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	expect_echo("{`http`: `GET catalog/echo`}", NULL, "headers", "x-request-id", "r-1");
	expect_echo(
	        "{`http`: `GET catalog/echo`}", NULL, "headers", "traceparent", catalog_harness.traceparent);
	catalog_harness.request_id = NULL;
	catalog_harness.traceparent = NULL;
	expect_echo("{`http`: `GET catalog/echo`}", NULL, "headers", "x-request-id", NULL);
	expect_echo("{`http`: `GET catalog/echo`}", NULL, "headers", "traceparent", NULL);
}

Test(http_requests, a_request_id_of_the_file_is_sent_once)
{
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`x-request-id`: `mine`}}", NULL, "headers",
	        "x-request-id", "mine");
}

Test(http_requests, no_more_headers_are_sent_than_needed)
{
	struct harness_run *run = catalog_get("{`http`: `GET catalog/echo`}", NULL);
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(run->value, "headers"), key, value) cr_assert(
	        strcmp(key, "host") == 0 || strcmp(key, "user-agent") == 0 || strcmp(key, "accept") == 0 ||
	                strcmp(key, "accept-encoding") == 0 || strcmp(key, "x-request-id") == 0,
	        "%s is sent", key);
	harness_run_end(run);
}

/* ---- bodies ---- */

Test(http_requests, a_structure_is_sent_as_json)
{
	const char *mapping =
	        "{`http`: `POST catalog/echo`, `body`: {`name`: `{x}`, `list`: [1, true, null, `{n}`]}}";

	expect_echo(mapping, "{`n`: {`k`: [2.5]}, `x`: `a\\\"\\\\b\\r\\n{z}`}", NULL, "body",
	        "{\"name\":\"a\\\"\\\\b\\r\\n{z}\",\"list\":[1,true,null,{\"k\":[2.5]}]}");
	expect_echo(mapping, "{`x`: 1, `n`: 2}", "headers", "content-type", "application/json");
	expect_echo(mapping, "{`x`: 1, `n`: 2}", NULL, "method", "POST");
}

Test(http_requests, a_string_is_sent_as_text)
{
	expect_echo("{`http`: `POST catalog/echo`, `body`: `Dear {x}, {{1}}`}", "{`x`: `Ann`}", NULL, "body",
	        "Dear Ann, {1}");
	expect_echo("{`http`: `POST catalog/echo`, `body`: `Dear {x}`}", "{`x`: `Ann`}", "headers",
	        "content-type", "text/plain; charset=utf-8");
}

Test(http_requests, a_body_that_is_one_placeholder_keeps_the_values_type)
{
	const char *mapping = "{`http`: `PUT catalog/echo`, `body`: `{x}`}";

	expect_echo(mapping, "{`x`: {`a`: 1}}", NULL, "body", "{\"a\":1}");
	expect_echo(mapping, "{`x`: {`a`: 1}}", "headers", "content-type", "application/json");
	expect_echo(mapping, "{`x`: `plain \\\"text\\\"`}", NULL, "body", "plain \"text\"");
	expect_echo(mapping, "{`x`: `text`}", "headers", "content-type", "text/plain; charset=utf-8");
	expect_echo(mapping, "{`x`: null}", NULL, "body", "");
	expect_echo(mapping, "{`x`: null}", "headers", "content-type", NULL);
	expect_echo(mapping, "{`x`: null}", "headers", "content-length", "0");
}

Test(http_requests, a_content_type_of_the_file_wins)
{
	expect_echo(
	        "{`http`: `POST catalog/echo`, `body`: [1], `headers`: {`content-type`: `application/vnd.x+json`}}",
	        NULL, "headers", "content-type", "application/vnd.x+json");
}

Test(http_requests, form_values_are_encoded_and_missing_ones_left_out)
{
	const char *mapping =
	        "{`http`: `POST catalog/echo`, `form`: {`a&b`: `{x}`, `n`: `{n}`, `c`: `1 + {{1}}`}}";

	expect_echo(mapping, "{`n`: null, `x`: `a/..?x=1&y=@#%2F\\\\\\\"'<b>; {z}\\r\\n`}", NULL, "body",
	        "a%26b=a%2F..%3Fx%3D1%26y%3D%40%23%252F%5C%22%27%3Cb%3E%3B+%7Bz%7D%0D%0A&c=1+%2B+%7B1%7D");
	expect_echo(
	        mapping, "{`n`: 1, `x`: 2}", "headers", "content-type", "application/x-www-form-urlencoded");
}

Test(http_requests, each_method_is_sent_as_itself)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		bool says_length = methods[i][0] == 'P';
		char mapping[64];

		snprintf(mapping, sizeof(mapping), "{`http`: `%s catalog/echo`}", methods[i]);
		expect_echo(mapping, NULL, NULL, "method", methods[i]);
		expect_echo(mapping, NULL, "headers", "content-length", says_length ? "0" : NULL);
		expect_echo(mapping, NULL, "headers", "content-type", NULL);
	}
	expect_echo("{`http`: `DELETE catalog/echo`, `body`: [1]}", NULL, NULL, "body", "[1]");
	expect_echo("{`http`: `DELETE catalog/echo`, `body`: [1]}", NULL, NULL, "method", "DELETE");
}

Test(http_requests, a_large_body_is_sent_without_waiting_for_continue)
{
	static char given[1200000];
	char *raw;

	memset(given, 'x', sizeof(given));
	memcpy(given, "{`x`: `", 7);
	memcpy(given + sizeof(given) - 3, "`}", 3);
	catalog_expect("{`http`: `POST catalog/status/200`, `body`: `{x}`, `timeout`: `10s`}", given,
	        "{`status`:200}");
	raw = fake_upstream_request(catalog_fake, 0);
	cr_assert_not_null(strstr(raw, "\r\nContent-Length: 1199990\r\n"));
	cr_assert_null(strstr(raw, "Expect"));
	free(raw);
}

/* ---- upstream settings ---- */

static void reopen(const char *settings)
{
	catalog_close_client();
	catalog_open_at(fake_upstream_url(catalog_fake), settings);
}

Test(http_requests, headers_of_the_upstream_are_sent_unless_the_resource_has_its_own)
{
	reopen("`headers`: {`X-Key`: `${s3cret}`, `X-Both`: `upstream`, `X-Num`: 5}");
	expect_echo("{`http`: `GET catalog/echo`}", NULL, "headers", "x-key", "s3cret");
	expect_echo("{`http`: `GET catalog/echo`}", NULL, "headers", "x-num", "5");
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`x-both`: `mine`}}", NULL, "headers", "x-both",
	        "mine");
	expect_echo("{`http`: `GET catalog/echo`, `headers`: {`x-both`: `{x}`}}", "{`x`: null}", "headers",
	        "x-both", NULL);
}

Test(http_requests, the_base_path_goes_in_front)
{
	char url[96];

	snprintf(url, sizeof(url), "%s/echo/base%%20path/", fake_upstream_url(catalog_fake));
	catalog_close_client();
	catalog_open_at(url, NULL);
	expect_echo("{`http`: `GET catalog/a`}", NULL, NULL, "target", "/echo/base%20path/a");
	expect_echo("{`http`: `GET catalog?a=1`}", NULL, NULL, "target", "/echo/base%20path?a=1");
	expect_echo("{`http`: `GET catalog`}", NULL, NULL, "target", "/echo/base%20path");
	expect_echo("{`http`: `GET catalog{?q}`}", "{`q`: null}", NULL, "target", "/echo/base%20path");
	expect_echo("{`http`: `GET catalog{/q}`}", "{`q`: `x`}", NULL, "target", "/echo/base%20path/x");
}

Test(http_requests, a_proxy_of_the_environment_is_not_used)
{
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	expect_echo("{`http`: `GET catalog/echo`}", NULL, NULL, "method", "GET");
}

Test(http_requests, a_proxy_of_the_file_is_asked_for_the_whole_url)
{
	char settings[96], *outcome, *raw;

	setenv("no_proxy", "*", 1);
	snprintf(settings, sizeof(settings), "`proxy`: `%s`", fake_upstream_url(catalog_fake));
	catalog_close_client();
	catalog_open_at("http://catalog.invalid/base", settings);
	outcome = catalog_get_outcome("{`http`: `GET catalog/echo/{x}`}", "{`x`: `a/b`}");
	raw = fake_upstream_request(catalog_fake, 0);
	cr_assert(raw != NULL &&
	                  strncmp(raw, "GET http://catalog.invalid/base/echo/a%2Fb HTTP/1.1\r\n", 53) == 0,
	        "%s, %s", outcome, raw);
	cr_assert_not_null(strstr(raw, "\r\nHost: catalog.invalid\r\n"), "%s", raw);
	cr_assert_not_null(strstr(outcome, "GET catalog/echo/a%2Fb: answered 404"), "%s", outcome);
	free(raw);
	free(outcome);
}
