/* dispatch/table.c: an open-addressed hash table, never more than half full. */
#include "table.h"

#include "alloc.h"

#include <string.h>

/* FNV-1a; the names in a table come from the app, not from clients. */
static uint32_t name_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

static struct ab_table_entry *table_slot(const struct ab_table *table, const char *name, uint32_t hash)
{
	size_t at = hash & (table->size - 1);

	while (table->entries[at].name != NULL &&
	        (table->entries[at].hash != hash || strcmp(table->entries[at].name, name) != 0))
		at = (at + 1) & (table->size - 1);
	return &table->entries[at];
}

static bool table_grow(struct ab_table *table)
{
	struct ab_table bigger = {.size = table->size > 0 ? table->size * 2 : 16, .count = table->count};

	bigger.entries = ab_calloc(bigger.size, sizeof(*bigger.entries));
	if (bigger.entries == NULL)
		return false;
	for (size_t i = 0; i < table->size; i++) {
		const struct ab_table_entry *entry = &table->entries[i];

		if (entry->name != NULL)
			*table_slot(&bigger, entry->name, entry->hash) = *entry;
	}
	ab_free(table->entries);
	*table = bigger;
	return true;
}

void ab_table_fini(struct ab_table *table)
{
	ab_free(table->entries);
	*table = (struct ab_table){0};
}

bool ab_table_add(struct ab_table *table, const char *name, int value)
{
	uint32_t hash = name_hash(name);

	if (table->count * 2 >= table->size && !table_grow(table))
		return false;
	*table_slot(table, name, hash) = (struct ab_table_entry){name, hash, value};
	table->count++;
	return true;
}

int ab_table_get(const struct ab_table *table, const char *name)
{
	const struct ab_table_entry *entry;

	if (table->size == 0)
		return -1;
	entry = table_slot(table, name, name_hash(name));
	return entry->name != NULL ? entry->value : -1;
}
