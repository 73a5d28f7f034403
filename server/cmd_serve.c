/* server/cmd_serve.c: `anabranch serve APP`.
 *
 * The main thread reads the app and compiles it for each worker, then listens, then starts the workers; from
 * then on it waits for signals. The first SIGTERM or SIGINT stops gently, the second at once. */
#include "admin.h"
#include "commands.h"
#include "crash.h"
#include "listen.h"
#include "routes.h"
#include "worker.h"

#include "../handlers/http/http.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	SERVE_WORKERS_MAX = 256,
	SERVE_STOP_EXTRA_MS =
	        5000, /* on top of the longest deadline: for bodies coming in and replies going out */
	SERVE_OVERDUE_MS =
	        4000, /* on top of the stop's limit: workers that are late have been told and waited for */
	SERVE_SPARE_FDS = 32, /* for files, logs, loops */
};

struct serve {
	/* From the command line. */
	const char *file;
	struct ab_app_options options;
	struct ab_address listen, admin_address;
	bool listen_given, admin_given, admin_off;
	unsigned workers_given;
	int human; /* -1: as stderr is */

	const struct ab_settings *settings;
	struct ab_sources *sources;
	struct ab_shared *shared;
	struct ab_diags *diags;
	struct ab_worker **workers;
	unsigned n_workers;
	unsigned n_running;
	_Atomic unsigned n_ended;
	int *fds;
	struct ab_gate gate;
	struct ab_log *log;
	struct ab_log_ring *ring;
	struct ab_admin *admin;

	uv_loop_t loop;
	uv_signal_t term, interrupt;
	uv_async_t ended;
	uv_timer_t overdue;
	unsigned stops; /* signals so far */
	uint64_t stop_limit_ms;
};

static const char serve_help[] =
        "Usage: anabranch serve [OPTION]... APP\n"
        "\n"
        "Check the app file APP whole, then answer requests until SIGTERM or SIGINT. What is in flight is answered\n"
        "before it ends; a second signal ends it at once.\n"
        "\n"
        "      --listen ADDRESS:PORT  listen here instead of where the app file says; port 0 means any free one\n"
        "      --admin ADDRESS:PORT   the same for the admin listener (GET /healthz); \"off\" for none\n"
        "      --workers N            this many worker threads instead of one a core\n"
        "      --accept-all           let requests give any name, for trying things out; only on a loopback address\n"
        "      --dev                  tell clients the details of failures\n"
        "      --log FORMAT           \"json\" or \"text\" on standard error; text on a terminal, JSON otherwise\n"
        "      --help                 show this and exit\n"
        "\n"
        "Exit codes: 0 stopped by a signal, 1 the work failed, 2 wrong usage or a mistake in the app file.\n";

/* ---- the command line ---- */

static bool serve_read_count(const char *text, unsigned *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || value < 1 ||
	        value > SERVE_WORKERS_MAX)
		return false;
	*ret = (unsigned)value;
	return true;
}

/* One option. AB_EXIT_OK, or the exit code of a mistake. */
static int serve_read_option(struct serve *serve, int option, const char *text)
{
	switch (option) {
	case ':':
		return ab_usage_error("serve", "%s wants a value", text);
	case 'l':
		serve->listen_given = true;
		if (!ab_address_parse(optarg, &serve->listen))
			return ab_usage_error("serve",
			        "--listen wants ADDRESS:PORT, such as 127.0.0.1:8080, not '%s'", optarg);
		break;
	case 'm':
		serve->admin_given = true;
		serve->admin_off = strcmp(optarg, "off") == 0;
		if (!serve->admin_off && !ab_address_parse(optarg, &serve->admin_address))
			return ab_usage_error("serve",
			        "--admin wants ADDRESS:PORT, such as 127.0.0.1:9901, or \"off\", not '%s'",
			        optarg);
		break;
	case 'w':
		if (!serve_read_count(optarg, &serve->workers_given))
			return ab_usage_error("serve", "--workers wants a number from 1 to %d, not '%s'",
			        SERVE_WORKERS_MAX, optarg);
		break;
	case 'a':
		serve->options.accept_all = true;
		break;
	case 'd':
		serve->options.dev = true;
		break;
	case 'f':
		serve->human = strcmp(optarg, "text") == 0;
		if (!serve->human && strcmp(optarg, "json") != 0)
			return ab_usage_error("serve", "--log wants \"json\" or \"text\", not '%s'", optarg);
		break;
	default:
		return ab_usage_error("serve", "there is no option %s", text);
	}
	return AB_EXIT_OK;
}

