/* handlers/nearest.c: which known name a wrong one was meant to be. For messages only. */
#include "conf.h"

#include <string.h>

enum { NEAREST_MAX = 48 }; /* longer names are not compared */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Edits (insert, delete, change, swap neighbours) that make one of the other; case counts for nothing. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NEAREST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);

			row[j] = smaller(smaller(last[j], row[j - 1]) + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			        lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *ab_nearest(const char *name, const char *const *candidates, size_t count)
{
	size_t len = strlen(name);
	size_t best = len / 3 + 1; /* a third of the letters may be wrong */
	const char *nearest = NULL;

	if (len == 0 || len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]);
		size_t d;

		if (other > NEAREST_MAX || strcmp(name, candidates[i]) == 0)
			continue;
		d = distance(name, len, candidates[i], other);
		if (d < len && d < other && (nearest == NULL ? d <= best : d < best)) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}

const char *ab_did_you_mean(
        const char *name, const char *const *candidates, size_t count, char *buf, size_t size)
{
	const char *nearest = ab_nearest(name, candidates, count);

	if (size == 0)
		return "";
	buf[0] = '\0';
	if (nearest != NULL)
		snprintf(buf, size, "; did you mean '%s'?", nearest);
	return buf;
}

bool ab_is_name(const char *text, size_t len)
{
	if (len == 0 || (text[0] >= '0' && text[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}
