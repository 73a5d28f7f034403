/* tests/server/test_nested_random.c: random apps of `each`, `call` and equal reads against a resolver too
 * simple to be wrong.
 *
 * The fetches of an app are taken over by a handler that completes when the test says so, in random order,
 * and shares equal reads as the real ones do. The reference knows nothing of time, of runs or of sharing:
 * what it says of the value, and of whether there is one, must hold for every order. Disturbed runs (a
 * cancelled request, calls whose time runs out) need only end once and leave nothing. */
#include "web.h"

#include "../../handlers/nested.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(nested_random, .timeout = 120);

enum { MOST = 12, NEEDS = 3, APPS = 400, ORDERS = 4, MOST_STEPS = 3000 };
enum kind { FETCH, JSON, CALL };

/* A resource; it rests on those of higher numbers alone. `v` is what a call gives, or an item. */
struct node {
	enum kind kind;
	int needs[NEEDS]; /* of a call: what it gives as v, and as `given` */
	int n_needs;
	bool v;     /* it uses v itself (a call: gives it on) */
	bool of_v;  /* it, or what it rests on, uses v */
	int target; /* of a call */
	int given;  /* a resource that the call replaces, or -1 */
	int list;   /* each, or -1 */
	int backup; /* a fallback resource, or -1 */
	bool fallback, optional, each_fallback, timeout;
};

static struct node nodes[MOST];
static int n_nodes;
static uint64_t seed;
static unsigned steps; /* of the reference, for this app */

static unsigned roll(unsigned sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % sides;
}

/* ---- fetches: what they give is a matter of what they ask ---- */

static bool breaks(const json_t *asked)
{
	char *text = json_dumps(asked, JSON_COMPACT);
	uint64_t hash = seed == 0;

	for (const char *c = text; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001B3);
	free(text);
	return (hash >> 20) % 7 == 0;
}

/* Resources of numbers that leave the same rest ask the same. */
static json_t *asks(int index)
{
	return json_pack("[i]", index % 2);
}

/* ---- the reference: NULL means failed ---- */

struct given {
	json_t *v;
	int index; /* or -1 */
	json_t *value;
};

static json_t *resolve(int index, const struct given *given);

