/* server/log.c: the rings and the writer thread. How a line looks is in log_line.c.
 *
 * The writer naps for a moment between rounds while there is something to write, so that a busy worker never
 * pays for waking it; only when a round finds nothing does it fall asleep and say so, and the next line wakes
 * it. */
#include "log_ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

enum { LOG_NAP_MS = 10, LOG_CLOSE_MS = 1000 };

struct ab_log {
	int fd;
	bool human;
	_Atomic bool debug;
	_Atomic bool stopping;
	_Atomic bool asleep;
	_Atomic unsigned references; /* the opener and the writer: whoever is last frees */
	sem_t wake;
	pthread_t writer;
	pthread_mutex_t lock; /* adding rings */
	_Atomic unsigned n_rings;
	struct ab_log_ring *rings[AB_LOG_RINGS];
	_Atomic uint64_t unwritten; /* lines lost for want of a descriptor that takes them */
	uint64_t reported;          /* of all lost lines; the writer's */
};

/* ---- the producer's side ---- */

void ab_log_put(struct ab_log_ring *ring, const char *line, size_t len)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t at = head & (AB_LOG_RING_SIZE - 1);
	size_t first = AB_LOG_RING_SIZE - at;
	struct ab_log *log = ring->log;

	if (AB_LOG_RING_SIZE - (head - ring->tail_seen) < len) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (AB_LOG_RING_SIZE - (head - ring->tail_seen) < len) {
			atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
			return;
		}
	}
	if (first >= len) {
		memcpy(ring->bytes + at, line, len);
	} else {
		memcpy(ring->bytes + at, line, first);
		memcpy(ring->bytes, line + first, len - first);
	}
	/* Sequentially consistent, like the writer's store to `asleep` and load of `head`: one of us sees the
	 * other. */
	atomic_store(&ring->head, head + len);
	if (atomic_load(&log->asleep) && atomic_exchange(&log->asleep, false))
		sem_post(&log->wake);
}

struct ab_log_ring *ab_log_ring(struct ab_log *log)
{
	struct ab_log_ring *ring = aligned_alloc(64, sizeof(*ring));
	unsigned n;

	if (ring == NULL)
		return NULL;
	memset(ring, 0, offsetof(struct ab_log_ring, bytes));
	ring->log = log;
	ring->human = log->human;
	ring->second = -1;
	pthread_mutex_lock(&log->lock);
	n = atomic_load(&log->n_rings);
	if (n < AB_LOG_RINGS) {
		log->rings[n] = ring;
		atomic_store(&log->n_rings, n + 1);
	}
	pthread_mutex_unlock(&log->lock);
	if (n == AB_LOG_RINGS) {
		free(ring);
		return NULL;
	}
	return ring;
}

uint64_t ab_log_dropped(const struct ab_log *log)
{
	uint64_t sum = atomic_load(&log->unwritten);
	unsigned n = atomic_load(&log->n_rings);

	for (unsigned i = 0; i < n; i++)
		sum += atomic_load_explicit(&log->rings[i]->dropped, memory_order_relaxed);
	return sum;
}

void ab_log_debug(struct ab_log *log, bool on)
{
	atomic_store(&log->debug, on);
}

bool ab_log_wants_debug(const struct ab_log *log)
{
	return atomic_load_explicit(&log->debug, memory_order_relaxed);
}

/* ---- the writer's side ---- */

static uint64_t log_count_lines(const char *bytes, size_t len)
{
	uint64_t lines = 0;

	for (const char *end = bytes + len; (bytes = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL;
	        bytes++)
		lines++;
	return lines;
}

/* Write all of it, waiting for a descriptor that is only slow. False when it takes nothing any more. A line
 * cut by the error is lost in part; the next begins where the descriptor left off, as far as anyone can know.
 */
static bool log_write(struct ab_log *log, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(log->fd, bytes, len);

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd wait = {.fd = log->fd, .events = POLLOUT};

			if (poll(&wait, 1, LOG_CLOSE_MS) == 0 && atomic_load(&log->stopping))
				break;
		} else if (errno != EINTR) {
			break;
		}
	}
	if (len > 0)
		atomic_fetch_add(&log->unwritten, log_count_lines(bytes, len));
	return len == 0;
}

