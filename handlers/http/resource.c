/* handlers/http/resource.c: kind `http`: everything about a fetch that can be known at load. */
#include "internal.h"

#include <string.h>
#include <strings.h>

static const char *const http_keys[] = {"headers", "body", "form", "expect", "returns", NULL};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

static bool nomem(struct ab_compile *compile)
{
	ab_diag(compile->diags, compile->value->pos, "out of memory");
	return false;
}

/* ---- METHOD upstream/path ---- */

static bool read_method(struct ab_compile *compile, struct ab_http_resource *r, const char *text, size_t len)
{
	const char *meant = NULL;
	char word[32];

	if (text[len] != ' ' || len == 0 || len >= sizeof(word)) {
		ab_diag(compile->diags, compile->value->pos,
		        "http: expected METHOD upstream/path, as in GET catalog/products/{id}");
		return false;
	}
	memcpy(word, text, len);
	word[len] = '\0';
	for (size_t i = 0; i < AB_COUNT(methods); i++) {
		if (strcmp(word, methods[i]) == 0)
			r->method = methods[i];
		else if (strcasecmp(word, methods[i]) == 0)
			meant = methods[i];
	}
	if (r->method != NULL)
		return true;
	if (meant == NULL)
		meant = ab_nearest(word, methods, AB_COUNT(methods));
	ab_diag(compile->diags, compile->value->pos,
	        "http: unknown method '%s'; expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS%s%s%s",
	        word, meant == NULL ? "" : "; did you mean '", meant == NULL ? "" : meant,
	        meant == NULL ? "" : "'?");
	return false;
}

/* A fragment is never sent, so it has no place in a target. */
static bool check_fragment(struct ab_compile *compile, const char *text, size_t offset, size_t len)
{
	for (size_t i = offset; i < offset + len; i++) {
		if (text[i] != '#')
			continue;
		ab_diag(compile->diags, ab_conf_at(compile->value, i),
		        "http: a fragment ('#') is never sent to a server; expected a path and a query%s",
		        i > 0 && text[i - 1] == '{' ? "; did you mean {x}?"
		                                    : "; a literal '#' is written %23");
		return false;
	}
	return true;
}

static bool read_label(struct ab_compile *compile, struct ab_http_resource *r, const char *text, size_t len)
{
	const char *upstream = ab_upstream_name(r->upstream);

	r->secret = compile->value->secret;
	if (r->secret ? asprintf(&r->label, "%s %s/...", r->method, upstream) < 0
	              : (r->label = strndup(text, len)) == NULL) {
		r->label = NULL;
		return nomem(compile);
	}
	return true;
}

static bool read_line(struct ab_compile *compile, struct ab_http_resource *r)
{
	const struct ab_conf *value = compile->value;
	const char *text;
	size_t at, end, len;
	char is[80];

	if (value->type != AB_CONF_STRING || value->refused) {
		if (!value->refused)
			ab_diag(compile->diags, value->pos,
			        "http is %s; expected METHOD upstream/path, as in GET catalog/products/{id}",
			        ab_conf_describe(value, is, sizeof(is)));
		return false;
	}
	text = value->u.string.text;
	end = compile->value->u.string.len;
	while (end > 0 && strchr(" \t\n", text[end - 1]) != NULL)
		end--;
	at = strcspn(text, " ");
	if (!read_method(compile, r, text, at))
		return false;
	at += strspn(text + at, " ");
	len = strcspn(text + at, "/?{#");
	if (len > end - at)
		len = end - at;
	if (len > 0 && text[at + len - 1] == ':' && strncmp(text + at + len, "//", 2) == 0) {
		ab_diag(compile->diags, ab_conf_at(compile->value, at),
		        "http: the origin stands under upstreams:; expected METHOD upstream/path with the name of one");
		return false;
	}
	if (len == 0 || (text[at + len] == '{' && strchr("/?", text[at + len + 1]) == NULL)) {
		ab_diag(compile->diags, ab_conf_at(compile->value, at),
		        "http: expected the name of an upstream and a path after %s, as in catalog/products/{id}",
		        r->method);
		return false;
	}
	r->upstream = compile->upstream(compile, text + at, len);
	if (r->upstream == NULL || !check_fragment(compile, text, at + len, end - at - len))
		return false;
	at += len;
	r->slashed = text[at] == '/';
	r->uri = ab_uri_template_compile(
	        compile->scope, compile->value, text + at, end - at, compile->raw, AB_URI_STRICT);
	return r->uri != NULL && read_label(compile, r, text, end);
}

