/* tests/lib/upstream.h: a fake upstream, so that every fault a real one may have can be had on demand.
 *
 * A thread of the test's process serves HTTP/1.1 on 127.0.0.1, port chosen by the system. Start it inside a
 * test or its fixture (a thread does not survive a fork). The first segment of the path chooses the answer;
 * what follows it is free. All functions may be called from the test's thread while it serves.
 *
 * answers
 *   /json             {"id": 1, "name": "Lamp", "price": 149.95, "tags": ["a", "b"]}
 *   /json-suffix      the same as application/problem+json; charset=utf-8
 *   /text             text/plain: Hello from upstream
 *   /echo             JSON: method, target, headers (lower case; repeated ones joined by ", "),
 *                     body (null when not UTF-8), connection (1 for the first accepted)
 *   /status/NNN       that status with {"status": NNN}
 *   /204, /empty      204; 200 with Content-Length: 0 and application/json
 *   /reply?...        as the query says: status, type, body, name and header (one more header),
 *                     ms (wait first)
 *   /big?bytes=N      a JSON string, N bytes with its quotes
 *   /chunked          the /json document in chunks of 7 bytes
 *   /gzip             the /json document, gzip
 *   /headers          X-Twice two times, X-Cased-Name, ETag, an empty X-Empty
 *   /redirect?to=U    302 to U (/json unless given)
 *   /slow?ms=N        the /json document after N ms
 *   /hold             the /json document once fake_upstream_release lets it go
 *   /close-idle       the /json document, then closes without having said so
 * faults
 *   /stall-before     nothing, ever
 *   /stall-in-head    half of a head
 *   /stall-in-body    a head, half of the body
 *   /endless          a body without an end        /endless-head, /endless-1xx: the same for these
 *   /drip             a body, a byte every 10 ms, without an end
 *   /gzip-bomb        a gzip body of zeros without an end, 1 byte for 159
 *   /short-length     says 100 bytes, sends 10, closes
 *   /long-body        says 5 bytes, sends 20, stays open
 *   /badjson          application/json that is cut short
 *   /badutf8          text/plain that is not UTF-8
 *   /reset            reset before the answer      /reset-in-body: in the middle of it
 *   /close            closed before the answer
 *   /garbage-status   a status line that is none   /garbage-head: a header line without a colon
 * Anything else is 404 with a JSON body, unless set with fake_upstream_answer. HEAD answers have no body. */
#ifndef FAKE_UPSTREAM_H
#define FAKE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>

struct fake_upstream;

/* Ends the test's process with a message when it can't be had. */
struct fake_upstream *fake_upstream_start(void);
/* Closes everything and joins the thread. NULL is fine. */
void fake_upstream_stop(struct fake_upstream *upstream);

unsigned short fake_upstream_port(const struct fake_upstream *upstream);
const char *fake_upstream_url(const struct fake_upstream *upstream); /* "http://127.0.0.1:PORT" */

/* Answer `path` (up to its query, compared whole) with this from now on; texts are copied. */
void fake_upstream_answer(
        struct fake_upstream *upstream, const char *path, int status, const char *type, const char *body);

size_t fake_upstream_connects(struct fake_upstream *upstream); /* accepted so far */
size_t fake_upstream_open(struct fake_upstream *upstream);     /* open now */
size_t fake_upstream_requests(struct fake_upstream *upstream); /* read whole so far */
/* Those of which the target starts with `prefix`; among the first 4096. */
size_t fake_upstream_count(struct fake_upstream *upstream, const char *prefix);
/* Request `index` from 0, head and body as they came; NULL when there is none or it is beyond the first 4096.
 * The caller frees it. */
char *fake_upstream_request(struct fake_upstream *upstream, size_t index);

size_t fake_upstream_held(struct fake_upstream *upstream); /* waiting under /hold now */
void fake_upstream_release(
        struct fake_upstream *upstream, size_t count);         /* let so many go, now or when they come */
void fake_upstream_close_idle(struct fake_upstream *upstream); /* close connections between requests, once */

#endif
