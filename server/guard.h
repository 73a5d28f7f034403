/* server/guard.h: refuses request heads that two programs could read in two ways.
 *
 * libmicrohttpd 0.9.75 accepts most of what RFC 9112 tells a server to refuse: two lengths, a length beside
 * chunks, folded fields, bare line feeds. What stands here is judged on its parsed head, before anything of
 * the body is read; a refused connection is closed, so nothing of the rest is ever parsed. Knows no
 * libmicrohttpd. */
#ifndef AB_GUARD_H
#define AB_GUARD_H

#include "request.h"

enum { AB_MAX_TARGET = 8 * 1024, AB_MAX_HEADERS = 100 };

enum ab_target_form { AB_TARGET_ORIGIN, AB_TARGET_ABSOLUTE, AB_TARGET_ASTERISK };

/* A head as parsed; all strings NUL-terminated, the values of headers without blanks around them. */
struct ab_head {
	const char *method;
	const char *target; /* raw */
	size_t target_len;
	const char *version; /* "HTTP/1.1" */
	const struct ab_header *headers;
	size_t n_headers;
};

/* What follows a head that is fine. */
struct ab_framing {
	bool chunked;
	bool expects_continue;
	uint64_t length; /* of Content-Length; 0 without one */
	enum ab_target_form form;
	size_t path_at; /* where in the target the path begins (absolute-form: after the authority) */
	const struct ab_header *traceparent; /* seen on the way, or NULL */
};

/* NULL when the head is fine and *ret_framing filled; otherwise a sentence for the client, and *ret_status:
 * 400, 414, 431 or 501. RFC 9112, sections 2.2 to 6.3; RFC 9110, sections 5.1, 5.5 and 7.2. */
const char *ab_guard_check(const struct ab_head *head, struct ab_framing *ret_framing, int *ret_status);

/* Whether the parsed pieces lie in the read buffer exactly one line after the other, each ended by CR LF.
 * They do not where there was a NUL (the piece is cut), a bare LF, a folded line (the piece is moved) or more
 * than one blank in the request line: all things a parser in front of us may have read otherwise. Only for a
 * parser that leaves pieces where they were, as libmicrohttpd before 1.0 does. */
struct ab_layout {
	uintptr_t next; /* where the next line must begin */
	bool broken;
};
void ab_layout_begin(struct ab_layout *layout, const char *method, const char *target, size_t target_len,
        const char *version);
/* `value_len` as parsed, blanks at the end included. */
void ab_layout_header(
        struct ab_layout *layout, const char *name, size_t name_len, const char *value, size_t value_len);
/* `head_len`: bytes from the method to the end of the head. */
bool ab_layout_end(const struct ab_layout *layout, const char *method, size_t head_len);

#endif
