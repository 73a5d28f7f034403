/* tests/server/test_appfile.c: what right app files come to, and the bounds that wrong ones meet. */
#include "appfile.h"

#include "../../handlers/buf.h"
#include "../../server/routes.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(appfile, .timeout = 60);

/* ---- values ---- */

static void expect_value(struct appfile *f, const char *name, const char *expected)
{
	json_t *value = appfile_value(f, name);
	char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	cr_expect_str_eq(text == NULL ? "(none)" : text, expected, "%s is %s, not %s", name,
	        text == NULL ? "(none)" : text, expected);
	free(text);
	json_decref(value);
}

static void open_fine(struct appfile *f, const char *text)
{
	appfile_open(f, text);
	cr_assert_str_eq(f->mistakes, "", "%s\ngave\n%s", text, f->mistakes);
}

Test(appfile, scalars_have_the_types_of_the_core_schema)
{
	struct appfile f;

	open_fine(&f,
	        "resources:\n"
	        "  numbers: [0, -0, +5, 9223372036854775807, -9223372036854775808, 1.5, .5, 1., 1e3, -2.5E-1]\n"
	        "  words: [true, True, FALSE, null, Null, ~, tRUE, nULL, none, 1_000, 2001-12-14, 0x, '5', \"no\"]\n"
	        "  block: |\n"
	        "    a # b\n"
	        "      c\n"
	        "  folded: >-\n"
	        "    a\n"
	        "    b\n"
	        "  anchored: {value: {a: &x {b: 1}, c: *x}}\n"
	        "routes: {}\n");
	expect_value(
	        &f, "numbers", "[0,0,5,9223372036854775807,-9223372036854775808,1.5,0.5,1.0,1000.0,-0.25]");
	expect_value(&f, "words",
	        "[true,true,false,null,null,null,\"tRUE\",\"nULL\",\"none\",\"1_000\",\"2001-12-14\",\"0x\",\"5\",\"no\"]");
	expect_value(&f, "block", "\"a # b\\n  c\\n\"");
	expect_value(&f, "folded", "\"a b\"");
	expect_value(&f, "anchored", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}");
	appfile_close(&f);
}

Test(appfile, json_is_read_as_it_is)
{
	struct appfile f;

	open_fine(&f,
	        "{\"resources\":{\"a\":{\"value\":{\"n\":1,\"s\":\"\\u00e9\\/\\n\",\"l\":[true,null]}},\n"
	        "\t\"b\":{\"json\":{\"x\":\"{a.s}\"}}}}");
	expect_value(&f, "a", "{\"n\":1,\"s\":\"\303\251/\\n\",\"l\":[true,null]}");
	expect_value(&f, "b", "{\"x\":\"\303\251/\\n\"}");
	appfile_close(&f);
}

Test(appfile, a_byte_order_mark_and_carriage_returns_are_no_mistake)
{
	struct appfile f;

	open_fine(&f, "\xEF\xBB\xBFresources:\r\n  a: 1\r\n  b: x\r\n");
	expect_value(&f, "b", "\"x\"");
	appfile_close(&f);
}

/* ---- the environment ---- */

Test(appfile, what_the_environment_gives_is_put_in_once)
{
	struct appfile f;

	setenv("AB_T_NUMBER", "5", 1);
	setenv("AB_T_BRACES", "{who} {{x}} ${AB_T_NUMBER}", 1);
	setenv("AB_T_EMPTY", "", 1);
	unsetenv("AB_T_NOT_SET");
	open_fine(&f, "resources:\n"
	              "  typed: ${AB_T_NUMBER}\n"
	              "  quoted: \"${AB_T_NUMBER}\"\n"
	              "  mixed: a${AB_T_NUMBER}b${AB_T_NUMBER}\n"
	              "  standby: ${AB_T_NOT_SET:-true}\n"
	              "  instead: ${AB_T_EMPTY:-x}\n"
	              "  empty: ${AB_T_EMPTY}\n"
	              "  literal: $${AB_T_NUMBER} and $5\n"
	              "  file: ${file:parts/secret.txt}\n"
	              "  who: World\n"
	              "  braces: {json: \"{who}: ${AB_T_BRACES}\"}\n"
	              "=== parts/secret.txt\n"
	              "pass word\n");
	expect_value(&f, "typed", "5");
	expect_value(&f, "quoted", "\"5\"");
	expect_value(&f, "mixed", "\"a5b5\"");
	expect_value(&f, "standby", "true");
	expect_value(&f, "instead", "\"x\"");
	expect_value(&f, "empty", "\"\"");
	expect_value(&f, "literal", "\"${AB_T_NUMBER} and $5\"");
	expect_value(&f, "file", "\"pass word\"");
	expect_value(&f, "braces", "\"World: {who} {{x}} ${AB_T_NUMBER}\"");
	appfile_close(&f);
}

