/* handlers/jq/jq.h: resources computed by libjq: the kinds `jq` and `require`, and conditions.
 *
 * libjq can't be interrupted, so filters run on threads of their own, one set a process; those that are
 * plainly quick, or say `inline: true`, run on the loop. jq.h and jv.h stay in this folder. */
#ifndef AB_JQ_H
#define AB_JQ_H

#include "../kind.h"

/* The process's filters and threads. */
struct ab_jq_shared;

struct ab_jq_shared *ab_jq_shared_create(void); /* NULL when out of memory */
/* Start the threads and let them compile all filters there are, unless no filter needs them. */
void ab_jq_shared_start(struct ab_jq_shared *shared);
/* Every worker's end is closed. Waits for a second at most; what a filter that does not end uses is left
 * behind. NULL is fine. */
void ab_jq_shared_close(struct ab_jq_shared *shared);
struct ab_threads *ab_jq_shared_threads(struct ab_jq_shared *shared);

/* A worker's end. NULL when out of memory or descriptors. */
struct ab_jq *ab_jq_create(struct ab_jq_shared *shared, uv_loop_t *loop);
/* All calls must have completed; what was compiled for it may be destroyed before or after. */
void ab_jq_close(struct ab_jq *jq);

/* `jq`: the one value of the filter. `require`: true, or fails with `status`, `message`, `field`. A call
 * fails with AB_EINTERNAL (an error in the filter; no value, more than one; neither true nor false),
 * AB_EINVALID (an integer beyond 2^53, too large), AB_ETIMEOUT (`timeout`, 1 s unless set, waiting included),
 * AB_EOVERLOAD, AB_ENOMEM. */
extern const struct ab_kind ab_kind_jq;
extern const struct ab_kind ab_kind_require;
/* What stands under `if`: true or false. Not in ab_kinds: compile->value is the filter, compile->map a
 * mapping without keys of its own. */
extern const struct ab_kind ab_kind_condition;

/* Checks of given values: a filter each, about a name. */
struct ab_jq_check {
	const struct ab_conf *conf;
	const char *name;
};
/* Fill compile->resource->config: a resource whose value is the list of the indexes of those checks that are
 * false or fail; -1 - index for one that is neither true nor false. What is null is not judged. Fails as the
 * other kinds do. False after reporting. */
bool ab_jq_compile_checks(struct ab_compile *compile, const struct ab_jq_check *checks, size_t count);
extern const struct ab_handler ab_jq_checks_handler;

/* Whether a filter needs this name. */
bool ab_jq_mentions(const char *text, size_t len, const char *name);

#endif
