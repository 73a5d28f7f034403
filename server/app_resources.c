/* server/app_resources.c: one entry under `resources:` compiled: its kind found, its keys checked, its needs
 * collected. */
#include "app_parts.h"
#include "source_check.h"

#include <string.h>

/* What the kind's callbacks are told. */
struct lookup {
	struct ab_app *app;
	const struct ab_source *source;
};

/* One resource on its way. */
struct making {
	struct ab_app *app;
	struct ab_app_source *in;
	struct ab_dispatcher *dispatcher;
	const struct ab_conf_pair *pair;
	struct ab_diags *diags;
	const struct ab_kind *kind;
	const struct ab_conf *value; /* under the kind key */
	const struct ab_conf *map;   /* NULL for a plain literal */
	struct ab_generic generic;
	struct ab_each each;
	struct ab_scope scope;
	char what[96];
};

/* ---- upstreams and databases by name ---- */

struct names {
	const char *list[100];
	size_t count;
	const struct ab_conf_pair *first;
};

static void names_add(void *arg, const struct ab_source *source, const struct ab_conf_pair *pair)
{
	struct names *names = arg;

	(void)source;
	if (names->first == NULL)
		names->first = pair;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i], pair->key) == 0)
			return;
	if (names->count < AB_COUNT(names->list))
		names->list[names->count++] = pair->key;
}

/* The definition of `name`: in the resource's own file and what it includes, then from the top. */
static const struct ab_conf_pair *find_part(
        const struct lookup *lookup, const char *section, const char *name)
{
	const struct ab_conf_pair *pair = ab_source_find(lookup->source, section, name, NULL);
	const struct ab_source *top = ab_sources_top(lookup->app->parts->sources);

	return pair != NULL ? pair : ab_source_find(top, section, name, NULL);
}

static void part_names(const struct lookup *lookup, const char *section, struct names *names)
{
	*names = (struct names){.count = 0};
	ab_source_each(lookup->source, section, names_add, names);
	if (names->count == 0)
		ab_source_each(ab_sources_top(lookup->app->parts->sources), section, names_add, names);
}

static struct ab_upstream *upstream_named(struct ab_compile *compile, const char *name, size_t len)
{
	const struct lookup *lookup = compile->app;
	const struct ab_conf_pair *pair;
	struct ab_app_upstream *found;
	struct names names;
	char copy[80], meant[80];

	snprintf(copy, sizeof(copy), "%.*s", (int)(len < sizeof(copy) ? len : sizeof(copy) - 1), name);
	pair = find_part(lookup, "upstreams", copy);
	if (pair != NULL) {
		found = ab_app_upstream(lookup->app, pair);
		if (found != NULL)
			found->used = true;
		return found == NULL ? NULL : found->upstream;
	}
	part_names(lookup, "upstreams", &names);
	if (names.count == 0)
		ab_diag(compile->diags, compile->value->pos,
		        "no upstream '%.60s'; expected it under upstreams, as in upstreams: {%.60s: {url: ...}}",
		        copy, copy);
	else
		ab_diag(compile->diags, compile->value->pos,
		        "no upstream '%.60s'; expected one under upstreams%s", copy,
		        ab_did_you_mean(copy, names.list, names.count, meant, sizeof(meant)));
	return NULL;
}

static struct ab_database *database_named(struct ab_compile *compile, const char *name)
{
	const struct lookup *lookup = compile->app;
	const struct ab_conf *key = ab_conf_get(compile->map, "database");
	const struct ab_conf_pair *pair = NULL;
	struct names names;
	char meant[80];

