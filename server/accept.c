/* server/accept.c: see accept.h.
 *
 * Each place a request can give a name from (path, query, body, headers, cookies) is read in turn; each find
 * goes through take_text or take_json, which judge it once; what is missing is noticed at the end. */
#include "accept.h"

#include "../handlers/json.h"
#include "accept_value.h"

#include <string.h>
#include <strings.h>

struct reader {
	const struct ab_route *route;
	const struct ab_request *request;
	struct ab_arena *arena;
	struct ab_input *input;
	bool *seen;  /* for each of route->accepts: the request has it */
	bool *wrong; /* ... and it has been complained about */
	bool accept_all;
	bool no_memory;
	const char *kind; /* why the kind of body is not taken, which is 415; or NULL */
};

static void complain(struct reader *reader, const char *field, const char *message)
{
	struct ab_input *input = reader->input;

	if (input->n_fields == AB_MAX_FIELDS)
		return;
	if (input->fields == NULL) {
		input->fields = ab_arena_alloc(reader->arena, AB_MAX_FIELDS * sizeof(*input->fields));
		if (input->fields == NULL) {
			reader->no_memory = true;
			return;
		}
	}
	input->fields[input->n_fields++] = (struct ab_field){field, message};
}

static void complain_about(struct reader *reader, size_t index, const char *message)
{
	const struct ab_accept *accept = &reader->route->accepts[index];

	if (reader->wrong[index])
		return;
	reader->wrong[index] = true;
	complain(reader, accept->outside, accept->message != NULL ? accept->message : message);
}

/* Keep a judged value; takes it. */
static void keep(struct reader *reader, size_t index, json_t *value)
{
	const struct ab_accept *accept = &reader->route->accepts[index];
	json_t **place = &reader->input->values[index];
	const char *message;

	if (value == NULL) {
		reader->no_memory = true;
		return;
	}
	/* One mistake is told of each name: what comes after it, or after too many items, is not looked at.
	 */
	if (reader->wrong[index] || (accept->repeats && json_array_size(*place) > accept->max_items)) {
		json_decref(value);
		return;
	}
	message = ab_accept_judge(accept, value, reader->arena);
	if (message != NULL) {
		complain_about(reader, index, message);
		json_decref(value);
		return;
	}
	if (!accept->repeats) {
		*place = value;
		return;
	}
	if (*place == NULL)
		*place = json_array();
	if (json_array_append_new(*place, value) != 0)
		reader->no_memory = true;
}

/* False when the name has come already and may come once. */
static bool first_time(struct reader *reader, size_t index)
{
	if (reader->seen[index] && !reader->route->accepts[index].repeats) {
		complain_about(reader, index, "is given more than once");
		return false;
	}
	reader->seen[index] = true;
	return true;
}

/* `text` is NUL-terminated beyond len. */
static void take_text(struct reader *reader, size_t index, const char *text, size_t len)
{
	const struct ab_accept *accept = &reader->route->accepts[index];
	const char *message;
	json_t *value;

	if (!first_time(reader, index) || (len == 0 && accept->type != AB_TYPE_STRING))
		return;
	value = ab_accept_convert(accept, text, len, &message);
	if (value == NULL && message != NULL)
		complain_about(reader, index, message);
	else
		keep(reader, index, value);
}

/* The same for text without a NUL of its own, which must be checked as well. */
static void take_bytes(struct reader *reader, size_t index, const char *text, size_t len)
{
	char *copy = ab_arena_strndup(reader->arena, text, len);

	if (copy == NULL)
		reader->no_memory = true;
	else if (memchr(text, '\0', len) != NULL || !ab_utf8_valid(text, len))
		complain_about(reader, index, "is not valid UTF-8");
	else
		take_text(reader, index, copy, len);
}

/* Nothing was read there: that its names are missing would be noise. */
static void leave(struct reader *reader, enum ab_in in)
{
	for (size_t i = 0; i < reader->route->n_accepts; i++)
		if (reader->route->accepts[i].in == in)
			reader->wrong[i] = true;
}

