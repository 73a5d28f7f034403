/* tests/handlers/test_template.c: the kinds `text` and `template` as resources: needs, media, files,
 * mistakes. */
#include "../../handlers/text.h"
#include "../lib/harness.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(text, .timeout = 20);

static void check(
        struct harness *h, const char *name, const char *given, const char *expected, const char *media)
{
	struct harness_run *run = harness_get(h, name, given);
	const struct ab_text *text = ab_run_text(run->run, run->slot);

	cr_assert_eq(run->code, AB_OK, "%s: %s", name, run->error != NULL ? run->error->text : "");
	cr_assert_not_null(text);
	cr_assert_str_eq(
	        text->data, expected, "%s:\n expected '%s'\n got      '%s'", name, expected, text->data);
	cr_assert_eq(text->len, strlen(expected));
	cr_assert_str_eq(text->media, media);
	harness_run_end(run);
}

/* ---- text ---- */

Test(text, renders_its_needs)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "who", "{`value`: `World`}"));
	cr_assert(harness_add(&h, "greet", "{`text`: `Hello {{who}}!`}"));
	check(&h, "greet", NULL, "Hello World!", "text/plain; charset=utf-8");
	check(&h, "greet", "{`who`: `Everyone`}", "Hello Everyone!", "text/plain; charset=utf-8");
	harness_close(&h);
}

Test(text, escapes_as_its_type_says)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "x", "{`value`: `<b>`}"));
	cr_assert(harness_add(&h, "plain", "{`text`: `{{x}}`, `type`: `plain`}"));
	cr_assert(harness_add(&h, "html", "{`text`: `{{x}}{{{x}}}`, `type`: `html`}"));
	check(&h, "plain", NULL, "<b>", "text/plain; charset=utf-8");
	check(&h, "html", NULL, "&lt;b&gt;<b>", "text/html; charset=utf-8");
	harness_close(&h);
}

Test(text, a_text_is_put_into_another)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "x", "{`value`: `<`}"));
	cr_assert(harness_add(&h, "item", "{`text`: `<li>{{x}}</li>`, `type`: `html`}"));
	cr_assert(harness_add(&h, "list", "{`text`: `<ul>{{{item}}}</ul>{{item}}`, `type`: `html`}"));
	check(&h, "list", NULL, "<ul><li>&lt;</li></ul>&lt;li&gt;&amp;lt;&lt;/li&gt;",
	        "text/html; charset=utf-8");
	harness_close(&h);
}

Test(text, a_name_inside_a_section_is_a_need_only_when_listed)
{
	struct harness h;
	const char *mapping = "{`text`: `{{#items}}{{n}}{{unit}} {{/items}}`, `needs`: [`unit`]}";

	harness_open(&h);
	cr_assert(harness_add(&h, "items", "{`value`: [{`n`: 1}, {`n`: 2, `unit`: `g`}]}"));
	cr_assert(harness_add(&h, "unit", "{`value`: `kg`}"));
	cr_assert(harness_add(&h, "with", mapping));
	cr_assert(harness_add(&h, "without", "{`text`: `{{#items}}{{n}}{{unit}} {{/items}}`}"));
	check(&h, "with", NULL, "1kg 2g ", "text/plain; charset=utf-8");
	check(&h, "without", NULL, "1 2g ", "text/plain; charset=utf-8");
	cr_assert_eq(h.scopes[3]->n_needs, 1);
	harness_close(&h);
}

static void add_name(void *arg, const char *name, size_t len, struct ab_pos pos)
{
	(void)pos;
	sprintf((char *)arg + strlen(arg), "%.*s ", (int)len, name);
}

Test(text, names_only_inside_sections_are_told_for_hints)
{
	struct harness h;
	char names[100] = "";

	harness_open(&h);
	cr_assert(harness_add(&h, "items", "{`value`: []}"));
	cr_assert(harness_add(&h, "list", "{`text`: `{{#items}}{{a}}{{b.c}}{{items}}{{/items}}`}"));
	ab_text_each_inner(ab_dispatcher_find(h.dispatcher, "list"), add_name, names);
	ab_text_each_inner(ab_dispatcher_find(h.dispatcher, "items"), add_name, names);
	cr_assert_str_eq(names, "a b ");
	harness_close(&h);
}

