/* handlers/uri_template.c: URI templates (RFC 6570) compiled at load. See uri_template.h; uri_expand.c
 * appends.
 *
 * Beyond the RFC, a variable is a path into a need (`product.category_id`, `items[0].id`). Short of it,
 * variable names have no percent-encoded characters. */
#include "uri_parts.h"

#include <string.h>

enum { PREFIX_MAX = 9999 }; /* RFC 6570, section 2.4.1 */

struct uri_parser {
	struct ab_scope *scope;
	const struct ab_conf *string;
	const char *text; /* the template: the string, or its tail */
	size_t len;
	size_t offset; /* of the template in the string */
	size_t at;
	const struct ab_conf *raw;
	struct ab_uri_template *uri;
	size_t text_len; /* used of uri->text */
	enum uri_where where;
	bool has_query; /* a '?' stands there whatever the values */
	bool ok;
};

/* ---- mistakes ---- */

AB_PRINTF(3, 4)
static void uri_mistake(struct uri_parser *p, size_t at, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ab_diag(p->scope->diags, ab_conf_at(p->string, p->offset + at), "%s", text);
	p->ok = false;
}

static int shown(size_t len)
{
	return (int)(len > 80 ? 80 : len);
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool from_env(const struct uri_parser *p, size_t at)
{
	return ab_conf_from_env(p->string, p->offset + at);
}

/* ---- literal text ---- */

static void put_encoded(struct uri_parser *p, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";
	char *to = p->uri->text + p->text_len;

	to[0] = '%';
	to[1] = hex[c >> 4];
	to[2] = hex[c & 15];
	p->text_len += 3;
}

static void put(struct uri_parser *p, char c)
{
	p->uri->text[p->text_len++] = c;
}

/* `/users/:id` is how other routers write it. Only where a segment begins so: `/v1/books:search` is fine. */
static bool is_colon_name(const struct uri_parser *p)
{
	return p->where == URI_PATH && p->text[p->at] == ':' && (p->at == 0 || p->text[p->at - 1] == '/') &&
	       p->at + 1 < p->len && is_name_start(p->text[p->at + 1]);
}

static size_t name_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (is_name_start(text[n]) || (text[n] >= '0' && text[n] <= '9') || text[n] == '.'))
		n++;
	return n;
}

/* A '?' or '#' moves on to the next part of the URL. */
static void literal_moves(struct uri_parser *p, char c)
{
	if (c == '#') {
		p->where = URI_FRAGMENT;
	} else if (c == '?' && p->where == URI_PATH) {
		p->where = URI_QUERY;
		p->has_query = true;
	} else if ((c == '?' || c == '&') && p->where == URI_QUERY && !p->has_query && p->uri->strict) {
		uri_mistake(p, p->at,
		        "'%c' after {?...}, which may be left out; expected the fixed part first, as in "
		        "?a=1{&b}",
		        c);
	}
}

static void parse_literal_byte(struct uri_parser *p)
{
	char c = p->text[p->at];
	unsigned char byte = (unsigned char)c;
	bool env = from_env(p, p->at);

	if (!env && is_colon_name(p)) {
		size_t len = name_len(p->text + p->at + 1, p->len - p->at - 1);

		uri_mistake(p, p->at, "':%.*s' is no placeholder in a URL; expected {%.*s}", shown(len),
		        p->text + p->at + 1, shown(len), p->text + p->at + 1);
	}
	if (ab_uri_class[byte] != 0) {
		literal_moves(p, c);
		put(p, c);
	} else if (c == '%' && ab_uri_is_triplet(p->text + p->at, p->len - p->at)) {
		put(p, c);
	} else if (byte >= 0x80 || env) {
		put_encoded(p, byte);
	} else if (c == '%') {
		uri_mistake(p, p->at, "'%%' without two hexadecimal digits; a literal one is %%25");
	} else if (c == '}') {
		uri_mistake(p, p->at, "'}' without its '{'; a literal brace is %%7D");
	} else if (byte > 0x20 && byte < 0x7F) {
		uri_mistake(p, p->at, "'%c' can't stand in a URL; expected %%%02X", c, byte);
	} else {
		uri_mistake(p, p->at, "%s can't stand in a URL; expected %%%02X",
		        c == ' ' ? "a blank" : "a control character", byte);
	}
	p->at++;
}