/* Decoding a query or a form came to `code`. */
static void judge_params(struct reader *reader, enum ab_code code, enum ab_in in)
{
	const char *message;

	if (code == AB_ENOMEM) {
		reader->no_memory = true;
	} else if (code != AB_OK) {
		message = ab_arena_printf(reader->arena, "the %s has more than %d %s, which is the limit",
		        in == AB_IN_QUERY ? "query" : "form", AB_MAX_PARAMS,
		        in == AB_IN_QUERY ? "parameters" : "fields");
		complain(reader, "", message != NULL ? message : "more is given than is read");
		leave(reader, in);
	}
}

/* A member of a JSON body, or the whole of it; borrowed. */
static void take_json(struct reader *reader, size_t index, json_t *value)
{
	const struct ab_accept *accept = &reader->route->accepts[index];

	if (!first_time(reader, index))
		return;
	if (ab_accept_null(accept, value)) {
		reader->input->values[index] = json_null();
		return;
	}
	if (!accept->repeats) {
		keep(reader, index, json_incref(value));
		return;
	}
	if (!json_is_array(value)) {
		complain_about(reader, index, "must be a list");
		return;
	}
	reader->input->values[index] = json_array();
	for (size_t i = 0; i < json_array_size(value); i++)
		keep(reader, index, json_incref(json_array_get(value, i)));
}

