/* tests/handlers/test_uri_template.c: every example of RFC 6570, section 3.2, and what strict adds. */
#include "../../handlers/uri_template.h"
#include "../lib/filled.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(uri_template, .timeout = 20);

struct row {
	const char *uri;
	const char *expected; /* NULL: fails */
};

/* The variables of RFC 6570, section 3.2. */
static const char rfc_values[] =
        "{`count`: [`one`,`two`,`three`], `dom`: [`example`,`com`], `dub`: `me/too`, `hello`: `Hello World!`,"
        " `half`: `50%`, `var`: `value`, `who`: `fred`, `base`: `http://example.com/home/`, `path`: `/foo/bar`,"
        " `list`: [`red`,`green`,`blue`], `keys`: {`semi`:`;`,`dot`:`.`,`comma`:`,`}, `v`: `6`, `x`: `1024`,"
        " `y`: `768`, `empty`: ``, `empty_keys`: {}, `undef`: null}";

/* The result, in a static buffer; NULL when it fails. */
static const char *expand(const char *uri, const char *values, unsigned flags, const char *raw)
{
	static char text[4096];
	const char *result = NULL;
	struct ab_uri_template *compiled;
	struct test_conf *raws = raw != NULL ? test_conf_create(raw) : NULL;
	struct ab_error err = {0};
	struct filled f;
	struct ab_buf buf;
	char *quoted;

	cr_assert(asprintf(&quoted, "`%s`", uri) > 0);
	filled_open(&f, quoted);
	compiled = ab_uri_template_compile(&f.scope, f.conf, f.conf->u.string.text, f.conf->u.string.len,
	        raws != NULL ? test_conf_root(raws) : NULL, flags);
	if (compiled == NULL) {
		char *mistakes = test_diags(f.diags);

		cr_expect_fail("%s: %s", uri, mistakes);
		free(mistakes);
	} else {
		filled_give(&f, values);
		ab_buf_init(&buf, sizeof(text));
		if (ab_uri_template_fill(compiled, &f.call, &buf, &err) == AB_OK) {
			result = text;
			snprintf(text, sizeof(text), "%s", buf.data != NULL ? buf.data : "");
		} else {
			cr_expect_eq(err.code, AB_EINVALID);
			snprintf(text, sizeof(text), "%s", err.text);
		}
		ab_buf_fini(&buf);
	}
	ab_uri_template_destroy(compiled);
	test_conf_destroy(raws);
	filled_close(&f);
	free(quoted);
	return result;
}

static void check_rows(const struct row *rows, size_t count, const char *values, unsigned flags)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = expand(rows[i].uri, values, flags, NULL);

		if (rows[i].expected == NULL)
			cr_expect_null(got, "%s: got %s", rows[i].uri, got);
		else
			cr_expect(got != NULL && strcmp(got, rows[i].expected) == 0,
			        "%s: expected %s, got %s", rows[i].uri, rows[i].expected,
			        got != NULL ? got : "a failure");
	}
}