Test(text, needs_may_rename_and_name_paths)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "user", "{`value`: {`name`: `Ada`, `tags`: [{`t`: 1}, {`t`: 2}]}}"));
	cr_assert(harness_add(&h, "greet",
	        "{`text`: `{{who}} {{all}}`, `needs`: {`who`: `user.name`, `all`: `user.tags[*].t`}}"));
	check(&h, "greet", NULL, "Ada [1,2]", "text/plain; charset=utf-8");
	harness_close(&h);
}

Test(text, of_request_only_what_is_used_is_noted)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "a", "{`text`: `{{request.path}} {{request.query.q}}`}"));
	cr_assert_eq(h.scopes[0]->n_request_paths, 2);
	cr_assert_str_eq(h.scopes[0]->request_paths[0], "path");
	cr_assert_str_eq(h.scopes[0]->request_paths[1], "query.q");
	cr_assert(harness_add(&h, "b", "{`text`: `{{#request}}{{path}}{{/request}}`}"));
	cr_assert_eq(h.scopes[1]->n_request_paths, 1);
	cr_assert_str_eq(h.scopes[1]->request_paths[0], "");
	check(&h, "a", "{`request`: {`path`: `/x`, `query`: {`q`: 7}}}", "/x 7", "text/plain; charset=utf-8");
	harness_close(&h);
}

Test(text, raw_use_is_noted_where_something_is_escaped)
{
	struct harness h;

	harness_open(&h);
	cr_assert(harness_add(&h, "html", "{`text`: `{{a}}{{{b}}}`, `type`: `html`}"));
	cr_assert_eq(h.scopes[0]->n_raws, 1);
	cr_assert_eq(h.scopes[0]->raws[0].kind, AB_RAW_HTML);
	cr_assert_str_eq(h.scopes[0]->needs[h.scopes[0]->raws[0].need], "b");
	cr_assert(harness_add(&h, "plain", "{`text`: `{{a}}{{{b}}}`}"));
	cr_assert_eq(h.scopes[1]->n_raws, 0);
	cr_assert(harness_add(&h, "request", "{`text`: `{{{request.path}}}`, `type`: `html`}"));
	cr_assert_eq(h.scopes[2]->n_raws, 1);
	/* what is raw inside a section came in with the section's value */
	cr_assert(
	        harness_add(&h, "inner", "{`text`: `{{#l}}{{{x}}}{{/l}}{{#m}}{{x}}{{/m}}`, `type`: `html`}"));
	cr_assert_eq(h.scopes[3]->n_raws, 1);
	cr_assert_str_eq(h.scopes[3]->needs[h.scopes[3]->raws[0].need], "l");
	harness_close(&h);
}

Test(text, many_names_are_looked_up)
{
	char text[2048] = "", needs[8192] = "", given[8192] = "{`o`: {", expected[2048] = "", mapping[12000];
	struct harness h;

	for (int i = 0; i < 100; i++) {
		const char *comma = i > 0 ? ", " : "";

		sprintf(text + strlen(text), "{{n%d}}", i);
		sprintf(needs + strlen(needs), "%s`n%d`: `o.f%d`", comma, i, i);
		sprintf(given + strlen(given), "%s`f%d`: %d", comma, i, i);
		sprintf(expected + strlen(expected), "%d", i);
	}
	sprintf(given + strlen(given), "}}");
	snprintf(mapping, sizeof(mapping), "{`text`: `%s`, `needs`: {%s}}", text, needs);
	harness_open(&h);
	cr_assert(harness_add(&h, "all", mapping));
	check(&h, "all", given, expected, "text/plain; charset=utf-8");
	check(&h, "all", given, expected, "text/plain; charset=utf-8");
	harness_close(&h);
}

struct refusal {
	char mapping[200], has[240];
};

