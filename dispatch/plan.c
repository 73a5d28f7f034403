/* dispatch/plan.c: from names to an ordered graph.
 *
 *   names --visit--> protos, closed depth-first --build--> parts --order.c--> writes, phases, what is
 * demanded
 *
 * The search keeps its own stack: a chain of needs may be as long as memory allows. */
#include "internal.h"

#include <string.h>

enum colour { WHITE, OPEN, CLOSED };

/* A node while its place in the order is not known yet. */
struct proto {
	const char *name;
	const struct ab_resource *resource;
	const struct ab_hook *hooks;
	size_t n_hooks;
	int *edges; /* protos: one for each need, then the fallback resource if there is one */
	size_t n_edges;
	enum ab_source source;
	enum colour colour;
	int place;
};

struct frame {
	int proto;
	size_t next;
};

/* A dispatcher that can be seen, with its error handlers and those of the ones that include it, innermost
 * first. */
struct reach {
	const struct ab_dispatcher *dispatcher;
	struct ab_hook *hooks;
	size_t n_hooks;
};

struct compiler {
	const struct ab_plan_spec *spec;
	struct ab_error *err;
	struct ab_plan *plan;
	struct ab_arena *arena; /* the plan's */
	struct reach *reaches;
	size_t n_reaches;
	struct proto *protos;
	struct frame *frames; /* the way down to the proto being visited */
	int *order;           /* protos as they were closed */
	size_t n_protos, n_frames, n_order, size;
};

static enum ab_code no_memory(struct ab_error *err)
{
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return AB_ENOMEM;
}

static bool listed(const struct ab_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i], name) == 0)
			return true;
	return false;
}

/* ---- what can be seen ---- */

static bool reach_hooks(struct compiler *c, struct reach *reach)
{
	const struct ab_dispatcher *dispatcher = reach->dispatcher;
	const struct reach *parent = NULL;

	for (size_t i = 0; i < c->n_reaches; i++)
		if (c->reaches[i].dispatcher == dispatcher->walk->parent)
			parent = &c->reaches[i];
	reach->n_hooks = dispatcher->n_hooks + (parent != NULL ? parent->n_hooks : 0);
	if (reach->n_hooks == 0)
		return true;
	reach->hooks = ab_arena_alloc(c->arena, reach->n_hooks * sizeof(*reach->hooks));
	if (reach->hooks == NULL)
		return false;
	for (size_t i = 0; i < reach->n_hooks; i++)
		reach->hooks[i] = i < dispatcher->n_hooks ? dispatcher->hooks[i]
		                                          : parent->hooks[i - dispatcher->n_hooks];
	return true;
}

static bool find_reaches(struct compiler *c)
{
	const struct ab_dispatcher *top = c->spec->dispatcher;
	uint64_t token = ab_walk_begin(top);
	size_t count = 0;

	for (const struct ab_dispatcher *at = top; at != NULL; at = ab_walk_next(at, token))
		count++;
	c->reaches = ab_arena_calloc(c->arena, count, sizeof(*c->reaches));
	if (c->reaches == NULL)
		return false;
	token = ab_walk_begin(top);
	for (const struct ab_dispatcher *at = top; at != NULL; at = ab_walk_next(at, token)) {
		c->reaches[c->n_reaches].dispatcher = at;
		if (!reach_hooks(c, &c->reaches[c->n_reaches]))
			return false;
		c->n_reaches++;
	}
	return true;
}

/* ---- the search ---- */

static bool grow_array(void *array_ptr, size_t size, size_t element)
{
	void **array = array_ptr;
	void *moved = ab_realloc(*array, size * element);

	if (moved == NULL)
		return false;
	*array = moved;
	return true;
}

static bool compiler_grow(struct compiler *c)
{
	size_t bigger = c->size > 0 ? c->size * 2 : 32;

	if (c->n_protos < c->size)
		return true;
	if (!grow_array(&c->protos, bigger, sizeof(*c->protos)) ||
	        !grow_array(&c->frames, bigger, sizeof(*c->frames)) ||
	        !grow_array(&c->order, bigger, sizeof(*c->order)))
		return false;
	c->size = bigger;
	return true;
}

/* Decide what a name means. */
static enum ab_code proto_find(
        struct compiler *c, const char *name, const struct ab_resource *by, struct proto *proto)
{
	bool backup = by != NULL && by->fallback_resource != NULL && strcmp(by->fallback_resource, name) == 0;
	const struct ab_plan_spec *spec = c->spec;

