/* dispatch/table.h: names to small numbers; filled at load, read for every request. */
#ifndef AB_TABLE_H
#define AB_TABLE_H

#include "base.h"

struct ab_table_entry {
	const char *name; /* borrowed; NULL: free */
	uint32_t hash;
	int value;
};

/* Zeroed: empty. */
struct ab_table {
	struct ab_table_entry *entries;
	size_t size; /* a power of two, or 0 */
	size_t count;
};

void ab_table_fini(struct ab_table *table);
/* Add a name that is not there yet; it is borrowed. False when out of memory. */
AB_NODISCARD bool ab_table_add(struct ab_table *table, const char *name, int value);
/* The value of a name, or -1. */
int ab_table_get(const struct ab_table *table, const char *name);

#endif
