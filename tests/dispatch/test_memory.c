/* tests/dispatch/test_memory.c: arenas, error texts, and every allocation failing once. */
#include "engine.h"

#include "../../dispatch/alloc.h"
#include "../../dispatch/table.h"

#include <string.h>

TestSuite(arena, .timeout = 10);
TestSuite(error, .timeout = 10);
TestSuite(memory, .timeout = 20);

static char order[64];

static void note_end(void *ptr)
{
	strcat(order, ptr);
}

Test(arena, what_is_deferred_runs_last_first_when_the_last_reference_goes)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	char a[] = "a", b[] = "b";

	cr_assert(ab_arena_defer(arena, note_end, a));
	cr_assert(ab_arena_defer(arena, note_end, b));
	cr_assert(ab_arena_ref(arena) == arena);
	ab_arena_unref(arena);
	cr_assert_str_empty(order);
	ab_arena_unref(arena);
	cr_assert_str_eq(order, "ba");
}

Test(arena, memory_is_aligned_and_apart)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	unsigned char *last = NULL;
	size_t last_size = 0;

	for (size_t size = 0; size < 40000; size += 1 + size / 3) {
		unsigned char *ptr = ab_arena_alloc(arena, size);

		cr_assert(ptr != NULL);
		cr_assert((uintptr_t)ptr % 16 == 0);
		for (size_t i = 0; i < last_size; i++)
			cr_assert(last[i] == 0xAB);
		memset(ptr, 0xAB, size);
		last = ptr;
		last_size = size;
	}
	ab_arena_unref(arena);
}

Test(arena, there_is_a_cap_on_what_one_may_hold)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	size_t got = 0;

	cr_assert(ab_arena_alloc(arena, SIZE_MAX) == NULL);
	cr_assert(ab_arena_alloc(arena, (size_t)AB_ARENA_MAX + 1) == NULL);
	cr_assert(ab_arena_calloc(arena, SIZE_MAX / 2, 3) == NULL);
	while (ab_arena_alloc(arena, 1024 * 1024) != NULL)
		got++;
	cr_assert(got == 63);
	ab_arena_unref(arena);
}

Test(arena, a_pool_keeps_blocks_up_to_its_limit)
{
	struct ab_arena *arenas[8];
	struct ab_pool pool;

	ab_pool_init(&pool);
	pool.max_kept = 5;
	for (size_t i = 0; i < AB_COUNT(arenas); i++)
		arenas[i] = ab_arena_create(&pool);
	for (size_t i = 0; i < AB_COUNT(arenas); i++)
		ab_arena_unref(arenas[i]);
	cr_assert(pool.kept == 5);
	arenas[0] = ab_arena_create(&pool);
	cr_assert(pool.kept == 4);
	cr_assert(ab_arena_alloc(arenas[0], 100000) != NULL);
	ab_arena_unref(arenas[0]);
	cr_assert(pool.kept == 5, "large blocks are not kept");
	ab_pool_fini(&pool);
	cr_assert(pool.kept == 0);
}

Test(arena, strings_are_copied_and_formatted)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	char *text;

	cr_assert_str_eq(ab_arena_strndup(arena, "hello world", 5), "hello");
	cr_assert_str_eq(ab_arena_strndup(arena, "", 0), "");
	cr_assert_str_eq(ab_arena_printf(arena, "%s-%d", "a", 7), "a-7");
	text = ab_arena_printf(arena, "%*d", 1000, 5);
	cr_assert(text != NULL && strlen(text) == 1000 && text[999] == '5');
	ab_arena_unref(arena);
}

Test(error, names_and_statuses_come_from_one_list)
{
	struct ab_error err;

	cr_assert(ab_error_set(&err, AB_ETIMEOUT, "after %d ms", 300) == AB_ETIMEOUT);
	cr_assert(err.code == AB_ETIMEOUT && err.status == 504 && err.resource == NULL);
	cr_assert_str_eq(err.text, "after 300 ms");
	cr_assert_str_eq(ab_code_name(AB_EUNRESOLVABLE), "UnresolvableDependency");
	cr_assert_str_eq(ab_code_name((enum ab_code)999), "Unknown");
	cr_assert(ab_code_status((enum ab_code)999) == 500);
	cr_assert(ab_error_set(NULL, AB_EINVALID, "nowhere") == AB_EINVALID);
}

Test(error, a_prefix_goes_in_front)
{
	struct ab_error err;

	ab_error_set(&err, AB_EUPSTREAM, "refused");
	ab_error_prefix(&err, "resource '%s'", "a");
	cr_assert_str_eq(err.text, "resource 'a': refused");
	ab_error_prefix(NULL, "x");
}

