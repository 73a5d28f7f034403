/* handlers/http/upstream.c: an `upstreams:` entry. The origin is fixed here; nothing a request brings changes
 * it. */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

/* One a process. On a cache line of its own: every worker counts here. */
struct ab_upstream_shared {
	_Alignas(64) atomic_uint in_flight;
	atomic_uint refs;
};

static const char *const upstream_keys[] = {"url", "timeout", "connect_timeout", "headers", "max_body",
        "http2", "ca", "cert", "proxy", "max_in_flight", NULL};

enum { DEFAULT_TIMEOUT_MS = 1000, DEFAULT_MAX_BODY = 1024 * 1024, MAX_HOST = 253, MAX_PEM = 1024 * 1024 };

/* ---- what all workers share ---- */

static struct ab_upstream_shared *shared_create(void)
{
	struct ab_upstream_shared *shared =
	        aligned_alloc(_Alignof(struct ab_upstream_shared), sizeof(*shared));

	if (shared != NULL) {
		atomic_init(&shared->in_flight, 0);
		atomic_init(&shared->refs, 1);
	}
	return shared;
}

/* The shared part at *where, made by whoever comes first. NULL when out of memory. */
static struct ab_upstream_shared *shared_ref(struct ab_upstream_shared **where)
{
	struct ab_upstream_shared *shared = __atomic_load_n(where, __ATOMIC_ACQUIRE), *ours;

