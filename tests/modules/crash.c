/* tests/modules/crash.c: a module that crashes when it is loaded. */
#include <anabranch.h>
#include <signal.h>

RESOURCE(crash)
{
	return text("never");
}

static __attribute__((constructor)) void crash_at_load(void)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}
