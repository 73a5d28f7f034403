/* tests/server/test_modules.c: modules of C functions: loaded or refused, and their resources in an app. */
#include "appfile.h"
#include "web.h"

#include "../lib/process.h"
#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

TestSuite(modules, .timeout = 60);

/* Where make has put the shared objects of tests/modules. */
static void link_modules(const char *dir)
{
	char program[600], target[700], link[100];

	snprintf(program, sizeof(program), "%s", process_anabranch());
	snprintf(target, sizeof(target), "%s/modules", dirname(program));
	snprintf(link, sizeof(link), "%s/build", dir);
	cr_assert(symlink(target, link) == 0);
}

/* ---- what is refused ---- */

static const struct wrong loading[] = {
        {"never built", "modules: [build/not_made_yet.so]\n",
                "app.yaml:1:11: there is no build/not_made_yet.so; build it: cc -shared -fPIC -I$(anabranch --include) -o build/not_made_yet.so FILE.c -ljansson"},
        {"never built, with a Makefile", "modules: [made/none.so]\n=== Makefile\nall:\n=== made/keep\n",
                "app.yaml:1:11: there is no made/none.so; run make"},
        {"never built, in a folder with a Makefile of its own",
                "modules:\n  - native/made/none.so\n  - native/none.so\n=== native/Makefile\nall:\n=== native/made/keep\n",
                "app.yaml:2:5: there is no native/made/none.so; run make -C native\n"
                "app.yaml:3:5: there is no native/none.so; run make -C native"},
        {"a wrong path", "modules: [biuld/god.so, build/nothere*.so]\n",
                "app.yaml:1:11: there is no biuld/god.so; build it: cc -shared -fPIC -I$(anabranch --include) -o biuld/god.so FILE.c -ljansson; did you mean build/good.so?\n"
                "app.yaml:1:25: the pattern build/nothere*.so matches no file; expected at least one"},
        {"the source", "modules: [greet.c]\n=== greet.c\nint x;\n",
                "app.yaml:1:11: greet.c is a source file; expected what is built from it: cc -shared -fPIC -I$(anabranch --include) -o greet.so greet.c -ljansson, and here greet.so"},
        {"no shared object",
                "modules: [text.so]\n=== text.so\nhello, this is a text and no shared object, and longer than a header of one\n",
                "app.yaml:1:11: text.so is no shared object; build it: cc -shared -fPIC -I$(anabranch --include) -o text.so FILE.c -ljansson"},
        {"another file",
                "modules: [text.txt]\n=== text.txt\nhello, this is a text that nobody wants to lose to a compiler, is it?\n",
                "app.yaml:1:11: text.txt is no shared object; expected one, as in modules: [build/greet.so]"},
        {"a folder", "modules: [build]\n",
                "app.yaml:1:11: build is a folder; expected a shared object in it"},
        {"no module", "modules: [build/foreign.so]\n",
                "app.yaml:1:11: build/foreign.so is no module: it has no anabranch_module; expected a file in it that includes <anabranch.h>"},
        {"no resources", "modules: [build/bare.so]\n",
                "app.yaml:1:11: build/bare.so defines no resource; expected at least one, as in RESOURCE(name) { return text(\"...\"); }"},
        {"another version", "modules: [build/old.so]\n",
                "app.yaml:1:11: build/old.so was built with the headers of another version (interface 99, this program has 1); expected it built again with the headers of this one, in the folder that anabranch --include prints"},
        {"an undefined symbol", "modules: [build/undefined.so]\n",
                "app.yaml:1:11: build/undefined.so can't be loaded: undefined symbol: nobody_has_this; is a #include or a file missing, or a library at the end of the link command (-l...)?"},
        {"a crash at load", "modules: [build/crash.so]\n",
                "app.yaml:1:11: build/crash.so crashes when it is loaded (Segmentation fault); look at its constructors and the initial values of C++ objects"},
        {"an exit at load", "modules: [build/leave.so]\n",
                "app.yaml:1:11: build/leave.so ends the process when it is loaded (exit code 3); look at its constructors (what runs at load)"},
        {"one mistake, though resources are missed everywhere",
                "modules: [build/not_made_yet.so]\n"
                "resources:\n"
                "  page: {text: \"{{greet}}\"}\n"
                "  other: {native: greet}\n"
                "routes: {GET /: {answer: page}, GET /x: {answer: greet}}\n",
                "app.yaml:1:11: there is no build/not_made_yet.so; build it: cc -shared -fPIC -I$(anabranch --include) -o build/not_made_yet.so FILE.c -ljansson"},
        {"no list", "modules: build/good.so\n",
                "app.yaml:1:10: modules is the string 'build/good.so'; expected a list, as in modules: [build/greet.so]"},
        {"no file", "modules: [\"\", 5]\n",
                "app.yaml:1:11: an empty name under modules; expected a shared object\n"
                "app.yaml:1:15: a module under modules is the number 5; expected a string; with quotes: modules: [\"\", \"5\"]"},
};

