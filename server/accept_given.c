/* server/accept_given.c: the raw input as the value `given`, for an error page that shows a form again. */
#include "accept.h"

#include <string.h>

/* The name inside for a name outside, so that a template can say {{given.tag}} for `filter[tag]`. */
static const char *inside(const struct ab_route *route, enum ab_in in, const char *name)
{
	for (size_t i = 0; route != NULL && i < route->n_accepts; i++)
		if (route->accepts[i].in == in && strcmp(route->accepts[i].outside, name) == 0)
			return route->accepts[i].name;
	return name;
}

/* Add; what is there already becomes a list. Takes `value`. */
static bool add(json_t *object, const char *name, json_t *value)
{
	json_t *there = json_object_get(object, name);
	json_t *list;

	if (there == NULL)
		return json_object_set_new_nocheck(object, name, value) == 0;
	if (json_is_array(there))
		return json_array_append_new(there, value) == 0;
	list = json_pack("[O, o]", there, value);
	return json_object_set_new_nocheck(object, name, list) == 0;
}

static bool add_params(json_t *object, const struct ab_route *route, enum ab_in in,
        const struct ab_param *params, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct ab_param *param = &params[i];

		if (param->bad == NULL && !add(object, inside(route, in, param->name),
		                                  json_stringn_nocheck(param->value, param->value_len)))
			return false;
	}
	return true;
}

static bool add_members(json_t *object, const struct ab_route *route, json_t *body)
{
	for (void *at = json_object_iter(body); at != NULL; at = json_object_iter_next(body, at)) {
		const char *name = inside(route, AB_IN_BODY, json_object_iter_key(at));

		if (json_object_set_nocheck(object, name, json_object_iter_value(at)) != 0)
			return false;
	}
	return true;
}

json_t *ab_input_given(
        const struct ab_input *input, const struct ab_route *route, const struct ab_match *match)
{
	json_t *given = json_object();
	bool fine = given != NULL;

	for (size_t i = 0; fine && route != NULL && i < route->n_variables; i++)
		fine = add(given, route->accepts[i].name, json_stringn(match->values[i], match->lengths[i]));
	fine = fine && add_params(given, route, AB_IN_QUERY, input->query, input->n_query) &&
	       add_params(given, route, AB_IN_BODY, input->form, input->n_form) &&
	       add_members(given, route, input->body);
	if (!fine) {
		json_decref(given);
		return NULL;
	}
	return given;
}
