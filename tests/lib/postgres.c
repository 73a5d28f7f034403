/* tests/lib/postgres.c: see postgres.h. */
#include "postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 60000, PAUSE_MS = 10 };

/* How a server is made and run: $1 its folder, $2 its port, $3 more arguments, $4 whose end is its end, $5
 * the folder of the template or "" to make one. Everything it says goes to DIR/log. */
static const char script[] =
        "dir=$1 port=$2 args=$3 runner=$4 template=$5; trap '' INT TERM; "
        "PATH=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1):$PATH; export PATH; "
        "as() { if [ \"$(id -u)\" != 0 ]; then \"$@\"; return; fi; "
        "  user=postgres; id postgres >/dev/null 2>&1 || user=nobody; "
        "  setpriv --reuid=$user --regid=$(id -g $user) --clear-groups \"$@\"; }; "
        "cd \"$dir\" || exit 1; "
        "if [ \"$(id -u)\" = 0 ]; then chown \"$(id -u postgres 2>/dev/null || id -u nobody)\" \"$dir\"; fi; "
        "if [ -z \"$template\" ]; then "
        "  as initdb -D data -U test --auth=trust -N --no-locale -E UTF8 --no-instructions && "
        "  as openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout data/server.key "
        "    -out data/server.crt -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost && "
        "  as chmod 600 data/server.key && as cp -r data template || exit 1; "
        "else as cp -r \"$template/template\" data || exit 1; fi; "
        "as cp data/server.crt ca.pem; "
        "as postgres -D data -k \"$dir\" -p $port -h 127.0.0.1 -c fsync=off -c full_page_writes=off "
        "  -c synchronous_commit=off -c shared_buffers=16MB -c max_connections=60 -c ssl=on "
        "  -c autovacuum=off -c logging_collector=off $args & "
        "while kill -0 $runner 2>/dev/null && [ ! -e \"$dir/end\" ]; do sleep 0.1; done; "
        "pid=$(head -n 1 data/postmaster.pid) && kill -CONT $pid $(pgrep -P $pid); kill -INT $pid; "
        "for i in $(seq 100); do kill -0 $pid || break; sleep 0.05; done; cd /; rm -rf \"$dir\"";

