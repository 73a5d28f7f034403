/* tests/handlers/test_mustache_mistakes.c: what a template's author is told, where; and which names a
 * template needs. */
#include "mustache_fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

TestSuite(mustache_mistakes, .timeout = 20);
TestSuite(mustache_names, .timeout = 20);
TestSuite(mustache_lint, .timeout = 20);

struct mistake {
	char text[120], expected[400], partials[160];
};

ParameterizedTestParameters(mustache_mistakes, positions_and_words)
{
	static struct mistake rows[] = {
	        {"a\n  b {{#x}}", "page:2:5: {{#x}} is not closed; expected {{/x}}", ""},
	        {"{{$b}}\n{{^x}}",
	                "page:1:1: {{$b}} is not closed; expected {{/b}}\npage:2:1: {{^x}} is not closed; expected {{/x}}",
	                ""},
	        {"\xc3\xa9\xc3\xa9{{/x}}",
	                "page:1:3: {{/x}} closes nothing; expected an opening tag before it", ""},
	        {"{{#a}}\n{{/b}}", "page:2:1: {{/b}} closes {{#a}} of line 1; expected {{/a}}", ""},
	        {"a {{x", "page:1:3: tag is not closed; expected '}}'", ""},
	        {"a {{{x}}", "page:1:3: tag is not closed; expected '}}}'", ""},
	        {"{{! never", "page:1:1: tag is not closed; expected '}}'", ""},
	        {"{{=<% %>=}}<%x}}", "page:1:12: tag is not closed; expected '%>'", ""},
	        {"{{x\n{{y}}", "page:1:1: bad tag 'x'; expected '}}' behind the name", ""},
	        {"{{}}", "page:1:1: empty tag; expected a name", ""},
	        {"{{# }}{{/}}", "page:1:1: empty tag; expected a name\npage:1:7: empty tag; expected a name",
	                ""},
	        {"{{#if x}}{{/if}}",
	                "page:1:1: bad tag 'if x'; expected one name without blanks ({{#name}}...{{/name}} is both 'if' "
	                "and 'for each', {{^name}}...{{/name}} is 'if not')\n"
	                "page:1:10: {{/if}} closes {{#?}} of line 1; expected {{/?}}",
	                ""},
	        {"{{=a=}}", "page:1:1: bad delimiters 'a'; expected two words without '=', as in {{=<% %>=}}",
	                ""},
	        {"{{=a b c=}}",
	                "page:1:1: bad delimiters 'a b c'; expected two words without '=', as in {{=<% %>=}}",
	                ""},
	        {"{{a..b}}", "page:1:1: bad name 'a..b'; expected names with one dot between them", ""},
	        {"{{a.}}", "page:1:1: bad name 'a.'; expected names with one dot between them", ""},
	        {"{{.a}}", "page:1:1: bad name '.a'; expected a name, or a dot alone", ""},
	        {"{{a[*].b}}",
	                "page:1:1: bad index in 'a[*].b'; expected a number as in items[0] (for each item: "
	                "{{#items}}...{{/items}})",
	                ""},
	        {"{{a[0]b}}", "page:1:1: bad name 'a[0]b'; expected names with one dot between them", ""},
	        {"\n{{>x}}",
	                "page:2:1: partial 'x' in an inline text; partials are files beside a template file",
	                ""},
	        {"\n {{>x}}", "page:2:2: no partial 'x'", "{`y`: ``}"},
	        {"{{>x}}", "x:2:1: {{#a}} is not closed; expected {{/a}}", "{`x`: `\\n{{#a}}`}"},
	        {"{{>x}}{{>x}}", "x:1:2: no partial 'y'", "{`x`: ` {{>y}}`}"},
	        {"{{>*x}}",
	                "page:1:1: a partial chosen by a value; expected the names it may have in `partials: [...]`",
	                ""},
	        {"{{<p}}{{x}}{{/p}}",
	                "page:1:7: {{<p}} takes only blocks; expected this tag inside a {{$block}}",
	                "{`p`: ``}"},
	        {"{{<p}}{{$a}}{{/a}}{{$a}}{{/a}}{{/p}}",
	                "page:1:19: {{$a}} is given twice to the same parent", "{`p`: ``}"},
	        {"{{<*p}}{{/p}}", "page:1:8: {{/p}} closes {{<*p}} of line 1; expected {{/*p}}", "{`p`: ``}"},
	        {"{{a\x01}}", "page:1:1: control character in a tag; expected a name", ""},
	};

	return cr_make_param_array(struct mistake, rows, AB_COUNT(rows));
}