	part_names(lookup, "databases", &names);
	if (name != NULL)
		pair = find_part(lookup, "databases", name);
	else if (names.count == 1)
		pair = names.first;
	if (pair != NULL) {
		struct ab_database *database = ab_shared_database(lookup->app->parts->shared, pair);

		/* A database with mistakes has been spoken of; its statements are not what is wrong. */
		return database;
	}
	if (names.count == 0)
		ab_diag(compile->diags, compile->value->pos,
		        "a statement and no database; expected one under databases, as in databases: {main: sqlite:app.db}");
	else if (name == NULL)
		ab_diag(compile->diags, compile->value->pos,
		        "a statement for one of several databases; expected database: %.60s, or another of them",
		        names.list[0]);
	else
		ab_diag(compile->diags, key != NULL ? key->pos : compile->value->pos,
		        "no database '%.60s'; expected one under databases%s", name,
		        ab_did_you_mean(name, names.list, names.count, meant, sizeof(meant)));
	return NULL;
}

/* ---- nested runs ---- */

static struct ab_plan *nested_plan(struct ab_compile *compile, const char *name, struct ab_names given)
{
	const struct lookup *lookup = compile->app;

	return ab_app_nested_plan(lookup->app, compile, name, given);
}

static bool nested_raws(struct ab_compile *compile, const struct ab_plan *plan, int slot, const bool *needs)
{
	const struct lookup *lookup = compile->app;

	return ab_app_nested_raws(lookup->app, compile, plan, slot, needs);
}

static bool native_named(struct ab_compile *compile, const char *name, struct ab_native *ret)
{
	const struct lookup *lookup = compile->app;

	return ab_app_native(lookup->app, lookup->source, compile, name, ret);
}

/* ---- the kind ---- */

static size_t kind_names(const char **names, size_t max)
{
	size_t count = 0;

	for (const struct ab_kind *const *kind = ab_kinds; *kind != NULL && count < max; kind++)
		names[count++] = (*kind)->name;
	return count;
}

static bool no_kind(const struct making *m)
{
	const char *names[32], *nearest = NULL;
	size_t count = kind_names(names, AB_COUNT(names)), len = 0;
	char list[200] = "";

	for (size_t i = 0; i < count && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : ", ", names[i]);
	for (size_t i = 0; i < m->map->u.map.count && nearest == NULL; i++)
		nearest = ab_nearest(m->map->u.map.pairs[i].key, names, count);
	if (nearest != NULL)
		ab_diag(m->diags, m->pair->pos, "%s has no kind; expected one of %s; did you mean '%s'?",
		        m->what, list, nearest);
	else
		ab_diag(m->diags, m->pair->pos,
		        "%s has no kind; expected one of %s (for a mapping as such: value: {...})", m->what,
		        list);
	return false;
}

static bool find_kind(struct making *m)
{
	const struct ab_conf *conf = m->pair->value;

	if (conf->type != AB_CONF_MAP) {
		m->kind = ab_kind_find("value");
		m->value = conf;
		return m->kind != NULL && !conf->refused;
	}
	m->map = conf;
	if (conf->refused)
		return false;
	for (size_t i = 0; i < conf->u.map.count; i++) {
		const struct ab_conf_pair *pair = &conf->u.map.pairs[i];
		const struct ab_kind *kind = ab_kind_find(pair->key);

		if (kind == NULL)
			continue;
		if (m->kind != NULL) {
			ab_diag(m->diags, pair->pos, "%s has two kinds, '%s' and '%s'; expected one", m->what,
			        m->kind->name, kind->name);
			return false;
		}
		m->kind = kind;
		m->value = pair->value;
	}
	return m->kind != NULL || no_kind(m);
}

/* The kind's keys and the generic ones, and nothing else. Generic ones that mean nothing on this kind are not
 * offered; what is said when they are there is ab_generic_check's. */
