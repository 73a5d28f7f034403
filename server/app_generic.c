/* server/app_generic.c: the keys that any resource may have, and that `defaults` sets for a file. */
#include "app_parts.h"

#include <string.h>

const char *const ab_generic_keys[] = {
        "timeout", "missing", "pass", "fallback", "optional", "writes", "if", "needs", "infer", "raw", NULL};
const size_t ab_generic_defaults = 6;

static bool is_in(const char *key, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(key, list[i]) == 0)
			return true;
	return false;
}

bool ab_is_later_key(const char *key)
{
	static const char *const later[] = {"retry", "hedge", "cache"};

	return is_in(key, later, AB_COUNT(later));
}

/* ---- reading ---- */

static const char *of(char *buf, size_t size, const char *key, const char *what)
{
	snprintf(buf, size, "%s of %s", key, what);
	return buf;
}

static bool read_missing(
        struct ab_generic *generic, const struct ab_conf *conf, const char *what, struct ab_diags *diags)
{
	char is[80];

	if (conf->type == AB_CONF_NULL) {
		generic->missing = AB_GENERIC_NULL;
		return true;
	}
	if (conf->type == AB_CONF_INT &&
	        (conf->u.integer == 404 || conf->u.integer == 401 || conf->u.integer == 403)) {
		generic->missing = AB_GENERIC_STATUS;
		generic->missing_status = (int)conf->u.integer;
		return true;
	}
	if (!conf->refused)
		ab_diag(diags, conf->pos, "missing of %s is %s; expected 404, 401, 403 or null", what,
		        ab_conf_describe(conf, is, sizeof(is)));
	return false;
}

static bool read_pass(
        struct ab_generic *generic, const struct ab_conf *conf, const char *what, struct ab_diags *diags)
{
	char text[160];
	int64_t status;
	bool ok = true;

	if (conf->type == AB_CONF_INT) {
		ab_diag(diags, conf->pos, "pass of %s is a number; expected a list, as in [%d]", what,
		        (int)conf->u.integer);
		return false;
	}
	if (!ab_conf_want(conf, AB_CONF_LIST, of(text, sizeof(text), "pass", what), diags))
		return false;
	of(text, sizeof(text), "a status under pass", what);
	for (size_t i = 0; i < conf->u.list.count; i++)
		ok &= ab_conf_int(conf->u.list.items[i], text, 400, 599, &status, diags);
	generic->pass = conf;
	return ok;
}

static bool fallback_mapping(
        const struct ab_conf *conf, const char *key, const char *what, struct ab_diags *diags)
{
	static const char *const keys[] = {"value", "resource", NULL};
	const struct ab_conf *resource = ab_conf_get(conf, "resource");
	char text[160];
	const char *name;

	of(text, sizeof(text), key, what);
	if (!ab_conf_only(conf, text, keys, diags))
		return false;
	if (conf->u.map.count != 1) {
		ab_diag(diags, conf->pos, "%s is %s; expected {value: ...} or {resource: name}", text,
		        conf->u.map.count == 0 ? "empty" : "both a value and a resource");
		return false;
	}
	if (resource == NULL)
		return true;
	name = ab_conf_string(resource, "the resource to fall back to", diags);
	if (name == NULL)
		return false;
	if (ab_is_name(name, resource->u.string.len))
		return true;
	ab_diag(diags, resource->pos, "'%.60s' is no resource's name; expected letters, digits and _", name);
	return false;
}

bool ab_generic_read_fallback(
        const struct ab_conf *conf, const char *key, const char *what, struct ab_diags *diags)
{
	if (conf->refused)
		return false;
	if (conf->type == AB_CONF_MAP)
		return fallback_mapping(conf, key, what, diags);
	if (conf->type != AB_CONF_STRING)
		return true;
	if (conf->secret || conf->u.string.len > 40)
		ab_diag(diags, conf->pos,
		        "%s of %s is a string; expected {value: ...} for the text itself, or {resource: name}",
		        key, what);
	else
		ab_diag(diags, conf->pos,
		        "%s of %s could be a text or a resource; expected {value: \"%s\"} or {resource: %s}",
		        key, what, conf->u.string.text,
		        ab_is_name(conf->u.string.text, conf->u.string.len) ? conf->u.string.text : "name");
	return false;
}

static bool read_flag(const struct ab_conf *map, const char *key, const char *what, bool *ret_has, bool *ret,
        struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, key);
	char text[160];

	*ret_has = conf != NULL;
	return conf == NULL || ab_conf_bool(conf, of(text, sizeof(text), key, what), ret, diags);
}

bool ab_generic_read(
        struct ab_generic *generic, const struct ab_conf *map, const char *what, struct ab_diags *diags)
{
	const struct ab_conf *conf;
	char text[160];
	bool ok = true;

