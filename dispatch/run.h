/* dispatch/run.h: one evaluation of a plan, for one request.
 *
 * Ownership: the run lives in the arena and ends with it. It holds the arena while any call is outstanding,
 * so a write left to finish keeps its memory. The plan is borrowed and must outlive the arena. Values are
 * shared and read-only once resolved. One thread a run. The engine has no clock and no loop: whoever owns the
 * timers calls ab_run_expire. */
#ifndef AB_RUN_H
#define AB_RUN_H

#include "plan.h"

typedef void (*ab_run_cb)(struct ab_run *run, void *arg);

/* A run of `plan`; nothing starts yet. `context` is handed to handlers in ab_call. NULL when out of memory.
 */
AB_NODISCARD struct ab_run *ab_run_create(struct ab_arena *arena, const struct ab_plan *plan, void *context);

/* Give the value of a slot before the start; steals `value` (NULL counts as out of memory and fails the
 * start). */
void ab_run_give_new(struct ab_run *run, int slot, json_t *value);

/* Take over the values an earlier run of another plan has resolved for the same resources and names, so that
 * an error page does not fetch again; what has been given before wins. Texts are copied. What failed there
 * counts as failed here, as does a write that has begun and not ended; what was cancelled may be fetched.
 * What was degraded there is degraded here. Before the start; `from` has ended. */
void ab_run_inherit(struct ab_run *run, const struct ab_run *from);

/* Start. AB_OK: finished already, successfully; `done` never runs. AB_PENDING: `done` runs exactly once,
 * later, never from inside this call. Anything else: failed already (see ab_run_error), `done` never runs. */
AB_NODISCARD enum ab_code ab_run_start(struct ab_run *run, ab_run_cb done, void *arg);

/* Stop wanting the result: fetches in flight are cancelled, writes left to finish. `done` does not run
 * afterwards. Harmless on a finished run. */
void ab_run_cancel(struct ab_run *run);

/* Time is up. resource NULL: for the whole run, which fails with AB_ETIMEOUT and calls `done`. Otherwise for
 * that resource: its call is cancelled and it fails with AB_ETIMEOUT (its fallback and so on apply), also
 * when it has not started yet, or when it waits for its fallback resource, which then has failed. A write's
 * call is left to finish. Harmless when the resource has its value, or the run has ended. */
void ab_run_expire(struct ab_run *run, const struct ab_resource *resource);

/* After the end. */
enum ab_code ab_run_result(const struct ab_run *run); /* AB_OK, AB_PENDING while going on, or error */
const struct ab_error *ab_run_error(const struct ab_run *run); /* the first failure in time; NULL if none */
/* The value of a slot, borrowed; a text becomes a json string here. NULL when unresolved or out of memory. */
json_t *ab_run_value(struct ab_run *run, int slot);
/* The rendered text of a slot, or NULL when it is not a text. Borrowed. */
const struct ab_text *ab_run_text(const struct ab_run *run, int slot);
/* Take the text's bytes (free them with free()); the slot must be a text. Nothing else may use the slot
 * after. */
char *ab_run_take_text(struct ab_run *run, int slot);
/* Calls still outstanding, e.g. writes left to finish. */
size_t ab_run_outstanding(const struct ab_run *run);

/* A degraded resource: the reason is a short word (ab_code_reason), as in the value `degraded`; the cause is
 * what the log should know. Both live as long as the arena. */
typedef void (*ab_degraded_cb)(void *arg, const char *name, const char *reason, const struct ab_error *cause);
/* Degraded resources: those inherited, then in plan order what the targets rest on. */
void ab_run_each_degraded(const struct ab_run *run, ab_degraded_cb fn, void *arg);

/* Sees each call start and end, once each; for timings. Set before the start; `ended` with a NULL error means
 * success, AB_ECANCELED that the call was cancelled. A write left to finish ends after the run, so `arg` must
 * live as long as the arena. Neither function may call into the run. */
struct ab_observer {
	void (*started)(void *arg, int slot);
	void (*ended)(void *arg, int slot, const struct ab_error *err);
	void *arg;
};
void ab_run_observe(struct ab_run *run, const struct ab_observer *observer);

const struct ab_plan *ab_run_plan(const struct ab_run *run);
struct ab_arena *ab_run_arena(const struct ab_run *run);

#endif
