/* tests/tsan/criterion/criterion.h: what our tests use of Criterion, for ThreadSanitizer alone.
 *
 * Criterion shares memory with its tests at an address that ThreadSanitizer keeps for itself, so that under
 * it no test starts ("could not initialize inheritable arena", 2.4.1). This header stands in its place in
 * MODE=tsan: the same macros, a process a test, and a main in runner.c. */
#ifndef AB_TSAN_CRITERION_H
#define AB_TSAN_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-zero-length"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

struct stand_in_options {
	int first; /* so that the list of designators is never empty */
	void (*init)(void);
	void (*fini)(void);
	double timeout;
	const char *description;
	bool disabled;
	int signal;
	int exit_code;
};

struct stand_in_params {
	size_t size;
	void *params;
	size_t length;
};

struct stand_in_test {
	const char *suite, *name;
	const struct stand_in_options *options;
	void (*run)(void);
	void (*run_with)(void *param);
	struct stand_in_params (*params)(void);
	struct stand_in_test *next;
};

struct stand_in_suite {
	const char *name;
	const struct stand_in_options *options;
	struct stand_in_suite *next;
};

void stand_in_add_test(struct stand_in_test *test);
void stand_in_add_suite(struct stand_in_suite *suite);
void stand_in_check(bool fatal, const char *what, const char *file, int line, const char *fmt, ...)
        __attribute__((format(printf, 5, 6)));
