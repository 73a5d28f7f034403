/* dispatch/function.h: resources whose value a C function gives, between anabranch.h and the engine.
 *
 * The library (library.c) and the kind `native` of an app file stand on this. A config of such a resource
 * begins with a struct ab_function. */
#ifndef AB_FUNCTION_H
#define AB_FUNCTION_H

#define ANABRANCH_NO_MODULE
#define ANABRANCH_NO_SHORT_NAMES
#include "anabranch.h"
#include "run.h"

#include <stdatomic.h>

struct ab_function {
	struct anabranch_function spec; /* its strings are the module's or the owner's */
	const struct anabranch_host *host;
	bool checked; /* search results for references that were borrowed */
	bool (*text_valid)(const char *data, size_t len); /* or NULL: texts are not looked at */
	/* Told which function runs on this thread; gives back which did before. NULL: nobody wants to know.
	 */
	const struct ab_function *(*enter)(const struct ab_function *now);
};

/* A call of a function: what it is handed, and what is kept for it. Of an asynchronous one in memory of its
 * own, since it may outlive the run; else on the stack or in a job. */
struct ab_function_call {
	struct anabranch_call public;
	struct ab_call *call; /* NULL once the engine does not wait any more */
	const struct ab_function *function;
	struct ab_function copy;     /* of an asynchronous one: the resource may go first */
	const atomic_bool *unwanted; /* of a job on another thread, or NULL */
	void (*cancel)(struct anabranch_call *call, void *state);
	void *state;
	struct ab_nested *nested; /* what it resolves meanwhile */
	struct ab_error
	        *degraded; /* why something of that is not what it should be, or NULL; in the run's arena */
	json_t **kept;     /* the needs, once abandoned */
	unsigned busy;     /* inside a function of its own: not to be freed */
	bool cancelled, completed, abandoned;
};

/* What a function came to, in the engine's terms: a value, a text, or (both empty) an error, whose message
 * and field are malloc'ed. */
struct ab_outcome {
	json_t *value;
	struct ab_text text;
	struct ab_error err;
	char *message, *field;
};

/* Call it. Any thread. */
struct anabranch_result ab_function_invoke(const struct ab_function *function, struct anabranch_call *call);
/* Take a result apart; consumes it. `needs`: what the function was handed. Any thread. */
void ab_function_judge(const struct ab_function *function, const json_t *const *needs,
        struct anabranch_result *result, struct ab_outcome *ret);
/* Complete a call with it; consumes it. `degraded`: why it counts as degraded, or NULL. */
void ab_outcome_settle(struct ab_call *call, struct ab_outcome *outcome, const struct ab_error *degraded);

/* Call a function that answers at once, and complete `call`. `needs`: one for each of the function's. */
void ab_function_run(struct ab_call *call, const struct ab_function *function, const json_t *const *needs);
/* Call an asynchronous one. Uses call->state. Behind its struct ab_function_call are `extra` bytes for the
 * host, zeroed; `prepare` fills them before the function is called. Both may be none. */
void ab_function_begin(struct ab_call *call, const struct ab_function *function, const json_t *const *needs,
        size_t extra, void (*prepare)(struct ab_function_call *inner));
static inline void *ab_function_extra(struct ab_function_call *inner)
{
	return inner + 1;
}
/* For ab_handler.cancel of asynchronous ones. */
void ab_function_cancel(struct ab_call *call);
/* The same; whether the call has completed, and is gone. */
bool ab_function_end(struct ab_call *call);

/* A cancelled call has not been completed for too long: complete it for the engine, and keep what the
 * function may still use until it completes the call after all. False without memory for that: it goes on as
 * it was. */
bool ab_function_abandon(struct ab_function_call *inner);

/* For hosts' tables. */
void ab_function_complete(struct anabranch_call *call, const struct anabranch_result *result);
int ab_function_wanted(const struct anabranch_call *call);
static inline struct ab_function_call *ab_function_call_of(struct anabranch_call *call)
{
	return ab_container_of(call, struct ab_function_call, public);
}

/* ---- resolving something in the middle of a call (function_nested.c) ---- */

/* Run `plan`, borrowed until `done`, for its slot `target`; `given`, taken, may be NULL. In the arena of the
 * call's run. `done` as anabranch_resolve has it. */
void ab_function_nest(struct ab_function_call *call, const struct ab_plan *plan, const char *target,
        void *context, json_t *given, anabranch_resolved_cb done, void *arg);
/* Tell `done` that it can't be had. */
void ab_function_refuse(
        struct ab_function_call *call, const struct ab_error *err, anabranch_resolved_cb done, void *arg);
/* End all of them; each `done` hears of it. */
void ab_function_unnest(struct ab_function_call *call);

/* ---- errors, both ways ---- */

void ab_error_publish(struct anabranch_error *ret, const struct ab_error *err);
/* A status from 400 to 599 as a code. */
enum ab_code ab_status_code(int status);

/* [A-Za-z_][A-Za-z0-9_]* */
bool ab_function_name_valid(const char *name);

#endif
