/* server/app_check.c: what only shows once all is compiled: needs that nothing can satisfy, and what nothing
 * uses. */
#include "../handlers/kinds.h"
#include "../handlers/text.h"
#include "app_parts.h"
#include "routes.h"

#include <string.h>

/* ---- names that some route may be given ---- */

struct known {
	const char **names;
	size_t count, size;
	size_t n_given;  /* how many of them a request may bring; resources follow */
	char *variables; /* memory of the path variables' names */
	bool failed;
};

static void known_add(struct known *known, const char *name)
{
	if (known->count == known->size) {
		size_t size = known->size == 0 ? 64 : 2 * known->size;
		const char **names = reallocarray(known->names, size, sizeof(*names));

		if (names == NULL) {
			known->failed = true;
			return;
		}
		known->names = names;
		known->size = size;
	}
	known->names[known->count++] = name;
}

static size_t keys_length(const struct ab_conf *routes)
{
	size_t len = 1;

	for (size_t i = 0; i < routes->u.map.count; i++)
		len += strlen(routes->u.map.pairs[i].key) + 1;
	return len;
}

/* {name} in "GET /path/{name}", each copied to `to`. */
static char *add_variables(struct known *known, const char *key, char *to)
{
	for (const char *open = strchr(key, '{'); open != NULL; open = strchr(open + 1, '{')) {
		size_t len = strcspn(open + 1, "}/");

		memcpy(to, open + 1, len);
		to[len] = '\0';
		known_add(known, to);
		to += len + 1;
	}
	return to;
}

/* What calls give to the runs they start. */
static void add_given_by_calls(struct known *known, const struct ab_app *app)
{
	for (size_t i = 0; i < app->n_resources; i++) {
		const struct ab_conf *map = app->resources[i].pair->value;
		const struct ab_conf *given = ab_conf_get(map, "given"), *as = ab_conf_get(map, "as");

		if (ab_conf_get(map, ab_kind_call.name) == NULL)
			continue;
		for (size_t k = 0; given != NULL && given->type == AB_CONF_MAP && k < given->u.map.count; k++)
			known_add(known, given->u.map.pairs[k].key);
		if (as != NULL && as->type == AB_CONF_STRING)
			known_add(known, as->u.string.text);
	}
}

/* And what C functions give to what they resolve. */
static void add_given_by_modules(struct known *known, const struct ab_app *app)
{
	for (size_t i = 0; i < app->parts->n_modules; i++) {
		const struct ab_native_module *module = &app->parts->modules[i].native;

		for (size_t k = 0; k < module->n_calls; k++)
			for (unsigned n = 0; n < module->calls[k].announced->n_needs; n++)
				known_add(known, module->calls[k].announced->needs[n]);
	}
}

/* From the file itself, so that a mistake in a route does not make its names unknown. */
static void add_given(struct known *known, const struct ab_app *app)
{
	const struct ab_conf *routes = ab_conf_get(ab_sources_top(app->parts->sources)->root, "routes");
	char *to;

	add_given_by_calls(known, app);
	add_given_by_modules(known, app);
	known->n_given = known->count;
	if (routes == NULL || routes->type != AB_CONF_MAP)
		return;
	known->variables = malloc(keys_length(routes));
	if (known->variables == NULL) {
		known->failed = true;
		return;
	}
	to = known->variables;
	for (size_t i = 0; i < routes->u.map.count; i++) {
		const struct ab_conf *accept = ab_conf_get(routes->u.map.pairs[i].value, "accept");

		to = add_variables(known, routes->u.map.pairs[i].key, to);
		for (size_t k = 0; accept != NULL && accept->type == AB_CONF_MAP && k < accept->u.map.count;
		        k++)
			known_add(known, accept->u.map.pairs[k].key);
	}
	known->n_given = known->count;
}

/* A condition's name is nobody's to use. */
static void add_resource(const struct ab_resource *resource, void *arg)
{
	if (resource->handler != ab_kind_condition.handler)
		known_add(arg, resource->name);
}

/* ---- needs ---- */

