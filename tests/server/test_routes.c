/* Routes and errors of app files: what is a mistake, how it is told, and what is none. */
#include "web.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(routes, .timeout = 30);

#define PAGE                                                                                                 \
	"resources:\n  page: {text: x}\n  id: 1\n  w: {http: \"POST up/x\"}\nupstreams: {up: {url: \"http://127.0.0.1:1\"}}\n"

static const struct {
	const char *yaml, *expected, *why;
} mistakes[] = {
        {PAGE "routes:\n  GET /: pge\n", "app.yaml:7:10: answer: no resource 'pge'; did you mean 'page'?",
                "a wrong name"},
        {PAGE "routes:\n  GET /: {anser: page}\n", "did you mean 'answer'", "a wrong key"},
        {PAGE "routes:\n  GET /: [page]\n", "app.yaml:7:10: answer is a list; expected a resource's name\n",
                "a list"},
        {PAGE "routes:\n  GET /: 5\n", "app.yaml:7:10: answer is the number 5; expected a resource's name\n",
                "a number"},
        {PAGE "routes:\n  GET /: {answer: page, guard: [[id]]}\n",
                "guard is a list; expected a resource's name\n", "a list of lists"},
        {PAGE "routes:\n  GET /l:\n", "'GET /l' has no value; expected the name of a resource\n", "nothing"},
        {PAGE "routes:\n  GET /: {answer: page, accept: [who]}\n",
                "accept is a list; expected a mapping of names to types, as in {who: string}\n",
                "a list of names"},
        {PAGE "routes:\n  FETCH /: page\n", "no method 'FETCH'; expected GET, POST, PUT, PATCH or DELETE",
                "no method"},
        {PAGE "routes:\n  HEAD /: page\n", "HEAD runs the GET route", "a derived method"},
        {PAGE "routes:\n  GET page: page\n", "does not begin with '/'", "no path"},
        {PAGE "routes:\n  GET /a?b: page\n", "names from it go under `accept`", "a query"},
        {PAGE "routes:\n  GET /a//b: page\n", "an empty segment", "two slashes"},
        {PAGE "routes:\n  GET /a/../b: page\n", "a dot segment", "dots"},
        {PAGE "routes:\n  GET /a%zz: page\n", "a bad percent-encoding", "encoding"},
        {PAGE "routes:\n  GET /a{x}: page\n", "takes a whole segment", "half a variable"},
        {PAGE "routes:\n  GET /a/:x: page\n", "':x' is no variable; expected {x}", "a variable of others"},
        {PAGE "routes:\n  GET /<who>/a: page\n", "'<who>' is no variable; expected {who}", "one more"},
        {PAGE "routes:\n  GET /a/*: page\n", "'*' is no wildcard; expected a variable", "a wildcard"},
        {PAGE "routes:\n  \"GET /{x-y}\": page\n", "a variable's name", "no name"},
        {PAGE "routes:\n  \"GET /{x}/{x}\": page\n", "two variables of one name", "twice"},
        {PAGE "routes:\n  \"GET /{request}\": page\n", "reserved", "reserved"},
        {PAGE "routes:\n  \"GET /{x}\": page\n  \"GET /{y}\": page\n", "the same as 'GET /{x}' on line 7",
                "one shape"},
        {PAGE "routes:\n  GET /: w\n", "'w' writes, which a GET route may not", "a write on GET"},
        {PAGE "routes:\n  POST /: {answer: page, guard: [w]}\n", "writes", "a guard that writes"},
        {PAGE "routes:\n  GET /: {answer: page, needs: [nope]}\n", "needs: no resource 'nope'", "a need"},
        {PAGE "routes:\n  GET /: {answer: page, needs: nope}\n", "list", "no list"},
        {PAGE "routes:\n  GET /: {needs: [id]}\n", "no `answer`", "no answer"},
        {PAGE "routes:\n  GET /: {answer: page, status: 204}\n", "has no body", "an answer that is not sent"},
        {PAGE "routes:\n  GET /: {answer: page, status: 302}\n", "without `redirect`",
                "a redirect to nowhere"},
        {PAGE "routes:\n  GET /: {answer: page, status: 999}\n", "status", "no status"},
        {PAGE "routes:\n  GET /: {redirect: /, status: 200}\n", "does not redirect", "no redirect's status"},
        {PAGE "routes:\n  GET /: {redirect: \"//evil\"}\n", "may lead anywhere", "another origin"},
        {PAGE "routes:\n  GET /: {redirect: \"/\\\\evil\"}\n", "may lead anywhere", "another origin"},
        {PAGE "routes:\n  GET /: {redirect: \"{id}\"}\n", "may lead anywhere", "any origin"},
        {PAGE "routes:\n  GET /: {redirect: \"https://a.example{id}\"}\n", "may lead anywhere",
                "an origin with a tail"},
        {PAGE "routes:\n  GET /: {redirect: \"https://{id}/\"}\n", "may lead anywhere",
                "an origin from a value"},
        {PAGE "routes:\n  GET /: {answer: page, headers: {Content-Length: 5}}\n", "counts the body itself",
                "a header of ours"},
        {PAGE "routes:\n  GET /: {answer: page, headers: {Set-Cookie: x}}\n", "use `cookies:`",
                "a cookie as a header"},
        {PAGE "routes:\n  GET /: {answer: page, headers: {\"a b\": x}}\n", "not a header's name",
                "no header"},
        {PAGE "routes:\n  GET /: {answer: page, headers: {X: \"a\\nb\"}}\n", "control character",
                "two lines"},
        {PAGE "routes:\n  GET /: {answer: page, headers: {X: \"{nope}\"}}\n",
                "`headers` needs 'nope', which does not exist; available: id", "a header's need"},
        {PAGE "routes:\n  GET /: {answer: page, cookies: {\"a;b\": {value: x}}}\n", "not a cookie's name",
                "no cookie"},
        {PAGE "routes:\n  GET /: {answer: page, cookies: {a: {valu: x}}}\n", "did you mean 'value'",
                "a wrong key"},
        {PAGE "routes:\n  GET /: {answer: page, cookies: {a: {value: x, max_age: 5}}}\n", "max_age",
                "no unit"},
        {PAGE "routes:\n  GET /: {answer: page, cookies: {a: {value: x, same_site: No}}}\n", "",
                "a wrong word"},
        {PAGE "routes:\n  GET /: {answer: page, cookies: {__Host-a: {value: x, domain: a.b}}}\n",
                "browsers refuse", "a prefix"},
        {PAGE "routes:\n  GET /: {answer: page, deadline: 5}\n", "deadline", "no unit"},
        {PAGE "routes:\n  GET /: {answer: {html: page}}\n", "not a media type", "no media type"},
        {PAGE "routes:\n  GET /: {answer: {}}\n", "no media type", "nothing to choose from"},
        {PAGE "routes:\n  GET /: page\nerrors: {600: page}\n", "no error's status", "no status"},
        {PAGE "routes:\n  GET /: page\nerrors: {404: pag}\n", "did you mean 'page'", "a wrong name"},
        {PAGE "routes:\n  GET /: page\nerrors: {404: w}\n", "'w' writes, which an error's answer may not",
                "a write"},
        {PAGE "routes:\n  GET /: page\nerrors: {404: {status: 410}}\n", "neither `answer` nor `redirect`",
                "nothing"},
        {PAGE "routes:\n  GET /: page\nerrors: {5xx: {answer: page, redirect: /x}}\n",
                "errors: 5xx: `answer` and `redirect`", "an answer that nobody sees"},
        {PAGE "routes:\n  GET /: {answer: page, cross_origin: true}\n",
                "`cross_origin` says nothing of a GET", "what holds anyway"},
        {PAGE "routes:\n  GET /: {answer: page, accept_unknown: true}\n", "a GET has none",
                "a flag for a body that can't be"},
        {PAGE "routes:\n  DELETE /: {answer: page, accept_unknown: true}\n", "this DELETE takes none",
                "a flag for a body that is not read"},
        {PAGE "routes:\n  GET /: {answer: page, accept: {who: {in: header, name: \"Bad Name\"}}}\n",
                "'Bad Name' can't be the name of a header", "a header that nobody can send"},
        {PAGE "routes:\n  GET /: {answer: page, accept: {who: {in: cookie, name: \"a;b\"}}}\n",
                "'a;b' can't be the name of a cookie", "a cookie that nobody can send"},
        {PAGE "routes: [page]\n", "routes", "no mapping"},
        {"resources:\n  page: {text: \"{{id}}\"}\n  id: 1\nroutes:\n  \"GET /{id}\": page\n",
                "{id} is also a resource of this route", "a path variable that hides a resource"},
        {"resources:\n  page: {text: \"{{nam}}\"}\n  name: 1\nroutes:\n  GET /: page\n",
                "did you mean 'name'", "a need"},
        {"resources:\n  a: {json: \"{b}\"}\n  b: {json: \"{a}\"}\nroutes:\n  GET /: a\n", "a -> b -> a",
                "a circle"},
        {"resources:\n  who: x\n  page: {text: \"{{{who}}}\", type: html}\nroutes:\n  GET /: {answer: page, accept: {who: string}}\n",
                "a stranger's HTML", "raw HTML that the request can give"},
        {"resources:\n  who: x\n  page: {text: \"{{{request.path}}}\", type: html}\nroutes:\n  GET /: page\n",
                "a stranger's HTML", "raw HTML from the request"},
        {"resources:\n  plain: {text: \"x {{v}}\"}\n  data: {json: [\"{plain}\"]}\n"
         "  page: {text: \"{{{data}}}\", type: html}\nroutes:\n  \"GET /{v}\": page\n",
                "or what stands in it",
                "raw HTML of a text and a structure made from what the request gives"},
        {"resources:\n  a: {json: \"{id}\"}\n  page: {http: \"GET up/{+a}\"}\nupstreams: {up: {url: \"http://127.0.0.1:1\"}}\n"
         "routes:\n  \"GET /{id}\": page\n",
                "'a' depends on the request", "a raw URL made from what the request gives"},
};

