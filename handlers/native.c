/* handlers/native.c: see native.h. */
#include "native.h"

#include "json.h"
#include "kinds.h"

#include <string.h>

struct native_config {
	struct ab_function function; /* first: function.c hands it back */
	struct ab_native_module *module;
	struct ab_function_times times; /* of what does not answer at once */
	bool direct;                    /* the needs are the parameters, in their order */
	struct ab_ref refs[];           /* one for each parameter */
};

/* ---- which function runs ---- */

static _Thread_local const struct ab_function *running;

static const struct ab_function *note_running(const struct ab_function *now)
{
	const struct ab_function *before = running;

	running = now;
	return before;
}

const struct anabranch_function *ab_native_running(void)
{
	return running != NULL ? &running->spec : NULL;
}

/* ---- what a function is handed ---- */

/* One value for each parameter; what a path does not lead to is null. NULL without memory. */
static const json_t *const *needs_of(struct ab_call *call, const struct native_config *config)
{
	unsigned n = config->function.spec.n_needs;
	const json_t **needs;

	if (AB_LIKELY(config->direct))
		return (const json_t *const *)call->needs;
	needs = ab_arena_alloc(call->arena, n * sizeof(*needs));
	for (unsigned i = 0; needs != NULL && i < n; i++) {
		needs[i] = ab_ref_get(&config->refs[i], call);
		if (needs[i] == NULL)
			needs[i] = json_null();
	}
	return needs;
}

static const json_t *const *needs_or_fail(struct ab_call *call, const struct native_config *config)
{
	const json_t *const *needs = needs_of(call, config);
	struct ab_error err;

	if (AB_UNLIKELY(needs == NULL)) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
	}
	return needs;
}

/* ---- what a function may ask of its host ---- */

static void *host_loop(const struct anabranch_call *call)
{
	const struct ab_function_call *inner = ab_container_of(call, struct ab_function_call, public);
	const struct ab_context *context = inner->call != NULL ? inner->call->context : NULL;

	return context != NULL ? context->env->loop : NULL;
}

static void host_complete(struct anabranch_call *call, const struct anabranch_result *result)
{
	const struct ab_function_call *inner = ab_function_call_of(call);

	if (inner->extra != NULL)
		ab_deadline_disarm(inner->extra);
	ab_function_complete(call, result);
}

static const struct ab_native_call *find_call(const struct ab_native_module *module, const char *name)
{
	for (size_t i = 0; i < module->n_calls; i++)
		if (strcmp(module->calls[i].announced->name, name) == 0)
			return &module->calls[i];
	return NULL;
}

/* Every given name has been announced. */
static enum ab_code check_given(
        const struct ab_native_call *found, const char *name, const json_t *given, struct ab_error *err)
{
	const char *key;
	json_t *value;

	if (found == NULL)
		return ab_error_set(err, AB_EINTERNAL,
		        "'%s' has not been announced; expected CALLS(%s, ...); in the module", name, name);
	json_object_foreach((json_t *)(uintptr_t)given, key, value)
	{
		unsigned i = 0;

		while (i < found->announced->n_needs && strcmp(found->announced->needs[i], key) != 0)
			i++;
		if (i == found->announced->n_needs)
			return ab_error_set(err, AB_EINTERNAL,
			        "'%s' is given to '%s', which CALLS(%s, ...) does not announce", key, name,
			        name);
	}
	return AB_OK;
}

static void host_resolve(
        struct anabranch_call *call, const char *name, json_t *given, anabranch_resolved_cb done, void *arg)
{
	struct ab_function_call *inner = ab_function_call_of(call);
	const struct native_config *config = ab_container_of(inner->function, struct native_config, function);
	const struct ab_native_call *found = find_call(config->module, name);
	struct ab_error err;

	if (check_given(found, name, given, &err) == AB_OK) {
		ab_function_nest(inner, found->plan, name, inner->call != NULL ? inner->call->context : NULL,
		        given, done, arg);
		return;
	}
	json_decref(given);
	ab_function_refuse(inner, &err, done, arg);
}

static const struct anabranch_host host = {
        .size = sizeof(host),
        .complete = host_complete,
        .wanted = ab_function_wanted,
        .loop = host_loop,
        .resolve = host_resolve,
};

