/* server/origin.c: whether a request comes from a page of another site. Browsers say so themselves; what says
 * nothing is no browser, and has no cookies of a stranger to misuse. */
#include "origin.h"

#include <string.h>
#include <strings.h>

static bool is(const struct ab_header *header, const char *text)
{
	return header->value_len == strlen(text) && strncasecmp(header->value, text, header->value_len) == 0;
}

/* Whether an Origin ("https://shop.example:8443") names the host a request was sent to. The scheme is not
 * compared: behind a proxy that ends TLS it is not known here. */
static bool same_host(const struct ab_header *origin, const struct ab_header *host)
{
	const char *colon = memmem(origin->value, origin->value_len, "://", 3);
	size_t skip = colon != NULL ? (size_t)(colon - origin->value) + 3 : 0;

	return colon != NULL && origin->value_len - skip == host->value_len &&
	       strncasecmp(origin->value + skip, host->value, host->value_len) == 0;
}

bool ab_request_crosses(const struct ab_request *request)
{
	const struct ab_header *site = ab_request_header(request, "sec-fetch-site");
	const struct ab_header *origin = ab_request_header(request, "origin");
	const struct ab_header *host;

	/* "same-site" is another origin too: a neighbour under the same domain. */
	if (site != NULL)
		return !is(site, "same-origin") && !is(site, "none");
	if (origin == NULL)
		return false;
	host = ab_request_header(request, "host");
	return host == NULL || !same_host(origin, host);
}
