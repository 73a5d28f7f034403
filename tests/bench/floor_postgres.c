/* tests/bench/floor_postgres.c: what libmicrohttpd, libuv and libpq alone cost for the two PostgreSQL
 * workloads, for `make bench` to compare with.
 *
 *   floor_postgres queries PORT CONNINFO    20 selects of one row by chance, pipelined, a sync for each, as
 * JSON floor_postgres queries1 PORT CONNINFO   the same with one sync for all 20: they share a transaction
 * and its failure floor_postgres fortunes PORT CONNINFO   all rows and one more, sorted, escaped into an HTML
 * table
 *
 * Four connections, statements prepared, results in binary form, requests spread over the connections;
 * written for this one answer: no routing, no values, no templates, no logs, no timeouts. Ends on SIGTERM. */
#include "../../dispatch/base.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <uv.h>

enum { CONNECTIONS = 4, QUERIES = 20, ROWS = 64, DEPTH = 65536 };

struct request {
	struct MHD_Connection *connection;
	unsigned left;
	size_t len;
	char body[8192];
	struct request *next; /* among those that are free */
};

struct link {
	PGconn *pg;
	uv_poll_t poll;
	struct request *waiting[DEPTH]; /* one for each query or sync under way; NULL for a sync */
	unsigned head, tail;
};

struct fortune {
	int id;
	const char *message;
	size_t len;
};

static uv_loop_t *loop;
static struct MHD_Daemon *daemon_;
static uv_prepare_t prepare;
static bool resumed, fortunes, one_sync;
static struct link links[CONNECTIONS];
static unsigned next_link, seed = 1;
static struct request *free_requests;

/* ---- answers ---- */

static void add(struct request *request, const char *text, size_t len)
{
	ab_assert(request->len + len < sizeof(request->body));
	memcpy(request->body + request->len, text, len);
	request->len += len;
}

static void add_escaped(struct request *request, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		switch (text[i]) {
		case '<':
			add(request, "&lt;", 4);
			break;
		case '>':
			add(request, "&gt;", 4);
			break;
		case '&':
			add(request, "&amp;", 5);
			break;
		case '"':
			add(request, "&quot;", 6);
			break;
		case '\'':
			add(request, "&#39;", 5);
			break;
		default:
			add(request, text + i, 1);
		}
}

static int by_message(const void *a, const void *b)
{
	const struct fortune *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->message, y->message, len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static int int_of(const PGresult *result, int row, int column)
{
	uint32_t value;

	memcpy(&value, PQgetvalue(result, row, column), sizeof(value));
	return (int)ntohl(value);
}

static void write_fortunes(struct request *request, const PGresult *result)
{
	static const char more[] = "Additional fortune added at request time.";
	static const char head[] =
	        "<!DOCTYPE html>\n<html>\n<head><title>Fortunes</title></head>\n<body>\n<table>\n"
	        "<tr><th>id</th><th>message</th></tr>\n";
	struct fortune list[ROWS];
	size_t n = (size_t)PQntuples(result);
	char text[64];

	ab_assert(n + 1 < ROWS);
	for (size_t i = 0; i < n; i++)
		list[i] = (struct fortune){int_of(result, (int)i, 0), PQgetvalue(result, (int)i, 1),
		        (size_t)PQgetlength(result, (int)i, 1)};
	list[n++] = (struct fortune){0, more, sizeof(more) - 1};
	qsort(list, n, sizeof(list[0]), by_message);
	add(request, head, sizeof(head) - 1);
	for (size_t i = 0; i < n; i++) {
		add(request, text, (size_t)snprintf(text, sizeof(text), "<tr><td>%d</td><td>", list[i].id));
		add_escaped(request, list[i].message, list[i].len);
		add(request, "</td></tr>\n", 11);
	}
	add(request, "</table>\n</body>\n</html>\n", 25);
}

static void write_world(struct request *request, const PGresult *result)
{
	char text[96];

	ab_assert(PQntuples(result) == 1);
	add(request, text,
	        (size_t)snprintf(text, sizeof(text), "%c{\"id\":%d,\"randomNumber\":%d}",
	                request->len == 0 ? '[' : ',', int_of(result, 0, 0), int_of(result, 0, 1)));
}

/* ---- queries ---- */

static void push(struct link *link, struct request *request)
{
	link->waiting[link->tail++ % DEPTH] = request;
}

static void sync_send(struct link *link)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
	ab_assert(PQsendPipelineSync(link->pg) == 1);
#else
	ab_assert(PQpipelineSync(link->pg) == 1); /* flushes */
#endif
	push(link, NULL);
}

