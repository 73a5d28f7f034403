/* dispatch/alloc.c: one place through which the engine allocates, and tests make it fail. */
#include "alloc.h"

#include <string.h>

static struct ab_alloc_funcs alloc_funcs = {malloc, realloc, free};

void ab_set_alloc_funcs(const struct ab_alloc_funcs *funcs)
{
	static const struct ab_alloc_funcs libc = {malloc, realloc, free};

	alloc_funcs = funcs != NULL ? *funcs : libc;
}

void *ab_malloc(size_t size)
{
	return alloc_funcs.malloc(size > 0 ? size : 1);
}

void *ab_calloc(size_t count, size_t size)
{
	size_t bytes;
	void *ptr;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	ptr = ab_malloc(bytes);
	if (ptr != NULL)
		memset(ptr, 0, bytes);
	return ptr;
}

void *ab_realloc(void *ptr, size_t size)
{
	return alloc_funcs.realloc(ptr, size > 0 ? size : 1);
}

void ab_free(void *ptr)
{
	alloc_funcs.free(ptr);
}
