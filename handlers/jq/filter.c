/* handlers/jq/filter.c: the kinds `jq` and `require`, and conditions, from the app file to a program. */
#include "filter.h"

#include "../carry.h"
#include "mend.h"
#include "names.h"

#include <ctype.h>
#include <string.h>

enum {
	MAX_FILTER = 64 * 1024, /* bytes */
	DEFAULT_TIMEOUT_MS = 1000,
	LABEL_BYTES = 200,
	MAX_FIELDS = 32, /* of one need that are told apart */
};

/* A piece of the text that stands somewhere in the app file: all of it, or one of several checks. */
struct piece {
	const struct ab_conf *conf;
	size_t start, len;
};

/* A filter on its way. */
struct making {
	struct ab_compile *compile;
	const char *text;
	size_t len;
	char *owned; /* the text, where it is put together */
	const struct piece *pieces;
	size_t n_pieces;
	const struct piece *piece; /* being scanned; NULL: offsets are those of the text */
	const char *what;          /* "`jq`" */
	struct ab_jq_filter *filter;
	struct ab_jq_name *names; /* its needs, each once */
	size_t n_names;
	struct ab_jq_scan scan;
	bool quick, formats_time;
};

/* ---- what the scanner finds ---- */

/* Where an offset of the text, or of the piece that is scanned, is in the app file. */
static struct ab_pos position(const struct making *m, size_t offset)
{
	const struct piece *piece = m->piece;

	if (piece != NULL)
		return ab_conf_at(piece->conf, offset);
	piece = m->pieces;
	for (size_t i = 1; i < m->n_pieces && m->pieces[i].start <= offset; i++)
		piece = &m->pieces[i];
	offset = offset > piece->start ? offset - piece->start : 0;
	return ab_conf_at(piece->conf, offset < piece->len ? offset : piece->len);
}

static void on_mistake(void *arg, size_t offset, const char *message)
{
	struct making *m = arg;
	const char *mend = NULL;
	char buf[200];

	if (m->piece == NULL) /* libjq's */
		mend = ab_jq_mend_undefined(message, m->text, m->len, offset, buf, sizeof(buf));
	ab_diag(m->compile->diags, position(m, offset), "%s%s", message, mend != NULL ? mend : "");
}

static bool no_memory(struct making *m)
{
	ab_diag(m->compile->diags, m->compile->value->pos, "out of memory");
	return false;
}

/* Room for one more name. */
static bool grow(struct making *m)
{
	size_t size = m->n_names == 0 ? 1 : 2 * m->n_names;
	struct ab_jq_name *names;
	struct ab_ref *refs;

	if (m->n_names != 0 && (m->n_names & (m->n_names - 1)) != 0)
		return true;
	names = reallocarray(m->names, size, sizeof(*names));
	if (names == NULL)
		return no_memory(m);
	m->names = names;
	refs = reallocarray(m->filter->refs, size, sizeof(*refs));
	if (refs == NULL)
		return no_memory(m);
	m->filter->refs = refs;
	return true;
}

static struct ab_jq_name *find_name(const struct making *m, const char *name, size_t len)
{
	for (size_t i = 0; i < m->n_names; i++)
		if (strlen(m->names[i].name) == len && memcmp(m->names[i].name, name, len) == 0)
			return &m->names[i];
	return NULL;
}

/* A need found for the first time; takes the reference. NULL after reporting. */
static struct ab_jq_name *add_name(struct making *m, const char *text, size_t len, struct ab_ref *ref)
{
	char *name = grow(m) ? strndup(text, len) : NULL;

	if (name == NULL) {
		ab_ref_fini(ref);
		return NULL;
	}
	m->names[m->n_names] = (struct ab_jq_name){.name = name};
	m->filter->refs[m->filter->n_refs++] = *ref;
	return &m->names[m->n_names++];
}

