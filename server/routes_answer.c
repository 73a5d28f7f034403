/* server/routes_answer.c: the plans of a reply, one for each media type it can have, and the checks on them.
 *
 * What a request may give decides what is safe: the same resource can be fine on one route and a mistake on
 * another, so all of this is judged a plan, not a resource. */
#include "routes_build.h"

#include "../handlers/carry.h"
#include "../handlers/nested.h"

/* One plan being made. */
struct making {
	struct ab_build *build;
	const struct ab_reply_spec *spec;
	const struct ab_parts *parts;
	struct ab_answer *answer;
	const char **given, **acceptable; /* names */
	size_t n_given, n_acceptable;
};

/* ---- names ---- */

/* The name of a resource in a list or alone. */
static const char *resource_name(struct ab_build *build, const struct ab_conf *conf, const char *what)
{
	char nearest[160];
	const char *name;

	if (conf->type != AB_CONF_STRING && !conf->refused) {
		ab_diag(build->diags, conf->pos, "%s is %s; expected a resource's name", what,
		        ab_conf_describe(conf, nearest, sizeof(nearest)));
		return NULL;
	}
	name = ab_conf_string(conf, what, build->diags);
	if (name == NULL || ab_dispatcher_find(build->app->dispatcher, name) != NULL)
		return name;
	ab_diag(build->diags, conf->pos, "%s: no resource '%s'%s", what, name,
	        ab_build_nearest(build, name, nearest, sizeof(nearest)));
	return NULL;
}

/* A list of resources' names; false after mistakes. */
static bool name_list(
        struct ab_build *build, const struct ab_conf *conf, const char *what, struct ab_names *ret)
{
	const char **list;

	*ret = (struct ab_names){0};
	if (conf == NULL)
		return true;
	if (!ab_conf_want(conf, AB_CONF_LIST, what, build->diags))
		return false;
	list = ab_build_alloc(build, conf->u.list.count + 1, sizeof(*list));
	if (list == NULL)
		return false;
	*ret = (struct ab_names){list, conf->u.list.count};
	for (size_t i = 0; i < conf->u.list.count; i++) {
		list[i] = resource_name(build, conf->u.list.items[i], what);
		if (list[i] == NULL)
			return false;
	}
	return true;
}

/* What is given always, and what may be. */
static bool sort_accepts(struct making *m)
{
	const struct ab_route *route = m->build->route;
	size_t room = (route != NULL ? route->n_accepts : 0) +
	              (m->build->app->accept_all ? m->build->n_names : 0) + 1;

	m->given = ab_build_alloc(m->build, room, sizeof(*m->given));
	m->acceptable = ab_build_alloc(m->build, room, sizeof(*m->acceptable));
	if (m->given == NULL || m->acceptable == NULL)
		return false;
	for (size_t i = 0; route != NULL && i < route->n_accepts; i++) {
		const struct ab_accept *accept = &route->accepts[i];

		if (accept->in == AB_IN_PATH || accept->required || accept->fallback != NULL)
			m->given[m->n_given++] = accept->name;
		else
			m->acceptable[m->n_acceptable++] = accept->name;
	}
	for (size_t i = 0; m->build->app->accept_all && i < m->build->n_names; i++)
		m->acceptable[m->n_acceptable++] = m->build->names[i];
	return true;
}

/* ---- plan mistakes, where they stand ---- */

/* Where the resource mentions the name that can't be resolved, or NULL. */
static const struct ab_pos *unresolved_pos(
        const struct making *m, const struct ab_scope *scope, const char *text)
{
	char quoted[160];

	for (size_t i = 0; i < scope->n_needs; i++) {
		snprintf(quoted, sizeof(quoted), " needs '%.120s',", scope->needs[i]);
		if (strstr(text, quoted) != NULL &&
		        ab_dispatcher_find(m->parts->dispatcher, scope->needs[i]) == NULL)
			return &scope->needs_pos[i];
	}
	return NULL;
}

