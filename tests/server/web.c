/* tests/server/web.c: see web.h. */
#include "web.h"

#include "../../handlers/http/http.h"
#include "../../server/env.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

void web_begin(struct web *w)
{
	*w = (struct web){.dir = "/tmp/anabranch-test-XXXXXX"};
	cr_assert_not_null(mkdtemp(w->dir));
	w->diags = ab_diags_create();
	cr_assert_not_null(w->diags);
}

void web_file(struct web *w, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert(fputs(text, file) >= 0);
	cr_assert_eq(fclose(file), 0);
}

static void compile(struct web *w, const char *yaml, const struct ab_app_options *options)
{
	static const struct ab_app_options none;
	char path[200];
	struct ab_error err;

	web_file(w, "app.yaml", yaml);
	snprintf(path, sizeof(path), "%s/app.yaml", w->dir);
	cr_assert_eq(ab_http_global_init(&err), AB_OK);
	w->sources = ab_sources_load(path, w->diags);
	cr_assert_not_null(w->sources);
	w->shared = ab_shared_open(w->sources, AB_DATABASE_SERVE, w->diags);
	cr_assert_not_null(w->shared);
	cr_assert_eq(ab_env_init(&w->env, 0, &err), AB_OK, "%s", err.text);
	w->app = ab_app_compile(w->sources, w->shared, &w->env, options != NULL ? options : &none, w->diags);
	cr_assert_not_null(w->app);
}

static void print(void *arg, enum ab_severity severity, const char *line)
{
	(void)arg;
	(void)severity;
	fprintf(stderr, "%s\n", line);
}

void web_compile(struct web *w, const char *yaml, const struct ab_app_options *options)
{
	compile(w, yaml, options);
	if (ab_diags_mistakes(w->diags) > 0)
		ab_diags_each(w->diags, print, NULL);
	cr_assert_eq(ab_diags_mistakes(w->diags), 0);
}

