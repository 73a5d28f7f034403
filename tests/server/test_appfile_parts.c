/* tests/server/test_appfile_parts.c: wrong files, and what is said of them: resources, upstreams, settings.
 * The messages are a feature: the tables hold them whole. */
#include "appfile.h"

#include <criterion/criterion.h>

TestSuite(appfile_parts, .timeout = 60);

/* clang-format off */
static const struct wrong resources[] = {
	{"a name with a dash",
		"resources:\n"
		"  a-b: 1\n"
		"  1x: 2\n"
		"  \"a b\": 3\n"
		"  \303\251: 4\n"
		"  \"\": 5\n",
		"app.yaml:2:3: 'a-b' can't be the name of a resource; expected letters, digits and _, not a digit first\n"
		"app.yaml:3:3: '1x' can't be the name of a resource; expected letters, digits and _, not a digit first\n"
		"app.yaml:4:3: 'a b' can't be the name of a resource; expected letters, digits and _, not a digit first\n"
		"app.yaml:5:3: '\303\251' can't be the name of a resource; expected letters, digits and _, not a digit first\n"
		"app.yaml:6:3: '' can't be the name of a resource; expected letters, digits and _, not a digit first"},
	{"a reserved name",
		"resources:\n"
		"  request: 1\n"
		"  degraded: 1\n"
		"  error: 1\n"
		"  given: 1\n",
		"app.yaml:2:3: 'request' is a reserved name; expected another\n"
		"app.yaml:3:3: 'degraded' is a reserved name; expected another\n"
		"app.yaml:4:3: 'error' is a reserved name; expected another\n"
		"app.yaml:5:3: 'given' is a reserved name; expected another"},
	{"no kind",
		"resources:\n"
		"  a: {name: World}\n",
		"app.yaml:2:3: resource 'a' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native (for a mapping as such: value: {...})"},
	{"an empty mapping",
		"resources:\n"
		"  a: {}\n",
		"app.yaml:2:3: resource 'a' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native (for a mapping as such: value: {...})"},
	{"a misspelled kind",
		"resources:\n"
		"  a: {templat: x.html}\n",
		"app.yaml:2:3: resource 'a' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native; did you mean 'template'?"},
	{"a kind in capitals",
		"resources:\n"
		"  a: {SQL: SELECT 1}\n",
		"app.yaml:2:3: resource 'a' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native; did you mean 'sql'?"},
	{"two kinds",
		"resources:\n"
		"  a: {text: x, json: {}}\n",
		"app.yaml:2:16: resource 'a' has two kinds, 'text' and 'json'; expected one"},
	{"an unknown key",
		"resources:\n"
		"  a: {text: x, tpye: html}\n",
		"app.yaml:2:16: unknown key 'tpye' in resource 'a'; expected text, type, each, fallback, optional, if, needs or infer; did you mean 'type'?"},
	{"an unknown key of http",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, header: {}}\n",
		"app.yaml:3:28: unknown key 'header' in resource 'a'; expected http, headers, body, form, expect, returns, each, timeout, missing, pass, fallback, optional, writes, if, needs, infer or raw; did you mean 'headers'?"},
	{"keys of later versions",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, retry: 3, cache: 1m, hedge: 1}\n",
		"app.yaml:3:28: 'retry' is not yet in this version; expected it left out\n"
		"app.yaml:3:38: 'cache' is not yet in this version; expected it left out\n"
		"app.yaml:3:49: 'hedge' is not yet in this version; expected it left out"},
	{"one mistake does not hide another",
		"resources:\n"
		"  a: {txt: x}\n"
		"  b: {text: x, foo: 1}\n"
		"  c: {text: \"{{a}}{{b}}{{d}}\"}\n",
		"app.yaml:2:3: resource 'a' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native; did you mean 'text'?\n"
		"app.yaml:3:16: unknown key 'foo' in resource 'b'; expected text, type, each, fallback, optional, if, needs or infer\n"
		"app.yaml:4:24: resource 'c' needs 'd', which is no resource, and no route accepts it; expected one or the other"},
	{"an unresolvable need",
		"resources:\n"
		"  user: 1\n"
		"  page: {text: \"{{usr}}\"}\n",
		"app.yaml:3:17: resource 'page' needs 'usr', which is no resource, and no route accepts it; expected one or the other; did you mean 'user'?"},
	{"a need that one route accepts",
		"resources:\n"
		"  page: {text: \"{{who}}{{wo}}\"}\n"
		"routes:\n"
		"  GET /:\n"
		"    answer: page\n"
		"    accept: {who: string, wo: string}\n"
		"  GET /{x}: page2\n",
		"app.yaml:7:13: answer: no resource 'page2'; did you mean 'page'?"},
	{"a circle",
		"resources:\n"
		"  a: {text: \"{{b}}\"}\n"
		"  b: {text: \"{{c}}\"}\n"
		"  c: {text: \"{{a}}\"}\n"
		"routes:\n"
		"  GET /: a\n",
		"app.yaml:6:3: route 'GET /': the needs run in a circle: a -> b -> c -> a"},
	{"a need on itself",
		"resources:\n"
		"  a: {text: \"{{a}}\"}\n"
		"routes:\n"
		"  GET /: a\n",
		"app.yaml:4:3: route 'GET /': the needs run in a circle: a -> a"},
};