ParameterizedTestParameters(text, mistakes)
{
	static struct refusal rows[] = {
	        {"{`text`: `Hello {who}!`}", "{who} in text; expected {{who}}"},
	        {"{`text`: `{{a}} {user.name} {{b}}`}", "{user.name} in text; expected {{user.name}}"},
	        {"{`text`: 7}", "text is the number 7; expected a string"},
	        {"{`text`: `{{#x}}`}", "{{#x}} is not closed; expected {{/x}}"},
	        {"{`text`: `{{> header}}`}", "partial 'header' in an inline text"},
	        {"{`text`: `{{.}}`}",
	                "{{.}} outside a section; expected a name, or a {{#section}} around it"},
	        {"{`text`: `{{a-b}}`}", "'a-b' is not a name"},
	        {"{`text`: `x`, `type`: `htm`}", "type 'htm'; expected plain or html; did you mean 'html'?"},
	        {"{`text`: `${secret}`}", "${...} in template text; expected it in a resource of its own"},
	        {"{`text`: `{{request.pth}}`}", "request has no 'pth'"},
	};

	return cr_make_param_array(struct refusal, rows, AB_COUNT(rows));
}

ParameterizedTest(struct refusal *row, text, mistakes)
{
	struct harness h;
	char *got;

	harness_open(&h);
	got = harness_refuse(&h, "t", row->mapping);
	cr_assert_not_null(
	        strstr(got, row->has), "%s\n expected %s\n got      %s", row->mapping, row->has, got);
	cr_assert_null(strstr(got, "secret}"), "the secret shows: %s", got);
	free(got);
	harness_close(&h);
}

Test(text, braces_that_are_no_placeholder_are_text)
{
	struct harness h;

	harness_open(&h);
	cr_assert(
	        harness_add(&h, "css", "{`text`: `p{color:red} { a } {} {1} {a b} }{ {a`, `type`: `html`}"));
	check(&h, "css", NULL, "p{color:red} { a } {} {1} {a b} }{ {a", "text/html; charset=utf-8");
	harness_close(&h);
}

/* ---- template ---- */

static char dir[] = "/tmp/test-template-XXXXXX";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	cr_assert_not_null(out);
	fputs(text, out);
	fclose(out);
}

static void make_dir(void)
{
	char parts[64];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(parts, sizeof(parts), "%s/parts", dir);
	cr_assert_eq(mkdir(parts, 0700), 0);
}