	*generic = (struct ab_generic){0};
	if ((conf = ab_conf_get(map, "timeout")) != NULL)
		ok &= ab_conf_duration(
		        conf, of(text, sizeof(text), "timeout", what), &generic->timeout_ms, diags);
	if ((conf = ab_conf_get(map, "missing")) != NULL)
		ok &= read_missing(generic, conf, what, diags);
	if ((conf = ab_conf_get(map, "pass")) != NULL)
		ok &= read_pass(generic, conf, what, diags);
	if ((conf = generic->fallback = ab_conf_get(map, "fallback")) != NULL)
		ok &= ab_generic_read_fallback(conf, "fallback", what, diags);
	ok &= read_flag(map, "optional", what, &generic->has_optional, &generic->optional, diags);
	ok &= read_flag(map, "writes", what, &generic->has_writes, &generic->writes, diags);
	return ok;
}

void ab_generic_inherit(struct ab_generic *own, const struct ab_generic *defaults)
{
	if (own->timeout_ms == 0)
		own->timeout_ms = defaults->timeout_ms;
	if (own->missing == AB_GENERIC_UNSET) {
		own->missing = defaults->missing;
		own->missing_status = defaults->missing_status;
	}
	if (own->pass == NULL)
		own->pass = defaults->pass;
	if (own->fallback == NULL)
		own->fallback = defaults->fallback;
	if (!own->has_optional)
		own->optional = defaults->optional;
	if (!own->has_writes)
		own->writes = defaults->writes;
}

bool ab_generic_fallback(const struct ab_conf *fallback, json_t **ret_value, const char **ret_resource)
{
	const struct ab_conf *resource = NULL;

	*ret_value = NULL;
	*ret_resource = NULL;
	if (fallback == NULL)
		return true;
	if (fallback->type == AB_CONF_MAP) {
		resource = ab_conf_get(fallback, "resource");
		fallback = resource != NULL ? resource : ab_conf_get(fallback, "value");
	}
	if (resource != NULL) {
		*ret_resource = resource->u.string.text;
		return true;
	}
	*ret_value = ab_conf_json(fallback);
	return *ret_value != NULL;
}

/* ---- where a key has a meaning ---- */

/* Handlers that can be cancelled are those that wait for something outside. */
static bool waits(const struct ab_kind *kind)
{
	return kind->handler->cancel != NULL;
}

static bool can_be_missing(const struct ab_kind *kind, const struct ab_conf *map)
{
	const struct ab_conf *returns = ab_conf_get(map, "returns");

	if (strcmp(kind->name, "sql") != 0 && strcmp(kind->name, "transaction") != 0)
		return waits(kind) && !kind->computes;
	return returns != NULL && returns->type == AB_CONF_STRING &&
	       (strcmp(returns->u.string.text, "row") == 0 || strcmp(returns->u.string.text, "value") == 0);
}

bool ab_generic_fits(const char *key, const struct ab_kind *kind, const struct ab_conf *map)
{
	bool http = strcmp(kind->name, "http") == 0;

	if (strcmp(key, "timeout") == 0)
		return waits(kind);
	if (strcmp(key, "writes") == 0)
		return waits(kind) && !kind->computes;
	if (strcmp(key, "missing") == 0)
		return can_be_missing(kind, map);
	if (strcmp(key, "pass") == 0)
		return http;
	return strcmp(key, "raw") != 0 || http || strcmp(kind->name, "url") == 0;
}

static bool meaningless(
        const struct ab_conf *map, const char *key, const char *what, const char *why, struct ab_diags *diags)
{
	const struct ab_conf_pair *pair = ab_conf_pair(map, key);

	if (pair == NULL || diags == NULL)
		return true;
	ab_diag(diags, pair->pos, "%s means nothing on %s: %s; expected it left out", key, what, why);
	return false;
}

bool ab_generic_check(struct ab_generic *own, const struct ab_kind *kind, const struct ab_conf *map,
        const char *what, struct ab_diags *diags)
{
	bool http = strcmp(kind->name, "http") == 0, ok = true;
	char why[120];

	if (!waits(kind)) {
		snprintf(why, sizeof(why), "a '%s' does not wait for anything", kind->name);
		ok &= meaningless(map, "timeout", what, why, diags);
		own->timeout_ms = 0;
	}
	if (!waits(kind) || kind->computes) {
		snprintf(why, sizeof(why), "a '%s' changes nothing outside", kind->name);
		ok &= meaningless(map, "writes", what, why, diags);
		own->writes = false;
	}
	if (!can_be_missing(kind, map)) {
		snprintf(why, sizeof(why),
		        waits(kind) && !kind->computes
		                ? "rows are never missing, only fewer (see returns: row)"
		                : "a '%s' is never missing",
		        kind->name);
		ok &= meaningless(map, "missing", what, why, diags);
		own->missing = AB_GENERIC_UNSET;
		own->missing_status = 0;
	}
	if (!http) {
		ok &= meaningless(map, "pass", what, "only an 'http' has an upstream's status", diags);
		own->pass = NULL;
	}
	if (!http && strcmp(kind->name, "url") != 0)
		ok &= meaningless(
		        map, "raw", what, "only in 'http' and 'url' are there {+x} and {#x}", diags);
	return ok;
}
