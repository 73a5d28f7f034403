/* server/app_nested.c: the plans of nested runs, for the kind `call`.
 *
 * A call's plan can be made only when all that it runs has been compiled, other calls included. So calls are
 * put off until the rest of the app is there, and then compiled as they rest on each other; a circle of calls
 * would never end, and is a mistake. */
#include "app_parts.h"

#include "../dispatch/table.h"
#include "../handlers/carry.h"
#include "../handlers/kinds.h"
#include "../handlers/nested.h"
#include "source_check.h"

#include <string.h>

enum progress { WAITING, OPEN, DONE };

struct ab_pending {
	struct ab_pending *next;
	struct ab_app_source *in;
	const struct ab_conf_pair *pair;
	enum progress progress;
};

/* ---- putting off ---- */

bool ab_app_postpone(
        struct ab_app *app, struct ab_app_source *in, const struct ab_conf_pair *pair, bool *ret_ok)
{
	struct ab_pending **end = &app->parts->pending, *pending;

	*ret_ok = true;
	if (pair->value->type != AB_CONF_MAP || ab_conf_get(pair->value, ab_kind_call.name) == NULL)
		return false;
	pending = calloc(1, sizeof(*pending));
	if (pending == NULL) {
		*ret_ok = false;
		return false;
	}
	*pending = (struct ab_pending){.in = in, .pair = pair};
	while (*end != NULL)
		end = &(*end)->next;
	*end = pending;
	return true;
}

static void compile_pending(struct ab_app *app, struct ab_pending *pending, struct ab_diags *diags)
{
	pending->progress = OPEN;
	app->parts->n_open++;
	ab_app_add_resource(app, pending->in->source, pending->in->dispatcher, pending->pair, diags);
	app->parts->n_open--;
	pending->progress = DONE;
}

void ab_app_compile_postponed(struct ab_app *app, struct ab_diags *diags)
{
	for (struct ab_pending *pending = app->parts->pending; pending != NULL; pending = pending->next)
		if (pending->progress == WAITING)
			compile_pending(app, pending, diags);
}

void ab_app_free_postponed(struct ab_app *app)
{
	struct ab_pending *pending = app->parts->pending, *next;

	for (; pending != NULL; pending = next) {
		next = pending->next;
		free(pending);
	}
	app->parts->pending = NULL;
}

/* ---- compiling first what a plan rests on ---- */

struct reach {
	struct ab_app *app;
	struct ab_compile *compile;
	struct ab_table seen;
	const char **stack;
	size_t depth, size;
};

static bool reach_push(struct reach *reach, const char *name)
{
	if (ab_table_get(&reach->seen, name) >= 0)
		return true;
	if (reach->depth == reach->size) {
		size_t size = reach->size == 0 ? 32 : 2 * reach->size;
		const char **stack = reallocarray(reach->stack, size, sizeof(*stack));

		if (stack == NULL)
			return false;
		reach->stack = stack;
		reach->size = size;
	}
	if (!ab_table_add(&reach->seen, name, 0))
		return false;
	reach->stack[reach->depth++] = name;
	return true;
}

/* The call of that name, if it is one. False: it is being compiled just now, so this leads back to it. */
static bool reach_calls(struct reach *reach, const char *name)
{
	struct ab_compile *compile = reach->compile;
	const struct ab_source *top = ab_sources_top(reach->app->parts->sources);

	for (struct ab_pending *pending = reach->app->parts->pending; pending != NULL;
	        pending = pending->next) {
		/* Another file may have put something else in its place. */
		if (strcmp(pending->pair->key, name) != 0 ||
		        ab_source_find(top, "resources", name, NULL) != pending->pair)
			continue;
		if (pending->progress == WAITING && reach->app->parts->n_open == AB_CALL_DEEPEST) {
			ab_call_too_deep(compile);
			return false;
		}
		if (pending->progress == WAITING)
			compile_pending(reach->app, pending, compile->diags);
		if (pending->progress == DONE)
			continue;
		ab_diag(compile->diags, compile->value->pos,
		        "the calls run in a circle: '%.60s' calls '%.60s', which rests on '%.60s'",
		        compile->name, compile->value->u.string.text, name);
		return false;
	}
	return true;
}

static bool reach_needs(struct reach *reach, const char *name)
{
	const struct ab_resource *resource = ab_dispatcher_find(reach->app->dispatcher, name);
	bool ok = true;

	for (size_t i = 0; resource != NULL && i < resource->n_needs; i++)
		ok &= reach_push(reach, resource->needs[i]);
	if (resource != NULL && resource->fallback_resource != NULL)
		ok &= reach_push(reach, resource->fallback_resource);
	return ok;
}

