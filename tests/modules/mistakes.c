/* tests/modules/mistakes.c: names that are not there, and names that are none. */
#include <anabranch.h>

RESOURCE(page, whoo)
{
	return share(whoo);
}

RESOURCE((dashed, "a-b"))
{
	return text("never");
}

RESOURCE((twin, "page"))
{
	return text("never");
}

RESOURCE(request)
{
	return text("never");
}

CALLS(usr, user_id);