Test(error, an_argument_may_be_the_text_itself)
{
	struct ab_error err;

	ab_error_set(&err, AB_EUPSTREAM, "refused");
	ab_error_set(&err, AB_EUPSTREAM, "%s, and %s again", err.text, err.text);
	cr_assert_str_eq(err.text, "refused, and refused again");
}

Test(error, a_long_text_is_cut_between_characters)
{
	static const char *const letters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
	struct ab_error err;

	for (size_t i = 0; i < AB_COUNT(letters); i++) {
		for (size_t shift = 0; shift < 4; shift++) {
			char text[2048] = "";
			size_t len, width = strlen(letters[i]);

			for (size_t j = 0; j < shift; j++)
				strcat(text, "x");
			while (strlen(text) < 1000)
				strcat(text, letters[i]);
			ab_error_set(&err, AB_EINVALID, "%s", text);
			len = strlen(err.text);
			cr_assert(len < AB_ERROR_TEXT && len > AB_ERROR_TEXT - 6);
			cr_assert((len - shift) % width == 0, "letter %zu, shift %zu: cut at %zu", i, shift,
			        len);
			cr_assert(memcmp(err.text, text, len) == 0);
		}
	}
}

/* ---- the n-th allocation fails ---- */

static long countdown = -1; /* allocations until one fails; negative: none does */
static long balance;

static bool fails_now(void)
{
	return countdown >= 0 && countdown-- == 0;
}

static void *failing_malloc(size_t size)
{
	void *ptr = fails_now() ? NULL : malloc(size);

	balance += ptr != NULL;
	return ptr;
}

static void *failing_realloc(void *ptr, size_t size)
{
	void *moved = fails_now() ? NULL : realloc(ptr, size);

	balance += moved != NULL && ptr == NULL;
	return moved;
}

static void failing_free(void *ptr)
{
	balance -= ptr != NULL;
	free(ptr);
}

/* A handler whose own failures to allocate are reported as it must. */
static void list_start(struct ab_call *call)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < call->resource->n_needs; i++)
		if (json_array_append(list, call->needs[i]) != 0) {
			json_decref(list);
			list = NULL;
		}
	ab_call_resolve_new(call, list);
}

static void broken_start(struct ab_call *call)
{
	struct ab_error err;

	ab_error_set(&err, AB_EUPSTREAM, "broken");
	ab_call_fail(call, &err);
}

static void text_start(struct ab_call *call)
{
	ab_call_resolve_text(
	        call, &(struct ab_text){.data = strdup("text"), .len = 4, .media = "text/plain"});
}

static const struct ab_handler list_handler = {.kind = "list", .start = list_start};
static const struct ab_handler broken_handler = {.kind = "broken", .start = broken_start};
static const struct ab_handler text_handler = {.kind = "text", .start = text_start};

static enum ab_verdict pass(
        void *arg, const struct ab_resource *failed, struct ab_error *err, json_t **ret_value)
{
	(void)arg;
	(void)failed;
	(void)err;
	(void)ret_value;
	return AB_PASS;
}

static enum ab_code build(struct ab_dispatcher *top, struct ab_dispatcher *sub, struct ab_error *err)
{
	static const char *const page_needs[] = {"user", "shaky", "lost", "text", "degraded", "id"};
	static const char *const backup_needs[] = {"deep"};
	const struct ab_resource own[] = {
	        {.name = "page",
	                .handler = &list_handler,
	                .needs = page_needs,
	                .n_needs = AB_COUNT(page_needs)},
	        {.name = "user", .handler = &list_handler},
	        {.name = "shaky", .handler = &broken_handler, .fallback_resource = "backup"},
	        {.name = "backup", .handler = &list_handler, .needs = backup_needs, .n_needs = 1},
	        {.name = "insert", .handler = &list_handler, .writes = true},
	};
	const struct ab_resource subs[] = {
	        {.name = "deep", .handler = &text_handler},
	        {.name = "text", .handler = &text_handler},
	        {.name = "lost", .handler = &broken_handler, .optional = true},
	};
	enum ab_code code = ab_dispatcher_include(top, sub, err);

	for (size_t i = 0; i < AB_COUNT(own) && code == AB_OK; i++)
		code = ab_dispatcher_add(top, &own[i], err);
	for (size_t i = 0; i < AB_COUNT(subs) && code == AB_OK; i++)
		code = ab_dispatcher_add(sub, &subs[i], err);
	if (code == AB_OK)
		code = ab_dispatcher_on_error(sub, pass, NULL, err);
	return code;
}

