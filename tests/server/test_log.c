/* tests/server/test_log.c: one line an event, whatever is in it, and a service that goes on without its log.
 */
#include "../../server/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(log, .timeout = 30);

/* ---- a log into a pipe ---- */

struct sink {
	struct ab_log *log;
	struct ab_log_ring *ring;
	int in, out;
	char *text;
	size_t len;
};

static void sink_open(struct sink *sink, bool human)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	*sink = (struct sink){.in = fds[0], .out = fds[1]};
	sink->log = ab_log_open(sink->out, human);
	cr_assert_not_null(sink->log);
	sink->ring = ab_log_ring(sink->log);
	cr_assert_not_null(sink->ring);
}

/* Close the log, and everything that was written is in text. */
static void sink_finish(struct sink *sink)
{
	size_t size = 0;
	ssize_t n = 0;

	ab_log_close(sink->log);
	close(sink->out);
	do {
		sink->len += (size_t)n;
		if (size - sink->len < 4096) {
			size = size * 2 + 65536;
			sink->text = realloc(sink->text, size);
			cr_assert_not_null(sink->text);
		}
		n = read(sink->in, sink->text + sink->len, size - sink->len - 1);
	} while (n > 0);
	sink->text[sink->len] = '\0';
	close(sink->in);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static json_t *parse_line(const char *line)
{
	json_error_t error;
	json_t *value = json_loadb(line, strcspn(line, "\n"), JSON_REJECT_DUPLICATES, &error);

	cr_assert_not_null(value, "%s: %s", error.text, line);
	return value;
}

/* ---- how lines look ---- */

Test(log, an_answer_is_one_json_object)
{
	struct ab_error error = {.code = AB_EUPSTREAM, .status = 502, .resource = "product"};
	struct ab_access access = {
	        .id = "r1",
	        .method = "GET",
	        .route = "GET /products/{id}",
	        .status = 502,
	        .bytes = 123,
	        .duration_ns = 12345678,
	        .degraded = "reviews, related",
	        .causes = "reviews: timed out; related: answered 500",
	        .client = "127.0.0.1",
	        .error = &error,
	};
	struct sink sink;
	json_t *line;

	strcpy(error.text, "http: GET catalog/products/1: 500");
	sink_open(&sink, false);
	ab_log_access(sink.ring, &access);
	sink_finish(&sink);
	line = parse_line(sink.text);
	cr_expect_str_eq(json_string_value(json_object_get(line, "id")), "r1");
	cr_expect_str_eq(json_string_value(json_object_get(line, "level")), "error");
	cr_expect_str_eq(json_string_value(json_object_get(line, "method")), "GET");
	cr_expect_str_eq(json_string_value(json_object_get(line, "route")), "GET /products/{id}");
	cr_expect_eq(json_integer_value(json_object_get(line, "status")), 502);
	cr_expect_eq(json_integer_value(json_object_get(line, "bytes")), 123);
	cr_expect_float_eq(json_real_value(json_object_get(line, "ms")), 12.345, 1e-9);
	cr_expect_str_eq(json_string_value(json_object_get(line, "degraded")), "reviews, related");
	cr_expect_str_eq(json_string_value(json_object_get(line, "causes")),
	        "reviews: timed out; related: answered 500");
	cr_expect_str_eq(json_string_value(json_object_get(line, "client")), "127.0.0.1");
	cr_expect_str_eq(json_string_value(json_object_get(line, "code")), "UpstreamFailed");
	cr_expect_str_eq(json_string_value(json_object_get(line, "resource")), "product");
	cr_expect_str_eq(
	        json_string_value(json_object_get(line, "error")), "http: GET catalog/products/1: 500");
	cr_expect_null(json_object_get(line, "path"));
	cr_expect_eq(
	        strlen(json_string_value(json_object_get(line, "time"))), strlen("2026-01-31T12:00:00.000Z"));
	json_decref(line);
	free(sink.text);
}

Test(log, an_answer_on_a_terminal_is_one_plain_line)
{
	struct ab_access access = {.id = "r1",
	        .method = "GET",
	        .route = "GET /greet",
	        .status = 200,
	        .bytes = 12,
	        .duration_ns = 1002000,
	        .client = "::1"};
	struct sink sink;

	sink_open(&sink, true);
	ab_log_access(sink.ring, &access);
	ab_log_event(sink.ring, AB_LOG_INFO, "serving %s", "hello.yaml");
	ab_log_event(sink.ring, AB_LOG_WARN, "look");
	sink_finish(&sink);
	cr_expect_not_null(strstr(sink.text, " GET /greet 200 12B 1.002ms ::1 r1\n"), "%s", sink.text);
	cr_expect_not_null(strstr(sink.text, " anabranch: serving hello.yaml\n"), "%s", sink.text);
	cr_expect_not_null(strstr(sink.text, " anabranch: warn: look\n"), "%s", sink.text);
	free(sink.text);
}

/* What a stranger may put into a path. */
static const char hostile[] =
        "/a\r\n{\"level\":\"info\"}\n\t\x1b[31m\x7f\"\\\xff\xc2\x9b\xc3\xa9\xe2\x82\xac\xed\xa0\x80\xf0\x9f";

static void log_hostile(struct sink *sink)
{
	struct ab_access access = {.id = "r1",
	        .method = hostile,
	        .path = hostile,
	        .path_len = sizeof(hostile) - 1,
	        .status = 404,
	        .degraded = hostile,
	        .client = "127.0.0.1"};

	ab_log_access(sink->ring, &access);
	ab_log_event(sink->ring, AB_LOG_ERROR, "%s", hostile);
}

Test(log, no_text_breaks_out_of_its_json_line)
{
	struct sink sink;
	json_t *line;
	const char *path;

	sink_open(&sink, false);
	log_hostile(&sink);
	sink_finish(&sink);
	cr_assert_eq(count_lines(sink.text), 2, "%s", sink.text);
	line = parse_line(sink.text);
	cr_expect_str_eq(json_string_value(json_object_get(line, "level")), "info");
	path = json_string_value(json_object_get(line, "path"));
	cr_expect_eq(strncmp(path, "/a\r\n{\"level\"", 12), 0);
	cr_expect_not_null(strstr(path, "\xc3\xa9\xe2\x82\xac"), "well-formed text stays as it is");
	json_decref(line);
	json_decref(parse_line(strchr(sink.text, '\n') + 1));
	free(sink.text);
}

Test(log, no_text_breaks_out_of_its_plain_line)
{
	struct sink sink;

	sink_open(&sink, true);
	log_hostile(&sink);
	sink_finish(&sink);
	cr_expect_eq(count_lines(sink.text), 2, "%s", sink.text);
	for (const char *p = sink.text; *p != '\0'; p++)
		cr_expect(*p == '\n' || ((unsigned char)*p >= 0x20 && *p != 0x7f), "byte %02x",
		        (unsigned char)*p);
	cr_expect_null(strstr(sink.text, "\xc2\x9b"), "a control character of Latin-1");
	free(sink.text);
}

Test(log, too_long_a_text_is_cut_and_the_line_stays_whole)
{
	static char text[3 * AB_LOG_LINE];
	struct ab_access access = {
	        .id = "r1", .method = text, .route = text, .status = 200, .degraded = text, .client = "c"};
	struct sink sink;
	const char *line;
	json_t *value;

	for (unsigned kind = 0; kind < 4; kind++) {
		size_t len = sizeof(text) - 1;

		for (size_t i = 0; i < len; i++)
			text[i] = "x\"\xff\xc3"[kind];
		if (kind == 3)
			for (size_t i = 1; i < len; i += 2)
				text[i] = '\xa9';
		sink_open(&sink, false);
		ab_log_access(sink.ring, &access);
		ab_log_event(sink.ring, AB_LOG_INFO, "%s", text);
		sink_finish(&sink);
		cr_expect_eq(count_lines(sink.text), 2);
		line = sink.text;
		value = parse_line(line);
		cr_expect_eq(json_integer_value(json_object_get(value, "status")), 200);
		cr_expect_str_eq(json_string_value(json_object_get(value, "client")), "c");
		json_decref(value);
		cr_expect_leq(strcspn(line, "\n"), AB_LOG_LINE);
		json_decref(parse_line(strchr(line, '\n') + 1));
		free(sink.text);
	}
}

Test(log, debug_events_only_when_asked)
{
	struct sink sink;

	sink_open(&sink, false);
	ab_log_event(sink.ring, AB_LOG_DEBUG, "first");
	ab_log_debug(sink.log, true);
	ab_log_event(sink.ring, AB_LOG_DEBUG, "second");
	ab_log_event(NULL, AB_LOG_ERROR, "nowhere");
	sink_finish(&sink);
	cr_expect_null(strstr(sink.text, "first"));
	cr_expect_not_null(strstr(sink.text, "second"));
	free(sink.text);
}

/* ---- nothing lost, nothing doubled ---- */

enum { THREADS = 4, LINES = 20000 };

struct producer {
	struct ab_log_ring *ring;
	int number;
};

static void *produce(void *arg)
{
	struct producer *producer = arg;

	for (int i = 0; i < LINES; i++)
		ab_log_event(producer->ring, AB_LOG_INFO, "%d %d", producer->number, i);
	return NULL;
}

struct reader {
	int fd;
	int next[THREADS];
	uint64_t lines, reports, dropped;
	bool bad;
};

/* Each producer's lines come in order; gaps are only what was reported as dropped. */
static void reader_line(struct reader *reader, const char *line)
{
	json_t *value = json_loads(line, 0, NULL);
	const char *message = json_string_value(json_object_get(value, "message"));
	int number, i;

	if (message != NULL && sscanf(message, "%d %d", &number, &i) == 2) {
		reader->lines++;
		reader->bad |= number < 0 || number >= THREADS || i < reader->next[number];
		if (!reader->bad)
			reader->next[number] = i + 1;
	} else if (json_object_get(value, "dropped") != NULL) {
		reader->reports++;
		reader->dropped += (uint64_t)json_integer_value(json_object_get(value, "dropped"));
	} else {
		reader->bad = true;
	}
	json_decref(value);
}

static void *read_lines(void *arg)
{
	struct reader *reader = arg;
	FILE *file = fdopen(reader->fd, "r");
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0)
		reader_line(reader, line);
	free(line);
	fclose(file);
	return NULL;
}

