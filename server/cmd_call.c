/* server/cmd_call.c: `anabranch call APP NAME`: one resource resolved from a shell, on a loop of its own.
 *
 * Names given on the command line win over resources, as in a request, but need not be accepted by any route:
 * parts meant for other files' `include` can be tried alone. What the resource does not use is refused.
 * Where a route declares a type for a name, its text is read as that. */
#include "accept.h"
#include "accept_value.h"
#include "commands.h"
#include "load.h"
#include "reply.h"

#include "../handlers/json.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char call_help[] =
        "Usage: anabranch call APP NAME [name=TEXT | name:=JSON]...\n"
        "\n"
        "Resolve the resource NAME of the app file APP, with all that it needs, and print its value: JSON, or the\n"
        "text as it is.\n"
        "\n"
        "  name=TEXT    give a name a text; where a route declares a type for the name, the text is read as that type,\n"
        "               and may be repeated where it is a list\n"
        "  name:=JSON   give it any value\n"
        "\n"
        "A given name is not resolved, nor is what only it needed; it must be one that NAME uses. `request`, `given` and `error` are those of an\n"
        "empty request unless given. The app's `server.deadline` holds; writes are really done.\n"
        "\n"
        "  -h, --help   show this and exit\n"
        "\n"
        "Failures go to standard error, with the resource and the cause; so does what was degraded.\n"
        "Exit codes: 0 fine, 1 the work failed, 2 wrong usage or a mistake in the app file.\n";

/* A name given on the command line. */
struct given {
	const char *name;
	json_t *value;
	const struct ab_accept *accept; /* NULL: no route declares it */
};

struct call {
	struct ab_load load;
	struct ab_arena *arena;
	struct given *givens;
	size_t n_givens;
	const char **names; /* of the givens, then of all that routes accept */
	size_t n_names;
	struct ab_plan *plan;
	struct ab_run *run;
	struct ab_context context;
	struct ab_deadline deadline;
	bool done;
	bool gone; /* the arena is, and with it all that was left to finish */
};

static int call_failed(const char *why)
{
	fprintf(stderr, "anabranch call: %s\n", why);
	return AB_EXIT_FAILED;
}

/* ---- what is given ---- */

/* How the first route in the file that accepts a name declares it. */
static const struct ab_accept *find_accept(const struct call *call, const char *name)
{
	const struct ab_router *router = call->load.app->router;

	for (size_t i = 0; i < ab_router_count(router); i++) {
		const struct ab_route *route = ab_router_at(router, i);

		for (size_t j = 0; j < route->n_accepts; j++)
			if (strcmp(route->accepts[j].name, name) == 0)
				return &route->accepts[j];
	}
	return NULL;
}

static struct given *find_given(const struct call *call, const char *name)
{
	for (size_t i = 0; i < call->n_givens; i++)
		if (strcmp(call->givens[i].name, name) == 0)
			return &call->givens[i];
	return NULL;
}

/* A text as a new value; NULL after saying what is wrong. */
static json_t *read_text(const struct given *given, const char *text)
{
	const char *message = "out of memory";
	json_t *value;

	if (given->accept != NULL)
		value = ab_accept_convert(given->accept, text, strlen(text), &message);
	else
		value = ab_utf8_valid(text, strlen(text)) ? json_string(text) : NULL;
	if (value == NULL && given->accept == NULL)
		message = "is not UTF-8";
	if (value == NULL)
		ab_usage_error("call", "%s %s", given->name, message != NULL ? message : "out of memory");
	return value;
}

static json_t *read_json(const struct given *given, const char *text)
{
	struct ab_error err;
	json_t *value = ab_json_read(text, strlen(text), &err);

	if (value == NULL)
		ab_usage_error("call", "%s is not JSON: %s", given->name, err.text);
	return value;
}

/* Values of a declared type keep its limits. */
static bool judge(struct call *call, const struct given *given, const json_t *value)
{
	const char *why = NULL;
	const json_t *item;
	size_t i;

	if (given->accept == NULL || ab_accept_null(given->accept, value))
		return true;
	if (!given->accept->repeats)
		why = ab_accept_judge(given->accept, value, call->arena);
	else if (!json_is_array(value))
		why = "must be a list";
	else
		json_array_foreach((json_t *)(uintptr_t)value, i, item) why =
		        why != NULL ? why : ab_accept_judge(given->accept, item, call->arena);
	if (why != NULL)
		ab_usage_error("call", "%s %s", given->name, why);
	return why == NULL;
}

