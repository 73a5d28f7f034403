/* tests/server/test_new.c: `anabranch new`: what it makes runs at once, by the commands it prints. */
#include "../lib/http_client.h"
#include "../lib/process.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(new, .timeout = 120);

static char dir[64];

static void begin(void)
{
	strcpy(dir, "/tmp/anabranch-new-XXXXXX");
	cr_assert(mkdtemp(dir) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void end(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A port that is free now. */
static unsigned short free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* The indented lines of what `new` printed, joined as a shell would run them; the last is to serve. */
static void read_commands(const char *text, char *before, size_t size, char *last, size_t last_size)
{
	before[0] = last[0] = '\0';
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "  ", 2) != 0)
			continue;
		if (last[0] != '\0')
			snprintf(before + strlen(before), size - strlen(before), "%s && ", last);
		snprintf(last, last_size, "%.*s", (int)strcspn(line + 2, "\n"), line + 2);
	}
	cr_assert(strcmp(last, "make run") == 0, "%s", last);
}

static void make_and_follow(const char *name, const char *option)
{
	const char *const make[] = {process_anabranch(), "new", name, option, NULL};
	const char *shell[] = {"sh", "-c", NULL, NULL};
	char before[400], last[100], serve[100], port[32], *body = NULL;
	unsigned short number = free_port();
	struct process process;
	int status = 0;

	begin();
	cr_assert_eq(process_run(&process, make, dir, 20000), 0, "%s", process.err.data);
	read_commands(process.out.data, before, sizeof(before), last, sizeof(last));
	process_end(&process);
	snprintf(port, sizeof(port), "%u", number);
	setenv("PORT", port, 1);

	shell[2] = before;
	snprintf(before + strlen(before), sizeof(before) - strlen(before), "true");
	cr_assert_eq(
	        process_run(&process, shell, dir, 60000), 0, "%s\n%s", process.out.data, process.err.data);
	cr_assert(strstr(process.out.data, "all fine\n") != NULL, "%s", process.out.data);
	process_end(&process);

	snprintf(serve, sizeof(serve), "cd '%s' && exec make run", name);
	shell[2] = serve;
	cr_assert(process_start(&process, shell, dir));
	cr_assert(process_expect(&process, "serving app.yaml", 30000), "%s", process.err.data);
	for (int i = 0; i < 100 && (status = http_get(number, "/?who=%3CAda%3E", &body)) == 0; i++)
		usleep(50000);
	cr_assert_eq(status, 200);
	cr_assert(strstr(body, "<h1>Hello &lt;Ada&gt;!</h1>") != NULL, "%s", body);
	free(body);
	kill(process.pid, SIGTERM); /* make hands it on, and waits */
	process_wait(&process, 30000);
	cr_assert(strstr(process.err.data, "stopped") != NULL, "%s", process.err.data);
	process_end(&process);
	end();
}

Test(new, an_app_runs_at_once_by_the_commands_it_prints)
{
	make_and_follow("my first <app>", NULL);
}

Test(new, a_module_builds_and_runs_by_the_commands_it_prints)
{
	make_and_follow("hello", "--module");
}

Test(new, what_is_there_already_stays)
{
	const char *const make[] = {process_anabranch(), "new", "hello", NULL};
	const char *const here[] = {process_anabranch(), "new", ".", NULL};
	const char *const lost[] = {process_anabranch(), "new", "no/such/folder", NULL};
	const char *const none[] = {process_anabranch(), "new", NULL};
	struct process process;
	char path[128];
	struct stat st;

	begin();
	snprintf(path, sizeof(path), "%s/hello", dir);
	cr_assert(mkdir(path, 0777) == 0);
	cr_assert_eq(process_run(&process, make, dir, 20000), 0, "an empty folder is fine");
	process_end(&process);
	cr_assert_eq(process_run(&process, make, dir, 20000), 2);
	cr_assert_str_eq(process.err.data,
	        "anabranch new: hello is there already, and no empty folder; expected another name\n"
	        "Try 'anabranch new --help'.\n");
	process_end(&process);
	cr_assert_eq(process_run(&process, here, dir, 20000), 2);
	process_end(&process);
	cr_assert_eq(process_run(&process, lost, dir, 20000), 1);
	cr_assert_str_eq(
	        process.err.data, "anabranch new: can't make no/such/folder: No such file or directory\n");
	process_end(&process);
	cr_assert_eq(process_run(&process, none, dir, 20000), 2);
	process_end(&process);
	snprintf(path, sizeof(path), "%s/hello/greet.c", dir);
	cr_assert(stat(path, &st) != 0, "no module unless asked for");
	end();
}
