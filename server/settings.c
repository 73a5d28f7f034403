/* server/settings.c: see settings.h. Every limit has a default, none can be switched off. */
#include "settings.h"

#include "listen.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

enum {
	DEFAULT_CONNECTIONS = 10000,
	MAX_CONNECTIONS = 1000000,
	SPARE_DESCRIPTORS = 32, /* for files, logs, loops */
	MAX_BODY_MAX = 1 << 30,
};

static const char *const keys[] = {"listen", "workers", "deadline", "head_timeout", "body_timeout",
        "send_timeout", "max_body", "max_connections", "max_in_flight", "max_fetches", "admin", "access_log",
        "server_timing", NULL};

/* Connections the process can hold once `serve` has raised its limit: a quarter of the descriptors is kept
 * back for what requests open. */
static unsigned connection_room(void)
{
	struct rlimit limit;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max > MAX_CONNECTIONS)
		return MAX_CONNECTIONS;
	most = limit.rlim_max - limit.rlim_max / 4;
	return most > SPARE_DESCRIPTORS ? (unsigned)most - SPARE_DESCRIPTORS : 1;
}

static void set_defaults(struct ab_settings *settings)
{
	unsigned room = connection_room();

	*settings = (struct ab_settings){
	        .listen = {.host = "127.0.0.1", .port = 8080},
	        .deadline_ms = 5000,
	        .head_timeout_ms = 10000,
	        .body_timeout_ms = 10000,
	        .send_timeout_ms = 30000,
	        .max_body = 1 << 20,
	        .max_connections = room < DEFAULT_CONNECTIONS ? room : DEFAULT_CONNECTIONS,
	        .max_in_flight = 1000,
	        .max_fetches = 1000,
	        .admin_on = true,
	        .admin_default = true,
	        .admin = {.host = "127.0.0.1", .port = 9901},
	        .access_log = true,
	};
}

/* ---- addresses ---- */

static bool address_fail(
        const struct ab_conf *conf, const char *what, const char *why, struct ab_diags *diags)
{
	char is[80];

	ab_diag(diags, conf->pos, "%s is %s; %s", what, ab_conf_describe(conf, is, sizeof(is)), why);
	return false;
}

static bool read_address(
        struct ab_address *address, const struct ab_conf *conf, const char *what, struct ab_diags *diags)
{
	const char *text = conf->type == AB_CONF_STRING ? conf->u.string.text : "",
	           *colon = strrchr(text, ':');
	const char *why =
	        "expected an address of this machine, 0.0.0.0 for all of them, or localhost, then ':' and a port";

	if (conf->refused)
		return false;
	if (ab_address_parse(text, address))
		return true;
	if (strncmp(text, "unix:", 5) == 0)
		why = "sockets in the file system are not yet in this version; expected address:port";
	else if (colon == NULL || colon == text)
		why = "expected address:port, such as 127.0.0.1:8080 or [::1]:8080";
	else if (text[0] != '[' && strchr(text, ':') != colon)
		why = "expected brackets round an IPv6 address, as in [::1]:8080";
	else if (strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	         strtoul(colon + 1, NULL, 10) > UINT16_MAX || colon[1] == '\0')
		why = "expected a port from 0 to 65535 after the ':'";
	return address_fail(conf, what, why, diags);
}

static bool read_admin(struct ab_settings *settings, const struct ab_conf *conf, struct ab_diags *diags)
{
	if (conf == NULL)
		return true;
	settings->admin_default = false;
	if (conf->type == AB_CONF_BOOL && !conf->u.boolean) {
		settings->admin_on = false;
		return true;
	}
	if (conf->type != AB_CONF_STRING || (!conf->refused && strchr(conf->u.string.text, ':') == NULL))
		return address_fail(conf, "server.admin", "expected address:port, or false for none", diags);
	if (!read_address(&settings->admin, conf, "server.admin", diags))
		return false;
	if (settings->admin.port == 0 || settings->admin.port != settings->listen.port ||
	        strcmp(settings->admin.host, settings->listen.host) != 0)
		return true;
	return address_fail(conf, "server.admin", "expected another address than server.listen", diags);
}

