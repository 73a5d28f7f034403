/* tests/handlers/test_deadline.c: queues of timeouts on a real loop; orders and counts, never times. */
#include "../../handlers/deadline.h"

#include <criterion/criterion.h>

TestSuite(deadline, .timeout = 20);

struct item {
	struct ab_deadline deadline;
	int id;
	int expired; /* times */
	void (*then)(struct item *item);
};

static uv_loop_t loop;
static struct ab_deadlines *set;
static int order[5000], n_order;

static void open_set(void)
{
	cr_assert_eq(uv_loop_init(&loop), 0);
	set = ab_deadlines_create(&loop);
	cr_assert_not_null(set);
	n_order = 0;
}

/* Runs the loop until nothing is armed: an armed one keeps it going, and nothing else must. */
static void close_set(void)
{
	cr_expect_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
	ab_deadlines_close(set);
	uv_run(&loop, UV_RUN_DEFAULT);
	cr_expect_eq(uv_loop_close(&loop), 0, "every timer is closed");
}

static void on_expired(struct ab_deadline *deadline)
{
	struct item *item = ab_container_of(deadline, struct item, deadline);

	cr_expect_not(ab_deadline_armed(deadline), "disarmed before it is called");
	item->expired++;
	if (n_order < 5000)
		order[n_order++] = item->id;
	if (item->then != NULL)
		item->then(item);
}

Test(deadline, entries_of_a_queue_expire_in_the_order_they_were_armed)
{
	struct item items[100] = {0};
	struct ab_deadline_queue *queue;

	open_set();
	queue = ab_deadlines_queue(set, 5);
	for (int i = 0; i < 100; i++) {
		items[i].id = i;
		ab_deadline_arm(queue, &items[i].deadline, on_expired);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	cr_assert_eq(n_order, 100);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(order[i], i);
	close_set();
}

Test(deadline, queues_are_one_a_duration_and_independent)
{
	struct item slow = {.id = 1}, fast = {.id = 2};

	open_set();
	cr_expect_eq(ab_deadlines_queue(set, 20), ab_deadlines_queue(set, 20));
	cr_expect_neq(ab_deadlines_queue(set, 20), ab_deadlines_queue(set, 1));
	cr_expect_eq(ab_deadlines_queue(set, 0), ab_deadlines_queue(set, 1), "no duration is less than 1 ms");
	ab_deadline_arm(ab_deadlines_queue(set, 20), &slow.deadline, on_expired);
	ab_deadline_arm(ab_deadlines_queue(set, 1), &fast.deadline, on_expired);
	uv_run(&loop, UV_RUN_DEFAULT);
	cr_assert_eq(n_order, 2);
	cr_expect_eq(order[0], 2);
	cr_expect_eq(order[1], 1);
	close_set();
}

Test(deadline, disarmed_entries_never_expire_and_an_empty_queue_ends_the_loop)
{
	struct item items[3] = {{.id = 0}, {.id = 1}, {.id = 2}};
	struct ab_deadline_queue *queue, *far;

	open_set();
	queue = ab_deadlines_queue(set, 3);
	far = ab_deadlines_queue(set, UINT64_MAX);
	for (int i = 0; i < 3; i++)
		ab_deadline_arm(queue, &items[i].deadline, on_expired);
	ab_deadline_disarm(&items[0].deadline);
	ab_deadline_disarm(&items[0].deadline);
	ab_deadline_disarm(&items[2].deadline);
	uv_run(&loop, UV_RUN_DEFAULT);
	cr_expect_eq(n_order, 1);
	cr_expect_eq(order[0], 1);
	ab_deadline_arm(far, &items[0].deadline, on_expired);
	cr_expect(uv_loop_alive(&loop));
	ab_deadline_disarm(&items[0].deadline);
	cr_expect_not(uv_loop_alive(&loop), "nothing armed keeps nothing alive");
	close_set();
	cr_expect_eq(n_order, 1);
}

static struct item *victim;

static void disarm_victim(struct item *item)
{
	(void)item;
	ab_deadline_disarm(&victim->deadline);
}

Test(deadline, a_callback_may_disarm_the_next_one)
{
	struct item items[4] = {{.id = 0, .then = disarm_victim}, {.id = 1}, {.id = 2}, {.id = 3}};

	open_set();
	victim = &items[1];
	for (int i = 0; i < 4; i++)
		ab_deadline_arm(ab_deadlines_queue(set, 2), &items[i].deadline, on_expired);
	close_set();
	cr_assert_eq(n_order, 3);
	cr_expect_eq(order[0], 0);
	cr_expect_eq(order[1], 2);
	cr_expect_eq(order[2], 3);
}

static void arm_again(struct item *item)
{
	if (item->expired < 3)
		ab_deadline_arm(item->deadline.queue, &item->deadline, on_expired);
}

Test(deadline, a_callback_may_arm_itself_again)
{
	struct item items[2] = {{.id = 0, .then = arm_again}, {.id = 1, .then = arm_again}};

	open_set();
	for (int i = 0; i < 2; i++)
		ab_deadline_arm(ab_deadlines_queue(set, 1), &items[i].deadline, on_expired);
	close_set();
	cr_expect_eq(items[0].expired, 3);
	cr_expect_eq(items[1].expired, 3);
}

static void free_item(struct item *item)
{
	free(item);
}

Test(deadline, a_callback_may_free_its_entry)
{
	open_set();
	for (int i = 0; i < 50; i++) {
		struct item *item = calloc(1, sizeof(*item));

		cr_assert_not_null(item);
		item->then = free_item;
		ab_deadline_arm(ab_deadlines_queue(set, 1 + (uint64_t)i % 3), &item->deadline, on_expired);
	}
	close_set();
	cr_expect_eq(n_order, 50);
}

Test(deadline, thousands_armed_and_disarmed_at_random_expire_once_or_never)
{
	static struct item items[5000];
	unsigned seed = 7;
	int disarmed = 0;

	open_set();
	for (int i = 0; i < 5000; i++) {
		items[i].id = i;
		ab_deadline_arm(ab_deadlines_queue(set, 1 + (uint64_t)(rand_r(&seed) % 8)),
		        &items[i].deadline, on_expired);
		if (rand_r(&seed) % 4 == 0) {
			struct item *other = &items[rand_r(&seed) % (i + 1)];

			disarmed += ab_deadline_armed(&other->deadline);
			ab_deadline_disarm(&other->deadline);
		}
		if (i % 500 == 0)
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	close_set();
	cr_expect_eq(n_order, 5000 - disarmed);
	for (int i = 0; i < 5000; i++)
		cr_expect_leq(items[i].expired, 1);
}
