/* server/cmd_plan.c: `anabranch plan APP ROUTE`: what a route would do, step by step, and how long it may
 * take.
 *
 * A step holds what can run once the steps before it are done. It is a picture: the engine has no steps, a
 * resource starts when its own needs are there. The worst case is exact all the same: it follows the needs,
 * not the steps. */
#include "commands.h"
#include "load.h"
#include "plan_node.h"
#include "routes.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

static const char plan_help[] =
        "Usage: anabranch plan APP ROUTE [name[=value]]...\n"
        "\n"
        "Show what the app file APP would do for a request to ROUTE: which resources run, in which steps, what each\n"
        "does, needs and may take; then the critical path, and its worst case against the route's deadline.\n"
        "\n"
        "  ROUTE       as in the app file, \"GET /products/{product_id}\", or a path as a client sends it; GET may be\n"
        "              left out\n"
        "  name        suppose that the request gives this name; the value does not matter\n"
        "\n"
        "  -h, --help  show this and exit\n"
        "\n"
        "Nothing is run. Exit codes: 0 fine, 1 the work failed, 2 wrong usage or a mistake in the app file.\n";

struct view {
	const struct ab_app *app;
	const struct ab_route *route;
	const struct ab_answer *answer;
	const struct ab_plan *plan;
	struct ab_arena *arena;
	size_t count;
	/* For each node: */
	bool *given;
	int *phases;    /* -1: not resolved */
	int *steps;     /* from 1; 0: not resolved */
	uint64_t *ends; /* ms after the start, at worst */
	int *before;    /* the node it waited for longest, or -1 */
	bool *backs_up; /* its fallback resource is part of that worst case */
	uint64_t *late; /* scratch: the same for what a fallback needs */
	bool *told;     /* scratch: the request gives it */
	int last_step;
	uint64_t phase_end; /* when the guards before the phase at hand have ended, at worst */
	int phase_last;     /* the node that does, or -1 */
};

static int plan_failed(const char *why)
{
	fprintf(stderr, "anabranch plan: %s\n", why);
	return AB_EXIT_FAILED;
}

/* ---- which route ---- */

static const struct ab_route *route_named(const struct ab_router *router, const char *name)
{
	for (size_t i = 0; i < ab_router_count(router); i++)
		if (strcmp(ab_router_at(router, i)->name, name) == 0)
			return ab_router_at(router, i);
	return NULL;
}

/* A path such as a client would send, its query cut off. */
static const struct ab_route *route_matched(
        const struct ab_router *router, const char *name, struct ab_arena *arena)
{
	const char *path = strchr(name, '/');
	struct ab_match match = {0};
	struct ab_error err;
	char method[16];

	if (path == NULL || path == name || path[-1] != ' ')
		return NULL;
	snprintf(method, sizeof(method), "%.*s", (int)(path - name - 1), name);
	if (ab_router_match(router, method, path, strcspn(path, "?"), arena, &match, &err) != AB_OK)
		return NULL;
	return match.route;
}

static const struct ab_route *find_route(
        const struct ab_router *router, const char *name, struct ab_arena *arena)
{
	size_t count = ab_router_count(router);
	const struct ab_route *route;
	const char **names, *nearest;

	if (name[0] == '/') {
		name = ab_arena_printf(arena, "GET %s", name);
		if (name == NULL)
			return NULL;
	}
	route = route_named(router, name);
	if (route == NULL)
		route = route_matched(router, name, arena);
	names = ab_arena_calloc(arena, count + 1, sizeof(*names));
	if (route != NULL || names == NULL)
		return route;
	for (size_t i = 0; i < count; i++)
		names[i] = ab_router_at(router, i)->name;
	nearest = ab_nearest(name, names, count);
	fprintf(stderr, "anabranch plan: there is no route '%s'", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean '%s'?", nearest);
	fprintf(stderr, "\n%s", count > 0 ? "The routes are:\n" : "The app has no routes.\n");
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "  %s\n", names[i]);
	return NULL;
}

