/* tests/dispatch/test_random.c: a thousand random graphs against a resolver too simple to be wrong.
 *
 * The reference resolves recursively, once each, and knows nothing of time: what it says of values, of the
 * set of resources called and of whether the run fails must hold for every order of completion. Which of
 * several failures decides depends on time, so the engine's is only checked to be one of those the reference
 * finds. */
#include "engine.h"

#include <string.h>

TestSuite(random, .timeout = 60);

enum { MAX_NODES = 60, MAX_NEEDS = 5, GRAPHS = 1000, ORDERS = 3 };

struct node {
	char name[16];
	int needs[MAX_NEEDS];
	size_t n_needs;
	int backup; /* fallback resource, or -1 */
	bool fails, fallback, optional, later, given, writes, guard;
	bool main; /* needed without any fallback */
	/* The reference's findings. */
	bool resolved, failed, used;
	json_t *value;
	/* The engine's. */
	int starts;
};

static struct node nodes[MAX_NODES];
static int n_nodes;
static uint64_t seed;
static struct ab_call *waiting[MAX_NODES];
static size_t n_waiting;
static int last_slot; /* of the call started last */
static bool in_order;
static bool rough; /* handlers expire their own resource now and then */

static unsigned roll(unsigned sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % sides;
}

/* ---- the reference: null means failed ---- */

static json_t *resolve(struct node *node)
{
	json_t *list = json_pack("[s]", node->name);
	bool broken = false;

	if (node->writes && !node->main && !node->given)
		node->failed = true; /* a fallback may not begin a write */
	if (node->resolved || node->failed) {
		json_decref(list);
		return node->value;
	}
	for (size_t i = 0; i < node->n_needs && !node->given; i++) {
		broken = resolve(&nodes[node->needs[i]]) == NULL || broken;
		json_array_append(list, nodes[node->needs[i]].value);
	}
	if (node->given || (!broken && !node->fails))
		node->value = json_incref(list);
	else if (broken)
		node->value = NULL; /* a need failed: nothing of this node's own applies */
	else if (node->fallback)
		node->value = json_string("fallback");
	else if (node->backup >= 0 && resolve(&nodes[node->backup]) != NULL)
		node->value = json_incref(nodes[node->backup].value);
	else if (node->optional)
		node->value = json_null();
	json_decref(list);
	node->resolved = node->value != NULL;
	node->failed = !node->resolved;
	return node->value;
}

static void demand(struct node *node)
{
	if (node->main || node->given)
		return;
	node->main = true;
	for (size_t i = 0; i < node->n_needs; i++)
		demand(&nodes[node->needs[i]]);
}

static bool wanted(const struct node *node)
{
	return node == nodes || node->guard;
}

/* Whether the run succeeds. */
static bool resolve_all(void)
{
	bool fine = true;

	for (int i = 0; i < n_nodes; i++)
		if (wanted(&nodes[i]))
			demand(&nodes[i]);
	for (int i = 0; i < n_nodes; i++)
		if (wanted(&nodes[i]))
			fine = resolve(&nodes[i]) != NULL && fine;
	return fine;
}

/* Mark what the value of a resolved node is made of. */
static void use(struct node *node)
{
	if (node->used || node->given)
		return;
	node->used = true;
	for (size_t i = 0; i < node->n_needs; i++)
		use(&nodes[node->needs[i]]);
	if (node->fails && node->backup >= 0 && nodes[node->backup].resolved)
		use(&nodes[node->backup]);
}

/* ---- the engine's handler ---- */

static void end_call(struct ab_call *call)
{
	struct node *node = *(struct node **)call->resource->config;
	struct ab_error err;
	json_t *value;

	if (node->fails) {
		ab_error_set(&err, AB_EUPSTREAM, "broken");
		ab_call_fail(call, &err);
		return;
	}
	value = json_pack("[s]", node->name);
	for (size_t i = 0; i < call->resource->n_needs; i++)
		json_array_append(value, call->needs[i]);
	ab_call_resolve_new(call, value);
}

