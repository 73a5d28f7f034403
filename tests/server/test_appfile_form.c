/* tests/server/test_appfile_form.c: wrong files, and what is said of them: form, quotes, includes.
 * The messages are a feature: the tables hold them whole. */
#include "appfile.h"

#include <criterion/criterion.h>

TestSuite(appfile_form, .timeout = 60);

/* clang-format off */
static const struct wrong yaml_types[] = {
	{"yes",
		"resources:\n"
		"  a: yes\n",
		"app.yaml:2:6: unquoted yes could be a string or a boolean; expected \"yes\" or true"},
	{"any case",
		"resources:\n"
		"  a: No\n"
		"  b: ON\n"
		"  c: off\n"
		"  d: Y\n"
		"  e: n\n",
		"app.yaml:2:6: unquoted No could be a string or a boolean; expected \"No\" or false\n"
		"app.yaml:3:6: unquoted ON could be a string or a boolean; expected \"ON\" or true\n"
		"app.yaml:4:6: unquoted off could be a string or a boolean; expected \"off\" or false\n"
		"app.yaml:5:6: unquoted Y could be a string or a boolean; expected \"Y\" or true\n"
		"app.yaml:6:6: unquoted n could be a string or a boolean; expected \"n\" or false"},
	{"leading zeros",
		"resources:\n"
		"  a: 007\n"
		"  b: -010\n"
		"  c: 00\n"
		"  d: 01.5\n",
		"app.yaml:2:6: unquoted 007 could be a string or a number; expected \"007\" or 7\n"
		"app.yaml:3:6: unquoted -010 could be a string or a number; expected \"-010\" or -10\n"
		"app.yaml:4:6: unquoted 00 could be a string or a number; expected \"00\" or 0\n"
		"app.yaml:5:6: unquoted 01.5 could be a string or a number; expected \"01.5\" or 1.5"},
	{"base 60",
		"resources:\n"
		"  a: 12:30\n"
		"  b: 1:20:30\n",
		"app.yaml:2:6: unquoted 12:30 could be a string or a number; expected \"12:30\"\n"
		"app.yaml:3:6: unquoted 1:20:30 could be a string or a number; expected \"1:20:30\""},
	{"infinite",
		"resources:\n"
		"  a: .inf\n"
		"  b: -.Inf\n"
		"  c: .NaN\n",
		"app.yaml:2:6: unquoted .inf is no number that JSON knows; expected \".inf\" or another number\n"
		"app.yaml:3:6: unquoted -.Inf is no number that JSON knows; expected \"-.Inf\" or another number\n"
		"app.yaml:4:6: unquoted .NaN is no number that JSON knows; expected \".NaN\" or another number"},
	{"other bases",
		"resources:\n"
		"  a: 0x1F\n"
		"  b: 0o17\n"
		"  c: 0b11\n",
		"app.yaml:2:6: unquoted 0x1F could be a string or a number; expected \"0x1F\" or 31\n"
		"app.yaml:3:6: unquoted 0o17 could be a string or a number; expected \"0o17\" or 15\n"
		"app.yaml:4:6: unquoted 0b11 could be a string or a number; expected \"0b11\" or 3"},
	{"beyond 64 bits",
		"resources:\n"
		"  a: 9223372036854775808\n"
		"  b: -9223372036854775809\n",
		"app.yaml:2:6: the number 9223372036854775808 does not fit 64 bits; expected it in quotes\n"
		"app.yaml:3:6: the number -9223372036854775809 does not fit 64 bits; expected it in quotes"},
	{"beyond a double",
		"resources:\n"
		"  a: 1e400\n",
		"app.yaml:2:6: the number 1e400 is too large for a double; expected it in quotes"},
	{"in a flow list",
		"resources:\n"
		"  a: [1, yes, 08]\n",
		"app.yaml:2:10: unquoted yes could be a string or a boolean; expected \"yes\" or true\n"
		"app.yaml:2:15: unquoted 08 could be a string or a number; expected \"08\" or 8"},
	{"a key may be spelled so",
		"resources:\n"
		"  y: 1\n"
		"  a: {value: {no: 1, 007: 2, 12:30: 3}}\n",
		""},
};