/* ---- what is given ---- */

static bool accepts_name(const struct ab_route *route, const char *name)
{
	const char **names = calloc(route->n_accepts + 1, sizeof(*names)), *nearest = NULL;
	bool found = false;

	for (size_t i = 0; i < route->n_accepts && names != NULL; i++) {
		names[i] = route->accepts[i].name;
		found = found || strcmp(names[i], name) == 0;
	}
	if (!found && names != NULL)
		nearest = ab_nearest(name, names, route->n_accepts);
	if (!found && nearest != NULL)
		ab_usage_error(
		        "plan", "%s does not accept '%s'; did you mean '%s'?", route->name, name, nearest);
	else if (!found)
		ab_usage_error("plan", "%s does not accept '%s'", route->name, name);
	free(names);
	return found;
}

/* Cut name=value and name:=value down to the name. */
static bool read_names(const struct ab_route *route, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		argv[i][strcspn(argv[i], ":=")] = '\0';
		if (!accepts_name(route, argv[i]))
			return false;
	}
	return true;
}

static bool is_among(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return false;
}

/* A request gives path variables and what it must; reserved names are the server's. */
static void suppose_given(struct view *v, int argc, char **argv)
{
	for (size_t i = 0; i < v->count; i++)
		v->given[i] = ab_plan_node(v->plan, (int)i)->resource == NULL;
	for (size_t i = 0; i < v->route->n_accepts; i++) {
		int slot = v->answer->accepts[i];
		const struct ab_accept *accept = &v->route->accepts[i];

		if (slot >= 0 && (i < v->route->n_variables || accept->fallback != NULL ||
		                         is_among(accept->name, argc, argv)))
			v->given[slot] = true;
	}
}

/* ---- steps and times ---- */

static uint64_t own_time(const struct ab_plan_node *node)
{
	return node->resource != NULL ? node->resource->timeout_ms : 0;
}

/* When a fallback resource asked for at `from` has its value, at worst; what it needs may be there already.
 */
static uint64_t backup_end(struct view *v, int backup, uint64_t from)
{
	if (v->given[backup])
		return from;
	for (int i = 0; i <= backup; i++) {
		const struct ab_plan_node *node = ab_plan_node(v->plan, i);

		if (v->given[i] || v->phases[i] >= 0) {
			v->late[i] = v->given[i] || v->ends[i] < from ? from : v->ends[i];
			continue;
		}
		v->late[i] = from;
		for (size_t j = 0; j < node->n_needs; j++)
			if (v->late[node->needs[j]] > v->late[i])
				v->late[i] = v->late[node->needs[j]];
		v->late[i] += own_time(node);
		if (node->fallback >= 0 && v->late[node->fallback] > v->late[i])
			v->late[i] = v->late[node->fallback];
	}
	return v->late[backup];
}

/* Wait for a node: its end, and its step, may be the latest yet. */
static void wait_for(struct view *v, int node, int on)
{
	if (v->given[on] || v->phases[on] < 0)
		return;
	if (v->steps[on] >= v->steps[node])
		v->steps[node] = v->steps[on] + 1;
	if (v->ends[on] > v->ends[node] || v->before[node] < 0) {
		v->ends[node] = v->ends[on];
		v->before[node] = on;
	}
}

static void time_node(struct view *v, int at, int first_step)
{
	const struct ab_plan_node *node = ab_plan_node(v->plan, at);
	uint64_t backup;

	v->steps[at] = first_step;
	v->ends[at] = v->phase_end;
	v->before[at] = v->phase_last;
	for (size_t i = 0; i < node->n_needs; i++)
		wait_for(v, at, node->needs[i]);
	for (size_t i = 0; i < node->n_after; i++)
		wait_for(v, at, node->after[i]);
	v->ends[at] += own_time(node);
	if (node->fallback >= 0 && node->resource->fallback == NULL) {
		backup = backup_end(v, node->fallback, v->ends[at]);
		v->backs_up[at] = backup > v->ends[at];
		v->ends[at] = backup;
	}
	if (v->steps[at] > v->last_step)
		v->last_step = v->steps[at];
}

