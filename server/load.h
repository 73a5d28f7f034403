/* server/load.h: an app read and compiled once, on a loop of its own, for a command that is not serving. */
#ifndef AB_LOAD_H
#define AB_LOAD_H

#include "app.h"

struct ab_load {
	struct ab_sources *sources;
	struct ab_shared *shared;
	struct ab_env env;
	struct ab_app *app;
	bool http, env_made;
};

/* Load `file` for `command`; `running`: resources will be resolved, so databases are opened as serving does,
 * and a need that nothing satisfies is left to who resolves it. What is wrong goes to stderr. An exit code;
 * ab_load_close in every case. */
int ab_load_open(struct ab_load *load, const char *command, const char *file, bool running);
void ab_load_close(struct ab_load *load);

#endif
