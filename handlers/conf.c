/* handlers/conf.c: reading the app file's tree, with messages that say what would have been right. */
#include "conf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { SHORT_TEXT = 40, LINE_MAX_SHOWN = 160 };

const struct ab_conf_pair *ab_conf_pair(const struct ab_conf *map, const char *key)
{
	if (map == NULL || map->type != AB_CONF_MAP)
		return NULL;
	for (size_t i = 0; i < map->u.map.count; i++)
		if (strcmp(map->u.map.pairs[i].key, key) == 0)
			return &map->u.map.pairs[i];
	return NULL;
}

const struct ab_conf *ab_conf_get(const struct ab_conf *map, const char *key)
{
	const struct ab_conf_pair *pair = ab_conf_pair(map, key);

	return pair == NULL ? NULL : pair->value;
}

/* "a, b and c", or "..." at the end where there is no room. */
static const char *join(const char *const *words, size_t count, const char *last, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *before = i == 0 ? "" : i + 1 == count ? last : ", ";
		size_t room = size - len;
		int n = snprintf(buf + len, room, "%s%s", before, words[i]);

		if (n < 0 || (size_t)n + 4 >= room) {
			snprintf(buf + len, room, "%s", room > 4 ? " ..." : "");
			break;
		}
		len += (size_t)n;
	}
	return buf;
}

bool ab_conf_only(
        const struct ab_conf *map, const char *what, const char *const *keys, struct ab_diags *diags)
{
	size_t count = 0;
	bool ok = true;

	while (keys[count] != NULL)
		count++;
	for (size_t i = 0; i < map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];
		char known[400], meant[80];
		bool found = false;

		for (size_t k = 0; k < count && !found; k++)
			found = strcmp(pair->key, keys[k]) == 0;
		if (found)
			continue;
		ok = false;
		ab_diag(diags, pair->pos, "unknown key '%.60s' in %s; expected %s%s", pair->key, what,
		        join(keys, count, " or ", known, sizeof(known)),
		        ab_did_you_mean(pair->key, keys, count, meant, sizeof(meant)));
	}
	return ok;
}

const char *ab_conf_describe(const struct ab_conf *node, char *buf, size_t size)
{
	if (node->secret) {
		snprintf(buf, size, "a value from ${...}");
		return buf;
	}
	switch (node->type) {
	case AB_CONF_NULL:
		snprintf(buf, size, "null");
		break;
	case AB_CONF_BOOL:
		snprintf(buf, size, "%s", node->u.boolean ? "true" : "false");
		break;
	case AB_CONF_INT:
		snprintf(buf, size, "the number %" PRId64, node->u.integer);
		break;
	case AB_CONF_REAL:
		snprintf(buf, size, "the number %g", node->u.real);
		break;
	case AB_CONF_STRING:
		if (node->u.string.len == 0)
			snprintf(buf, size, "an empty string");
		else if (node->u.string.len <= SHORT_TEXT)
			snprintf(buf, size, "the string '%s'", node->u.string.text);
		else
			snprintf(buf, size, "a string");
		break;
	case AB_CONF_LIST:
		snprintf(buf, size, node->u.list.count == 0 ? "an empty list" : "a list");
		break;
	case AB_CONF_MAP:
		snprintf(buf, size, node->u.map.count == 0 ? "an empty mapping" : "a mapping");
		break;
	}
	return buf;
}

static const char *expected_type(enum ab_conf_type type)
{
	switch (type) {
	case AB_CONF_NULL:
		return "null";
	case AB_CONF_BOOL:
		return "true or false";
	case AB_CONF_INT:
		return "a whole number";
	case AB_CONF_REAL:
		return "a number";
	case AB_CONF_STRING:
		return "a string";
	case AB_CONF_LIST:
		return "a list";
	case AB_CONF_MAP:
		return "a mapping";
	}
	return "something else";
}

