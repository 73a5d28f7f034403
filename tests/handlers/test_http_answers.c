/* tests/handlers/test_http_answers.c: what comes back from an upstream, well or ill. */
#include "catalog.h"

#include <criterion/criterion.h>
#include <string.h>

#define DOCUMENT "{`id`:1,`name`:`Lamp`,`price`:149.95,`tags`:[`a`,`b`]}"

static void setup(void)
{
	catalog_open(NULL);
}

TestSuite(http_answers, .init = setup, .fini = catalog_close, .timeout = 20);

Test(http_answers, a_json_body_is_parsed)
{
	catalog_expect("{`http`: `GET catalog/json`}", NULL, DOCUMENT);
}

Test(http_answers, any_type_ending_in_json_is_parsed)
{
	catalog_expect("{`http`: `GET catalog/json-suffix`}", NULL, DOCUMENT);
}

Test(http_answers, the_media_type_is_read_without_regard_to_case_or_parameters)
{
	catalog_expect("{`http`: `GET catalog/reply?type=Application/JSON%20%20;charset=utf-8&body=%5B1%5D`}",
	        NULL, "[1]");
	catalog_expect("{`http`: `GET catalog/reply?type=application/jsonx&body=%5B1%5D`}", NULL, "`[1]`");
}

Test(http_answers, any_other_type_is_text)
{
	catalog_expect("{`http`: `GET catalog/text`}", NULL, "`Hello from upstream`");
}

Test(http_answers, an_empty_body_is_null)
{
	catalog_expect("{`http`: `GET catalog/204`}", NULL, "null");
	catalog_expect("{`http`: `GET catalog/empty`}", NULL, "null");
}

Test(http_answers, a_head_request_gives_null)
{
	catalog_expect("{`http`: `HEAD catalog/json`}", NULL, "null");
	cr_assert_eq(fake_upstream_requests(catalog_fake), 1);
}

Test(http_answers, compressed_and_chunked_bodies_are_decoded)
{
	catalog_expect("{`http`: `GET catalog/gzip`}", NULL, DOCUMENT);
	catalog_expect("{`http`: `GET catalog/chunked`}", NULL, DOCUMENT);
}

Test(http_answers, an_integer_beyond_64_bits_does_not_lose_the_document)
{
	catalog_expect("{`http`: `GET catalog/reply?body=%7B%22a%22:18446744073709551616,%22b%22:1%7D`}",
	        NULL, "{`a`:`18446744073709551616`,`b`:1}");
}

Test(http_answers, a_whole_response_has_status_headers_body_and_time)
{
	struct harness_run *run = catalog_get("{`http`: `GET catalog/headers`, `returns`: `response`}", NULL);
	json_t *headers = json_object_get(run->value, "headers");

	cr_assert_eq(run->code, AB_OK);
	cr_assert_eq(json_integer_value(json_object_get(run->value, "status")), 200);
	cr_assert(json_is_object(json_object_get(run->value, "body")));
	cr_assert(json_is_real(json_object_get(run->value, "ms")));
	cr_assert_str_eq(json_string_value(json_object_get(headers, "x_twice")), "one, two");
	cr_assert_str_eq(json_string_value(json_object_get(headers, "x_cased_name")), "padded");
	cr_assert_str_eq(json_string_value(json_object_get(headers, "etag")), "\"v1\"");
	cr_assert_str_eq(json_string_value(json_object_get(headers, "x_empty")), "");
	harness_run_end(run);
}

Test(http_answers, a_response_with_an_expected_status_keeps_it)
{
	struct harness_run *run = catalog_get(
	        "{`http`: `GET catalog/status/404`, `returns`: `response`, `expect`: [200, 404]}", NULL);

	cr_assert_eq(run->code, AB_OK);
	cr_assert_eq(json_integer_value(json_object_get(run->value, "status")), 404);
	harness_run_end(run);
}

