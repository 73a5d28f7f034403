/* tests/handlers/jq_fixture.c: see jq_fixture.h. */
#include "jq_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

void jq_open(struct jq_fixture *f)
{
	harness_open(&f->h);
	f->shared = ab_jq_shared_create();
	cr_assert(f->shared != NULL);
	f->h.env.jq = ab_jq_create(f->shared, &f->h.loop);
	cr_assert(f->h.env.jq != NULL);
}

void jq_close(struct jq_fixture *f)
{
	harness_clear(&f->h);
	ab_jq_close(f->h.env.jq);
	harness_close(&f->h);
	ab_jq_shared_close(f->shared);
}

void jq_add(struct jq_fixture *f, const char *name, const char *mapping)
{
	if (!harness_add(&f->h, name, mapping))
		cr_assert_fail("%s", harness_mistakes(&f->h));
}

void jq_expect(struct jq_fixture *f, const char *name, const char *given, const char *json)
{
	struct harness_run *run = harness_get(&f->h, name, given);
	char *text, *quoted = test_quotes(json);

	if (run->code != AB_OK)
		cr_assert_fail("%s %s: %s", name, given, run->error->text);
	text = json_dumps(run->value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	cr_expect_str_eq(text, quoted, "%s %s: %s, expected %s", name, given, text, quoted);
	free(text);
	free(quoted);
	harness_run_end(run);
}

void jq_expect_error(
        struct jq_fixture *f, const char *name, const char *given, enum ab_code code, const char *text)
{
	struct harness_run *run = harness_get(&f->h, name, given);

	cr_assert_eq(run->code, code, "%s %s: %s %s", name, given, ab_code_name(run->code),
	        run->error != NULL ? run->error->text : "");
	cr_expect(strstr(run->error->text, text) != NULL, "%s %s: %s", name, given, run->error->text);
	harness_run_end(run);
}

void jq_expect_mistake(struct jq_fixture *f, const char *mapping, const char *lines)
{
	char *mistakes = harness_refuse(&f->h, "refused", mapping);

	cr_expect_str_eq(mistakes, lines, "%s:\n%s\nexpected\n%s", mapping, mistakes, lines);
	free(mistakes);
}
