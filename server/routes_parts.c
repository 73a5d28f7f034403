/* server/routes_parts.c: `headers`, `cookies` and `redirect` of a reply, as small resources of the route's
 * own.
 *
 * Their placeholders are needs like any other, so the engine resolves them with the answer. They live in a
 * dispatcher that includes the app's; their names have blanks, which those of resources can't.
 * Headers without a placeholder are no resource: they are written down once, at load. */
#include "../handlers/placeholder.h"
#include "../handlers/uri_template.h"
#include "routes_build.h"

#include <strings.h>

/* With the cookies and the server's own, at most AB_REPLY_HEADERS. */
enum { MAX_OWN_HEADERS = 14, MAX_HEADER = 8192 };

const char *const ab_part_keys[AB_PARTS] = {"headers", "cookies", "redirect"};

/* ---- headers ---- */

struct headers {
	size_t count;
	struct {
		const char *name;
		struct ab_pieces *value;
	} list[MAX_OWN_HEADERS];
};

static void headers_start(struct ab_call *call)
{
	const struct headers *headers = call->resource->config;
	json_t *object = json_object();
	struct ab_error err;
	enum ab_code code =
	        object != NULL ? AB_OK : ab_error_set(&err, AB_ENOMEM, "no memory for the headers");

	for (size_t i = 0; code == AB_OK && i < headers->count; i++) {
		struct ab_buf buf;

		ab_buf_init(&buf, MAX_HEADER);
		code = ab_pieces_fill(headers->list[i].value, call, AB_PIECES_HEADER, &buf, &err);
		if (code == AB_EMISSING)
			code = AB_OK;
		else if (code == AB_OK && buf.failed)
			code = ab_error_set(
			        &err, AB_EINTERNAL, "header %s is too long", headers->list[i].name);
		else if (code == AB_OK &&
		         json_object_set_new(object, headers->list[i].name,
		                 json_stringn(buf.data != NULL ? buf.data : "", buf.len)) != 0)
			code = ab_error_set(
			        &err, AB_ENOMEM, "no memory for header %s", headers->list[i].name);
		else if (code != AB_OK)
			ab_error_prefix(&err, "header %s", headers->list[i].name);
		ab_buf_fini(&buf);
	}
	if (code == AB_OK) {
		ab_call_resolve_new(call, object);
	} else {
		json_decref(object);
		ab_call_fail(call, &err);
	}
}

static void headers_free(void *config)
{
	struct headers *headers = config;

	for (size_t i = 0; i < headers->count; i++)
		ab_pieces_destroy(headers->list[i].value);
	free(headers);
}

static const struct ab_handler headers_handler = {
        .kind = "headers", .start = headers_start, .free = headers_free};

/* ---- redirect ---- */

struct redirect {
	struct ab_uri_template *url;
	bool local; /* begins with '/': stays on this origin */
};

static void redirect_start(struct ab_call *call)
{
	const struct redirect *redirect = call->resource->config;
	struct ab_error err;
	struct ab_buf buf;
	enum ab_code code;

	ab_buf_init(&buf, MAX_HEADER);
	code = ab_uri_template_fill(redirect->url, call, &buf, &err);
	if (code == AB_OK && buf.failed)
		code = ab_error_set(&err, AB_EINTERNAL, "longer than %d bytes", MAX_HEADER);
	/* A browser reads "//host" and "/\host" as another origin. */
	if (code == AB_OK && redirect->local && buf.len > 1 && (buf.data[1] == '/' || buf.data[1] == '\\'))
		code = ab_error_set(&err, AB_EINTERNAL, "would leave this origin");
	if (code == AB_OK) {
		ab_call_resolve_new(call, json_stringn(buf.data, buf.len));
	} else {
		ab_error_prefix(&err, "redirect");
		ab_call_fail(call, &err);
	}
	ab_buf_fini(&buf);
}

static void redirect_free(void *config)
{
	struct redirect *redirect = config;

	ab_uri_template_destroy(redirect->url);
	free(redirect);
}

static const struct ab_handler redirect_handler = {
        .kind = "redirect", .start = redirect_start, .free = redirect_free};

/* ---- compiling ---- */

bool ab_parts_is_token(const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		char c = text[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!alnum && strchr("!#$%&'*+-.^_`|~", c) == NULL)
			return false;
	}
	return text[0] != '\0';
}