/* name=TEXT or name:=JSON. Cuts the argument in two. */
static bool read_argument(struct call *call, char *argument)
{
	char *equals = strchr(argument, '=');
	bool json = equals != NULL && equals > argument && equals[-1] == ':';
	struct given *given, fresh = {.name = argument};
	json_t *value;

	if (equals == NULL) {
		ab_usage_error("call", "'%s' is neither name=TEXT nor name:=JSON", argument);
		return false;
	}
	equals[json ? -1 : 0] = '\0';
	if (!ab_is_name(argument, strlen(argument))) {
		ab_usage_error("call", "'%s' is no name", argument);
		return false;
	}
	fresh.accept = find_accept(call, argument);
	given = find_given(call, argument);
	value = json ? read_json(&fresh, equals + 1) : read_text(&fresh, equals + 1);
	if (value == NULL)
		return false;
	if (!json && fresh.accept != NULL && fresh.accept->repeats) {
		if (given == NULL) {
			fresh.value = json_pack("[o]", value);
			call->givens[call->n_givens++] = fresh;
			return fresh.value != NULL;
		}
		return json_array_append_new(given->value, value) == 0;
	}
	if (given != NULL) {
		json_decref(value);
		ab_usage_error("call", "%s is given twice", argument);
		return false;
	}
	fresh.value = value;
	call->givens[call->n_givens++] = fresh;
	return true;
}

static bool read_arguments(struct call *call, int argc, char **argv)
{
	call->givens = ab_arena_calloc(call->arena, (size_t)argc + 1, sizeof(*call->givens));
	if (call->givens == NULL)
		return false;
	for (int i = 0; i < argc; i++)
		if (!read_argument(call, argv[i]))
			return false;
	for (size_t i = 0; i < call->n_givens; i++)
		if (!judge(call, &call->givens[i], call->givens[i].value))
			return false;
	return true;
}

/* ---- the plan ---- */

/* A need that no resource satisfies. */
static bool is_open(const struct call *call, const char *need)
{
	return ab_dispatcher_find(call->load.app->dispatcher, need) == NULL && !ab_is_reserved(need);
}

static size_t count_names(const struct call *call)
{
	const struct ab_app *app = call->load.app;
	size_t count = call->n_givens;

	for (size_t i = 0; i < ab_router_count(app->router); i++)
		count += ab_router_at(app->router, i)->n_accepts;
	for (size_t i = 0; i < app->n_resources; i++)
		count += app->resources[i].scope.n_needs;
	return count;
}

/* All names that routes accept, and all that no resource has, so that one that is missing can be asked for.
 */
static bool collect_names(struct call *call)
{
	const struct ab_app *app = call->load.app;

	call->names = ab_arena_calloc(call->arena, count_names(call) + 1, sizeof(*call->names));
	if (call->names == NULL)
		return false;
	for (size_t i = 0; i < call->n_givens; i++)
		call->names[call->n_names++] = call->givens[i].name;
	for (size_t i = 0; i < ab_router_count(app->router); i++)
		for (size_t j = 0; j < ab_router_at(app->router, i)->n_accepts; j++)
			call->names[call->n_names++] = ab_router_at(app->router, i)->accepts[j].name;
	for (size_t i = 0; i < app->n_resources; i++) {
		const struct ab_scope *scope = &app->resources[i].scope;

		for (size_t j = 0; j < scope->n_needs; j++)
			if (is_open(call, scope->needs[j]))
				call->names[call->n_names++] = scope->needs[j];
	}
	return true;
}

/* Every given name is one that the plan uses. */
static int check_givens(struct call *call, const char *name)
{
	size_t size = ab_plan_size(call->plan), n = 0;
	const char **names = ab_arena_calloc(call->arena, size + 1, sizeof(*names));
	char meant[160];

	if (names == NULL)
		return call_failed("out of memory");
	for (size_t i = 0; i < size; i++)
		if (strcmp(ab_plan_node(call->plan, (int)i)->name, name) != 0)
			names[n++] = ab_plan_node(call->plan, (int)i)->name;
	for (size_t i = 0; i < call->n_givens; i++) {
		const char *given = call->givens[i].name;

		if (ab_plan_slot(call->plan, given) < 0)
			return ab_usage_error("call", "'%s' does not use '%s'%s", name, given,
			        ab_did_you_mean(given, names, n, meant, sizeof(meant)));
	}
	return AB_EXIT_OK;
}

