/* examples/fortunes/fortunes.c: what fast.yaml computes in C in place of jq. */
#include <anabranch.h>
#include <stdlib.h>
#include <string.h>

static int by_message(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "message")),
	        json_string_value(json_object_get(*y, "message")));
}

/* The rows, which are others' too, in a list of our own, and one more; by the bytes of their messages. */
RESOURCE(sort_fortunes, fortunes)
{
	size_t n = json_array_size(fortunes);
	json_t **rows = calloc(n + 1, sizeof(*rows)), *list = json_array();

	for (size_t i = 0; rows != NULL && i < n; i++)
		rows[i] = json_array_get(fortunes, i);
	if (rows == NULL || (rows[n] = json_pack("{s:i, s:s}", "id", 0, "message",
	                             "Additional fortune added at request time.")) == NULL) {
		free(rows);
		json_decref(list);
		return fail(503, "out of memory");
	}
	qsort(rows, n + 1, sizeof(*rows), by_message);
	for (size_t i = 0; i <= n; i++)
		json_array_append(list, rows[i]);
	for (size_t i = 0; i <= n; i++)
		if (json_integer_value(json_object_get(rows[i], "id")) == 0)
			json_decref(rows[i]); /* the list has it now */
	free(rows);
	return json(list);
}

/* `queries` of them, 1 to 500, from 1 to 10000; what is no number counts as 1. */
RESOURCE(pick_ids, queries, (seed, "request.id"))
{
	long n = strtol(json_string_value(queries), NULL, 10);
	json_t *list = json_array();
	unsigned state = 7;

	for (const char *at = json_string_value(seed); *at != '\0'; at++)
		state = state * 31 + (unsigned char)*at;
	for (n = n < 1 ? 1 : n > 500 ? 500 : n; n > 0; n--)
		json_array_append_new(list, json_integer(rand_r(&state) % 10000 + 1));
	return json(list);
}
