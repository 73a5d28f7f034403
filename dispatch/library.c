/* dispatch/library.c: dispatchers of C functions for any program: what anabranch.h has for making them;
 * calling is in callable.c. */
#include "library.h"

#include "alloc.h"

#include <string.h>

/* ---- errors ---- */

enum anabranch_code ab_library_failed(struct anabranch_error *ret, const struct ab_error *err)
{
	struct anabranch_error error;

	ab_error_publish(&error, err);
	if (ret != NULL)
		*ret = error;
	return error.code;
}

enum anabranch_code ab_library_no_memory(struct anabranch_error *ret)
{
	struct ab_error err;

	ab_error_set(&err, AB_ENOMEM, "out of memory");
	ab_library_failed(ret, &err);
	return ANABRANCH_NO_MEMORY;
}

enum anabranch_code ab_library_invalid(struct anabranch_error *ret, const char *fmt, ...)
{
	struct ab_error err;
	va_list args;

	va_start(args, fmt);
	ab_error_setv(&err, AB_EINVALID, fmt, args);
	va_end(args);
	ab_library_failed(ret, &err);
	if (ret != NULL)
		ret->code = ANABRANCH_INVALID;
	return ANABRANCH_INVALID;
}

/* ---- functions as resources ---- */

static void *run_loop(const struct anabranch_call *call)
{
	const struct ab_function_call *inner = ab_container_of(call, struct ab_function_call, public);
	const struct ab_library_loop *loop = ab_library_top(inner->call)->loop;

	return loop != NULL ? loop->loop : NULL;
}

static void plan_drop(void *plan)
{
	ab_plan_destroy(plan);
}

static size_t list_names(const json_t *given, const char **names)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)given, name, value) names[n++] = name;
	return n;
}

/* The plan for a name asked for in the middle of a call; lives as long as the arena. */
static struct ab_plan *nested_plan(
        struct ab_function_call *inner, const char *name, const json_t *given, struct ab_error *err)
{
	struct ab_arena *arena = inner->call->arena;
	const char **names = ab_arena_alloc(arena, (json_object_size(given) + 1) * sizeof(*names));
	struct ab_plan_spec spec = {
	        .dispatcher = ab_library_top(inner->call)->dispatcher,
	        .targets = {&name, 1},
	        .given = {names, 0},
	};
	struct ab_plan *plan;

	if (names == NULL) {
		ab_error_set(err, AB_ENOMEM, "out of memory");
		return NULL;
	}
	spec.given.count = list_names(given, names);
	if (ab_plan_compile(&spec, &plan, err) != AB_OK)
		return NULL;
	if (ab_arena_defer(arena, plan_drop, plan))
		return plan;
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return NULL;
}

static void run_resolve(
        struct anabranch_call *call, const char *name, json_t *given, anabranch_resolved_cb done, void *arg)
{
	struct ab_function_call *inner = ab_function_call_of(call);
	struct ab_error err;
	struct ab_plan *plan = nested_plan(inner, name, given, &err);

	if (plan != NULL) {
		ab_function_nest(inner, plan, name, inner->call->context, given, done, arg);
		return;
	}
	json_decref(given);
	ab_function_refuse(inner, &err, done, arg);
}

static const struct anabranch_host host = {
        .size = sizeof(host),
        .complete = ab_function_complete,
        .wanted = ab_function_wanted,
        .loop = run_loop,
        .resolve = run_resolve,
};

/* json_t *const * to const json_t *const *, which C wants spelt out. */
static const json_t *const *needs_of(const struct ab_call *call)
{
	return (const json_t *const *)call->needs;
}

static void plain_start(struct ab_call *call)
{
	ab_function_run(call, call->resource->config, needs_of(call));
}

static void async_start(struct ab_call *call)
{
	ab_function_begin(call, call->resource->config, needs_of(call), 0, NULL);
}

/* Without a loop there are no threads either: who calls is who waits. */
static void blocking_start(struct ab_call *call)
{
	struct anabranch *top = ab_library_top(call);

	call->state = NULL;
	if (top->loop != NULL)
		top->loop->offload(top, call, call->resource->config);
	else
		ab_function_run(call, call->resource->config, needs_of(call));
}

static void blocking_cancel(struct ab_call *call)
{
	struct anabranch *top = ab_library_top(call);

	if (top->loop != NULL)
		top->loop->cancel(call);
}

static void function_free(void *config)
{
	ab_free(config);
}

static const struct ab_handler handlers[] = {
        [ANABRANCH_AT_ONCE] = {.kind = "function", .start = plain_start, .free = function_free},
        [ANABRANCH_BLOCKING] = {.kind = "function",
                .start = blocking_start,
                .cancel = blocking_cancel,
                .free = function_free},
        [ANABRANCH_ASYNC] = {.kind = "function",
                .start = async_start,
                .cancel = ab_function_cancel,
                .free = function_free},
};