/* ---- includes ---- */

Test(appfile, includes_are_searched_in_order_and_circles_end)
{
	struct appfile f;

	open_fine(&f, "include: [parts/b.yaml, parts/*.yaml]\n"
	              "resources:\n"
	              "  who: Top\n"
	              "=== parts/b.yaml\n"
	              "include: [../app.yaml, b.yaml, c.yaml]\n"
	              "resources:\n"
	              "  who: B\n"
	              "  greet: {text: \"Hello {{who}} and {{only_c}}!\"}\n"
	              "=== parts/c.yaml\n"
	              "include: [../parts/../app.yaml]\n"
	              "resources: {only_c: C}\n");
	cr_expect_eq(ab_sources_count(f.sources), 3);
	expect_value(&f, "greet", "\"Hello Top and C!\"");
	appfile_close(&f);
}

Test(appfile, matches_of_a_pattern_sort_bytewise)
{
	static const char *const expected[] = {
	        "app.yaml", "p/B.yaml", "p/[x].yaml", "p/a-1.yaml", "p/a.yaml", "p/\xc3\xa9.yaml"};
	struct appfile f;

	open_fine(&f, "include: [p/*.yaml]\n"
	              "=== p/a.yaml\nresources: {}\n"
	              "=== p/\xc3\xa9.yaml\nresources: {}\n"
	              "=== p/B.yaml\nresources: {}\n"
	              "=== p/[x].yaml\nresources: {}\n"
	              "=== p/a-1.yaml\nresources: {}\n");
	cr_assert_eq(ab_sources_count(f.sources), AB_COUNT(expected));
	for (size_t i = 0; i < AB_COUNT(expected); i++)
		cr_expect_str_eq(ab_sources_at(f.sources, i)->file, expected[i]);
	appfile_close(&f);
}

Test(appfile, a_folder_whose_name_is_a_pattern_is_taken_as_it_is)
{
	struct appfile f;

	open_fine(&f, "include: [\"[p]/b.yaml\"]\n"
	              "=== p/b.yaml\ninclude: [\"*.yaml\"]\n"
	              "=== p/c.yaml\nresources: {c: 1}\n");
	expect_value(&f, "c", "1");
	appfile_close(&f);
}

Test(appfile, upstreams_and_databases_of_includes_are_found_from_both_sides)
{
	struct appfile f;

	open_fine(&f, "include: [b.yaml]\n"
	              "databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
	              "resources:\n"
	              "  p: {http: GET theirs/x}\n"
	              "=== b.yaml\n"
	              "upstreams: {theirs: {url: \"http://127.0.0.1:9\"}}\n"
	              "resources:\n"
	              "  users: {sql: SELECT id FROM users}\n");
	appfile_close(&f);
}

Test(appfile, a_name_in_two_includes_is_fine_when_the_including_file_decides)
{
	struct appfile f;

	open_fine(&f, "include: [b.yaml, c.yaml, d.yaml]\n"
	              "resources: {x: 0}\n"
	              "=== b.yaml\nresources: {x: 1}\ninclude: [e.yaml]\n"
	              "=== c.yaml\nresources: {x: 2}\ninclude: [e.yaml]\n"
	              "=== d.yaml\ninclude: [e.yaml]\n"
	              "=== e.yaml\nresources: {shared: 5}\n");
	expect_value(&f, "x", "0");
	expect_value(&f, "shared", "5");
	appfile_close(&f);
}

/* ---- resources ---- */

