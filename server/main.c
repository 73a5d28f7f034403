/* server/main.c: the program `anabranch`: which command is meant. And, for whoever opens the house, a map.
 *
 * Arrows point down: server -> handlers -> dispatch. Each header says what its part is to others.
 *
 * THE COMMANDS (commands.h)
 *   cmd_serve    answer requests: a worker a core, signals, stopping gently
 *   cmd_call     resolve one resource from a shell
 *   cmd_check    say all that is wrong with an app
 *   cmd_plan     say what a route would do
 *   cmd_render   one template on one document
 *   cmd_new      an app to begin with
 *   load         an app read and compiled for the commands that use it once
 *
 * A REQUEST, FROM THE SOCKET INWARDS
 *   listen       sockets
 *   worker       a thread with a loop (env: a worker's surroundings)
 *   front        libmicrohttpd in the loop
 *   connection   connections coming and going, and what ends them early
 *   intake       a request read, its connection suspended while it is worked on
 *   guard        heads that two programs could read in two ways are refused
 *   exchange     one request: match, accept, run, answer, error page
 *   router       which route (uri: the raw path, decoded once)
 *   accept       what the request may give (accept_value: text to types; accept_given; pattern)
 *   origin       requests from other sites' pages
 *   request_value  the value `request`
 *   (dispatch/: the run)
 *   reply        the answer (negotiate: which media type; problem: built-in bodies; timing)
 *   crash        says whose C function crashed
 *   log, log_line  one line a request, through a ring to a thread (ids: its name)
 *   admin        GET /healthz
 *
 * AN APP FILE, FROM TEXT TO PLANS
 *   source       the files, with their includes (source_check)
 *   yaml         text to a tree with positions (plain, interpolate, conf_tree; yaml_explain: mistakes)
 *   settings     `server:`
 *   shared       what a process has once: settings, databases
 *   module       modules of C functions (module_trial: in a process of its own first)
 *   app          one worker's copy
 *     app_resources   each resource compiled by its kind (app_generic: keys all have; app_each: each, as)
 *     app_condition   `if`, a resource that decides about another
 *     app_nested      the plans of calls (app_modules: C functions)
 *     app_check       what nothing can satisfy, or nothing uses
 *   routes       routes and errors to plans (routes_accept, _check, _answer, _errors, _cookies, _parts)
 *   plan_node    what `plan` says of one resource
 *
 * handlers/      the kinds of resource, listed in kind.c
 *   http/        libcurl on the loop
 *   sql/         SQLite on threads of its own, PostgreSQL on the loop (engine.h: what they share)
 *   jq/          filters, by libjq
 *   mustache/    templates compiled and rendered (text, template: the kinds)
 *   native       C functions of modules (function_job: those that block)
 *   each, call   runs inside a run (nested; carry: what comes through them unescaped)
 *   value, json_kind, url   what needs no waiting
 *   pool         threads for what blocks or computes for long
 *   scope, path, placeholder, structure, uri_template   how placeholders become needs and values
 *   json_read, json_write, buf, deadline, conf, diags, nearest   what several use
 *   library_uv   a loop for dispatchers in other programs
 *
 * dispatch/      the engine
 *   dispatcher   named resources and includes (resource.h: the contract of a handler)
 *   plan, order  what targets need, in order, compiled once (suggest: what to say of a name not there)
 *   run, slot    one evaluation: run.c from start to end, slot.c one resource's way
 *   share        equal reads of one request, asked once
 *   function     C functions as resources (function_nested: what they resolve; held: references they kept)
 *   library, callable   dispatchers for other programs (anabranch.h)
 *   arena, error, alloc, table, bitset   what they stand on */
#include "commands.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
};

static const struct command commands[] = {
        {"serve", ab_cmd_serve, "answer requests"},
        {"call", ab_cmd_call, "resolve a resource and print it"},
        {"check", ab_cmd_check, "say what is wrong with an app"},
        {"plan", ab_cmd_plan, "say what a route would do, and how long it may take"},
        {"render", ab_cmd_render, "render a template with a document"},
        {"new", ab_cmd_new, "make an app that runs, to begin with"},
};

