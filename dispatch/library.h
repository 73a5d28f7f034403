/* dispatch/library.h: what library.c and callable.c share, and what they show to the part that knows an event
 * loop (handlers/library_uv.c). */
#ifndef AB_LIBRARY_H
#define AB_LIBRARY_H

#include "function.h"

/* What an attached loop does for a dispatcher. */
struct ab_library_loop {
	void *loop;                                 /* as anabranch_loop gives it */
	void (*turn)(struct anabranch *dispatcher); /* wait for something to happen, and let it */
	/* A blocking function, away from the loop's thread. */
	void (*offload)(
	        struct anabranch *dispatcher, struct ab_call *call, const struct ab_function *function);
	void (*cancel)(struct ab_call *call);
	void (*detach)(struct anabranch *dispatcher);
};

/* An error handler, as it was added. */
struct ab_library_hook {
	struct ab_library_hook *next;
	anabranch_error_cb fn;
	void *arg;
};

struct anabranch {
	struct ab_dispatcher *dispatcher;
	struct ab_library_hook *hooks, **hooks_tail;
	struct ab_library_loop *loop;
	struct ab_pool pool;
	bool checked;
};

/* What a caller holds of a run; in the run's arena. */
struct anabranch_run {
	struct anabranch_callable *callable;
	struct anabranch *top;
	struct ab_run *run;
	struct ab_arena *arena;
	anabranch_done_cb done;
	void *arg;
};

/* NULL: none. */
struct ab_library_loop *ab_library_loop(struct anabranch *dispatcher);
void ab_library_set_loop(struct anabranch *dispatcher, struct ab_library_loop *loop);
/* The dispatcher whose callable began the run that this call belongs to. */
struct anabranch *ab_library_top(const struct ab_call *call);

/* ---- library.c ---- */

/* Tell what went wrong; `ret` may be NULL. */
enum anabranch_code ab_library_failed(struct anabranch_error *ret, const struct ab_error *err);
enum anabranch_code ab_library_no_memory(struct anabranch_error *ret);
enum anabranch_code ab_library_invalid(struct anabranch_error *ret, const char *fmt, ...) AB_PRINTF(2, 3);
/* Add a function to a dispatcher of the engine, as `owner` would. */
enum anabranch_code ab_library_add(struct anabranch *owner, struct ab_dispatcher *to,
        const struct anabranch_function *function, struct anabranch_error *err);
/* Ask one error handler; `arg` is its struct ab_library_hook. An ab_error_cb. */
enum ab_verdict ab_library_ask(
        void *arg, const struct ab_resource *resource, struct ab_error *err, json_t **ret_value);

#endif
