/* server/log_line.c: what a log line looks like.
 *
 * Written by hand into the ring's own line: an access line costs every request, and printf is slow. A line
 * that grows too long is cut in its last text, never in its form: the room for what must follow is kept. */
#include "log_ring.h"

#include "../handlers/utf8.h"

#include <stdarg.h>
#include <string.h>

enum {
	LINE_TAIL = 16,  /* kept for a closing quote, brace and newline */
	LINE_PATH = 256, /* of a path that met no route */
};

struct line {
	char *at;
	char *end; /* leaves LINE_TAIL */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void line_add(struct line *line, const char *text, size_t len)
{
	size_t room = line->at < line->end ? (size_t)(line->end - line->at) : 0;

	if (len > room)
		len = room;
	memcpy(line->at, text, len);
	line->at += len;
}

#define line_lit(line, text) line_add(line, text, sizeof(text) - 1)

static void line_uint(struct line *line, uint64_t value)
{
	char digits[20];
	char *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	line_add(line, at, (size_t)(digits + sizeof(digits) - at));
}

/* Milliseconds with three decimals. */
static void line_ms(struct line *line, uint64_t ns)
{
	unsigned us = (unsigned)(ns / 1000 % 1000);
	char decimals[4] = {'.', (char)('0' + us / 100), (char)('0' + us / 10 % 10), (char)('0' + us % 10)};

	line_uint(line, ns / 1000000);
	line_add(line, decimals, sizeof(decimals));
}

/* One character that may not stand as it is, as JSON spells it. */
static void line_escape(struct line *line, unsigned c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15]};

	if (line->end - line->at < (ptrdiff_t)sizeof(text)) {
		line->end = line->at; /* full: nothing of this text after it either */
		return;
	}
	if (c == '"' || c == '\\') {
		text[1] = (char)c;
		line_add(line, text, 2);
	} else {
		line_add(line, text, sizeof(text));
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Text from anywhere: control characters (also those of Latin-1, which some terminals obey), quotes and what
 * is not UTF-8 are escaped. At most `max` bytes of it. */
static void line_text(struct line *line, const char *text, size_t len, size_t max)
{
	const unsigned char *p = (const unsigned char *)text;
	const unsigned char *end = p + (len < max ? len : max);
	char *limit = line->end;

	while (p < end) {
		const unsigned char *from = p;
		size_t sequence;

		while (p < end && is_plain(*p))
			p++;
		line_add(line, (const char *)from, (size_t)(p - from));
		if (p == end)
			break;
		sequence = *p < 0x80 ? 0 : ab_utf8_sequence(p, end);
		if (sequence == 0) {
			line_escape(line, *p++);
		} else if (sequence == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
			line_escape(line, p[1]);
			p += 2;
		} else {
			if (line->end - line->at < (ptrdiff_t)sequence)
				line->end = line->at;
			line_add(line, (const char *)p, sequence);
			p += sequence;
		}
	}
	line->end = limit;
}

static void line_string(struct line *line, const char *text)
{
	line_text(line, text, strlen(text), SIZE_MAX);
}

/* The current time as RFC 3339; the text of a second is made once. */
static void line_clock(struct line *line, struct ab_log_ring *ring, bool date)
{
	struct timespec now;
	unsigned ms;
	char decimals[3];

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != ring->second) {
		struct tm tm;

		gmtime_r(&now.tv_sec, &tm);
		strftime(ring->clock, sizeof(ring->clock), "%Y-%m-%dT%H:%M:%S.", &tm);
		ring->second = now.tv_sec;
	}
	ms = (unsigned)(now.tv_nsec / 1000000);
	decimals[0] = (char)('0' + ms / 100);
	decimals[1] = (char)('0' + ms / 10 % 10);
	decimals[2] = (char)('0' + ms % 10);
	if (date)
		line_add(line, ring->clock, strlen(ring->clock));
	else
		line_add(line, ring->clock + sizeof("2026-01-31T") - 1, sizeof("12:00:00.") - 1);
	line_add(line, decimals, sizeof(decimals));
}

static void line_begin(struct line *line, struct ab_log_ring *ring, enum ab_log_level level)
{
	line->at = ring->line;
	line->end = ring->line + sizeof(ring->line) - LINE_TAIL;
	if (ring->human) {
		line_clock(line, ring, false);
		line_lit(line, " ");
		return;
	}
	line_lit(line, "{\"time\":\"");
	line_clock(line, ring, true);
	line_lit(line, "Z\",\"level\":\"");
	line_add(line, level_names[level], strlen(level_names[level]));
	line_lit(line, "\"");
}

