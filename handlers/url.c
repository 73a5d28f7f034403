/* handlers/url.c: the kind `url`: a link for templates, expanded as RFC 6570 says. */
#include "carry.h"
#include "kinds.h"
#include "uri_template.h"

#include <string.h>

enum { URL_MAX = 64 * 1024 };

struct url_config {
	struct ab_uri_template *uri;
	const char *text; /* of the app file; NULL when a part of it is secret */
	bool local;       /* begins with one '/', and must after expansion */
};

static void url_fail(struct ab_call *call)
{
	struct ab_error err;

	ab_error_set(&err, AB_EINVALID, "url: a value would make it lead to another host");
	ab_call_fail(call, &err);
}

static void url_start(struct ab_call *call)
{
	const struct url_config *config = call->resource->config;
	struct ab_error err;
	struct ab_buf buf;

	ab_buf_init(&buf, URL_MAX);
	if (ab_uri_template_fill(config->uri, call, &buf, &err) != AB_OK)
		ab_call_fail(call, &err);
	else if (config->local && buf.len > 1 && (buf.data[1] == '/' || buf.data[1] == '\\'))
		url_fail(call);
	else
		ab_call_resolve_new(call, json_stringn_nocheck(buf.data != NULL ? buf.data : "", buf.len));
	ab_buf_fini(&buf);
}

static void url_free(void *arg)
{
	struct url_config *config = arg;

	ab_uri_template_destroy(config->uri);
	free(config);
}

static bool url_compile(struct ab_compile *compile)
{
	const struct ab_conf *conf = compile->value;
	struct url_config *config;

	if (ab_conf_string(conf, "url", compile->diags) == NULL)
		return false;
	if (strchr(conf->u.string.text, '{') != NULL && !ab_uri_origin_is_literal(conf->u.string.text)) {
		ab_diag(compile->diags, conf->pos,
		        "url: a value could make its origin; expected a URL that begins with exactly one '/', or with a "
		        "literal origin such as https://example.org/, or with a literal part of a path");
		return false;
	}
	config = calloc(1, sizeof(*config));
	if (config == NULL) {
		ab_diag(compile->diags, conf->pos, "out of memory");
		return false;
	}
	config->local = conf->u.string.text[0] == '/';
	config->text = conf->secret ? NULL : conf->u.string.text;
	config->uri = ab_uri_template_compile(
	        compile->scope, conf, conf->u.string.text, conf->u.string.len, compile->raw, 0);
	if (config->uri == NULL) {
		free(config);
		return false;
	}
	compile->resource->config = config;
	return true;
}

static void url_describe(const void *arg, char *buf, size_t size)
{
	const struct url_config *config = arg;

	snprintf(buf, size, "%s", config->text != NULL ? config->text : "with a part from ${...}");
}

static const struct ab_handler url_handler = {.kind = "url", .start = url_start, .free = url_free};
static const char *const url_keys[] = {NULL};

const struct ab_kind ab_kind_url = {
        .name = "url",
        .keys = url_keys,
        .handler = &url_handler,
        .compile = url_compile,
        .passes_text = ab_passes_always,
        .describe = url_describe,
};
