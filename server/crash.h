/* server/crash.h: when C code of a module crashes the process, say whose it was. */
#ifndef AB_CRASH_H
#define AB_CRASH_H

/* From now on a fatal signal inside a C function writes its name and place to standard error, and then does
 * what it does. Leaves alone what is caught already (by a sanitizer). */
void ab_crash_watch(void);

#endif
