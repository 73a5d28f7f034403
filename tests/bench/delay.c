/* tests/bench/delay.c: an upstream that answers GET /MS/... after MS milliseconds, for the waterfall
 * workload.
 *
 *   delay PORT
 *
 * One libuv loop; a request is what ends with an empty line; bodies are not expected. Ends on SIGTERM. */
#include "../../dispatch/base.h"

#include <arpa/inet.h>
#include <string.h>
#include <uv.h>

struct client {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	char head[4096];
	size_t len;
	unsigned closing;
};

static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"id\":7,\"ok\":true  }";

static void on_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;

	if (--client->closing == 0)
		free(client);
}

static void client_close(struct client *client)
{
	if (client->closing > 0)
		return;
	client->closing = 2;
	uv_close((uv_handle_t *)&client->tcp, on_closed);
	uv_close((uv_handle_t *)&client->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
	struct client *client = timer->data;
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)answer, sizeof(answer) - 1);

	if (uv_try_write((uv_stream_t *)&client->tcp, &buf, 1) < 0)
		client_close(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct client *client = handle->data;

	(void)suggested;
	*buf = uv_buf_init(client->head + client->len, (unsigned)(sizeof(client->head) - 1 - client->len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	struct client *client = stream->data;

	(void)buf;
	if (count <= 0) {
		if (count < 0)
			client_close(client);
		return;
	}
	client->len += (size_t)count;
	client->head[client->len] = '\0';
	if (strstr(client->head, "\r\n\r\n") == NULL)
		return;
	client->len = 0;
	uv_timer_start(&client->timer, on_timer, (uint64_t)atoi(client->head + strlen("GET /")), 0);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct client *client = calloc(1, sizeof(*client));

	ab_assert(status == 0 && client != NULL);
	uv_tcp_init(server->loop, &client->tcp);
	uv_timer_init(server->loop, &client->timer);
	client->tcp.data = client->timer.data = client;
	if (uv_accept(server, (uv_stream_t *)&client->tcp) != 0) {
		client_close(client);
		return;
	}
	uv_tcp_nodelay(&client->tcp, 1);
	uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	uv_stop(handle->loop);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in address;
	uv_signal_t term;
	uv_tcp_t server;

	if (argc != 2) {
		fprintf(stderr, "usage: delay PORT\n");
		return 2;
	}
	uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address);
	uv_tcp_init(loop, &server);
	uv_tcp_bind(&server, (const struct sockaddr *)&address, 0);
	if (uv_listen((uv_stream_t *)&server, 512, on_connection) != 0) {
		fprintf(stderr, "delay: can't listen on port %s\n", argv[1]);
		return 1;
	}
	uv_signal_init(loop, &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}