/* ---- body and form ---- */

/* "{x}" and nothing else: the value keeps its type. */
static bool is_one_placeholder(const struct ab_conf *node)
{
	const char *text = node->u.string.text;

	return text[0] == '{' && text[1] != '{' && !ab_conf_from_env(node, 0) &&
	       strcspn(text, "}") == node->u.string.len - 1;
}

static bool read_body(struct ab_compile *compile, struct ab_http_resource *r, const struct ab_conf *node)
{
	char buf[64];

	switch (node->type) {
	case AB_CONF_MAP:
	case AB_CONF_LIST:
		r->payload = PAYLOAD_JSON;
		r->json = ab_structure_compile(compile->scope, node);
		return r->json != NULL;
	case AB_CONF_STRING:
		if (is_one_placeholder(node)) {
			r->payload = PAYLOAD_VALUE;
			r->json = ab_structure_compile(compile->scope, node);
			return r->json != NULL;
		}
		r->payload = PAYLOAD_TEXT;
		r->text = ab_pieces_compile(compile->scope, node);
		return r->text != NULL;
	default:
		ab_diag(compile->diags, node->pos,
		        "body: expected a mapping or a list (sent as JSON) or a string, found %s",
		        ab_conf_describe(node, buf, sizeof(buf)));
		return false;
	}
}

static bool read_field(struct ab_compile *compile, struct field *field, const struct ab_conf_pair *pair)
{
	struct ab_buf name;
	char buf[64];

	if (pair->value->type != AB_CONF_STRING) {
		ab_diag(compile->diags, pair->value->pos,
		        "form: '%s': expected a string (quote it), found %s", pair->key,
		        ab_conf_describe(pair->value, buf, sizeof(buf)));
		return false;
	}
	ab_buf_init(&name, HTTP_MAX_LINES);
	ab_form_encode(&name, pair->key, strlen(pair->key));
	ab_buf_addc(&name, '=');
	field->name = ab_buf_take(&name);
	if (field->name == NULL)
		return nomem(compile);
	field->pieces = ab_pieces_compile(compile->scope, pair->value);
	return field->pieces != NULL;
}

static bool read_form(struct ab_compile *compile, struct ab_http_resource *r, const struct ab_conf *map)
{
	bool fine = true;

	if (!ab_conf_want(map, AB_CONF_MAP, "form", compile->diags))
		return false;
	r->payload = PAYLOAD_FORM;
	r->fields = calloc(map->u.map.count + 1, sizeof(*r->fields));
	if (r->fields == NULL)
		return nomem(compile);
	for (size_t i = 0; i < map->u.map.count; i++)
		fine &= read_field(compile, &r->fields[r->n_fields++], &map->u.map.pairs[i]);
	return fine;
}

static bool read_payload(struct ab_compile *compile, struct ab_http_resource *r)
{
	const struct ab_conf *body = ab_conf_get(compile->map, "body"),
	                     *form = ab_conf_get(compile->map, "form");
	const struct ab_conf *node = body != NULL ? body : form;

	if (node == NULL)
		return true;
	if (body != NULL && form != NULL) {
		ab_diag(compile->diags, form->pos, "a request has one body; expected either body or form");
		return false;
	}
	if (r->method != NULL && (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)) {
		ab_diag(compile->diags, node->pos,
		        "a %s request has no body; expected POST, PUT or PATCH for %s", r->method,
		        body != NULL ? "body" : "form");
		return false;
	}
	return body != NULL ? read_body(compile, r, body) : read_form(compile, r, form);
}

/* ---- what is expected back ---- */

static void statuses_add(struct statuses *statuses, int from, int to)
{
	for (int status = from; status <= to; status++)
		statuses->bits[status / 64] |= UINT64_C(1) << status % 64;
}

static bool read_status(struct ab_compile *compile, struct statuses *ret, const struct ab_conf *node)
{
	const char *text = node->type == AB_CONF_STRING ? node->u.string.text : "";

	if (node->type == AB_CONF_INT && node->u.integer >= 200 && node->u.integer <= 599) {
		statuses_add(ret, (int)node->u.integer, (int)node->u.integer);
		return true;
	}
	if (text[0] >= '2' && text[0] <= '5' && strcmp(text + 1, "xx") == 0) {
		statuses_add(ret, (text[0] - '0') * 100, (text[0] - '0') * 100 + 99);
		return true;
	}
	ab_diag(compile->diags, node->pos,
	        "expect: expected statuses from 200 to 599, or 2xx to 5xx for all of a hundred");
	return false;
}