static bool accepted(
        const struct reader *reader, enum ab_in in, const char *name, size_t len, size_t *ret_index)
{
	const struct ab_route *route = reader->route;

	for (size_t i = 0; i < route->n_accepts; i++) {
		const struct ab_accept *accept = &route->accepts[i];

		if (accept->in == in && accept->outside_len == len &&
		        memcmp(accept->outside, name, len) == 0) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

/* ---- names that are not accepted ---- */

static bool in_plan(const struct ab_route *route, const char *name)
{
	for (size_t i = 0; i < route->n_answers; i++)
		if (ab_plan_slot(route->answers[i].plan, name) >= 0)
			return true;
	return false;
}

/* Whether --accept-all opens it: a resource of a plan, but no answer and nothing of the route's own. */
static bool opened(const struct reader *reader, const char *name)
{
	const struct ab_route *route = reader->route;
	bool found = false;

	if (!reader->accept_all || !ab_is_name(name, strlen(name)))
		return false;
	for (size_t i = 0; i < route->n_answers; i++) {
		const struct ab_answer *answer = &route->answers[i];
		int slot = ab_plan_slot(answer->plan, name);

		if (slot >= 0 && slot == answer->answer)
			return false;
		found = found || (slot >= 0 && ab_plan_node(answer->plan, slot)->resource != NULL);
	}
	for (size_t i = 0; i < route->n_accepts; i++)
		if (strcmp(route->accepts[i].name, name) == 0)
			return false;
	return found;
}

/* Takes `value`. */
static void add_extra(struct reader *reader, const char *name, json_t *value)
{
	struct ab_extra *extra = ab_arena_alloc(reader->arena, sizeof(*extra));

	for (struct ab_extra *other = reader->input->extras; other != NULL; other = other->next) {
		if (strcmp(other->name, name) == 0) {
			complain(reader, name, "is given more than once");
			json_decref(value);
			return;
		}
	}
	if (extra == NULL || value == NULL) {
		json_decref(value);
		reader->no_memory = true;
		return;
	}
	*extra = (struct ab_extra){name, value, reader->input->extras};
	reader->input->extras = extra;
}

static void add_extra_text(struct reader *reader, const char *name, const char *text, size_t len)
{
	struct ab_error err;
	json_t *value = ab_json_read(text, len, &err);

	add_extra(reader, name, value != NULL ? value : json_stringn_nocheck(text, len));
}

static void refuse(struct reader *reader, const char *name)
{
	const char *message;

	if (reader->input->n_fields >= AB_MAX_FIELDS)
		return;
	message = ab_arena_printf(reader->arena, "not accepted: %.100s", name);
	for (size_t i = 0; i < reader->input->n_fields; i++)
		if (strcmp(reader->input->fields[i].field, name) == 0)
			return;
	complain(reader, name,
	        message != NULL && ab_utf8_valid(message, strlen(message)) ? message : "not accepted");
}

/* ---- the places ---- */

static void read_path(struct reader *reader, const struct ab_match *match)
{
	for (size_t i = 0; i < reader->route->n_variables; i++)
		take_bytes(reader, i, match->values[i], match->lengths[i]);
}

enum ab_code ab_input_query(struct ab_input *input, const struct ab_request *request, struct ab_arena *arena,
        struct ab_error *err)
{
	if (input->query_read)
		return AB_OK;
	input->query_read = true;
	return ab_uri_params(request->query, request->query_len, arena, &input->query, &input->n_query, err);
}

static void read_param(struct reader *reader, const struct ab_param *param, enum ab_in in)
{
	const struct ab_route *route = reader->route;
	size_t index;

	if (accepted(reader, in, param->name, param->name_len, &index)) {
		if (param->bad != NULL)
			complain_about(reader, index, param->bad);
		else
			take_text(reader, index, param->value, param->value_len);
	} else if (param->bad != NULL) {
		complain(reader, param->name, param->bad);
	} else if (opened(reader, param->name)) {
		add_extra_text(reader, param->name, param->value, param->value_len);
	} else if (in_plan(route, param->name) || (in == AB_IN_BODY && !route->accept_unknown)) {
		refuse(reader, param->name);
	}
}

static void read_query(struct reader *reader)
{
	struct ab_input *input = reader->input;
	struct ab_error err;
	enum ab_code code = ab_input_query(input, reader->request, reader->arena, &err);

	judge_params(reader, code, AB_IN_QUERY);
	for (size_t i = 0; i < input->n_query; i++)
		read_param(reader, &input->query[i], AB_IN_QUERY);
}

static void decode_form(struct reader *reader)
{
	struct ab_input *input = reader->input;
	const struct ab_request *request = reader->request;
	struct ab_error err;
	enum ab_code code = ab_uri_params(
	        request->body, request->body_len, reader->arena, &input->form, &input->n_form, &err);

	judge_params(reader, code, AB_IN_BODY);
}

static void read_form(struct reader *reader)
{
	struct ab_input *input = reader->input;

	decode_form(reader);
	for (size_t i = 0; i < input->n_form; i++)
		read_param(reader, &input->form[i], AB_IN_BODY);
}

static void read_members(struct reader *reader, json_t *object)
{
	size_t index;

	for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
		const char *name = json_object_iter_key(at);
		json_t *value = json_object_iter_value(at);

		if (accepted(reader, AB_IN_BODY, name, strlen(name), &index))
			take_json(reader, index, value);
		else if (opened(reader, name))
			add_extra(reader, name, json_incref(value));
		else if (!reader->route->accept_unknown || in_plan(reader->route, name))
			refuse(reader, name);
	}
}

static bool whole_body(const struct ab_route *route, size_t *ret_index)
{
	for (size_t i = 0; i < route->n_accepts; i++) {
		if (route->accepts[i].whole_body) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static void read_json(struct reader *reader)
{
	const struct ab_request *request = reader->request;
	struct ab_input *input = reader->input;
	struct ab_error err;
	size_t index;

	input->body = ab_json_read(request->body, request->body_len, &err);
	if (input->body == NULL && err.code == AB_ENOMEM) {
		reader->no_memory = true;
	} else if (input->body == NULL) {
		const char *message = ab_arena_printf(
		        reader->arena, "the body is not the JSON that is read here: %s", err.text);

		complain(reader, "", message != NULL ? message : "the body is not JSON");
		leave(reader, AB_IN_BODY);
	} else if (whole_body(reader->route, &index)) {
		take_json(reader, index, input->body);
	} else if (json_is_object(input->body)) {
		read_members(reader, input->body);
	} else {
		complain(reader, "", "the body must be a JSON object");
		leave(reader, AB_IN_BODY);
	}
}

/* A content coding other than none (RFC 9110, section 8.4). */
static bool is_encoded(const struct ab_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];

		if (header->name_len == 16 && strncasecmp(header->name, "content-encoding", 16) == 0 &&
		        header->value_len > 0 &&
		        !(header->value_len == 8 && strncasecmp(header->value, "identity", 8) == 0))
			return true;
	}
	return false;
}

static void refuse_body(struct reader *reader, const char *why)
{
	reader->kind = why;
	leave(reader, AB_IN_BODY);
}

/* A body is read when a name may come from it, or to find what is not accepted where names do come from it.
 * One that is left to request.body is only counted. */
static void read_body(struct reader *reader)
{
	const struct ab_request *request = reader->request;
	const struct ab_route *route = reader->route;
	bool form, whole;
	size_t index;

	if (request->body_len == 0)
		return;
	if (!route->takes_body && !route->leaves_body &&
	        (strcmp(route->method, "GET") == 0 || strcmp(route->method, "DELETE") == 0))
		return;
	form = ab_request_media(request, "application/x-www-form-urlencoded");
	whole = whole_body(route, &index);
	if (is_encoded(request)) {
		refuse_body(reader, "a body with a Content-Encoding is not taken; expected it as it is");
	} else if (route->leaves_body) {
		if (form)
			decode_form(reader);
	} else if (ab_request_media(request, "application/json")) {
		read_json(reader);
	} else if (form && !whole) {
		read_form(reader);
	} else {
		refuse_body(
		        reader, whole ? "the body's media type is not taken here; expected application/json"
		                      : "the body's media type is not taken here; expected "
		                        "application/x-www-form-urlencoded or application/json");
	}
}

static void read_header(struct reader *reader, size_t index)
{
	const struct ab_accept *accept = &reader->route->accepts[index];
	const struct ab_request *request = reader->request;

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];

		if (header->name_len == accept->outside_len &&
		        strncasecmp(header->name, accept->outside, accept->outside_len) == 0)
			take_bytes(reader, index, header->value, header->value_len);
	}
}

