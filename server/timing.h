/* server/timing.h: how long each resource of a run took, for Server-Timing (server.server_timing). */
#ifndef AB_TIMING_H
#define AB_TIMING_H

#include "../dispatch/run.h"

struct ab_timing;

/* Watch a run, before its start. NULL when out of memory: the run is not watched. */
struct ab_timing *ab_timing_watch(struct ab_arena *arena, struct ab_run *run);
/* "user;dur=1.250, page;dur=0.031", in the arena, or NULL when nothing ran. `timing` may be NULL. */
const char *ab_timing_text(const struct ab_timing *timing, struct ab_arena *arena);

#endif
