/* handlers/mustache/names.c: what tags look up, and which of those names the template needs from outside.
 *
 * A name outside sections is needed, and so is the head of an outermost section; inverted sections and
 * partials do not count as sections. What stands only inside sections belongs to their values. Text given for
 * a block counts at every place that block has, since the place decides what is around it. */
#include "program.h"

/* ---- raw ---- */

/* Whether the program from `from` to `to` may print something raw, as far as bodies and blocks know by now.
 */
static bool region_raw(const struct ab_mustache *t, uint32_t from, uint32_t to)
{
	for (uint32_t pc = from; pc < to; pc++) {
		const struct mustache_instr *in = &t->code[pc];

		switch (in->op) {
		case OP_RAW:
			return true;
		case OP_PARTIAL:
		case OP_PARENT:
			if (t->bodies[in->a].raw)
				return true;
			break;
		case OP_DYNAMIC:
		case OP_DYNAMIC_PARENT:
			for (size_t i = 0; i < t->n_dynamic; i++)
				if (t->bodies[t->dynamic[i]].raw)
					return true;
			break;
		case OP_BLOCK:
			if (t->blocks[in->a].raw)
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

/* Bodies and blocks include one another: look until nothing new is found. */
static void find_raw(struct ab_mustache *t)
{
	bool changed;

	do {
		changed = false;
		for (size_t i = 0; i < t->n_bodies; i++) {
			struct mustache_body *body = &t->bodies[i];

			if (!body->raw && region_raw(t, body->pc, body->end))
				body->raw = changed = true;
		}
		for (size_t i = 0; i < t->n_args; i++) {
			struct mustache_block *block = &t->blocks[t->args[i].block];

			if (!block->raw && region_raw(t, t->args[i].pc, t->args[i].end))
				block->raw = changed = true;
		}
	} while (changed);
}

/* ---- needed ---- */

/* A stretch of program still to look at; each at most once outside and once inside sections. */
struct visit {
	uint32_t pc;
	bool inside;
};

struct walk {
	struct ab_mustache *t;
	struct visit *todo;
	size_t n_todo;
};

static void visit_body(struct walk *w, uint32_t body, bool inside)
{
	bool *seen = &w->t->bodies[body].seen[inside];

	if (!*seen)
		w->todo[w->n_todo++] = (struct visit){w->t->bodies[body].pc, inside};
	*seen = true;
}

static void visit_dynamic(struct walk *w, bool inside)
{
	for (size_t i = 0; i < w->t->n_dynamic; i++)
		visit_body(w, (uint32_t)w->t->dynamic[i], inside);
}

static void visit_args(struct walk *w, uint32_t block, bool inside)
{
	bool *seen = &w->t->blocks[block].seen[inside];

	for (int i = w->t->blocks[block].args; i >= 0 && !*seen; i = w->t->args[i].same)
		w->todo[w->n_todo++] = (struct visit){w->t->args[i].pc, inside};
	*seen = true;
}

static void use(struct ab_mustache *t, const struct mustache_ref *ref, bool inside, bool raw)
{
	struct ab_mustache_name *name;

	if (ref->name < 0) {
		if (!inside && !t->implicit) {
			t->implicit = true;
			t->implicit_pos = ref->pos;
		}
		return;
	}
	name = &t->names[ref->name];
	if (!inside && !name->needed) {
		name->needed = true;
		name->pos = ref->pos;
	}
	if (raw && !name->raw) {
		name->raw = true;
		name->raw_pos = ref->pos;
	}
}

static void visit(struct walk *w, struct visit at)
{
	struct ab_mustache *t = w->t;
	unsigned sections = at.inside, defaults = 0; /* what we are inside of */

	for (uint32_t pc = at.pc;;) {
		const struct mustache_instr *in = &t->code[pc++];

		switch (in->op) {
		case OP_VALUE:
		case OP_INVERTED:
			use(t, &t->refs[in->a], sections > 0, false);
			break;
		case OP_RAW:
			use(t, &t->refs[in->a], sections > 0, true);
			break;
		case OP_SECTION:
			use(t, &t->refs[in->a], sections > 0, region_raw(t, pc, in->end));
			sections++;
			break;
		case OP_END:
			sections--;
			break;
		case OP_DYNAMIC_PARENT:
		case OP_DYNAMIC:
			use(t, &t->refs[in->a], sections > 0, false);
			visit_dynamic(w, sections > 0);
			break;
		case OP_PARENT:
		case OP_PARTIAL:
			visit_body(w, in->a, sections > 0);
			break;
		case OP_BLOCK:
			visit_args(w, in->a, sections > 0);
			defaults++;
			break;
		case OP_RETURN:
			if (defaults-- == 0)
				return;
			break;
		case OP_TEXT:
			break;
		}
		if (in->op == OP_PARENT || in->op == OP_DYNAMIC_PARENT)
			pc = in->end; /* arguments are looked at where they are put */
	}
}

bool ab_mustache_analyse(struct ab_mustache *template)
{
	struct walk w = {.t = template};

	w.todo = calloc(2 * (template->n_bodies + template->n_args), sizeof(*w.todo));
	if (w.todo == NULL)
		return false;
	find_raw(template);
	visit_body(&w, 0, false);
	while (w.n_todo > 0)
		visit(&w, w.todo[--w.n_todo]);
	free(w.todo);
	return true;
}

/* ---- what the outside asks ---- */

size_t ab_mustache_names(const struct ab_mustache *template)
{
	return template->n_names;
}

const struct ab_mustache_name *ab_mustache_name(const struct ab_mustache *template, size_t index)
{
	return &template->names[index];
}

bool ab_mustache_implicit(const struct ab_mustache *template, struct ab_pos *ret_pos)
{
	*ret_pos = template->implicit_pos;
	return template->implicit;
}

bool ab_mustache_dynamic(const struct ab_mustache *template)
{
	return template->dynamic != NULL;
}

void ab_mustache_each_use(const struct ab_mustache *template, size_t index,
        void (*fn)(void *arg, const char *text, size_t len, struct ab_pos pos), void *arg)
{
	for (size_t i = 0; i < template->n_refs; i++) {
		const struct mustache_ref *ref = &template->refs[i];

		if (ref->name >= 0 && (size_t)ref->name == index)
			fn(arg, ref->text.text, ref->text.len, ref->pos);
	}
}
