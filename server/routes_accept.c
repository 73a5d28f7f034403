/* server/routes_accept.c: `accept:` of a route, compiled. */
#include "accept.h"
#include "accept_value.h"
#include "pattern.h"
#include "routes_build.h"

#include <stdarg.h>

static const char *const accept_keys[] = {"type", "default", "min", "max", "min_length", "max_length",
        "max_items", "pattern", "one_of", "if", "in", "name", "message", NULL};

static const char *const type_names[] = {"string", "integer", "number", "boolean", "json"};
static const char *const in_names[] = {"path", "query", "body", "header", "cookie"};

/* One name being compiled. */
struct entry {
	struct ab_build *build;
	struct ab_accept *accept;
	const struct ab_conf_pair *pair;
	bool said_in;
};

static bool mistake(const struct entry *entry, struct ab_pos pos, const char *fmt, ...) AB_PRINTF(3, 4);
static bool mistake(const struct entry *entry, struct ab_pos pos, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ab_diag(entry->build->diags, pos, "accept '%s': %s", entry->accept->name, text);
	return false;
}

static int word(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	return -1;
}

static bool read_type(struct entry *entry, const struct ab_conf *conf)
{
	const char *nearest;
	int type;

	if (conf->type == AB_CONF_LIST && conf->u.list.count == 1) {
		entry->accept->repeats = true;
		conf = conf->u.list.items[0];
	}
	if (conf->type != AB_CONF_STRING)
		return mistake(entry, conf->pos,
		        "the type has the wrong form; expected string, integer, number, boolean or json, or "
		        "[type] for what may come more than once");
	type = word(conf->u.string.text, type_names, AB_COUNT(type_names));
	if (type >= 0) {
		entry->accept->type = (enum ab_type)type;
		return true;
	}
	nearest = ab_nearest(conf->u.string.text, type_names, AB_COUNT(type_names));
	return mistake(entry, conf->pos,
	        "no type '%s'; expected string, integer, number, boolean or json%s%s%s", conf->u.string.text,
	        nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
	        nearest != NULL ? "'?" : "");
}

static bool read_number(const struct entry *entry, const char *key, const struct ab_conf *conf, double *ret,
        int64_t *ret_integer)
{
	if (entry->accept->type == AB_TYPE_INTEGER)
		return ab_conf_int(conf, key, INT64_MIN, INT64_MAX, ret_integer, entry->build->diags);
	if (conf->type == AB_CONF_INT)
		*ret = (double)conf->u.integer;
	else if (conf->type == AB_CONF_REAL)
		*ret = conf->u.real;
	else
		return mistake(entry, conf->pos, "'%s' must be a number", key);
	return true;
}

static bool is_numeric(const struct ab_accept *accept)
{
	return accept->type == AB_TYPE_INTEGER || accept->type == AB_TYPE_NUMBER;
}

/* `key` makes sense only where `fits`. */
static const struct ab_conf *limit(
        const struct entry *entry, const char *key, bool fits, const char *only, bool *ok)
{
	const struct ab_conf *map = entry->pair->value;
	const struct ab_conf *conf = ab_conf_get(map, key);

	if (conf != NULL && !fits) {
		*ok = mistake(entry, conf->pos, "'%s' is for %s only%s", key, only,
		        key[0] == 'm' && key[3] == '\0' && entry->accept->type == AB_TYPE_STRING
		                ? "; for the length of a string there are min_length and max_length"
		                : "");
		return NULL;
	}
	return conf;
}

static bool read_range(struct entry *entry)
{
	struct ab_accept *accept = entry->accept;
	const char *only = "integer and number";
	bool ok = true;
	const struct ab_conf *min = limit(entry, "min", is_numeric(accept), only, &ok);
	const struct ab_conf *max = limit(entry, "max", is_numeric(accept), only, &ok);

	accept->has_min = min != NULL;
	accept->has_max = max != NULL;
	if (min != NULL)
		ok = read_number(entry, "min", min, &accept->min, &accept->imin) && ok;
	if (max != NULL)
		ok = read_number(entry, "max", max, &accept->max, &accept->imax) && ok;
	if (ok && min != NULL && max != NULL &&
	        (accept->type == AB_TYPE_INTEGER ? accept->imin > accept->imax : accept->min > accept->max))
		ok = mistake(entry, min->pos, "'min' is above 'max', so nothing would be accepted");
	return ok;
}