/* -1 to go on, or the exit code. */
static int serve_read_args(struct serve *serve, int argc, char **argv)
{
	static const struct option options[] = {
	        {"listen", required_argument, NULL, 'l'},
	        {"admin", required_argument, NULL, 'm'},
	        {"workers", required_argument, NULL, 'w'},
	        {"accept-all", no_argument, NULL, 'a'},
	        {"dev", no_argument, NULL, 'd'},
	        {"log", required_argument, NULL, 'f'},
	        {"help", no_argument, NULL, 'h'},
	        {0},
	};
	int option, code;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(serve_help, stdout);
			return ab_finish_stdout("serve", AB_EXIT_OK);
		}
		code = serve_read_option(serve, option, argv[optind - 1]);
		if (code != AB_EXIT_OK)
			return code;
	}
	if (optind == argc)
		return ab_usage_error("serve", "which app file?");
	if (argc - optind > 1)
		return ab_usage_error("serve", "one app file, not %d", argc - optind);
	serve->file = argv[optind];
	return -1;
}

/* ---- reading the app ---- */

static void serve_print_diag(void *arg, enum ab_severity severity, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s%s\n", severity == AB_HINT ? "hint: " : "", line);
}

/* Print what there is to say about the app; whether it may be served. */
static bool serve_judge(struct serve *serve)
{
	ab_diags_each(serve->diags, serve_print_diag, NULL);
	return ab_diags_mistakes(serve->diags) == 0;
}

static unsigned serve_count_cores(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > SERVE_WORKERS_MAX ? SERVE_WORKERS_MAX : (unsigned)n;
}

/* What the command line says wins over the app file. */
static int serve_settle(struct serve *serve)
{
	const struct ab_settings *settings = serve->settings = ab_shared_settings(serve->shared);

	if (!serve->listen_given)
		serve->listen = settings->listen;
	if (!serve->admin_given) {
		serve->admin_address = settings->admin;
		serve->admin_off = !settings->admin_on;
	}
	serve->n_workers = serve->workers_given != 0 ? serve->workers_given : settings->workers;
	if (serve->n_workers == 0)
		serve->n_workers = serve_count_cores();
	if (serve->options.accept_all && !ab_address_is_loopback(&serve->listen))
		return ab_usage_error("serve",
		        "--accept-all opens everything, so it needs a loopback address, not '%s'",
		        serve->listen.host);
	serve->workers = calloc(serve->n_workers, sizeof(struct ab_worker *));
	serve->fds = calloc(serve->n_workers, sizeof(int));
	if (serve->workers == NULL || serve->fds == NULL) {
		fprintf(stderr, "anabranch serve: out of memory\n");
		return AB_EXIT_FAILED;
	}
	return AB_EXIT_OK;
}

