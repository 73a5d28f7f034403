/* handlers/jq/value.c: see value.h. */
#include "value.h"

#include <math.h>
#include <string.h>

enum {
	NODE_BYTES = 32, /* about what one value costs, besides its text */
	PATH_BYTES = 200,
};

static const double whole_max = 9007199254740992.0; /* 2^53 */

/* ---- to libjq ---- */

struct from {
	size_t budget;
	struct ab_error *err;
	/* The way to what went wrong, from its end: filled while the recursion unwinds. */
	char path[PATH_BYTES];
	size_t path_start;
};

static bool from_value(struct from *from, const json_t *value, unsigned depth, jv *ret);

static bool from_fail(struct from *from, const char *what)
{
	from->path_start = sizeof(from->path) - 1;
	from->path[from->path_start] = '\0';
	ab_error_set(from->err, AB_EINVALID, "%s", what);
	return false;
}

static void path_prepend(struct from *from, const char *text, size_t len)
{
	if (len > from->path_start)
		return;
	from->path_start -= len;
	memcpy(from->path + from->path_start, text, len);
}

static bool from_spend(struct from *from, size_t bytes)
{
	if (bytes > from->budget) {
		from->budget = 0;
		return from_fail(from, "more than a filter may be given");
	}
	from->budget -= bytes;
	return true;
}

static bool from_integer(struct from *from, json_int_t integer, jv *ret)
{
	char what[120];

	if (integer > (json_int_t)whole_max || integer < -(json_int_t)whole_max) {
		snprintf(what, sizeof(what), "the integer %lld is beyond 2^53, and jq would change it",
		        (long long)integer);
		return from_fail(from, what);
	}
	*ret = jv_number((double)integer);
	return true;
}

static bool from_array(struct from *from, const json_t *value, unsigned depth, jv *ret)
{
	size_t count = json_array_size(value);
	jv array = jv_array_sized((int)(count < 1024 ? count : 1024)), item;
	char index[32];

	for (size_t i = 0; i < count; i++) {
		if (!from_value(from, json_array_get(value, i), depth + 1, &item)) {
			path_prepend(from, index, (size_t)snprintf(index, sizeof(index), "[%zu]", i));
			jv_free(array);
			return false;
		}
		array = jv_array_append(array, item);
	}
	*ret = array;
	return true;
}

static bool from_object(struct from *from, const json_t *value, unsigned depth, jv *ret)
{
	json_t *object = (json_t *)(uintptr_t)value;
	jv members = jv_object(), item;

	for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
		const char *key = json_object_iter_key(at);
		size_t len = json_object_iter_key_len(at);

		if (!from_spend(from, len) ||
		        !from_value(from, json_object_iter_value(at), depth + 1, &item)) {
			path_prepend(from, key, len);
			path_prepend(from, ".", 1);
			jv_free(members);
			return false;
		}
		members = jv_object_set(members, jv_string_sized(key, (int)len), item);
	}
	*ret = members;
	return true;
}

static bool from_value(struct from *from, const json_t *value, unsigned depth, jv *ret)
{
	size_t len;

	if (depth > AB_JQ_DEPTH)
		return from_fail(from, "lists or objects nested too deeply");
	if (!from_spend(from, NODE_BYTES))
		return false;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return from_object(from, value, depth, ret);
	case JSON_ARRAY:
		return from_array(from, value, depth, ret);
	case JSON_STRING:
		len = json_string_length(value);
		if (!from_spend(from, len))
			return false;
		*ret = jv_string_sized(json_string_value(value), (int)len);
		return true;
	case JSON_INTEGER:
		return from_integer(from, json_integer_value(value), ret);
	case JSON_REAL:
		*ret = jv_number(json_real_value(value));
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		*ret = jv_bool(json_is_true(value));
		return true;
	case JSON_NULL:
	default:
		*ret = jv_null();
		return true;
	}
}

/* Only what is used of an object. What is not there is null in jq, as it would be in the whole. */
static bool from_fields(struct from *from, const json_t *value, const struct ab_jq_name *name, jv *ret)
{
	jv members = jv_object(), item;

	for (size_t i = 0; i < name->n_fields; i++) {
		const char *key = name->fields[i];
		const json_t *member = json_object_get(value, key);

		if (member == NULL)
			continue;
		if (!from_value(from, member, 1, &item)) {
			path_prepend(from, key, strlen(key));
			path_prepend(from, ".", 1);
			jv_free(members);
			return false;
		}
		members = jv_object_set(members, jv_string(key), item);
	}
	*ret = members;
	return true;
}

