/* server/source_check.c: see source_check.h. */
#include "source_check.h"

#include <string.h>

struct visit {
	bool seen[AB_MAX_SOURCES];
};

static bool visit_begin(struct visit *visit, const struct ab_source *source)
{
	if (visit->seen[source->index])
		return false;
	visit->seen[source->index] = true;
	return true;
}

static const struct ab_conf *section_of(const struct ab_source *source, const char *section)
{
	const struct ab_conf *map = ab_conf_get(source->root, section);

	return map != NULL && map->type == AB_CONF_MAP ? map : NULL;
}

/* ---- looking names up ---- */

/* Includes nest as deep as there are files, of which there are few. */
static const struct ab_conf_pair *find(struct visit *visit, const struct ab_source *from, const char *section,
        const char *name, const struct ab_source **ret_source)
{
	const struct ab_conf_pair *pair;

	if (!visit_begin(visit, from))
		return NULL;
	pair = ab_conf_pair(section_of(from, section), name);
	if (pair != NULL) {
		if (ret_source != NULL)
			*ret_source = from;
		return pair;
	}
	for (size_t i = 0; i < from->n_includes; i++) {
		pair = find(visit, from->includes[i], section, name, ret_source);
		if (pair != NULL)
			return pair;
	}
	return NULL;
}

const struct ab_conf_pair *ab_source_find(const struct ab_source *from, const char *section, const char *name,
        const struct ab_source **ret_source)
{
	struct visit visit = {0};

	return find(&visit, from, section, name, ret_source);
}

static void each(struct visit *visit, const struct ab_source *from, const char *section,
        void (*fn)(void *arg, const struct ab_source *source, const struct ab_conf_pair *pair), void *arg)
{
	const struct ab_conf *map;

	if (!visit_begin(visit, from))
		return;
	map = section_of(from, section);
	for (size_t i = 0; map != NULL && i < map->u.map.count; i++)
		fn(arg, from, &map->u.map.pairs[i]);
	for (size_t i = 0; i < from->n_includes; i++)
		each(visit, from->includes[i], section, fn, arg);
}

void ab_source_each(const struct ab_source *from, const char *section,
        void (*fn)(void *arg, const struct ab_source *source, const struct ab_conf_pair *pair), void *arg)
{
	struct visit visit = {0};

	each(&visit, from, section, fn, arg);
}

/* ---- names that two includes define ---- */

struct definition {
	const struct ab_conf_pair *pair;
	size_t include; /* through which include it is seen */
	size_t order;
};

struct definitions {
	struct definition *list;
	size_t count, size;
	size_t include;
	bool failed;
};

static void definition_add(void *arg, const struct ab_source *source, const struct ab_conf_pair *pair)
{
	struct definitions *all = arg;

	(void)source;
	if (all->count == all->size) {
		size_t size = all->size == 0 ? 64 : 2 * all->size;
		struct definition *list = all->failed ? NULL : reallocarray(all->list, size, sizeof(*list));

		if (list == NULL) {
			all->failed = true;
			return;
		}
		all->list = list;
		all->size = size;
	}
	all->list[all->count] = (struct definition){pair, all->include, all->count};
	all->count++;
}