/* ---- the handlers ---- */

/* While developing: a function that keeps everybody waiting is spoken of. */
static void run_timed(struct ab_call *call, const struct native_config *config, const json_t *const *needs)
{
	const struct ab_context *context = call->context;
	struct ab_env *env = context->env; /* the call may be gone when it has completed */
	uint64_t start = uv_hrtime(), ms;
	char text[300];

	ab_function_run(call, &config->function, needs);
	ms = (uv_hrtime() - start) / 1000000;
	if (ms < AB_NATIVE_SLOW_MS || env->warn == NULL)
		return;
	snprintf(text, sizeof(text),
	        "the C function '%.80s' held its worker, and all its requests, for %llu ms; expected "
	        "RESOURCE_BLOCKING for what waits or computes for long",
	        config->function.spec.name, (unsigned long long)ms);
	env->warn(env, text);
}

static void once_start(struct ab_call *call)
{
	const struct native_config *config = call->resource->config;
	const json_t *const *needs = needs_or_fail(call, config);

	if (AB_UNLIKELY(needs == NULL))
		return;
	if (AB_UNLIKELY(config->function.checked))
		run_timed(call, config, needs);
	else
		ab_function_run(call, &config->function, needs);
}

static void blocking_start(struct ab_call *call)
{
	const struct native_config *config = call->resource->config;
	const json_t *const *needs = needs_or_fail(call, config);

	if (needs != NULL)
		ab_function_send(config->module->home, call, &config->function, needs, &config->times);
}

/* The time of one asynchronous call. */
struct limit {
	struct ab_deadline deadline;
	struct ab_call *call;
};

static void limit_on_expired(struct ab_deadline *deadline)
{
	const struct limit *limit = ab_container_of(deadline, struct limit, deadline);

	ab_run_expire(limit->call->run, limit->call->resource);
}

