/* dispatch/held.h: finding references that a function gave away and did not own.
 *
 * Before a call it is noted what the needs hold and how often each value is counted; after it, every use of
 * such a value in the result must have been counted as well. For functions that return at once that is exact.
 * Where other code runs in between, only what is certain is told: a value has one count at least for its
 * need, and one for each use. Costs time with large values: for development. */
#ifndef AB_HELD_H
#define AB_HELD_H

#include "base.h"

#include <jansson.h>

struct ab_held_value;

struct ab_held {
	struct ab_held_value *list; /* by address, each once */
	size_t count, size;
	bool failed; /* no memory: nothing will be found */
};

void ab_held_init(struct ab_held *held);
void ab_held_fini(struct ab_held *held);
/* Note all that need number `need` holds. `exact`: with the counts there are now. */
void ab_held_add(struct ab_held *held, const json_t *value, unsigned need, bool exact);
/* The number of a need of which the result has something without a reference of its own, or -1. Adds the
 * references that are missing, so that the result can be released. Once. */
int ab_held_find(struct ab_held *held, const json_t *result);

#endif
