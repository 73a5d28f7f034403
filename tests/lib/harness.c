/* tests/lib/harness.c: see harness.h. */
#include "harness.h"

#include <dirent.h>
#include <string.h>
#include <time.h>

#define CHECK(cond, ...)                                                                                     \
	do {                                                                                                 \
		if (!(cond)) {                                                                               \
			fprintf(stderr, "harness: " __VA_ARGS__);                                            \
			fputc('\n', stderr);                                                                 \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

void harness_open(struct harness *h)
{
	*h = (struct harness){.dir = ".", .request_id = "test-request", .max_fetches = 1000};
	CHECK(uv_loop_init(&h->loop) == 0, "no loop");
	uv_timer_init(&h->loop, &h->timer);
	uv_prepare_init(&h->loop, &h->prepare);
	h->env.loop = &h->loop;
	ab_pool_init(&h->env.pool);
	h->env.deadlines = ab_deadlines_create(&h->loop);
	h->diags = ab_diags_create();
	h->dispatcher = ab_dispatcher_create();
	CHECK(h->env.deadlines != NULL && h->diags != NULL && h->dispatcher != NULL, "no memory");
}

void harness_clear(struct harness *h)
{
	ab_dispatcher_destroy(h->dispatcher);
	h->dispatcher = NULL;
	for (size_t i = 0; i < h->n_resources; i++) {
		ab_scope_fini(h->scopes[i]);
		free(h->scopes[i]);
		test_conf_destroy(h->confs[i]);
	}
	h->n_resources = 0;
}

void harness_close(struct harness *h)
{
	harness_clear(h);
	ab_deadlines_close(h->env.deadlines);
	uv_close((uv_handle_t *)&h->timer, NULL);
	uv_close((uv_handle_t *)&h->prepare, NULL);
	CHECK(uv_run(&h->loop, UV_RUN_DEFAULT) == 0, "the loop has handles left");
	CHECK(uv_loop_close(&h->loop) == 0, "the loop is not empty");
	ab_pool_fini(&h->env.pool);
	ab_diags_destroy(h->diags);
}

/* ---- resources ---- */

/* The kind key of a mapping. */
static const struct ab_kind *find_kind(const struct ab_conf *map, const struct ab_conf **ret_value)
{
	for (size_t i = 0; i < map->u.map.count; i++) {
		const struct ab_kind *kind = ab_kind_find(map->u.map.pairs[i].key);

		if (kind != NULL) {
			*ret_value = map->u.map.pairs[i].value;
			return kind;
		}
	}
	return NULL;
}

static void read_generic(struct ab_compile *compile, struct ab_resource *resource)
{
	const struct ab_conf *map = compile->map, *node;

	compile->pass = ab_conf_get(map, "pass");
	compile->raw = ab_conf_get(map, "raw");
	node = ab_conf_get(map, "timeout");
	if (node != NULL)
		ab_conf_duration(node, "timeout", &compile->timeout_ms, compile->diags);
	node = ab_conf_get(map, "writes");
	if (node != NULL)
		ab_conf_bool(node, "writes", &compile->writes, compile->diags);
	node = ab_conf_get(map, "optional");
	if (node != NULL)
		ab_conf_bool(node, "optional", &resource->optional, compile->diags);
	node = ab_conf_get(map, "fallback");
	if (node != NULL)
		resource->fallback = ab_conf_json(node);
	node = ab_conf_get(map, "missing");
	if (node != NULL && node->type == AB_CONF_NULL)
		resource->missing = AB_MISSING_NULL;
	else if (node != NULL)
		resource->missing_status = (int)node->u.integer;
}

bool harness_add(struct harness *h, const char *name, const char *mapping)
{
	struct ab_scope *scope = calloc(1, sizeof(*scope));
	struct ab_resource resource = {.name = name};
	struct ab_compile compile = {.env = &h->env, .diags = h->diags, .name = name, .scope = scope};
	struct test_conf *conf = test_conf_create(mapping);
	size_t mistakes = ab_diags_mistakes(h->diags);
	const struct ab_kind *kind;
	struct ab_error err;

	CHECK(scope != NULL && h->n_resources < HARNESS_RESOURCES, "too many resources");
	h->confs[h->n_resources] = conf;
	h->scopes[h->n_resources++] = scope;
	ab_scope_init(scope, name, h->diags);
	compile.map = test_conf_root(conf);
	compile.dir = h->dir;
	compile.upstream = h->upstream;
	compile.database = h->database;
	compile.app = h;
	compile.resource = &resource;
	kind = find_kind(compile.map, &compile.value);
	CHECK(kind != NULL, "no kind in %s", mapping);
	resource.handler = kind->handler;
	read_generic(&compile, &resource);
	if (!ab_scope_declare(scope, ab_conf_get(compile.map, "needs")) || !kind->compile(&compile)) {
		json_decref(resource.fallback);
		CHECK(ab_diags_mistakes(h->diags) > mistakes, "'%s' failed to compile without a word", name);
		return false;
	}
	CHECK(ab_diags_mistakes(h->diags) == mistakes, "'%s' compiled with mistakes", name);
	resource.needs = scope->needs;
	resource.n_needs = scope->n_needs;
	resource.writes = compile.writes;
	resource.timeout_ms = compile.timeout_ms;
	CHECK(ab_dispatcher_add(h->dispatcher, &resource, &err) == AB_OK, "%s", err.text);
	return true;
}

char *harness_mistakes(struct harness *h)
{
	return test_diags(h->diags);
}

char *harness_refuse(struct harness *h, const char *name, const char *mapping)
{
	char *text;

	CHECK(!harness_add(h, name, mapping), "not refused: %s", mapping);
	text = test_diags(h->diags);
	ab_diags_destroy(h->diags);
	h->diags = ab_diags_create();
	CHECK(h->diags != NULL, "no memory");
	return text;
}

/* ---- runs ---- */

static void run_finish(struct harness_run *run)
{
	run->done = true;
	run->code = ab_run_result(run->run);
	if (run->code == AB_OK)
		run->value = ab_run_value(run->run, run->slot);
	else
		run->error = ab_run_error(run->run);
}

static void run_on_done(struct ab_run *run, void *arg)
{
	(void)run;
	run_finish(arg);
}

static void run_compile(struct harness_run *run, const char *target, json_t *given)
{
	const char *names[64], *key;
	struct ab_plan_spec spec = {.dispatcher = run->harness->dispatcher};
	struct ab_error err;
	json_t *value;
	size_t n = 0;

	json_object_foreach(given, key, value)
	{
		CHECK(n < AB_COUNT(names), "too many given names");
		names[n++] = key;
	}
	spec.targets = (struct ab_names){&target, 1};
	spec.given = (struct ab_names){names, n};
	CHECK(ab_plan_compile(&spec, &run->plan, &err) == AB_OK, "%s", err.text);
}

static json_t *read_given(const char *given)
{
	char *quoted = test_quotes(given == NULL ? "{}" : given);
	json_t *json = json_loads(quoted, JSON_ALLOW_NUL, NULL);

	CHECK(json_is_object(json), "given is no JSON object: %s", quoted);
	free(quoted);
	return json;
}

struct harness_run *harness_start(struct harness *h, const char *target, const char *given)
{
	struct harness_run *run = calloc(1, sizeof(*run));
	json_t *names = read_given(given), *value;
	const char *key;

	CHECK(run != NULL, "no memory");
	run->harness = h;
	run->context = (struct ab_context){.env = &h->env,
	        .request_id = h->request_id,
	        .traceparent = h->traceparent,
	        .max_fetches = h->max_fetches};
	run->arena = ab_arena_create(&h->env.pool);
	run_compile(run, target, names);
	run->slot = ab_plan_slot(run->plan, target);
	run->run = ab_run_create(run->arena, run->plan, &run->context);
	CHECK(run->run != NULL, "no memory");
	json_object_foreach(names, key, value)
	{
		int slot = ab_plan_slot(run->plan, key);

		if (slot >= 0)
			ab_run_give_new(run->run, slot, json_incref(value));
	}
	json_decref(names);
	run->code = ab_run_start(run->run, run_on_done, run);
	if (run->code != AB_PENDING)
		run_finish(run);
	return run;
}

void harness_wait(struct harness_run *run)
{
	CHECK(harness_until(run->harness, &run->done, 10000), "a run did not end within 10 s");
}

struct harness_run *harness_get(struct harness *h, const char *target, const char *given)
{
	struct harness_run *run = harness_start(h, target, given);

	harness_wait(run);
	return run;
}

static bool run_is_over(void *arg)
{
	struct harness_run *run = arg;

	return ab_run_outstanding(run->run) == 0;
}

void harness_run_end(struct harness_run *run)
{
	if (!run->done)
		ab_run_cancel(run->run);
	CHECK(harness_until_fn(run->harness, run_is_over, run, 10000), "calls are outstanding after 10 s");
	ab_arena_unref(run->arena);
	ab_plan_destroy(run->plan);
	free(run);
}

/* ---- the loop ---- */

struct wait {
	bool (*fn)(void *arg);
	void *arg;
	uint64_t until;
	bool late;
};

/* Also looks again now and then: what is waited for may happen in another thread. */
static void wait_on_tick(uv_timer_t *timer)
{
	struct wait *wait = timer->data;

	wait->late = uv_now(timer->loop) >= wait->until;
}

/* Before the loop sleeps: what is waited for may have come with a timer of this very turn. */
static void wait_on_prepare(uv_prepare_t *prepare)
{
	struct wait *wait = prepare->data;

	if (wait->late || wait->fn(wait->arg))
		uv_stop(prepare->loop);
}

bool harness_until_fn(struct harness *h, bool (*fn)(void *arg), void *arg, unsigned ms)
{
	struct wait wait = {.fn = fn, .arg = arg};

	h->timer.data = h->prepare.data = &wait;
	uv_update_time(&h->loop);
	wait.until = uv_now(&h->loop) + ms;
	uv_timer_start(&h->timer, wait_on_tick, ms < 5 ? ms : 5, 5);
	uv_prepare_start(&h->prepare, wait_on_prepare);
	while (!fn(arg) && !wait.late)
		uv_run(&h->loop, UV_RUN_ONCE);
	uv_prepare_stop(&h->prepare);
	uv_timer_stop(&h->timer);
	return fn(arg);
}

static bool flag_is_set(void *arg)
{
	return *(const bool *)arg;
}

bool harness_until(struct harness *h, const bool *flag, unsigned ms)
{
	bool *plain;

	memcpy(&plain, &flag, sizeof(plain));
	return harness_until_fn(h, flag_is_set, plain, ms);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void harness_idle(struct harness *h, unsigned ms)
{
	(void)harness_until_fn(h, never, NULL, ms);
}

static bool has_thread(const char *prefix)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	bool found = false;

	CHECK(tasks != NULL, "no /proc");
	while ((task = readdir(tasks)) != NULL) {
		char path[300], name[32] = "";
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		comm = fopen(path, "re");
		if (comm == NULL)
			continue; /* no thread, or one that has ended */
		if (fgets(name, sizeof(name), comm) != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
			found = true;
		fclose(comm);
	}
	closedir(tasks);
	return found;
}

void harness_await_threads(const char *prefix)
{
	for (int i = 0; has_thread(prefix); i++) {
		CHECK(i < 2000, "a thread %s... does not end", prefix);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}
