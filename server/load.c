/* server/load.c: see load.h. */
#include "load.h"

#include "commands.h"
#include "crash.h"
#include "env.h"
#include "routes.h"

#include "../handlers/http/http.h"

#include <string.h>

static void print_line(void *arg, enum ab_severity severity, const char *line)
{
	(void)arg;
	if (severity == AB_MISTAKE) /* hints are for `check` */
		fprintf(stderr, "%s\n", line);
}

static void warn(struct ab_env *env, const char *text)
{
	(void)env;
	fprintf(stderr, "hint: %s\n", text);
}

static int failed(const char *command, const char *why)
{
	fprintf(stderr, "anabranch %s: %s\n", command, why);
	return AB_EXIT_FAILED;
}

static int load_app(
        struct ab_load *load, const char *command, const char *file, bool running, struct ab_diags *diags)
{
	const struct ab_app_options options = {.dev = true, .open_needs = running};
	struct ab_error err;

	load->sources = ab_sources_load(file, diags);
	if (load->sources == NULL)
		return failed(command, "out of memory");
	if (ab_sources_top(load->sources)->root == NULL)
		return AB_EXIT_OK;
	load->shared = ab_shared_open(load->sources, running ? AB_DATABASE_RUN : AB_DATABASE_CHECK, diags);
	if (load->shared == NULL)
		return failed(command, "out of memory");
	if (ab_env_init(&load->env, 0, &err) != AB_OK)
		return failed(command, err.text);
	load->env_made = true;
	load->env.warn = warn;
	load->app = ab_app_compile(load->sources, load->shared, &load->env, &options, diags);
	return load->app == NULL ? failed(command, "out of memory") : AB_EXIT_OK;
}

int ab_load_open(struct ab_load *load, const char *command, const char *file, bool running)
{
	struct ab_diags *diags;
	struct ab_error err;
	int code;

	memset(load, 0, sizeof(*load));
	if (ab_http_global_init(&err) != AB_OK)
		return failed(command, err.text);
	load->http = true;
	if (running)
		ab_crash_watch();
	diags = ab_diags_create();
	if (diags == NULL)
		return failed(command, "out of memory");
	code = load_app(load, command, file, running, diags);
	ab_diags_each(diags, print_line, NULL);
	if (code == AB_EXIT_OK && ab_diags_mistakes(diags) > 0)
		code = AB_EXIT_USAGE;
	else if (code == AB_EXIT_OK && load->app == NULL)
		code = failed(command, "the app file could not be read");
	ab_diags_destroy(diags);
	return code;
}

void ab_load_close(struct ab_load *load)
{
	ab_app_destroy(load->app);
	if (load->env_made)
		ab_env_fini(&load->env);
	ab_shared_close(load->shared);
	ab_sources_destroy(load->sources);
	if (load->http)
		ab_http_global_fini();
}
