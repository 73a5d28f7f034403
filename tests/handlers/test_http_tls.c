/* tests/handlers/test_http_tls.c: https upstreams are verified, and get the certificate they ask for. The
 * other end is `openssl s_server`, with certificates made for the test. */
#include "../lib/process.h"
#include "catalog.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static struct process server;
static bool serving, opened;

static void openssl(const char *const *argv)
{
	struct process process;

	cr_assert_eq(
	        process_run(&process, argv, dir, 20000), 0, "%s %s: %s", argv[0], argv[1], process.err.data);
	process_end(&process);
}

/* A key and a certificate signed with it. */
static void make_certificate(const char *file, const char *subject)
{
	const char *const argv[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
	        "ec_paramgen_curve:P-256", "-nodes", "-keyout", file, "-out", file, "-days", "2", "-subj",
	        subject, "-addext", "subjectAltName=DNS:localhost", NULL};

	openssl(argv);
}

static void setup(void)
{
	strcpy(dir, "/tmp/anabranch-tls-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static void teardown(void)
{
	if (opened)
		catalog_close();
	if (serving)
		process_end(&server);
	remove_file("server.pem");
	remove_file("client.pem");
	rmdir(dir);
}

TestSuite(http_tls, .init = setup, .fini = teardown, .timeout = 60);

/* Serve, and open an upstream at `host` with these settings; "%s" in them is the folder of the certificates.
 */
static void serve(const char *host, bool asks, bool ca, bool cert)
{
	const char *const argv[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert",
	        "server.pem", "-key", "server.pem", asks ? "-CAfile" : NULL, "client.pem", "-Verify", "1",
	        "-verify_return_error", NULL};
	char url[128], settings[512], *port;

	make_certificate("server.pem", "/CN=upstream");
	make_certificate("client.pem", "/CN=anabranch");
	cr_assert(process_start(&server, argv, dir));
	serving = true;
	cr_assert(process_expect(&server, "ACCEPT 127.0.0.1:", 20000), "%s", server.err.data);
	cr_assert(process_expect(&server, "\n", 20000));
	port = strstr(server.out.data, "ACCEPT 127.0.0.1:") + strlen("ACCEPT 127.0.0.1:");
	snprintf(url, sizeof(url), "https://%s:%d/", host, atoi(port));
	snprintf(settings, sizeof(settings), "`timeout`: `9s`%s%s%s%s%s%s", ca ? ", `ca`: `" : "",
	        ca ? dir : "", ca ? "/server.pem`" : "", cert ? ", `cert`: `" : "", cert ? dir : "",
	        cert ? "/client.pem`" : "");
	catalog_open_at(url, settings);
	opened = true;
}

static void expect_outcome(const char *want)
{
	char *got = catalog_get_outcome("{`http`: `GET catalog/`}", NULL);

	cr_assert_not_null(strstr(got, want), "%s", got);
	free(got);
}

Test(http_tls, an_upstream_that_nobody_vouches_for_is_refused)
{
	serve("localhost", false, false, false);
	expect_outcome("UpstreamFailed 502 resource 'r0': GET catalog/: TLS: ");
}

Test(http_tls, an_upstream_that_the_ca_vouches_for_is_fine)
{
	serve("localhost", false, true, false);
	expect_outcome("s_server -accept");
}

Test(http_tls, a_certificate_for_another_name_is_refused)
{
	serve("other.localhost", false, true, false);
	expect_outcome("UpstreamFailed 502 resource 'r0': GET catalog/: TLS: ");
}

Test(http_tls, the_upstream_gets_our_certificate)
{
	serve("localhost", true, true, true);
	expect_outcome("anabranch\\n");
}

Test(http_tls, an_upstream_that_wants_a_certificate_fails_without_one)
{
	serve("localhost", true, true, false);
	expect_outcome("UpstreamFailed 502 resource 'r0': GET catalog/: ");
}
