/* tests/server/test_check.c: `anabranch check` end to end: what goes where, and exit codes. */
#include "../lib/process.h"
#include "appfile.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 20000 };

TestSuite(check, .timeout = 60);

/* `anabranch check NAME` in the folder the test is in. */
static void check(const char *name, int exit_code, const char *out, const char *err)
{
	const char *argv[] = {process_anabranch(), "check", name, NULL};
	struct process process;

	cr_expect_eq(process_run(&process, argv, NULL, TIMEOUT_MS), exit_code, "exit %d, '%s' '%s'",
	        process.exit_code, process.out.data, process.err.data);
	cr_expect_str_eq(process.out.data, out);
	cr_expect_str_eq(process.err.data, err);
	process_end(&process);
}

static void with_file(const char *text, int exit_code, const char *out, const char *err)
{
	struct appfile f;

	appfile_begin(&f);
	appfile_write("app.yaml", text, strlen(text));
	check("app.yaml", exit_code, out, err);
	cr_expect(access("x.db", F_OK) != 0, "check makes no database");
	appfile_close(&f);
}

Test(check, a_fine_app_is_counted)
{
	with_file("databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
	          "resources:\n"
	          "  users: {sql: SELECT id FROM users}\n"
	          "  page: {text: \"{{users}}\"}\n"
	          "routes:\n"
	          "  GET /: page\n",
	        0, "app.yaml: fine: 2 resources, 1 route\n", "");
}

Test(check, hints_are_no_mistakes)
{
	with_file("resources: {a: 1, b: 2}\n"
	          "routes: {GET /: a}\n",
	        0, "app.yaml: fine: 2 resources, 1 route\n",
	        "hint: app.yaml:1:19: no route uses resource 'b'\n");
}

Test(check, mistakes_come_in_the_order_of_the_file_and_exit_2)
{
	with_file("routes:\n"
	          "  GET /: pgae\n"
	          "resources:\n"
	          "  page: {txt: x}\n"
	          "  size: 0x10\n",
	        2, "",
	        "app.yaml:2:10: answer: no resource 'pgae'; did you mean 'page'?\n"
	        "app.yaml:4:3: resource 'page' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native; did "
	        "you mean 'text'?\n"
	        "app.yaml:5:9: unquoted 0x10 could be a string or a number; expected \"0x10\" or 16\n");
}

Test(check, a_file_that_is_not_there_is_a_mistake)
{
	check("/nonexistent/app.yaml", 2, "",
	        "/nonexistent/app.yaml:1:1: cannot read the app file: no such file\n");
}
