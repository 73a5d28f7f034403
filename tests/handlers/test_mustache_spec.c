/* tests/handlers/test_mustache_spec.c: every test of the official specification, but for its lambdas. */
#include "../../handlers/mustache/mustache.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

TestSuite(mustache_spec, .timeout = 20);

/* The specification's own files: $AB_MUSTACHE_SPEC, or beside the checkout. */
static json_t *load_module(const char *module)
{
	const char *dir = getenv("AB_MUSTACHE_SPEC");
	char path[4096];
	json_error_t err;
	json_t *doc;

	snprintf(path, sizeof(path), "%s/%s.json", dir != NULL ? dir : "../shared/mustache-spec", module);
	doc = json_load_file(path, 0, &err);
	if (doc == NULL)
		fprintf(stderr,
		        "skipped: the specification's '%s' (%s: %s); set AB_MUSTACHE_SPEC to its folder\n",
		        module, path, err.text);
	return doc;
}

static char *load_partial(
        void *arg, const char *name, size_t *ret_len, const char **ret_file, const char **ret_why)
{
	json_t *text = json_object_get(arg, name);

	(void)ret_why;
	*ret_file = name;
	*ret_len = json_string_length(text);
	return text != NULL ? strdup(json_string_value(text)) : NULL;
}

static void print_mistake(void *arg, enum ab_severity severity, const char *line)
{
	(void)arg;
	if (severity == AB_MISTAKE)
		fprintf(stderr, "    %s\n", line);
}

/* What a test renders to, or NULL after printing mistakes. */
static char *render(json_t *test)
{
	json_t *source = json_object_get(test, "template"), *partials = json_object_get(test, "partials"),
	       *unused;
	const char *dynamic[64], *key;
	size_t n_dynamic = 0;
	struct ab_mustache_loader loader = {
	        .load = load_partial, .arg = partials, .dynamic = dynamic, .missing_is_empty = true};
	struct ab_diags *diags = ab_diags_create();
	struct ab_pos start = {"test", 1, 1};
	struct ab_mustache *template;
	struct ab_error err = {.code = AB_OK};
	struct ab_buf buf;

	json_object_foreach(partials, key, unused) if (n_dynamic + 1 < AB_COUNT(dynamic))
	        dynamic[n_dynamic++] = key;
	dynamic[n_dynamic] = NULL;
	template = ab_mustache_compile(json_string_value(source), json_string_length(source), start, NULL,
	        AB_ESCAPE_HTML, &loader, diags);
	ab_diags_each(diags, print_mistake, NULL);
	ab_diags_destroy(diags);
	if (template == NULL)
		return NULL;
	ab_buf_init(&buf, 1 << 20);
	if (ab_mustache_render_data(template, json_object_get(test, "data"), &buf, &err) != AB_OK)
		fprintf(stderr, "    %s\n", err.text);
	ab_mustache_destroy(template);
	return ab_buf_take(&buf);
}

struct module {
	char name[24];
	size_t count;
};

ParameterizedTestParameters(mustache_spec, every_test_of_a_module_passes)
{
	static struct module modules[] = {
	        {"comments", 12},
	        {"delimiters", 14},
	        {"interpolation", 42},
	        {"inverted", 22},
	        {"partials", 12},
	        {"sections", 34},
	        {"~inheritance", 27},
	        {"~dynamic-names", 21},
	};

	return cr_make_param_array(struct module, modules, AB_COUNT(modules));
}

ParameterizedTest(struct module *module, mustache_spec, every_test_of_a_module_passes)
{
	json_t *doc = load_module(module->name), *test;
	size_t index, passed = 0, count;

	if (doc == NULL)
		cr_skip("the specification is not at hand");
	json_array_foreach(json_object_get(doc, "tests"), index, test)
	{
		const char *expected = json_string_value(json_object_get(test, "expected"));
		char *got = render(test);

		if (got != NULL && strcmp(got, expected) == 0)
			passed++;
		else
			fprintf(stderr, "%s: %s\n    expected '%s'\n    got      '%s'\n", module->name,
			        json_string_value(json_object_get(test, "name")), expected,
			        got != NULL ? got : "(nothing)");
		free(got);
	}
	count = json_array_size(json_object_get(doc, "tests"));
	json_decref(doc);
	cr_log_info("%s: %zu of %zu", module->name, passed, count);
	cr_assert_eq(passed, count, "%s: %zu of %zu pass", module->name, passed, count);
	cr_assert_geq(count, module->count, "%s has only %zu tests", module->name, count);
}