static bool read_size(const struct entry *entry, const char *key, bool fits, const char *only, size_t *ret)
{
	bool ok = true;
	const struct ab_conf *conf = limit(entry, key, fits, only, &ok);
	int64_t value;

	if (conf == NULL)
		return ok;
	if (!ab_conf_int(conf, key, 0, INT32_MAX, &value, entry->build->diags))
		return false;
	*ret = (size_t)value;
	return true;
}

static bool read_sizes(struct entry *entry)
{
	struct ab_accept *accept = entry->accept;
	bool string = accept->type == AB_TYPE_STRING;
	bool ok = read_size(entry, "min_length", string, "string", &accept->min_length);

	ok = read_size(entry, "max_length", string, "string", &accept->max_length) && ok;
	ok = read_size(entry, "max_items", accept->repeats, "[type]", &accept->max_items) && ok;
	if (ok && accept->min_length > accept->max_length)
		ok = mistake(entry, entry->pair->pos,
		        "'min_length' is above 'max_length', so nothing would be accepted");
	return ok;
}

static void free_pattern(void *pattern)
{
	regfree(pattern);
}

static bool read_pattern(struct entry *entry)
{
	struct ab_accept *accept = entry->accept;
	bool ok = true;
	const struct ab_conf *conf = limit(entry, "pattern", accept->type == AB_TYPE_STRING, "string", &ok);
	struct ab_error err;
	regex_t *pattern;
	const char *text;

	if (conf == NULL)
		return ok;
	text = ab_conf_string(conf, "'pattern'", entry->build->diags);
	pattern = text != NULL ? ab_build_alloc(entry->build, 1, sizeof(*pattern)) : NULL;
	if (pattern == NULL)
		return false;
	if (ab_pattern_compile(text, pattern, &err) != AB_OK)
		return mistake(
		        entry, conf->pos, "the pattern is not a POSIX extended expression: %s", err.text);
	accept->pattern = pattern;
	if (accept->max_length > AB_PATTERN_LENGTH)
		accept->max_length = AB_PATTERN_LENGTH;
	return ab_build_defer(entry->build, free_pattern, pattern);
}

/* A value the file itself names must be one that would be accepted. */
static bool judge(const struct entry *entry, const struct ab_conf *conf, const char *key, const json_t *value)
{
	const char *message = ab_accept_judge(entry->accept, value, entry->build->router->arena);

	if (message == NULL)
		return true;
	return mistake(entry, conf->pos, "a value of '%s' %s%s", key, message,
	        entry->accept->type == AB_TYPE_STRING && !json_is_string(value) ? "; put it in quotes" : "");
}

static json_t *owned_json(const struct entry *entry, const struct ab_conf *conf)
{
	json_t *value = ab_conf_json(conf);

	if (value == NULL || !ab_build_defer(entry->build, ab_build_free_json, value)) {
		entry->build->no_memory = true;
		return NULL;
	}
	return value;
}

static bool read_one_of(struct entry *entry)
{
	const struct ab_conf *conf = ab_conf_get(entry->pair->value, "one_of");
	json_t *list;
	bool ok = true;

	if (conf == NULL)
		return true;
	if (!ab_conf_want(conf, AB_CONF_LIST, "'one_of'", entry->build->diags))
		return false;
	if (conf->u.list.count == 0)
		return mistake(entry, conf->pos, "'one_of' is empty, so nothing would be accepted");
	list = owned_json(entry, conf);
	if (list == NULL)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		ok = judge(entry, conf->u.list.items[i], "one_of", json_array_get(list, i)) && ok;
	entry->accept->one_of = list;
	return ok;
}

static bool read_default(struct entry *entry)
{
	const struct ab_conf *conf = ab_conf_get(entry->pair->value, "default");
	struct ab_accept *accept = entry->accept;
	json_t *value;
	bool ok = true;

	if (conf == NULL)
		return true;
	if (accept->in == AB_IN_PATH)
		return mistake(
		        entry, conf->pos, "a path variable is always there, so a default is never used");
	value = owned_json(entry, conf);
	if (value == NULL)
		return false;
	accept->fallback = value;
	if (json_is_null(value))
		return true;
	if (!accept->repeats)
		return judge(entry, conf, "default", value);
	if (!json_is_array(value))
		return mistake(entry, conf->pos, "the default of a [type] must be a list");
	for (size_t i = 0; i < json_array_size(value); i++)
		ok = judge(entry, conf, "default", json_array_get(value, i)) && ok;
	return ok;
}