/* A use of a name: of a field of it, or (len 0) of all. With many fields, or without memory, it is all. */
static void use_name(struct ab_jq_name *name, const char *field, size_t len)
{
	char **fields;

	for (size_t i = 0; i < name->n_fields; i++)
		if (strlen(name->fields[i]) == len && memcmp(name->fields[i], field, len) == 0)
			return;
	name->whole |= len == 0 || name->n_fields == MAX_FIELDS;
	if (name->whole)
		return;
	fields = reallocarray(name->fields, name->n_fields + 1, sizeof(*fields));
	if (fields != NULL)
		name->fields = fields;
	if (fields != NULL && (fields[name->n_fields] = strndup(field, len)) != NULL)
		name->n_fields++;
	else
		name->whole = true;
}

/* `request` is built only as far as it is used, so each of its uses is told to the scope with its path; of
 * others the name is enough. */
static void on_need(void *arg, size_t offset, const char *text, size_t name_len, size_t len)
{
	struct making *m = arg;
	struct ab_scope *scope = m->compile->scope;
	bool request = name_len == strlen("request") && memcmp(text, "request", name_len) == 0 &&
	               !ab_scope_declared(scope, text, name_len);
	struct ab_jq_name *name = find_name(m, text, name_len);
	const char *field = text + name_len + 1;
	size_t field_len = 0;
	struct ab_ref ref;

	while (name_len + 1 + field_len < len && field[field_len] != '.')
		field_len++;
	if (name == NULL || request) {
		if (!ab_scope_ref(
		            scope, text, request ? len : name_len, AB_RAW_NONE, position(m, offset), &ref))
			return;
		if (request) {
			ab_path_fini(&ref.path);
			ref.path = (struct ab_path){0}; /* the filter walks the path itself */
		}
		if (name != NULL)
			ab_ref_fini(&ref);
		else
			name = add_name(m, text, name_len, &ref);
	}
	if (name != NULL)
		use_name(name, field, field_len);
}

static bool not_understood(struct making *m)
{
	const char *text = m->text + m->piece->start;
	size_t at = m->scan.offset, end = at, len = m->piece->len;

	if (at >= len) {
		ab_diag(m->compile->diags, position(m, at), "%s ends too early; expected %s", m->what,
		        m->scan.expected);
		return false;
	}
	/* A word, or one character of whatever size. */
	do
		end++;
	while (end < len && ((text[end] & 0xc0) == 0x80 ||
	                            (isalnum((unsigned char)text[at]) && isalnum((unsigned char)text[end]))));
	ab_diag(m->compile->diags, position(m, at), "'%.*s' in %s; expected %s",
	        (int)(end - at > 60 ? 60 : end - at), text + at, m->what,
	        ab_jq_mend(text, len, at, m->scan.expected));
	return false;
}

/* ---- compiling ---- */

/* The text under a key, or NULL after reporting. */
static const char *filter_text(struct ab_compile *compile, const struct ab_conf *conf, const char *what)
{
	const char *text;

	if (conf->secret) {
		ab_diag(compile->diags, conf->pos,
		        "${...} in a filter: a value never becomes syntax; expected it in a `value` that the filter needs as $name");
		return NULL;
	}
	text = ab_conf_string(conf, what, compile->diags);
	if (text == NULL || conf->u.string.len <= MAX_FILTER)
		return text;
	ab_diag(compile->diags, conf->pos, "%s of %zu bytes; expected at most %d", what, conf->u.string.len,
	        MAX_FILTER);
	return NULL;
}

static bool make_names(struct making *m)
{
	static const struct ab_jq_scan_fns fns = {.need = on_need, .mistake = on_mistake};
	size_t mistakes = ab_diags_mistakes(m->compile->diags);

	m->quick = true;
	for (size_t i = 0; i < m->n_pieces; i++) {
		m->piece = &m->pieces[i];
		ab_jq_scan(m->text + m->piece->start, m->piece->len, &fns, m, &m->scan);
		m->quick &= m->scan.quick;
		m->formats_time |= m->scan.formats_time;
		if (m->scan.no_memory)
			return no_memory(m);
		if (ab_diags_mistakes(m->compile->diags) == mistakes && !m->scan.understood)
			not_understood(m);
	}
	m->piece = NULL;
	return ab_diags_mistakes(m->compile->diags) == mistakes;
}

