/* server/module.h: modules of C functions, `modules:` in an app file: found, tried out, loaded.
 *
 * To everything behind it a module is one more included file: a mapping with resources, each {native: NAME},
 * whose positions are the lines of the C files. A module is loaded once a process and never unloaded: its
 * functions may run as long as there are threads. */
#ifndef AB_MODULE_H
#define AB_MODULE_H

#include "../dispatch/function.h"
#include "source.h"

struct ab_module {
	char *path; /* as dlopen had it */
	const struct anabranch_listing *listing;
};

/* Load the shared object at `path`, which `pos` names. It is loaded in a process of its own first, so that
 * one that crashes is a mistake like any other. NULL after reporting. */
struct ab_module *ab_module_load(const char *path, struct ab_pos pos, struct ab_diags *diags);
void ab_module_free(struct ab_module *module);
/* Its resources as an app file would have them. NULL without memory. Mistakes in names go to diags. */
const struct ab_conf *ab_module_tree(
        const struct ab_module *module, struct ab_conf_tree **ret_tree, struct ab_diags *diags);

/* The function of that name, or NULL. */
const struct anabranch_function *ab_module_function(const struct ab_module *module, const char *name);
/* fn for each CALLS of the module. */
void ab_module_each_call(const struct ab_module *module,
        void (*fn)(void *arg, const struct anabranch_function *call), void *arg);

/* ---- module_trial.c ---- */

/* Whether the file at `path` can be loaded, found out without loading it here. False with what is wrong, and
 * what to do. */
bool ab_module_try(const char *path, char *why, size_t size);

#endif