static void print_help(FILE *to)
{
	fputs("Usage: anabranch COMMAND ...\n"
	      "       anabranch --help | --version | --include\n"
	      "\n"
	      "Answer web requests from several sources at once, as an app file says.\n"
	      "\n",
	        to);
	for (size_t i = 0; i < AB_COUNT(commands); i++)
		fprintf(to, "  %-8s%s\n", commands[i].name, commands[i].what);
	fputs("\n"
	      "`anabranch COMMAND --help` tells more; --include prints the folder of anabranch.h, for modules in C.\n"
	      "A first page:\n"
	      "\n"
	      "  anabranch serve examples/hello/hello.yaml\n"
	      "  curl 'http://127.0.0.1:8080/greet?who=Everyone'\n"
	      "\n"
	      "Exit codes: 0 fine, 1 the work failed, 2 wrong usage or a mistake in the app file.\n",
	        to);
}

int ab_usage_error(const char *command, const char *fmt, ...)
{
	const char *gap = command != NULL ? " " : "";
	va_list args;

	if (command == NULL)
		command = "";
	fprintf(stderr, "anabranch%s%s: ", gap, command);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nTry 'anabranch%s%s --help'.\n", gap, command);
	return AB_EXIT_USAGE;
}

int ab_finish_stdout(const char *command, int code)
{
	const char *gap = command != NULL ? " " : "";

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "anabranch%s%s: cannot write to standard output\n", gap,
	        command != NULL ? command : "");
	return AB_EXIT_FAILED;
}

static int print_version(void)
{
	puts("anabranch " AB_VERSION);
	return ab_finish_stdout(NULL, AB_EXIT_OK);
}

/* Beside the program, or where `make install` puts it. */
static int print_include(void)
{
	static const char *const places[] = {"include", "../include"};
	char self[PATH_MAX], path[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	while (len > 0 && self[len - 1] != '/')
		len--;
	for (size_t i = 0; len > 0 && i < AB_COUNT(places); i++) {
		char *real;

		snprintf(path, sizeof(path), "%.*s%s/anabranch.h", (int)len, self, places[i]);
		real = realpath(path, NULL);
		if (real == NULL)
			continue;
		*strrchr(real, '/') = '\0';
		puts(real);
		free(real);
		return ab_finish_stdout(NULL, AB_EXIT_OK);
	}
	fputs("anabranch: no anabranch.h beside this program; expected it in include/, where make puts it\n",
	        stderr);
	return AB_EXIT_FAILED;
}

static int unknown_command(const char *name)
{
	const char *names[AB_COUNT(commands)], *nearest;

	for (size_t i = 0; i < AB_COUNT(commands); i++)
		names[i] = commands[i].name;
	nearest = ab_nearest(name, names, AB_COUNT(names));
	if (nearest != NULL)
		return ab_usage_error(NULL, "there is no command '%s'; did you mean '%s'?", name, nearest);
	return ab_usage_error(NULL, "there is no command '%s'", name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"help", no_argument, NULL, 'h'},
	        {"version", no_argument, NULL, 'V'},
	        {"include", no_argument, NULL, 'I'},
	        {0},
	};

	opterr = 0; /* every command words its own mistakes */
	switch (getopt_long(argc, argv, "+hV", options, NULL)) {
	case -1:
		break;
	case 'h':
		print_help(stdout);
		return ab_finish_stdout(NULL, AB_EXIT_OK);
	case 'V':
		return print_version();
	case 'I':
		return print_include();
	default:
		return ab_usage_error(NULL, "there is no option %s", argv[optind > 1 ? optind - 1 : 1]);
	}
	if (optind == argc) {
		print_help(stderr);
		return AB_EXIT_USAGE;
	}
	for (size_t i = 0; i < AB_COUNT(commands); i++) {
		if (strcmp(argv[optind], commands[i].name) != 0)
			continue;
		if (argc == optind + 2 && strcmp(argv[optind + 1], "--version") == 0)
			return print_version();
		return commands[i].run(argc - optind, argv + optind);
	}
	if (strcmp(argv[optind], "help") != 0)
		return unknown_command(argv[optind]);
	print_help(stdout);
	return ab_finish_stdout(NULL, AB_EXIT_OK);
}