static const struct wrong yaml_form[] = {
	{"a tag",
		"resources:\n"
		"  a: !!str 5\n"
		"  b: !x {value: 1}\n"
		"  c: ! y\n",
		"app.yaml:2:6: the tag !!str; expected none: quotes make a string, and nothing else needs one\n"
		"app.yaml:3:6: the tag !x; expected none: quotes make a string, and nothing else needs one\n"
		"app.yaml:4:6: the tag !; expected none: quotes make a string, and nothing else needs one"},
	{"a merge key",
		"x: &x {a: 1}\n"
		"resources:\n"
		"  <<: *x\n",
		"app.yaml:1:1: unknown key 'x' in the app file; expected server, defaults, upstreams, databases, resources, routes, errors, include or modules\n"
		"app.yaml:3:3: merge keys ('<<') are not part of an app file; expected the keys written out"},
	{"a duplicate key",
		"resources:\n"
		"  a: 1\n"
		"  b: 2\n"
		"  a: 3\n",
		"app.yaml:4:3: 'a' is here twice; expected it once (first at line 2)"},
	{"a duplicate among JSON keys",
		"{\"resources\": {\"a\": 1,\n"
		"  \"a\": 2}}\n",
		"app.yaml:2:3: 'a' is here twice; expected it once (first at line 1)"},
	{"a second document",
		"resources:\n"
		"  a: 1\n"
		"---\n"
		"resources: {}\n",
		"app.yaml:3:1: a second document; expected one in a file"},
	{"a directive",
		"%YAML 1.1\n"
		"---\n"
		"resources: {}\n",
		"app.yaml:1:1: a % directive; expected none"},
	{"an unknown directive",
		"%FOO bar\n"
		"---\n"
		"resources: {}\n",
		"app.yaml:1:5: a % directive; expected none"},
	{"a list as a key",
		"? [a]\n"
		": 1\n",
		"app.yaml:1:3: a key that is not a string; expected 'key: value'"},
	{"an empty key",
		": 1\n",
		"app.yaml:1:1: a ':' without a key; expected 'key: value'"},
	{"a key without a value",
		"resources:\n"
		"  a:\n"
		"  b: 1\n",
		"app.yaml:2:3: 'a' has no value; expected one, or null"},
	{"a section without a value",
		"server:\n"
		"routes:\n",
		"app.yaml:1:1: 'server' has no value; expected a mapping\n"
		"app.yaml:2:1: 'routes' has no value; expected a mapping"},
	{"a missing comma after a bracket",
		"{\"resources\": {\"a\": 1} \"routes\": {}}\n",
		"app.yaml:1:24: nothing parts this from what stands before it; expected a ',' between"},
	{"a missing comma after a number",
		"resources:\n"
		"  a: {value: {a: 1 b: 2}}\n",
		"app.yaml:2:21: nothing parts this key from the value before it; expected a ',' between"},
	{"a route with a variable as an unquoted key",
		"routes: {GET /a/{woh}: greet}\n",
		"app.yaml:1:17: a '{' in an unquoted key; expected quotes round the key: \"GET /a/{woh}\""},
	{"an item without a value",
		"resources:\n"
		"  a:\n"
		"    - 1\n"
		"    -\n",
		"app.yaml:4:6: an item without a value; expected one, or null"},
	{"an anchor at a key",
		"resources:\n"
		"  &x a: 1\n",
		"app.yaml:2:3: an anchor or a tag at a key; expected none"},
	{"an anchor twice",
		"resources:\n"
		"  a: &x 1\n"
		"  b: &x 2\n",
		"app.yaml:3:6: the anchor &x is here twice; expected names of their own"},
	{"an alias of nothing",
		"resources:\n"
		"  a: *x\n",
		"app.yaml:2:6: an unquoted '*' begins an alias, and no anchor is named x; expected quotes: a: \"*x\""},
	{"an alias inside its anchor",
		"resources:\n"
		"  a: &x [*x]\n",
		"app.yaml:2:10: the alias *x stands inside what it names"},
	{"nothing at all",
		"",
		"app.yaml:1:1: the file is empty; expected a mapping with resources and routes"},
	{"comments alone",
		"# nothing\n",
		"app.yaml:1:1: the file is empty; expected a mapping with resources and routes"},
	{"an empty document",
		"---\n"
		"...\n",
		"app.yaml:1:1: the file holds no document; expected a mapping with resources and routes"},
	{"a list as the file",
		"- a\n",
		"app.yaml:1:1: the file is a list; expected a mapping with resources and routes"},
	{"a text as the file",
		"hello\n",
		"app.yaml:1:1: the file is the string 'hello'; expected a mapping with resources and routes"},
	{"bytes that are not UTF-8",
		"resources:\n"
		"  a: \"\377\"\n",
		"app.yaml:2:1: bytes that are not UTF-8; expected UTF-8 text"},
	{"a NUL escape",
		"resources:\n"
		"  a: \"\\0\"\n",
		"app.yaml:2:6: a NUL character in a string; expected text"},
	{"a control character",
		"resources:\n"
		"  a: \"\001\"\n",
		"app.yaml:2:7: the control character U+0001; expected text"},
	{"a surrogate escape",
		"resources:\n"
		"  a: \"\\ud83d\\ude00\"\n",
		"app.yaml:2:9: a \\u escape that is no character by itself; expected the character written out"},
	{"a bad escape",
		"resources:\n"
		"  a: \"\\d\"\n",
		"app.yaml:2:7: an unknown \\ escape in double quotes; expected single quotes, or \\\\ for a backslash"},
	{"a tab",
		"resources:\n"
		"\011a: 1\n",
		"app.yaml:2:1: a tab can't indent; expected spaces"},
	{"quotes not closed",
		"resources:\n"
		"  a: \"x\n",
		"app.yaml:2:6: quotes that are not closed; expected the closing quote"},
	{"a bracket not closed",
		"resources:\n"
		"  a: [1, 2\n"
		"  b: 1\n",
		"app.yaml:3:4: the bracket at line 2, column 6 is still open; expected ',' or its ] before this"},
	{"a brace not closed",
		"{\"resources\": {\"a\": 1\n",
		"app.yaml:1:15: a bracket that is not closed; expected its }"},
	{"an unexpected indentation",
		"resources:\n"
		"  a: 1\n"
		"    b: 2\n",
		"app.yaml:3:6: this line reads as more of the value above; expected the indentation of its neighbours, or nothing after the ':' above"},
	{"a line that fits nowhere",
		"resources:\n"
		"    a: 1\n"
		"  b: 2\n",
		"app.yaml:3:3: this line does not fit the lines above; expected a key at their indentation"},
	{"a line without a colon",
		"resources\n"
		"routes: {}\n",
		"app.yaml:2:7: the line above has no ':'; expected 'key: value'"},
	{"an item after a key",
		"resources:\n"
		"  a: - 1\n",
		"app.yaml:2:6: a '-' item can't stand here; expected it on a line of its own, under its key"},
	{"text after quotes",
		"resources:\n"
		"  a: \"x\" y\n",
		"app.yaml:2:10: text after the value's end; expected the end of the line"},
	{"text after a block sign",
		"resources:\n"
		"  a: | x\n"
		"    y\n",
		"app.yaml:2:8: text after | or >; expected the text on the next lines, indented"},
	{"a missing comma in JSON",
		"{\"resources\": {\"a\": 1\n"
		"  \"b\": 2}}\n",
		"app.yaml:2:6: the bracket at line 1, column 15 is still open; expected ',' or its } before this"},
	{"several in one go",
		"resorces: {}\n"
		"resources:\n"
		"  a: yes\n"
		"  b: {txt: x}\n"
		"routes: 5\n",
		"app.yaml:1:1: unknown key 'resorces' in the app file; expected server, defaults, upstreams, databases, resources, routes, errors, include or modules; did you mean 'resources'?\n"
		"app.yaml:3:6: unquoted yes could be a string or a boolean; expected \"yes\" or true\n"
		"app.yaml:4:3: resource 'b' has no kind; expected one of value, http, sql, transaction, text, template, json, url, call, jq, require, native; did you mean 'text'?\n"
		"app.yaml:5:9: routes is the number 5; expected a mapping"},
};