static bool read_expect(struct ab_compile *compile, struct ab_http_resource *r)
{
	const struct ab_conf *node = ab_conf_get(compile->map, "expect");
	bool fine = true;

	if (node == NULL)
		statuses_add(&r->expect, 200, 299);
	else if (node->type != AB_CONF_LIST)
		return read_status(compile, &r->expect, node);
	else
		for (size_t i = 0; i < node->u.list.count; i++)
			fine &= read_status(compile, &r->expect, node->u.list.items[i]);
	return fine;
}

/* The app has checked that it is a list of integers. */
static void read_pass(struct ab_compile *compile, struct ab_http_resource *r)
{
	for (size_t i = 0; compile->pass != NULL && i < compile->pass->u.list.count; i++) {
		const struct ab_conf *item = compile->pass->u.list.items[i];

		if (item->u.integer >= 0 && item->u.integer < 640)
			statuses_add(&r->pass, (int)item->u.integer, (int)item->u.integer);
	}
}

static bool read_returns(struct ab_compile *compile, struct ab_http_resource *r)
{
	static const char *const shapes[] = {"body", "response"};
	const struct ab_conf *node = ab_conf_get(compile->map, "returns");
	const char *text;
	char hint[64];

	if (node == NULL)
		return true;
	text = ab_conf_string(node, "returns", compile->diags);
	if (text == NULL)
		return false;
	r->whole = strcmp(text, "response") == 0;
	if (r->whole || strcmp(text, "body") == 0)
		return true;
	if (strcmp(text, "stream") == 0)
		ab_diag(compile->diags, node->pos,
		        "returns: stream is not there yet; expected body or response");
	else
		ab_diag(compile->diags, node->pos, "returns: expected body or response, found '%s'%s", text,
		        ab_did_you_mean(text, shapes, AB_COUNT(shapes), hint, sizeof(hint)));
	return false;
}

/* ---- header lines ---- */

static bool fixed_add(struct ab_http_resource *r, const char *line)
{
	struct curl_slist *longer = curl_slist_append(r->fixed, line);

	if (longer != NULL)
		r->fixed = longer;
	return longer != NULL;
}

/* libcurl takes "Name:" as "leave it out" and "Name;" as "send it empty". */
static bool fixed_add_header(struct ab_http_resource *r, const struct header *header)
{
	const char *value = header->value + strspn(header->value, " \t");
	char *line;
	bool fine;

	if (asprintf(&line, *value == '\0' ? "%s;%s" : "%s: %s", header->name, value) < 0)
		return false;
	fine = fixed_add(r, line);
	free(line);
	return fine;
}

static bool has_header(const struct ab_http_resource *r, const char *name)
{
	return ab_headers_find(&r->headers, name) != NULL ||
	       ab_headers_find(&r->upstream->headers, name) != NULL;
}

static bool fixed_add_payload(struct ab_http_resource *r)
{
	static const char *const types[] = {
	        [PAYLOAD_JSON] = "Content-Type: application/json",
	        [PAYLOAD_TEXT] = "Content-Type: text/plain; charset=utf-8",
	        [PAYLOAD_FORM] = "Content-Type: application/x-www-form-urlencoded",
	};

	if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return true;
	if (!fixed_add(r, "Expect:"))
		return false;
	if (r->typed || r->payload == PAYLOAD_VALUE)
		return true;
	return fixed_add(r, r->payload == PAYLOAD_NONE ? "Content-Type:" : types[r->payload]);
}

/* A resource's header takes the place of its upstream's. */
static bool make_fixed(struct ab_http_resource *r)
{
	const struct headers *lists[] = {&r->headers, &r->upstream->headers};

	for (size_t i = 0; i < AB_COUNT(lists); i++) {
		for (size_t k = 0; k < lists[i]->count; k++) {
			const struct header *header = &lists[i]->list[k];

			if (header->pieces != NULL)
				r->n_filled++;
			else if ((i == 0 || ab_headers_find(&r->headers, header->name) == NULL) &&
			         !fixed_add_header(r, header))
				return false;
		}
	}
	r->typed = has_header(r, "Content-Type");
	r->send_id = !has_header(r, "X-Request-Id");
	r->send_trace = !has_header(r, "traceparent");
	return fixed_add_payload(r);
}

/* ---- which reads are equal ---- */

static bool lines_equal(const struct curl_slist *a, const struct curl_slist *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (strcmp(a->data, b->data) != 0)
			return false;
	return a == b;
}

