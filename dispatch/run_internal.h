/* dispatch/run_internal.h: a run and its slots, shared by run.c (from start to end) and slot.c (one
 * resource's way).
 *
 *   slot:  IDLE --demanded--> WAITING --needs there--> RUNNING --value---> DONE
 *                                |                        |                 ^
 *                                `--expired--> failure <--`                 |
 *                                                 |`--error handler, null, fallback, optional
 *                                                 |`--fallback resource--> BACKUP --its value--^
 *                                                 `--nothing helps--> FAILED
 *
 * A slot that gets to DONE or FAILED enters the queue `settled`. One loop (run_drain) tells those that wait
 * for it, starts what has become ready, lowest index first, and so comes to the end. Nothing recurses: a
 * handler that completes inside start only adds to the queue.
 *
 * Every way in is bracketed by ab_run_enter and ab_run_leave. The outermost leave calls `done` and lets the
 * arena go, so neither happens while the engine still has work to do with the run. */
#ifndef AB_DISPATCH_RUN_INTERNAL_H
#define AB_DISPATCH_RUN_INTERNAL_H

#include "internal.h"

enum ab_state { IDLE, WAITING, RUNNING, BACKUP, DONE, FAILED };

struct ab_slot {
	struct ab_call call;
	json_t *value;          /* once DONE, unless it is a text nobody has needed as JSON */
	struct ab_text text;    /* data NULL: none */
	struct ab_error *error; /* in BACKUP and FAILED, and where it is degraded; in the arena */
	const char *reason;     /* why it is degraded, or NULL */
	uint8_t state;
	bool main;      /* demanded from the start; its failure is the run's */
	bool in_flight; /* its handler has yet to complete the call */
	bool starting;  /* inside its handler's start */
	bool unwanted;  /* cancelled or expired: drop what comes */
	bool backed;    /* the value is the fallback resource's */
	uint8_t mark;   /* scratch: used on the way to the targets */
};

struct ab_inherited {
	struct ab_inherited *next;
	const char *name, *reason;
	const struct ab_error *cause;
};

struct ab_run {
	const struct ab_plan *plan;
	struct ab_arena *arena;
	void *context;
	struct ab_slot *slots;
	uint32_t *phases, *waits;
	json_t **values; /* what calls get as needs, all nodes' in one */
	int *settled;    /* queue; a slot enters at most once */
	int *stack;      /* scratch of run_activate, made when first needed */
	uint64_t *given, *ready;
	size_t n_settled, next_settled;
	size_t n_ready, lowest_ready;
	size_t left; /* main slots of this phase that have not settled */
	size_t outstanding;
	uint32_t phase;
	unsigned depth; /* of run_enter */
	enum ab_code result;
	bool started, finished;
	bool pruned; /* a resource is given: the plan's own idea of demand does not hold */
	bool no_memory;
	bool held; /* a reference to the arena, while calls are outstanding */
	bool any_degraded;
	struct ab_inherited *inherited; /* in the earlier run's order */
	ab_run_cb done;
	void *done_arg;
	struct ab_observer observer;
	struct ab_error error;
};

/* ---- run.c ---- */

void ab_run_enter(struct ab_run *run);
void ab_run_leave(struct ab_run *run);
/* The first failure decides; harmless on a finished run. */
void ab_run_fail(struct ab_run *run, const struct ab_error *err);
void ab_run_fail_memory(struct ab_run *run, const char *resource);
void ab_run_make_ready(struct ab_run *run, int index);
/* A new object of what is degraded among what node `index` rests on, or (-1) all targets; what an earlier run
 * handed down is always in it. NULL when out of memory. */
json_t *ab_run_degraded(struct ab_run *run, int index);

/* ---- slot.c ---- */

/* All needs are there: call the handler. */
void ab_slot_start(struct ab_run *run, int index);
/* Tell those that wait for a slot that it has settled. */
void ab_slot_announce(struct ab_run *run, int index);
/* Stop wanting a call in flight. */
void ab_slot_cancel(struct ab_run *run, struct ab_slot *slot, const struct ab_error *why);
/* A resource failed: error handlers, null, fallbacks, optional, and at last failure. */
void ab_slot_fail(struct ab_run *run, struct ab_slot *slot, const struct ab_error *why);
/* While its fallback resource was on the way, its time ran out. */
void ab_slot_backup_failed(struct ab_run *run, struct ab_slot *slot, const struct ab_error *why);
/* Give `slot` a text like that of `from`, which keeps its own; fine when that has none. False without memory.
 */
bool ab_slot_copy_text(struct ab_slot *slot, const struct ab_slot *from);
/* Make slot->value of a text. False when that fails, with *err filled. */
bool ab_slot_as_json(const struct ab_run *run, struct ab_slot *slot, struct ab_error *err);

#endif
