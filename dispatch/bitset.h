/* dispatch/bitset.h: sets of node indexes, as words of 64. */
#ifndef AB_BITSET_H
#define AB_BITSET_H

#include "base.h"

static inline size_t ab_bits_words(size_t count)
{
	return (count + 63) / 64;
}

static inline void ab_bits_set(uint64_t *bits, size_t at)
{
	bits[at / 64] |= UINT64_C(1) << (at % 64);
}

static inline bool ab_bits_get(const uint64_t *bits, size_t at)
{
	return (bits[at / 64] >> (at % 64)) & 1;
}

#endif
