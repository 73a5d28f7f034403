/* server/exchange.c: see exchange.h.
 *
 *   match, accept --fine--> RUNNING --succeeded-------------------------> REPLIED
 *        `--refused--.         `--failed--.                                  ^
 *                     `------------------- `--a rule for it--> EXCUSING -----|
 *                                           `--none, or that fails too-------' (the built-in body)
 *
 * RUNNING and EXCUSING are runs of plans; both may end at once, inside ab_exchange_start, or later, from the
 * loop. One deadline holds for both, counted from the end of the request's head: an error page may use what
 * time is left, and has none after the deadline itself. */
#include "exchange.h"

#include "accept.h"
#include "origin.h"
#include "reply.h"
#include "request_value.h"
#include "router.h"
#include "timing.h"

#include <string.h>

enum {
	QUICK_BODY_MS = 50,  /* a body that came within this takes nothing off the deadline */
	DEADLINE_STEPS = 32, /* of what a slower one leaves of it */
};

struct ab_exchange {
	struct ab_app *app;
	struct ab_arena *arena;
	const struct ab_request *request;
	ab_exchange_cb done;
	void *arg;
	struct ab_match match;
	const struct ab_answer *answer; /* of the route */
	struct ab_input input;
	struct ab_context context;
	struct ab_run *run; /* of the route's plan, once there is one */
	struct ab_timing *timing;
	const struct ab_error_rule *rule;
	const struct ab_answer *excuse; /* of the rule */
	struct ab_run *error_run;
	struct ab_deadline deadline;
	bool expired;
	bool input_kept;       /* input_release is arranged for */
	int status;            /* of the error */
	const char *allow;     /* for 405 */
	struct ab_error error; /* why, once something has failed */
	struct ab_reply reply;
};

/* Each step says whether the reply is there, or will come later. */
enum step { REPLIED, LATER };

static enum step fail(struct ab_exchange *x, const struct ab_error *err);

/* ---- the end ---- */

static void input_release(void *ptr)
{
	struct ab_exchange *x = ptr;

	ab_input_fini(&x->input, x->match.route != NULL ? x->match.route->n_accepts : 0);
}

/* Values that no plan takes, and a JSON body, are let go with the arena. */
static bool keep_input(struct ab_exchange *x)
{
	if (x->input_kept)
		return true;
	x->input_kept = ab_arena_defer(x->arena, input_release, x);
	return x->input_kept;
}

static json_t *request_value(struct ab_exchange *x, const struct ab_request_use *use)
{
	return keep_input(x) ? ab_request_value(use, x->request, &x->input, x->arena) : NULL;
}

static json_t *given_value(struct ab_exchange *x)
{
	struct ab_error err;

	if (ab_input_query(&x->input, x->request, x->arena, &err) == AB_ENOMEM)
		return NULL;
	return ab_input_given(&x->input, x->match.route, &x->match);
}

static void finish_reply(struct ab_exchange *x)
{
	struct ab_reply *reply = &x->reply;
	const char *timing = ab_timing_text(x->timing, x->arena);

	reply->route = x->match.route != NULL ? x->match.route->name : NULL;
	if (timing != NULL)
		ab_reply_header(reply, "Server-Timing", timing);
	if (x->allow != NULL)
		ab_reply_header(reply, "Allow", x->allow);
	if (reply->status == 503)
		ab_reply_header(reply, "Retry-After", "1");
}

/* From the loop: the reply is there. */
static void finish_later(struct ab_exchange *x)
{
	ab_deadline_disarm(&x->deadline);
	x->done(x, x->arg);
}

static void reset_reply(struct ab_exchange *x)
{
	free(x->reply.body);
	memset(&x->reply, 0, sizeof(x->reply));
	if (x->error.code != AB_OK)
		x->reply.error = &x->error;
}