static const struct ab_resource *resource_of(const struct appfile *f, const char *name)
{
	const struct ab_resource *resource = ab_dispatcher_find(f->app->dispatcher, name);

	cr_assert_not_null(resource, "%s", name);
	cr_assert_not_null(ab_app_find(f->app, resource), "%s", name);
	return resource;
}

Test(appfile, generic_keys_and_defaults_reach_the_engine)
{
	struct appfile f;
	const struct ab_resource *r;

	open_fine(&f, "defaults: {timeout: 7s, missing: 403, fallback: {resource: sorry}, optional: true}\n"
	              "upstreams: {u: {url: \"http://127.0.0.1:9\"}}\n"
	              "databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
	              "resources:\n"
	              "  sorry: {value: none}\n"
	              "  plain: 5\n"
	              "  a: {http: GET u/x}\n"
	              "  b: {http: GET u/x, timeout: 300ms, missing: null, fallback: null, optional: false}\n"
	              "  c: {sql: SELECT id FROM users}\n"
	              "  d: {sql: SELECT id FROM users, returns: row, fallback: {value: {id: 1}}}\n"
	              "  e: {http: POST u/x}\n"
	              "  f: {http: GET u/x, writes: true, needs: [plain, a]}\n"
	              "include: [g.yaml]\n"
	              "=== g.yaml\nresources: {g: {text: \"{{a}}\"}}\n");
	r = resource_of(&f, "a");
	cr_expect_eq(r->timeout_ms, 7000);
	cr_expect_eq(r->missing, AB_MISSING_FAILS);
	cr_expect_eq(r->missing_status, 403);
	cr_expect_str_eq(r->fallback_resource, "sorry");
	cr_expect(r->optional && !r->writes);
	r = resource_of(&f, "b");
	cr_expect_eq(r->timeout_ms, 300);
	cr_expect_eq(r->missing, AB_MISSING_NULL);
	cr_expect(json_is_null(r->fallback) && r->fallback_resource == NULL && !r->optional);
	r = resource_of(&f, "c");
	cr_expect_eq(r->timeout_ms, 7000);
	cr_expect_eq(r->missing_status, 404, "rows are never missing");
	r = resource_of(&f, "d");
	cr_expect_eq(r->missing_status, 403);
	cr_expect_eq(json_integer_value(json_object_get(r->fallback, "id")), 1);
	cr_expect(resource_of(&f, "e")->writes);
	r = resource_of(&f, "f");
	cr_expect(r->writes && r->n_needs == 2 && strcmp(r->needs[0], "plain") == 0 &&
	          strcmp(r->needs[1], "a") == 0);
	cr_expect_null(resource_of(&f, "sorry")->fallback_resource, "not its own fallback");
	cr_expect(!resource_of(&f, "plain")->optional, "a literal can't fail");
	cr_expect(!resource_of(&f, "g")->optional, "defaults hold for their own file");
	appfile_close(&f);
}

Test(appfile, needs_come_in_the_order_listed_then_as_found_and_may_be_renamed)
{
	struct appfile f;
	const struct ab_resource *r;

	open_fine(&f,
	        "resources:\n"
	        "  user: {value: {name: {first: Ada, last: L}, tags: [{id: 1}, {id: 2}]}}\n"
	        "  z: 1\n"
	        "  y: 2\n"
	        "  a: {text: \"{{y}}{{z}}\", needs: [z]}\n"
	        "  b: {json: [\"{who.last}\", \"{ids}\", \"{user.name.first}\"], needs: {who: user.name, ids: \"user.tags[*].id\"}}\n");
	r = resource_of(&f, "a");
	cr_assert_eq(r->n_needs, 2);
	cr_expect_str_eq(r->needs[0], "z");
	cr_expect_str_eq(r->needs[1], "y");
	cr_expect_eq(resource_of(&f, "b")->n_needs, 1);
	expect_value(&f, "b", "[\"L\",[1,2],\"Ada\"]");
	appfile_close(&f);
}

