/* dispatch/plan.c: from names to an ordered graph.
 *
 *   names --visit--> protos, closed depth-first --build--> parts --orders--> writes, phases, what is demanded
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

/* A dispatcher that can be seen, with its error handlers and those of the ones that include it, innermost first. */
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
	return ab_error_set(err, AB_ENOMEM, "out of memory");
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
static enum ab_code proto_find(struct compiler *c, const char *name, const struct ab_resource *by, struct proto *proto)
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
		ab_error_set(c->err, AB_EUNRESOLVABLE, "resource '%s' %s '%s', which does not exist", by->name,
			backup ? "falls back to" : "needs", name);
	else
		ab_error_set(c->err, AB_EUNRESOLVABLE, "'%s' does not exist", name);
	if (c->err != NULL && by != NULL)
		c->err->resource = by->name;
	ab_suggest(c->err, name, spec);
	return AB_EUNRESOLVABLE;
}

/* The proto of a name, made when new. `by` is the resource that needs it, or NULL. */
static enum ab_code proto_get(struct compiler *c, const char *name, const struct ab_resource *by, int *ret_proto)
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
	code = proto_get(c, edge < resource->n_needs ? resource->needs[edge] : resource->fallback_resource, resource,
		&child);
	if (code != AB_OK)
		return code;
	c->protos[self].edges[edge] = child; /* proto_get may have moved the array */
	if (c->protos[child].colour == OPEN)
		return circle(c, child);
	if (c->protos[child].colour == WHITE)
		frame_push(c, child);
	return AB_OK;
}

static enum ab_code visit(struct compiler *c, const struct ab_names *names, const int **ret_list, size_t *ret_count)
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

static struct ab_edges edges_needs(const struct ab_plan_part *part)
{
	return (struct ab_edges){part->node.needs, part->node.n_needs};
}

static struct ab_edges edges_fallback(const struct ab_plan_part *part)
{
	return (struct ab_edges){&part->node.fallback, part->node.fallback >= 0};
}

static struct ab_edges edges_after(const struct ab_plan_part *part)
{
	return (struct ab_edges){part->node.after, part->node.n_after};
}

/* Turn edges round: each node's list (an ab_edges at `offset` of its part) of those that point to it, in order. */
static bool edges_reverse(struct compiler *c, struct ab_edges (*forward)(const struct ab_plan_part *part), size_t offset)
{
	struct ab_plan *plan = c->plan;
	struct ab_edges edges;
	size_t total = 0;
	int *at;

#define BACKWARD(i) ((struct ab_edges *)((char *)&plan->parts[i] + offset))
	for (size_t i = 0; i < plan->count; i++) {
		edges = forward(&plan->parts[i]);
		total += edges.count;
		for (size_t j = 0; j < edges.count; j++)
			BACKWARD(edges.list[j])->count++;
	}
	at = ab_arena_alloc(c->arena, total * sizeof(*at));
	if (at == NULL)
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		BACKWARD(i)->list = at;
		at += BACKWARD(i)->count;
		BACKWARD(i)->count = 0;
	}
	for (size_t i = 0; i < plan->count; i++) {
		edges = forward(&plan->parts[i]);
		for (size_t j = 0; j < edges.count; j++) {
			struct ab_edges *back = BACKWARD(edges.list[j]);
			int *list = (int *)(uintptr_t)back->list; /* ours, made above */

			list[back->count++] = (int)i;
		}
	}
#undef BACKWARD
	return true;
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
	if (!edges_reverse(c, edges_needs, offsetof(struct ab_plan_part, dependents)) ||
		!edges_reverse(c, edges_fallback, offsetof(struct ab_plan_part, owners)))
		return no_memory(c->err);
	return AB_OK;
}

/* ---- marking: who is needed by whom ---- */

/* Mark what the marked ones need, directly or not. */
static void mark_needs(const struct ab_plan *plan, bool fallbacks)
{
	for (size_t i = plan->count; i-- > 0;) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		if (!plan->marks[i])
			continue;
		for (size_t j = 0; j < node->n_needs; j++)
			plan->marks[node->needs[j]] = 1;
		if (fallbacks && node->fallback >= 0)
			plan->marks[node->fallback] = 1;
	}
}

/* Mark what depends on `on`, directly or not, up to and with the node `last`. */
static void mark_dependents(const struct ab_plan *plan, int on, int last)
{
	memset(plan->marks, 0, plan->count);
	plan->marks[on] = 1;
	for (int i = on + 1; i <= last; i++) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		if (node->fallback >= 0 && plan->marks[node->fallback])
			plan->marks[i] = 1;
		for (size_t j = 0; j < node->n_needs && !plan->marks[i]; j++)
			plan->marks[i] = plan->marks[node->needs[j]];
	}
}

