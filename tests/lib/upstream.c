/* tests/lib/upstream.c: the fake upstream's thread: one poll loop over its connections.
 *
 *   READ --request whole--> HELD (released) or WAITING (time) or at once --> SENDING --> READ, STALLED or
 * closed
 *
 * Everything but the descriptors is under one lock, so that a test may look and command at any time. */
#include "upstream.h"

#include "upstream_answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, MAX_RECORDS = 4096, MAX_REQUEST = 4 << 20 };

enum state { READING, HELD, WAITING, SENDING, STALLED };

struct connection {
	int fd;
	size_t serial;
	enum state state;
	char *in;
	size_t in_len, in_size;
	struct fake_reply reply;
	size_t sent;
	uint64_t due;
};

struct canned {
	struct canned *next;
	char *path, *type, *body;
	int status;
};

struct fake_upstream {
	pthread_t thread;
	pthread_mutex_t lock;
	int listener, wake;
	unsigned short port;
	char url[64];
	bool stop, close_idle;
	size_t connects, requests, released;
	char *records[MAX_RECORDS];
	struct canned *canned;
	struct connection *connections[MAX_CONNECTIONS];
	size_t n_connections;
};

static void check(bool fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "fake upstream: %s: %s\n", what, strerror(errno));
	abort();
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- connections ---- */

static void connection_close(struct fake_upstream *upstream, size_t index)
{
	struct connection *c = upstream->connections[index];

	close(c->fd);
	free(c->in);
	free(c->reply.data);
	free(c);
	upstream->connections[index] = upstream->connections[--upstream->n_connections];
}

static void upstream_accept(struct fake_upstream *upstream)
{
	const int on = 1;

	for (;;) {
		int fd = accept4(upstream->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *c;

		if (fd < 0)
			return;
		check(upstream->n_connections < MAX_CONNECTIONS, "too many connections");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c = calloc(1, sizeof(*c));
		check(c != NULL, "connection");
		c->fd = fd;
		c->serial = ++upstream->connects;
		upstream->connections[upstream->n_connections++] = c;
	}
}

/* The length of a whole request at the front of what has come, or 0. */
static size_t request_length(const struct connection *c, size_t *ret_head)
{
	const char *end = c->in == NULL ? NULL : strstr(c->in, "\r\n\r\n");
	size_t body = 0;

	if (end == NULL)
		return 0;
	*ret_head = (size_t)(end - c->in) + 4;
	for (const char *line = strstr(c->in, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
			body = strtoul(line + 17, NULL, 10);
	}
	return c->in_len >= *ret_head + body ? *ret_head + body : 0;
}

static bool canned_reply(
        const struct fake_upstream *upstream, const struct fake_request *request, struct fake_reply *reply)
{
	char *target = fake_request_word(request, 1);
	const struct canned *canned = upstream->canned;

	target[strcspn(target, "?")] = '\0';
	while (canned != NULL && strcmp(canned->path, target) != 0)
		canned = canned->next;
	free(target);
	if (canned == NULL)
		return false;
	fake_reply_set(reply, canned->status, canned->type, canned->body, strlen(canned->body));
	return true;
}

/* HEAD: the same head, no body. */
static void reply_cut(const struct fake_request *request, struct fake_reply *reply)
{
	const char *end;

	if (strncmp(request->raw, "HEAD ", 5) != 0 || reply->len == 0)
		return;
	end = memmem(reply->data, reply->len, "\r\n\r\n", 4);
	if (end != NULL)
		reply->len = (size_t)(end - reply->data) + 4;
}

/* Take a whole request, if there is one, and prepare its answer. */
static void connection_request(struct fake_upstream *upstream, struct connection *c)
{
	struct fake_request request = {.connection = c->serial};
	char *raw;

	if (c->state != READING || (request.len = request_length(c, &request.head_len)) == 0)
		return;
	raw = malloc(request.len + 1);
	check(raw != NULL, "request");
	memcpy(raw, c->in, request.len);
	raw[request.len] = '\0';
	request.raw = raw;
	c->in_len -= request.len;
	memmove(c->in, c->in + request.len, c->in_len + 1);
	free(c->reply.data);
	c->reply = (struct fake_reply){.after = FAKE_KEEP};
	c->sent = 0;
	if (!canned_reply(upstream, &request, &c->reply))
		fake_reply_make(&request, &c->reply);
	reply_cut(&request, &c->reply);
	c->state = c->reply.hold ? HELD : c->reply.wait_ms > 0 ? WAITING : SENDING;
	c->due = now_ms() + c->reply.wait_ms;
	if (upstream->requests < MAX_RECORDS)
		upstream->records[upstream->requests] = raw;
	else
		free(raw);
	upstream->requests++;
}

/* False when the peer is gone. */
static bool connection_read(struct connection *c)
{
	for (;;) {
		ssize_t n;

		if (c->in_size - c->in_len < 4096) {
			check(c->in_size < MAX_REQUEST, "request too long");
			c->in_size = c->in_size == 0 ? 8192 : c->in_size * 2;
			c->in = realloc(c->in, c->in_size);
			check(c->in != NULL, "request");
		}
		n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len - 1, 0);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		c->in_len += (size_t)n;
		c->in[c->in_len] = '\0';
	}
}

/* What comes after an answer has been sent. False: close. */
static bool connection_after(struct connection *c)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	switch (c->reply.after) {
	case FAKE_KEEP:
		c->state = READING;
		return true;
	case FAKE_CLOSE:
		return false;
	case FAKE_RESET:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	case FAKE_STALL:
		c->state = STALLED;
		return true;
	case FAKE_REPEAT:
		free(c->reply.data);
		c->reply.data = malloc(c->reply.repeat_len);
		check(c->reply.data != NULL, "reply");
		memcpy(c->reply.data, c->reply.repeat, c->reply.repeat_len);
		c->reply.len = c->reply.repeat_len;
		c->sent = 0;
		c->state = c->reply.repeat_ms > 0 ? WAITING : SENDING;
		c->due = now_ms() + c->reply.repeat_ms;
		return true;
	}
	return false;
}

