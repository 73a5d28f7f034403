/* tests/selftest/test_leak.c: a test that leaks on purpose. Criterion lets it pass; tests/run must not. */
#include <criterion/criterion.h>
#include <stdlib.h>

static void *volatile kept;

Test(selftest, a_leaking_test_turns_the_run_red)
{
	kept = malloc(12345);
	cr_assert_not_null(kept);
	kept = NULL;
}
