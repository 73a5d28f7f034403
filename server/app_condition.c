/* server/app_condition.c: `if`: what a resource hangs on, as a resource of its own.
 *
 * "reviews: {http: ..., if: '$n > 0'}" becomes a hidden resource "reviews.if", and reviews is conditional:
 * its last need decides. So a condition is resolved once, as early as its needs allow, and a given `reviews`
 * prunes it like anything else that only reviews needed. */
#include "app_parts.h"

#include <string.h>

/* A condition as if it stood under `resources`; under its owner's name, so that messages speak of that. */
struct ab_condition_pair {
	struct ab_condition_pair *next;
	struct ab_conf_pair pair;
};

static const struct ab_conf_pair *pair_create(const struct ab_condition *condition)
{
	struct ab_app_parts *parts = condition->app->parts;
	struct ab_condition_pair *kept = calloc(1, sizeof(*kept));

	if (kept == NULL)
		return NULL;
	kept->pair = (struct ab_conf_pair){
	        .key = condition->owner, .pos = condition->conf->pos, .value = condition->conf};
	kept->next = parts->conditions;
	parts->conditions = kept;
	return &kept->pair;
}

void ab_app_free_conditions(struct ab_app *app)
{
	struct ab_condition_pair *kept = app->parts->conditions, *next;

	for (; kept != NULL; kept = next) {
		next = kept->next;
		free(kept);
	}
	app->parts->conditions = NULL;
}

static bool no_memory(const struct ab_condition *condition)
{
	ab_diag(condition->diags, condition->conf->pos, "out of memory");
	return false;
}

/* The names mean what they mean to the owner. */
static bool declare(const struct ab_condition *condition, struct ab_scope *scope)
{
	const struct ab_conf *infer = ab_conf_get(condition->map, "infer");

	if (infer != NULL && infer->type == AB_CONF_BOOL)
		scope->infer = infer->u.boolean;
	return ab_scope_declare(scope, ab_conf_get(condition->map, "needs"));
}

static bool compile(
        const struct ab_condition *condition, struct ab_scope *scope, struct ab_resource *resource)
{
	static const struct ab_conf no_keys = {.type = AB_CONF_MAP};
	struct ab_compile compile = {
	        .env = condition->app->env,
	        .diags = condition->diags,
	        .name = condition->owner,
	        .map = &no_keys,
	        .value = condition->conf,
	        .scope = scope,
	        .dir = condition->source->dir,
	        .resource = resource,
	};

	if (condition->conf->refused || !ab_kind_condition.compile(&compile))
		return false;
	resource->timeout_ms = compile.timeout_ms;
	resource->needs = scope->needs;
	resource->n_needs = scope->n_needs;
	return true;
}

static const struct ab_resource *add(const struct ab_condition *condition, struct ab_dispatcher *dispatcher,
        struct ab_scope *scope, bool own)
{
	struct ab_resource resource = {.handler = ab_kind_condition.handler};
	const struct ab_resource *added;
	const struct ab_conf_pair *pair;
	struct ab_error err;
	char *name = NULL;
	bool ok;

	if (!compile(condition, scope, &resource))
		return NULL;
	if (asprintf(&name, "%s.if", condition->owner) < 0) {
		resource.handler->free(resource.config);
		no_memory(condition);
		return NULL;
	}
	resource.name = name;
	ok = ab_dispatcher_add(dispatcher, &resource, &err) == AB_OK;
	if (!ok)
		ab_diag(condition->diags, condition->conf->pos, "%s", err.text);
	added = ok ? ab_dispatcher_find(dispatcher, name) : NULL;
	free(name);
	if (!ok || !own)
		return added;
	pair = pair_create(condition);
	if (pair != NULL && ab_app_remember(condition->app, added, &ab_kind_condition, pair, scope))
		return added;
	no_memory(condition);
	return NULL;
}

const struct ab_resource *ab_app_add_condition(
        const struct ab_condition *condition, struct ab_dispatcher *dispatcher, struct ab_scope *scope)
{
	const struct ab_resource *added = NULL;
	struct ab_scope own;

	if (scope != NULL)
		return add(condition, dispatcher, scope, false);
	ab_scope_init(&own, condition->owner, condition->diags);
	if (declare(condition, &own))
		added = add(condition, dispatcher, &own, true);
	ab_scope_fini(&own);
	return added;
}
