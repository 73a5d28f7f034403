/* tests/modules/rival.c: a module that has a name of good.c as well. */
#include <anabranch.h>

RESOURCE(greet)
{
	return text("Hey!");
}

RESOURCE(only_rival)
{
	return text("mine");
}
