/* tests/handlers/test_placeholder.c: strings and structures with placeholders. */
#include "../../handlers/json.h"
#include "../../handlers/placeholder.h"
#include "../lib/filled.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(placeholder, .timeout = 10);
TestSuite(structure, .timeout = 10);

static const char values[] =
        "{`who`: `World`, `n`: 7, `real`: 149.95, `yes`: true, `no`: false, `nothing`: null,"
        " `list`: [1, 2], `user`: {`name`: `Ada`, `tags`: [`a`, `b`], `empty`: ``}, `crlf`: `a\\r\\nb: c`,"
        " `tab`: `a\\tb`, `del`: `a\\u007fb`, `utf8`: `J\303\274rgen`, `quote`: `a\\\"b\\\\c\\u0001`, `braces`: `{who} {{x}} ${Y}`}";

struct row {
	const char *string; /* as JSON, backticks for quotes */
	enum ab_code code;
	const char *expected; /* of an error: a part of its text */
};

static void check_rows(const struct row *rows, size_t count, enum ab_pieces_use use)
{
	for (size_t i = 0; i < count; i++) {
		struct ab_pieces *pieces;
		struct ab_error err = {0};
		struct ab_buf buf;
		struct filled f;

		filled_open(&f, rows[i].string);
		pieces = ab_pieces_compile(&f.scope, f.conf);
		cr_assert_not_null(pieces, "%s", rows[i].string);
		filled_give(&f, values);
		ab_buf_init(&buf, 1000);
		ab_buf_adds(&buf, "before|");
		cr_expect_eq(ab_pieces_fill(pieces, &f.call, use, &buf, &err), rows[i].code, "%s: %s",
		        rows[i].string, err.text);
		if (rows[i].code == AB_OK)
			cr_expect_str_eq(
			        buf.data + 7, rows[i].expected, "%s: %s", rows[i].string, buf.data + 7);
		else
			cr_expect(strcmp(buf.data, "before|") == 0 &&
			                  strstr(err.text, rows[i].expected) != NULL,
			        "%s: %s", rows[i].string, err.text);
		ab_buf_fini(&buf);
		ab_pieces_destroy(pieces);
		filled_close(&f);
	}
}

Test(placeholder, strings_are_filled_as_text)
{
	static const struct row rows[] = {
	        {"`Hello {who}!`", AB_OK, "Hello World!"},
	        {"`{who}{who}`", AB_OK, "WorldWorld"},
	        {"`{n}/{real}/{yes}/{no}`", AB_OK, "7/149.95/true/false"},
	        {"`{user.name} {user.tags[1]} {list[0]}`", AB_OK, "Ada b 1"},
	        {"`{user.empty}`", AB_OK, ""},
	        {"``", AB_OK, ""},
	        {"`plain`", AB_OK, "plain"},
	        {"`{{{who}}} {{}} {{\\\"a\\\": 1}}`", AB_OK, "{World} {} {\"a\": 1}"},
	        {"`a:who $who %s :who :`", AB_OK, "a:who $who %s :who :"},
	        {"`{utf8}\303\251`", AB_OK, "J\303\274rgen\303\251"},
	        {"`{braces}`", AB_OK, "{who} {{x}} ${Y}"},
	        {"`{crlf}`", AB_OK, "a\r\nb: c"},
	        {"12", AB_OK, "12"},
	        {"true", AB_OK, "true"},
	        {"`${{who} :x }}}`", AB_OK, "{who} :x }}"},
	        {"`a {nothing} b`", AB_EMISSING, "{nothing} is null"},
	        {"`a {user.age} b`", AB_EMISSING, "{user.age} is missing"},
	        {"`a {list[9]} b`", AB_EMISSING, "{list[9]} is missing"},
	        {"`a {list} b`", AB_EINVALID, "{list} is a list"},
	        {"`a {user} b`", AB_EINVALID, "{user} is an object"},
	        {"`{list[*]}`", AB_EINVALID, "{list[*]} is a list"},
	};

	check_rows(rows, AB_COUNT(rows), AB_PIECES_TEXT);
}

