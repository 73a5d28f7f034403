/* tests/handlers/test_mustache.c: what rendering does beyond the specification's own tests: values, escapes,
 * hostile data, bounds. */
#include "mustache_fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

TestSuite(mustache, .timeout = 20);

struct row {
	char text[160], data[160], expected[200];
	enum ab_escape escape;
};

static void check(
        const char *text, enum ab_escape escape, const char *data, const char *partials, const char *expected)
{
	char *got = fixture_render(text, escape, data, partials);

	cr_assert_str_eq(
	        got, expected, "'%s' with %s\n expected '%s'\n got      '%s'", text, data, expected, got);
	free(got);
}

ParameterizedTestParameters(mustache, values)
{
	static struct row rows[] = {
	        /* truth: 0 and 0.0 are false here, an empty object is true */
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: 0}", "no", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: 0.0}", "no", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: -0.5}", "yes", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: ``}", "no", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: `0`}", "yes", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: []}", "no", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: {}}", "yes", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{`x`: null}", "no", AB_ESCAPE_NONE},
	        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{}", "no", AB_ESCAPE_NONE},
	        /* a list of false things is still a list of so many */
	        {"{{#x}}[{{.}}]{{/x}}", "{`x`: [0, ``, null, false]}", "[0][][][false]", AB_ESCAPE_NONE},
	        /* printing */
	        {"{{x}} {{y}}", "{`x`: true, `y`: false}", "true false", AB_ESCAPE_NONE},
	        {"{{x}}", "{`x`: 149.95}", "149.95", AB_ESCAPE_NONE},
	        {"{{x}}", "{`x`: -9223372036854775808}", "-9223372036854775808", AB_ESCAPE_NONE},
	        {"{{x}}", "{`x`: {`a`: [1, null, `b`]}}", "{\"a\":[1,null,\"b\"]}", AB_ESCAPE_NONE},
	        {"{{x}}", "{`x`: {`a`: `<`}}", "{&quot;a&quot;:&quot;&lt;&quot;}", AB_ESCAPE_HTML},
	        {"{{{x}}}", "{`x`: {`a`: `<`}}", "{\"a\":\"<\"}", AB_ESCAPE_HTML},
	        {"\"{{x}}\"", "{`x`: [`a`]}", "\"[\\\"a\\\"]\"", AB_ESCAPE_JSON},
	        {"{{{x}}}", "{`x`: [`a`]}", "[\"a\"]", AB_ESCAPE_JSON},
	        /* escapes */
	        {"{{x}}", "{`x`: `<a href='b'>&amp;</a>`}", "&lt;a href=&#39;b&#39;&gt;&amp;amp;&lt;/a&gt;",
	                AB_ESCAPE_HTML},
	        {"{{x}}", "{`x`: `<a>'&`}", "<a>'&", AB_ESCAPE_NONE},
	        {"\"{{x}}\"", "{`x`: `a\\\\b\\n\\``}", "\"a\\\\b\\n\\\"\"", AB_ESCAPE_JSON},
	        {"\"{{x}}\"", "{`x`: `caf\\u00e9 <`}", "\"caf\xc3\xa9 <\"", AB_ESCAPE_JSON},
	        /* paths */
	        {"{{x.y[1].z}}", "{`x`: {`y`: [0, {`z`: `deep`}]}}", "deep", AB_ESCAPE_NONE},
	        {"[{{x[7]}}{{x.y}}{{x[0].a}}]", "{`x`: [1]}", "[]", AB_ESCAPE_NONE},
	        {"{{#x}}{{a-b}}{{caf\xc3\xa9}}{{/x}}", "{`x`: {`a-b`: 1, `caf\xc3\xa9`: 2}}", "12",
	                AB_ESCAPE_NONE},
	        /* an inner null hides an outer value: it is there */
	        {"{{#x}}[{{y}}]{{/x}}", "{`x`: {`y`: null}, `y`: 1}", "[]", AB_ESCAPE_NONE},
	        /* tags */
	        {"{{ #x }}a{{ / x }}{{! {{ ! }}", "{`x`: 1}", "a", AB_ESCAPE_NONE},
	        {"{{=<% %>=}}<%{x}%><%x%>{{x}}", "{`x`: `<`}", "<&lt;{{x}}", AB_ESCAPE_HTML},
	        {"{{^x}}a{{/x}}b{{^x}}c{{/x}}d", "{`x`: 1}", "bd", AB_ESCAPE_NONE},
	};

	return cr_make_param_array(struct row, rows, AB_COUNT(rows));
}