Test(http_answers, expect_decides_which_statuses_are_fine)
{
	catalog_expect("{`http`: `GET catalog/status/201`}", NULL, "{`status`:201}");
	catalog_expect("{`http`: `GET catalog/status/404`, `expect`: [404]}", NULL, "{`status`:404}");
	catalog_expect("{`http`: `GET catalog/status/418`, `expect`: `4xx`}", NULL, "{`status`:418}");
	catalog_expect("{`http`: `GET catalog/status/200`, `expect`: 201}", NULL,
	        "UpstreamFailed 502 GET catalog/status/200: answered 200");
}

Test(http_answers, an_unexpected_status_names_upstream_method_path_and_status)
{
	catalog_expect("{`http`: `GET catalog/status/500`}", NULL,
	        "UpstreamFailed 502 GET catalog/status/500: answered 500");
	catalog_expect("{`http`: `DELETE catalog/status/503`}", NULL,
	        "UpstreamFailed 502 DELETE catalog/status/503: answered 503");
}

Test(http_answers, not_found_and_gone_are_missing)
{
	catalog_expect("{`http`: `GET catalog/status/404`}", NULL,
	        "Missing 404 GET catalog/status/404: answered 404");
	catalog_expect("{`http`: `GET catalog/status/410`}", NULL,
	        "Missing 404 GET catalog/status/410: answered 410");
	catalog_expect("{`http`: `GET catalog/status/404`, `missing`: null}", NULL, "null");
	catalog_expect("{`http`: `GET catalog/status/404`, `missing`: 401}", NULL,
	        "Missing 401 GET catalog/status/404: answered 404");
}

Test(http_answers, a_passed_status_becomes_ours)
{
	catalog_expect("{`http`: `GET catalog/status/401`, `pass`: [401, 403]}", NULL,
	        "Forbidden 401 GET catalog/status/401: answered 401");
	catalog_expect("{`http`: `GET catalog/status/403`, `pass`: [401, 403]}", NULL,
	        "Forbidden 403 GET catalog/status/403: answered 403");
	catalog_expect("{`http`: `GET catalog/status/409`, `pass`: [409]}", NULL,
	        "UpstreamFailed 409 GET catalog/status/409: answered 409");
	catalog_expect("{`http`: `GET catalog/status/403`, `pass`: [401]}", NULL,
	        "UpstreamFailed 502 GET catalog/status/403: answered 403");
}

Test(http_answers, redirects_are_not_followed)
{
	catalog_expect("{`http`: `GET catalog/redirect`}", NULL,
	        "UpstreamFailed 502 GET catalog/redirect: answered 302 (redirects are not followed)");
	cr_assert_eq(fake_upstream_requests(catalog_fake), 1);
}

Test(http_answers, an_error_shows_neither_the_query_nor_a_secret)
{
	catalog_expect("{`http`: `GET catalog/status/500?token={x}`}", "{`x`: `abc`}",
	        "UpstreamFailed 502 GET catalog/status/500: answered 500");
	catalog_expect("{`http`: `${GET catalog/status/500}`}", NULL,
	        "UpstreamFailed 502 GET catalog/...: answered 500");
}

/* ---- faults ---- */

Test(http_answers, broken_json_is_an_error_that_says_where)
{
	catalog_expect("{`http`: `GET catalog/badjson`}", NULL,
	        "UpstreamFailed 502 GET catalog/badjson: not JSON: line 1, column 10: expected a value, found the end of "
	        "the text");
}

Test(http_answers, text_that_is_not_utf8_is_an_error)
{
	catalog_expect("{`http`: `GET catalog/badutf8`}", NULL,
	        "UpstreamFailed 502 GET catalog/badutf8: answered bytes that are no UTF-8 text (text/plain)");
}

Test(http_answers, a_body_over_the_cap_is_cut_off)
{
	catalog_expect("{`http`: `GET catalog/endless`}", NULL,
	        "UpstreamFailed 502 GET catalog/endless: body over 1 MiB");
	catalog_expect("{`http`: `GET catalog/big?bytes=1048577`}", NULL,
	        "UpstreamFailed 502 GET catalog/big: body over 1 MiB");
}