ParameterizedTest(struct mistake *row, mustache_mistakes, positions_and_words)
{
	char *got =
	        fixture_mistakes(row->text, AB_ESCAPE_NONE, *row->partials != '\0' ? row->partials : NULL);

	cr_assert_str_eq(
	        got, row->expected, "'%s'\n expected %s\n got      %s", row->text, row->expected, got);
	free(got);
}

/* ---- names ---- */

struct names {
	char text[120], partials[160];
	char expected[120]; /* name@line:column, ! needed, & raw */
};

ParameterizedTestParameters(mustache_names, needed_and_raw)
{
	static struct names rows[] = {
	        {"{{a}} {{b.c}}", "", "a@1:1! b@1:7!"},
	        /* only inside a section: the section's value has it */
	        {"{{#a}}{{b}}{{/a}}", "", "a@1:1! b@1:7"},
	        /* needed where it stands outside, wherever it was seen first */
	        {"{{#a}}{{b}}{{/a}}\n{{b}}", "", "a@1:1! b@2:1!"},
	        /* inverted sections count as outside */
	        {"{{^a}}{{b}}{{#c}}{{d}}{{/c}}{{/a}}", "", "a@1:1! b@1:7! c@1:12! d@1:18"},
	        /* but not within a section */
	        {"{{#s}}{{^a}}{{b}}{{/a}}{{/s}}", "", "s@1:1! a@1:7 b@1:13"},
	        {"{{#s}}{{#t}}{{/t}}{{/s}}{{u}}", "", "s@1:1! t@1:7 u@1:25!"},
	        /* partials as if written there, each way they are reached */
	        {"{{>p}}", "{`p`: `{{a}}{{#s}}{{b}}{{/s}}`}", "a@1:1! s@1:6! b@1:12"},
	        {"{{#s}}{{>p}}{{/s}}", "{`p`: `{{a}}`}", "s@1:1! a@1:1"},
	        {"{{#s}}{{>p}}{{/s}}{{>p}}", "{`p`: `{{a}}`}", "s@1:1! a@1:1!"},
	        {"{{>p}}", "{`p`: `{{a}}{{#k}}{{>p}}{{/k}}`}", "a@1:1! k@1:6!"},
	        /* the name that chooses, and what any of the chosen takes */
	        {"{{>*w.x}}", "{`p`: `{{a}}`, `q`: `{{b}}`}", "w@1:1! a@1:1! b@1:1!"},
	        /* blocks: their defaults, and what is put in, where it is put in */
	        {"{{$b}}{{a}}{{/b}}", "", "a@1:7!"},
	        {"{{<p}}{{$b}}{{x}}{{/b}}{{/p}}", "{`p`: `{{#s}}{{$b}}{{y}}{{/b}}{{/s}}`}",
	                "x@1:13 s@1:1! y@1:13"},
	        {"{{<p}}{{$b}}{{x}}{{/b}}{{/p}}", "{`p`: `{{$b}}{{y}}{{/b}}`}", "x@1:13! y@1:7!"},
	        {"{{<p}}{{$none}}{{x}}{{/none}}{{/p}}", "{`p`: `-`}", "x@1:16"},
	        /* raw, and sections that hold something raw, through partials and blocks */
	        {"{{{a}}}{{b}}{{&c}}", "", "a@1:1!& b@1:8! c@1:13!&"},
	        {"{{#s}}{{{.}}}{{/s}}{{#t}}{{.}}{{/t}}", "", "s@1:1!& t@1:20!"},
	        {"{{#s}}{{>p}}{{/s}}", "{`p`: `{{>q}}`, `q`: `{{{h}}}`}", "s@1:1!& h@1:1&"},
	        {"{{<p}}{{$b}}{{{h}}}{{/b}}{{/p}}", "{`p`: `{{#s}}{{$b}}{{/b}}{{/s}}`}", "h@1:13& s@1:1!&"},
	        /* comments and literal text take nothing */
	        {"{{! a }}{b} {{! {{c}} d", "", ""},
	};

	return cr_make_param_array(struct names, rows, AB_COUNT(rows));
}