/* Why a route can't set this header, or NULL. */
static const char *refused_header(const char *name)
{
	static const struct {
		const char *name, *why;
	} refused[] = {
	        {"Connection", "it is about the connection, which is the server's"},
	        {"Keep-Alive", "it is about the connection, which is the server's"},
	        {"Proxy-Authenticate", "it is about the connection, which is the server's"},
	        {"Proxy-Connection", "it is about the connection, which is the server's"},
	        {"TE", "it is about the connection, which is the server's"},
	        {"Trailer", "it is about the connection, which is the server's"},
	        {"Transfer-Encoding", "it is about the connection, which is the server's"},
	        {"Upgrade", "it is about the connection, which is the server's"},
	        {"Content-Length", "the server counts the body itself"},
	        {"Content-Encoding", "the body is sent as it is"},
	        {"Content-Type", "an answer has the media type of what it is"},
	        {"Date", "the server sets it"},
	        {"Set-Cookie", "use `cookies:`"},
	        {"X-Request-Id", "the server sets it"},
	        {"Anabranch-Degraded", "the server sets it"},
	        {"Server-Timing", "the server sets it, when `server_timing` is on"},
	};

	for (size_t i = 0; i < AB_COUNT(refused); i++)
		if (strcasecmp(refused[i].name, name) == 0)
			return refused[i].why;
	return NULL;
}

bool ab_parts_control_free(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return *text == '\t' && ab_parts_control_free(text + 1);
	return true;
}

static void note_own(struct ab_fixed *fixed, const char *name)
{
	fixed->has_csp |= strcasecmp(name, "Content-Security-Policy") == 0;
	fixed->has_referrer |= strcasecmp(name, "Referrer-Policy") == 0;
	fixed->has_nosniff |= strcasecmp(name, "X-Content-Type-Options") == 0;
	fixed->has_cache_control |= strcasecmp(name, "Cache-Control") == 0;
}

static bool add_fixed(struct ab_build *build, struct ab_fixed *fixed, struct ab_header *list,
        const struct ab_conf_pair *pair, const char *text)
{
	char *copy;

	if (!ab_parts_control_free(text)) {
		ab_diag(build->diags, pair->value->pos, "header '%s': has a control character", pair->key);
		return false;
	}
	copy = ab_arena_strndup(build->router->arena, text, strlen(text));
	if (copy == NULL) {
		build->no_memory = true;
		return false;
	}
	list[fixed->count++] = (struct ab_header){pair->key, copy, strlen(pair->key), strlen(text)};
	return true;
}

/* One header: written down when it is literal, else a piece of the resource. */
static bool compile_header(struct ab_build *build, struct ab_parts *parts, struct headers *headers,
        struct ab_header *list, const struct ab_conf_pair *pair)
{
	const char *why = refused_header(pair->key), *text;
	struct ab_pieces *pieces;
	bool ok = true;

	if (!ab_parts_is_token(pair->key) || why != NULL) {
		ab_diag(build->diags, pair->pos, "header '%s': can't be set here: %s", pair->key,
		        why != NULL ? why : "it is not a header's name");
		return false;
	}
	note_own(&parts->fixed, pair->key);
	if (pair->value->type == AB_CONF_INT) {
		char number[32];

		snprintf(number, sizeof(number), "%lld", (long long)pair->value->u.integer);
		return add_fixed(build, &parts->fixed, list, pair, number);
	}
	if (ab_conf_string(pair->value, "a header's value", build->diags) == NULL)
		return false;
	pieces = ab_pieces_compile(&parts->scopes[AB_PART_HEADERS], pair->value);
	if (pieces == NULL)
		return false;
	if (!ab_pieces_literal(pieces, &text)) {
		headers->list[headers->count].name = pair->key;
		headers->list[headers->count++].value = pieces;
		return true;
	}
	ok = add_fixed(build, &parts->fixed, list, pair, text);
	ab_pieces_destroy(pieces);
	return ok;
}

bool ab_parts_add(struct ab_build *build, struct ab_parts *parts, int part, const struct ab_handler *handler,
        void *config)
{
	struct ab_scope *scope = &parts->scopes[part];
	struct ab_resource spec = {
	        .name = parts->names[part],
	        .handler = handler,
	        .config = config,
	        .needs = scope->needs,
	        .n_needs = scope->n_needs,
	};
	struct ab_error err;

	parts->has[part] = ab_dispatcher_add(parts->dispatcher, &spec, &err) == AB_OK;
	if (!parts->has[part])
		build->no_memory = true;
	return parts->has[part];
}

