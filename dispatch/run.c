/* dispatch/run.c: one evaluation of a plan, from its creation to its end. */
#include "run_internal.h"

#include <string.h>

static void run_fini(void *ptr)
{
	struct ab_run *run = ptr;

	for (size_t i = 0; i < run->plan->count; i++) {
		json_decref(run->slots[i].value);
		free(run->slots[i].text.data);
	}
}

static size_t pad(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

/* One piece of memory for all of it. */
struct ab_run *ab_run_create(struct ab_arena *arena, const struct ab_plan *plan, void *context)
{
	size_t count = plan->count, bits = plan->words * sizeof(uint64_t);
	size_t fixed = pad(sizeof(struct ab_run)), slots = count * sizeof(struct ab_slot);
	size_t values = plan->n_needs * sizeof(json_t *), numbers = count * sizeof(uint32_t);
	unsigned char *at = ab_arena_alloc(arena, fixed + slots + values + 2 * bits + 3 * numbers);
	struct ab_run *run = (struct ab_run *)at;

	if (at == NULL)
		return NULL;
	memset(run, 0, offsetof(struct ab_run, error));
	run->plan = plan;
	run->arena = arena;
	run->context = context;
	run->result = AB_PENDING;
	run->slots = (struct ab_slot *)(at += fixed);
	run->values = (json_t **)(at += slots);
	run->given = (uint64_t *)(at += values);
	run->ready = (uint64_t *)(at += bits);
	run->phases = (uint32_t *)(at += bits);
	run->waits = (uint32_t *)(at += numbers);
	run->settled = (int *)(at + numbers);
	memset(run->slots, 0, slots);
	memcpy(run->given, plan->base_given, bits);
	memset(run->ready, 0, bits);
	if (plan->degraded >= 0)
		run->slots[plan->degraded].state = DONE;
	return ab_arena_defer(arena, run_fini, run) ? run : NULL;
}

/* ---- the end ---- */

/* Nothing starts after this. What is in flight is cancelled, writes go on. */
static void run_finish(struct ab_run *run, enum ab_code result)
{
	struct ab_error err;

	run->finished = true;
	run->result = result;
	if (run->outstanding == 0)
		return;
	ab_error_set(&err, AB_ECANCELED, "canceled");
	for (size_t i = 0; i < run->plan->count; i++) {
		struct ab_slot *slot = &run->slots[i];

		if (slot->in_flight && !slot->unwanted && !slot->call.resource->writes) {
			err.resource = slot->call.resource->name;
			ab_slot_cancel(run, slot, &err);
		}
	}
}

void ab_run_fail(struct ab_run *run, const struct ab_error *err)
{
	if (run->finished)
		return;
	run->error = *err;
	if (err->resource != NULL)
		ab_error_prefix(&run->error, "resource '%s'", err->resource);
	run_finish(run, err->code);
}

void ab_run_fail_memory(struct ab_run *run, const char *resource)
{
	struct ab_error err;

	ab_error_set(&err, AB_ENOMEM, "out of memory");
	err.resource = resource;
	ab_run_fail(run, &err);
}

/* ---- the loop ---- */

void ab_run_make_ready(struct ab_run *run, int index)
{
	size_t at = (size_t)index;

	if (run->n_ready == 0 || at < run->lowest_ready)
		run->lowest_ready = at;
	ab_bits_set(run->ready, at);
	run->n_ready++;
}

/* The ready slot that comes first in the plan; there is one. */
static int run_take_ready(struct ab_run *run)
{
	size_t word = run->lowest_ready / 64;
	size_t at;

	while (run->ready[word] == 0)
		word++;
	at = word * 64 + (size_t)__builtin_ctzll(run->ready[word]);
	run->ready[word] &= run->ready[word] - 1;
	run->lowest_ready = at;
	run->n_ready--;
	return (int)at;
}

static void run_phase(struct ab_run *run, uint32_t phase)
{
	run->phase = phase;
	for (size_t i = 0; i < run->plan->count; i++) {
		if (run->phases[i] != phase || run->slots[i].state == DONE)
			continue;
		run->left++;
		if (run->slots[i].state == WAITING && run->waits[i] == 0)
			ab_run_make_ready(run, (int)i);
	}
}

static void run_drain(struct ab_run *run)
{
	while (!run->finished) {
		if (run->next_settled < run->n_settled) {
			ab_slot_announce(run, run->settled[run->next_settled++]);
		} else if (run->n_ready > 0) {
			int index = run_take_ready(run);

			if (run->slots[index].state == WAITING) /* not expired meanwhile */
				ab_slot_start(run, index);
		} else if (run->left > 0) {
			ab_assert(run->outstanding > 0);
			return;
		} else if (run->phase < run->plan->n_guards) {
			run_phase(run, run->phase + 1);
		} else {
			run_finish(run, AB_OK);
		}
	}
}

void ab_run_enter(struct ab_run *run)
{
	run->depth++;
}

void ab_run_leave(struct ab_run *run)
{
	struct ab_arena *arena = NULL;
	ab_run_cb done = NULL;

	if (run->depth == 1 && run->started)
		run_drain(run);
	if (--run->depth > 0)
		return;
	if (run->held && run->outstanding == 0) {
		run->held = false;
		arena = run->arena;
	}
	if (run->finished) {
		done = run->done;
		run->done = NULL;
	}
	if (done != NULL)
		done(run, run->done_arg);
	if (arena != NULL)
		ab_arena_unref(arena);
}

/* ---- before the start ---- */

void ab_run_observe(struct ab_run *run, const struct ab_observer *observer)
{
	run->observer = *observer;
}

static void slot_give(struct ab_run *run, int index, json_t *value)
{
	struct ab_slot *slot = &run->slots[index];

	json_decref(slot->value);
	free(slot->text.data);
	slot->text = (struct ab_text){0};
	slot->value = value;
	slot->state = DONE;
	ab_bits_set(run->given, (size_t)index);
	if (run->plan->parts[index].source == AB_SOURCE_RESOURCE)
		run->pruned = true;
}

void ab_run_give_new(struct ab_run *run, int slot, json_t *value)
{
	ab_assert(!run->started);
	if (value == NULL)
		run->no_memory = true;
	else if (slot < 0 || (size_t)slot >= run->plan->count)
		json_decref(value);
	else
		slot_give(run, slot, value);
}

/* A resource that failed, or a write that has begun: it is not tried again. */
static void inherit_failure(struct ab_run *run, int index, const struct ab_slot *from)
{
	struct ab_slot *slot = &run->slots[index];

	slot->error = ab_arena_alloc(run->arena, sizeof(*slot->error));
	if (slot->error == NULL) {
		run->no_memory = true;
		return;
	}
	if (from->state == FAILED && from->error != NULL)
		*slot->error = *from->error;
	else
		ab_error_set(slot->error, AB_ECANCELED, "it was begun by the run before, which ended first");
	slot->error->resource = run->plan->parts[index].node.name;
	slot->state = FAILED;
	ab_bits_set(run->given, (size_t)index);
	run->pruned = true;
}

static void inherit_value(struct ab_run *run, int index, const struct ab_slot *from)
{
	struct ab_slot *slot = &run->slots[index];

	slot_give(run, index, json_incref(from->value));
	if (!ab_slot_copy_text(slot, from))
		run->no_memory = true;
}

static void inherit_slot(struct ab_run *run, int index, const struct ab_slot *from)
{
	if (from->state == FAILED || (from->state == RUNNING && from->call.resource->writes))
		inherit_failure(run, index, from);
	else if (from->state == DONE && (from->value != NULL || from->text.data != NULL))
		inherit_value(run, index, from);
}

static void inherit_degraded(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	struct ab_run *run = arg;
	struct ab_inherited *one = ab_arena_alloc(run->arena, sizeof(*one));
	struct ab_inherited **end = &run->inherited;

	if (one == NULL) {
		run->no_memory = true;
		return;
	}
	*one = (struct ab_inherited){.name = name, .reason = reason, .cause = cause};
	while (*end != NULL)
		end = &(*end)->next;
	*end = one;
}

void ab_run_inherit(struct ab_run *run, const struct ab_run *from)
{
	ab_assert(!run->started);
	for (size_t i = 0; i < from->plan->count; i++) {
		const struct ab_plan_node *node = &from->plan->parts[i].node;
		int index = ab_plan_slot(run->plan, node->name);

		if (index < 0 || run->slots[index].state != IDLE)
			continue;
		if (run->plan->parts[index].node.resource == node->resource)
			inherit_slot(run, index, &from->slots[i]);
	}
	ab_run_each_degraded(from, inherit_degraded, run);
}

/* ---- the start ---- */

/* Something the run can't do without is there, or can be had. */
static bool run_check(struct ab_run *run, int index)
{
	const struct ab_slot *slot = &run->slots[index];
	struct ab_error err;

	if (AB_LIKELY(slot->state == DONE || slot->state == WAITING))
		return true;
	if (slot->state == FAILED) {
		ab_run_fail(run, slot->error);
		return false;
	}
	ab_error_set(&err, AB_EINVALID, "'%s' is not given", run->plan->parts[index].node.name);
	ab_run_fail(run, &err);
	return false;
}

static bool run_check_list(struct ab_run *run, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!run_check(run, list[i]))
			return false;
	return true;
}

