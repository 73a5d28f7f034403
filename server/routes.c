/* server/routes.c: `routes:` of the app file, compiled into a router. */
#include "routes_build.h"

#include "../handlers/jq/jq.h"
#include "../handlers/nested.h"

static const char *const route_keys[] = {"answer", "accept", "guard", "needs", "status", "headers",
        "redirect", "cookies", "errors", "deadline", "cross_origin", "accept_unknown", NULL};

/* ---- shared by all that compile ---- */

void *ab_build_alloc(struct ab_build *build, size_t count, size_t size)
{
	void *memory = ab_arena_calloc(build->router->arena, count, size);

	if (memory == NULL)
		build->no_memory = true;
	return memory;
}

bool ab_build_defer(struct ab_build *build, void (*fn)(void *ptr), void *ptr)
{
	if (ab_arena_defer(build->router->arena, fn, ptr))
		return true;
	build->no_memory = true;
	return false;
}

void ab_build_free_json(void *value)
{
	json_decref(value);
}

bool ab_is_reserved(const char *name)
{
	static const char *const reserved[] = {"request", "degraded", "error", "given"};

	for (size_t i = 0; i < AB_COUNT(reserved); i++)
		if (strcmp(reserved[i], name) == 0)
			return true;
	return false;
}

const char *ab_build_nearest(struct ab_build *build, const char *name, char *buf, size_t size)
{
	if (ab_diags_full(build->diags))
		return "";
	return ab_did_you_mean(name, build->names, build->n_names, buf, size);
}

/* ---- the path ---- */

static bool path_mistake(struct ab_build *build, const char *what)
{
	ab_diag(build->diags, build->route->pos, "route '%s': %s", build->route->name, what);
	return false;
}

static bool variable(struct ab_build *build, const struct ab_slice *text, struct ab_segment *segment,
        const struct ab_segment *before, size_t count)
{
	char *name = ab_build_alloc(build, 1, text->len);

	if (name == NULL)
		return false;
	memcpy(name, text->text + 1, text->len - 2);
	*segment = (struct ab_segment){true, {name, text->len - 2}};
	if (!ab_is_name(name, text->len - 2))
		return path_mistake(build, "a variable's name is letters, digits and _");
	if (ab_is_reserved(name))
		return path_mistake(build,
		        "request, degraded, error and given are reserved, so no variable can be called so");
	for (size_t i = 0; i < count; i++)
		if (before[i].variable && strcmp(before[i].text.text, name) == 0)
			return path_mistake(build, "two variables of one name");
	if (++build->route->n_variables > AB_MAX_VARIABLES)
		return path_mistake(build, "more than 16 variables");
	return true;
}

/* What is a variable elsewhere. Here it would be taken for that very text. */
static bool is_foreign(struct ab_build *build, const struct ab_slice *text)
{
	const char *start = text->text;
	size_t len = text->len;
	char says[200];

	if (len == 1 && start[0] == '*')
		return !path_mistake(build, "'*' is no wildcard; expected a variable, as in {name}");
	if (len > 2 && start[0] == '<' && start[len - 1] == '>')
		len -= 2;
	else if (len > 1 && start[0] == ':')
		len -= 1;
	else
		return false;
	if (!ab_is_name(start + 1, len))
		return false;
	snprintf(says, sizeof(says), "'%.*s' is no variable; expected {%.*s}",
	        (int)(text->len > 60 ? 60 : text->len), start, (int)(len > 60 ? 60 : len), start + 1);
	return !path_mistake(build, says);
}

static bool one_segment(struct ab_build *build, const struct ab_slice *text, bool last,
        struct ab_segment *segments, size_t count)
{
	const char *open = memchr(text->text, '{', text->len);

	if (open == NULL && memchr(text->text, '}', text->len) == NULL) {
		if (text->len == 0 && !last)
			return path_mistake(build, "an empty segment, '//'");
		if (is_foreign(build, text))
			return false;
		segments[count] = (struct ab_segment){false, *text};
		return true;
	}
	if (text->len < 3 || text->text[0] != '{' || text->text[text->len - 1] != '}')
		return path_mistake(build, "a variable takes a whole segment, as in /products/{product_id}");
	return variable(build, text, &segments[count], segments, count);
}

