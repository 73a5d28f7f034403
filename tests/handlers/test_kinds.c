/* tests/handlers/test_kinds.c: the kinds `value`, `json` and `url`, run by the engine. */
#include "../../handlers/kinds.h"
#include "../lib/harness.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(kinds, .timeout = 20);

static void check_value(struct harness *h, const char *name, const char *given, const char *expected)
{
	struct harness_run *run = harness_get(h, name, given);
	char *quoted = test_quotes(expected), *got;

	cr_assert_eq(run->code, AB_OK, "%s: %s", name, run->error != NULL ? run->error->text : "");
	got = json_dumps(run->value, JSON_COMPACT | JSON_ENCODE_ANY);
	cr_expect_str_eq(got, quoted);
	free(got);
	free(quoted);
	harness_run_end(run);
}

static void check_failure(
        struct harness *h, const char *name, const char *given, enum ab_code code, const char *says)
{
	struct harness_run *run = harness_get(h, name, given);

	cr_expect_eq(run->code, code);
	cr_assert_not_null(run->error);
	cr_expect(strstr(run->error->text, says) != NULL, "%s", run->error->text);
	harness_run_end(run);
}

Test(kinds, a_value_is_what_stands_there)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "v", "{`value`: {`a`: [1, -0.5, null, true, `{x}`, `${env}`]}}"));
	cr_assert(harness_add(&h, "n", "{`value`: null}"));
	check_value(&h, "v", NULL, "{`a`:[1,-0.5,null,true,`{x}`,`env`]}");
	check_value(&h, "n", NULL, "null");
	harness_close(&h);
}

Test(kinds, json_fills_its_structure_from_other_resources)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "user", "{`value`: {`name`: `Ada`, `tags`: [1, 2]}}"));
	cr_assert(harness_add(
	        &h, "page", "{`json`: {`n`: `{user.name}!`, `t`: `{user.tags}`, `g`: `{given_one.x}`}}"));
	check_value(&h, "page", "{`given_one`: {`x`: 3}}", "{`n`:`Ada!`,`t`:[1,2],`g`:3}");
	cr_assert(harness_add(&h, "bad", "{`json`: [`t: {user.tags}`]}"));
	check_failure(&h, "bad", NULL, AB_EINVALID, "{user.tags} is a list");
	harness_close(&h);
}

Test(kinds, url_is_a_link_as_the_rfc_has_it)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "link", "{`url`: `/p/{id}{?q,page}`}"));
	check_value(&h, "link", "{`id`: `a/b`, `q`: `c&d`, `page`: null}", "`/p/a%2Fb?q=c%26d`");
	check_value(&h, "link", "{`id`: null, `q`: [1, 2], `page`: 3}", "`/p/?q=1,2&page=3`");
	check_failure(&h, "link", "{`id`: 1, `q`: [[1]], `page`: 3}", AB_EINVALID, "{q} holds a list");
	cr_assert(harness_add(&h, "away", "{`url`: `/{/id}`}"));
	check_failure(&h, "away", "{`id`: `evil.example`}", AB_EINVALID, "lead to another host");
	harness_close(&h);
}

Test(kinds, mistakes_leave_nothing_behind)
{
	static const struct {
		const char *mapping, *says;
	} rows[] = {
	        {"{`json`: {`a`: `{{x}}`}}", "expected {x} here"},
	        {"{`url`: `/{{x}}`}", "expected {x} here"},
	        {"{`url`: `{id}`}", "could make its origin"},
	        {"{`url`: `//{id}/x`}", "could make its origin"},
	        {"{`url`: `http://{id}/x`}", "could make its origin"},
	        {"{`url`: `https://a.{id}/`}", "could make its origin"},
	        {"{`url`: `{id}/x`}", "could make its origin"},
	        {"{`url`: 3}", "url is the number 3; expected a string"},
	};
	struct harness h;

	harness_open(&h);
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char *mistakes = harness_refuse(&h, "bad", rows[i].mapping);

		cr_expect(strstr(mistakes, rows[i].says) != NULL, "%s: %s", rows[i].mapping, mistakes);
		free(mistakes);
	}
	harness_close(&h);
}

Test(kinds, describe_themselves_without_secrets)
{
	static const struct {
		const struct ab_kind *kind;
		const char *value, *expected;
	} rows[] = {
	        {&ab_kind_value, "{`a`: [1, `x`]}", "{\"a\":[1,\"x\"]}"},
	        {&ab_kind_value, "[1, {`a`: `${hidden}`}]", "from ${...}"},
	        {&ab_kind_value, "`0123456789012345678901234567890123456789012345678901234567890123456789`",
	                "a long string"},
	        {&ab_kind_url, "`/p/{id}`", "/p/{id}"},
	        {&ab_kind_url, "`${/hidden}`", "with a part from ${...}"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct test_conf *conf = test_conf_create(rows[i].value);
		struct ab_resource resource = {.name = "r"};
		struct ab_diags *diags = ab_diags_create();
		struct ab_scope scope;
		struct ab_compile compile = {.diags = diags,
		        .name = "r",
		        .value = test_conf_root(conf),
		        .scope = &scope,
		        .resource = &resource};
		char text[100];

		ab_scope_init(&scope, "r", diags);
		cr_assert(rows[i].kind->compile(&compile), "%s", rows[i].value);
		rows[i].kind->describe(resource.config, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].expected);
		rows[i].kind->handler->free(resource.config);
		ab_scope_fini(&scope);
		ab_diags_destroy(diags);
		test_conf_destroy(conf);
	}
}
