/* handlers/call.c: the kind `call`: the result of a nested run of another resource.
 *
 *   start --given values filled--> nested run --its result--> the call completes
 *                                      `--timeout, cancel: the run is cancelled--^
 *
 * The nested run knows what `given` names, the item of an `each`, and the reserved names; all else it
 * resolves for itself. Reads equal to those of the request so far do not go out again (../dispatch/share.h).
 */
#include "kinds.h"

#include "carry.h"
#include "nested.h"
#include "placeholder.h"

#include <string.h>

struct give {
	int slot;
	struct ab_structure *value; /* or NULL: the value of `need` as it is */
	unsigned need;
};

struct call_config {
	struct ab_plan *plan;
	int slot;
	const char *target;
	uint64_t timeout_ms; /* 0: none of its own */
	struct ab_deadline_queue *timeouts;
	unsigned depth; /* calls one inside another, this one included */
	bool passes;    /* something given comes through to the result */
	size_t n_gives;
	struct give gives[];
};

struct nested {
	struct ab_call *call;
	struct ab_run *run;
	struct ab_deadline deadline;
	struct ab_deadline pause; /* armed: the run begins in a later turn of the loop */
};

/* ---- the call ---- */

static void nested_end(struct nested *nested)
{
	struct ab_call *call = nested->call;
	const struct call_config *config = call->resource->config;
	struct ab_run *run = nested->run;
	struct ab_error err, cause;
	json_t *value = ab_nested_value(run, config->slot, call->resource->name, &err);
	bool degraded = value != NULL && ab_nested_degraded(run, &cause);

	ab_deadline_disarm(&nested->deadline);
	call->state = NULL;
	ab_nested_release(run);
	if (value == NULL)
		ab_call_fail(call, &err);
	else if (degraded)
		ab_call_resolve_degraded_new(call, value, &cause);
	else
		ab_call_resolve_new(call, value);
}

static void nested_on_done(struct ab_run *run, void *arg)
{
	(void)run;
	nested_end(arg);
}

static void nested_abort(struct nested *nested, const struct ab_error *err)
{
	struct ab_call *call = nested->call;

	ab_deadline_disarm(&nested->deadline);
	ab_deadline_disarm(&nested->pause);
	ab_run_cancel(nested->run);
	ab_nested_release(nested->run);
	call->state = NULL;
	ab_call_fail(call, err);
}

static void nested_on_expired(struct ab_deadline *deadline)
{
	struct nested *nested = ab_container_of(deadline, struct nested, deadline);
	const struct call_config *config = nested->call->resource->config;
	struct ab_error err;

	ab_error_set(&err, AB_ETIMEOUT, "'%s' was not there within %llu ms", config->target,
	        (unsigned long long)config->timeout_ms);
	nested_abort(nested, &err);
}

static void call_cancel(struct ab_call *call)
{
	struct ab_error err;

	if (call->state == NULL)
		return;
	ab_error_set(&err, AB_ECANCELED, "canceled");
	nested_abort(call->state, &err);
}

/* Give what the nested run is to know. False with err filled. */
static bool give_all(struct ab_call *call, struct ab_run *run, struct ab_error *err)
{
	const struct call_config *config = call->resource->config;

	for (size_t i = 0; i < config->n_gives; i++) {
		const struct give *give = &config->gives[i];
		json_t *value = give->value != NULL ? ab_structure_fill(give->value, call, err)
		                                    : json_incref(call->needs[give->need]);

		if (value == NULL)
			return false;
		ab_run_give_new(run, give->slot, value);
	}
	return true;
}

static void nested_on_paused(struct ab_deadline *pause)
{
	struct nested *nested = ab_container_of(pause, struct nested, pause);

	if (ab_run_start(nested->run, nested_on_done, nested) != AB_PENDING)
		nested_end(nested);
}

static void call_start(struct ab_call *call)
{
	const struct call_config *config = call->resource->config;
	struct nested *nested = ab_arena_calloc(call->arena, 1, sizeof(*nested));
	struct ab_run *run = nested != NULL ? ab_nested_create(call, config->plan) : NULL;
	struct ab_error err;

	call->state = NULL;
	ab_error_set(&err, AB_ENOMEM, "out of memory");
	if (run == NULL || !give_all(call, run, &err)) {
		if (run != NULL)
			ab_nested_release(run);
		ab_call_fail(call, &err);
		return;
	}
	*nested = (struct nested){.call = call, .run = run};
	if (!ab_nested_put_off(call, &nested->pause, nested_on_paused) &&
	        ab_run_start(run, nested_on_done, nested) != AB_PENDING) {
		nested_end(nested);
		return;
	}
	call->state = nested;
	if (config->timeouts != NULL)
		ab_deadline_arm(config->timeouts, &nested->deadline, nested_on_expired);
}

static void call_free(void *arg)
{
	struct call_config *config = arg;

	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n_gives; i++)
		ab_structure_destroy(config->gives[i].value);
	ab_plan_destroy(config->plan);
	free(config);
}