static bool parse_path(
        struct ab_build *build, const char *path, struct ab_segment *segments, size_t *ret_count)
{
	struct ab_slice slices[AB_MAX_SEGMENTS];
	struct ab_error err;
	char text[600];
	size_t count;

	if (path[0] != '/')
		return path_mistake(build, "the path does not begin with '/'");
	if (strchr(path, '?') != NULL)
		return path_mistake(build, "a query is no part of a path; names from it go under `accept`");
	if (ab_uri_split(path, strlen(path), build->router->arena, slices, &count, &err) != AB_OK) {
		snprintf(text, sizeof(text), "%s", err.text);
		return path_mistake(build, text);
	}
	if (count > AB_MAX_SEGMENTS)
		return path_mistake(build, "more than 64 segments");
	for (size_t i = 0; i < count; i++)
		if (!one_segment(build, &slices[i], i + 1 == count, segments, i))
			return false;
	*ret_count = count;
	return true;
}

/* "GET /path": the method into the route, the path into segments. */
static bool parse_key(struct ab_build *build, const char *key, struct ab_segment *segments, size_t *ret_count)
{
	size_t len = strcspn(key, " ");
	int method = ab_method_find(key, len);
	const char *path = key + len + strspn(key + len, " ");
	char word[16], text[160], nearest[64];

	if (method >= 0) {
		build->route->method = ab_method_names[method];
		return parse_path(build, path, segments, ret_count);
	}
	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), key);
	if (strcmp(word, "HEAD") == 0 || strcmp(word, "OPTIONS") == 0)
		return path_mistake(
		        build, "HEAD runs the GET route and OPTIONS none, so neither has a route of its own");
	snprintf(text, sizeof(text),
	        "no method '%s'; expected GET, POST, PUT, PATCH or DELETE, then a path%s", word,
	        ab_did_you_mean(word, ab_method_names, AB_METHODS, nearest, sizeof(nearest)));
	return path_mistake(build, text);
}

/* ---- the keys ---- */

static bool read_flag(struct ab_build *build, const struct ab_conf *map, const char *key, bool *ret)
{
	const struct ab_conf *conf = ab_conf_get(map, key);

	return conf == NULL || ab_conf_bool(conf, key, ret, build->diags);
}

/* The queue for a deadline; NULL where nothing is served. */
static bool make_deadline(struct ab_build *build, uint64_t ms, struct ab_deadline_queue **ret)
{
	struct ab_env *env = build->app->env;

	if (env == NULL || env->deadlines == NULL)
		return true;
	*ret = ab_deadlines_queue(env->deadlines, ms);
	if (*ret == NULL)
		build->no_memory = true;
	return *ret != NULL;
}

static bool read_deadline(struct ab_build *build, const struct ab_conf *map)
{
	struct ab_route *route = build->route;
	const struct ab_conf *conf = map != NULL ? ab_conf_get(map, "deadline") : NULL;

	route->deadline_ms = build->app->settings->deadline_ms;
	if (conf != NULL && !ab_conf_duration(conf, "deadline", &route->deadline_ms, build->diags))
		return false;
	return make_deadline(build, route->deadline_ms, &route->deadline);
}

/* A mapping under a key, absent, or a mistake. */
static bool read_map(
        struct ab_build *build, const struct ab_conf *map, const char *key, const struct ab_conf **ret)
{
	*ret = map != NULL ? ab_conf_get(map, key) : NULL;
	return *ret == NULL || ab_conf_want(*ret, AB_CONF_MAP, key, build->diags);
}

/* The same for `accept`, which looks as if a list of names could do. */
static bool read_accept(struct ab_build *build, const struct ab_conf *map)
{
	const struct ab_conf *conf = map != NULL ? ab_conf_get(map, "accept") : NULL;
	const char *name = "name";

	if (conf == NULL || conf->type != AB_CONF_LIST)
		return read_map(build, map, "accept", &build->accept);
	if (conf->u.list.count > 0 && conf->u.list.items[0]->type == AB_CONF_STRING)
		name = conf->u.list.items[0]->u.string.text;
	ab_diag(build->diags, conf->pos,
	        "accept is a list; expected a mapping of names to types, as in {%.40s: string}", name);
	return false;
}

