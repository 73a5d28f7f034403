/* server/request.c: see request.h. */
#include "request.h"

#include <string.h>
#include <strings.h>

const struct ab_header *ab_request_header(const struct ab_request *request, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct ab_header *header = &request->headers[i];

		if (header->name_len == len && strncasecmp(header->name, name, len) == 0)
			return header;
	}
	return NULL;
}

bool ab_request_media(const struct ab_request *request, const char *media)
{
	const struct ab_header *header = ab_request_header(request, "content-type");
	size_t len = strlen(media);
	char next;

	if (header == NULL || header->value_len < len || strncasecmp(header->value, media, len) != 0)
		return false;
	next = header->value_len > len ? header->value[len] : ';';
	return next == ';' || next == ' ' || next == '\t';
}

bool ab_cookie_next(struct ab_cookies *cookies)
{
	while (cookies->at < cookies->end) {
		const char *text = cookies->at;
		const char *semicolon = memchr(text, ';', (size_t)(cookies->end - text));
		const char *stop = semicolon != NULL ? semicolon : cookies->end;
		const char *equals;

		cookies->at = semicolon != NULL ? semicolon + 1 : cookies->end;
		while (text < stop && (*text == ' ' || *text == '\t'))
			text++;
		while (stop > text && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		equals = memchr(text, '=', (size_t)(stop - text));
		if (equals == NULL || equals == text)
			continue;
		cookies->name = text;
		cookies->name_len = (size_t)(equals - text);
		cookies->value = equals + 1;
		cookies->value_len = (size_t)(stop - cookies->value);
		return true;
	}
	return false;
}

bool ab_reply_header(struct ab_reply *reply, const char *name, const char *value)
{
	if (reply->n_headers == AB_REPLY_HEADERS)
		return false;
	reply->headers[reply->n_headers++] = (struct ab_header){
	        .name = name,
	        .value = value,
	        .name_len = strlen(name),
	        .value_len = strlen(value),
	};
	return true;
}
