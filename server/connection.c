/* server/connection.c: connections coming and going, and what ends them early: their deadlines, and their
 * clients. */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* ---- coming and going ---- */

struct ab_connection *ab_connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

static void connection_name_client(struct ab_connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const void *address = NULL;

	if (info != NULL && info->client_addr->sa_family == AF_INET)
		address = &((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr;
	else if (info != NULL && info->client_addr->sa_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)(const void *)info->client_addr)->sin6_addr;
	if (address == NULL || inet_ntop(info->client_addr->sa_family, address, connection->client,
	                               sizeof(connection->client)) == NULL)
		memcpy(connection->client, "unknown", sizeof("unknown"));
}

static void connection_on_deadline(struct ab_deadline *deadline);

void ab_connection_arm(struct ab_connection *connection, struct ab_deadline_queue *queue)
{
	ab_deadline_disarm(&connection->deadline);
	ab_deadline_arm(queue, &connection->deadline, connection_on_deadline);
}

void ab_connection_expect(struct ab_connection *connection, struct ab_deadline_queue *queue)
{
	ab_connection_arm(connection, connection->hung_up ? connection->front->linger_queue : queue);
}

/* Watch for the client's leaving, once for the connection's whole life: edge-triggered, and nothing else
 * wakes it. */
static void connection_watch(struct ab_connection *connection)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data = {.ptr = connection}};
	struct ab_front *front = connection->front;

	/* Without it, the only loss is that a run goes on for a client that has left. */
	if (epoll_ctl(front->hangup_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
		ab_log_event(front->log, AB_LOG_WARN, "watching a connection: %s", strerror(errno));
}

static void connection_open(struct ab_front *front, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ab_connection *connection = calloc(1, sizeof(*connection));

	*context = connection;
	if (connection == NULL || info == NULL) {
		*context = NULL; /* its first request will be refused */
		free(connection);
		return;
	}
	connection->front = front;
	connection->mhd = mhd;
	connection->fd = info->connect_fd;
	connection->idle_since = uv_now(front->env->loop);
	connection->next = &front->connections;
	connection->prev = front->connections.prev;
	connection->prev->next = connection->next->prev = connection;
	front->open++;
	connection_name_client(connection);
	connection_watch(connection);
	ab_connection_expect(connection, front->head_queue);
}

/* ---- the end of a request ---- */

void ab_connection_leave_gate(struct ab_connection *connection)
{
	if (connection->counted)
		atomic_fetch_sub_explicit(&connection->front->gate->in_flight, 1, memory_order_relaxed);
	connection->counted = false;
}

/* What libmicrohttpd answered by itself, or 0. */
static int connection_own_status(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);

	return info == NULL ? 0 : (int)info->http_status;
}

static void connection_log(struct ab_connection *connection, struct MHD_Connection *mhd, bool sent)
{
	const struct ab_reply *reply = connection->reply;
	const struct ab_request *request = &connection->request;
	bool head = request->method != NULL && strcmp(request->method, "HEAD") == 0;
	struct ab_access access = {
	        .id = connection->id,
	        .method = request->method,
	        .route = reply == NULL ? NULL : reply->route,
	        .path = request->target,
	        .path_len = request->path_len,
	        .status = reply == NULL ? connection_own_status(mhd) : reply->status,
	        .bytes = reply == NULL || head ? 0 : reply->body_len,
	        .duration_ns = uv_hrtime() - connection->began,
	        .degraded = reply == NULL ? NULL : reply->degraded,
	        .causes = reply == NULL ? NULL : reply->causes,
	        .client = connection->client,
	        .error = reply == NULL ? NULL : reply->error,
	        .aborted = !sent && connection->state != AB_CONNECTION_LINGERING && reply != NULL,
	};

	if (connection->state == AB_CONNECTION_GONE) {
		access.status = 499; /* nobody was there to be answered */
		access.aborted = true;
	}
	if (access.status == 0)
		return; /* left before there was a whole request */
	if (connection->front->app->settings->access_log || access.status >= 500)
		ab_log_access(connection->front->log, &access);
}

/* Give back what the request had. */
static void connection_end_request(struct ab_connection *connection, struct MHD_Connection *mhd, bool sent)
{
	connection_log(connection, mhd, sent);
	ab_connection_leave_gate(connection);
	ab_buf_fini(&connection->body);
	if (connection->arena != NULL)
		ab_arena_unref(connection->arena);
	connection->arena = NULL;
	connection->exchange = NULL;
	connection->reply = NULL;
	connection->state = AB_CONNECTION_IDLE;
}