static size_t line_start(const char *at)
{
	size_t back = 0;

	while (at[-(ptrdiff_t)back - 1] != '\n' && at[-(ptrdiff_t)back - 1] != '\r')
		back++;
	return back;
}

/* A quoted string's inside: single quotes are doubled where they are the quotes, a line break and the blanks
 * round it become one blank. NULL when it takes more than `room` bytes. */
static const char *quoted(char *to, size_t room, const char *from, size_t len, char quote)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (n + 3 > room)
			return NULL;
		if (c == '\n' || c == '\r') {
			i += strspn(from + i + 1, " \t\r\n");
			while (n > 0 && to[n - 1] == ' ')
				n--;
			c = ' ';
		}
		if (c == quote && quote == '\'')
			to[n++] = c;
		to[n++] = c;
	}
	to[n] = '\0';
	return to;
}

const char *ab_conf_quote_line(const struct ab_conf *node, char *buf, size_t size)
{
	char inside[LINE_MAX_SHOWN];
	const char *at = node->written, *before, *after;
	char quote = '"';
	size_t len;

	buf[0] = '\0';
	if (at == NULL || size < 2)
		return buf;
	before = at - line_start(at);
	before += strspn(before, " \t-");
	if (before > at || at - before > LINE_MAX_SHOWN)
		before = at;
	after = at + node->written_len;
	len = strcspn(after, "\r\n");
	if (len > LINE_MAX_SHOWN)
		len = 0;
	while (len > 0 && (after[len - 1] == ' ' || after[len - 1] == '\t'))
		len--;
	if (memchr(at, '"', node->written_len) != NULL || memchr(at, '\\', node->written_len) != NULL)
		quote = '\'';
	if (quoted(inside, sizeof(inside), at, node->written_len, quote) != NULL)
		snprintf(buf, size, "%.*s%c%s%c%.*s", (int)(at - before), before, quote, inside, quote,
		        (int)len, after);
	return buf;
}

bool ab_conf_cut(const struct ab_conf *node)
{
	const char *after;

	if (node->type != AB_CONF_STRING || node->quoted || node->written == NULL)
		return false;
	after = node->written + node->written_len;
	return strspn(after, " \t") > 0 && after[strspn(after, " \t")] == '#';
}

static unsigned characters(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xC0) != 0x80;
	return n;
}

/* Lines of a literal block: each is one line of the file, indented by what the first one with text shows. */
static struct ab_pos at_in_block(const struct ab_conf *string, size_t offset)
{
	const char *text = string->u.string.text;
	const char *line = string->written + strcspn(string->written, "\n");
	struct ab_pos pos = string->pos;
	size_t start = 0, first = strspn(text, "\n"), indent;

	while (*line == '\n' && line[1 + strspn(line + 1, " ")] == '\n')
		line += 1 + strspn(line + 1, " ");
	indent = *line == '\n' ? strspn(line + 1, " ") : 0;
	first = strspn(text + first, " ");
	indent = indent > first ? indent - first : 0;
	pos.line++;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			pos.line++;
			start = i + 1;
		}
	}
	pos.column = (unsigned)indent + characters(text + start, offset - start) + 1;
	return pos;
}

struct ab_pos ab_conf_at(const struct ab_conf *string, size_t offset)
{
	struct ab_pos pos = string->pos;
	bool quote;

	if (string->type != AB_CONF_STRING || string->written == NULL || string->n_spans > 0 ||
	        offset > string->u.string.len)
		return pos;
	if (string->quoted && string->written[0] == '|')
		return at_in_block(string, offset);
	if (memchr(string->written, '\n', string->written_len) != NULL)
		return pos;
	quote = string->quoted;
	pos.column += (unsigned)quote + characters(string->u.string.text, offset);
	return pos;
}

