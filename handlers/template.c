/* handlers/template.c: the kind `template`: a Mustache file, with its partials beside it. */
#include "kinds.h"
#include "mustache/files.h"
#include "text.h"

/* `partials: [a, b]`: the names {{>*x}} may choose, as a NULL-terminated array of borrowed strings. NULL
 * after mistakes. */
static const char **read_partials(struct ab_compile *compile, const struct ab_conf *partials)
{
	size_t count = 0;
	const char **names;
	bool ok = true;

	if (partials != NULL && !ab_conf_want(partials, AB_CONF_LIST, "partials", compile->diags))
		return NULL;
	if (partials != NULL)
		count = partials->u.list.count;
	names = calloc(count + 1, sizeof(*names));
	if (names == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		names[i] = ab_conf_string(partials->u.list.items[i], "a partial's name", compile->diags);
		ok &= names[i] != NULL;
	}
	if (ok)
		return names;
	free(names);
	return NULL;
}

static struct ab_mustache *compile_file(struct ab_compile *compile, struct ab_template_files *files,
        enum ab_escape escape, const char **dynamic)
{
	struct ab_mustache_loader loader = {.load = ab_template_files_load, .arg = files, .dynamic = dynamic};
	const struct ab_conf *partials = ab_conf_get(compile->map, "partials");
	struct ab_mustache *template;
	size_t len;
	char *text = ab_template_files_read(files, &len);

	if (text == NULL) {
		ab_diag(compile->diags, compile->value->pos, "no template: %s", files->why);
		return NULL;
	}
	if (partials == NULL)
		loader.dynamic = NULL;
	template = ab_mustache_compile(
	        text, len, (struct ab_pos){files->path, 1, 1}, NULL, escape, &loader, compile->diags);
	free(text);
	if (template != NULL && partials != NULL && !ab_mustache_dynamic(template)) {
		ab_diag(compile->diags, partials->pos,
		        "partials for a template without {{>*name}}; expected them only where a value chooses one");
		ab_mustache_destroy(template);
		return NULL;
	}
	return template;
}

static bool template_compile(struct ab_compile *compile)
{
	const struct ab_conf *value = compile->value;
	const char *name = ab_conf_string(value, "template", compile->diags);
	struct ab_template_files files = {0};
	struct ab_mustache *template = NULL;
	enum ab_escape escape;
	const char **dynamic, *media;
	char *path = NULL;

	if (name == NULL)
		return false;
	if (!ab_media_by_ending(name, &escape, &media)) {
		ab_diag(compile->diags, value->pos,
		        "template '%.200s'; expected a file that ends in .html .xml .svg .atom .json .txt .csv or .md",
		        name);
		return false;
	}
	dynamic = read_partials(compile, ab_conf_get(compile->map, "partials"));
	if (dynamic == NULL)
		return false;
	if (*name == '/' || compile->dir == NULL || strcmp(compile->dir, ".") == 0)
		path = strdup(name);
	else if (asprintf(&path, "%s/%s", compile->dir, name) < 0)
		path = NULL;
	if (path != NULL && ab_template_files_init(&files, path))
		template = compile_file(compile, &files, escape, dynamic);
	else
		ab_diag(compile->diags, value->pos, "out of memory");
	ab_template_files_fini(&files);
	free(dynamic);
	free(path);
	return template != NULL && ab_text_bind(compile, template, escape, media, strdup(name));
}

static const struct ab_handler template_handler = {
        .kind = "template", .start = ab_text_start, .free = ab_text_free};
static const char *const template_keys[] = {"partials", NULL};

const struct ab_kind ab_kind_template = {
        .name = "template",
        .keys = template_keys,
        .handler = &template_handler,
        .compile = template_compile,
        .passes_text = ab_text_leaves_html,
        .describe = ab_text_describe,
};
