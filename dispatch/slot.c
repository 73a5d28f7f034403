/* dispatch/slot.c: one resource's way through a run: started, completed, failed, stood in for. */
#include "run_internal.h"
#include "share_internal.h"

#include <string.h>

static const struct ab_plan_part *slot_part(const struct ab_run *run, const struct ab_slot *slot)
{
	return &run->plan->parts[slot - run->slots];
}

static const char *slot_name(const struct ab_run *run, const struct ab_slot *slot)
{
	return slot_part(run, slot)->node.name;
}

/* ---- settling ---- */

static void slot_settle(struct ab_run *run, struct ab_slot *slot, enum ab_state state)
{
	slot->state = (uint8_t)state;
	run->settled[run->n_settled++] = (int)(slot - run->slots);
}

static void slot_done(struct ab_run *run, struct ab_slot *slot, json_t *value)
{
	slot->value = value;
	slot_settle(run, slot, DONE);
}

static struct ab_error *error_keep(struct ab_run *run, const struct ab_slot *slot, const struct ab_error *err)
{
	struct ab_error *copy = ab_arena_alloc(run->arena, sizeof(*copy));

	if (copy != NULL)
		*copy = *err;
	else
		ab_run_fail_memory(run, slot_name(run, slot));
	return copy;
}

/* Something stands in for what failed. False without memory for the cause: then the run has failed. */
static bool slot_degrade(struct ab_run *run, struct ab_slot *slot, const struct ab_error *err)
{
	if (slot->error != err)
		slot->error = error_keep(run, slot, err);
	if (slot->error == NULL)
		return false;
	slot->reason = ab_code_reason(err->code);
	run->any_degraded = true;
	return true;
}

bool ab_slot_as_json(const struct ab_run *run, struct ab_slot *slot, struct ab_error *err)
{
	if (slot->value == NULL && slot->text.data != NULL)
		slot->value = json_stringn(slot->text.data, slot->text.len);
	if (slot->value != NULL)
		return true;
	ab_error_set(err, AB_ENOMEM, "out of memory, or the text is not UTF-8");
	err->resource = slot_name(run, slot);
	return false;
}

bool ab_slot_copy_text(struct ab_slot *slot, const struct ab_slot *from)
{
	char *copy;

	if (from->text.data == NULL)
		return true;
	copy = malloc(from->text.len + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, from->text.data, from->text.len + 1);
	slot->text = from->text;
	slot->text.data = copy;
	return true;
}

/* ---- failure, step by step ---- */

/* No way out is left. A main slot ends the run; of the others only those that wait for it hear. */
static void slot_give_up(struct ab_run *run, struct ab_slot *slot, const struct ab_error *err)
{
	slot->error = error_keep(run, slot, err);
	if (slot->error == NULL)
		return;
	slot_settle(run, slot, FAILED);
	if (slot->main)
		ab_run_fail(run, err);
}

static void slot_optional(struct ab_run *run, struct ab_slot *slot, const struct ab_error *err)
{
	if (!slot_part(run, slot)->node.resource->optional) {
		slot_give_up(run, slot, err);
		return;
	}
	if (slot_degrade(run, slot, err))
		slot_done(run, slot, json_null());
}

/* The fallback resource has a value: it is this slot's too. */
static void slot_backed(struct ab_run *run, struct ab_slot *slot, struct ab_slot *backup)
{
	if (!ab_slot_copy_text(slot, backup)) {
		ab_run_fail_memory(run, slot_name(run, slot));
		return;
	}
	slot->backed = true;
	if (slot_degrade(run, slot, slot->error))
		slot_done(run, slot, json_incref(backup->value));
}

/* The client learns how the resource itself failed, by code and status; the text tells both. */
void ab_slot_backup_failed(struct ab_run *run, struct ab_slot *slot, const struct ab_error *why)
{
	const char *backup = slot_part(run, slot)->node.resource->fallback_resource;
	const struct ab_error *first = slot->error;
	struct ab_error err;

	if (why->resource == NULL || strcmp(why->resource, backup) == 0)
		ab_error_set(
		        &err, first->code, "%s; fallback resource '%s': %s", first->text, backup, why->text);
	else
		ab_error_set(&err, first->code, "%s; fallback resource '%s': resource '%s': %s", first->text,
		        backup, why->resource, why->text);
	err.status = first->status;
	err.message = first->message;
	err.field = first->field;
	err.resource = slot_name(run, slot);
	slot_optional(run, slot, &err);
}

/* A node that a fallback needs can't be had, nor then can those that need it. `err` lives in the arena. */
static void slot_doom(struct ab_run *run, struct ab_slot *slot, struct ab_error *err)
{
	slot->error = err;
	slot_settle(run, slot, FAILED);
}