	proto->source = AB_SOURCE_INPUT;
	if (listed(&spec->given, name))
		return AB_OK;
	proto->source = strcmp(name, "degraded") == 0 ? AB_SOURCE_DEGRADED : AB_SOURCE_RESERVED;
	if (proto->source == AB_SOURCE_DEGRADED || listed(&spec->reserved, name))
		return AB_OK;
	proto->source = AB_SOURCE_RESOURCE;
	for (size_t i = 0; i < c->n_reaches; i++) {
		proto->resource = ab_dispatcher_own(c->reaches[i].dispatcher, name);
		if (proto->resource != NULL) {
			proto->hooks = c->reaches[i].hooks;
			proto->n_hooks = c->reaches[i].n_hooks;
			return AB_OK;
		}
	}
	proto->source = AB_SOURCE_INPUT;
	if (listed(&spec->acceptable, name))
		return AB_OK;
	if (by != NULL)
		ab_error_set(c->err, AB_EUNRESOLVABLE, "resource '%s' %s '%s', which does not exist",
		        by->name, backup ? "falls back to" : "needs", name);
	else
		ab_error_set(c->err, AB_EUNRESOLVABLE, "'%s' does not exist", name);
	if (c->err != NULL && by != NULL)
		c->err->resource = by->name;
	ab_suggest(c->err, name, spec);
	return AB_EUNRESOLVABLE;
}

/* The proto of a name, made when new. `by` is the resource that needs it, or NULL. */
static enum ab_code proto_get(
        struct compiler *c, const char *name, const struct ab_resource *by, int *ret_proto)
{
	int known = ab_table_get(&c->plan->slots, name);
	struct proto proto = {.place = -1};
	enum ab_code code;

	if (known >= 0) {
		*ret_proto = known;
		return AB_OK;
	}
	code = proto_find(c, name, by, &proto);
	if (code != AB_OK)
		return code;
	if (proto.resource != NULL) {
		proto.name = proto.resource->name;
		proto.n_edges = proto.resource->n_needs + (proto.resource->fallback_resource != NULL);
		proto.edges = ab_arena_alloc(c->arena, proto.n_edges * sizeof(*proto.edges));
	} else {
		proto.name = ab_arena_strndup(c->arena, name, strlen(name));
	}
	if (proto.name == NULL || (proto.resource != NULL && proto.edges == NULL) || !compiler_grow(c) ||
	        !ab_table_add(&c->plan->slots, proto.name, (int)c->n_protos))
		return no_memory(c->err);
	*ret_proto = (int)c->n_protos;
	c->protos[c->n_protos++] = proto;
	return AB_OK;
}

/* The frames from `proto` up to the top are a circle. A very long one is shown by its ends. */
static enum ab_code circle(struct compiler *c, int proto)
{
	enum { HEAD = 8, TAIL = 4, ROOM = AB_ERROR_TEXT - 64 };
	char text[AB_ERROR_TEXT];
	size_t first = c->n_frames, len = 0, total = 0;

	do
		total += strlen(c->protos[c->frames[--first].proto].name) + 4;
	while (c->frames[first].proto != proto);
	for (size_t i = first; i < c->n_frames; i++) {
		const char *name = c->protos[c->frames[i].proto].name;

		if (total > ROOM && c->n_frames - first > HEAD + TAIL && i == first + HEAD) {
			len += (size_t)snprintf(text + len, sizeof(text) - len, "(%zu more) -> ",
			        c->n_frames - first - HEAD - TAIL);
			i = c->n_frames - TAIL - 1;
		} else {
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s -> ", name);
		}
		if (len >= sizeof(text))
			len = sizeof(text) - 1;
	}
	ab_error_set(c->err, AB_ECIRCULAR, "the needs run in a circle: %s%s", text, c->protos[proto].name);
	if (c->err != NULL)
		c->err->resource = c->protos[proto].name;
	return AB_ECIRCULAR;
}

static void frame_push(struct compiler *c, int proto)
{
	c->protos[proto].colour = OPEN;
	c->frames[c->n_frames++] = (struct frame){.proto = proto};
}

/* Take the next step down or up; the frames are never more than the protos. */
static enum ab_code visit_step(struct compiler *c)
{
	struct frame *frame = &c->frames[c->n_frames - 1];
	int self = frame->proto;
	const struct proto *proto = &c->protos[self];
	const struct ab_resource *resource = proto->resource;
	size_t edge = frame->next++;
	enum ab_code code;
	int child;

	if (edge == proto->n_edges) {
		c->protos[self].colour = CLOSED;
		c->protos[self].place = (int)c->n_order;
		c->order[c->n_order++] = self;
		c->n_frames--;
		return AB_OK;
	}
	code = proto_get(c, edge < resource->n_needs ? resource->needs[edge] : resource->fallback_resource,
	        resource, &child);
	if (code != AB_OK)
		return code;
	c->protos[self].edges[edge] = child; /* proto_get may have moved the array */
	if (c->protos[child].colour == OPEN)
		return circle(c, child);
	if (c->protos[child].colour == WHITE)
		frame_push(c, child);
	return AB_OK;
}

static enum ab_code visit(
        struct compiler *c, const struct ab_names *names, const int **ret_list, size_t *ret_count)
{
	int *list = ab_arena_alloc(c->arena, names->count * sizeof(*list));

	if (list == NULL)
		return no_memory(c->err);
	for (size_t i = 0; i < names->count; i++) {
		enum ab_code code = proto_get(c, names->list[i], NULL, &list[i]);

		if (code != AB_OK)
			return code;
		if (c->protos[list[i]].colour == WHITE)
			frame_push(c, list[i]);
		while (c->n_frames > 0) {
			code = visit_step(c);
			if (code != AB_OK)
				return code;
		}
		list[i] = c->protos[list[i]].place;
	}
	*ret_list = list;
	*ret_count = names->count;
	return AB_OK;
}