enum ab_code ab_jq_from_json(const json_t *value, const struct ab_jq_name *name, size_t *budget,
        jv *ret_value, struct ab_error *err)
{
	struct from from = {.budget = *budget < INT32_MAX ? *budget : INT32_MAX, .err = err};
	bool ok = name->whole || !json_is_object(value) ? from_value(&from, value, 0, ret_value)
	                                                : from_fields(&from, value, name, ret_value);

	*budget = from.budget;
	if (ok)
		return AB_OK;
	ab_error_prefix(err, "$%.60s%s", name->name, from.path + from.path_start);
	return err->code;
}

/* ---- from libjq ---- */

struct to {
	size_t budget;
	struct ab_error *err;
};

static json_t *to_value(struct to *to, jv value, unsigned depth);

static json_t *to_fail(struct to *to, const char *what)
{
	ab_error_set(to->err, AB_EINTERNAL, "%s", what);
	return NULL;
}

static bool to_spend(struct to *to, size_t bytes)
{
	if (bytes > to->budget) {
		to_fail(to, "the value is larger than a filter may make");
		return false;
	}
	to->budget -= bytes;
	return true;
}

static json_t *to_number(double number)
{
	if (!isfinite(number))
		return json_null();
	if (number == floor(number) && fabs(number) <= whole_max)
		return json_integer((json_int_t)number);
	return json_real(number);
}

static json_t *to_string(struct to *to, jv value)
{
	size_t len = (size_t)jv_string_length_bytes(jv_copy(value));

	return to_spend(to, len) ? json_stringn_nocheck(jv_string_value(value), len) : NULL;
}

/* Both leave `value` to their caller. */
static json_t *to_array(struct to *to, jv value, unsigned depth)
{
	int count = jv_array_length(jv_copy(value));
	json_t *array = json_array(), *item;

	for (int i = 0; array != NULL && i < count; i++) {
		item = to_value(to, jv_array_get(jv_copy(value), i), depth + 1);
		if (item == NULL || json_array_append_new(array, item) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *to_object(struct to *to, jv value, unsigned depth)
{
	json_t *object = json_object();
	int at = jv_object_iter(value);

	for (; object != NULL && jv_object_iter_valid(value, at); at = jv_object_iter_next(value, at)) {
		jv key = jv_object_iter_key(value, at);
		size_t len = (size_t)jv_string_length_bytes(jv_copy(key));
		json_t *item =
		        !to_spend(to, len) ? NULL : to_value(to, jv_object_iter_value(value, at), depth + 1);

		if (item == NULL ||
		        json_object_setn_new_nocheck(object, jv_string_value(key), len, item) != 0) {
			json_decref(object);
			object = NULL;
		}
		jv_free(key);
	}
	return object;
}

/* NULL without an error set: out of memory. */
static json_t *to_value(struct to *to, jv value, unsigned depth)
{
	json_t *json = NULL;

	if (depth > AB_JQ_DEPTH)
		to_fail(to, "the value has lists or objects nested too deeply");
	else if (to_spend(to, NODE_BYTES))
		switch (jv_get_kind(value)) {
		case JV_KIND_OBJECT:
			json = to_object(to, value, depth);
			break;
		case JV_KIND_ARRAY:
			json = to_array(to, value, depth);
			break;
		case JV_KIND_STRING:
			json = to_string(to, value);
			break;
		case JV_KIND_NUMBER:
			json = to_number(jv_number_value(value));
			break;
		case JV_KIND_TRUE:
			json = json_true();
			break;
		case JV_KIND_FALSE:
			json = json_false();
			break;
		case JV_KIND_NULL:
		case JV_KIND_INVALID:
		default:
			json = json_null();
			break;
		}
	jv_free(value);
	return json;
}

json_t *ab_jq_to_json(jv value, size_t *budget, struct ab_error *err)
{
	struct to to = {.budget = *budget, .err = err};
	json_t *json;

	err->code = AB_OK;
	json = to_value(&to, value, 0);
	*budget = to.budget;
	if (json == NULL && err->code == AB_OK)
		ab_error_set(err, AB_ENOMEM, "out of memory");
	return json;
}
