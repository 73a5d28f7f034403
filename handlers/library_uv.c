/* handlers/library_uv.c: a loop and threads for a dispatcher in a program: anabranch-uv.h. */
#include "../dispatch/library.h"

#include "anabranch-uv.h"
#include "deadline.h"
#include "function_job.h"

#include <string.h>

enum { THREADS = 4, QUEUE = 1000, TIMEOUT_MS = 3600 * 1000 };

struct attached {
	struct ab_library_loop base;
	uv_loop_t *loop;
	bool own_loop;
	struct ab_deadlines *deadlines;
	struct ab_threads *threads;
	struct ab_home *home;
	struct ab_function_times times;
};

static struct attached *attached_of(struct anabranch *dispatcher)
{
	return ab_container_of(ab_library_loop(dispatcher), struct attached, base);
}

static void on_turn(struct anabranch *dispatcher)
{
	uv_run(attached_of(dispatcher)->loop, UV_RUN_ONCE);
}

static void on_offload(struct anabranch *dispatcher, struct ab_call *call, const struct ab_function *function)
{
	struct attached *attached = attached_of(dispatcher);

	ab_function_send(
	        attached->home, call, function, (const json_t *const *)call->needs, &attached->times);
}

/* Close what exists. */
static void attached_free(struct attached *attached)
{
	ab_home_close(attached->home);
	if (attached->deadlines != NULL)
		ab_deadlines_close(attached->deadlines);
	ab_threads_close(attached->threads);
	if (attached->own_loop) {
		uv_run(attached->loop, UV_RUN_DEFAULT);
		ab_assert(uv_loop_close(attached->loop) == 0);
		free(attached->loop);
	}
	free(attached);
}

static void on_detach(struct anabranch *dispatcher)
{
	attached_free(attached_of(dispatcher));
}

static bool make_loop(struct attached *attached, uv_loop_t *loop)
{
	if (loop != NULL) {
		attached->loop = loop;
		return true;
	}
	loop = malloc(sizeof(*loop));
	if (loop == NULL || uv_loop_init(loop) != 0) {
		free(loop);
		return false;
	}
	attached->loop = loop;
	attached->own_loop = true;
	return true;
}

static bool make_threads(struct attached *attached, const struct anabranch_loop_options *options)
{
	struct ab_threads_options threads = {
	        .name = "anabranch",
	        .threads = options->threads > 0 ? options->threads : THREADS,
	        .queue = options->queue > 0 ? options->queue : QUEUE,
	};

	threads.max_lost = threads.threads;
	attached->threads = ab_threads_create(&threads);
	attached->deadlines = ab_deadlines_create(attached->loop);
	if (attached->threads == NULL || attached->deadlines == NULL)
		return false;
	attached->times.timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
	attached->times.timeouts = ab_deadlines_queue(attached->deadlines, attached->times.timeout_ms);
	attached->home = ab_home_create(attached->threads, attached->loop);
	return attached->times.timeouts != NULL && attached->home != NULL;
}

static enum anabranch_code refuse(struct anabranch_error *ret, enum anabranch_code code, const char *why)
{
	struct ab_error err;

	ab_error_set(&err, code == ANABRANCH_INVALID ? AB_EINVALID : AB_ENOMEM, "%s", why);
	ab_error_publish(ret, &err);
	if (ret != NULL)
		ret->code = code;
	return code;
}

enum anabranch_code anabranch_attach(struct anabranch *dispatcher,
        const struct anabranch_loop_options *options, struct anabranch_error *err)
{
	static const struct anabranch_loop_options defaults;
	struct attached *attached;

	if (ab_library_loop(dispatcher) != NULL)
		return refuse(err, ANABRANCH_INVALID, "this dispatcher has a loop already");
	if (options == NULL)
		options = &defaults;
	attached = calloc(1, sizeof(*attached));
	if (attached == NULL)
		return refuse(err, ANABRANCH_NO_MEMORY, "out of memory");
	if (!make_loop(attached, options->loop)) {
		free(attached);
		return refuse(err, ANABRANCH_NO_MEMORY, "no memory or descriptors for a loop");
	}
	if (!make_threads(attached, options)) {
		attached_free(attached);
		return refuse(err, ANABRANCH_NO_MEMORY, "out of memory");
	}
	attached->base = (struct ab_library_loop){
	        .loop = attached->loop,
	        .turn = on_turn,
	        .offload = on_offload,
	        .cancel = ab_job_cancel,
	        .detach = on_detach,
	};
	ab_library_set_loop(dispatcher, &attached->base);
	return ANABRANCH_OK;
}
