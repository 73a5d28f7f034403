/* handlers/diags.c: the list of what is wrong. Lines are made when they are reported, so nothing of the tree
 * is needed to print them. */
#include "conf.h"

#include <string.h>

enum { DIAGS_KEPT = 100 };

struct diag {
	enum ab_severity severity;
	unsigned line, column;
	size_t file_len; /* the line's text begins with the file's name */
	size_t order;
	char *text;
};

struct diag_list {
	struct diag items[DIAGS_KEPT];
	size_t count;
	size_t dropped; /* over the limit, or out of memory */
};

struct ab_diags {
	struct diag_list mistakes, hints;
};

struct ab_diags *ab_diags_create(void)
{
	return calloc(1, sizeof(struct ab_diags));
}

static void list_free(struct diag_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].text);
}

void ab_diags_destroy(struct ab_diags *diags)
{
	if (diags == NULL)
		return;
	list_free(&diags->mistakes);
	list_free(&diags->hints);
	free(diags);
}

/* A line is a line: what came from a file must not break it, nor move a terminal's cursor. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			*text = ' ';
}

static void AB_PRINTF(4, 0) diag_add(
        struct ab_diags *diags, enum ab_severity severity, struct ab_pos pos, const char *fmt, va_list args)
{
	struct diag_list *list = severity == AB_MISTAKE ? &diags->mistakes : &diags->hints;
	const char *file = pos.file != NULL ? pos.file : "?";
	char *what = NULL, *line = NULL;

	if (list->count < DIAGS_KEPT && vasprintf(&what, fmt, args) >= 0) {
		if (asprintf(&line, "%s:%u:%u: %s", file, pos.line, pos.column, what) < 0)
			line = NULL;
		free(what);
	}
	if (line == NULL) {
		list->dropped++;
		return;
	}
	make_printable(line);
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].text, line) == 0) {
			free(line);
			return;
		}
	}
	list->items[list->count] = (struct diag){
	        .severity = severity,
	        .line = pos.line,
	        .column = pos.column,
	        .file_len = strlen(file),
	        .order = list->count,
	        .text = line,
	};
	list->count++;
}

void ab_diag(struct ab_diags *diags, struct ab_pos pos, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	diag_add(diags, AB_MISTAKE, pos, fmt, args);
	va_end(args);
}

void ab_hint(struct ab_diags *diags, struct ab_pos pos, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	diag_add(diags, AB_HINT, pos, fmt, args);
	va_end(args);
}

size_t ab_diags_mistakes(const struct ab_diags *diags)
{
	return diags->mistakes.count + diags->mistakes.dropped;
}

bool ab_diags_full(const struct ab_diags *diags)
{
	return diags->mistakes.count == DIAGS_KEPT;
}

bool ab_diags_at(const struct ab_diags *diags, struct ab_pos pos)
{
	for (size_t i = 0; i < diags->mistakes.count; i++) {
		const struct diag *diag = &diags->mistakes.items[i];

		if (diag->line == pos.line && diag->column == pos.column &&
		        diag->file_len == strlen(pos.file) &&
		        memcmp(diag->text, pos.file, diag->file_len) == 0)
			return true;
	}
	return false;
}

static int diag_compare(const void *a, const void *b)
{
	const struct diag *x = *(struct diag *const *)a, *y = *(struct diag *const *)b;
	size_t shorter = x->file_len < y->file_len ? x->file_len : y->file_len;
	int by_file = memcmp(x->text, y->text, shorter);

	if (by_file != 0)
		return by_file;
	if (x->file_len != y->file_len)
		return x->file_len < y->file_len ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity < y->severity ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void say_dropped(size_t dropped, enum ab_severity severity, const char *what,
        void (*fn)(void *arg, enum ab_severity severity, const char *line), void *arg)
{
	char line[64];

	if (dropped == 0)
		return;
	snprintf(line, sizeof(line), "and %zu more %s%s", dropped, what, dropped == 1 ? "" : "s");
	fn(arg, severity, line);
}

void ab_diags_each(
        struct ab_diags *diags, void (*fn)(void *arg, enum ab_severity severity, const char *line), void *arg)
{
	struct diag *all[2 * DIAGS_KEPT];
	size_t count = 0;

	for (size_t i = 0; i < diags->mistakes.count; i++)
		all[count++] = &diags->mistakes.items[i];
	for (size_t i = 0; i < diags->hints.count; i++)
		all[count++] = &diags->hints.items[i];
	qsort(all, count, sizeof(struct diag *), diag_compare);
	for (size_t i = 0; i < count; i++)
		fn(arg, all[i]->severity, all[i]->text);
	say_dropped(diags->mistakes.dropped, AB_MISTAKE, "mistake", fn, arg);
	say_dropped(diags->hints.dropped, AB_HINT, "hint", fn, arg);
}
