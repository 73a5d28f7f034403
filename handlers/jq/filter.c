/* handlers/jq/filter.c: the kinds `jq` and `require`, and conditions, from the app file to a program. */
#include "filter.h"

#include "../carry.h"
#include "names.h"

#include <ctype.h>
#include <string.h>

enum {
	MAX_FILTER = 64 * 1024, /* bytes */
	DEFAULT_TIMEOUT_MS = 1000,
	LABEL_BYTES = 200,
};

/* A filter on its way. */
struct making {
	struct ab_compile *compile;
	const char *text;
	size_t len;
	const char *what; /* "`jq`" */
	struct ab_jq_filter *filter;
	char **names; /* its needs, each once */
	size_t n_names;
	struct ab_jq_scan scan;
};

/* ---- what the scanner finds ---- */

static void on_mistake(void *arg, size_t offset, const char *message)
{
	struct making *m = arg;

	ab_diag(m->compile->diags, ab_conf_at(m->compile->value, offset), "%s", message);
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
	struct ab_ref *refs;
	char **names;

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

static bool is_known(const struct making *m, const char *name, size_t len)
{
	for (size_t i = 0; i < m->n_names; i++)
		if (strlen(m->names[i]) == len && memcmp(m->names[i], name, len) == 0)
			return true;
	return false;
}

/* `request` is built only as far as it is used, so each of its uses is told to the scope with its path; of
 * others the name is enough. */
static void on_need(void *arg, size_t offset, const char *text, size_t name_len, size_t len)
{
	struct making *m = arg;
	struct ab_pos pos = ab_conf_at(m->compile->value, offset);
	bool declared = ab_scope_declared(m->compile->scope, text, name_len);
	bool request = !declared && name_len == strlen("request") && memcmp(text, "request", name_len) == 0;
	bool known = is_known(m, text, name_len);
	struct ab_ref ref;

	if (known && !request)
		return;
	if (!ab_scope_ref(m->compile->scope, text, request ? len : name_len, AB_RAW_NONE, pos, &ref))
		return;
	if (request) {
		ab_path_fini(&ref.path);
		ref.path = (struct ab_path){0}; /* the filter walks the path itself */
	}
	if (known || !grow(m) || (m->names[m->n_names] = strndup(text, name_len)) == NULL) {
		ab_ref_fini(&ref);
		return;
	}
	m->filter->refs[m->filter->n_refs++] = ref;
	m->n_names++;
}

static bool not_understood(struct making *m)
{
	size_t at = m->scan.offset, end = at;
	struct ab_pos pos = ab_conf_at(m->compile->value, at);

	if (at >= m->len) {
		ab_diag(m->compile->diags, pos, "%s ends too early; expected %s", m->what, m->scan.expected);
		return false;
	}
	/* A word, or one character of whatever size. */
	do
		end++;
	while (end < m->len &&
	        ((m->text[end] & 0xc0) == 0x80 ||
	                (isalnum((unsigned char)m->text[at]) && isalnum((unsigned char)m->text[end]))));
	ab_diag(m->compile->diags, pos, "'%.*s' in %s; expected %s", (int)(end - at > 60 ? 60 : end - at),
	        m->text + at, m->what, m->scan.expected);
	return false;
}

/* ---- compiling ---- */

static bool make_text(struct making *m)
{
	const struct ab_conf *value = m->compile->value;

	if (value->secret) {
		ab_diag(m->compile->diags, value->pos,
		        "${...} in a filter: a value never becomes syntax; expected it in a `value` that the filter needs as $name");
		return false;
	}
	m->text = ab_conf_string(value, m->what, m->compile->diags);
	if (m->text == NULL)
		return false;
	m->len = value->u.string.len;
	if (m->len <= MAX_FILTER)
		return true;
	ab_diag(m->compile->diags, value->pos, "%s of %zu bytes; expected at most %d", m->what, m->len,
	        MAX_FILTER);
	return false;
}

static bool make_names(struct making *m)
{
	static const struct ab_jq_scan_fns fns = {.need = on_need, .mistake = on_mistake};
	size_t mistakes = ab_diags_mistakes(m->compile->diags);

	ab_jq_scan(m->text, m->len, &fns, m, &m->scan);
	if (m->scan.no_memory)
		return no_memory(m);
	if (ab_diags_mistakes(m->compile->diags) > mistakes)
		return false;
	return m->scan.understood || not_understood(m);
}

static bool make_program(struct making *m, struct ab_jq_rule *rule)
{
	struct ab_jq_shared *shared = m->filter->jq->shared;
	size_t mistakes = ab_diags_mistakes(m->compile->diags);

	rule->program = ab_jq_program_get(ab_jq_shared_programs(shared), m->text, m->len,
	        (const char *const *)m->names, m->n_names, on_mistake, m);
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

	m->filter->where = m->scan.quick && timeout == NULL ? AB_JQ_QUICK : AB_JQ_POOL;
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
	if (!make_text(m) || !make_names(m) || !make_program(m, rule) || !make_where(m) || !make_ready(m))
		return false;
	m->filter->label = label_of(m->text);
	return m->filter->label != NULL || no_memory(m);
}

static struct ab_jq_rule *compile_filter(struct ab_compile *compile, const char *what, enum ab_jq_judge judge)
{
	struct making m = {.compile = compile, .what = what};
	struct ab_jq *jq = compile->env->jq;
	struct ab_jq_rule *rule = ab_jq_rule_create(jq->shared);
	bool ok = false;

	m.filter = calloc(1, sizeof(*m.filter));
	if (m.filter == NULL || rule == NULL) {
		no_memory(&m);
	} else {
		rule->judge = judge;
		m.filter->jq = jq;
		m.filter->rule = rule;
		ok = make(&m, rule);
	}
	for (size_t i = 0; i < m.n_names; i++)
		free(m.names[i]);
	free(m.names);
	if (ok) {
		compile->resource->config = m.filter;
		return rule;
	}
	ab_jq_filter_free(m.filter);
	return NULL;
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