static void parse_literal(struct uri_parser *p)
{
	struct uri_part *part = &p->uri->parts[p->uri->count];
	size_t start = p->text_len;

	while (p->at < p->len && (p->text[p->at] != '{' || from_env(p, p->at)))
		parse_literal_byte(p);
	*part = (struct uri_part){
	        .where = p->where, .text = p->uri->text + start, .len = p->text_len - start};
	p->uri->count++;
}

/* ---- expressions ---- */

static bool is_raw_allowed(const struct uri_parser *p, const char *name, size_t len)
{
	for (size_t i = 0; p->raw != NULL && i < p->raw->u.list.count; i++) {
		const struct ab_conf *item = p->raw->u.list.items[i];

		if (item->u.string.len == len && memcmp(item->u.string.text, name, len) == 0)
			return true;
	}
	return false;
}

/* Take ":3" or "*" off the end of a variable. */
static bool parse_modifier(struct uri_parser *p, const char *text, size_t *len, struct uri_var *var)
{
	const char *colon = memchr(text, ':', *len);
	unsigned prefix = 0;
	size_t i;

	if (*len > 0 && text[*len - 1] == '*') {
		var->explode = true;
		*len -= 1;
		if (colon != NULL)
			uri_mistake(
			        p, p->at, "'%.*s*': expected either :n or *, not both", shown(*len), text);
		return colon == NULL;
	}
	if (colon == NULL)
		return true;
	i = (size_t)(colon - text) + 1;
	for (; i < *len && text[i] >= '0' && text[i] <= '9' && prefix <= PREFIX_MAX; i++)
		prefix = prefix * 10 + (unsigned)(text[i] - '0');
	if (i < *len || prefix == 0 || prefix > PREFIX_MAX || colon[1] == '0') {
		uri_mistake(
		        p, p->at, "'%.*s': expected a number from 1 to 9999 after ':'", shown(*len), text);
		return false;
	}
	var->prefix = prefix;
	*len = (size_t)(colon - text);
	return true;
}

static void parse_var(struct uri_parser *p, const char *text, size_t len, struct uri_part *part)
{
	struct uri_var *var = &p->uri->vars[p->uri->n_vars];
	enum ab_raw raw = AB_RAW_NONE;
	size_t first;

	*var = (struct uri_var){.spelled = text};
	if (!parse_modifier(p, text, &len, var))
		return;
	if (len == 0) {
		uri_mistake(p, p->at, "a name is missing; expected one, as in {user.name}");
		return;
	}
	first = name_len(text, len);
	if (memchr(text, '.', first) != NULL)
		first = (size_t)((const char *)memchr(text, '.', first) - text);
	if ((part->op == '+' || part->op == '#') && !is_raw_allowed(p, text, first))
		raw = AB_RAW_URL;
	if (!ab_scope_ref(p->scope, text, len, raw, ab_conf_at(p->string, p->offset + p->at), &var->ref)) {
		p->ok = false;
		return;
	}
	var->spelled_len = len;
	var->name = p->uri->text + p->text_len;
	for (size_t i = 0; i < len; i++) {
		if (ab_uri_class[(unsigned char)text[i]] == 1)
			put(p, text[i]);
		else
			put_encoded(p, (unsigned char)text[i]);
	}
	var->name_len = (size_t)(p->uri->text + p->text_len - var->name);
	p->uri->n_vars++;
	part->n_vars++;
}

static void parse_vars(struct uri_parser *p, const char *text, size_t len, struct uri_part *part)
{
	const char *end = text + len, *comma;

	do {
		comma = memchr(text, ',', (size_t)(end - text));
		parse_var(p, text, (size_t)((comma != NULL ? comma : end) - text), part);
		text = comma != NULL ? comma + 1 : end;
	} while (comma != NULL);
}

/* Where an expression leaves the URL, and whether it fits where it stands. The plain RFC lets anything pass.
 */
static void expression_moves(struct uri_parser *p, char op)
{
	if (p->uri->strict && op == '?' && p->where != URI_PATH)
		uri_mistake(p, p->at,
		        p->has_query ? "a second '?'; expected {&...} here"
		                     : "a second '?'; expected one {?a,b} with all names");
	if (p->uri->strict && op == '&' && !p->has_query)
		uri_mistake(p, p->at,
		        p->where == URI_PATH ? "'&' without a '?' before it; expected {?...}"
		                             : "{&...} after {?...}, which may be left out; expected one "
		                               "{?a,b} with all names");
	if (op == '?' || op == '&')
		p->where = p->where == URI_PATH ? URI_QUERY : p->where;
	else if (op == '#')
		p->where = URI_FRAGMENT;
}