Test(log, every_line_of_every_thread_is_written_once_or_counted)
{
	struct producer producers[THREADS];
	struct reader reader = {0};
	pthread_t threads[THREADS + 1];
	struct ab_log *log;
	uint64_t dropped;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	reader.fd = fds[0];
	log = ab_log_open(fds[1], false);
	cr_assert_not_null(log);
	for (int i = 0; i < THREADS; i++) {
		producers[i] = (struct producer){.ring = ab_log_ring(log), .number = i};
		cr_assert_not_null(producers[i].ring);
	}
	cr_assert_eq(pthread_create(&threads[THREADS], NULL, read_lines, &reader), 0);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	dropped = ab_log_dropped(log);
	ab_log_close(log);
	close(fds[1]);
	pthread_join(threads[THREADS], NULL);
	cr_expect_not(reader.bad);
	cr_expect_eq(reader.lines + dropped, (uint64_t)THREADS * LINES, "%lu written, %lu dropped",
	        (unsigned long)reader.lines, (unsigned long)dropped);
	cr_expect_eq(reader.dropped, dropped, "%lu reported, %lu dropped", (unsigned long)reader.dropped,
	        (unsigned long)dropped);
}

/* ---- outputs that take nothing ---- */

Test(log, a_closed_pipe_costs_lines_and_nothing_else)
{
	struct sink sink;

	signal(SIGPIPE, SIG_IGN);
	sink_open(&sink, false);
	close(sink.in);
	for (int i = 0; i < 1000; i++)
		ab_log_event(sink.ring, AB_LOG_INFO, "line %d", i);
	while (ab_log_dropped(sink.log) < 1000)
		usleep(1000);
	cr_expect_eq(ab_log_dropped(sink.log), 1000);
	ab_log_close(sink.log);
	close(sink.out);
}