static void slot_refuse(struct ab_run *run, struct ab_slot *slot, const char *why)
{
	struct ab_error err, *copy;

	ab_error_set(&err, AB_EINVALID, "%s", why);
	err.resource = slot_name(run, slot);
	copy = error_keep(run, slot, &err);
	if (copy != NULL)
		slot_doom(run, slot, copy);
}

/* Whether a fallback that needs this node has to ask for it: nobody has, or only for a later phase. */
static bool slot_dormant(const struct ab_run *run, int index)
{
	const struct ab_slot *slot = &run->slots[index];

	return slot->state == IDLE || (slot->state == WAITING && run->phases[index] > run->phase);
}

static void slot_wake(struct ab_run *run, int index)
{
	const struct ab_plan_part *part = &run->plan->parts[index];
	struct ab_slot *slot = &run->slots[index];

	run->phases[index] = run->phase;
	if (slot->state == WAITING) { /* a main one, of a later phase */
		run->left++;
		return;
	}
	slot->state = WAITING;
	run->waits[index] = 0;
	for (size_t i = 0; i < part->node.n_needs; i++)
		run->waits[index] += run->slots[part->node.needs[i]].state != DONE;
	if (part->source != AB_SOURCE_RESOURCE)
		slot_refuse(run, slot, "it is not given");
	else if (part->node.resource->writes)
		slot_refuse(run, slot, "it writes, which a fallback may not begin");
}

/* Ask for a fallback resource and for what it needs. A node is woken when it is put on the stack, so only
 * once. */
static void run_activate(struct ab_run *run, int index)
{
	int *stack = run->stack;
	size_t depth = 0;

	if (stack == NULL)
		stack = run->stack = ab_arena_alloc(run->arena, run->plan->count * sizeof(*stack));
	if (stack == NULL) {
		ab_run_fail_memory(run, run->plan->parts[index].node.name);
		return;
	}
	if (slot_dormant(run, index)) {
		slot_wake(run, index);
		stack[depth++] = index;
	}
	while (depth > 0) {
		int at = stack[--depth];
		const struct ab_plan_node *node = &run->plan->parts[at].node;

		for (size_t i = 0; i < node->n_needs && run->slots[at].state == WAITING; i++) {
			int need = node->needs[i];

			if (slot_dormant(run, need)) {
				slot_wake(run, need);
				stack[depth++] = need;
			}
			if (run->slots[need].state == FAILED)
				slot_doom(run, &run->slots[at], run->slots[need].error);
		}
		if (run->slots[at].state == WAITING && run->waits[at] == 0)
			ab_run_make_ready(run, at);
	}
}

static void slot_fall_back(struct ab_run *run, struct ab_slot *slot, const struct ab_error *err)
{
	int index = slot_part(run, slot)->node.fallback;
	struct ab_slot *backup = &run->slots[index];

	slot->error = error_keep(run, slot, err);
	if (slot->error == NULL)
		return;
	slot->state = BACKUP;
	if (backup->state == DONE)
		slot_backed(run, slot, backup);
	else if (backup->state == FAILED)
		ab_slot_backup_failed(run, slot, backup->error);
	else
		run_activate(run, index);
}

/* The error handlers of the resource's dispatcher, then of those that include it. True: one gave a value, or
 * the run is over. */
static bool slot_ask_hooks(struct ab_run *run, struct ab_slot *slot, struct ab_error *err)
{
	const struct ab_plan_part *part = slot_part(run, slot);

	for (size_t i = 0; i < part->n_hooks; i++) {
		json_t *value = NULL;
		enum ab_verdict verdict =
		        part->hooks[i].fn(part->hooks[i].arg, part->node.resource, err, &value);

		if (run->finished || verdict != AB_GIVE || value == NULL) {
			json_decref(value);
			if (run->finished)
				return true;
			if (verdict == AB_GIVE)
				ab_error_set(err, AB_ENOMEM, "out of memory");
			continue;
		}
		slot_done(run, slot, value);
		return true;
	}
	return false;
}

void ab_slot_fail(struct ab_run *run, struct ab_slot *slot, const struct ab_error *why)
{
	const struct ab_resource *resource = slot_part(run, slot)->node.resource;
	struct ab_error err = *why;

	err.resource = resource->name;
	if (err.code == AB_EMISSING)
		err.status = resource->missing_status;
	if (slot_ask_hooks(run, slot, &err))
		return;
	err.resource = resource->name;
	if (err.code == AB_OK || err.code == AB_PENDING)
		err.code = AB_EINTERNAL;
	if (err.code == AB_EMISSING && resource->missing == AB_MISSING_NULL) {
		slot_done(run, slot, json_null());
	} else if (resource->fallback != NULL) {
		if (slot_degrade(run, slot, &err))
			slot_done(run, slot, json_incref(resource->fallback));
	} else if (resource->fallback_resource != NULL) {
		slot_fall_back(run, slot, &err);
	} else {
		slot_optional(run, slot, &err);
	}
}

