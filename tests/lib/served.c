/* tests/lib/served.c: see served.h. */
#include "served.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { START_MS = 30000, STOP_MS = 30000, WAIT_MS = 20000, ARGS_MAX = 32 };

static void served_fail(struct served *served, const char *what)
{
	fprintf(stderr, "served: %s\n%s\n", what,
	        served->process.err.data == NULL ? "" : served->process.err.data);
	process_end(&served->process);
	exit(1);
}

void served_file(struct served *served, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	if (served->dir[0] == '\0') {
		strcpy(served->dir, "/tmp/served-XXXXXX");
		if (mkdtemp(served->dir) == NULL)
			served_fail(served, "no folder in /tmp");
	}
	snprintf(path, sizeof(path), "%s/%s", served->dir, name);
	file = fopen(path, "w");
	if (file == NULL || fputs(text, file) == EOF || fclose(file) != 0)
		served_fail(served, "a file can't be written");
}

/* The port after `before` in what it has said. */
static unsigned short served_port(const struct served *served, const char *before)
{
	const char *at = strstr(served->process.err.data, before);

	return at == NULL ? 0 : (unsigned short)strtoul(at + strlen(before), NULL, 10);
}

static void served_run(struct served *served, const char *app, const char *const *argv)
{
	served_file(served, "app.yaml", app);
	if (!process_start(&served->process, argv, served->dir))
		served_fail(served, "the program can't be started");
	if (!process_expect(&served->process, " worker", START_MS) ||
	        !process_expect(&served->process, "\n", START_MS))
		served_fail(served, "the program does not serve");
	served->port = served_port(served, " on http://127.0.0.1:");
	served->admin = served_port(served, "admin on http://127.0.0.1:");
	if (served->port == 0)
		served_fail(served, "the program does not say where");
}

void served_start_limited(struct served *served, const char *app, const char *const *args, unsigned files)
{
	const char *argv[ARGS_MAX] = {"sh", "-c"};
	char script[64];
	size_t n = 2;

	if (files > 0) {
		snprintf(script, sizeof(script), "ulimit -n %u && exec \"$0\" \"$@\"", files);
		argv[n++] = script;
	} else {
		n = 0;
	}
	argv[n++] = process_anabranch();
	argv[n++] = "serve";
	argv[n++] = "app.yaml";
	argv[n++] = "--log";
	argv[n++] = "json";
	argv[n++] = "--listen";
	argv[n++] = "127.0.0.1:0";
	argv[n++] = "--admin";
	argv[n++] = "127.0.0.1:0";
	while (args != NULL && *args != NULL && n < ARGS_MAX - 1)
		argv[n++] = *args++;
	argv[n] = NULL;
	served_run(served, app, argv);
}

void served_start(struct served *served, const char *app, const char *const *args)
{
	served_start_limited(served, app, args, 0);
}

void served_signal(struct served *served, int signum)
{
	kill(served->process.pid, signum);
}

int served_wait(struct served *served)
{
	return process_wait(&served->process, STOP_MS);
}

int served_stop(struct served *served)
{
	served_signal(served, SIGTERM);
	return served_wait(served);
}

void served_end(struct served *served)
{
	struct dirent *entry;
	DIR *dir = opendir(served->dir);
	char path[512];

	process_end(&served->process);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", served->dir, entry->d_name);
		unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(served->dir);
}

size_t served_descriptors(const struct served *served)
{
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)served->process.pid);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2; /* "." and ".." */
}

bool wait_until(bool (*fn)(void *arg), void *arg)
{
	struct timespec pause = {.tv_nsec = 2000000};

	for (int waited = 0; waited < WAIT_MS; waited += 2) {
		if (fn(arg))
			return true;
		nanosleep(&pause, NULL);
	}
	return fn(arg);
}