ParameterizedTest(struct names *row, mustache_names, needed_and_raw)
{
	char got[256] = "", *at = got;
	struct fixture f;

	fixture_compile(&f, row->text, AB_ESCAPE_HTML, *row->partials != '\0' ? row->partials : NULL, false);
	cr_assert_not_null(f.template);
	for (size_t i = 0; i < ab_mustache_names(f.template); i++) {
		const struct ab_mustache_name *name = ab_mustache_name(f.template, i);

		at += snprintf(at, sizeof(got) - (size_t)(at - got), "%s%.*s@%u:%u%s%s", i > 0 ? " " : "",
		        (int)name->len, name->text, name->pos.line, name->pos.column, name->needed ? "!" : "",
		        name->raw ? "&" : "");
	}
	fixture_end(&f);
	cr_assert_str_eq(
	        got, row->expected, "'%s'\n expected %s\n got      %s", row->text, row->expected, got);
}

Test(mustache_names, a_dot_outside_sections_is_told)
{
	struct ab_pos pos;
	struct fixture f;

	fixture_compile(&f, "{{#a}}{{.}}{{/a}}", AB_ESCAPE_NONE, NULL, false);
	cr_assert(!ab_mustache_implicit(f.template, &pos));
	fixture_end(&f);
	fixture_compile(&f, "{{#a}}{{.}}{{/a}}\n {{.}}", AB_ESCAPE_NONE, NULL, false);
	cr_assert(ab_mustache_implicit(f.template, &pos));
	cr_assert_eq(pos.line, 2);
	cr_assert_eq(pos.column, 2);
	fixture_end(&f);
}

static void add_use(void *arg, const char *text, size_t len, struct ab_pos pos)
{
	char *to = arg;

	sprintf(to + strlen(to), "%.*s@%u ", (int)len, text, pos.column);
}

Test(mustache_names, every_use_is_told_with_its_path)
{
	char uses[100] = "";
	struct fixture f;

	fixture_compile(&f, "{{r.a}}{{s}}{{r.b[0].c}}{{#r}}{{/r}}", AB_ESCAPE_NONE, NULL, false);
	ab_mustache_each_use(f.template, 0, add_use, uses);
	cr_assert_str_eq(uses, "r.a@1 r.b[0].c@13 r@25 ");
	fixture_end(&f);
}

/* ---- hints ---- */

struct lint {
	char text[160];
	char column[8]; /* of the hint; "" for none */
	char has[60];
};

ParameterizedTestParameters(mustache_lint, hints)
{
	static struct lint rows[] = {
	        {"<p class=\"{{x}}\">{{x}}</p>", "", ""},
	        {"<a href=\"/items/{{x}}\">", "", ""},
	        {"<script src=\"/a.js\"></script>{{x}}", "", ""},
	        {"<!-- <script> -->{{x}}", "", ""},
	        {"a < b {{x}} <3 {{y}}", "", ""},
	        {"<input value='{{x}}' data-x = \"{{y}}\">", "", ""},
	        {"<style>a{}</style>{{x}}", "", ""},
	        {"<script>let a = \"{{x}}\"</script>", "18", "inside <script>"},
	        {"<SCRIPT type=module>{{x}}", "21", "inside <script>"},
	        {"<style>{{x}}</style>", "8", "inside <style>"},
	        {"<input value={{x}}>", "14", "write value=\"{{x}}\""},
	        {"<input value=a{{x}} b=c>", "15", "without quotes"},
	        {"<a class=\"b\" href='{{x}}'>", "20", "begins the URL in href"},
	        {"<form action=\"{{x}}\">", "15", "begins the URL in action"},
	        {"<p onclick=\"f('{{x}}')\">", "16", "inside onclick"},
	        {"<script>if (a < b) {{#x}}\"{{x}}\"{{/x}}", "27", "inside <script>"},
	};

	return cr_make_param_array(struct lint, rows, AB_COUNT(rows));
}

ParameterizedTest(struct lint *row, mustache_lint, hints)
{
	char *got = fixture_mistakes(row->text, AB_ESCAPE_HTML, NULL), start[40];

	if (*row->column == '\0') {
		cr_assert_str_empty(got, "'%s': %s", row->text, got);
	} else {
		snprintf(start, sizeof(start), "page:1:%s: ", row->column);
		cr_assert_eq(strncmp(got, start, strlen(start)), 0, "'%s': %s", row->text, got);
		cr_assert_not_null(strstr(got, row->has), "'%s': %s", row->text, got);
		cr_assert_null(strchr(got, '\n'), "'%s': %s", row->text, got);
	}
	free(got);
	got = fixture_mistakes(row->text, AB_ESCAPE_NONE, NULL);
	cr_assert_str_empty(got);
	free(got);
}