/* ---- numbers ---- */

static bool read_duration(const struct ab_conf *map, const char *key, uint64_t *ret, struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, key);
	char what[64];

	snprintf(what, sizeof(what), "server.%s", key);
	return conf == NULL || ab_conf_duration(conf, what, ret, diags);
}

static bool read_count(const struct ab_conf *map, const char *key, int64_t min, int64_t max, unsigned *ret,
        struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, key);
	char what[64];
	int64_t value;

	if (conf == NULL)
		return true;
	snprintf(what, sizeof(what), "server.%s", key);
	if (!ab_conf_int(conf, what, min, max, &value, diags))
		return false;
	*ret = (unsigned)value;
	return true;
}

static bool read_flag(const struct ab_conf *map, const char *key, bool *ret, struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, key);
	char what[64];

	snprintf(what, sizeof(what), "server.%s", key);
	return conf == NULL || ab_conf_bool(conf, what, ret, diags);
}

static bool read_body(const struct ab_conf *map, struct ab_settings *settings, struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, "max_body");

	if (conf == NULL)
		return true;
	if (!ab_conf_size(conf, "server.max_body", &settings->max_body, diags))
		return false;
	if (settings->max_body <= MAX_BODY_MAX)
		return true;
	ab_diag(diags, conf->pos,
	        "server.max_body is more than a request's body may have; expected at most 1GiB");
	return false;
}

/* More connections than descriptors would end in failing accepts. */
static bool check_room(
        const struct ab_conf *map, const struct ab_settings *settings, bool serving, struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, "max_connections");
	unsigned room = connection_room();

	if (conf == NULL || settings->max_connections <= room)
		return true;
	if (!serving) {
		ab_hint(diags, conf->pos,
		        "server.max_connections is %u; this shell's limit on open files (ulimit -n) leaves "
		        "room for %u",
		        settings->max_connections, room);
		return true;
	}
	ab_diag(diags, conf->pos,
	        "server.max_connections is %u; expected at most %u, for which the limit on open files (ulimit -n) leaves room",
	        settings->max_connections, room);
	return false;
}

bool ab_settings_read(
        struct ab_settings *settings, const struct ab_conf *conf, bool serving, struct ab_diags *diags)
{
	const struct ab_conf *listen;
	bool ok;

	set_defaults(settings);
	if (conf == NULL)
		return true;
	if (!ab_conf_want(conf, AB_CONF_MAP, "server", diags))
		return false;
	ok = ab_conf_only(conf, "server", keys, diags);
	listen = ab_conf_get(conf, "listen");
	if (listen != NULL)
		ok &= read_address(&settings->listen, listen, "server.listen", diags);
	ok &= read_admin(settings, ab_conf_get(conf, "admin"), diags);
	ok &= read_count(conf, "workers", 1, 256, &settings->workers, diags);
	ok &= read_duration(conf, "deadline", &settings->deadline_ms, diags);
	ok &= read_duration(conf, "head_timeout", &settings->head_timeout_ms, diags);
	ok &= read_duration(conf, "body_timeout", &settings->body_timeout_ms, diags);
	ok &= read_duration(conf, "send_timeout", &settings->send_timeout_ms, diags);
	ok &= read_body(conf, settings, diags);
	ok &= read_count(conf, "max_connections", 1, MAX_CONNECTIONS, &settings->max_connections, diags) &&
	      check_room(conf, settings, serving, diags);
	ok &= read_count(conf, "max_in_flight", 1, 1000000, &settings->max_in_flight, diags);
	ok &= read_count(conf, "max_fetches", 1, 1000000, &settings->max_fetches, diags);
	ok &= read_flag(conf, "access_log", &settings->access_log, diags);
	ok &= read_flag(conf, "server_timing", &settings->server_timing, diags);
	return ok;
}
