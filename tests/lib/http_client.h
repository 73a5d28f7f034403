/* tests/lib/http_client.h: an HTTP client that sends exactly what a test wants sent, right or wrong.
 *
 * Blocking, with a bounded wait for every answer; for one thread. */
#ifndef TEST_HTTP_CLIENT_H
#define TEST_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct http_client {
	int fd;      /* -1 when not connected */
	char *bytes; /* received, not yet taken */
	size_t len, size;
	bool ended; /* the server has closed or reset */
};

struct http_answer {
	int status;
	char *head; /* status line and fields, NUL-terminated, lines ending in CR LF */
	char *body; /* NUL-terminated beyond body_len */
	size_t body_len;
};

/* How long an answer may take; generous, for loaded machines under a sanitizer. */
enum { HTTP_WAIT_MS = 20000 };

/* Connect to 127.0.0.1. */
bool http_open(struct http_client *client, unsigned short port);
void http_close(struct http_client *client);
/* Close by a reset. */
void http_reset(struct http_client *client);
/* Say that nothing more will be sent. */
void http_half_close(struct http_client *client);

/* False when the server takes no more. */
bool http_send(struct http_client *client, const char *bytes, size_t len);
bool http_sends(struct http_client *client, const char *text);
/* "METHOD target HTTP/1.1" with a Host, `fields` (lines ending in CR LF, or "") and, unless NULL, a body. */
bool http_request(struct http_client *client, const char *method, const char *target, const char *fields,
        const char *body);

/* Take the next answer (an interim 100 is one). `head_only`: to a HEAD request. False when there is none in
 * HTTP_WAIT_MS or the connection ends before it is whole; free it with http_answer_free either way. */
bool http_receive(struct http_client *client, struct http_answer *answer, bool head_only);
void http_answer_free(struct http_answer *answer);
/* The value of a field of the answer, in buf; NULL when it has none. */
const char *http_field(const struct http_answer *answer, const char *name, char *buf, size_t size);
/* Whether the server closes the connection, having sent nothing more, in HTTP_WAIT_MS. */
bool http_ends(struct http_client *client);

/* A connection, one GET, its status (0: no answer); the body, if wanted, is the caller's to free. */
int http_get(unsigned short port, const char *target, char **ret_body);

#endif