ParameterizedTest(struct row *row, mustache, values)
{
	check(row->text, row->escape, row->data, NULL, row->expected);
}

/* ---- data is never a template ---- */

Test(mustache, tags_in_data_are_printed_as_data)
{
	check("{{x}}|{{{x}}}", AB_ESCAPE_NONE, "{`x`: `{{y}}{{>secret}}{{=<% %>=}}<% y %>`, `y`: `seen`}",
	        "{`secret`: `SECRET`}",
	        "{{y}}{{>secret}}{{=<% %>=}}<% y %>|{{y}}{{>secret}}{{=<% %>=}}<% y %>");
}

Test(mustache, tags_in_keys_and_nested_data_are_printed_as_data)
{
	check("{{#x}}{{a}}{{/x}}{{x}}", AB_ESCAPE_NONE, "{`x`: [{`a`: `{{#x}}`}, {`{{/x}}`: 1}]}", NULL,
	        "{{#x}}[{\"a\":\"{{#x}}\"},{\"{{/x}}\":1}]");
}

Test(mustache, includes_for_a_proxy_in_data_are_escaped)
{
	check("<p>{{x}}</p>", AB_ESCAPE_HTML, "{`x`: `<esi:include src='http://evil/' />`}", NULL,
	        "<p>&lt;esi:include src=&#39;http://evil/&#39; /&gt;</p>");
}

Test(mustache, a_partial_name_from_data_is_only_ever_a_known_one)
{
	const char *partials = "{`known`: `(known)`}";

	check("{{#x}}<{{>*.}}>{{/x}}", AB_ESCAPE_NONE,
	        "{`x`: [`known`, `../known`, `/etc/passwd`, `known.html`, ``, 7, [`known`], `./known`]}",
	        partials, "<(known)><><><><><><><>");
}

Test(mustache, output_of_a_partial_is_not_parsed_again)
{
	check("{{>a}}", AB_ESCAPE_NONE, "{`x`: `{{>b}}`}", "{`a`: `{{x}}`, `b`: `B`}", "{{>b}}");
}

/* ---- partials and blocks ---- */

Test(mustache, a_partial_that_includes_itself_walks_a_tree)
{
	check("{{>node}}", AB_ESCAPE_NONE,
	        "{`n`: 1, `kids`: [{`n`: 2, `kids`: [{`n`: 3, `kids`: []}]}, {`n`: 4, `kids`: []}]}",
	        "{`node`: `{{n}}({{#kids}}{{>node}}{{/kids}})`}", "1(2(3())4())");
}

Test(mustache, indents_of_nested_partials_add_up_and_leave_empty_lines_alone)
{
	check("  {{>a}}\nend\n", AB_ESCAPE_NONE, "{`x`: `1\\n2`}",
	        "{`a`: `a\\n\\n  {{>b}}\\nz\\n`, `b`: `b{{x}}\\nb\\n`}",
	        "  a\n\n    b1\n2\n    b\n  z\nend\n");
}

Test(mustache, a_block_keeps_its_default_layout)
{
	check("<main>\n  {{$b}}\n    one\n\n      two\n  {{/b}}\n</main>\n", AB_ESCAPE_NONE, "{}", NULL,
	        "<main>\n    one\n\n      two\n</main>\n");
	check("  {{$b}}one\ntwo{{/b}}\n", AB_ESCAPE_NONE, "{}", NULL, "  one\ntwo\n");
	check("  {{$b}}one\n    two{{/b}}\n", AB_ESCAPE_NONE, "{}", NULL, "  one\n    two\n");
}