static bool check_keys(const struct making *m)
{
	const char *known[64];
	size_t n = 0;
	bool ok = true;

	known[n++] = m->kind->name;
	for (size_t i = 0; m->kind->keys[i] != NULL && n < AB_COUNT(known) - 24; i++)
		known[n++] = m->kind->keys[i];
	for (size_t i = 0; ab_each_keys[i] != NULL; i++)
		if (i == 0 || ab_conf_get(m->map, "each") != NULL ||
		        ab_conf_get(m->map, ab_each_keys[i]) != NULL)
			known[n++] = ab_each_keys[i];
	for (size_t i = 0; ab_generic_keys[i] != NULL; i++)
		if (ab_generic_fits(ab_generic_keys[i], m->kind, m->map) ||
		        ab_conf_get(m->map, ab_generic_keys[i]) != NULL)
			known[n++] = ab_generic_keys[i];
	known[n] = NULL;
	for (size_t i = 0; i < m->map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &m->map->u.map.pairs[i];
		struct ab_conf alone = *m->map;

		alone.u.map.pairs = pair;
		alone.u.map.count = 1;
		if (ab_is_later_key(pair->key)) {
			ab_diag(m->diags, pair->pos, "'%s' is not yet in this version; expected it left out",
			        pair->key);
			ok = false;
		} else {
			ok &= ab_conf_only(&alone, m->what, known, m->diags);
		}
	}
	return ok;
}

/* ' #' begins a comment, also in the middle of a statement or a text. */
static bool check_cut(const struct making *m)
{
	const char *after;
	char line[600];

	if (!ab_conf_cut(m->value) ||
	        (strcmp(m->kind->name, "sql") != 0 && strcmp(m->kind->name, "text") != 0 &&
	                strcmp(m->kind->name, "jq") != 0 && strcmp(m->kind->name, "require") != 0))
		return true;
	after = strchr(m->value->written + m->value->written_len, '#') + 1;
	if (*after == ' ' || *after == '\t' || *after == '#' || *after == '\r' || *after == '\n' ||
	        *after == '\0') {
		ab_hint(m->diags, m->value->pos,
		        "what follows ' #' on this line is a comment, not part of the %s", m->kind->name);
		return true;
	}
	struct ab_conf whole = *m->value;

	whole.written_len = strcspn(whole.written, "\r\n");
	ab_diag(m->diags, m->value->pos, "' #' begins a comment and cuts the %s off; expected quotes: %s",
	        m->kind->name, ab_conf_quote_line(&whole, line, sizeof(line)));
	return false;
}

/* ---- needs ---- */

static bool declare(struct making *m)
{
	const struct ab_conf *infer = ab_conf_get(m->map, "infer");
	char text[160];
	bool ok = m->each.spec.as == NULL || ab_each_begin(&m->scope, m->each.spec.as, m->each.as_pos);

	ok = ok && ab_scope_declare(&m->scope, ab_conf_get(m->map, "needs"));

	snprintf(text, sizeof(text), "infer of %s", m->what);
	if (infer != NULL)
		ok &= ab_conf_bool(infer, text, &m->scope.infer, m->diags);
	return ok;
}

/* ---- compiling ---- */

static bool compile_kind(struct making *m, struct ab_resource *resource)
{
	struct lookup lookup = {.app = m->app, .source = m->in->source};
	struct ab_compile compile = {
	        .env = m->app->env,
	        .diags = m->diags,
	        .name = m->pair->key,
	        .map = m->pair->value,
	        .value = m->value,
	        .scope = &m->scope,
	        .dir = m->in->source->dir,
	        .timeout_ms = m->generic.timeout_ms,
	        .pass = m->generic.pass,
	        .raw = ab_conf_get(m->map, "raw"),
	        .writes = m->generic.writes,
	        .upstream = upstream_named,
	        .database = database_named,
	        .nested = nested_plan,
	        .nested_raws = nested_raws,
	        .native = native_named,
	        .app = &lookup,
	        .item = m->each.spec.as,
	        .dev = m->app->dev,
	        .resource = resource,
	};
	size_t mistakes = ab_diags_mistakes(m->diags);

	if (m->value->refused || !m->kind->compile(&compile))
		return false;
	resource->writes |= compile.writes;
	if (resource->timeout_ms == 0)
		resource->timeout_ms = compile.timeout_ms;
	if (m->generic.has_writes && !m->generic.writes && resource->writes) {
		ab_diag(m->diags, ab_conf_pair(m->map, "writes")->pos,
		        "writes of %s is false, but what it does is a write; expected it left out", m->what);
		return false;
	}
	return ab_diags_mistakes(m->diags) == mistakes;
}

