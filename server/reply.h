/* server/reply.h: how replies are put together; between exchange.c and what it is made of. */
#ifndef AB_REPLY_H
#define AB_REPLY_H

#include "accept.h"
#include "request.h"
#include "routes.h"

#include "../handlers/buf.h"

enum { AB_MAX_REPLY = 64 * 1024 * 1024 }; /* bytes of a JSON answer */

/* How much the client wants a media type (RFC 9110, section 12.5.1), in thousandths; -1 when it does not say.
 */
int ab_media_quality(const struct ab_request *request, const char *media);

/* The answer whose media type the client wants most; of equals, and of none, the first in the file. */
const struct ab_answer *ab_answer_choose(
        const struct ab_request *request, const struct ab_answer *answers, size_t count);

/* The standard phrase of a status, or "Error". */
const char *ab_status_title(int status);

/* What a problem's body says besides its status. */
struct ab_problem {
	const char *detail; /* or NULL */
	const struct ab_field *fields;
	size_t n_fields;
};
/* The built-in body of an error: a small page where the client asks for HTML before JSON, else problem+json
 * (RFC 9457). Leaves the body out when there is no memory. */
void ab_reply_put_problem(struct ab_reply *reply, const struct ab_request *request, int status,
        const struct ab_problem *problem);

/* The headers every reply has, by its media type; `fixed` (or NULL) are the route's own. */
void ab_reply_put_headers(
        struct ab_reply *reply, const struct ab_request *request, const struct ab_fixed *fixed);

/* The answer of a finished run, with everything the plan says of it. AB_ENOMEM, or AB_EINTERNAL when it is
 * too big. */
AB_NODISCARD enum ab_code ab_reply_put_answer(struct ab_reply *reply, struct ab_run *run,
        const struct ab_answer *answer, const struct ab_fixed *fixed, const struct ab_request *request,
        bool negotiated, struct ab_error *err);

#endif
