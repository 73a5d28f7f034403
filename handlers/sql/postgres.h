/* handlers/sql/postgres.h: PostgreSQL by libpq: what its files share. libpq-fe.h stays inside this folder's
 * postgres*.c.
 *
 * Threads: `struct ab_pg`, a database, is made on the main thread and not changed once workers run.
 * Everything else belongs to one worker: its pool of connections for the database, and the queries on them.
 * What blocks (resolving names, PQcancel) is done aside, by a thread of its own. */
#ifndef AB_POSTGRES_H
#define AB_POSTGRES_H

#include "engine.h"
#include "postgres_types.h"
#include "statement.h"
#include "trip.h"

#include <libpq-fe.h>
#include <stdatomic.h>

enum {
	AB_PG_POOL = 4,      /* connections a worker, where `pool` is unset */
	AB_PG_QUEUE = 16384, /* queries of a worker that wait for a connection */
	AB_PG_DEPTH = 128,
	/* entries under way on a connection that another query may join */ AB_PG_QUICK_MS =
	        2,         /* a statement that takes longer at its best is slow */
	AB_PG_SAMPLES = 4, /* before that, neither */
	AB_PG_JOIN_MS = 3,
	/* a connection is joined while its oldest query is no older */ AB_PG_STALL_MS =
	        10,              /* what waits longer behind a query moves to a connection that is idle */
	AB_PG_ATTEMPTS = 3,      /* of one query, before what keeps happening to it is its failure */
	AB_PG_CONNECT_MS = 5000, /* for connecting, unless connect_timeout says otherwise */
	AB_PG_CHECK_MS = 5000,   /* for the check's connection, and each of its answers */
	AB_PG_RETRY_MIN_MS = 50, /* between two tries to connect; doubled up to the next */
	AB_PG_RETRY_MAX_MS = 2000,
	AB_PG_PATIENCE_MS = 5000,    /* how long a server is down before queries no longer wait for it */
	AB_PG_GRACE_MS = 5000,       /* beyond a query's time before its connection is given up */
	AB_PG_WRITE_GRACE_MS = 1000, /* beyond a write's time, for the server to say what became of it */
	AB_PG_MAX_HOSTS = 32,
};

/* ---- the database ---- */

/* What the server has said of a statement. */
struct ab_pg_shape {
	bool selects;
	bool binary;    /* ask for results in their binary form */
	char twice[64]; /* the name of two of its columns, or "" */
	size_t n_params;
	struct ab_pg_type params[];
};

struct ab_pg_statement {
	struct ab_pg_statement *next;
	size_t index;
	char *text; /* parameters as $1, $2 */
	size_t len;
	size_t n_params;
	bool writes;
	struct ab_pg_shape *shape; /* as learnt at load, or NULL */
};

struct ab_pg_host {
	char *host, *hostaddr, *port; /* NULL: not given */
};

struct ab_pg {
	atomic_uint refs; /* the database's own, and one for each pool */
	char *name;
	struct ab_pos pos;
	bool serving;
	unsigned pool;       /* of the process; 0: AB_PG_POOL a worker */
	uint64_t timeout_ms; /* of the session, unless a statement has another */
	uint64_t connect_ms;
	size_t max_rows;
	bool prepare; /* named statements, and settings of the session */
	/* For PQconnectStartParams: all options but those of `hosts`, NULL-terminated. */
	char **keywords, **values;
	size_t n_options;
	struct ab_pg_host hosts[AB_PG_MAX_HOSTS];
	size_t n_hosts;

	struct ab_pg_statement *statements; /* at load only */
	size_t n_statements;
	PGconn *checker; /* of the check, at load; NULL where there is none */
};

extern const struct ab_sql_engine ab_postgres_engine;

void ab_pg_unref(struct ab_pg *base);

/* ---- postgres_options.c ---- */

/* Read the URL into base->keywords, values, hosts. False after reporting. */
AB_NODISCARD bool ab_pg_options_read(struct ab_pg *base, const struct ab_conf *url, struct ab_diags *diags);
void ab_pg_options_free(struct ab_pg *base);
/* Begin a connection to these hosts; NULL without memory. Names need a hostaddr, or this blocks. */
PGconn *ab_pg_connect_start(const struct ab_pg *base, const struct ab_pg_host *hosts, size_t n_hosts);

/* ---- postgres_error.c ---- */