static void line_end(struct line *line, struct ab_log_ring *ring)
{
	line->end += LINE_TAIL;
	if (ring->human)
		line_lit(line, "\n");
	else
		line_lit(line, "}\n");
	ab_log_put(ring, ring->line, (size_t)(line->at - ring->line));
}

/* ,"key":"value", where there is a value and room; `key` is written as it is. */
static void json_field(
        struct line *line, const char *key, size_t key_len, const char *text, size_t len, size_t max)
{
	if (text == NULL || line->end - line->at < (ptrdiff_t)key_len)
		return;
	line_add(line, key, key_len);
	line_text(line, text, len, max);
	*line->at++ = '"'; /* of the tail */
}

#define json_text(line, key, text, len, max)                                                                 \
	json_field(line, ",\"" key "\":\"", sizeof(",\"" key "\":\"") - 1, text, len, max)
#define json_string(line, key, text) json_text(line, key, text, (text) == NULL ? 0 : strlen(text), SIZE_MAX)

/* What is short stands first, so that what is cut is only text. */
static void access_json(struct line *line, const struct ab_access *access)
{
	json_string(line, "id", access->id);
	line_lit(line, ",\"status\":");
	line_uint(line, (uint64_t)access->status);
	line_lit(line, ",\"bytes\":");
	line_uint(line, access->bytes);
	line_lit(line, ",\"ms\":");
	line_ms(line, access->duration_ns);
	json_string(line, "client", access->client);
	if (access->aborted)
		line_lit(line, ",\"aborted\":true");
	json_string(line, "method", access->method);
	if (access->route != NULL)
		json_string(line, "route", access->route);
	else
		json_text(line, "path", access->path, access->path_len, LINE_PATH);
	json_string(line, "degraded", access->degraded);
	json_string(line, "causes", access->causes);
	if (access->error != NULL) {
		json_string(line, "code", ab_code_name(access->error->code));
		json_string(line, "resource", access->error->resource);
		json_string(line, "error", access->error->text);
	}
}

static void access_human(struct line *line, const struct ab_access *access)
{
	if (access->route != NULL) {
		line_string(line, access->route);
	} else {
		line_string(line, access->method == NULL ? "-" : access->method);
		line_lit(line, " ");
		if (access->path != NULL)
			line_text(line, access->path, access->path_len, LINE_PATH);
	}
	line_lit(line, " ");
	line_uint(line, (uint64_t)access->status);
	line_lit(line, " ");
	line_uint(line, access->bytes);
	line_lit(line, "B ");
	line_ms(line, access->duration_ns);
	line_lit(line, "ms ");
	line_string(line, access->client);
	line_lit(line, " ");
	line_string(line, access->id);
	if (access->aborted)
		line_lit(line, " (client left)");
	if (access->degraded != NULL) {
		line_lit(line, " degraded: ");
		line_string(line, access->causes != NULL ? access->causes : access->degraded);
	}
	if (access->error != NULL) {
		line_lit(line, " ");
		line_string(line, ab_code_name(access->error->code));
		line_lit(line, ": ");
		line_string(line, access->error->text);
	}
}

void ab_log_event(struct ab_log_ring *ring, enum ab_log_level level, const char *fmt, ...)
{
	char text[AB_LOG_LINE / 2];
	struct line line;
	va_list args;

	if (ring == NULL || (level == AB_LOG_DEBUG && !ab_log_wants_debug(ring->log)))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	line_begin(&line, ring, level);
	if (ring->human) {
		line_lit(&line, "anabranch: ");
		if (level != AB_LOG_INFO) {
			line_add(&line, level_names[level], strlen(level_names[level]));
			line_lit(&line, ": ");
		}
		line_string(&line, text);
	} else {
		json_string(&line, "message", text);
	}
	line_end(&line, ring);
}

void ab_log_access(struct ab_log_ring *ring, const struct ab_access *access)
{
	struct line line;

	if (ring == NULL)
		return;
	line_begin(&line, ring, access->status >= 500 ? AB_LOG_ERROR : AB_LOG_INFO);
	if (ring->human)
		access_human(&line, access);
	else
		access_json(&line, access);
	line_end(&line, ring);
}