static const struct wrong kinds[] = {
	{"no text to fetch by",
		"resources:\n"
		"  a: {http: 5}\n"
		"  b: {http: {url: x}}\n",
		"app.yaml:2:13: http is the number 5; expected METHOD upstream/path, as in GET catalog/products/{id}\n"
		"app.yaml:3:13: http is a mapping; expected METHOD upstream/path, as in GET catalog/products/{id}"},
	{"an unknown upstream",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalgo/x}\n",
		"app.yaml:3:13: no upstream 'catalgo'; expected one under upstreams; did you mean 'catalog'?"},
	{"no upstreams",
		"resources:\n"
		"  a: {http: GET catalog/x}\n",
		"app.yaml:2:13: no upstream 'catalog'; expected it under upstreams, as in upstreams: {catalog: {url: ...}}"},
	{"no method",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: catalog/x}\n",
		"app.yaml:3:13: http: expected METHOD upstream/path, as in GET catalog/products/{id}"},
	{"a whole URL",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: \"GET http://example.com/x\"}\n",
		"app.yaml:3:18: http: the origin stands under upstreams:; expected METHOD upstream/path with the name of one"},
	{"a wrong method",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GETT catalog/x}\n",
		"app.yaml:3:13: http: unknown method 'GETT'; expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS; did you mean 'GET'?"},
	{"a tag in a URL",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: \"GET catalog/{{x}}\"}\n",
		"app.yaml:3:26: '{{' is how templates write it; expected {x} here; a literal brace is %7B"},
	{"a colon name in a URL",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: \"GET catalog/:x\"}\n",
		"app.yaml:3:26: ':x' is no placeholder in a URL; expected {x}"},
	{"wrong returns",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, returns: text}\n"
		"  b: {http: GET catalog/x, returns: stream}\n",
		"app.yaml:3:37: returns: expected body or response, found 'text'\n"
		"app.yaml:4:37: returns: stream is not there yet; expected body or response"},
	{"wrong expect",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, expect: 200}\n"
		"  b: {http: GET catalog/x, expect: [99]}\n",
		"app.yaml:4:37: expect: expected statuses from 200 to 599, or 2xx to 5xx for all of a hundred"},
	{"body and form",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: POST catalog/x, body: {a: 1}, form: {b: 2}}\n",
		"app.yaml:3:49: a request has one body; expected either body or form"},
	{"no database",
		"resources:\n"
		"  a: {sql: SELECT 1}\n",
		"app.yaml:2:12: a statement and no database; expected one under databases, as in databases: {main: sqlite:app.db}"},
	{"several databases",
		"databases: {a: \"sqlite:a.db\", b: \"sqlite:b.db\"}\n"
		"resources:\n"
		"  a: {sql: SELECT 1}\n",
		"app.yaml:1:16: there is no file 'a.db'; expected a SQLite database, or a `schema` to make one from\n"
		"app.yaml:1:34: there is no file 'b.db'; expected a SQLite database, or a `schema` to make one from\n"
		"app.yaml:3:12: a statement for one of several databases; expected database: a, or another of them"},
	{"an unknown database",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT 1, database: mian}\n",
		"app.yaml:3:32: no database 'mian'; expected one under databases; did you mean 'main'?"},
	{"a wrong column",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT nmae FROM users}\n",
		"app.yaml:3:19: database 'main': no such column: nmae; did you mean 'name'?"},
	{"a wrong table",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a:\n"
		"    sql: |\n"
		"      SELECT name\n"
		"      FROM usr\n",
		"app.yaml:6:12: database 'main': no such table: usr; did you mean 'users'?"},
	{"two statements",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT 1; SELECT 2}\n",
		"app.yaml:3:22: a second statement; expected one, as a resource runs exactly one"},
	{"a question mark",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: \"SELECT ?\"}\n",
		"app.yaml:3:20: '?' is not a placeholder here; write :name"},
	{"a dollar",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT $1}\n",
		"app.yaml:3:19: '$1' is not a placeholder here; write :name"},
	{"wrong returns of sql",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT 1, returns: list}\n",
		"app.yaml:3:31: `returns: list`; expected rows, row, value or count"},
	{"a statement from a missing file",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: {file: none.sql}}\n",
		"app.yaml:3:19: can't read `file` 'none.sql': No such file or directory"},
	{"a statement from a file, unknown key",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: {path: x.sql}}\n",
		"app.yaml:3:13: unknown key 'path' in `sql`; expected file"},
	{"a missing template",
		"resources:\n"
		"  a: {template: none.html}\n",
		"app.yaml:2:17: no template: none.html: No such file or directory"},
	{"a template of another ending",
		"resources:\n"
		"  a: {template: x.php}\n",
		"app.yaml:2:17: template 'x.php'; expected a file that ends in .html .xml .svg .atom .json .txt .csv or .md"},
	{"a broken template",
		"resources:\n"
		"  a: {template: broken.html}\n",
		"broken.html:2:1: {{#a}} is not closed; expected {{/a}}"},
	{"braces of another place in text",
		"resources:\n"
		"  a: {text: \"Hello {who}\"}\n",
		"app.yaml:2:20: {who} in text; expected {{who}} (or, for braces as such, blanks inside them)"},
	{"an unclosed section",
		"resources:\n"
		"  a:\n"
		"    text: |\n"
		"      x\n"
		"        {{#who}}\n",
		"app.yaml:5:9: {{#who}} is not closed; expected {{/who}}"},
	{"type of text",
		"resources:\n"
		"  a: {text: x, type: htm}\n",
		"app.yaml:2:22: type 'htm'; expected plain or html; did you mean 'html'?"},
	{"tags in json",
		"resources:\n"
		"  a: {json: {x: \"{{who}}\"}}\n",
		"app.yaml:2:18: '{{who}}' is how a template writes it; expected {who} here"},
	{"a colon name in json",
		"resources:\n"
		"  a: {json: {x: \":who\"}}\n",
		"app.yaml:2:18: ':who' is how SQL writes it; expected {who} here"},
	{"an empty placeholder",
		"resources:\n"
		"  a: {json: {x: \"{}\"}}\n",
		"app.yaml:2:18: '{}' names nothing; expected a name, as in {user.name}; literal braces are {{}}"},
	{"an unclosed placeholder",
		"resources:\n"
		"  a: {json: {x: \"{who\"}}\n",
		"app.yaml:2:18: '{' without its '}'; expected {name}; a literal brace is {{"},
	{"a wrong path",
		"resources:\n"
		"  who: 1\n"
		"  a: {json: {x: \"{who..name}\"}}\n"
		"  b: {json: {x: \"{who[x]}\"}}\n",
		"app.yaml:3:18: path '..name', character 2: expected a name after '.', as in x.name\n"
		"app.yaml:4:18: path '[x]', character 2: expected a number from 0 up, or *, in [ ]"},
	{"a wrong part of request",
		"resources:\n"
		"  a: {json: {x: \"{request.pth}\", y: \"{request.headers.User-Agent}\"}}\n",
		"app.yaml:2:18: request has no 'pth'; expected one of method, path, query, headers, cookies, body, client, id; did you mean 'path'?\n"
		"app.yaml:2:38: 'request.headers.User-Agent' is no header's name; expected lower case with '_' for '-', as in request.headers.user_agent"},
};

