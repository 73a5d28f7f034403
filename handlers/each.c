/* handlers/each.c: `each`: a resource run once for each item of a list, so many at a time.
 *
 *   start --list--> item runs, up to `concurrency` at a time --all have a value--> the list of them
 *                        `--one fails, or the call is cancelled: the others are cancelled--> failure
 *
 * An item is a run of a plan of its own, in which the resource stands alone and everything it needs is given:
 * its fallback, `optional` and so on are the engine's business there as anywhere. The name of the item is
 * need 0 of the resource; the needs of the whole are the others, in the same order. */
#include "nested.h"

#include "placeholder.h"

#include <string.h>

struct give {
	int slot;
	unsigned need; /* of the resource as run for an item: 0 is the item */
};

struct each_config {
	struct ab_structure *list;
	struct ab_dispatcher *dispatcher;
	struct ab_plan *plan;
	const struct ab_resource *inner;
	int slot;
	struct ab_each_spec spec;
	char *as;
	unsigned n_needs; /* of the resource as run for an item */
	unsigned n_gives;
	struct give gives[];
};

struct item {
	struct each *each;
	struct ab_run *run; /* NULL: free */
	size_t index;
	bool starting; /* inside ab_run_start */
};

struct each {
	struct ab_call *call;
	json_t **needs; /* of an item: [0] is its own, [1] on the call's */
	json_t *list;
	json_t **values;
	size_t count, next, running;
	bool over, pumping;
	bool degraded;
	struct ab_error cause;
	struct ab_deadline pause; /* armed: goes on in a later turn of the loop */
	struct item items[];      /* `concurrency` of them, or as many as the list is long */
};

/* ---- the end ---- */

static void each_drop(struct each *each)
{
	each->over = true;
	ab_deadline_disarm(&each->pause);
	for (size_t i = 0; i < each->count; i++)
		json_decref(each->values[i]);
	json_decref(each->list);
}

/* Nothing of this call goes on. An item that is just being started is let go by item_start. */
static void each_stop(struct each *each)
{
	const struct each_config *config = each->call->resource->config;
	size_t n = each->count < config->spec.concurrency ? each->count : config->spec.concurrency;

	each_drop(each);
	for (size_t i = 0; i < n; i++) {
		struct ab_run *run = each->items[i].run;

		if (run == NULL)
			continue;
		ab_run_cancel(run);
		if (each->items[i].starting)
			continue;
		each->items[i].run = NULL;
		ab_nested_release(run);
	}
}

static void each_fail(struct each *each, const struct ab_error *err)
{
	each_stop(each);
	each->call->state = NULL;
	ab_call_fail(each->call, err);
}

