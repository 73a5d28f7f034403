/* server/cmd_new.c: `anabranch new DIR`: an app that runs at once, to be changed into one's own. */
#include "commands.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char new_help[] =
        "Usage: anabranch new [--module] DIR\n"
        "\n"
        "Make the folder DIR with an app in it that runs at once: an app file, a template, a test, a Makefile. Nothing\n"
        "that is there already is changed.\n"
        "\n"
        "      --module   with a module in C, and what builds it\n"
        "  -h, --help     show this and exit\n"
        "\n"
        "Exit codes: 0 fine, 1 the work failed, 2 wrong usage, or DIR is there and not empty.\n";

/* ---- the files; @NAME@ is the folder's name, @ANABRANCH@ how the program is called ---- */

static const char app_yaml[] =
        "# app.yaml: what this app answers, and what each answer is made of.\n"
        "#\n"
        "# A resource is made when an answer needs it. {{who}} in a text, or in page.html, needs `who`; a request may give\n"
        "# `who` itself where a route accepts it.\n"
        "server:\n"
        "  listen: \"127.0.0.1:${PORT:-8080}\"\n"
        "\n"
        "resources:\n"
        "  who: World\n"
        "  greeting: {text: \"Hello {{who}}!\"}\n"
        "  page: {template: page.html}\n"
        "\n"
        "routes:\n"
        "  GET /: {answer: page, accept: {who: string}}\n"
        "  GET /greeting: {answer: greeting, accept: {who: string}}\n";

static const char module_yaml[] =
        "# app.yaml: what this app answers, and what each answer is made of.\n"
        "#\n"
        "# A resource is made when an answer needs it. {{greeting}} in page.html needs `greeting`, which is a C function in\n"
        "# greet.c and needs `who` in turn; a request may give `who` itself where a route accepts it.\n"
        "server:\n"
        "  listen: \"127.0.0.1:${PORT:-8080}\"\n"
        "\n"
        "modules: [build/greet.so]\n"
        "\n"
        "resources:\n"
        "  who: World\n"
        "  page: {template: page.html}\n"
        "\n"
        "routes:\n"
        "  GET /: {answer: page, accept: {who: string}}\n"
        "  GET /greeting: {answer: greeting, accept: {who: string}}\n";

static const char greet_c[] =
        "/* greet.c: resources written in C. The parameters of a function are what it needs, by name. */\n"
        "#include <anabranch.h>\n"
        "\n"
        "RESOURCE(greeting, who)\n"
        "{\n"
        "\tif (!json_is_string(who))\n"
        "\t\treturn refuse(400, \"who\", \"is no text\");\n"
        "\treturn textf(\"Hello %s!\", json_string_value(who));\n"
        "}\n";

static const char page_html[] = "<!DOCTYPE html>\n"
                                "<html lang=\"en\">\n"
                                "<meta charset=\"utf-8\">\n"
                                "<title>@NAME@</title>\n"
                                "<h1>{{greeting}}</h1>\n"
                                "<form><input name=\"who\" value=\"{{who}}\"> <button>Greet</button></form>\n"
                                "</html>\n";

static const char test_sh[] =
        "#!/bin/sh\n"
        "# test: what this app should do; `make test` runs it.\n"
        "set -u\n"
        "cd \"$(dirname \"$0\")\" || exit 1\n"
        "anabranch=${ANABRANCH:-anabranch} failed=0\n"
        "expect() { # expect VALUE RESOURCE [name=value...]\n"
        "\twant=$1\n"
        "\tshift\n"
        "\tgot=$(\"$anabranch\" call app.yaml \"$@\")\n"
        "\t[ \"$got\" = \"$want\" ] || { echo \"$*: expected $want, got $got\" >&2; failed=1; }\n"
        "}\n"
        "\n"
        "\"$anabranch\" check app.yaml || exit 1\n"
        "expect 'Hello World!' greeting\n"
        "expect 'Hello you!' greeting who=you\n"
        "[ $failed = 0 ] && echo 'all fine'\n"
        "exit $failed\n";

static const char app_makefile[] =
        "# `make test` tries the app, `make run` serves it. PORT=8081 make run: on another port.\n"
        "ANABRANCH ?= @ANABRANCH@\n"
        "\n"
        ".PHONY: test run\n"
        "test:\n"
        "\t@ANABRANCH='$(ANABRANCH)' ./test\n"
        "\n"
        "run:\n"
        "\t$(ANABRANCH) serve --dev app.yaml\n";