static int compile_plan(struct call *call, const char *name)
{
	static const char *const reserved[] = {"request", "given", "error"};
	const struct ab_dispatcher *dispatcher = call->load.app->dispatcher;
	struct ab_plan_spec spec = {
	        .dispatcher = dispatcher,
	        .targets = {&name, 1},
	        .given = {call->names, call->n_givens},
	        .acceptable = {call->names, call->n_names},
	        .reserved = {reserved, AB_COUNT(reserved)},
	};
	struct ab_error err;

	if (ab_dispatcher_find(dispatcher, name) == NULL) {
		spec.given = spec.acceptable = spec.reserved = (struct ab_names){0};
	} else if (find_given(call, name) != NULL) {
		return ab_usage_error("call", "'%s' is what is asked for; it cannot be given too", name);
	}
	if (ab_plan_compile(&spec, &call->plan, &err) == AB_OK)
		return check_givens(call, name);
	fprintf(stderr, "anabranch call: %s\n", err.text);
	return err.code == AB_ENOMEM ? AB_EXIT_FAILED : AB_EXIT_USAGE;
}

/* ---- the run ---- */

/* `request`, `given` and `error` where nobody gave them. */
static json_t *reserved_value(const char *name)
{
	if (strcmp(name, "request") == 0)
		return json_pack("{s:s, s:s, s:{}, s:{}, s:{}, s:n, s:s, s:s}", "method", "GET", "path", "/",
		        "query", "headers", "cookies", "body", "client", "127.0.0.1", "id", "call");
	if (strcmp(name, "error") == 0)
		return json_pack("{s:i, s:s, s:n, s:[]}", "status", 500, "title", ab_status_title(500),
		        "resource", "fields");
	return strcmp(name, "given") == 0 ? json_object() : NULL;
}

/* A name that has to be given: where it is needed, unless a route accepts it. */
static int ask_for(const struct call *call, const char *name)
{
	const struct ab_app *app = call->load.app;

	for (size_t i = 0; i < app->n_resources && find_accept(call, name) == NULL; i++) {
		const struct ab_app_resource *resource = &app->resources[i];
		const struct ab_scope *scope = &resource->scope;

		if (ab_plan_slot(call->plan, resource->pair->key) < 0)
			continue;
		for (size_t j = 0; j < scope->n_needs; j++)
			if (strcmp(scope->needs[j], name) == 0)
				fprintf(stderr, "%s:%u:%u: resource '%.60s' needs '%.60s'\n",
				        scope->needs_pos[j].file, scope->needs_pos[j].line,
				        scope->needs_pos[j].column, resource->pair->key, name);
	}
	return ab_usage_error(
	        "call", "'%s' is needed, and no resource has that name: give it as %s=...", name, name);
}

/* Give what there is; AB_EXIT_USAGE when a name is missing that only the caller can know. */
static int give_all(struct call *call)
{
	size_t count = ab_plan_size(call->plan);
	bool *given = ab_arena_calloc(call->arena, count + 1, sizeof(*given));
	bool *demanded = ab_arena_calloc(call->arena, count + 1, sizeof(*demanded));

	if (given == NULL || demanded == NULL)
		return call_failed("out of memory");
	ab_plan_demand(call->plan, given, demanded);
	for (size_t i = 0; i < count; i++) {
		const struct ab_plan_node *node = ab_plan_node(call->plan, (int)i);
		const struct given *own = find_given(call, node->name);
		const struct ab_accept *accept;

		if (own != NULL) {
			ab_run_give_new(call->run, (int)i, json_incref(own->value));
			continue;
		}
		if (node->resource != NULL || strcmp(node->name, "degraded") == 0)
			continue;
		accept = find_accept(call, node->name);
		if (ab_is_reserved(node->name))
			ab_run_give_new(call->run, (int)i, reserved_value(node->name));
		else if (accept != NULL && accept->fallback != NULL)
			ab_run_give_new(call->run, (int)i, json_incref(accept->fallback));
		else if (demanded[i])
			return ask_for(call, node->name);
	}
	return AB_EXIT_OK;
}

static void on_expired(struct ab_deadline *deadline)
{
	struct call *call = ab_container_of(deadline, struct call, deadline);

	ab_run_expire(call->run, NULL);
}

static void on_done(struct ab_run *run, void *arg)
{
	struct call *call = arg;

	(void)run;
	call->done = true;
	ab_deadline_disarm(&call->deadline);
}

