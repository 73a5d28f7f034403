/* dispatch/arena.c: a bump allocator that hands its blocks back to the worker's pool. */
#include "arena.h"

#include "alloc.h"

#include <stdarg.h>
#include <string.h>

/* The sanitizer is told which bytes are nobody's, so that it sees a use after the end as it does with free().
 */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_HIDE(ptr, size) __asan_poison_memory_region(ptr, size)
#define ARENA_SHOW(ptr, size) __asan_unpoison_memory_region(ptr, size)
#else
#define ARENA_HIDE(ptr, size) ((void)0)
#define ARENA_SHOW(ptr, size) ((void)0)
#endif

enum { ALIGN = 16, POOL_MAX_KEPT = 256 };

struct ab_block {
	struct ab_block *next;
	size_t size; /* of `bytes` */
	_Alignas(ALIGN) unsigned char bytes[];
};

enum { BLOCK_BYTES = AB_ARENA_BLOCK - (int)offsetof(struct ab_block, bytes) };

struct ab_deferred {
	struct ab_deferred *next;
	void (*fn)(void *ptr);
	void *ptr;
};

/* Sits at the start of its first block. */
struct ab_arena {
	struct ab_pool *pool;
	struct ab_block *blocks; /* newest first */
	unsigned char *at, *end; /* what is left of the one in use */
	struct ab_deferred *deferred;
	size_t held; /* bytes of all blocks */
	unsigned refs;
};

void ab_pool_init(struct ab_pool *pool)
{
	*pool = (struct ab_pool){.max_kept = POOL_MAX_KEPT};
}

void ab_pool_fini(struct ab_pool *pool)
{
	while (pool->free != NULL) {
		struct ab_block *block = pool->free;

		pool->free = block->next;
		ARENA_SHOW(block->bytes, block->size);
		ab_free(block);
	}
	pool->kept = 0;
}

static struct ab_block *block_get(struct ab_pool *pool, size_t size)
{
	struct ab_block *block;

	if (size == BLOCK_BYTES && pool != NULL && pool->free != NULL) {
		block = pool->free;
		pool->free = block->next;
		pool->kept--;
		return block;
	}
	block = ab_malloc(offsetof(struct ab_block, bytes) + size);
	if (block == NULL)
		return NULL;
	block->size = size;
	ARENA_HIDE(block->bytes, size);
	return block;
}

static void block_put(struct ab_pool *pool, struct ab_block *block)
{
	if (block->size == BLOCK_BYTES && pool != NULL && pool->kept < pool->max_kept) {
		ARENA_HIDE(block->bytes, block->size);
		block->next = pool->free;
		pool->free = block;
		pool->kept++;
		return;
	}
	ARENA_SHOW(block->bytes, block->size);
	ab_free(block);
}

static size_t round_up(size_t size)
{
	return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

struct ab_arena *ab_arena_create(struct ab_pool *pool)
{
	struct ab_block *block = block_get(pool, BLOCK_BYTES);
	struct ab_arena *arena;

	if (block == NULL)
		return NULL;
	block->next = NULL;
	arena = (struct ab_arena *)block->bytes;
	ARENA_SHOW(arena, sizeof(*arena));
	*arena = (struct ab_arena){
	        .pool = pool,
	        .blocks = block,
	        .at = block->bytes + round_up(sizeof(*arena)),
	        .end = block->bytes + block->size,
	        .held = block->size,
	        .refs = 1,
	};
	return arena;
}

struct ab_arena *ab_arena_ref(struct ab_arena *arena)
{
	arena->refs++;
	return arena;
}

void ab_arena_unref(struct ab_arena *arena)
{
	struct ab_block *block;
	struct ab_pool *pool;

	ab_assert(arena->refs > 0);
	if (--arena->refs > 0)
		return;
	while (arena->deferred != NULL) {
		struct ab_deferred *deferred = arena->deferred;

		arena->deferred = deferred->next;
		deferred->fn(deferred->ptr);
	}
	pool = arena->pool;
	block = arena->blocks; /* the arena's own block is the last of the list */
	while (block != NULL) {
		struct ab_block *next = block->next;

		block_put(pool, block);
		block = next;
	}
}

/* `size` bytes from a new block. The rest of the old block stays in use when more is left of it. */
static void *arena_grow(struct ab_arena *arena, size_t size)
{
	size_t bytes = size > BLOCK_BYTES ? size : (size_t)BLOCK_BYTES;
	struct ab_block *block;

	if (bytes > AB_ARENA_MAX - arena->held)
		return NULL;
	block = block_get(arena->pool, bytes);
	if (block == NULL)
		return NULL;
	arena->held += bytes;
	block->next = arena->blocks; /* in front: the arena itself lives in the last one */
	arena->blocks = block;
	if (block->size - size > (size_t)(arena->end - arena->at)) {
		arena->at = block->bytes + size;
		arena->end = block->bytes + block->size;
	}
	ARENA_SHOW(block->bytes, size);
	return block->bytes;
}

void *ab_arena_alloc(struct ab_arena *arena, size_t size)
{
	unsigned char *ptr = arena->at;

	if (AB_UNLIKELY(size > AB_ARENA_MAX))
		return NULL;
	size = round_up(size > 0 ? size : 1);
	if (AB_UNLIKELY(size > (size_t)(arena->end - ptr)))
		return arena_grow(arena, size);
	arena->at = ptr + size;
	ARENA_SHOW(ptr, size);
	return ptr;
}

void *ab_arena_calloc(struct ab_arena *arena, size_t count, size_t size)
{
	size_t bytes;
	void *ptr;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	ptr = ab_arena_alloc(arena, bytes);
	if (ptr != NULL)
		memset(ptr, 0, bytes);
	return ptr;
}

char *ab_arena_strndup(struct ab_arena *arena, const char *text, size_t len)
{
	char *copy;

	if (len >= AB_ARENA_MAX)
		return NULL;
	copy = ab_arena_alloc(arena, len + 1);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *ab_arena_printf(struct ab_arena *arena, const char *fmt, ...)
{
	char small[256];
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (len < 0)
		return NULL;
	if ((size_t)len < sizeof(small))
		return ab_arena_strndup(arena, small, (size_t)len);
	text = ab_arena_alloc(arena, (size_t)len + 1);
	if (text == NULL)
		return NULL;
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

bool ab_arena_defer(struct ab_arena *arena, void (*fn)(void *ptr), void *ptr)
{
	struct ab_deferred *deferred = ab_arena_alloc(arena, sizeof(*deferred));

	if (deferred == NULL) {
		fn(ptr);
		return false;
	}
	*deferred = (struct ab_deferred){.next = arena->deferred, .fn = fn, .ptr = ptr};
	arena->deferred = deferred;
	return true;
}