/* Read, check and compile; everything that can be wrong with the app is said here. */
static int serve_load(struct serve *serve)
{
	struct ab_error err = {0};
	int code;

	serve->diags = ab_diags_create();
	serve->sources = serve->diags == NULL ? NULL : ab_sources_load(serve->file, serve->diags);
	if (serve->sources == NULL)
		goto no_memory;
	if (ab_sources_top(serve->sources)->root == NULL)
		return serve_judge(serve) ? AB_EXIT_FAILED : AB_EXIT_USAGE;
	serve->shared = ab_shared_open(serve->sources, AB_DATABASE_SERVE, serve->diags);
	if (serve->shared == NULL)
		goto no_memory;
	code = serve_settle(serve);
	for (unsigned i = 0; code == AB_EXIT_OK && i < serve->n_workers; i++) {
		serve->workers[i] = ab_worker_create(i, serve->n_workers, serve->sources, serve->shared,
		        &serve->options, serve->diags, &err);
		if (serve->workers[i] == NULL) {
			fprintf(stderr, "anabranch serve: %s\n", err.text);
			code = AB_EXIT_FAILED;
		}
		if (ab_diags_mistakes(serve->diags) > 0)
			break; /* the others would only say the same */
	}
	ab_shared_loaded(serve->shared);
	return !serve_judge(serve) ? AB_EXIT_USAGE : code;
no_memory:
	fprintf(stderr, "anabranch serve: out of memory\n");
	return AB_EXIT_FAILED;
}

/* ---- limits ---- */

/* As many descriptors as we may have. How many connections fit in, leaving room for what requests open in
 * turn, and for the slack of serve_share. */
static unsigned serve_fit_connections(unsigned wanted)
{
	struct rlimit limit;
	uint64_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wanted;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return wanted;
	most = limit.rlim_cur - limit.rlim_cur / 4;
	most = most > SERVE_SPARE_FDS + 1 ? most - SERVE_SPARE_FDS : 1;
	most -= most / 8;
	return wanted < most ? wanted : (unsigned)most;
}

/* One worker's part of the connections. The kernel deals them out by chance, so that with several workers
 * each gets an eighth more than its share: otherwise some would wait at one worker while another has room. */
static unsigned serve_share(unsigned connections, unsigned workers)
{
	unsigned share = (connections + workers - 1) / workers;

	return workers == 1 ? share : share + share / 8;
}

/* How long a gentle stop may take. */
static uint64_t serve_stop_limit(const struct serve *serve)
{
	const struct ab_router *router = ab_worker_app(serve->workers[0])->router;
	uint64_t longest = serve->settings->deadline_ms;

	for (size_t i = 0; i < ab_router_count(router); i++)
		if (ab_router_at(router, i)->deadline_ms > longest)
			longest = ab_router_at(router, i)->deadline_ms;
	return longest + SERVE_STOP_EXTRA_MS;
}

/* ---- starting ---- */

static void serve_on_worker_ended(void *arg)
{
	struct serve *serve = arg;

	atomic_fetch_add(&serve->n_ended, 1);
	uv_async_send(&serve->ended);
}

/* The default address being taken is no reason not to serve; one the user chose is. */
static int serve_start_admin(struct serve *serve)
{
	bool chosen = serve->admin_given || !serve->settings->admin_default;
	struct ab_error err = {0};
	int fd;

	if (serve->admin_off)
		return AB_EXIT_OK;
	if (ab_listen(&serve->admin_address, 1, &fd, &err) == AB_OK &&
	        ab_admin_start(fd, ab_log_ring(serve->log), &serve->admin, &err) == AB_OK)
		return AB_EXIT_OK;
	if (chosen) {
		fprintf(stderr, "anabranch serve: the admin listener: %s\n", err.text);
		return AB_EXIT_FAILED;
	}
	ab_log_event(serve->ring, AB_LOG_WARN, "no admin listener: %s (server.admin, or --admin)", err.text);
	return AB_EXIT_OK;
}

static void serve_announce(const struct serve *serve)
{
	char listen[96], admin[96];

	ab_address_format(&serve->listen, listen, sizeof(listen));
	ab_address_format(&serve->admin_address, admin, sizeof(admin));
	ab_log_event(serve->ring, AB_LOG_INFO, "serving %s on http://%s (%u worker%s), %s%s", serve->file,
	        listen, serve->n_workers, serve->n_workers == 1 ? "" : "s",
	        serve->admin == NULL ? "no admin listener" : "admin on http://",
	        serve->admin == NULL ? "" : admin);
}