/* libpq's message on one line, without what it repeats. */
const char *ab_pg_line(const char *message, char *buf, size_t size);
/* Why a statement failed, in our words; codes as database.h says. `params`: names of the parameters, or NULL.
 */
enum ab_code ab_pg_error(const struct ab_pg *base, const PGresult *result, const struct ab_call *call,
        const struct ab_sql_part *part, struct ab_error *err);
/* Whether the statement, as prepared on this connection, is no longer any use: its table has changed under
 * it, or the session has forgotten it. */
bool ab_pg_is_stale(const PGresult *result);

/* ---- postgres_check.c: on the main thread, before anything runs ---- */

/* Connect; NULL with err filled. Blocks for AB_PG_CHECK_MS at most. */
PGconn *ab_pg_check_connect(const struct ab_pg *base, struct ab_error *err);
/* Ask the server about a statement and keep its shape. False with err and *ret_offset filled. */
AB_NODISCARD bool ab_pg_check_statement(struct ab_pg *base, struct ab_pg_statement *statement, bool named,
        size_t *ret_offset, struct ab_error *err);
/* "two columns named ...", for those whose rows become objects. */
enum ab_code ab_pg_shape_refuse(
        const struct ab_pg *base, const struct ab_pg_shape *shape, struct ab_error *err);
/* A new shape from the result of a describe; NULL: out of memory. */
struct ab_pg_shape *ab_pg_shape_make(const PGresult *described);

/* ---- postgres_aside.c: what would block the loop, in a thread of its own ---- */

struct ab_pg_aside;
/* Run `work` in a new thread, then `done` on the loop; both are given `arg`, and `done` whoever waits for it.
 * `drop` frees arg. NULL when no thread could be had; arg is dropped then. */
struct ab_pg_aside *ab_pg_aside_start(struct ab_sql *sql, void (*work)(void *arg),
        void (*done)(void *owner, void *arg), void (*drop)(void *arg), void *owner, void *arg);
/* `done` will not be called. The thread is not waited for: it may be blocked for long, and ends by itself. */
void ab_pg_aside_abandon(struct ab_pg_aside *aside);

/* ---- postgres_resolve.c ---- */

/* Names looked up for one attempt to connect. */
struct ab_pg_lookup {
	struct ab_pg_host hosts[AB_PG_MAX_HOSTS]; /* each with an address, or a socket's folder */
	size_t n_hosts;
	char error[200]; /* when n_hosts is 0 */
	struct ab_pg_host names[AB_PG_MAX_HOSTS];
	size_t n_names;
};

/* Whether any host is a name that has to be looked up. */
bool ab_pg_needs_lookup(const struct ab_pg *base);
/* The hosts, beginning with the one at `first`; NULL: out of memory. */
struct ab_pg_lookup *ab_pg_lookup_create(const struct ab_pg *base, size_t first);
void ab_pg_lookup_run(void *lookup); /* blocks */
void ab_pg_lookup_free(void *lookup);

/* ---- a worker's pool ---- */

struct ab_pg_pool;
struct ab_pg_query;

/* What is under way on a connection, in the order its results come. */
enum ab_pg_entry_kind {
	AB_PG_PREPARE,
	AB_PG_DESCRIBE,
	AB_PG_SET, /* a setting: its result is of no interest unless it fails */
	AB_PG_RUN,
	AB_PG_SYNC,
};

struct ab_pg_entry {
	enum ab_pg_entry_kind kind;
	struct ab_pg_query *query; /* whose; NULL: the connection's own */
	const struct ab_pg_statement *statement;
	uint64_t at; /* loop time when it was sent */
};

enum ab_pg_state { AB_PG_CLOSED, AB_PG_RESOLVING, AB_PG_CONNECTING, AB_PG_SETUP, AB_PG_READY };

/* A statement on one connection. */
struct ab_pg_prepared {
	enum { AB_PG_UNKNOWN, AB_PG_SENT, AB_PG_PREPARED } state;
	unsigned generation; /* of its name: counts how often it has been dropped */
	char name[32];       /* made at its first use */
};