static enum ab_code run_once(const struct ab_plan *plan)
{
	struct ab_arena *arena = ab_arena_create(NULL);
	struct ab_run *run, *later = NULL;
	enum ab_code code = AB_ENOMEM;

	if (arena == NULL)
		return code;
	run = ab_run_create(arena, plan, NULL);
	if (run != NULL) {
		ab_run_give_new(run, ab_plan_slot(plan, "id"), json_integer(4));
		code = ab_run_start(run, NULL, NULL);
		cr_assert(code == AB_OK ? ab_run_error(run) == NULL : ab_run_error(run)->code == code);
		later = ab_run_create(arena, plan, NULL);
	}
	if (later != NULL && code == AB_OK) {
		ab_run_inherit(later, run);
		code = ab_run_start(later, NULL, NULL);
		if (code == AB_OK && ab_run_value(later, ab_plan_slot(plan, "text")) == NULL)
			code = AB_ENOMEM;
	} else if (code == AB_OK) {
		code = AB_ENOMEM;
	}
	ab_arena_unref(arena);
	return code;
}

/* Build, compile, run, run again with what the first had; any step may end it for want of memory. */
static enum ab_code everything(void)
{
	const char *targets[] = {"page", "insert"}, *guards[] = {"user"}, *acceptable[] = {"id"};
	struct ab_dispatcher *top = ab_dispatcher_create(), *sub = ab_dispatcher_create();
	struct ab_plan *plan = NULL;
	enum ab_code code = AB_ENOMEM;
	struct ab_error err;

	if (top != NULL && sub != NULL)
		code = build(top, sub, &err);
	if (code == AB_OK)
		code = ab_plan_compile(
		        &(struct ab_plan_spec){
		                .dispatcher = top,
		                .targets = {targets, 2},
		                .guards = {guards, 1},
		                .acceptable = {acceptable, 1},
		        },
		        &plan, &err);
	if (code == AB_OK)
		code = run_once(plan);
	ab_plan_destroy(plan);
	ab_dispatcher_destroy(top);
	ab_dispatcher_destroy(sub);
	return code;
}

Test(memory, every_allocation_may_fail_and_nothing_is_left_behind)
{
	const struct ab_alloc_funcs funcs = {failing_malloc, failing_realloc, failing_free};
	long n = 0;
	enum ab_code code;

	ab_set_alloc_funcs(&funcs);
	json_set_alloc_funcs(failing_malloc, failing_free);
	do {
		countdown = n++;
		code = everything();
		cr_assert(balance == 0, "allocation %ld: %ld left", n, balance);
		cr_assert(countdown >= 0 || code == AB_ENOMEM || code == AB_EUPSTREAM, "allocation %ld: %s",
		        n, ab_code_name(code));
		cr_assert(n < 10000);
	} while (countdown < 0);
	cr_assert(code == AB_OK);
	cr_assert(n > 40, "%ld allocations", n);
	ab_set_alloc_funcs(NULL);
	json_set_alloc_funcs(malloc, free);
}

Test(memory, a_run_of_a_small_plan_takes_one_block_and_no_more)
{
	const struct ab_alloc_funcs funcs = {failing_malloc, failing_realloc, failing_free};
	struct ab_dispatcher *d = dispatcher();
	struct ab_plan *plan;
	struct ab_pool pool;

	ADD(d, "a: b c", .value = "1");
	ADD(d, "b: c", .value = "1");
	ADD(d, "c", .value = "1");
	cr_assert(compile(d, &(struct scene){.targets = "a"}, &plan, NULL) == AB_OK);
	ab_pool_init(&pool);
	ab_set_alloc_funcs(&funcs);
	for (int i = 0; i < 3; i++) {
		struct ab_arena *arena = ab_arena_create(&pool);
		struct ab_run *run = ab_run_create(arena, plan, NULL);

		cr_assert(ab_run_start(run, NULL, NULL) == AB_OK);
		ab_arena_unref(arena);
		cr_assert(balance == 1, "one block, kept by the pool");
	}
	ab_pool_fini(&pool);
	cr_assert(balance == 0);
	ab_set_alloc_funcs(NULL);
	ab_plan_destroy(plan);
	ab_dispatcher_destroy(d);
}

Test(memory, a_table_finds_what_was_added)
{
	struct ab_table table = {0};
	static char names[2000][16];

	cr_assert(ab_table_get(&table, "none") == -1);
	for (int i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "name%d", i);
		cr_assert(ab_table_add(&table, names[i], i));
	}
	for (int i = 0; i < 2000; i++)
		cr_assert(ab_table_get(&table, names[i]) == i);
	cr_assert(ab_table_get(&table, "name2000") == -1);
	ab_table_fini(&table);
}
