/* dispatch/base.h: the few macros every file leans on. */
#ifndef AB_BASE_H
#define AB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define AB_NODISCARD __attribute__((warn_unused_result))
#define AB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define AB_FALLTHROUGH __attribute__((fallthrough))
#define AB_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AB_LIKELY(x) __builtin_expect(!!(x), 1)
#define AB_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ab_container_of(ptr, type, member)                                                                   \
	({                                                                                                   \
		const typeof(((type *)0)->member) *ab_member_ = (ptr);                                       \
		(type *)((uintptr_t)ab_member_ - offsetof(type, member));                                    \
	})

/* States what only a bug of our own can break; stays in release builds. Never about bytes from outside. */
#define ab_assert(cond)                                                                                      \
	do {                                                                                                 \
		if (AB_UNLIKELY(!(cond))) {                                                                  \
			fprintf(stderr, "%s:%d: %s: broken promise: %s\n", __FILE__, __LINE__, __func__,     \
			        #cond);                                                                      \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

#endif
