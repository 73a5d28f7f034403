/* tests/lib/http_client.c: see http_client.h. */
#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

bool http_open(struct http_client *client, unsigned short port)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET,
	        .sin_port = htons(port),
	        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
	};
	int one = 1;

	*client = (struct http_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (client->fd < 0)
		return false;
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		http_close(client);
		return false;
	}
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return true;
}

void http_close(struct http_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->bytes);
	*client = (struct http_client){.fd = -1};
}

void http_reset(struct http_client *client)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	http_close(client);
}

void http_half_close(struct http_client *client)
{
	shutdown(client->fd, SHUT_WR);
}

bool http_send(struct http_client *client, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

bool http_sends(struct http_client *client, const char *text)
{
	return http_send(client, text, strlen(text));
}

bool http_request(struct http_client *client, const char *method, const char *target, const char *fields,
        const char *body)
{
	char length[64] = "";
	char *text;
	bool sent;

	if (body != NULL)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	if (asprintf(&text, "%s %s HTTP/1.1\r\nHost: test\r\n%s%s\r\n%s", method, target, fields, length,
	            body == NULL ? "" : body) < 0)
		return false;
	sent = http_sends(client, text);
	free(text);
	return sent;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for more bytes, until `until`. False at the end, or when the time is up. */
static bool client_read(struct http_client *client, int64_t until)
{
	struct pollfd wait = {.fd = client->fd, .events = POLLIN};
	int64_t left = until - now_ms();
	ssize_t n;

	if (client->ended || poll(&wait, 1, left > 0 ? (int)left : 0) <= 0)
		return false;
	if (client->size - client->len < 4096) {
		size_t size = client->size * 2 + 8192;
		char *bytes = realloc(client->bytes, size);

		if (bytes == NULL)
			return false;
		client->bytes = bytes;
		client->size = size;
	}
	n = recv(client->fd, client->bytes + client->len, client->size - client->len - 1, 0);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		client->ended = true;
		return false;
	}
	client->len += (size_t)n;
	client->bytes[client->len] = '\0';
	return true;
}

static char *copy_bytes(const char *bytes, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		abort();
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

bool http_receive(struct http_client *client, struct http_answer *answer, bool head_only)
{
	int64_t until = now_ms() + HTTP_WAIT_MS;
	size_t head_len, body_len = 0;
	char value[32];
	char *end;

	*answer = (struct http_answer){0};
	while (client->len == 0 || (end = memmem(client->bytes, client->len, "\r\n\r\n", 4)) == NULL)
		if (!client_read(client, until))
			return false;
	head_len = (size_t)(end + 4 - client->bytes);
	answer->head = copy_bytes(client->bytes, head_len);
	if (sscanf(answer->head, "HTTP/1.%*d %d", &answer->status) != 1)
		return false;
	if (!head_only && http_field(answer, "Content-Length", value, sizeof(value)) != NULL)
		body_len = strtoul(value, NULL, 10);
	while (client->len < head_len + body_len)
		if (!client_read(client, until))
			return false;
	answer->body = copy_bytes(client->bytes + head_len, body_len);
	answer->body_len = body_len;
	client->len -= head_len + body_len;
	memmove(client->bytes, client->bytes + head_len + body_len, client->len);
	return true;
}

void http_answer_free(struct http_answer *answer)
{
	free(answer->head);
	free(answer->body);
	*answer = (struct http_answer){0};
}

const char *http_field(const struct http_answer *answer, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	for (const char *line = strstr(answer->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			line += len + 1;
			line += strspn(line, " ");
			snprintf(buf, size, "%.*s", (int)strcspn(line, "\r"), line);
			return buf;
		}
	}
	return NULL;
}

bool http_ends(struct http_client *client)
{
	int64_t until = now_ms() + HTTP_WAIT_MS;

	while (client->len == 0 && client_read(client, until))
		;
	return client->ended && client->len == 0;
}

int http_get(unsigned short port, const char *target, char **ret_body)
{
	struct http_client client;
	struct http_answer answer = {0};
	int status = 0;

	if (!http_open(&client, port))
		return 0;
	if (http_request(&client, "GET", target, "Connection: close\r\n", NULL) &&
	        http_receive(&client, &answer, false))
		status = answer.status;
	if (ret_body != NULL) {
		*ret_body = answer.body;
		answer.body = NULL;
	}
	http_answer_free(&answer);
	http_close(&client);
	return status;
}
