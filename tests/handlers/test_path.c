/* tests/handlers/test_path.c: paths into values. */
#include "../../handlers/path.h"
#include "../lib/conf.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(path, .timeout = 10);

/* What the path leads to, as compact JSON (the caller frees it); NULL when missing. */
static char *walk(const char *path, const char *json)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	char *quoted = test_quotes(json), *text = NULL;
	json_t *root = json_loads(quoted, JSON_DECODE_ANY, NULL), *value;
	struct ab_path compiled;
	struct ab_error err;

	cr_assert_not_null(root, "%s", json);
	cr_assert_eq(ab_path_compile(path, strlen(path), &compiled, &err), AB_OK, "%s: %s", path, err.text);
	value = ab_path_get(&compiled, root, arena);
	if (value != NULL)
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	ab_path_fini(&compiled);
	ab_arena_unref(arena);
	json_decref(root);
	free(quoted);
	return text;
}

Test(path, leads_to_a_part_of_a_value_or_nowhere)
{
	static const char shop[] =
	        "{`a`: {`b`: {`c`: 1}}, `items`: [{`id`: 1}, {`id`: 2, `n`: null}, {}], `none`: [], `null`: null, `first-name`: "
	        "`x`, `@id`: 3, `$ref`: 4, `0`: 5, `gr\303\266\303\237e`: 6, `deep`: [[1, 2], [3], 4, []], `s`: `text`,"
	        " `orders`: [{`lines`: [{`sku`: `a`}, {`sku`: `b`}]}, {}, {`lines`: [{`sku`: `c`}]}]}";
	static const struct {
		const char *path, *expected;
	} rows[] = {
	        {".a.b.c", "1"},
	        {".a.b", "{\"c\":1}"},
	        {".a.x", NULL},
	        {".a.b.c.d", NULL},
	        {".a[0]", NULL},
	        {".items[0].id", "1"},
	        {".items[2].id", NULL},
	        {".items[3]", NULL},
	        {".items[999999999]", NULL},
	        {".items.id", NULL},
	        {".items[1].n", "null"},
	        {".items[1].n.x", NULL},
	        {".null", "null"},
	        {".null.x", NULL},
	        {".s.x", NULL},
	        {".s[0]", NULL},
	        {".first-name", "\"x\""},
	        {".@id", "3"},
	        {".$ref", "4"},
	        {".0", "5"},
	        {".gr\303\266\303\237e", "6"},
	        {".items[*].id", "[1,2]"},
	        {".items[*].n", "[null]"},
	        {".items[*]", "[{\"id\":1},{\"id\":2,\"n\":null},{}]"},
	        {".items[*].nothing", "[]"},
	        {".none[*]", "[]"},
	        {".none[*].id", "[]"},
	        {".a[*]", NULL},
	        {".nothing[*]", NULL},
	        {".null[*]", NULL},
	        {".deep[*][0]", "[1,3]"},
	        {".deep[*][*]", "[1,2,3]"},
	        {".deep[0][*]", "[1,2]"},
	        {".orders[*].lines[*].sku", "[\"a\",\"b\",\"c\"]"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		char *got = walk(rows[i].path, shop);

		if (rows[i].expected == NULL)
			cr_expect_null(got, "%s: %s", rows[i].path, got);
		else
			cr_expect(got != NULL && strcmp(got, rows[i].expected) == 0,
			        "%s: expected %s, got %s", rows[i].path, rows[i].expected,
			        got != NULL ? got : "nothing");
		free(got);
	}
}

Test(path, may_be_empty_or_begin_with_an_index)
{
	char *whole = walk("", "[1,[2]]"), *item = walk("[1][0]", "[1,[2]]"), *all = walk("[*]", "[1,[2]]");

	cr_expect_str_eq(whole, "[1,[2]]");
	cr_expect_str_eq(item, "2");
	cr_expect_str_eq(all, "[1,[2]]");
	free(whole);
	free(item);
	free(all);
}

Test(path, borrows_and_counts_nothing)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	json_t *root = json_pack("{s:[{s:i}]}", "a", "b", 1);
	struct ab_path one, all;
	json_t *list;

	cr_assert_eq(ab_path_compile(".a[0].b", 7, &one, NULL), AB_OK);
	cr_assert_eq(ab_path_compile(".a[*].b", 7, &all, NULL), AB_OK);
	cr_expect(!one.collects && all.collects);
	cr_expect_eq(ab_path_get(&one, root, NULL),
	        json_object_get(json_array_get(json_object_get(root, "a"), 0), "b"));
	list = ab_path_get(&all, root, arena);
	cr_assert_not_null(list);
	json_incref(list);
	ab_arena_unref(arena);
	cr_expect_eq(list->refcount, 1, "the arena has let go of the list");
	json_decref(list);
	json_decref(root);
	ab_path_fini(&one);
	ab_path_fini(&one);
	ab_path_fini(&all);
}

Test(path, mistakes_say_where_and_what)
{
	static const struct {
		const char *path, *says;
	} rows[] = {
	        {"a", "character 1: expected '.', '[' or the end"},
	        {".", "character 2: expected a name after '.'"},
	        {".a.", "character 4: expected a name after '.'"},
	        {".a..b", "character 4: expected a name after '.'"},
	        {".a b", "character 3: expected '.', '[' or the end"},
	        {".a[", "character 4: expected a number from 0 up, or *"},
	        {".a[]", "character 4: expected a number from 0 up, or *"},
	        {".a[-1]", "character 4: expected a number from 0 up, or *"},
	        {".a[x]", "character 4: expected a number from 0 up, or *"},
	        {".a[0", "character 5: expected ']'"},
	        {".a[0x]", "character 5: expected ']'"},
	        {".a[*", "character 5: expected ']'"},
	        {".a[0]b", "character 6: expected '.', '[' or the end"},
	        {".a[99999999999999999999]", "too large for an index"},
	        {".a|b", "character 3"},
	        {".\377", "not UTF-8"},
	        {".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "more than 32 steps"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct ab_path path;
		struct ab_error err;

		cr_assert_eq(ab_path_compile(rows[i].path, strlen(rows[i].path), &path, &err), AB_EINVALID,
		        "%s", rows[i].path);
		cr_expect(strstr(err.text, rows[i].says) != NULL, "%s: %s", rows[i].path, err.text);
	}
}