Test(appfile, parts_of_the_request_that_are_used_are_known)
{
	struct appfile f;
	const struct ab_scope *scope;

	open_fine(&f,
	        "resources:\n"
	        "  a: {json: [\"{request.path}\", \"{h.accept}\", \"{request.query.tags[0]}\", \"{request.path}\"], "
	        "needs: {h: request.headers}}\n"
	        "  b: {json: \"{request}\"}\n");
	scope = &ab_app_find(f.app, resource_of(&f, "a"))->scope;
	cr_assert_eq(scope->n_request_paths, 4);
	cr_expect_str_eq(scope->request_paths[0], "headers");
	cr_expect_str_eq(scope->request_paths[1], "path");
	cr_expect_str_eq(scope->request_paths[2], "headers.accept");
	cr_expect_str_eq(scope->request_paths[3], "query.tags");
	scope = &ab_app_find(f.app, resource_of(&f, "b"))->scope;
	cr_assert_eq(scope->n_request_paths, 1);
	cr_expect_str_eq(scope->request_paths[0], "");
	appfile_close(&f);
}

Test(appfile, an_app_can_be_compiled_for_several_workers)
{
	static const struct ab_app_options options = {.dev = true};
	struct ab_app *second;
	struct appfile f;

	open_fine(&f, "upstreams: {u: {url: \"http://127.0.0.1:9\"}}\n"
	              "databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
	              "resources:\n"
	              "  a: {http: GET u/x}\n"
	              "  b: {sql: SELECT id FROM users}\n"
	              "routes:\n"
	              "  GET /a: a\n"
	              "  GET /b: b\n");
	second = ab_app_compile(f.sources, f.shared, &f.env, &options, f.diags);
	cr_assert_not_null(second);
	cr_expect_eq(ab_diags_mistakes(f.diags), 0);
	cr_expect_eq(second->n_resources, 2);
	cr_expect_eq(ab_router_count(second->router), 2);
	cr_expect(second->dev && !f.app->dev);
	cr_expect_neq(second->dispatcher, f.app->dispatcher);
	ab_app_destroy(second);
	appfile_close(&f);
}

Test(appfile, placeholders_in_literals_are_hinted_at)
{
	struct appfile f;

	open_fine(&f, "resources:\n"
	              "  a: \"{b}\"\n"
	              "  b: 1\n"
	              "  c: {value: [x, {y: \"is {{who.name}}\"}]}\n"
	              "  d: \"{other} {} { b } {b\"\n"
	              "  e: {json: [\"{a}\", \"{b}\", \"{c}\", \"{d}\", \"{who}\"]}\n"
	              "routes:\n"
	              "  GET /: {answer: e, accept: {who: string}}\n");
	cr_expect_str_eq(f.hints,
	        "app.yaml:2:7: {b} in a literal is text as it stands; it would be filled under `json:`, as in {json: "
	        "\"{b}\"}\n"
	        "app.yaml:4:26: {{who}} in a literal is text as it stands; it would be filled under `text:`, as in {text: "
	        "\"{{who}}\"}",
	        "%s", f.hints);
	appfile_close(&f);
}

Test(appfile, what_nothing_uses_is_hinted_at)
{
	struct appfile f;

	open_fine(&f, "include: [b.yaml]\n"
	              "upstreams: {u: {url: \"http://127.0.0.1:9\"}}\n"
	              "resources:\n"
	              "  used: {text: \"{{#list}}{{other}}{{/list}}\"}\n"
	              "  list: [{other: 1}]\n"
	              "  other: 1\n"
	              "  sorry: {text: x, fallback: [], optional: true}\n"
	              "  note:\n"
	              "    text: x # a comment\n"
	              "routes:\n"
	              "  GET /: {answer: used, errors: {404: sorry}}\n"
	              "=== b.yaml\nresources: {of_a_library: 1}\n");
	cr_expect_str_eq(f.hints,
	        "app.yaml:2:13: no resource uses upstream 'u'\n"
	        "app.yaml:4:26: 'other' inside a section means a part of the section's value, not the resource 'other'; where "
	        "that is meant, list it under needs\n"
	        "app.yaml:6:3: no route uses resource 'other'\n"
	        "app.yaml:7:34: optional of resource 'sorry' never comes into play: its fallback stands in first\n"
	        "app.yaml:8:3: no route uses resource 'note'\n"
	        "app.yaml:9:11: what follows ' #' on this line is a comment, not part of the text",
	        "%s", f.hints);
	appfile_close(&f);
}