/* What the needs give, after v (which is the item in an `each`, there alone); a failed one fails it. */
static json_t *resolve_list(json_t *list, const struct node *node, const struct given *given, json_t *v)
{
	bool fine = true;

	if (node->v)
		json_array_append(list, v);
	for (int i = 0; i < node->n_needs; i++) {
		json_t *value = resolve(node->needs[i], given);

		fine = fine && value != NULL;
		json_array_append_new(list, value);
	}
	if (fine)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *resolve_call(const struct node *node, const json_t *needs, json_t *item)
{
	struct given inner = {.v = item, .index = node->given};

	if (node->list < 0)
		inner.v = json_array_get(needs, 0);
	if (node->given >= 0)
		inner.value = json_array_get(needs, json_array_size(needs) - 1);
	return resolve(node->target, &inner);
}

/* One item, or the whole where there is no list. */
static json_t *resolve_one(int index, const struct given *given, json_t *v)
{
	const struct node *node = &nodes[index];
	json_t *list = resolve_list(node->kind == FETCH ? asks(index) : json_array(), node, given, v), *value;

	if (list == NULL)
		return NULL;
	if (node->kind == CALL)
		value = resolve_call(node, list, v);
	else
		value = node->kind == FETCH && breaks(list) ? NULL : json_incref(list);
	json_decref(list);
	if (value == NULL && node->fallback)
		return json_string("fallback");
	if (value == NULL && node->backup >= 0)
		value = resolve(node->backup, given);
	return value == NULL && node->optional ? json_null() : value;
}

static json_t *resolve_each(int index, const struct given *given, json_t *list)
{
	json_t *values = json_array(), *item;
	bool fine = json_is_array(list);
	size_t i;

	json_array_foreach(list, i, item) fine =
	        json_array_append_new(values, resolve_one(index, given, item)) == 0 && fine;
	if (fine)
		return values;
	json_decref(values);
	return nodes[index].each_fallback ? json_array() : NULL;
}

/* The needs of an `each` are there before its list is looked at, however short that is. */
static bool needs_fail(const struct node *node, const struct given *given)
{
	json_t *list = resolve_list(json_array(), node, given, json_null());

	json_decref(list);
	return list == NULL;
}

static json_t *resolve(int index, const struct given *given)
{
	const struct node *node = &nodes[index];
	json_t *list, *value;

	if (++steps > MOST_STEPS)
		return NULL;
	if (index == given->index)
		return json_incref(given->value);
	if (node->list < 0)
		return resolve_one(index, given, given->v);
	list = resolve(node->list, given);
	value = list != NULL && !needs_fail(node, given) ? resolve_each(index, given, list) : NULL;
	json_decref(list);
	return value;
}

/* ---- the app ---- */

static bool rests_on(int index, int other, int cut)
{
	const struct node *node = &nodes[index];
	bool on = index == other;

	if (index == cut)
		return false;
	for (int i = 0; i < node->n_needs; i++)
		on = on || rests_on(node->needs[i], other, cut);
	on = on || (node->list >= 0 && rests_on(node->list, other, cut));
	return on || (node->backup >= 0 && rests_on(node->backup, other, cut));
}

/* Whether a run of it must know v, where `cut` is given. */
static bool wants_v(int index, int cut)
{
	const struct node *node = &nodes[index];
	bool wants = node->v && node->list < 0;

	if (index == cut)
		return false;
	for (int i = 0; i < node->n_needs; i++)
		wants = wants || wants_v(node->needs[i], cut);
	wants = wants || (node->list >= 0 && wants_v(node->list, cut));
	return wants || (node->backup >= 0 && wants_v(node->backup, cut));
}

static int above(int index)
{
	return index + 1 + (int)roll((unsigned)(n_nodes - index - 1));
}

/* needs: what v is made of (without a list), then what stands for `given`. */
static void make_call(struct node *node, int index)
{
	node->target = above(index);
	node->given = -1;
	for (int tries = 0; tries < 3 && roll(2) == 0; tries++) {
		int other = above(index);

		if (other != node->target && rests_on(node->target, other, -1))
			node->given = other;
	}
	node->v = node->list < 0 && wants_v(node->target, node->given) && roll(2) == 0;
	if (node->list < 0 && !node->v && wants_v(node->target, node->given))
		node->needs[node->n_needs++] = above(index);
	if (node->given >= 0)
		node->needs[node->n_needs++] = above(index);
}

static void make_needs(struct node *node, int index)
{
	unsigned wanted = index == 0 ? NEEDS : roll(node->kind == FETCH ? 2 : NEEDS + 1);

	for (unsigned i = 0; i < wanted && index + 1 < n_nodes; i++) {
		int need = above(index);
		bool twice = false;

		for (int k = 0; k < node->n_needs; k++)
			twice = twice || node->needs[k] == need;
		if (!twice)
			node->needs[node->n_needs++] = need;
	}
	node->v = node->list >= 0 || roll(3) == 0;
}

static void make_node(int index)
{
	struct node *node = &nodes[index];
	bool last = index + 1 == n_nodes;

	*node = (struct node){.kind = (enum kind)roll(3), .given = -1, .list = -1, .backup = -1};
	if (last || index == 0)
		node->kind = JSON;
	if (!last && roll(3) == 0)
		node->list = above(index);
	if (node->kind == CALL)
		make_call(node, index);
	else
		make_needs(node, index);
	if (node->kind != JSON) {
		node->fallback = roll(5) == 0;
		node->optional = roll(5) == 0;
		if (!last && node->list < 0 && !node->fallback && roll(4) == 0)
			node->backup = above(index);
	}
	node->each_fallback = node->list >= 0 && roll(3) == 0;
	node->timeout = node->kind == CALL && roll(2) == 0;
}

struct text {
	char text[8000];
	size_t len;
};

static void AB_PRINTF(2, 3) put(struct text *text, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	text->len += (size_t)vsnprintf(text->text + text->len, sizeof(text->text) - text->len, fmt, args);
	va_end(args);
	cr_assert(text->len < sizeof(text->text));
}

static void put_kind(struct text *text, int index)
{
	const struct node *node = &nodes[index];
	const char *comma = "";
	int need = 0;

	if (node->kind == CALL) {
		put(text, "call: r%d, given: {", node->target);
		if (node->v)
			put(text, "v: \"{v}\", ");
		else if (node->list < 0 && node->n_needs > (node->given >= 0))
			put(text, "v: \"{r%d}\", ", node->needs[need++]);
		if (node->given >= 0)
			put(text, "r%d: \"{r%d}\"", node->given, node->needs[need]);
		put(text, "}");
		return;
	}
	put(text, node->kind == FETCH ? "http: \"GET up/x" : "json: [");
	for (int i = node->v ? -1 : 0; i < node->n_needs; i++, comma = ", ") {
		char name[16] = "v";

		if (i >= 0)
			snprintf(name, sizeof(name), "r%d", node->needs[i]);
		if (node->kind == FETCH)
			put(text, "{/%s*}", name);
		else
			put(text, "%s\"{%s}\"", comma, name);
	}
	put(text, node->kind == FETCH ? "\"" : "]");
}

static void put_node(struct text *text, int index, bool timeouts)
{
	const struct node *node = &nodes[index];

	put(text, "  r%d: {", index);
	put_kind(text, index);
	if (node->list >= 0)
		put(text, ", each: \"{r%d}\", as: v, concurrency: %u", node->list, 1 + roll(4));
	if (node->fallback)
		put(text, ", fallback: {value: fallback}");
	if (node->backup >= 0)
		put(text, ", fallback: {resource: r%d}", node->backup);
	if (node->optional)
		put(text, ", optional: true");
	if (node->each_fallback)
		put(text, ", each_fallback: []");
	if (node->timeout && timeouts)
		put(text, ", timeout: 1ms");
	put(text, "}\n");
}

static void make_app(struct text *text, unsigned number, bool timeouts)
{
	seed = UINT64_C(0x9E3779B97F4A7C15) * (number + 1);
	n_nodes = 5 + (int)roll(MOST - 4);
	for (int i = n_nodes - 1; i >= 0; i--)
		make_node(i);
	*text = (struct text){0};
	put(text, "upstreams: {up: {url: \"http://127.0.0.1:1\"}}\nresources:\n");
	for (int i = 0; i < n_nodes; i++)
		put_node(text, i, timeouts);
	put(text, "routes:\n  GET /: {answer: r0, accept: {v: json}}\n");
}

/* ---- the handler that takes the fetches over ---- */

static struct ab_call **waiting;
static size_t n_waiting, waiting_size;
static unsigned started, ended, followed;

static json_t *asked_by(const struct ab_call *call)
{
	json_t *list = asks(atoi(call->resource->name + 1));

	for (size_t i = 0; i < call->resource->n_needs; i++)
		json_array_append(list, call->needs[i]);
	return list;
}

static void end_call(struct ab_call *call)
{
	json_t *asked = asked_by(call);
	struct ab_error err;

	ended++;
	if (!breaks(asked)) {
		ab_call_resolve_new(call, asked);
		return;
	}
	json_decref(asked);
	ab_error_set(&err, AB_EUPSTREAM, "broken");
	ab_call_fail(call, &err);
}

static void late_start(struct ab_call *call)
{
	const struct ab_context *context = call->context;
	json_t *asked = asked_by(call);
	char *key = json_dumps(asked, JSON_COMPACT);
	bool follows = ab_share_join(context->share, call, key, strlen(key));

	free(key);
	json_decref(asked);
	followed += follows;
	if (follows)
		return;
	started++;
	if (n_waiting == waiting_size) {
		waiting_size = waiting_size == 0 ? 64 : 2 * waiting_size;
		waiting = reallocarray(waiting, waiting_size, sizeof(struct ab_call *));
		cr_assert_not_null(waiting);
	}
	waiting[n_waiting++] = call;
	if (roll(3) == 0) {
		n_waiting--;
		end_call(call);
	}
}

/* Half of them end at once, the others whenever. */
static void late_cancel(struct ab_call *call)
{
	struct ab_error err;

	if (roll(2) == 0)
		return;
	for (size_t i = 0; i < n_waiting; i++)
		if (waiting[i] == call)
			waiting[i] = waiting[--n_waiting];
	ended++;
	ab_error_set(&err, AB_ECANCELED, "canceled");
	ab_call_fail(call, &err);
}

static struct ab_handler late = {.kind = "late", .start = late_start, .cancel = late_cancel};

static void take_over(const struct ab_app *app)
{
	late.free = ab_kind_find("http")->handler->free;
	for (size_t i = 0; i < app->n_resources; i++) {
		const struct ab_resource *inner = ab_each_inner(app->resources[i].resource);

		if (inner->handler == ab_kind_find("http")->handler)
			((struct ab_resource *)(uintptr_t)inner)->handler = &late;
	}
}

/* ---- playing ---- */

struct play {
	struct ab_arena *arena;
	struct ab_context context;
	struct ab_run *run;
	enum ab_code code;
	unsigned dones;
};

static void count_done(struct ab_run *run, void *arg)
{
	(void)run;
	++*(unsigned *)arg;
}

static void play_start(struct play *play, struct web *web, const struct ab_plan *plan, json_t *v)
{
	*play = (struct play){.arena = ab_arena_create(&web->env.pool)};
	play->context = (struct ab_context){.env = &web->env, .max_fetches = 1000};
	play->context.share = ab_share_create(play->arena);
	play->run = ab_run_create(play->arena, plan, &play->context);
	cr_assert(play->context.share != NULL && play->run != NULL);
	ab_run_give_new(play->run, ab_plan_slot(plan, "v"), json_incref(v));
	started = ended = 0;
	play->code = ab_run_start(play->run, count_done, &play->dones);
}

static void complete_one(void)
{
	size_t next = roll((unsigned)n_waiting);
	struct ab_call *call = waiting[next];

	waiting[next] = waiting[--n_waiting];
	end_call(call);
}

static void play_end(struct play *play, unsigned number)
{
	cr_assert_eq(started, ended, "app %u: %u started, %u ended", number, started, ended);
	cr_assert(play->dones <= (play->code == AB_PENDING), "app %u: done %u times", number, play->dones);
	cr_assert_eq(ab_run_outstanding(play->run), 0, "app %u", number);
	ab_arena_unref(play->arena);
}

static const struct ab_plan *plan_of(const struct web *web)
{
	return ab_router_at(web->app->router, 0)->answers[0].plan;
}

static void compare(struct web *web, unsigned number, const char *yaml, json_t *v, json_t *expected)
{
	const struct ab_plan *plan = plan_of(web);
	struct play play;
	json_t *value;

	play_start(&play, web, plan, v);
	while (n_waiting > 0)
		complete_one();
	cr_assert(play.dones == (play.code == AB_PENDING), "app %u: done %u times", number, play.dones);
	value = ab_run_result(play.run) == AB_OK ? ab_run_value(play.run, ab_plan_slot(plan, "r0")) : NULL;
	if ((value == NULL) != (expected == NULL) || (value != NULL && !json_equal(value, expected)))
		cr_assert_fail("app %u: %s, expected %s (%s)\n%s", number,
		        value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : "failed",
		        expected != NULL ? json_dumps(expected, JSON_ENCODE_ANY) : "failure",
		        value != NULL ? "" : ab_run_error(play.run)->text, yaml);
	play_end(&play, number);
}

Test(nested_random, random_apps_agree_with_a_naive_resolver)
{
	unsigned fine = 0, failed = 0;
	struct text text;

	for (unsigned number = 0; number < APPS; number++) {
		json_t *v = json_pack("[i, [i]]", 7, 8), *expected;
		struct given given = {.v = v, .index = -1};
		struct web web;

		make_app(&text, number, false);
		steps = 0;
		expected = resolve(0, &given);
		if (steps <= MOST_STEPS) {
			*(expected != NULL ? &fine : &failed) += 1;
			web_open(&web, text.text);
			take_over(web.app);
			for (int i = 0; i < ORDERS; i++)
				compare(&web, number, text.text, v, expected);
			web_close(&web);
		}
		json_decref(expected);
		json_decref(v);
	}
	free(waiting);
	cr_assert(fine > APPS / 5 && failed > APPS / 20, "%u fine, %u failed", fine, failed);
	cr_assert(followed > APPS / 4, "%u reads that were shared", followed);
}

/* The request is cancelled, its time is up, or that of some calls. */
static void disturb(struct play *play, struct web *web)
{
	unsigned what = roll(30);

	if (what == 0) {
		ab_run_cancel(play->run);
	} else if (what == 1) {
		ab_run_expire(play->run, NULL);
	} else if (what < 5) {
		usleep(1500);
		uv_run(web->env.loop, UV_RUN_NOWAIT);
	} else {
		complete_one();
	}
}

Test(nested_random, disturbed_runs_end_once_and_leave_nothing)
{
	struct text text;

	for (unsigned number = 0; number < APPS; number++) {
		json_t *v = json_pack("[i, [i]]", 7, 8);
		struct given given = {.v = v, .index = -1};
		struct play play;
		struct web web;

		make_app(&text, number, true);
		steps = 0;
		json_decref(resolve(0, &given));
		if (steps <= MOST_STEPS) {
			web_open(&web, text.text);
			take_over(web.app);
			for (int i = 0; i < ORDERS; i++) {
				play_start(&play, &web, plan_of(&web), v);
				while (n_waiting > 0)
					disturb(&play, &web);
				play_end(&play, number);
			}
			web_close(&web);
		}
		json_decref(v);
	}
	free(waiting);
}