_Noreturn void stand_in_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define STAND_IN_REGISTER(Suite, Name, Run, RunWith, Params, ...)                                            \
	static const struct stand_in_options Suite##_##Name##_options = {.first = 0, __VA_ARGS__};           \
	static struct stand_in_test Suite##_##Name##_test = {                                                \
	        #Suite, #Name, &Suite##_##Name##_options, Run, RunWith, Params, NULL};                       \
	__attribute__((constructor)) static void Suite##_##Name##_add(void)                                  \
	{                                                                                                    \
		stand_in_add_test(&Suite##_##Name##_test);                                                   \
	}

#define Test(Suite, Name, ...)                                                                               \
	static void Suite##_##Name##_run(void);                                                              \
	STAND_IN_REGISTER(Suite, Name, Suite##_##Name##_run, NULL, NULL, __VA_ARGS__)                        \
	static void Suite##_##Name##_run(void)

#define TestSuite(Name, ...)                                                                                 \
	static const struct stand_in_options Name##_suite_options = {.first = 0, __VA_ARGS__};               \
	static struct stand_in_suite Name##_suite = {#Name, &Name##_suite_options, NULL};                    \
	__attribute__((constructor)) static void Name##_suite_add(void)                                      \
	{                                                                                                    \
		stand_in_add_suite(&Name##_suite);                                                           \
	}                                                                                                    \
	struct stand_in_suite

#define ParameterizedTestParameters(Suite, Name) static struct stand_in_params Suite##_##Name##_params(void)
#define ParameterizedTest(Param, Suite, Name, ...)                                                           \
	static void Suite##_##Name##_body(Param);                                                            \
	static void Suite##_##Name##_run_with(void *param)                                                   \
	{                                                                                                    \
		Suite##_##Name##_body(param);                                                                \
	}                                                                                                    \
	STAND_IN_REGISTER(                                                                                   \
	        Suite, Name, NULL, Suite##_##Name##_run_with, Suite##_##Name##_params, __VA_ARGS__)          \
	static void Suite##_##Name##_body(Param)
#define cr_make_param_array(Type, Array, Length, ...)                                                        \
	((struct stand_in_params){sizeof(Type), (void *)(uintptr_t)(Array), (Length)})
#define criterion_test_params stand_in_params

/* The message's arguments are looked at only when it does not hold, as Criterion does. */
#define STAND_IN(Fine, Fatal, What, ...)                                                                     \
	((Fine) ? (void)0 : stand_in_check(Fatal, What, __FILE__, __LINE__, "" __VA_ARGS__))
#define cr_assert(C, ...) STAND_IN(!!(C), true, #C, __VA_ARGS__)
#define cr_expect(C, ...) STAND_IN(!!(C), false, #C, __VA_ARGS__)
#define cr_assert_not(C, ...) STAND_IN(!(C), true, "not " #C, __VA_ARGS__)
#define cr_expect_not(C, ...) STAND_IN(!(C), false, "not " #C, __VA_ARGS__)
#define cr_assert_fail(...) STAND_IN(false, true, "fail", __VA_ARGS__)
#define cr_expect_fail(...) STAND_IN(false, false, "fail", __VA_ARGS__)
#define cr_assert_eq(A, B, ...) STAND_IN((A) == (B), true, #A " == " #B, __VA_ARGS__)
#define cr_expect_eq(A, B, ...) STAND_IN((A) == (B), false, #A " == " #B, __VA_ARGS__)
#define cr_assert_neq(A, B, ...) STAND_IN((A) != (B), true, #A " != " #B, __VA_ARGS__)
#define cr_expect_neq(A, B, ...) STAND_IN((A) != (B), false, #A " != " #B, __VA_ARGS__)
#define cr_assert_lt(A, B, ...) STAND_IN((A) < (B), true, #A " < " #B, __VA_ARGS__)
#define cr_expect_lt(A, B, ...) STAND_IN((A) < (B), false, #A " < " #B, __VA_ARGS__)
#define cr_assert_leq(A, B, ...) STAND_IN((A) <= (B), true, #A " <= " #B, __VA_ARGS__)
#define cr_expect_leq(A, B, ...) STAND_IN((A) <= (B), false, #A " <= " #B, __VA_ARGS__)
#define cr_assert_gt(A, B, ...) STAND_IN((A) > (B), true, #A " > " #B, __VA_ARGS__)
#define cr_expect_gt(A, B, ...) STAND_IN((A) > (B), false, #A " > " #B, __VA_ARGS__)
#define cr_assert_geq(A, B, ...) STAND_IN((A) >= (B), true, #A " >= " #B, __VA_ARGS__)
#define cr_expect_geq(A, B, ...) STAND_IN((A) >= (B), false, #A " >= " #B, __VA_ARGS__)
#define cr_assert_null(A, ...) STAND_IN((A) == NULL, true, #A " is null", __VA_ARGS__)
#define cr_expect_null(A, ...) STAND_IN((A) == NULL, false, #A " is null", __VA_ARGS__)
#define cr_assert_not_null(A, ...) STAND_IN((A) != NULL, true, #A " is not null", __VA_ARGS__)
#define cr_expect_not_null(A, ...) STAND_IN((A) != NULL, false, #A " is not null", __VA_ARGS__)
#define cr_assert_str_eq(A, B, ...) STAND_IN(strcmp(A, B) == 0, true, #A " is " #B, __VA_ARGS__)
#define cr_expect_str_eq(A, B, ...) STAND_IN(strcmp(A, B) == 0, false, #A " is " #B, __VA_ARGS__)
#define cr_assert_str_neq(A, B, ...) STAND_IN(strcmp(A, B) != 0, true, #A " is not " #B, __VA_ARGS__)
#define cr_expect_str_neq(A, B, ...) STAND_IN(strcmp(A, B) != 0, false, #A " is not " #B, __VA_ARGS__)
#define cr_assert_str_empty(A, ...) STAND_IN((A)[0] == '\0', true, #A " is empty", __VA_ARGS__)
#define cr_expect_str_empty(A, ...) STAND_IN((A)[0] == '\0', false, #A " is empty", __VA_ARGS__)
#define cr_assert_str_not_empty(A, ...) STAND_IN((A)[0] != '\0', true, #A " is not empty", __VA_ARGS__)
#define cr_expect_str_not_empty(A, ...) STAND_IN((A)[0] != '\0', false, #A " is not empty", __VA_ARGS__)
#define cr_assert_arr_eq(A, B, N, ...) STAND_IN(memcmp(A, B, N) == 0, true, #A " is " #B, __VA_ARGS__)
#define cr_expect_arr_eq(A, B, N, ...) STAND_IN(memcmp(A, B, N) == 0, false, #A " is " #B, __VA_ARGS__)
#define cr_assert_float_eq(A, B, E, ...) STAND_IN(fabs((A) - (B)) <= (E), true, #A " near " #B, __VA_ARGS__)
#define cr_expect_float_eq(A, B, E, ...) STAND_IN(fabs((A) - (B)) <= (E), false, #A " near " #B, __VA_ARGS__)
#define cr_skip(...) stand_in_skip("" __VA_ARGS__)
#define cr_skip_test(...) stand_in_skip("" __VA_ARGS__)
#define cr_log_info(...) fprintf(stderr, "" __VA_ARGS__)
#define cr_malloc malloc
#define cr_free free

#endif
