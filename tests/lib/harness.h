/* tests/lib/harness.h: resources compiled and run without an app file: a loop, an env, one dispatcher.
 *
 *     struct harness h;
 *     harness_open(&h);
 *     h.env.http = ab_http_create(&h.env);            (what the kind under test needs)
 *     harness_add(&h, "user", "{`http`: `GET catalog/users/{id}`}");
 *     struct harness_run *run = harness_get(&h, "user", "{`id`: 7}");
 *     cr_assert_eq(run->code, AB_OK);                 (run->value, run->error)
 *     harness_run_end(run);
 *     harness_close(&h);                              (after closing what the test opened; runs the loop dry)
 */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include "../../dispatch/run.h"
#include "../../handlers/kind.h"
#include "conf.h"

enum { HARNESS_RESOURCES = 64 };

struct harness {
	struct ab_env env;
	uv_loop_t loop;
	struct ab_diags *diags;
	struct ab_dispatcher *dispatcher;
	/* For ab_compile; set them before harness_add where the kind asks. */
	struct ab_upstream *(*upstream)(struct ab_compile *compile, const char *name, size_t len);
	struct ab_database *(*database)(struct ab_compile *compile, const char *name);
	const char *dir;
	const char *request_id, *traceparent;
	unsigned max_fetches;
	/* private */
	struct test_conf *confs[HARNESS_RESOURCES];
	struct ab_scope *scopes[HARNESS_RESOURCES];
	size_t n_resources;
	uv_timer_t timer;
	uv_prepare_t prepare;
};

struct harness_run {
	struct harness *harness;
	struct ab_run *run;
	bool done;
	enum ab_code code;            /* AB_PENDING until it is done */
	json_t *value;                /* borrowed from the run; NULL when it failed */
	const struct ab_error *error; /* NULL when it did not */
	/* private */
	struct ab_arena *arena;
	struct ab_plan *plan;
	int slot;
	struct ab_context context;
};

void harness_open(struct harness *h);
/* Destroys the dispatcher (so that configs are freed); the loop goes on. Before closing upstreams and
 * databases. */
void harness_clear(struct harness *h);
/* harness_clear, then runs the loop until every handle is closed and ends it. */
void harness_close(struct harness *h);

/* Compile a resource from its mapping and add it. Generic keys understood: timeout, pass, raw, needs,
 * optional, fallback (any JSON), writes, missing (404, 401, 403 or null). False after mistakes, see
 * harness_mistakes. */
bool harness_add(struct harness *h, const char *name, const char *mapping);
/* The mistakes so far; the caller frees it. */
char *harness_mistakes(struct harness *h);
/* harness_add must fail; the mistakes, of which the list is emptied. The caller frees it. */
char *harness_refuse(struct harness *h, const char *name, const char *mapping);

/* Start a run for `target`; `given` is a JSON object of given names or NULL. Names that nothing provides must
 * be in it. Does not run the loop. */
struct harness_run *harness_start(struct harness *h, const char *target, const char *given);
/* Start, and run the loop until it is done; ends the test's process after 10 s. */
struct harness_run *harness_get(struct harness *h, const char *target, const char *given);
void harness_wait(struct harness_run *run);
/* Cancels it when it goes on, waits for what is outstanding, frees it. */
void harness_run_end(struct harness_run *run);

/* Run the loop until `*flag`, or `fn(arg)`, is true. False after `ms`. */
bool harness_until(struct harness *h, const bool *flag, unsigned ms);
bool harness_until_fn(struct harness *h, bool (*fn)(void *arg), void *arg, unsigned ms);
/* Wait until no thread of this process has a name that begins so; ends the process after 20 s. What such a
 * thread holds would be taken for a leak. */
void harness_await_threads(const char *prefix);
/* Let the loop run for so long (to see that something does not happen). */
void harness_idle(struct harness *h, unsigned ms);

#endif