/* `known`: no key is unknown; else a misspelt `answer` is complained about already. */
static bool read_status(
        struct ab_build *build, const struct ab_conf *map, const struct ab_reply_spec *spec, bool known)
{
	const struct ab_conf *status = map != NULL ? ab_conf_get(map, "status") : NULL;
	struct ab_route *route = build->route;

	route->status = 200;
	if (!ab_build_status(build, status, spec->redirect != NULL, &route->status))
		return false;
	if (status != NULL && spec->answer != NULL && (route->status == 204 || route->status == 205)) {
		ab_diag(build->diags, status->pos,
		        "status: %d has no body, so there is nothing to `answer`; expected `needs`",
		        route->status);
		return false;
	}
	if (spec->answer == NULL && spec->redirect == NULL && route->status != 204)
		return !known ||
		       path_mistake(build,
		               "no `answer`; expected one, or `redirect`, or `needs` with `status: 204` for an empty answer");
	return true;
}

static bool uses_body(const struct ab_route *route)
{
	for (size_t i = 0; i < route->n_answers; i++)
		if (route->answers[i].use.body)
			return true;
	return false;
}

static bool takes_from_body(const struct ab_route *route)
{
	for (size_t i = 0; i < route->n_accepts; i++)
		if (route->accepts[i].in == AB_IN_BODY)
			return true;
	return false;
}

/* What a flag is about must be there, or it would be taken and mean nothing. */
static bool check_flags(struct ab_build *build)
{
	const struct ab_route *route = build->route;
	bool get = strcmp(route->method, "GET") == 0, fine = true;

	if (route->cross_origin && get)
		fine = path_mistake(build,
		        "`cross_origin` says nothing of a GET, which other sites may send anyway; expected no such key");
	if (route->accept_unknown && get)
		fine = path_mistake(build,
		        "`accept_unknown` is about names in a body, and a GET has none; expected no such key");
	else if (route->accept_unknown && strcmp(route->method, "DELETE") == 0 && !takes_from_body(route))
		fine = path_mistake(build,
		        "`accept_unknown` is about names in a body, and this DELETE takes none from there; expected no such key");
	return fine;
}

/* Runs of their own know of the request what `given` gives them, which is easily forgotten. */
static bool has_call(const struct ab_route *route)
{
	for (size_t i = 0; i < route->n_answers; i++)
		for (size_t k = 0; k < ab_plan_size(route->answers[i].plan); k++) {
			const struct ab_plan_node *node = ab_plan_node(route->answers[i].plan, (int)k);

			if (node->resource != NULL && ab_call_plan(node->resource) != NULL)
				return true;
		}
	return false;
}

static void hint_unused(struct ab_build *build)
{
	const struct ab_route *route = build->route;

	for (size_t i = route->n_variables; i < route->n_accepts; i++) {
		const struct ab_accept *accept = &route->accepts[i];
		bool used = false;

		used = route->check != NULL && route->check_slots[i] >= 0;
		for (size_t j = 0; j < route->n_answers; j++)
			used = used || route->answers[j].accepts[i] >= 0 || route->answers[j].request >= 0;
		if (!used)
			ab_hint(build->diags, route->pos,
			        "route '%s': accepts '%s', but nothing in it uses that%s", route->name,
			        accept->name,
			        has_call(route)
			                ? "; a run of its own under `call` has it only where `given` gives it"
			                : "");
	}
}