static void expect(const struct wrong *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct appfile f;

		appfile_begin(&f);
		link_modules(f.dir);
		appfile_more(&f, table[i].text);
		cr_expect_str_eq(f.mistakes, table[i].mistakes, "%s:\n%s", table[i].why, f.mistakes);
		appfile_close(&f);
	}
}

Test(modules, what_cannot_be_loaded_is_told_with_what_to_do)
{
	expect(loading, AB_COUNT(loading));
}

#define USER "resources: {user: {value: {name: Ada}}, plain: 1, id: 7, email: a}\n"

static const struct wrong naming[] = {
        {"mistakes in the C file are told where they stand in it",
                "modules: [build/mistakes.so]\n"
                "resources: {user: {json: \"{user_id}\"}}\n"
                "routes: {GET /: {answer: page, accept: {who: string}}, GET /x: {answer: user, accept: {user_id: string}}}\n",
                "app.yaml:3:26: resource 'page' needs 'whoo', which does not exist; did you mean 'who'?"},
        {"a name in two modules", "modules: [build/good.so, build/rival.so]\n" USER,
                "app.yaml:1:10: resource 'greet' is in two files included here, tests/modules/good.c:10:1 and tests/modules/rival.c:4:1; expected it in one, or in this file, which then decides"},
        {"a name in two modules, and no word which",
                "modules: [build/good.so, build/rival.so]\n"
                "resources: {greet: {native: greet}, user: {value: {name: Ada}}, plain: 1, id: 7, email: a}\n",
                "app.yaml:2:29: C function 'greet' is in two modules; expected module: build/good.so, or build/rival.so"},
        {"no such function",
                "modules: [build/rival.so]\n"
                "resources: {a: {native: gret}}\n",
                "app.yaml:2:25: no C function 'gret' in the modules; expected a RESOURCE of one; did you mean 'greet'?"},
        {"no such module",
                "modules: [build/rival.so]\n"
                "resources: {a: {native: greet, module: rival.so}}\n",
                "app.yaml:2:40: there is no module 'rival.so'; expected one that stands under modules"},
        {"no modules", "resources: {a: {native: greet}}\n",
                "app.yaml:1:25: a C function and no module; expected one under modules, as in modules: [build/greet.so]"},
        {"a parameter that is none",
                "modules: [build/good.so]\n"
                "resources: {a: {native: greet, needs: {whoo: user}}, user: x, plain: 1, id: 7, email: a}\n",
                "app.yaml:2:40: the C function 'greet' has no parameter 'whoo'; expected one that it has; did you mean 'who'?"},
        {"a timeout where nothing waits",
                "modules: [build/rival.so]\n"
                "resources: {a: {native: greet, timeout: 1s}}\n",
                "app.yaml:2:32: timeout means nothing on the C function 'greet': it answers at once; expected it left out, or RESOURCE_BLOCKING in the module"},
};

Test(modules, names_that_are_wrong_are_told_where_they_stand)
{
	expect(naming + 1, AB_COUNT(naming) - 1);
}