static void random_start(struct ab_call *call)
{
	struct node *node = *(struct node **)call->resource->config;

	node->starts++;
	cr_assert(!node->writes || ab_run_result(call->run) == AB_PENDING);
	in_order = in_order && ab_plan_slot(ab_run_plan(call->run), node->name) > last_slot;
	last_slot = ab_plan_slot(ab_run_plan(call->run), node->name);
	if (node->later)
		waiting[n_waiting++] = call;
	if (rough && roll(12) == 0)
		ab_run_expire(call->run, call->resource);
	if (!node->later)
		end_call(call);
}

/* Half of them end at once, the others whenever. */
static void random_cancel(struct ab_call *call)
{
	struct ab_error err;

	cr_assert(!call->resource->writes, "a write was cancelled");
	if (roll(2) == 0)
		return;
	for (size_t i = 0; i < n_waiting; i++)
		if (waiting[i] == call)
			waiting[i] = waiting[--n_waiting];
	ab_error_set(&err, AB_ECANCELED, "canceled");
	ab_call_fail(call, &err);
}

static const struct ab_handler random_handler = {
        .kind = "random",
        .start = random_start,
        .cancel = random_cancel,
        .free = free,
};

/* ---- graphs ---- */

/* Needs point to higher numbers, so there are no circles; the root is 0. */
static void make_graph(unsigned graph)
{
	seed = 0x9E3779B97F4A7C15u * (graph + 1);
	n_nodes = 2 + (int)roll(MAX_NODES - 1);
	memset(nodes, 0, sizeof(nodes));
	for (int i = 0; i < n_nodes; i++) {
		struct node *node = &nodes[i];
		unsigned below = (unsigned)(n_nodes - i - 1);

		snprintf(node->name, sizeof(node->name), "n%d", i);
		node->backup = -1;
		for (unsigned wanted = roll(MAX_NEEDS), j = 0; j < wanted && below > 0; j++) {
			int need = i + 1 + (int)roll(below < 8 ? below : 8);
			bool twice = false;

			for (size_t k = 0; k < node->n_needs; k++)
				twice = twice || node->needs[k] == need;
			if (!twice)
				node->needs[node->n_needs++] = need;
		}
		if (roll(3) == 0 && below > 0)
			node->backup = i + 1 + (int)roll(below);
		node->fails = roll(5) == 0;
		node->fallback = node->backup < 0 && roll(3) == 0;
		node->optional = roll(3) == 0;
		node->later = roll(2) == 0;
		node->given = i > 0 && roll(10) == 0;
	}
}

static struct ab_dispatcher *make_dispatcher(void)
{
	struct ab_dispatcher *d = dispatcher();

	for (int i = 0; i < n_nodes; i++) {
		struct node *node = &nodes[i], **config = malloc(sizeof(*config));
		const char *needs[MAX_NEEDS];

		*config = node;
		for (size_t j = 0; j < node->n_needs; j++)
			needs[j] = nodes[node->needs[j]].name;
		cr_assert(ab_dispatcher_add(d,
		                  &(struct ab_resource){
		                          .name = node->name,
		                          .handler = &random_handler,
		                          .config = config,
		                          .needs = needs,
		                          .n_needs = node->n_needs,
		                          .optional = node->optional,
		                          .writes = node->writes,
		                          .fallback = node->fallback ? json_string("fallback") : NULL,
		                          .fallback_resource =
		                                  node->backup >= 0 ? nodes[node->backup].name : NULL,
		                  },
		                  NULL) == AB_OK);
	}
	return d;
}

static void count_done(struct ab_run *run, void *arg)
{
	(void)run;
	++*(int *)arg;
}

