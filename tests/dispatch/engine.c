/* tests/dispatch/engine.c: see engine.h. */
#include "engine.h"

#include <string.h>

enum { MAX_PENDING = 4096, TEXT = 65536 };

static struct ab_call *pending[MAX_PENDING];
static size_t n_pending;
static char started_names[TEXT], cancelled_names[TEXT];

static void note(char *list, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, TEXT - len, "%s%s", len > 0 ? " " : "", name);
}

const char *started(void)
{
	return started_names;
}

const char *cancelled(void)
{
	return cancelled_names;
}

void forget(void)
{
	started_names[0] = '\0';
	cancelled_names[0] = '\0';
}

static json_t *parse(const char *text)
{
	char copy[4096];
	json_t *json;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, JSON_DECODE_ANY, NULL);
	cr_assert(json != NULL, "not JSON: %s", text);
	return json;
}

static json_t *own_value(const struct ab_call *call)
{
	const struct how *how = call->resource->config;
	json_t *list;

	if (how->value != NULL)
		return parse(how->value);
	list = json_array();
	json_array_append_new(list, json_string(call->resource->name));
	for (size_t i = 0; i < call->resource->n_needs; i++)
		json_array_append(list, call->needs[i]);
	return list;
}

static void call_fail(struct ab_call *call, enum ab_code code, int status)
{
	struct ab_error err;

	ab_error_set(&err, code, "broken");
	if (status != 0)
		err.status = status;
	ab_call_fail(call, &err);
}

static void call_complete(struct ab_call *call)
{
	const struct how *how = call->resource->config;
	struct ab_text text = {.media = "text/plain"};

	if (how->fails != AB_OK) {
		call_fail(call, how->fails, how->status);
	} else if (how->text != NULL) {
		text.len = strlen(how->text);
		text.data = strdup(how->text);
		ab_call_resolve_text(call, &text);
	} else {
		ab_call_resolve_new(call, own_value(call));
	}
}

static struct ab_share *shared;

void share_among(struct ab_share *share)
{
	shared = share;
}

static void fake_start(struct ab_call *call)
{
	const struct how *how = call->resource->config;

	if (how->key != NULL && ab_share_join(shared, call, how->key, strlen(how->key)))
		return;
	note(started_names, call->resource->name);
	if (how->later) {
		cr_assert(n_pending < MAX_PENDING);
		pending[n_pending++] = call;
	}
	if (how->inside != NULL)
		how->inside(call);
	if (!how->later)
		call_complete(call);
}

static struct ab_call *pending_take(const char *name)
{
	for (size_t i = 0; i < n_pending; i++) {
		struct ab_call *call = pending[i];

		if (strcmp(call->resource->name, name) == 0) {
			memmove(&pending[i], &pending[i + 1], (--n_pending - i) * sizeof(struct ab_call *));
			return call;
		}
	}
	cr_assert_fail("'%s' is not in flight", name);
	return NULL;
}

static void fake_cancel(struct ab_call *call)
{
	const struct how *how = call->resource->config;

	note(cancelled_names, call->resource->name);
	if (how->on_cancel == CANCEL_AT_ONCE) {
		cr_assert(pending_take(call->resource->name) == call);
		call_fail(call, AB_ECANCELED, 0);
	}
}

static const struct ab_handler fake = {
        .kind = "fake",
        .start = fake_start,
        .cancel = fake_cancel,
        .free = free,
};

bool in_flight(const char *name)
{
	for (size_t i = 0; i < n_pending; i++)
		if (strcmp(pending[i]->resource->name, name) == 0)
			return true;
	return false;
}

void complete(const char *name)
{
	call_complete(pending_take(name));
}

void complete_as(const char *name, const char *json)
{
	ab_call_resolve_new(pending_take(name), parse(json));
}

void fail(const char *name, enum ab_code code)
{
	call_fail(pending_take(name), code, 0);
}

/* ---- dispatchers and plans ---- */

enum { MAX_NAMES = 64 };

/* Names in a string, cut in place. */
struct names {
	char text[4096];
	const char *list[MAX_NAMES];
	struct ab_names names;
};

static struct ab_names *split(struct names *names, const char *text)
{
	char *rest = names->text, *name;

	snprintf(names->text, sizeof(names->text), "%s", text != NULL ? text : "");
	names->names = (struct ab_names){.list = names->list};
	while ((name = strtok_r(rest, " ", &rest)) != NULL) {
		cr_assert(names->names.count < MAX_NAMES);
		names->list[names->names.count++] = name;
	}
	return &names->names;
}

struct ab_dispatcher *dispatcher(void)
{
	struct ab_dispatcher *made = ab_dispatcher_create();

	cr_assert(made != NULL);
	return made;
}

