/* tests/server/appfile.h: app files read and compiled in a folder of their own, and what is said of them.
 *
 * A text may hold several files: what stands before the first "=== NAME" line is app.yaml. Beside them are
 * always schema.sql (a table users), broken.sql, broken.html and nul.txt. */
#ifndef TEST_APPFILE_H
#define TEST_APPFILE_H

#include "../../server/app.h"

struct appfile {
	char dir[64];
	char *before; /* the folder the test was in */
	struct ab_diags *diags;
	struct ab_sources *sources;
	struct ab_shared *shared;
	struct ab_env env;
	struct ab_app *app; /* NULL when not even the app file could be read */
	char *mistakes;     /* a line each, without the last newline */
	char *hints;
};

/* Make the folder, go there, write the files, compile app.yaml as `check` does. */
void appfile_open(struct appfile *f, const char *text);
/* The same for bytes that may hold NULs, as a single app.yaml. */
void appfile_open_bytes(struct appfile *f, const char *bytes, size_t len);
void appfile_close(struct appfile *f);

/* An empty folder with the standard files, gone into; for tests that make more there before appfile_compile.
 */
void appfile_begin(struct appfile *f);
/* The rest of appfile_open, after appfile_begin. */
void appfile_more(struct appfile *f, const char *text);
void appfile_write(const char *name, const char *bytes, size_t len);
void appfile_compile(struct appfile *f, const char *name);

/* A resource's value, got by a run with nothing given; a new reference, or NULL. */
json_t *appfile_value(struct appfile *f, const char *name);

struct wrong {
	const char *why;
	const char *text;
	const char *mistakes;
};

/* Each text gives exactly these mistakes. Sets the environment variables that the texts use. */
void appfile_expect(const struct wrong *table, size_t count);

#endif