Test(routes, a_fragment_whose_template_escapes_goes_in_raw)
{
	char *found = web_mistakes("resources:\n  part: {text: \"<b>{{v}}</b>\", type: html}\n"
	                           "  page: {text: \"<p>{{{part}}}</p>\", type: html}\n"
	                           "routes:\n  \"GET /{v}\": page\n");

	cr_expect_str_eq(found, "", "%s", found);
	free(found);
}

Test(routes, a_need_that_nothing_meets_is_said_once)
{
	char *found =
	        web_mistakes("resources:\n  name: 1\n  page: {json: \"{nam}\"}\nroutes:\n  GET /a: page\n"
	                     "  GET /b: page\n");

	cr_expect_str_eq(found,
	        "app.yaml:3:17: route 'GET /a': resource 'page' needs 'nam', which does not exist; "
	        "did you mean 'name'? Available: name, page, request, error, given\n",
	        "%s", found);
	free(found);
}

Test(routes, mistakes_are_found_at_load)
{
	for (size_t i = 0; i < AB_COUNT(mistakes); i++) {
		char *found = web_mistakes(mistakes[i].yaml);

		cr_expect_not_null(strstr(found, mistakes[i].expected), "%s (%s)\n  expected %s\n  found %s",
		        mistakes[i].yaml, mistakes[i].why, mistakes[i].expected, found);
		cr_expect_eq(strncmp(found, "app.yaml:", 9), 0, "%s (%s): %s", mistakes[i].yaml,
		        mistakes[i].why, found);
		free(found);
	}
}