static const struct wrong places[] = {
	{"a tag in a header",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  x: 1\n"
		"  a:\n"
		"    http: GET catalog/x\n"
		"    headers: {X-A: \"{{x}}\"}\n",
		"app.yaml:6:21: '{{x}}' is how a template writes it; expected {x} here"},
	{"a tag in a form",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  x: 1\n"
		"  a:\n"
		"    http: POST catalog/x\n"
		"    form: {a: \"{{x}}\"}\n",
		"app.yaml:6:16: '{{x}}' is how a template writes it; expected {x} here"},
	{"a tag in a body",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  x: 1\n"
		"  a:\n"
		"    http: POST catalog/x\n"
		"    body: {a: [\"{{x}}\"]}\n",
		"app.yaml:6:17: '{{x}}' is how a template writes it; expected {x} here"},
	{"braces in SQL",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  x: 1\n"
		"  a:\n"
		"    sql: SELECT {x}\n",
		"app.yaml:5:17: '{x}' is not a placeholder in SQL; write :x"},
	{"a tag in SQL",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  x: 1\n"
		"  a:\n"
		"    sql: SELECT {{x}}\n",
		"app.yaml:5:17: '{{x}}' is not a placeholder in SQL; write :x"},
	{"a tag in a link",
		"resources:\n"
		"  x: 1\n"
		"  a: {url: \"/x/{{x}}\"}\n",
		"app.yaml:3:16: '{{' is how templates write it; expected {x} here; a literal brace is %7B"},
	{"a dollar in json",
		"resources:\n"
		"  a: {json: {a: \"{$x}\"}}\n",
		"app.yaml:2:18: '{$x}' is no placeholder in this place; expected {x}"},
	{"raw in a URL of what a request gives",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: \"GET catalog/{+x}\"}\n"
		"routes:\n"
		"  GET /{x}: a\n",
		"app.yaml:3:26: route 'GET /{x}': 'x' depends on the request, so {+x} and {#x} would let it change the URL; expected {x}, or `raw: [x]` if that is meant"},
	{"raw in a page of what a request gives",
		"resources:\n"
		"  a: {text: \"{{{x}}}\", type: html}\n"
		"routes:\n"
		"  GET /{x}: a\n",
		"app.yaml:2:14: route 'GET /{x}': the request can give 'x', so {{{x}}} would put a stranger's HTML into the page; expected {{x}}"},
	{"a write behind GET",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: POST catalog/x}\n"
		"routes:\n"
		"  GET /: a\n",
		"app.yaml:5:3: route 'GET /': 'a' writes, which a GET route may not; expected POST, PUT, PATCH or DELETE"},
	{"two writes without an order",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: POST catalog/x}\n"
		"  b: {http: POST catalog/y}\n"
		"  c: {json: [\"{a}\", \"{b}\"]}\n"
		"routes:\n"
		"  POST /: c\n",
		"app.yaml:7:3: route 'POST /': resources 'a' and 'b' both write, and neither needs the other: say under `needs` which comes first"},
	{"the origin from a value",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  x: 1\n"
		"  a: {http: \"GET {x}/y\"}\n",
		"app.yaml:4:18: http: expected the name of an upstream and a path after GET, as in catalog/products/{id}"},
};

