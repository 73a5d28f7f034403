/* tests/server/front.c: see front.h. */
#include "front.h"

#include "../../dispatch/base.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char app_text[] = "server:\n"
                               "  head_timeout: %s\n"
                               "  body_timeout: %s\n"
                               "  send_timeout: 2s\n"
                               "  deadline: 60s\n"
                               "  max_body: 10000B\n"
                               "  max_in_flight: %u\n"
                               "upstreams:\n"
                               "  up: {url: \"%s\", timeout: 60s, max_in_flight: 10000, max_body: 64MiB}\n"
                               "resources:\n"
                               "  who: World\n"
                               "  greet: {text: \"Hello {{who}}!\"}\n"
                               "  json: {http: \"GET up/json\"}\n"
                               "  big: {http: \"GET up/big?bytes=12000000\"}\n"
                               "  held: {http: \"GET up/hold\"}\n"
                               "  echo: {json: {n: \"{n}\"}}\n"
                               "routes:\n"
                               "  GET /greet: {answer: greet, accept: {who: string}}\n"
                               "  GET /json: json\n"
                               "  GET /big: big\n"
                               "  GET /held: held\n"
                               "  GET /echo/{n}: echo\n"
                               "  POST /echo: {answer: echo, accept: {n: string}}\n"
                               "  DELETE /echo/{n}: echo\n";

static const char *const one_worker[] = {"--workers", "1", NULL};

void front_start_with(struct front_fixture *f, struct front_settings settings)
{
	char *app;

	memset(f, 0, sizeof(*f));
	f->upstream = fake_upstream_start();
	cr_assert_geq(asprintf(&app, app_text, settings.head_timeout == NULL ? "30s" : settings.head_timeout,
	                      settings.body_timeout == NULL ? "30s" : settings.body_timeout,
	                      settings.max_in_flight == 0 ? 10000 : settings.max_in_flight,
	                      fake_upstream_url(f->upstream)),
	        0);
	served_start_limited(
	        &f->served, app, settings.args == NULL ? one_worker : settings.args, settings.files);
	free(app);
	f->port = f->served.port;
}

void front_start(struct front_fixture *f)
{
	front_start_with(f, (struct front_settings){0});
}

void front_stop_having_logged(struct front_fixture *f, const char *want, const char *unwanted)
{
	int code = served_stop(&f->served);
	const char *log = f->served.process.err.data;

	cr_expect_eq(code, 0, "exit %d: %.2000s", code, log);
	cr_expect(want == NULL || strstr(log, want) != NULL, "the log has no %s: %.2000s", want, log);
	cr_expect(unwanted == NULL || strstr(log, unwanted) == NULL, "the log has %s: %.300s", unwanted,
	        strstr(log, unwanted) - 200);
	served_end(&f->served);
	fake_upstream_stop(f->upstream);
}

void front_stop(struct front_fixture *f)
{
	front_stop_having_logged(f, NULL, NULL);
}

int front_ask(struct http_client *client, const char *target, const char *want)
{
	struct http_answer answer;
	int status = 0;

	if (http_request(client, "GET", target, "", NULL) && http_receive(client, &answer, false)) {
		status = answer.status;
		if (want != NULL && strcmp(answer.body, want) != 0)
			cr_expect_str_eq(answer.body, want, "%s", target);
	}
	http_answer_free(&answer);
	return status;
}
