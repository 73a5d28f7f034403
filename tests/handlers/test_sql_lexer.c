/* tests/handlers/test_sql_lexer.c: where a colon is a placeholder, in SQLite's SQL and in PostgreSQL's. */
#include "../../handlers/buf.h"
#include "../../handlers/sql/lexer.h"

#include <criterion/criterion.h>

TestSuite(sql_lexer, .timeout = 20);

enum { MAX = 8192 };

/* "mistake at 7: text\n" for each. */
static void on_mistake(void *arg, size_t offset, bool hint, const char *text)
{
	ab_buf_printf(arg, "%s at %zu: %s\n", hint ? "hint" : "mistake", offset, text);
}

/* The placeholders with a blank between, then the mistakes, a line each. */
static char *scan(enum ab_sql_dialect dialect, const char *sql)
{
	struct ab_buf found, mistakes;
	struct ab_sql_scan scan;

	ab_buf_init(&found, MAX);
	ab_buf_init(&mistakes, MAX);
	cr_assert_eq(ab_sql_scan(dialect, sql, strlen(sql), on_mistake, &mistakes, &scan), AB_OK);
	for (size_t i = 0; i < scan.count; i++)
		ab_buf_printf(&found, "%s%.*s", i > 0 ? " " : "", (int)scan.placeholders[i].len,
		        sql + scan.placeholders[i].start);
	if (mistakes.len > 0)
		ab_buf_printf(&found, "|%.*s", (int)mistakes.len - 1, mistakes.data);
	ab_sql_scan_fini(&scan);
	ab_buf_fini(&mistakes);
	return ab_buf_take(&found);
}

static void check(enum ab_sql_dialect dialect, const char *sql, const char *expected)
{
	char *found = scan(dialect, sql);

	cr_expect_str_eq(found, expected, "%s\nfound    %s\nexpected %s", sql, found, expected);
	free(found);
}

/* What is found in each dialect; NULL: not asked. */
struct row {
	const char *sql, *sqlite, *postgres;
};

/* clang-format off */
#define BOTH(sql, found) {sql, found, found}
#define LITE(sql, found) {sql, found, NULL}
#define POST(sql, found) {sql, NULL, found}

