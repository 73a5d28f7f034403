/* handlers/jq/filter.h: a filter as a resource holds it; shared by filter.c (from the app file) and run.c
 * (for a call). */
#ifndef AB_JQ_FILTER_H
#define AB_JQ_FILTER_H

#include "../pool.h"
#include "jq.h"
#include "program.h"

enum { AB_JQ_QUICK_INPUT = 64 * 1024 }; /* bytes, about; with more even a quick filter goes to a thread */

/* What the value of a filter has to be. */
enum ab_jq_judge { AB_JQ_ANY, AB_JQ_TRUE, AB_JQ_BOOLEAN };

/* What a thread needs to know of a filter. Lives as long as the threads: the resource may be gone. */
struct ab_jq_rule {
	struct ab_jq_rule *next;
	const struct ab_jq_program *program;
	enum ab_jq_judge judge;
	int status; /* of AB_JQ_TRUE */
	char *message, *field;
};

enum ab_jq_where {
	AB_JQ_POOL,
	AB_JQ_INLINE, /* it says so */
	AB_JQ_QUICK,  /* on the loop while its needs are small */
};

struct ab_jq_filter {
	struct ab_jq *jq;
	const struct ab_jq_rule *rule;
	struct ab_ref *refs; /* one for each of the program's names */
	size_t n_refs;
	enum ab_jq_where where;
	struct ab_deadline_queue *timeouts;
	uint64_t timeout_ms;
	char *label; /* one line of the filter, for plans */
};

struct ab_jq {
	struct ab_jq_shared *shared;
	struct ab_home *home;
	struct ab_jq_runner *runner; /* of filters on the loop */
};

struct ab_jq_programs *ab_jq_shared_programs(struct ab_jq_shared *shared);
/* A zeroed rule that lives as long as the threads, or NULL. The strings in it are to be malloc'ed. */
struct ab_jq_rule *ab_jq_rule_create(struct ab_jq_shared *shared);

/* A filter of this program may run on a thread. */
void ab_jq_shared_pool(struct ab_jq_shared *shared, const struct ab_jq_program *program);

void ab_jq_filter_free(void *config);
void ab_jq_filter_start(struct ab_call *call);

#endif
