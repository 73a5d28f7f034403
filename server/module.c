/* server/module.c: see module.h. */
#include "module.h"

#include "conf_tree.h"

#include <dlfcn.h>
#include <string.h>

/* ---- what the linker gathered ---- */

/* Calls fn for each entry; a linker may leave gaps between the parts of several files. */
static void each(const struct anabranch_listing *listing,
        void (*fn)(void *arg, const struct anabranch_function *function), void *arg)
{
	for (const struct anabranch_function *const *entry = listing->begin; entry < listing->end; entry++)
		if (*entry != NULL)
			fn(arg, *entry);
}

struct visit {
	void (*fn)(void *arg, const struct anabranch_function *call);
	void *arg;
	const char *name;
	const struct anabranch_function *found;
	size_t count;
};

static const char *file_of(const struct anabranch_function *function)
{
	return function->file != NULL ? function->file : "(unknown)";
}

/* Compilers list functions in any order; here it is that of the files. */
static int by_position(const struct anabranch_function *a, const struct anabranch_function *b)
{
	int order = strcmp(file_of(a), file_of(b));

	return order != 0 ? order : a->line < b->line ? -1 : a->line > b->line;
}

static void visit_function(void *arg, const struct anabranch_function *function)
{
	struct visit *visit = arg;

	if (function->how == ANABRANCH_CALLS)
		return;
	visit->count++;
	if (visit->name != NULL && strcmp(function->name, visit->name) == 0 &&
	        (visit->found == NULL || by_position(function, visit->found) < 0))
		visit->found = function;
}

static void visit_call(void *arg, const struct anabranch_function *function)
{
	struct visit *visit = arg;

	if (function->how == ANABRANCH_CALLS)
		visit->fn(visit->arg, function);
}

const struct anabranch_function *ab_module_function(const struct ab_module *module, const char *name)
{
	struct visit visit = {.name = name};

	each(module->listing, visit_function, &visit);
	return visit.found;
}

void ab_module_each_call(const struct ab_module *module,
        void (*fn)(void *arg, const struct anabranch_function *call), void *arg)
{
	struct visit visit = {.fn = fn, .arg = arg};

	each(module->listing, visit_call, &visit);
}

/* ---- loading ---- */

/* Whether what is in the module is what this program knows. */
static bool check_listing(
        const char *path, const struct anabranch_listing *listing, struct ab_pos pos, struct ab_diags *diags)
{
	struct visit visit = {0};

	if (listing == NULL || memcmp(listing->magic, "anabran", 8) != 0) {
		ab_diag(diags, pos,
		        "%s is no module: it has no anabranch_module; expected a file in it that includes <anabranch.h>",
		        path);
		return false;
	}
	if (listing->abi != ANABRANCH_ABI || listing->function_size != sizeof(struct anabranch_function)) {
		ab_diag(diags, pos,
		        "%s was built with the headers of another version (interface %u, this program has %u); "
		        "expected it built again with the headers of this one, in the folder that anabranch --include prints",
		        path, listing->abi, (unsigned)ANABRANCH_ABI);
		return false;
	}
	each(listing, visit_function, &visit);
	if (visit.count == 0) {
		ab_diag(diags, pos,
		        "%s defines no resource; expected at least one, as in RESOURCE(name) { return text(\"...\"); }",
		        path);
		return false;
	}
	return true;
}

struct ab_module *ab_module_load(const char *path, struct ab_pos pos, struct ab_diags *diags)
{
	struct ab_module *module = calloc(1, sizeof(*module));
	char why[1024];
	void *handle;

	/* Without a slash dlopen would look elsewhere. */
	if (module == NULL ||
	        asprintf(&module->path, "%s%s", strchr(path, '/') == NULL ? "./" : "", path) < 0) {
		free(module);
		ab_diag(diags, pos, "out of memory");
		return NULL;
	}
	if (!ab_module_try(module->path, why, sizeof(why))) {
		ab_diag(diags, pos, "%s", why);
		ab_module_free(module);
		return NULL;
	}
	handle = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		ab_diag(diags, pos, "%s could be loaded once, and not again: %s", path, dlerror());
		ab_module_free(module);
		return NULL;
	}
	module->listing = dlsym(handle, "anabranch_module");
	if (check_listing(path, module->listing, pos, diags))
		return module;
	dlclose(handle);
	ab_module_free(module);
	return NULL;
}

