/* handlers/native.h: kind `native`: what a C function of a module returns (dispatch/anabranch.h).
 *
 * A module's functions are resources without an entry in any file; an entry {native: NAME} gives one generic
 * keys, or another name. */
#ifndef AB_NATIVE_H
#define AB_NATIVE_H

#include "../dispatch/function.h"
#include "function_job.h"
#include "kind.h"

/* What the functions of one module have for themselves in one worker. */
struct ab_native_module {
	const char *path;
	struct ab_home *home; /* the worker's end of the threads for those that block; NULL: none does */
	/* What CALLS announces: the plan for each. */
	struct ab_native_call {
		const struct anabranch_function *announced;
		struct ab_plan *plan;
	} * calls;
	size_t n_calls;
};

/* One function, as a kind's compile finds it. Both outlive what is compiled from them. */
struct ab_native {
	const struct anabranch_function *function;
	struct ab_native_module *module;
};

enum {
	AB_NATIVE_THREADS = 8,       /* a process, for functions that block */
	AB_NATIVE_SLOW_MS = 50,      /* of a function that answers at once: worth a word to its developer */
	AB_NATIVE_QUEUE = 1000,      /* calls that may wait for one */
	AB_NATIVE_TIMEOUT_MS = 5000, /* of what does not answer at once, where the resource has none */
};

/* For all workers of a process. NULL when out of memory. */
struct ab_threads *ab_native_threads(void);

/* Compile the plans for what the module's CALLS announce, once all resources are in `dispatcher`. */
bool ab_native_link(
        struct ab_native_module *module, const struct ab_dispatcher *dispatcher, struct ab_diags *diags);
void ab_native_module_fini(struct ab_native_module *module);

/* The function that runs on this thread just now, or NULL. For signal handlers too. */
const struct anabranch_function *ab_native_running(void);

extern const struct ab_kind ab_kind_native;

#endif
