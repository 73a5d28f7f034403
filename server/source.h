/* server/source.h: the app file and its includes, read and checked for form, before anything is compiled.
 *
 * Read once a process; every worker compiles its own app from the same trees. */
#ifndef AB_SOURCE_H
#define AB_SOURCE_H

#include "../handlers/conf.h"

struct ab_module;

struct ab_source {
	const char *file;           /* as the user named it */
	const char *dir;            /* its folder, for relative paths */
	const struct ab_conf *root; /* a mapping; NULL for a file that could not be read */
	struct ab_source *
	        *includes; /* in the order they are searched; the same file is one source, so circles occur */
	size_t n_includes;
	size_t index; /* for ab_sources_at */
	const struct ab_module
	        *module; /* of C functions, whose root is made up (module.h); NULL for a file */
};

enum { AB_MAX_SOURCES = 256 };

struct ab_sources; /* all files of an app */

/* Read `file` and all it includes. Mistakes go to diags; what could be read is there all the same. NULL: no
 * memory. */
struct ab_sources *ab_sources_load(const char *file, struct ab_diags *diags);
void ab_sources_destroy(struct ab_sources *sources);
const struct ab_source *ab_sources_top(const struct ab_sources *sources);
size_t ab_sources_count(const struct ab_sources *sources);
/* Whether a module could not be loaded: then names may be missing that are no mistake. */
bool ab_sources_incomplete(const struct ab_sources *sources);
const struct ab_source *ab_sources_at(const struct ab_sources *sources, size_t index);

/* One YAML or JSON text as a tree; used by ab_sources_load and by tests and fuzzers. NULL when not even a
 * tree could be made. The tree lives until ab_conf_tree_destroy. */
struct ab_conf_tree;
const struct ab_conf *ab_yaml_read(const char *file, const char *dir, const char *text, size_t len,
        struct ab_conf_tree **ret_tree, struct ab_diags *diags);
void ab_conf_tree_destroy(struct ab_conf_tree *tree);

#endif