/* Replace `what` in `text` (of AB_ERROR_TEXT bytes) by something no longer. */
static void replace(char *text, const char *what, const char *by)
{
	char *at = strstr(text, what);
	size_t len = strlen(by);

	if (at == NULL)
		return;
	memmove(at + len, at + strlen(what), strlen(at + strlen(what)) + 1);
	for (size_t i = 0; i < len; i++)
		at[i] = by[i];
}

/* The route's own resources have names that the file does not know. */
static void hide_parts(const struct ab_parts *parts, char *text)
{
	char what[200], by[64];

	for (int i = 0; i < AB_PARTS; i++) {
		if (!parts->has[i])
			continue;
		snprintf(what, sizeof(what), "resource '%s' needs", parts->names[i]);
		snprintf(by, sizeof(by), "`%s` needs", ab_part_keys[i]);
		replace(text, what, by);
		snprintf(what, sizeof(what), " %s,", parts->names[i]);
		replace(text, what, "");
	}
}

/* One place is complained about once, whichever routes lead there. */
static bool said_before(struct ab_build *build, const struct ab_pos *pos)
{
	struct ab_said *said;

	for (said = build->said; said != NULL; said = said->next)
		if (said->pos.line == pos->line && said->pos.column == pos->column &&
		        strcmp(said->pos.file, pos->file) == 0)
			return true;
	said = ab_build_alloc(build, 1, sizeof(*said));
	if (said != NULL) {
		*said = (struct ab_said){*pos, build->said};
		build->said = said;
	}
	return false;
}

static void plan_mistake(const struct making *m, struct ab_error *err)
{
	struct ab_build *build = m->build;
	const struct ab_pos *pos = NULL;

	if (err->code == AB_ENOMEM) {
		build->no_memory = true;
		return;
	}
	for (int i = 0; pos == NULL && err->code == AB_EUNRESOLVABLE && i < AB_PARTS; i++)
		if (err->resource != NULL && m->parts->has[i] &&
		        strcmp(err->resource, m->parts->names[i]) == 0)
			pos = unresolved_pos(m, &m->parts->scopes[i], err->text);
	if (pos == NULL && err->resource != NULL && err->code == AB_EUNRESOLVABLE) {
		const struct ab_resource *resource = ab_dispatcher_find(m->parts->dispatcher, err->resource);
		const struct ab_app_resource *known =
		        resource != NULL ? ab_app_find(build->app, resource) : NULL;

		if (known != NULL)
			pos = unresolved_pos(m, &known->scope, err->text);
	}
	if (pos != NULL && said_before(build, pos))
		return;
	hide_parts(m->parts, err->text);
	ab_diag(build->diags, pos != NULL ? *pos : m->spec->pos, "%s: %s", m->spec->what, err->text);
}

/* ---- checks ---- */

static const struct ab_scope *scope_of(const struct making *m, const struct ab_resource *resource)
{
	const struct ab_app_resource *known;

	for (int i = 0; i < AB_PARTS; i++)
		if (m->parts->has[i] && strcmp(resource->name, m->parts->names[i]) == 0)
			return &m->parts->scopes[i];
	known = ab_app_find(m->build->app, resource);
	return known != NULL ? &known->scope : NULL;
}

static bool check_write(const struct making *m, const struct ab_plan_node *node)
{
	if (!node->resource->writes || !m->spec->read_only)
		return true;
	if (m->spec->error)
		ab_diag(m->build->diags, m->spec->pos, "%s: '%s' writes, which an error's answer may not",
		        m->spec->what, node->name);
	else
		ab_diag(m->build->diags, m->spec->pos,
		        "%s: '%s' writes, which a GET route may not; expected POST, PUT, PATCH or DELETE",
		        m->spec->what, node->name);
	return false;
}

/* Whether a name is, or with `deep` is made from, something the request gives. */
static bool from_request(const struct making *m, const char *name, bool deep)
{
	static const char *const reserved[] = {"request", "given", "error"};
	const struct ab_plan *plan = m->answer->plan;
	const struct ab_route *route = m->build->route;
	int slot = ab_plan_slot(plan, name);

	for (size_t i = 0; i < AB_COUNT(reserved); i++) {
		int on = ab_plan_slot(plan, reserved[i]);

		if (strcmp(name, reserved[i]) == 0 ||
		        (deep && on >= 0 && slot >= 0 && ab_plan_depends(plan, slot, on)))
			return true;
	}
	for (size_t i = 0; route != NULL && i < route->n_accepts; i++) {
		int on = ab_plan_slot(plan, route->accepts[i].name);

		if (strcmp(name, route->accepts[i].name) == 0 ||
		        (deep && on >= 0 && slot >= 0 && ab_plan_depends(plan, slot, on)))
			return true;
	}
	return false;
}