/* ---- settings ---- */

Test(appfile, settings_are_taken_and_have_defaults)
{
	struct appfile f;
	const struct ab_settings *s;

	open_fine(&f, "resources: {}\n");
	s = ab_shared_settings(f.shared);
	cr_expect_str_eq(s->listen.host, "127.0.0.1");
	cr_expect_eq(s->listen.port, 8080);
	cr_expect_eq(s->deadline_ms, 5000);
	cr_expect_eq(s->max_body, 1 << 20);
	cr_expect(s->max_connections > 0 && s->max_connections <= 10000);
	cr_expect(s->admin_on && s->admin_default && s->admin.port == 9901);
	cr_expect(s->access_log && !s->server_timing && s->workers == 0);
	appfile_close(&f);

	open_fine(&f, "server:\n"
	              "  listen: \"[::1]:80\"\n"
	              "  workers: 3\n"
	              "  deadline: 2m\n"
	              "  head_timeout: 1s\n"
	              "  body_timeout: 1h\n"
	              "  send_timeout: 1d\n"
	              "  max_body: 64KiB\n"
	              "  max_connections: 5\n"
	              "  max_in_flight: 6\n"
	              "  max_fetches: 7\n"
	              "  admin: false\n"
	              "  access_log: false\n"
	              "  server_timing: true\n");
	s = ab_shared_settings(f.shared);
	cr_expect_str_eq(s->listen.host, "::1");
	cr_expect_eq(s->listen.port, 80);
	cr_expect_eq(s->workers, 3);
	cr_expect_eq(s->deadline_ms, 120000);
	cr_expect_eq(s->head_timeout_ms, 1000);
	cr_expect_eq(s->body_timeout_ms, 3600000);
	cr_expect_eq(s->send_timeout_ms, 86400000);
	cr_expect_eq(s->max_body, 65536);
	cr_expect_eq(s->max_connections, 5);
	cr_expect_eq(s->max_in_flight, 6);
	cr_expect_eq(s->max_fetches, 7);
	cr_expect(!s->admin_on && !s->access_log && s->server_timing);
	appfile_close(&f);
}

/* ---- files that can't be read ---- */

static void expect_unreadable(const char *name, const char *mistake)
{
	struct ab_diags *diags = ab_diags_create();
	struct appfile f = {.diags = diags};

	appfile_compile(&f, name);
	cr_expect_str_eq(f.mistakes, mistake, "%s", f.mistakes);
	cr_expect_null(ab_sources_top(f.sources)->root);
	ab_sources_destroy(f.sources);
	ab_diags_destroy(diags);
	free(f.mistakes);
	free(f.hints);
}

Test(appfile, a_file_that_cannot_be_read_is_named_with_the_reason)
{
	struct appfile f;

	appfile_begin(&f);
	appfile_write("secret.yaml", "resources: {}\n", 14);
	cr_assert_eq(chmod("secret.yaml", 0), 0);
	cr_assert_eq(mkfifo("fifo.yaml", 0600), 0);
	expect_unreadable("none.yaml", "none.yaml:1:1: cannot read the app file: no such file");
	expect_unreadable(".", ".:1:1: cannot read the app file: it is a directory; expected a file");
	expect_unreadable("fifo.yaml", "fifo.yaml:1:1: cannot read the app file: it is not a regular file");
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	expect_unreadable(
	        "secret.yaml", "secret.yaml:1:1: cannot read the app file: no permission to read it");
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	appfile_close(&f);
}

Test(appfile, a_byte_that_is_nul_is_refused_where_it_stands)
{
	static const char text[] = "resources:\n  a: \"\0\"\n";
	struct appfile f;

	appfile_open_bytes(&f, text, sizeof(text) - 1);
	cr_expect_str_eq(f.mistakes, "app.yaml:2:1: a NUL byte; expected UTF-8 text");
	appfile_close(&f);
}

/* ---- bounds ---- */

static void expect_bound(struct ab_buf *text, const char *mistakes)
{
	struct appfile f;

	cr_assert(!text->failed);
	appfile_open_bytes(&f, text->data, text->len);
	cr_expect_str_eq(f.mistakes, mistakes, "%.500s", f.mistakes);
	appfile_close(&f);
	ab_buf_fini(text);
}

