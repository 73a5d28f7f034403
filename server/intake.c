/* server/intake.c: a request from its first line to its queued reply: head, guard, body, exchange, reply.
 *
 * libmicrohttpd calls the handler once when the head is there, for each piece of the body, and once more when
 * all of it is there; a run that finishes at once answers in that last call. Suspending earlier would make
 * 0.9.75 close the connection after the answer. */
#include "connection.h"

#include <string.h>

/* ---- the first line ---- */

static void intake_on_arena_end(void *ptr)
{
	struct ab_front *front = ptr;

	front->arenas--;
}

/* The request's memory, with the target in it. What fails is noticed by the handler: no arena. */
static void intake_begin(struct ab_connection *connection, const char *target)
{
	struct ab_front *front = connection->front;
	size_t len = strlen(target);
	const char *query;

	connection->began = uv_hrtime();
	ab_ids_request(&front->ids, connection->id);
	connection->request = (struct ab_request){.target = "",
	        .query = "",
	        .body = "",
	        .id = connection->id,
	        .client = connection->client,
	        .traceparent = connection->traceparent};
	ab_buf_init(&connection->body, (size_t)front->app->settings->max_body);
	connection->arena = ab_arena_create(&front->env->pool);
	if (connection->arena == NULL)
		return;
	front->arenas++;
	if (!ab_arena_defer(connection->arena, intake_on_arena_end, front))
		goto no_memory;
	if (len > AB_MAX_TARGET)
		len = AB_MAX_TARGET + 1; /* refused by its length; never read */
	connection->request.target = ab_arena_strndup(connection->arena, target, len);
	if (connection->request.target == NULL)
		goto no_memory;
	query = memchr(connection->request.target, '?', len);
	connection->request.path_len = query == NULL ? len : (size_t)(query - connection->request.target);
	if (query != NULL) {
		connection->request.query = query + 1;
		connection->request.query_len = len - connection->request.path_len - 1;
	}
	return;
no_memory:
	ab_arena_unref(connection->arena);
	connection->arena = NULL;
}

/* libmicrohttpd would note each parameter of the query, which nobody reads there, and with some two hundred
 * of them has no memory left for the reply's head, or for going on at all. So it is shown one: the separators
 * in its buffer, which is writable though the callback's type does not say so, go once the target is copied.
 */
static void intake_hide_parameters(const char *target)
{
	char *at = (char *)(uintptr_t)target;

	while ((at = strchr(at, '&')) != NULL)
		*at++ = '.';
}

void *ab_intake_on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct ab_connection *connection = ab_connection_of(mhd);
	struct ab_front *front = cls;

	front->calls++;
	if (connection == NULL)
		return NULL;
	connection->state = AB_CONNECTION_HEAD;
	connection->raw_target = target;
	connection->raw_target_len = target == NULL ? 0 : strlen(target);
	if (connection->kept)
		ab_connection_expect(connection, front->head_queue);
	intake_begin(connection, target == NULL ? "" : target);
	if (target != NULL)
		intake_hide_parameters(target);
	return connection;
}

/* ---- the reply ---- */

struct ab_reply *ab_intake_problem(struct ab_connection *connection, int status, const char *detail)
{
	struct ab_reply *reply;

	if (connection->arena == NULL)
		return NULL;
	reply = ab_arena_calloc(connection->arena, 1, sizeof(*reply));
	if (reply != NULL)
		ab_reply_problem(reply, connection->arena, &connection->request, status, detail);
	return reply;
}

/* Hand the reply over; its body goes with it. */
static enum MHD_Result intake_send(struct ab_connection *connection, struct MHD_Connection *mhd)
{
	struct ab_front *front = connection->front;
	struct ab_reply *reply = connection->reply;
	struct MHD_Response *response;
	enum MHD_Result result;

	if (reply->body == NULL)
		response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	else
		response =
		        MHD_create_response_from_buffer(reply->body_len, reply->body, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(reply->body);
		reply->body = NULL;
		return MHD_NO;
	}
	reply->body = NULL;
	if (reply->media != NULL)
		MHD_add_response_header(response, "Content-Type", reply->media);
	for (size_t i = 0; i < reply->n_headers; i++) {
		const struct ab_header *header = &reply->headers[i];

		if (MHD_add_response_header(response, header->name, header->value) == MHD_NO)
			ab_log_event(front->log, AB_LOG_WARN, "request %s: header %s can't be sent",
			        connection->id, header->name);
	}
	if (reply->close || front->draining || connection->hung_up)
		MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(mhd, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	connection->state = AB_CONNECTION_REPLYING;
	ab_connection_arm(connection, front->send_queue);
	return result;
}

/* Reply with a problem in place of a run. */
static enum MHD_Result intake_refuse(struct ab_connection *connection, struct MHD_Connection *mhd, int status,
        const char *detail, bool close)
{
	connection->reply = ab_intake_problem(connection, status, detail);
	if (connection->reply == NULL)
		return MHD_NO;
	connection->reply->close |= close;
	return intake_send(connection, mhd);
}

/* ---- the head ---- */

struct intake_fields {
	struct ab_header *headers;
	size_t count, room;
	struct ab_layout layout;
};

static enum MHD_Result intake_on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
        const char *value, size_t value_len)
{
	struct intake_fields *fields = cls;
	struct ab_header *header;

	(void)kind;
	if (fields->count == fields->room)
		return MHD_NO;
	header = &fields->headers[fields->count++];
	header->name = name == NULL ? "" : name;
	header->name_len = name_len;
	header->value = value == NULL ? "" : value;
	header->value_len = value == NULL ? 0 : value_len;
	ab_layout_header(&fields->layout, header->name, name_len, header->value, header->value_len);
	while (header->value_len > 0 &&
	        (header->value[header->value_len - 1] == ' ' || header->value[header->value_len - 1] == '\t'))
		header->value_len--;
	return MHD_YES;
}

