/* server/env.h: a worker's surroundings, made and ended in one place.
 *
 * `serve` makes one a worker; `call`, `check` and `plan` make one for the command. Made on any thread, then
 * used on one thread only: the one that runs the loop. */
#ifndef AB_ENV_H
#define AB_ENV_H

#include "../handlers/kind.h"

/* Fill `env`: a loop of its own, pool, deadlines, the HTTP client and the databases' end. `worker` counts
 * from 0. ab_http_global_init must have been called. Errors: AB_ENOMEM, AB_EINTERNAL (descriptors); nothing
 * is left then. */
AB_NODISCARD enum ab_code ab_env_init(struct ab_env *env, unsigned worker, struct ab_error *err);

/* Close everything and run the loop until it is empty. What was compiled for this env must have been
 * destroyed, every call completed, and all other handles on the loop be closing. Before ab_shared_close,
 * where an app was compiled for it. */
void ab_env_fini(struct ab_env *env);

#endif