static void repeat(struct ab_buf *buf, const char *text, unsigned count)
{
	while (count-- > 0)
		ab_buf_adds(buf, text);
}

Test(appfile, depth_is_bounded)
{
	struct ab_buf text;

	ab_buf_init(&text, 1 << 20);
	ab_buf_adds(&text, "resources: {a: ");
	repeat(&text, "[", 60);
	repeat(&text, "]", 60);
	ab_buf_adds(&text, "}\n");
	expect_bound(&text, "");
	ab_buf_adds(&text, "resources: {a: ");
	repeat(&text, "[", 100000);
	expect_bound(&text, "app.yaml:1:78: lists and mappings nested deeper than 64");
	ab_buf_adds(&text, "resources:\n  a:\n    ");
	repeat(&text, "- ", 100000);
	expect_bound(&text, "app.yaml:3:129: lists and mappings nested deeper than 64");
}

Test(appfile, aliases_that_blow_up_are_refused)
{
	struct ab_buf text;

	ab_buf_init(&text, 1 << 20);
	ab_buf_adds(&text, "resources:\n  l0: &l0 [x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 9; i++) {
		ab_buf_printf(&text, "  l%d: &l%d [", i, i);
		for (int k = 0; k < 9; k++)
			ab_buf_printf(&text, "%s*l%d", k == 0 ? "" : ", ", i - 1);
		ab_buf_adds(&text, "]\n");
	}
	expect_bound(&text, "app.yaml:6:12: aliases that stand for more than 10000 values");
	ab_buf_adds(&text, "resources:\n  a0: &a0 [1]\n");
	for (int i = 1; i < 70; i++)
		ab_buf_printf(&text, "  a%d: &a%d [*a%d]\n", i, i, i - 1);
	expect_bound(&text, "app.yaml:63:14: lists and mappings nested deeper than 64");
	ab_buf_adds(&text, "resources:\n");
	for (int i = 0; i < 300; i++)
		ab_buf_printf(&text, "  a%d: &a%d 1\n", i, i);
	expect_bound(&text, "app.yaml:258:9: more than 256 anchors");
}

Test(appfile, size_and_number_of_values_are_bounded)
{
	struct ab_buf text;

	ab_buf_init(&text, 8 << 20);
	ab_buf_adds(&text, "resources:\n  a:\n    - ");
	repeat(&text, "1\n    - ", 250000);
	ab_buf_adds(&text, "1\n");
	expect_bound(&text, "app.yaml:199998:7: more than 200000 values in one file");
	repeat(&text, "# a comment\n", 400000);
	expect_bound(&text, "app.yaml:1:1: cannot read the app file: it is larger than 4096 KiB");
	ab_buf_adds(&text, "resources: {a: [");
	repeat(&text, "1,", 150000);
	ab_buf_adds(&text, "1]}\n");
	expect_bound(&text, "");
}

Test(appfile, a_hundred_mistakes_are_told_and_the_rest_counted)
{
	struct ab_buf text;
	struct appfile f;
	size_t lines = 1;

	ab_buf_init(&text, 1 << 20);
	ab_buf_adds(&text, "resources:\n");
	for (int i = 0; i < 150; i++)
		ab_buf_printf(&text, "  r%d: yes\n", i);
	appfile_open_bytes(&f, text.data, text.len);
	ab_buf_fini(&text);
	for (const char *c = f.mistakes; *c != '\0'; c++)
		lines += *c == '\n';
	cr_expect_eq(lines, 101);
	cr_expect_str_eq(strrchr(f.mistakes, '\n') + 1, "and 50 more mistakes");
	appfile_close(&f);
}

Test(appfile, many_files_are_bounded)
{
	struct appfile f;
	char name[32];

	appfile_begin(&f);
	appfile_write("app.yaml", "include: [p/*.yaml]\n", 20);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "p/%03d.yaml", i);
		appfile_write(name, "resources: {}\n", 14);
	}
	appfile_compile(&f, "app.yaml");
	cr_expect_str_eq(f.mistakes, "app.yaml:1:11: more than 256 files");
	appfile_close(&f);
}
