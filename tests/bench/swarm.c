/* tests/bench/swarm.c: many kept connections at once, each checking that every answer is its own.
 *
 *   swarm PORT CONNECTIONS ROUNDS HOLD-SECONDS
 *
 * Opens the connections, asks GET /greet?who=cNrM on each in rounds, then holds them idle. Prints one line
 * and fails when an answer is lost, doubled or another's. */
#include "../../dispatch/base.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool ask(int fd, int connection, int round)
{
	char text[160];
	int len = snprintf(text, sizeof(text), "GET /greet?who=c%dr%d HTTP/1.1\r\nHost: localhost\r\n\r\n",
	        connection, round);

	return write(fd, text, (size_t)len) == len;
}

static bool answered(int fd, int connection, int round)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char text[4096], want[64];
	size_t len = 0;
	ssize_t count;
	const char *body;

	snprintf(want, sizeof(want), "Hello c%dr%d!", connection, round);
	for (;;) {
		if (len == sizeof(text) - 1 || poll(&wait, 1, 10000) != 1)
			return false;
		count = read(fd, text + len, sizeof(text) - 1 - len);
		if (count <= 0)
			return false;
		len += (size_t)count;
		text[len] = '\0';
		body = strstr(text, "\r\n\r\n");
		if (body != NULL && strlen(body + 4) >= strlen(want))
			return strcmp(body + 4, want) == 0;
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
	int port, connections, rounds, bad = 0, good = 0;
	int *fds;

	if (argc != 5) {
		fprintf(stderr, "usage: swarm PORT CONNECTIONS ROUNDS HOLD-SECONDS\n");
		return 2;
	}
	port = atoi(argv[1]);
	connections = atoi(argv[2]);
	rounds = atoi(argv[3]);
	setrlimit(RLIMIT_NOFILE, &files);
	fds = calloc((size_t)connections, sizeof(*fds));
	ab_assert(fds != NULL);
	for (int i = 0; i < connections; i++)
		fds[i] = dial(port);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < connections; i++)
			if (fds[i] >= 0 && !ask(fds[i], i, round))
				bad++;
		for (int i = 0; i < connections; i++) {
			if (fds[i] >= 0 && answered(fds[i], i, round))
				good++;
			else
				bad++;
		}
	}
	printf("connections=%d good=%d bad=%d\n", connections, good, bad);
	fflush(stdout);
	sleep((unsigned)atoi(argv[4]));
	return bad != 0;
}
