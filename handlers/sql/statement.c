/* handlers/sql/statement.c: the kinds `sql` and `transaction`, from the app file to checked statements.
 *
 * Each placeholder becomes what the engine writes for a parameter; where it stood is kept, so that what the
 * engine says of an offset is said of the text as the user wrote it. */
#include "statement.h"

#include <string.h>

enum {
	LABEL_BYTES = 200,
	MAX_PARTS = 32, /* of a transaction */
};

/* Where the scanner's findings go. */
struct scanning {
	struct ab_compile *compile;
	const struct ab_sql_text *text;
	bool mistaken;
};

static void scanning_on_mistake(void *arg, size_t offset, bool hint, const char *message)
{
	struct scanning *scanning = arg;
	struct ab_pos pos = ab_sql_text_pos(scanning->text, offset);

	if (hint) {
		ab_hint(scanning->compile->diags, pos, "%s", message);
	} else {
		ab_diag(scanning->compile->diags, pos, "%s", message);
		scanning->mistaken = true;
	}
}

static bool is_word_of(const char *word, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && strncasecmp(word, list[i], len) == 0)
			return true;
	return false;
}

/* Statements that are none of a resource's business, for a clearer message than the database's. */
static const char *refused_word(enum ab_sql_dialect dialect, const char *word, size_t len)
{
	static const char *const transactions[] = {
	        "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "START", "ABORT"};
	static const char *const files[] = {"ATTACH", "DETACH", "VACUUM"};

	static const char *const session[] = {"SET", "RESET", "DISCARD", "LISTEN", "UNLISTEN", "PREPARE",
	        "EXECUTE", "DEALLOCATE", "DECLARE", "FETCH", "MOVE", "CLOSE", "LOAD"};

	if (is_word_of(word, len, transactions, AB_COUNT(transactions)))
		return "each write is a transaction of its own, and several are one under `transaction`; expected a "
		       "statement that reads or writes rows";
	if (is_word_of(word, len, files, AB_COUNT(files)))
		return "not allowed in an app; expected a statement that reads or writes rows";
	if (dialect != AB_SQL_POSTGRES)
		return NULL;
	if (is_word_of(word, len, session, AB_COUNT(session)))
		return "this is about a session, and a connection is shared by all requests; expected a statement that "
		       "reads or writes rows";
	if (is_word_of(word, len, (const char *const[]){"COPY"}, 1))
		return "not allowed in an app; expected a statement that reads or writes rows";
	return NULL;
}

/* ---- the keys beside the statement ---- */

static bool compile_returns(struct ab_compile *compile, enum ab_sql_returns *ret_returns)
{
	static const char *const names[] = {"rows", "row", "value", "count"};
	const struct ab_conf *conf = ab_conf_get(compile->map, "returns");
	const char *name;
	char meant[32];

	*ret_returns = AB_SQL_ROWS;
	if (conf == NULL)
		return true;
	name = ab_conf_string(conf, "`returns`", compile->diags);
	if (name == NULL)
		return false;
	for (size_t i = 0; i < AB_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret_returns = (enum ab_sql_returns)i;
			return true;
		}
	ab_diag(compile->diags, conf->pos, "`returns: %.60s`; expected rows, row, value or count%s", name,
	        ab_did_you_mean(name, names, AB_COUNT(names), meant, sizeof(meant)));
	return false;
}

/* NULL when it is not there, or could not be opened: of both has been spoken. */
static struct ab_database *compile_database(struct ab_compile *compile)
{
	const struct ab_conf *conf = ab_conf_get(compile->map, "database");
	const char *name = NULL;

	if (conf != NULL && (name = ab_conf_string(conf, "`database`", compile->diags)) == NULL)
		return NULL;
	return compile->database(compile, name);
}

/* ---- the statement ---- */

static bool compile_text(struct ab_compile *compile, const struct ab_conf *value, struct ab_sql_text *text)
{
	static const char *const keys[] = {"file", NULL};
	const struct ab_conf *file;

	*text = (struct ab_sql_text){0};
	if (value->type != AB_CONF_MAP) {
		if (value->secret) {
			ab_diag(compile->diags, value->pos,
			        "${...} in a statement: a value never becomes syntax; expected a placeholder such as :name");
			return false;
		}
		return ab_sql_text_inline(text, value, "`sql`", compile->diags);
	}
	if (!ab_conf_only(value, "`sql`", keys, compile->diags))
		return false;
	file = ab_conf_get(value, "file");
	if (file == NULL) {
		ab_diag(compile->diags, value->pos,
		        "`sql` without a statement; expected a string or {file: x.sql}");
		return false;
	}
	return ab_sql_text_read(text, file, compile->dir, "`file`", compile->diags);
}

/* The needs behind the placeholders, in order. False after mistakes. */
static bool compile_params(struct ab_compile *compile, const struct ab_sql_text *text,
        const struct ab_sql_scan *scan, struct ab_sql_part *part)
{
	bool ok = true;

	part->params = calloc(scan->count + 1, sizeof(*part->params));
	if (part->params == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return false;
	}
	for (size_t i = 0; i < scan->count; i++) {
		const struct ab_sql_placeholder *placeholder = &scan->placeholders[i];

		if (ab_scope_ref(compile->scope, text->text + placeholder->start + 1, placeholder->len - 1,
		            AB_RAW_NONE, ab_sql_text_pos(text, placeholder->start),
		            &part->params[part->n_params]))
			part->n_params++;
		else
			ok = false;
	}
	return ok;
}

/* A parameter as the engine writes it: `?` or `$1`. Its length. */
static size_t write_param(enum ab_sql_dialect dialect, size_t index, char *buf, size_t size)
{
	if (dialect == AB_SQL_SQLITE)
		return (size_t)snprintf(buf, size, "?");
	return (size_t)snprintf(buf, size, "$%zu", index + 1);
}

/* The statement with the engine's parameters for the placeholders; malloc'ed. */
static char *positional(const struct ab_sql_text *text, const struct ab_sql_scan *scan,
        enum ab_sql_dialect dialect, size_t *ret_len)
{
	char *sql = malloc(scan->end - scan->start + scan->count * 8 + 1);
	size_t from = scan->start, len = 0;

	for (size_t i = 0; sql != NULL && i < scan->count; i++) {
		const struct ab_sql_placeholder *placeholder = &scan->placeholders[i];

		memcpy(sql + len, text->text + from, placeholder->start - from);
		len += placeholder->start - from;
		len += write_param(dialect, i, sql + len, 8);
		from = placeholder->start + placeholder->len;
	}
	if (sql != NULL) {
		memcpy(sql + len, text->text + from, scan->end - from);
		len += scan->end - from;
		sql[len] = '\0';
	}
	*ret_len = len;
	return sql;
}

/* What byte of the text an offset in `positional` is; inside a parameter, the placeholder's first. */
static size_t original(const struct ab_sql_scan *scan, enum ab_sql_dialect dialect, size_t offset)
{
	size_t from = scan->start, len = 0;
	char buf[16];

	for (size_t i = 0; i < scan->count; i++) {
		const struct ab_sql_placeholder *placeholder = &scan->placeholders[i];
		size_t before = placeholder->start - from;

		if (offset < len + before)
			break;
		len += before + write_param(dialect, i, buf, sizeof(buf));
		if (offset < len)
			return placeholder->start;
		from = placeholder->start + placeholder->len;
	}
	offset = from + (offset - len);
	return offset < scan->end ? offset : scan->end;
}

static bool compile_check(struct ab_compile *compile, const struct ab_sql_text *text,
        const struct ab_sql_scan *scan, struct ab_sql_statement *statement, struct ab_sql_part *part)
{
	const struct ab_sql_engine *engine = statement->database->engine;
	bool last = part == &statement->parts[statement->n_parts - 1];
	struct ab_sql_check check = {
	        .n_params = scan->count,
	        .named = last && (statement->returns == AB_SQL_ROWS || statement->returns == AB_SQL_ROW),
	        .writes = compile->writes || scan->writes,
	};
	struct ab_sql_checked checked = {0};
	struct ab_error err;
	size_t offset = 0;
	char *sql = positional(text, scan, engine->dialect, &check.len);
	bool ok;

	if (sql == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return false;
	}
	check.text = sql;
	ok = engine->check(statement->database->base, &check, &checked, &offset, &err);
	free(sql);
	if (!ok) {
		ab_diag(compile->diags, ab_sql_text_pos(text, original(scan, engine->dialect, offset)), "%s",
		        err.text);
		return false;
	}
	part->checked = checked.statement;
	statement->writes |= checked.writes;
	if (checked.selects || !last || statement->returns == AB_SQL_COUNT ||
	        ab_conf_get(compile->map, "returns") == NULL)
		return true;
	ab_diag(compile->diags, ab_conf_get(compile->map, "returns")->pos,
	        "this statement gives no rows; expected RETURNING in it, or `returns: count`");
	return false;
}

/* One line, blanks run together, cut where it gets long. */
static char *label_of(const struct ab_sql_text *text, const struct ab_sql_scan *scan)
{
	char label[LABEL_BYTES + 1];
	size_t len = 0;
	bool blank = false;

	for (size_t i = scan->start; i < scan->end; i++) {
		char c = text->text[i];

		if (c == ' ' || (c >= '\t' && c <= '\r')) {
			blank = true;
			continue;
		}
		/* A character that does not fit is left out whole. */
		if (len + ((c & 0xc0) == 0x80 ? 1 : 5) > LABEL_BYTES)
			break;
		if (blank)
			label[len++] = ' ';
		blank = false;
		label[len++] = c;
	}
	return strndup(label, len);
}

/* Several are told apart by semicolons, as many as fit on the line. */
static bool label_add(
        struct ab_sql_statement *statement, const struct ab_sql_text *text, const struct ab_sql_scan *scan)
{
	char *label = label_of(text, scan), *both = NULL;

	if (label == NULL || statement->label == NULL) {
		statement->label = label;
		return label != NULL;
	}
	if (strlen(statement->label) + strlen(label) + 2 > LABEL_BYTES) {
		free(label);
		return true;
	}
	if (asprintf(&both, "%s; %s", statement->label, label) < 0)
		both = NULL;
	free(label);
	free(statement->label);
	statement->label = both;
	return both != NULL;
}

static bool compile_scanned(struct ab_compile *compile, const struct ab_sql_text *text,
        const struct ab_sql_scan *scan, struct ab_sql_statement *statement, struct ab_sql_part *part)
{
	const char *refused =
	        refused_word(statement->database->engine->dialect, text->text + scan->start, scan->word_len);

	if (refused != NULL) {
		ab_diag(compile->diags, ab_sql_text_pos(text, scan->start), "%.*s: %s", (int)scan->word_len,
		        text->text + scan->start, refused);
		return false;
	}
	if (scan->end == 0) {
		ab_diag(compile->diags, ab_sql_text_pos(text, 0), "`sql` without a statement");
		return false;
	}
	if (!compile_params(compile, text, scan, part) ||
	        !compile_check(compile, text, scan, statement, part))
		return false;
	if (label_add(statement, text, scan))
		return true;
	ab_diag(compile->diags, compile->value->pos, "out of memory");
	return false;
}

/* One statement in `text` as part of the resource's. False after mistakes. */
static bool compile_part(struct ab_compile *compile, const struct ab_sql_text *text, bool whole,
        struct ab_sql_statement *statement, struct ab_sql_part *part)
{
	struct scanning scanning = {.compile = compile, .text = text};
	enum ab_sql_dialect dialect = AB_SQL_SQLITE;
	struct ab_sql_scan scan;
	bool ok;

	if (statement->database != NULL)
		dialect = statement->database->engine->dialect;
	if (ab_sql_scan(dialect, text->text, text->len, scanning_on_mistake, &scanning, &scan) != AB_OK) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		ok = false;
	} else {
		ok = whole && !scanning.mistaken && compile_scanned(compile, text, &scan, statement, part);
	}
	ab_sql_scan_fini(&scan);
	return ok;
}

