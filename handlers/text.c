/* handlers/text.c: the kind `text`, a template written in the app file, and what it shares with `template`.
 */
#include "text.h"

#include "kinds.h"

enum { ROOTS_ON_STACK = 64 };

/* ---- needs ---- */

struct request_use {
	struct ab_compile *compile;
	struct ab_ref *ref;
	bool ok;
	enum ab_raw raw; /* when one use is raw, all count as raw */
};

/* `request` is built only as far as it is used, so each of its uses is told to the scope with its path. */
static void bind_request(void *arg, const char *text, size_t len, struct ab_pos pos)
{
	struct request_use *use = arg;

	ab_ref_fini(use->ref);
	*use->ref = (struct ab_ref){0};
	use->ok &= ab_scope_ref(use->compile->scope, text, len, use->raw, pos, use->ref);
}

static bool bind_name(struct ab_compile *compile, struct ab_text_config *config, size_t index, bool escapes)
{
	const struct ab_mustache_name *name = ab_mustache_name(config->template, index);
	struct ab_ref *ref = &config->refs[index], raw;
	bool declared = ab_scope_declared(compile->scope, name->text, name->len);

	if (!name->needed && !declared)
		return true;
	config->bound[index] = true;
	if (name->len == strlen("request") && memcmp(name->text, "request", name->len) == 0 && !declared) {
		struct request_use use = {.compile = compile,
		        .ref = ref,
		        .raw = name->raw && escapes ? AB_RAW_HTML : AB_RAW_NONE,
		        .ok = true};

		ab_mustache_each_use(config->template, index, bind_request, &use);
		ab_path_fini(&ref->path);
		ref->path = (struct ab_path){0}; /* the template walks the path itself */
		return use.ok;
	}
	if (!ab_scope_ref(compile->scope, name->text, name->len, AB_RAW_NONE, name->pos, ref))
		return false;
	if (!name->raw || !escapes)
		return true;
	if (!ab_scope_ref(compile->scope, name->text, name->len, AB_RAW_HTML, name->raw_pos, &raw))
		return false;
	ab_ref_fini(&raw);
	return true;
}

/* Positions in template files are the template's: after a mistake it goes, and they with it. */
static void forget_positions(struct ab_compile *compile, size_t needs, size_t raws)
{
	for (size_t i = needs; i < compile->scope->n_needs; i++)
		compile->scope->needs_pos[i] = compile->value->pos;
	for (size_t i = raws; i < compile->scope->n_raws; i++)
		compile->scope->raws[i].pos = compile->value->pos;
}

bool ab_text_bind(struct ab_compile *compile, struct ab_mustache *template, enum ab_escape escape,
        const char *media, char *what)
{
	struct ab_text_config *config = calloc(1, sizeof(*config));
	size_t count = ab_mustache_names(template), needs = compile->scope->n_needs,
	       raws = compile->scope->n_raws;
	struct ab_pos pos;
	bool ok = true;

	if (config != NULL) {
		config->refs = calloc(count + 1, sizeof(*config->refs));
		config->bound = calloc(count + 1, sizeof(*config->bound));
	}
	if (config == NULL || config->refs == NULL || config->bound == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		ab_mustache_destroy(template);
		free(what);
		if (config != NULL)
			ab_text_free(config);
		return false;
	}
	config->template = template;
	config->media = media;
	config->escape = escape;
	config->what = what;
	for (size_t i = 0; i < count; i++)
		ok &= bind_name(compile, config, i, escape != AB_ESCAPE_NONE);
	if (ab_mustache_implicit(template, &pos)) {
		ab_diag(compile->diags, pos,
		        "{{.}} outside a section; expected a name, or a {{#section}} around it");
		ok = false;
	}
	if (!ok) {
		forget_positions(compile, needs, raws);
		ab_text_free(config);
		return false;
	}
	compile->resource->config = config;
	return true;
}

void ab_text_free(void *arg)
{
	struct ab_text_config *config = arg;

	for (size_t i = 0; config->template != NULL && i < ab_mustache_names(config->template); i++)
		ab_ref_fini(&config->refs[i]);
	ab_mustache_destroy(config->template);
	free(config->refs);
	free(config->bound);
	free(config->what);
	free(config);
}

bool ab_text_leaves_html(const struct ab_resource *resource)
{
	const struct ab_text_config *config = resource->config;

	return resource->handler->start == ab_text_start && config != NULL &&
	       config->escape != AB_ESCAPE_HTML;
}

void ab_text_describe(const void *arg, char *buf, size_t size)
{
	const struct ab_text_config *config = arg;

	snprintf(buf, size, "%s", config->what != NULL ? config->what : config->media);
}