/* ---- those who wait ---- */

static void slot_count_down(struct ab_run *run, int index)
{
	if (run->slots[index].state == WAITING && --run->waits[index] == 0 &&
	        run->phases[index] <= run->phase)
		ab_run_make_ready(run, index);
}

void ab_slot_announce(struct ab_run *run, int index)
{
	const struct ab_plan_part *part = &run->plan->parts[index];
	struct ab_slot *slot = &run->slots[index];
	bool done = slot->state == DONE;

	for (size_t i = 0; i < part->dependents.count; i++) {
		struct ab_slot *other = &run->slots[part->dependents.list[i]];

		if (done)
			slot_count_down(run, part->dependents.list[i]);
		else if (other->state == WAITING && !other->main)
			slot_doom(run, other, slot->error);
	}
	if (slot->main) {
		/* A write has counted the main ones only, whatever a fallback woke since. */
		for (size_t i = 0; i < part->before.count; i++)
			slot_count_down(run, part->before.list[i]);
		if (run->phases[index] <= run->phase)
			run->left--;
	}
	for (size_t i = 0; i < part->owners.count && !run->finished; i++) {
		struct ab_slot *owner = &run->slots[part->owners.list[i]];

		if (owner->state != BACKUP)
			continue;
		if (done)
			slot_backed(run, owner, slot);
		else
			ab_slot_backup_failed(run, owner, slot->error);
	}
}

/* ---- calls ---- */

static void value_drop(void *ptr)
{
	json_decref(ptr);
}

/* What `degraded` is to this node; kept until the arena ends. */
static json_t *call_degraded(struct ab_run *run, int index)
{
	json_t *value;

	if (!run->any_degraded && run->inherited == NULL)
		return run->plan->none_degraded;
	value = ab_run_degraded(run, index);
	if (value != NULL && ab_arena_defer(run->arena, value_drop, value))
		return value;
	ab_run_fail_memory(run, run->plan->parts[index].node.name);
	return NULL;
}

/* The values of the needs, in their order. */
static bool call_fill(struct ab_run *run, int index, json_t **values)
{
	const struct ab_plan_node *node = &run->plan->parts[index].node;
	struct ab_error err;

	for (size_t i = 0; i < node->n_needs; i++) {
		struct ab_slot *need = &run->slots[node->needs[i]];

		if (AB_UNLIKELY(need->value == NULL)) {
			if (node->needs[i] == run->plan->degraded) {
				values[i] = call_degraded(run, index);
				if (values[i] == NULL)
					return false;
				continue;
			}
			if (!ab_slot_as_json(run, need, &err)) {
				ab_run_fail(run, &err);
				return false;
			}
		}
		values[i] = need->value;
	}
	return true;
}

/* Writes are left to finish. A handler is never told from inside its own start, but right after. */
static void call_cancel(struct ab_slot *slot)
{
	const struct ab_resource *resource = slot->call.resource;

	if (resource->writes || resource->handler->cancel == NULL)
		return;
	if (slot->call.read == NULL || ab_share_leave(&slot->call))
		resource->handler->cancel(&slot->call);
}

void ab_slot_cancel(struct ab_run *run, struct ab_slot *slot, const struct ab_error *why)
{
	slot->unwanted = true;
	if (run->observer.ended != NULL)
		run->observer.ended(run->observer.arg, (int)(slot - run->slots), why);
	if (!slot->starting)
		call_cancel(slot);
}

void ab_slot_start(struct ab_run *run, int index)
{
	const struct ab_plan_part *part = &run->plan->parts[index];
	struct ab_slot *slot = &run->slots[index];
	json_t **values = run->values + part->needs_at;

	if (!call_fill(run, index, values))
		return;
	if (part->node.resource->conditional && json_is_false(values[part->node.n_needs - 1])) {
		slot_done(run, slot, json_null());
		return;
	}
	slot->call = (struct ab_call){
	        .run = run,
	        .resource = part->node.resource,
	        .arena = run->arena,
	        .context = run->context,
	        .needs = values,
	};
	slot->state = RUNNING;
	slot->in_flight = true;
	slot->starting = true;
	run->outstanding++;
	if (!run->held) {
		run->held = true;
		ab_arena_ref(run->arena);
	}
	if (run->observer.started != NULL)
		run->observer.started(run->observer.arg, index);
	part->node.resource->handler->start(&slot->call);
	slot->starting = false;
	if (AB_UNLIKELY(slot->unwanted && slot->in_flight))
		call_cancel(slot);
}

