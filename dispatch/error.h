/* dispatch/error.h: what went wrong, once for every operation.
 *
 * An error is a plain struct the caller owns. A function that fails fills it; one that succeeds leaves it
 * alone. Each layer puts its own name in front of the text. The status is what a server would answer with;
 * the engine itself only carries it. */
#ifndef AB_ERROR_H
#define AB_ERROR_H

#include "base.h"

#include <stdarg.h>

/* code, HTTP status, name in logs */
#define AB_CODES(X)                                                                                          \
	X(AB_OK, 200, "Ok")                                                                                  \
	X(AB_PENDING, 200, "Pending")                                                                        \
	X(AB_ENOMEM, 503, "OutOfMemory")                                                                     \
	X(AB_EDUPLICATE, 500, "DuplicateResource")                                                           \
	X(AB_ECIRCULAR, 500, "CircularDependency")                                                           \
	X(AB_EUNRESOLVABLE, 500, "UnresolvableDependency")                                                   \
	X(AB_EINVALID, 400, "InvalidInput")                                                                  \
	X(AB_EFORBIDDEN, 403, "Forbidden")                                                                   \
	X(AB_EMISSING, 404, "Missing")                                                                       \
	X(AB_EUPSTREAM, 502, "UpstreamFailed")                                                               \
	X(AB_EOVERLOAD, 503, "Overloaded")                                                                   \
	X(AB_ETIMEOUT, 504, "Timeout")                                                                       \
	X(AB_ECANCELED, 499, "Canceled")                                                                     \
	X(AB_EINTERNAL, 500, "Internal")

enum ab_code {
#define X(code, status, name) code,
	AB_CODES(X)
#undef X
};

enum { AB_ERROR_TEXT = 512 };

struct ab_error {
	enum ab_code code;
	int status;           /* HTTP status; ab_error_set takes it from the code */
	const char *resource; /* the resource that failed, borrowed from its dispatcher, or NULL */
	/* What a client may be told, where the app says so; the text is the log's. Both NULL, or borrowed:
	 * they live as long as the resource, or the run's arena. */
	const char *message;
	const char *field;        /* the name it is about, as the request spells it */
	char text[AB_ERROR_TEXT]; /* NUL-terminated, cut at a UTF-8 boundary when too long */
};

/* Fill `err` (which may be NULL), all of it: resource, message and field become NULL. Arguments may point
 * into err->text. Returns `code`, so that `return ab_error_set(...)` reads well. */
enum ab_code ab_error_set(struct ab_error *err, enum ab_code code, const char *fmt, ...) AB_PRINTF(3, 4);
enum ab_code ab_error_setv(struct ab_error *err, enum ab_code code, const char *fmt, va_list args)
        AB_PRINTF(3, 0);

/* Put "PREFIX: " in front of the text. */
void ab_error_prefix(struct ab_error *err, const char *fmt, ...) AB_PRINTF(2, 3);

const char *ab_code_name(enum ab_code code);
int ab_code_status(enum ab_code code);
/* One short word that tells a stranger why without details: "timeout", "upstream", "missing", "forbidden",
 * "overload", "invalid", "error". Static. */
const char *ab_code_reason(enum ab_code code);

#endif