/* A resource with mistakes is there by name all the same, so that those who need it are not blamed for it.
 * The app is never run. */
static void stand_in_start(struct ab_call *call)
{
	struct ab_error err;

	ab_error_set(&err, AB_EINTERNAL, "this resource has mistakes");
	ab_call_fail(call, &err);
}

static const struct ab_handler stand_in = {.kind = "mistake", .start = stand_in_start};

bool ab_app_remember(struct ab_app *app, const struct ab_resource *resource, const struct ab_kind *kind,
        const struct ab_conf_pair *pair, struct ab_scope *scope)
{
	size_t size = app->parts->resources_size;

	if (app->n_resources == size) {
		struct ab_app_resource *more;

		size = size == 0 ? 64 : 2 * size;
		more = reallocarray(app->resources, size, sizeof(*more));
		if (more == NULL)
			return false;
		app->resources = more;
		app->parts->resources_size = size;
	}
	app->resources[app->n_resources++] = (struct ab_app_resource){
	        .resource = resource,
	        .kind = kind,
	        .pair = pair,
	        .scope = *scope,
	};
	app->parts->n_by_resource = 0;
	*scope = (struct ab_scope){0};
	return true;
}

/* The name of an item is not to be missed by those who look at the needs. */
static void drop_item(struct making *m)
{
	bool none[1] = {false};

	if (m->each.spec.as != NULL && m->scope.n_needs > 0 &&
	        strcmp(m->scope.needs[0], m->each.spec.as) == 0)
		(void)!ab_scope_drop_first(&m->scope, none);
}

static bool add(struct making *m, struct ab_resource *resource, bool ok)
{
	struct ab_error err;

	if (!ok) {
		if (resource->config != NULL && resource->handler->free != NULL)
			resource->handler->free(resource->config);
		json_decref(resource->fallback);
		*resource = (struct ab_resource){.name = m->pair->key, .handler = &stand_in};
		m->scope.n_raws = 0;
		drop_item(m);
	} else {
		resource->needs = m->scope.needs;
		resource->n_needs = m->scope.n_needs;
	}
	if (ab_dispatcher_add(m->dispatcher, resource, &err) != AB_OK) {
		ab_diag(m->diags, m->pair->pos, "%s", err.text);
		return false;
	}
	if (!ab_app_remember(
	            m->app, ab_dispatcher_find(m->dispatcher, m->pair->key), m->kind, m->pair, &m->scope)) {
		ab_diag(m->diags, m->pair->pos, "out of memory");
		return false;
	}
	return ok;
}

static bool check_name(const struct making *m)
{
	static const char *const reserved[] = {"request", "degraded", "error", "given"};
	const char *name = m->pair->key;

	if (!ab_is_name(name, strlen(name))) {
		ab_diag(m->diags, m->pair->pos,
		        "'%.60s' can't be the name of a resource; expected letters, digits and _, not a digit first",
		        name);
		return false;
	}
	for (size_t i = 0; i < AB_COUNT(reserved); i++) {
		if (strcmp(name, reserved[i]) != 0)
			continue;
		ab_diag(m->diags, m->pair->pos, "'%s' is a reserved name; expected another", name);
		return false;
	}
	return true;
}

/* The fallback that `defaults` gives to all must not be its own. */
static void drop_circle(struct making *m)
{
	const struct ab_conf *resource = ab_conf_get(m->generic.fallback, "resource");

	if (resource != NULL && ab_conf_get(m->map, "fallback") == NULL &&
	        strcmp(resource->u.string.text, m->pair->key) == 0)
		m->generic.fallback = NULL;
}

static void hint_optional(const struct making *m)
{
	const struct ab_conf_pair *optional = ab_conf_pair(m->map, "optional");
	const struct ab_conf *fallback = ab_conf_get(m->map, "fallback");

	if (optional != NULL && m->generic.optional && fallback != NULL &&
	        ab_conf_get(fallback, "resource") == NULL)
		ab_hint(m->diags, optional->pos,
		        "optional of %s never comes into play: its fallback stands in first", m->what);
}

