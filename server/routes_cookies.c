/* server/routes_cookies.c: `cookies` of a reply: a resource of the route's own whose value is a list of
 * Set-Cookie lines (RFC 6265, section 4.1). HttpOnly, Secure, SameSite=Lax and Path=/ unless the file says
 * otherwise. */
#include "../handlers/placeholder.h"
#include "routes_build.h"

#include <strings.h>

enum { MAX_COOKIES = 6, MAX_HEADER = 8192 };

/* ---- serving ---- */

struct cookie {
	const char *name;
	struct ab_structure *value; /* NULL: always deleted */
	long long max_age;          /* seconds; 0: until the browser closes */
	char *attributes;           /* "; Path=/; Secure..." */
};

struct cookies {
	size_t count;
	struct cookie list[MAX_COOKIES];
};

/* Percent-encode all but RFC 3986's unreserved characters, which are fine in a cookie (RFC 6265,
 * section 4.1.1). */
static void encode(struct ab_buf *buf, const char *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		        (c != '\0' && strchr("-._~", c) != NULL)) {
			ab_buf_addc(buf, (char)c);
		} else {
			ab_buf_addc(buf, '%');
			ab_buf_addc(buf, hex[c >> 4]);
			ab_buf_addc(buf, hex[c & 15]);
		}
	}
}

/* The Set-Cookie line for one cookie. */
static enum ab_code cookie_write(
        const struct cookie *cookie, const struct ab_call *call, struct ab_buf *line, struct ab_error *err)
{
	json_t *value = cookie->value != NULL ? ab_structure_fill(cookie->value, call, err) : json_null();
	struct ab_buf text;
	bool scalar;

	if (value == NULL)
		return err->code;
	ab_buf_init(&text, MAX_HEADER);
	ab_buf_printf(line, "%s=", cookie->name);
	scalar = json_is_null(value) || ab_scalar_write(&text, value);
	if (json_is_null(value)) {
		ab_buf_adds(line, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
	} else {
		encode(line, text.data != NULL ? text.data : "", text.len);
		if (cookie->max_age > 0)
			ab_buf_printf(line, "; Max-Age=%lld", cookie->max_age);
	}
	ab_buf_adds(line, cookie->attributes);
	json_decref(value);
	ab_buf_fini(&text);
	if (!scalar)
		return ab_error_set(err, AB_EINTERNAL, "a list or an object can't be a cookie's value");
	if (text.failed || line->failed)
		return ab_error_set(err, AB_EINTERNAL, "longer than %d bytes", MAX_HEADER);
	return AB_OK;
}

static void cookies_start(struct ab_call *call)
{
	const struct cookies *cookies = call->resource->config;
	json_t *list = json_array();
	struct ab_error err = {.code = AB_ENOMEM};
	enum ab_code code = list != NULL ? AB_OK : ab_error_set(&err, AB_ENOMEM, "no memory for the cookies");

	for (size_t i = 0; code == AB_OK && i < cookies->count; i++) {
		struct ab_buf line;

		ab_buf_init(&line, MAX_HEADER);
		code = cookie_write(&cookies->list[i], call, &line, &err);
		if (code != AB_OK)
			ab_error_prefix(&err, "cookie '%s'", cookies->list[i].name);
		else if (json_array_append_new(list, json_stringn(line.data, line.len)) != 0)
			code = ab_error_set(&err, AB_ENOMEM, "no memory for the cookies");
		ab_buf_fini(&line);
	}
	if (code == AB_OK) {
		ab_call_resolve_new(call, list);
	} else {
		json_decref(list);
		ab_call_fail(call, &err);
	}
}

static void cookies_free(void *config)
{
	struct cookies *cookies = config;

	for (size_t i = 0; i < cookies->count; i++) {
		ab_structure_destroy(cookies->list[i].value);
		free(cookies->list[i].attributes);
	}
	free(cookies);
}

static const struct ab_handler cookies_handler = {
        .kind = "cookies", .start = cookies_start, .free = cookies_free};

/* ---- compiling ---- */

static bool cookie_flag(struct ab_build *build, const struct ab_conf *map, const char *key, bool *ret)
{
	const struct ab_conf *conf = ab_conf_get(map, key);

	return conf == NULL || ab_conf_bool(conf, key, ret, build->diags);
}

/* A Path or Domain: no control character, no ';'. */
static bool cookie_text(struct ab_build *build, const struct ab_conf *map, const char *key, const char **ret)
{
	const struct ab_conf *conf = ab_conf_get(map, key);
	const char *text;

	if (conf == NULL)
		return true;
	text = ab_conf_string(conf, key, build->diags);
	if (text == NULL)
		return false;
	if (!ab_parts_control_free(text) || strpbrk(text, "; ,\t") != NULL ||
	        (key[0] == 'p' && text[0] != '/')) {
		ab_diag(build->diags, conf->pos, "cookie: '%s' is not a %s%s", text, key,
		        key[0] == 'p' ? "; expected one that begins with '/'" : "");
		return false;
	}
	*ret = text;
	return true;
}

static const char *same_site(struct ab_build *build, const struct ab_conf *map)
{
	static const char *const words[] = {"Lax", "Strict", "None"};
	const struct ab_conf *conf = ab_conf_get(map, "same_site");
	const char *text;

	if (conf == NULL)
		return words[0];
	text = ab_conf_string(conf, "same_site", build->diags);
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < AB_COUNT(words); i++)
		if (strcasecmp(words[i], text) == 0)
			return words[i];
	ab_diag(build->diags, conf->pos, "cookie: no same_site '%s'; expected Lax, Strict or None", text);
	return NULL;
}

