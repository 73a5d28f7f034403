/* server/listen.h: addresses and listening sockets. */
#ifndef AB_LISTEN_H
#define AB_LISTEN_H

#include "app.h"

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port 0 means any. False when it is none of these. */
bool ab_address_parse(const char *text, struct ab_address *ret);
/* Whether only this machine can reach it. */
bool ab_address_is_loopback(const struct ab_address *address);
/* "127.0.0.1:8080", "[::1]:8080". */
void ab_address_format(const struct ab_address *address, char *buf, size_t size);

/* Listen on `address` with `count` sockets that share the port (each gets its part of the connections); a
 * port of 0 becomes the one that was chosen. First bound alone, since sharing would also let a forgotten
 * other server take half of the requests. The sockets are non-blocking; none are left after an error. Errors:
 * AB_EINVALID (in use, not ours, not allowed: the text says what to do), AB_EINTERNAL. */
AB_NODISCARD enum ab_code ab_listen(
        struct ab_address *address, unsigned count, int *ret_fds, struct ab_error *err);

/* Let no connection begin on a listening socket from now on, while those under way may come to their end and
 * be accepted: closing it at once would reset whoever is between the two. Clients that come now are not
 * answered, and try again when it is closed. Nothing happens where the kernel does not do it. */
void ab_listen_hush(int fd);

#endif
