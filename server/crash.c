/* server/crash.c: see crash.h. Only what a signal handler may do: no formatting, no memory. */
#include "crash.h"

#include "../handlers/native.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int number;
	const char *what;
} signals[] = {
        {SIGSEGV, "a pointer that leads nowhere, or a stack used up (SIGSEGV)"},
        {SIGBUS, "memory that is not there (SIGBUS)"},
        {SIGFPE, "a division by zero or the like (SIGFPE)"},
        {SIGILL, "an illegal instruction (SIGILL)"},
        {SIGABRT, "abort, or memory released twice (SIGABRT)"},
};

static void say(const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void say_number(unsigned number)
{
	char digits[16] = "";
	size_t at = sizeof(digits) - 1;

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0 && at > 0);
	say(digits + at);
}

static void on_crash(int number)
{
	const struct anabranch_function *running = ab_native_running();

	if (running == NULL)
		return;
	say("anabranch: the C function '");
	say(running->name);
	if (running->file != NULL) {
		say("' (");
		say(running->file);
		say(":");
		say_number((unsigned)running->line);
		say(")");
	} else {
		say("'");
	}
	say(" crashed: ");
	for (size_t i = 0; i < AB_COUNT(signals); i++)
		if (signals[i].number == number)
			say(signals[i].what);
	say("\n");
}

void ab_crash_watch(void)
{
	/* Once; what crashed does so again when the handler is back, and is not caught then. */
	struct sigaction action = {.sa_handler = on_crash,
	                         .sa_flags = (int)SA_RESETHAND | SA_NODEFER | SA_ONSTACK},
	                 old;

	for (size_t i = 0; i < AB_COUNT(signals); i++)
		if (sigaction(signals[i].number, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(signals[i].number, &action, NULL);
}
