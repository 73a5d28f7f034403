/* tests/lib/process.h: a program run by a test: its output, its exit code, and never longer than allowed. */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process_text {
	char *data; /* NUL-terminated */
	size_t len;
};

struct process {
	pid_t pid;          /* 0 once it has ended */
	int out_fd, err_fd; /* -1 once at their end */
	struct process_text out, err;
	int exit_code;  /* 128 + signal when a signal ended it; -1 while running */
	bool timed_out; /* process_wait had to kill it */
};

/* Start argv (NULL-terminated, argv[0] searched in PATH) in folder `dir` (NULL: the test's own) with an empty
 * stdin. It is killed when the test's process dies. False when it can't be started; process_end is harmless
 * then. */
bool process_start(struct process *process, const char *const *argv, const char *dir);
/* Read its output until it ends; after `timeout_ms` it is killed. Returns exit_code. */
int process_wait(struct process *process, unsigned timeout_ms);
/* Read until its stdout or stderr contains `text`. False when it ends or the time passes first. */
bool process_expect(struct process *process, const char *text, unsigned timeout_ms);
/* Kill it if it still runs; free everything. */
void process_end(struct process *process);

/* Start and wait: for commands. Returns exit_code, -1 when it can't be started. */
int process_run(struct process *process, const char *const *argv, const char *dir, unsigned timeout_ms);

/* The program under test: $AB_BIN, or `anabranch` beside the test's own program. */
const char *process_anabranch(void);

#endif
