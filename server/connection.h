/* server/connection.h: what front.c, connection.c and intake.c share: the front's insides and its
 * connections.
 *
 *   IDLE --request line--> HEAD --head--> BODY --all of it--> RUNNING --done--> READY --queued-.
 *    ^                      |             |                     `--client left--> GONE (closed)  |
 *    |                      |             `--too late, too big--> LINGERING (closed)             |
 *    |                      `--refused--> REPLYING (closed)                                      |
 *    `--sent----------------------------- REPLYING <---------------------------------------------'
 *
 * A connection has one request at a time. Only RUNNING is suspended. Whatever state it is in, libmicrohttpd
 * reports a request's end (connection_on_completed) and then the connection's (connection_on_notify). */
#ifndef AB_CONNECTION_H
#define AB_CONNECTION_H

#include "exchange.h"
#include "front.h"
#include "guard.h"
#include "ids.h"

#include "../handlers/buf.h"

#include <microhttpd.h>

enum ab_connection_state {
	AB_CONNECTION_IDLE,
	AB_CONNECTION_HEAD,
	AB_CONNECTION_BODY,
	AB_CONNECTION_RUNNING,
	AB_CONNECTION_READY,
	AB_CONNECTION_GONE,
	AB_CONNECTION_REPLYING,
	AB_CONNECTION_LINGERING,
};

struct ab_connection {
	struct ab_front *front;
	struct MHD_Connection *mhd;
	struct ab_connection *next, *prev; /* in front->connections */
	enum ab_connection_state state;
	int fd;
	bool hung_up;                /* the client will send no more: it is gone */
	bool kept;                   /* has had a request before: IDLE is not the wait for its first */
	bool counted;                /* in the gate */
	uint64_t idle_since;         /* loop time, ms */
	struct ab_deadline deadline; /* of the state it is in */
	char client[46];

	/* The request. */
	struct ab_arena *arena;
	const char *raw_target; /* where libmicrohttpd has it; compared, never read */
	size_t raw_target_len;
	struct ab_framing framing;
	struct ab_request request;
	struct ab_buf body;
	struct ab_exchange *exchange;
	struct ab_reply *reply;
	uint64_t began; /* uv_hrtime */
	char id[AB_ID_SIZE];
	char traceparent[AB_TRACEPARENT_SIZE];
};

struct ab_front {
	struct ab_env *env;
	struct ab_app *app;
	struct ab_gate *gate;
	struct ab_log_ring *log;
	struct MHD_Daemon *daemon;
	struct ab_ids ids;
	int listen_fd; /* libmicrohttpd's until the drain */
	int hangup_fd; /* an epoll that reports only clients leaving */

	uv_poll_t events; /* libmicrohttpd's epoll */
	uv_poll_t hangups;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle;   /* active while libmicrohttpd has work left: the loop must not wait */
	uv_timer_t retry; /* until libmicrohttpd wants to run again by itself */
	uv_timer_t sweep; /* while draining */
	unsigned closing; /* handles whose close callback has not run */
	bool run;         /* libmicrohttpd is to run before the loop waits */
	unsigned spins;   /* runs in a row that called nothing of ours and left work */
	uint64_t calls;   /* of libmicrohttpd to us */
	uint64_t polled;  /* loop time when it last came back from waiting */

	struct ab_deadline_queue *head_queue, *body_queue, *send_queue, *idle_queue, *linger_queue;
	struct ab_connection connections; /* ring */
	unsigned arenas;                  /* of requests, some of which may outlive their connection */
	size_t open;                      /* connections */

	bool draining, aborted, reported;
	uint64_t drain_limit;  /* loop time */
	uint64_t hushed_until; /* loop time: then the listener is closed */
	void (*drained)(void *arg, bool clean);
	void *arg;
};

enum {
	AB_IDLE_MS = 60 * 1000, /* a kept connection without a request */
	AB_LINGER_MS =
	        2 * 1000, /* swallowing what a refused client still sends, so that it can read the reply */
};

/* ---- connection.c: coming, going, deadlines ---- */

/* libmicrohttpd's callbacks. */
void ab_connection_on_notify(
        void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code);
void ab_connection_on_completed(
        void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code);
/* Events on front->hangup_fd. */
void ab_connection_on_hangups(struct ab_front *front);
/* Let the deadline of what comes now replace the one before. */
void ab_connection_arm(struct ab_connection *connection, struct ab_deadline_queue *queue);
/* The same for what the client is to send; from one that has hung up nothing is expected. */
void ab_connection_expect(struct ab_connection *connection, struct ab_deadline_queue *queue);
/* The connection that belongs to libmicrohttpd's, or NULL (no memory when it came). */
struct ab_connection *ab_connection_of(struct MHD_Connection *mhd);
/* Cut it: libmicrohttpd closes it when it sees the end of the stream. A run is cancelled. */
void ab_connection_cut(struct ab_connection *connection);
/* The run in flight is not wanted any more: cancel, resume, close. */
void ab_connection_abandon(struct ab_connection *connection);
/* Give the place in the gate back, if it has one. */
void ab_connection_leave_gate(struct ab_connection *connection);
/* Write `reply` past libmicrohttpd, which can't reply in the middle of a body, and linger. Takes the reply's
 * body. */
void ab_connection_reply_raw(struct ab_connection *connection, struct ab_reply *reply);

/* ---- intake.c: a request from its first line to its queued reply ---- */

void *ab_intake_on_target(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result ab_intake_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
        const char *method, const char *version, const char *data, size_t *data_len, void **context);
/* A problem reply in the request's arena, or NULL without memory. */
struct ab_reply *ab_intake_problem(struct ab_connection *connection, int status, const char *detail);

#endif
