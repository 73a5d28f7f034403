/* tests/dispatch/trace.h: functions that say what they were made of, and calls in one line.
 *
 * A function of trace returns its name and the values of its needs in a list. JSON is written with single
 * quotes, both ways. One test a process, so the state is global. */
#ifndef AB_TEST_TRACE_H
#define AB_TEST_TRACE_H

#include "../../dispatch/anabranch.h"

#include <criterion/criterion.h>

extern char order[256]; /* names of such functions in the order they were called */

/* A description of one from "name: need need". */
struct anabranch_function *make(const char *spec);
void drop(struct anabranch_function *function);

/* A dispatcher of them. */
struct set {
	struct anabranch *d;
	struct anabranch_function *made[32];
	size_t count;
};

void set_open(struct set *set);
enum anabranch_code set_try(struct set *set, const char *spec, struct anabranch_error *err);
void set_add(struct set *set, const char *spec);
void set_close(struct set *set);

/* A value as JSON, in static storage; `value` is released. */
const char *shown(json_t *value);
json_t *given(const char *text);
/* The value of a name with those in `names` (JSON, or NULL) given; or the error's message. */
const char *get(struct anabranch *d, const char *name, const char *names);
/* It must fail. */
enum anabranch_code get_error(struct anabranch *d, const char *name, struct anabranch_error *err);

#endif