static void check(struct ab_run *run, const struct ab_plan *plan, unsigned graph, bool fine)
{
	const struct ab_error *err = ab_run_error(run);

	for (int i = 0; i < n_nodes; i++) {
		cr_assert(nodes[i].starts <= 1, "graph %u: %s ran %d times", graph, nodes[i].name,
		        nodes[i].starts);
		cr_assert(nodes[i].starts == 0 || !nodes[i].given, "graph %u: %s was given", graph,
		        nodes[i].name);
		cr_assert(nodes[i].starts == 0 || nodes[i].resolved || nodes[i].failed,
		        "graph %u: %s was not needed", graph, nodes[i].name);
	}
	if (!fine) {
		cr_assert(err != NULL, "graph %u should fail", graph);
		cr_assert(nodes[atoi(err->resource + 1)].failed, "graph %u: %s", graph, err->text);
		return;
	}
	cr_assert(err == NULL, "graph %u: %s", graph, err != NULL ? err->text : "");
	for (int i = 0; i < n_nodes; i++)
		cr_assert(nodes[i].starts == 1 || !nodes[i].used, "graph %u: %s was not called", graph,
		        nodes[i].name);
	cr_assert(json_equal(ab_run_value(run, ab_plan_slot(plan, "n0")), nodes[0].value), "graph %u: value",
	        graph);
}

static void play_graph(const struct ab_plan *plan, unsigned graph, bool fine)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	struct ab_run *run = ab_run_create(arena, plan, NULL);
	int dones = 0;
	enum ab_code code;

	for (int i = 0; i < n_nodes; i++) {
		int at = ab_plan_slot(plan, nodes[i].name);

		nodes[i].starts = 0;
		last_slot = -1;
		in_order = true;
		if (nodes[i].given && at >= 0)
			ab_run_give_new(run, at, json_pack("[s]", nodes[i].name));
	}
	code = ab_run_start(run, count_done, &dones);
	while (n_waiting > 0) {
		size_t next = roll((unsigned)n_waiting);
		struct ab_call *call = waiting[next];

		waiting[next] = waiting[--n_waiting];
		end_call(call);
	}
	cr_assert(dones == (code == AB_PENDING), "graph %u: done %d times", graph, dones);
	cr_assert(ab_run_outstanding(run) == 0);
	check(run, plan, graph, fine);
	ab_arena_unref(arena);
}

/* Up to two guards and two writes. */
static void add_guards_and_writes(void)
{
	for (int i = 0; i < 2; i++) {
		nodes[roll((unsigned)n_nodes)].guard = true;
		nodes[roll((unsigned)n_nodes)].writes = true;
	}
	nodes[0].guard = false;
}

static enum ab_code compile_graph(const struct ab_dispatcher *d, struct ab_plan **ret_plan)
{
	char guards[64] = "";

	for (int i = 0; i < n_nodes; i++)
		if (nodes[i].guard)
			snprintf(guards + strlen(guards), sizeof(guards) - strlen(guards), "%.7s ",
			        nodes[i].name);
	return compile(d, &(struct scene){.targets = "n0", .guards = guards}, ret_plan, NULL);
}

struct tally {
	unsigned failed, fine, refused;
};

/* Compare the graph at hand with the reference, in several orders of completion. */
static void compare(unsigned graph, struct tally *tally)
{
	struct ab_dispatcher *d = make_dispatcher();
	struct ab_plan *plan;
	bool fine;

	if (compile_graph(d, &plan) != AB_OK) {
		tally->refused++;
		ab_dispatcher_destroy(d);
		return;
	}
	fine = resolve_all();
	*(fine ? &tally->fine : &tally->failed) += 1;
	for (int i = 0; i < n_nodes && fine; i++)
		if (wanted(&nodes[i]))
			use(&nodes[i]);
	for (unsigned i = 0; i < ORDERS; i++)
		play_graph(plan, graph, fine);
	for (int i = 0; i < n_nodes; i++)
		json_decref(nodes[i].value);
	ab_plan_destroy(plan);
	ab_dispatcher_destroy(d);
}