static void remove_dir(void)
{
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(template, .init = make_dir, .fini = remove_dir, .timeout = 20);

Test(template, partials_are_files_beside_it)
{
	struct harness h;

	put("page.html", "{{> header}}<p>{{x}}</p>\n{{>parts/foot}}{{>note.txt}}");
	put("header.html", "\xEF\xBB\xBF<h1>{{title}}</h1>\n");
	put("parts/foot.html", "<hr>");
	put("note.txt", "{{x}}");
	harness_open(&h);
	h.dir = dir;
	cr_assert(harness_add(&h, "page", "{`template`: `page.html`}"));
	check(&h, "page", "{`x`: `<`, `title`: `T`}", "<h1>T</h1>\n<p>&lt;</p>\n<hr>&lt;",
	        "text/html; charset=utf-8");
	harness_close(&h);
}

Test(template, the_ending_decides_escape_and_media)
{
	struct harness h;

	put("a.json", "{\"x\": \"{{x}}\"}");
	put("a.csv", "{{x}}");
	harness_open(&h);
	h.dir = dir;
	cr_assert(harness_add(&h, "json", "{`template`: `a.json`}"));
	cr_assert(harness_add(&h, "csv", "{`template`: `a.csv`}"));
	check(&h, "json", "{`x`: `a\\`<`}", "{\"x\": \"a\\\"<\"}", "application/json");
	check(&h, "csv", "{`x`: `a<`}", "a<", "text/csv; charset=utf-8");
	harness_close(&h);
}

Test(template, a_value_chooses_only_among_declared_partials)
{
	struct harness h;

	put("page.html", "{{#items}}{{>*kind}};{{/items}}");
	put("book.html", "book {{t}}");
	put("film.html", "film {{t}}");
	put("secret.html", "SECRET");
	harness_open(&h);
	h.dir = dir;
	cr_assert(harness_add(&h, "page", "{`template`: `page.html`, `partials`: [`book`, `film`]}"));
	check(&h, "page",
	        "{`items`: [{`kind`: `film`, `t`: 1}, {`kind`: `secret`}, {`kind`: `../book`}, {`kind`: `book`, `t`: 2}]}",
	        "film 1;;;book 2;", "text/html; charset=utf-8");
	harness_close(&h);
}

Test(template, one_file_serves_many_resources)
{
	struct harness h;

	put("p.txt", "{{x}}{{#l}}{{.}}{{/l}}");
	harness_open(&h);
	h.dir = dir;
	cr_assert(harness_add(&h, "a", "{`template`: `p.txt`}"));
	cr_assert(harness_add(&h, "b", "{`template`: `p.txt`, `needs`: {`x`: `y`}}"));
	check(&h, "a", "{`x`: 1, `l`: [1,2]}", "112", "text/plain; charset=utf-8");
	check(&h, "b", "{`y`: 2, `l`: []}", "2", "text/plain; charset=utf-8");
	harness_close(&h);
}

Test(template, a_partial_without_end_fails_the_resource)
{
	struct harness_run *run;
	struct harness h;

	put("loop.txt", "{{>loop}}");
	harness_open(&h);
	h.dir = dir;
	cr_assert(harness_add(&h, "loop", "{`template`: `loop.txt`}"));
	run = harness_get(&h, "loop", NULL);
	cr_assert_eq(run->code, AB_EINVALID);
	cr_assert_not_null(strstr(run->error->text, "nest deeper than 100"));
	harness_run_end(run);
	harness_close(&h);
}

static void refuse(const char *mapping, const char *has)
{
	struct harness h;
	char *got;

	harness_open(&h);
	h.dir = dir;
	got = harness_refuse(&h, "t", mapping);
	cr_assert_not_null(strstr(got, has), "%s\n expected %s\n got      %s", mapping, has, got);
	free(got);
	harness_close(&h);
}

Test(template, mistakes)
{
	char text[300];

	put("page.html", "<p>\n {{#x}}{{y}}</p>");
	snprintf(text, sizeof(text), "%s/page.html:2:2: {{#x}} is not closed; expected {{/x}}", dir);
	refuse("{`template`: `page.html`}", text);
	put("page.html", "\n{{> gone}}");
	snprintf(text, sizeof(text),
	        "%s/page.html:2:1: no partial 'gone': %s/gone.html: No such file or directory", dir, dir);
	refuse("{`template`: `page.html`}", text);
	put("page.html", "{{> bad}}");
	put("bad.html", "a\n{{/b}}");
	snprintf(text, sizeof(text), "%s/bad.html:2:1: {{/b}} closes nothing", dir);
	refuse("{`template`: `page.html`}", text);
	put("page.html", "{{> ../bad}}");
	refuse("{`template`: `page.html`}",
	        "no partial '../bad': expected a file beside the template, without '..' or a leading '/'");
	put("page.html", "{{> /etc/passwd}}");
	refuse("{`template`: `page.html`}", "without '..' or a leading '/'");
	put("page.html", "{{> parts/../bad}}");
	refuse("{`template`: `page.html`}", "without '..' or a leading '/'");
	put("page.html", "{{> parts}}");
	put("dir.html", "");
	refuse("{`template`: `parts.html`}", "parts.html: No such file or directory");
	put("page.html", "caf\xE9");
	refuse("{`template`: `page.html`}", "page.html is not UTF-8");
	put("page.html", "{{>*x}}");
	refuse("{`template`: `page.html`}", "expected the names it may have in `partials: [...]`");
	put("page.html", "{{x}}");
	refuse("{`template`: `page.html`, `partials`: [`bad`]}",
	        "partials for a template without {{>*name}}");
	refuse("{`template`: `page.html`, `partials`: `bad`}", "expected a list");
	refuse("{`template`: `page.htm`}",
	        "expected a file that ends in .html .xml .svg .atom .json .txt .csv or .md");
	refuse("{`template`: [`page.html`]}", "template is a list; expected a string");
}

Test(template, a_folder_or_a_pipe_is_no_template)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/folder.html", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	refuse("{`template`: `folder.html`}", "folder.html is not a file");
	snprintf(path, sizeof(path), "%s/pipe.html", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	refuse("{`template`: `pipe.html`}", "pipe.html is not a file");
}
