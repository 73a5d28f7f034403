/* handlers/sql/postgres_options.c: a URL as libpq reads it, taken apart so that each attempt to connect can
 * say where to. The environment, service and password files are libpq's business as ever. */
#include "postgres.h"

#include <string.h>

/* What libpq says of a URL, without the parts of it that may be secret. */
static void refuse_url(const char *message, const struct ab_conf *url, struct ab_diags *diags)
{
	char line[AB_ERROR_TEXT], *quoted;
	bool unknown;

	ab_pg_line(message, line, sizeof(line));
	unknown = strncmp(line, "invalid URI query parameter", 27) == 0 ||
	          strncmp(line, "invalid connection option", 25) == 0;
	quoted = strstr(line, ": \"");
	if (quoted != NULL && (!unknown || url->secret))
		*quoted = '\0';
	ab_diag(diags, url->pos, "%s; expected a URL such as postgresql://user@host/database", line);
}

static const char *option(const PQconninfoOption *options, const char *keyword)
{
	for (; options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val != NULL && options->val[0] != '\0' ? options->val : NULL;
	return NULL;
}

/* What libpq would take where the URL says nothing: from the environment and a service's file, which a URL
 * may name. At load, on the main thread: the environment is changed for a moment. */
static PQconninfoOption *defaults_of(const PQconninfoOption *given)
{
	const char *service = option(given, "service"), *before = getenv("PGSERVICE");
	char *kept = before == NULL ? NULL : strdup(before);
	PQconninfoOption *defaults;

	if (service != NULL)
		setenv("PGSERVICE", service, 1);
	defaults = PQconndefaults();
	if (service != NULL && kept != NULL)
		setenv("PGSERVICE", kept, 1);
	else if (service != NULL)
		unsetenv("PGSERVICE");
	free(kept);
	return defaults;
}

static bool is_where(const char *keyword)
{
	return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
	       strcmp(keyword, "port") == 0;
}

/* ---- the hosts ---- */

/* The item at `index` of a list with commas, malloc'ed; NULL when there is none, or it is empty. */
static char *item(const char *list, size_t index)
{
	size_t len;

	for (; list != NULL && index > 0; index--) {
		list = strchr(list, ',');
		list += list != NULL;
	}
	len = list == NULL ? 0 : strcspn(list, ",");
	return len == 0 ? NULL : strndup(list, len);
}

static size_t items(const char *list)
{
	size_t n = list != NULL;

	for (; list != NULL && *list != '\0'; list++)
		n += *list == ',';
	return n;
}

static bool read_hosts(struct ab_pg *base, const char *hosts, const char *addresses, const char *ports,
        const struct ab_conf *url, struct ab_diags *diags)
{
	size_t n = items(addresses) > 0 ? items(addresses) : items(hosts);

	if ((items(hosts) > 0 && items(addresses) > 0 && items(hosts) != items(addresses)) ||
	        (n > 0 && items(ports) > 1 && items(ports) != n)) {
		ab_diag(diags, url->pos,
		        "as many of host, hostaddr and port are expected, or one port; not %zu, %zu and %zu",
		        items(hosts), items(addresses), items(ports));
		return false;
	}
	if (n > AB_PG_MAX_HOSTS) {
		ab_diag(diags, url->pos, "%zu hosts; expected at most %d", n, AB_PG_MAX_HOSTS);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		base->hosts[base->n_hosts++] = (struct ab_pg_host){
		        .host = item(hosts, i),
		        .hostaddr = item(addresses, i),
		        .port = item(ports, items(ports) == 1 ? 0 : i),
		};
	return true;
}

/* ---- the rest ---- */

static bool add(struct ab_pg *base, const char *keyword, const char *value)
{
	char *k = strdup(keyword), *v = strdup(value);

	if (k == NULL || v == NULL) {
		free(k);
		free(v);
		return false;
	}
	base->keywords[base->n_options] = k;
	base->values[base->n_options++] = v;
	return true;
}

static size_t count(const PQconninfoOption *options)
{
	size_t n = 0;

	while (options[n].keyword != NULL)
		n++;
	return n;
}

static bool keep_options(struct ab_pg *base, const PQconninfoOption *given)
{
	size_t n = count(given) + 3;
	bool ok;

	base->keywords = calloc(n, sizeof(*base->keywords));
	base->values = calloc(n, sizeof(*base->values));
	if (base->keywords == NULL || base->values == NULL)
		return false;
	ok = add(base, "client_encoding", "UTF8");
	if (option(given, "fallback_application_name") == NULL)
		ok = ok && add(base, "fallback_application_name", "anabranch");
	for (; ok && given->keyword != NULL; given++)
		if (given->val != NULL && !is_where(given->keyword) &&
		        strcmp(given->keyword, "client_encoding") != 0)
			ok = add(base, given->keyword, given->val);
	return ok;
}

static const char *either(
        const PQconninfoOption *given, const PQconninfoOption *defaults, const char *keyword)
{
	const char *value = option(given, keyword);

	return value != NULL ? value : option(defaults, keyword);
}

static bool read_given(
        struct ab_pg *base, const PQconninfoOption *given, const struct ab_conf *url, struct ab_diags *diags)
{
	PQconninfoOption *defaults = defaults_of(given);
	const char *encoding = option(given, "client_encoding"), *timeout;
	bool named = option(given, "host") != NULL || option(given, "hostaddr") != NULL, ok = true;

	if (encoding != NULL && strcasecmp(encoding, "UTF8") != 0 && strcasecmp(encoding, "UTF-8") != 0) {
		ab_diag(diags, url->pos, "client_encoding is always UTF8; expected it left out");
		ok = false;
	}
	timeout = either(given, defaults, "connect_timeout");
	base->connect_ms = timeout == NULL ? 0 : strtoul(timeout, NULL, 10) * 1000;
	if (base->connect_ms == 0 || base->connect_ms > 3600000)
		base->connect_ms = AB_PG_CONNECT_MS;
	/* A host in the URL is not mixed with an address from the environment. */
	ok &= read_hosts(base, named ? option(given, "host") : option(defaults, "host"),
	        named ? option(given, "hostaddr") : option(defaults, "hostaddr"),
	        either(given, defaults, "port"), url, diags);
	if (ok && base->n_hosts == 0 && option(given, "port") != NULL)
		base->hosts[base->n_hosts++].port = strdup(option(given, "port"));
	if (!keep_options(base, given)) {
		ab_diag(diags, url->pos, "out of memory");
		ok = false;
	}
	PQconninfoFree(defaults);
	return ok;
}

bool ab_pg_options_read(struct ab_pg *base, const struct ab_conf *url, struct ab_diags *diags)
{
	char *message = NULL;
	PQconninfoOption *given = PQconninfoParse(url->u.string.text, &message);
	bool ok;

	if (given == NULL) {
		refuse_url(message == NULL ? "out of memory" : message, url, diags);
		PQfreemem(message);
		return false;
	}
	ok = read_given(base, given, url, diags);
	PQconninfoFree(given);
	return ok;
}

void ab_pg_options_free(struct ab_pg *base)
{
	for (size_t i = 0; i < base->n_options; i++) {
		free(base->keywords[i]);
		free(base->values[i]);
	}
	free(base->keywords);
	free(base->values);
	for (size_t i = 0; i < base->n_hosts; i++) {
		free(base->hosts[i].host);
		free(base->hosts[i].hostaddr);
		free(base->hosts[i].port);
	}
}

/* ---- connecting ---- */

/* One of a host's three parts for all hosts, as a list; NULL when no host has it. */
static bool join(struct ab_buf *buf, const struct ab_pg_host *hosts, size_t n, size_t part)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const char *text = part == 0 ? hosts[i].host : part == 1 ? hosts[i].hostaddr : hosts[i].port;

		if (i > 0)
			ab_buf_addc(buf, ',');
		if (text != NULL)
			ab_buf_adds(buf, text);
		any |= text != NULL;
	}
	return any;
}

