/* handlers/http/headers.c: `headers` of upstreams and resources, checked at load. */
#include "internal.h"

#include <string.h>
#include <strings.h>

/* What belongs to a connection, or to libcurl (RFC 9110, 7.6.1; RFC 9112, 6). */
static const char *const reserved[] = {"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding",
        "Upgrade", "Host", "Content-Length", "Expect"};

static bool is_token(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++) {
		const char c = *name;

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		            strchr("!#$%&'*+-.^_`|~", c) != NULL))
			return false;
	}
	return true;
}

static bool check_name(const char *name, struct ab_pos pos, struct ab_diags *diags)
{
	bool taken = strncasecmp(name, "Proxy-", 6) == 0;

	if (!is_token(name)) {
		ab_diag(diags, pos, "'%s' is not a header name; expected letters, digits and dashes", name);
		return false;
	}
	for (size_t i = 0; i < AB_COUNT(reserved); i++)
		taken = taken || strcasecmp(name, reserved[i]) == 0;
	if (strcasecmp(name, "Host") == 0)
		ab_diag(diags, pos, "the header Host can't be set: it follows from the upstream's url");
	else if (taken)
		ab_diag(diags, pos,
		        "the header %s can't be set: it belongs to the connection, not to the request", name);
	return !taken;
}

static bool check_value(const char *value, struct ab_pos pos, struct ab_diags *diags)
{
	for (const char *c = value; *c != '\0'; c++) {
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7F) {
			ab_diag(diags, pos,
			        "a header's value can't have control characters or more than one line");
			return false;
		}
	}
	return true;
}

/* A scalar's text as the file has it; the caller frees it. */
static char *scalar_text(const struct ab_conf *node)
{
	char *text = NULL;
	struct ab_buf buf;

	switch (node->type) {
	case AB_CONF_STRING:
		return strdup(node->u.string.text);
	case AB_CONF_BOOL:
		return strdup(node->u.boolean ? "true" : "false");
	case AB_CONF_INT:
		return asprintf(&text, "%lld", (long long)node->u.integer) < 0 ? NULL : text;
	case AB_CONF_REAL:
		ab_buf_init(&buf, 64);
		ab_json_write_real(&buf, node->u.real);
		return ab_buf_take(&buf);
	default:
		return NULL;
	}
}

static bool is_scalar(const struct ab_conf *node)
{
	return node->type == AB_CONF_STRING || node->type == AB_CONF_BOOL || node->type == AB_CONF_INT ||
	       node->type == AB_CONF_REAL;
}

/* Upstream headers are the same for every request; one that looks as if it were filled is a misunderstanding.
 */
static bool check_literal(const struct ab_conf *node, struct ab_diags *diags)
{
	const char *text, *brace;

	if (node->type != AB_CONF_STRING)
		return true;
	text = node->u.string.text;
	for (brace = strchr(text, '{'); brace != NULL; brace = strchr(brace + 1, '{')) {
		if (ab_is_name(brace + 1, strcspn(brace + 1, "}.[")) &&
		        !ab_conf_from_env(node, (size_t)(brace - text))) {
			ab_diag(diags, ab_conf_at(node, (size_t)(brace - text)),
			        "an upstream's headers are the same for every request; a header with a placeholder "
			        "belongs to the resource");
			return false;
		}
	}
	return true;
}

static bool header_compile(struct header *header, const struct ab_conf_pair *pair, struct ab_scope *scope,
        struct ab_diags *diags)
{
	const struct ab_conf *node = pair->value;
	const char *text;
	char buf[64];

	if (!is_scalar(node)) {
		ab_diag(diags, node->pos, "header %s: expected a string, found %s", pair->key,
		        ab_conf_describe(node, buf, sizeof(buf)));
		return false;
	}
	header->name = strdup(pair->key);
	header->name_len = strlen(pair->key);
	if (header->name == NULL) {
		ab_diag(diags, pair->pos, "out of memory");
		return false;
	}
	if (scope == NULL && !check_literal(node, diags))
		return false;
	if (scope != NULL && node->type == AB_CONF_STRING) {
		header->pieces = ab_pieces_compile(scope, node);
		if (header->pieces == NULL)
			return false;
		if (!ab_pieces_literal(header->pieces, &text))
			return true;
		header->value = strdup(text);
	} else {
		header->value = scalar_text(node);
	}
	ab_pieces_destroy(header->pieces);
	header->pieces = NULL;
	if (header->value == NULL) {
		ab_diag(diags, node->pos, "out of memory");
		return false;
	}
	return check_value(header->value, node->pos, diags);
}

bool ab_headers_compile(
        struct headers *ret, const struct ab_conf *map, struct ab_scope *scope, struct ab_diags *diags)
{
	bool fine = true;

	if (map == NULL)
		return true;
	if (!ab_conf_want(map, AB_CONF_MAP, "headers", diags))
		return false;
	ret->list = calloc(map->u.map.count + 1, sizeof(*ret->list));
	if (ret->list == NULL) {
		ab_diag(diags, map->pos, "out of memory");
		return false;
	}
	for (size_t i = 0; i < map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];

		if (ab_headers_find(ret, pair->key) != NULL) {
			ab_diag(diags, pair->pos, "the header %s is set twice", pair->key);
			fine = false;
			continue;
		}
		if (!check_name(pair->key, pair->pos, diags)) {
			fine = false;
			continue;
		}
		fine = header_compile(&ret->list[ret->count++], pair, scope, diags) && fine;
	}
	return fine;
}

const struct header *ab_headers_find(const struct headers *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->list[i].name != NULL && strcasecmp(headers->list[i].name, name) == 0)
			return &headers->list[i];
	return NULL;
}

void ab_headers_fini(struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		free(headers->list[i].name);
		free(headers->list[i].value);
		ab_pieces_destroy(headers->list[i].pieces);
	}
	free(headers->list);
	*headers = (struct headers){0};
}