/* Whether something the request gives comes as it is into the value of slot `slot`. */
static bool carries_html(const struct making *m, int slot)
{
	const struct ab_plan *plan = m->answer->plan;
	size_t size = ab_plan_size(plan);
	bool *carries = calloc(size, sizeof(*carries)), found;

	if (carries == NULL)
		return true; /* there is no memory for this app anyway */
	for (size_t i = 0; i < size; i++)
		carries[i] = from_request(m, ab_plan_node(plan, (int)i)->name, false);
	ab_carry(plan, carries);
	found = carries[slot];
	free(carries);
	return found;
}

static bool is_raw_mistake(const struct making *m, enum ab_raw kind, const char *name)
{
	int slot = ab_plan_slot(m->answer->plan, name);

	switch (kind) {
	case AB_RAW_HTML:
		return slot >= 0 ? carries_html(m, slot) : from_request(m, name, false);
	case AB_RAW_URL:
		return from_request(m, name, true);
	case AB_RAW_NONE:
	default:
		return false;
	}
}

static bool check_raws(const struct making *m, const struct ab_scope *scope)
{
	bool ok = true;

	for (size_t i = 0; i < scope->n_raws; i++) {
		const struct ab_scope_raw *raw = &scope->raws[i];
		const char *name = scope->needs[raw->need];

		if (!is_raw_mistake(m, raw->kind, name))
			continue;
		ok = false;
		if (raw->kind == AB_RAW_HTML)
			ab_diag(m->build->diags, raw->pos,
			        "%s: the request can give '%s'%s, so {{{%s}}} would put a stranger's HTML into the page; "
			        "expected {{%s}}",
			        m->spec->what, name,
			        from_request(m, name, false) ? "" : ", or what stands in it", name, name);
		else
			ab_diag(m->build->diags, raw->pos,
			        "%s: '%s' depends on the request, so {+%s} and {#%s} would let it change the URL; expected "
			        "{%s}, or `raw: [%s]` if that is meant",
			        m->spec->what, name, name, name, name, name);
	}
	return ok;
}

static bool listed_in_accept(const struct ab_build *build, const char *name)
{
	return build->accept != NULL && ab_conf_get(build->accept, name) != NULL;
}

static bool check_inputs(const struct making *m)
{
	const struct ab_route *route = m->build->route;
	bool ok = true;

	for (size_t i = 0; route != NULL && !m->spec->error && i < route->n_accepts; i++) {
		const struct ab_accept *accept = &route->accepts[i];
		int slot = m->answer->accepts[i];

		if (slot >= 0 && slot == m->answer->answer) {
			ab_diag(m->build->diags, m->spec->pos, "%s: accepts '%s', which is its answer",
			        m->spec->what, accept->name);
			ok = false;
		} else if (slot >= 0 && accept->in == AB_IN_PATH &&
		           !listed_in_accept(m->build, accept->name) &&
		           ab_dispatcher_find(m->build->app->dispatcher, accept->name) != NULL) {
			ab_diag(m->build->diags, m->spec->pos,
			        "%s: {%s} is also a resource of this route; expected `accept: {%s: string}`, if the path "
			        "is to stand in for it",
			        m->spec->what, accept->name, accept->name);
			ok = false;
		}
	}
	return ok;
}

/* ---- what of `request` is used ---- */

static bool name_add(struct ab_build *build, const char *const **list, const char *name, size_t len)
{
	size_t count = 0;
	const char **bigger;
	char *copy;

	for (; *list != NULL && (*list)[count] != NULL; count++)
		if (strlen((*list)[count]) == len && memcmp((*list)[count], name, len) == 0)
			return true;
	bigger = ab_build_alloc(build, count + 2, sizeof(*bigger));
	copy = ab_build_alloc(build, 1, len + 1);
	if (bigger == NULL || copy == NULL)
		return false;
	memcpy(copy, name, len);
	for (size_t i = 0; i < count; i++)
		bigger[i] = (*list)[i];
	bigger[count] = copy;
	*list = bigger;
	return true;
}