static bool read_in(struct entry *entry)
{
	const struct ab_conf *conf = ab_conf_get(entry->pair->value, "in");
	struct ab_accept *accept = entry->accept;
	const char *text;
	int in;

	if (conf == NULL)
		return true;
	text = ab_conf_string(conf, "'in'", entry->build->diags);
	if (text == NULL)
		return false;
	in = word(text, in_names, AB_COUNT(in_names));
	if (in < 0)
		return mistake(
		        entry, conf->pos, "no place '%s'; expected query, body, header or cookie", text);
	if (accept->in == AB_IN_PATH && in != AB_IN_PATH)
		return mistake(
		        entry, conf->pos, "it is a variable of the path, so it can't come from the %s", text);
	if (accept->in != AB_IN_PATH && in == AB_IN_PATH)
		return mistake(entry, conf->pos, "the path has no variable {%s}", accept->name);
	if (in == AB_IN_BODY && strcmp(entry->build->route->method, "GET") == 0)
		return mistake(entry, conf->pos, "a GET request has no body");
	accept->in = (enum ab_in)in;
	entry->said_in = true;
	return true;
}

static bool read_outside(struct entry *entry)
{
	const struct ab_conf *conf = ab_conf_get(entry->pair->value, "name");
	struct ab_accept *accept = entry->accept;
	const char *text;

	if (conf == NULL)
		return true;
	if (accept->in == AB_IN_PATH)
		return mistake(entry, conf->pos, "a path variable has no other name outside");
	text = ab_conf_string(conf, "'name'", entry->build->diags);
	if (text == NULL)
		return false;
	if (text[0] == '\0')
		return mistake(entry, conf->pos, "'name' is empty");
	if ((accept->in == AB_IN_HEADER || accept->in == AB_IN_COOKIE) && !ab_parts_is_token(text))
		return mistake(entry, conf->pos,
		        "'%s' can't be the name of a %s; expected letters, digits and - or _, as in %s", text,
		        in_names[accept->in], accept->in == AB_IN_HEADER ? "X-Token" : "session_id");
	accept->outside = text;
	accept->outside_len = strlen(text);
	return true;
}

static bool read_message(struct entry *entry)
{
	const struct ab_conf *conf = ab_conf_get(entry->pair->value, "message");

	if (conf == NULL)
		return true;
	entry->accept->message = ab_conf_string(conf, "'message'", entry->build->diags);
	return entry->accept->message != NULL;
}

/* How a header is spelt, when the file does not say: X_Token is X-Token. */
static bool header_name(struct entry *entry)
{
	struct ab_accept *accept = entry->accept;
	char *text;

	if (accept->in != AB_IN_HEADER || accept->outside != accept->name)
		return true;
	text = ab_build_alloc(entry->build, 1, strlen(accept->name) + 1);
	if (text == NULL)
		return false;
	for (size_t i = 0; accept->name[i] != '\0'; i++)
		text[i] = accept->name[i] == '_' ? '-' : accept->name[i];
	accept->outside = text;
	return true;
}

static bool read_mapping(struct entry *entry)
{
	const struct ab_conf *map = entry->pair->value;
	const struct ab_conf *type = ab_conf_get(map, "type");
	struct ab_accept *accept = entry->accept;
	char what[160];
	bool ok;

	snprintf(what, sizeof(what), "accept '%s'", accept->name);
	ok = ab_conf_only(map, what, accept_keys, entry->build->diags);
	if (type != NULL && !read_type(entry, type))
		return false;
	ok = read_in(entry) && ok;
	ok = read_outside(entry) && header_name(entry) && ok;
	ok = read_range(entry) && ok;
	ok = read_sizes(entry) && ok;
	ok = read_pattern(entry) && ok;
	ok = read_message(entry) && ok;
	if (!ok)
		return false;
	accept->whole_body = entry->said_in && accept->in == AB_IN_BODY && accept->type == AB_TYPE_JSON &&
	                     !accept->repeats;
	return read_one_of(entry) && read_default(entry);
}