Test(modules, mistakes_in_a_c_file_are_told_by_its_lines)
{
	struct appfile f;

	appfile_begin(&f);
	link_modules(f.dir);
	appfile_more(&f, naming[0].text);
	cr_assert(strstr(f.mistakes, "tests/modules/mistakes.c:4:1: resource 'page' needs 'whoo', which") !=
	                          NULL ||
	                  strstr(f.mistakes, "resource 'page' needs 'whoo', which does not exist") != NULL,
	        "%s", f.mistakes);
	cr_assert(strstr(f.mistakes, "tests/modules/mistakes.c:9:1: 'a-b' can't be the name of a resource") !=
	                  NULL,
	        "%s", f.mistakes);
	cr_assert(strstr(f.mistakes, "tests/modules/mistakes.c:14:1: resource 'page' is defined at "
	                             "tests/modules/mistakes.c:4 as well") != NULL,
	        "%s", f.mistakes);
	cr_assert(strstr(f.mistakes, "tests/modules/mistakes.c:19:1: 'request' is a reserved name") != NULL,
	        "%s", f.mistakes);
	cr_assert(
	        strstr(f.mistakes,
	                "tests/modules/mistakes.c:24:1: CALLS(usr, ...): 'usr' does not exist; did you mean "
	                "'user'?") != NULL,
	        "%s", f.mistakes);
	appfile_close(&f);
}

/* ---- what they do ---- */

static void open_app(struct web *w, const char *text, bool dev)
{
	const struct ab_app_options options = {.dev = dev};

	web_begin(w);
	link_modules(w->dir);
	web_compile(w, text, &options);
}

struct exchange {
	const char *target;
	int status;
	const char *type, *body; /* body: a part of it */
};

static void expect_all(struct web *w, const struct exchange *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char line[100];
		struct web_reply *r;

		snprintf(line, sizeof(line), "GET %s", table[i].target);
		r = web_get(w, line, "User-Agent: tester", NULL);
		cr_expect_eq(
		        r->reply->status, table[i].status, "%s: %d %s", line, r->reply->status, web_body(r));
		cr_expect(strstr(r->reply->media, table[i].type) != NULL, "%s: %s", line, r->reply->media);
		cr_expect(strstr(web_body(r), table[i].body) != NULL, "%s: %s", line, web_body(r));
		web_done(r);
	}
}

Test(modules, functions_are_resources_like_any)
{
	static const char text[] = "modules: [build/good.so]\n"
	                           "resources:\n"
	                           "  user: {json: {name: \"Ada {user_id}\"}}\n"
	                           "  plain: 1\n"
	                           "  id: 7\n"
	                           "  email: me@example.org\n"
	                           "  user_record: {value: {name: Eve}}\n"
	                           "  path: {native: greet, needs: {who: user_record.name}}\n"
	                           "  lost_null: {native: lost, missing: null}\n"
	                           "  backed: {native: secretive, fallback: []}\n"
	                           "  page_two: {text: \"{{greet}} And {{farewell}}\"}\n"
	                           "routes:\n"
	                           "  GET /greet: {answer: greet, accept: {who: string}}\n"
	                           "  GET /farewell: {answer: farewell}\n"
	                           "  GET /agent: {answer: agent}\n"
	                           "  GET /page: {answer: page}\n"
	                           "  GET /lost: {answer: lost}\n"
	                           "  GET /slow: {answer: slow}\n"
	                           "  GET /tick: {answer: tick}\n"
	                           "  GET /user_name: {answer: user_name}\n"
	                           "  GET /path: {answer: path}\n"
	                           "  GET /lost_null: {answer: lost_null}\n"
	                           "  GET /backed: {answer: backed}\n"
	                           "  GET /two: {answer: page_two, accept: {who: string}}\n";
	static const struct exchange table[] = {
	        {"/greet", 200, "text/plain", "Hello World!"},
	        {"/greet?who=Everyone", 200, "text/plain", "Hello Everyone!"},
	        {"/farewell", 200, "text/plain", "Goodbye World!"},
	        {"/agent", 200, "application/json", "{\"agent\":\"tester\"}"},
	        {"/page", 200, "text/html", "<p>Hello</p>"},
	        {"/lost", 404, "application/problem+json", "Not Found"},
	        {"/slow", 200, "application/json", "{\"slow\":\"World\"}"},
	        {"/tick", 200, "text/plain", "tick"},
	        {"/user_name", 200, "application/json", "\"Ada 7\""},
	        {"/path", 200, "text/plain", "Hello Eve!"},
	        {"/lost_null", 200, "application/json", "null"},
	        {"/backed", 200, "application/json", "[]"},
	        {"/two?who=You", 200, "text/plain", "Hello You! And Goodbye You!"},
	};
	struct web w;

	open_app(&w, text, false);
	expect_all(&w, table, AB_COUNT(table));
	web_close(&w);
}

