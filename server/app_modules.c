/* server/app_modules.c: one worker's side of the modules: where a function is found by name, the worker's end
 * of the threads, the plans of what functions resolve. */
#include "app_parts.h"
#include "module.h"

#include <string.h>

/* ---- making ---- */

static void count_blocking(size_t *count, const struct ab_source *source)
{
	const struct ab_conf *resources = ab_conf_get(source->root, "resources");

	for (size_t i = 0; i < resources->u.map.count; i++) {
		const struct anabranch_function *function =
		        ab_module_function(source->module, resources->u.map.pairs[i].key);

		*count += function != NULL && function->how == ANABRANCH_BLOCKING;
	}
}

static void count_call(void *arg, const struct anabranch_function *call)
{
	size_t *count = arg;

	(void)call;
	(*count)++;
}

static void add_call(void *arg, const struct anabranch_function *call)
{
	struct ab_native_module *module = arg;

	module->calls[module->n_calls++].announced = call;
}

static bool make_module(struct ab_app *app, struct ab_app_module *in, const struct ab_source *source)
{
	size_t blocking = 0, calls = 0;
	struct ab_threads *threads;

	in->source = source;
	in->native.path = source->file;
	ab_module_each_call(source->module, count_call, &calls);
	in->native.calls = calloc(calls + 1, sizeof(*in->native.calls));
	if (in->native.calls == NULL)
		return false;
	ab_module_each_call(source->module, add_call, &in->native);
	count_blocking(&blocking, source);
	if (blocking == 0)
		return true;
	threads = ab_shared_threads(app->parts->shared);
	in->native.home = threads != NULL ? ab_home_create(threads, app->env->loop) : NULL;
	return in->native.home != NULL;
}

bool ab_app_modules_make(struct ab_app *app)
{
	struct ab_app_parts *parts = app->parts;
	size_t count = ab_sources_count(parts->sources);

	parts->modules = calloc(count, sizeof(*parts->modules));
	if (parts->modules == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct ab_source *source = ab_sources_at(parts->sources, i);

		if (source->module != NULL && !make_module(app, &parts->modules[parts->n_modules++], source))
			return false;
	}
	return true;
}

void ab_app_modules_link(struct ab_app *app, struct ab_diags *diags)
{
	for (size_t i = 0; i < app->parts->n_modules; i++)
		ab_native_link(&app->parts->modules[i].native, app->dispatcher, diags);
}

void ab_app_modules_fini(struct ab_app_parts *parts)
{
	for (size_t i = 0; i < parts->n_modules; i++)
		ab_native_module_fini(&parts->modules[i].native);
	free(parts->modules);
}

/* ---- finding ---- */

/* Whether `source` is `target`, or includes it, directly or not. */
static bool reaches(const struct ab_source *source, const struct ab_source *target, bool *seen)
{
	if (source == target)
		return true;
	if (seen[source->index])
		return false;
	seen[source->index] = true;
	for (size_t i = 0; i < source->n_includes; i++)
		if (reaches(source->includes[i], target, seen))
			return true;
	return false;
}

/* "build/greet.so" as `modules:` of the file in `dir` has it. */
static bool is_named(const struct ab_source *module, const char *dir, const char *text)
{
	size_t len = strlen(dir);

	if (strcmp(module->file, text) == 0)
		return true;
	return strncmp(module->file, dir, len) == 0 && module->file[len] == '/' &&
	       strcmp(module->file + len + 1, text) == 0;
}

struct finding {
	struct ab_compile *compile;
	const struct ab_conf *which; /* `module` of the resource, or NULL */
	const char *name;
	const struct ab_app_module *found[2];
	size_t n_found, n_seen;
	const char *names[200]; /* of all functions in sight, for what is meant */
	size_t n_names;
};

static void look_in(struct finding *f, const struct ab_app_module *module)
{
	const struct ab_conf *resources = ab_conf_get(module->source->root, "resources");

	if (f->which != NULL && !is_named(module->source, f->compile->dir, f->which->u.string.text))
		return;
	f->n_seen++;
	for (size_t i = 0; i < resources->u.map.count && f->n_names < AB_COUNT(f->names); i++)
		f->names[f->n_names++] = resources->u.map.pairs[i].key;
	if (ab_module_function(module->source->module, f->name) == NULL)
		return;
	if (f->n_found < AB_COUNT(f->found))
		f->found[f->n_found] = module;
	f->n_found++;
}

static void look_from(struct finding *f, const struct ab_app *app, const struct ab_source *source)
{
	for (size_t i = 0; i < app->parts->n_modules; i++) {
		bool seen[AB_MAX_SOURCES] = {false};

		if (reaches(source, app->parts->modules[i].source, seen))
			look_in(f, &app->parts->modules[i]);
	}
}

static void report(const struct finding *f)
{
	struct ab_diags *diags = f->compile->diags;
	struct ab_pos pos = f->compile->value->pos;
	char meant[160];

	if (f->n_found > 1)
		ab_diag(diags, pos,
		        "C function '%.60s' is in two modules; expected module: %.100s, or %.100s", f->name,
		        f->found[0]->source->file, f->found[1]->source->file);
	else if (f->n_seen == 0 && f->which != NULL)
		ab_diag(diags, f->which->pos,
		        "there is no module '%.100s'; expected one that stands under modules",
		        f->which->u.string.text);
	else if (f->n_seen == 0)
		ab_diag(diags, pos,
		        "a C function and no module; expected one under modules, as in modules: [build/greet.so]");
	else
		ab_diag(diags, pos, "no C function '%.60s' in the modules; expected a RESOURCE of one%s",
		        f->name, ab_did_you_mean(f->name, f->names, f->n_names, meant, sizeof(meant)));
}

bool ab_app_native(struct ab_app *app, const struct ab_source *source, struct ab_compile *compile,
        const char *name, struct ab_native *ret)
{
	struct finding f = {.compile = compile, .which = ab_conf_get(compile->map, "module"), .name = name};

	if (f.which != NULL && ab_conf_string(f.which, "module", compile->diags) == NULL)
		return false;
	look_from(&f, app, source);
	if (f.n_found == 0 && source->module == NULL)
		look_from(&f, app, ab_sources_top(app->parts->sources));
	if (f.n_found == 1) {
		ret->function = ab_module_function(f.found[0]->source->module, name);
		/* The struct is the app's own; only the list it was found in is read-only. */
		ret->module = (struct ab_native_module *)(uintptr_t)&f.found[0]->native;
		return true;
	}
	if (!ab_sources_incomplete(app->parts->sources))
		report(&f);
	return false;
}