static const struct wrong generic[] = {
	{"timeout without a unit",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, timeout: 300}\n",
		"app.yaml:3:37: timeout of resource 'a' is the number 300; expected a whole number with its unit: ms, s, m, h or d; did you mean 300ms or 300s?"},
	{"timeout with a wrong unit",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, timeout: 300msec}\n"
		"  b: {http: GET catalog/x, timeout: 2 sec}\n"
		"  c: {http: GET catalog/x, timeout: 1.5s}\n",
		"app.yaml:3:37: timeout of resource 'a' is the string '300msec'; expected a whole number with its unit: ms, s, m, h or d; did you mean 300ms?\n"
		"app.yaml:4:37: timeout of resource 'b' is the string '2 sec'; expected a whole number with its unit: ms, s, m, h or d; did you mean 2s?\n"
		"app.yaml:5:37: timeout of resource 'c' is the string '1.5s'; expected a whole number with its unit: ms, s, m, h or d"},
	{"timeout out of range",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, timeout: 0s}\n"
		"  b: {http: GET catalog/x, timeout: 400d}\n",
		"app.yaml:3:37: timeout of resource 'a' is the string '0s'; expected 1ms to 366d\n"
		"app.yaml:4:37: timeout of resource 'b' is the string '400d'; expected 1ms to 366d"},
	{"timeout of another type",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, timeout: [1s]}\n",
		"app.yaml:3:37: timeout of resource 'a' is a list; expected a whole number with its unit: ms, s, m, h or d"},
	{"timeout of what does not wait",
		"resources:\n"
		"  a: {text: x, timeout: 1s}\n",
		"app.yaml:2:16: timeout means nothing on resource 'a': a 'text' does not wait for anything; expected it left out"},
	{"missing",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, missing: 500}\n"
		"  b: {http: GET catalog/x, missing: \"404\"}\n",
		"app.yaml:3:37: missing of resource 'a' is the number 500; expected 404, 401, 403 or null\n"
		"app.yaml:4:37: missing of resource 'b' is the string '404'; expected 404, 401, 403 or null"},
	{"missing of rows",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT 1, missing: 404}\n"
		"  b: {sql: SELECT 1, returns: count, missing: null}\n",
		"app.yaml:3:22: missing means nothing on resource 'a': rows are never missing, only fewer (see returns: row); expected it left out\n"
		"app.yaml:4:38: missing means nothing on resource 'b': rows are never missing, only fewer (see returns: row); expected it left out"},
	{"missing of a text",
		"resources:\n"
		"  a: {text: x, missing: null}\n",
		"app.yaml:2:16: missing means nothing on resource 'a': a 'text' is never missing; expected it left out"},
	{"pass",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, pass: 401}\n"
		"  b: {http: GET catalog/x, pass: [200]}\n"
		"  c: {http: GET catalog/x, pass: [\"401\"]}\n",
		"app.yaml:3:34: pass of resource 'a' is a number; expected a list, as in [401]\n"
		"app.yaml:4:35: a status under pass of resource 'b' is the number 200; expected 400 to 599\n"
		"app.yaml:5:35: a status under pass of resource 'c' is the string '401'; expected a whole number"},
	{"pass of what has no upstream",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a: {sql: SELECT 1, pass: [401]}\n",
		"app.yaml:3:22: pass means nothing on resource 'a': only an 'http' has an upstream's status; expected it left out"},
	{"a bare string as fallback",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: sorry}\n",
		"app.yaml:3:38: fallback of resource 'a' could be a text or a resource; expected {value: \"sorry\"} or {resource: sorry}"},
	{"a sentence as fallback",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: not here}\n",
		"app.yaml:3:38: fallback of resource 'a' could be a text or a resource; expected {value: \"not here\"} or {resource: name}"},
	{"fallback with both",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: {value: 1, resource: b}}\n",
		"app.yaml:3:38: fallback of resource 'a' is both a value and a resource; expected {value: ...} or {resource: name}"},
	{"fallback with neither",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: {}}\n",
		"app.yaml:3:38: fallback of resource 'a' is empty; expected {value: ...} or {resource: name}"},
	{"fallback with another key",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: {name: b}}\n",
		"app.yaml:3:39: unknown key 'name' in fallback of resource 'a'; expected value or resource"},
	{"fallback to nothing",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  sorry: 1\n"
		"  a: {http: GET catalog/x, fallback: {resource: sory}}\n",
		"app.yaml:4:49: resource 'a' falls back to 'sory', which is no resource; expected one; did you mean 'sorry'?"},
	{"fallback to no name",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: {resource: a.b}}\n",
		"app.yaml:3:49: 'a.b' is no resource's name; expected letters, digits and _"},
	{"fallback in a circle",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, fallback: {resource: b}}\n"
		"  b: {text: \"{{a}}\"}\n"
		"routes:\n"
		"  GET /: a\n",
		"app.yaml:6:3: route 'GET /': the needs run in a circle: a -> b -> a"},
	{"optional",
		"resources:\n"
		"  a: {text: x, optional: 1}\n"
		"  b: {text: x, optional: \"true\"}\n",
		"app.yaml:2:26: optional of resource 'a' is the number 1; expected true or false\n"
		"app.yaml:3:26: optional of resource 'b' is the string 'true'; expected true or false"},
	{"writes",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, writes: 1}\n",
		"app.yaml:3:36: writes of resource 'a' is the number 1; expected true or false"},
	{"writes of what changes nothing",
		"resources:\n"
		"  a: {text: x, writes: true}\n",
		"app.yaml:2:16: writes means nothing on resource 'a': a 'text' changes nothing outside; expected it left out"},
	{"writes denied",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: POST catalog/x, writes: false}\n",
		"app.yaml:3:29: writes of resource 'a' is false, but what it does is a write; expected it left out"},
	{"needs of another type",
		"resources:\n"
		"  a: {text: x, needs: b}\n",
		"app.yaml:2:23: needs is the string 'b'; expected a list of names, or a mapping as in {who: user.name}"},
	{"needs with a path",
		"resources:\n"
		"  a: {text: x, needs: [user.name]}\n",
		"app.yaml:2:24: 'user.name' is not a name; expected a mapping for a path, as in needs: {who: user.name}"},
	{"needs with a strange name",
		"resources:\n"
		"  a: {text: x, needs: [\"a b\", 5]}\n",
		"app.yaml:2:24: 'a b' is not a name; expected letters, digits and _\n"
		"app.yaml:2:31: a name under needs is the number 5; expected a string; with quotes: a: {text: x, needs: [\"a b\", \"5\"]}"},
	{"needs twice",
		"resources:\n"
		"  b: 1\n"
		"  a: {text: x, needs: [b, b]}\n",
		"app.yaml:3:27: 'b' is listed twice under needs"},
	{"needs with a strange local name",
		"resources:\n"
		"  b: 1\n"
		"  a: {text: x, needs: {\"a b\": b, request: b}}\n",
		"app.yaml:3:24: 'a b' can't be a name of one's own under needs; expected letters, digits and _\n"
		"app.yaml:3:34: 'request' can't be a name of one's own under needs; expected one that is not reserved"},
	{"needs with a strange path",
		"resources:\n"
		"  b: 1\n"
		"  a: {text: x, needs: {c: \"b..d\", e: \"b d\", f: 5}}\n",
		"app.yaml:3:27: path '..d', character 2: expected a name after '.', as in x.name\n"
		"app.yaml:3:38: 'b d' is not a name; expected letters, digits and _, then a path, as in user.name or items[0].id\n"
		"app.yaml:3:48: what a name under needs stands for is the number 5; expected a string; with quotes: a: {text: x, needs: {c: \"b..d\", e: \"b d\", f: \"5\"}}"},
	{"a need that is nothing",
		"resources:\n"
		"  user: 1\n"
		"  a: {text: x, needs: [usr]}\n"
		"  b: {text: x, needs: {u: usr.name}}\n",
		"app.yaml:3:24: resource 'a' needs 'usr', which is no resource, and no route accepts it; expected one or the other; did you mean 'user'?\n"
		"app.yaml:4:27: resource 'b' needs 'usr', which is no resource, and no route accepts it; expected one or the other; did you mean 'user'?"},
	{"infer",
		"resources:\n"
		"  a: {text: x, infer: no}\n",
		"app.yaml:2:23: unquoted no could be a string or a boolean; expected \"no\" or false"},
	{"infer: false",
		"resources:\n"
		"  b: 1\n"
		"  a: {text: \"{{b}}\", infer: false}\n"
		"  c: {json: \"{bb}\", infer: false, needs: [b]}\n",
		"app.yaml:3:14: 'b' is not under needs, and 'a' says infer: false; expected it there\n"
		"app.yaml:4:14: 'bb' is not under needs, and 'c' says infer: false; expected it there"},
	{"raw",
		"upstreams: {catalog: {url: \"http://127.0.0.1:9\"}}\n"
		"resources:\n"
		"  a: {http: GET catalog/x, raw: x}\n"
		"  b: {http: GET catalog/x, raw: [5]}\n"
		"  c: {http: \"GET catalog/{+b}\", raw: [bb]}\n",
		"app.yaml:3:33: raw is the string 'x'; expected a list\n"
		"app.yaml:4:34: a name under raw is the number 5; expected a string; with quotes: b: {http: GET catalog/x, raw: [\"5\"]}\n"
		"app.yaml:5:39: raw lists 'bb', but the URL has no {+bb} or {#bb}"},
	{"raw of a text",
		"resources:\n"
		"  a: {text: x, raw: [x]}\n",
		"app.yaml:2:16: raw means nothing on resource 'a': only in 'http' and 'url' are there {+x} and {#x}; expected it left out"},
	{"defaults",
		"defaults: {timeout: 1, needs: [a], retry: 2, foo: 1, missing: 5, fallback: x, optional: 2}\n",
		"app.yaml:1:21: timeout of defaults is the number 1; expected a whole number with its unit: ms, s, m, h or d; did you mean 1ms or 1s?\n"
		"app.yaml:1:24: unknown key 'needs' in defaults; expected timeout, missing, pass, fallback, optional or writes\n"
		"app.yaml:1:36: 'retry' is not yet in this version; expected it left out\n"
		"app.yaml:1:46: unknown key 'foo' in defaults; expected timeout, missing, pass, fallback, optional or writes\n"
		"app.yaml:1:63: missing of defaults is the number 5; expected 404, 401, 403 or null\n"
		"app.yaml:1:76: fallback of defaults could be a text or a resource; expected {value: \"x\"} or {resource: x}\n"
		"app.yaml:1:89: optional of defaults is the number 2; expected true or false"},
};

