/* tests/lib/postgres.h: a real PostgreSQL for tests, run by an unprivileged user in a folder of its own under
 * /tmp.
 *
 * One server is shared by all tests of a program: the first that asks starts it, and it ends, its folder
 * removed, when the program's runner does. Each test has a schema of its own in it. What restarts or stalls a
 * server has a private one, copied from the shared one's template. All listen on a Unix socket and, with TLS,
 * on loopback. */
#ifndef TEST_POSTGRES_H
#define TEST_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct postgres {
	char dir[64];  /* the socket's; the data, ca.pem and log are in it too */
	unsigned port; /* of both */
	pid_t pid;     /* the postmaster's */
	bool own;      /* private */
};

/* The shared server. Ends the test's process with a message when it can't be had. */
void postgres_shared(struct postgres *server);
/* A private one, with these further arguments of `postgres`, such as "-c max_connections=5", or "". */
void postgres_start(struct postgres *server, const char *args);
void postgres_end(struct postgres *server);

/* A private server's misfortunes. stop: "fast" or "immediate"; it has ended when this returns. */
void postgres_stop(struct postgres *server, const char *mode);
void postgres_again(struct postgres *server, const char *args);
/* SIGSTOP or SIGCONT to all its processes. */
void postgres_signal(const struct postgres *server, int signum);

/* A URL for it: on the socket; `more` is more of the query, such as "&application_name=x", or "". Valid until
 * the next call but three. */
const char *postgres_url(const struct postgres *server, const char *more);
/* The same over TCP to 127.0.0.1 by the name `host`. */
const char *postgres_tcp_url(const struct postgres *server, const char *host, const char *more);
/* "&options=-csearch_path%3DNAME" for a new schema, which is made; for `more`. */
const char *postgres_schema(const struct postgres *server);

/* Run statements. Fails the process when they do. */
void postgres_exec(const char *url, const char *sql);
/* The first value of a query as text, "" for NULL or no row; valid until the next call but three. */
const char *postgres_value(const char *url, const char *sql);
/* Wait until the query's value is `expected`; false after 10 s. */
bool postgres_await(const char *url, const char *sql, const char *expected);

#endif
