/* tests/handlers/test_jq_names.c: what a filter needs, told from what it binds itself; what it must not do;
 * and where it forgets that it has no input. */
#include "../../handlers/jq/names.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(jq_names, .timeout = 20);

struct found {
	char needs[300], mistakes[600];
	struct ab_jq_scan scan;
};

static void on_need(void *arg, size_t offset, const char *text, size_t name_len, size_t len)
{
	struct found *found = arg;
	size_t at = strlen(found->needs);

	cr_assert(name_len > 0 && name_len <= len);
	snprintf(found->needs + at, sizeof(found->needs) - at, "%s%.*s@%zu", at > 0 ? " " : "", (int)len,
	        text, offset);
}

static void on_mistake(void *arg, size_t offset, const char *message)
{
	struct found *found = arg;
	size_t at = strlen(found->mistakes);

	snprintf(found->mistakes + at, sizeof(found->mistakes) - at, "%s%zu: %s", at > 0 ? "\n" : "", offset,
	        message);
}

static struct found scan(const char *text)
{
	static const struct ab_jq_scan_fns fns = {.need = on_need, .mistake = on_mistake};
	struct found found = {.needs = ""};
	/* Exactly as large as the text, so that reading beyond it is seen. */
	size_t len = strlen(text);
	char *copy = malloc(len + !len);

	memcpy(copy, text, len);
	ab_jq_scan(copy, len, &fns, &found, &found.scan);
	cr_assert(!found.scan.understood || found.scan.expected == NULL);
	cr_assert(found.scan.understood || found.scan.offset <= len);
	free(copy);
	return found;
}

