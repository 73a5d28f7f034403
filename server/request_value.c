/* server/request_value.c: see request_value.h. Header names are lower case with '_' for '-'; what comes more
 * than once is a list in query and form, joined by ", " in headers (RFC 9110, section 5.3), the first among
 * cookies. What is not UTF-8 is left out. */
#include "request_value.h"

#include "../handlers/json.h"

#include <string.h>
#include <strings.h>

/* A string, or null where the bytes are no UTF-8. */
static json_t *text_value(const char *text, size_t len)
{
	if (text == NULL || !ab_utf8_valid(text, len) || memchr(text, '\0', len) != NULL)
		return json_null();
	return json_stringn_nocheck(text, len);
}

static bool listed(bool all, const char *const *names, const char *name)
{
	for (size_t i = 0; !all && names != NULL && names[i] != NULL; i++)
		all = strcmp(names[i], name) == 0;
	return all;
}

/* ---- query and form ---- */

/* Add one; a second one makes a list. */
static bool add_param(json_t *object, const struct ab_param *param)
{
	json_t *value = json_stringn_nocheck(param->value, param->value_len);
	json_t *there = json_object_get(object, param->name), *list;

	if (there == NULL)
		return json_object_set_new_nocheck(object, param->name, value) == 0;
	if (json_is_array(there))
		return json_array_append_new(there, value) == 0;
	list = json_pack("[O, o]", there, value);
	return json_object_set_new_nocheck(object, param->name, list) == 0;
}

static json_t *params_value(const struct ab_param *params, size_t count, bool all, const char *const *names)
{
	json_t *object = json_object();

	for (size_t i = 0; object != NULL && i < count; i++) {
		if (params[i].bad == NULL && listed(all, names, params[i].name) &&
		        !add_param(object, &params[i])) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* ---- headers and cookies ---- */

enum { MAX_NAME = 128 };

/* "User-Agent" as "user_agent"; false when too long to be one anybody means. */
static bool inside_name(const struct ab_header *header, char name[MAX_NAME])
{
	if (header->name_len >= MAX_NAME)
		return false;
	for (size_t i = 0; i < header->name_len; i++) {
		char c = header->name[i];

		name[i] = (char)(c == '-' ? '_' : c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	name[header->name_len] = '\0';
	return ab_utf8_valid(name, header->name_len);
}

static bool add_header(json_t *object, const char *name, const struct ab_header *header)
{
	json_t *there = json_object_get(object, name);

	if (!json_is_string(there))
		return json_object_set_new_nocheck(
		               object, name, text_value(header->value, header->value_len)) == 0;
	if (!ab_utf8_valid(header->value, header->value_len))
		return true;
	return json_object_set_new(object, name,
	               json_sprintf("%s, %.*s", json_string_value(there), (int)header->value_len,
	                       header->value)) == 0;
}

static json_t *headers_value(const struct ab_request_use *use, const struct ab_request *request)
{
	json_t *object = json_object();
	char name[MAX_NAME];

	for (size_t i = 0; object != NULL && i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];

		if (inside_name(header, name) && listed(use->all_headers, use->headers, name) &&
		        !add_header(object, name, header)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* What we set is percent-encoded; other cookies are taken as they are. */
static json_t *cookie_value(const struct ab_cookies *cookie, struct ab_arena *arena)
{
	char *text = ab_arena_alloc(arena, cookie->value_len + 1);
	size_t len;

	if (text == NULL)
		return NULL;
	if (ab_uri_decode(cookie->value, cookie->value_len, false, text, &len) == NULL)
		return json_stringn_nocheck(text, len);
	return text_value(cookie->value, cookie->value_len);
}

static bool add_cookies(json_t *object, const struct ab_request_use *use, const struct ab_header *header,
        struct ab_arena *arena)
{
	struct ab_cookies cookies = {.at = header->value, .end = header->value + header->value_len};

	while (ab_cookie_next(&cookies)) {
		const char *name = ab_arena_strndup(arena, cookies.name, cookies.name_len);

		if (name == NULL)
			return false;
		if (!ab_utf8_valid(name, strlen(name)) || !listed(use->all_cookies, use->cookies, name) ||
		        json_object_get(object, name) != NULL)
			continue;
		if (json_object_set_new_nocheck(object, name, cookie_value(&cookies, arena)) != 0)
			return false;
	}
	return true;
}

static json_t *cookies_value(
        const struct ab_request_use *use, const struct ab_request *request, struct ab_arena *arena)
{
	json_t *object = json_object();

	for (size_t i = 0; object != NULL && i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];

		if (header->name_len == 6 && strncasecmp(header->name, "cookie", 6) == 0 &&
		        !add_cookies(object, use, header, arena)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* ---- body ---- */

/* JSON and forms as what they say, anything else, and what is broken, as text. */
static json_t *body_value(const struct ab_request *request, struct ab_input *input, struct ab_arena *arena)
{
	struct ab_error err;

	if (request->body_len == 0)
		return json_null();
	if (input->body == NULL && ab_request_media(request, "application/json"))
		input->body = ab_json_read(request->body, request->body_len, &err);
	if (input->body != NULL)
		return json_incref(input->body);
	if (input->form == NULL && ab_request_media(request, "application/x-www-form-urlencoded") &&
	        ab_uri_params(request->body, request->body_len, arena, &input->form, &input->n_form, &err) ==
	                AB_ENOMEM)
		return NULL;
	if (input->form != NULL)
		return params_value(input->form, input->n_form, true, NULL);
	return text_value(request->body, request->body_len);
}

json_t *ab_request_value(const struct ab_request_use *use, const struct ab_request *request,
        struct ab_input *input, struct ab_arena *arena)
{
	json_t *object = json_object();
	struct ab_error err;
	bool ok = object != NULL;

	if (use->method)
		ok = ok && json_object_set_new(object, "method",
		                   text_value(request->method, strlen(request->method))) == 0;
	if (use->path)
		ok = ok &&
		     json_object_set_new(object, "path", text_value(request->target, request->path_len)) == 0;
	if (use->client)
		ok = ok &&
		     json_object_set_new(object, "client",
		             request->client != NULL ? text_value(request->client, strlen(request->client))
		                                     : json_null()) == 0;
	if (use->id)
		ok = ok && json_object_set_new(object, "id",
		                   request->id != NULL ? text_value(request->id, strlen(request->id))
		                                       : json_null()) == 0;
	if (use->all_query || use->query != NULL)
		ok = ok && ab_input_query(input, request, arena, &err) != AB_ENOMEM &&
		     json_object_set_new(object, "query",
		             params_value(input->query, input->n_query, use->all_query, use->query)) == 0;
	if (use->all_headers || use->headers != NULL)
		ok = ok && json_object_set_new(object, "headers", headers_value(use, request)) == 0;
	if (use->all_cookies || use->cookies != NULL)
		ok = ok && json_object_set_new(object, "cookies", cookies_value(use, request, arena)) == 0;
	if (use->body)
		ok = ok && json_object_set_new(object, "body", body_value(request, input, arena)) == 0;
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}