static void each_finish(struct each *each)
{
	json_t *list = json_array();
	struct ab_call *call = each->call;

	for (size_t i = 0; list != NULL && i < each->count; i++) {
		if (json_array_append(list, each->values[i]) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	each_drop(each);
	call->state = NULL;
	if (each->degraded)
		ab_call_resolve_degraded_new(call, list, &each->cause);
	else
		ab_call_resolve_new(call, list);
}

/* ---- items ---- */

static void item_end(struct item *item)
{
	struct each *each = item->each;
	const struct each_config *config = each->call->resource->config;
	struct ab_run *run = item->run;
	struct ab_error err;
	json_t *value = ab_nested_value(run, config->slot, config->inner->name, &err);

	if (value != NULL && !each->degraded && ab_nested_degraded(run, &each->cause)) {
		each->degraded = true;
		ab_error_prefix(&each->cause, "item %zu", item->index);
	}
	item->run = NULL;
	each->running--;
	ab_nested_release(run);
	if (value != NULL) {
		each->values[item->index] = value;
		return;
	}
	ab_error_prefix(&err, "item %zu", item->index);
	each_fail(each, &err);
}

static void each_pump(struct each *each);

static void item_on_done(struct ab_run *run, void *arg)
{
	struct item *item = arg;
	struct each *each = item->each;
	struct ab_arena *arena = ab_arena_ref(each->call->arena);

	(void)run;
	item_end(item);
	each_pump(each);
	ab_arena_unref(arena);
}

static void item_start(struct each *each, struct item *item)
{
	const struct each_config *config = each->call->resource->config;
	struct ab_run *run = ab_nested_create(each->call, config->plan);
	struct ab_error err;
	enum ab_code code;

	if (run == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		each_fail(each, &err);
		return;
	}
	each->needs[0] = json_array_get(each->list, each->next);
	for (unsigned i = 0; i < config->n_gives; i++)
		ab_run_give_new(run, config->gives[i].slot, json_incref(each->needs[config->gives[i].need]));
	*item = (struct item){.each = each, .run = run, .index = each->next++, .starting = true};
	each->running++;
	code = ab_run_start(run, item_on_done, item);
	item->starting = false;
	if (each->over)
		ab_nested_release(run);
	else if (code != AB_PENDING)
		item_end(item);
}

static struct item *item_free(struct each *each)
{
	struct item *item = each->items;

	while (item->run != NULL)
		item++;
	return item;
}

static void each_on_paused(struct ab_deadline *pause)
{
	struct each *each = ab_container_of(pause, struct each, pause);
	struct ab_arena *arena = ab_arena_ref(each->call->arena);

	each_pump(each);
	ab_arena_unref(arena);
}

/* Start items while there are some and there is room; an item that ends at once makes room. */
static void each_pump(struct each *each)
{
	const struct each_config *config = each->call->resource->config;

	if (each->over || each->pumping || ab_deadline_armed(&each->pause))
		return;
	each->pumping = true;
	while (!each->over && each->next < each->count && each->running < config->spec.concurrency &&
	        !ab_nested_put_off(each->call, &each->pause, each_on_paused))
		item_start(each, item_free(each));
	each->pumping = false;
	if (!each->over && each->running == 0 && each->next == each->count)
		each_finish(each);
}

/* ---- the call ---- */

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_STRING:
		return "a text";
	case JSON_NULL:
		return "null";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	default:
		return "a number";
	}
}

/* The list, checked; a new reference. NULL with err filled. */
static json_t *each_list(const struct ab_call *call, json_t **needs, struct ab_error *err)
{
	const struct each_config *config = call->resource->config;
	struct ab_call inner = *call;
	json_t *list;

	inner.needs = needs;
	list = ab_structure_fill(config->list, &inner, err);
	if (list == NULL)
		return NULL;
	if (!json_is_array(list))
		ab_error_set(err, AB_EINVALID, "each: the list is %s; expected a list", type_name(list));
	else if (json_array_size(list) > config->spec.max)
		ab_error_set(err, AB_EINVALID, "each: %zu items, and max is %u", json_array_size(list),
		        config->spec.max);
	else
		return list;
	json_decref(list);
	return NULL;
}

static struct each *each_create(struct ab_call *call, json_t **needs, json_t *list)
{
	const struct each_config *config = call->resource->config;
	size_t count = json_array_size(list);
	size_t slots = count < config->spec.concurrency ? count : config->spec.concurrency;
	struct each *each = ab_arena_calloc(call->arena, 1, sizeof(*each) + slots * sizeof(each->items[0]));

	if (each == NULL)
		return NULL;
	each->values = ab_arena_calloc(call->arena, count, sizeof(json_t *));
	if (each->values == NULL)
		return NULL;
	each->call = call;
	each->needs = needs;
	each->list = list;
	each->count = count;
	return each;
}

static void each_start(struct ab_call *call)
{
	const struct each_config *config = call->resource->config;
	json_t **needs = ab_arena_alloc(call->arena, config->n_needs * sizeof(*needs)), *list = NULL;
	struct each *each = NULL;
	struct ab_error err;

	call->state = NULL;
	ab_error_set(&err, AB_ENOMEM, "out of memory");
	if (needs != NULL) {
		needs[0] = json_null();
		memcpy(needs + 1, call->needs, (config->n_needs - 1) * sizeof(*needs));
		list = each_list(call, needs, &err);
	}
	if (list != NULL)
		each = each_create(call, needs, list);
	if (each == NULL) {
		json_decref(list);
		ab_call_fail(call, &err);
		return;
	}
	call->state = each;
	each_pump(each);
}

static void each_cancel(struct ab_call *call)
{
	struct ab_error err;

	if (call->state == NULL)
		return;
	ab_error_set(&err, AB_ECANCELED, "canceled");
	each_fail(call->state, &err);
}

