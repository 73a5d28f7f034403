/* server/routes_check.c: `if` on accepted names: checks of what a request gives, before anything else is done
 * with it.
 *
 * All checks of a route are one filter, in a plan of its own: what it needs are the names that the route
 * accepts, whatever resources are called so, and its value tells which names are refused. So every name that
 * fails is known at once, and a check that takes long holds up no loop. */
#include "accept.h"
#include "routes_build.h"

#include "../handlers/jq/jq.h"

static void destroy_dispatcher(void *dispatcher)
{
	ab_dispatcher_destroy(dispatcher);
}

static void destroy_plan(void *plan)
{
	ab_plan_destroy(plan);
}

static void fini_scope(void *scope)
{
	ab_scope_fini(scope);
}

static const struct ab_accept *find_accept(const struct ab_route *route, const char *name)
{
	for (size_t i = 0; i < route->n_accepts; i++)
		if (strcmp(route->accepts[i].name, name) == 0)
			return &route->accepts[i];
	return NULL;
}

/* A check knows what the route accepts, and no resource. */
static bool check_needs(struct ab_build *build, const struct ab_scope *scope)
{
	const struct ab_route *route = build->route;
	const char **names = ab_build_alloc(build, route->n_accepts + 1, sizeof(*names));
	char meant[160];
	bool ok = names != NULL;

	for (size_t i = 0; names != NULL && i < route->n_accepts; i++)
		names[i] = route->accepts[i].name;
	for (size_t i = 0; names != NULL && i < scope->n_needs; i++) {
		if (find_accept(route, scope->needs[i]) != NULL)
			continue;
		ab_diag(build->diags, scope->needs_pos[i],
		        "$%.60s in an `if` under accept: only what this route accepts is known there, and a `require` under guard "
		        "knows resources too; expected a name that it accepts%s",
		        scope->needs[i],
		        ab_did_you_mean(scope->needs[i], names, route->n_accepts, meant, sizeof(meant)));
		ok = false;
	}
	return ok;
}

static bool compile_plan(struct ab_build *build, struct ab_dispatcher *dispatcher,
        const struct ab_resource *resource, struct ab_pos pos)
{
	struct ab_route *route = build->route;
	struct ab_plan_spec spec = {
	        .dispatcher = dispatcher,
	        .targets = {&resource->name, 1},
	        .given = {resource->needs, resource->n_needs},
	};
	struct ab_error err;
	enum ab_code code = ab_dispatcher_add(dispatcher, resource, &err);

	if (code == AB_OK)
		code = ab_plan_compile(&spec, &route->check, &err);
	if (code != AB_OK) {
		ab_diag(build->diags, pos, "%s", err.text);
		return false;
	}
	if (!ab_build_defer(build, destroy_plan, route->check))
		return false;
	route->check_slot = ab_plan_slot(route->check, resource->name);
	route->check_slots = ab_build_alloc(build, route->n_accepts, sizeof(*route->check_slots));
	for (size_t i = 0; route->check_slots != NULL && i < route->n_accepts; i++)
		route->check_slots[i] = ab_plan_slot(route->check, route->accepts[i].name);
	return route->check_slots != NULL;
}

static bool compile_checks(struct ab_build *build, const struct ab_jq_check *checks, size_t count)
{
	static const struct ab_conf no_keys = {.type = AB_CONF_MAP};
	struct ab_dispatcher *dispatcher = ab_dispatcher_create();
	struct ab_scope *scope = ab_build_alloc(build, 1, sizeof(*scope));
	struct ab_resource resource = {.name = "accept", .handler = &ab_jq_checks_handler};
	struct ab_compile compile = {
	        .env = build->app->env,
	        .diags = build->diags,
	        .name = "accept",
	        .map = &no_keys,
	        .value = checks[0].conf,
	        .scope = scope,
	        .dir = build->source->dir,
	        .resource = &resource,
	};

	if (dispatcher == NULL || !ab_build_defer(build, destroy_dispatcher, dispatcher) || scope == NULL)
		return false;
	ab_scope_init(scope, "accept", build->diags);
	if (!ab_build_defer(build, fini_scope, scope) || !ab_jq_compile_checks(&compile, checks, count))
		return false;
	resource.needs = scope->needs;
	resource.n_needs = scope->n_needs;
	if (check_needs(build, scope))
		return compile_plan(build, dispatcher, &resource, checks[0].conf->pos);
	resource.handler->free(resource.config);
	return false;
}

bool ab_build_checks(struct ab_build *build)
{
	struct ab_route *route = build->route;
	struct ab_jq_check *checks = ab_build_alloc(build, route->n_accepts + 1, sizeof(*checks));
	size_t count = 0;

	route->checks = ab_build_alloc(build, route->n_accepts + 1, sizeof(*route->checks));
	if (checks == NULL || route->checks == NULL)
		return false;
	for (size_t i = 0; i < route->n_accepts; i++) {
		const struct ab_accept *accept = &route->accepts[i];
		const struct ab_conf *entry = ab_conf_get(build->accept, accept->name);
		const struct ab_conf *conf = ab_conf_get(entry, "if");

		if (conf == NULL)
			continue;
		route->checks[count] = i;
		checks[count++] = (struct ab_jq_check){conf, accept->name};
	}
	route->n_checks = count;
	return count == 0 || compile_checks(build, checks, count);
}
