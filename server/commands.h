/* server/commands.h: the program's commands, one file each (cmd_*.c), called by main.c.
 *
 * argv[0] is the command's own name ("serve"), the rest its options and arguments; each command reads them
 * with getopt_long, starting with optind at 0 (opterr is 0 already), and knows --help (to stdout,
 * AB_EXIT_OK). The result is the process's exit code. Values and reports go to stdout, mistakes to stderr. */
#ifndef AB_COMMANDS_H
#define AB_COMMANDS_H

#include "../handlers/conf.h"
#include "app.h"

enum ab_exit {
	AB_EXIT_OK = 0,     /* fine */
	AB_EXIT_FAILED = 1, /* the work failed */
	AB_EXIT_USAGE = 2,  /* wrong usage, or a mistake in the app file */
};

int ab_cmd_serve(int argc, char **argv);
int ab_cmd_call(int argc, char **argv);
int ab_cmd_check(int argc, char **argv);
int ab_cmd_plan(int argc, char **argv);
int ab_cmd_render(int argc, char **argv);
int ab_cmd_new(int argc, char **argv);

/* main.c: what the commands share. */

/* Say on stderr what is wrong with the command line ("anabranch call: ...") and where help is; AB_EXIT_USAGE.
 * NULL: no command. */
int ab_usage_error(const char *command, const char *fmt, ...) AB_PRINTF(2, 3);
/* After output to stdout: `code`, or AB_EXIT_FAILED with a message when stdout did not take everything. */
int ab_finish_stdout(const char *command, int code);

#endif