static bool compile_one(struct ab_build *build, struct ab_accept *accept, const struct ab_conf_pair *pair)
{
	struct entry entry = {.build = build, .accept = accept, .pair = pair};
	const char *method = build->route->method;
	bool ok = true;

	accept->outside = accept->name;
	accept->outside_len = strlen(accept->name);
	accept->max_length = SIZE_MAX;
	accept->max_items = SIZE_MAX;
	if (accept->in != AB_IN_PATH)
		accept->in = strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0 ? AB_IN_QUERY
		                                                                         : AB_IN_BODY;
	if (pair != NULL)
		ok = pair->value->type == AB_CONF_MAP ? read_mapping(&entry) : read_type(&entry, pair->value);
	if (pair != NULL && ok && accept->in == AB_IN_PATH && accept->repeats)
		ok = mistake(&entry, pair->value->pos, "a path variable comes once");
	accept->required = accept->fallback == NULL && accept->in != AB_IN_PATH &&
	                   ab_dispatcher_find(build->app->dispatcher, accept->name) == NULL;
	return ok;
}

/* ---- the whole ---- */

static bool check_name(struct ab_build *build, const struct ab_conf_pair *pair)
{
	if (!ab_is_name(pair->key, strlen(pair->key))) {
		ab_diag(build->diags, pair->pos,
		        "accept '%s': not a name; expected letters, digits and _, and `name: \"%s\"` for how the "
		        "request spells it",
		        pair->key, pair->key);
		return false;
	}
	if (ab_is_reserved(pair->key)) {
		ab_diag(build->diags, pair->pos, "accept '%s': reserved, so a request can't give it",
		        pair->key);
		return false;
	}
	return true;
}

static bool is_variable(const struct ab_route *route, const char *name)
{
	for (size_t i = 0; i < route->n_variables; i++)
		if (strcmp(route->accepts[i].name, name) == 0)
			return true;
	return false;
}

static bool check_pairs(struct ab_build *build)
{
	const struct ab_route *route = build->route;
	bool ok = true;

	for (size_t i = 0; i < route->n_accepts; i++) {
		const struct ab_accept *a = &route->accepts[i];

		for (size_t j = 0; j < i; j++) {
			const struct ab_accept *b = &route->accepts[j];

			if (a->in != b->in || (a->in != AB_IN_BODY && strcmp(a->outside, b->outside) != 0))
				continue;
			if (a->in == AB_IN_BODY && !a->whole_body && !b->whole_body &&
			        strcmp(a->outside, b->outside) != 0)
				continue;
			ab_diag(build->diags, route->pos,
			        a->in == AB_IN_BODY && (a->whole_body || b->whole_body)
			                ? "accept: '%s' and '%s' both come from the body, but one takes the whole of it"
			                : "accept: '%s' and '%s' are the same to the request",
			        b->name, a->name);
			ok = false;
		}
	}
	return ok;
}

bool ab_build_accepts(struct ab_build *build, const struct ab_segment *segments, size_t count)
{
	struct ab_route *route = build->route;
	const struct ab_conf *map = build->accept;
	size_t listed = map != NULL ? map->u.map.count : 0;
	bool ok = true;

	route->accepts = ab_build_alloc(build, route->n_variables + listed + 1, sizeof(*route->accepts));
	if (route->accepts == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct ab_accept *accept = &route->accepts[route->n_accepts];

		if (!segments[i].variable)
			continue;
		accept->name = segments[i].text.text;
		accept->in = AB_IN_PATH;
		ok = compile_one(build, accept, map != NULL ? ab_conf_pair(map, accept->name) : NULL) && ok;
		route->n_accepts++;
	}
	for (size_t i = 0; i < listed; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];
		struct ab_accept *accept = &route->accepts[route->n_accepts];

		if (is_variable(route, pair->key))
			continue;
		accept->name = pair->key;
		accept->in = AB_IN_QUERY;
		ok = check_name(build, pair) && compile_one(build, accept, pair) && ok;
		route->n_accepts++;
	}
	return ok && check_pairs(build) && ab_build_checks(build);
}