/* What to write instead, where quotes would have made it a string. */
static void want_string(const struct ab_conf *node, const char *what, struct ab_diags *diags)
{
	char is[80], line[3 * LINE_MAX_SHOWN] = "";

	ab_conf_describe(node, is, sizeof(is));
	if (node->type == AB_CONF_NULL || node->secret || node->quoted)
		ab_diag(diags, node->pos, "%s is %s; expected a string%s", what, is,
		        node->secret ? "; put ${...} in quotes to make it one" : "");
	else if (ab_conf_quote_line(node, line, sizeof(line))[0] != '\0' &&
	         (node->type < AB_CONF_LIST || node->written[0] == '{' || node->written[0] == '['))
		ab_diag(diags, node->pos, "%s is %s; expected a string; with quotes: %s", what, is, line);
	else
		ab_diag(diags, node->pos, "%s is %s; expected a string", what, is);
}

bool ab_conf_want(
        const struct ab_conf *node, enum ab_conf_type type, const char *what, struct ab_diags *diags)
{
	char is[80];

	if (node->type == type || (type == AB_CONF_REAL && node->type == AB_CONF_INT))
		return !node->refused;
	if (node->refused)
		return false;
	if (type == AB_CONF_STRING)
		want_string(node, what, diags);
	else
		ab_diag(diags, node->pos, "%s is %s; expected %s", what,
		        ab_conf_describe(node, is, sizeof(is)), expected_type(type));
	return false;
}

const char *ab_conf_string(const struct ab_conf *node, const char *what, struct ab_diags *diags)
{
	return ab_conf_want(node, AB_CONF_STRING, what, diags) ? node->u.string.text : NULL;
}

bool ab_conf_bool(const struct ab_conf *node, const char *what, bool *ret, struct ab_diags *diags)
{
	if (!ab_conf_want(node, AB_CONF_BOOL, what, diags))
		return false;
	*ret = node->u.boolean;
	return true;
}

bool ab_conf_int(const struct ab_conf *node, const char *what, int64_t min, int64_t max, int64_t *ret,
        struct ab_diags *diags)
{
	char is[80];

	if (!ab_conf_want(node, AB_CONF_INT, what, diags))
		return false;
	if (node->u.integer < min || node->u.integer > max) {
		ab_diag(diags, node->pos, "%s is %s; expected %" PRId64 " to %" PRId64, what,
		        ab_conf_describe(node, is, sizeof(is)), min, max);
		return false;
	}
	*ret = node->u.integer;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
	const char *meant; /* the unit this is a misspelling of; NULL: it is one */
};

static const struct unit durations[] = {
        {"ms", 1, NULL},
        {"s", 1000, NULL},
        {"m", 60 * 1000, NULL},
        {"h", 60 * 60 * 1000, NULL},
        {"d", 24 * 60 * 60 * 1000, NULL},
        {"msec", 0, "ms"},
        {"sec", 0, "s"},
        {"secs", 0, "s"},
        {"second", 0, "s"},
        {"seconds", 0, "s"},
        {"min", 0, "m"},
        {"mins", 0, "m"},
        {"minute", 0, "m"},
        {"minutes", 0, "m"},
        {"hour", 0, "h"},
        {"hours", 0, "h"},
        {"day", 0, "d"},
        {"days", 0, "d"},
        {NULL, 0, NULL},
};

static const struct unit sizes[] = {
        {"B", 1, NULL},
        {"KiB", 1024, NULL},
        {"MiB", 1024 * 1024, NULL},
        {"GiB", 1024 * 1024 * 1024, NULL},
        {"K", 0, "KiB"},
        {"KB", 0, "KiB"},
        {"M", 0, "MiB"},
        {"MB", 0, "MiB"},
        {"G", 0, "GiB"},
        {"GB", 0, "GiB"},
        {NULL, 0, NULL},
};

struct measure {
	const struct unit *units;
	const char *expected, *small, *large; /* small, large: what a bare number may have meant */
	uint64_t min, max;
	const char *range;
};

static const struct measure duration_measure = {durations, "a whole number with its unit: ms, s, m, h or d",
        "ms", "s", 1, 366ULL * 24 * 60 * 60 * 1000, "1ms to 366d"};
