/* handlers/mustache/refs.c: the names in tags: "a.b[0]" is the name a, looked up, then two steps into its
 * value. */
#include "program.h"

static bool step_add(
        struct mustache_compiler *c, struct mustache_ref *ref, struct mustache_slice key, size_t index)
{
	struct ab_mustache *t = c->out;
	struct mustache_step *steps =
	        ab_mustache_grow(c, t->steps, t->n_steps, &t->steps_size, sizeof(*steps));

	if (steps == NULL)
		return false;
	t->steps = steps;
	steps[t->n_steps++] = (struct mustache_step){key, index};
	ref->n_steps++;
	return true;
}

/* "[12]" at text[at]; returns behind it, 0 after a mistake. */
static uint32_t index_read(struct mustache_compiler *c, struct mustache_ref *ref, uint32_t at)
{
	struct mustache_slice text = ref->text;
	size_t index = 0;
	uint32_t from = ++at;

	for (; at < text.len && text.text[at] >= '0' && text.text[at] <= '9' && at - from < 9; at++)
		index = index * 10 + (size_t)(text.text[at] - '0');
	if (at == from || at >= text.len || text.text[at] != ']') {
		ab_mustache_mistake(c, ref->pos,
		        "bad index in '%.*s'; expected a number as in items[0] (for each item: {{#items}}...{{/items}})",
		        (int)text.len, text.text);
		return 0;
	}
	return step_add(c, ref, (struct mustache_slice){NULL, 0}, index) ? at + 1 : 0;
}

static bool steps_read(struct mustache_compiler *c, struct mustache_ref *ref, uint32_t at)
{
	struct mustache_slice text = ref->text;

	while (at < text.len) {
		uint32_t from = at + 1;

		if (text.text[at] == '[') {
			at = index_read(c, ref, at);
			if (at == 0)
				return false;
			continue;
		}
		for (at = from; at < text.len && text.text[at] != '.' && text.text[at] != '['; at++)
			;
		if (text.text[from - 1] != '.' || at == from) {
			ab_mustache_mistake(c, ref->pos,
			        "bad name '%.*s'; expected names with one dot between them", (int)text.len,
			        text.text);
			return false;
		}
		if (!step_add(c, ref, (struct mustache_slice){text.text + from, at - from}, 0))
			return false;
	}
	return true;
}

static int name_index(struct mustache_compiler *c, const struct mustache_ref *ref)
{
	struct ab_mustache *t = c->out;
	struct ab_mustache_name *names;

	for (size_t i = 0; i < t->n_names; i++)
		if (t->names[i].len == ref->key.len &&
		        memcmp(t->names[i].text, ref->key.text, ref->key.len) == 0)
			return (int)i;
	names = ab_mustache_grow(c, t->names, t->n_names, &t->names_size, sizeof(*names));
	if (names == NULL)
		return 0;
	t->names = names;
	if (t->n_names >= MUSTACHE_NAMES) {
		ab_mustache_mistake(c, ref->pos, "more than %d different names", MUSTACHE_NAMES);
		return 0;
	}
	names[t->n_names] =
	        (struct ab_mustache_name){.text = ref->key.text, .len = ref->key.len, .pos = ref->pos};
	return (int)t->n_names++;
}

uint32_t ab_mustache_ref(struct mustache_compiler *c, struct mustache_slice text, struct ab_pos pos)
{
	struct ab_mustache *t = c->out;
	struct mustache_ref *refs = ab_mustache_grow(c, t->refs, t->n_refs, &t->refs_size, sizeof(*refs));
	struct mustache_ref ref = {
	        .name = -1, .first_step = (uint32_t)t->n_steps, .text = text, .key = text, .pos = pos};
	uint32_t at = 0;

	if (refs == NULL)
		return 0;
	t->refs = refs;
	if (text.len != 1 || *text.text != '.') {
		while (at < text.len && text.text[at] != '.' && text.text[at] != '[')
			at++;
		ref.key.len = at;
		if (at == 0)
			ab_mustache_mistake(c, pos, "bad name '%.*s'; expected a name, or a dot alone",
			        (int)text.len, text.text);
		else if (steps_read(c, &ref, at))
			ref.name = name_index(c, &ref);
	}
	refs[t->n_refs] = ref;
	return (uint32_t)t->n_refs++;
}
