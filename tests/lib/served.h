/* tests/lib/served.h: the real program serving a test's app file, in a process of its own.
 *
 * Under a sanitizer the program is instrumented too; what it reports shows in its exit code, so a test
 * asserts that served_stop gives 0. Its log (JSON) is read as the test goes on; one that is not read is
 * dropped, not waited for. */
#ifndef TEST_SERVED_H
#define TEST_SERVED_H

#include "process.h"

#include <signal.h>

struct served {
	struct process process;
	char dir[32];               /* of the app file; removed at the end */
	unsigned short port, admin; /* chosen by the system; admin 0: none */
};

/* Serve `app` (the text of an app file) on free ports of 127.0.0.1. `args`: more arguments, NULL-terminated,
 * or NULL. Ends the test's process with a message when it does not start. */
void served_start(struct served *served, const char *app, const char *const *args);
/* The same under a limit of open files. */
void served_start_limited(struct served *served, const char *app, const char *const *args, unsigned files);
/* Write a file beside the app file, before it starts: served->dir is made by the first call. */
void served_file(struct served *served, const char *name, const char *text);
void served_signal(struct served *served, int signum);
/* SIGTERM, and its exit code, at most `timeout_ms` later (else 137). Frees everything but process.err,
 * process.out. */
int served_stop(struct served *served);
/* Its exit code, when it has been told to stop already. */
int served_wait(struct served *served);
/* After served_stop or served_wait. */
void served_end(struct served *served);
/* How many descriptors it has open. */
size_t served_descriptors(const struct served *served);

/* Wait until fn(arg) is true, for at most 20 s. */
bool wait_until(bool (*fn)(void *arg), void *arg);

#endif