Test(modules, failures_tell_the_client_what_they_are_meant_to)
{
	static const char text[] =
	        "modules: [build/good.so]\n"
	        "resources: {user: {json: {name: \"{user_id}\"}}, plain: 1, id: 7, email: me@example.org}\n"
	        "routes:\n"
	        "  GET /secretive: {answer: secretive}\n"
	        "  GET /strict: {answer: strict}\n"
	        "  GET /strict_slow: {answer: strict_slow}\n"
	        "  GET /nothing: {answer: nothing}\n";
	static const struct exchange table[] = {
	        {"/strict", 422, "application/problem+json", "me@example.org is taken"},
	        {"/strict_slow", 422, "application/problem+json", "me@example.org is slow"},
	        {"/strict", 422, "application/problem+json", "\"field\":\"email\""},
	        {"/nothing", 500, "application/problem+json", "Internal Server Error"},
	};
	struct web_reply *r;
	struct web w;

	open_app(&w, text, false);
	expect_all(&w, table, AB_COUNT(table));
	r = web_get(&w, "GET /secretive", NULL, NULL);
	cr_assert_eq(r->reply->status, 500);
	cr_assert(strstr(web_body(r), "1234") == NULL, "%s", web_body(r));
	cr_assert(strstr(r->reply->error->text, "the password is 1234") != NULL);
	web_done(r);
	web_close(&w);
}

Test(modules, under_dev_results_are_looked_at_and_details_told)
{
	static const char text[] =
	        "modules: [build/good.so]\n"
	        "resources: {user: {json: {name: \"{user_id}\"}}, plain: 1, id: 7, email: me@example.org}\n"
	        "routes:\n"
	        "  GET /secretive: {answer: secretive}\n"
	        "  GET /nothing: {answer: nothing}\n"
	        "  GET /borrower: {answer: borrower}\n"
	        "  GET /latin: {answer: latin}\n"
	        "  GET /unannounced: {answer: unannounced}\n"
	        "  GET /overgiven: {answer: overgiven}\n";
	static const struct exchange table[] = {
	        {"/secretive", 500, "application/problem+json", "the password is 1234"},
	        {"/nothing", 500, "application/problem+json", "it returned no value (NULL)"},
	        {"/borrower", 500, "application/problem+json", "what belongs to its need 'who'"},
	        {"/latin", 500, "application/problem+json", "it returned bytes that are no UTF-8 text"},
	        {"/unannounced", 500, "application/problem+json",
	                "'who' has not been announced; expected CALLS(who, ...);"},
	        {"/overgiven", 500, "application/problem+json",
	                "'extra' is given to 'plain', which CALLS(plain, ...) does not announce"},
	};
	struct web w;

	open_app(&w, text, true);
	expect_all(&w, table, AB_COUNT(table));
	web_close(&w);
}

Test(modules, what_does_not_end_in_time_is_left_and_told_so)
{
	static const char text[] = "modules: [build/good.so]\n"
	                           "resources:\n"
	                           "  user: {json: {name: \"{user_id}\"}}\n"
	                           "  plain: 1\n"
	                           "  id: 7\n"
	                           "  email: me@example.org\n"
	                           "  short: {native: stuck, timeout: 50ms}\n"
	                           "  shorter: {native: never, timeout: 50ms, optional: true}\n"
	                           "routes:\n"
	                           "  GET /short: {answer: short}\n"
	                           "  GET /shorter: {answer: shorter}\n"
	                           "  GET /never: {answer: never, deadline: 50ms}\n"
	                           "  GET /stuck: {answer: stuck, deadline: 50ms}\n";
	static const struct exchange table[] = {
	        {"/short", 504, "application/problem+json", "Gateway"},
	        {"/shorter", 200, "application/json", "null"},
	        {"/never", 504, "application/problem+json", "Gateway"},
	        {"/stuck", 504, "application/problem+json", "Gateway"},
	};
	struct web w;

	open_app(&w, text, false);
	expect_all(&w, table, AB_COUNT(table));
	web_close(&w);
}

