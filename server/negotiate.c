/* server/negotiate.c: which media type a client wants (RFC 9110, section 12.5.1). */
#include "reply.h"

#include <string.h>
#include <strings.h>

/* One item of Accept: how well it fits `media` (0: not, 1: any, 2: type, 3: both), and its quality. */
struct range {
	int fit;
	int quality; /* thousandths */
};

static int read_quality(const char *text, const char *end)
{
	int quality = 0, scale = 1000;

	if (text < end && *text == '1')
		return 1000;
	if (text < end && *text == '0')
		text++;
	if (text < end && *text == '.')
		text++;
	for (; text < end && *text >= '0' && *text <= '9' && scale > 1; text++) {
		scale /= 10;
		quality += (*text - '0') * scale;
	}
	return quality;
}

static const char *skip(const char *text, const char *end)
{
	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	return text;
}

static const char *find(const char *text, const char *end, char c)
{
	return text < end ? memchr(text, c, (size_t)(end - text)) : NULL;
}

static int range_fit(const char *range, size_t len, const char *media)
{
	const char *slash = strchr(media, '/');
	size_t type = slash != NULL ? (size_t)(slash - media) + 1 : 0;

	if (len == strlen(media) && strncasecmp(range, media, len) == 0)
		return 3;
	if (len == type + 1 && range[len - 1] == '*' && strncasecmp(range, media, type) == 0)
		return 2;
	return len == 3 && memcmp(range, "*/*", 3) == 0;
}

static struct range read_range(const char *text, const char *end, const char *media)
{
	struct range range = {.quality = 1000};
	const char *semicolon, *stop;

	text = skip(text, end);
	semicolon = find(text, end, ';');
	stop = semicolon != NULL ? semicolon : end;
	while (stop > text && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	range.fit = range_fit(text, (size_t)(stop - text), media);
	while (range.fit > 0 && semicolon != NULL) {
		const char *parameter = skip(semicolon + 1, end);

		semicolon = find(parameter, end, ';');
		if (end - parameter > 2 && (parameter[0] | 0x20) == 'q' && parameter[1] == '=')
			range.quality = read_quality(parameter + 2, semicolon != NULL ? semicolon : end);
	}
	return range;
}

static void read_header(const struct ab_header *header, const char *media, struct range *best)
{
	const char *at = header->value, *end = header->value + header->value_len;

	while (at < end) {
		const char *comma = find(at, end, ',');
		struct range range = read_range(at, comma != NULL ? comma : end, media);

		if (range.fit > best->fit || (range.fit == best->fit && range.quality > best->quality))
			*best = range;
		at = comma != NULL ? comma + 1 : end;
	}
}

int ab_media_quality(const struct ab_request *request, const char *media)
{
	struct range best = {0, 0};
	bool said = false;

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];

		if (header->name_len != 6 || strncasecmp(header->name, "accept", 6) != 0)
			continue;
		said = true;
		read_header(header, media, &best);
	}
	if (!said)
		return -1;
	return best.fit > 0 ? best.quality : 0;
}

const struct ab_answer *ab_answer_choose(
        const struct ab_request *request, const struct ab_answer *answers, size_t count)
{
	const struct ab_answer *best = &answers[0];
	int most;

	if (count == 1)
		return best;
	most = ab_media_quality(request, best->media);
	for (size_t i = 1; i < count; i++) {
		int quality = ab_media_quality(request, answers[i].media);

		if (quality > most) {
			most = quality;
			best = &answers[i];
		}
	}
	return best;
}