void ab_connection_on_completed(
        void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code)
{
	struct ab_connection *connection = *context;
	struct ab_front *front = cls;

	front->calls++;
	if (connection == NULL)
		return;
	connection_end_request(connection, mhd, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	connection->kept = true;
	connection->idle_since = uv_now(front->env->loop);
	ab_connection_expect(connection, front->idle_queue);
}

static void connection_close(struct ab_connection *connection, struct MHD_Connection *mhd)
{
	/* libmicrohttpd 1.0 does not report the end of a request that it has refused in the middle of its
	 * body. */
	if (connection->state != AB_CONNECTION_IDLE)
		connection_end_request(connection, mhd, false);
	connection->prev->next = connection->next;
	connection->next->prev = connection->prev;
	ab_deadline_disarm(&connection->deadline);
	connection->front->open--;
	/* Had it stopped accepting, for the limit or for want of descriptors, only another run makes it go
	 * on. */
	connection->front->run = true;
	free(connection);
}

void ab_connection_on_notify(
        void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct ab_front *front = cls;

	front->calls++;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_open(front, mhd, context);
	else if (*context != NULL)
		connection_close(*context, mhd);
}

/* ---- early ends ---- */

void ab_connection_abandon(struct ab_connection *connection)
{
	struct ab_front *front = connection->front;

	if (connection->state != AB_CONNECTION_RUNNING)
		return;
	ab_exchange_cancel(connection->exchange);
	ab_connection_leave_gate(connection);
	connection->state = AB_CONNECTION_GONE;
	MHD_resume_connection(connection->mhd);
	front->run = true;
}

void ab_connection_cut(struct ab_connection *connection)
{
	ab_connection_abandon(connection);
	shutdown(connection->fd, SHUT_RDWR);
	/* It is not read while its buffer is full: then its idle time ends it. */
	MHD_set_connection_option(connection->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
	connection->front->run = true;
}

static void connection_on_deadline(struct ab_deadline *deadline)
{
	struct ab_connection *connection = ab_container_of(deadline, struct ab_connection, deadline);
	struct ab_reply *reply;

	/* Of a head we have seen something; before, 408 would answer a request nobody made. */
	if (!connection->hung_up &&
	        (connection->state == AB_CONNECTION_HEAD || connection->state == AB_CONNECTION_BODY)) {
		reply = ab_intake_problem(connection, 408, "The request took too long to arrive.");
		if (reply != NULL) {
			ab_connection_reply_raw(connection, reply);
			return;
		}
	}
	ab_connection_cut(connection);
}

/* libmicrohttpd overlooks the end of a stream that comes together with data: it takes a short read for the
 * last there was, and no further event follows. So a deadline is set for what it has not closed by itself. */
void ab_connection_on_hangups(struct ab_front *front)
{
	struct epoll_event events[64];
	int n;

	do {
		n = epoll_wait(front->hangup_fd, events, AB_COUNT(events), 0);
		for (int i = 0; i < n; i++) {
			struct ab_connection *connection = events[i].data.ptr;

			connection->hung_up = true;
			if (connection->state == AB_CONNECTION_RUNNING)
				ab_connection_abandon(connection);
			else
				ab_connection_arm(connection, front->linger_queue);
		}
	} while (n == (int)AB_COUNT(events));
}

/* ---- replies past libmicrohttpd ---- */

/* One send: a reply that small fits any socket's buffer, and if not, the client has earned a cut one. */
void ab_connection_reply_raw(struct ab_connection *connection, struct ab_reply *reply)
{
	char *text;
	size_t size = 256 + reply->body_len;
	int len;

	connection->reply = reply;
	connection->state = AB_CONNECTION_LINGERING;
	text = malloc(size);
	if (text != NULL) {
		len = snprintf(text, size,
		        "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%.*s",
		        reply->status, MHD_get_reason_phrase_for((unsigned)reply->status),
		        reply->media == NULL ? "text/plain" : reply->media, reply->body_len,
		        (int)reply->body_len, reply->body == NULL ? "" : reply->body);
		if (len > 0 && (size_t)len < size)
			(void)!send(connection->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
		free(text);
	}
	free(reply->body);
	reply->body = NULL;
	shutdown(connection->fd, SHUT_WR);
	ab_connection_arm(connection, connection->front->linger_queue);
}
