/* handlers/native.c: see native.h. */
#include "native.h"

#include "json.h"
#include "kinds.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

struct native_config {
	struct ab_function function; /* first: function.c hands it back */
	struct ab_native_module *module;
	struct ab_function_times times; /* of what does not answer at once */
	bool direct;                    /* the needs are the parameters, in their order */
	struct ab_ref refs[];           /* one for each parameter */
};

/* ---- which function runs ---- */

enum { SPARE_STACK = 16 * 1024 };

static _Thread_local const struct ab_function *running;
/* For the handler of a crash, where the function has used the thread's own stack up. */
static _Thread_local unsigned char spare_stack[SPARE_STACK];
static _Thread_local bool has_spare_stack;

/* A sanitizer that has brought its own keeps it. */
static void set_spare_stack(void)
{
	stack_t stack = {.ss_sp = spare_stack, .ss_size = sizeof(spare_stack)}, old;

	has_spare_stack = true;
	if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0)
		(void)sigaltstack(&stack, NULL);
}

static const struct ab_function *note_running(const struct ab_function *now)
{
	const struct ab_function *before = running;

	if (AB_UNLIKELY(!has_spare_stack))
		set_spare_stack();
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
		return NULL;
	}
	ab_context_write(call);
	return needs;
}

/* ---- what a function may ask of its host ---- */

/* What an asynchronous call has besides: behind its struct ab_function_call. */
struct limit {
	struct ab_deadline deadline;
	struct ab_function_call *inner;
	const struct native_config *config; /* not once abandoned */
	struct ab_env *env;
	struct limit *next, **link; /* among those abandoned */
};

static struct limit *limit_of(struct ab_function_call *inner)
{
	return ab_function_extra(inner);
}

/* Calls that were given up and may come back; known, though nobody waits for them. */
static struct limit *abandoned;
static pthread_mutex_t abandoned_lock = PTHREAD_MUTEX_INITIALIZER;

static void abandoned_link(struct limit *limit)
{
	pthread_mutex_lock(&abandoned_lock);
	limit->next = abandoned;
	limit->link = &abandoned;
	if (abandoned != NULL)
		abandoned->link = &limit->next;
	abandoned = limit;
	pthread_mutex_unlock(&abandoned_lock);
}

static void abandoned_unlink(struct limit *limit)
{
	pthread_mutex_lock(&abandoned_lock);
	*limit->link = limit->next;
	if (limit->next != NULL)
		limit->next->link = limit->link;
	pthread_mutex_unlock(&abandoned_lock);
}

static void *host_loop(const struct anabranch_call *call)
{
	struct ab_function_call *inner = ab_function_call_of((struct anabranch_call *)(uintptr_t)call);

	return inner->function->spec.how == ANABRANCH_ASYNC ? limit_of(inner)->env->loop : NULL;
}

static void host_complete(struct anabranch_call *call, const struct anabranch_result *result)
{
	struct ab_function_call *inner = ab_function_call_of(call);

	if (inner->function->spec.how == ANABRANCH_ASYNC && !inner->completed) {
		ab_deadline_disarm(&limit_of(inner)->deadline);
		if (inner->abandoned)
			abandoned_unlink(limit_of(inner));
	}
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
	const struct ab_native_call *found = NULL;
	struct ab_error err;

	if (inner->function->spec.how != ANABRANCH_ASYNC) {
		ab_error_set(&err, AB_EINTERNAL, "only a RESOURCE_ASYNC may resolve another resource");
	} else if (inner->cancelled) {
		ab_error_set(&err, AB_ECANCELED, "canceled");
	} else {
		found = find_call(limit_of(inner)->config->module, name);
		if (check_given(found, name, given, &err) == AB_OK) {
			ab_function_nest(inner, found->plan, name, inner->call->context, given, done, arg);
			return;
		}
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

static void limit_on_expired(struct ab_deadline *deadline)
{
	const struct ab_call *call = ab_container_of(deadline, struct limit, deadline)->inner->call;

	ab_run_expire(call->run, call->resource);
}

/* Cancelled, and still not completed: its request, and the end of the server, do not wait for it for ever. */
static void limit_on_overdue(struct ab_deadline *deadline)
{
	struct limit *limit = ab_container_of(deadline, struct limit, deadline);
	struct ab_env *env = limit->env;
	char text[300];

	snprintf(text, sizeof(text),
	        "the C function '%.80s' was cancelled and has not completed since; what it holds is lost; expected "
	        "anabranch_complete once, also after cancelling",
	        limit->inner->function->spec.name);
	if (env->warn != NULL)
		env->warn(env, text);
	abandoned_link(limit);
	if (!ab_function_abandon(limit->inner))
		abandoned_unlink(limit);
}

static void async_cancel(struct ab_call *call)
{
	struct limit *limit = limit_of(call->state);

	ab_deadline_disarm(&limit->deadline);
	if (!ab_function_end(call))
		ab_deadline_arm(limit->config->times.timeouts, &limit->deadline, limit_on_overdue);
}

static void limit_prepare(struct ab_function_call *inner)
{
	const struct ab_context *context = inner->call->context;
	struct limit *limit = limit_of(inner);

	limit->inner = inner;
	limit->config = inner->call->resource->config;
	limit->env = context->env;
	ab_deadline_arm(limit->config->times.timeouts, &limit->deadline, limit_on_expired);
}

static void async_start(struct ab_call *call)
{
	const struct native_config *config = call->resource->config;
	const json_t *const *needs = needs_or_fail(call, config);

	if (needs != NULL)
		ab_function_begin(call, &config->function, needs, sizeof(struct limit), limit_prepare);
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
                .cancel = async_cancel,
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

/* A mapping under `needs` renames parameters; one that is none would do nothing. */
static bool check_renamed(struct ab_compile *compile, const struct anabranch_function *function)
{
	const struct ab_conf *needs = ab_conf_get(compile->map, "needs");
	bool ok = true;
	char meant[80];

	if (needs == NULL || needs->type != AB_CONF_MAP)
		return true;
	for (size_t i = 0; i < needs->u.map.count; i++) {
		const struct ab_conf_pair *pair = &needs->u.map.pairs[i];
		bool found = false;

		for (unsigned n = 0; n < function->n_needs; n++)
			found = found || strcmp(function->needs[n], pair->key) == 0;
		if (found)
			continue;
		ab_diag(compile->diags, pair->pos,
		        "the C function '%.60s' has no parameter '%.60s'; expected one that it has%s",
		        function->name, pair->key,
		        ab_did_you_mean(pair->key, function->needs, function->n_needs, meant, sizeof(meant)));
		ok = false;
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
	if (!check_renamed(compile, native.function) || !read_needs(compile, config) ||
	        !read_times(compile, config)) {
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
