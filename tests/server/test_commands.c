/* tests/server/test_commands.c: the program's command line, and the commands call and plan end to end. */
#include "../lib/process.h"
#include "../lib/upstream.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { TIMEOUT_MS = 20000 };

static char dir[] = "/tmp/test-commands-XXXXXX";

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

/* Port 1 refuses connections at once. */
static const char app[] =
        "server: {deadline: 2s}\n"
        "upstreams:\n"
        "  catalog: {url: 'http://127.0.0.1:1', timeout: 300ms}\n"
        "databases:\n"
        "  main: {url: 'sqlite:app.db', schema: schema.sql}\n"
        "resources:\n"
        "  user_id: 1\n"
        "  greet: {text: 'Hello {{user_id}}!'}\n"
        "  path: {text: '{{request.path}}'}\n"
        "  notes: {sql: 'SELECT text FROM notes'}\n"
        "  note: {sql: 'INSERT INTO notes (text) VALUES (:text)', returns: count}\n"
        "  product: {http: 'GET catalog/products/{product_id}', timeout: 500ms}\n"
        "  cached: {http: 'GET catalog/cache/{product_id}', timeout: 900ms}\n"
        "  related: {http: 'GET catalog/related/{product.id}', fallback: {resource: cached}}\n"
        "  reviews: {http: 'GET catalog/reviews/{product_id}', fallback: []}\n"
        "  page: {json: {p: '{product}', r: '{related}', v: '{reviews}', u: '{user_id}'}}\n"
        "  stars: {json: {v: '{reviews}'}}\n"
        "  session: {http: 'GET catalog/session', timeout: 100ms}\n"
        "  page_size: {json: '{limit}'}\n"
        "  ids: {json: '{list}'}\n"
        "routes:\n"
        "  GET /products/{product_id}:\n"
        "    answer: page\n"
        "    guard: [session]\n"
        "    accept: {product_id: {type: integer, min: 1}, user_id: integer}\n"
        "  GET /size: {answer: page_size, accept: {limit: {type: integer, default: 5}}}\n"
        "  GET /ids: {answer: ids, accept: {list: {type: [integer]}}}\n"
        "  GET /slow: {answer: product, accept: {product_id: {type: integer, default: 9}}, deadline: 400ms}\n"
        "  POST /notes: {answer: note, accept: {text: string}}\n"
        "  GET /go/{to}: {redirect: '/products/{to}'}\n";

static void make_app(void)
{
	cr_assert_not_null(mkdtemp(dir));
	put("app.yaml", app);
	put("schema.sql", "CREATE TABLE notes (text TEXT);");
}

static void remove_app(void)
{
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(commands, .init = make_app, .fini = remove_app, .timeout = 60);

/* Run `anabranch ARGUMENTS`; out is all of stdout unless NULL, err must be in stderr (all of it when empty).
 */
static void run(const char *const *arguments, int exit_code, const char *out, const char *err)
{
	const char *argv[16] = {process_anabranch()};
	struct process process;

	for (size_t i = 0; arguments[i] != NULL; i++)
		argv[i + 1] = arguments[i];
	cr_assert_eq(process_run(&process, argv, dir, TIMEOUT_MS), exit_code, "exit %d, '%s' '%s'",
	        process.exit_code, process.out.data, process.err.data);
	if (out != NULL)
		cr_assert_str_eq(process.out.data, out);
	if (*err == '\0')
		cr_assert_str_empty(process.err.data);
	cr_assert_not_null(strstr(process.err.data, err), "expected '%s', got '%s'", err, process.err.data);
	process_end(&process);
}
#define RUN(exit_code, out, err, ...) run((const char *const[]){__VA_ARGS__, NULL}, exit_code, out, err)

/* ---- the program ---- */

Test(commands, version_is_one_line)
{
	RUN(0, "anabranch " AB_VERSION "\n", "", "--version");
}

Test(commands, every_command_has_help_and_the_version)
{
	static const char *const commands[] = {"serve", "call", "check", "plan", "render", "new"};

	RUN(0, NULL, "", "--help");
	RUN(0, NULL, "", "help");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		RUN(0, NULL, "", commands[i], "--help");
		RUN(0, "anabranch " AB_VERSION "\n", "", commands[i], "--version");
	}
}