static const struct wrong quotes[] = {
	{"a placeholder alone",
		"resources:\n"
		"  a: {json: {name: {product.name}}}\n",
		"app.yaml:2:20: {...} without quotes is a mapping, not a placeholder; expected quotes: a: {json: {name: \"{product.name}\"}}"},
	{"a placeholder with a bracket",
		"resources:\n"
		"  a: {json: {name: {items[0].id}}}\n",
		"app.yaml:2:26: a value inside brackets ends here unexpectedly; expected quotes: a: {json: {name: \"{items[0].id}\"}}"},
	{"a collecting placeholder",
		"resources:\n"
		"  a: {json: {name: {items[*].id}}}\n",
		"app.yaml:2:28: an unquoted '*' begins an alias; expected quotes: a: {json: {name: \"{items[*].id}\"}}"},
	{"a tag of Mustache",
		"resources:\n"
		"  a: {text: {{who}}}\n",
		"app.yaml:2:13: {...} without quotes is a mapping, not a placeholder; expected quotes: a: {text: \"{{who}}\"}"},
	{"a tag of Mustache in a block",
		"resources:\n"
		"  a:\n"
		"    text: {{who}}\n",
		"app.yaml:3:11: {...} without quotes is a mapping, not a placeholder; expected quotes: text: \"{{who}}\""},
	{"a comma cuts SQL",
		"resources:\n"
		"  u: {sql: SELECT id, name, tier FROM users, returns: row}\n",
		"app.yaml:2:12: a comma ends an unquoted value inside {}; expected quotes: u: {sql: \"SELECT id, name, tier FROM users\", returns: row}"},
	{"a comma cuts a text",
		"resources:\n"
		"  u: {text: Hello, world}\n",
		"app.yaml:2:13: a comma ends an unquoted value inside {}; expected quotes: u: {text: \"Hello, world\"}"},
	{"a brace ends a URL",
		"resources:\n"
		"  p: {http: GET catalog/p/{id}, fallback: []}\n",
		"app.yaml:2:27: a value inside brackets ends here unexpectedly; expected quotes: p: {http: \"GET catalog/p/{id}\", fallback: []}"},
	{"a jq filter",
		"resources:\n"
		"  p: {jq: {id: $x}}\n",
		"app.yaml:2:11: `jq` is a mapping; expected a string; with quotes: p: {jq: \"{id: $x}\"}"},
	{"SQL that is a mapping",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  p:\n"
		"    sql: {SELECT: 1}\n",
		"app.yaml:4:11: unknown key 'SELECT' in `sql`; expected file"},
	{"a number where a text belongs",
		"resources:\n"
		"  p: {text: 5}\n",
		"app.yaml:2:13: text is the number 5; expected a string; with quotes: p: {text: \"5\"}"},
	{"a boolean where a text belongs",
		"resources:\n"
		"  p: {text: true}\n",
		"app.yaml:2:13: text is true; expected a string; with quotes: p: {text: \"true\"}"},
	{"a list where a text belongs",
		"resources:\n"
		"  p: {text: [x]}\n",
		"app.yaml:2:13: text is a list; expected a string; with quotes: p: {text: \"[x]\"}"},
	{" # cuts SQL",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  p:\n"
		"    sql: SELECT id FROM users WHERE name = '#1' OR name = 'a #b'\n",
		"app.yaml:4:10: ' #' begins a comment and cuts the sql off; expected quotes: sql: \"SELECT id FROM users WHERE name = '#1' OR name = 'a #b'\""},
	{" # cuts text",
		"resources:\n"
		"  p:\n"
		"    text: Order #{{n}}\n"
		"  n: 1\n",
		"app.yaml:3:11: ' #' begins a comment and cuts the text off; expected quotes: text: \"Order #{{n}}\""},
	{"a colon in a text",
		"resources:\n"
		"  p:\n"
		"    text: Note: hello\n",
		"app.yaml:3:15: a second ': ' in an unquoted value; expected quotes: text: \"Note: hello\""},
	{"a colon in a text in braces",
		"resources:\n"
		"  p: {text: a: b}\n",
		"app.yaml:2:14: a value inside brackets ends here unexpectedly; expected quotes: p: {text: \"a: b\"}"},
	{"no space after a colon",
		"resources:\n"
		"  p: {text:x}\n",
		"app.yaml:2:7: 'text:x' is a key without a value; expected a space after its ':'"},
	{"a sign YAML keeps for itself",
		"resources:\n"
		"  p: @x\n"
		"  q: 1\n",
		"app.yaml:2:6: an unquoted value can't begin with '@'; expected quotes: p: \"@x\""},
	{"an asterisk",
		"resources:\n"
		"  p:\n"
		"    text: * x\n",
		"app.yaml:3:12: an unquoted '*' begins an alias; expected quotes: text: \"* x\""},
	{"a percent sign",
		"resources:\n"
		"  p: %x\n",
		"app.yaml:2:6: an unquoted value can't begin with '%'; expected quotes: p: \"%x\""},
	{"a colon before a bracket",
		"resources:\n"
		"  a: {value: [12:]}\n",
		"app.yaml:2:17: a ':' in an unquoted value; expected quotes: a: {value: [\"12:\"]}"},
	{"SQL in a flow list cut",
		"resources:\n"
		"  a: [SELECT {x}]\n",
		"app.yaml:2:14: a value inside brackets ends here unexpectedly; expected quotes: a: [\"SELECT {x}\"]"},
	{"a comma cuts SQL on two lines",
		"resources:\n"
		"  u: {sql: SELECT id,\n"
		"    name FROM 'users', returns: row}\n",
		"app.yaml:2:12: a comma ends an unquoted value inside {}; expected quotes: u: {sql: \"SELECT id, name FROM 'users'\", returns: row}"},
};

