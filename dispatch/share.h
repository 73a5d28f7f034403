/* dispatch/share.h: equal reads of one request go out once.
 *
 * A handler that knows what it is about to ask joins with a key: bytes that say all of it. The first call
 * with a key is the leader: it asks. Those that come with the same key later follow: they complete with the
 * leader's value or failure, those that come after its end as well. A leader that nobody wants any more goes
 * on for its followers, and is cancelled when they have left too. One thread, as the runs are. */
#ifndef AB_SHARE_H
#define AB_SHARE_H

#include "resource.h"

struct ab_share;

/* Lives in `arena`, which every run of the request must hold, directly or through an arena of its own. NULL
 * when out of memory. */
AB_NODISCARD struct ab_share *ab_share_create(struct ab_arena *arena);

/* From inside a handler's start, before anything is asked. True: the call follows another, or has its result
 * already; the handler is done with it, and is not told of its cancellation. False: ask; also when there is
 * no memory to share (8 MiB of keys). `share` may be NULL: false. */
AB_NODISCARD bool ab_share_join(struct ab_share *share, struct ab_call *call, const void *key, size_t len);

/* What was read so far may no longer be so, since a write begins: those who join from now on ask anew. */
void ab_share_forget(struct ab_share *share);

#endif
