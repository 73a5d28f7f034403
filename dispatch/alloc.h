/* dispatch/alloc.h: where the engine's memory comes from, so that tests can make any allocation fail.
 *
 * What is documented as malloc'ed for others to free() (a text's bytes) does not pass through here. */
#ifndef AB_ALLOC_H
#define AB_ALLOC_H

#include "base.h"

struct ab_alloc_funcs {
	void *(*malloc)(size_t size);
	void *(*realloc)(void *ptr, size_t size);
	void (*free)(void *ptr);
};

/* Replace the functions, or go back to libc's with NULL. Before anything is allocated, or in balance; not
 * while other threads allocate. */
void ab_set_alloc_funcs(const struct ab_alloc_funcs *funcs);

/* As in libc; sizes of zero are rounded up to one byte. */
AB_NODISCARD void *ab_malloc(size_t size);
AB_NODISCARD void *ab_calloc(size_t count, size_t size);
AB_NODISCARD void *ab_realloc(void *ptr, size_t size);
void ab_free(void *ptr);

#endif