/* Whether `{...}` is a mistake by its shape alone, which is reported then. */
static bool is_misshapen(struct uri_parser *p, const char *inside, size_t len)
{
	const char *blank = memchr(inside, ' ', len);

	if (len == 0)
		uri_mistake(p, p->at,
		        "'{}' names nothing; expected a name, as in {user.name}; literal braces are %%7B%%7D");
	else if (blank != NULL)
		uri_mistake(p, p->at, "'{%.*s}': expected no blanks in a placeholder", shown(len), inside);
	else if (strchr("=,!@|", inside[0]) != NULL)
		uri_mistake(p, p->at, "'{%.*s}': '%c' is no operator; expected + # . / ; ? & or none",
		        shown(len), inside, inside[0]);
	else if (strchr("$:", inside[0]) != NULL)
		uri_mistake(p, p->at, "'{%.*s}' is no placeholder in a URL; expected {%.*s}", shown(len),
		        inside, shown(len - 1), inside + 1);
	else
		return false;
	return true;
}

/* At a '{': where its expression ends, or NULL after a mistake, with p->at behind it. */
static const char *expression_end(struct uri_parser *p)
{
	const char *inside = p->text + p->at + 1, *end = p->text + p->len, *close = inside;

	if (close < end && *close == '{') {
		const char *name = close + strspn(close, "{ #^/&>!");
		size_t len = name_len(name, (size_t)(end - name));

		uri_mistake(p, p->at,
		        "'{{' is how templates write it; expected {%.*s} here; a literal brace is %%7B",
		        shown(len > 0 ? len : 4), len > 0 ? name : "name");
		while (close < end && *close != '}')
			close++;
		p->at = (size_t)(close - p->text) + strspn(close, "}");
		return NULL;
	}
	while (close < end && *close != '}' && *close != '{' && *close != '\n')
		close++;
	if (close == end || *close != '}') {
		uri_mistake(p, p->at, "'{' without its '}'; expected {name}; a literal brace is %%7B");
		p->at = p->len;
		return NULL;
	}
	return close;
}

static void parse_expression(struct uri_parser *p)
{
	struct uri_part *part = &p->uri->parts[p->uri->count];
	const char *inside = p->text + p->at + 1, *close = expression_end(p);
	size_t len;

	if (close == NULL)
		return;
	len = (size_t)(close - inside);
	if (!is_misshapen(p, inside, len)) {
		*part = (struct uri_part){.where = p->where, .vars = &p->uri->vars[p->uri->n_vars]};
		if (strchr("+#./;?&", inside[0]) != NULL) {
			part->op = inside[0];
			expression_moves(p, part->op);
			part->where = p->where;
			inside++;
			len--;
		}
		p->uri->count++;
		parse_vars(p, inside, len, part);
	}
	p->at += (size_t)(close + 1 - (p->text + p->at));
}

/* ---- the whole ---- */

/* With something that is no dot for every expression, so that only what the template says itself is seen. */
static void check_own_dots(struct uri_parser *p)
{
	struct ab_buf buf;

	ab_buf_init(&buf, SIZE_MAX);
	for (size_t i = 0; i < p->uri->count; i++) {
		const struct uri_part *part = &p->uri->parts[i];

		if (part->text != NULL)
			ab_buf_add(&buf, part->text, part->len);
		else
			ab_buf_addc(&buf, part->op == '/' ? '/' : part->where == URI_PATH ? 'x' : '?');
	}
	if (!buf.failed && buf.len > 0 && ab_uri_has_dot_segment(buf.data, buf.len))
		uri_mistake(p, 0, "'.' or '..' as a segment of a URL's path; expected the path it leads to");
	ab_buf_fini(&buf);
}