/* What there is to do. False: the run has failed already. */
static bool run_demand(struct ab_run *run)
{
	const struct ab_plan *plan = run->plan;

	if (run->no_memory) {
		ab_run_fail_memory(run, NULL);
		return false;
	}
	if (run->pruned) {
		ab_plan_prune(plan, run->given, run->phases, run->waits);
	} else {
		memcpy(run->phases, plan->phases, plan->count * sizeof(*run->phases));
		memcpy(run->waits, plan->waits, plan->count * sizeof(*run->waits));
	}
	for (size_t i = 0; i < plan->count; i++) {
		if (run->phases[i] == AB_NO_PHASE)
			continue;
		run->slots[i].main = true;
		run->slots[i].state = WAITING;
	}
	if (!run->pruned)
		return run_check_list(run, plan->inputs.list, plan->inputs.count);
	if (!run_check_list(run, plan->guards, plan->n_guards) ||
	        !run_check_list(run, plan->targets, plan->n_targets))
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		const struct ab_plan_node *node = &plan->parts[i].node;

		if (run->slots[i].main && !run_check_list(run, node->needs, node->n_needs))
			return false;
	}
	return true;
}

enum ab_code ab_run_start(struct ab_run *run, ab_run_cb done, void *arg)
{
	ab_assert(!run->started);
	run->started = true;
	if (run->finished)
		return run->result;
	ab_run_enter(run);
	if (run_demand(run)) {
		run_phase(run, 0);
		run_drain(run);
	}
	if (!run->finished) {
		run->done = done;
		run->done_arg = arg;
	}
	ab_run_leave(run);
	return run->result;
}

