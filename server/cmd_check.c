/* server/cmd_check.c: `anabranch check`: all that is wrong with an app, without serving it. */
#include "commands.h"
#include "env.h"
#include "routes.h"

#include "../handlers/http/http.h"
#include "../handlers/jq/jq.h"

#include <getopt.h>

static const char help[] =
        "Usage: anabranch check [--connect] APP\n"
        "\n"
        "Reads an app file and everything it names, compiles all of it, and says what is wrong:\n"
        "every mistake as FILE:LINE:COLUMN: what; what was expected. Nothing is served, no\n"
        "upstream is asked, no database is changed; statements are checked against the SQLite file,\n"
        "or against its schema where there is none yet.\n"
        "\n"
        "  APP         the app file, YAML or JSON\n"
        "  --connect   check statements against PostgreSQL servers too, which must be reachable\n"
        "  -h, --help  this text\n"
        "\n"
        "Mistakes and hints go to standard error. Exit codes: 0 fine (there may be hints), 1 the\n"
        "check itself failed, 2 wrong usage or mistakes.\n";

struct counts {
	size_t resources, routes;
};

static void print_line(void *arg, enum ab_severity severity, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s%s\n", severity == AB_HINT ? "hint: " : "", line);
}

static int failed(const char *why)
{
	fprintf(stderr, "anabranch check: %s\n", why);
	return AB_EXIT_FAILED;
}

/* Compile what was read, for one worker that never runs. */
static int compile(const struct ab_sources *sources, struct ab_shared *shared, struct ab_diags *diags,
        struct counts *counts)
{
	static const struct ab_app_options options = {.accept_all = false};
	struct ab_error err;
	struct ab_env env;
	struct ab_app *app;

	if (ab_env_init(&env, 0, &err) != AB_OK)
		return failed(err.text);
	app = ab_app_compile(sources, shared, &env, &options, diags);
	if (app != NULL) {
		for (size_t i = 0; i < app->n_resources; i++)
			counts->resources += app->resources[i].kind != &ab_kind_condition;
		counts->routes = app->router == NULL ? 0 : ab_router_count(app->router);
	}
	ab_app_destroy(app);
	ab_env_fini(&env);
	return app == NULL ? failed("out of memory") : AB_EXIT_OK;
}

static int check(const char *file, bool connect, struct ab_diags *diags)
{
	struct ab_sources *sources = ab_sources_load(file, diags);
	struct counts counts = {0};
	struct ab_shared *shared;
	int code = AB_EXIT_OK;

	if (sources == NULL)
		return failed("out of memory");
	if (ab_sources_top(sources)->root != NULL) {
		shared = ab_shared_open(sources, connect ? AB_DATABASE_CONNECT : AB_DATABASE_CHECK, diags);
		code = shared == NULL ? failed("out of memory") : compile(sources, shared, diags, &counts);
		ab_shared_close(shared);
	}
	ab_sources_destroy(sources);
	ab_diags_each(diags, print_line, NULL);
	if (code != AB_EXIT_OK)
		return code;
	if (ab_diags_mistakes(diags) > 0)
		return AB_EXIT_USAGE;
	printf("%s: fine: %zu resource%s, %zu route%s\n", file, counts.resources,
	        counts.resources == 1 ? "" : "s", counts.routes, counts.routes == 1 ? "" : "s");
	return ab_finish_stdout("check", AB_EXIT_OK);
}

int ab_cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
	        {"connect", no_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
	bool connect = false;
	struct ab_diags *diags;
	struct ab_error err;
	int code, option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == 'c') {
			connect = true;
			continue;
		}
		if (option != 'h')
			return ab_usage_error("check", "there is no option %s", argv[optind - 1]);
		fputs(help, stdout);
		return ab_finish_stdout("check", AB_EXIT_OK);
	}
	if (argc - optind != 1)
		return ab_usage_error("check", "expected one app file");
	if (ab_http_global_init(&err) != AB_OK)
		return failed(err.text);
	diags = ab_diags_create();
	code = diags == NULL ? failed("out of memory") : check(argv[optind], connect, diags);
	ab_diags_destroy(diags);
	ab_http_global_fini();
	return code;
}