static int serve_start_workers(struct serve *serve)
{
	unsigned connections = serve_fit_connections(serve->settings->max_connections);
	struct ab_error err = {0};

	if (ab_listen(&serve->listen, serve->n_workers, serve->fds, &err) != AB_OK) {
		fprintf(stderr, "anabranch serve: %s (server.listen, or --listen)\n", err.text);
		return AB_EXIT_FAILED;
	}
	for (unsigned i = 0; i < serve->n_workers; i++) {
		struct ab_worker_serve options = {
		        .listen_fd = serve->fds[i],
		        .max_connections = serve_share(connections, serve->n_workers),
		        .gate = &serve->gate,
		        .log = ab_log_ring(serve->log),
		        .ended = serve_on_worker_ended,
		        .arg = serve,
		};

		if (ab_worker_start(serve->workers[i], &options, &err) != AB_OK) {
			fprintf(stderr, "anabranch serve: %s\n", err.text);
			while (++i < serve->n_workers)
				close(serve->fds[i]);
			return AB_EXIT_FAILED;
		}
		serve->n_running++;
	}
	return AB_EXIT_OK;
}

/* ---- stopping ---- */

/* A worker has not come back though its time is long up: something holds its thread, which can't be ended. */
static void serve_on_overdue(uv_timer_t *timer)
{
	struct serve *serve = timer->data;

	ab_log_event(serve->ring, AB_LOG_ERROR,
	        "stopped without %u of %u workers, which did not come back: a C function, or a filter with inline: true, "
	        "that does not end holds them",
	        serve->n_running - atomic_load(&serve->n_ended), serve->n_running);
	ab_log_close(serve->log);
	_exit(AB_EXIT_FAILED);
}

static void serve_stop(struct serve *serve, uint64_t limit_ms)
{
	ab_admin_set_ready(serve->admin, false);
	uv_timer_start(&serve->overdue, serve_on_overdue, limit_ms + SERVE_OVERDUE_MS, 0);
	for (unsigned i = 0; i < serve->n_running; i++)
		ab_worker_stop(serve->workers[i], limit_ms);
}

static void serve_on_signal(uv_signal_t *handle, int signum)
{
	struct serve *serve = handle->data;
	const char *name = signum == SIGTERM ? "SIGTERM" : "SIGINT";

	serve->stops++;
	if (serve->stops == 1) {
		ab_log_event(serve->ring, AB_LOG_INFO,
		        "%s: stopping when what is in flight is answered, in %llu s at the latest", name,
		        (unsigned long long)(serve->stop_limit_ms + 999) / 1000);
		serve_stop(serve, serve->stop_limit_ms);
	} else if (serve->stops == 2) {
		ab_log_event(serve->ring, AB_LOG_WARN, "%s again: stopping at once", name);
		serve_stop(serve, 0);
	}
}

static void serve_on_ended(uv_async_t *async)
{
	struct serve *serve = async->data;

	if (atomic_load(&serve->n_ended) == serve->n_running)
		uv_stop(&serve->loop);
}

/* Wait for signals and for the workers' ends. */
static int serve_wait(struct serve *serve)
{
	uv_run(&serve->loop, UV_RUN_DEFAULT);
	return AB_EXIT_OK;
}

static bool serve_make_loop(struct serve *serve)
{
	if (uv_loop_init(&serve->loop) != 0)
		return false;
	serve->term.data = serve->interrupt.data = serve->ended.data = serve->overdue.data = serve;
	return uv_timer_init(&serve->loop, &serve->overdue) == 0 &&
	       uv_signal_init(&serve->loop, &serve->term) == 0 &&
	       uv_signal_init(&serve->loop, &serve->interrupt) == 0 &&
	       uv_async_init(&serve->loop, &serve->ended, serve_on_ended) == 0 &&
	       uv_signal_start(&serve->term, serve_on_signal, SIGTERM) == 0 &&
	       uv_signal_start(&serve->interrupt, serve_on_signal, SIGINT) == 0;
}

