/* dispatch/share_internal.h: what slot.c tells share.c of calls that lead or follow (call->read is set). */
#ifndef AB_SHARE_INTERNAL_H
#define AB_SHARE_INTERNAL_H

#include "share.h"

/* The call is no longer wanted. True: tell its handler; false: it followed another and has completed, or goes
 * on for its followers. */
bool ab_share_leave(struct ab_call *call);

/* The call completes with `value` (borrowed), or `err` when it is NULL. The read whose followers must be told
 * (ab_share_tell, once the call itself has been dealt with), or NULL. */
struct ab_read *ab_share_end(struct ab_call *call, json_t *value, const struct ab_error *err);
void ab_share_tell(struct ab_read *read, json_t *value, const struct ab_error *err);

#endif