Test(placeholder, headers_take_no_control_characters)
{
	static const struct row rows[] = {
	        {"`Bearer {who}`", AB_OK, "Bearer World"},
	        {"`{utf8}`", AB_OK, "J\303\274rgen"},
	        {"`{crlf}`", AB_EINVALID, "control character (0x0D) in a header"},
	        {"`x {tab}`", AB_EINVALID, "control character (0x09) in a header"},
	        {"`x {del}`", AB_EINVALID, "control character (0x7F) in a header"},
	        {"`x\\ny {who}`", AB_EINVALID, "control character (0x0A) in a header"},
	        {"`{nothing}`", AB_EMISSING, "null"},
	        {"`{user}`", AB_EINVALID, "{user} is an object"},
	};

	check_rows(rows, AB_COUNT(rows), AB_PIECES_HEADER);
}

Test(placeholder, literal_strings_are_known_as_such)
{
	static const struct {
		const char *string, *literal;
		bool alone;
	} rows[] = {
	        {"`a {{b c}} d`", "a {b c} d", false},
	        {"``", "", false},
	        {"7", "7", false},
	        {"`{who}`", NULL, true},
	        {"`{who.name[0]}`", NULL, true},
	        {"` {who}`", NULL, false},
	        {"`{who}{who}`", NULL, false},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct ab_pieces *pieces;
		const char *text = NULL;
		struct filled f;

		filled_open(&f, rows[i].string);
		pieces = ab_pieces_compile(&f.scope, f.conf);
		cr_assert_not_null(pieces, "%s", rows[i].string);
		cr_expect_eq(ab_pieces_literal(pieces, &text), rows[i].literal != NULL, "%s", rows[i].string);
		if (rows[i].literal != NULL)
			cr_expect_str_eq(text, rows[i].literal);
		cr_expect_eq(ab_pieces_alone(pieces) != NULL, rows[i].alone, "%s", rows[i].string);
		ab_pieces_destroy(pieces);
		filled_close(&f);
	}
}

Test(placeholder, the_first_segments_are_the_needs)
{
	struct ab_pieces *pieces;
	struct filled f;

	filled_open(&f, "`{b.x} {a} {b[0].y} {c}`");
	pieces = ab_pieces_compile(&f.scope, f.conf);
	cr_assert_not_null(pieces);
	cr_assert_eq(f.scope.n_needs, 3);
	cr_expect_str_eq(f.scope.needs[0], "b");
	cr_expect_str_eq(f.scope.needs[1], "a");
	cr_expect_str_eq(f.scope.needs[2], "c");
	ab_pieces_destroy(pieces);
	filled_close(&f);
}

Test(placeholder, a_string_too_long_for_its_place_fails)
{
	struct ab_pieces *pieces;
	struct ab_error err;
	struct ab_buf buf;
	struct filled f;

	filled_open(&f, "`{who}{who}`");
	pieces = ab_pieces_compile(&f.scope, f.conf);
	cr_assert_not_null(pieces);
	filled_give(&f, "{`who`: `0123456789`}");
	ab_buf_init(&buf, 19);
	cr_expect_eq(ab_pieces_fill(pieces, &f.call, AB_PIECES_TEXT, &buf, &err), AB_EINVALID);
	cr_expect(strstr(err.text, "longer than the 19 bytes") != NULL, "%s", err.text);
	ab_buf_fini(&buf);
	ab_pieces_destroy(pieces);
	filled_close(&f);
}