Test(commands, without_a_command_the_help_goes_to_stderr)
{
	run((const char *const[]){NULL}, 2, "", "Usage: anabranch COMMAND");
}

Test(commands, a_mistyped_command_is_told_the_nearest)
{
	RUN(2, "", "anabranch: there is no command 'servee'; did you mean 'serve'?", "servee", "app.yaml");
	RUN(2, "", "anabranch: there is no command 'xyzzy'\n", "xyzzy");
	RUN(2, "", "anabranch: there is no option --bogus", "--bogus");
}

Test(commands, an_unknown_option_is_wrong_usage)
{
	RUN(2, "", "anabranch call: there is no option --bogus", "call", "--bogus", "app.yaml", "greet");
	RUN(2, "", "anabranch plan: there is no option --bogus", "plan", "--bogus", "app.yaml", "/");
}

/* ---- call ---- */

Test(commands, call_prints_a_value_as_json_and_a_text_as_it_is)
{
	RUN(0, "1\n", "", "call", "app.yaml", "user_id");
	RUN(0, "Hello 1!", "", "call", "app.yaml", "greet");
}

Test(commands, call_takes_given_names_and_a_declared_type_wins)
{
	RUN(0, "Hello 7!", "", "call", "app.yaml", "greet", "user_id=7");
	RUN(0, "Hello you!", "", "call", "app.yaml", "path", "request:={\"path\": \"Hello you!\"}");
	RUN(2, "", "user_id must be an integer", "call", "app.yaml", "greet", "user_id=seven");
	RUN(2, "", "user_id must be an integer", "call", "app.yaml", "greet", "user_id:=\"7\"");
	RUN(0, "{\"p\":{\"id\":1},\"r\":[],\"v\":null,\"u\":4}\n", "", "call", "app.yaml", "page",
	        "product:={\"id\": 1}", "related:=[]", "reviews:=null", "user_id:=4");
}

Test(commands, call_gathers_a_repeated_name_where_a_list_is_declared)
{
	RUN(0, "[1,2]\n", "", "call", "app.yaml", "ids", "list=1", "list=2");
	RUN(0, "[3]\n", "", "call", "app.yaml", "ids", "list:=[3]");
	RUN(2, "", "list must be a list", "call", "app.yaml", "ids", "list:=3");
	RUN(2, "", "user_id is given twice", "call", "app.yaml", "greet", "user_id=1", "user_id=2");
}

Test(commands, call_says_which_name_is_missing)
{
	RUN(2, "", "'list' is needed, and no resource has that name: give it as list=...", "call", "app.yaml",
	        "ids");
}

Test(commands, call_refuses_a_name_that_is_not_used)
{
	RUN(2, "", "'greet' does not use 'bogus'\n", "call", "app.yaml", "greet", "bogus=2");
	RUN(2, "", "'greet' does not use 'user_i'; did you mean 'user_id'?", "call", "app.yaml", "greet",
	        "user_i=2");
	RUN(2, "", "'greet' does not use 'request'", "call", "app.yaml", "greet", "request:={}");
	RUN(2, "", "'greet' does not use 'limit'", "call", "app.yaml", "greet", "limit=2");
	RUN(2, "", "'ids' does not use 'lisst'; did you mean 'list'?", "call", "app.yaml", "ids", "list=1",
	        "lisst=2");
}