static bool reach_all(struct reach *reach, const char *name, struct ab_names given)
{
	bool ok = true;

	for (size_t i = 0; ok && i < given.count; i++)
		ok = ab_table_get(&reach->seen, given.list[i]) >= 0 ||
		     ab_table_add(&reach->seen, given.list[i], 0);
	ok = ok && reach_push(reach, name);
	while (ok && reach->depth > 0) {
		name = reach->stack[--reach->depth];
		if (!reach_calls(reach, name))
			return false;
		ok = reach_needs(reach, name);
	}
	if (!ok)
		ab_diag(reach->compile->diags, reach->compile->value->pos, "out of memory");
	return ok;
}

static bool compile_first(
        struct ab_app *app, struct ab_compile *compile, const char *name, struct ab_names given)
{
	struct reach reach = {.app = app, .compile = compile};
	bool ok = reach_all(&reach, name, given);

	ab_table_fini(&reach.seen);
	free(reach.stack);
	return ok;
}

/* ---- the plan ---- */

static void mistake(struct ab_compile *compile, const char *name, const struct ab_error *err)
{
	if (err->code == AB_EUNRESOLVABLE && err->resource != NULL)
		ab_diag(compile->diags, compile->value->pos,
		        "call: in a run of '%.60s', %s; what the request gives is not known there, expected it under "
		        "`given`, as in given: {name: \"{name}\"}",
		        name, err->text);
	else
		ab_diag(compile->diags, compile->value->pos, "call: %s", err->text);
}

/* What the plan uses of `request`, the call uses. */
static bool use_request(struct ab_app *app, struct ab_compile *compile, const struct ab_plan *plan)
{
	for (size_t i = 0; i < ab_plan_size(plan); i++) {
		const struct ab_resource *resource = ab_plan_node(plan, (int)i)->resource;
		const struct ab_app_resource *known = resource != NULL ? ab_app_find(app, resource) : NULL;

		for (size_t k = 0; known != NULL && k < known->scope.n_request_paths; k++)
			if (!ab_scope_use_request(
			            compile->scope, known->scope.request_paths[k], compile->value->pos))
				return false;
	}
	return true;
}

struct ab_plan *ab_app_nested_plan(
        struct ab_app *app, struct ab_compile *compile, const char *name, struct ab_names given)
{
	static const char *const reserved[] = {"request", "error", "given"};
	struct ab_plan_spec spec = {
	        .dispatcher = app->dispatcher,
	        .targets = {&name, 1},
	        .given = given,
	        .reserved = {reserved, AB_COUNT(reserved)},
	};
	struct ab_plan *plan = NULL;
	struct ab_error err;
	size_t mistakes = ab_diags_mistakes(compile->diags);

	if (!compile_first(app, compile, name, given))
		return NULL;
	if (ab_plan_compile(&spec, &plan, &err) != AB_OK) {
		/* What has been said of what it calls would only be said again. */
		if (ab_diags_mistakes(compile->diags) == mistakes)
			mistake(compile, name, &err);
		return NULL;
	}
	if (use_request(app, compile, plan))
		return plan;
	ab_plan_destroy(plan);
	return NULL;
}

/* ---- uses of what is given, as it comes ---- */

static bool comes_raw(const struct ab_plan *plan, int slot, int from, enum ab_raw kind, const bool *carried)
{
	if (slot < 0)
		return false;
	if (kind == AB_RAW_HTML)
		return carried[slot];
	return slot == from || ab_plan_depends(plan, slot, from);
}

static bool note_raw(struct ab_scope *scope, const struct ab_scope_raw *raw, const bool *needs)
{
	size_t count = scope->n_needs;
	bool ok = true;

	for (size_t n = 0; n < count; n++)
		if (needs[n])
			ok &= ab_scope_note_raw(scope, raw->kind, (unsigned)n, raw->pos);
	return ok;
}

bool ab_app_nested_raws(struct ab_app *app, struct ab_compile *compile, const struct ab_plan *plan, int slot,
        const bool *needs)
{
	size_t size = ab_plan_size(plan);
	bool *carried = calloc(size, sizeof(*carried)), ok = carried != NULL;

	if (!ok) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return false;
	}
	carried[slot] = true;
	ab_carry(plan, carried);
	for (size_t i = 0; i < size; i++) {
		const struct ab_resource *resource = ab_plan_node(plan, (int)i)->resource;
		const struct ab_app_resource *known = resource != NULL ? ab_app_find(app, resource) : NULL;

		for (size_t k = 0; known != NULL && k < known->scope.n_raws; k++) {
			const struct ab_scope_raw *raw = &known->scope.raws[k];
			int used = ab_plan_slot(plan, known->scope.needs[raw->need]);

			if (comes_raw(plan, used, slot, raw->kind, carried))
				ok &= note_raw(compile->scope, raw, needs);
		}
	}
	free(carried);
	return ok;
}
