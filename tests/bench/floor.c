/* tests/bench/floor.c: what the libraries alone cost, for `make bench` to compare with.
 *
 *   floor hello PORT              libmicrohttpd in a libuv loop, answering a constant
 *   floor page PORT UPSTREAM      the same, with the four transfers of the page workload by a raw curl multi:
 *                                 three at once, the fourth when the first has come
 *
 * No routing, no parsing, no templates, no logs. Ends on SIGTERM. */
#include "../../dispatch/base.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { TRANSFERS = 4 };

static uv_loop_t *loop;
static struct MHD_Daemon *daemon_;
static struct MHD_Response *constant;
static uv_prepare_t prepare;
static bool resumed;
static CURLM *multi;
static uv_timer_t curl_timer;
static char upstream[64];
static const char *const paths[TRANSFERS] = {"/product", "/user", "/reviews", "/related"};

/* ---- requests ---- */

struct page {
	struct MHD_Connection *connection;
	CURL *easy[TRANSFERS];
	struct page *next; /* in the list of idle pages, whose handles are kept */
	unsigned left;
};

static struct page *idle_pages;

static size_t discard(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

static struct page *page_create(void)
{
	struct page *page = idle_pages;

	if (page != NULL) {
		idle_pages = page->next;
		return page;
	}
	page = calloc(1, sizeof(*page));
	ab_assert(page != NULL);
	for (int i = 0; i < TRANSFERS; i++) {
		char url[128];

		snprintf(url, sizeof(url), "http://%s%s", upstream, paths[i]);
		page->easy[i] = curl_easy_init();
		curl_easy_setopt(page->easy[i], CURLOPT_URL, url);
		curl_easy_setopt(page->easy[i], CURLOPT_PRIVATE, page);
		curl_easy_setopt(page->easy[i], CURLOPT_WRITEFUNCTION, discard);
		curl_easy_setopt(page->easy[i], CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(page->easy[i], CURLOPT_BUFFERSIZE, 16384L);
	}
	return page;
}

static void page_start(struct MHD_Connection *connection)
{
	struct page *page = page_create();

	page->connection = connection;
	page->left = TRANSFERS;
	for (int i = 0; i < TRANSFERS - 1; i++)
		curl_multi_add_handle(multi, page->easy[i]);
}

static void page_on_transfer(struct page *page, CURL *easy)
{
	curl_multi_remove_handle(multi, easy);
	if (easy == page->easy[0])
		curl_multi_add_handle(multi, page->easy[TRANSFERS - 1]);
	if (--page->left > 0)
		return;
	MHD_resume_connection(page->connection);
	resumed = true;
	page->next = idle_pages;
	idle_pages = page;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
        const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
	static char first, waiting;

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
	if (*state == &waiting || multi == NULL)
		return MHD_queue_response(connection, MHD_HTTP_OK, constant);
	*state = &waiting;
	MHD_suspend_connection(connection);
	page_start(connection);
	return MHD_YES;
}

/* ---- libmicrohttpd in the loop ---- */

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

/* ---- curl in the loop ---- */

struct watch {
	uv_poll_t poll;
	curl_socket_t fd;
	int events;
};

static void read_results(void)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		void *page = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &page);
		if (message->data.result != CURLE_OK)
			fprintf(stderr, "floor: %s\n", curl_easy_strerror(message->data.result));
		page_on_transfer(page, message->easy_handle);
	}
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = ab_container_of(poll, struct watch, poll);
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;
	int running;

	if (watch->events == 0) {
		uv_poll_stop(poll);
		watch->events = -1;
		return;
	}
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(multi, watch->fd, flags, &running);
	read_results();
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	struct watch *watch = data;
	int events = 0;

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) { /* left armed: the connection is kept and will be used again */
		if (watch != NULL)
			watch->events = 0;
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	if (watch == NULL) {
		static struct watch *watches[65536];

		watch = watches[fd];
		if (watch == NULL) {
			watch = watches[fd] = calloc(1, sizeof(*watch));
			ab_assert(watch != NULL);
			watch->fd = fd;
			uv_poll_init_socket(loop, &watch->poll, fd);
			watch->events = -1;
		}
		curl_multi_assign(multi, fd, watch);
	}
	if (watch->events == 0 && events == UV_READABLE) {
		watch->events = events;
	} else if (watch->events != events) {
		watch->events = events;
		uv_poll_start(&watch->poll, events, on_socket);
	}
	return 0;
}

static void on_curl_timer(uv_timer_t *timer)
{
	int running;

	(void)timer;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	read_results();
}

static int want_timer(CURLM *handle, long ms, void *arg)
{
	(void)handle;
	(void)arg;
	if (ms < 0)
		uv_timer_stop(&curl_timer);
	else
		uv_timer_start(&curl_timer, on_curl_timer, (uint64_t)ms, 0);
	return 0;
}

/* ---- start and end ---- */

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
	static char body[] = "Hello Everyone!";
	uv_signal_t term;

	if (argc < 3 || (strcmp(argv[1], "page") == 0 && argc < 4)) {
		fprintf(stderr, "usage: floor hello PORT | floor page PORT UPSTREAM-HOST:PORT\n");
		return 2;
	}
	loop = uv_default_loop();
	constant = MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
	if (strcmp(argv[1], "page") == 0) {
		snprintf(upstream, sizeof(upstream), "%s", argv[3]);
		curl_global_init(CURL_GLOBAL_DEFAULT);
		multi = curl_multi_init();
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer);
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1024L);
		uv_timer_init(loop, &curl_timer);
	}
	start_daemon(atoi(argv[2]));
	uv_signal_init(loop, &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}
