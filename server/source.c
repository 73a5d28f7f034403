/* server/source.c: the app file, and the files it includes. Each file is read once, whichever way it is
 * named, so includes in a circle end. */
#include "conf_tree.h"
#include "module.h"
#include "source_check.h"

#include <glob.h>
#include <string.h>
#include <sys/stat.h>

struct source {
	struct ab_source public;
	struct ab_conf_tree *tree;
	char *file, *dir; /* what the public ones point to */
	dev_t device;
	ino_t inode;
	bool known; /* device and inode are */
	bool is_module;
	struct ab_module *module; /* NULL when it could not be loaded */
};

struct ab_sources {
	struct source *list[AB_MAX_SOURCES];
	size_t count;
};

static void source_free(struct source *source)
{
	if (source == NULL)
		return;
	ab_conf_tree_destroy(source->tree);
	ab_module_free(source->module);
	free(source->public.includes);
	free(source->file);
	free(source->dir);
	free(source);
}

void ab_sources_destroy(struct ab_sources *sources)
{
	if (sources == NULL)
		return;
	for (size_t i = 0; i < sources->count; i++)
		source_free(sources->list[i]);
	free(sources);
}

static struct source *source_create(const char *file)
{
	struct source *source = calloc(1, sizeof(*source));
	const char *slash = strrchr(file, '/');
	struct stat st;

	if (source == NULL)
		return NULL;
	source->file = strdup(file);
	source->dir = slash == NULL ? strdup(".") : strndup(file, slash == file ? 1 : (size_t)(slash - file));
	if (source->file == NULL || source->dir == NULL) {
		source_free(source);
		return NULL;
	}
	source->public.file = source->file;
	source->public.dir = source->dir;
	if (stat(file, &st) == 0) {
		source->known = true;
		source->device = st.st_dev;
		source->inode = st.st_ino;
	}
	return source;
}

static struct source *source_same(const struct ab_sources *sources, const struct source *as)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct source *other = sources->list[i];

		if (as->known && other->known ? as->device == other->device && as->inode == other->inode
		                              : strcmp(as->file, other->file) == 0)
			return other;
	}
	return NULL;
}

/* Read the file's text into source->public.root. `from`: where it is included, or file == NULL for the app
 * file. */
static void source_read(struct source *source, struct ab_pos from, struct ab_diags *diags)
{
	struct ab_pos start = {source->file, 1, 1};
	char why[128] = "", is[80];
	const struct ab_conf *root;
	size_t len;
	char *text = ab_read_text(source->file, AB_APP_MAX_BYTES, &len, why, sizeof(why));

	if (text == NULL) {
		if (from.file == NULL)
			ab_diag(diags, start, "cannot read the app file: %s", why);
		else
			ab_diag(diags, from, "cannot include %s: %s", source->file, why);
		return;
	}
	root = ab_yaml_read(source->file, source->dir, text, len, &source->tree, diags);
	free(text);
	if (root == NULL)
		return;
	if (root->type == AB_CONF_MAP)
		source->public.root = root;
	else if (!root->refused)
		ab_diag(diags, root->pos, "the file is %s; expected a mapping with resources and routes",
		        ab_conf_describe(root, is, sizeof(is)));
}

/* Load the module into source->public.root. False when out of memory. */
static bool source_load(struct source *source, struct ab_pos from, struct ab_diags *diags)
{
	source->is_module = true;
	source->module = ab_module_load(source->file, from, diags);
	if (source->module == NULL)
		return true;
	source->public.module = source->module;
	source->public.root = ab_module_tree(source->module, &source->tree, diags);
	return source->public.root != NULL;
}

/* Bring in one file, or module, that `by` includes, unless it is there. False when out of memory. */
static bool include_file(struct ab_sources *sources, struct source *by, const char *file, bool module,
        struct ab_pos pos, struct ab_diags *diags)
{
	struct source *source = source_create(file), *same;
	struct ab_source **more;

	if (source == NULL)
		return false;
	same = source_same(sources, source);
	if (same != NULL) {
		source_free(source);
		source = same;
	} else if (sources->count == AB_MAX_SOURCES) {
		source_free(source);
		ab_diag(diags, pos, "more than %d files", AB_MAX_SOURCES);
		return true;
	} else {
		source->public.index = sources->count;
		sources->list[sources->count++] = source;
		if (!module)
			source_read(source, pos, diags);
		else if (!source_load(source, pos, diags))
			return false;
	}
	if (source == by)
		return true;
	for (size_t i = 0; i < by->public.n_includes; i++)
		if (by->public.includes[i] == &source->public)
			return true;
	more = reallocarray(by->public.includes, by->public.n_includes + 1, sizeof(struct ab_source *));
	if (more == NULL)
		return false;
	by->public.includes = more;
	more[by->public.n_includes++] = &source->public;
	return true;
}