/* The condition for each item, in what will be the item's dispatcher. */
static bool condition_inside(struct making *m, const struct ab_condition *condition)
{
	m->each.inner = ab_dispatcher_create();
	if (m->each.inner != NULL)
		m->each.spec.condition = ab_app_add_condition(condition, m->each.inner, &m->scope);
	if (m->each.spec.condition != NULL)
		return true;
	ab_dispatcher_destroy(m->each.inner);
	m->each.inner = NULL;
	return false;
}

/* The condition for the whole, beside the resource, which hangs on it: its last need. */
static bool condition_beside(
        struct making *m, const struct ab_condition *condition, struct ab_resource *resource)
{
	const struct ab_resource *beside = ab_app_add_condition(condition, m->dispatcher, NULL);
	unsigned need;

	resource->conditional = true;
	return beside != NULL && ab_scope_need(&m->scope, beside->name, condition->conf->pos, &need);
}

/* What the resource hangs on, and how often it runs. A condition that speaks of the item is judged for each.
 */
static bool compile_around(struct making *m, struct ab_resource *resource)
{
	const struct ab_condition condition = {
	        .app = m->app,
	        .source = m->in->source,
	        .owner = m->pair->key,
	        .conf = ab_conf_get(m->map, "if"),
	        .map = m->map,
	        .diags = m->diags,
	};
	const struct ab_conf *conf = condition.conf;
	bool inside = conf != NULL && m->each.spec.list != NULL && conf->type == AB_CONF_STRING &&
	              ab_jq_mentions(conf->u.string.text, conf->u.string.len, m->each.spec.as);

	if (inside && !condition_inside(m, &condition))
		return false;
	if (m->each.spec.list != NULL && !ab_each_wrap(&m->each, &m->scope, resource, m->diags))
		return false;
	return conf == NULL || inside || condition_beside(m, &condition, resource);
}

static bool compile(struct making *m, struct ab_resource *resource)
{
	bool ok = true, whole = true;

	if (!find_kind(m))
		return false;
	resource->handler = m->kind->handler;
	if (m->map != NULL) {
		ok &= check_keys(m);
		ok &= ab_generic_read(&m->generic, m->map, m->what, m->diags);
		ok &= ab_generic_check(&m->generic, m->kind, m->map, m->what, m->diags);
		ok &= ab_each_read(&m->each, m->map, m->what, m->diags);
		ok &= declare(m);
		whole = check_cut(m);
		hint_optional(m);
	}
	if (ok) {
		ab_generic_inherit(&m->generic, &m->in->defaults);
		if (m->map == NULL)
			m->generic = (struct ab_generic){0};
		else
			ab_generic_check(&m->generic, m->kind, m->map, m->what, NULL);
	}
	if (!whole || !compile_kind(m, resource) || !ok)
		return false;
	drop_circle(m);
	resource->optional = m->generic.optional;
	if (m->generic.missing == AB_GENERIC_NULL)
		resource->missing = AB_MISSING_NULL;
	resource->missing_status = m->generic.missing_status;
	if (!ab_generic_fallback(m->generic.fallback, &resource->fallback, &resource->fallback_resource)) {
		ab_diag(m->diags, m->pair->pos, "out of memory");
		return false;
	}
	return compile_around(m, resource);
}

bool ab_app_add_resource(struct ab_app *app, const struct ab_source *source, struct ab_dispatcher *dispatcher,
        const struct ab_conf_pair *pair, struct ab_diags *diags)
{
	struct making m = {
	        .app = app,
	        .in = ab_app_source(app, source),
	        .dispatcher = dispatcher,
	        .pair = pair,
	        .diags = diags,
	};
	struct ab_resource resource = {.name = pair->key};
	bool ok;

	if (!check_name(&m))
		return false;
	snprintf(m.what, sizeof(m.what), "resource '%.60s'", pair->key);
	ab_scope_init(&m.scope, pair->key, diags);
	ok = compile(&m, &resource);
	ok = add(&m, &resource, ok);
	ab_scope_fini(&m.scope);
	return ok;
}