void ab_module_free(struct ab_module *module)
{
	if (module == NULL)
		return;
	free(module->path);
	free(module);
}

/* ---- as an app file would have it ---- */

struct building {
	struct ab_conf_tree *tree;
	struct ab_diags *diags;
	struct ab_conf_pair *pairs;
	size_t count;
	bool failed;
};

static struct ab_conf *make_node(struct building *b, enum ab_conf_type type, struct ab_pos pos)
{
	struct ab_conf *node = ab_tree_alloc(b->tree, sizeof(*node));

	if (node == NULL) {
		b->failed = true;
		return NULL;
	}
	*node = (struct ab_conf){.type = type, .pos = pos};
	return node;
}

/* {KEY: value} */
static struct ab_conf *make_map(
        struct building *b, const char *key, const struct ab_conf *value, struct ab_pos pos)
{
	struct ab_conf *map = make_node(b, AB_CONF_MAP, pos);
	struct ab_conf_pair *pair = ab_tree_alloc(b->tree, sizeof(*pair));

	if (map == NULL || pair == NULL || value == NULL) {
		b->failed = true;
		return NULL;
	}
	*pair = (struct ab_conf_pair){.key = key, .pos = pos, .value = value};
	map->u.map.pairs = pair;
	map->u.map.count = 1;
	return map;
}

static void add_function(void *arg, const struct anabranch_function *function)
{
	struct building *b = arg;
	struct ab_pos pos = {file_of(function), (unsigned)function->line, 1};
	struct ab_conf *name = function->how != ANABRANCH_CALLS ? make_node(b, AB_CONF_STRING, pos) : NULL;

	if (name == NULL)
		return;
	name->u.string.text = function->name;
	name->u.string.len = strlen(function->name);
	b->pairs[b->count++] = (struct ab_conf_pair){
	        .key = function->name, .pos = pos, .value = make_map(b, "native", name, pos)};
}

static int pairs_by_position(const void *a, const void *b)
{
	const struct ab_conf_pair *x = a, *y = b;
	int order = strcmp(x->pos.file, y->pos.file);

	return order != 0 ? order : x->pos.line < y->pos.line ? -1 : x->pos.line > y->pos.line;
}

/* Of two with one name the first stays. */
static void sort_pairs(struct building *b)
{
	size_t kept = 0;

	qsort(b->pairs, b->count, sizeof(*b->pairs), pairs_by_position);
	for (size_t i = 0; i < b->count; i++) {
		const struct ab_conf_pair *pair = &b->pairs[i];
		size_t same = 0;

		while (same < kept && strcmp(b->pairs[same].key, pair->key) != 0)
			same++;
		if (same == kept)
			b->pairs[kept++] = *pair;
		else
			ab_diag(b->diags, pair->pos,
			        "resource '%.60s' is defined at %s:%u as well; expected another name",
			        pair->key, b->pairs[same].pos.file, b->pairs[same].pos.line);
	}
	b->count = kept;
}

const struct ab_conf *ab_module_tree(
        const struct ab_module *module, struct ab_conf_tree **ret_tree, struct ab_diags *diags)
{
	struct building b = {.tree = ab_tree_create(), .diags = diags};
	struct visit visit = {0};
	struct ab_pos pos = {module->path, 1, 1};
	struct ab_conf *resources, *root;

	if (b.tree == NULL)
		return NULL;
	each(module->listing, visit_function, &visit);
	b.pairs = ab_tree_alloc(b.tree, visit.count * sizeof(*b.pairs));
	resources = b.pairs != NULL ? make_node(&b, AB_CONF_MAP, pos) : NULL;
	if (resources != NULL) {
		each(module->listing, add_function, &b);
		if (!b.failed)
			sort_pairs(&b);
		resources->u.map.pairs = b.pairs;
		resources->u.map.count = b.count;
	}
	root = make_map(&b, "resources", resources, pos);
	if (root == NULL || b.failed) {
		ab_conf_tree_destroy(b.tree);
		return NULL;
	}
	*ret_tree = b.tree;
	return root;
}