static enum step reply_builtin(struct ab_exchange *x)
{
	struct ab_problem problem = {.fields = x->input.fields, .n_fields = x->input.n_fields};

	/* What went wrong inside is the log's; what was wrong with the request is the client's to know. */
	if (x->app->dev || (x->run == NULL && x->status < 500))
		problem.detail = x->error.text;
	else
		problem.detail = x->error.message;
	reset_reply(x);
	ab_reply_put_problem(&x->reply, x->request, x->status, &problem);
	finish_reply(x);
	return REPLIED;
}

/* ---- the deadline ---- */

static void on_expired(struct ab_deadline *deadline)
{
	struct ab_exchange *x = ab_container_of(deadline, struct ab_exchange, deadline);

	x->expired = true;
	ab_run_expire(x->error_run != NULL ? x->error_run : x->run, NULL);
}

/* How long the request has been here since its head had come: as long as its body took. */
static uint64_t age(const struct ab_exchange *x)
{
	return x->request->head_ms != 0 ? uv_now(x->app->env->loop) - x->request->head_ms : 0;
}

/* The queue for what a slow body has left of the deadline. Rounded down to a step, so that however long
 * bodies take there are only so many queues for each deadline. */
static struct ab_deadline_queue *rest_queue(const struct ab_exchange *x, uint64_t whole, uint64_t took)
{
	uint64_t step = whole / DEADLINE_STEPS, left = took < whole ? whole - took : 0;

	return ab_deadlines_queue(x->app->env->deadlines, step > 0 ? left - left % step : left);
}

static void arm(struct ab_exchange *x)
{
	const struct ab_route *route = x->match.route;
	struct ab_deadline_queue *whole = route != NULL ? route->deadline : x->app->router->deadline;
	struct ab_deadline_queue *rest = NULL;
	uint64_t took;

	if (whole == NULL || ab_deadline_armed(&x->deadline))
		return;
	took = age(x);
	if (AB_UNLIKELY(took >= QUICK_BODY_MS))
		rest = rest_queue(
		        x, route != NULL ? route->deadline_ms : x->app->settings->deadline_ms, took);
	/* Without memory for another queue the whole deadline is better than none. */
	ab_deadline_arm(rest != NULL ? rest : whole, &x->deadline, on_expired);
}

/* ---- an error's answer ---- */

static json_t *error_value(const struct ab_exchange *x)
{
	json_t *fields = json_array();
	json_t *resource = x->error.resource != NULL ? json_string(x->error.resource) : json_null();

	for (size_t i = 0; i < x->input.n_fields; i++) {
		json_t *field = json_pack("{s:s, s:s}", "field", x->input.fields[i].field, "message",
		        x->input.fields[i].message);

		if (json_array_append_new(fields, field) != 0) {
			json_decref(fields);
			fields = NULL;
		}
	}
	return json_pack("{s:i, s:s, s:s?, s:o, s:o}", "status", x->status, "title",
	        ab_status_title(x->status), "message", x->error.message, "resource", resource, "fields",
	        fields);
}

/* A name that the request should have given, and nobody else can. */
static bool lacks(const struct ab_exchange *x, size_t index)
{
	int slot = x->excuse->accepts[index];
	const json_t *value = x->input.values != NULL ? x->input.values[index] : NULL;

	return slot >= 0 && value == NULL && ab_plan_node(x->excuse->plan, slot)->resource == NULL;
}

static void give_excuse(struct ab_exchange *x)
{
	const struct ab_answer *excuse = x->excuse;
	const struct ab_route *route = x->match.route;
	struct ab_run *run = x->error_run;

	if (excuse->error >= 0)
		ab_run_give_new(run, excuse->error, error_value(x));
	if (excuse->given >= 0)
		ab_run_give_new(run, excuse->given, given_value(x));
	if (excuse->request >= 0)
		ab_run_give_new(run, excuse->request, request_value(x, &excuse->use));
	for (size_t i = 0; route != NULL && i < route->n_accepts; i++)
		if (lacks(x, i))
			ab_run_give_new(run, excuse->accepts[i], json_null());
	if (route != NULL)
		ab_input_give(&x->input, route, excuse, run);
	/* What was made while nothing had gone wrong would not know of it. */
	if (x->run != NULL && x->answer->error < 0 && x->answer->given < 0)
		ab_run_inherit(run, x->run);
}

