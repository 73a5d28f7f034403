/* server/exchange.h: one request from its match to its reply: route, accept, run, answer, error pages.
 *
 *   match --accept--> run ------------------> reply
 *                       `--failed--> error run --^
 *
 * Finishes at once when the run does, so the front need not suspend the connection. */
#ifndef AB_EXCHANGE_H
#define AB_EXCHANGE_H

#include "request.h"
#include "routes.h"

struct ab_exchange;

typedef void (*ab_exchange_cb)(struct ab_exchange *exchange, void *arg);

/* Start to answer `request`, which must live in `arena` or as long. AB_OK: the reply is there
 * (ab_exchange_reply). AB_PENDING: done(exchange, arg) is called once, later, never from inside this call.
 * AB_ENOMEM: no exchange. Every outcome, also a bad request or a failed run, is a reply. */
AB_NODISCARD enum ab_code ab_exchange_start(struct ab_app *app, struct ab_arena *arena,
        const struct ab_request *request, ab_exchange_cb done, void *arg, struct ab_exchange **ret_exchange);

/* The reply, borrowed until the arena ends; body is the sender's to take (set to NULL then). */
struct ab_reply *ab_exchange_reply(struct ab_exchange *exchange);

/* The client has left: cancels the run. `done` is not called afterwards. */
void ab_exchange_cancel(struct ab_exchange *exchange);

/* A reply for what never reaches a route (guard, limits, deadlines), honouring Accept and the app's `errors:`
 * where that needs no run: problem+json or a small page. `detail` is for the client; why is for the log. */
void ab_reply_problem(struct ab_reply *reply, struct ab_arena *arena, const struct ab_request *request,
        int status, const char *detail);

#endif