Test(jq_names, needs_are_the_names_that_nothing_binds)
{
	static const struct {
		const char *filter, *needs, *why;
	} rows[] = {
	        {"$a", "a@0", "plain"},
	        {"1 + 2", "", "none at all"},
	        {"$a.b.c[0].d", "a.b.c@0", "fields right behind it belong to its path"},
	        {"$a | .b", "a@0", "fields of a value do not"},
	        {"[$a, $a]", "a@1 a@5", "each use"},
	        {"$ a", "a@0", "jq 1.6 lets blanks be there"},
	        {"$a as $x | $x", "a@0", "as"},
	        {"($a as $x | $x) + $x", "a@1 x@18", "a binding ends with its brackets"},
	        {"$x as $x | $x", "x@0", "both free and bound"},
	        {"$a as [$x, [$y]] | $x + $y + $z", "a@0 z@29", "a list pattern"},
	        {"$a as {x: $x, $y, \"k\": $k, $z: [$w]} | $x + $y + $z + $w + $k", "a@0",
	                "an object pattern"},
	        {"$a as {($k): $x} | $x", "a@0 k@8", "a computed key"},
	        {"$a as {\"\\($k)\": $x} | $x", "a@0 k@10", "a computed key in a string"},
	        {"$a as {$k, ($k): $x} | $x", "a@0 k@12", "a pattern does not see its own variables"},
	        {"$a as [$x] ?// {$y} ?// $z | [$x, $y, $z]", "a@0", "alternatives bind all of them"},
	        {"reduce $a[] as $x ($i; . + $x + $y)", "a@7 i@19 y@32", "reduce"},
	        {"reduce $a[] as $x ($x; .)", "a@7 x@19", "its first part is outside"},
	        {"foreach $a[] as [$x] (0; $x; $x + $y)", "a@8 y@34", "foreach"},
	        {"reduce $a[] as $x (0; 1) | $x", "a@7 x@27", "and ends"},
	        {"def f($p; g): $p + g + p + $q; f($p; $r)", "q@27 p@33 r@37", "parameters"},
	        {"def f(p): $p; f(1)", "p@10", "a closure is no variable"},
	        {"def f: def g($x): $x; g(1) + $x; f", "x@29", "definitions in definitions"},
	        {"$a as $x | def f: $x; f", "a@0", "a definition sees what is bound around it"},
	        {"label $out | $a | break $out", "a@13", "labels are no variables"},
	        {"label $out | $out", "out@13", "nor are variables labels"},
	        {"$__loc__.line", "", "the place in the filter"},
	        {"\"$a \\($b) \\(\"\\($c)\")\"", "b@6 c@15", "strings, interpolated"},
	        {"\"\\\\($a) \\\"\\($b)\"", "b@12", "an escaped backslash begins nothing"},
	        {"@base64 \"x\\($a)\"", "a@12", "a format"},
	        {"{$a, b: $b, (\"c\" + $c): 1, \"d\\($d)\": 2, if: $e, $f: 1}", "a@1 b@8 c@19 d@31 e@44 f@48",
	                "keys of objects"},
	        {"{a: $a | .b, c: $c}", "a@4 c@16", "pipes between keys"},
	        {"# $x\n$a # $y", "a@5", "comments"},
	        {".a.$b", "", "not understood: nothing"},
	        {"if $a then $b elif $c then $d else $e end", "a@3 b@11 c@19 d@27 e@35", "if"},
	        {"try $a catch $b", "a@4 b@13", "try"},
	        {"$a[$i] | .[$j:$k]", "a@0 i@3 j@11 k@14", "indexes and slices"},
	        {"$a?.b // $c", "a@0 c@9", "alternatives"},
	        {"-$a * -($b)", "a@1 b@8", "signs"},
	        {"$a and $b or ($c | not)", "a@0 b@7 c@14", "words between operands"},
	        {"$if + $and", "if@0 and@6", "names that are words of jq"},
	        {"1 as $x | 2 as $y | [$x, $y, $z]", "z@29", "one binding in the other"},
	        {"[1 as $x | $x] | $x", "x@17", "brackets end it"},
	        {"1 + ($a as $x | $x) + $x", "a@5 x@22", "inside an operand"},
	        {"1 + $a as $x | $x, $x", "a@4", "a body goes on as far as it can"},
	        {"$m::x", "m::x@0", "what is of a module: for the scope to refuse"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct found found = scan(rows[i].filter);

		cr_expect_str_eq(
		        found.needs, rows[i].needs, "%s (%s): %s", rows[i].filter, rows[i].why, found.needs);
		cr_expect(found.scan.understood || strstr(rows[i].why, "not understood") != NULL,
		        "%s: not understood at %zu", rows[i].filter, found.scan.offset);
	}
}

Test(jq_names, work_on_the_null_input_is_a_mistake)
{
	static const struct {
		const char *filter, *mistake; /* its first words; "": none */
	} rows[] = {
	        {".foo", "0: .foo is a field of the input, which is null here; expected $name.foo"},
	        {".", "0: . is the input, which is null here; expected $name"},
	        {".[0]", "0: .[0] is a part of the input, which is null here; expected $name[0]"},
	        {".\"a b\"", "0: .\"a b\" is a part"},
	        {"..", "0: .. works on the input, which is null here; expected $name | .."},
	        {"$a + .b", "5: .b is a field"},
	        {"[.[] | .x]", "1: .[] is a part"},
	        {"{a, b: 1}", "1: {a} takes a field of the input, which is null here; expected {a: $name.a}"},
	        {"{a: .b}", "4: .b"},
	        {"if .a then 1 else 2 end", "3: .a"},
	        {"\"x\\(.a)\"", "4: .a"},
	        {". as $x | $a", "0: . is the input"},
	        {"$a as $x | .b", "11: .b"},
	        {"reduce .[] as $x (0; .)", "7: .[]"},
	        {"reduce $a[] as $x (.b; .)", "19: .b"},
	        {"$a[.i]", "3: .i"},
	        {"try .a catch .b", "4: .a"},
	        {".a // $b", "0: .a"},
	        {".a, $b", "0: .a"},
	        {"length", "0: length works on the input, which is null here; expected $name | length"},
	        {"map(.x)", "0: map works on the input"},
	        {"@json", "0: @json works on the input"},
	        {"($a | .x) = .b", "12: .b"},
	        {"$a = 1", "3: = changes a part of the input, and $a is none; expected == to compare"},
	        {"$a.b |= 1",
	                "5: |= changes a part of the input, and $a is none; expected $a | .field |= ..."},
	        {"$a | .b = 1", ""},
	        {"def f: .x; .y", "11: .y"},
	        /* Here . is something, or may be. */
	        {"$a | .b", ""},
	        {"$a | [.[] | .x]", ""},
	        {"$a | . as $x | .y", ""},
	        {"$a | {a, b: .c}", ""},
	        {"[$a[] | .b, .c]", ""},
	        {"reduce $a[] as $x (0; . + $x)", ""},
	        {"foreach $a[] as $x (0; . + $x; [$x, .])", ""},
	        {"first($a[] | .x)", ""},
	        {"any($a[]; .x > 1)", ""},
	        {"path(.a.b)", ""},
	        {"$a | length", ""},
	        {"def f: .x; $a | f", ""},
	        {"def f(g): g | .x; f($a)", ""},
	        {"def length: 3; length", ""},
	        {"try error(\"x\") catch .", ""},
	        {"($a | .x) |= .b", ""},
	        {".a = 1 | .b = $b", ""},
	        {".a.b += 1", ""},
	        {"1 as $x | $a | .b", ""},
	        {"{a: ($a | .b), c: $c | .d}", ""},
	        {"$a as {(.k): $x} | $x", ""},
	        {"empty, null, now, range(3), error(\"x\")", ""},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct found found = scan(rows[i].filter);
		size_t len = strlen(rows[i].mistake);

		cr_expect(found.scan.understood, "%s", rows[i].filter);
		cr_expect(len > 0 ? strncmp(found.mistakes, rows[i].mistake, len) == 0
		                  : found.mistakes[0] == '\0',
		        "%s: %s", rows[i].filter, found.mistakes);
		cr_expect(strchr(found.mistakes, '\n') == NULL, "%s: %s", rows[i].filter, found.mistakes);
	}
}

Test(jq_names, what_reaches_outside_is_refused_where_it_is_called)
{
	static const char *const words[] = {"env", "input", "inputs", "debug", "stderr", "halt", "halt_error",
	        "input_line_number", "modulemeta", "get_search_list", "input_filename", "_plus"};
	struct found found;
	char text[200];

	for (size_t i = 0; i < AB_COUNT(words); i++) {
		snprintf(text, sizeof(text), "$a | (%s, .x)", words[i]);
		found = scan(text);
		cr_expect(strstr(found.mistakes, words[i]) == found.mistakes + 3, "%s: %s", text,
		        found.mistakes);
		/* As a field, a key, a string, a variable or a name of one's own it is nothing. */
		snprintf(text, sizeof(text), "$a | .%s, {%s: 1}, \"%s\", $%s", words[i], words[i], words[i],
		        words[i]);
		cr_expect_str_empty(scan(text).mistakes, "%s", text);
		snprintf(text, sizeof(text), "def %s: 1; %s", words[i], words[i]);
		cr_expect_str_empty(scan(text).mistakes, "%s", text);
	}
	cr_expect(strncmp(scan("debug(\"x\")").mistakes, "0: debug: ", 10) == 0);
	cr_expect(strncmp(scan("$ENV.PATH").mistakes, "0: $ENV: ", 9) == 0);
	cr_expect_str_empty(scan("$a as $ENV | $ENV").mistakes);
	cr_expect(strncmp(scan("import \"a\" as b; b::f").mistakes, "0: import: ", 11) == 0);
	cr_expect(strncmp(scan("include \"a\"; f").mistakes, "0: include: ", 12) == 0);
	cr_expect(strncmp(scan("$a | @nope").mistakes, "5: @nope is no format", 21) == 0);
	cr_expect(strncmp(scan("@nope \"x\"").mistakes, "0: @nope is no format", 21) == 0);
}

Test(jq_names, what_does_not_follow_the_grammar_is_not_understood)
{
	static const struct {
		const char *filter;
		size_t offset;
		const char *expected;
	} rows[] = {
	        {"", 0, "an expression"},
	        {" # nothing", 10, "an expression"},
	        {"$a +", 4, "an expression"},
	        {"$a) + ($b", 2, "an operator, or the end"},
	        {"($a", 3, "')'"},
	        {"[$a", 3, "']'"},
	        {"{a: $a", 6, "'}'"},
	        {"{,}", 1, "a key, or '}'"},
	        {"\"abc", 0, "'\"' to end the string"},
	        {"\"\\($a\"", 5, "')' to end \\( in a string"},
	        {"if $a then 1", 12, "`end`"},
	        {"reduce $a ($x; 1)", 10, "`as`"},
	        {"$a as x | 1", 6, "$name, [$a, $b] or {$a, b: $c} behind `as`"},
	        {"$a as $x", 8, "'|' behind `as`"},
	        {"def f: 1", 8, "';' to end the definition"},
	        {"def f: 1;", 9, "an expression"},
	        {"$$$$a", 0, "an expression"},
	        {"$a ~ 1", 3, "an operator, or the end"},
	        {"$a . b", 5, "a field behind '.', as in .name or .[\"any name\"]"},
	        {"then", 0, "an expression"},
	        {"break", 5, "the $name of a label"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct found found = scan(rows[i].filter);

		cr_assert(!found.scan.understood, "%s", rows[i].filter);
		cr_expect_str_eq(
		        found.scan.expected, rows[i].expected, "%s: %s", rows[i].filter, found.scan.expected);
		cr_expect_eq(found.scan.offset, rows[i].offset, "%s: %zu", rows[i].filter, found.scan.offset);
	}
}

Test(jq_names, nesting_has_a_bound)
{
	char text[5000];

	memset(text, '(', 4000);
	strcpy(text + 4000, "1");
	cr_expect_str_eq(scan(text).scan.expected, "at most 200 levels of nesting");
	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 4 * i, "1 | ", 4);
	strcpy(text + 4000, "1");
	cr_expect(scan(text).scan.understood); /* a long pipe is not deep */
}

Test(jq_names, quick_is_what_its_needs_bound)
{
	static const char *const quick[] = {"$a", "$a == \"x\" and $b > 1", "{id: $a.id, n: ($a.n // 0)}",
	        "$a.list[0].x", "if $a | not then $b else null end", "\"\\($a)-\\($b)\"", "$a | length",
	        "$a as $x | {$x}", "$a - 1", "$to >= $from", "$a | startswith(\"x\")", "try $a.b catch null"};
	static const char *const slow[] = {"$a[]", "\"x\" * $a", "range($a)", "[$a, $b]", "$a - $b", "$a[$b]",
	        "reduce $a as $x (0; 1)", "def f: f; f", "$a | test(\"x\")", "$a | ..", "$a | recurse",
	        "$a | map(.x)", "$a | sort", "$a == input"};

	for (size_t i = 0; i < AB_COUNT(quick); i++)
		cr_expect(scan(quick[i]).scan.quick, "%s", quick[i]);
	for (size_t i = 0; i < AB_COUNT(slow); i++)
		cr_expect(!scan(slow[i]).scan.quick, "%s", slow[i]);
}