/* What we set is percent-encoded; what others set may hold any '%', and is then taken as it is. */
static void take_cookie(struct reader *reader, size_t index, const struct ab_cookies *cookie)
{
	char *value = ab_arena_alloc(reader->arena, cookie->value_len + 1);
	size_t len;

	if (value == NULL) {
		reader->no_memory = true;
	} else if (ab_uri_decode(cookie->value, cookie->value_len, false, value, &len) == NULL) {
		value[len] = '\0';
		take_text(reader, index, value, len);
	} else {
		take_bytes(reader, index, cookie->value, cookie->value_len);
	}
}

static void read_cookie(struct reader *reader, size_t index)
{
	const struct ab_accept *accept = &reader->route->accepts[index];
	const struct ab_request *request = reader->request;

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];
		struct ab_cookies cookies = {.at = header->value, .end = header->value + header->value_len};

		if (header->name_len != 6 || strncasecmp(header->name, "cookie", 6) != 0)
			continue;
		while (ab_cookie_next(&cookies))
			if (cookies.name_len == accept->outside_len &&
			        memcmp(cookies.name, accept->outside, cookies.name_len) == 0)
				take_cookie(reader, index, &cookies);
	}
}

/* After all places: too many, missing, defaults. */
static void conclude(struct reader *reader, size_t index)
{
	const struct ab_accept *accept = &reader->route->accepts[index];
	json_t **place = &reader->input->values[index];

	if (reader->wrong[index])
		return;
	if (*place != NULL) {
		if (accept->repeats && json_array_size(*place) > accept->max_items) {
			const char *message = ab_arena_printf(
			        reader->arena, "must have at most %zu items", accept->max_items);

			complain_about(reader, index, message != NULL ? message : "has too many items");
		}
	} else if (accept->fallback != NULL) {
		*place = json_incref(accept->fallback);
	} else if (accept->required) {
		complain_about(reader, index, "is required");
	}
}

static void read_all(struct reader *reader, const struct ab_match *match)
{
	const struct ab_route *route = reader->route;

	read_path(reader, match);
	if (reader->request->query_len > 0)
		read_query(reader);
	read_body(reader);
	for (size_t i = 0; i < route->n_accepts; i++) {
		if (route->accepts[i].in == AB_IN_HEADER)
			read_header(reader, i);
		else if (route->accepts[i].in == AB_IN_COOKIE)
			read_cookie(reader, i);
		conclude(reader, i);
	}
}

/* "not acceptable: who, page" */
static enum ab_code report(const struct ab_input *input, struct ab_error *err)
{
	struct ab_buf names;
	enum ab_code code;

