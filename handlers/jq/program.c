/* handlers/jq/program.c: the programs of the process, and what libjq says of them.
 *
 *     . as [$a,$b]|null|(            the names are bound to the needs, and then there is no input
 *     the filter, untouched
 *     )                              on a line of its own: the filter may end with a comment */
#include "program.h"

#include "runner.h"

#include <pthread.h>
#include <string.h>

struct ab_jq_programs {
	pthread_mutex_t lock;
	struct ab_jq_program *first, *last; /* under the lock */
	size_t count;                       /* under the lock */
};

struct ab_jq_programs *ab_jq_programs_create(void)
{
	struct ab_jq_programs *programs = calloc(1, sizeof(*programs));

	if (programs != NULL)
		pthread_mutex_init(&programs->lock, NULL);
	return programs;
}

void ab_jq_names_free(struct ab_jq_name *names, size_t count)
{
	for (size_t i = 0; names != NULL && i < count; i++) {
		for (size_t k = 0; k < names[i].n_fields; k++)
			free(names[i].fields[k]);
		free(names[i].fields);
		free(names[i].name);
	}
	free(names);
}

/* False without memory; what is there then can be freed. */
static bool name_copy(struct ab_jq_name *to, const struct ab_jq_name *from)
{
	to->whole = from->whole;
	to->name = strdup(from->name);
	if (to->name == NULL || from->whole)
		return to->name != NULL;
	to->fields = calloc(from->n_fields + 1, sizeof(*to->fields));
	while (to->fields != NULL && to->n_fields < from->n_fields) {
		to->fields[to->n_fields] = strdup(from->fields[to->n_fields]);
		if (to->fields[to->n_fields] == NULL)
			return false;
		to->n_fields++;
	}
	return to->fields != NULL;
}

static void program_free(struct ab_jq_program *program)
{
	ab_jq_names_free(program->names, program->n_names);
	free(program->text);
	if (program->spare != NULL)
		jq_teardown(&program->spare);
	free(program);
}

void ab_jq_programs_destroy(struct ab_jq_programs *programs)
{
	struct ab_jq_program *program;

	if (programs == NULL)
		return;
	while ((program = programs->first) != NULL) {
		programs->first = program->next;
		program_free(program);
	}
	pthread_mutex_destroy(&programs->lock);
	free(programs);
}

/* ---- what libjq says ---- */

struct hearing {
	const char *text; /* as libjq reads it */
	size_t prefix;    /* bytes of it before the filter */
	size_t len;       /* of the filter */
	ab_jq_mistake_cb mistake;
	void *arg;
};

/* Where line `number` (from 1) of a text begins. */
static size_t line_start(const char *text, size_t number)
{
	const char *at = text;

	while (number-- > 1) {
		const char *end = strchr(at, '\n');

		if (end == NULL)
			break;
		at = end + 1;
	}
	return (size_t)(at - text);
}

/* " at <top-level>, line 2:\nLINE   ": the line again, then as many blanks as there are bytes in front of the
 * spot. jq 1.8 says "line 2, column 5:". */
static size_t hear_offset(const struct hearing *hearing, const char *where)
{
	size_t start, offset, column = 0, line = strtoul(where, NULL, 10);
	const char *comma = strstr(where, ", column "), *shown = strstr(where, ":\n");

	start = line_start(hearing->text, line);
	if (comma != NULL && (shown == NULL || comma < shown)) {
		column = strtoul(comma + strlen(", column "), NULL, 10);
		column -= column > 0;
	} else if (shown != NULL) {
		size_t shown_len = strlen(shown + 2), own = strcspn(hearing->text + start, "\n");

		column = shown_len > own ? shown_len - own : 0;
	}
	offset = start + column;
	offset = offset > hearing->prefix ? offset - hearing->prefix : 0;
	return offset < hearing->len ? offset : hearing->len;
}