/* ---- from outside, while it goes on ---- */

void ab_run_cancel(struct ab_run *run)
{
	struct ab_error err;

	if (run->finished) {
		run->done = NULL;
		return;
	}
	ab_run_enter(run);
	run->done = NULL;
	ab_error_set(&err, AB_ECANCELED, "canceled");
	ab_run_fail(run, &err);
	ab_run_leave(run);
}

/* "the time is up, waiting for 'a', 'b' and 3 more" */
static void expire_text(const struct ab_run *run, struct ab_error *err)
{
	enum { SHOWN = 4 };
	size_t waiting = 0;

	ab_error_set(err, AB_ETIMEOUT, "the time is up");
	for (size_t i = 0; i < run->plan->count; i++) {
		const struct ab_slot *slot = &run->slots[i];

		if (!slot->in_flight || slot->unwanted)
			continue;
		if (++waiting <= SHOWN)
			ab_error_set(err, AB_ETIMEOUT, "%s%s '%s'", err->text,
			        waiting == 1 ? ", waiting for" : ",", slot->call.resource->name);
	}
	if (waiting > SHOWN)
		ab_error_set(err, AB_ETIMEOUT, "%s and %zu more", err->text, waiting - SHOWN);
}

static void slot_expire(struct ab_run *run, struct ab_slot *slot, const struct ab_error *err)
{
	switch ((enum ab_state)slot->state) {
	case RUNNING:
		ab_slot_cancel(run, slot, err);
		AB_FALLTHROUGH;
	case WAITING:
		if (!run->finished)
			ab_slot_fail(run, slot, err);
		return;
	case BACKUP:
		ab_slot_backup_failed(run, slot, err);
		return;
	case IDLE:
	case DONE:
	case FAILED:
		return;
	}
}

