/* tests/lib/process.c: see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Noreturn void child(const char *const *argv, const char *dir, const int *out, const int *err)
{
	int null = open("/dev/null", O_RDONLY);
	char **args;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
		_exit(127);
	if (dir != NULL && chdir(dir) != 0)
		_exit(127);
	memcpy(&args, &argv, sizeof(args)); /* exec's argv is not const */
	execvp(argv[0], args);
	_exit(127);
}

bool process_start(struct process *process, const char *const *argv, const char *dir)
{
	int out[2], err[2];

	*process = (struct process){.out_fd = -1, .err_fd = -1, .exit_code = -1};
	process->out.data = calloc(1, 1);
	process->err.data = calloc(1, 1);
	if (process->out.data == NULL || process->err.data == NULL || pipe2(out, O_CLOEXEC) != 0)
		return false;
	if (pipe2(err, O_CLOEXEC) != 0) {
		close(out[0]);
		close(out[1]);
		return false;
	}
	process->pid = fork();
	if (process->pid == 0)
		child(argv, dir, out, err);
	close(out[1]);
	close(err[1]);
	process->out_fd = out[0];
	process->err_fd = err[0];
	if (process->pid < 0)
		process->pid = 0;
	return process->pid != 0;
}

static void gather(int *fd, struct process_text *text)
{
	char *data = realloc(text->data, text->len + 4096 + 1);
	ssize_t got = -1;

	if (data != NULL) {
		text->data = data;
		do
			got = read(*fd, data + text->len, 4096);
		while (got < 0 && errno == EINTR);
	}
	if (got <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	text->len += (size_t)got;
	data[text->len] = '\0';
}

/* One turn: wait for output until `end`; false when the time has passed or both pipes are at their end. */
static bool turn(struct process *process, long long end)
{
	struct pollfd fds[2] = {
	        {.fd = process->out_fd, .events = POLLIN},
	        {.fd = process->err_fd, .events = POLLIN},
	};
	long long left = end - now_ms();

	if (left <= 0 || (process->out_fd < 0 && process->err_fd < 0))
		return false;
	if (poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left) < 0)
		return errno == EINTR;
	if (fds[0].revents != 0)
		gather(&process->out_fd, &process->out);
	if (fds[1].revents != 0)
		gather(&process->err_fd, &process->err);
	return true;
}

/* Whether it has ended. */
static bool reap(struct process *process, int options)
{
	int status;
	pid_t pid;

	if (process->pid == 0)
		return true;
	do
		pid = waitpid(process->pid, &status, options);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	process->pid = 0;
	if (pid > 0)
		process->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

int process_wait(struct process *process, unsigned timeout_ms)
{
	long long end = now_ms() + timeout_ms;

	while (turn(process, end))
		;
	/* Its output may be closed, or held open by a child of its own: look until the time has passed. */
	while (!reap(process, WNOHANG)) {
		if (now_ms() >= end) {
			process->timed_out = true;
			kill(process->pid, SIGKILL);
			reap(process, 0);
			break;
		}
		poll(NULL, 0, 2);
	}
	return process->exit_code;
}

bool process_expect(struct process *process, const char *text, unsigned timeout_ms)
{
	long long end = now_ms() + timeout_ms;

	for (;;) {
		if (strstr(process->out.data, text) != NULL || strstr(process->err.data, text) != NULL)
			return true;
		if (!turn(process, end))
			return false;
	}
}

void process_end(struct process *process)
{
	if (process->pid > 0) {
		kill(process->pid, SIGKILL);
		reap(process, 0);
	}
	if (process->out_fd >= 0)
		close(process->out_fd);
	if (process->err_fd >= 0)
		close(process->err_fd);
	free(process->out.data);
	free(process->err.data);
	*process = (struct process){.out_fd = -1, .err_fd = -1, .exit_code = -1};
}

int process_run(struct process *process, const char *const *argv, const char *dir, unsigned timeout_ms)
{
	if (!process_start(process, argv, dir))
		return -1;
	return process_wait(process, timeout_ms);
}

const char *process_anabranch(void)
{
	static char path[PATH_MAX];
	const char *set = getenv("AB_BIN");
	ssize_t len;
	char *slash;

	if (set != NULL)
		return set;
	len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("anabranch"));
	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash != NULL ? slash + 1 : path, "anabranch", sizeof("anabranch"));
	return path;
}