/* The options and the three lists. False without memory. */
static bool fill(const struct ab_pg *base, const struct ab_pg_host *hosts, size_t n_hosts,
        struct ab_buf *lists, const char **keywords, const char **values)
{
	static const char *const names[] = {"host", "hostaddr", "port"};
	size_t n = base->n_options;

	for (size_t i = 0; i < n; i++) {
		keywords[i] = base->keywords[i];
		values[i] = base->values[i];
	}
	for (size_t i = 0; i < AB_COUNT(names); i++) {
		bool any = join(&lists[i], hosts, n_hosts, i);

		if (lists[i].failed)
			return false;
		if (!any)
			continue;
		keywords[n] = names[i];
		values[n++] = lists[i].data;
	}
	return true;
}

PGconn *ab_pg_connect_start(const struct ab_pg *base, const struct ab_pg_host *hosts, size_t n_hosts)
{
	const char **keywords = calloc(base->n_options + 4, sizeof(*keywords));
	const char **values = calloc(base->n_options + 4, sizeof(*values));
	struct ab_buf lists[3];
	PGconn *pg = NULL;

	for (size_t i = 0; i < AB_COUNT(lists); i++)
		ab_buf_init(&lists[i], 64 * 1024);
	if (keywords != NULL && values != NULL && fill(base, hosts, n_hosts, lists, keywords, values))
		pg = PQconnectStartParams(keywords, values, 0);
	for (size_t i = 0; i < AB_COUNT(lists); i++)
		ab_buf_fini(&lists[i]);
	free(keywords);
	free(values);
	return pg;
}