static void each_free(void *arg)
{
	struct each_config *config = arg;

	if (config == NULL)
		return;
	ab_plan_destroy(config->plan);
	ab_dispatcher_destroy(config->dispatcher);
	ab_structure_destroy(config->list);
	free(config->as);
	free(config);
}

static const struct ab_handler each_handler = {
        .kind = "each", .start = each_start, .cancel = each_cancel, .free = each_free};

/* ---- compiling ---- */

bool ab_each_begin(struct ab_scope *scope, const char *as, struct ab_pos pos)
{
	unsigned need;

	ab_assert(scope->n_needs == 0);
	scope->n_declared = 1;
	return ab_scope_need(scope, as, pos, &need);
}

static struct ab_structure *compile_list(
        struct ab_scope *scope, const struct ab_conf *list, struct ab_diags *diags)
{
	struct ab_structure *structure;
	char is[80];

	if (list->type != AB_CONF_LIST && list->type != AB_CONF_STRING) {
		if (!list->refused)
			ab_diag(diags, list->pos,
			        "each is %s; expected a list, or a placeholder in quotes as in each: \"{items}\"",
			        ab_conf_describe(list, is, sizeof(is)));
		return NULL;
	}
	structure = ab_structure_compile(scope, list);
	if (structure == NULL || list->type == AB_CONF_LIST || ab_structure_alone(structure))
		return structure;
	ab_diag(diags, list->pos,
	        "each is a text; expected a list, or one placeholder in quotes as in each: \"{items}\"");
	ab_structure_destroy(structure);
	return NULL;
}

/* A plan in which the resource stands alone: all it needs is given, but for what is in its dispatcher. */
static enum ab_code compile_plan(
        struct each_config *config, const char *name, const struct ab_scope *scope, struct ab_error *err)
{
	const char *targets[] = {name};
	struct ab_plan_spec spec = {.dispatcher = config->dispatcher, .targets = {targets, 1}};
	const char **given = calloc(scope->n_needs, sizeof(*given));
	enum ab_code code;

	if (given == NULL)
		return ab_error_set(err, AB_ENOMEM, "out of memory");
	spec.given.list = given;
	for (size_t i = 0; i < scope->n_needs; i++)
		if (ab_dispatcher_find(config->dispatcher, scope->needs[i]) == NULL)
			given[spec.given.count++] = scope->needs[i];
	code = ab_plan_compile(&spec, &config->plan, err);
	free(given);
	if (code != AB_OK)
		return code;
	config->slot = ab_plan_slot(config->plan, name);
	config->inner = ab_plan_node(config->plan, config->slot)->resource;
	for (size_t i = 0; i < scope->n_needs; i++) {
		int slot = ab_plan_slot(config->plan, scope->needs[i]);

		if (slot >= 0 && ab_plan_node(config->plan, slot)->resource == NULL)
			config->gives[config->n_gives++] = (struct give){slot, (unsigned)i};
	}
	return AB_OK;
}

/* The item is nobody's need but the resource's own: what the list is made of stands for it. */
static bool drop_item(struct each_config *config, struct ab_scope *scope, const struct ab_each_spec *spec,
        struct ab_diags *diags)
{
	bool *used = calloc(scope->n_needs, sizeof(*used)), own;

	if (used == NULL) {
		ab_diag(diags, spec->list->pos, "out of memory");
		return false;
	}
	ab_structure_needs(config->list, used);
	own = used[0];
	if (own)
		ab_diag(diags, spec->list->pos, "each can't use '%s', which stands for its own items",
		        spec->as);
	else
		own = !ab_scope_drop_first(scope, used);
	free(used);
	return !own;
}

/* The condition is its last need, and in its dispatcher: nobody else knows of it. */
static enum ab_code add_inner(struct each_config *config, const struct ab_resource *resource,
        const struct ab_resource *condition, struct ab_error *err)
{
	struct ab_resource inner = *resource;
	const char **needs;
	enum ab_code code;

	if (condition == NULL)
		return ab_dispatcher_add(config->dispatcher, resource, err);
	needs = calloc(resource->n_needs + 1, sizeof(*needs));
	if (needs != NULL)
		memcpy(needs, resource->needs, resource->n_needs * sizeof(*needs));
	else
		inner.n_needs = 0; /* it is taken all the same */
	if (needs != NULL)
		needs[inner.n_needs++] = condition->name;
	inner.needs = needs;
	inner.conditional = needs != NULL;
	code = ab_dispatcher_add(config->dispatcher, &inner, err);
	free(needs);
	return needs == NULL && code == AB_OK ? ab_error_set(err, AB_ENOMEM, "out of memory") : code;
}

