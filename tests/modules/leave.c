/* tests/modules/leave.c: a module that ends the process when it is loaded. */
#include <anabranch.h>
#include <unistd.h>

RESOURCE(leave)
{
	return text("never");
}

static __attribute__((constructor)) void leave_at_load(void)
{
	_exit(3);
}