/* Send what is ready. False when the connection is to be closed. */
static bool connection_send(struct connection *c)
{
	for (int rounds = 0; c->state == SENDING && rounds < 64; rounds++) {
		ssize_t n = 0;

		if (c->sent < c->reply.len)
			n = send(c->fd, c->reply.data + c->sent, c->reply.len - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)n;
		if (c->sent == c->reply.len && !connection_after(c))
			return false;
	}
	return true;
}

/* Everything a connection can do now. False when it is to be closed. */
static bool connection_go(struct fake_upstream *upstream, struct connection *c, short revents, uint64_t now)
{
	if ((revents & (POLLIN | POLLHUP | POLLERR)) && !connection_read(c))
		return false;
	for (;;) {
		connection_request(upstream, c);
		if (c->state == HELD && upstream->released > 0) {
			upstream->released--;
			c->state = SENDING;
		}
		if (c->state == WAITING && c->due <= now)
			c->state = SENDING;
		if (c->state != SENDING)
			return c->state != READING || !upstream->close_idle || c->in_len > 0;
		if (!connection_send(c))
			return false;
		if (c->state != READING)
			return true;
	}
}

/* ---- the thread ---- */

static int poll_timeout(const struct fake_upstream *upstream, uint64_t now)
{
	int timeout = -1;

	for (size_t i = 0; i < upstream->n_connections; i++) {
		const struct connection *c = upstream->connections[i];
		int left = c->due > now ? (int)(c->due - now) : 0;

		if (c->state == WAITING && (timeout < 0 || left < timeout))
			timeout = left;
	}
	return timeout;
}

static size_t poll_fill(const struct fake_upstream *upstream, struct pollfd *fds)
{
	fds[0] = (struct pollfd){.fd = upstream->wake, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = upstream->listener, .events = POLLIN};
	for (size_t i = 0; i < upstream->n_connections; i++) {
		const struct connection *c = upstream->connections[i];

		fds[2 + i] = (struct pollfd){.fd = c->fd, .events = POLLIN};
		if (c->state == SENDING)
			fds[2 + i].events |= POLLOUT;
	}
	return 2 + upstream->n_connections;
}

static void *upstream_main(void *arg)
{
	static _Thread_local struct pollfd fds[2 + MAX_CONNECTIONS];
	struct fake_upstream *upstream = arg;
	uint64_t count;

	pthread_mutex_lock(&upstream->lock);
	while (!upstream->stop) {
		size_t n = poll_fill(upstream, fds);
		int timeout = poll_timeout(upstream, now_ms());

		pthread_mutex_unlock(&upstream->lock);
		check(poll(fds, (nfds_t)n, timeout) >= 0 || errno == EINTR, "poll");
		if (fds[0].revents != 0)
			check(read(upstream->wake, &count, sizeof(count)) > 0 || errno == EAGAIN, "wake");
		pthread_mutex_lock(&upstream->lock);
		for (size_t i = n - 2; i-- > 0;) { /* closing moves the last one here, which has been seen */
			if (!connection_go(upstream, upstream->connections[i], fds[2 + i].revents, now_ms()))
				connection_close(upstream, i);
		}
		upstream->close_idle = false;
		if (fds[1].revents != 0)
			upstream_accept(upstream);
	}
	pthread_mutex_unlock(&upstream->lock);
	return NULL;
}

/* ---- for tests ---- */