static bool is_raw_used(const struct uri_parser *p, const struct ab_conf *name)
{
	for (size_t i = 0; i < p->uri->count; i++) {
		const struct uri_part *part = &p->uri->parts[i];

		for (size_t v = 0; v < part->n_vars && (part->op == '+' || part->op == '#'); v++) {
			size_t len = name->u.string.len;

			if (part->vars[v].spelled_len >= len &&
			        memcmp(part->vars[v].spelled, name->u.string.text, len) == 0 &&
			        (part->vars[v].spelled_len == len ||
			                strchr(".[", part->vars[v].spelled[len]) != NULL))
				return true;
		}
	}
	return false;
}

static bool check_raw_shape(struct uri_parser *p)
{
	if (p->raw == NULL)
		return true;
	if (!ab_conf_want(p->raw, AB_CONF_LIST, "raw", p->scope->diags))
		return false;
	for (size_t i = 0; i < p->raw->u.list.count; i++)
		if (ab_conf_string(p->raw->u.list.items[i], "a name under raw", p->scope->diags) == NULL)
			return false;
	return true;
}

static void check_raw_used(struct uri_parser *p)
{
	for (size_t i = 0; p->raw != NULL && i < p->raw->u.list.count; i++) {
		const struct ab_conf *item = p->raw->u.list.items[i];

		if (is_raw_used(p, item))
			continue;
		ab_diag(p->scope->diags, item->pos,
		        "raw lists '%.60s', but the URL has no {+%.60s} or {#%.60s}", item->u.string.text,
		        item->u.string.text, item->u.string.text);
		p->ok = false;
	}
}

static struct ab_uri_template *uri_create(const char *text, size_t len, unsigned flags)
{
	struct ab_uri_template *uri;
	size_t braces = 0, commas = 0;

	for (size_t i = 0; i < len; i++) {
		braces += text[i] == '{';
		commas += text[i] == ',';
	}
	uri = calloc(1, sizeof(*uri) + (2 * braces + 1) * sizeof(struct uri_part));
	if (uri == NULL)
		return NULL;
	uri->strict = (flags & AB_URI_STRICT) != 0;
	uri->text = malloc(3 * len + 1); /* a byte of the source becomes three at most */
	uri->vars = calloc(braces + commas + 1, sizeof(*uri->vars));
	if (uri->text != NULL && uri->vars != NULL)
		return uri;
	ab_uri_template_destroy(uri);
	return NULL;
}

struct ab_uri_template *ab_uri_template_compile(struct ab_scope *scope, const struct ab_conf *string,
        const char *text, size_t len, const struct ab_conf *raw, unsigned flags)
{
	struct uri_parser p = {
	        .scope = scope, .string = string, .text = text, .len = len, .raw = raw, .ok = true};

	if (string->type == AB_CONF_STRING && text >= string->u.string.text &&
	        text <= string->u.string.text + string->u.string.len)
		p.offset = (size_t)(text - string->u.string.text);
	if (!check_raw_shape(&p))
		return NULL;
	p.uri = uri_create(text, len, flags);
	if (p.uri == NULL) {
		uri_mistake(&p, 0, "out of memory");
		return NULL;
	}
	while (p.at < p.len) {
		if (p.text[p.at] == '{' && !from_env(&p, p.at))
			parse_expression(&p);
		else
			parse_literal(&p);
	}
	if (p.ok && p.uri->strict)
		check_own_dots(&p);
	if (p.ok)
		check_raw_used(&p);
	if (p.ok)
		return p.uri;
	ab_uri_template_destroy(p.uri);
	return NULL;
}

void ab_uri_template_destroy(struct ab_uri_template *uri)
{
	if (uri == NULL)
		return;
	for (size_t i = 0; uri->vars != NULL && i < uri->n_vars; i++)
		ab_ref_fini(&uri->vars[i].ref);
	free(uri->vars);
	free(uri->text);
	free(uri);
}

bool ab_uri_origin_is_literal(const char *text)
{
	static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]";
	size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
	size_t len;

	if (scheme > 0) {
		len = strspn(text + scheme, host);
		/* What follows the host ends it, so that no value can be appended to its name. */
		return len > 0 && (text[scheme + len] == '\0' || strchr("/?#", text[scheme + len]) != NULL);
	}
	if (text[0] == '/')
		return text[1] != '/' && text[1] != '\\';
	len = strcspn(text, "/?#{:\\");
	return text[len] == '\0' || text[len] == '?' || text[len] == '#' || (text[len] == '/' && len > 0) ||
	       (text[len] == '{' && (text[len + 1] == '?' || text[len + 1] == '#'));
}