void ab_text_each_inner(const struct ab_resource *resource,
        void (*fn)(void *arg, const char *name, size_t len, struct ab_pos pos), void *arg)
{
	const struct ab_text_config *config = resource->config;

	if (resource->handler != ab_kind_text.handler && resource->handler != ab_kind_template.handler)
		return;
	for (size_t i = 0; i < ab_mustache_names(config->template); i++) {
		const struct ab_mustache_name *name = ab_mustache_name(config->template, i);

		if (!config->bound[i])
			fn(arg, name->text, name->len, name->pos);
	}
}

/* ---- rendering ---- */

void ab_text_start(struct ab_call *call)
{
	/* last_len is this worker's alone; the config is const only for those who look at resources. */
	struct ab_text_config *config = call->resource->config;
	size_t count = ab_mustache_names(config->template);
	json_t *on_stack[ROOTS_ON_STACK], **root = on_stack;
	struct ab_text text = {.media = config->media};
	struct ab_error err;
	enum ab_code code;
	struct ab_buf buf;

	if (count > ROOTS_ON_STACK)
		root = ab_arena_alloc(call->arena, count * sizeof(json_t *));
	if (root == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		root[i] = config->bound[i] ? ab_ref_get(&config->refs[i], call) : NULL;
	ab_buf_init(&buf, AB_TEXT_MAX);
	ab_buf_reserve(&buf, config->last_len);
	code = ab_mustache_render(config->template, root, NULL, &buf, &err);
	if (code == AB_OK) {
		config->last_len = text.len = buf.len;
		text.data = ab_buf_take(&buf);
		if (text.data == NULL)
			code = ab_error_set(&err, AB_ENOMEM, "out of memory");
	}
	if (code == AB_OK) {
		ab_call_resolve_text(call, &text);
		return;
	}
	ab_buf_fini(&buf);
	ab_call_fail(call, &err);
}

/* ---- the kind ---- */

static bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* The length of "name.path" at the beginning of `text`, 0 if there is none. */
static size_t path_length(const char *text)
{
	size_t len = 0;

	do {
		len += len > 0;
		if (!is_name_start(text[len]))
			return 0;
		while (is_name_start(text[len]) || (text[len] >= '0' && text[len] <= '9'))
			len++;
	} while (text[len] == '.');
	return len;
}

/* {name} is how other places write it. */
static bool check_braces(struct ab_compile *compile)
{
	const char *text = compile->value->u.string.text;
	bool ok = true;

	for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at, '{')) {
		size_t len;

		if (at[1] == '{') {
			const char *close = strstr(at, "}}");

			if (close == NULL)
				break;
			at = close;
			continue;
		}
		len = path_length(++at);
		if (len == 0 || at[len] != '}')
			continue;
		ab_diag(compile->diags, ab_conf_at(compile->value, (size_t)(at - 1 - text)),
		        "{%.*s} in text; expected {{%.*s}} (or, for braces as such, blanks inside them)",
		        (int)(len > 80 ? 80 : len), at, (int)(len > 80 ? 80 : len), at);
		ok = false;
	}
	return ok;
}

static bool read_type(struct ab_compile *compile, bool *ret_html)
{
	static const char *const types[] = {"plain", "html"};
	const struct ab_conf *type = ab_conf_get(compile->map, "type");
	const char *text;
	char meant[64];

	*ret_html = false;
	if (type == NULL)
		return true;
	text = ab_conf_string(type, "type", compile->diags);
	if (text == NULL)
		return false;
	*ret_html = strcmp(text, "html") == 0;
	if (*ret_html || strcmp(text, "plain") == 0)
		return true;
	ab_diag(compile->diags, type->pos, "type '%.60s'; expected plain or html%s", text,
	        ab_did_you_mean(text, types, AB_COUNT(types), meant, sizeof(meant)));
	return false;
}

static bool text_compile(struct ab_compile *compile)
{
	const struct ab_conf *value = compile->value;
	struct ab_mustache *template;
	enum ab_escape escape;
	bool html, ok;

	ok = read_type(compile, &html);
	if (ab_conf_string(value, "text", compile->diags) == NULL)
		return false;
	if (value->secret) {
		ab_diag(compile->diags, value->pos,
		        "${...} in template text; expected it in a resource of its own, used as {{name}}");
		return false;
	}
	ok &= check_braces(compile);
	escape = html ? AB_ESCAPE_HTML : AB_ESCAPE_NONE;
	template = ab_mustache_compile(
	        value->u.string.text, value->u.string.len, value->pos, value, escape, NULL, compile->diags);
	if (template == NULL || !ok) {
		ab_mustache_destroy(template);
		return false;
	}
	return ab_text_bind(compile, template, escape,
	        html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8", NULL);
}

static const struct ab_handler text_handler = {.kind = "text", .start = ab_text_start, .free = ab_text_free};
static const char *const text_keys[] = {"type", NULL};

const struct ab_kind ab_kind_text = {
        .name = "text",
        .keys = text_keys,
        .handler = &text_handler,
        .compile = text_compile,
        .passes_text = ab_text_leaves_html,
        .describe = ab_text_describe,
};
