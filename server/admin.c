/* server/admin.c: see admin.h. */
#include "admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { ADMIN_CONNECTIONS = 64, ADMIN_IDLE_S = 5, ADMIN_MEMORY = 8 * 1024 };

struct ab_admin {
	struct MHD_Daemon *daemon;
	struct ab_log_ring *log; /* the daemon's thread's alone */
	_Atomic bool ready;
};

static enum MHD_Result admin_reply(struct MHD_Connection *mhd, unsigned status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(mhd, status, response);
	MHD_destroy_response(response);
	return result;
}

/* Answered in the first call, which closes the connection: no body is ever read. */
static enum MHD_Result admin_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
        const char *method, const char *version, const char *data, size_t *data_len, void **context)
{
	struct ab_admin *admin = cls;

	(void)version;
	(void)data;
	(void)data_len;
	(void)context;
	if (strcmp(url, "/healthz") != 0)
		return admin_reply(mhd, 404, "not found\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return admin_reply(mhd, 405, "method not allowed\n");
	if (atomic_load(&admin->ready))
		return admin_reply(mhd, 200, "ok\n");
	return admin_reply(mhd, 503, "stopping\n");
}

static void admin_on_message(void *cls, const char *fmt, va_list args) AB_PRINTF(2, 0);
static void admin_on_message(void *cls, const char *fmt, va_list args)
{
	struct ab_admin *admin = cls;
	char text[256];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	ab_log_event(admin->log, AB_LOG_DEBUG, "admin: libmicrohttpd: %s", text);
}

enum ab_code ab_admin_start(
        int listen_fd, struct ab_log_ring *log, struct ab_admin **ret_admin, struct ab_error *err)
{
	struct ab_admin *admin = calloc(1, sizeof(*admin));

	if (admin == NULL) {
		close(listen_fd);
		return ab_error_set(err, AB_ENOMEM, "no memory for the admin listener");
	}
	admin->log = log;
	atomic_store(&admin->ready, true);
	admin->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
	        admin_on_request, admin, MHD_OPTION_EXTERNAL_LOGGER, admin_on_message, admin,
	        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS,
	        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	        (size_t)ADMIN_MEMORY, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (admin->daemon == NULL) {
		close(listen_fd);
		free(admin);
		return ab_error_set(
		        err, AB_EINTERNAL, "the admin listener does not start: %s", strerror(errno));
	}
	*ret_admin = admin;
	return AB_OK;
}

void ab_admin_set_ready(struct ab_admin *admin, bool ready)
{
	if (admin != NULL)
		atomic_store(&admin->ready, ready);
}

void ab_admin_stop(struct ab_admin *admin)
{
	if (admin == NULL)
		return;
	MHD_stop_daemon(admin->daemon);
	free(admin);
}
