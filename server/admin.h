/* server/admin.h: the admin listener: what operators and balancers ask, on an address of its own, answered by
 * a thread of its own, so that it answers also when every worker is busy. GET /healthz: 200 while serving,
 * 503 while stopping. */
#ifndef AB_ADMIN_H
#define AB_ADMIN_H

#include "log.h"

struct ab_admin;

/* Serve on `listen_fd` (taken, also on failure). Errors: AB_ENOMEM, AB_EINTERNAL. */
AB_NODISCARD enum ab_code ab_admin_start(
        int listen_fd, struct ab_log_ring *log, struct ab_admin **ret_admin, struct ab_error *err);
/* What /healthz says from now on; true at the start. Any thread. */
void ab_admin_set_ready(struct ab_admin *admin, bool ready);
/* NULL is fine. */
void ab_admin_stop(struct ab_admin *admin);

#endif