static bool make_program(struct making *m, struct ab_jq_rule *rule)
{
	struct ab_jq_shared *shared = m->filter->jq->shared;
	size_t mistakes = ab_diags_mistakes(m->compile->diags);

	rule->program = ab_jq_program_get(ab_jq_shared_programs(shared), m->text, m->len, m->names,
	        m->n_names, m->formats_time, on_mistake, m);
	if (rule->program != NULL)
		return true;
	return ab_diags_mistakes(m->compile->diags) > mistakes ? false : no_memory(m);
}

/* `inline`, or what can be told from the filter. One with a `timeout` is meant to be bounded by it. */
static bool make_where(struct making *m)
{
	const struct ab_conf *map = m->compile->map, *conf = ab_conf_get(map, "inline");
	const struct ab_conf_pair *timeout = ab_conf_pair(map, "timeout");
	bool on_loop = false;

	m->filter->where = m->quick && timeout == NULL ? AB_JQ_QUICK : AB_JQ_POOL;
	if (conf == NULL)
		return true;
	if (!ab_conf_bool(conf, "`inline`", &on_loop, m->compile->diags))
		return false;
	m->filter->where = on_loop ? AB_JQ_INLINE : AB_JQ_POOL;
	if (!on_loop || timeout == NULL)
		return true;
	ab_diag(m->compile->diags, timeout->pos,
	        "timeout means nothing beside inline: true: nothing can end a filter on the loop; expected one of the two");
	return false;
}

/* Bind it to the worker: a thread's time, or a program of its own. */
static bool make_ready(struct making *m)
{
	struct ab_jq_filter *filter = m->filter;
	struct ab_error err;

	filter->timeout_ms = m->compile->timeout_ms != 0 ? m->compile->timeout_ms : DEFAULT_TIMEOUT_MS;
	filter->timeouts = ab_deadlines_queue(m->compile->env->deadlines, filter->timeout_ms);
	if (filter->timeouts == NULL)
		return no_memory(m);
	if (filter->where != AB_JQ_POOL) {
		if (ab_jq_runner_prepare(filter->jq->runner, filter->rule->program, &err) != AB_OK)
			return no_memory(m);
		m->compile->timeout_ms = 0;
		return true;
	}
	ab_jq_shared_pool(filter->jq->shared, filter->rule->program);
	m->compile->timeout_ms = filter->timeout_ms;
	return true;
}

/* One line, blanks run together, cut where it gets long. */
static char *label_of(const char *text)
{
	char label[LABEL_BYTES + 1];
	size_t len = 0;
	bool blank = false;

	for (; *text != '\0'; text++) {
		if (*text == ' ' || (*text >= '\t' && *text <= '\r')) {
			blank = len > 0;
			continue;
		}
		/* A character that does not fit is left out whole. */
		if (len + ((*text & 0xc0) == 0x80 ? 1 : 5) > LABEL_BYTES)
			break;
		if (blank)
			label[len++] = ' ';
		blank = false;
		label[len++] = *text;
	}
	return strndup(label, len);
}

static bool make(struct making *m, struct ab_jq_rule *rule)
{
	if (!make_names(m) || !make_program(m, rule) || !make_where(m) || !make_ready(m))
		return false;
	m->filter->label = label_of(m->text);
	return m->filter->label != NULL || no_memory(m);
}

/* The text and its pieces are there. NULL after reporting. */
static struct ab_jq_rule *make_filter(struct making *m, enum ab_jq_judge judge)
{
	struct ab_jq *jq = m->compile->env->jq;
	struct ab_jq_rule *rule = ab_jq_rule_create(jq->shared);
	bool ok = false;