/* What the worker needs to run it. */
static bool compile_ends(struct ab_compile *compile, struct ab_sql_statement *statement)
{
	const struct ab_database *database = statement->database;

	statement->timeout_ms = compile->timeout_ms != 0 ? compile->timeout_ms : database->timeout_ms;
	statement->timeouts = ab_deadlines_queue(compile->env->deadlines, statement->timeout_ms);
	statement->end = database->engine->attach(database->base, compile->env);
	if (statement->timeouts != NULL && statement->end != NULL)
		return true;
	ab_diag(compile->diags, compile->value->pos, "out of memory");
	return false;
}

/* A statement of `n` parts without its parts, and whether all else of it is whole; NULL without memory. */
static struct ab_sql_statement *compile_whole(struct ab_compile *compile, size_t n, bool *ret_whole)
{
	struct ab_sql_statement *statement = calloc(1, sizeof(*statement) + n * sizeof(statement->parts[0]));

	if (statement == NULL) {
		ab_diag(compile->diags, compile->value->pos, "out of memory");
		return NULL;
	}
	statement->n_parts = n;
	statement->writes = compile->writes;
	statement->database = compile_database(compile);
	*ret_whole = compile_returns(compile, &statement->returns) && statement->database != NULL;
	return statement;
}

/* All statements, from their texts; the resource's config, or false after mistakes. */
static bool compile_items(struct ab_compile *compile, const struct ab_conf *const *items, size_t n)
{
	struct ab_sql_statement *statement;
	bool whole, ok = true;

	statement = compile_whole(compile, n, &whole);
	for (size_t i = 0; statement != NULL && i < n; i++) {
		struct ab_sql_text text;

		if (!compile_text(compile, items[i], &text)) {
			ok = false;
			continue;
		}
		ok &= compile_part(compile, &text, whole, statement, &statement->parts[i]);
		ab_sql_text_fini(&text);
	}
	if (statement == NULL || !ok || !compile_ends(compile, statement)) {
		ab_sql_statement_free(statement);
		return false;
	}
	compile->resource->config = statement;
	compile->writes |= statement->writes;
	compile->timeout_ms = statement->timeout_ms;
	compile->resource->writes = compile->writes;
	compile->resource->timeout_ms = compile->timeout_ms;
	return true;
}

