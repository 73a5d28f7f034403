/* server/listen.c: see listen.h. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024 };

/* ---- addresses ---- */

bool ab_address_parse(const char *text, struct ab_address *ret)
{
	const char *colon = strrchr(text, ':');
	struct ab_address address = {0};
	struct in6_addr ignored;
	const char *host = text;
	size_t len;
	bool six = text[0] == '[';
	unsigned long port = 0;

	if (colon == NULL || colon == text || colon[1] == '\0' || strlen(colon + 1) > 5)
		return false;
	for (const char *p = colon + 1; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return false;
		port = port * 10 + (unsigned long)(*p - '0');
	}
	len = (size_t)(colon - text);
	if (six) {
		if (text[len - 1] != ']')
			return false;
		host++;
		len -= 2;
	}
	if (port > UINT16_MAX || len >= sizeof(address.host))
		return false;
	memcpy(address.host, host, len);
	address.port = (uint16_t)port;
	if (six ? inet_pton(AF_INET6, address.host, &ignored) != 1
	        : inet_pton(AF_INET, address.host, &ignored) != 1 && strcmp(address.host, "localhost") != 0)
		return false;
	*ret = address;
	return true;
}

static socklen_t address_fill(const struct ab_address *address, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	bool local = strcmp(address->host, "localhost") == 0;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, local ? "127.0.0.1" : address->host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(address->port);
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, address->host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(address->port);
		return sizeof(*six);
	}
	return 0;
}

bool ab_address_is_loopback(const struct ab_address *address)
{
	struct sockaddr_storage storage;
	const struct sockaddr_in *four = (struct sockaddr_in *)&storage;
	const struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;

	if (address_fill(address, &storage) == 0)
		return false;
	if (storage.ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

void ab_address_format(const struct ab_address *address, char *buf, size_t size)
{
	snprintf(buf, size, strchr(address->host, ':') != NULL ? "[%s]:%u" : "%s:%u", address->host,
	        address->port);
}

/* ---- sockets ---- */

static enum ab_code listen_fail(const struct ab_address *address, int code, struct ab_error *err)
{
	char text[96];

	ab_address_format(address, text, sizeof(text));
	switch (code) {
	case EADDRINUSE:
		return ab_error_set(err, AB_EINVALID,
		        "%s is in use: another program listens there; stop it, or choose another address",
		        text);
	case EADDRNOTAVAIL:
		return ab_error_set(err, AB_EINVALID, "%s is not an address of this machine", text);
	case EACCES:
		return ab_error_set(
		        err, AB_EINVALID, "%s needs privileges; choose a port from 1024 up", text);
	default:
		return ab_error_set(err, AB_EINTERNAL, "listening on %s: %s", text, strerror(code));
	}
}

/* One socket, bound; -1 and errno when it can't be had. */
static int listen_bind(const struct ab_address *address, bool shared)
{
	struct sockaddr_storage storage;
	socklen_t len = address_fill(address, &storage);
	int one = 1, fd, code;

	if (len == 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (storage.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) ||
	        bind(fd, (struct sockaddr *)&storage, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
		code = errno;
		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

static uint16_t listen_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

enum ab_code ab_listen(struct ab_address *address, unsigned count, int *ret_fds, struct ab_error *err)
{
	int fd = listen_bind(address, false);
	int code;

	if (fd < 0)
		return listen_fail(address, errno, err);
	if (address->port == 0)
		address->port = listen_port(fd);
	if (count == 1) {
		ret_fds[0] = fd;
		return AB_OK;
	}
	close(fd); /* nobody has connected: nobody knows of us yet */
	for (unsigned i = 0; i < count; i++) {
		ret_fds[i] = listen_bind(address, true);
		if (ret_fds[i] >= 0)
			continue;
		code = errno;
		while (i-- > 0)
			close(ret_fds[i]);
		return listen_fail(address, code, err);
	}
	return AB_OK;
}

/* A classic BPF filter on the socket: it sees segments from the TCP header on, of which byte 13 has the flags
 * (RFC 9293, section 3.1). Connections that come out of the socket inherit it; they get no SYN. */
void ab_listen_hush(int fd)
{
	enum { FLAGS_AT = 13, SYN = 2 };
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
	        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SYN, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, 0),
	        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = {.len = AB_COUNT(code), .filter = code};

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}
