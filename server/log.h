/* server/log.h: one line an event, written by a thread of its own, so that a slow terminal or a full disk
 * delays nobody.
 *
 * A thread that logs has a ring (one producer, one consumer, no lock); the writer thread empties all rings
 * into one descriptor. A line that finds its ring full, or that can't be written, is dropped and counted; the
 * count is reported as soon as lines go through again. Lines are JSON objects, or a form for people on a
 * terminal. All text is escaped: an event is one line, whatever a client sent. Times are of the wall clock,
 * UTC; durations of the monotonic clock. */
#ifndef AB_LOG_H
#define AB_LOG_H

#include "../dispatch/error.h"

enum ab_log_level { AB_LOG_DEBUG, AB_LOG_INFO, AB_LOG_WARN, AB_LOG_ERROR };

struct ab_log;
struct ab_log_ring;

enum { AB_LOG_LINE = 4096, AB_LOG_RINGS = 1024 };

/* Start the writer for `fd` (borrowed; made for blocking writes). `human`: the form for a terminal. NULL when
 * out of memory or threads. */
struct ab_log *ab_log_open(int fd, bool human);
/* Write out what is there and end the thread; waits at most a second for a descriptor that takes nothing (the
 * writer is left behind then). Nobody may log any more. NULL is fine. */
void ab_log_close(struct ab_log *log);
/* A ring for one thread; ends with the log. NULL when out of memory or over AB_LOG_RINGS. Any thread. */
struct ab_log_ring *ab_log_ring(struct ab_log *log);
/* Lines dropped so far. Any thread. */
uint64_t ab_log_dropped(const struct ab_log *log);

/* Something happened. Debug events are written only after ab_log_debug(log, true). `ring` NULL: nothing is
 * logged. Cut at AB_LOG_LINE. */
void ab_log_event(struct ab_log_ring *ring, enum ab_log_level level, const char *fmt, ...) AB_PRINTF(3, 4);
void ab_log_debug(struct ab_log *log, bool on);

/* An answer. Strings may be NULL where that says so. */
struct ab_access {
	const char *id;
	const char *method; /* or NULL: the request was not understood so far */
	const char *route;  /* or NULL: none matched; then `path` is logged, escaped and cut */
	const char *path;   /* raw, without query; not NUL-terminated; or NULL */
	size_t path_len;
	int status;
	size_t bytes;         /* of the body */
	uint64_t duration_ns; /* from the request line to the last byte handed to the kernel */
	const char *degraded; /* or NULL */
	const char *causes;   /* of what is degraded, each by name; or NULL */
	const char *client;
	const struct ab_error *error; /* why, or NULL */
	bool aborted;                 /* the client left before it had everything */
};
void ab_log_access(struct ab_log_ring *ring, const struct ab_access *access);

#endif
