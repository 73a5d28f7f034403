/* tests/dispatch/test_library_memory.c: the public interface with every allocation failing once: no leak, no
 * half state. The helpers in anabranch.h allocate through this file's malloc, which fails too. */
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../../dispatch/alloc.h"

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

/* Texts are released by libc's free, so they are not in the balance; the leak checker sees those. */
static void *text_malloc(size_t size)
{
	return fails_now() ? NULL : malloc(size);
}

#define malloc text_malloc
#include "../../dispatch/anabranch.h"
#undef malloc

#include <criterion/criterion.h>

TestSuite(library_memory, .timeout = 60);

FUNCTION(who)
{
	return text("World");
}

FUNCTION(greet, who, tone)
{
	return textf("%s, %s", json_string_value(tone), json_string_value(who));
}

FUNCTION(shaky)
{
	return refuse(422, "field", "not today");
}

FUNCTION(page, greet, shaky, bonus)
{
	return jsonf("{s:O, s:O, s:O}", "greet", greet, "shaky", shaky, "bonus", bonus);
}

static void on_greet(
        struct anabranch_call *call, void *arg, const json_t *value, const struct anabranch_error *err)
{
	(void)arg;
	anabranch_complete(call, value != NULL ? share(value) : anabranch_fail_as(err));
}

FUNCTION_ASYNC(bonus)
{
	anabranch_resolve(call, "greet", json_pack("{s:s}", "tone", "Yo"), on_greet, NULL);
	return later(NULL, NULL);
}

FUNCTION(title, page)
{
	return share(json_object_get(page, "greet"));
}

static struct anabranch_call *held;

FUNCTION_ASYNC(waits)
{
	held = call;
	return later(NULL, NULL);
}

static void stand_in(void *arg, struct anabranch_error *err, json_t **ret_value)
{
	(void)arg;
	if (strcmp(err->resource, "shaky") == 0)
		*ret_value = json_string("stood in");
}

static void on_done(void *arg, json_t *value, const struct anabranch_error *err)
{
	enum anabranch_code *code = arg;

	*code = err != NULL ? err->code : ANABRANCH_OK;
	json_decref(value);
}

static enum anabranch_code build(struct anabranch *top, struct anabranch *sub)
{
	const struct anabranch_function *all[] = {
	        &function_greet, &function_shaky, &function_page, &function_bonus, &function_waits};
	enum anabranch_code code = anabranch_include(top, sub, NULL);

	for (size_t i = 0; i < AB_COUNT(all) && code == ANABRANCH_OK; i++)
		code = anabranch_add(top, all[i], NULL);
	if (code == ANABRANCH_OK)
		code = anabranch_add(sub, &function_who, NULL);
	if (code == ANABRANCH_OK)
		code = anabranch_on_error(sub, stand_in, NULL, NULL);
	if (code == ANABRANCH_OK)
		code = anabranch_on_error(top, stand_in, NULL, NULL);
	return code;
}

static enum anabranch_code call_all(struct anabranch *top, const json_t *given)
{
	struct anabranch_callable *title = NULL, *waits = NULL;
	struct anabranch_run *run = NULL;
	struct anabranch_error err;
	json_t *value = NULL;
	enum anabranch_code code = anabranch_get(top, "page", given, &value, &err);

	cr_assert((code == ANABRANCH_OK) == (value != NULL));
	cr_assert(code == ANABRANCH_OK || err.code == code);
	json_decref(value);
	value = NULL;
	if (code == ANABRANCH_OK)
		code = anabranch_wrap(top, &function_title, &title, NULL);
	if (code == ANABRANCH_OK)
		code = anabranch_callable_call(title, given, &value, NULL);
	json_decref(value);
	anabranch_callable_destroy(title);
	if (code == ANABRANCH_OK)
		code = anabranch_prepare(top, "waits", &waits, NULL);
	if (code == ANABRANCH_OK)
		code = anabranch_start(waits, NULL, on_done, &code, &value, &run, NULL);
	if (code == ANABRANCH_PENDING)
		anabranch_complete(held, text("at last"));
	anabranch_callable_destroy(waits);
	return code;
}

static enum anabranch_code everything(void)
{
	struct anabranch *top = anabranch_create(), *sub = anabranch_create();
	enum anabranch_code code = ANABRANCH_NO_MEMORY;
	json_t *given = json_pack("{s:s}", "tone", "Hello");

	if (top != NULL && sub != NULL && given != NULL)
		code = build(top, sub);
	if (code == ANABRANCH_OK)
		code = call_all(top, given);
	json_decref(given);
	anabranch_destroy(top);
	anabranch_destroy(sub);
	return code;
}

Test(library_memory, every_allocation_may_fail_and_nothing_is_left_behind)
{
	const struct ab_alloc_funcs funcs = {failing_malloc, failing_realloc, failing_free};
	enum anabranch_code code;
	long n = 0;

	ab_set_alloc_funcs(&funcs);
	json_set_alloc_funcs(failing_malloc, failing_free);
	do {
		countdown = n++;
		code = everything();
		cr_assert(balance == 0, "allocation %ld: %ld left", n, balance);
		cr_assert(countdown >= 0 || code == ANABRANCH_NO_MEMORY || code == ANABRANCH_FAILED ||
		                  code == ANABRANCH_OK,
		        "allocation %ld: %s", n, anabranch_code_name(code));
		cr_assert(n < 10000);
	} while (countdown < 0);
	cr_assert(code == ANABRANCH_OK, "%s", anabranch_code_name(code));
	cr_assert(n > 100, "%ld allocations", n);
	ab_set_alloc_funcs(NULL);
	json_set_alloc_funcs(malloc, free);
}