static void serve_on_walk(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void serve_free_loop(struct serve *serve)
{
	uv_walk(&serve->loop, serve_on_walk, NULL);
	uv_run(&serve->loop, UV_RUN_DEFAULT);
	uv_loop_close(&serve->loop);
}

/* End the threads; false when a worker could not end cleanly. */
static bool serve_join(struct serve *serve)
{
	bool clean = true;

	for (unsigned i = 0; i < serve->n_running; i++)
		clean &= ab_worker_join(serve->workers[i]);
	return clean;
}

/* ---- the command ---- */

/* From a loaded app to its end. */
static int serve_run(struct serve *serve)
{
	bool human = serve->human < 0 ? isatty(STDERR_FILENO) == 1 : serve->human != 0;
	int code;

	serve->gate.max = serve->settings->max_in_flight;
	serve->stop_limit_ms = serve_stop_limit(serve);
	serve->log = ab_log_open(STDERR_FILENO, human);
	serve->ring = serve->log == NULL ? NULL : ab_log_ring(serve->log);
	if (serve->ring == NULL || !serve_make_loop(serve)) {
		fprintf(stderr, "anabranch serve: no memory, descriptors or threads to start with\n");
		return AB_EXIT_FAILED;
	}
	ab_shared_start(serve->shared);
	code = serve_start_admin(serve);
	if (code == AB_EXIT_OK)
		code = serve_start_workers(serve);
	if (code == AB_EXIT_OK) {
		serve_announce(serve);
		code = serve_wait(serve);
	} else if (serve->n_running > 0) {
		serve_stop(serve, 0);
	}
	if (!serve_join(serve)) {
		ab_log_event(serve->ring, AB_LOG_ERROR,
		        "stopped with a write still going on; its outcome is not known");
		ab_log_close(serve->log);
		_exit(AB_EXIT_FAILED); /* its memory is still in use */
	}
	ab_admin_stop(serve->admin);
	if (code == AB_EXIT_OK)
		ab_log_event(serve->ring, AB_LOG_INFO, "stopped");
	serve_free_loop(serve);
	return code;
}

static void serve_free(struct serve *serve)
{
	for (unsigned i = 0; serve->workers != NULL && i < serve->n_workers; i++)
		ab_worker_destroy(serve->workers[i]);
	free(serve->workers);
	free(serve->fds);
	ab_shared_close(serve->shared);
	ab_sources_destroy(serve->sources);
	ab_diags_destroy(serve->diags);
	ab_log_close(serve->log);
}

/* glibc keeps small freed blocks apart, unmerged, and merges them all whenever somebody asks for a kilobyte
 * or more; and it gives the end of its heap back to the kernel, to ask for it again soon after. A request
 * frees the hundreds of blocks of its documents and asks for such buffers many times: without fast bins, and
 * with 32 MiB that stay, a page of four documents takes about a tenth less CPU. What each thread caches for
 * itself stays as it is. */
static void tune_malloc(void)
{
#ifdef __GLIBC__
	mallopt(M_MXFAST, 0);
	mallopt(M_TOP_PAD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

int ab_cmd_serve(int argc, char **argv)
{
	struct serve serve = {.human = -1};
	struct ab_error err = {0};
	int code = serve_read_args(&serve, argc, argv);

	if (code >= 0)
		return code;
	tune_malloc();
	signal(SIGPIPE, SIG_IGN);
	ab_crash_watch();
	if (ab_http_global_init(&err) != AB_OK) {
		fprintf(stderr, "anabranch serve: %s\n", err.text);
		return AB_EXIT_FAILED;
	}
	code = serve_load(&serve);
	if (code == AB_EXIT_OK)
		code = serve_run(&serve);
	serve_free(&serve);
	ab_http_global_fini();
	return code;
}