static const struct wrong settings[] = {
	{"unknown keys",
		"server: {port: 80, worker: 4}\n",
		"app.yaml:1:10: unknown key 'port' in server; expected listen, workers, deadline, head_timeout, body_timeout, send_timeout, max_body, max_connections, max_in_flight, max_fetches, admin, access_log or server_timing\n"
		"app.yaml:1:20: unknown key 'worker' in server; expected listen, workers, deadline, head_timeout, body_timeout, send_timeout, max_body, max_connections, max_in_flight, max_fetches, admin, access_log or server_timing; did you mean 'workers'?"},
	{"listen",
		"server: {listen: 8080}\n",
		"app.yaml:1:18: server.listen is the number 8080; expected address:port, such as 127.0.0.1:8080 or [::1]:8080"},
	{"listen without a port",
		"server: {listen: 127.0.0.1}\n",
		"app.yaml:1:18: server.listen is the string '127.0.0.1'; expected address:port, such as 127.0.0.1:8080 or [::1]:8080"},
	{"listen on a name",
		"server: {listen: \"example.com:80\"}\n",
		"app.yaml:1:18: server.listen is the string 'example.com:80'; expected an address of this machine, 0.0.0.0 for all of them, or localhost, then ':' and a port"},
	{"listen on a wide port",
		"server: {listen: \"127.0.0.1:65536\"}\n",
		"app.yaml:1:18: server.listen is the string '127.0.0.1:65536'; expected a port from 0 to 65535 after the ':'"},
	{"listen on IPv6",
		"server: {listen: \"::1:8080\"}\n",
		"app.yaml:1:18: server.listen is the string '::1:8080'; expected brackets round an IPv6 address, as in [::1]:8080"},
	{"listen on a port alone",
		"server: {listen: \":8080\"}\n",
		"app.yaml:1:18: server.listen is the string ':8080'; expected address:port, such as 127.0.0.1:8080 or [::1]:8080"},
	{"listen on a socket",
		"server: {listen: \"unix:/run/x\"}\n",
		"app.yaml:1:18: server.listen is the string 'unix:/run/x'; sockets in the file system are not yet in this version; expected address:port"},
	{"admin",
		"server: {admin: true}\n",
		"app.yaml:1:17: server.admin is true; expected address:port, or false for none"},
	{"admin in words",
		"server: {admin: \"off\"}\n",
		"app.yaml:1:17: server.admin is the string 'off'; expected address:port, or false for none"},
	{"admin on the same port",
		"server: {listen: \"127.0.0.1:9000\", admin: \"127.0.0.1:9000\"}\n",
		"app.yaml:1:43: server.admin is the string '127.0.0.1:9000'; expected another address than server.listen"},
	{"durations",
		"server: {deadline: 5, head_timeout: 1min, body_timeout: x, send_timeout: true}\n",
		"app.yaml:1:20: server.deadline is the number 5; expected a whole number with its unit: ms, s, m, h or d; did you mean 5ms or 5s?\n"
		"app.yaml:1:37: server.head_timeout is the string '1min'; expected a whole number with its unit: ms, s, m, h or d; did you mean 1m?\n"
		"app.yaml:1:57: server.body_timeout is the string 'x'; expected a whole number with its unit: ms, s, m, h or d\n"
		"app.yaml:1:74: server.send_timeout is true; expected a whole number with its unit: ms, s, m, h or d"},
	{"sizes",
		"server: {max_body: 1024}\n",
		"app.yaml:1:20: server.max_body is the number 1024; expected a whole number with its unit: B, KiB, MiB or GiB; did you mean 1024B or 1024KiB?"},
	{"sizes with wrong units",
		"server: {max_body: 1MB}\n",
		"app.yaml:1:20: server.max_body is the string '1MB'; expected a whole number with its unit: B, KiB, MiB or GiB; did you mean 1MiB?"},
	{"sizes too large",
		"server: {max_body: 2GiB}\n",
		"app.yaml:1:20: server.max_body is more than a request's body may have; expected at most 1GiB"},
	{"counts",
		"server: {workers: 0, max_connections: -1, max_in_flight: 1.5, max_fetches: many}\n",
		"app.yaml:1:19: server.workers is the number 0; expected 1 to 256\n"
		"app.yaml:1:39: server.max_connections is the number -1; expected 1 to 1000000\n"
		"app.yaml:1:58: server.max_in_flight is the number 1.5; expected a whole number\n"
		"app.yaml:1:76: server.max_fetches is the string 'many'; expected a whole number"},
	{"flags",
		"server: {access_log: 1, server_timing: \"true\"}\n",
		"app.yaml:1:22: server.access_log is the number 1; expected true or false\n"
		"app.yaml:1:40: server.server_timing is the string 'true'; expected true or false"},
};