static enum step excuse_finished(struct ab_exchange *x)
{
	struct ab_error err;

	if (ab_run_result(x->error_run) != AB_OK)
		return reply_builtin(x);
	reset_reply(x);
	x->reply.status = x->rule->status != 0 ? x->rule->status : x->status;
	if (ab_reply_put_answer(&x->reply, x->error_run, x->excuse, &x->rule->fixed, x->request,
	            x->rule->n_answers > 1, &err) != AB_OK)
		return reply_builtin(x);
	finish_reply(x);
	return REPLIED;
}

static void on_excuse_done(struct ab_run *run, void *arg)
{
	struct ab_exchange *x = arg;

	(void)run;
	excuse_finished(x);
	finish_later(x);
}

static const struct ab_error_rule *find_rule(const struct ab_exchange *x)
{
	const struct ab_route *route = x->match.route;
	size_t count = route != NULL ? route->n_errors : 0;
	const struct ab_error_rule *rules =
	        route != NULL ? route->errors : ab_router_errors(x->app->router, &count);

	for (size_t i = 0; i < count; i++)
		if (x->status >= rules[i].from && x->status <= rules[i].to)
			return &rules[i];
	return NULL;
}

static enum step start_excuse(struct ab_exchange *x)
{
	x->excuse = ab_answer_choose(x->request, x->rule->answers, x->rule->n_answers);
	x->error_run = ab_run_create(x->arena, x->excuse->plan, &x->context);
	if (x->error_run == NULL)
		return reply_builtin(x);
	give_excuse(x);
	if (ab_run_start(x->error_run, on_excuse_done, x) != AB_PENDING)
		return excuse_finished(x);
	if (x->expired) {
		ab_run_cancel(x->error_run);
		return reply_builtin(x);
	}
	arm(x);
	return LATER;
}

static enum step fail(struct ab_exchange *x, const struct ab_error *err)
{
	if (err != &x->error)
		x->error = *err;
	x->status = x->error.status >= 400 && x->error.status <= 599 && x->error.status != 499
	                    ? x->error.status
	                    : 500;
	x->rule = find_rule(x);
	return x->rule != NULL ? start_excuse(x) : reply_builtin(x);
}

static enum step refuse(struct ab_exchange *x, enum ab_code code, int status, const char *text)
{
	ab_error_set(&x->error, code, "%s", text);
	x->error.status = status;
	return fail(x, &x->error);
}

/* ---- the run ---- */

/* Tell the client what is wrong with what it gave under this name. */
static void blame_field(struct ab_exchange *x, const char *field, const char *message)
{
	struct ab_input *input = &x->input;

	if (input->fields == NULL)
		input->fields = ab_arena_alloc(x->arena, AB_MAX_FIELDS * sizeof(*input->fields));
	if (input->fields != NULL && input->n_fields < AB_MAX_FIELDS)
		input->fields[input->n_fields++] = (struct ab_field){field, message};
}

/* Whether a resource needs something that the request brought: only then can bad input be the request's
 * fault. The client is told which of its names that may be. */
