/* server/app.c: one worker's copy of an app: a dispatcher for each file, upstreams, resources, then routes.
 */
#include "app_parts.h"
#include "routes.h"

#include <string.h>

struct ab_app_source *ab_app_source(struct ab_app *app, const struct ab_source *source)
{
	for (size_t i = 0; i < app->parts->n_list; i++)
		if (app->parts->list[i].source == source)
			return &app->parts->list[i];
	return NULL;
}

struct ab_app_upstream *ab_app_upstream(const struct ab_app *app, const struct ab_conf_pair *pair)
{
	for (size_t i = 0; i < app->parts->n_upstreams; i++)
		if (app->parts->upstreams[i].pair == pair)
			return &app->parts->upstreams[i];
	return NULL;
}

static const struct ab_conf *section(const struct ab_source *source, const char *name)
{
	const struct ab_conf *map = ab_conf_get(source->root, name);

	return map != NULL && map->type == AB_CONF_MAP ? map : NULL;
}

/* ---- defaults ---- */

static void read_defaults(struct ab_app_source *in, struct ab_diags *diags)
{
	const struct ab_conf *map = ab_conf_get(in->source->root, "defaults");
	const char *known[16] = {NULL};

	if (map == NULL || !ab_conf_want(map, AB_CONF_MAP, "defaults", diags))
		return;
	for (size_t i = 0; i < ab_generic_defaults; i++)
		known[i] = ab_generic_keys[i];
	for (size_t i = 0; i < map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];
		struct ab_conf alone = *map;

		alone.u.map.pairs = pair;
		alone.u.map.count = 1;
		if (ab_is_later_key(pair->key))
			ab_diag(diags, pair->pos, "'%s' is not yet in this version; expected it left out",
			        pair->key);
		else
			ab_conf_only(&alone, "defaults", known, diags);
	}
	/* A default with mistakes is none, lest every resource repeats them. */
	if (!ab_generic_read(&in->defaults, map, "defaults", diags))
		in->defaults = (struct ab_generic){0};
}

/* ---- compiling ---- */

static size_t count_upstreams(const struct ab_sources *sources)
{
	size_t count = 0;

	for (size_t i = 0; i < ab_sources_count(sources); i++) {
		const struct ab_conf *map = section(ab_sources_at(sources, i), "upstreams");

		count += map == NULL ? 0 : map->u.map.count;
	}
	return count;
}

static bool make_parts(struct ab_app *app, const struct ab_sources *sources, struct ab_shared *shared)
{
	struct ab_app_parts *parts = calloc(1, sizeof(*parts));
	size_t count = ab_sources_count(sources);

	app->parts = parts;
	if (parts == NULL)
		return false;
	parts->sources = sources;
	parts->shared = shared;
	parts->list = calloc(count, sizeof(*parts->list));
	parts->upstreams = calloc(count_upstreams(sources) + 1, sizeof(*parts->upstreams));
	if (parts->list == NULL || parts->upstreams == NULL || !ab_app_modules_make(app))
		return false;
	for (size_t i = 0; i < count; i++) {
		parts->list[i].source = ab_sources_at(sources, i);
		parts->list[i].dispatcher = ab_dispatcher_create();
		if (parts->list[i].dispatcher == NULL)
			return false;
		parts->n_list++;
	}
	app->dispatcher = parts->list[0].dispatcher;
	return true;
}

static bool connect_includes(struct ab_app *app)
{
	struct ab_error err;

	for (size_t i = 0; i < app->parts->n_list; i++) {
		struct ab_app_source *in = &app->parts->list[i];

		for (size_t k = 0; k < in->source->n_includes; k++)
			if (ab_dispatcher_include(in->dispatcher,
			            ab_app_source(app, in->source->includes[k])->dispatcher, &err) != AB_OK)
				return false;
	}
	return true;
}

static void compile_upstreams(struct ab_app *app, struct ab_app_source *in, struct ab_diags *diags)
{
	const struct ab_conf *map = section(in->source, "upstreams");

	for (size_t i = 0; map != NULL && i < map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];

		app->parts->upstreams[app->parts->n_upstreams++] = (struct ab_app_upstream){
		        .pair = pair,
		        .upstream = ab_upstream_compile(app->env, pair->key, pair->value,
		                ab_shared_upstream(app->parts->shared, pair), in->source->dir, diags),
		};
	}
}