static const struct wrong environment[] = {
	{"not set",
		"resources:\n"
		"  a: ${AB_T_NOT_SET}\n",
		"app.yaml:2:6: the environment variable AB_T_NOT_SET is not set; expected it, or a default as in ${AB_T_NOT_SET:-default}"},
	{"not set, in a text",
		"upstreams:\n"
		"  u: {url: \"http://${AB_T_NOT_SET}/x\"}\n",
		"app.yaml:2:12: the environment variable AB_T_NOT_SET is not set; expected it, or a default as in ${AB_T_NOT_SET:-default}"},
	{"no variable",
		"resources:\n"
		"  a: ${lower}\n",
		"app.yaml:2:6: ${lower} is no environment variable; expected ${NAME} in capitals, ${NAME:-default} or ${file:PATH}, or $${ for a literal ${"},
	{"empty",
		"resources:\n"
		"  a: \"${}\"\n",
		"app.yaml:2:6: ${} is no environment variable; expected ${NAME} in capitals, ${NAME:-default} or ${file:PATH}, or $${ for a literal ${"},
	{"not closed",
		"resources:\n"
		"  a: \"${AB_T_NUMBER\"\n",
		"app.yaml:2:6: a ${ without its }; expected ${NAME}, or $${ for a literal ${"},
	{"a wrong default",
		"resources:\n"
		"  a: \"${AB_T_NUMBER:x}\"\n",
		"app.yaml:2:6: ${AB_T_NUMBER:x} is no environment variable; expected ${NAME} in capitals, ${NAME:-default} or ${file:PATH}, or $${ for a literal ${"},
	{"in a key",
		"resources:\n"
		"  ${AB_T_NUMBER}: 1\n",
		"app.yaml:2:3: ${...} can't stand in a key; expected it in a value"},
	{"a value that reads as a boolean to some",
		"resources:\n"
		"  a: ${AB_T_NO}\n",
		"app.yaml:2:6: unquoted, the value that ${...} has here could be a string or something else; expected quotes: \"${AB_T_NO}\""},
	{"in SQL",
		"databases: {main: {url: \"sqlite:x.db\", schema: schema.sql}}\n"
		"resources:\n"
		"  a:\n"
		"    sql: SELECT ${AB_T_NUMBER}\n",
		"app.yaml:4:10: ${...} in a statement: a value never becomes syntax; expected a placeholder such as :name"},
	{"in text",
		"resources:\n"
		"  a: {text: \"${AB_T_SECRET}\"}\n",
		"app.yaml:2:13: ${...} in template text; expected it in a resource of its own, used as {{name}}"},
	{"a number where a text belongs",
		"upstreams:\n"
		"  u:\n"
		"    url: ${AB_T_NUMBER}\n",
		"app.yaml:3:10: url is a value from ${...}; expected a string; put ${...} in quotes to make it one"},
	{"a secret is not shown",
		"server:\n"
		"  listen: ${AB_T_SECRET}\n"
		"  deadline: ${AB_T_SECRET}\n"
		"  workers: ${AB_T_SECRET}\n",
		"app.yaml:2:11: server.listen is a value from ${...}; expected address:port, such as 127.0.0.1:8080 or [::1]:8080\n"
		"app.yaml:3:13: server.deadline is a value from ${...}; expected a whole number with its unit: ms, s, m, h or d\n"
		"app.yaml:4:12: server.workers is a value from ${...}; expected a whole number"},
	{"a secret is not shown as a fallback",
		"resources:\n"
		"  a: {value: 1, fallback: \"${AB_T_SECRET}\"}\n",
		"app.yaml:2:27: fallback of resource 'a' is a string; expected {value: ...} for the text itself, or {resource: name}"},
	{"bytes that are not UTF-8",
		"resources:\n"
		"  a: ${AB_T_LATIN}\n",
		"app.yaml:2:6: the environment variable AB_T_LATIN is not UTF-8 text"},
	{"a file that is missing",
		"resources:\n"
		"  a: ${file:none.txt}\n",
		"app.yaml:2:6: cannot read ${file:none.txt}: no such file"},
	{"a file without a name",
		"resources:\n"
		"  a: ${file:}\n",
		"app.yaml:2:6: ${file:} names no file; expected ${file:PATH}"},
	{"a directory",
		"resources:\n"
		"  a: ${file:.}\n",
		"app.yaml:2:6: cannot read ${file:.}: it is a directory; expected a file"},
	{"a file with NUL",
		"resources:\n"
		"  a: ${file:nul.txt}\n",
		"app.yaml:2:6: cannot read ${file:nul.txt}: it is not UTF-8 text"},
};