	ab_buf_init(&names, 300);
	for (size_t i = 0; i < input->n_fields && names.len < 200; i++)
		ab_buf_printf(&names, "%s%.60s", i == 0 ? "" : ", ",
		        input->fields[i].field[0] != '\0' ? input->fields[i].field : "(unnamed)");
	code = ab_error_set(
	        err, AB_EINVALID, "what was given was refused: %s", names.failed ? "" : names.data);
	ab_buf_fini(&names);
	return code;
}

enum ab_code ab_accept_read(const struct ab_route *route, const struct ab_match *match,
        const struct ab_request *request, bool accept_all, struct ab_arena *arena, struct ab_input *ret_input,
        struct ab_error *err)
{
	struct reader reader = {
	        .route = route,
	        .request = request,
	        .arena = arena,
	        .input = ret_input,
	        .accept_all = accept_all,
	};
	size_t n = route->n_accepts;

	ret_input->values = ab_arena_calloc(arena, n + 1, sizeof(json_t *) + 2 * sizeof(bool));
	if (ret_input->values == NULL)
		return ab_error_set(err, AB_ENOMEM, "no memory for what is given");
	reader.seen = (bool *)(ret_input->values + n + 1);
	reader.wrong = reader.seen + n + 1;
	read_all(&reader, match);
	if (reader.no_memory)
		return ab_error_set(err, AB_ENOMEM, "no memory for what is given");
	if (reader.kind != NULL) {
		ab_error_set(err, AB_EINVALID, "%s", reader.kind);
		err->status = 415;
		return AB_EINVALID;
	}
	return ret_input->n_fields > 0 ? report(ret_input, err) : AB_OK;
}

/* ---- afterwards ---- */

void ab_input_fini(struct ab_input *input, size_t n_accepts)
{
	for (size_t i = 0; input->values != NULL && i < n_accepts; i++)
		json_decref(input->values[i]);
	for (struct ab_extra *extra = input->extras; extra != NULL; extra = extra->next)
		json_decref(extra->value);
	json_decref(input->body);
	*input = (struct ab_input){.query_read = true};
}

void ab_input_give(struct ab_input *input, const struct ab_route *route, const struct ab_answer *answer,
        struct ab_run *run)
{
	for (size_t i = 0; input->values != NULL && i < route->n_accepts; i++) {
		json_t *value = input->values[i];

		if (value != NULL && answer->accepts[i] >= 0)
			ab_run_give_new(run, answer->accepts[i], json_incref(value));
	}
	for (struct ab_extra *extra = input->extras; extra != NULL; extra = extra->next) {
		int slot = ab_plan_slot(answer->plan, extra->name);

		if (slot >= 0)
			ab_run_give_new(run, slot, json_incref(extra->value));
	}
}

/* ---- checks ---- */

void ab_input_give_check(const struct ab_input *input, const struct ab_route *route, struct ab_run *run)
{
	for (size_t i = 0; i < route->n_accepts; i++)
		if (route->check_slots[i] >= 0)
			ab_run_give_new(run, route->check_slots[i],
			        input->values[i] != NULL ? json_incref(input->values[i]) : json_null());
}

enum ab_code ab_input_judge(struct ab_input *input, const struct ab_route *route, struct ab_run *run,
        struct ab_arena *arena, struct ab_error *err)
{
	json_t *refused = ab_run_value(run, route->check_slot);
	struct reader reader = {.route = route, .arena = arena, .input = input};

	if (json_array_size(refused) == 0)
		return AB_OK;
	for (size_t i = 0; i < json_array_size(refused); i++) {
		json_int_t check = json_integer_value(json_array_get(refused, i));
		const struct ab_accept *accept =
		        &route->accepts[route->checks[check < 0 ? -1 - check : check]];

		if (check < 0)
			return ab_error_set(err, AB_EINTERNAL,
			        "accept '%s': its `if` gave neither true nor false, or not one value",
			        accept->name);
		complain(&reader, accept->outside,
		        accept->message != NULL ? accept->message : "can't be accepted");
	}
	return reader.no_memory ? ab_error_set(err, AB_ENOMEM, "no memory for what is given")
	                        : report(input, err);
}
