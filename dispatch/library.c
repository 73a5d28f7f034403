/* dispatch/library.c: dispatchers of C functions for any program: anabranch.h's second half.
 *
 * A callable keeps the plan of its last set of given names. A run lives in its own arena, as the engine has
 * it; what a caller holds (struct anabranch_run) lives there too. */
#include "library.h"

#include "alloc.h"

#include <string.h>

struct hook {
	struct hook *next;
	anabranch_error_cb fn;
	void *arg;
};

struct anabranch {
	struct ab_dispatcher *dispatcher;
	struct hook *hooks, **hooks_tail;
	struct ab_library_loop *loop;
	struct ab_pool pool;
	bool checked;
};

struct anabranch_callable {
	struct anabranch *top;
	struct ab_dispatcher *outer; /* of a wrapped function, which is alone in it; or NULL */
	char *name;
	struct ab_plan *plan; /* for the names that were given last, or NULL */
	char **names;
	size_t n_names;
	size_t runs; /* that use the plan */
	bool ended;  /* destroyed, but for those */
};

struct anabranch_run {
	struct anabranch_callable *callable;
	struct anabranch *top;
	struct ab_run *run;
	struct ab_arena *arena;
	anabranch_done_cb done;
	void *arg;
};

/* ---- errors ---- */

static enum anabranch_code failed(struct anabranch_error *ret, const struct ab_error *err)
{
	struct anabranch_error error;

	ab_error_publish(&error, err);
	if (ret != NULL)
		*ret = error;
	return error.code;
}

static enum anabranch_code no_memory(struct anabranch_error *ret)
{
	struct ab_error err;

	ab_error_set(&err, AB_ENOMEM, "out of memory");
	return failed(ret, &err);
}

static enum anabranch_code invalid(struct anabranch_error *ret, const char *fmt, ...) AB_PRINTF(2, 3);
static enum anabranch_code invalid(struct anabranch_error *ret, const char *fmt, ...)
{
	struct ab_error err;
	va_list args;

	va_start(args, fmt);
	ab_error_setv(&err, AB_EINVALID, fmt, args);
	va_end(args);
	failed(ret, &err);
	if (ret != NULL)
		ret->code = ANABRANCH_INVALID;
	return ANABRANCH_INVALID;
}

static char *text_copy(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = ab_malloc(size);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
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
	ab_function_begin(call, call->resource->config, needs_of(call), NULL);
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
		return invalid(err, "'%s' is no function that can be added", name);
	if (function->name == NULL || !ab_function_name_valid(function->name))
		return invalid(err,
		        "'%s' can't be the name of a resource; expected letters, digits and _, not a digit first",
		        name);
	for (unsigned i = 0; i < function->n_needs; i++)
		if (!ab_function_name_valid(function->needs[i]))
			return invalid(err,
			        "'%s', which resource '%s' needs, can't be the name of a resource; expected letters, digits "
			        "and _%s",
			        function->needs[i], name,
			        strpbrk(function->needs[i], ".[") != NULL
			                ? " (a path is for modules of an app)"
			                : "");
	return ANABRANCH_OK;
}

/* The names are copied by the dispatcher, next to the resource; the config's point there. */
static enum anabranch_code add_to(struct anabranch *owner, struct ab_dispatcher *to,
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
		return no_memory(err);
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
		return failed(err, &error);
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
		struct hook *hook = d->hooks;

		d->hooks = hook->next;
		ab_free(hook);
	}
	ab_pool_fini(&d->pool);
	ab_free(d);
}

enum anabranch_code anabranch_add(
        struct anabranch *d, const struct anabranch_function *function, struct anabranch_error *err)
{
	return add_to(d, d->dispatcher, function, err);
}

enum anabranch_code anabranch_include(
        struct anabranch *d, struct anabranch *other, struct anabranch_error *err)
{
	struct ab_error error;

	if (ab_dispatcher_include(d->dispatcher, other->dispatcher, &error) != AB_OK)
		return failed(err, &error);
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

static enum ab_verdict hook_ask(
        void *arg, const struct ab_resource *resource, struct ab_error *err, json_t **ret_value)
{
	const struct hook *hook = arg;
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
	struct hook *hook = ab_calloc(1, sizeof(*hook));
	struct ab_error error;

	if (hook == NULL)
		return no_memory(err);
	hook->fn = handler;
	hook->arg = arg;
	if (ab_dispatcher_on_error(d->dispatcher, hook_ask, hook, &error) != AB_OK) {
		ab_free(hook);
		return failed(err, &error);
	}
	*d->hooks_tail = hook;
	d->hooks_tail = &hook->next;
	return ANABRANCH_OK;
}

/* ---- callables ---- */

static void forget_plan(struct anabranch_callable *c)
{
	ab_plan_destroy(c->plan);
	c->plan = NULL;
	for (size_t i = 0; i < c->n_names; i++)
		ab_free(c->names[i]);
	ab_free(c->names);
	c->names = NULL;
	c->n_names = 0;
}

void anabranch_callable_destroy(struct anabranch_callable *c)
{
	if (c == NULL)
		return;
	c->ended = true;
	if (c->runs > 0)
		return;
	forget_plan(c);
	ab_dispatcher_destroy(c->outer);
	ab_free(c->name);
	ab_free(c);
}

static struct anabranch_callable *callable_create(struct anabranch *top, const char *name)
{
	struct anabranch_callable *c = ab_calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->top = top;
	c->name = text_copy(name);
	if (c->name != NULL)
		return c;
	ab_free(c);
	return NULL;
}

enum anabranch_code anabranch_prepare(struct anabranch *d, const char *name,
        struct anabranch_callable **ret_callable, struct anabranch_error *err)
{
	struct anabranch_callable *c = callable_create(d, name);

