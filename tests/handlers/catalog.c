/* tests/handlers/catalog.c: see catalog.h. */
#include "catalog.h"

#include <criterion/criterion.h>
#include <string.h>

struct harness catalog_harness;
struct fake_upstream *catalog_fake;

static struct test_conf *conf;
static struct ab_upstream *upstream;
static struct ab_upstream_shared *shared;

static struct ab_upstream *find_upstream(struct ab_compile *compile, const char *name, size_t len)
{
	if (len == strlen("catalog") && strncmp(name, "catalog", len) == 0)
		return upstream;
	ab_diag(compile->diags, compile->value->pos, "no upstream '%.*s'", (int)len, name);
	return NULL;
}

void catalog_open_at(const char *url, const char *settings)
{
	struct ab_error err;
	char *entry;

	cr_assert_eq(ab_http_global_init(&err), AB_OK);
	harness_open(&catalog_harness);
	catalog_harness.env.http = ab_http_create(&catalog_harness.env);
	catalog_harness.upstream = find_upstream;
	cr_assert(asprintf(&entry, "{`url`: `%s`%s%s}", url, settings == NULL ? "" : ", ",
	                  settings == NULL ? "" : settings) > 0);
	conf = test_conf_create(entry);
	free(entry);
	upstream = ab_upstream_compile(
	        &catalog_harness.env, "catalog", test_conf_root(conf), &shared, ".", catalog_harness.diags);
	cr_assert_not_null(upstream, "%s", harness_mistakes(&catalog_harness));
}

void catalog_open(const char *settings)
{
	catalog_fake = fake_upstream_start();
	catalog_open_at(fake_upstream_url(catalog_fake), settings);
}

void catalog_close_client(void)
{
	harness_clear(&catalog_harness);
	ab_upstream_destroy(upstream);
	ab_http_close(catalog_harness.env.http);
	harness_close(&catalog_harness);
	ab_upstream_shared_unref(shared);
	test_conf_destroy(conf);
	upstream = NULL;
	shared = NULL;
	ab_http_global_fini();
}

void catalog_close(void)
{
	catalog_close_client();
	fake_upstream_stop(catalog_fake);
}

char *catalog_upstream_mistakes(const char *entry)
{
	struct ab_upstream_shared *own = NULL;
	struct test_conf *tree = test_conf_create(entry);
	struct ab_diags *diags = ab_diags_create();
	struct ab_upstream *compiled =
	        ab_upstream_compile(&catalog_harness.env, "other", test_conf_root(tree), &own, ".", diags);
	char *text = test_diags(diags);

	cr_assert_eq(compiled == NULL, ab_diags_mistakes(diags) > 0, "%s: %s", entry, text);
	ab_upstream_destroy(compiled);
	ab_upstream_shared_unref(own);
	ab_diags_destroy(diags);
	test_conf_destroy(tree);
	return text;
}

const char *catalog_add(const char *mapping)
{
	static char names[HARNESS_RESOURCES][16];
	char *name = names[catalog_harness.n_resources];

	snprintf(name, sizeof(names[0]), "r%zu", catalog_harness.n_resources);
	cr_assert(harness_add(&catalog_harness, name, mapping), "%s: %s", mapping,
	        harness_mistakes(&catalog_harness));
	return name;
}

struct harness_run *catalog_get(const char *mapping, const char *given)
{
	return harness_get(&catalog_harness, catalog_add(mapping), given);
}

char *catalog_outcome(const struct harness_run *run)
{
	char *text;

	if (run->value != NULL)
		return json_dumps(run->value,
		        JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
	cr_assert(asprintf(&text, "%s %d %s", ab_code_name(run->code), run->error->status, run->error->text) >
	          0);
	return text;
}

char *catalog_get_outcome(const char *mapping, const char *given)
{
	struct harness_run *run = catalog_get(mapping, given);
	char *text = catalog_outcome(run);

	harness_run_end(run);
	return text;
}

void catalog_expect(const char *mapping, const char *given, const char *expected)
{
	char *got = catalog_get_outcome(mapping, given), *want = test_quotes(expected);
	/* the engine puts the resource's name in front, which the fixture made up */
	char *prefix = strstr(got, "resource 'r"), *end = prefix == NULL ? NULL : strstr(prefix, "': ");

	if (end != NULL)
		memmove(prefix, end + 3, strlen(end + 3) + 1);
	cr_assert_str_eq(got, want, "%s\n  got:    %s\n  wanted: %s", mapping, got, want);
	free(got);
	free(want);
}

char *catalog_echo(const char *mapping, const char *given, const char *object, const char *key)
{
	struct harness_run *run = catalog_get(mapping, given);
	const char *text;
	char *copy;

	cr_assert_eq(run->code, AB_OK, "%s: %s", mapping, run->error == NULL ? "" : run->error->text);
	text = json_string_value(
	        json_object_get(object == NULL ? run->value : json_object_get(run->value, object), key));
	copy = text == NULL ? NULL : strdup(text);
	harness_run_end(run);
	return copy;
}

struct ab_http_counts catalog_counted(void)
{
	struct ab_http_counts counts;

	ab_http_counts(catalog_harness.env.http, &counts);
	return counts;
}