static void mark_list(const struct ab_plan *plan, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		plan->marks[list[i]] = 1;
}

/* ---- writes ---- */

static bool part_writes(const struct ab_plan_part *part)
{
	return part->node.resource != NULL && part->node.resource->writes;
}

static enum ab_code write_refuse(struct compiler *c, const struct ab_plan_part *part, const char *why)
{
	ab_error_set(c->err, AB_EINVALID, "resource '%s' writes, so %s", part->node.name, why);
	if (c->err != NULL)
		c->err->resource = part->node.name;
	return AB_EINVALID;
}

/* Where writes may not be: behind a guard, and where only a fallback leads. Also finds out who is lazy. */
static enum ab_code check_writes(struct compiler *c)
{
	struct ab_plan *plan = c->plan;

	memset(plan->marks, 0, plan->count);
	mark_list(plan, plan->guards, plan->n_guards);
	mark_needs(plan, true);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->marks[i] && part_writes(&plan->parts[i]))
			return write_refuse(c, &plan->parts[i], "a guard may not need it: writes come last");
	memset(plan->marks, 0, plan->count);
	mark_list(plan, plan->guards, plan->n_guards);
	mark_list(plan, plan->targets, plan->n_targets);
	mark_needs(plan, false);
	for (size_t i = 0; i < plan->count; i++) {
		plan->parts[i].node.lazy = !plan->marks[i];
		if (!plan->marks[i] && part_writes(&plan->parts[i]))
			return write_refuse(c, &plan->parts[i], "it may not be reached only through a fallback");
	}
	return AB_OK;
}

/* What a write waits for besides its needs: all that must be resolved and does not come after it. */
static enum ab_code order_write(struct compiler *c, size_t write)
{
	struct ab_plan *plan = c->plan;
	struct ab_plan_part *part = &plan->parts[write];
	size_t count = 0;
	int *after;

	mark_dependents(plan, (int)write, (int)plan->count - 1);
	for (size_t i = write + 1; i < plan->count; i++) {
		const struct ab_plan_node *other = &plan->parts[i].node;

		if (part_writes(&plan->parts[i]) && !plan->marks[i]) {
			ab_error_set(c->err, AB_EINVALID,
				"resources '%s' and '%s' both write, and neither needs the other: say under `needs` "
				"which comes first", part->node.name, other->name);
			if (c->err != NULL)
				c->err->resource = other->name;
			return AB_EINVALID;
		}
	}
	mark_list(plan, part->node.needs, part->node.n_needs);
	after = ab_arena_alloc(c->arena, plan->count * sizeof(*after));
	if (after == NULL)
		return no_memory(c->err);
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->marks[i] || plan->parts[i].node.lazy || plan->parts[i].source != AB_SOURCE_RESOURCE)
			continue;
		after[count++] = (int)i;
		if (i < 64)
			part->after_mask |= UINT64_C(1) << i;
	}
	part->node.after = after;
	part->node.n_after = count;
	return AB_OK;
}

static enum ab_code order_writes(struct compiler *c)
{
	enum ab_code code = check_writes(c);

	for (size_t i = 0; i < c->plan->count && code == AB_OK; i++)
		if (part_writes(&c->plan->parts[i]))
			code = order_write(c, i);
	if (code == AB_OK && !edges_reverse(c, edges_after, offsetof(struct ab_plan_part, before)))
		code = no_memory(c->err);
	return code;
}

/* ---- demand ---- */

static uint64_t list_mask(const int *list, size_t count)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < count; i++)
		mask |= UINT64_C(1) << list[i];
	return mask;
}

/* Up to 64 nodes: sets are single words. */
static void prune_narrow(const struct ab_plan *plan, uint64_t given, uint32_t *phases, uint32_t *waits)
{
	uint64_t demand = 0, left;

	for (size_t phase = 0; phase <= plan->n_guards; phase++) {
		left = phase < plan->n_guards ? UINT64_C(1) << plan->guards[phase]
					      : list_mask(plan->targets, plan->n_targets);
		for (left &= ~given & ~demand; left != 0; left &= ~given & ~demand) {
			int top = 63 - __builtin_clzll(left);

			demand |= UINT64_C(1) << top;
			phases[top] = (uint32_t)phase;
			left |= plan->parts[top].needs_mask;
		}
	}
	for (left = demand; left != 0; left &= left - 1) {
		int low = __builtin_ctzll(left);
		const struct ab_plan_part *part = &plan->parts[low];

		waits[low] = (uint32_t)__builtin_popcountll(part->needs_mask & ~given) +
			(uint32_t)__builtin_popcountll(part->after_mask & demand);
	}
}