/* Whether the same target and lines would give the same value. */
static bool reads_alike(const struct ab_http_resource *a, const struct ab_http_resource *b)
{
	return a->method == b->method && a->whole == b->whole && a->timeout_ms == b->timeout_ms &&
	       lines_equal(a->fixed, b->fixed) && memcmp(&a->expect, &b->expect, sizeof(a->expect)) == 0 &&
	       memcmp(&a->pass, &b->pass, sizeof(a->pass)) == 0;
}

static void reader_add(struct ab_http_resource *r)
{
	r->same = r;
	for (const struct ab_http_resource *other = r->upstream->resources; other != NULL;
	        other = other->next)
		if (reads_alike(r, other))
			r->same = other->same;
	r->next = r->upstream->resources;
	r->upstream->resources = r;
}

static void reader_remove(struct ab_http_resource *r)
{
	struct ab_http_resource **at = r->upstream != NULL ? &r->upstream->resources : NULL;

	while (at != NULL && *at != NULL && *at != r)
		at = &(*at)->next;
	if (at != NULL && *at == r)
		*at = r->next;
}

/* ---- the kind ---- */

static void resource_free(void *config)
{
	struct ab_http_resource *r = config;

	reader_remove(r);
	while (r->idle != NULL) {
		struct ab_fetch *fetch = r->idle;

		r->idle = fetch->next;
		ab_fetch_destroy(fetch);
	}
	for (size_t i = 0; i < r->n_fields; i++) {
		free(r->fields[i].name);
		ab_pieces_destroy(r->fields[i].pieces);
	}
	free(r->fields);
	ab_pieces_destroy(r->text);
	ab_structure_destroy(r->json);
	ab_uri_template_destroy(r->uri);
	ab_headers_fini(&r->headers);
	curl_slist_free_all(r->fixed);
	free(r->label);
	free(r);
}

static bool make_timeouts(struct ab_compile *compile, struct ab_http_resource *r)
{
	struct ab_deadlines *deadlines = compile->env->deadlines;

	r->timeout_ms = compile->timeout_ms != 0 ? compile->timeout_ms : r->upstream->timeout_ms;
	r->timeouts = ab_deadlines_queue(deadlines, r->timeout_ms);
	if (r->upstream->connect_timeout_ms < r->timeout_ms) {
		r->connect_ms = r->upstream->connect_timeout_ms;
		r->connect_timeouts = ab_deadlines_queue(deadlines, r->connect_ms);
	}
	return r->timeouts != NULL && (r->connect_ms == 0 || r->connect_timeouts != NULL);
}

/* What needs the upstream and is no mistake of the app file. The first handle is made here, so that an option
 * this libcurl does not have is found at load. */
static bool make_rest(struct ab_compile *compile, struct ab_http_resource *r)
{
	struct ab_error err = {.code = AB_OK};

	r->writes = compile->writes || (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0);
	if (!make_fixed(r) || !make_timeouts(compile, r))
		return nomem(compile);
	r->idle = ab_fetch_create(r, &err);
	if (r->idle == NULL) {
		ab_diag(compile->diags, compile->value->pos, "http: %s", err.text);
		return false;
	}
	if (!r->writes)
		reader_add(r);
	return true;
}

static bool http_compile(struct ab_compile *compile)
{
	struct ab_http_resource *r = calloc(1, sizeof(*r));
	bool fine;

	if (r == NULL)
		return nomem(compile);
	fine = read_line(compile, r);
	fine &= ab_headers_compile(
	        &r->headers, ab_conf_get(compile->map, "headers"), compile->scope, compile->diags);
	fine &= read_payload(compile, r);
	fine &= read_expect(compile, r);
	fine &= read_returns(compile, r);
	read_pass(compile, r);
	if (!fine || !make_rest(compile, r)) {
		resource_free(r);
		return false;
	}
	compile->writes = r->writes;
	compile->timeout_ms = r->timeout_ms;
	compile->resource->config = r;
	return true;
}

static void http_describe(const void *config, char *buf, size_t size)
{
	const struct ab_http_resource *r = config;

	snprintf(buf, size, "%s", r->label);
}

static const struct ab_handler http_handler = {
        .kind = "http",
        .start = ab_fetch_start,
        .cancel = ab_fetch_cancel,
        .free = resource_free,
};

const struct ab_kind ab_kind_http = {
        .name = "http",
        .keys = http_keys,
        .handler = &http_handler,
        .compile = http_compile,
        .describe = http_describe,
};
