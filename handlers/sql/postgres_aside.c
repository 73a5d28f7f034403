/* handlers/sql/postgres_aside.c: what would block the loop, in a thread of its own.
 *
 *   start --thread--> working --done--> home (on the loop): `done`, freed
 *                        `--abandoned--> freed by the thread, whenever it ends
 *
 * Threads are detached: PQcancel and name servers may keep one for minutes, and no end of a worker waits for
 * that. They are few: one for each connection that is opened or whose query is cancelled. */
#include "postgres.h"

#include <pthread.h>
#include <signal.h>

struct ab_pg_aside {
	struct ab_sql_trip trip;
	pthread_mutex_t lock;
	bool abandoned, finished; /* under the lock */
	void (*work)(void *arg);
	void (*done)(void *owner, void *arg);
	void (*drop)(void *arg);
	void *owner, *arg;
};

static void aside_free(struct ab_pg_aside *aside)
{
	aside->drop(aside->arg);
	pthread_mutex_destroy(&aside->lock);
	free(aside);
}

static void *aside_main(void *arg)
{
	struct ab_pg_aside *aside = arg;
	bool abandoned;

	aside->work(aside->arg);
	pthread_mutex_lock(&aside->lock);
	abandoned = aside->abandoned;
	aside->finished = true;
	if (!abandoned)
		ab_sql_trip_done(&aside->trip);
	pthread_mutex_unlock(&aside->lock);
	if (abandoned)
		aside_free(aside);
	return NULL;
}

static void aside_on_home(struct ab_sql_trip *trip)
{
	struct ab_pg_aside *aside = ab_container_of(trip, struct ab_pg_aside, trip);
	bool abandoned;

	/* The thread may still be about to let go of the lock. */
	pthread_mutex_lock(&aside->lock);
	abandoned = aside->abandoned;
	pthread_mutex_unlock(&aside->lock);
	if (!abandoned)
		aside->done(aside->owner, aside->arg);
	aside_free(aside);
}

static bool aside_thread(struct ab_pg_aside *aside)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	bool ok;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&id, &attr, aside_main, aside) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}

struct ab_pg_aside *ab_pg_aside_start(struct ab_sql *sql, void (*work)(void *arg),
        void (*done)(void *owner, void *arg), void (*drop)(void *arg), void *owner, void *arg)
{
	struct ab_pg_aside *aside = calloc(1, sizeof(*aside));

	if (aside == NULL) {
		drop(arg);
		return NULL;
	}
	pthread_mutex_init(&aside->lock, NULL);
	aside->work = work;
	aside->done = done;
	aside->drop = drop;
	aside->owner = owner;
	aside->arg = arg;
	ab_sql_trip_begin(sql, &aside->trip, aside_on_home);
	if (aside_thread(aside))
		return aside;
	ab_sql_trip_undo(&aside->trip);
	aside_free(aside);
	return NULL;
}

void ab_pg_aside_abandon(struct ab_pg_aside *aside)
{
	bool finished;

	pthread_mutex_lock(&aside->lock);
	aside->abandoned = true;
	finished = aside->finished;
	/* Before the thread may free it. What has finished is on its way home and is freed there. */
	if (!finished)
		ab_sql_trip_undo(&aside->trip);
	pthread_mutex_unlock(&aside->lock);
}