/* "headers.accept", "query", "" */
static bool use_path(struct ab_build *build, struct ab_request_use *use, const char *path)
{
	size_t first = strcspn(path, "."), second;
	const char *rest = path[first] == '.' ? path + first + 1 : NULL;
	struct {
		const char *part;
		bool *all;
		const char *const **names;
	} parts[] = {
	        {"method", &use->method, NULL},
	        {"path", &use->path, NULL},
	        {"client", &use->client, NULL},
	        {"id", &use->id, NULL},
	        {"body", &use->body, NULL},
	        {"query", &use->all_query, &use->query},
	        {"headers", &use->all_headers, &use->headers},
	        {"cookies", &use->all_cookies, &use->cookies},
	};

	for (size_t i = 0; i < AB_COUNT(parts); i++) {
		if (path[0] != '\0' &&
		        (strlen(parts[i].part) != first || memcmp(parts[i].part, path, first) != 0))
			continue;
		if (path[0] == '\0' || rest == NULL || parts[i].names == NULL) {
			*parts[i].all = true;
			continue;
		}
		second = strcspn(rest, ".[");
		if (!name_add(build, parts[i].names, rest, second))
			return false;
	}
	return true;
}

static bool use_paths(const struct making *m, const struct ab_scope *scope)
{
	for (size_t i = 0; i < scope->n_request_paths; i++)
		if (!use_path(m->build, &m->answer->use, scope->request_paths[i]))
			return false;
	return true;
}

/* ---- one plan ---- */

static void destroy_plan(void *plan)
{
	ab_plan_destroy(plan);
}

static bool find_slots(const struct making *m, const char *name)
{
	const struct ab_route *route = m->build->route;
	struct ab_answer *answer = m->answer;
	const struct ab_plan *plan = answer->plan;
	int *parts[AB_PARTS] = {&answer->headers, &answer->cookies, &answer->redirect};

	answer->answer = name != NULL ? ab_plan_slot(plan, name) : -1;
	for (int i = 0; i < AB_PARTS; i++)
		*parts[i] = m->parts->has[i] ? ab_plan_slot(plan, m->parts->names[i]) : -1;
	answer->request = ab_plan_slot(plan, "request");
	answer->error = ab_plan_slot(plan, "error");
	answer->given = ab_plan_slot(plan, "given");
	if (route == NULL)
		return true;
	answer->accepts = ab_build_alloc(m->build, route->n_accepts + 1, sizeof(*answer->accepts));
	if (answer->accepts == NULL)
		return false;
	for (size_t i = 0; i < route->n_accepts; i++)
		answer->accepts[i] = ab_plan_slot(plan, route->accepts[i].name);
	return true;
}

/* Handlers that can be cancelled are those that go outside. */
static bool may_repeat(const struct ab_plan *plan)
{
	size_t reads = 0;

	for (size_t i = 0; i < ab_plan_size(plan); i++) {
		const struct ab_resource *resource = ab_plan_node(plan, (int)i)->resource;

		if (resource == NULL || resource->handler->cancel == NULL)
			continue;
		if (ab_each_spec(resource) != NULL || ab_call_plan(resource) != NULL)
			return true;
		reads += !resource->writes;
	}
	return reads > 1;
}

static bool check_plan(const struct making *m)
{
	const struct ab_plan *plan = m->answer->plan;
	bool ok = check_inputs(m);

	m->answer->shares = may_repeat(plan);
	for (size_t i = 0; i < ab_plan_size(plan); i++) {
		const struct ab_plan_node *node = ab_plan_node(plan, (int)i);
		const struct ab_scope *scope = node->resource != NULL ? scope_of(m, node->resource) : NULL;

		if (node->resource == NULL)
			continue;
		ok = check_write(m, node) && ok;
		if (scope != NULL)
			ok = check_raws(m, scope) && use_paths(m, scope) && ok;
	}
	return ok;
}