/* Whether the head lay in the buffer as it seems to have been sent. */
static bool intake_layout_fine(
        const struct intake_fields *fields, struct MHD_Connection *mhd, const char *method)
{
#if MHD_VERSION < 0x01000000
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info != NULL && ab_layout_end(&fields->layout, method, info->header_size);
#else
	/* It moves pieces, and refuses by itself what the layout would show. */
	(void)fields;
	(void)mhd;
	(void)method;
	return true;
#endif
}

/* Collect the fields and judge the head; NULL when it is fine. */
static const char *intake_judge(struct ab_connection *connection, struct MHD_Connection *mhd,
        const char *method, const char *version, int *ret_status)
{
	struct ab_request *request = &connection->request;
	struct intake_fields fields = {0};
	int count = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, NULL, NULL);
	struct ab_head head = {.method = method, .target = request->target, .version = version};

	*ret_status = 503;
	fields.room = count < 0 ? 0 : (size_t)count;
	fields.headers = ab_arena_alloc(connection->arena, (fields.room + 1) * sizeof(*fields.headers));
	if (fields.headers == NULL)
		return "Out of memory.";
	head.target_len = strlen(request->target);
	ab_layout_begin(&fields.layout, method, connection->raw_target, connection->raw_target_len, version);
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, intake_on_field, &fields);
	request->headers = head.headers = fields.headers;
	request->n_headers = head.n_headers = fields.count;
	if (!intake_layout_fine(&fields, mhd, method)) {
		*ret_status = 400;
		return "The request's head is malformed.";
	}
	return ab_guard_check(&head, &connection->framing, ret_status);
}

/* Of an absolute target only path and query concern us. */
static bool intake_cut_authority(struct ab_connection *connection)
{
	struct ab_request *request = &connection->request;
	size_t at = connection->framing.path_at;
	char *path;

	if (connection->framing.form != AB_TARGET_ABSOLUTE)
		return true;
	if (request->target[at] == '/') {
		request->target += at;
		request->path_len -= at;
		return true;
	}
	path = ab_arena_printf(connection->arena, "/%s", request->target + at); /* "http://host?x" */
	if (path == NULL)
		return false;
	request->target = path;
	request->path_len = 1;
	if (request->query_len > 0)
		request->query = path + 2;
	return true;
}

/* GET, HEAD and OPTIONS mean the same with a body and without: one that is sent is a mistake, or worse. */
static bool method_takes_body(const char *method)
{
	return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && strcmp(method, "OPTIONS") != 0;
}

/* A body that may not come. A client that waits for leave to send it is told by the reply; any other sends it
 * anyway, and must be let finish to read the reply. */
static enum MHD_Result intake_refuse_body(
        struct ab_connection *connection, struct MHD_Connection *mhd, int status, const char *detail)
{
	struct ab_reply *reply;

	if (connection->framing.expects_continue)
		return intake_refuse(connection, mhd, status, detail, true);
	reply = ab_intake_problem(connection, status, detail);
	if (reply == NULL)
		return MHD_NO;
	ab_connection_reply_raw(connection, reply);
	return MHD_YES;
}

static enum MHD_Result intake_head(
        struct ab_connection *connection, struct MHD_Connection *mhd, const char *method, const char *version)
{
	struct ab_front *front = connection->front;
	const struct ab_framing *framing = &connection->framing;
	const char *why;
	int status;

	if (connection->arena == NULL)
		return MHD_NO;
	why = intake_judge(connection, mhd, method, version, &status);
	connection->request.method = method;
	if (why != NULL)
		return intake_refuse(connection, mhd, status, why, true);
	if (!intake_cut_authority(connection))
		return MHD_NO;
	ab_ids_traceparent(&front->ids, framing->traceparent == NULL ? NULL : framing->traceparent->value,
	        framing->traceparent == NULL ? 0 : framing->traceparent->value_len, connection->traceparent);
	connection->state = AB_CONNECTION_BODY;
	connection->request.head_ms = uv_now(front->env->loop);
	if (!framing->chunked && framing->length == 0)
		return MHD_YES; /* the last call follows at once */
	if (!method_takes_body(method))
		return intake_refuse_body(connection, mhd, 400, "A request of this method has no body.");
	if (framing->length > front->app->settings->max_body)
		return intake_refuse_body(connection, mhd, 413, "The request's body is too large.");
	ab_connection_expect(connection, front->body_queue);
	return MHD_YES;
}

