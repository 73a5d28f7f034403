/* server/plan_node.h: what `plan` says of one resource. */
#ifndef AB_PLAN_NODE_H
#define AB_PLAN_NODE_H

#include "app.h"

#include "../dispatch/plan.h"

/* "300ms", "1.5s" to standard output. */
void ab_print_time(uint64_t ms);
/* The lines of node `at`, and of what is nested in it, to standard output. `given`: for each node, whether
 * the request gives it. */
void ab_print_node(const struct ab_app *app, const struct ab_plan *plan, int at, const bool *given);

#endif