Test(uri_template, variable_expansion_as_in_section_3_2_1)
{
	static const struct row rows[] = {
	        {"{count}", "one,two,three"},
	        {"{count*}", "one,two,three"},
	        {"{/count}", "/one,two,three"},
	        {"{/count*}", "/one/two/three"},
	        {"{;count}", ";count=one,two,three"},
	        {"{;count*}", ";count=one;count=two;count=three"},
	        {"{?count}", "?count=one,two,three"},
	        {"{?count*}", "?count=one&count=two&count=three"},
	        {"{&count*}", "&count=one&count=two&count=three"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, simple_string_expansion_as_in_section_3_2_2)
{
	static const struct row rows[] = {
	        {"{var}", "value"},
	        {"{hello}", "Hello%20World%21"},
	        {"{half}", "50%25"},
	        {"O{empty}X", "OX"},
	        {"O{undef}X", "OX"},
	        {"{x,y}", "1024,768"},
	        {"{x,hello,y}", "1024,Hello%20World%21,768"},
	        {"?{x,empty}", "?1024,"},
	        {"?{x,undef}", "?1024"},
	        {"?{undef,y}", "?768"},
	        {"{var:3}", "val"},
	        {"{var:30}", "value"},
	        {"{list}", "red,green,blue"},
	        {"{list*}", "red,green,blue"},
	        {"{keys}", "semi,%3B,dot,.,comma,%2C"},
	        {"{keys*}", "semi=%3B,dot=.,comma=%2C"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, reserved_expansion_as_in_section_3_2_3)
{
	static const struct row rows[] = {
	        {"{+var}", "value"},
	        {"{+hello}", "Hello%20World!"},
	        {"{+half}", "50%25"},
	        {"{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"},
	        {"{+base}index", "http://example.com/home/index"},
	        {"O{+empty}X", "OX"},
	        {"O{+undef}X", "OX"},
	        {"{+path}/here", "/foo/bar/here"},
	        {"here?ref={+path}", "here?ref=/foo/bar"},
	        {"up{+path}{var}/here", "up/foo/barvalue/here"},
	        {"{+x,hello,y}", "1024,Hello%20World!,768"},
	        {"{+path,x}/here", "/foo/bar,1024/here"},
	        {"{+path:6}/here", "/foo/b/here"},
	        {"{+list}", "red,green,blue"},
	        {"{+list*}", "red,green,blue"},
	        {"{+keys}", "semi,;,dot,.,comma,,"},
	        {"{+keys*}", "semi=;,dot=.,comma=,"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, fragment_expansion_as_in_section_3_2_4)
{
	static const struct row rows[] = {
	        {"{#var}", "#value"},
	        {"{#hello}", "#Hello%20World!"},
	        {"{#half}", "#50%25"},
	        {"foo{#empty}", "foo#"},
	        {"foo{#undef}", "foo"},
	        {"{#x,hello,y}", "#1024,Hello%20World!,768"},
	        {"{#path,x}/here", "#/foo/bar,1024/here"},
	        {"{#path:6}/here", "#/foo/b/here"},
	        {"{#list}", "#red,green,blue"},
	        {"{#list*}", "#red,green,blue"},
	        {"{#keys}", "#semi,;,dot,.,comma,,"},
	        {"{#keys*}", "#semi=;,dot=.,comma=,"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, label_expansion_as_in_section_3_2_5)
{
	static const struct row rows[] = {
	        {"{.who}", ".fred"},
	        {"{.who,who}", ".fred.fred"},
	        {"{.half,who}", ".50%25.fred"},
	        {"www{.dom*}", "www.example.com"},
	        {"X{.var}", "X.value"},
	        {"X{.empty}", "X."},
	        {"X{.undef}", "X"},
	        {"X{.var:3}", "X.val"},
	        {"X{.list}", "X.red,green,blue"},
	        {"X{.list*}", "X.red.green.blue"},
	        {"X{.keys}", "X.semi,%3B,dot,.,comma,%2C"},
	        {"X{.keys*}", "X.semi=%3B.dot=..comma=%2C"},
	        {"X{.empty_keys}", "X"},
	        {"X{.empty_keys*}", "X"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, path_segment_expansion_as_in_section_3_2_6)
{
	static const struct row rows[] = {
	        {"{/who}", "/fred"},
	        {"{/who,who}", "/fred/fred"},
	        {"{/half,who}", "/50%25/fred"},
	        {"{/who,dub}", "/fred/me%2Ftoo"},
	        {"{/var}", "/value"},
	        {"{/var,empty}", "/value/"},
	        {"{/var,undef}", "/value"},
	        {"{/var,x}/here", "/value/1024/here"},
	        {"{/var:1,var}", "/v/value"},
	        {"{/list}", "/red,green,blue"},
	        {"{/list*}", "/red/green/blue"},
	        {"{/list*,path:4}", "/red/green/blue/%2Ffoo"},
	        {"{/keys}", "/semi,%3B,dot,.,comma,%2C"},
	        {"{/keys*}", "/semi=%3B/dot=./comma=%2C"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, path_parameter_expansion_as_in_section_3_2_7)
{
	static const struct row rows[] = {
	        {"{;who}", ";who=fred"},
	        {"{;half}", ";half=50%25"},
	        {"{;empty}", ";empty"},
	        {"{;v,empty,who}", ";v=6;empty;who=fred"},
	        {"{;v,bar,who}", ";v=6;who=fred"},
	        {"{;x,y}", ";x=1024;y=768"},
	        {"{;x,y,empty}", ";x=1024;y=768;empty"},
	        {"{;x,y,undef}", ";x=1024;y=768"},
	        {"{;hello:5}", ";hello=Hello"},
	        {"{;list}", ";list=red,green,blue"},
	        {"{;list*}", ";list=red;list=green;list=blue"},
	        {"{;keys}", ";keys=semi,%3B,dot,.,comma,%2C"},
	        {"{;keys*}", ";semi=%3B;dot=.;comma=%2C"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, form_query_expansion_as_in_section_3_2_8)
{
	static const struct row rows[] = {
	        {"{?who}", "?who=fred"},
	        {"{?half}", "?half=50%25"},
	        {"{?x,y}", "?x=1024&y=768"},
	        {"{?x,y,empty}", "?x=1024&y=768&empty="},
	        {"{?x,y,undef}", "?x=1024&y=768"},
	        {"{?var:3}", "?var=val"},
	        {"{?list}", "?list=red,green,blue"},
	        {"{?list*}", "?list=red&list=green&list=blue"},
	        {"{?keys}", "?keys=semi,%3B,dot,.,comma,%2C"},
	        {"{?keys*}", "?semi=%3B&dot=.&comma=%2C"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

Test(uri_template, form_continuation_expansion_as_in_section_3_2_9)
{
	static const struct row rows[] = {
	        {"{&who}", "&who=fred"},
	        {"{&half}", "&half=50%25"},
	        {"?fixed=yes{&x}", "?fixed=yes&x=1024"},
	        {"{&x,y,empty}", "&x=1024&y=768&empty="},
	        {"{&x,y,undef}", "&x=1024&y=768"},
	        {"{&var:3}", "&var=val"},
	        {"{&list}", "&list=red,green,blue"},
	        {"{&list*}", "&list=red&list=green&list=blue"},
	        {"{&keys}", "&keys=semi,%3B,dot,.,comma,%2C"},
	        {"{&keys*}", "&semi=%3B&dot=.&comma=%2C"},
	};

	check_rows(rows, AB_COUNT(rows), rfc_values, 0);
}

/* Also the examples of sections 1.2 and 2.4 that those above do not hold. */
Test(uri_template, values_of_every_type_and_paths_into_them)
{
	static const char values[] =
	        "{`n`: 7, `big`: 9007199254740993, `real`: 149.95, `huge`: 1e300, `yes`: true, `no`: false, `year`: [`1965`,"
	        "`2000`,`2012`], `semi`: `;`, `user`: {`name`: `J\303\274rgen`, `tags`: [{`id`: 3}, {`id`: 4}, {}]}, "
	        "`holes`: [null, `a`, null, `b`], `nulls`: {`a`: null, `b`: 1}, `none`: [null], `ctl`: `a\\r\\n\\tb\\u007f`, "
	        "`triplet`: `%41%zz%`, `deep`: [[1]], `deeper`: {`a`: {}}, `mix`: {`a b`: `c&d`, `e`: ``}}";
	static const struct row rows[] = {
	        {"/{n}/{big}/{real}", "/7/9007199254740993/149.95"},
	        {"/{huge}", "/1e%2B300"},
	        {"{+huge}", "1e+300"},
	        {"/{big:3}", "/900"},
	        {"{?yes,no}", "?yes=true&no=false"},
	        {"find{?year*}", "find?year=1965&year=2000&year=2012"},
	        {"{semi:2}", "%3B"},
	        {"/{user.name}", "/J%C3%BCrgen"},
	        {"/{user.name:2}", "/J%C3%BC"},
	        {"{?user.name}", "?user.name=J%C3%BCrgen"},
	        {"{?user.tags[0].id}", "?user.tags%5B0%5D.id=3"},
	        {"/{user.tags[*].id}", "/3,4"},
	        {"{/user.tags[*].id*}", "/3/4"},
	        {"{?user.tags[7].id}", ""},
	        {"{?holes,nulls,none}", "?holes=a,b&nulls=b,1"},
	        {"{?holes*,nulls*,none*}", "?holes=a&holes=b&b=1"},
	        {"{ctl}", "a%0D%0A%09b%7F"},
	        {"{triplet}", "%2541%25zz%25"},
	        {"{+triplet}", "%41%25zz%25"},
	        {"{+triplet:1}", "%41"},
	        {"{deep}", NULL},
	        {"{deep*}", NULL},
	        {"{deeper}", NULL},
	        {"{?deeper*}", NULL},
	        {"{year:1}", NULL},
	        {"{user:1}", NULL},
	        {"{?mix*}", "?a%20b=c%26d&e="},
	        {"{;mix*}", ";a%20b=c%26d;e"},
	        {"{mix*}", "a%20b=c%26d,e="},
	        {"caf\303\251/'()*!$@:;=", "caf%C3%A9/'()*!$@:;="},
	        {"%7B%7d%20", "%7B%7d%20"},
	        {"", ""},
	};

	check_rows(rows, AB_COUNT(rows), values, 0);
}

Test(uri_template, strict_path_needs_every_value)
{
	static const char values[] =
	        "{`id`: 7, `empty`: ``, `undef`: null, `list`: [`a`, `b`], `holed`: [`a`, ``], `none`: [],"
	        " `o`: {`k`: `v`}, `yes`: true}";
	static const struct row rows[] = {
	        {"/p/{id}", "/p/7"},
	        {"/p/{yes}", "/p/true"},
	        {"/p/{empty}", NULL},
	        {"/p/{+empty}", NULL},
	        {"/p{/empty}", NULL},
	        {"/p/{undef}", NULL},
	        {"/p{/undef}", NULL},
	        {"/p{.undef}", NULL},
	        {"/p{;undef}", NULL},
	        {"/p/{id,undef}", NULL},
	        {"/p/{id.name}", NULL},
	        {"/p/{list}", NULL},
	        {"/p/{o}", NULL},
	        {"/p/{list*}", "/p/a,b"},
	        {"/p{/list*}", "/p/a/b"},
	        {"/p{/list}", "/p/a,b"},
	        {"/p{;o*}", "/p;k=v"},
	        {"/p{/holed*}", NULL},
	        {"/p{/none*}", NULL},
	        {"/p{?id,undef,empty}", "/p?id=7&empty="},
	        {"/p{?undef}", "/p"},
	        {"/p?a={id}{&undef}", "/p?a=7"},
	        {"/p?a={undef}", NULL},
	        {"/p?a={empty}", "/p?a="},
	        {"/p?a={list}", "/p?a=a,b"},
	        {"/p?a={none}", NULL},
	        {"/p#{id}", "/p#7"},
	        {"/p#{undef}", NULL},
	        {"/p{#undef}", "/p"},
	};

	check_rows(rows, AB_COUNT(rows), values, AB_URI_STRICT);
	cr_expect_null(expand("/p/{user.id}", "{`user`: {}}", AB_URI_STRICT, NULL));
}

Test(uri_template, strict_path_takes_no_dot_segment_from_a_value)
{
	static const char values[] =
	        "{`d`: `.`, `dd`: `..`, `up`: `../x`, `down`: `x/..`, `back`: `..\\\\x`, `enc`: `%2e%2E`, `ok`: `a..b`,"
	        " `file`: `.profile`, `three`: `...`, `e`: `%2e`, `params`: `..;a`, `query`: `x?/../`, `list`: [`a`,`..`]}";
	static const struct row rows[] = {
	        {"/a/{d}", NULL},
	        {"/a/{d}/b", NULL},
	        {"/a/{dd}", NULL},
	        {"/a/{dd}/b", NULL},
	        {"/a/{d}{d}", NULL},
	        {"/a/.{d}", NULL},
	        {"/a/%2e{d}", NULL},
	        {"/a/{up}", NULL},
	        {"/a/{down}", NULL},
	        {"/a/{back}", NULL},
	        {"/a/{+up}", NULL},
	        {"/a/{+enc}", NULL},
	        {"/a/{+e}{e}", "/a/%2e%252e"},
	        {"/a/{enc}", "/a/%252e%252E"},
	        {"/a/{ok}", "/a/a..b"},
	        {"/a/{file}", "/a/.profile"},
	        {"/a/{three}", "/a/..."},
	        {"/a/x{dd}", "/a/x.."},
	        {"/a/{params}", NULL},
	        {"/a{/list*}", NULL},
	        {"/a{.d}", "/a.."},
	        {"/a/{dd}{?d}", NULL},
	        {"/a/b{?dd,up}", "/a/b?dd=..&up=..%2Fx"},
	        {"/a/{+query}", "/a/x?/../"},
	        {"/a#{dd}", "/a#.."},
	};

	check_rows(rows, AB_COUNT(rows), values, AB_URI_STRICT);
}

Test(uri_template, values_from_outside_change_nothing_but_themselves)
{
	static const char values[] = "{`v`: `a/b?c#d&e=f@g:h%i\\\\j\\r\\nk\\u0001\\u2028 '<script>`}";

	cr_expect_str_eq(expand("/x/{v}/y{?v}", values, AB_URI_STRICT, NULL),
	        "/x/a%2Fb%3Fc%23d%26e%3Df%40g%3Ah%25i%5Cj%0D%0Ak%01%E2%80%A8%20%27%3Cscript%3E/y"
	        "?v=a%2Fb%3Fc%23d%26e%3Df%40g%3Ah%25i%5Cj%0D%0Ak%01%E2%80%A8%20%27%3Cscript%3E");
}

Test(uri_template, errors_name_the_placeholder_and_not_the_value)
{
	struct filled f;
	struct ab_uri_template *uri;
	struct ab_error err;
	struct ab_buf buf;

	filled_open(&f, "`/p/{user.name}`");
	uri = ab_uri_template_compile(
	        &f.scope, f.conf, f.conf->u.string.text, f.conf->u.string.len, NULL, AB_URI_STRICT);
	cr_assert_not_null(uri);
	filled_give(&f, "{`user`: {`name`: [`secret`]}}");
	ab_buf_init(&buf, 1000);
	cr_assert_eq(ab_uri_template_fill(uri, &f.call, &buf, &err), AB_EINVALID);
	cr_expect(strstr(err.text, "{user.name} is a list") != NULL, "%s", err.text);
	cr_expect_null(strstr(err.text, "secret"));
	ab_buf_fini(&buf);
	filled_give(&f, "{`user`: {`name`: `0123456789`}}");
	ab_buf_init(&buf, 8);
	cr_assert_eq(
	        ab_uri_template_fill(uri, &f.call, &buf, &err), AB_EINVALID, "longer than there is room for");
	ab_buf_fini(&buf);
	ab_uri_template_destroy(uri);
	filled_close(&f);
}

Test(uri_template, reserved_expansion_is_noted_unless_raw_allows_it)
{
	static const struct {
		const char *uri, *raw;
		size_t raws;
	} rows[] = {
	        {"/{+path}", NULL, 1},
	        {"/{+path,tail}", "[`path`]", 1},
	        {"/{+path.a}{#path}", "[`path`]", 0},
	        {"/{path}", NULL, 0},
	        {"/{#path}", NULL, 1},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct test_conf *raw = rows[i].raw != NULL ? test_conf_create(rows[i].raw) : NULL;
		struct ab_uri_template *uri;
		struct filled f;
		char *quoted;

		cr_assert(asprintf(&quoted, "`%s`", rows[i].uri) > 0);
		filled_open(&f, quoted);
		uri = ab_uri_template_compile(&f.scope, f.conf, f.conf->u.string.text, f.conf->u.string.len,
		        raw != NULL ? test_conf_root(raw) : NULL, AB_URI_STRICT);
		cr_assert_not_null(uri, "%s", rows[i].uri);
		cr_expect_eq(f.scope.n_raws, rows[i].raws, "%s", rows[i].uri);
		for (size_t r = 0; r < f.scope.n_raws; r++)
			cr_expect_eq(f.scope.raws[r].kind, AB_RAW_URL);
		ab_uri_template_destroy(uri);
		filled_close(&f);
		test_conf_destroy(raw);
		free(quoted);
	}
}

Test(uri_template, mistakes_say_what_is_right)
{
	static const struct {
		const char *uri;
		unsigned flags;
		const char *raw, *says;
	} rows[] = {
	        {"/u/{{id}}", 0, NULL, "expected {id} here; a literal brace is %7B"},
	        {"/u/{{{ user.id }}}", 0, NULL, "expected {user.id} here"},
	        {"/u/:id", 0, NULL, "':id' is no placeholder in a URL; expected {id}"},
	        {":user_id/x", 0, NULL, "expected {user_id}"},
	        {"/u/{:id}", 0, NULL, "'{:id}' is no placeholder in a URL; expected {id}"},
	        {"/u/{$id}", 0, NULL, "expected {id}"},
	        {"/u/{id", 0, NULL, "'{' without its '}'"},
	        {"/u/{id{x}", 0, NULL, "'{' without its '}'"},
	        {"/u/id}", 0, NULL, "a literal brace is %7D"},
	        {"/u/{}", 0, NULL, "'{}' names nothing"},
	        {"/u/{+}", 0, NULL, "a name is missing"},
	        {"/u/{a,}", 0, NULL, "a name is missing"},
	        {"/u/{a,,b}", 0, NULL, "a name is missing"},
	        {"/u/{ id }", 0, NULL, "no blanks"},
	        {"/u/{=id}", 0, NULL, "'=' is no operator"},
	        {"/u/{!id}", 0, NULL, "'!' is no operator"},
	        {"/u/{@id}", 0, NULL, "'@' is no operator"},
	        {"/u/{|id}", 0, NULL, "'|' is no operator"},
	        {"/u/{,id}", 0, NULL, "',' is no operator"},
	        {"/u/{id:}", 0, NULL, "a number from 1 to 9999"},
	        {"/u/{id:0}", 0, NULL, "a number from 1 to 9999"},
	        {"/u/{id:03}", 0, NULL, "a number from 1 to 9999"},
	        {"/u/{id:10000}", 0, NULL, "a number from 1 to 9999"},
	        {"/u/{id:a}", 0, NULL, "a number from 1 to 9999"},
	        {"/u/{id:3*}", 0, NULL, "either :n or *"},
	        {"/u/{7up}", 0, NULL, "'7up' is not a name"},
	        {"/u/{id..x}", 0, NULL, "expected a name after '.'"},
	        {"/u/{id[x]}", 0, NULL, "expected a number from 0 up, or *"},
	        {"/u/{id-x}", 0, NULL, "'id-x' is not a name"},
	        {"/u x", 0, NULL, "a blank can't stand in a URL; expected %20"},
	        {"/u<x>", 0, NULL, "'<' can't stand in a URL; expected %3C"},
	        {"/u\\\\x", 0, NULL, "expected %5C"},
	        {"/u\\nx", 0, NULL, "a control character can't stand in a URL; expected %0A"},
	        {"/100%", 0, NULL, "a literal one is %25"},
	        {"/100%2", 0, NULL, "a literal one is %25"},
	        {"/u/../x", AB_URI_STRICT, NULL, "'.' or '..' as a segment"},
	        {"/u/.", AB_URI_STRICT, NULL, "'.' or '..' as a segment"},
	        {"/u/%2E./{id}", AB_URI_STRICT, NULL, "'.' or '..' as a segment"},
	        {"/u/..{?id}", AB_URI_STRICT, NULL, "'.' or '..' as a segment"},
	        {"/u{&id}", AB_URI_STRICT, NULL, "'&' without a '?' before it; expected {?...}"},
	        {"/u?a=1{?id}", AB_URI_STRICT, NULL, "a second '?'; expected {&...}"},
	        {"/u{?a}{?b}", AB_URI_STRICT, NULL, "expected one {?a,b}"},
	        {"/u{?a}{&b}", AB_URI_STRICT, NULL, "expected one {?a,b}"},
	        {"/u{?a}&b=1", AB_URI_STRICT, NULL, "expected the fixed part first"},
	        {"/u/{+id}", 0, "[`other`, `id`]", "raw lists 'other', but the URL has no {+other}"},
	        {"/u/{id}", 0, "[`id`]", "raw lists 'id'"},
	        {"/u/{id}", 0, "`id`", "expected a list"},
	        {"/u/{id}", 0, "[1]", "expected a string"},
	};

	for (size_t i = 0; i < AB_COUNT(rows); i++) {
		struct test_conf *raw = rows[i].raw != NULL ? test_conf_create(rows[i].raw) : NULL;
		struct filled f;
		char *quoted;

		cr_assert(asprintf(&quoted, "`%s`", rows[i].uri) > 0);
		filled_open(&f, quoted);
		cr_expect_null(
		        ab_uri_template_compile(&f.scope, f.conf, f.conf->u.string.text, f.conf->u.string.len,
		                raw != NULL ? test_conf_root(raw) : NULL, rows[i].flags),
		        "%s was accepted", rows[i].uri);
		cr_expect(filled_says(&f, rows[i].says), "%s", rows[i].uri);
		filled_close(&f);
		test_conf_destroy(raw);
		free(quoted);
	}
}

Test(uri_template, several_mistakes_are_found_in_one_go)
{
	struct filled f;

	filled_open(&f, "`/a b/{x:0}/:y/{=z}`");
	cr_assert_null(ab_uri_template_compile(
	        &f.scope, f.conf, f.conf->u.string.text, f.conf->u.string.len, NULL, 0));
	cr_expect_eq(ab_diags_mistakes(f.diags), 4);
	filled_close(&f);
}

Test(uri_template, text_from_the_environment_is_literal_and_encoded)
{
	struct ab_uri_template *uri;
	struct filled f;
	struct ab_buf buf;

	filled_open(&f, "`${/a{x}/{{y}}/:z b%%41?q=1}`");
	uri = ab_uri_template_compile(
	        &f.scope, f.conf, f.conf->u.string.text, f.conf->u.string.len, NULL, AB_URI_STRICT);
	cr_assert_not_null(uri);
	cr_expect_eq(f.scope.n_needs, 0);
	filled_give(&f, "{}");
	ab_buf_init(&buf, 1000);
	cr_assert_eq(ab_uri_template_fill(uri, &f.call, &buf, NULL), AB_OK);
	cr_expect_str_eq(buf.data, "/a%7Bx%7D/%7B%7By%7D%7D/:z%20b%25%41?q=1");
	ab_buf_fini(&buf);
	ab_uri_template_destroy(uri);
	filled_close(&f);
}

Test(uri_template, a_part_of_a_string_is_a_template_too)
{
	struct ab_uri_template *uri;
	struct filled f;
	struct ab_buf buf;

	filled_open(&f, "`GET catalog/p/{id}`");
	uri = ab_uri_template_compile(
	        &f.scope, f.conf, f.conf->u.string.text + 11, f.conf->u.string.len - 11, NULL, AB_URI_STRICT);
	cr_assert_not_null(uri);
	filled_give(&f, "{`id`: 3}");
	ab_buf_init(&buf, 1000);
	ab_buf_adds(&buf, "http://h/base");
	cr_assert_eq(ab_uri_template_fill(uri, &f.call, &buf, NULL), AB_OK);
	cr_expect_str_eq(buf.data, "http://h/base/p/3");
	ab_buf_fini(&buf);
	ab_uri_template_destroy(uri);
	filled_close(&f);
}
