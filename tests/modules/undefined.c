/* tests/modules/undefined.c: a module that uses a function nobody has. */
#include <anabranch.h>

int nobody_has_this(void);

RESOURCE(undefined)
{
	return json(json_integer(nobody_has_this()));
}