Test(commands, call_takes_what_a_file_leaves_to_others)
{
	put("part.yaml", "resources:\n  hello: {text: 'Hello {{who}}!'}\n  other: {text: '{{else}}'}\n");
	RUN(0, "Hello you!", "", "call", "part.yaml", "hello", "who=you");
	RUN(2, "", "part.yaml:2:24: resource 'hello' needs 'who'\n", "call", "part.yaml", "hello");
	RUN(2, "", "'who' is needed, and no resource has that name: give it as who=...", "call", "part.yaml",
	        "hello");
	RUN(2, "", "resource 'hello' needs 'who', which is no resource", "check", "part.yaml");
}

Test(commands, call_uses_the_default_of_a_name_nobody_gives)
{
	RUN(0, "5\n", "", "call", "app.yaml", "page_size");
	RUN(0, "6\n", "", "call", "app.yaml", "page_size", "limit=6");
}

Test(commands, call_refuses_arguments_it_cannot_read)
{
	RUN(2, "", "'x' is neither name=TEXT nor name:=JSON", "call", "app.yaml", "greet", "x");
	RUN(2, "", "'1x' is no name", "call", "app.yaml", "greet", "1x=2");
	RUN(2, "", "user_id is not JSON", "call", "app.yaml", "greet", "user_id:=[1");
	RUN(2, "", "expected an app file and the name of a resource", "call", "app.yaml");
	RUN(2, "", "'greet' is what is asked for", "call", "app.yaml", "greet", "greet=x");
	RUN(2, "", "'gret' does not exist; did you mean 'greet'?", "call", "app.yaml", "gret");
}

Test(commands, call_tells_a_failure_with_resource_and_cause)
{
	RUN(1, "", "anabranch call: resource 'product': GET catalog", "call", "app.yaml", "page",
	        "product_id=3");
	RUN(0, "{\"v\":[]}\n", "degraded: reviews (upstream)", "call", "app.yaml", "stars", "product_id=3");
}

Test(commands, call_asks_and_changes_the_database)
{
	RUN(0, "[]\n", "", "call", "app.yaml", "notes");
	RUN(0, "1\n", "", "call", "app.yaml", "note", "text=remember");
	RUN(0, "[{\"text\":\"remember\"}]\n", "", "call", "app.yaml", "notes");
}

