/* handlers/anabranch-uv.h: what of <anabranch.h> needs libuv: the loop in an asynchronous function, and a
 * loop for a dispatcher in a program.
 *
 * In an app the loop is the worker's: timers, sockets and the like that a RESOURCE_ASYNC starts on it are
 * its own to close before it completes the call. Nothing may block it, or stop it. uv.h itself wants POSIX:
 * with -std=c11 say -D_POSIX_C_SOURCE=200809L. */
#ifndef ANABRANCH_UV_H
#define ANABRANCH_UV_H

#ifndef ANABRANCH_H
#include <anabranch.h>
#endif
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Loops ==== */

/* The loop that an asynchronous function runs on; NULL in a dispatcher without one. */
static inline uv_loop_t *anabranch_loop(const struct anabranch_call *call)
{
	return (uv_loop_t *)call->host->loop(call);
}

/* Zeroed: all defaults. */
struct anabranch_loop_options {
	uv_loop_t *loop;     /* the caller's; NULL: one of the dispatcher's own */
	unsigned threads;    /* for functions that block; 4 */
	unsigned queue;      /* of them that may wait for a thread; 1000 */
	uint64_t timeout_ms; /* after which such a function has failed, whether it returns or not; an hour */
};

/* Give a dispatcher a loop: what completes later can be waited for, what blocks runs on threads. Once, before
 * any call; what includes the dispatcher needs a loop of its own. `options` may be NULL. The loop is the one
 * thread's that uses the dispatcher. After anabranch_destroy run a loop of one's own once more, so that it
 * closes what was on it. Errors: ANABRANCH_INVALID (it has one), ANABRANCH_NO_MEMORY. */
enum anabranch_code anabranch_attach(struct anabranch *dispatcher,
        const struct anabranch_loop_options *options, struct anabranch_error *err) ANABRANCH_MUST_USE_;

#ifdef __cplusplus
}
#endif

#endif