static void request_send(struct request *request)
{
	struct link *link = &links[next_link++ % CONNECTIONS];
	const char *value;
	char text[16];

	request->left = fortunes ? 1 : QUERIES;
	request->len = 0;
	for (unsigned i = 0, n = request->left; i < n; i++) {
		snprintf(text, sizeof(text), "%d", rand_r(&seed) % 10000 + 1);
		value = text;
		ab_assert(PQsendQueryPrepared(link->pg, "q", fortunes ? 0 : 1, &value, NULL, NULL, 1) == 1);
		push(link, request);
		if (!one_sync || i + 1 == n)
			sync_send(link);
	}
	PQflush(link->pg);
}

static void request_on_result(struct request *request, const PGresult *result)
{
	ab_assert(PQresultStatus(result) == PGRES_TUPLES_OK);
	if (fortunes)
		write_fortunes(request, result);
	else
		write_world(request, result);
	if (--request->left > 0)
		return;
	if (!fortunes)
		add(request, "]", 1);
	MHD_resume_connection(request->connection);
	resumed = true;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct link *link = ab_container_of(poll, struct link, poll);

	(void)status;
	(void)events;
	ab_assert(PQconsumeInput(link->pg) == 1);
	while (link->head != link->tail && !PQisBusy(link->pg)) {
		PGresult *result = PQgetResult(link->pg);

		if (result == NULL)
			continue;
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
			ab_assert(link->waiting[link->head++ % DEPTH] == NULL);
		else
			request_on_result(link->waiting[link->head++ % DEPTH], result);
		PQclear(result);
	}
}

static void links_open(const char *conninfo)
{
	const char *text = fortunes ? "SELECT id, message FROM fortune"
	                            : "SELECT id, randomnumber FROM world WHERE id = $1";

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct link *link = &links[i];

		link->pg = PQconnectdb(conninfo);
		if (PQstatus(link->pg) != CONNECTION_OK) {
			fprintf(stderr, "floor_postgres: %s", PQerrorMessage(link->pg));
			exit(1);
		}
		PQclear(PQprepare(link->pg, "q", text, 0, NULL));
		PQsetnonblocking(link->pg, 1);
		PQenterPipelineMode(link->pg);
		uv_poll_init(loop, &link->poll, PQsocket(link->pg));
		uv_poll_start(&link->poll, UV_READABLE, on_socket);
	}
}

/* ---- libmicrohttpd in the loop ---- */

static enum MHD_Result answer(struct request *request)
{
	struct MHD_Response *response =
	        MHD_create_response_from_buffer(request->len, request->body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	MHD_add_response_header(
	        response, "Content-Type", fortunes ? "text/html; charset=utf-8" : "application/json");
	result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	request->next = free_requests;
	free_requests = request;
	return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
        const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
	static char first;
	struct request *request;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (*state == NULL) {
		*state = &first;
		return MHD_YES;
	}
	if (*state != &first)
		return answer(*state);
	request = free_requests;
	if (request != NULL)
		free_requests = request->next;
	else
		request = malloc(sizeof(*request));
	ab_assert(request != NULL);
	request->connection = connection;
	*state = request;
	MHD_suspend_connection(connection);
	request_send(request);
	return MHD_YES;
}

static void run_daemon(void)
{
	MHD_UNSIGNED_LONG_LONG wait;

	do
		MHD_run(daemon_);
	while (MHD_get_timeout(daemon_, &wait) == MHD_YES && wait == 0);
}

static void on_daemon(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	(void)status;
	(void)events;
	run_daemon();
}

static void on_prepare(uv_prepare_t *handle)
{
	(void)handle;
	if (resumed) {
		resumed = false;
		run_daemon();
	}
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	uv_stop(handle->loop);
}

static void start_daemon(int port)
{
	static uv_poll_t poll;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const union MHD_DaemonInfo *info;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	daemon_ = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
	        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, 20000u, MHD_OPTION_END);
	ab_assert(daemon_ != NULL);
	info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
	uv_poll_init(loop, &poll, info->epoll_fd);
	uv_poll_start(&poll, UV_READABLE, on_daemon);
	uv_prepare_init(loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
}

int main(int argc, char **argv)
{
	uv_signal_t term;

	if (argc < 4) {
		fprintf(stderr, "usage: floor_postgres queries|queries1|fortunes PORT CONNINFO\n");
		return 2;
	}
	loop = uv_default_loop();
	fortunes = strcmp(argv[1], "fortunes") == 0;
	one_sync = strcmp(argv[1], "queries1") == 0;
	links_open(argv[3]);
	start_daemon(atoi(argv[2]));
	uv_signal_init(loop, &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}