Test(modules, the_app_file_decides_between_two_modules_and_wins_over_both)
{
	static const char text[] = "modules: [build/good.so, build/rival.so]\n"
	                           "resources:\n"
	                           "  greet: {native: greet, module: build/rival.so}\n"
	                           "  farewell: {native: only_rival}\n"
	                           "  user: {json: {name: \"{user_id}\"}}\n"
	                           "  plain: 1\n"
	                           "  id: 7\n"
	                           "  email: me@example.org\n"
	                           "routes:\n"
	                           "  GET /greet: {answer: greet}\n"
	                           "  GET /farewell: {answer: farewell}\n";
	static const struct exchange table[] = {
	        {"/greet", 200, "text/plain", "Hey!"},
	        {"/farewell", 200, "text/plain", "mine"},
	};
	struct web w;

	open_app(&w, text, false);
	expect_all(&w, table, AB_COUNT(table));
	web_close(&w);
}

Test(modules, a_module_of_an_included_file_is_in_sight_of_the_app)
{
	static const struct exchange table[] = {{"/greet", 200, "text/plain", "Hey!"}};
	struct web w;

	web_begin(&w);
	link_modules(w.dir);
	web_file(&w, "part.yaml", "modules: [build/riv*.so]\nresources: {hey: {native: greet}}\n");
	web_compile(&w, "include: [part.yaml]\nroutes: {GET /greet: {answer: hey}}\n", NULL);
	expect_all(&w, table, AB_COUNT(table));
	web_close(&w);
}

Test(modules, a_function_fetches_through_an_upstream_of_the_app)
{
	static const char text[] = "modules: [build/good.so]\n"
	                           "upstreams: {shop: {url: \"%s\"}}\n"
	                           "resources:\n"
	                           "  user: {http: \"GET shop/{user_id}\"}\n"
	                           "  plain: 1\n"
	                           "  email: a\n"
	                           "routes:\n"
	                           "  GET /name/{id}: {answer: user_name, deadline: 2s}\n"
	                           "  GET /soon/{id}: {answer: user_name, deadline: 100ms}\n"
	                           "  GET /x: {answer: email, accept: {id: string}}\n";
	static const struct exchange table[] = {
	        {"/name/json", 200, "application/json", "\"Lamp\""},
	        {"/name/nothing", 404, "application/problem+json", "Not Found"},
	        {"/name/reset", 502, "application/problem+json", "Bad Gateway"},
	        {"/soon/hold", 504, "application/problem+json", "Gateway"},
	};
	struct fake_upstream *upstream = fake_upstream_start();
	char yaml[1000];
	struct web w;

	snprintf(yaml, sizeof(yaml), text, fake_upstream_url(upstream));
	open_app(&w, yaml, false);
	expect_all(&w, table, AB_COUNT(table));
	web_close(&w);
	fake_upstream_stop(upstream);
}

Test(modules, what_stands_in_for_what_a_function_resolves_counts_as_degraded)
{
	static const char text[] =
	        "modules: [build/good.so]\n"
	        "upstreams: {shop: {url: \"http://127.0.0.1:9\"}}\n"
	        "resources:\n"
	        "  user: {http: \"GET shop/{user_id}\", fallback: {value: {name: Nobody}}}\n"
	        "  plain: 1\n"
	        "  email: a\n"
	        "routes:\n"
	        "  GET /name/{id}: {answer: user_name}\n"
	        "  GET /x: {answer: email}\n";
	struct web_reply *r;
	struct web w;

	open_app(&w, text, false);
	r = web_get(&w, "GET /name/7", NULL, NULL);
	cr_assert_eq(r->reply->status, 200);
	cr_assert_str_eq(web_body(r), "\"Nobody\"");
	cr_assert(strstr(web_header(r, "Anabranch-Degraded"), "user_name") != NULL, "%s",
	        web_header(r, "Anabranch-Degraded"));
	web_done(r);
	web_close(&w);
}