Test(commands, call_lets_a_write_of_a_failed_list_come_to_its_end)
{
	struct fake_upstream *upstream = fake_upstream_start();
	struct timespec begin, end;
	char text[400];

	snprintf(text, sizeof(text),
	        "upstreams: {up: {url: \"%s\"}}\n"
	        "resources:\n"
	        "  posts: {http: \"POST up{/p*}?ms=300\", each: [[slow], [status, 500]],\n"
	        "    as: p, concurrency: 2}\n",
	        fake_upstream_url(upstream));
	put("posts.yaml", text);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	RUN(1, "", "item 1: POST up/status/500: answered 500", "call", "posts.yaml", "posts");
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_expect_geq((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 299);
	fake_upstream_stop(upstream);
}

Test(commands, call_and_plan_show_the_mistakes_of_an_app)
{
	put("wrong.yaml", "resources:\n  a: {text: 'x', colour: red}\n");
	RUN(2, "", "wrong.yaml:2:", "call", "wrong.yaml", "a");
	RUN(2, "", "wrong.yaml:2:", "plan", "wrong.yaml", "/");
	RUN(2, "", "none.yaml", "call", "none.yaml", "a");
}

/* ---- plan ---- */

static const char page_plan[] =
        "GET /products/{product_id}\n"
        "  given: product_id\n"
        "  step 1 (guard)\n"
        "    session              http  GET catalog/session\n"
        "                         needs nothing; timeout 100ms\n"
        "  step 2\n"
        "    product              http  GET catalog/products/{product_id}\n"
        "                         needs product_id (given); timeout 500ms\n"
        "    reviews              http  GET catalog/reviews/{product_id}\n"
        "                         needs product_id (given); timeout 300ms; fallback: a value\n"
        "    user_id              value  1\n"
        "                         needs nothing\n"
        "  step 3\n"
        "    related              http  GET catalog/related/{product.id}\n"
        "                         needs product; timeout 300ms; fallback: resource cached\n"
        "  step 4\n"
        "    page                 json\n"
        "                         needs product, related, reviews, user_id\n"
        "  only on failure\n"
        "    cached               http  GET catalog/cache/{product_id}\n"
        "                         needs product_id (given); timeout 900ms\n"
        "  critical path: session 100ms -> product 500ms -> related 300ms + fallback cached 900ms -> page\n"
        "  worst case: 1.8s, deadline 2s\n";

Test(commands, plan_shows_steps_and_the_critical_path)
{
	RUN(0, page_plan, "", "plan", "app.yaml", "GET /products/{product_id}");
	RUN(0, page_plan, "", "plan", "app.yaml", "/products/42?x=1");
}

/* Whether the plan printed for these arguments contains `line`. */
static bool plan_says(const char *line, const char *route, const char *name)
{
	const char *argv[] = {process_anabranch(), "plan", "app.yaml", route, name, NULL};
	struct process process;
	bool says;

	cr_assert_eq(process_run(&process, argv, dir, TIMEOUT_MS), 0, "%s", process.err.data);
	says = strstr(process.out.data, line) != NULL;
	process_end(&process);
	return says;
}

Test(commands, plan_leaves_out_what_is_given)
{
	cr_assert(plan_says("not run: user_id (given)", "/products/1", "user_id=5"));
	cr_assert(!plan_says("not run", "/products/1", NULL));
}

Test(commands, plan_says_when_the_deadline_would_come_first)
{
	cr_assert(plan_says(
	        "worst case: 500ms, deadline 400ms: the deadline would end it first", "/slow", NULL));
}

Test(commands, plan_cuts_a_long_statement_to_one_short_line)
{
	static const char line[] = "main: SELECT 1 AS a, 2 AS b, '"
	                           "0123456789012345678901234567890123456789012345678901234567890123456...\n";

	put("app.yaml",
	        "databases: {main: {url: 'sqlite:app.db', schema: schema.sql}}\n"
	        "resources:\n"
	        "  long:\n"
	        "    sql: |\n"
	        "      SELECT  1 AS a,\n"
	        "              2 AS b, '01234567890123456789012345678901234567890123456789012345678901234567890123456789' AS c\n"
	        "routes: {GET /long: long}\n");
	cr_assert(plan_says(line, "/long", NULL));
}

Test(commands, plan_says_what_every_request_gives)
{
	cr_assert(plan_says("  given: text\n", "POST /notes", NULL));
	cr_assert(plan_says("  given: text\n", "POST /notes", "text=x"));
	cr_assert(plan_says("  given: limit (default)\n", "/size", NULL));
	cr_assert(plan_says("  given: limit\n", "/size", "limit"));
	cr_assert(plan_says("  given: product_id\n", "/products/1", NULL));
	cr_assert(plan_says("  given: product_id, user_id\n", "/products/1", "user_id"));
}

Test(commands, plan_calls_what_a_route_makes_itself_by_a_name_for_people)
{
	cr_assert(plan_says("    redirect of GET /go/{to}\n"
	                    "                         needs to (given)\n"
	                    "  critical path: redirect of GET /go/{to}\n",
	        "/go/1", NULL));
}

Test(commands, plan_marks_writes)
{
	cr_assert(plan_says("writes", "POST /notes", NULL));
}

Test(commands, plan_names_the_routes_there_are)
{
	RUN(2, "", "there is no route 'GET /product'", "plan", "app.yaml", "/product");
	RUN(2, "", "  POST /notes\n", "plan", "app.yaml", "PUT /notes");
	RUN(2, "", "does not accept 'user'", "plan", "app.yaml", "/products/1", "user=3");
	RUN(2, "", "expected an app file and a route", "plan", "app.yaml");
}