Test(placeholder, mistakes_say_what_is_right)
{
	static const struct {
		const char *string, *says;
	} rows[] = {
	        {"`Hello {{who}}`", "'{{who}}' is how a template writes it; expected {who} here"},
	        {"`{{ user.name }}`", "expected {user.name} here"},
	        {"`{{#items}}x`", "expected {items} here"},
	        {"`{{&who}}`", "expected {who} here"},
	        {"`:who`", "':who' is how SQL writes it; expected {who} here"},
	        {"`{who`", "'{' without its '}'; expected {name}; a literal brace is {{"},
	        {"`{who {n}`", "'{' without its '}'"},
	        {"`{who\\n}`", "'{' without its '}'"},
	        {"`who}`", "'}' without its '{'; a literal brace is }}"},
	        {"`{}`", "'{}' names nothing; expected a name, as in {user.name}; literal braces are {{}}"},
	        {"`{ who }`", "'{ who }' is no placeholder in this place; expected {who}"},
	        {"`{:who}`", "expected {who}"},
	        {"`{$who}`", "expected {who}"},
	        {"`{?who}`", "expected {who}"},
	        {"`{+who.name}`", "expected {who.name}"},
	        {"`{who*}`", "expected {who}"},
	        {"`{who:3}`", "expected {who}"},
	        {"`{a,b}`",
	                "'{a,b}' is no placeholder; expected a name, as in {user.name}; a literal brace is {{ or }}"},
	        {"`{\\\"a\\\": 1}`", "a literal brace is {{ or }}"},
	        {"`{7}`", "is no placeholder"},
	        {"`{who.}`", "expected a name after '.'"},
	        {"`{who[x]}`", "expected a number from 0 up, or *"},
	        {"`{user-name}`", "'user-name' is not a name"},
	        {"[1]", "expected a string"},
	        {"null", "expected a string"},
	        {"1.5", "expected a string"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct filled f;

		filled_open(&f, rows[i].string);
		cr_expect_null(ab_pieces_compile(&f.scope, f.conf), "%s was accepted", rows[i].string);
		cr_expect(filled_says(&f, rows[i].says), "%s", rows[i].string);
		filled_close(&f);
	}
}

Test(placeholder, several_mistakes_are_found_in_one_go)
{
	struct filled f;

	filled_open(&f, "`{ a } {{b}} {} } {c`");
	cr_expect_null(ab_pieces_compile(&f.scope, f.conf));
	cr_expect_eq(ab_diags_mistakes(f.diags), 5);
	filled_close(&f);
}

/* ---- structures ---- */

/* The structure filled both ways, which must agree. */
static void check_structure(const char *structure, const char *expected)
{
	struct ab_structure *compiled;
	struct ab_error err = {0};
	char *quoted = test_quotes(expected);
	struct ab_buf filled, written;
	struct filled f;
	json_t *value;

	filled_open(&f, structure);
	compiled = ab_structure_compile(&f.scope, f.conf);
	cr_assert_not_null(compiled, "%s", structure);
	filled_give(&f, values);
	ab_buf_init(&filled, 10000);
	ab_buf_init(&written, 10000);
	value = ab_structure_fill(compiled, &f.call, &err);
	cr_assert_not_null(value, "%s: %s", structure, err.text);
	ab_json_write(&filled, value);
	cr_assert_eq(ab_structure_write(compiled, &f.call, &written, &err), AB_OK);
	cr_expect_str_eq(filled.data, quoted);
	cr_expect_str_eq(written.data, quoted);
	json_decref(value);
	ab_buf_fini(&filled);
	ab_buf_fini(&written);
	ab_structure_destroy(compiled);
	filled_close(&f);
	free(quoted);
}

Test(structure, placeholders_alone_keep_the_type_of_their_value)
{
	check_structure("{`a`: `{n}`, `b`: [`{list}`, `{user.tags[*]}`], `c`: `{user}`, `d`: `{yes}`}",
	        "{`a`:7,`b`:[[1,2],[`a`,`b`]],`c`:{`name`:`Ada`,`tags`:[`a`,`b`],`empty`:``},`d`:true}");
	check_structure("`{list}`", "[1,2]");
	check_structure("`{real}`", "149.95");
}

Test(structure, missing_becomes_null_also_in_a_mixed_string)
{
	check_structure(
	        "{`a`: `{nothing}`, `b`: `{user.age}`, `c`: `x {nothing} y`, `d`: [`{who.x}`, `{list[5]}!`]}",
	        "{`a`:null,`b`:null,`c`:null,`d`:[null,null]}");
}

Test(structure, literals_and_mixed_strings_stand_as_written)
{
	check_structure(
	        "{`a`: 1, `b`: -0.5, `c`: null, `d`: [true, `{{x y}}`], `e`: {}, `f`: [], `g`: `${{who}}`}",
	        "{`a`:1,`b`:-0.5,`c`:null,`d`:[true,`{x y}`],`e`:{},`f`:[],`g`:`{who}`}");
	check_structure("{`t`: `{n} of {who}: {yes}`, `{n}`: `{n}`}", "{`t`:`7 of World: true`,`{n}`:7}");
	check_structure("{`k\\\"`: `<{quote}>`}", "{`k\\\"`:`<a\\\"b\\\\c\\u0001>`}");
	check_structure("`x{braces}`", "`x{who} {{x}} ${Y}`");
}

Test(structure, values_are_shared_and_literals_made_once)
{
	struct ab_structure *compiled;
	json_t *one, *two;
	struct filled f;

	filled_open(&f, "{`l`: {`deep`: [1, {`x`: `y`}]}, `v`: `{user}`}");
	compiled = ab_structure_compile(&f.scope, f.conf);
	filled_give(&f, values);
	one = ab_structure_fill(compiled, &f.call, NULL);
	two = ab_structure_fill(compiled, &f.call, NULL);
	cr_expect_neq(one, two);
	cr_expect_eq(json_object_get(one, "l"), json_object_get(two, "l"));
	cr_expect_eq(json_object_get(one, "v"), f.call.needs[0]);
	json_decref(one);
	json_decref(two);
	ab_structure_destroy(compiled);
	filled_close(&f);

	filled_open(&f, "{`a`: [1, {`x`: `y`}]}");
	compiled = ab_structure_compile(&f.scope, f.conf);
	filled_give(&f, "{}");
	one = ab_structure_fill(compiled, &f.call, NULL);
	two = ab_structure_fill(compiled, &f.call, NULL);
	cr_expect_eq(one, two, "without a placeholder it is one value");
	json_decref(one);
	json_decref(two);
	ab_structure_destroy(compiled);
	filled_close(&f);
}

Test(structure, a_list_in_a_mixed_string_fails_by_name)
{
	struct ab_structure *compiled;
	struct ab_error err = {0};
	struct ab_buf buf;
	struct filled f;

	filled_open(&f, "{`a`: [1, `x {user.tags}`]}");
	compiled = ab_structure_compile(&f.scope, f.conf);
	filled_give(&f, values);
	cr_expect_null(ab_structure_fill(compiled, &f.call, &err));
	cr_expect_eq(err.code, AB_EINVALID);
	cr_expect(strstr(err.text, "{user.tags} is a list") != NULL, "%s", err.text);
	ab_buf_init(&buf, 1000);
	cr_expect_eq(ab_structure_write(compiled, &f.call, &buf, &err), AB_EINVALID);
	ab_buf_fini(&buf);
	ab_buf_init(&buf, 4);
	filled_give(&f, "{`user`: {`tags`: `0123`}}");
	cr_expect_eq(ab_structure_write(compiled, &f.call, &buf, &err), AB_EINVALID, "no room");
	ab_buf_fini(&buf);
	ab_structure_destroy(compiled);
	filled_close(&f);
}

Test(structure, every_mistake_in_it_is_reported)
{
	struct filled f;

	filled_open(&f, "{`a`: `{{x}}`, `b`: [`{`, `:id`], `c`: {`d`: `ok {y}`}}");
	cr_expect_null(ab_structure_compile(&f.scope, f.conf));
	cr_expect_eq(ab_diags_mistakes(f.diags), 3);
	filled_close(&f);
}
