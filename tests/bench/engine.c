/* tests/bench/engine.c: what the engine itself costs: nanoseconds a resource, in a chain of a thousand, a
 * thousand side by side, and a page of ten with and without a given name.
 *
 * Prints one line a shape. With an argument it plays one shape N times and prints nothing, for callgrind,
 * which counts instructions:  engine chain 100 */
#include "../../dispatch/run.h"

#include <string.h>
#include <time.h>

enum { MANY = 1000 };

/* A thousand times the same value, so that jansson's allocator is not what is measured. */
static json_t *shared;

static void bench_start(struct ab_call *call)
{
	ab_call_resolve_new(call, json_incref(shared));
}

static const struct ab_handler handler = {.kind = "bench", .start = bench_start};

static void fail(const char *why)
{
	fprintf(stderr, "engine: %s\n", why);
	exit(1);
}

static void add(struct ab_dispatcher *to, const char *name, const char *const *needs, size_t n_needs)
{
	struct ab_resource spec = {.name = name, .handler = &handler, .needs = needs, .n_needs = n_needs};
	struct ab_error err;

	if (ab_dispatcher_add(to, &spec, &err) != AB_OK)
		fail(err.text);
}

static void build_chain(struct ab_dispatcher *to)
{
	char name[16], next[16];
	const char *needs[] = {next};

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), i == 0 ? "target" : "r%d", i);
		snprintf(next, sizeof(next), "r%d", i + 1);
		add(to, name, needs, i + 1 < MANY);
	}
}

static void build_wide(struct ab_dispatcher *to)
{
	static char names[MANY][16];
	static const char *needs[MANY - 1];

	for (int i = 0; i < MANY - 1; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i);
		needs[i] = names[i];
		add(to, names[i], NULL, 0);
	}
	add(to, "target", needs, MANY - 1);
}

static void build_page(struct ab_dispatcher *to)
{
	static const char *const target[] = {"product", "reviews", "related", "user", "stock"};
	static const char *const related[] = {"product", "limit"};
	static const char *const reviews[] = {"id"};
	static const char *const stock[] = {"product", "place"};

	add(to, "target", target, AB_COUNT(target));
	add(to, "product", reviews, 1);
	add(to, "reviews", reviews, 1);
	add(to, "related", related, 2);
	add(to, "stock", stock, 2);
	add(to, "user", NULL, 0);
	add(to, "limit", NULL, 0);
	add(to, "place", NULL, 0);
	add(to, "id", NULL, 0);
}

struct shape {
	const char *name;
	void (*build)(struct ab_dispatcher *to);
	const char *given;
	unsigned runs;
};

static const struct shape shapes[] = {
        {"chain", build_chain, NULL, 2000},
        {"wide", build_wide, NULL, 2000},
        {"page", build_page, NULL, 200000},
        {"given", build_page, "user", 200000},
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void play(const struct ab_plan *plan, struct ab_pool *pool, int given, unsigned runs)
{
	for (unsigned i = 0; i < runs; i++) {
		struct ab_arena *arena = ab_arena_create(pool);
		struct ab_run *run = arena != NULL ? ab_run_create(arena, plan, NULL) : NULL;

		if (run == NULL)
			fail("out of memory");
		if (given >= 0)
			ab_run_give_new(run, given, json_incref(shared));
		if (ab_run_start(run, NULL, NULL) != AB_OK)
			fail(ab_run_error(run)->text);
		ab_arena_unref(arena);
	}
}

static void measure(const struct shape *shape, unsigned runs)
{
	const char *targets[] = {"target"};
	struct ab_dispatcher *dispatcher = ab_dispatcher_create();
	struct ab_plan_spec spec = {.dispatcher = dispatcher, .targets = {targets, 1}};
	struct ab_plan *plan;
	struct ab_error err;
	struct ab_pool pool;
	double best = 1e9;
	int given;

	if (dispatcher == NULL)
		fail("out of memory");
	shape->build(dispatcher);
	if (ab_plan_compile(&spec, &plan, &err) != AB_OK)
		fail(err.text);
	given = shape->given != NULL ? ab_plan_slot(plan, shape->given) : -1;
	ab_pool_init(&pool);
	if (runs > 0) {
		play(plan, &pool, given, runs);
	} else {
		for (int round = 0; round < 5; round++) {
			double start = seconds(), taken;

			play(plan, &pool, given, shape->runs);
			taken = (seconds() - start) / shape->runs;
			best = taken < best ? taken : best;
		}
		printf("%-6s %5zu resources  %8.2f us a run  %6.1f ns a resource\n", shape->name,
		        ab_plan_size(plan), best * 1e6, best * 1e9 / (double)ab_plan_size(plan));
	}
	ab_pool_fini(&pool);
	ab_plan_destroy(plan);
	ab_dispatcher_destroy(dispatcher);
}

int main(int argc, char **argv)
{
	shared = json_string("value");
	if (shared == NULL)
		fail("out of memory");
	for (size_t i = 0; i < AB_COUNT(shapes); i++)
		if (argc < 2 || strcmp(argv[1], shapes[i].name) == 0)
			measure(&shapes[i], argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0);
	json_decref(shared);
	return 0;
}
