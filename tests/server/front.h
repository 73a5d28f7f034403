/* tests/server/front.h: the real program in front of a fake upstream, for tests by raw sockets. */
#ifndef AB_TESTS_FRONT_H
#define AB_TESTS_FRONT_H

#include "../lib/http_client.h"
#include "../lib/served.h"
#include "../lib/upstream.h"

struct front_fixture {
	struct served served;
	struct fake_upstream *upstream;
	unsigned short port;
};

struct front_settings {
	const char *head_timeout, *body_timeout;
	unsigned max_in_flight, files;
	const char *const *args;
};

void front_start_with(struct front_fixture *f, struct front_settings settings);
void front_start(struct front_fixture *f);
/* Ends the server; a leak or a race it had is a failure here. Its log must have `want`, unless NULL, and must
 * not have `unwanted`. */
void front_stop_having_logged(struct front_fixture *f, const char *want, const char *unwanted);
void front_stop(struct front_fixture *f);
/* Ask for `target` on an open connection; its status, 0 for no answer. `want`: the body must be this, or
 * NULL. */
int front_ask(struct http_client *client, const char *target, const char *want);

#endif