static bool is_known(const struct ab_app *app, const struct known *known, const char *name)
{
	static const char *const reserved[] = {"request", "degraded", "error", "given"};

	for (size_t i = 0; i < AB_COUNT(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	if (ab_dispatcher_find(app->dispatcher, name) != NULL)
		return true;
	for (size_t i = 0; i < known->n_given; i++)
		if (strcmp(name, known->names[i]) == 0)
			return true;
	return false;
}

static void check_needs(const struct ab_app *app, const struct ab_app_resource *resource,
        const struct known *known, struct ab_diags *diags)
{
	char meant[80];

	for (size_t i = 0; i < resource->scope.n_needs; i++) {
		const char *name = resource->scope.needs[i];

		if (is_known(app, known, name) || ab_diags_at(diags, resource->scope.needs_pos[i]))
			continue;
		meant[0] = '\0';
		if (!ab_diags_full(diags)) /* each time, it looks at all names there are */
			ab_did_you_mean(name, known->names, known->count, meant, sizeof(meant));
		ab_diag(diags, resource->scope.needs_pos[i],
		        "resource '%.60s' needs '%.60s', which is no resource, and no route accepts it; expected one or the other%s",
		        resource->pair->key, name, meant);
	}
}

static void check_fallback(const struct ab_app *app, const struct ab_app_resource *resource,
        const struct known *known, struct ab_diags *diags)
{
	const struct ab_conf *own = ab_conf_get(ab_conf_get(resource->pair->value, "fallback"), "resource");
	const char *name = resource->resource == NULL ? NULL : resource->resource->fallback_resource;
	struct ab_pos pos = own != NULL ? own->pos : resource->pair->pos;
	char meant[80];

	if (name == NULL || ab_dispatcher_find(app->dispatcher, name) != NULL || ab_diags_at(diags, pos))
		return;
	meant[0] = '\0';
	if (!ab_diags_full(diags))
		ab_did_you_mean(name, known->names + known->n_given, known->count - known->n_given, meant,
		        sizeof(meant));
	ab_diag(diags, pos, "resource '%.60s' falls back to '%.60s', which is no resource; expected one%s",
	        resource->pair->key, name, meant);
}

void ab_app_check_needs(struct ab_app *app, bool open, struct ab_diags *diags)
{
	struct known known = {0};

	add_given(&known, app);
	ab_dispatcher_each(app->dispatcher, add_resource, &known);
	for (size_t i = 0; i < app->n_resources && !known.failed; i++) {
		if (!open)
			check_needs(app, &app->resources[i], &known, diags);
		check_fallback(app, &app->resources[i], &known, diags);
	}
	if (known.failed)
		ab_diag(diags, ab_sources_top(app->parts->sources)->root->pos, "out of memory");
	free(known.names);
	free(known.variables);
}

/* ---- what is used ---- */

static void mark_plan(const struct ab_app *app, const struct ab_plan *plan, bool *used);

static void mark_resource(const struct ab_app *app, const struct ab_resource *resource, bool *used)
{
	const struct ab_app_resource *known = ab_app_find(app, resource);
	const struct ab_plan *nested = ab_call_plan(resource);

	if (known == NULL || used[known - app->resources])
		return;
	used[known - app->resources] = true;
	if (nested != NULL)
		mark_plan(app, nested, used);
}

/* As deep as calls are nested. */
static void mark_plan(const struct ab_app *app, const struct ab_plan *plan, bool *used)
{
	for (size_t i = 0; i < ab_plan_size(plan); i++)
		if (ab_plan_node(plan, (int)i)->resource != NULL)
			mark_resource(app, ab_plan_node(plan, (int)i)->resource, used);
}

static void mark_plans(const struct ab_app *app, const struct ab_answer *answers, size_t count, bool *used)
{
	for (size_t i = 0; i < count; i++)
		mark_plan(app, answers[i].plan, used);
}

/* What C functions resolve. */
static void mark_modules(const struct ab_app *app, bool *used)
{
	for (size_t i = 0; i < app->parts->n_modules; i++)
		for (size_t k = 0; k < app->parts->modules[i].native.n_calls; k++)
			mark_plan(app, app->parts->modules[i].native.calls[k].plan, used);
}

static void mark_rules(const struct ab_app *app, const struct ab_error_rule *rules, size_t count, bool *used)
{
	for (size_t i = 0; i < count; i++)
		mark_plans(app, rules[i].answers, rules[i].n_answers, used);
}

static bool mark_all(const struct ab_app *app, bool *used)
{
	const struct ab_error_rule *rules;
	size_t routes = ab_router_count(app->router), count;

	for (size_t i = 0; i < routes; i++) {
		const struct ab_route *route = ab_router_at(app->router, i);

		mark_plans(app, route->answers, route->n_answers, used);
		mark_rules(app, route->errors, route->n_errors, used);
	}
	rules = ab_router_errors(app->router, &count);
	mark_rules(app, rules, count, used);
	mark_modules(app, used);
	return routes > 0;
}

/* ---- placeholders where nothing fills them ---- */

/* A name in braces: {who}, {{who}}, {who.age}, {items[0]}; "" when it is none. */
static size_t name_in_braces(const char *at, char *name, size_t size)
{
	size_t open = strspn(at, "{"), len = strcspn(at + open, "{}.[");
	size_t close = open + strcspn(at + open, "{}");

	name[0] = '\0';
	if (at[close] == '}' && len < size && ab_is_name(at + open, len)) {
		memcpy(name, at + open, len);
		name[len] = '\0';
	}
	return close;
}

static void hint_string(const struct ab_app *app, const struct known *known, const struct ab_conf *conf,
        struct ab_diags *diags)
{
	const char *text = conf->u.string.text;
	char name[80];

	for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at, '{')) {
		size_t offset = (size_t)(at - text);

		at += name_in_braces(at, name, sizeof(name));
		if (name[0] == '\0' || !is_known(app, known, name) || ab_conf_from_env(conf, offset))
			continue;
		if (text[offset + 1] == '{')
			ab_hint(diags, ab_conf_at(conf, offset),
			        "{{%s}} in a literal is text as it stands; it would be filled under `text:`, as in {text: \"{{%s}}\"}",
			        name, name);
		else
			ab_hint(diags, ab_conf_at(conf, offset),
			        "{%s} in a literal is text as it stands; it would be filled under `json:`, as in {json: \"{%s}\"}",
			        name, name);
		return;
	}
}