static bool compile_resources(struct ab_app *app, struct ab_app_source *in, struct ab_diags *diags)
{
	const struct ab_conf *map = section(in->source, "resources");
	bool ok = true;

	for (size_t i = 0; ok && map != NULL && i < map->u.map.count; i++)
		if (!ab_app_postpone(app, in, &map->u.map.pairs[i], &ok) && ok)
			ab_app_add_resource(app, in->source, in->dispatcher, &map->u.map.pairs[i], diags);
	return ok;
}

static bool compile_all(
        struct ab_app *app, const struct ab_sources *sources, bool open_needs, struct ab_diags *diags)
{
	struct ab_app_parts *parts = app->parts;

	for (size_t i = 0; i < parts->n_list; i++)
		compile_upstreams(app, &parts->list[i], diags);
	for (size_t i = 0; i < parts->n_list; i++) {
		read_defaults(&parts->list[i], diags);
		if (!compile_resources(app, &parts->list[i], diags))
			return false;
	}
	if (!connect_includes(app))
		return false;
	/* What a module would have had is missed everywhere; that it can't be loaded has been said. */
	if (ab_sources_incomplete(sources))
		return true;
	ab_app_compile_postponed(app, diags);
	if (ab_sources_top(sources)->root == NULL)
		return true;
	ab_app_modules_link(app, diags);
	ab_routes_compile(app, sources, diags);
	ab_app_check_needs(app, open_needs, diags);
	if (ab_diags_mistakes(diags) == 0)
		ab_app_check_use(app, diags);
	return true;
}

struct ab_app *ab_app_compile(const struct ab_sources *sources, struct ab_shared *shared, struct ab_env *env,
        const struct ab_app_options *options, struct ab_diags *diags)
{
	struct ab_app *app = calloc(1, sizeof(*app));

	if (app == NULL)
		return NULL;
	app->settings = ab_shared_settings(shared);
	app->env = env;
	app->accept_all = options->accept_all;
	app->dev = options->dev;
	if (env->jq == NULL)
		env->jq = ab_jq_create(ab_shared_jq(shared), env->loop);
	if (env->jq != NULL && make_parts(app, sources, shared) &&
	        compile_all(app, sources, options->open_needs, diags))
		return app;
	ab_app_destroy(app);
	return NULL;
}

void ab_app_destroy(struct ab_app *app)
{
	struct ab_app_parts *parts;

	if (app == NULL)
		return;
	parts = app->parts;
	if (app->router != NULL)
		ab_router_destroy(app->router);
	for (size_t i = 0; parts != NULL && i < parts->n_list; i++)
		ab_dispatcher_destroy(parts->list[i].dispatcher);
	for (size_t i = 0; parts != NULL && i < parts->n_upstreams; i++)
		ab_upstream_destroy(parts->upstreams[i].upstream);
	for (size_t i = 0; i < app->n_resources; i++)
		ab_scope_fini(&app->resources[i].scope);
	if (parts != NULL) {
		ab_app_free_postponed(app);
		ab_app_free_conditions(app);
		ab_app_modules_fini(parts);
		free(parts->list);
		free(parts->upstreams);
		free(parts->by_resource);
		free(parts);
	}
	free(app->resources);
	free(app);
}

/* ---- resources by address ---- */

static int by_address(const void *a, const void *b, void *arg)
{
	const struct ab_app_resource *resources = arg;
	uintptr_t x = (uintptr_t)resources[*(const size_t *)a].resource;
	uintptr_t y = (uintptr_t)resources[*(const size_t *)b].resource;

	return x < y ? -1 : x > y;
}

static bool index_resources(const struct ab_app *app)
{
	struct ab_app_parts *parts = app->parts;
	size_t *index = reallocarray(parts->by_resource, app->n_resources + 1, sizeof(*index));

	if (index == NULL)
		return false;
	for (size_t i = 0; i < app->n_resources; i++)
		index[i] = i;
	qsort_r(index, app->n_resources, sizeof(*index), by_address, app->resources);
	parts->by_resource = index;
	parts->n_by_resource = app->n_resources;
	return true;
}

const struct ab_app_resource *ab_app_find(const struct ab_app *app, const struct ab_resource *resource)
{
	size_t low = 0, high;

	if (app->parts->n_by_resource != app->n_resources && !index_resources(app))
		return NULL;
	high = app->n_resources;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ab_app_resource *found = &app->resources[app->parts->by_resource[middle]];

		if (found->resource == resource)
			return found;
		if ((uintptr_t)found->resource < (uintptr_t)resource)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