static enum anabranch_code check_function(
        const struct anabranch_function *function, struct anabranch_error *err)
{
	const char *name = function->name != NULL ? function->name : "(none)";

	if (function->start == NULL || (unsigned)function->how >= AB_COUNT(handlers))
		return ab_library_invalid(err, "'%s' is no function that can be added", name);
	if (function->name == NULL || !ab_function_name_valid(function->name))
		return ab_library_invalid(err,
		        "'%s' can't be the name of a resource; expected letters, digits and _, not a digit first",
		        name);
	for (unsigned i = 0; i < function->n_needs; i++)
		if (!ab_function_name_valid(function->needs[i]))
			return ab_library_invalid(err,
			        "'%s', which resource '%s' needs, can't be the name of a resource; expected letters, digits "
			        "and _%s",
			        function->needs[i], name,
			        strpbrk(function->needs[i], ".[") != NULL
			                ? " (a path is for modules of an app)"
			                : "");
	return ANABRANCH_OK;
}

/* The names are copied by the dispatcher, next to the resource; the config's point there. */
enum anabranch_code ab_library_add(struct anabranch *owner, struct ab_dispatcher *to,
        const struct anabranch_function *function, struct anabranch_error *err)
{
	enum anabranch_code code = check_function(function, err);
	struct ab_function *config;
	const struct ab_resource *added;
	struct ab_error error;

	if (code != ANABRANCH_OK)
		return code;
	config = ab_calloc(1, sizeof(*config));
	if (config == NULL)
		return ab_library_no_memory(err);
	config->spec = *function;
	config->host = &host;
	config->checked = owner->checked;
	if (ab_dispatcher_add(to,
	            &(struct ab_resource){.name = function->name,
	                    .handler = &handlers[function->how],
	                    .config = config,
	                    .needs = function->needs,
	                    .n_needs = function->n_needs},
	            &error) != AB_OK)
		return ab_library_failed(err, &error);
	added = ab_dispatcher_find(to, function->name);
	config->spec.name = added->name;
	config->spec.needs = added->needs;
	return ANABRANCH_OK;
}

/* ---- dispatchers ---- */

struct anabranch *anabranch_create(void)
{
	struct anabranch *d = ab_calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->dispatcher = ab_dispatcher_create();
	if (d->dispatcher == NULL) {
		ab_free(d);
		return NULL;
	}
	d->hooks_tail = &d->hooks;
	ab_pool_init(&d->pool);
	return d;
}

void anabranch_destroy(struct anabranch *d)
{
	if (d == NULL)
		return;
	if (d->loop != NULL)
		d->loop->detach(d);
	ab_dispatcher_destroy(d->dispatcher);
	while (d->hooks != NULL) {
		struct ab_library_hook *hook = d->hooks;

		d->hooks = hook->next;
		ab_free(hook);
	}
	ab_pool_fini(&d->pool);
	ab_free(d);
}

enum anabranch_code anabranch_add(
        struct anabranch *d, const struct anabranch_function *function, struct anabranch_error *err)
{
	return ab_library_add(d, d->dispatcher, function, err);
}

enum anabranch_code anabranch_include(
        struct anabranch *d, struct anabranch *other, struct anabranch_error *err)
{
	struct ab_error error;

	if (ab_dispatcher_include(d->dispatcher, other->dispatcher, &error) != AB_OK)
		return ab_library_failed(err, &error);
	return ANABRANCH_OK;
}

void anabranch_check_results(struct anabranch *d, int on)
{
	d->checked = on != 0;
}

struct ab_library_loop *ab_library_loop(struct anabranch *d)
{
	return d->loop;
}

void ab_library_set_loop(struct anabranch *d, struct ab_library_loop *loop)
{
	d->loop = loop;
}

struct anabranch *ab_library_top(const struct ab_call *call)
{
	const struct anabranch_run *run = call->context;

	return run->top;
}

/* ---- error handlers ---- */

/* What a handler made of the error, back in the engine's terms. */
static void error_take(
        struct ab_error *err, const struct anabranch_error *before, const struct anabranch_error *told)
{
	const char *resource = err->resource;

	if (told->status == before->status && strcmp(told->message, before->message) == 0)
		return;
	if (told->status != err->status)
		ab_error_set(err, ab_status_code(told->status), "%s", told->message);
	else
		ab_error_set(err, err->code, "%s", told->message);
	if (told->status >= 400 && told->status <= 599)
		err->status = told->status;
	err->resource = resource;
}

enum ab_verdict ab_library_ask(
        void *arg, const struct ab_resource *resource, struct ab_error *err, json_t **ret_value)
{
	const struct ab_library_hook *hook = arg;
	struct anabranch_error before, told;

	err->resource = resource->name;
	ab_error_publish(&before, err);
	told = before;
	hook->fn(hook->arg, &told, ret_value);
	if (*ret_value != NULL)
		return AB_GIVE;
	error_take(err, &before, &told);
	return AB_PASS;
}

enum anabranch_code anabranch_on_error(
        struct anabranch *d, anabranch_error_cb handler, void *arg, struct anabranch_error *err)
{
	struct ab_library_hook *hook = ab_calloc(1, sizeof(*hook));
	struct ab_error error;

	if (hook == NULL)
		return ab_library_no_memory(err);
	hook->fn = handler;
	hook->arg = arg;
	if (ab_dispatcher_on_error(d->dispatcher, ab_library_ask, hook, &error) != AB_OK) {
		ab_free(hook);
		return ab_library_failed(err, &error);
	}
	*d->hooks_tail = hook;
	d->hooks_tail = &hook->next;
	return ANABRANCH_OK;
}