static const struct row rows[] = {
	/* placeholders */
	BOTH("SELECT :a", ":a"),
	BOTH("SELECT :a, :b_2,:A", ":a :b_2 :A"),
	BOTH("SELECT :user.id + :user.address.zip", ":user.id :user.address.zip"),
	BOTH("SELECT :a||:a", ":a :a"),
	BOTH("SELECT(:a)", ":a"),
	BOTH("SELECT :a.", ":a"),
	BOTH("SELECT :a.1", ":a"),
	BOTH("SELECT x=:a-- :b\n+:c", ":a :c"),
	BOTH("SELECT 1", ""),
	BOTH("", ""),
	BOTH(" -- nothing", ""),
	BOTH("SELECT 1;", ""),
	BOTH("SELECT :a ; -- end\n /* of it */ ;", ":a"),
	BOTH(";SELECT :a", ":a"),
	/* strings, identifiers, comments hide it */
	BOTH("SELECT 'it''s :a', :b", ":b"),
	BOTH("SELECT ';', :b", ":b"),
	BOTH("SELECT '\\', :b", ":b"),
	BOTH("SELECT \"a\"\":b\", :c", ":c"),
	BOTH("SELECT 1 /* :a ' */ + :b", ":b"),
	BOTH("SELECT x'00', :b", ":b"),
	BOTH("SELECT 'a' 'b', :c", ":c"),
	BOTH("SELECT '{x}', '{{x}}', '?', '$1', '@x', :a", ":a"),
	BOTH("SELECT ':a'", "|hint at 7: ':a' in quotes is text, not a placeholder; :a is the value"),
	BOTH("SELECT ':a b', ' :a', ':1'", ""),
	{"SELECT [a:b], [:c]", "", ":c"},
	LITE("SELECT `a:b :c`", ""),
	LITE("SELECT [it's], :a", ":a"),
	BOTH("SELECT \xc3\xa9t\xc3\xa9, :a", ":a"),
	BOTH("SELECT a$b, :a", ":a"),
	/* comments nest in PostgreSQL only */
	{"/* /* :a */ :b */ SELECT 1", ":b", ""},
	BOTH("SELECT 1 - -:a", ":a"),
	BOTH("SELECT 8/:a", ":a"),
	/* without an end */
	BOTH("SELECT 'a", "|mistake at 7: a string without its end; expected '"),
	BOTH("SELECT \"a", "|mistake at 7: an identifier without its end; expected \""),
	LITE("SELECT [a", "|mistake at 7: an identifier without its end; expected ]"),
	LITE("SELECT `a", "|mistake at 7: an identifier without its end; expected `"),
	BOTH("SELECT 1 /* a", "|mistake at 9: a comment without its end; expected */"),
	{"SELECT 1 /* /* a */", "", "|mistake at 9: a comment without its end; expected */"},
	POST("SELECT $a$ b $a", "|mistake at 7: a dollar-quoted string without its end"),
	/* other libraries' placeholders */
	{"SELECT ?", "|mistake at 7: '?' is not a placeholder here; write :name",
		"|mistake at 7: '?' is not a placeholder here; write :name (for the operator, jsonb_exists)"},
	LITE("SELECT ?12, :a", ":a|mistake at 7: '?' is not a placeholder here; write :name"),
	BOTH("SELECT $1", "|mistake at 7: '$1' is not a placeholder here; write :name"),
	BOTH("SELECT $name, :b", ":b|mistake at 7: '$name' is not a placeholder here; write :name"),
	BOTH("SELECT @x", "|mistake at 7: '@x' is not a placeholder here; write :x"),
	LITE("SELECT #x", "|mistake at 7: '#x' is not a placeholder here; write :x"),
	BOTH("SELECT a WHERE b = {x}", "|mistake at 19: '{x}' is not a placeholder in SQL; write :x"),
	BOTH("SELECT {{ x }}", ""),
	BOTH("SELECT {{x}}", "|mistake at 7: '{{x}}' is not a placeholder in SQL; write :x"),
	BOTH("SELECT {user.id}, :b",
		":b|mistake at 7: '{user.id}' is not a placeholder in SQL; write :user.id"),
	BOTH("SELECT :1", "|mistake at 7: a placeholder's name begins with a letter or _; expected :name"),
	BOTH("SELECT :\xc3\xa9",
		"|mistake at 7: a placeholder's name begins with a letter or _; expected :name"),
	BOTH("SELECT :caf\xc3\xa9",
		":caf|mistake at 11: a placeholder's name is of letters, digits and _ (ASCII only)"),
	BOTH("SELECT :a[0]",
		":a|mistake at 9: in SQL a placeholder's path has only names and dots; give the part a "
		"name: needs: {part: a[...]}"),
	LITE("SELECT ?, $1, @x", "|mistake at 7: '?' is not a placeholder here; write :name\n"
		"mistake at 10: '$1' is not a placeholder here; write :name\n"
		"mistake at 14: '@x' is not a placeholder here; write :x"),
	/* one statement */
	BOTH("SELECT 1; SELECT 2",
		"|mistake at 10: a second statement; expected one, as a resource runs exactly one"),
	BOTH("DELETE FROM a WHERE b = :c; --\n DROP TABLE a",
		":c|mistake at 32: a second statement; expected one, as a resource runs exactly one"),
	/* casts */
	{"SELECT :a::int", ":a|mistake at 9: SQLite has no casts with '::'; write CAST(value AS type)",
		":a"},
	POST("SELECT '1'::int, x::text[], :a::date", ":a"),
	POST("SELECT f(a := :b)", ":b"),
	/* subscripts and slices */
	POST("SELECT a[1:2], :c", ":c"),
	POST("SELECT a[lo:hi], a[f(x):y], a[b[1]:c], (ARRAY[1,2])[x:y]", ""),
	POST("SELECT a[:lo : :hi], a[:lo:2], a[1::i], a[2::hi]", ":lo :hi :lo"),
	POST("SELECT ARRAY[:a, :b]", ":a :b"),
	POST("SELECT a[x+:b]", ":b"),
	POST("SELECT a['k':b]", ""),
	/* PostgreSQL's strings */
	POST("SELECT E'it\\'s :a', :b", ":b"),
	POST("SELECT e'\\\\', :b", ":b"),
	POST("SELECT E'a'\n '\\' :x', :b", ":b"),
	POST("SELECT E'a'\n -- c\n '\\' :x', :b", ":b"),
	POST("SELECT E'a' '\\', :b", ":b"),
	POST("SELECT 'a'\n 'b :x', :b", ":b"),
	POST("SELECT some'\\', :b", ":b"),
	POST("SELECT U&'\\0041 :a', B'01', :b", ":b"),
	POST("SELECT $$it's :a$$, :b", ":b"),
	POST("SELECT $f$ $$ :a $g$ $f$, :b", ":b"),
	POST("SELECT $\xc3\xa9$ :a $\xc3\xa9$, :b", ":b"),
	POST("SELECT a$$, :b", ":b"),
	POST("SELECT x$tag$ :a", ":a"),
	/* PostgreSQL's operators */
	POST("SELECT a @> :b, c <@ d, e @@ f, g ?| h, i ?& j, @ -5, k #>> l", ":b"),
	POST("SELECT a->>:b, a-> 'x', a #- :c", ":b :c"),
	POST("SELECT a ? 'k'",
		"|mistake at 9: '?' is not a placeholder here; write :name (for the operator, jsonb_exists)"),
	POST("SELECT 1 +-- :a\n:b", ":b"),
	POST("SELECT 1 */* :a */:b", ":b"),
	LITE("SELECT a->>:b, a -> '$.x'", ":b"),
};
/* clang-format on */