static const struct wrong includes[] = {
	{"a missing file",
		"include: [none.yaml]\n",
		"app.yaml:1:11: cannot include none.yaml: no such file"},
	{"a pattern without a match",
		"include: [parts/*.yaml]\n",
		"app.yaml:1:11: the pattern parts/*.yaml matches no file; expected at least one"},
	{"a directory",
		"include: [.]\n",
		"app.yaml:1:11: cannot include .: it is a directory; expected a file"},
	{"not a list",
		"include: users.yaml\n",
		"app.yaml:1:10: include is the string 'users.yaml'; expected a list, as in include: [users.yaml, parts/*.yaml]"},
	{"not a name",
		"include: [5, \"\"]\n",
		"app.yaml:1:11: a file under include is the number 5; expected a string; with quotes: include: [\"5\", \"\"]\n"
		"app.yaml:1:14: an empty name under include; expected a file or a pattern"},
	{"a mistake inside",
		"include: [b.yaml]\n"
		"=== b.yaml\n"
		"resources:\n"
		"  a: yes\n",
		"b.yaml:2:6: unquoted yes could be a string or a boolean; expected \"yes\" or true"},
	{"an empty include",
		"include: [b.yaml]\n"
		"=== b.yaml\n",
		"b.yaml:1:1: the file is empty; expected a mapping with resources and routes"},
	{"keys of the app file",
		"include: [b.yaml]\n"
		"=== b.yaml\n"
		"server: {}\n"
		"routes: {}\n"
		"errors: {}\n",
		"b.yaml:1:1: 'server' in an included file; expected it in the app file itself\n"
		"b.yaml:2:1: 'routes' in an included file; expected it in the app file itself\n"
		"b.yaml:3:1: 'errors' in an included file; expected it in the app file itself"},
	{"an unknown key",
		"include: [b.yaml]\n"
		"=== b.yaml\n"
		"resource: {}\n",
		"b.yaml:1:1: unknown key 'resource' in an included file; expected defaults, upstreams, databases, resources, include or modules; did you mean 'resources'?"},
	{"one name twice",
		"include: [b.yaml, c.yaml]\n"
		"=== b.yaml\n"
		"resources: {a: 1, x: 1}\n"
		"=== c.yaml\n"
		"resources: {b: 2, x: 2}\n",
		"app.yaml:1:10: resource 'x' is in two files included here, b.yaml:1:19 and c.yaml:1:19; expected it in one, or in this file, which then decides"},
	{"one name twice, nested",
		"include: [b.yaml, c.yaml]\n"
		"=== b.yaml\n"
		"include: [d.yaml]\n"
		"=== c.yaml\n"
		"resources: {x: 2}\n"
		"=== d.yaml\n"
		"resources: {x: 3}\n",
		"app.yaml:1:10: resource 'x' is in two files included here, d.yaml:1:13 and c.yaml:1:13; expected it in one, or in this file, which then decides"},
	{"one upstream and one database twice",
		"include: [b.yaml, c.yaml]\n"
		"=== b.yaml\n"
		"upstreams: {u: {url: \"http://a\"}}\n"
		"databases: {m: \"sqlite:a.db\"}\n"
		"=== c.yaml\n"
		"upstreams: {u: {url: \"http://b\"}}\n"
		"databases: {m: \"sqlite:a.db\"}\n",
		"app.yaml:1:10: upstream 'u' is in two files included here, b.yaml:1:13 and c.yaml:1:13; expected it in one, or in this file, which then decides\n"
		"app.yaml:1:10: database 'm' is in two files included here, b.yaml:2:13 and c.yaml:2:13; expected it in one, or in this file, which then decides\n"
		"b.yaml:2:16: there is no file 'a.db'; expected a SQLite database, or a `schema` to make one from\n"
		"c.yaml:2:16: there is no file 'a.db'; expected a SQLite database, or a `schema` to make one from"},
	{"an unresolvable need of an include",
		"include: [b.yaml]\n"
		"resources: {user: 1}\n"
		"=== b.yaml\n"
		"resources:\n"
		"  page: {text: \"{{usr}}\"}\n",
		"b.yaml:2:17: resource 'page' needs 'usr', which is no resource, and no route accepts it; expected one or the other; did you mean 'user'?"},
	{"a wrong template of an include",
		"include: [parts/b.yaml]\n"
		"=== parts/b.yaml\n"
		"resources:\n"
		"  page: {template: none.html}\n",
		"parts/b.yaml:2:20: no template: parts/none.html: No such file or directory"},
};