void ab_run_expire(struct ab_run *run, const struct ab_resource *resource)
{
	struct ab_error err;
	int index;

	if (run->finished)
		return;
	ab_run_enter(run);
	if (resource == NULL) {
		expire_text(run, &err);
		ab_run_fail(run, &err);
	} else if (run->started) {
		index = ab_plan_slot(run->plan, resource->name);
		ab_error_set(&err, AB_ETIMEOUT, "timed out");
		if (index >= 0 && run->plan->parts[index].node.resource == resource)
			slot_expire(run, &run->slots[index], &err);
	}
	ab_run_leave(run);
}

/* ---- what has become of it ---- */

/* Mark what node `index` (-1: all that was demanded) rests on: its needs, and fallback resources that stood
 * in. */
static void run_mark_used(const struct ab_run *run, int index)
{
	size_t count = index >= 0 ? (size_t)index + 1 : run->plan->count;

	for (size_t i = 0; i < count; i++)
		run->slots[i].mark = index >= 0 ? (int)i == index : run->slots[i].main;
	for (size_t i = count; i-- > 0;) {
		const struct ab_plan_node *node = &run->plan->parts[i].node;

		if (!run->slots[i].mark || ab_bits_get(run->given, i))
			continue;
		for (size_t j = 0; j < node->n_needs; j++)
			run->slots[node->needs[j]].mark = true;
		if (run->slots[i].backed)
			run->slots[node->fallback].mark = true;
	}
}

static void run_each_used(const struct ab_run *run, int index, ab_degraded_cb fn, void *arg)
{
	size_t count = index >= 0 ? (size_t)index : run->plan->count;

	for (const struct ab_inherited *one = run->inherited; one != NULL; one = one->next)
		fn(arg, one->name, one->reason, one->cause);
	if (!run->any_degraded)
		return;
	run_mark_used(run, index);
	for (size_t i = 0; i < count; i++)
		if (run->slots[i].mark && run->slots[i].reason != NULL)
			fn(arg, run->plan->parts[i].node.name, run->slots[i].reason, run->slots[i].error);
}

void ab_run_each_degraded(const struct ab_run *run, ab_degraded_cb fn, void *arg)
{
	run_each_used(run, -1, fn, arg);
}

static void degraded_add(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	json_t **object = arg;

	(void)cause;
	if (*object == NULL)
		return;
	if (json_object_set_new(*object, name, json_pack("{s:s}", "reason", reason)) != 0) {
		json_decref(*object);
		*object = NULL;
	}
}

json_t *ab_run_degraded(struct ab_run *run, int index)
{
	json_t *object = json_object();

	run_each_used(run, index, degraded_add, &object);
	return object;
}

enum ab_code ab_run_result(const struct ab_run *run)
{
	return run->result;
}

const struct ab_error *ab_run_error(const struct ab_run *run)
{
	return run->finished && run->result != AB_OK ? &run->error : NULL;
}

static struct ab_slot *run_done_slot(const struct ab_run *run, int slot)
{
	if (slot < 0 || (size_t)slot >= run->plan->count || run->slots[slot].state != DONE)
		return NULL;
	return &run->slots[slot];
}

json_t *ab_run_value(struct ab_run *run, int slot)
{
	struct ab_slot *done = run_done_slot(run, slot);
	struct ab_error err;

	if (done == NULL)
		return NULL;
	if (slot == run->plan->degraded && done->value == NULL)
		done->value = ab_run_degraded(run, -1);
	else if (!ab_slot_as_json(run, done, &err))
		return NULL;
	return done->value;
}

const struct ab_text *ab_run_text(const struct ab_run *run, int slot)
{
	const struct ab_slot *done = run_done_slot(run, slot);

	return done != NULL && done->text.data != NULL ? &done->text : NULL;
}

char *ab_run_take_text(struct ab_run *run, int slot)
{
	struct ab_slot *done = run_done_slot(run, slot);
	char *data;

	ab_assert(done != NULL && done->text.data != NULL);
	data = done->text.data;
	done->text.data = NULL;
	return data;
}

size_t ab_run_outstanding(const struct ab_run *run)
{
	return run->outstanding;
}

const struct ab_plan *ab_run_plan(const struct ab_run *run)
{
	return run->plan;
}

struct ab_arena *ab_run_arena(const struct ab_run *run)
{
	return run->arena;
}