static bool blame_request(struct ab_exchange *x, const char *resource)
{
	const struct ab_route *route = x->match.route;
	const struct ab_plan *plan = x->answer->plan;
	int slot = resource != NULL ? ab_plan_slot(plan, resource) : -1;
	const struct ab_plan_node *node = slot >= 0 ? ab_plan_node(plan, slot) : NULL;
	bool fed = node == NULL;

	for (size_t i = 0; node != NULL && i < node->n_needs; i++) {
		fed |= ab_plan_node(plan, node->needs[i])->resource == NULL;
		for (size_t a = 0; a < route->n_accepts; a++) {
			if (x->answer->accepts[a] != node->needs[i] || x->input.values == NULL ||
			        x->input.values[a] == NULL)
				continue;
			blame_field(x, route->accepts[a].outside, "can't be used as it is");
			fed = true;
		}
	}
	return fed;
}

static enum step run_failed(struct ab_exchange *x)
{
	x->error = *ab_run_error(x->run);
	if (x->error.field != NULL)
		blame_field(x, x->error.field, x->error.message != NULL ? x->error.message : "is refused");
	else if (x->error.code == AB_EINVALID && x->error.status == 400 &&
	         !blame_request(x, x->error.resource))
		x->error.status = 502;
	return fail(x, &x->error);
}

static enum step run_finished(struct ab_exchange *x)
{
	const struct ab_route *route = x->match.route;

	if (ab_run_result(x->run) != AB_OK)
		return run_failed(x);
	x->reply.status = route->status;
	if (ab_reply_put_answer(&x->reply, x->run, x->answer, &route->fixed, x->request, route->n_answers > 1,
	            &x->error) != AB_OK)
		return fail(x, &x->error);
	finish_reply(x);
	return REPLIED;
}

static void on_run_done(struct ab_run *run, void *arg)
{
	struct ab_exchange *x = arg;

	(void)run;
	if (run_finished(x) == REPLIED)
		finish_later(x);
}

static enum step start_run(struct ab_exchange *x)
{
	const struct ab_answer *answer = x->answer;
	uint64_t took = age(x);

	if (AB_UNLIKELY(took >= QUICK_BODY_MS && took >= x->match.route->deadline_ms)) {
		x->expired = true;
		return refuse(x, AB_ETIMEOUT, 504, "The request's body took the whole deadline.");
	}
	x->run = ab_run_create(x->arena, answer->plan, &x->context);
	if (x->run == NULL)
		return refuse(x, AB_ENOMEM, 503, "no memory for a run");
	if (answer->shares)
		x->context.share = ab_share_create(x->arena);
	if (x->app->settings->server_timing)
		x->timing = ab_timing_watch(x->arena, x->run);
	ab_input_give(&x->input, x->match.route, answer, x->run);
	if (answer->request >= 0)
		ab_run_give_new(x->run, answer->request, request_value(x, &answer->use));
	/* Nothing has gone wrong: a page that also shows a form again finds nothing to show. */
	if (answer->error >= 0)
		ab_run_give_new(x->run, answer->error, json_null());
	if (answer->given >= 0)
		ab_run_give_new(x->run, answer->given, json_null());
	if (ab_run_start(x->run, on_run_done, x) != AB_PENDING)
		return run_finished(x);
	arm(x);
	return LATER;
}

/* ---- what the request means ---- */

/* The checks are done: what is refused is the client's to know. */
static enum step checked(struct ab_exchange *x)
{
	const struct ab_route *route = x->match.route;
	struct ab_run *run = x->run;

	if (ab_run_result(run) != AB_OK) {
		x->error = *ab_run_error(run);
	} else if (ab_input_judge(&x->input, route, run, x->arena, &x->error) == AB_OK) {
		x->run = NULL;
		return start_run(x);
	}
	/* Nothing of the answer has been tried. */
	x->run = NULL;
	return fail(x, &x->error);
}

static void on_checked(struct ab_run *run, void *arg)
{
	struct ab_exchange *x = arg;

	(void)run;
	if (checked(x) == REPLIED)
		finish_later(x);
}

static enum step check(struct ab_exchange *x)
{
	const struct ab_route *route = x->match.route;

