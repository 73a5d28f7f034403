/* tests/handlers/test_http_mistakes.c: what kind `http` and `upstreams:` refuse at load, and in which words.
 */
#include "catalog.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static void setup(void)
{
	catalog_open(NULL);
}

TestSuite(http_mistakes, .init = setup, .fini = catalog_close, .timeout = 20);

static void expect_refused(const char *mapping, const char *want)
{
	char *quoted = test_quotes(want), *got = harness_refuse(&catalog_harness, "r", mapping);

	cr_assert_not_null(strstr(got, quoted), "%s\n  got:    %s\n  wanted: %s", mapping, got, quoted);
	free(quoted);
	free(got);
}

struct row {
	const char *text, *want;
};

Test(http_mistakes, of_a_resource_are_named)
{
	static const struct row rows[] = {
	        {"{`http`: 5}", "http"},
	        {"{`http`: `catalog/x`}", "expected METHOD upstream/path"},
	        {"{`http`: ``}", "expected METHOD upstream/path"},
	        {"{`http`: `get catalog/x`}", "unknown method 'get'; expected GET, HEAD, POST"},
	        {"{`http`: `get catalog/x`}", "did you mean 'GET'?"},
	        {"{`http`: `PSOT catalog/x`}", "did you mean 'POST'?"},
	        {"{`http`: `CONNECT catalog/x`}", "unknown method 'CONNECT'"},
	        {"{`http`: `GET http://127.0.0.1/x`}", "the origin stands under upstreams:"},
	        {"{`http`: `GET /x`}", "expected the name of an upstream"},
	        {"{`http`: `GET {x}/y`}", "expected the name of an upstream"},
	        {"{`http`: `GET catalog{x}`}", "expected the name of an upstream"},
	        {"{`http`: `GET catalgo/x`}", "no upstream 'catalgo'"},
	        {"{`http`: `GET catalog/x#y`}", "a fragment ('#') is never sent"},
	        {"{`http`: `GET catalog/x{#y}`}", "did you mean {x}?"},
	        {"{`http`: `GET catalog/{{x}}`}", "{x}"},
	        {"{`http`: `GET catalog/x`, `body`: {}}",
	                "a GET request has no body; expected POST, PUT or PATCH for body"},
	        {"{`http`: `HEAD catalog/x`, `form`: {}}", "a HEAD request has no body"},
	        {"{`http`: `POST catalog/x`, `body`: 5}", "body: expected a mapping or a list"},
	        {"{`http`: `POST catalog/x`, `body`: {}, `form`: {}}", "expected either body or form"},
	        {"{`http`: `POST catalog/x`, `form`: []}", "form"},
	        {"{`http`: `POST catalog/x`, `form`: {`a`: 1}}", "form: 'a': expected a string"},
	        {"{`http`: `GET catalog/x`, `returns`: `stream`}", "returns: stream is not there yet"},
	        {"{`http`: `GET catalog/x`, `returns`: `respons`}", "did you mean 'response'?"},
	        {"{`http`: `GET catalog/x`, `expect`: 99}", "expected statuses from 200 to 599"},
	        {"{`http`: `GET catalog/x`, `expect`: [`6xx`]}", "expected statuses from 200 to 599"},
	        {"{`http`: `GET catalog/x`, `expect`: {}}", "expected statuses from 200 to 599"},
	        {"{`http`: `GET catalog/x`, `headers`: []}", "headers"},
	        {"{`http`: `GET catalog/x`, `headers`: {`X`: [1]}}", "header X: expected a string"},
	        {"{`http`: `GET catalog/x`, `headers`: {`X Y`: `1`}}", "'X Y' is not a header name"},
	        {"{`http`: `GET catalog/x`, `headers`: {`X`: `a\\nb`}}", "control characters"},
	        {"{`http`: `GET catalog/x`, `headers`: {`X`: `1`, `x`: `2`}}", "the header x is set twice"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Host`: `evil`}}", "the header Host can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`connection`: `close`}}",
	                "the header connection can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Transfer-Encoding`: `chunked`}}", "can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Content-Length`: `5`}}", "can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Proxy-Authorization`: `5`}}", "can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Upgrade`: `h2c`}}", "can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`TE`: `trailers`}}", "can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Keep-Alive`: `5`}}", "can't be set"},
	        {"{`http`: `GET catalog/x`, `headers`: {`Expect`: `100-continue`}}", "can't be set"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refused(rows[i].text, rows[i].want);
}

Test(http_mistakes, of_one_resource_are_all_reported)
{
	char *got = harness_refuse(&catalog_harness, "r",
	        "{`http`: `GETT catalog/x`, `headers`: {`Host`: `x`}, `expect`: 1, `returns`: `x`, `form`: 5}");

	cr_assert_not_null(strstr(got, "GETT"));
	cr_assert_not_null(strstr(got, "Host"));
	cr_assert_not_null(strstr(got, "expect:"));
	cr_assert_not_null(strstr(got, "returns:"));
	cr_assert_not_null(strstr(got, "form"));
	free(got);
}