/* The handler has completed the call. False: nobody wants the result any more. */
static bool call_end(struct ab_run *run, struct ab_slot *slot, const struct ab_error *err)
{
	ab_assert(slot->in_flight);
	slot->in_flight = false;
	run->outstanding--;
	if (!slot->unwanted && run->observer.ended != NULL)
		run->observer.ended(run->observer.arg, (int)(slot - run->slots), err);
	return !slot->unwanted && !run->finished;
}

static void call_end_memory(struct ab_run *run, struct ab_slot *slot)
{
	struct ab_error err;

	ab_error_set(&err, AB_ENOMEM, "out of memory");
	err.resource = slot_name(run, slot);
	if (call_end(run, slot, &err))
		ab_slot_fail(run, slot, &err);
}

static void call_resolve(struct ab_call *call, json_t *value)
{
	struct ab_slot *slot = ab_container_of(call, struct ab_slot, call);
	struct ab_run *run = call->run;

	ab_run_enter(run);
	if (value == NULL)
		call_end_memory(run, slot);
	else if (call_end(run, slot, NULL))
		slot_done(run, slot, value);
	else
		json_decref(value);
	ab_run_leave(run);
}

static void call_fail(struct ab_call *call, const struct ab_error *err)
{
	struct ab_slot *slot = ab_container_of(call, struct ab_slot, call);
	struct ab_run *run = call->run;

	ab_run_enter(run);
	if (call_end(run, slot, err))
		ab_slot_fail(run, slot, err);
	ab_run_leave(run);
}

/* A call that leads a read: its followers hear after it. */
static void call_resolve_for_all(struct ab_call *call, json_t *value)
{
	struct ab_read *read;
	struct ab_error err;

	ab_error_set(&err, AB_ENOMEM, "out of memory");
	read = ab_share_end(call, value, &err);
	if (read != NULL)
		json_incref(value);
	call_resolve(call, value);
	if (read == NULL)
		return;
	ab_share_tell(read, value, &err);
	json_decref(value);
}

void ab_call_resolve_new(struct ab_call *call, json_t *value)
{
	if (AB_LIKELY(call->read == NULL))
		call_resolve(call, value);
	else
		call_resolve_for_all(call, value);
}

void ab_call_fail(struct ab_call *call, const struct ab_error *err)
{
	struct ab_read *read = call->read != NULL ? ab_share_end(call, NULL, err) : NULL;
	struct ab_error copy;

	if (AB_LIKELY(read == NULL)) {
		call_fail(call, err);
		return;
	}
	copy = *err; /* which may be the call's own */
	call_fail(call, err);
	ab_share_tell(read, NULL, &copy);
}

void ab_call_resolve_text(struct ab_call *call, const struct ab_text *text)
{
	struct ab_slot *slot = ab_container_of(call, struct ab_slot, call);
	struct ab_run *run = call->run;

	if (AB_UNLIKELY(call->read != NULL)) {
		ab_call_resolve_new(call, text->data != NULL ? json_stringn(text->data, text->len) : NULL);
		free(text->data);
		return;
	}
	ab_run_enter(run);
	if (text->data == NULL) {
		call_end_memory(run, slot);
	} else if (call_end(run, slot, NULL)) {
		slot->text = *text;
		slot_settle(run, slot, DONE);
	} else {
		free(text->data);
	}
	ab_run_leave(run);
}

void ab_call_resolve_degraded_new(struct ab_call *call, json_t *value, const struct ab_error *cause)
{
	struct ab_slot *slot = ab_container_of(call, struct ab_slot, call);
	struct ab_run *run = call->run;

	ab_assert(call->read == NULL);
	ab_run_enter(run);
	if (value == NULL)
		call_end_memory(run, slot);
	else if (!call_end(run, slot, NULL))
		json_decref(value);
	else if (slot_degrade(run, slot, cause))
		slot_done(run, slot, value);
	else
		json_decref(value);
	ab_run_leave(run);
}

void ab_call_resolve_degraded_text(
        struct ab_call *call, const struct ab_text *text, const struct ab_error *cause)
{
	struct ab_slot *slot = ab_container_of(call, struct ab_slot, call);
	struct ab_run *run = call->run;

	ab_assert(call->read == NULL);
	ab_run_enter(run);
	if (text->data == NULL) {
		call_end_memory(run, slot);
	} else if (call_end(run, slot, NULL) && slot_degrade(run, slot, cause)) {
		slot->text = *text;
		slot_settle(run, slot, DONE);
	} else {
		free(text->data);
	}
	ab_run_leave(run);
}