Test(mustache, a_layout_takes_its_blocks_from_the_page)
{
	check("{{<layout}}\n{{$title}}Shop{{/title}}\n{{$body}}\n<p>\n  {{x}}\n</p>\n{{/body}}\n{{/layout}}\n",
	        AB_ESCAPE_HTML, "{`x`: `<1>`}",
	        "{`layout`: `<title>{{$title}}?{{/title}}</title>\\n<body>\\n  {{$body}}\\n  {{/body}}\\n</body>\\n`}",
	        "<title>Shop</title>\n<body>\n  <p>\n    &lt;1&gt;\n  </p>\n</body>\n");
}

Test(mustache, text_for_a_block_can_show_another_block_without_end)
{
	/* {{$a}} inside the text given for a means the page's own block, not that text again. */
	check("{{<p}}{{$a}}<{{$a}}default{{/a}}>{{/a}}{{/p}}", AB_ESCAPE_NONE, "{}", "{`p`: `{{$a}}{{/a}}`}",
	        "<default>");
}

Test(mustache, a_parent_may_be_chosen_by_a_value)
{
	check("{{<*kind}}{{$b}}mine{{/b}}{{/*kind}}", AB_ESCAPE_NONE, "{`kind`: `two`}",
	        "{`one`: `1{{$b}}{{/b}}`, `two`: `2{{$b}}{{/b}}`}", "2mine");
	check("[{{<*kind}}{{$b}}mine{{/b}}{{/*kind}}]", AB_ESCAPE_NONE, "{`kind`: `three`}",
	        "{`one`: `1{{$b}}{{/b}}`}", "[]");
}

/* ---- bounds ---- */

Test(mustache, a_partial_without_end_is_stopped)
{
	check("{{>a}}", AB_ESCAPE_NONE, "{}", "{`a`: `{{>a}}`}",
	        "InvalidInput: sections and partials nest deeper than 100 (a partial that includes itself without end?)");
	check("{{>a}}", AB_ESCAPE_NONE, "{`x`: true}", "{`a`: `{{#x}}{{>b}}{{/x}}`, `b`: `{{>a}}{{>a}}`}",
	        "InvalidInput: sections and partials nest deeper than 100 (a partial that includes itself without end?)");
	check("{{<p}}{{$b}}{{<p}}{{/p}}{{/b}}{{/p}}", AB_ESCAPE_NONE, "{}",
	        "{`p`: `{{>q}}`, `q`: `{{<p}}{{/p}}`}",
	        "InvalidInput: sections and partials nest deeper than 100 (a partial that includes itself without end?)");
}

Test(mustache, nesting_up_to_the_bound_works)
{
	char text[2000], *at = text, *got;

	/* one section more than allowed; without the outermost, as many as are */
	for (int i = 0; i < 101; i++)
		at = stpcpy(at, "{{#x}}");
	at = stpcpy(at, "deep");
	for (int i = 0; i < 101; i++)
		at = stpcpy(at, "{{/x}}");
	got = fixture_render(text, AB_ESCAPE_NONE, "{`x`: 1}", NULL);
	cr_assert_str_eq(got, "page:1:601: tags nest deeper than 100");
	free(got);
	at[-6] = '\0';
	check(text + 6, AB_ESCAPE_NONE, "{`x`: 1}", NULL, "deep");
}

static json_t *list_of(size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer((json_int_t)i));
	return list;
}

Test(mustache, a_huge_list_stops_at_the_largest_output)
{
	json_t *data = json_pack("{s:o}", "x", list_of(10000));
	struct ab_error err = {.code = AB_OK};
	struct ab_buf buf;
	struct fixture f;

	fixture_compile(&f, "{{#x}}0123456789{{/x}}", AB_ESCAPE_NONE, NULL, false);
	ab_buf_init(&buf, 50000);
	cr_assert_eq(ab_mustache_render_data(f.template, data, &buf, &err), AB_EOVERLOAD);
	cr_assert_str_eq(err.text, "the rendered text is larger than 50000 bytes");
	cr_assert_null(buf.data);
	ab_buf_fini(&buf);
	ab_buf_init(&buf, 100000);
	cr_assert_eq(ab_mustache_render_data(f.template, data, &buf, &err), AB_OK);
	cr_assert_eq(buf.len, 100000);
	ab_buf_fini(&buf);
	fixture_end(&f);
	json_decref(data);
}