struct ab_pg_conn {
	struct ab_pg_pool *pool;
	enum ab_pg_state state;
	PGconn *pg;
	struct ab_pg_watch *watch;
	struct ab_deadline deadline; /* of connecting */
	struct ab_pg_aside *resolving, *canceling;
	bool fenced;         /* after a cancel: nothing is sent before all that is under way has come back */
	bool open;           /* the last unit has no sync yet */
	bool dirty;          /* in the pool's list of those to be flushed at the end of this turn */
	bool exclusive;      /* a write is under way: nobody joins */
	unsigned epoch;      /* counts its connections: what is seen across a callback may be another one's */
	size_t live;         /* queries on it that somebody waits for */
	const void *run;     /* whose queries were sent last */
	uint64_t timeout_ms; /* statement_timeout as last sent */
	size_t slow;         /* queries on it that are known to be slow */
	uint64_t result_at;  /* loop time of the last result */
	struct ab_pg_entry *ring;
	size_t head, count, size;        /* size: a power of two */
	size_t reads;                    /* since the oldest entry became it */
	size_t arriving;                 /* bytes of its result, once they are worth counting */
	struct ab_pg_prepared *prepared; /* by a statement's index */
	size_t n_prepared;
	struct ab_pg_conn *next_dirty;
};

/* How long a statement takes, as seen from here: at the best of times, of late. */
struct ab_pg_pace {
	float ms;
	unsigned samples; /* as many as matter */
};

/* One call's way. It is freed when its call has completed and nothing of it is under way. */
struct ab_pg_query {
	struct ab_pg_query *next, *prev; /* in the pool's queue; next: also in its list of free ones */
	struct ab_pg_pool *pool;
	struct ab_call *call; /* NULL once it has completed */
	const struct ab_sql_statement *statement;
	const void *run;
	struct ab_pg_conn *conn; /* NULL while it waits for one */
	struct ab_deadline deadline;
	uint64_t sent_at;
	unsigned entries; /* of the connection that are its */
	unsigned attempts;
	bool queued;
	bool alone;    /* shares no unit, so that nobody's failure aborts it */
	bool learning; /* what is under way only asks about the statement */
	bool failed, aborted, stale;
	bool answered;                         /* the last statement has ended well */
	const struct ab_pg_statement *relearn; /* its types have changed on the server */
	bool moved;                            /* away from behind another, which is done once */
	bool slow;                             /* counted in conn->slow */
	bool held;                             /* its commit waits until its rows have been judged */
	bool late;                             /* a write out of time */
	size_t part;                           /* whose result comes next */
	struct ab_sql_rows rows;
	struct ab_error err;
};

struct ab_pg_pool {
	struct ab_pg *base;
	struct ab_env *env;
	unsigned size;
	struct ab_pg_conn *conns;         /* `size` of them */
	struct ab_pg_query *first, *last; /* waiting for a connection */
	size_t n_queued;
	struct ab_pg_query *free;
	struct ab_pg_shape **shapes; /* learnt here, by a statement's index */
	size_t n_shapes;
	struct ab_pg_pace *paces; /* by a statement's index */
	size_t n_paces;
	struct ab_pg_conn *dirty;
	uv_idle_t idle;   /* active while something waits to be flushed */
	uv_timer_t retry; /* active while nothing is tried */
	uv_timer_t stall; /* active while queries have joined others */
	unsigned handles; /* to be closed */
	struct ab_deadline_queue *connects, *grace, *write_grace;
	struct ab_buf scratch; /* of parameters on their way */
	const char **values;
	size_t *offsets;
	size_t n_values;
	unsigned fails;      /* tries to connect since the last that went well */
	uint64_t down_since; /* loop time; 0: up, as far as is known */
	size_t rotate;       /* which host comes first: moved on when one does not answer */
	unsigned seed;
	bool closing;
	char why[AB_ERROR_TEXT]; /* the last try failed */
};

/* postgres_pool.c */
struct ab_pg_pool *ab_pg_pool_create(struct ab_pg *base, struct ab_env *env);
void ab_pg_pool_close(struct ab_pg_pool *pool);  /* frees itself, on the loop */
void ab_pg_pool_let_go(struct ab_pg_pool *pool); /* one of pool->handles has been closed */
/* Send the query, or queue it. AB_EOVERLOAD: nothing has happened. */
AB_NODISCARD enum ab_code ab_pg_pool_submit(
        struct ab_pg_pool *pool, struct ab_pg_query *query, struct ab_error *err);