	if (m->filter == NULL || rule == NULL) {
		no_memory(m);
	} else {
		rule->judge = judge;
		m->filter->jq = jq;
		m->filter->rule = rule;
		ok = make(m, rule);
	}
	ab_jq_names_free(m->names, m->n_names);
	free(m->owned);
	if (ok) {
		m->compile->resource->config = m->filter;
		return rule;
	}
	ab_jq_filter_free(m->filter);
	return NULL;
}

static struct ab_jq_rule *compile_filter(struct ab_compile *compile, const char *what, enum ab_jq_judge judge)
{
	struct piece all = {.conf = compile->value};
	struct making m = {.compile = compile, .what = what, .pieces = &all, .n_pieces = 1};

	m.text = filter_text(compile, compile->value, what);
	if (m.text == NULL)
		return NULL;
	m.len = all.len = compile->value->u.string.len;
	m.filter = calloc(1, sizeof(*m.filter));
	return make_filter(&m, judge);
}

void ab_jq_filter_free(void *config)
{
	struct ab_jq_filter *filter = config;

	if (filter == NULL)
		return;
	for (size_t i = 0; i < filter->n_refs; i++)
		ab_ref_fini(&filter->refs[i]);
	free(filter->refs);
	free(filter->label);
	free(filter);
}

/* ---- checks ---- */

/* [(if $to==null then empty else (try [FILTER
 * ]catch[false]|if .==[true] then empty elif .==[false] then 0 else -1 end) end), ...]
 * No error is raised behind the `try`: that of jq 1.6 would catch it. */
