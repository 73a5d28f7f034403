/* handlers/http/client.c: curl multis on the worker's loop.
 *
 * A connection is watched by one uv_poll from its opening to its closing. When libcurl lets go of an idle one
 * the poll stays armed, since it will be wanted again and arming costs system calls; an event on it in that
 * time (the upstream closed it) stops the poll at once, or it would fire for ever. A descriptor that is no
 * kept connection when libcurl lets go of it is closed behind our back: one of a resolver's, or one still
 * connecting (7.88 closes those without a word); its poll ends there and then.
 *
 * No completion is ever handed on from inside a libcurl callback: results are read after each socket action.
 */
#include "internal.h"

#include <unistd.h>

/* Alive until libuv has closed the poll, which is later than the descriptor's end. */
struct watch {
	uv_poll_t poll;
	struct ab_multi *multi;
	curl_socket_t fd;
	int armed; /* what the poll waits for; 0: stopped */
	bool idle; /* libcurl does not want it now */
	bool kept; /* in libcurl's cache of connections: closed by ab_multi_close_socket alone */
};

enum ab_code ab_http_global_init(struct ab_error *err)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);

	if (rc != CURLE_OK)
		return ab_error_set(err, AB_EINTERNAL, "libcurl: %s", curl_easy_strerror(rc));
	if ((info->features & CURL_VERSION_ASYNCHDNS) == 0) {
		curl_global_cleanup();
		return ab_error_set(err, AB_EINTERNAL,
		        "this libcurl looks up names in the calling thread; one with a resolver of its own is needed");
	}
	return AB_OK;
}

void ab_http_global_fini(void)
{
	curl_global_cleanup();
}

struct ab_http *ab_http_create(struct ab_env *env)
{
	struct ab_http *http = calloc(1, sizeof(*http));

	if (http != NULL)
		http->env = env;
	return http;
}

void ab_http_close(struct ab_http *http)
{
	if (http == NULL)
		return;
	for (size_t i = 0; i < http->n_watches; i++)
		ab_assert(http->watches[i] == NULL); /* upstreams are destroyed first */
	free(http->watches);
	free(http);
}

void ab_http_counts(const struct ab_http *http, struct ab_http_counts *ret)
{
	*ret = http->counts;
}

/* ---- watches ---- */

/* The watch on a descriptor of this multi; another's may have its number again. */
static struct watch *watch_find(const struct ab_multi *multi, curl_socket_t fd)
{
	const struct ab_http *http = multi->http;
	struct watch *watch = (size_t)fd < http->n_watches ? http->watches[fd] : NULL;

	return watch != NULL && watch->multi == multi ? watch : NULL;
}

static bool watches_grow(struct ab_http *http, curl_socket_t fd)
{
	size_t count = http->n_watches == 0 ? 64 : http->n_watches;
	struct watch **watches;

	if ((size_t)fd < http->n_watches)
		return true;
	while (count <= (size_t)fd)
		count *= 2;
	watches = reallocarray(http->watches, count, sizeof(*watches));
	if (watches == NULL)
		return false;
	for (size_t i = http->n_watches; i < count; i++)
		watches[i] = NULL;
	http->watches = watches;
	http->n_watches = count;
	return true;
}

static void watch_on_closed(uv_handle_t *handle)
{
	free(ab_container_of((uv_poll_t *)handle, struct watch, poll));
}

/* Before the descriptor is closed. */
static void watch_close(struct watch *watch)
{
	watch->multi->http->watches[watch->fd] = NULL;
	uv_close((uv_handle_t *)&watch->poll, watch_on_closed);
}

/* NULL when there is no memory, or the loop can't watch the descriptor. */
static struct watch *watch_open(struct ab_multi *multi, curl_socket_t fd)
{
	struct watch *watch;

	if (!watches_grow(multi->http, fd))
		return NULL;
	if (multi->http->watches[fd] != NULL) /* closed without a word, and its number given again */
		watch_close(multi->http->watches[fd]);
	watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return NULL;
	if (uv_poll_init_socket(multi->timer.loop, &watch->poll, fd) != 0) {
		free(watch);
		return NULL;
	}
	watch->multi = multi;
	watch->fd = fd;
	multi->http->watches[fd] = watch;
	multi->http->counts.polls++;
	return watch;
}

