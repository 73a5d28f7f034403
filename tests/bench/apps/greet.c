/* tests/bench/apps/greet.c: the greeting of native.yaml. */
#include <anabranch.h>

RESOURCE(greet, who)
{
	return textf("Hello %s!", json_string_value(who));
}
