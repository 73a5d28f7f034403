/* handlers/placeholder.c: strings with `{name}` in them, compiled to pieces that are appended one after
 * another. */
#include "placeholder.h"

#include "json.h"

#include <inttypes.h>
#include <string.h>

struct piece {
	const char *text; /* literal text, or the reference as it is written */
	size_t len;
	bool filled; /* from `ref`; else `text` as it is */
	struct ab_ref ref;
};

struct ab_pieces {
	char *text; /* all literal text, braces unescaped */
	size_t count;
	struct piece list[];
};

struct pieces_parser {
	struct ab_scope *scope;
	const struct ab_conf *string;
	const char *text;
	size_t len;
	size_t at;
	struct ab_pieces *pieces;
	size_t text_len; /* used of pieces->text */
	bool ok;
};

/* ---- mistakes ---- */

AB_PRINTF(3, 4)
static void pieces_mistake(struct pieces_parser *p, size_t at, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ab_diag(p->scope->diags, ab_conf_at(p->string, at), "%s", text);
	p->ok = false;
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Whether a path into a need could be written so; the scope judges exactly. */
static bool is_reference(const char *text, size_t len)
{
	if (len == 0 || !is_name_start(text[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_name_start(text[i]) && (text[i] < '0' || text[i] > '9') &&
		        strchr(".[]-$@", text[i]) == NULL && (unsigned char)text[i] < 0x80 &&
		        !(text[i] == '*' && text[i - 1] == '['))
			return false;
	return true;
}

static size_t skip_any(const char *text, size_t at, size_t end, const char *any)
{
	while (at < end && text[at] != '\0' && strchr(any, text[at]) != NULL)
		at++;
	return at;
}

static int shown(size_t len)
{
	return (int)(len > 80 ? 80 : len);
}

/* At "{{": whether it is a tag as templates have them, `{{x}}` or `{{# x }}`; reported then. */
static bool is_tag(struct pieces_parser *p)
{
	size_t from = skip_any(p->text, p->at + 2, p->len, " #^/&>!"), to;
	const char *close = memmem(p->text + from, p->len - from, "}}", 2);

	if (close == NULL || p->text[p->at + 2] == '{')
		return false;
	to = (size_t)(close - p->text);
	while (to > from && p->text[to - 1] == ' ')
		to--;
	if (!is_reference(p->text + from, to - from))
		return false;
	pieces_mistake(p, p->at, "'%.*s' is how a template writes it; expected {%.*s} here",
	        shown((size_t)(close - p->text) + 2 - p->at), p->text + p->at, shown(to - from),
	        p->text + from);
	p->at = (size_t)(close - p->text) + 2;
	return true;
}

/* What may have been meant by `{...}` that holds no reference. */
static void placeholder_mistake(struct pieces_parser *p, const char *inside, size_t len)
{
	size_t from = skip_any(inside, 0, len, " +#./;?&:$"), to = from;

	while (to < len && is_reference(inside + from, to + 1 - from))
		to++;
	if (len == 0)
		pieces_mistake(p, p->at,
		        "'{}' names nothing; expected a name, as in {user.name}; literal braces are {{}}");
	else if (to > from && skip_any(inside, to, len, " *:0123456789") == len)
		pieces_mistake(p, p->at, "'{%.*s}' is no placeholder in this place; expected {%.*s}",
		        shown(len), inside, shown(to - from), inside + from);
	else
		pieces_mistake(p, p->at,
		        "'{%.*s}' is no placeholder; expected a name, as in {user.name}; a literal brace is {{ or }}",
		        shown(len), inside);
}

/* ---- compiling ---- */

static void add_literal(struct pieces_parser *p, const char *text, size_t len)
{
	struct ab_pieces *pieces = p->pieces;
	struct piece *last = pieces->count > 0 ? &pieces->list[pieces->count - 1] : NULL;
	char *to = pieces->text + p->text_len;

	memcpy(to, text, len);
	to[len] = '\0';
	p->text_len += len;
	if (last != NULL && !last->filled)
		last->len += len;
	else
		pieces->list[pieces->count++] = (struct piece){.text = to, .len = len};
}

static void parse_placeholder(struct pieces_parser *p)
{
	const char *inside = p->text + p->at + 1;
	size_t len = 0, left = p->len - p->at - 1;
	struct piece piece = {.filled = true, .text = inside};

	while (len < left && inside[len] != '}' && inside[len] != '{' && inside[len] != '\n')
		len++;
	if (len == left || inside[len] != '}') {
		pieces_mistake(p, p->at, "'{' without its '}'; expected {name}; a literal brace is {{");
		p->at = p->len;
		return;
	}
	if (!is_reference(inside, len)) {
		placeholder_mistake(p, inside, len);
	} else if (ab_scope_ref(
	                   p->scope, inside, len, AB_RAW_NONE, ab_conf_at(p->string, p->at), &piece.ref)) {
		piece.len = len;
		p->pieces->list[p->pieces->count++] = piece;
	} else {
		p->ok = false;
	}
	p->at += len + 2;
}

static void parse_one(struct pieces_parser *p)
{
	const char *at = p->text + p->at;
	bool twice = p->at + 1 < p->len && at[0] == at[1] && !ab_conf_from_env(p->string, p->at + 1);

	if ((*at != '{' && *at != '}') || ab_conf_from_env(p->string, p->at)) {
		add_literal(p, at, 1);
		p->at++;
	} else if (twice) {
		if (*at == '{' && is_tag(p))
			return;
		add_literal(p, at, 1);
		p->at += 2;
	} else if (*at == '{') {
		parse_placeholder(p);
	} else {
		pieces_mistake(p, p->at, "'}' without its '{'; a literal brace is }}");
		p->at++;
	}
}

static bool parse_all(struct pieces_parser *p)
{
	if (p->len > 1 && p->text[0] == ':' && ab_is_name(p->text + 1, p->len - 1) &&
	        p->string->n_spans == 0) {
		pieces_mistake(
		        p, 0, "'%.80s' is how SQL writes it; expected {%.80s} here", p->text, p->text + 1);
		return false;
	}
	if (p->len == 0)
		add_literal(p, "", 0);
	while (p->at < p->len)
		parse_one(p);
	return p->ok;
}

struct ab_pieces *ab_pieces_compile(struct ab_scope *scope, const struct ab_conf *string)
{
	struct pieces_parser p = {.scope = scope, .string = string, .ok = true};
	size_t braces = 0;
	char number[32] = "";

	if (string->type == AB_CONF_INT)
		snprintf(number, sizeof(number), "%" PRId64, string->u.integer);
	else if (string->type == AB_CONF_BOOL)
		snprintf(number, sizeof(number), "%s", string->u.boolean ? "true" : "false");
	else if (ab_conf_string(string, "a string with placeholders", scope->diags) == NULL)
		return NULL;
	p.text = string->type == AB_CONF_STRING ? string->u.string.text : number;
	p.len = strlen(p.text);
	for (size_t i = 0; i < p.len; i++)
		braces += p.text[i] == '{';
	p.pieces = calloc(1, sizeof(*p.pieces) + (2 * braces + 1) * sizeof(struct piece));
	if (p.pieces != NULL)
		p.pieces->text = calloc(1, p.len + 1);
	if (p.pieces == NULL || p.pieces->text == NULL)
		pieces_mistake(&p, 0, "out of memory");
	else if (parse_all(&p))
		return p.pieces;
	ab_pieces_destroy(p.pieces);
	return NULL;
}

void ab_pieces_destroy(struct ab_pieces *pieces)
{
	if (pieces == NULL)
		return;
	for (size_t i = 0; i < pieces->count; i++)
		ab_ref_fini(&pieces->list[i].ref);
	free(pieces->text);
	free(pieces);
}

bool ab_pieces_literal(const struct ab_pieces *pieces, const char **ret_text)
{
	if (pieces->count != 1 || pieces->list[0].filled)
		return false;
	*ret_text = pieces->text;
	return true;
}

const struct ab_ref *ab_pieces_alone(const struct ab_pieces *pieces)
{
	return pieces->count == 1 && pieces->list[0].filled ? &pieces->list[0].ref : NULL;
}

void ab_pieces_needs(const struct ab_pieces *pieces, bool *used)
{
	for (size_t i = 0; i < pieces->count; i++)
		if (pieces->list[i].filled)
			used[pieces->list[i].ref.need] = true;
}

/* ---- filling ---- */

bool ab_scalar_write(struct ab_buf *buf, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		ab_buf_add(buf, json_string_value(value), json_string_length(value));
		return true;
	case JSON_INTEGER:
		ab_json_write_integer(buf, json_integer_value(value));
		return true;
	case JSON_REAL:
		ab_json_write_real(buf, json_real_value(value));
		return true;
	case JSON_TRUE:
		ab_buf_add(buf, "true", 4);
		return true;
	case JSON_FALSE:
		ab_buf_add(buf, "false", 5);
		return true;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return false;
}

static enum ab_code fill_piece(
        const struct piece *piece, const struct ab_call *call, struct ab_buf *buf, struct ab_error *err)
{
	json_t *value;

	if (!piece->filled) {
		ab_buf_add(buf, piece->text, piece->len);
		return AB_OK;
	}
	value = ab_ref_get(&piece->ref, call);
	if (value == NULL || json_is_null(value))
		return ab_error_set(err, AB_EMISSING, "{%.*s} is %s", shown(piece->len), piece->text,
		        value == NULL ? "missing" : "null");
	if (!ab_scalar_write(buf, value))
		return ab_error_set(err, AB_EINVALID,
		        "{%.*s} is %s; text around it takes a string, number or boolean", shown(piece->len),
		        piece->text, json_is_array(value) ? "a list" : "an object");
	return AB_OK;
}

/* Line breaks would end a header, and the rest is refused on the way by one server or another. */
static enum ab_code check_header(const char *text, size_t len, struct ab_error *err)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return ab_error_set(err, AB_EINVALID, "a control character (0x%02X) in a header",
			        (unsigned char)text[i]);
	return AB_OK;
}

enum ab_code ab_pieces_fill(const struct ab_pieces *pieces, const struct ab_call *call,
        enum ab_pieces_use use, struct ab_buf *buf, struct ab_error *err)
{
	size_t start = buf->len;
	enum ab_code rc = AB_OK;

	for (size_t i = 0; i < pieces->count && rc == AB_OK; i++)
		rc = fill_piece(&pieces->list[i], call, buf, err);
	if (buf->failed)
		return buf->too_big ? ab_error_set(err, AB_EINVALID,
		                              "longer than the %zu bytes there are for it", buf->max)
		                    : ab_error_set(err, AB_ENOMEM, "out of memory");
	if (rc == AB_OK && use == AB_PIECES_HEADER && buf->len > start)
		rc = check_header(buf->data + start, buf->len - start, err);
	if (rc != AB_OK && buf->len > start) {
		buf->len = start;
		buf->data[start] = '\0';
	}
	return rc;
}
