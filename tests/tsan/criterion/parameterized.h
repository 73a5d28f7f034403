/* tests/tsan/criterion/parameterized.h: see criterion.h beside it. */
#include "criterion.h"
