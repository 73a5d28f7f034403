/* handlers/jq/names.h: what a filter needs, and what it must not do, found without running it.
 *
 * A filter has no input: it runs on null, and what it works on are its needs, `$name`. The scanner follows
 * the whole grammar (libjq 1.6 and 1.7 together), because only scopes tell a need from a binding of the
 * filter's own: `as` with its patterns, parameters, `reduce`, `foreach`. */
#ifndef AB_JQ_NAMES_H
#define AB_JQ_NAMES_H

#include "../../dispatch/base.h"

struct ab_jq_scan_fns {
	/* A use of a name that the filter does not bind. `text`: the name with the fields right behind it, as
	 * in "user.address.city". */
	void (*need)(void *arg, size_t offset, const char *text, size_t name_len, size_t len);
	/* What is wrong at an offset; in whole words, to be shown as it is. */
	void (*mistake)(void *arg, size_t offset, const char *message);
};

struct ab_jq_scan {
	/* The scanner understood it all. If not, `offset` is where it stopped and `expected` what should
	 * stand there: libjq will have more to say about it. */
	bool understood;
	size_t offset;
	const char *expected;
	/* Its time is bounded by the size of its needs: no loops, no recursion, no regular expressions,
	 * nothing that multiplies or compares all with all. */
	bool quick;
	bool formats_time; /* it calls one of the functions that ab_jq_program_get can guard */
	bool no_memory;
};

/* Scan a filter. `fns` may be called in any order of offsets. */
void ab_jq_scan(const char *text, size_t len, const struct ab_jq_scan_fns *fns, void *arg,
        struct ab_jq_scan *ret_scan);

#endif