static void prune_phase(const struct ab_plan *plan, const uint64_t *given, uint32_t phase, uint32_t *phases)
{
	const int *seeds = phase < plan->n_guards ? &plan->guards[phase] : plan->targets;
	size_t n_seeds = phase < plan->n_guards ? 1 : plan->n_targets;

	for (size_t i = 0; i < n_seeds; i++)
		if (!ab_bits_get(given, seeds[i]) && phases[seeds[i]] == AB_NO_PHASE)
			phases[seeds[i]] = phase;
	for (size_t i = plan->count; i-- > 0;) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		for (size_t j = 0; phases[i] == phase && j < node->n_needs; j++)
			if (!ab_bits_get(given, node->needs[j]) && phases[node->needs[j]] == AB_NO_PHASE)
				phases[node->needs[j]] = phase;
	}
}

static void prune_wide(const struct ab_plan *plan, const uint64_t *given, uint32_t *phases, uint32_t *waits)
{
	for (uint32_t phase = 0; phase <= plan->n_guards; phase++)
		prune_phase(plan, given, phase, phases);
	for (size_t i = 0; i < plan->count; i++) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		waits[i] = 0;
		for (size_t j = 0; j < node->n_needs; j++)
			waits[i] += !ab_bits_get(given, node->needs[j]);
		for (size_t j = 0; j < node->n_after; j++)
			waits[i] += phases[node->after[j]] != AB_NO_PHASE;
	}
}

void ab_plan_prune(const struct ab_plan *plan, const uint64_t *given, uint32_t *ret_phases, uint32_t *ret_waits)
{
	for (size_t i = 0; i < plan->count; i++)
		ret_phases[i] = AB_NO_PHASE;
	if (plan->count <= 64)
		prune_narrow(plan, plan->count > 0 ? given[0] : 0, ret_phases, ret_waits);
	else
		prune_wide(plan, given, ret_phases, ret_waits);
}

/* What is demanded when no resource is given, and which inputs that takes. */
static enum ab_code build_base(struct compiler *c)
{
	struct ab_plan *plan = c->plan;
	int *inputs = ab_arena_alloc(c->arena, plan->count * sizeof(*inputs));

	if (inputs == NULL)
		return no_memory(c->err);
	ab_plan_prune(plan, plan->base_given, plan->phases, plan->waits);
	memset(plan->marks, 0, plan->count);
	mark_list(plan, plan->guards, plan->n_guards);
	mark_list(plan, plan->targets, plan->n_targets);
	mark_needs(plan, false);
	plan->inputs.list = inputs;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->marks[i] && (plan->parts[i].source == AB_SOURCE_INPUT ||
					      plan->parts[i].source == AB_SOURCE_RESERVED))
			inputs[plan->inputs.count++] = (int)i;
	return AB_OK;
}

/* ---- public ---- */

static enum ab_code compile(struct compiler *c)
{
	struct ab_plan *plan = c->plan;
	enum ab_code code;

	if (!find_reaches(c))
		return no_memory(c->err);
	code = visit(c, &c->spec->guards, &plan->guards, &plan->n_guards);
	if (code == AB_OK)
		code = visit(c, &c->spec->targets, &plan->targets, &plan->n_targets);
	if (code == AB_OK)
		code = build_parts(c);
	if (code == AB_OK)
		code = order_writes(c);
	if (code == AB_OK)
		code = build_base(c);
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

void ab_plan_demand(const struct ab_plan *plan, const bool *given, bool *ret_demanded)
{
	memset(ret_demanded, 0, plan->count * sizeof(*ret_demanded));
	for (size_t i = 0; i < plan->n_guards; i++)
		ret_demanded[plan->guards[i]] = !given[plan->guards[i]];
	for (size_t i = 0; i < plan->n_targets; i++)
		ret_demanded[plan->targets[i]] = !given[plan->targets[i]];
	for (size_t i = plan->count; i-- > 0;) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		for (size_t j = 0; ret_demanded[i] && j < node->n_needs; j++)
			ret_demanded[node->needs[j]] = !given[node->needs[j]];
	}
}

bool ab_plan_depends(const struct ab_plan *plan, int slot, int on)
{
	if (slot <= on)
		return false;
	mark_dependents(plan, on, slot);
	return plan->marks[slot] != 0;
}
