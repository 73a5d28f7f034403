/* tests/server/web.h: an app file in a folder of its own, compiled, and requests answered without a socket.
 *
 *     struct web w;
 *     web_open(&w, "resources:\n  who: World\n...");
 *     web_file(&w, ...) before web_open_files for more files
 *     struct web_reply *r = web_get(&w, "GET /greet?who=x", NULL, NULL);
 *     cr_expect_eq(r->reply->status, 200);
 *     web_done(r);
 *     web_close(&w);
 */
#ifndef AB_TEST_WEB_H
#define AB_TEST_WEB_H

#include "../../server/exchange.h"

struct web {
	char dir[64];
	struct ab_diags *diags;
	struct ab_sources *sources;
	struct ab_shared *shared;
	struct ab_env env;
	struct ab_app *app;
};

/* Begin: an empty folder. */
void web_begin(struct web *w);
/* A file in it. */
void web_file(struct web *w, const char *name, const char *text);
/* Compile `yaml` as its app.yaml. Mistakes fail the test. */
void web_compile(struct web *w, const char *yaml, const struct ab_app_options *options);
/* begin and compile. */
void web_open(struct web *w, const char *yaml);
/* Every mistake, or hint, of an app file, a line each, the folder left out. The caller frees it. */
char *web_mistakes(const char *yaml);
char *web_hints(const char *yaml);
void web_close(struct web *w);

struct web_reply {
	struct web *web;
	struct ab_arena *arena;
	struct ab_exchange *exchange;
	struct ab_request request;
	struct ab_header headers[16];
	struct ab_reply *reply; /* once it is there */
	enum ab_code code;      /* what the start returned */
	bool done;
};

/* Start "METHOD /target"; headers is "Name: value" lines or NULL; body may be NULL. The texts must live on.
 */
struct web_reply *web_start(struct web *w, const char *line, const char *headers, const char *body);
/* Run the loop until the reply is there (10 s at most). */
void web_wait(struct web_reply *r);
/* Both. */
struct web_reply *web_get(struct web *w, const char *line, const char *headers, const char *body);
void web_done(struct web_reply *r);

/* The value of a reply's header, all of that name joined by " | "; "" when there is none. Static storage. */
const char *web_header(const struct web_reply *r, const char *name);
/* The body, never NULL. */
const char *web_body(const struct web_reply *r);

/* Ask, and expect this status and (unless NULL) this body. */
void web_expect(struct web *w, const char *line, int status, const char *body);
/* Ask, and expect a failure of this status; `why` is a part of what the log says, and not told to the client.
 */
void web_expect_failure(struct web *w, const char *line, int status, const char *why);

#endif