static _Noreturn void give_up(const char *what, const char *dir)
{
	char command[160];

	fprintf(stderr, "postgres: %s (is the package postgresql installed?)\n", what);
	snprintf(command, sizeof(command), "tail -n 20 %s/log >&2", dir);
	if (dir[0] != '\0')
		(void)!system(command);
	exit(1);
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* A process of its own that outlives this test, and holds none of its descriptors. */
static void launch(const struct postgres *server, const char *args, pid_t runner, const char *template)
{
	char port[16], whose[16], log[96];
	pid_t pid;

	snprintf(port, sizeof(port), "%u", server->port);
	snprintf(whose, sizeof(whose), "%d", (int)runner);
	snprintf(log, sizeof(log), "%s/log", server->dir);
	pid = fork();
	if (pid == 0) {
		int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), null = open("/dev/null", O_RDONLY);

		setsid();
		if (fork() != 0)
			_exit(0);
		dup2(null, 0);
		dup2(out, 1);
		dup2(out, 2);
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		execl("/bin/sh", "sh", "-c", script, "postgres", server->dir, port, args, whose, template,
		        (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		give_up("no process to run it in", server->dir);
}

static pid_t postmaster(const struct postgres *server)
{
	char path[96], line[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/data/postmaster.pid", server->dir);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	if (file != NULL)
		fclose(file);
	return (pid_t)strtol(line, NULL, 10);
}

static bool answers(const struct postgres *server)
{
	PGconn *pg = PQconnectdb(postgres_url(server, ""));
	bool ok = PQstatus(pg) == CONNECTION_OK;

	PQfinish(pg);
	return ok;
}

static void await(struct postgres *server)
{
	for (unsigned waited = 0; waited < WAIT_MS; waited += PAUSE_MS) {
		server->pid = postmaster(server);
		if (server->pid > 0 && answers(server))
			return;
		pause_ms(PAUSE_MS);
	}
	give_up("no server within a minute", server->dir);
}

static unsigned free_port(unsigned salt)
{
	return 21000 + ((unsigned)getpid() * 7 + salt * 131) % 9000;
}

void postgres_shared(struct postgres *server)
{
	char path[96];
	int lock;

	*server = (struct postgres){.port = 21000 + (unsigned)getppid() % 9000};
	snprintf(server->dir, sizeof(server->dir), "/tmp/ab-postgres-%d", (int)getppid());
	snprintf(path, sizeof(path), "%s.lock", server->dir);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (lock < 0 || flock(lock, LOCK_EX) != 0)
		give_up("no lock in /tmp", "");
	if (mkdir(server->dir, 0755) == 0)
		launch(server, "", getppid(), "");
	else if (errno != EEXIST)
		give_up("no folder in /tmp", "");
	await(server);
	unlink(path);
	close(lock);
}

void postgres_start(struct postgres *server, const char *args)
{
	static unsigned count;
	struct postgres shared;

	postgres_shared(&shared);
	*server = (struct postgres){.port = free_port(++count), .own = true};
	strcpy(server->dir, "/tmp/ab-postgres-XXXXXX");
	if (mkdtemp(server->dir) == NULL || chmod(server->dir, 0755) != 0)
		give_up("no folder in /tmp", "");
	launch(server, args, getpid(), shared.dir);
	await(server);
}

void postgres_end(struct postgres *server)
{
	char path[96];
	int fd;

	if (server->dir[0] == '\0' || !server->own)
		return;
	snprintf(path, sizeof(path), "%s/end", server->dir);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	if (fd >= 0)
		close(fd);
	for (unsigned waited = 0; waited < WAIT_MS && access(server->dir, F_OK) == 0; waited += PAUSE_MS)
		pause_ms(PAUSE_MS);
	server->dir[0] = '\0';
}

void postgres_stop(struct postgres *server, const char *mode)
{
	kill(server->pid, strcmp(mode, "immediate") == 0 ? SIGQUIT : SIGINT);
	for (unsigned waited = 0; waited < WAIT_MS && kill(server->pid, 0) == 0; waited += PAUSE_MS)
		pause_ms(PAUSE_MS);
}

/* What watches a server does not start it again: this does, with the same watcher to end it. */
void postgres_again(struct postgres *server, const char *args)
{
	static const char again[] =
	        "cd \"$1\"; PATH=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1):$PATH; "
	        "user=postgres; id postgres >/dev/null 2>&1 || user=nobody; as=; "
	        "[ \"$(id -u)\" != 0 ] || as=\"setpriv --reuid=$user --regid=$(id -g $user) --clear-groups\"; "
	        "$as pg_ctl -D data -l log2 -w -o \"-k $1 -p $2 -h 127.0.0.1 -c fsync=off -c ssl=on -c shared_buffers=16MB "
	        "$3\" start >/dev/null 2>&1";
	char port[16];
	pid_t pid;

	snprintf(port, sizeof(port), "%u", server->port);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", again, "again", server->dir, port, args, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		give_up("no process to restart it in", server->dir);
	await(server);
}

void postgres_signal(const struct postgres *server, int signum)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		char path[64], line[512] = "", *after;
		FILE *stat;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		stat = pid > 0 ? fopen(path, "r") : NULL;
		if (stat == NULL)
			continue;
		after = fgets(line, sizeof(line), stat) == NULL ? NULL : strrchr(line, ')');
		fclose(stat);
		if (pid == server->pid || (after != NULL && strtol(after + 4, NULL, 10) == server->pid))
			kill(pid, signum);
	}
	if (proc != NULL)
		closedir(proc);
}

/* ---- URLs and queries ---- */

static char *slot(void)
{
	static char slots[4][1024];
	static unsigned next;

	return slots[next++ % 4];
}

const char *postgres_url(const struct postgres *server, const char *more)
{
	char *url = slot();

	snprintf(url, 1024, "postgresql://test@/postgres?host=%s&port=%u%s", server->dir, server->port, more);
	return url;
}

const char *postgres_tcp_url(const struct postgres *server, const char *host, const char *more)
{
	char *url = slot();

	snprintf(url, 1024, "postgresql://test@%s:%u/postgres?%s", host, server->port, more);
	return url;
}

const char *postgres_schema(const struct postgres *server)
{
	static unsigned count;
	char sql[96], *more = slot();

	snprintf(sql, sizeof(sql), "CREATE SCHEMA t_%d_%u", (int)getpid(), ++count);
	postgres_exec(postgres_url(server, ""), sql);
	snprintf(more, 1024, "&options=-csearch_path%%3Dt_%d_%u", (int)getpid(), count);
	return more;
}

static PGresult *run(const char *url, const char *sql)
{
	PGconn *pg = PQconnectdb(url);
	PGresult *result = NULL;

	if (PQstatus(pg) == CONNECTION_OK)
		result = PQexec(pg, sql);
	if (result == NULL ||
	        (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)) {
		fprintf(stderr, "postgres: %s: %s\n", sql, PQerrorMessage(pg));
		exit(1);
	}
	PQfinish(pg);
	return result;
}

void postgres_exec(const char *url, const char *sql)
{
	PQclear(run(url, sql));
}

const char *postgres_value(const char *url, const char *sql)
{
	PGresult *result = run(url, sql);
	char *value = slot();

	snprintf(value, 1024, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return value;
}

bool postgres_await(const char *url, const char *sql, const char *expected)
{
	char kept[1024];

	snprintf(kept, sizeof(kept), "%s", url);
	for (unsigned waited = 0; waited < 10000; waited += 2 * PAUSE_MS) {
		if (strcmp(postgres_value(kept, sql), expected) == 0)
			return true;
		pause_ms(2 * PAUSE_MS);
	}
	return false;
}