static const char module_makefile[] =
        "# `make` builds the module, `make test` tries the app, `make run` serves it. PORT=8081 make run: on another port.\n"
        "ANABRANCH ?= @ANABRANCH@\n"
        "CFLAGS    ?= -O2 -g -Wall -Wextra\n"
        "# What is only a warning, and nearly always a mistake.\n"
        "STRICT    := -Werror=implicit-function-declaration -Werror=incompatible-pointer-types \\\n"
        "\t-Werror=discarded-qualifiers -Werror=return-type -Werror=format\n"
        "\n"
        "build/greet.so: greet.c Makefile\n"
        "\t@mkdir -p build\n"
        "\t$(CC) $(CFLAGS) $(STRICT) -shared -fPIC -I$$($(ANABRANCH) --include) -o $@ greet.c -Wl,-z,defs -ljansson\n"
        "\n"
        ".PHONY: test run clean\n"
        "test: build/greet.so\n"
        "\t@ANABRANCH='$(ANABRANCH)' ./test\n"
        "\n"
        "run: build/greet.so\n"
        "\t$(ANABRANCH) serve --dev app.yaml\n"
        "\n"
        "clean:\n"
        "\trm -rf build\n";

static const char app_readme[] =
        "# @NAME@\n"
        "\n"
        "An Anabranch app. `make test` tries it, `make run` serves it on <http://127.0.0.1:8080/>.\n"
        "\n"
        "| | |\n"
        "|---|---|\n"
        "| `app.yaml` | resources and routes |\n"
        "| `page.html` | the page |\n"
        "| `test` | what it should do |\n";

static const char module_readme[] =
        "# @NAME@\n"
        "\n"
        "An Anabranch app with a module in C. It needs a C compiler and jansson (`apt-get install gcc libjansson-dev`).\n"
        "`make` builds the module, `make test` tries the app, `make run` serves it on <http://127.0.0.1:8080/>.\n"
        "\n"
        "| | |\n"
        "|---|---|\n"
        "| `app.yaml` | resources and routes |\n"
        "| `greet.c` | the resources written in C |\n"
        "| `page.html` | the page |\n"
        "| `test` | what it should do |\n";

struct file {
	const char *name;
	const char *text;
	mode_t mode;
};

static const struct file app_files[] = {
        {"app.yaml", app_yaml, 0644},
        {"page.html", page_html, 0644},
        {"test", test_sh, 0755},
        {"Makefile", app_makefile, 0644},
        {"README.md", app_readme, 0644},
};

static const struct file module_files[] = {
        {"app.yaml", module_yaml, 0644},
        {"greet.c", greet_c, 0644},
        {"page.html", page_html, 0644},
        {"test", test_sh, 0755},
        {"Makefile", module_makefile, 0644},
        {"README.md", module_readme, 0644},
};

struct new
{
	const char *dir;
	char name[NAME_MAX + 1];  /* of the folder */
	char anabranch[PATH_MAX]; /* how the Makefile calls the program */
	const struct file *files;
	size_t n_files;
	bool made_dir;
};

static int new_failed(const char *what, const char *name)
{
	fprintf(stderr, "anabranch new: %s %s: %s\n", what, name, strerror(errno));
	return AB_EXIT_FAILED;
}

/* ---- where, and how it is called ---- */

/* Whether the shell finds this very program under its own name. */
static bool on_path(const char *self)
{
	const char *path = getenv("PATH");
	char place[PATH_MAX + 16], real[PATH_MAX];

	while (path != NULL && *path != '\0') {
		size_t len = strcspn(path, ":");

		snprintf(place, sizeof(place), "%.*s/anabranch", (int)(len < PATH_MAX ? len : 0), path);
		if (len > 0 && realpath(place, real) != NULL)
			return strcmp(real, self) == 0;
		path += len + (path[len] == ':');
	}
	return false;
}

static void find_self(struct new *new)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	snprintf(new->anabranch, sizeof(new->anabranch), "anabranch");
	if (len <= 0)
		return;
	self[len] = '\0';
	if (!on_path(self))
		snprintf(new->anabranch, sizeof(new->anabranch), "%s", self);
}

/* Nothing in it that a shell, HTML or a template would take for something else. */
static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (strchr("/._-", *text) == NULL && !(*text >= '0' && *text <= '9') &&
		        !(*text >= 'A' && *text <= 'Z') && !(*text >= 'a' && *text <= 'z'))
			return false;
	return true;
}

