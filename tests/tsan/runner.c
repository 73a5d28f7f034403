/* tests/tsan/runner.c: runs the tests of a program built against tests/tsan/criterion: a process each, --jobs
 * of them at once, with the time limit of the test or its suite. `--filter TEXT` runs those with TEXT in
 * "suite/name". */
#include "criterion/criterion.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77, MAX_JOBS = 16 };

struct job {
	pid_t pid;
	const struct stand_in_test *test;
	size_t param;
};

static struct stand_in_test *tests;
static struct stand_in_suite *suites;
static struct job jobs[MAX_JOBS];
static int n_jobs, max_jobs = 2, passed, failed, skipped;
static bool child_failed;

void stand_in_add_test(struct stand_in_test *test)
{
	test->next = tests;
	tests = test;
}

void stand_in_add_suite(struct stand_in_suite *suite)
{
	suite->next = suites;
	suites = suite;
}

void stand_in_check(bool fatal, const char *what, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: does not hold: %s: ", file, line, what);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	child_failed = true;
	if (fatal)
		exit(1);
}

void stand_in_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(SKIPPED);
}

static const struct stand_in_options *suite_options(const char *name)
{
	static const struct stand_in_options none;

	for (const struct stand_in_suite *suite = suites; suite != NULL; suite = suite->next)
		if (strcmp(suite->name, name) == 0)
			return suite->options;
	return &none;
}

static void run_child(const struct stand_in_test *test, char *param)
{
	const struct stand_in_options *suite = suite_options(test->suite);
	double timeout = test->options->timeout > 0 ? test->options->timeout : suite->timeout;

	alarm((unsigned)(timeout > 0 ? timeout * 3 : 180)); /* everything is slower here */
	if (suite->init != NULL)
		suite->init();
	if (test->options->init != NULL)
		test->options->init();
	if (test->run != NULL)
		test->run();
	else
		test->run_with(param);
	if (test->options->fini != NULL)
		test->options->fini();
	if (suite->fini != NULL)
		suite->fini();
	exit(child_failed ? 1 : 0);
}

static void reap(void)
{
	int status;
	pid_t pid = wait(&status);

	for (int i = 0; i < n_jobs; i++) {
		const struct stand_in_test *test = jobs[i].test;

		if (jobs[i].pid != pid)
			continue;
		if (test->options->signal != 0
		                ? WIFSIGNALED(status) && WTERMSIG(status) == test->options->signal
		                : WIFEXITED(status) && WEXITSTATUS(status) == test->options->exit_code) {
			passed++;
		} else if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
			printf("skipped: %s/%s\n", test->suite, test->name);
			skipped++;
		} else {
			printf("failed: %s/%s [%zu]: status %#x\n", test->suite, test->name, jobs[i].param,
			        status);
			failed++;
		}
		jobs[i] = jobs[--n_jobs];
		return;
	}
}

static void start(const struct stand_in_test *test, char *param, size_t index)
{
	pid_t pid;

	while (n_jobs >= max_jobs)
		reap();
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(test, param);
	jobs[n_jobs++] = (struct job){pid, test, index};
}

int main(int argc, char **argv)
{
	const char *filter = "";
	char name[256];

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--jobs") == 0)
			max_jobs = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--filter") == 0)
			filter = argv[i + 1];
	}
	max_jobs = max_jobs < 1 ? 1 : max_jobs > MAX_JOBS ? MAX_JOBS : max_jobs;
	for (const struct stand_in_test *test = tests; test != NULL; test = test->next) {
		struct stand_in_params params = {0, NULL, 1};

		snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
		if (strstr(name, filter) == NULL || test->options->disabled)
			continue;
		if (test->params != NULL)
			params = test->params();
		for (size_t i = 0; i < params.length; i++)
			start(test, (char *)params.params + i * params.size, i);
	}
	while (n_jobs > 0)
		reap();
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed > 0 || passed == 0;
}
