/* handlers/mustache/files.h: partials as files beside a template: `header` of page.html is header.html. */
#ifndef AB_MUSTACHE_FILES_H
#define AB_MUSTACHE_FILES_H

#include "mustache.h"

enum { AB_TEMPLATE_MAX = 1 << 20 }; /* bytes of one file */

struct ab_template_files {
	char *dir;          /* of the template, ends in '/' or is empty */
	const char *ending; /* of the template, ".html"; within `path` */
	char *path;
	char *file; /* the latest partial's */
	char why[160];
};

/* `path` is copied. False without memory. */
AB_NODISCARD bool ab_template_files_init(struct ab_template_files *files, const char *path);
void ab_template_files_fini(struct ab_template_files *files);

/* The template itself: malloc'ed text (a byte order mark taken off), or NULL with files->why. */
char *ab_template_files_read(struct ab_template_files *files, size_t *ret_len);
/* For struct ab_mustache_loader; arg is the files. A name with an ending of its own is taken as written;
 * names that lead out of the folder are refused. */
char *ab_template_files_load(
        void *arg, const char *name, size_t *ret_len, const char **ret_file, const char **ret_why);

#endif
