/* tests/modules/old.c: a module of another version of the interface. */
#define ANABRANCH_NO_MODULE
#include <anabranch.h>

RESOURCE(old)
{
	return text("never");
}

extern const struct anabranch_listing anabranch_module __attribute__((visibility("default")));
const struct anabranch_listing anabranch_module = {{'a', 'n', 'a', 'b', 'r', 'a', 'n', 0}, 99,
        sizeof(struct anabranch_function), "9.9.9", __start_anabranch_functions, __stop_anabranch_functions};