/* Put words of ours for the parser's. */
static void plain_words(char *what, size_t size)
{
	static const struct {
		const char *theirs, *ours;
	} words[] = {
	        {" (Unix shell quoting issues?)", ""},
	        {"INVALID_CHARACTER", "this character"},
	        {"QQSTRING_START", "a string"},
	        {"QQSTRING_TEXT", "text"},
	        {"QQSTRING_INTERP_START", "\\("},
	        {"QQSTRING_INTERP_END", "')'"},
	        {"QQSTRING_END", "the end of the string"},
	        {"BINDING", "$name"},
	        {"IDENT", "a name"},
	        {"FIELD", "a .field"},
	        {"LITERAL", "a number"},
	        {"FORMAT", "a @format"},
	        {"$end", "the end"},
	};
	char *at;

	for (size_t i = 0; i < AB_COUNT(words); i++)
		while ((at = strstr(what, words[i].theirs)) != NULL) {
			char *rest = strdup(at + strlen(words[i].theirs));

			snprintf(at, size - (size_t)(at - what), "%s%s", words[i].ours,
			        rest != NULL ? rest : "");
			free(rest);
		}
}

/* "jq: error: WHAT at <top-level>, line 1:\n..."; the count of errors at the end says nothing. */
static void hear(void *arg, jv value)
{
	static const char place[] = " at <top-level>, line ";
	const struct hearing *hearing = arg;
	jv message = jq_format_error(value);
	const char *text = jv_get_kind(message) == JV_KIND_STRING ? jv_string_value(message) : "";
	const char *where = strstr(text, place), *end;
	char what[300];

	if (strncmp(text, "jq: error: ", 11) == 0)
		text += 11;
	end = where != NULL ? where : text + strcspn(text, "\n");
	snprintf(what, sizeof(what), "%.*s", (int)(end - text), text);
	if (strncmp(what, "$*label-", 8) == 0) {
		char label[100];

		snprintf(label, sizeof(label), "%.*s", (int)strcspn(what + 8, " "), what + 8);
		snprintf(what, sizeof(what), "break $%s: there is no label $%s around it", label, label);
	}
	if (strncmp(what, "syntax error", 12) == 0) /* in others, names are the filter's */
		plain_words(what, sizeof(what));
	if (hearing->mistake != NULL && (where != NULL || strncmp(text, "jq: ", 4) != 0))
		hearing->mistake(
		        hearing->arg, where != NULL ? hear_offset(hearing, where + strlen(place)) : 0, what);
	jv_free(message);
}

/* ---- compiling ---- */

/* Compiled, or NULL after reporting. */
static struct jq_state *compile(const struct hearing *hearing)
{
	struct hearing copy = *hearing;
	struct jq_state *jq = jq_init();

	if (jq == NULL)
		return NULL;
	jq_set_error_cb(jq, hear, &copy);
	if (jq_compile(jq, hearing->text) == 0)
		jq_teardown(&jq);
	else
		jq_set_error_cb(jq, NULL, NULL);
	return jq;
}

struct jq_state *ab_jq_compile(const char *text)
{
	return compile(&(struct hearing){.text = text});
}

/* What a user can't write: names that begin with _ are refused. */
static const char time_guard[] =
        "def _ab_time(f):"
        "f as $f|if ($f|type)!=\"string\" or ($f|length)>1000 then error(\"the format of a time is a short string\")"
        " elif type==\"number\" and (.< -1e12 or .>1e12) then error(\"no calendar has this time\")"
        " else . end;"
        "def _ab_strftime(f):strftime(f);"
        "def _ab_strflocaltime(f):strflocaltime(f);"
        "def strftime(f):_ab_time(f)|_ab_strftime(f);"
        "def strflocaltime(f):_ab_time(f)|_ab_strflocaltime(f);"
        "def todateiso8601:strftime(\"%Y-%m-%dT%H:%M:%SZ\");"
        "def todate:todateiso8601;";