static char *checks_text(
        const struct ab_jq_check *checks, size_t count, struct piece *pieces, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%c(if $%s==null then empty else (try [", i == 0 ? '[' : ',', checks[i].name);
		pieces[i] = (struct piece){checks[i].conf, (size_t)ftell(out), checks[i].conf->u.string.len};
		fwrite(checks[i].conf->u.string.text, 1, pieces[i].len, out);
		fprintf(out,
		        "\n]catch[false]|if .==[true] then empty elif .==[false] then %zu else -%zu end) end)",
		        i, i + 1);
	}
	fputc(']', out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

bool ab_jq_compile_checks(struct ab_compile *compile, const struct ab_jq_check *checks, size_t count)
{
	struct making m = {.compile = compile, .what = "`if`", .n_pieces = count};
	struct piece *pieces;
	bool ok = true;

	for (size_t i = 0; i < count; i++)
		ok &= filter_text(compile, checks[i].conf, "`if`") != NULL;
	if (!ok)
		return false;
	pieces = calloc(count + 1, sizeof(*pieces));
	m.pieces = pieces;
	m.filter = pieces != NULL ? calloc(1, sizeof(*m.filter)) : NULL;
	m.text = m.owned = m.filter != NULL ? checks_text(checks, count, pieces, &m.len) : NULL;
	if (m.text == NULL) {
		free(m.filter);
		free(pieces);
		return no_memory(&m);
	}
	/* The names that are judged come first, so that each is there. */
	for (size_t i = 0; i < count; i++) {
		m.piece = &pieces[i];
		on_need(&m, 0, checks[i].name, strlen(checks[i].name), strlen(checks[i].name));
	}
	ok = make_filter(&m, AB_JQ_ANY) != NULL;
	free(pieces);
	return ok;
}

struct mention {
	const char *name;
	bool found;
};

static void on_mention(void *arg, size_t offset, const char *text, size_t name_len, size_t len)
{
	struct mention *mention = arg;

	(void)offset;
	(void)len;
	mention->found |= strlen(mention->name) == name_len && memcmp(mention->name, text, name_len) == 0;
}

static void ignore_mistake(void *arg, size_t offset, const char *message)
{
	(void)arg;
	(void)offset;
	(void)message;
}

bool ab_jq_mentions(const char *text, size_t len, const char *name)
{
	static const struct ab_jq_scan_fns fns = {.need = on_mention, .mistake = ignore_mistake};
	struct mention mention = {.name = name};
	struct ab_jq_scan scan;

	ab_jq_scan(text, len, &fns, &mention, &scan);
	return mention.found;
}

/* ---- the kinds ---- */

static bool jq_compile_kind(struct ab_compile *compile)
{
	return compile_filter(compile, "`jq`", AB_JQ_ANY) != NULL;
}

static bool condition_compile_kind(struct ab_compile *compile)
{
	return compile_filter(compile, "`if`", AB_JQ_BOOLEAN) != NULL;
}

/* A text for clients, copied. */
static bool require_text(struct ab_compile *compile, const char *key, char **ret_text)
{
	const struct ab_conf *conf = ab_conf_get(compile->map, key);
	const char *text;
	char what[32];

	if (conf == NULL)
		return true;
	snprintf(what, sizeof(what), "`%s`", key);
	text = ab_conf_string(conf, what, compile->diags);
	if (text == NULL)
		return false;
	if (text[0] == '\0') {
		ab_diag(compile->diags, conf->pos,
		        "%s is an empty string; expected a sentence, or it left out", what);
		return false;
	}
	*ret_text = strdup(text);
	if (*ret_text == NULL)
		ab_diag(compile->diags, conf->pos, "out of memory");
	return *ret_text != NULL;
}

static bool require_compile_kind(struct ab_compile *compile)
{
	const struct ab_conf *status = ab_conf_get(compile->map, "status");
	struct ab_jq_rule *rule = compile_filter(compile, "`require`", AB_JQ_TRUE);
	int64_t number = 403;
	bool ok = rule != NULL;

	if (status != NULL)
		ok &= ab_conf_int(status, "`status`", 400, 499, &number, compile->diags);
	if (rule != NULL) {
		rule->status = (int)number;
		ok &= require_text(compile, "message", &rule->message);
		ok &= require_text(compile, "field", &rule->field);
	}
	if (ok)
		return true;
	ab_jq_filter_free(rule != NULL ? compile->resource->config : NULL);
	compile->resource->config = NULL;
	return false;
}

static void describe(const void *config, char *buf, size_t size)
{
	const struct ab_jq_filter *filter = config;

	snprintf(buf, size, "%s", filter->label);
}

static const struct ab_handler jq_handler = {
        .kind = "jq",
        .start = ab_jq_filter_start,
        .cancel = ab_job_cancel,
        .free = ab_jq_filter_free,
};

static const struct ab_handler require_handler = {
        .kind = "require",
        .start = ab_jq_filter_start,
        .cancel = ab_job_cancel,
        .free = ab_jq_filter_free,
};

static const struct ab_handler condition_handler = {
        .kind = "if",
        .start = ab_jq_filter_start,
        .cancel = ab_job_cancel,
        .free = ab_jq_filter_free,
};

const struct ab_handler ab_jq_checks_handler = {
        .kind = "accept",
        .start = ab_jq_filter_start,
        .cancel = ab_job_cancel,
        .free = ab_jq_filter_free,
};

static const char *const jq_keys[] = {"inline", NULL};
static const char *const require_keys[] = {"inline", "status", "message", "field", NULL};
static const char *const no_keys[] = {NULL};

const struct ab_kind ab_kind_jq = {
        .name = "jq",
        .keys = jq_keys,
        .handler = &jq_handler,
        .compile = jq_compile_kind,
        .passes_text = ab_passes_always,
        .describe = describe,
        .computes = true,
};

const struct ab_kind ab_kind_require = {
        .name = "require",
        .keys = require_keys,
        .handler = &require_handler,
        .compile = require_compile_kind,
        .describe = describe,
        .computes = true,
};

const struct ab_kind ab_kind_condition = {
        .name = "if",
        .keys = no_keys,
        .handler = &condition_handler,
        .compile = condition_compile_kind,
        .describe = describe,
        .computes = true,
};