static bool make_plan(
        struct making *m, const char *name, const struct ab_names *guards, const struct ab_names *needs)
{
	static const char *const reserved[] = {"request", "error", "given"};
	struct ab_build *build = m->build;
	const char **targets = ab_build_alloc(build, needs->count + AB_PARTS + 1, sizeof(*targets));
	struct ab_plan_spec spec = {
	        .dispatcher = m->parts->dispatcher,
	        .guards = *guards,
	        .targets = {targets, 0},
	        .given = {m->given, m->n_given},
	        .acceptable = {m->acceptable, m->n_acceptable},
	        .reserved = {reserved, AB_COUNT(reserved)},
	};
	struct ab_error err;

	if (targets == NULL)
		return false;
	if (name != NULL)
		targets[spec.targets.count++] = name;
	for (size_t i = 0; i < needs->count; i++)
		targets[spec.targets.count++] = needs->list[i];
	for (int i = 0; i < AB_PARTS; i++)
		if (m->parts->has[i])
			targets[spec.targets.count++] = m->parts->names[i];
	if (ab_plan_compile(&spec, &m->answer->plan, &err) != AB_OK) {
		plan_mistake(m, &err);
		return false;
	}
	return ab_build_defer(build, destroy_plan, m->answer->plan) && find_slots(m, name) && check_plan(m);
}

/* ---- all of them ---- */

/* "type/subtype", lower case, no parameters. */
static bool is_media(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash != NULL && slash != text && slash[1] != '\0' && strchr(slash + 1, '/') == NULL &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+/") == strlen(text);
}

static bool check_media(struct ab_build *build, const struct ab_conf_pair *pair)
{
	if (is_media(pair->key))
		return true;
	ab_diag(build->diags, pair->pos,
	        "answer: '%s' is not a media type; expected one such as text/html, in lower case and without parameters, or "
	        "the name of a resource alone",
	        pair->key);
	return false;
}

static bool make_one(struct making *m, const struct ab_conf *conf, const struct ab_names *guards,
        const struct ab_names *needs)
{
	const char *name = NULL;

	if (conf != NULL) {
		name = resource_name(m->build, conf, "answer");
		if (name == NULL)
			return false;
	}
	return make_plan(m, name, guards, needs);
}

static bool make_all(struct making *m, struct ab_answer **ret_answers, size_t *ret_count)
{
	const struct ab_conf *answer = m->spec->answer;
	bool map = answer != NULL && answer->type == AB_CONF_MAP;
	size_t count = map ? answer->u.map.count : 1;
	struct ab_answer *list = ab_build_alloc(m->build, count + 1, sizeof(*list));
	struct ab_names guards, needs;
	bool ok;

	if (list == NULL || !name_list(m->build, m->spec->guard, "guard", &guards) ||
	        !name_list(m->build, m->spec->needs, "needs", &needs) || !sort_accepts(m))
		return false;
	ok = count > 0;
	if (!ok)
		ab_diag(m->build->diags, answer->pos,
		        "answer: no media type; expected {text/html: page}, or a name");
	for (size_t i = 0; i < count; i++) {
		const struct ab_conf_pair *pair = map ? &answer->u.map.pairs[i] : NULL;

		m->answer = &list[i];
		m->answer->media = pair != NULL ? pair->key : NULL;
		ok = (pair == NULL || check_media(m->build, pair)) &&
		     make_one(m, pair != NULL ? pair->value : answer, &guards, &needs) && ok;
	}
	*ret_answers = list;
	*ret_count = count;
	return ok;
}

bool ab_build_reply(struct ab_build *build, const struct ab_reply_spec *spec, struct ab_answer **ret_answers,
        size_t *ret_count, struct ab_fixed *ret_fixed)
{
	struct ab_parts parts;
	struct making m = {.build = build, .spec = spec, .parts = &parts};
	bool ok = ab_parts_compile(&parts, build, spec);

	ok = ok && make_all(&m, ret_answers, ret_count);
	*ret_fixed = parts.fixed;
	ab_parts_fini(&parts);
	return ok;
}