static const struct wrong upstreams_and_databases[] = {
	{"a strange name",
		"upstreams: {\"a/b\": {url: \"http://a\"}}\n"
		"databases: {\"1\": \"sqlite:a.db\"}\n",
		"app.yaml:1:13: 'a/b' can't be the name of an upstream; expected letters, digits, _ and -\n"
		"app.yaml:2:13: '1' can't be the name of a database; expected letters, digits, _ and -\n"
		"app.yaml:2:18: there is no file 'a.db'; expected a SQLite database, or a `schema` to make one from"},
	{"no mapping",
		"upstreams: {a: \"http://a\"}\n",
		"app.yaml:1:16: an upstream is the string 'http://a'; expected a mapping"},
	{"no url",
		"upstreams: {a: {timeout: 1s}}\n",
		"app.yaml:1:16: upstream 'a' has no url"},
	{"an unknown key",
		"upstreams: {a: {url: \"http://a\", retries: 3}}\n",
		"app.yaml:1:34: unknown key 'retries' in an upstream; expected url, timeout, connect_timeout, headers, max_body, http2, ca, cert, proxy or max_in_flight"},
	{"another scheme",
		"upstreams: {a: {url: \"ftp://a\"}}\n",
		"app.yaml:1:22: url: expected http:// or https://, found ftp://"},
	{"no URL",
		"upstreams: {a: {url: \"127.0.0.1:9000\"}}\n",
		"app.yaml:1:22: url: 127.0.0.1:9000 is not a URL; expected one like http://127.0.0.1:9000/base"},
	{"a query",
		"upstreams: {a: {url: \"http://a/?x=1\"}}\n",
		"app.yaml:1:22: url: a query does not belong into an upstream's url; expected an origin and a base path"},
	{"a password",
		"upstreams: {a: {url: \"http://u:p@a/\"}}\n",
		"app.yaml:1:22: url: a user does not belong into an upstream's url; expected an origin and a base path (Authorization can be one of its headers)"},
	{"limits",
		"upstreams: {a: {url: \"http://a\", timeout: 300, max_body: 1MB, max_in_flight: 0, http2: maybe}}\n",
		"app.yaml:1:43: timeout is the number 300; expected a whole number with its unit: ms, s, m, h or d; did you mean 300ms or 300s?\n"
		"app.yaml:1:58: max_body is the string '1MB'; expected a whole number with its unit: B, KiB, MiB or GiB; did you mean 1MiB?\n"
		"app.yaml:1:78: max_in_flight is the number 0; expected 1 to 100000\n"
		"app.yaml:1:88: http2 is the string 'maybe'; expected true or false"},
	{"a missing certificate",
		"upstreams: {a: {url: \"https://a\", ca: none.pem}}\n",
		"app.yaml:1:39: ca: ./none.pem: No such file or directory; expected a PEM file"},
	{"another database",
		"databases: {a: \"mysql://x\"}\n",
		"app.yaml:1:16: not a database's URL; expected sqlite:PATH, such as sqlite:shop.db, or postgresql://user@host/database"},
	{"what libpq says of a URL",
		"databases: {a: \"postgresql://x/y?sslmod=require\"}\n",
		"app.yaml:1:16: invalid URI query parameter: \"sslmod\"; expected a URL such as postgresql://user@host/database"},
	{"a URL's password is not shown",
		"databases: {a: \"postgresql://u:secret%zz@x/y\"}\n",
		"app.yaml:1:16: invalid percent-encoded token; expected a URL such as postgresql://user@host/database"},
	{"a schema is SQLite's",
		"databases:\n  a: {url: \"postgresql://x/y\", schema: shop.sql}\n",
		"app.yaml:2:40: `schema` fills an empty SQLite file; expected it left out, and the schema loaded with psql"},
	{"prepare is PostgreSQL's",
		"databases:\n  a: {url: \"sqlite:x.db\", prepare: false}\n",
		"app.yaml:2:27: unknown key 'prepare' in database 'a'; expected url, pool, timeout, max_rows or schema"},
	{"no url of a database",
		"databases: {a: {pool: 2}}\n",
		"app.yaml:1:16: database 'a' has no `url`; expected one like sqlite:shop.db"},
	{"an unknown key of a database",
		"databases: {a: {url: \"sqlite:a.db\", max_row: 5}}\n",
		"app.yaml:1:37: unknown key 'max_row' in database 'a'; expected url, pool, timeout, max_rows or schema; did you mean 'max_rows'?"},
	{"limits of a database",
		"databases: {a: {url: \"sqlite:a.db\", pool: 0, timeout: 5, max_rows: x}}\n",
		"app.yaml:1:43: `pool` is the number 0; expected 1 to 64\n"
		"app.yaml:1:55: `timeout` is the number 5; expected a whole number with its unit: ms, s, m, h or d; did you mean 5ms or 5s?\n"
		"app.yaml:1:68: `max_rows` is the string 'x'; expected a whole number"},
	{"a missing schema",
		"databases: {a: {url: \"sqlite:a.db\", schema: none.sql}}\n",
		"app.yaml:1:45: can't read `schema` 'none.sql': No such file or directory"},
	{"a broken schema",
		"databases: {a: {url: \"sqlite:a.db\", schema: broken.sql}}\n",
		"broken.sql:1:8: schema: database 'a': near \"TABEL\": syntax error"},
	{"a database with mistakes is not blamed twice",
		"databases: {a: \"mysql://x\"}\n"
		"resources:\n"
		"  b: {sql: SELECT 1}\n",
		"app.yaml:1:16: not a database's URL; expected sqlite:PATH, such as sqlite:shop.db, or postgresql://user@host/database"},
	{"an upstream with mistakes is not blamed twice",
		"upstreams: {a: {url: 5}}\n"
		"resources:\n"
		"  b: {http: GET a/x}\n",
		"app.yaml:1:22: url is the number 5; expected a string; with quotes: upstreams: {a: {url: \"5\"}}"},
};

