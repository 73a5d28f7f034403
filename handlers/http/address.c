/* handlers/http/address.c: addresses that no name may lead to.
 *
 * Judged after resolving, for each address about to be connected to, so a name that resolves differently the
 * next time is judged again. Loopback and private ranges are fine: that is where upstreams live. */
#include "internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* RFC 6890 (0.0.0.0/8, 169.254/16), RFC 5771 (224/4), RFC 919 (broadcast). */
static const char *refused_v4(uint32_t ip)
{
	if (ip >> 24 == 0)
		return "unspecified";
	if (ip >> 16 == 0xA9FE)
		return "link-local";
	if (ip >> 28 == 0xE)
		return "multicast";
	if (ip == 0xFFFFFFFF)
		return "broadcast";
	return NULL;
}

/* The IPv4 address inside an IPv6 one: mapped (RFC 4291, 2.5.5.2), or behind the well-known NAT64 prefix (RFC
 * 6052, 2.1). */
static bool embedded_v4(const struct in6_addr *ip, uint32_t *ret_ip)
{
	static const unsigned char nat64[12] = {0, 0x64, 0xFF, 0x9B};

	if (!IN6_IS_ADDR_V4MAPPED(ip) && memcmp(ip->s6_addr, nat64, sizeof(nat64)) != 0)
		return false;
	memcpy(ret_ip, ip->s6_addr + 12, 4);
	*ret_ip = ntohl(*ret_ip);
	return true;
}

static const char *refused_v6(const struct in6_addr *ip)
{
	uint32_t v4;

	if (embedded_v4(ip, &v4))
		return refused_v4(v4);
	if (IN6_IS_ADDR_UNSPECIFIED(ip))
		return "unspecified";
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		return "link-local";
	if (IN6_IS_ADDR_MULTICAST(ip))
		return "multicast";
	return NULL;
}

static bool literal_v4(const char *literal, const struct in_addr *ip)
{
	struct in_addr written;

	return inet_pton(AF_INET, literal, &written) == 1 && written.s_addr == ip->s_addr;
}

/* A zone ("fe80::1%eth0") is no part of the comparison. */
static bool literal_v6(const char *literal, const struct in6_addr *ip)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr written;
	size_t len = strcspn(literal, "%");

	if (len >= sizeof(text))
		return false;
	memcpy(text, literal, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &written) == 1 && memcmp(&written, ip, sizeof(written)) == 0;
}

const char *ab_address_refused(const struct sockaddr *address, const char *literal)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	const char *why;

	switch (address->sa_family) {
	case AF_INET:
		memcpy(&v4, address, sizeof(v4));
		why = refused_v4(ntohl(v4.sin_addr.s_addr));
		return why != NULL && literal_v4(literal, &v4.sin_addr) ? NULL : why;
	case AF_INET6:
		memcpy(&v6, address, sizeof(v6));
		why = refused_v6(&v6.sin6_addr);
		return why != NULL && literal_v6(literal, &v6.sin6_addr) ? NULL : why;
	default:
		return "neither IPv4 nor IPv6";
	}
}