Test(sql_lexer, finds_placeholders_and_nothing_else)
{
	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		const struct row *row = &rows[i];

		if (row->sqlite != NULL)
			check(AB_SQL_SQLITE, row->sql, row->sqlite);
		if (row->postgres != NULL)
			check(AB_SQL_POSTGRES, row->sql, row->postgres);
	}
}

Test(sql_lexer, tells_where_the_statement_begins_and_ends)
{
	const char *sql = " -- c\n ; /* d */ Select 1 -- e\n + 2 ; -- f";
	struct ab_buf mistakes;
	struct ab_sql_scan scan;

	ab_buf_init(&mistakes, MAX);
	cr_assert_eq(ab_sql_scan(AB_SQL_SQLITE, sql, strlen(sql), on_mistake, &mistakes, &scan), AB_OK);
	cr_expect_eq(mistakes.len, 0);
	cr_expect(strncmp(sql + scan.start, "Select 1", 8) == 0);
	cr_expect_eq(scan.word_len, 6);
	cr_expect_str_eq(sql + scan.end, " ; -- f");
	ab_sql_scan_fini(&scan);
}

Test(sql_lexer, a_nul_byte_is_a_mistake)
{
	struct ab_buf mistakes;
	struct ab_sql_scan scan;

	ab_buf_init(&mistakes, MAX);
	cr_assert_eq(ab_sql_scan(AB_SQL_SQLITE, "a\0b", 3, on_mistake, &mistakes, &scan), AB_OK);
	cr_expect_str_eq(mistakes.data, "mistake at 1: a NUL byte in a statement\n");
	ab_sql_scan_fini(&scan);
	ab_buf_fini(&mistakes);
}

Test(sql_lexer, a_thousand_placeholders_are_enough)
{
	struct ab_buf sql, mistakes;
	struct ab_sql_scan scan;

	ab_buf_init(&sql, 1 << 16);
	ab_buf_init(&mistakes, MAX);
	ab_buf_adds(&sql, "SELECT 0");
	for (int i = 0; i < AB_SQL_MAX_PLACEHOLDERS + 1; i++)
		ab_buf_adds(&sql, ",:a");
	cr_assert_eq(ab_sql_scan(AB_SQL_SQLITE, sql.data, sql.len, on_mistake, &mistakes, &scan), AB_OK);
	cr_expect_eq(scan.count, AB_SQL_MAX_PLACEHOLDERS);
	cr_expect_str_eq(mistakes.data, "mistake at 3009: more than 1000 placeholders in a statement\n");
	ab_sql_scan_fini(&scan);
	ab_buf_fini(&mistakes);
	ab_buf_fini(&sql);
}