static bool compile_parts(struct ab_build *build, const struct ab_conf *value,
        const struct ab_segment *segments, size_t count, const struct ab_conf *top_errors)
{
	const struct ab_conf *map = value->type == AB_CONF_MAP ? value : NULL;
	struct ab_route *route = build->route;
	const struct ab_conf *errors;
	char what[200];
	struct ab_reply_spec spec = {
	        .what = what,
	        .pos = route->pos,
	        .answer = map != NULL ? ab_conf_get(map, "answer") : value,
	        .read_only = strcmp(route->method, "GET") == 0,
	};
	bool known, ok;

	snprintf(what, sizeof(what), "route '%.150s'", route->name);
	if (map != NULL) {
		spec.redirect = ab_conf_get(map, "redirect");
		spec.headers = ab_conf_get(map, "headers");
		spec.cookies = ab_conf_get(map, "cookies");
		spec.guard = ab_conf_get(map, "guard");
		spec.needs = ab_conf_get(map, "needs");
	}
	known = map == NULL || ab_conf_only(map, what, route_keys, build->diags);
	ok = read_deadline(build, map) && known;
	ok = (map == NULL || (read_flag(build, map, "cross_origin", &route->cross_origin) &&
	                             read_flag(build, map, "accept_unknown", &route->accept_unknown))) &&
	     ok;
	ok = read_map(build, map, "errors", &errors) && ok;
	ok = read_status(build, map, &spec, known) && ok;
	ok = read_accept(build, map) && ab_build_accepts(build, segments, count) && check_flags(build) && ok;
	if (!ok)
		return false;
	ok = ab_build_reply(build, &spec, &route->answers, &route->n_answers, &route->fixed);
	ok = ab_build_errors(build, errors, top_errors, &route->errors, &route->n_errors) && ok;
	if (!ok)
		return false;
	route->takes_body = takes_from_body(route);
	route->leaves_body = !route->takes_body && uses_body(route);
	hint_unused(build);
	return true;
}

static bool compile_route(
        struct ab_build *build, const struct ab_conf_pair *pair, const struct ab_conf *top_errors)
{
	struct ab_segment segments[AB_MAX_SEGMENTS];
	struct ab_route *route = ab_build_alloc(build, 1, sizeof(*route));
	const struct ab_route *other;
	enum ab_code code;
	size_t count = 0;

	if (route == NULL)
		return false;
	build->route = route;
	route->name = pair->key;
	route->pos = pair->pos;
	if (!parse_key(build, pair->key, segments, &count) ||
	        !compile_parts(build, pair->value, segments, count, top_errors))
		return false;
	code = ab_router_add(build->router, route, segments, count, &other);
	if (code == AB_EDUPLICATE)
		ab_diag(build->diags, pair->pos, "route '%s': the same as '%s' on line %u", pair->key,
		        other->name, other->pos.line);
	else if (code != AB_OK)
		build->no_memory = true;
	return code == AB_OK;
}

/* ---- the whole ---- */

static void count_name(const struct ab_resource *resource, void *arg)
{
	(void)resource;
	++*(size_t *)arg;
}

static void add_name(const struct ab_resource *resource, void *arg)
{
	struct ab_build *build = arg;

	if (resource->handler != ab_kind_condition.handler)
		build->names[build->n_names++] = resource->name;
}

static bool collect_names(struct ab_build *build)
{
	size_t count = 0;

	ab_dispatcher_each(build->app->dispatcher, count_name, &count);
	build->names = ab_build_alloc(build, count + 1, sizeof(*build->names));
	if (build->names == NULL)
		return false;
	ab_dispatcher_each(build->app->dispatcher, add_name, build);
	return true;
}

static bool compile_all(struct ab_build *build, const struct ab_conf *root)
{
	const struct ab_conf *routes, *errors;
	bool ok = read_map(build, root, "errors", &errors);

	if (!collect_names(build) ||
	        !make_deadline(build, build->app->settings->deadline_ms, &build->router->deadline))
		return false;
	if (!ok || !ab_build_errors(build, NULL, errors, &build->router->errors, &build->router->n_errors)) {
		/* Said once is enough; the routes are still checked. */
		errors = NULL;
		ok = false;
	}
	if (!read_map(build, root, "routes", &routes))
		return false;
	for (size_t i = 0; routes != NULL && i < routes->u.map.count; i++) {
		build->accept = NULL;
		ok = compile_route(build, &routes->u.map.pairs[i], errors) && ok;
	}
	return ok;
}

bool ab_routes_compile(struct ab_app *app, const struct ab_sources *sources, struct ab_diags *diags)
{
	const struct ab_source *source = ab_sources_top(sources);
	struct ab_build build = {.app = app, .source = source, .diags = diags, .router = ab_router_create()};
	bool ok;

	app->router = build.router;
	if (build.router == NULL)
		return false;
	if (source == NULL || source->root == NULL)
		return false;
	ok = compile_all(&build, source->root);
	if (build.no_memory)
		ab_diag(diags, source->root->pos, "no memory to compile the routes");
	return ok && !build.no_memory;
}