/* ---- the body ---- */

static enum MHD_Result intake_body(struct ab_connection *connection, const char *data, size_t *data_len)
{
	struct ab_reply *reply;
	bool too_big;

	ab_buf_add(&connection->body, data, *data_len);
	*data_len = 0;
	if (!connection->body.failed)
		return MHD_YES;
	too_big = connection->body.too_big;
	reply = ab_intake_problem(connection, too_big ? 413 : 503,
	        too_big ? "The request's body is too large." : "Out of memory.");
	if (reply == NULL)
		return MHD_NO;
	ab_connection_reply_raw(connection, reply);
	return MHD_YES;
}

/* ---- the run ---- */

static void intake_on_done(struct ab_exchange *exchange, void *arg)
{
	struct ab_connection *connection = arg;

	ab_assert(connection->state == AB_CONNECTION_RUNNING);
	connection->reply = ab_exchange_reply(exchange);
	connection->state = AB_CONNECTION_READY;
	ab_connection_leave_gate(connection);
	MHD_resume_connection(connection->mhd);
	connection->front->run = true;
}

/* One more run in the process, unless there are too many. */
static bool intake_enter_gate(struct ab_connection *connection)
{
	struct ab_gate *gate = connection->front->gate;

	connection->counted = true;
	if (atomic_fetch_add_explicit(&gate->in_flight, 1, memory_order_relaxed) < gate->max)
		return true;
	ab_connection_leave_gate(connection);
	return false;
}

static enum MHD_Result intake_refuse_overload(struct ab_connection *connection, struct MHD_Connection *mhd)
{
	connection->reply = ab_intake_problem(connection, 503, "The server is busy.");
	if (connection->reply == NULL)
		return MHD_NO;
	if (!ab_reply_header(connection->reply, "Retry-After", "1"))
		return MHD_NO;
	return intake_send(connection, mhd);
}

/* OPTIONS of the server, not of a path (RFC 9110, section 9.3.7). */
static enum MHD_Result intake_answer_asterisk(struct ab_connection *connection, struct MHD_Connection *mhd)
{
	connection->reply = ab_arena_calloc(connection->arena, 1, sizeof(*connection->reply));
	if (connection->reply == NULL)
		return MHD_NO;
	connection->reply->status = 204;
	if (!ab_reply_header(connection->reply, "Allow", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"))
		return MHD_NO;
	return intake_send(connection, mhd);
}

static enum MHD_Result intake_run(struct ab_connection *connection, struct MHD_Connection *mhd)
{
	struct ab_front *front = connection->front;
	enum ab_code code;

	ab_deadline_disarm(&connection->deadline);
	if (connection->framing.form == AB_TARGET_ASTERISK)
		return intake_answer_asterisk(connection, mhd);
	if (connection->body.len > 0) {
		connection->request.body = connection->body.data;
		connection->request.body_len = connection->body.len;
	}
	if (!intake_enter_gate(connection))
		return intake_refuse_overload(connection, mhd);
	connection->state = AB_CONNECTION_RUNNING;
	code = ab_exchange_start(front->app, connection->arena, &connection->request, intake_on_done,
	        connection, &connection->exchange);
	if (code == AB_PENDING) {
		MHD_suspend_connection(mhd);
		if (connection->hung_up)
			ab_connection_abandon(connection);
		return MHD_YES;
	}
	ab_connection_leave_gate(connection);
	if (code != AB_OK)
		return intake_refuse(connection, mhd, 503, "Out of memory.", true);
	connection->reply = ab_exchange_reply(connection->exchange);
	return intake_send(connection, mhd);
}

/* ---- the handler ---- */

enum MHD_Result ab_intake_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
        const char *method, const char *version, const char *data, size_t *data_len, void **context)
{
	struct ab_connection *connection = *context;
	struct ab_front *front = cls;

	(void)url; /* cut at a NUL; the raw target is ours already */
	front->calls++;
	if (connection == NULL)
		return MHD_NO;
	switch (connection->state) {
	case AB_CONNECTION_HEAD:
		return intake_head(connection, mhd, method, version);
	case AB_CONNECTION_BODY:
		return *data_len > 0 ? intake_body(connection, data, data_len) : intake_run(connection, mhd);
	case AB_CONNECTION_READY:
		return intake_send(connection, mhd);
	case AB_CONNECTION_LINGERING:
		if (*data_len == 0)
			return MHD_NO; /* it has sent everything */
		*data_len = 0;
		return MHD_YES;
	case AB_CONNECTION_RUNNING:
	case AB_CONNECTION_GONE:
	case AB_CONNECTION_REPLYING:
	case AB_CONNECTION_IDLE:
	default:
		return MHD_NO;
	}
}