Test(http_answers, a_body_of_exactly_the_cap_is_fine)
{
	struct harness_run *run = catalog_get("{`http`: `GET catalog/big?bytes=1048576`}", NULL);

	cr_assert_eq(run->code, AB_OK);
	cr_assert_eq(json_string_length(run->value), 1048574);
	harness_run_end(run);
}

Test(http_answers, a_gzip_bomb_is_cut_off_at_the_decoded_cap)
{
	catalog_expect("{`http`: `GET catalog/gzip-bomb`}", NULL,
	        "UpstreamFailed 502 GET catalog/gzip-bomb: body over 1 MiB");
}

Test(http_answers, endless_headers_are_cut_off)
{
	catalog_expect("{`http`: `GET catalog/endless-head`}", NULL,
	        "UpstreamFailed 502 GET catalog/endless-head: headers over 64 KiB");
	catalog_expect("{`http`: `GET catalog/endless-1xx`, `returns`: `response`}", NULL,
	        "UpstreamFailed 502 GET catalog/endless-1xx: headers over 64 KiB");
}

Test(http_answers, a_body_shorter_than_it_said_is_an_error)
{
	catalog_expect("{`http`: `GET catalog/short-length`}", NULL,
	        "UpstreamFailed 502 GET catalog/short-length: the connection was closed in the middle of the answer");
}

Test(http_answers, bytes_beyond_the_said_length_never_reach_the_next_fetch)
{
	catalog_expect("{`http`: `GET catalog/long-body`}", NULL, "12345");
	catalog_expect("{`http`: `GET catalog/json`}", NULL, DOCUMENT);
	cr_assert_eq(fake_upstream_connects(catalog_fake), 2);
}

Test(http_answers, resets_and_closes_are_errors)
{
	catalog_expect("{`http`: `GET catalog/reset`}", NULL,
	        "UpstreamFailed 502 GET catalog/reset: the connection broke off");
	catalog_expect("{`http`: `GET catalog/reset-in-body`}", NULL,
	        "UpstreamFailed 502 GET catalog/reset-in-body: the connection broke off");
	catalog_expect("{`http`: `GET catalog/close`}", NULL,
	        "UpstreamFailed 502 GET catalog/close: the connection was closed before an answer");
}

Test(http_answers, what_is_not_http_is_an_error)
{
	catalog_expect("{`http`: `GET catalog/garbage-status`}", NULL,
	        "UpstreamFailed 502 GET catalog/garbage-status: the answer is not HTTP");
	catalog_expect("{`http`: `GET catalog/garbage-head`}", NULL,
	        "UpstreamFailed 502 GET catalog/garbage-head: the answer is not HTTP");
}

/* Each fault leaves the client able to fetch again, and no handle or transfer behind. */
Test(http_answers, a_fault_does_not_harm_the_next_fetch)
{
	static const char *const faults[] = {"stall-before", "stall-in-head", "stall-in-body", "endless",
	        "endless-head", "endless-1xx", "drip", "gzip-bomb", "short-length", "long-body", "badjson",
	        "badutf8", "reset", "reset-in-body", "close", "garbage-status", "garbage-head", "status/500"};
	const char *good = catalog_add("{`http`: `GET catalog/json`}");

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct harness_run *run;
		char mapping[96];

		snprintf(mapping, sizeof(mapping), "{`http`: `GET catalog/%s`, `timeout`: `100ms`}",
		        faults[i]);
		run = catalog_get(mapping, NULL);
		cr_assert(run->code != AB_OK || strcmp(faults[i], "long-body") == 0, "%s", faults[i]);
		harness_run_end(run);
		run = harness_get(&catalog_harness, good, NULL);
		cr_assert_eq(run->code, AB_OK, "after %s: %s", faults[i],
		        run->error == NULL ? "" : run->error->text);
		harness_run_end(run);
	}
}
