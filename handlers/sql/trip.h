/* handlers/sql/trip.h: work that is away in another thread, and its way home to the worker's loop. */
#ifndef AB_SQL_TRIP_H
#define AB_SQL_TRIP_H

#include "database.h"

/* Embedded in whatever is sent. */
struct ab_sql_trip {
	struct ab_sql_trip *next; /* in a queue of the thread's, then in the list of those that are done */
	struct ab_sql *sql;       /* where it goes back to */
	void (*home)(struct ab_sql_trip *trip); /* on the loop; may free the trip */
};

/* Before it leaves: keeps the loop going until it is back. Loop thread. */
void ab_sql_trip_begin(struct ab_sql *sql, struct ab_sql_trip *trip, void (*home)(struct ab_sql_trip *trip));
/* It has not left, or will not come back: `home` is not called. Loop thread. */
void ab_sql_trip_undo(struct ab_sql_trip *trip);
/* Hand it back to its loop; the thread's last touch of it. Any thread. */
void ab_sql_trip_done(struct ab_sql_trip *trip);

#endif