static void find_name(struct new *new)
{
	const char *end = new->dir + strlen(new->dir), *start;

	while (end > new->dir + 1 && end[-1] == '/')
		end--;
	start = end;
	while (start > new->dir && start[-1] != '/')
		start--;
	snprintf(new->name, sizeof(new->name), "%.*s", (int)(end - start), start);
	if (strcmp(new->name, ".") == 0 || strcmp(new->name, "..") == 0 || !is_plain(new->name))
		snprintf(new->name, sizeof(new->name), "app");
}

/* ---- writing ---- */

static bool write_text(FILE *to, const struct new *new, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "@");

		fwrite(text, 1, len, to);
		text += len;
		if (strncmp(text, "@NAME@", 6) == 0) {
			fputs(new->name, to);
			text += 6;
		} else if (strncmp(text, "@ANABRANCH@", 11) == 0) {
			fputs(new->anabranch, to);
			text += 11;
		} else if (*text == '@') {
			putc(*text++, to);
		}
	}
	return fflush(to) == 0 && !ferror(to);
}

static int write_file(const struct new *new, int dir, const struct file *file)
{
	int fd = openat(dir, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
	FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok;

	if (to == NULL) {
		if (fd >= 0)
			close(fd);
		return new_failed("can't write", file->name);
	}
	ok = write_text(to, new, file->text);
	if (fclose(to) == 0 && ok)
		return AB_EXIT_OK;
	unlinkat(dir, file->name, 0);
	return new_failed("can't write", file->name);
}

/* All of them, or none. */
static int write_files(const struct new *new, int dir)
{
	int code = AB_EXIT_OK;
	size_t done = 0;

	while (done < new->n_files && code == AB_EXIT_OK) {
		code = write_file(new, dir, &new->files[done]);
		done += code == AB_EXIT_OK;
	}
	while (code != AB_EXIT_OK && done > 0)
		unlinkat(dir, new->files[--done].name, 0);
	return code;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry = NULL;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			break;
	if (dir != NULL)
		closedir(dir);
	return dir != NULL && entry == NULL;
}

/* The folder, made or empty. -1 after saying what is wrong, with *ret_code. */
static int open_dir(struct new *new, int *ret_code)
{
	int fd;

	new->made_dir = mkdir(new->dir, 0777) == 0;
	if (!new->made_dir && errno != EEXIST) {
		*ret_code = new_failed("can't make", new->dir);
		return -1;
	}
	if (!new->made_dir && !is_empty(new->dir)) {
		*ret_code = ab_usage_error(
		        "new", "%s is there already, and no empty folder; expected another name", new->dir);
		return -1;
	}
	fd = open(new->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		*ret_code = new_failed("can't open", new->dir);
	return fd;
}

static int tell(const struct new *new)
{
	printf("%s: made", new->dir);
	for (size_t i = 0; i < new->n_files; i++)
		printf("%s %s", i == 0 ? "" : ",", new->files[i].name);
	if (is_plain(new->dir))
		printf("\n\nNext:\n\n  cd %s\n", new->dir);
	else if (strchr(new->dir, '\'') == NULL)
		printf("\n\nNext:\n\n  cd '%s'\n", new->dir);
	else
		printf("\n\nNext, in that folder:\n\n");
	printf("  make test\n  make run\n\nand open http://127.0.0.1:8080/.\n");
	return ab_finish_stdout("new", AB_EXIT_OK);
}

static int make_app(struct new *new)
{
	int code = AB_EXIT_FAILED, dir;

	find_name(new);
	find_self(new);
	dir = open_dir(new, &code);
	if (dir < 0)
		return code;
	code = write_files(new, dir);
	close(dir);
	if (code != AB_EXIT_OK && new->made_dir)
		rmdir(new->dir);
	return code == AB_EXIT_OK ? tell(new) : code;
}

int ab_cmd_new(int argc, char **argv)
{
	static const struct option options[] = {
	        {"help", no_argument, NULL, 'h'},
	        {"module", no_argument, NULL, 'm'},
	        {0},
	};
	struct new new = {.files = app_files, .n_files = AB_COUNT(app_files)};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			fputs(new_help, stdout);
			return ab_finish_stdout("new", AB_EXIT_OK);
		case 'm':
			new.files = module_files;
			new.n_files = AB_COUNT(module_files);
			break;
		default:
			return ab_usage_error("new", "there is no option %s", argv[optind - 1]);
		}
	}
	if (argc - optind != 1 || argv[optind][0] == '\0')
		return ab_usage_error("new", "expected one folder to make");
	new.dir = argv[optind];
	return make_app(&new);
}