static const struct wrong top_level[] = {
	{"an unknown key",
		"resource: {}\n"
		"upstream: {}\n"
		"foo: 1\n",
		"app.yaml:1:1: unknown key 'resource' in the app file; expected server, defaults, upstreams, databases, resources, routes, errors, include or modules; did you mean 'resources'?\n"
		"app.yaml:2:1: unknown key 'upstream' in the app file; expected server, defaults, upstreams, databases, resources, routes, errors, include or modules; did you mean 'upstreams'?\n"
		"app.yaml:3:1: unknown key 'foo' in the app file; expected server, defaults, upstreams, databases, resources, routes, errors, include or modules"},
	{"modules",
		"modules: [x.so]\n",
		"app.yaml:1:11: there is no x.so; build it: cc -shared -fPIC -I$(anabranch --include) -o x.so FILE.c -ljansson"},
	{"sections that are no mappings",
		"resources: []\n"
		"upstreams: 5\n"
		"databases: x\n"
		"defaults: true\n"
		"server: []\n",
		"app.yaml:1:12: resources is an empty list; expected a mapping\n"
		"app.yaml:2:12: upstreams is the number 5; expected a mapping\n"
		"app.yaml:3:12: databases is the string 'x'; expected a mapping\n"
		"app.yaml:4:11: defaults is true; expected a mapping\n"
		"app.yaml:5:9: server is an empty list; expected a mapping"},
};

/* clang-format on */

Test(appfile_form, unquoted_scalars_that_readers_disagree_about_are_refused)
{
	appfile_expect(yaml_types, AB_COUNT(yaml_types));
}

Test(appfile_form, what_is_not_plain_yaml_is_refused)
{
	appfile_expect(yaml_form, AB_COUNT(yaml_form));
}

Test(appfile_form, missing_quotes_are_shown_in_their_line)
{
	appfile_expect(quotes, AB_COUNT(quotes));
}

Test(appfile_form, mistakes_in_what_comes_from_the_environment_show_no_value)
{
	appfile_expect(environment, AB_COUNT(environment));
}

Test(appfile_form, mistakes_of_and_in_includes_say_where)
{
	appfile_expect(includes, AB_COUNT(includes));
}

Test(appfile_form, top_level_keys_are_all_known)
{
	appfile_expect(top_level, AB_COUNT(top_level));
}