/* An item may be called as its resource is (a user of users): then the resource has another name inside. */
static enum ab_code add_and_plan(struct each_config *config, const struct ab_resource *resource,
        const struct ab_each_spec *spec, const struct ab_scope *scope, struct ab_error *err)
{
	struct ab_resource named = *resource;
	char *other = NULL;
	enum ab_code code;

	if (strcmp(spec->as, resource->name) == 0 && asprintf(&other, "each %s", resource->name) >= 0)
		named.name = other;
	code = add_inner(config, &named, spec->condition, err);
	if (code == AB_OK)
		code = compile_plan(config, named.name, scope, err);
	free(other);
	return code;
}

static bool compile(struct each_config *config, struct ab_scope *scope, const struct ab_each_spec *spec,
        const struct ab_resource *resource, struct ab_diags *diags)
{
	struct ab_error err;
	enum ab_code code = add_and_plan(config, resource, spec, scope, &err);

	config->spec = (struct ab_each_spec){
	        .concurrency = spec->concurrency, .max = spec->max, .condition = spec->condition};
	config->spec.as = config->as = strdup(spec->as);
	config->n_needs = (unsigned)scope->n_needs;
	if (code == AB_OK && config->as == NULL)
		code = ab_error_set(&err, AB_ENOMEM, "out of memory");
	if (code == AB_OK)
		return drop_item(config, scope, spec, diags);
	ab_diag(diags, spec->list->pos, "%s", err.text);
	return false;
}

/* How long the longest list may take; lists in lists of lists are not worth exact centuries. */
static uint64_t whole_ms(uint64_t item_ms, const struct ab_each_spec *spec)
{
	const uint64_t most = UINT64_C(366) * 24 * 3600 * 1000;
	uint64_t rounds = (spec->max - 1) / spec->concurrency + 1;

	return item_ms > most / rounds ? most : item_ms * rounds;
}

/* What is left of `resource` is the whole's. */
static void resource_reset(
        struct ab_resource *resource, const struct ab_scope *scope, const struct ab_each_spec *spec)
{
	*resource = (struct ab_resource){
	        .name = resource->name,
	        .handler = &each_handler,
	        .needs = scope->needs,
	        .n_needs = scope->n_needs,
	        .writes = resource->writes,
	        .timeout_ms = whole_ms(resource->timeout_ms, spec),
	};
}

bool ab_each_end(struct ab_scope *scope, const struct ab_each_spec *spec, struct ab_dispatcher *inner,
        struct ab_resource *resource, struct ab_diags *diags)
{
	struct each_config *config = NULL;
	struct ab_structure *list;
	bool ok;

	resource->needs = scope->needs;
	resource->n_needs = scope->n_needs;
	list = compile_list(scope, spec->list, diags);
	resource->needs = scope->needs; /* the list's own may have moved them */
	if (list != NULL)
		config = calloc(1, sizeof(*config) + scope->n_needs * sizeof(config->gives[0]));
	if (config == NULL) {
		if (list != NULL)
			ab_diag(diags, spec->list->pos, "out of memory");
		if (resource->handler->free != NULL)
			resource->handler->free(resource->config);
		json_decref(resource->fallback);
		ab_structure_destroy(list);
		ab_dispatcher_destroy(inner);
		resource_reset(resource, scope, spec);
		return false;
	}
	config->list = list;
	config->dispatcher = inner;
	ok = compile(config, scope, spec, resource, diags);
	resource_reset(resource, scope, spec);
	if (ok)
		resource->config = config;
	else
		each_free(config);
	return ok;
}

/* ---- looking inside ---- */

const struct ab_resource *ab_each_inner(const struct ab_resource *resource)
{
	const struct each_config *config = resource->config;

	return resource->handler == &each_handler ? config->inner : resource;
}

const struct ab_each_spec *ab_each_spec(const struct ab_resource *resource)
{
	const struct each_config *config = resource->config;

	return resource->handler == &each_handler ? &config->spec : NULL;
}
