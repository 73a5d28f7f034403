/* dispatch/arena.h: memory that dies with its request.
 *
 * A bump allocator over blocks that come from, and go back to, the worker's pool. What has a count or a
 * closer of its own (json_t, file handles) is attached with ab_arena_defer and released when the arena ends,
 * last first. An arena is counted: the request holds it, and so does every operation that may outlive the
 * request (a query in another thread, a write left to finish). The last ab_arena_unref ends it. Used on one
 * thread only: the loop's. */
#ifndef AB_ARENA_H
#define AB_ARENA_H

#include "base.h"

struct ab_arena;

enum {
	AB_ARENA_BLOCK = 16 * 1024,      /* bytes: the pool's unit; what is larger gets a block of its own */
	AB_ARENA_MAX = 64 * 1024 * 1024, /* bytes an arena may hold; beyond, allocations fail */
};

/* Keeps blocks of ended arenas for new ones. One a worker. */
struct ab_pool {
	struct ab_block *free;
	size_t kept;     /* blocks in `free` */
	size_t max_kept; /* more are given back to malloc */
};

void ab_pool_init(struct ab_pool *pool);
/* Every arena of this pool must have ended. */
void ab_pool_fini(struct ab_pool *pool);

/* A new arena with one reference; `pool` may be NULL, and must outlive the arena. NULL when out of memory. */
struct ab_arena *ab_arena_create(struct ab_pool *pool);
struct ab_arena *ab_arena_ref(struct ab_arena *arena);
void ab_arena_unref(struct ab_arena *arena);

/* Memory aligned for any type, not zeroed (calloc zeroes). NULL when out of memory or over the arena's cap.
 */
AB_NODISCARD void *ab_arena_alloc(struct ab_arena *arena, size_t size);
AB_NODISCARD void *ab_arena_calloc(struct ab_arena *arena, size_t count, size_t size);
AB_NODISCARD char *ab_arena_strndup(struct ab_arena *arena, const char *text, size_t len);
AB_NODISCARD char *ab_arena_printf(struct ab_arena *arena, const char *fmt, ...) AB_PRINTF(2, 3);

/* Call fn(ptr) when the arena ends, while its memory is still whole; fn must not use the arena. When it
 * returns false (out of memory), fn(ptr) has been called already. */
AB_NODISCARD bool ab_arena_defer(struct ab_arena *arena, void (*fn)(void *ptr), void *ptr);

#endif