/* Strings in a literal, in lists and mappings too. */
static void hint_literal(const struct ab_app *app, const struct known *known, const struct ab_conf *conf,
        struct ab_diags *diags)
{
	if (conf->type == AB_CONF_STRING)
		hint_string(app, known, conf, diags);
	for (size_t i = 0; conf->type == AB_CONF_LIST && i < conf->u.list.count; i++)
		hint_literal(app, known, conf->u.list.items[i], diags);
	for (size_t i = 0; conf->type == AB_CONF_MAP && i < conf->u.map.count; i++)
		hint_literal(app, known, conf->u.map.pairs[i].value, diags);
}

static void hint_literals(const struct ab_app *app, struct ab_diags *diags)
{
	struct known known = {0};

	add_given(&known, app);
	for (size_t i = 0; i < app->n_resources && !known.failed; i++) {
		const struct ab_app_resource *resource = &app->resources[i];
		const struct ab_conf *conf = resource->pair->value;

		if (resource->resource == NULL || strcmp(resource->kind->name, "value") != 0)
			continue;
		hint_literal(
		        app, &known, conf->type == AB_CONF_MAP ? ab_conf_get(conf, "value") : conf, diags);
	}
	free(known.names);
	free(known.variables);
}

/* ---- names inside sections ---- */

struct inner {
	const struct ab_app *app;
	struct ab_diags *diags;
};

static void hint_inner(void *arg, const char *name, size_t len, struct ab_pos pos)
{
	struct inner *inner = arg;
	char copy[80];

	if (len >= sizeof(copy))
		return;
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (ab_dispatcher_find(inner->app->dispatcher, copy) != NULL)
		ab_hint(inner->diags, pos,
		        "'%s' inside a section means a part of the section's value, not the resource '%s'; where that is meant, "
		        "list it under needs",
		        copy, copy);
}

void ab_app_check_use(struct ab_app *app, struct ab_diags *diags)
{
	const struct ab_source *top = ab_sources_top(app->parts->sources);
	bool *used = calloc(app->n_resources + 1, sizeof(*used));
	struct inner inner = {.app = app, .diags = diags};
	bool routes = used != NULL && app->router != NULL && mark_all(app, used);

	hint_literals(app, diags);
	for (size_t i = 0; i < app->n_resources; i++) {
		const struct ab_app_resource *resource = &app->resources[i];

		if (resource->resource != NULL)
			ab_text_each_inner(ab_each_inner(resource->resource), hint_inner, &inner);
		if (routes && !used[i] && resource->kind != &ab_kind_condition &&
		        strcmp(resource->pair->pos.file, top->file) == 0)
			ab_hint(diags, resource->pair->pos, "no route uses resource '%.60s'",
			        resource->pair->key);
	}
	for (size_t i = 0; i < app->parts->n_upstreams; i++) {
		const struct ab_app_upstream *upstream = &app->parts->upstreams[i];

		if (!upstream->used && strcmp(upstream->pair->pos.file, top->file) == 0)
			ab_hint(diags, upstream->pair->pos, "no resource uses upstream '%.60s'",
			        upstream->pair->key);
	}
	free(used);
}
