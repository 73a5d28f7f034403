/* handlers/signals.h: which signals a thread leaves to the main thread. */
#ifndef AB_SIGNALS_H
#define AB_SIGNALS_H

#include <signal.h>

/* All but those that a thread brings on itself: blocked, a fault ends the process without a word of its
 * handler.
 */
static inline void ab_signals_of_others(sigset_t *ret)
{
	sigfillset(ret);
	sigdelset(ret, SIGSEGV);
	sigdelset(ret, SIGBUS);
	sigdelset(ret, SIGFPE);
	sigdelset(ret, SIGILL);
	sigdelset(ret, SIGABRT);
}

#endif