	x->run = ab_run_create(x->arena, route->check, &x->context);
	if (x->run == NULL)
		return refuse(x, AB_ENOMEM, 503, "no memory for a run");
	ab_input_give_check(&x->input, route, x->run);
	if (ab_run_start(x->run, on_checked, x) != AB_PENDING)
		return checked(x);
	arm(x);
	return LATER;
}

static enum step accept_request(struct ab_exchange *x)
{
	const struct ab_route *route = x->match.route;
	enum ab_code code;

	if (AB_UNLIKELY(!route->cross_origin && strcmp(route->method, "GET") != 0 &&
	                ab_request_crosses(x->request)))
		return refuse(x, AB_EFORBIDDEN, 403, "This request was sent by a page of another site.");
	x->answer = ab_answer_choose(x->request, route->answers, route->n_answers);
	code = ab_accept_read(
	        route, &x->match, x->request, x->app->accept_all, x->arena, &x->input, &x->error);
	if ((x->input.values != NULL || x->input.body != NULL || x->input.extras != NULL) && !keep_input(x))
		return refuse(x, AB_ENOMEM, 503, "no memory for what is given");
	if (code != AB_OK)
		return fail(x, &x->error);
	return AB_UNLIKELY(route->check != NULL) ? check(x) : start_run(x);
}

/* A method that no route can have is not implemented (RFC 9110, section 15.6.2); TRACE and CONNECT are known,
 * and no route's. */
static bool known_method(const char *method)
{
	static const char *const others[] = {"HEAD", "OPTIONS", "TRACE", "CONNECT"};

	for (size_t i = 0; i < AB_COUNT(others); i++)
		if (strcmp(method, others[i]) == 0)
			return true;
	return ab_method_find(method, strlen(method)) >= 0;
}

static enum step reply_options(struct ab_exchange *x)
{
	x->reply.status = 204;
	x->allow = x->match.allow;
	ab_reply_put_headers(&x->reply, x->request, NULL);
	finish_reply(x);
	return REPLIED;
}

static enum step begin(struct ab_exchange *x)
{
	const struct ab_request *request = x->request;
	bool options = strcmp(request->method, "OPTIONS") == 0;
	enum ab_code code;

	if (!known_method(request->method))
		return refuse(x, AB_EINVALID, 501, "This method is not known here.");
	code = ab_router_match(x->app->router, request->method, request->target, request->path_len, x->arena,
	        &x->match, &x->error);
	if (code != AB_OK)
		return fail(x, &x->error);
	if (AB_LIKELY(x->match.route != NULL))
		return accept_request(x);
	if (x->match.allow == NULL)
		return refuse(x, AB_EMISSING, 404, "No route has this path.");
	if (options)
		return reply_options(x);
	x->allow = x->match.allow;
	return refuse(x, AB_EINVALID, 405, "This path does not take this method.");
}

enum ab_code ab_exchange_start(struct ab_app *app, struct ab_arena *arena, const struct ab_request *request,
        ab_exchange_cb done, void *arg, struct ab_exchange **ret_exchange)
{
	struct ab_exchange *x = ab_arena_calloc(arena, 1, sizeof(*x));

	if (x == NULL)
		return AB_ENOMEM;
	x->app = app;
	x->arena = arena;
	x->request = request;
	x->done = done;
	x->arg = arg;
	x->context = (struct ab_context){
	        .env = app->env,
	        .request_id = request->id,
	        .traceparent = request->traceparent,
	        .max_fetches = app->settings->max_fetches,
	};
	*ret_exchange = x;
	return begin(x) == REPLIED ? AB_OK : AB_PENDING;
}

struct ab_reply *ab_exchange_reply(struct ab_exchange *x)
{
	return &x->reply;
}

void ab_exchange_cancel(struct ab_exchange *x)
{
	ab_deadline_disarm(&x->deadline);
	if (x->run != NULL)
		ab_run_cancel(x->run);
	if (x->error_run != NULL)
		ab_run_cancel(x->error_run);
}
