/* dispatch/dispatcher.c: named resources, looked up through includes. */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

struct ab_dispatcher *ab_dispatcher_create(void)
{
	struct ab_dispatcher *dispatcher = ab_calloc(1, sizeof(*dispatcher));

	if (dispatcher == NULL)
		return NULL;
	dispatcher->walk = ab_calloc(1, sizeof(*dispatcher->walk));
	if (dispatcher->walk == NULL) {
		ab_free(dispatcher);
		return NULL;
	}
	return dispatcher;
}

/* What a spec hands over. */
static void resource_drop(const struct ab_resource *resource)
{
	if (resource->handler->free != NULL && resource->config != NULL)
		resource->handler->free(resource->config);
	json_decref(resource->fallback);
}

void ab_dispatcher_destroy(struct ab_dispatcher *dispatcher)
{
	if (dispatcher == NULL)
		return;
	for (size_t i = 0; i < dispatcher->n_sorted; i++) {
		resource_drop(dispatcher->sorted[i]);
		ab_free(dispatcher->sorted[i]);
	}
	ab_free(dispatcher->sorted);
	ab_free(dispatcher->includes);
	ab_free(dispatcher->hooks);
	ab_free(dispatcher->walk);
	ab_free(dispatcher);
}

/* Make room for one more element. */
static bool grow(void *array_ptr, size_t count, size_t *size, size_t element)
{
	void **array = array_ptr;
	size_t bigger = *size > 0 ? *size * 2 : 8;
	void *moved;

	if (count < *size)
		return true;
	moved = ab_realloc(*array, bigger * element);
	if (moved == NULL)
		return false;
	*array = moved;
	*size = bigger;
	return true;
}

static char *put_text(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);

	*at += size;
	return copy;
}

/* The struct, its list of needs and all strings in one piece of memory. */
static struct ab_resource *resource_copy(const struct ab_resource *spec)
{
	size_t size = sizeof(*spec) + spec->n_needs * sizeof(*spec->needs) + strlen(spec->name) + 1;
	struct ab_resource *copy;
	const char **needs;
	char *at;

	for (size_t i = 0; i < spec->n_needs; i++)
		size += strlen(spec->needs[i]) + 1;
	if (spec->fallback_resource != NULL)
		size += strlen(spec->fallback_resource) + 1;
	copy = ab_malloc(size);
	if (copy == NULL)
		return NULL;
	*copy = *spec;
	needs = (const char **)(copy + 1);
	at = (char *)(needs + spec->n_needs);
	copy->name = put_text(&at, spec->name);
	for (size_t i = 0; i < spec->n_needs; i++)
		needs[i] = put_text(&at, spec->needs[i]);
	copy->needs = needs;
	if (spec->fallback_resource != NULL)
		copy->fallback_resource = put_text(&at, spec->fallback_resource);
	if (copy->missing_status == 0)
		copy->missing_status = ab_code_status(AB_EMISSING);
	return copy;
}

static enum ab_code check_needs(const struct ab_resource *spec, struct ab_error *err)
{
	struct ab_table seen = {0};
	enum ab_code code = AB_OK;

	for (size_t i = 0; i < spec->n_needs && code == AB_OK; i++) {
		if (ab_table_get(&seen, spec->needs[i]) >= 0)
			code = ab_error_set(err, AB_EDUPLICATE, "resource '%s' lists the need '%s' twice",
			        spec->name, spec->needs[i]);
		else if (!ab_table_add(&seen, spec->needs[i], 0))
			code = ab_error_set(err, AB_ENOMEM, "out of memory");
	}
	ab_table_fini(&seen);
	return code;
}

