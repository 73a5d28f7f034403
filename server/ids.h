/* server/ids.h: names for requests and traces, without asking the kernel for each.
 *
 * One a worker, seeded once from the kernel. Ids are unguessable enough to be shown to clients: they say
 * neither how many requests there were nor which worker answered. They are names, not secrets. */
#ifndef AB_IDS_H
#define AB_IDS_H

#include "../dispatch/base.h"

enum {
	AB_ID_SIZE = 21,          /* 20 characters and the NUL */
	AB_TRACEPARENT_SIZE = 56, /* 55 and the NUL */
};

struct ab_ids {
	uint64_t prefix;  /* the same in all ids of this worker */
	uint64_t counter; /* of requests; scrambled before it is shown */
	uint64_t random;  /* state for trace and span ids */
};

/* Seed from the kernel; the clock and addresses stand in should it refuse. */
void ab_ids_init(struct ab_ids *ids);

/* A new request's id: letters and digits. */
void ab_ids_request(struct ab_ids *ids, char ret_id[AB_ID_SIZE]);

/* The traceparent (W3C Trace Context, section 3.2) to send on: `incoming` with a span id of our own when it
 * is valid, otherwise (NULL, malformed, all zero) the start of a new trace. */
void ab_ids_traceparent(
        struct ab_ids *ids, const char *incoming, size_t len, char ret_parent[AB_TRACEPARENT_SIZE]);

#endif
