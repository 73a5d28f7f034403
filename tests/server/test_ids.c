/* tests/server/test_ids.c: ids differ, and a trace goes on only when its header is sound. */
#include "../../server/ids.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(ids, .timeout = 10);

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, AB_ID_SIZE);
}

Test(ids, ten_thousand_ids_are_distinct_letters_and_digits)
{
	enum { N = 10000 };
	static char all[N][AB_ID_SIZE];
	struct ab_ids ids;

	ab_ids_init(&ids);
	for (int i = 0; i < N; i++) {
		ab_ids_request(&ids, all[i]);
		cr_assert_eq(strspn(all[i], "0123456789abcdefghijklmnopqrstuvwxyz"), AB_ID_SIZE - 1);
	}
	qsort(all, N, AB_ID_SIZE, compare_ids);
	for (int i = 1; i < N; i++)
		cr_assert_str_neq(all[i - 1], all[i]);
}

Test(ids, a_sound_traceparent_goes_on_with_a_span_of_ours)
{
	const char *sound[] = {
	        "00-" TRACE "-" SPAN "-01",
	        "00-" TRACE "-" SPAN "-03",
	        "cc-" TRACE "-" SPAN "-01",
	        "cc-" TRACE "-" SPAN "-01-what.the.future.will.be.like",
	};
	char parent[AB_TRACEPARENT_SIZE];
	struct ab_ids ids;

	ab_ids_init(&ids);
	for (size_t i = 0; i < AB_COUNT(sound); i++) {
		ab_ids_traceparent(&ids, sound[i], strlen(sound[i]), parent);
		cr_expect_eq(strlen(parent), AB_TRACEPARENT_SIZE - 1);
		cr_expect_eq(strncmp(parent, "00-" TRACE "-", 36), 0, "%s", parent);
		cr_expect_neq(strncmp(parent + 36, SPAN, 16), 0, "%s", parent);
		cr_expect_str_eq(parent + 52, "-01");
	}
	ab_ids_traceparent(&ids, "00-" TRACE "-" SPAN "-00", 55, parent);
	cr_expect_str_eq(parent + 52, "-00", "not sampled stays so");
}

Test(ids, anything_else_starts_a_new_trace)
{
	const char *unsound[] = {
	        "",
	        "00-" TRACE "-" SPAN "-0",
	        "00-" TRACE "-" SPAN "-01-more",
	        "00-" TRACE "-" SPAN "-01.",
	        "cc-" TRACE "-" SPAN "-01.what",
	        "ff-" TRACE "-" SPAN "-01",
	        ".0-" TRACE "-" SPAN "-01",
	        "00-00000000000000000000000000000000-" SPAN "-01",
	        "00-" TRACE "-0000000000000000-01",
	        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
	        "00-" TRACE "-" SPAN "-0x",
	        "00_" TRACE "-" SPAN "-01",
	        "00-\r\n92f3577b34da6a3ce929d0e0e4736-" SPAN "-01",
	};
	char parent[AB_TRACEPARENT_SIZE], before[AB_TRACEPARENT_SIZE] = "";
	struct ab_ids ids;

	ab_ids_init(&ids);
	for (size_t i = 0; i < AB_COUNT(unsound); i++) {
		ab_ids_traceparent(&ids, unsound[i], strlen(unsound[i]), parent);
		cr_expect_neq(strncmp(parent + 3, TRACE, 32), 0, "%s", unsound[i]);
		cr_expect_eq(strspn(parent, "0123456789abcdef-"), AB_TRACEPARENT_SIZE - 1, "%s", parent);
		cr_expect_neq(strncmp(parent + 3, before + 3, 32), 0, "the same trace twice");
		strcpy(before, parent);
	}
	ab_ids_traceparent(&ids, NULL, 0, parent);
	cr_expect_eq(strlen(parent), AB_TRACEPARENT_SIZE - 1);
}
