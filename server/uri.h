/* server/uri.h: what a request target says, decoded once, by our own code.
 *
 * libmicrohttpd decodes a URL before it hands it on and cuts it at %00, so that two programs may see two
 * paths. Here the raw text is split first and decoded after, each part once: `%2F` stays inside its segment,
 * `&` and `=` inside their value. What can't be decoded to valid UTF-8 without NUL is refused, never repaired
 * (RFC 3986; forms as in the WHATWG URL standard's application/x-www-form-urlencoded). */
#ifndef AB_URI_H
#define AB_URI_H

#include "../dispatch/arena.h"
#include "../dispatch/error.h"

enum { AB_MAX_SEGMENTS = 64, AB_MAX_PARAMS = 1000 };

struct ab_slice {
	const char *text; /* not NUL-terminated */
	size_t len;
};

/* A decoded name and value; both NUL-terminated, in the arena. */
struct ab_param {
	const char *name;
	const char *value;
	size_t name_len, value_len;
	const char *bad; /* why it could not be decoded: "has a bad percent-encoding", ..., or NULL */
};

/* Split a raw path ("/a/b%2Fc", query cut off) into decoded segments: "/a/" is "a" and "". Slices without
 * percent-encoding borrow from `path`. ret_count may exceed AB_MAX_SEGMENTS: the whole path is judged, only
 * so many are kept. Errors: AB_EINVALID (not beginning with '/', bad encoding, %00, control characters,
 * invalid UTF-8, a segment "." or ".." in any spelling), AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_uri_split(const char *path, size_t len, struct ab_arena *arena,
        struct ab_slice segments[AB_MAX_SEGMENTS], size_t *ret_count, struct ab_error *err);

/* Decode a query or a form body. A parameter that can't be decoded is kept, with `bad` set and what could be
 * read of its name. Errors: AB_EINVALID (more than AB_MAX_PARAMS), AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_uri_params(const char *text, size_t len, struct ab_arena *arena,
        struct ab_param **ret_params, size_t *ret_count, struct ab_error *err);

/* Decode percent-encoding from `text` to `to` (len bytes; may be the same memory). `plus`: '+' is a space.
 * Returns NULL and the length, or why it can't be decoded. */
const char *ab_uri_decode(const char *text, size_t len, bool plus, char *to, size_t *ret_len);

#endif