Test(http_mistakes, of_an_upstream_are_named)
{
	static const struct row rows[] = {
	        {"5", "an upstream"},
	        {"{}", "upstream 'other' has no url"},
	        {"{`url`: 5}", "url"},
	        {"{`url`: ``}", "is not a URL"},
	        {"{`url`: `127.0.0.1:9000`}", "url:"},
	        {"{`url`: `ftp://host`}", "expected http:// or https://, found ftp://"},
	        {"{`url`: `file:///etc/passwd`}", "expected http:// or https://"},
	        {"{`url`: `http://`}", "url:"},
	        {"{`url`: `http://user:secret@host`}", "url: a user does not belong"},
	        {"{`url`: `http://host/?q=1`}", "url: a query does not belong"},
	        {"{`url`: `http://host/#f`}", "url: a fragment does not belong"},
	        {"{`url`: `http://host:99999`}", "is not a URL"},
	        {"{`url`: `http://h`, `ulr`: 1}", "did you mean"},
	        {"{`url`: `http://h`, `timeout`: 5}", "timeout"},
	        {"{`url`: `http://h`, `connect_timeout`: `5`}", "connect_timeout"},
	        {"{`url`: `http://h`, `max_body`: 5}", "max_body"},
	        {"{`url`: `http://h`, `max_in_flight`: 0}", "max_in_flight"},
	        {"{`url`: `http://h`, `http2`: `yes`}", "http2"},
	        {"{`url`: `https://h`, `ca`: `/no/such/file`}", "ca: /no/such/file: No such file"},
	        {"{`url`: `https://h`, `cert`: `no-such-file`}", "cert: ./no-such-file: No such file"},
	        {"{`url`: `http://h`, `ca`: `/dev/null`}", "ca is for https:// upstreams only"},
	        {"{`url`: `http://h`, `http2`: true}", "http2 is for https:// upstreams only"},
	        {"{`url`: `https://h`, `ca`: `/dev/null`}",
	                "ca: /dev/null: expected a PEM file with a certificate"},
	        {"{`url`: `https://h`, `cert`: `/`}", "cert: /: Is a directory"},
	        {"{`url`: `http://h`, `proxy`: `socks5://h`}", "proxy: expected a URL that begins with http"},
	        {"{`url`: `http://h`, `headers`: {`X`: `{x}`}}", "the same for every request"},
	        {"{`url`: `http://h`, `headers`: {`Host`: `x`}}", "Host can't be set"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = catalog_upstream_mistakes(rows[i].text);

		cr_assert_not_null(strstr(got, rows[i].want), "%s\n  got:    %s\n  wanted: %s", rows[i].text,
		        got, rows[i].want);
		free(got);
	}
}

Test(http_mistakes, in_a_secret_url_do_not_show_it)
{
	char *got = catalog_upstream_mistakes("{`url`: `${http://s3cret host}`}");

	cr_assert_null(strstr(got, "s3cret"), "%s", got);
	free(got);
}

/* A file of these lines; the test removes it. */
static void write_pem(char *path, const char *lines)
{
	FILE *file;

	strcpy(path, "/tmp/anabranch-test-XXXXXX");
	file = fdopen(mkstemp(path), "w");
	cr_assert_not_null(file);
	fputs(lines, file);
	fclose(file);
}

Test(http_mistakes, are_not_made_by_a_full_upstream)
{
	char path[64], entry[1024], *got;

	write_pem(path, "-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n");
	snprintf(entry, sizeof(entry),
	        "{`url`: `https://[::1]:8443/base`, `timeout`: `300ms`, `connect_timeout`: `100ms`, `headers`: {`X`: "
	        "`${k{e}y}`, `Y`: `{\\\"a\\\": 1}`}, `max_body`: `64KiB`, `http2`: true, `ca`: `%s`, `cert`: `%s`, "
	        "`proxy`: `http://proxy:3128`, `max_in_flight`: 10}",
	        path, path);
	got = catalog_upstream_mistakes(entry);
	unlink(path);
	cr_assert_str_eq(got, "");
	free(got);
}

Test(http_mistakes, in_a_certificate_are_named)
{
	static const struct row rows[] = {
	        {"-----BEGIN CERTIFICATE-----\n", "expected a PEM file with the certificate's key"},
	        {"-----BEGIN PRIVATE KEY-----\n", "expected a PEM file with a certificate"},
	        {"-----BEGIN CERTIFICATE-----\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
	                "expected a PEM file with a key without a passphrase"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64], entry[256], *got;

		write_pem(path, rows[i].text);
		snprintf(entry, sizeof(entry), "{`url`: `https://h`, `cert`: `%s`}", path);
		got = catalog_upstream_mistakes(entry);
		unlink(path);
		cr_assert_not_null(strstr(got, rows[i].want), "%s", got);
		free(got);
	}
}

Test(http_mistakes, methods_but_get_and_head_make_a_write)
{
	static const struct {
		const char *mapping;
		bool writes;
	} rows[] = {
	        {"{`http`: `GET catalog/x`}", false},
	        {"{`http`: `HEAD catalog/x`}", false},
	        {"{`http`: `POST catalog/x`}", true},
	        {"{`http`: `DELETE catalog/x`}", true},
	        {"{`http`: `OPTIONS catalog/x`}", true},
	        {"{`http`: `GET catalog/x`, `writes`: true}", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ab_resource *resource =
		        ab_dispatcher_find(catalog_harness.dispatcher, catalog_add(rows[i].mapping));

		cr_assert_eq(resource->writes, rows[i].writes, "%s", rows[i].mapping);
		cr_assert_eq(resource->timeout_ms, 1000);
	}
}

Test(http_mistakes, a_plan_shows_the_line_without_secrets)
{
	static const struct row rows[] = {
	        {"{`http`: `GET catalog/products/{id}{?q}`}", "GET catalog/products/{id}{?q}"},
	        {"{`http`: `${GET catalog/products?key=s3cret}`}", "GET catalog/..."},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ab_resource *resource =
		        ab_dispatcher_find(catalog_harness.dispatcher, catalog_add(rows[i].text));
		char buf[128];

		ab_kind_http.describe(resource->config, buf, sizeof(buf));
		cr_assert_str_eq(buf, rows[i].want);
	}
}
