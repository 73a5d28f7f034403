/* tests/modules/bare.c: a module without resources. */
#include <anabranch.h>
