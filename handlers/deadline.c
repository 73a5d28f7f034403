/* handlers/deadline.c: one ring of entries and one libuv timer for each duration.
 *
 * The entries of a ring are in the order they expire, so the timer only ever waits for the first. Disarming
 * the first of several leaves the timer as it is: it fires early, finds nothing due and waits for the next.
 * An empty ring has a stopped timer, so that a loop with nothing armed can end. */
#include "deadline.h"

struct ab_deadline_queue {
	struct ab_deadline ring; /* the sentinel: next is the first to expire, prev the last */
	uint64_t ms;
	uv_timer_t timer;
	struct ab_deadline_queue *next; /* in the set */
};

struct ab_deadlines {
	uv_loop_t *loop;
	struct ab_deadline_queue *queues;
};

/* Far beyond any duration in use; keeps loop time plus a duration from wrapping. */
static const uint64_t deadline_max_ms = UINT64_C(1) << 48;

struct ab_deadlines *ab_deadlines_create(uv_loop_t *loop)
{
	struct ab_deadlines *deadlines = calloc(1, sizeof(*deadlines));

	if (deadlines != NULL)
		deadlines->loop = loop;
	return deadlines;
}

static void queue_on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void ab_deadlines_close(struct ab_deadlines *deadlines)
{
	struct ab_deadline_queue *queue, *next;

	if (deadlines == NULL)
		return;
	for (queue = deadlines->queues; queue != NULL; queue = next) {
		next = queue->next;
		ab_assert(queue->ring.next == &queue->ring);
		uv_close((uv_handle_t *)&queue->timer, queue_on_closed);
	}
	free(deadlines);
}

struct ab_deadline_queue *ab_deadlines_queue(struct ab_deadlines *deadlines, uint64_t ms)
{
	struct ab_deadline_queue *queue;

	if (ms == 0)
		ms = 1;
	if (ms > deadline_max_ms)
		ms = deadline_max_ms;
	for (queue = deadlines->queues; queue != NULL; queue = queue->next)
		if (queue->ms == ms)
			return queue;
	queue = calloc(1, sizeof(*queue));
	if (queue == NULL)
		return NULL;
	queue->ring.next = queue->ring.prev = &queue->ring;
	queue->ms = ms;
	uv_timer_init(deadlines->loop, &queue->timer); /* cannot fail */
	queue->timer.data = queue;
	queue->next = deadlines->queues;
	deadlines->queues = queue;
	return queue;
}

static void deadline_unlink(struct ab_deadline *deadline)
{
	deadline->prev->next = deadline->next;
	deadline->next->prev = deadline->prev;
	deadline->next = deadline->prev = NULL;
}

/* Runs when the first entry of the ring at the time the timer was started is due. */
static void queue_on_timer(uv_timer_t *timer)
{
	struct ab_deadline_queue *queue = timer->data;
	uint64_t now = uv_now(timer->loop);
	struct ab_deadline *first;

	while ((first = queue->ring.next) != &queue->ring && first->at <= now) {
		deadline_unlink(first);
		first->expired(first);
	}
	if (first != &queue->ring)
		uv_timer_start(timer, queue_on_timer, first->at - now, 0);
}

void ab_deadline_arm(struct ab_deadline_queue *queue, struct ab_deadline *deadline,
        void (*expired)(struct ab_deadline *deadline))
{
	bool was_empty = queue->ring.next == &queue->ring;

	ab_assert(!ab_deadline_armed(deadline));
	deadline->queue = queue;
	deadline->at = uv_now(queue->timer.loop) + queue->ms;
	deadline->expired = expired;
	deadline->next = &queue->ring;
	deadline->prev = queue->ring.prev;
	deadline->prev->next = deadline;
	queue->ring.prev = deadline;
	if (was_empty)
		uv_timer_start(&queue->timer, queue_on_timer, queue->ms, 0);
}

void ab_deadline_disarm(struct ab_deadline *deadline)
{
	struct ab_deadline_queue *queue = deadline->queue;

	if (!ab_deadline_armed(deadline))
		return;
	deadline_unlink(deadline);
	if (queue->ring.next == &queue->ring)
		uv_timer_stop(&queue->timer);
}