static int definition_compare(const void *a, const void *b)
{
	const struct definition *x = a, *y = b;
	int by_name = strcmp(x->pair->key, y->pair->key);

	if (by_name != 0)
		return by_name;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* One name's definitions, in the order of the search: the first of each include counts. */
static void check_name(const struct ab_source *source, const char *what, const struct definition *list,
        size_t count, struct ab_diags *diags)
{
	const struct definition *first = &list[0];
	const struct ab_conf *include = ab_conf_get(source->root, "include");
	const struct ab_conf *modules = ab_conf_get(source->root, "modules");

	for (size_t i = 1; i < count; i++) {
		const struct definition *other = &list[i];

		if (other->include == list[i - 1].include || other->pair == first->pair)
			continue;
		ab_diag(diags, include != NULL ? include->pos : modules->pos,
		        "%s '%.60s' is in two files included here, %s:%u:%u and %s:%u:%u; expected it in one, or in this "
		        "file, which then decides",
		        what, first->pair->key, first->pair->pos.file, first->pair->pos.line,
		        first->pair->pos.column, other->pair->pos.file, other->pair->pos.line,
		        other->pair->pos.column);
		return;
	}
}

static void check_conflicts(
        const struct ab_source *source, const char *section, const char *what, struct ab_diags *diags)
{
	struct definitions all = {0};

	for (size_t i = 0; i < source->n_includes; i++) {
		struct visit visit = {0};

		all.include = i;
		visit_begin(&visit, source);
		each(&visit, source->includes[i], section, definition_add, &all);
	}
	if (all.failed)
		ab_diag(diags, source->root->pos, "out of memory");
	else if (all.count > 1)
		qsort(all.list, all.count, sizeof(*all.list), definition_compare);
	for (size_t i = 0, n = 1; i < all.count && !all.failed; i += n, n = 1) {
		while (i + n < all.count && strcmp(all.list[i + n].pair->key, all.list[i].pair->key) == 0)
			n++;
		if (ab_conf_pair(section_of(source, section), all.list[i].pair->key) == NULL)
			check_name(source, what, all.list + i, n, diags);
	}
	free(all.list);
}

/* ---- form ---- */

/* Letters, digits, '_' and, for what no placeholder names, '-'. */
static bool is_part_name(const char *text)
{
	size_t len = strcspn(text, "-");

	if (!ab_is_name(text, len))
		return false;
	for (; text[len] != '\0'; len++)
		if (text[len] != '-' && text[len] != '_' && !ab_is_name(text + len, 1) &&
		        !(text[len] >= '0' && text[len] <= '9'))
			return false;
	return true;
}

static void check_section(
        const struct ab_source *source, const char *section, const char *what, struct ab_diags *diags)
{
	const struct ab_conf *map = ab_conf_get(source->root, section);

	if (map == NULL || !ab_conf_want(map, AB_CONF_MAP, section, diags))
		return;
	for (size_t i = 0; strcmp(section, "resources") != 0 && i < map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];

		if (!is_part_name(pair->key))
			ab_diag(diags, pair->pos,
			        "'%.60s' can't be the name of %s; expected letters, digits, _ and -",
			        pair->key, what);
	}
}

static void check_keys(const struct ab_source *source, bool top, struct ab_diags *diags)
{
	static const char *const all[] = {"server", "defaults", "upstreams", "databases", "resources",
	        "routes", "errors", "include", "modules", NULL};
	static const char *const included[] = {
	        "defaults", "upstreams", "databases", "resources", "include", "modules", NULL};
	static const char *const top_only[] = {"server", "routes", "errors"};
	const struct ab_conf *root = source->root;

	for (size_t i = 0; i < root->u.map.count; i++) {
		const struct ab_conf_pair *pair = &root->u.map.pairs[i];
		struct ab_conf alone = *root;
		bool elsewhere = false;

		for (size_t k = 0; !top && k < AB_COUNT(top_only); k++)
			elsewhere |= strcmp(pair->key, top_only[k]) == 0;
		alone.u.map.pairs = pair;
		alone.u.map.count = 1;
		if (elsewhere)
			ab_diag(diags, pair->pos,
			        "'%s' in an included file; expected it in the app file itself", pair->key);
		else
			ab_conf_only(&alone, top ? "the app file" : "an included file", top ? all : included,
			        diags);
	}
}

void ab_source_check(const struct ab_source *source, bool top, struct ab_diags *diags)
{
	static const struct {
		const char *section, *what;
	} sections[] = {
	        {"resources", "resource"},
	        {"upstreams", "upstream"},
	        {"databases", "database"},
	};

	if (source->root == NULL)
		return;
	check_keys(source, top, diags);
	for (size_t i = 0; i < AB_COUNT(sections); i++) {
		char what[32];

		snprintf(what, sizeof(what), "%s %s", sections[i].what[0] == 'u' ? "an" : "a",
		        sections[i].what);
		check_section(source, sections[i].section, what, diags);
		check_conflicts(source, sections[i].section, sections[i].what, diags);
	}
}