static const struct measure size_measure = {sizes, "a whole number with its unit: B, KiB, MiB or GiB", "B",
        "KiB", 0, 1ULL << 40, "0B to 1024GiB"};

static bool measure_fail(const struct ab_conf *node, const char *what, const char *expected,
        const char *meant, struct ab_diags *diags)
{
	char is[80];

	ab_diag(diags, node->pos, "%s is %s; expected %s%s%s%s", what, ab_conf_describe(node, is, sizeof(is)),
	        expected, meant[0] != '\0' && !node->secret ? "; did you mean " : "",
	        node->secret ? "" : meant, meant[0] != '\0' && !node->secret ? "?" : "");
	return false;
}

static bool measure(const struct ab_conf *node, const char *what, const struct measure *m, uint64_t *ret,
        struct ab_diags *diags)
{
	char meant[80] = "";
	char *end;
	uint64_t n;

	if (node->refused)
		return false;
	if (node->type == AB_CONF_INT && node->u.integer > 0)
		snprintf(meant, sizeof(meant), "%" PRId64 "%s or %" PRId64 "%s", node->u.integer, m->small,
		        node->u.integer, m->large);
	if (node->type != AB_CONF_STRING || node->u.string.text[0] < '0' || node->u.string.text[0] > '9')
		return measure_fail(node, what, m->expected, meant, diags);
	errno = 0;
	n = strtoull(node->u.string.text, &end, 10);
	for (const struct unit *unit = m->units; unit->name != NULL && unit->meant == NULL; unit++) {
		if (strcmp(end, unit->name) != 0)
			continue;
		if (errno != 0 || n > m->max / unit->factor || n * unit->factor < m->min)
			return measure_fail(node, what, m->range, "", diags);
		*ret = n * unit->factor;
		return true;
	}
	while (*end == ' ')
		end++;
	for (const struct unit *unit = m->units; unit->name != NULL && errno == 0; unit++) {
		if (strcasecmp(end, unit->name) == 0) {
			snprintf(meant, sizeof(meant), "%" PRIu64 "%s", n,
			        unit->meant != NULL ? unit->meant : unit->name);
			break;
		}
	}
	return measure_fail(node, what, m->expected, meant, diags);
}

bool ab_conf_duration(const struct ab_conf *node, const char *what, uint64_t *ret_ms, struct ab_diags *diags)
{
	return measure(node, what, &duration_measure, ret_ms, diags);
}

bool ab_conf_size(const struct ab_conf *node, const char *what, uint64_t *ret_bytes, struct ab_diags *diags)
{
	return measure(node, what, &size_measure, ret_bytes, diags);
}

/* Depth is that of the tree, which its reader bounds. */
static json_t *json_of_list(const struct ab_conf *node)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < node->u.list.count; i++) {
		if (json_array_append_new(list, ab_conf_json(node->u.list.items[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *json_of_map(const struct ab_conf *node)
{
	json_t *map = json_object();

	for (size_t i = 0; map != NULL && i < node->u.map.count; i++) {
		const struct ab_conf_pair *pair = &node->u.map.pairs[i];

		if (json_object_set_new(map, pair->key, ab_conf_json(pair->value)) != 0) {
			json_decref(map);
			return NULL;
		}
	}
	return map;
}

json_t *ab_conf_json(const struct ab_conf *node)
{
	switch (node->type) {
	case AB_CONF_NULL:
		return json_null();
	case AB_CONF_BOOL:
		return json_boolean(node->u.boolean);
	case AB_CONF_INT:
		return json_integer(node->u.integer);
	case AB_CONF_REAL:
		return json_real(node->u.real);
	case AB_CONF_STRING:
		return json_stringn(node->u.string.text, node->u.string.len);
	case AB_CONF_LIST:
		return json_of_list(node);
	case AB_CONF_MAP:
		return json_of_map(node);
	}
	return NULL;
}
