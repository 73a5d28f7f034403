/* handlers/deadline.h: timeouts in O(1), for the many that share a duration.
 *
 * All timeouts of one duration expire in the order they were armed, so each distinct duration is a queue and
 * one libuv timer. Queues live as long as the set, so their durations must be few: those of the app file, and
 * a bounded number of parts of them. Loop thread only. */
#ifndef AB_DEADLINE_H
#define AB_DEADLINE_H

#include "../dispatch/base.h"

#include <uv.h>

struct ab_deadlines;      /* one a worker */
struct ab_deadline_queue; /* one a duration */

struct ab_deadline {
	struct ab_deadline *next, *prev; /* NULL when not armed */
	struct ab_deadline_queue *queue;
	uint64_t at; /* loop time, ms */
	void (*expired)(
	        struct ab_deadline *deadline); /* called disarmed; may arm, disarm or free any entry */
};

struct ab_deadlines *ab_deadlines_create(uv_loop_t *loop);
/* Stops and closes the timers; the memory goes when the loop has run their close callbacks. All disarmed by
 * then. */
void ab_deadlines_close(struct ab_deadlines *deadlines);
/* The queue for a duration in milliseconds (at least 1), made if new. NULL when out of memory. */
struct ab_deadline_queue *ab_deadlines_queue(struct ab_deadlines *deadlines, uint64_t ms);

void ab_deadline_arm(struct ab_deadline_queue *queue, struct ab_deadline *deadline,
        void (*expired)(struct ab_deadline *deadline));
void ab_deadline_disarm(struct ab_deadline *deadline); /* harmless when not armed */
static inline bool ab_deadline_armed(const struct ab_deadline *deadline)
{
	return deadline->next != NULL;
}

#endif