static bool cookie_attributes(
        struct ab_build *build, struct cookie *cookie, const struct ab_conf *map, struct ab_pos pos)
{
	const char *path = "/", *domain = NULL, *site = map != NULL ? same_site(build, map) : "Lax";
	bool http_only = true, secure = true;

	if (site == NULL)
		return false;
	if (map != NULL &&
	        (!cookie_text(build, map, "path", &path) || !cookie_text(build, map, "domain", &domain) ||
	                !cookie_flag(build, map, "http_only", &http_only) ||
	                !cookie_flag(build, map, "secure", &secure)))
		return false;
	if (!secure && (site[0] == 'N' || strncmp(cookie->name, "__", 2) == 0)) {
		ab_diag(build->diags, pos, "cookie '%s': browsers refuse it without Secure", cookie->name);
		return false;
	}
	if (strncmp(cookie->name, "__Host-", 7) == 0 && (domain != NULL || strcmp(path, "/") != 0)) {
		ab_diag(build->diags, pos,
		        "cookie '%s': browsers refuse a __Host- cookie with a domain or another path",
		        cookie->name);
		return false;
	}
	if (asprintf(&cookie->attributes, "; Path=%s%s%s%s%s; SameSite=%s", path,
	            domain != NULL ? "; Domain=" : "", domain != NULL ? domain : "",
	            http_only ? "; HttpOnly" : "", secure ? "; Secure" : "", site) < 0) {
		cookie->attributes = NULL;
		build->no_memory = true;
		return false;
	}
	return true;
}

static bool cookie_age(struct ab_build *build, struct cookie *cookie, const struct ab_conf *map)
{
	const struct ab_conf *conf = ab_conf_get(map, "max_age");
	uint64_t ms;

	if (conf == NULL)
		return true;
	if (!ab_conf_duration(conf, "max_age", &ms, build->diags))
		return false;
	if (ms < 1000) {
		ab_diag(build->diags, conf->pos,
		        "cookie: 'max_age' is under a second; null as the value deletes a cookie");
		return false;
	}
	cookie->max_age = (long long)(ms / 1000);
	return true;
}

static bool compile_cookie(struct ab_build *build, struct ab_scope *scope, struct cookie *cookie,
        const struct ab_conf_pair *pair)
{
	static const char *const keys[] = {
	        "value", "max_age", "domain", "path", "http_only", "secure", "same_site", NULL};
	const struct ab_conf *map = pair->value->type == AB_CONF_MAP ? pair->value : NULL;
	const struct ab_conf *value = map != NULL ? ab_conf_get(map, "value") : pair->value;

	cookie->name = pair->key;
	if (!ab_parts_is_token(pair->key)) {
		ab_diag(build->diags, pair->pos, "cookie '%s': not a cookie's name", pair->key);
		return false;
	}
	if (map != NULL && !ab_conf_only(map, "a cookie", keys, build->diags))
		return false;
	if (value == NULL || value->type == AB_CONF_LIST || value->type == AB_CONF_MAP) {
		ab_diag(build->diags, pair->pos,
		        "cookie '%s': no value; expected `value: \"{name}\"`, or null to delete it",
		        pair->key);
		return false;
	}
	if (!cookie_attributes(build, cookie, map, pair->pos) ||
	        (map != NULL && !cookie_age(build, cookie, map)))
		return false;
	if (value->type == AB_CONF_NULL)
		return true;
	cookie->value = ab_structure_compile(scope, value);
	return cookie->value != NULL;
}

bool ab_parts_cookies(struct ab_build *build, struct ab_parts *parts, const struct ab_conf *conf)
{
	struct cookies *cookies;
	bool ok = true;

	if (!ab_parts_want_map(build, conf, "`cookies`", MAX_COOKIES))
		return false;
	cookies = calloc(1, sizeof(*cookies));
	if (cookies == NULL) {
		build->no_memory = true;
		return false;
	}
	for (size_t i = 0; i < conf->u.map.count; i++)
		ok = compile_cookie(build, &parts->scopes[AB_PART_COOKIES], &cookies->list[cookies->count++],
		             &conf->u.map.pairs[i]) &&
		     ok;
	if (ok)
		return ab_parts_add(build, parts, AB_PART_COOKIES, &cookies_handler, cookies);
	cookies_free(cookies);
	return false;
}