Test(log, a_full_disk_is_counted_and_reported_when_there_is_room)
{
	struct sink sink;
	int full = open("/dev/full", O_WRONLY);

	cr_assert_geq(full, 0);
	sink_open(&sink, false);
	/* The log's descriptor becomes the full device, and later the pipe again. */
	int pipe_end = dup(sink.out);
	cr_assert_geq(dup2(full, sink.out), 0);
	ab_log_event(sink.ring, AB_LOG_INFO, "lost");
	while (ab_log_dropped(sink.log) < 1)
		usleep(1000);
	cr_assert_geq(dup2(pipe_end, sink.out), 0);
	close(pipe_end);
	close(full);
	ab_log_event(sink.ring, AB_LOG_INFO, "kept");
	sink_finish(&sink);
	cr_expect_null(strstr(sink.text, "lost"));
	cr_expect_not_null(strstr(sink.text, "kept"));
	cr_expect_not_null(strstr(sink.text, "\"dropped\":1}"), "%s", sink.text);
	free(sink.text);
}

Test(log, a_reader_that_reads_nothing_holds_up_nobody)
{
	struct sink sink;
	int lines = 0;

	signal(SIGPIPE, SIG_IGN);
	sink_open(&sink, false);
	/* More than the pipe and the ring take together: the rest is dropped, not waited for. */
	while (ab_log_dropped(sink.log) == 0) {
		ab_log_event(sink.ring, AB_LOG_INFO, "%0500d", lines++);
		cr_assert_lt(lines, 100000);
	}
	cr_expect_gt(lines, 100);
	ab_log_close(sink.log); /* gives up after a second; its thread is left in write() */
	close(sink.in);
}