/* The filter wrapped; malloc'ed. *ret_prefix: how many bytes come first. */
static char *wrap(const char *text, size_t len, const struct ab_jq_name *names, size_t n_names,
        bool guard_time, size_t *ret_prefix)
{
	char *wrapped = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&wrapped, &size);

	if (out == NULL)
		return NULL;
	if (guard_time)
		fputs(time_guard, out);
	for (size_t i = 0; i < n_names; i++)
		fprintf(out, "%s$%s", i > 0 ? "," : n_names == 1 ? ". as " : ". as [", names[i].name);
	if (n_names > 0)
		fprintf(out, "%s|null|", n_names == 1 ? "" : "]");
	fputc('(', out);
	*ret_prefix = (size_t)ftell(out);
	fwrite(text, 1, len, out);
	fputs("\n)", out);
	if (fclose(out) != 0) {
		free(wrapped);
		return NULL;
	}
	return wrapped;
}

static struct ab_jq_program *program_find(const struct ab_jq_programs *programs, const char *text)
{
	struct ab_jq_program *program = programs->first;

	while (program != NULL && strcmp(program->text, text) != 0)
		program = program->next;
	return program;
}

/* Takes text and spare, also when it fails. */
static struct ab_jq_program *program_create(
        char *text, struct jq_state *spare, const struct ab_jq_name *names, size_t n_names)
{
	struct ab_jq_program *program = calloc(1, sizeof(*program));
	bool ok;

	if (program == NULL) {
		free(text);
		jq_teardown(&spare);
		return NULL;
	}
	program->text = text;
	program->spare = spare;
	program->names = calloc(n_names + 1, sizeof(*program->names));
	ok = program->names != NULL;
	for (size_t i = 0; ok && i < n_names; i++) {
		program->n_names++;
		ok = name_copy(&program->names[i], &names[i]);
	}
	if (ok)
		return program;
	program_free(program);
	return NULL;
}

static void program_add(struct ab_jq_programs *programs, struct ab_jq_program *program)
{
	*(programs->last != NULL ? &programs->last->next : &programs->first) = program;
	programs->last = program;
	program->index = programs->count++;
}

const struct ab_jq_program *ab_jq_program_get(struct ab_jq_programs *programs, const char *text, size_t len,
        const struct ab_jq_name *names, size_t n_names, bool guard_time, ab_jq_mistake_cb mistake, void *arg)
{
	struct hearing hearing = {.len = len, .mistake = mistake, .arg = arg};
	struct ab_jq_program *program;
	char *wrapped = wrap(text, len, names, n_names, guard_time, &hearing.prefix);
	struct jq_state *jq;

	if (wrapped == NULL)
		return NULL;
	hearing.text = wrapped;
	pthread_mutex_lock(&programs->lock);
	program = program_find(programs, wrapped);
	if (program != NULL) {
		free(wrapped);
	} else if ((jq = compile(&hearing)) != NULL) {
		program = program_create(wrapped, jq, names, n_names);
		if (program != NULL)
			program_add(programs, program);
	} else {
		free(wrapped);
	}
	pthread_mutex_unlock(&programs->lock);
	return program;
}

void ab_jq_program_pool(struct ab_jq_programs *programs, const struct ab_jq_program *program)
{
	pthread_mutex_lock(&programs->lock);
	for (struct ab_jq_program *own = programs->first; own != NULL; own = own->next)
		own->pooled |= own == program;
	pthread_mutex_unlock(&programs->lock);
}

/* ---- for runners ---- */

struct jq_state *ab_jq_program_take_spare(
        struct ab_jq_programs *programs, const struct ab_jq_program *program)
{
	struct jq_state *spare = NULL;

	pthread_mutex_lock(&programs->lock);
	for (struct ab_jq_program *own = programs->first; own != NULL; own = own->next) {
		if (own != program)
			continue;
		spare = own->spare;
		own->spare = NULL;
	}
	pthread_mutex_unlock(&programs->lock);
	return spare;
}

const struct ab_jq_program *ab_jq_program_next_pooled(
        struct ab_jq_programs *programs, const struct ab_jq_program *after)
{
	const struct ab_jq_program *program;

	pthread_mutex_lock(&programs->lock);
	program = after != NULL ? after->next : programs->first;
	while (program != NULL && !program->pooled)
		program = program->next;
	pthread_mutex_unlock(&programs->lock);
	return program;
}
