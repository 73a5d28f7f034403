/* tests/handlers/mustache_fixture.c: see mustache_fixture.h. */
#include "mustache_fixture.h"

#include "../lib/conf.h"

#include <criterion/criterion.h>

static json_t *parse(const char *text)
{
	char *quoted = test_quotes(text);
	json_error_t err;
	json_t *value = json_loads(quoted, JSON_DECODE_ANY, &err);

	cr_assert_not_null(value, "%s: %s", quoted, err.text);
	free(quoted);
	return value;
}

static char *load(void *arg, const char *name, size_t *ret_len, const char **ret_file, const char **ret_why)
{
	json_t *text = json_object_get(arg, name);

	*ret_why = NULL;
	*ret_file = name;
	*ret_len = json_string_length(text);
	return text != NULL ? strdup(json_string_value(text)) : NULL;
}

void fixture_compile(struct fixture *f, const char *text, enum ab_escape escape, const char *partials,
        bool missing_is_empty)
{
	struct ab_mustache_loader loader = {.load = load, .missing_is_empty = missing_is_empty};
	struct ab_pos start = {"page", 1, 1};
	const char *dynamic[64], *key;
	size_t count = 0;
	json_t *unused;

	f->partials = partials != NULL ? parse(partials) : NULL;
	f->diags = ab_diags_create();
	json_object_foreach(f->partials, key, unused)
	{
		cr_assert_lt(count + 1, AB_COUNT(dynamic));
		dynamic[count++] = key;
	}
	dynamic[count] = NULL;
	loader.arg = f->partials;
	loader.dynamic = dynamic;
	f->template = ab_mustache_compile(
	        text, strlen(text), start, NULL, escape, partials != NULL ? &loader : NULL, f->diags);
	cr_assert_eq(f->template == NULL, ab_diags_mistakes(f->diags) > 0);
}

void fixture_end(struct fixture *f)
{
	ab_mustache_destroy(f->template);
	ab_diags_destroy(f->diags);
	json_decref(f->partials);
}

char *fixture_render(const char *text, enum ab_escape escape, const char *data, const char *partials)
{
	struct ab_error err = {.code = AB_OK};
	json_t *root = parse(data);
	struct fixture f;
	struct ab_buf buf;
	char *out = NULL;

	fixture_compile(&f, text, escape, partials, false);
	ab_buf_init(&buf, 1 << 20);
	if (f.template == NULL)
		out = test_diags(f.diags);
	else if (ab_mustache_render_data(f.template, root, &buf, &err) == AB_OK)
		out = ab_buf_take(&buf);
	else
		cr_assert_geq(asprintf(&out, "%s: %s", ab_code_name(err.code), err.text), 0);
	ab_buf_fini(&buf);
	fixture_end(&f);
	json_decref(root);
	return out;
}

char *fixture_mistakes(const char *text, enum ab_escape escape, const char *partials)
{
	struct fixture f;
	char *out;

	fixture_compile(&f, text, escape, partials, false);
	out = test_diags(f.diags);
	fixture_end(&f);
	return out;
}