void web_open(struct web *w, const char *yaml)
{
	web_begin(w);
	web_compile(w, yaml, NULL);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

void web_close(struct web *w)
{
	ab_app_destroy(w->app);
	ab_env_fini(&w->env);
	ab_shared_close(w->shared);
	ab_sources_destroy(w->sources);
	ab_diags_destroy(w->diags);
	ab_http_global_fini();
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct lines {
	char *text;
	size_t len;
	const struct web *web;
	enum ab_severity severity;
};

static void add_line(void *arg, enum ab_severity severity, const char *line)
{
	struct lines *lines = arg;
	size_t skip = strlen(lines->web->dir) + 1, len;

	if (severity != lines->severity)
		return;
	if (strncmp(line, lines->web->dir, skip - 1) == 0)
		line += skip;
	len = strlen(line);
	lines->text = realloc(lines->text, lines->len + len + 2);
	memcpy(lines->text + lines->len, line, len);
	lines->len += len;
	memcpy(lines->text + lines->len++, "\n", 2);
}

static char *list(const char *yaml, enum ab_severity severity)
{
	struct lines lines = {.text = calloc(1, 1), .severity = severity};
	struct web w;

	lines.web = &w;
	web_begin(&w);
	compile(&w, yaml, NULL);
	ab_diags_each(w.diags, add_line, &lines);
	web_close(&w);
	return lines.text;
}

char *web_mistakes(const char *yaml)
{
	return list(yaml, AB_MISTAKE);
}

char *web_hints(const char *yaml)
{
	return list(yaml, AB_HINT);
}

/* ---- requests ---- */

static void on_done(struct ab_exchange *exchange, void *arg)
{
	struct web_reply *r = arg;

	cr_assert_not(r->done, "done twice");
	cr_assert_eq(exchange, r->exchange);
	r->done = true;
	r->reply = ab_exchange_reply(exchange);
	uv_stop(r->web->env.loop); /* from a timer's callback, it would wait for an event first */
}

static void add_headers(struct web_reply *r, const char *text)
{
	while (text != NULL && *text != '\0') {
		const char *colon = strstr(text, ": ");
		size_t len = strcspn(text, "\n");
		struct ab_header *header = &r->headers[r->request.n_headers++];

		header->name = ab_arena_strndup(r->arena, text, (size_t)(colon - text));
		header->name_len = (size_t)(colon - text);
		header->value_len = len - header->name_len - 2;
		header->value = ab_arena_strndup(r->arena, colon + 2, header->value_len);
		text += len + (text[len] == '\n');
	}
}

struct web_reply *web_start(struct web *w, const char *line, const char *headers, const char *body)
{
	struct web_reply *r = calloc(1, sizeof(*r));
	const char *target = strchr(line, ' ') + 1, *query = strchr(target, '?');

	r->web = w;
	r->arena = ab_arena_create(&w->env.pool);
	cr_assert_not_null(r->arena);
	r->request = (struct ab_request){
	        .method = ab_arena_strndup(r->arena, line, (size_t)(target - line) - 1),
	        .target = target,
	        .path_len = query != NULL ? (size_t)(query - target) : strlen(target),
	        .query = query != NULL ? query + 1 : "",
	        .query_len = query != NULL ? strlen(query + 1) : 0,
	        .headers = r->headers,
	        .body = body != NULL ? body : "",
	        .body_len = body != NULL ? strlen(body) : 0,
	        .client = "192.0.2.7",
	        .id = "test-id",
	};
	add_headers(r, headers);
	r->code = ab_exchange_start(w->app, r->arena, &r->request, on_done, r, &r->exchange);
	if (r->code == AB_OK)
		r->reply = ab_exchange_reply(r->exchange);
	else
		cr_assert_eq(r->code, AB_PENDING);
	cr_assert_not(r->done, "done from inside the start");
	return r;
}

static void too_late(uv_timer_t *timer)
{
	(void)timer;
	cr_assert_fail("no reply after 10 s");
}

void web_wait(struct web_reply *r)
{
	uv_timer_t timer;

	if (r->reply != NULL)
		return;
	uv_timer_init(r->web->env.loop, &timer);
	uv_timer_start(&timer, too_late, 10000, 0);
	while (r->reply == NULL)
		uv_run(r->web->env.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(r->web->env.loop, UV_RUN_NOWAIT);
}

struct web_reply *web_get(struct web *w, const char *line, const char *headers, const char *body)
{
	struct web_reply *r = web_start(w, line, headers, body);

	web_wait(r);
	return r;
}

void web_done(struct web_reply *r)
{
	if (r->reply != NULL)
		free(r->reply->body);
	ab_arena_unref(r->arena);
	free(r);
}

const char *web_header(const struct web_reply *r, const char *name)
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < r->reply->n_headers; i++) {
		const struct ab_header *header = &r->reply->headers[i];

		if (strcasecmp(header->name, name) != 0)
			continue;
		cr_assert_eq(strlen(header->value), header->value_len);
		len += (size_t)snprintf(
		        text + len, sizeof(text) - len, "%s%s", len > 0 ? " | " : "", header->value);
	}
	return text;
}

const char *web_body(const struct web_reply *r)
{
	return r->reply->body != NULL ? r->reply->body : "";
}

void web_expect(struct web *w, const char *line, int status, const char *body)
{
	struct web_reply *r = web_get(w, line, NULL, NULL);

	cr_expect_eq(r->reply->status, status, "%s: %d %s", line, r->reply->status, web_body(r));
	if (body != NULL)
		cr_expect_str_eq(web_body(r), body, "%s: %s", line, web_body(r));
	web_done(r);
}

void web_expect_failure(struct web *w, const char *line, int status, const char *why)
{
	struct web_reply *r = web_get(w, line, NULL, NULL);

	cr_expect_eq(r->reply->status, status, "%s: %d %s", line, r->reply->status, web_body(r));
	cr_assert_not_null(r->reply->error, "%s", line);
	cr_expect_not_null(strstr(r->reply->error->text, why), "%s: %s", line, r->reply->error->text);
	cr_expect_null(strstr(web_body(r), why), "%s: %s", line, web_body(r));
	web_done(r);
}
