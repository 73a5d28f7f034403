/* tests/server/test_starved.c: each allocation of a request failing once: no crash, no leak, no half answer.
 */
#include "../../dispatch/alloc.h"
#include "web.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(starved, .timeout = 60);

static long allocations_left = -1; /* -1: no end */

static bool next_fails(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

static void *failing_malloc(size_t size)
{
	return next_fails() ? NULL : malloc(size);
}

static void *failing_realloc(void *ptr, size_t size)
{
	return next_fails() ? NULL : realloc(ptr, size);
}

static void fail_allocations(bool on)
{
	static const struct ab_alloc_funcs funcs = {failing_malloc, failing_realloc, free};

	ab_set_alloc_funcs(on ? &funcs : NULL);
	json_set_alloc_funcs(on ? failing_malloc : malloc, free);
}

/* One request with its n-th allocation failing. Returns whether it got that far. */
static bool starve(
        struct web *w, const char *line, const char *headers, const char *body, int expected, long n)
{
	struct ab_request request = {
	        .method = "POST", .target = strchr(line, '/'), .query = "", .id = "test-id"};
	struct ab_header header = {"Content-Type", headers, 12, strlen(headers)};
	struct ab_arena *arena = ab_arena_create(NULL);
	struct ab_exchange *exchange;
	struct ab_reply *reply;
	bool reached;

	request.path_len = strlen(request.target);
	request.headers = &header;
	request.n_headers = 1;
	request.body = body;
	request.body_len = strlen(body);
	allocations_left = n;
	fail_allocations(true);
	if (ab_exchange_start(w->app, arena, &request, NULL, NULL, &exchange) == AB_OK) {
		reply = ab_exchange_reply(exchange);
		cr_expect(reply->status == expected || reply->status == 503 ||
		                  (expected >= 400 && reply->status >= 400),
		        "%s, allocation %ld: %d", line, n, reply->status);
		free(reply->body);
	}
	reached = allocations_left < 0;
	allocations_left = -1;
	fail_allocations(false);
	ab_arena_unref(arena);
	return reached;
}

static void starve_each(struct web *w, const char *line, const char *type, const char *body, int status)
{
	long n = 0;

	while (starve(w, line, type, body, status, n))
		n++;
	cr_expect_gt(n, 3);
	cr_expect_lt(n, 3000);
}

Test(starved, any_allocation_of_a_request_may_fail)
{
	static const struct {
		const char *line, *type, *body;
		int status;
	} requests[] = {
	        {"POST /form", "application/x-www-form-urlencoded", "title=abc&n=5&tags=a&tags=b", 200},
	        {"POST /form", "application/json", "{\"title\": \"abc\", \"tags\": [\"x\", \"y\"]}", 200},
	        {"POST /form", "application/x-www-form-urlencoded", "title=long&n=x&tags=a&tags=b", 400},
	        {"POST /form", "application/json", "{\"title\": 5, \"n\": [], \"z\": {}}", 400},
	        {"POST /go/a%2Fb", "text/plain", "", 303},
	        {"POST /nothing", "text/plain", "", 404},
	};
	struct web w;

	web_open(&w,
	        "resources:\n"
	        "  page: {text: \"{{title}} {{n}} {{#tags}}{{.}}{{/tags}} {{request.body.title}}\", needs: [made]}\n"
	        "  made: {json: {t: \"{title} {n}\", tags: \"{tags}\"}}\n"
	        "  again: {text: \"{{#error.fields}}{{field}}{{/error.fields}} {{given.title}} {{request.query.x}}\"}\n"
	        "routes:\n"
	        "  POST /form:\n"
	        "    answer: page\n"
	        "    accept: {title: {max_length: 3}, n: {type: integer, default: 4}, tags: [string]}\n"
	        "    headers: {X-T: \"{title}\"}\n"
	        "    cookies: {sid: {value: \"{title}\"}}\n"
	        "  POST /go/{id}: {redirect: \"/there/{id}\"}\n"
	        "errors: {4xx: again}\n");
	for (size_t i = 0; i < AB_COUNT(requests); i++)
		starve_each(&w, requests[i].line, requests[i].type, requests[i].body, requests[i].status);
	web_close(&w);
}

Test(starved, any_allocation_of_nested_runs_may_fail)
{
	struct web w;

	web_open(&w, "resources:\n"
	             "  ids: [1, 2, 3]\n"
	             "  item: {json: \"n{id} {who}\", each: \"{ids}\", as: id, concurrency: 2}\n"
	             "  card: {json: {who: \"{who}\", items: \"{item}\", path: \"{request.path}\"}}\n"
	             "  cards: {call: card, each: [Ann, Bob], as: who}\n"
	             "  shaky: {json: \"{x.y}\", each: \"{no}\", as: x, each_fallback: []}\n"
	             "  no: null\n"
	             "  who: World\n"
	             "  page: {json: {cards: \"{cards}\", item: \"{item}\", shaky: \"{shaky}\"}}\n"
	             "routes:\n"
	             "  POST /: page\n");
	starve_each(&w, "POST /", "text/plain", "", 200);
	web_close(&w);
}