Test(mustache, a_value_larger_than_the_output_may_be_is_refused)
{
	json_t *data = json_pack("{s:o}", "x", list_of(10000));
	struct ab_error err = {.code = AB_OK};
	struct ab_buf buf;
	struct fixture f;

	fixture_compile(&f, "{{x}}", AB_ESCAPE_HTML, NULL, false);
	ab_buf_init(&buf, 1000);
	cr_assert_eq(ab_mustache_render_data(f.template, data, &buf, &err), AB_EOVERLOAD);
	ab_buf_fini(&buf);
	fixture_end(&f);
	json_decref(data);
}

Test(mustache, loops_in_loops_without_output_are_stopped)
{
	json_t *data = json_pack("{s:o}", "x", list_of(3000));
	struct ab_error err = {.code = AB_OK};
	struct ab_buf buf;
	struct fixture f;

	/* 1 for each number but 0 */
	fixture_compile(&f, "{{#x}}{{#x}}{{#x}}{{/x}}{{/x}}{{/x}}", AB_ESCAPE_NONE, NULL, false);
	ab_buf_init(&buf, 1000);
	cr_assert_eq(ab_mustache_render_data(f.template, data, &buf, &err), AB_EOVERLOAD);
	cr_assert_str_eq(err.text, "more than 4000000 turns of sections and partials");
	ab_buf_fini(&buf);
	fixture_end(&f);
	json_decref(data);
}

Test(mustache, a_template_renders_the_same_again)
{
	json_t *data = json_pack("{s:[i,i], s:s}", "x", 1, 2, "y", "z");
	struct ab_error err;
	struct fixture f;

	fixture_compile(&f, "  {{>p}}\n{{#x}}{{.}}{{y}}{{/x}}", AB_ESCAPE_HTML, "{`p`: `a\\nb\\n`}", false);
	for (int i = 0; i < 3; i++) {
		struct ab_buf buf;

		ab_buf_init(&buf, 1000);
		cr_assert_eq(ab_mustache_render_data(f.template, data, &buf, &err), AB_OK);
		cr_assert_str_eq(buf.data, "  a\n  b\n1z2z");
		ab_buf_fini(&buf);
	}
	fixture_end(&f);
	json_decref(data);
}

Test(mustache, an_empty_template_renders_to_nothing)
{
	check("", AB_ESCAPE_HTML, "{}", NULL, "");
}

Test(mustache, endings_decide_media_and_escape)
{
	static const struct {
		const char *file, *media;
		enum ab_escape escape;
	} rows[] = {
	        {"a.html", "text/html; charset=utf-8", AB_ESCAPE_HTML},
	        {"x/a.b.xml", "application/xml; charset=utf-8", AB_ESCAPE_HTML},
	        {"a.svg", "image/svg+xml; charset=utf-8", AB_ESCAPE_HTML},
	        {"a.atom", "application/atom+xml; charset=utf-8", AB_ESCAPE_HTML},
	        {"a.json", "application/json", AB_ESCAPE_JSON},
	        {"a.txt", "text/plain; charset=utf-8", AB_ESCAPE_NONE},
	        {"a.csv", "text/csv; charset=utf-8", AB_ESCAPE_NONE},
	        {"a.md", "text/markdown; charset=utf-8", AB_ESCAPE_NONE},
	        {"a.htm", NULL, AB_ESCAPE_NONE},
	        {"a", NULL, AB_ESCAPE_NONE},
	        {"dir.html/a", NULL, AB_ESCAPE_NONE},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		const char *media = NULL;
		enum ab_escape escape = AB_ESCAPE_NONE;

		cr_assert_eq(ab_media_by_ending(rows[i].file, &escape, &media), rows[i].media != NULL);
		cr_assert_eq(escape, rows[i].escape, "%s", rows[i].file);
		if (rows[i].media != NULL)
			cr_assert_str_eq(media, rows[i].media);
	}
}