/* Writes wait for nodes that come later in the plan, so times settle over several rounds: one for each write
 * and one. */
static void time_phase(struct view *v, int phase)
{
	int first = v->last_step + 1;
	bool again = true;

	for (size_t round = 0; again && round <= v->count; round++) {
		again = false;
		for (size_t i = 0; i < v->count; i++) {
			uint64_t end = v->ends[i];
			int step = v->steps[i];

			if (v->phases[i] != phase)
				continue;
			time_node(v, (int)i, first);
			again = again || v->ends[i] != end || v->steps[i] != step;
		}
	}
}

static int last_of(const struct view *v)
{
	int last = -1;

	for (size_t i = 0; i < v->count; i++)
		if (v->phases[i] >= 0 && v->steps[i] > 0 && (last < 0 || v->ends[i] >= v->ends[last]))
			last = (int)i;
	return last;
}

static void time_all(struct view *v)
{
	int phases = 0;

	for (size_t i = 0; i < v->count; i++)
		if (v->phases[i] > phases)
			phases = v->phases[i];
	v->phase_last = -1;
	for (int phase = 0; phase <= phases; phase++) {
		time_phase(v, phase);
		v->phase_last = last_of(v);
		v->phase_end = v->phase_last >= 0 ? v->ends[v->phase_last] : 0;
	}
}

static bool view_open(struct view *v)
{
	v->count = ab_plan_size(v->plan);
	v->given = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->given));
	v->phases = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->phases));
	v->steps = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->steps));
	v->ends = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->ends));
	v->before = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->before));
	v->backs_up = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->backs_up));
	v->late = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->late));
	v->told = ab_arena_calloc(v->arena, v->count + 1, sizeof(*v->told));
	return v->given != NULL && v->phases != NULL && v->steps != NULL && v->ends != NULL &&
	       v->before != NULL && v->backs_up != NULL && v->late != NULL && v->told != NULL;
}

/* ---- printing ---- */

static bool by_request(const struct view *v, int slot)
{
	for (size_t i = 0; i < v->route->n_accepts; i++)
		if (v->answer->accepts[i] == slot)
			return v->given[slot];
	return false;
}

static void print_node(const struct view *v, int at)
{
	for (size_t i = 0; i < v->count; i++)
		v->told[i] = by_request(v, (int)i);
	ab_print_node(v->app, v->plan, at, v->told);
}

static void print_steps(const struct view *v)
{
	bool any = false;

	for (int step = 1; step <= v->last_step; step++) {
		bool guard = false;

		for (size_t i = 0; i < v->count; i++)
			guard = guard || (v->steps[i] == step && v->phases[i] >= 0 &&
			                         v->phases[i] < (int)ab_plan_guards(v->plan));
		printf("  step %d%s\n", step, guard ? " (guard)" : "");
		for (size_t i = 0; i < v->count; i++)
			if (v->steps[i] == step)
				print_node(v, (int)i);
	}
	for (size_t i = 0; i < v->count; i++) {
		const struct ab_plan_node *node = ab_plan_node(v->plan, (int)i);

		if (!node->lazy || node->resource == NULL || v->given[i])
			continue;
		if (!any)
			printf("  only on failure\n");
		any = true;
		print_node(v, (int)i);
	}
	for (size_t i = 0; i < v->count; i++) {
		const struct ab_plan_node *node = ab_plan_node(v->plan, (int)i);

		if (node->resource != NULL && !node->lazy && v->phases[i] < 0)
			printf("  not run: %s%s\n", node->name, v->given[i] ? " (given)" : "");
	}
}