curl_socket_t ab_multi_open_socket(struct ab_multi *multi, const struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->protocol);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (watch_open(multi, fd) == NULL) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	multi->http->counts.connects++;
	return fd;
}

int ab_multi_close_socket(void *arg, curl_socket_t fd)
{
	struct ab_multi *multi = arg;
	struct watch *watch = watch_find(multi, fd);

	if (watch != NULL)
		watch_close(watch);
	return close(fd);
}

/* ---- the multi ---- */

/* Hand on what has finished. Always after a socket action: the last transfer may have ended by a timer. */
static void multi_read(struct ab_multi *multi)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		CURLcode rc = message->data.result;
		struct ab_fetch *fetch = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fetch);
		curl_multi_remove_handle(multi->curl, easy); /* `message` is gone with this */
		ab_fetch_on_done(fetch, rc);
	}
}

/* A socket is ready; outside of libcurl. The watch may be gone when libcurl returns. */
static void multi_on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = ab_container_of(poll, struct watch, poll);
	struct ab_multi *multi = watch->multi;
	int flags = 0, running;

	multi->http->counts.events++;
	if (watch->idle) {
		uv_poll_stop(poll);
		watch->armed = 0;
		return;
	}
	if (status < 0) { /* libuv has stopped the poll; libcurl finds out what happened by trying */
		uv_poll_start(poll, watch->armed, multi_on_poll);
		flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
	}
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(multi->curl, watch->fd, flags, &running);
	multi_read(multi);
}

static void multi_on_timer(uv_timer_t *timer)
{
	struct ab_multi *multi = ab_container_of(timer, struct ab_multi, timer);
	int running;

	curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
	multi_read(multi);
}

/* CURLMOPT_TIMERFUNCTION. 0 comes with each transfer added: all those of a loop turn then start together. */
static int multi_want_timer(CURLM *curl, long ms, void *arg)
{
	struct ab_multi *multi = arg;

	(void)curl;
	if (ms < 0)
		uv_timer_stop(&multi->timer);
	else if (ms > 0 || !uv_is_active((uv_handle_t *)&multi->timer) ||
	         uv_timer_get_due_in(&multi->timer) > 0)
		uv_timer_start(&multi->timer, multi_on_timer, (uint64_t)ms, 0);
	return 0;
}

static void watch_want(struct watch *watch, int what)
{
	int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
	             ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);

	watch->idle = false;
	if (watch->armed == events)
		return;
	watch->armed = events;
	uv_poll_start(&watch->poll, events, multi_on_poll);
}

/* libcurl lets go of a descriptor. Whether it is the connection that `easy` has just put into the cache is
 * asked once for each connection. */
static void watch_leave(struct watch *watch, CURL *easy)
{
	curl_socket_t kept = CURL_SOCKET_BAD;

	if (!watch->kept && easy != NULL && curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &kept) == CURLE_OK)
		watch->kept = kept == watch->fd;
	if (watch->kept)
		watch->idle = true;
	else
		watch_close(watch);
}

/* CURLMOPT_SOCKETFUNCTION. A descriptor that can't be watched leaves its transfer to the timeout. */
static int multi_want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	struct ab_multi *multi = arg;
	struct watch *watch = watch_find(multi, fd);

	(void)data;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL)
			watch_leave(watch, easy);
		return 0;
	}
	if (watch == NULL)
		watch = watch_open(multi, fd);
	if (watch != NULL)
		watch_want(watch, what);
	return 0;
}

struct ab_multi *ab_multi_create(struct ab_http *http, unsigned keep)
{
	struct ab_multi *multi = calloc(1, sizeof(*multi));

	if (multi == NULL)
		return NULL;
	multi->curl = curl_multi_init();
	if (multi->curl == NULL) {
		free(multi);
		return NULL;
	}
	multi->http = http;
	uv_timer_init(http->env->loop, &multi->timer);
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, multi_want_socket);
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, multi_want_timer);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
	curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)keep);
	return multi;
}

static void multi_on_closed(uv_handle_t *handle)
{
	free(ab_container_of((uv_timer_t *)handle, struct ab_multi, timer));
}

void ab_multi_close(struct ab_multi *multi)
{
	if (multi == NULL)
		return;
	curl_multi_cleanup(multi->curl); /* calls back for each connection it closes */
	uv_close((uv_handle_t *)&multi->timer, multi_on_closed);
}
