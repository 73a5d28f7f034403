/* tests/lib/upstream_answers.h: what the fake upstream says to a request; see upstream.h for the paths. */
#ifndef FAKE_UPSTREAM_ANSWERS_H
#define FAKE_UPSTREAM_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

/* A request as it was read: `raw` is NUL-terminated. */
struct fake_request {
	const char *raw;
	size_t len;
	size_t head_len; /* with the empty line */
	size_t connection;
};

enum fake_after { FAKE_KEEP, FAKE_CLOSE, FAKE_RESET, FAKE_STALL, FAKE_REPEAT };

struct fake_reply {
	char *data; /* malloc'ed */
	size_t len;
	enum fake_after after; /* once data is sent */
	unsigned wait_ms;      /* before it */
	bool hold;             /* until released */
	const char *repeat;    /* FAKE_REPEAT: these bytes again and again (static), */
	size_t repeat_len;
	unsigned repeat_ms; /* so far apart */
};

void fake_reply_make(const struct fake_request *request, struct fake_reply *reply);
/* A plain answer. */
void fake_reply_set(struct fake_reply *reply, int status, const char *type, const char *body, size_t len);
/* Copies of the request's words; the caller frees them. */
char *fake_request_word(const struct fake_request *request, int word);

#endif
