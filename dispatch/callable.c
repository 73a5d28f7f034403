/* dispatch/callable.c: calling what a dispatcher has, by name or through a wrapped function.
 *
 * A callable keeps the plan of its last set of given names. A run lives in its own arena, as the engine has
 * it; what a caller holds (struct anabranch_run) lives there too. */
#include "library.h"

#include "alloc.h"

#include <string.h>

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

/* ---- callables ---- */

static char *text_copy(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = ab_malloc(size);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

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
		return ab_library_no_memory(err);
	*ret_callable = c;
	return ANABRANCH_OK;
}

/* A wrapped function's failure is heard of by the handlers of the dispatcher it was wrapped with; of what
 * that one has, they have heard already. */
static enum ab_verdict outer_ask(
        void *arg, const struct ab_resource *resource, struct ab_error *err, json_t **ret_value)
{
	const struct anabranch_callable *c = arg;
	const struct ab_library_hook *hook = c->top->hooks;
	enum ab_verdict verdict = AB_PASS;

	if (resource != ab_dispatcher_find(c->outer, c->name))
		return AB_PASS;
	for (; hook != NULL && verdict == AB_PASS; hook = hook->next)
		verdict = ab_library_ask((void *)(uintptr_t)hook, resource, err, ret_value);
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
		return ab_library_no_memory(err);
	code = ab_library_add(c->top, c->outer, function, err);
	if (code != ANABRANCH_OK)
		return code;
	if (ab_dispatcher_include(c->outer, c->top->dispatcher, &error) != AB_OK ||
	        ab_dispatcher_on_error(c->outer, outer_ask, c, &error) != AB_OK)
		return ab_library_failed(err, &error);
	return ANABRANCH_OK;
}

enum anabranch_code anabranch_wrap(struct anabranch *d, const struct anabranch_function *function,
        struct anabranch_callable **ret_callable, struct anabranch_error *err)
{
	struct anabranch_callable *c = callable_create(d, function->name != NULL ? function->name : "(none)");
	enum anabranch_code code;

	if (c == NULL)
		return ab_library_no_memory(err);
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
		return ab_library_invalid(err, "what is given is no object of names");
	if (plan_fits(c, given))
		return ANABRANCH_OK;
	if (c->runs > 0)
		return ab_library_invalid(err,
		        "'%s' is being called with other names given; prepare it once more for these",
		        c->name);
	forget_plan(c);
	if (!copy_names(c, given)) {
		forget_plan(c);
		return ab_library_no_memory(err);
	}
	spec.given = (struct ab_names){(const char *const *)c->names, c->n_names};
	if (ab_plan_compile(&spec, &c->plan, &error) == AB_OK)
		return ANABRANCH_OK;
	c->plan = NULL;
	forget_plan(c);
	return ab_library_failed(err, &error);
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
		return ab_library_failed(err, why);
	value = ab_run_value(run->run, ab_plan_slot(run->callable->plan, run->callable->name));
	if (value == NULL) {
		ab_error_set(&error, AB_ENOMEM, "'%s': out of memory, or the text is not UTF-8",
		        run->callable->name);
		return ab_library_failed(err, &error);
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
		return ab_library_no_memory(err);
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

	if (code != ANABRANCH_PENDING || run == NULL)
		return code;
	if (c->top->loop == NULL) {
		anabranch_cancel(run);
		return ab_library_invalid(err,
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
	struct anabranch_callable *c = callable_create(d, name);
	enum anabranch_code code;

	if (c == NULL)
		return ab_library_no_memory(err);
	code = anabranch_callable_call(c, given, ret_value, err);
	anabranch_callable_destroy(c);
	return code;
}