/* The pattern with its folder in front, in which nothing is a pattern. */
static char *full_pattern(const char *dir, const char *pattern, bool escape)
{
	size_t len = strlen(dir), n = 0;
	char *full = malloc(2 * len + strlen(pattern) + 2);

	if (full == NULL)
		return NULL;
	if (pattern[0] != '/' && strcmp(dir, ".") != 0) {
		for (size_t i = 0; i < len; i++) {
			if (escape && strchr("*?[]\\", dir[i]) != NULL)
				full[n++] = '\\';
			full[n++] = dir[i];
		}
		if (n > 0 && full[n - 1] != '/')
			full[n++] = '/';
	}
	memcpy(full + n, pattern, strlen(pattern) + 1);
	return full;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool include_matches(struct ab_sources *sources, struct source *by, const struct ab_conf *entry,
        const char *pattern, bool module, struct ab_diags *diags)
{
	glob_t found;
	bool ok = true;
	int rc = glob(pattern, GLOB_NOSORT, NULL, &found);

	if (rc == GLOB_NOSPACE)
		return false;
	if (rc != 0) {
		ab_diag(diags, entry->pos, "the pattern %s matches no file; expected at least one",
		        entry->u.string.text);
		return true;
	}
	qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), by_bytes);
	for (size_t i = 0; ok && i < found.gl_pathc; i++)
		ok = include_file(sources, by, found.gl_pathv[i], module, entry->pos, diags);
	globfree(&found);
	return ok;
}

static bool include_entry(
        struct ab_sources *sources, struct source *by, const struct ab_conf *entry, struct ab_diags *diags)
{
	const char *text = ab_conf_string(entry, "a file under include", diags);
	bool pattern, ok;
	char *full;

	if (text == NULL)
		return true;
	if (text[0] == '\0') {
		ab_diag(diags, entry->pos, "an empty name under include; expected a file or a pattern");
		return true;
	}
	pattern = strpbrk(text, "*?[") != NULL;
	full = full_pattern(by->dir, text, pattern);
	if (full == NULL)
		return false;
	ok = pattern ? include_matches(sources, by, entry, full, false, diags)
	             : include_file(sources, by, full, false, entry->pos, diags);
	free(full);
	return ok;
}

static bool include_all(struct ab_sources *sources, struct source *by, struct ab_diags *diags)
{
	const struct ab_conf *list = ab_conf_get(by->public.root, "include");
	char is[80];

	if (list == NULL || list->refused)
		return true;
	if (list->type != AB_CONF_LIST) {
		ab_diag(diags, list->pos,
		        "include is %s; expected a list, as in include: [users.yaml, parts/*.yaml]",
		        ab_conf_describe(list, is, sizeof(is)));
		return true;
	}
	for (size_t i = 0; i < list->u.list.count; i++)
		if (!include_entry(sources, by, list->u.list.items[i], diags))
			return false;
	return true;
}

static bool module_entry(
        struct ab_sources *sources, struct source *by, const struct ab_conf *entry, struct ab_diags *diags)
{
	const char *text = ab_conf_string(entry, "a module under modules", diags);
	bool pattern, ok;
	char *full;

	if (text == NULL)
		return true;
	if (text[0] == '\0') {
		ab_diag(diags, entry->pos, "an empty name under modules; expected a shared object");
		return true;
	}
	pattern = strpbrk(text, "*?[") != NULL;
	full = full_pattern(by->dir, text, pattern);
	if (full == NULL)
		return false;
	ok = pattern ? include_matches(sources, by, entry, full, true, diags)
	             : include_file(sources, by, full, true, entry->pos, diags);
	free(full);
	return ok;
}

static bool modules_all(struct ab_sources *sources, struct source *by, struct ab_diags *diags)
{
	const struct ab_conf *list = ab_conf_get(by->public.root, "modules");
	char is[80];

	if (list == NULL || list->refused)
		return true;
	if (list->type != AB_CONF_LIST) {
		ab_diag(diags, list->pos, "modules is %s; expected a list, as in modules: [build/greet.so]",
		        ab_conf_describe(list, is, sizeof(is)));
		return true;
	}
	for (size_t i = 0; i < list->u.list.count; i++)
		if (!module_entry(sources, by, list->u.list.items[i], diags))
			return false;
	return true;
}

struct ab_sources *ab_sources_load(const char *file, struct ab_diags *diags)
{
	struct ab_sources *sources = calloc(1, sizeof(*sources));
	struct source *top = source_create(file);

	if (sources == NULL || top == NULL) {
		free(sources);
		source_free(top);
		return NULL;
	}
	sources->list[sources->count++] = top;
	source_read(top, (struct ab_pos){0}, diags);
	/* Files found on the way join the end of the list, and have their turn. */
	for (size_t i = 0; i < sources->count; i++) {
		if (!include_all(sources, sources->list[i], diags) ||
		        !modules_all(sources, sources->list[i], diags)) {
			ab_sources_destroy(sources);
			return NULL;
		}
	}
	for (size_t i = 0; i < sources->count; i++)
		ab_source_check(&sources->list[i]->public, i == 0, diags);
	return sources;
}

const struct ab_source *ab_sources_top(const struct ab_sources *sources)
{
	return &sources->list[0]->public;
}

bool ab_sources_incomplete(const struct ab_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		if (sources->list[i]->is_module && sources->list[i]->module == NULL)
			return true;
	return false;
}

size_t ab_sources_count(const struct ab_sources *sources)
{
	return sources->count;
}

const struct ab_source *ab_sources_at(const struct ab_sources *sources, size_t index)
{
	return &sources->list[index]->public;
}