/* The place of `name` among the dispatcher's own, or where it would go. */
static size_t own_place(const struct ab_dispatcher *dispatcher, const char *name, bool *ret_found)
{
	size_t low = 0, high = dispatcher->n_sorted;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(dispatcher->sorted[middle]->name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

enum ab_code ab_dispatcher_add(
        struct ab_dispatcher *dispatcher, const struct ab_resource *spec, struct ab_error *err)
{
	struct ab_resource *copy;
	enum ab_code code;
	bool found;
	size_t place = own_place(dispatcher, spec->name, &found);

	if (found)
		code = ab_error_set(err, AB_EDUPLICATE, "there is already a resource '%s'", spec->name);
	else
		code = check_needs(spec, err);
	if (code != AB_OK)
		goto fail;
	code = AB_ENOMEM;
	if (!grow(&dispatcher->sorted, dispatcher->n_sorted, &dispatcher->sorted_size,
	            sizeof(struct ab_resource *)))
		goto fail_memory;
	copy = resource_copy(spec);
	if (copy == NULL)
		goto fail_memory;
	memmove(dispatcher->sorted + place + 1, dispatcher->sorted + place,
	        (dispatcher->n_sorted - place) * sizeof(struct ab_resource *));
	dispatcher->sorted[place] = copy;
	dispatcher->n_sorted++;
	return AB_OK;

fail_memory:
	ab_error_set(err, AB_ENOMEM, "out of memory");
fail:
	resource_drop(spec);
	return code;
}

enum ab_code ab_dispatcher_include(
        struct ab_dispatcher *dispatcher, struct ab_dispatcher *sub, struct ab_error *err)
{
	if (!grow(&dispatcher->includes, dispatcher->n_includes, &dispatcher->includes_size,
	            sizeof(struct ab_dispatcher *)))
		return ab_error_set(err, AB_ENOMEM, "out of memory");
	dispatcher->includes[dispatcher->n_includes++] = sub;
	return AB_OK;
}

enum ab_code ab_dispatcher_on_error(
        struct ab_dispatcher *dispatcher, ab_error_cb fn, void *arg, struct ab_error *err)
{
	if (!grow(&dispatcher->hooks, dispatcher->n_hooks, &dispatcher->hooks_size,
	            sizeof(*dispatcher->hooks)))
		return ab_error_set(err, AB_ENOMEM, "out of memory");
	dispatcher->hooks[dispatcher->n_hooks++] = (struct ab_hook){fn, arg};
	return AB_OK;
}

uint64_t ab_walk_begin(const struct ab_dispatcher *top)
{
	static atomic_uint_least64_t last; /* dispatchers belong to threads, but this number to all */
	uint64_t token = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;

	*top->walk = (struct ab_walk){.token = token};
	return token;
}

const struct ab_dispatcher *ab_walk_next(const struct ab_dispatcher *at, uint64_t token)
{
	while (at != NULL) {
		while (at->walk->next < at->n_includes) {
			const struct ab_dispatcher *sub = at->includes[at->walk->next++];

			if (sub->walk->token != token) {
				*sub->walk = (struct ab_walk){.token = token, .parent = at};
				return sub;
			}
		}
		at = at->walk->parent;
	}
	return NULL;
}

const struct ab_resource *ab_dispatcher_own(const struct ab_dispatcher *dispatcher, const char *name)
{
	bool found;
	size_t place = own_place(dispatcher, name, &found);

	return found ? dispatcher->sorted[place] : NULL;
}

const struct ab_resource *ab_dispatcher_find(const struct ab_dispatcher *dispatcher, const char *name)
{
	uint64_t token = ab_walk_begin(dispatcher);
	const struct ab_resource *resource = NULL;

	for (const struct ab_dispatcher *at = dispatcher; at != NULL && resource == NULL;
	        at = ab_walk_next(at, token))
		resource = ab_dispatcher_own(at, name);
	return resource;
}

/* The first name after `last` (NULL: the first of all) that can be seen; the dispatcher searched first wins.
 */
static const struct ab_resource *visible_after(const struct ab_dispatcher *dispatcher, const char *last)
{
	uint64_t token = ab_walk_begin(dispatcher);
	const struct ab_resource *least = NULL;

	for (const struct ab_dispatcher *at = dispatcher; at != NULL; at = ab_walk_next(at, token)) {
		bool found = false;
		size_t place = last != NULL ? own_place(at, last, &found) : 0;
		const struct ab_resource *resource;

		if (found)
			place++;
		if (place >= at->n_sorted)
			continue;
		resource = at->sorted[place];
		if (least == NULL || strcmp(resource->name, least->name) < 0)
			least = resource;
	}
	return least;
}

void ab_dispatcher_each(const struct ab_dispatcher *dispatcher,
        void (*fn)(const struct ab_resource *resource, void *arg), void *arg)
{
	const struct ab_resource *resource = visible_after(dispatcher, NULL);

	for (; resource != NULL; resource = visible_after(dispatcher, resource->name))
		fn(resource, arg);
}