Test(random, a_thousand_graphs_agree_with_a_naive_resolver)
{
	struct tally tally = {0};

	for (unsigned graph = 0; graph < GRAPHS; graph++) {
		make_graph(graph);
		compare(graph, &tally);
	}
	cr_assert(tally.refused == 0);
	cr_assert(tally.failed > 100 && tally.fine > 100, "%u failed, %u did not", tally.failed, tally.fine);
}

Test(random, a_thousand_graphs_with_guards_and_writes_agree_too)
{
	struct tally tally = {0};

	for (unsigned graph = 0; graph < GRAPHS; graph++) {
		make_graph(graph + GRAPHS);
		add_guards_and_writes();
		compare(graph, &tally);
	}
	cr_assert(tally.failed > 50 && tally.fine > 50 && tally.refused > 50,
	        "%u failed, %u did not, %u refused", tally.failed, tally.fine, tally.refused);
}

Test(random, with_handlers_that_never_wait_the_order_is_that_of_the_plan)
{
	for (unsigned graph = 0; graph < GRAPHS / 5; graph++) {
		struct tally tally = {0};

		make_graph(graph);
		for (int i = 0; i < n_nodes; i++)
			nodes[i].fails = nodes[i].later = false;
		compare(graph, &tally);
		cr_assert(in_order && tally.fine == 1, "graph %u", graph);
	}
}

static void count_ends(void *arg, int slot, const struct ab_error *err)
{
	(void)slot;
	(void)err;
	--*(int *)arg;
}

static void count_starts(void *arg, int slot)
{
	(void)slot;
	++*(int *)arg;
}

/* Something happens to the run from outside, or a call completes. */
static void disturb(struct ab_run *run, const struct ab_plan *plan)
{
	const struct ab_plan_node *node = ab_plan_node(plan, (int)roll((unsigned)ab_plan_size(plan)));
	size_t next = roll((unsigned)n_waiting);
	struct ab_call *call = waiting[next];
	unsigned what = roll(40);

	if (what == 0) {
		ab_run_cancel(run);
	} else if (what == 1) {
		ab_run_expire(run, NULL);
	} else if (what < 12) {
		ab_run_expire(run, node->resource);
	} else {
		waiting[next] = waiting[--n_waiting];
		end_call(call);
	}
}

Test(random, disturbed_runs_end_once_and_leave_nothing)
{
	unsigned ended = 0;

	rough = true;
	for (unsigned graph = 0; graph < GRAPHS; graph++) {
		int dones = 0, open = 0;
		struct ab_observer observer = {.started = count_starts, .ended = count_ends, .arg = &open};
		struct ab_dispatcher *d;
		struct ab_arena *arena;
		struct ab_plan *plan;
		struct ab_run *run;
		enum ab_code code;

		make_graph(graph);
		add_guards_and_writes();
		d = make_dispatcher();
		if (compile_graph(d, &plan) != AB_OK) {
			ab_dispatcher_destroy(d);
			continue;
		}
		arena = ab_arena_create(NULL);
		run = ab_run_create(arena, plan, NULL);
		ab_run_observe(run, &observer);
		for (int i = 0; i < n_nodes; i++)
			if (nodes[i].given && ab_plan_slot(plan, nodes[i].name) >= 0)
				ab_run_give_new(run, ab_plan_slot(plan, nodes[i].name), json_true());
		code = ab_run_start(run, count_done, &dones);
		if (n_waiting > 0 && roll(2) == 0) { /* the calls keep it alive */
			ab_arena_unref(arena);
			arena = NULL;
		}
		while (n_waiting > 0)
			disturb(run, plan);
		cr_assert(dones <= (code == AB_PENDING), "graph %u: done %d times", graph, dones);
		cr_assert(open == 0, "graph %u: %d calls seen to start and not to end", graph, open);
		ended += (unsigned)dones;
		for (int i = 0; i < n_nodes; i++)
			cr_assert(nodes[i].starts <= 1);
		if (arena != NULL)
			ab_arena_unref(arena);
		ab_plan_destroy(plan);
		ab_dispatcher_destroy(d);
	}
	cr_assert(ended > 50, "%u", ended);
}