/* ---- compiling ---- */

static const struct ab_conf *given_map(struct ab_compile *compile, bool *ret_ok)
{
	const struct ab_conf *given = ab_conf_get(compile->map, "given");

	*ret_ok = given == NULL || ab_conf_want(given, AB_CONF_MAP, "given", compile->diags);
	return *ret_ok ? given : NULL;
}

static bool is_among(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* A resource with mistakes stands in the plan without its needs, so what they are is not known. */
static bool has_mistakes(const struct ab_plan *plan)
{
	for (size_t i = 0; i < ab_plan_size(plan); i++) {
		const struct ab_resource *resource = ab_plan_node(plan, (int)i)->resource;

		if (resource != NULL && strcmp(resource->handler->kind, "mistake") == 0)
			return true;
	}
	return false;
}

static const char *const reserved[] = {"request", "error", "given", "degraded"};

/* What the plan does not know would be given for nothing; the reserved names are there anyway. */
static bool check_given(struct ab_compile *compile, const struct ab_plan *plan, const struct ab_conf *given)
{
	const char **known = calloc(ab_plan_size(plan), sizeof(*known));
	size_t count = ab_plan_size(plan);
	bool ok = known != NULL;
	char meant[80];

	for (size_t i = 0; known != NULL && i < count; i++)
		known[i] = ab_plan_node(plan, (int)i)->name;
	for (size_t i = 0; known != NULL && given != NULL && i < given->u.map.count; i++) {
		const struct ab_conf_pair *pair = &given->u.map.pairs[i];

		if (is_among(pair->key, reserved, AB_COUNT(reserved))) {
			ab_diag(compile->diags, pair->pos,
			        "given: '%s' is reserved, and known inside as it is here; expected it left out",
			        pair->key);
			ok = false;
			continue;
		}
		if (ab_plan_slot(plan, pair->key) >= 0 || has_mistakes(plan))
			continue;
		ab_diag(compile->diags, pair->pos,
		        "given: nothing that '%s' rests on needs '%.60s'; expected it left out%s",
		        compile->value->u.string.text, pair->key,
		        ab_did_you_mean(pair->key, known, count, meant, sizeof(meant)));
		ok = false;
	}
	free(known);
	return ok;
}

/* given: {...}, one structure each. */
static bool compile_given(struct ab_compile *compile, struct call_config *config, const struct ab_conf *given)
{
	for (size_t i = 0; given != NULL && i < given->u.map.count; i++) {
		const struct ab_conf_pair *pair = &given->u.map.pairs[i];
		struct give *give = &config->gives[config->n_gives];

		give->slot = ab_plan_slot(config->plan, pair->key);
		give->value = ab_structure_compile(compile->scope, pair->value);
		if (give->value == NULL)
			return false;
		if (give->slot >= 0)
			config->n_gives++;
		else /* what it is for has a mistake */
			ab_structure_destroy(give->value);
	}
	return true;
}

/* A name of the nested plan that stands for the same name here. */
static bool give_same(struct ab_compile *compile, struct call_config *config, const char *name)
{
	struct give *give = &config->gives[config->n_gives];

	give->slot = ab_plan_slot(config->plan, name);
	if (give->slot < 0)
		return true;
	if (!ab_scope_need(compile->scope, name, compile->value->pos, &give->need))
		return false;
	config->n_gives++;
	return true;
}

/* What a use of a given name as it comes, inside the nested plan, means out here. */
static bool note_raws(struct ab_compile *compile, struct call_config *config)
{
	bool *used = calloc(compile->scope->n_needs + 1, sizeof(*used)), ok = used != NULL;

	for (size_t i = 0; ok && i < config->n_gives; i++) {
		const struct give *give = &config->gives[i];

		memset(used, 0, compile->scope->n_needs);
		if (give->value != NULL)
			ab_structure_needs(give->value, used);
		else
			used[give->need] = true;
		ok = compile->nested_raws(compile, config->plan, give->slot, used);
	}
	free(used);
	return ok;
}

/* Whether something given to the nested run comes through to its result. */
static bool note_passes(struct ab_compile *compile, struct call_config *config)
{
	bool *marks = calloc(ab_plan_size(config->plan), sizeof(*marks));

	if (marks == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return false;
	}
	for (size_t i = 0; i < config->n_gives; i++)
		marks[config->gives[i].slot] = true;
	ab_carry(config->plan, marks);
	config->passes = marks[config->slot];
	free(marks);
	return true;
}

static const struct call_config *config_of(const struct ab_resource *resource);

static bool check_depth(struct ab_compile *compile, struct call_config *config)
{
	for (size_t i = 0; i < ab_plan_size(config->plan); i++) {
		const struct ab_resource *resource = ab_plan_node(config->plan, (int)i)->resource;
		const struct call_config *inner = resource != NULL ? config_of(resource) : NULL;

		if (inner != NULL && inner->depth > config->depth)
			config->depth = inner->depth;
	}
	if (++config->depth <= AB_CALL_DEEPEST)
		return true;
	ab_call_too_deep(compile);
	return false;
}

static bool compile_parts(struct ab_compile *compile, struct call_config *config, const struct ab_conf *given)
{
	if (!check_depth(compile, config) || !check_given(compile, config->plan, given) ||
	        !compile_given(compile, config, given))
		return false;
	if (compile->item != NULL && !give_same(compile, config, compile->item))
		return false;
	for (size_t i = 0; i < AB_COUNT(reserved); i++)
		if (strcmp(reserved[i], "degraded") != 0 && !give_same(compile, config, reserved[i]))
			return false;
	return note_raws(compile, config) && note_passes(compile, config);
}

static bool check_item(struct ab_compile *compile, const struct ab_conf *given)
{
	const struct ab_conf_pair *pair =
	        given != NULL && compile->item != NULL ? ab_conf_pair(given, compile->item) : NULL;

	if (pair == NULL)
		return true;
	ab_diag(compile->diags, pair->pos,
	        "given: '%.60s' is the item of this `each`, which is given anyway; expected another name for the item, or "
	        "this left out",
	        pair->key);
	return false;
}

static bool check_target(struct ab_compile *compile, const char *const *names, size_t count)
{
	if (!is_among(compile->value->u.string.text, names, count))
		return true;
	ab_diag(compile->diags, compile->value->pos,
	        "'%.60s' is called, and is given as well; expected one or the other",
	        compile->value->u.string.text);
	return false;
}

static struct call_config *compile_config(struct ab_compile *compile, const struct ab_conf *given)
{
	size_t n_given = given != NULL ? given->u.map.count : 0, n = 0;
	struct call_config *config = calloc(1, sizeof(*config) + (n_given + 4) * sizeof(config->gives[0]));
	const char **names = calloc(n_given + 1, sizeof(*names));

	if (config == NULL || names == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		free(names);
		free(config);
		return NULL;
	}
	for (; n < n_given; n++)
		names[n] = given->u.map.pairs[n].key;
	if (compile->item != NULL && !is_among(compile->item, names, n))
		names[n++] = compile->item;
	config->target = compile->value->u.string.text;
	if (check_target(compile, names, n))
		config->plan = compile->nested(compile, config->target, (struct ab_names){names, n});
	free(names);
	if (config->plan == NULL) {
		free(config);
		return NULL;
	}
	config->slot = ab_plan_slot(config->plan, config->target);
	return config;
}

static bool call_compile(struct ab_compile *compile)
{
	const char *target = ab_conf_string(compile->value, "call", compile->diags);
	const struct ab_conf *given;
	struct call_config *config;
	bool ok;

	given = given_map(compile, &ok);
	if (target == NULL || !ok || !check_item(compile, given))
		return false;
	config = compile_config(compile, given);
	if (config == NULL)
		return false;
	ok = compile_parts(compile, config, given);
	config->timeout_ms = compile->timeout_ms;
	if (ok && config->timeout_ms > 0) {
		config->timeouts = ab_deadlines_queue(compile->env->deadlines, config->timeout_ms);
		ok = config->timeouts != NULL;
		if (!ok)
			ab_diag(compile->diags, compile->value->pos, "out of memory");
	}
	if (!ok) {
		call_free(config);
		return false;
	}
	compile->writes |= ab_nested_writes(config->plan);
	compile->resource->timeout_ms =
	        config->timeout_ms > 0 ? config->timeout_ms : ab_nested_worst_ms(config->plan);
	compile->resource->config = config;
	return true;
}

static void call_describe(const void *arg, char *buf, size_t size)
{
	const struct call_config *config = arg;

	snprintf(buf, size, "%s", config->target);
}

/* Worked out once: calls inside calls would ask each other again and again. */
static bool call_passes_text(const struct ab_resource *resource)
{
	const struct call_config *config = resource->config;

	return config->passes;
}

static const struct ab_handler call_handler = {
        .kind = "call", .start = call_start, .cancel = call_cancel, .free = call_free};
static const char *const call_keys[] = {"given", NULL};

const struct ab_kind ab_kind_call = {
        .name = "call",
        .keys = call_keys,
        .handler = &call_handler,
        .compile = call_compile,
        .passes_text = call_passes_text,
        .describe = call_describe,
};

static const struct call_config *config_of(const struct ab_resource *resource)
{
	const struct ab_resource *inner = ab_each_inner(resource);

	return inner->handler == &call_handler ? inner->config : NULL;
}

const struct ab_plan *ab_call_plan(const struct ab_resource *resource)
{
	const struct call_config *config = config_of(resource);

	return config != NULL ? config->plan : NULL;
}

void ab_call_too_deep(struct ab_compile *compile)
{
	ab_diag(compile->diags, compile->value->pos,
	        "call: '%.60s' has more than %d calls one inside another; expected fewer", compile->name,
	        AB_CALL_DEEPEST);
}
