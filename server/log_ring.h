/* server/log_ring.h: between log.c, which moves lines, and log_line.c, which writes them. */
#ifndef AB_LOG_RING_H
#define AB_LOG_RING_H

#include "log.h"

#include <stdatomic.h>
#include <time.h>

enum { AB_LOG_RING_SIZE = 1024 * 1024 }; /* a power of two */

/* Lines from `tail` to `head`, counted in bytes since the beginning; whole lines only. */
struct ab_log_ring {
	struct ab_log *log;
	bool human;
	_Alignas(64) _Atomic uint64_t head; /* moved by the producer */
	uint64_t tail_seen;                 /* the producer's last look at tail */
	_Atomic uint64_t dropped;
	time_t second;                      /* whose text is in `clock` */
	char clock[24];                     /* "2026-01-31T12:00:00." */
	char line[AB_LOG_LINE];             /* the line being written */
	_Alignas(64) _Atomic uint64_t tail; /* moved by the writer */
	char bytes[AB_LOG_RING_SIZE];
};

/* Queue one line (with its newline), or drop and count it. */
void ab_log_put(struct ab_log_ring *ring, const char *line, size_t len);
bool ab_log_wants_debug(const struct ab_log *log);

#endif