/* " + fallback cached 900ms": what it adds at worst, with all that it has to wait for. */
static void print_backup(const struct view *v, int at)
{
	const struct ab_plan_node *node = ab_plan_node(v->plan, at);
	uint64_t start = v->before[at] >= 0 ? v->ends[v->before[at]] : 0;

	printf(" + fallback %s ", node->resource->fallback_resource);
	ab_print_time(v->ends[at] - start - own_time(node));
}

static void print_path(const struct view *v, int last)
{
	int *path = ab_arena_calloc(v->arena, v->count + 1, sizeof(*path));
	size_t length = 0;

	if (path == NULL)
		return;
	for (int at = last; at >= 0 && length < v->count; at = v->before[at])
		path[length++] = at;
	printf("  critical path: ");
	while (length-- > 0) {
		const struct ab_plan_node *node = ab_plan_node(v->plan, path[length]);

		printf("%s", node->name);
		if (own_time(node) > 0) {
			printf(" ");
			ab_print_time(own_time(node));
		}
		if (v->backs_up[path[length]])
			print_backup(v, path[length]);
		printf("%s", length > 0 ? " -> " : "\n");
	}
}

static void print_answer(struct view *v)
{
	int last = last_of(v);
	uint64_t worst = last >= 0 ? v->ends[last] : 0;

	if (v->answer->media != NULL)
		printf("\n%s\n", v->answer->media);
	print_steps(v);
	if (last < 0)
		printf("  nothing to resolve\n");
	else
		print_path(v, last);
	printf("  worst case: ");
	ab_print_time(worst);
	printf(worst == 0 ? ", nothing waits; deadline " : ", deadline ");
	ab_print_time(v->route->deadline_ms);
	printf("%s\n", worst > v->route->deadline_ms ? ": the deadline would end it first" : "");
}

/* What every request to the route gives, what defaults give, and what is supposed. */
static void print_given(const struct ab_route *route, int argc, char **argv)
{
	bool any = false;

	printf("%s\n  given: ", route->name);
	for (size_t i = 0; i < route->n_accepts; i++) {
		const struct ab_accept *accept = &route->accepts[i];
		bool told = i < route->n_variables || accept->required || is_among(accept->name, argc, argv);

		if (!told && accept->fallback == NULL)
			continue;
		printf("%s%s%s", any ? ", " : "", accept->name, told ? "" : " (default)");
		any = true;
	}
	printf("%s\n", any ? "" : "nothing");
}

static int show(const struct ab_app *app, struct ab_arena *arena, int argc, char **argv)
{
	const struct ab_route *route = find_route(app->router, argv[0], arena);

	argc--;
	argv++;
	if (route == NULL || !read_names(route, argc, argv))
		return AB_EXIT_USAGE;
	print_given(route, argc, argv);
	for (size_t i = 0; i < route->n_answers; i++) {
		struct view v = {
		        .app = app,
		        .route = route,
		        .answer = &route->answers[i],
		        .plan = route->answers[i].plan,
		        .arena = arena,
		};

		if (!view_open(&v))
			return plan_failed("out of memory");
		suppose_given(&v, argc, argv);
		ab_plan_phases(v.plan, v.given, v.phases);
		time_all(&v);
		print_answer(&v);
	}
	return ab_finish_stdout("plan", AB_EXIT_OK);
}

int ab_cmd_plan(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct ab_load load;
	struct ab_arena *arena;
	int code, option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option != 'h')
			return ab_usage_error("plan", "there is no option %s", argv[optind - 1]);
		fputs(plan_help, stdout);
		return ab_finish_stdout("plan", AB_EXIT_OK);
	}
	if (argc - optind < 2)
		return ab_usage_error("plan", "expected an app file and a route");
	code = ab_load_open(&load, "plan", argv[optind], false);
	if (code == AB_EXIT_OK) {
		arena = ab_arena_create(NULL);
		code = arena != NULL ? show(load.app, arena, argc - optind - 1, argv + optind + 1)
		                     : plan_failed("out of memory");
		if (arena != NULL)
			ab_arena_unref(arena);
	}
	ab_load_close(&load);
	return code;
}