/* Until the run has ended and nothing of it is left, writes and cancelled calls included. */
static int run_to_end(struct call *call)
{
	struct ab_env *env = &call->load.env;
	struct ab_deadline_queue *queue =
	        ab_deadlines_queue(env->deadlines, call->load.app->settings->deadline_ms);

	if (queue == NULL)
		return call_failed("out of memory");
	if (ab_run_start(call->run, on_done, call) != AB_PENDING)
		call->done = true;
	else
		ab_deadline_arm(queue, &call->deadline, on_expired);
	while (!call->done || ab_run_outstanding(call->run) > 0)
		uv_run(env->loop, UV_RUN_ONCE);
	return AB_EXIT_OK;
}

/* ---- what came of it ---- */

static void print_degraded(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	(void)arg;
	fprintf(stderr, "degraded: %s (%s)%s%s\n", name, reason, cause != NULL ? ": " : "",
	        cause != NULL ? cause->text : "");
}

static int print_value(struct call *call, int slot)
{
	const struct ab_text *text = ab_run_text(call->run, slot);
	struct ab_buf buf;
	json_t *value;

	if (text != NULL) {
		fwrite(text->data, 1, text->len, stdout);
		if (isatty(STDOUT_FILENO) && text->len > 0 && text->data[text->len - 1] != '\n')
			putchar('\n');
		return ab_finish_stdout("call", AB_EXIT_OK);
	}
	value = ab_run_value(call->run, slot);
	ab_buf_init(&buf, AB_MAX_REPLY);
	if (value != NULL)
		ab_json_write(&buf, value);
	if (value == NULL || buf.failed) {
		ab_buf_fini(&buf);
		return call_failed(buf.too_big ? "the value is too big to print" : "out of memory");
	}
	fwrite(buf.data, 1, buf.len, stdout);
	putchar('\n');
	ab_buf_fini(&buf);
	return ab_finish_stdout("call", AB_EXIT_OK);
}

static int report(struct call *call, const char *name)
{
	const struct ab_error *err = ab_run_error(call->run);

	ab_run_each_degraded(call->run, print_degraded, NULL);
	if (err == NULL)
		return print_value(call, ab_plan_slot(call->plan, name));
	fprintf(stderr, "anabranch call: %s (%s)\n", err->text, ab_code_name(err->code));
	return AB_EXIT_FAILED;
}

static int call_resource(struct call *call, const char *name, int argc, char **argv)
{
	int code;

	if (!read_arguments(call, argc, argv))
		return AB_EXIT_USAGE;
	if (!collect_names(call))
		return call_failed("out of memory");
	code = compile_plan(call, name);
	if (code != AB_EXIT_OK)
		return code;
	call->context = (struct ab_context){
	        .env = &call->load.env,
	        .request_id = "call",
	        .max_fetches = call->load.app->settings->max_fetches,
	};
	call->context.share = ab_share_create(call->arena);
	call->run = ab_run_create(call->arena, call->plan, &call->context);
	if (call->run == NULL)
		return call_failed("out of memory");
	code = give_all(call);
	if (code == AB_EXIT_OK)
		code = run_to_end(call);
	return code == AB_EXIT_OK ? report(call, name) : code;
}

static void on_gone(void *arg)
{
	struct call *call = arg;

	call->gone = true;
}

/* A write in a nested run that has failed, or was given up, may still be on its way: it holds the arena. */
static void close_arena(struct call *call)
{
	if (call->arena == NULL)
		return;
	(void)!ab_arena_defer(call->arena, on_gone, call); /* without memory it is called at once */
	ab_arena_unref(call->arena);
	while (!call->gone)
		uv_run(call->load.env.loop, UV_RUN_ONCE);
}

static void call_close(struct call *call)
{
	for (size_t i = 0; i < call->n_givens; i++)
		json_decref(call->givens[i].value);
	close_arena(call);
	ab_plan_destroy(call->plan);
	ab_load_close(&call->load);
}

int ab_cmd_call(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct call call = {0};
	int code, option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option != 'h')
			return ab_usage_error("call", "there is no option %s", argv[optind - 1]);
		fputs(call_help, stdout);
		return ab_finish_stdout("call", AB_EXIT_OK);
	}
	if (argc - optind < 2)
		return ab_usage_error("call", "expected an app file and the name of a resource");
	code = ab_load_open(&call.load, "call", argv[optind], true);
	call.arena = code == AB_EXIT_OK ? ab_arena_create(&call.load.env.pool) : NULL;
	if (call.arena != NULL)
		code = call_resource(&call, argv[optind + 1], argc - optind - 2, argv + optind + 2);
	else if (code == AB_EXIT_OK)
		code = call_failed("out of memory");
	call_close(&call);
	return code;
}
