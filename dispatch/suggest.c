/* dispatch/suggest.c: what to say of a name that is not there: the nearest one, and what there is. */
#include "internal.h"

#include <string.h>

enum { NAME_MAX_LEN = 64, LIST_MAX = 20, LIST_MAX_BYTES = 320 };

/* How many letters to insert, drop, change or swap; names beyond NAME_MAX_LEN are not compared. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_LEN + 1];
	size_t len_a = strlen(a), len_b = strlen(b);
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (len_a > NAME_MAX_LEN || len_b > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		last[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t least = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < least)
				least = last[j] + 1;
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			        before[j - 2] + 1 < least)
				least = before[j - 2] + 1;
			row[j] = least;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[len_b];
}

struct suggestion {
	const char *name;
	const char *best;
	size_t distance;
	char list[LIST_MAX_BYTES + NAME_MAX_LEN];
	size_t len;
	size_t listed, more;
};

static void suggest_one(struct suggestion *s, const char *candidate)
{
	size_t distance = edit_distance(s->name, candidate);
	size_t len = strlen(candidate);

	if (distance < s->distance) {
		s->distance = distance;
		s->best = candidate;
	}
	if (s->listed == LIST_MAX || len > NAME_MAX_LEN || s->len + len + 2 > LIST_MAX_BYTES) {
		s->more++;
		return;
	}
	s->len += (size_t)snprintf(
	        s->list + s->len, sizeof(s->list) - s->len, "%s%s", s->len > 0 ? ", " : "", candidate);
	s->listed++;
}

static void suggest_resource(const struct ab_resource *resource, void *arg)
{
	suggest_one(arg, resource->name);
}

static void suggest_names(
        struct suggestion *s, const struct ab_names *names, const struct ab_dispatcher *dispatcher)
{
	for (size_t i = 0; i < names->count; i++)
		if (ab_dispatcher_find(dispatcher, names->list[i]) == NULL)
			suggest_one(s, names->list[i]);
}

void ab_suggest(struct ab_error *err, const char *name, const struct ab_plan_spec *spec)
{
	struct suggestion s = {.name = name, .distance = SIZE_MAX};
	const char *resource;
	size_t limit = strlen(name) / 3 + 1;
	const char *before = "; available:";
	char text[AB_ERROR_TEXT];
	enum ab_code code;

	if (err == NULL)
		return;
	ab_dispatcher_each(spec->dispatcher, suggest_resource, &s);
	suggest_names(&s, &spec->given, spec->dispatcher);
	suggest_names(&s, &spec->acceptable, spec->dispatcher);
	suggest_names(&s, &spec->reserved, spec->dispatcher);
	resource = err->resource;
	code = err->code;
	memcpy(text, err->text, sizeof(text));
	if (s.best != NULL && s.distance <= limit) {
		ab_error_set(err, code, "%s; did you mean '%s'?", text, s.best);
		before = " Available:";
	}
	memcpy(text, err->text, sizeof(text));
	if (s.more > 0)
		ab_error_set(err, code, "%s%s %s and %zu more", text, before, s.list, s.more);
	else
		ab_error_set(err, code, "%s%s %s", text, before, s.listed > 0 ? s.list : "nothing");
	err->resource = resource;
}
