/* dispatch/library.h: what library.c shows to the part that knows an event loop (handlers/library_uv.c). */
#ifndef AB_LIBRARY_H
#define AB_LIBRARY_H

#include "function.h"

/* What an attached loop does for a dispatcher. */
struct ab_library_loop {
	void *loop;                                 /* as anabranch_loop gives it */
	void (*turn)(struct anabranch *dispatcher); /* wait for something to happen, and let it */
	/* A blocking function, away from the loop's thread. */
	void (*offload)(
	        struct anabranch *dispatcher, struct ab_call *call, const struct ab_function *function);
	void (*cancel)(struct ab_call *call);
	void (*detach)(struct anabranch *dispatcher);
};

/* NULL: none. */
struct ab_library_loop *ab_library_loop(struct anabranch *dispatcher);
void ab_library_set_loop(struct anabranch *dispatcher, struct ab_library_loop *loop);
/* The dispatcher whose callable began the run that this call belongs to. */
struct anabranch *ab_library_top(const struct ab_call *call);

#endif