	if (shared == NULL) {
		ours = shared_create();
		if (ours == NULL)
			return NULL;
		if (__atomic_compare_exchange_n(
		            where, &shared, ours, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			shared = ours;
		else
			free(ours);
	}
	atomic_fetch_add(&shared->refs, 1);
	return shared;
}

void ab_upstream_shared_unref(struct ab_upstream_shared *shared)
{
	if (shared != NULL && atomic_fetch_sub(&shared->refs, 1) == 1)
		free(shared);
}

enum ab_code ab_upstream_enter(struct ab_upstream *upstream, struct ab_error *err)
{
	unsigned before = atomic_fetch_add_explicit(&upstream->shared->in_flight, 1, memory_order_relaxed);

	if (before < upstream->max_in_flight)
		return AB_OK;
	ab_upstream_leave(upstream);
	return ab_error_set(err, AB_EOVERLOAD,
	        "upstream '%s' has %u transfers in flight, as many as max_in_flight allows", upstream->name,
	        upstream->max_in_flight);
}

void ab_upstream_leave(struct ab_upstream *upstream)
{
	atomic_fetch_sub_explicit(&upstream->shared->in_flight, 1, memory_order_relaxed);
}

const char *ab_upstream_name(const struct ab_upstream *upstream)
{
	return upstream->name;
}

/* ---- settings ---- */

static bool nomem(const struct ab_conf *node, struct ab_diags *diags)
{
	ab_diag(diags, node->pos, "out of memory");
	return false;
}

/* A part of the URL, or NULL when it has none. The caller frees it with curl_free. */
static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL;

	return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool url_lacks(
        CURLU *url, CURLUPart part, const char *what, const struct ab_conf *node, struct ab_diags *diags)
{
	char *text = url_part(url, part, 0);

	if (text == NULL)
		return true;
	curl_free(text);
	ab_diag(diags, node->pos,
	        "url: %s does not belong into an upstream's url; expected an origin and a base path%s", what,
	        part == CURLUPART_QUERY || part == CURLUPART_FRAGMENT
	                ? ""
	                : " (Authorization can be one of its headers)");
	return false;
}

static bool url_scheme(struct ab_upstream *upstream, const struct ab_conf *node, struct ab_diags *diags)
{
	char *scheme = url_part(upstream->url, CURLUPART_SCHEME, 0);
	bool http = scheme != NULL && strcmp(scheme, "http") == 0;

	upstream->tls = scheme != NULL && strcmp(scheme, "https") == 0;
	if (!http && !upstream->tls)
		ab_diag(diags, node->pos, "url: expected http:// or https://, found %s://",
		        scheme == NULL ? "" : scheme);
	curl_free(scheme);
	return http || upstream->tls;
}

/* The host of a URL, without the brackets of an IPv6 address. NULL after reporting that it has none. */
static char *url_host(CURLU *url, const char *what, const struct ab_conf *node, struct ab_diags *diags)
{
	char *host = url_part(url, CURLUPART_HOST, 0), *copy = NULL;
	size_t len = host == NULL ? 0 : strlen(host);

	if (len == 0 || len > MAX_HOST) {
		ab_diag(diags, node->pos, "%s: a host's name has 1 to %d characters", what, MAX_HOST);
	} else {
		copy = host[0] == '[' ? strndup(host + 1, len - 2) : strdup(host);
		if (copy == NULL)
			nomem(node, diags);
	}
	curl_free(host);
	return copy;
}

static bool read_peer(struct ab_upstream *upstream, const struct ab_conf *node, struct ab_diags *diags)
{
	char *host = url_host(upstream->url, "url", node, diags);

	if (upstream->peer == NULL)
		upstream->peer = host;
	else
		free(host); /* the proxy's is what we connect to */
	return host != NULL;
}

/* Split the base path off: it goes in front of each target, and the URL keeps "/". */
static bool url_path(struct ab_upstream *upstream, const struct ab_conf *node, struct ab_diags *diags)
{
	char *path = url_part(upstream->url, CURLUPART_PATH, 0), *origin = NULL;
	size_t len = path == NULL ? 0 : strlen(path);
	bool fine = true;

	for (size_t i = 0; i < len; i++)
		fine = fine && path[i] > ' ' && path[i] < 0x7F;
	if (!fine) {
		ab_diag(diags, node->pos, "url: the base path has characters that must be percent-encoded");
		curl_free(path);
		return false;
	}
	while (len > 0 && path[len - 1] == '/')
		len--;
	upstream->bare = len == 0;
	fine = curl_url_set(upstream->url, CURLUPART_PATH, "/", 0) == CURLUE_OK;
	if (fine && upstream->proxy != NULL &&
	        !upstream->tls) { /* a proxy is asked for the whole URL (RFC 9112, 3.2.2) */
		origin = url_part(upstream->url, CURLUPART_URL, 0);
		fine = origin != NULL && asprintf(&upstream->prefix, "%.*s%.*s", (int)strlen(origin) - 1,
		                                 origin, (int)len, path == NULL ? "" : path) >= 0;
	} else if (fine) {
		upstream->prefix = strndup(path == NULL ? "" : path, len);
		fine = upstream->prefix != NULL;
	}
	curl_free(origin);
	curl_free(path);
	return fine || nomem(node, diags);
}

static bool read_url(struct ab_upstream *upstream, const struct ab_conf *node, struct ab_diags *diags)
{
	static const struct {
		CURLUPart part;
		const char *what;
	} foreign[] = {{CURLUPART_USER, "a user"}, {CURLUPART_PASSWORD, "a password"},
	        {CURLUPART_QUERY, "a query"}, {CURLUPART_FRAGMENT, "a fragment"}};
	const char *text = ab_conf_string(node, "url", diags);
	CURLUcode rc;

	if (text == NULL)
		return false;
	upstream->url = curl_url();
	if (upstream->url == NULL)
		return nomem(node, diags);
	rc = curl_url_set(upstream->url, CURLUPART_URL, text, CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME);
	if (rc != CURLUE_OK) {
		ab_diag(diags, node->pos,
		        "url: %s is not a URL; expected one like http://127.0.0.1:9000/base",
		        node->secret ? "this" : text);
		return false;
	}
	for (size_t i = 0; i < AB_COUNT(foreign); i++)
		if (!url_lacks(upstream->url, foreign[i].part, foreign[i].what, node, diags))
			return false;
	return url_scheme(upstream, node, diags) && read_peer(upstream, node, diags) &&
	       url_path(upstream, node, diags);
}

static bool read_proxy(struct ab_upstream *upstream, const struct ab_conf *node, struct ab_diags *diags)
{
	const char *text;
	CURLU *url;

	if (node == NULL)
		return true;
	text = ab_conf_string(node, "proxy", diags);
	if (text == NULL)
		return false;
	url = curl_url();
	if (url == NULL)
		return nomem(node, diags);
	if ((strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0) ||
	        curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		ab_diag(diags, node->pos, "proxy: expected a URL that begins with http:// or https://");
	else
		upstream->peer = url_host(url, "proxy", node, diags);
	curl_url_cleanup(url);
	if (upstream->peer == NULL)
		return false;
	upstream->proxy = strdup(text);
	return upstream->proxy != NULL || nomem(node, diags);
}

/* The beginning of a file as text; NULL with errno when it can't be read. */
static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file == NULL ? NULL : malloc(MAX_PEM + 1);
	size_t len;

	if (text != NULL) {
		len = fread(text, 1, MAX_PEM, file);
		text[len] = '\0';
		if (ferror(file)) {
			free(text);
			text = NULL;
		}
	}
	if (file != NULL)
		fclose(file);
	return text;
}

/* What a PEM file lacks, or NULL. A key with a passphrase would have OpenSSL ask for it on the terminal. */
static const char *pem_lacks(const char *text, bool with_key)
{
	if (strstr(text, "-----BEGIN CERTIFICATE-----") == NULL)
		return "a certificate";
	if (with_key && strstr(text, "PRIVATE KEY-----") == NULL)
		return "the certificate's key";
	if (with_key && strstr(text, "ENCRYPTED") != NULL)
		return "a key without a passphrase";
	return NULL;
}

/* A PEM file; its path is relative to the folder of the app file. */
static bool read_pem(
        const struct ab_conf *node, const char *what, const char *dir, char **ret, struct ab_diags *diags)
{
	const char *path, *lacks;
	char *text;

	if (node == NULL)
		return true;
	path = ab_conf_string(node, what, diags);
	if (path == NULL)
		return false;
	if (path[0] == '/')
		*ret = strdup(path);
	else if (asprintf(ret, "%s/%s", dir, path) < 0)
		*ret = NULL;
	if (*ret == NULL)
		return nomem(node, diags);
	path = node->secret ? "the file" : *ret;
	text = read_text(*ret);
	if (text == NULL) {
		ab_diag(diags, node->pos, "%s: %s: %m; expected a PEM file", what, path);
		return false;
	}
	lacks = pem_lacks(text, strcmp(what, "cert") == 0);
	free(text);
	if (lacks != NULL)
		ab_diag(diags, node->pos, "%s: %s: expected a PEM file with %s", what, path, lacks);
	return lacks == NULL;
}

static bool read_limits(struct ab_upstream *upstream, const struct ab_conf *map, struct ab_diags *diags)
{
	const struct ab_conf *node;
	int64_t in_flight = HTTP_IN_FLIGHT;
	uint64_t body = DEFAULT_MAX_BODY;
	bool fine = true;

	upstream->timeout_ms = DEFAULT_TIMEOUT_MS;
	upstream->connect_timeout_ms = DEFAULT_TIMEOUT_MS;
	node = ab_conf_get(map, "timeout");
	if (node != NULL)
		fine &= ab_conf_duration(node, "timeout", &upstream->timeout_ms, diags);
	node = ab_conf_get(map, "connect_timeout");
	if (node != NULL)
		fine &= ab_conf_duration(node, "connect_timeout", &upstream->connect_timeout_ms, diags);
	node = ab_conf_get(map, "max_body");
	if (node != NULL)
		fine &= ab_conf_size(node, "max_body", &body, diags);
	upstream->max_body = body;
	node = ab_conf_get(map, "max_in_flight");
	if (node != NULL)
		fine &= ab_conf_int(node, "max_in_flight", 1, 100000, &in_flight, diags);
	upstream->max_in_flight = (unsigned)in_flight;
	node = ab_conf_get(map, "http2");
	if (node != NULL)
		fine &= ab_conf_bool(node, "http2", &upstream->http2, diags);
	return fine;
}

/* Nothing is accepted and ignored. HTTP/2 without TLS is left out as libcurl 7.88 fails on a kept connection.
 */
static bool check_tls(const struct ab_upstream *upstream, const struct ab_conf *map, struct ab_diags *diags)
{
	static const char *const keys[] = {"ca", "cert", "http2"};
	bool fine = true;

	for (size_t i = 0; i < AB_COUNT(keys) && !upstream->tls; i++) {
		const struct ab_conf *node = ab_conf_get(map, keys[i]);

		if (node == NULL || (strcmp(keys[i], "http2") == 0 && !upstream->http2))
			continue;
		ab_diag(diags, node->pos, "%s is for https:// upstreams only", keys[i]);
		fine = false;
	}
	return fine;
}

static bool read_settings(
        struct ab_upstream *upstream, const struct ab_conf *map, const char *dir, struct ab_diags *diags)
{
	const struct ab_conf *url = ab_conf_get(map, "url"), *ca = ab_conf_get(map, "ca");
	const struct ab_conf *cert = ab_conf_get(map, "cert");
	bool fine = ab_conf_only(map, "an upstream", upstream_keys, diags);

	fine &= read_limits(upstream, map, diags);
	fine &= read_proxy(upstream, ab_conf_get(map, "proxy"), diags);
	fine &= read_pem(ca, "ca", dir, &upstream->ca, diags);
	fine &= read_pem(cert, "cert", dir, &upstream->cert, diags);
	fine &= ab_headers_compile(&upstream->headers, ab_conf_get(map, "headers"), NULL, diags);
	if (url == NULL) {
		ab_diag(diags, map->pos, "upstream '%s' has no url", upstream->name);
		return false;
	}
	if (!read_url(upstream, url, diags))
		return false;
	upstream->secret = url->secret || (ca != NULL && ca->secret) || (cert != NULL && cert->secret);
	return check_tls(upstream, map, diags) && fine;
}

struct ab_upstream *ab_upstream_compile(struct ab_env *env, const char *name, const struct ab_conf *conf,
        struct ab_upstream_shared **shared, const char *dir, struct ab_diags *diags)
{
	struct ab_upstream *upstream;

	if (!ab_conf_want(conf, AB_CONF_MAP, "an upstream", diags))
		return NULL;
	upstream = calloc(1, sizeof(*upstream));
	if (upstream != NULL)
		upstream->name = strdup(name);
	if (upstream == NULL || upstream->name == NULL) {
		nomem(conf, diags);
		ab_upstream_destroy(upstream);
		return NULL;
	}
	upstream->env = env;
	if (!read_settings(upstream, conf, dir, diags)) {
		ab_upstream_destroy(upstream);
		return NULL;
	}
	upstream->multi = ab_multi_create(env->http, upstream->max_in_flight);
	upstream->shared = shared_ref(shared);
	if (upstream->multi == NULL || upstream->shared == NULL) {
		nomem(conf, diags);
		ab_upstream_destroy(upstream);
		return NULL;
	}
	return upstream;
}

void ab_upstream_destroy(struct ab_upstream *upstream)
{
	if (upstream == NULL)
		return;
	ab_multi_close(upstream->multi);
	ab_upstream_shared_unref(upstream->shared);
	ab_headers_fini(&upstream->headers);
	curl_url_cleanup(upstream->url);
	free(upstream->prefix);
	free(upstream->proxy);
	free(upstream->peer);
	free(upstream->name);
	free(upstream->cert);
	free(upstream->ca);
	free(upstream);
}
