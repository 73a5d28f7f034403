/* handlers/path.c: paths into values. A compiled path is one allocation: its steps, then the text the keys
 * point into. */
#include "path.h"

#include "json.h"

#include <string.h>

enum { PATH_MAX_STEPS = 32, PATH_MAX_INDEX = 1000000000 };

struct path_parser {
	const char *text;
	size_t len;
	size_t at;
	struct ab_step steps[PATH_MAX_STEPS]; /* keys point into `text` */
	size_t count;
	struct ab_error *err;
};

/* Keys as they are found in JSON that people name by hand. What would be mistaken for a part of a
 * placeholder's own syntax is left out. */
static bool path_key_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-' || c == '$' || c == '@' || c >= 0x80;
}

static enum ab_code path_error(const struct path_parser *p, const char *what)
{
	return ab_error_set(p->err, AB_EINVALID, "path '%.*s', character %zu: %s",
	        (int)(p->len > 100 ? 100 : p->len), p->text, p->at + 1, what);
}

static enum ab_code path_parse_key(struct path_parser *p, struct ab_step *step)
{
	size_t start = ++p->at;

	while (p->at < p->len && path_key_byte((unsigned char)p->text[p->at]))
		p->at++;
	if (p->at == start)
		return path_error(p, "expected a name after '.', as in x.name");
	*step = (struct ab_step){.type = AB_STEP_KEY, .key = p->text + start, .key_len = p->at - start};
	return AB_OK;
}

static enum ab_code path_parse_index(struct path_parser *p, struct ab_step *step)
{
	size_t start = ++p->at;
	size_t index = 0;

	*step = (struct ab_step){.type = AB_STEP_INDEX};
	if (p->at < p->len && p->text[p->at] == '*') {
		step->type = AB_STEP_ALL;
		p->at++;
	} else {
		while (p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9' &&
		        index < PATH_MAX_INDEX)
			index = index * 10 + (size_t)(p->text[p->at++] - '0');
		if (p->at == start)
			return path_error(p, "expected a number from 0 up, or *, in [ ]");
		if (index >= PATH_MAX_INDEX)
			return path_error(p, "this number is too large for an index");
		step->index = index;
	}
	if (p->at >= p->len || p->text[p->at] != ']')
		return path_error(p, "expected ']', as in items[0] or items[*]");
	p->at++;
	return AB_OK;
}

static enum ab_code path_parse(struct path_parser *p)
{
	enum ab_code rc;

	while (p->at < p->len) {
		if (p->count == PATH_MAX_STEPS)
			return path_error(p, "more than 32 steps");
		if (p->text[p->at] == '.')
			rc = path_parse_key(p, &p->steps[p->count]);
		else if (p->text[p->at] == '[')
			rc = path_parse_index(p, &p->steps[p->count]);
		else
			rc = path_error(p, "expected '.', '[' or the end");
		if (rc != AB_OK)
			return rc;
		p->count++;
	}
	return AB_OK;
}

enum ab_code ab_path_compile(const char *text, size_t len, struct ab_path *ret_path, struct ab_error *err)
{
	struct path_parser p = {.text = text, .len = len, .err = err};
	struct ab_path path = {0};
	enum ab_code rc;
	char *copy;

	if (!ab_utf8_valid(text, len))
		return ab_error_set(err, AB_EINVALID, "a path that is not UTF-8");
	rc = path_parse(&p);
	if (rc != AB_OK)
		return rc;
	if (p.count > 0) {
		path.steps = malloc(p.count * sizeof(*path.steps) + len + 1);
		if (path.steps == NULL)
			return ab_error_set(err, AB_ENOMEM, "out of memory");
		copy = (char *)(path.steps + p.count);
		memcpy(copy, text, len);
	}
	for (size_t i = 0; i < p.count; i++) {
		path.steps[i] = p.steps[i];
		path.collects |= p.steps[i].type == AB_STEP_ALL;
		if (p.steps[i].type == AB_STEP_KEY) {
			path.steps[i].key = copy + (p.steps[i].key - text);
			copy[p.steps[i].key - text + (ptrdiff_t)p.steps[i].key_len] = '\0';
		}
	}
	path.count = p.count;
	*ret_path = path;
	return AB_OK;
}

void ab_path_fini(struct ab_path *path)
{
	free(path->steps);
	*path = (struct ab_path){0};
}

/* From step `from` to the first AB_STEP_ALL or the end; *ret_stopped is where it stopped. NULL when missing.
 */
static json_t *path_walk(const struct ab_path *path, size_t from, json_t *value, size_t *ret_stopped)
{
	size_t i;

	for (i = from; value != NULL && i < path->count; i++) {
		const struct ab_step *step = &path->steps[i];

		if (step->type == AB_STEP_KEY)
			value = json_object_getn(value, step->key, step->key_len);
		else if (step->type == AB_STEP_INDEX)
			value = json_array_get(value, step->index);
		else
			break;
	}
	*ret_stopped = i;
	return value;
}

/* Append what the steps from `from` on lead to; `from` is at an AB_STEP_ALL, `list` the value it applies to.
 * The depth is that of the path. */
static bool path_collect(const struct ab_path *path, size_t from, json_t *list, json_t *result)
{
	size_t stopped;

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *value = path_walk(path, from + 1, json_array_get(list, i), &stopped);

		if (value == NULL)
			continue;
		if (stopped < path->count) {
			if (!path_collect(path, stopped, value, result))
				return false;
		} else if (json_array_append(result, value) != 0) {
			return false;
		}
	}
	return true;
}

static void path_decref(void *value)
{
	json_decref(value);
}

json_t *ab_path_get(const struct ab_path *path, json_t *root, struct ab_arena *arena)
{
	size_t stopped;
	json_t *value = path_walk(path, 0, root, &stopped);
	json_t *result;

	if (value == NULL || stopped == path->count)
		return value;
	if (!json_is_array(value))
		return NULL;
	result = json_array();
	if (result == NULL)
		return NULL;
	if (!path_collect(path, stopped, value, result)) {
		json_decref(result);
		return NULL;
	}
	return ab_arena_defer(arena, path_decref, result) ? result : NULL;
}
