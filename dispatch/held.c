/* dispatch/held.c: see held.h. */
#include "held.h"

#include <string.h>

enum { HELD_MAX = 100000, DEPTH_MAX = 500 };

struct ab_held_value {
	const json_t *value;
	size_t counted; /* before the call */
	size_t uses;    /* in the result */
	unsigned need;
};

void ab_held_init(struct ab_held *held)
{
	*held = (struct ab_held){.count = 0};
}

void ab_held_fini(struct ab_held *held)
{
	free(held->list);
	*held = (struct ab_held){.count = 0};
}

static bool grow(struct ab_held *held)
{
	size_t size = held->size > 0 ? 2 * held->size : 64;
	struct ab_held_value *list;

	if (held->count < held->size)
		return true;
	list = held->count < HELD_MAX ? realloc(held->list, size * sizeof(*list)) : NULL;
	held->failed = list == NULL;
	if (held->failed)
		return false;
	held->list = list;
	held->size = size;
	return true;
}

static void add(struct ab_held *held, const json_t *value, unsigned need, bool exact, unsigned depth)
{
	const char *key;
	json_t *item;
	size_t i;

	if (depth == DEPTH_MAX || value->refcount == SIZE_MAX ||
	        !grow(held)) /* true, false and null count nothing */
		return;
	held->list[held->count++] =
	        (struct ab_held_value){.value = value, .counted = exact ? value->refcount : 1, .need = need};
	if (json_is_array(value))
		json_array_foreach((json_t *)(uintptr_t)value, i, item)
		        add(held, item, need, exact, depth + 1);
	if (json_is_object(value))
		json_object_foreach((json_t *)(uintptr_t)value, key, item)
		        add(held, item, need, exact, depth + 1);
}

void ab_held_add(struct ab_held *held, const json_t *value, unsigned need, bool exact)
{
	if (!held->failed)
		add(held, value, need, exact, 0);
}

static int by_address(const void *a, const void *b)
{
	const struct ab_held_value *x = a, *y = b;
	uintptr_t at = (uintptr_t)x->value, to = (uintptr_t)y->value;

	return at < to ? -1 : at > to;
}

static void sort(struct ab_held *held)
{
	size_t kept = 0;

	if (held->count > 0)
		qsort(held->list, held->count, sizeof(*held->list), by_address);
	for (size_t i = 0; i < held->count; i++)
		if (kept == 0 || held->list[kept - 1].value != held->list[i].value)
			held->list[kept++] = held->list[i];
	held->count = kept;
}

/* Count the uses of what is held; what lies below such a value is its own. */
static void use(const struct ab_held *held, const json_t *value, unsigned depth)
{
	const struct ab_held_value wanted = {.value = value};
	struct ab_held_value *found = NULL;
	const char *key;
	json_t *item;
	size_t i;

	if (held->count > 0)
		found = bsearch(&wanted, held->list, held->count, sizeof(wanted), by_address);
	if (found != NULL) {
		found->uses++;
		return;
	}
	if (depth == DEPTH_MAX)
		return;
	if (json_is_array(value))
		json_array_foreach((json_t *)(uintptr_t)value, i, item) use(held, item, depth + 1);
	if (json_is_object(value))
		json_object_foreach((json_t *)(uintptr_t)value, key, item) use(held, item, depth + 1);
}

int ab_held_find(struct ab_held *held, const json_t *result)
{
	int need = -1;

	if (held->failed)
		return -1;
	sort(held);
	use(held, result, 0);
	for (size_t i = 0; i < held->count; i++) {
		const struct ab_held_value *one = &held->list[i];

		while (one->uses > 0 && one->value->refcount < one->counted + one->uses) {
			json_incref((json_t *)(uintptr_t)one->value);
			need = (int)one->need;
		}
	}
	return need;
}