	if (c == NULL)
		return no_memory(err);
	*ret_callable = c;
	return ANABRANCH_OK;
}

/* A wrapped function's failure is heard of by the handlers of the dispatcher it was wrapped with; of what
 * that one has, they have heard already. */
static enum ab_verdict outer_ask(
        void *arg, const struct ab_resource *resource, struct ab_error *err, json_t **ret_value)
{
	const struct anabranch_callable *c = arg;
	const struct hook *hook = c->top->hooks;
	enum ab_verdict verdict = AB_PASS;

	if (resource != ab_dispatcher_find(c->outer, c->name))
		return AB_PASS;
	for (; hook != NULL && verdict == AB_PASS; hook = hook->next)
		verdict = hook_ask((void *)(uintptr_t)hook, resource, err, ret_value);
	return verdict;
}

/* The function's own dispatcher includes the other. */
static enum anabranch_code wrap_in(
        struct anabranch_callable *c, const struct anabranch_function *function, struct anabranch_error *err)
{
	struct ab_error error;
	enum anabranch_code code;

	c->outer = ab_dispatcher_create();
	if (c->outer == NULL)
		return no_memory(err);
	code = add_to(c->top, c->outer, function, err);
	if (code != ANABRANCH_OK)
		return code;
	if (ab_dispatcher_include(c->outer, c->top->dispatcher, &error) != AB_OK ||
	        ab_dispatcher_on_error(c->outer, outer_ask, c, &error) != AB_OK)
		return failed(err, &error);
	return ANABRANCH_OK;
}

enum anabranch_code anabranch_wrap(struct anabranch *d, const struct anabranch_function *function,
        struct anabranch_callable **ret_callable, struct anabranch_error *err)
{
	struct anabranch_callable *c = callable_create(d, function->name != NULL ? function->name : "(none)");
	enum anabranch_code code;

	if (c == NULL)
		return no_memory(err);
	code = wrap_in(c, function, err);
	if (code != ANABRANCH_OK)
		anabranch_callable_destroy(c);
	else
		*ret_callable = c;
	return code;
}

/* Whether the plan at hand is for these names. */
static bool plan_fits(const struct anabranch_callable *c, const json_t *given)
{
	if (c->plan == NULL || c->n_names != json_object_size(given))
		return false;
	for (size_t i = 0; i < c->n_names; i++)
		if (json_object_get(given, c->names[i]) == NULL)
			return false;
	return true;
}

static bool copy_names(struct anabranch_callable *c, const json_t *given)
{
	const char *name;
	json_t *value;

	c->names = ab_calloc(json_object_size(given) + 1, sizeof(*c->names));
	if (c->names == NULL)
		return false;
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		c->names[c->n_names] = text_copy(name);
		if (c->names[c->n_names] == NULL)
			return false;
		c->n_names++;
	}
	return true;
}

static enum anabranch_code make_plan(
        struct anabranch_callable *c, const json_t *given, struct anabranch_error *err)
{
	const char *target = c->name;
	struct ab_plan_spec spec = {
	        .dispatcher = c->outer != NULL ? c->outer : c->top->dispatcher,
	        .targets = {&target, 1},
	};
	struct ab_error error;

	if (given != NULL && !json_is_object(given))
		return invalid(err, "what is given is no object of names");
	if (plan_fits(c, given))
		return ANABRANCH_OK;
	if (c->runs > 0)
		return invalid(err,
		        "'%s' is being called with other names given; prepare it once more for these",
		        c->name);
	forget_plan(c);
	if (!copy_names(c, given)) {
		forget_plan(c);
		return no_memory(err);
	}
	spec.given = (struct ab_names){(const char *const *)c->names, c->n_names};
	if (ab_plan_compile(&spec, &c->plan, &error) == AB_OK)
		return ANABRANCH_OK;
	c->plan = NULL;
	forget_plan(c);
	return failed(err, &error);
}

/* ---- runs ---- */

