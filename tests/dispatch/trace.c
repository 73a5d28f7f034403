/* tests/dispatch/trace.c: see trace.h. */
#include "trace.h"

char order[256];

/* Its name, and the values of its needs, in a list. `arg` is the description itself. */
static struct anabranch_result trace(struct anabranch_call *call)
{
	const struct anabranch_function *self = (const struct anabranch_function *)anabranch_arg(call);
	json_t *list = json_pack("[s]", self->name);

	strcat(strcat(order, order[0] != '\0' ? " " : ""), self->name);
	for (unsigned i = 0; i < self->n_needs; i++)
		json_array_append_new(list, anabranch_share(call->needs[i]).value);
	return json(list);
}

/* "name: need need", remembered until the test ends. */
struct anabranch_function *make(const char *spec)
{
	struct anabranch_function *function = calloc(1, sizeof(*function));
	const char **needs = calloc(16, sizeof(*needs));
	char *copy = strdup(spec), *save = NULL, *word = strtok_r(copy, ": ", &save);

	function->name = word;
	function->needs = needs;
	while ((word = strtok_r(NULL, ": ", &save)) != NULL)
		needs[function->n_needs++] = word;
	function->start = trace;
	function->arg = function;
	return function;
}

void drop(struct anabranch_function *function)
{
	free((char *)(size_t)function->name);
	free((const char **)(size_t)function->needs);
	free(function);
}

void set_open(struct set *set)
{
	*set = (struct set){.d = anabranch_create()};
	cr_assert(set->d != NULL);
	order[0] = '\0';
}

enum anabranch_code set_try(struct set *set, const char *spec, struct anabranch_error *err)
{
	set->made[set->count] = make(spec);
	return anabranch_add(set->d, set->made[set->count++], err);
}

void set_add(struct set *set, const char *spec)
{
	struct anabranch_error err;

	cr_assert(set_try(set, spec, &err) == ANABRANCH_OK, "%s", err.message);
}

void set_close(struct set *set)
{
	anabranch_destroy(set->d);
	for (size_t i = 0; i < set->count; i++)
		drop(set->made[i]);
}

/* A value as JSON with single quotes, in static storage; `value` is released. */
const char *shown(json_t *value)
{
	static char text[1024];
	char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	cr_assert(dump != NULL);
	snprintf(text, sizeof(text), "%s", dump);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '"' ? '\'' : *c;
	free(dump);
	json_decref(value);
	return text;
}

json_t *given(const char *text)
{
	char quoted[512];
	json_t *value;

	snprintf(quoted, sizeof(quoted), "%s", text);
	for (char *c = quoted; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(quoted, JSON_DECODE_ANY, NULL);
	cr_assert(value != NULL, "%s", text);
	return value;
}

/* The value of a name, or the error's message. */
const char *get(struct anabranch *d, const char *name, const char *names)
{
	static struct anabranch_error err;
	json_t *object = names != NULL ? given(names) : NULL, *value = NULL;
	enum anabranch_code code = anabranch_get(d, name, object, &value, &err);

	json_decref(object);
	cr_assert((code == ANABRANCH_OK) == (value != NULL));
	cr_assert(code == ANABRANCH_OK || err.code == code);
	return code == ANABRANCH_OK ? shown(value) : err.message;
}

enum anabranch_code get_error(struct anabranch *d, const char *name, struct anabranch_error *err)
{
	json_t *value = NULL;
	enum anabranch_code code = anabranch_get(d, name, NULL, &value, err);

	cr_assert(value == NULL);
	return code;
}