/* ---- the parts ---- */

static void part_build(struct compiler *c, struct ab_plan_part *part, const struct proto *proto)
{
	struct ab_plan *plan = c->plan;
	size_t n_needs = proto->resource != NULL ? proto->resource->n_needs : 0;

	part->source = proto->source;
	part->hooks = proto->hooks;
	part->n_hooks = proto->n_hooks;
	part->needs_at = plan->n_needs;
	plan->n_needs += n_needs;
	for (size_t i = 0; i < proto->n_edges; i++) {
		int need = c->protos[proto->edges[i]].place;

		proto->edges[i] = need;
		if (i == n_needs)
			break;
		if (need < 64)
			part->needs_mask |= UINT64_C(1) << need;
		if (c->protos[c->order[need]].source == AB_SOURCE_DEGRADED)
			part->needs_degraded = true;
	}
	part->node = (struct ab_plan_node){
	        .name = proto->name,
	        .resource = proto->resource,
	        .needs = proto->edges,
	        .n_needs = n_needs,
	        .fallback = proto->n_edges > n_needs ? proto->edges[n_needs] : -1,
	};
	if (proto->source == AB_SOURCE_DEGRADED)
		plan->degraded = proto->place;
	if (proto->source != AB_SOURCE_RESOURCE)
		ab_bits_set(plan->base_given, (size_t)proto->place);
}

/* Allocate everything whose size the number of nodes decides, and move the protos over. */
static enum ab_code build_parts(struct compiler *c)
{
	struct ab_plan *plan = c->plan;

	plan->count = c->n_order;
	plan->words = ab_bits_words(plan->count);
	plan->parts = ab_arena_calloc(c->arena, plan->count, sizeof(*plan->parts));
	plan->base_given = ab_arena_calloc(c->arena, plan->words, sizeof(*plan->base_given));
	plan->phases = ab_arena_calloc(c->arena, plan->count, sizeof(*plan->phases));
	plan->waits = ab_arena_calloc(c->arena, plan->count, sizeof(*plan->waits));
	plan->marks = ab_arena_calloc(c->arena, plan->count, sizeof(*plan->marks));
	plan->none_degraded = json_object();
	if (plan->parts == NULL || plan->base_given == NULL || plan->phases == NULL || plan->waits == NULL ||
	        plan->marks == NULL || plan->none_degraded == NULL)
		return no_memory(c->err);
	for (size_t i = 0; i < plan->count; i++)
		part_build(c, &plan->parts[i], &c->protos[c->order[i]]);
	for (size_t i = 0; i < plan->slots.size; i++)
		if (plan->slots.entries[i].name != NULL)
			plan->slots.entries[i].value = c->protos[plan->slots.entries[i].value].place;
	return AB_OK;
}

/* ---- public ---- */

static enum ab_code compile(struct compiler *c)
{
	struct ab_plan *plan = c->plan;
	enum ab_code code;

	if (!compiler_grow(c) || !find_reaches(c))
		return no_memory(c->err);
	code = visit(c, &c->spec->guards, &plan->guards, &plan->n_guards);
	if (code == AB_OK)
		code = visit(c, &c->spec->targets, &plan->targets, &plan->n_targets);
	if (code == AB_OK)
		code = build_parts(c);
	if (code == AB_OK)
		code = ab_plan_order(plan, c->err);
	return code;
}

enum ab_code ab_plan_compile(const struct ab_plan_spec *spec, struct ab_plan **ret_plan, struct ab_error *err)
{
	struct compiler c = {.spec = spec, .err = err};
	enum ab_code code;

	c.arena = ab_arena_create(NULL);
	if (c.arena == NULL)
		return no_memory(err);
	c.plan = ab_arena_calloc(c.arena, 1, sizeof(*c.plan));
	if (c.plan == NULL) {
		ab_arena_unref(c.arena);
		return no_memory(err);
	}
	c.plan->arena = c.arena;
	c.plan->degraded = -1;
	code = compile(&c);
	ab_free(c.protos);
	ab_free(c.frames);
	ab_free(c.order);
	if (code == AB_OK)
		*ret_plan = c.plan;
	else
		ab_plan_destroy(c.plan);
	return code;
}

void ab_plan_destroy(struct ab_plan *plan)
{
	if (plan == NULL)
		return;
	ab_table_fini(&plan->slots);
	json_decref(plan->none_degraded);
	ab_arena_unref(plan->arena);
}

int ab_plan_slot(const struct ab_plan *plan, const char *name)
{
	return ab_table_get(&plan->slots, name);
}

size_t ab_plan_size(const struct ab_plan *plan)
{
	return plan->count;
}

const struct ab_plan_node *ab_plan_node(const struct ab_plan *plan, int slot)
{
	return slot >= 0 && (size_t)slot < plan->count ? &plan->parts[slot].node : NULL;
}