enum ab_code add(struct ab_dispatcher *to, const char *spec, struct how how, struct ab_error *err)
{
	const char *colon = strchr(spec, ':');
	char name[256];
	struct names needs;
	struct ab_resource resource = {
	        .name = name,
	        .handler = &fake,
	        .config = malloc(sizeof(how)),
	        .writes = how.writes,
	        .optional = how.optional,
	        .conditional = how.conditional,
	        .missing = how.missing_null ? AB_MISSING_NULL : AB_MISSING_FAILS,
	        .missing_status = how.missing_status,
	        .fallback = how.fallback != NULL ? parse(how.fallback) : NULL,
	        .fallback_resource = how.fallback_resource,
	};

	cr_assert(resource.config != NULL);
	memcpy(resource.config, &how, sizeof(how));
	snprintf(name, sizeof(name), "%.*s", (int)(colon != NULL ? (size_t)(colon - spec) : strlen(spec)),
	        spec);
	resource.n_needs = split(&needs, colon != NULL ? colon + 1 : "")->count;
	resource.needs = needs.list;
	return ab_dispatcher_add(to, &resource, err);
}

enum ab_code compile(const struct ab_dispatcher *from, const struct scene *scene, struct ab_plan **ret_plan,
        struct ab_error *err)
{
	struct names targets, guards, given, acceptable, reserved;
	struct ab_plan_spec spec = {
	        .dispatcher = from,
	        .targets = *split(&targets, scene->targets),
	        .guards = *split(&guards, scene->guards),
	        .given = *split(&given, scene->given),
	        .acceptable = *split(&acceptable, scene->acceptable),
	        .reserved = *split(&reserved, scene->reserved),
	};

	return ab_plan_compile(&spec, ret_plan, err);
}

const char *compile_error(struct ab_error *err, const struct ab_dispatcher *from, const struct scene *scene)
{
	struct ab_plan *plan;

	cr_assert(compile(from, scene, &plan, err) != AB_OK, "this should not compile");
	return err->text;
}

/* ---- runs ---- */

static void play_done(struct ab_run *run, void *arg)
{
	struct play *play = arg;

	cr_assert(run == play->run);
	play->dones++;
	play->done_result = ab_run_result(run);
	if (play->drop_in_done) {
		ab_arena_unref(play->arena);
		play->arena = NULL;
	}
}

void play_begin(struct play *play, const struct ab_dispatcher *from, const struct scene *scene)
{
	struct ab_error err = {.text = ""};
	json_t *give, *one;
	const char *name;

	memset(play, 0, sizeof(*play));
	cr_assert(compile(from, scene, &play->plan, &err) == AB_OK, "%s", err.text);
	play->arena = ab_arena_create(NULL);
	cr_assert(play->arena != NULL);
	play->run = ab_run_create(play->arena, play->plan, NULL);
	cr_assert(play->run != NULL);
	if (scene->give == NULL)
		return;
	give = parse(scene->give);
	json_object_foreach(give, name, one) ab_run_give_new(play->run, slot(play, name), json_incref(one));
	json_decref(give);
}

void play_go(struct play *play)
{
	play->code = ab_run_start(play->run, play_done, play);
	cr_assert(play->dones == 0, "done was called from inside the start");
}

void play_end(struct play *play)
{
	if (play->arena != NULL)
		ab_arena_unref(play->arena);
	ab_plan_destroy(play->plan);
}

int slot(const struct play *play, const char *name)
{
	int found = ab_plan_slot(play->plan, name);

	cr_assert(found >= 0, "'%s' is not in the plan", name);
	return found;
}

const struct ab_resource *resource(const struct play *play, const char *name)
{
	return ab_plan_node(play->plan, slot(play, name))->resource;
}

const char *value(const struct play *play, const char *name)
{
	static char text[4][TEXT];
	static unsigned turn;
	char *to = text[turn++ % 4];
	json_t *json = ab_run_value(play->run, slot(play, name));
	char *dump;

	if (json == NULL)
		return "(none)";
	dump = json_dumps(json, JSON_ENCODE_ANY | JSON_SORT_KEYS);
	snprintf(to, TEXT, "%s", dump);
	free(dump);
	for (char *c = to; *c != '\0'; c++)
		if (*c == '"')
			*c = '\'';
	return to;
}

static void degraded_add(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	char one[256];

	cr_assert_not_null(cause, "%s is degraded without a cause", name);
	snprintf(one, sizeof(one), "%s:%s", name, reason);
	note(arg, one);
}

const char *degraded(const struct play *play)
{
	static char text[TEXT];

	text[0] = '\0';
	ab_run_each_degraded(play->run, degraded_add, text);
	return text;
}