static const struct {
	const char *yaml, *why;
} fine[] = {
        {"resources:\n  who: x\n  page: {text: \"{{{who}}}\", type: html}\nroutes:\n  GET /: page\n",
                "raw HTML that nobody can give"},
        {"resources:\n  who: x\n  page: {text: \"{{{part}}}\", type: html}\n  part: {text: \"{{who}}\", type: html}\n"
         "routes:\n  GET /: {answer: page, accept: {who: string}}\n",
                "a fragment made by another template"},
        {"resources:\n  page: {http: \"GET up/{+id}\", raw: [id]}\nupstreams: {up: {url: \"http://127.0.0.1:1\"}}\n"
         "routes:\n  \"GET /{id}\": page\n",
                "a raw URL that is meant"},
        {"resources:\n  a: {json: \"{b}\"}\n  b: {json: \"{a}\"}\nroutes:\n  \"GET /{b}\": {answer: a, accept: {b: string}}\n",
                "a circle that the path cuts"},
        {"resources:\n  page: {text: \"{{id}}\"}\n  id: 1\nroutes:\n  \"GET /{id}\": {answer: page, accept: {id: integer}}\n",
                "a path variable that stands in for a resource"},
        {"resources:\n  a: 1\n", "no routes"},
};

Test(routes, what_is_fine_is_not_complained_about)
{
	for (size_t i = 0; i < AB_COUNT(fine); i++) {
		char *found = web_mistakes(fine[i].yaml);

		cr_expect_str_eq(found, "", "%s (%s): %s", fine[i].yaml, fine[i].why, found);
		free(found);
	}
}
