/* tests/server/test_render.c: `anabranch render` end to end: the program, files, exit codes. */
#include "../lib/process.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

enum { TIMEOUT_MS = 20000 };

static char dir[] = "/tmp/test-render-XXXXXX";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void make_dir(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(render, .init = make_dir, .fini = remove_dir, .timeout = 60);

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

/* Run `anabranch render A B` in the folder; the command line ends at the first NULL. */
static void check(const char *a, const char *b, int exit_code, const char *out, const char *err)
{
	const char *argv[] = {process_anabranch(), "render", a, b, NULL};
	struct process process;

	cr_assert_eq(process_run(&process, argv, dir, TIMEOUT_MS), exit_code, "exit %d, '%s' '%s'",
	        process.exit_code, process.out.data, process.err.data);
	cr_assert_str_eq(process.out.data, out);
	if (*err == '\0')
		cr_assert_str_empty(process.err.data);
	cr_assert_not_null(strstr(process.err.data, err), "expected '%s', got '%s'", err, process.err.data);
	process_end(&process);
}

Test(render, fills_a_template_with_a_document)
{
	put("page.html", "{{> header}}{{#items}}<li>{{.}}</li>{{/items}}\n");
	put("header.html", "<h1>{{title}}</h1>\n");
	put("data.json", "{\"title\": \"A & B\", \"items\": [1, 2.5, \"<\"]}");
	check("page.html", "data.json", 0, "<h1>A &amp; B</h1>\n<li>1</li><li>2.5</li><li>&lt;</li>\n", "");
}

Test(render, a_value_chooses_among_files_beside_the_template)
{
	put("page.txt", "{{#items}}{{>*kind}} {{/items}}");
	put("book.txt", "book {{t}};");
	put("film.html", "no");
	put("data.json",
	        "{\"items\": [{\"kind\": \"book\", \"t\": 1}, {\"kind\": \"film\"}, {\"kind\": \"../book\"}]}");
	check("page.txt", "data.json", 0, "book 1;   ", "");
}

Test(render, a_template_in_another_folder_finds_its_partials_there)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/sub", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	put("sub/page.txt", "{{> p}}{{.}}");
	put("sub/p.txt", "p ");
	put("data.json", "7");
	check("sub/page.txt", "data.json", 0, "p 7", "");
}

Test(render, data_may_come_from_standard_input)
{
	put("page.txt", "{{x}}");
	check("page.txt", "-", 1, "", "anabranch render: -: "); /* which is empty here */
}

Test(render, mistakes_in_a_template_have_line_and_column)
{
	put("page.html", "a\n {{#x}}\n{{> gone}}");
	put("data.json", "{}");
	check("page.html", "data.json", 2, "", "page.html:2:2: {{#x}} is not closed; expected {{/x}}");
	put("page.html", "a\n {{> gone}}");
	check("page.html", "data.json", 2, "",
	        "page.html:2:2: no partial 'gone': gone.html: No such file or directory");
}

Test(render, data_that_is_no_json_fails)
{
	put("page.html", "x");
	put("data.json", "{\"a\": }");
	check("page.html", "data.json", 1, "", "anabranch render: data.json: line 1, column 7");
}

Test(render, a_partial_without_end_fails)
{
	put("page.html", "{{> page}}");
	put("data.json", "{}");
	check("page.html", "data.json", 1, "", "nest deeper than 100");
}

Test(render, wrong_usage_is_told)
{
	put("page.html", "x");
	put("page.htm", "x");
	check("page.html", NULL, 2, "", "expected TEMPLATE and DATA.json, got 1 argument");
	check("page.htm", "data.json", 2, "", "'page.htm' ends in none of .html");
	check("gone.html", "data.json", 2, "", "gone.html: No such file or directory");
	check("page.html", "gone.json", 2, "", "gone.json: No such file or directory");
	check("--frobnicate", NULL, 2, "", "unknown option --frobnicate");
	check("-x", NULL, 2, "", "unknown option -x");
}

Test(render, help_goes_to_stdout)
{
	const char *argv[] = {process_anabranch(), "render", "--help", NULL};
	struct process process;

	cr_assert_eq(process_run(&process, argv, dir, TIMEOUT_MS), 0);
	cr_assert_eq(strncmp(process.out.data, "Usage: anabranch render TEMPLATE DATA.json\n", 43), 0);
	cr_assert_str_empty(process.err.data);
	process_end(&process);
}