static void run_release(void *ptr)
{
	struct anabranch_run *run = ptr;

	if (--run->callable->runs == 0 && run->callable->ended)
		anabranch_callable_destroy(run->callable);
}

static struct anabranch_run *run_create(struct anabranch_callable *c, const json_t *given)
{
	struct ab_arena *arena = ab_arena_create(&c->top->pool);
	struct anabranch_run *run = arena != NULL ? ab_arena_calloc(arena, 1, sizeof(*run)) : NULL;
	const char *name;
	json_t *value;

	if (run == NULL)
		goto failed;
	run->callable = c;
	run->top = c->top;
	run->arena = arena;
	c->runs++;
	if (!ab_arena_defer(arena, run_release, run))
		goto failed;
	run->run = ab_run_create(arena, c->plan, run);
	if (run->run == NULL)
		goto failed;
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	        ab_run_give_new(run->run, ab_plan_slot(c->plan, name), json_incref(value));
	return run;
failed:
	if (arena != NULL)
		ab_arena_unref(arena);
	return NULL;
}

/* What a finished run came to: a new reference, or NULL and the error. */
static enum anabranch_code run_outcome(
        struct anabranch_run *run, json_t **ret_value, struct anabranch_error *err)
{
	const struct ab_error *why = ab_run_error(run->run);
	struct ab_error error;
	json_t *value;

	if (why != NULL)
		return failed(err, why);
	value = ab_run_value(run->run, ab_plan_slot(run->callable->plan, run->callable->name));
	if (value == NULL) {
		ab_error_set(&error, AB_ENOMEM, "'%s': out of memory, or the text is not UTF-8",
		        run->callable->name);
		return failed(err, &error);
	}
	*ret_value = json_incref(value);
	return ANABRANCH_OK;
}

static void run_on_done(struct ab_run *inner, void *arg)
{
	struct anabranch_run *run = arg;
	struct ab_arena *arena = run->arena;
	struct anabranch_error err;
	json_t *value = NULL;

	(void)inner;
	run_outcome(run, &value, &err);
	run->done(run->arg, value, value != NULL ? NULL : &err);
	ab_arena_unref(arena);
}

enum anabranch_code anabranch_start(struct anabranch_callable *c, const json_t *given, anabranch_done_cb done,
        void *arg, json_t **ret_value, struct anabranch_run **ret_run, struct anabranch_error *err)
{
	enum anabranch_code code = make_plan(c, given, err);
	struct anabranch_run *run;

	if (code != ANABRANCH_OK)
		return code;
	run = run_create(c, given);
	if (run == NULL)
		return no_memory(err);
	run->done = done;
	run->arg = arg;
	if (ab_run_start(run->run, run_on_done, run) == AB_PENDING) {
		*ret_run = run;
		return ANABRANCH_PENDING;
	}
	code = run_outcome(run, ret_value, err);
	ab_arena_unref(run->arena);
	return code;
}

void anabranch_cancel(struct anabranch_run *run)
{
	struct ab_arena *arena = run->arena;

	ab_run_cancel(run->run);
	ab_arena_unref(arena);
}

void anabranch_expire(struct anabranch_run *run)
{
	ab_run_expire(run->run, NULL);
}

/* ---- calling and waiting ---- */

struct wait {
	bool done;
	json_t *value;
	struct anabranch_error err;
};

static void wait_on_done(void *arg, json_t *value, const struct anabranch_error *err)
{
	struct wait *wait = arg;

	wait->done = true;
	wait->value = value;
	if (err != NULL)
		wait->err = *err;
}

enum anabranch_code anabranch_callable_call(
        struct anabranch_callable *c, const json_t *given, json_t **ret_value, struct anabranch_error *err)
{
	struct wait wait = {.done = false};
	struct anabranch_run *run = NULL;
	enum anabranch_code code = anabranch_start(c, given, wait_on_done, &wait, ret_value, &run, err);

	if (code != ANABRANCH_PENDING)
		return code;
	if (c->top->loop == NULL) {
		anabranch_cancel(run);
		return invalid(err,
		        "something '%s' needs completes later, and there is no loop to wait with; expected "
		        "anabranch_attach, or anabranch_start",
		        c->name);
	}
	/* Also for what nobody waits for any more: it uses the plan. */
	while (!wait.done || c->runs > 0)
		c->top->loop->turn(c->top);
	if (wait.value == NULL) {
		if (err != NULL)
			*err = wait.err;
		return wait.err.code;
	}
	*ret_value = wait.value;
	return ANABRANCH_OK;
}

enum anabranch_code anabranch_get(struct anabranch *d, const char *name, const json_t *given,
        json_t **ret_value, struct anabranch_error *err)
{
	struct anabranch_callable *c = NULL;
	enum anabranch_code code = anabranch_prepare(d, name, &c, err);

	if (code != ANABRANCH_OK)
		return code;
	code = anabranch_callable_call(c, given, ret_value, err);
	anabranch_callable_destroy(c);
	return code;
}