bool ab_parts_want_map(struct ab_build *build, const struct ab_conf *conf, const char *what, size_t max)
{
	if (!ab_conf_want(conf, AB_CONF_MAP, what, build->diags))
		return false;
	if (conf->u.map.count <= max)
		return true;
	ab_diag(build->diags, conf->pos, "%s: %zu of them; expected at most %zu", what, conf->u.map.count,
	        max);
	return false;
}

static bool compile_headers(struct ab_build *build, struct ab_parts *parts, const struct ab_conf *conf)
{
	struct headers *headers;
	struct ab_header *list;
	bool ok = true;

	if (!ab_parts_want_map(build, conf, "`headers`", MAX_OWN_HEADERS))
		return false;
	headers = calloc(1, sizeof(*headers));
	list = ab_build_alloc(build, conf->u.map.count + 1, sizeof(*list));
	if (headers == NULL || list == NULL) {
		build->no_memory = true;
		free(headers);
		return false;
	}
	parts->fixed.headers = list;
	for (size_t i = 0; i < conf->u.map.count; i++)
		ok = compile_header(build, parts, headers, list, &conf->u.map.pairs[i]) && ok;
	if (ok && headers->count > 0)
		return ab_parts_add(build, parts, AB_PART_HEADERS, &headers_handler, headers);
	headers_free(headers);
	return ok;
}

static bool compile_redirect(struct ab_build *build, struct ab_parts *parts, const struct ab_conf *conf)
{
	const char *text = ab_conf_string(conf, "`redirect`", build->diags);
	struct redirect *redirect;

	if (text == NULL)
		return false;
	if (!ab_uri_origin_is_literal(text) ||
	        (text[0] != '/' && strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)) {
		ab_diag(build->diags, conf->pos,
		        "redirect: may lead anywhere; expected a URL that begins with exactly one '/', or with a literal "
		        "origin such as https://example.org/");
		return false;
	}
	redirect = calloc(1, sizeof(*redirect));
	if (redirect == NULL) {
		build->no_memory = true;
		return false;
	}
	redirect->local = text[0] == '/';
	redirect->url = ab_uri_template_compile(
	        &parts->scopes[AB_PART_REDIRECT], conf, text, strlen(text), NULL, AB_URI_STRICT);
	if (redirect->url == NULL) {
		free(redirect);
		return false;
	}
	return ab_parts_add(build, parts, AB_PART_REDIRECT, &redirect_handler, redirect);
}

static void destroy_dispatcher(void *dispatcher)
{
	ab_dispatcher_destroy(dispatcher);
}

static bool own_dispatcher(struct ab_build *build, struct ab_parts *parts)
{
	struct ab_error err;

	parts->dispatcher = ab_dispatcher_create();
	if (parts->dispatcher == NULL || !ab_build_defer(build, destroy_dispatcher, parts->dispatcher) ||
	        ab_dispatcher_include(parts->dispatcher, build->app->dispatcher, &err) != AB_OK) {
		build->no_memory = true;
		return false;
	}
	return true;
}

static bool name_parts(struct ab_build *build, struct ab_parts *parts, const struct ab_reply_spec *spec)
{
	const char *of = build->route != NULL && !spec->error ? build->route->name : spec->what;

	for (int i = 0; i < AB_PARTS; i++) {
		parts->names[i] = ab_arena_printf(build->router->arena, "%s of %.150s", ab_part_keys[i], of);
		build->no_memory |= parts->names[i] == NULL;
	}
	return !build->no_memory;
}

bool ab_parts_compile(struct ab_parts *parts, struct ab_build *build, const struct ab_reply_spec *spec)
{
	bool ok = true;

	*parts = (struct ab_parts){.dispatcher = build->app->dispatcher};
	for (int i = 0; i < AB_PARTS; i++)
		ab_scope_init(&parts->scopes[i], ab_part_keys[i], build->diags);
	if (spec->headers == NULL && spec->cookies == NULL && spec->redirect == NULL)
		return true;
	if (!own_dispatcher(build, parts) || !name_parts(build, parts, spec))
		return false;
	if (spec->headers != NULL)
		ok = compile_headers(build, parts, spec->headers) && ok;
	if (spec->cookies != NULL)
		ok = ab_parts_cookies(build, parts, spec->cookies) && ok;
	if (spec->redirect != NULL)
		ok = compile_redirect(build, parts, spec->redirect) && ok;
	return ok;
}

void ab_parts_fini(struct ab_parts *parts)
{
	for (int i = 0; i < AB_PARTS; i++)
		ab_scope_fini(&parts->scopes[i]);
}