static void async_start(struct ab_call *call)
{
	const struct native_config *config = call->resource->config;
	const json_t *const *needs = needs_or_fail(call, config);
	struct limit *limit;
	struct ab_error err;

	if (needs == NULL)
		return;
	limit = ab_arena_calloc(call->arena, 1, sizeof(*limit));
	if (limit == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	limit->call = call;
	ab_deadline_arm(config->times.timeouts, &limit->deadline, limit_on_expired);
	ab_function_begin(call, &config->function, needs, &limit->deadline);
}

static void native_free(void *arg)
{
	struct native_config *config = arg;

	for (unsigned i = 0; i < config->function.spec.n_needs; i++)
		ab_ref_fini(&config->refs[i]);
	free(config);
}

static const struct ab_handler handlers[] = {
        [ANABRANCH_AT_ONCE] = {.kind = "native", .start = once_start, .free = native_free},
        [ANABRANCH_BLOCKING] = {.kind = "native",
                .start = blocking_start,
                .cancel = ab_job_cancel,
                .free = native_free},
        [ANABRANCH_ASYNC] = {.kind = "native",
                .start = async_start,
                .cancel = ab_function_cancel,
                .free = native_free},
};

/* ---- compiling ---- */

static bool read_needs(struct ab_compile *compile, struct native_config *config)
{
	const struct anabranch_function *function = &config->function.spec;
	bool ok = true;

	config->direct = true;
	for (unsigned i = 0; i < function->n_needs; i++) {
		struct ab_ref *ref = &config->refs[i];

		ok &= ab_scope_ref(compile->scope, function->needs[i], strlen(function->needs[i]),
		        AB_RAW_NONE, compile->value->pos, ref);
		config->direct &= ref->need == i && ref->path.count == 0;
	}
	return ok;
}

static bool read_times(struct ab_compile *compile, struct native_config *config)
{
	const struct ab_conf_pair *timeout = ab_conf_pair(compile->map, "timeout");
	enum anabranch_how how = config->function.spec.how;

	if (how == ANABRANCH_AT_ONCE) {
		compile->timeout_ms = 0;
		if (timeout != NULL)
			ab_diag(compile->diags, timeout->pos,
			        "timeout means nothing on the C function '%s': it answers at once; expected it left out, "
			        "or RESOURCE_BLOCKING in the module",
			        config->function.spec.name);
		return timeout == NULL;
	}
	if (compile->timeout_ms == 0)
		compile->timeout_ms = AB_NATIVE_TIMEOUT_MS;
	config->times.timeout_ms = compile->timeout_ms;
	config->times.timeouts = ab_deadlines_queue(compile->env->deadlines, compile->timeout_ms);
	if (config->times.timeouts == NULL)
		ab_diag(compile->diags, compile->value->pos, "out of memory");
	return config->times.timeouts != NULL;
}

static bool native_compile(struct ab_compile *compile)
{
	const char *name = ab_conf_string(compile->value, "native", compile->diags);
	struct native_config *config;
	struct ab_native native;

	if (name == NULL || !compile->native(compile, name, &native))
		return false;
	config = calloc(1, sizeof(*config) + native.function->n_needs * sizeof(config->refs[0]));
	if (config == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return false;
	}
	config->function = (struct ab_function){
	        .spec = *native.function,
	        .host = &host,
	        .checked = compile->dev,
	        .text_valid = ab_utf8_valid,
	        .enter = note_running,
	};
	config->module = native.module;
	if (!read_needs(compile, config) || !read_times(compile, config)) {
		native_free(config);
		return false;
	}
	compile->resource->handler = &handlers[native.function->how];
	compile->resource->config = config;
	return true;
}

static void native_describe(const void *arg, char *buf, size_t size)
{
	static const char *const hows[] = {"", "blocking ", "asynchronous "};
	const struct native_config *config = arg;

	snprintf(buf, size, "%sC function %s in %s", hows[config->function.spec.how],
	        config->function.spec.name, config->module->path);
}

/* ---- modules ---- */

struct ab_threads *ab_native_threads(void)
{
	return ab_threads_create(&(struct ab_threads_options){
	        .name = "cfunction",
	        .threads = AB_NATIVE_THREADS,
	        .max_lost = AB_NATIVE_THREADS,
	        .queue = AB_NATIVE_QUEUE,
	});
}

/* A nested run has no place for writes, which come last in their route. */
static bool check_writes(const struct ab_plan *plan, const struct anabranch_function *announced,
        struct ab_pos pos, struct ab_diags *diags)
{
	for (size_t i = 0; i < ab_plan_size(plan); i++) {
		const struct ab_plan_node *node = ab_plan_node(plan, (int)i);

		if (node->resource == NULL || !node->resource->writes)
			continue;
		ab_diag(diags, pos,
		        "CALLS(%s, ...) leads to '%s', which writes; expected writes among the needs of a route or of a "
		        "resource, where they come last",
		        announced->name, node->name);
		return false;
	}
	return true;
}

bool ab_native_link(
        struct ab_native_module *module, const struct ab_dispatcher *dispatcher, struct ab_diags *diags)
{
	bool ok = true;

	for (size_t i = 0; i < module->n_calls; i++) {
		const struct anabranch_function *announced = module->calls[i].announced;
		struct ab_pos pos = {announced->file != NULL ? announced->file : module->path,
		        (unsigned)announced->line, 1};
		struct ab_plan_spec spec = {
		        .dispatcher = dispatcher,
		        .targets = {&announced->name, 1},
		        .given = {announced->needs, announced->n_needs},
		};
		struct ab_error err;

		if (ab_plan_compile(&spec, &module->calls[i].plan, &err) != AB_OK) {
			ab_diag(diags, pos, "CALLS(%s, ...): %s", announced->name, err.text);
			ok = false;
		} else {
			ok &= check_writes(module->calls[i].plan, announced, pos, diags);
		}
	}
	return ok;
}

void ab_native_module_fini(struct ab_native_module *module)
{
	for (size_t i = 0; i < module->n_calls; i++)
		ab_plan_destroy(module->calls[i].plan);
	free(module->calls);
	ab_home_close(module->home);
	*module = (struct ab_native_module){0};
}

static const char *const native_keys[] = {"module", NULL};

const struct ab_kind ab_kind_native = {
        .name = "native",
        .keys = native_keys,
        .handler = &handlers[ANABRANCH_BLOCKING],
        .compile = native_compile,
        .describe = native_describe,
};