/* clang-format on */

Test(appfile_parts, each_resource_is_judged_by_itself)
{
	appfile_expect(resources, AB_COUNT(resources));
}

Test(appfile_parts, each_kind_says_what_it_expected)
{
	appfile_expect(kinds, AB_COUNT(kinds));
}

Test(appfile_parts, a_placeholder_from_another_place_is_spelled_right)
{
	appfile_expect(places, AB_COUNT(places));
}

Test(appfile_parts, keys_of_any_resource_are_checked)
{
	appfile_expect(generic, AB_COUNT(generic));
}

Test(appfile_parts, settings_have_units_and_ranges)
{
	appfile_expect(settings, AB_COUNT(settings));
}

Test(appfile_parts, upstreams_and_databases_are_checked)
{
	appfile_expect(upstreams_and_databases, AB_COUNT(upstreams_and_databases));
}

Test(appfile_parts, more_mistakes_than_are_shown_are_counted)
{
	struct appfile f;
	char text[8000] = "resources:\n";
	size_t len = strlen(text);

	for (int i = 0; i < 150; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "  a%d: {text: \"{{b%d}}\"}\n", i, i);
	appfile_open(&f, text);
	cr_expect_eq(ab_diags_mistakes(f.diags), 150);
	cr_expect(ab_diags_full(f.diags));
	cr_expect_not_null(strstr(f.mistakes, "'b0', which is no resource"));
	cr_expect_not_null(strstr(f.mistakes, "did you mean"));
	appfile_close(&f);
}