struct fake_upstream *fake_upstream_start(void)
{
	struct fake_upstream *upstream = calloc(1, sizeof(*upstream));
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	check(upstream != NULL, "start");
	upstream->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	upstream->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	check(upstream->listener >= 0 && upstream->wake >= 0, "socket");
	check(bind(upstream->listener, (struct sockaddr *)&address, len) == 0, "bind");
	check(listen(upstream->listener, 1024) == 0, "listen");
	check(getsockname(upstream->listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
	upstream->port = ntohs(address.sin_port);
	snprintf(upstream->url, sizeof(upstream->url), "http://127.0.0.1:%u", (unsigned)upstream->port);
	pthread_mutex_init(&upstream->lock, NULL);
	check(pthread_create(&upstream->thread, NULL, upstream_main, upstream) == 0, "thread");
	return upstream;
}

static void upstream_wake(struct fake_upstream *upstream)
{
	const uint64_t one = 1;

	check(write(upstream->wake, &one, sizeof(one)) == sizeof(one), "wake");
}

void fake_upstream_stop(struct fake_upstream *upstream)
{
	if (upstream == NULL)
		return;
	pthread_mutex_lock(&upstream->lock);
	upstream->stop = true;
	pthread_mutex_unlock(&upstream->lock);
	upstream_wake(upstream);
	pthread_join(upstream->thread, NULL);
	while (upstream->n_connections > 0)
		connection_close(upstream, 0);
	while (upstream->canned != NULL) {
		struct canned *canned = upstream->canned;

		upstream->canned = canned->next;
		free(canned->path);
		free(canned->type);
		free(canned->body);
		free(canned);
	}
	for (size_t i = 0; i < MAX_RECORDS; i++)
		free(upstream->records[i]);
	close(upstream->listener);
	close(upstream->wake);
	pthread_mutex_destroy(&upstream->lock);
	free(upstream);
}

unsigned short fake_upstream_port(const struct fake_upstream *upstream)
{
	return upstream->port;
}

const char *fake_upstream_url(const struct fake_upstream *upstream)
{
	return upstream->url;
}

void fake_upstream_answer(
        struct fake_upstream *upstream, const char *path, int status, const char *type, const char *body)
{
	struct canned *canned = calloc(1, sizeof(*canned));

	check(canned != NULL, "answer");
	*canned = (struct canned){
	        .path = strdup(path), .type = strdup(type), .body = strdup(body), .status = status};
	check(canned->path != NULL && canned->type != NULL && canned->body != NULL, "answer");
	pthread_mutex_lock(&upstream->lock);
	canned->next = upstream->canned;
	upstream->canned = canned;
	pthread_mutex_unlock(&upstream->lock);
}

static size_t read_locked(struct fake_upstream *upstream, const size_t *what)
{
	size_t value;

	pthread_mutex_lock(&upstream->lock);
	value = *what;
	pthread_mutex_unlock(&upstream->lock);
	return value;
}

size_t fake_upstream_connects(struct fake_upstream *upstream)
{
	return read_locked(upstream, &upstream->connects);
}

size_t fake_upstream_open(struct fake_upstream *upstream)
{
	return read_locked(upstream, &upstream->n_connections);
}

size_t fake_upstream_requests(struct fake_upstream *upstream)
{
	return read_locked(upstream, &upstream->requests);
}

size_t fake_upstream_count(struct fake_upstream *upstream, const char *prefix)
{
	size_t count = 0;

	pthread_mutex_lock(&upstream->lock);
	for (size_t i = 0; i < upstream->requests && i < MAX_RECORDS; i++) {
		const char *target = strchr(upstream->records[i], ' ');

		count += target != NULL && strncmp(target + 1, prefix, strlen(prefix)) == 0;
	}
	pthread_mutex_unlock(&upstream->lock);
	return count;
}

char *fake_upstream_request(struct fake_upstream *upstream, size_t index)
{
	char *raw = NULL;

	pthread_mutex_lock(&upstream->lock);
	if (index < upstream->requests && index < MAX_RECORDS)
		raw = strdup(upstream->records[index]);
	pthread_mutex_unlock(&upstream->lock);
	return raw;
}

size_t fake_upstream_held(struct fake_upstream *upstream)
{
	size_t held = 0;

	pthread_mutex_lock(&upstream->lock);
	for (size_t i = 0; i < upstream->n_connections; i++)
		held += upstream->connections[i]->state == HELD;
	pthread_mutex_unlock(&upstream->lock);
	return held;
}

void fake_upstream_release(struct fake_upstream *upstream, size_t count)
{
	pthread_mutex_lock(&upstream->lock);
	upstream->released += count;
	pthread_mutex_unlock(&upstream->lock);
	upstream_wake(upstream);
}

void fake_upstream_close_idle(struct fake_upstream *upstream)
{
	pthread_mutex_lock(&upstream->lock);
	upstream->close_idle = true;
	pthread_mutex_unlock(&upstream->lock);
	upstream_wake(upstream);
}