/* The same once more, before all others, and without limit. */
void ab_pg_pool_resubmit(struct ab_pg_query *query);
void ab_pg_pool_unqueue(struct ab_pg_query *query);
/* A connection has room, or is gone: see who waits, and what is to be opened. */
void ab_pg_pool_serve(struct ab_pg_pool *pool);
void ab_pg_pool_dirty(struct ab_pg_conn *conn);
void ab_pg_pool_connected(struct ab_pg_pool *pool);
/* A try to connect has failed; `why` is for those who wait. */
void ab_pg_pool_refused(struct ab_pg_pool *pool, const char *why);
/* Why nothing is connected; false when something is, or nothing has failed. */
bool ab_pg_pool_is_down(const struct ab_pg_pool *pool);
const struct ab_pg_shape *ab_pg_pool_shape(
        const struct ab_pg_pool *pool, const struct ab_pg_statement *statement);
/* Takes `shape`. False without memory. */
AB_NODISCARD bool ab_pg_pool_learn(
        struct ab_pg_pool *pool, const struct ab_pg_statement *statement, struct ab_pg_shape *shape);
/* Its pace; NULL without memory, which means unknown. */
struct ab_pg_pace *ab_pg_pool_pace(struct ab_pg_pool *pool, const struct ab_pg_statement *statement);
static inline bool ab_pg_is_slow(const struct ab_pg_pace *pace)
{
	return pace != NULL && pace->samples >= AB_PG_SAMPLES && pace->ms > (float)AB_PG_QUICK_MS;
}
static inline bool ab_pg_is_quick(const struct ab_pg_pace *pace)
{
	return pace != NULL && pace->samples >= AB_PG_SAMPLES && pace->ms <= (float)AB_PG_QUICK_MS;
}
/* Room for the parameters of one statement. */
AB_NODISCARD bool ab_pg_pool_values(struct ab_pg_pool *pool, size_t n);

/* postgres_conn.c */
void ab_pg_conn_open(struct ab_pg_conn *conn);
/* End it now. Queries on it that somebody waits for fail with `why`; with `again`, reads are sent once more
 * on another. */
void ab_pg_conn_break(struct ab_pg_conn *conn, const char *why, bool again);
void ab_pg_conn_flush(struct ab_pg_conn *conn);
/* End what nobody waits for on the server, if nobody else's query can be hit by that. */
void ab_pg_conn_cancel(struct ab_pg_conn *conn);
static inline bool ab_pg_conn_usable(const struct ab_pg_conn *conn)
{
	return conn->state == AB_PG_READY && !conn->exclusive && conn->canceling == NULL && !conn->fenced;
}

/* postgres_pipe.c: the order of what is under way */
/* Put the query's statements on the connection; a query whose parameters don't fit fails here. False: the
 * connection is broken, and not yet ended. */
AB_NODISCARD bool ab_pg_pipe_send(struct ab_pg_conn *conn, struct ab_pg_query *query);
AB_NODISCARD bool ab_pg_pipe_setup(struct ab_pg_conn *conn);
/* End the open unit. */
AB_NODISCARD bool ab_pg_pipe_sync(struct ab_pg_conn *conn, struct ab_pg_query *query);
/* Take in all results there are. */
void ab_pg_pipe_read(struct ab_pg_conn *conn);
static inline struct ab_pg_entry *ab_pg_pipe_head(const struct ab_pg_conn *conn)
{
	return conn->count == 0 ? NULL : &conn->ring[conn->head & (conn->size - 1)];
}

/* postgres_query.c */
void ab_pg_query_start(struct ab_call *call);
void ab_pg_query_cancel(struct ab_call *call);
/* One result of an entry of the query's. */
void ab_pg_query_result(struct ab_pg_query *query, const struct ab_pg_entry *entry, const PGresult *result);
/* Nothing of the query is under way any more. */
void ab_pg_query_ended(struct ab_pg_query *query);
void ab_pg_query_fail(struct ab_pg_query *query, const struct ab_error *err);
/* Nobody waits for it any more; what is under way of it is dropped as it comes. */
void ab_pg_query_release(struct ab_pg_query *query);
/* Leave the connection to another query, which is nobody's; false without memory. */
AB_NODISCARD bool ab_pg_query_leave(struct ab_pg_query *query);
/* Its results are to be read row by row: there may be many, or nobody wants them. */
bool ab_pg_query_by_row(const struct ab_pg_query *query);
static inline bool ab_pg_query_solo(const struct ab_pg_query *query)
{
	return query->statement->writes || query->statement->n_parts > 1;
}

#endif
