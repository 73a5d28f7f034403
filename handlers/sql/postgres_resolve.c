/* handlers/sql/postgres_resolve.c: names of hosts to addresses, beside the loop: PQconnectStart would block
 * on them.
 *
 * libpq takes a `hostaddr` for each `host`: the name stays for certificates and password files, the address
 * is where to. A name with several addresses becomes several hosts of that name, tried in turn. */
#include "postgres.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

static bool is_path(const char *host)
{
	return host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@';
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_settled(const struct ab_pg_host *host)
{
	return host->hostaddr != NULL || is_path(host->host) || is_address(host->host);
}

bool ab_pg_needs_lookup(const struct ab_pg *base)
{
	for (size_t i = 0; i < base->n_hosts; i++)
		if (!is_settled(&base->hosts[i]))
			return true;
	return false;
}

static bool copy(char **to, const char *from)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL;
}

static bool host_copy(struct ab_pg_host *to, const struct ab_pg_host *from)
{
	bool ok = copy(&to->host, from->host);

	ok &= copy(&to->hostaddr, from->hostaddr);
	ok &= copy(&to->port, from->port);
	return ok;
}

static void host_free(struct ab_pg_host *host)
{
	free(host->host);
	free(host->hostaddr);
	free(host->port);
	*host = (struct ab_pg_host){0};
}

struct ab_pg_lookup *ab_pg_lookup_create(const struct ab_pg *base, size_t first)
{
	struct ab_pg_lookup *lookup = calloc(1, sizeof(*lookup));
	bool ok = lookup != NULL;

	for (size_t i = 0; ok && i < base->n_hosts; i++)
		ok = host_copy(&lookup->names[lookup->n_names++], &base->hosts[(first + i) % base->n_hosts]);
	if (ok)
		return lookup;
	ab_pg_lookup_free(lookup);
	return NULL;
}

void ab_pg_lookup_free(void *arg)
{
	struct ab_pg_lookup *lookup = arg;

	if (lookup == NULL)
		return;
	for (size_t i = 0; i < lookup->n_names; i++)
		host_free(&lookup->names[i]);
	for (size_t i = 0; i < lookup->n_hosts; i++)
		host_free(&lookup->hosts[i]);
	free(lookup);
}

/* One more host, with an address. */
static void add(struct ab_pg_lookup *lookup, const struct ab_pg_host *name, const char *address)
{
	struct ab_pg_host host = *name;
	char *copied = NULL;

	if (lookup->n_hosts == AB_PG_MAX_HOSTS)
		return;
	if (address != NULL && (copied = strdup(address)) == NULL)
		return;
	if (address != NULL)
		host.hostaddr = copied;
	if (host_copy(&lookup->hosts[lookup->n_hosts], &host))
		lookup->n_hosts++;
	else
		host_free(&lookup->hosts[lookup->n_hosts]);
	free(copied);
}

static void resolve(struct ab_pg_lookup *lookup, const struct ab_pg_host *name)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	int rc = getaddrinfo(name->host, NULL, &hints, &list);
	char text[64];

	if (rc != 0) {
		snprintf(lookup->error, sizeof(lookup->error), "could not translate host name \"%.80s\": %s",
		        name->host, gai_strerror(rc));
		return;
	}
	for (struct addrinfo *at = list; at != NULL; at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
		        0)
			add(lookup, name, text);
	freeaddrinfo(list);
}

void ab_pg_lookup_run(void *arg)
{
	struct ab_pg_lookup *lookup = arg;

	for (size_t i = 0; i < lookup->n_names; i++)
		if (is_settled(&lookup->names[i]))
			add(lookup, &lookup->names[i], NULL);
		else
			resolve(lookup, &lookup->names[i]);
	if (lookup->n_hosts == 0 && lookup->error[0] == '\0')
		snprintf(lookup->error, sizeof(lookup->error), "out of memory");
}