/* Say how many lines are missing, once they go through again. */
static void log_report(struct ab_log *log)
{
	uint64_t lost = ab_log_dropped(log);
	char line[160];
	int len;

	if (lost == log->reported)
		return;
	if (log->human) {
		len = snprintf(line, sizeof(line), "anabranch: warning: %llu log lines dropped\n",
		        (unsigned long long)(lost - log->reported));
	} else {
		len = snprintf(line, sizeof(line),
		        "{\"level\":\"warn\",\"message\":\"log lines dropped\",\"dropped\":%llu}\n",
		        (unsigned long long)(lost - log->reported));
	}
	/* Its own failure is not counted as a lost line. */
	if (write(log->fd, line, (size_t)len) == len)
		log->reported = lost;
}

/* Write out one ring. Whether there was anything. */
static bool log_drain(struct ab_log *log, struct ab_log_ring *ring)
{
	uint64_t head = atomic_load(&ring->head);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	bool some = head != tail, fine = true;

	while (tail != head) {
		size_t at = tail & (AB_LOG_RING_SIZE - 1);
		size_t len = AB_LOG_RING_SIZE - at;

		if (len > head - tail)
			len = (size_t)(head - tail);
		if (fine)
			fine = log_write(log, ring->bytes + at, len);
		else
			atomic_fetch_add(&log->unwritten, log_count_lines(ring->bytes + at, len));
		tail += len;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
	if (some && fine)
		log_report(log);
	return some;
}

static bool log_round(struct ab_log *log)
{
	unsigned n = atomic_load(&log->n_rings);
	bool some = false;

	for (unsigned i = 0; i < n; i++)
		some |= log_drain(log, log->rings[i]);
	return some;
}

static void log_nap(struct ab_log *log)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOG_NAP_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	sem_timedwait(&log->wake, &until);
}

static void log_unref(struct ab_log *log)
{
	unsigned n = atomic_load(&log->n_rings);

	if (atomic_fetch_sub(&log->references, 1) > 1)
		return;
	for (unsigned i = 0; i < n; i++)
		free(log->rings[i]);
	pthread_mutex_destroy(&log->lock);
	sem_destroy(&log->wake);
	free(log);
}

static void *log_thread(void *arg)
{
	struct ab_log *log = arg;

	for (;;) {
		bool stopping = atomic_load(&log->stopping);

		if (log_round(log)) {
			if (!stopping)
				log_nap(log);
			continue;
		}
		if (stopping)
			break;
		atomic_store(&log->asleep, true);
		if (log_round(log) || atomic_load(&log->stopping)) {
			atomic_store(&log->asleep, false);
			continue;
		}
		while (sem_wait(&log->wake) != 0 && errno == EINTR)
			;
	}
	log_unref(log);
	return NULL;
}

struct ab_log *ab_log_open(int fd, bool human)
{
	struct ab_log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->fd = fd;
	log->human = human;
	atomic_store(&log->references, 2);
	if (sem_init(&log->wake, 0, 0) != 0)
		goto no_sem;
	if (pthread_mutex_init(&log->lock, NULL) != 0)
		goto no_lock;
	if (pthread_create(&log->writer, NULL, log_thread, log) != 0)
		goto no_thread;
	return log;
no_thread:
	pthread_mutex_destroy(&log->lock);
no_lock:
	sem_destroy(&log->wake);
no_sem:
	free(log);
	return NULL;
}

void ab_log_close(struct ab_log *log)
{
	struct timespec until;

	if (log == NULL)
		return;
	atomic_store(&log->stopping, true);
	sem_post(&log->wake);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOG_CLOSE_MS / 1000;
	if (pthread_timedjoin_np(log->writer, NULL, &until) != 0)
		pthread_detach(log->writer);
	log_unref(log);
}