static bool compile_sql(struct ab_compile *compile)
{
	return compile_items(compile, &compile->value, 1);
}

static bool compile_transaction(struct ab_compile *compile)
{
	const struct ab_conf *list = compile->value;

	if (!ab_conf_want(list, AB_CONF_LIST, "`transaction`", compile->diags))
		return false;
	if (list->u.list.count >= 1 && list->u.list.count <= MAX_PARTS)
		return compile_items(compile, list->u.list.items, list->u.list.count);
	ab_diag(compile->diags, list->pos, "`transaction` of %zu statements; expected 1 to %d",
	        list->u.list.count, MAX_PARTS);
	return false;
}

void ab_sql_statement_free(void *config)
{
	struct ab_sql_statement *statement = config;

	if (statement == NULL)
		return;
	for (size_t i = 0; i < statement->n_parts; i++) {
		for (size_t j = 0; j < statement->parts[i].n_params; j++)
			ab_ref_fini(&statement->parts[i].params[j]);
		free(statement->parts[i].params);
	}
	free(statement->label);
	free(statement);
}

static void describe_sql(const void *config, char *buf, size_t size)
{
	const struct ab_sql_statement *statement = config;

	snprintf(buf, size, "%s: %s", statement->database->name, statement->label);
}

static void sql_start(struct ab_call *call)
{
	const struct ab_sql_statement *statement = call->resource->config;

	if (!ab_sql_follows(call))
		statement->database->engine->start(call);
}

static void sql_cancel(struct ab_call *call)
{
	const struct ab_sql_statement *statement = call->resource->config;

	statement->database->engine->cancel(call);
}

static const struct ab_handler sql_handler = {
        .kind = "sql",
        .start = sql_start,
        .cancel = sql_cancel,
        .free = ab_sql_statement_free,
};

const struct ab_kind ab_kind_sql = {
        .name = "sql",
        .keys = (const char *const[]){"returns", "database", NULL},
        .handler = &sql_handler,
        .compile = compile_sql,
        .describe = describe_sql,
};

/* Several statements as one: all or nothing, and the last one's rows are the value. */
const struct ab_kind ab_kind_transaction = {
        .name = "transaction",
        .keys = (const char *const[]){"returns", "database", NULL},
        .handler = &sql_handler,
        .compile = compile_transaction,
        .describe = describe_sql,
};
