/* server/module_trial.c: whether a module can be loaded, and in plain words why not.
 *
 * First what can be seen from outside, then in a process of its own: what a module runs when it is loaded
 * (constructors) may crash, end the process or never return, and none of that should happen here. */
#include "module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIAL_SECONDS = 10 };

/* Without the "./" that dlopen wants to see. */
static const char *shown(const char *path)
{
	return strncmp(path, "./", 2) == 0 ? path + 2 : path;
}

/* ---- from outside ---- */

static bool has_ending(const char *path, const char *const *endings, size_t count)
{
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot != NULL && i < count; i++)
		if (strcmp(dot, endings[i]) == 0)
			return true;
	return false;
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* How to build it: by the Makefile beside it, or above its folder, or by hand. */
static void how_to_build(const char *path, char *buf, size_t size)
{
	char dir[600], makefile[640];
	int len = (int)(strrchr(path, '/') - path);

	for (int up = 0; up < 2; up++) {
		snprintf(dir, sizeof(dir), "%.*s%s", len, path, up == 1 ? "/.." : "");
		snprintf(makefile, sizeof(makefile), "%s/Makefile", dir);
		if (!exists(makefile))
			continue;
		if (up == 1 && memchr(path, '/', (size_t)len) == NULL)
			snprintf(dir, sizeof(dir), ".");
		else if (up == 1)
			snprintf(dir, sizeof(dir), "%.*s",
			        (int)((const char *)memrchr(path, '/', (size_t)len) - path), path);
		if (strcmp(dir, ".") == 0)
			snprintf(buf, size, "run make");
		else
			snprintf(buf, size, "run make -C %s", dir);
		return;
	}
	snprintf(buf, size, "build it: cc -shared -fPIC -I$(anabranch --include) -o %s FILE.c -ljansson",
	        shown(path));
}

/* Of the shared objects in sight the one that may be meant: "; did you mean build/greet.so?", or "". */
static const char *meant(const char *path, char *buf, size_t size)
{
	const char *dir = strrchr(path, '/'), *up = memrchr(path, '/', (size_t)(dir - path));
	int len = up != NULL && strncmp(path, "./", 2) != 0 ? (int)(up + 1 - path)
	                                                    : 0; /* of the folder above */
	char pattern[700];
	const char *found;
	glob_t files = {0};

	snprintf(pattern, sizeof(pattern), "%.*s*.so", len, path);
	glob(pattern, 0, NULL, &files);
	snprintf(pattern, sizeof(pattern), "%.*s*/*.so", len, path);
	glob(pattern, GLOB_APPEND, NULL, &files);
	found = ab_nearest(shown(path), (const char *const *)files.gl_pathv, files.gl_pathc);
	snprintf(buf, size, found != NULL ? "; did you mean %s?" : "%s", found != NULL ? found : "");
	globfree(&files);
	return buf;
}

/* The name without folder and ending. */
static int stem(const char *path, const char **ret)
{
	const char *dot = strrchr(path, '.');

	*ret = strrchr(path, '/') + 1;
	return dot > *ret ? (int)(dot - *ret) : (int)strlen(*ret);
}

/* The header of an ELF file. False when it is none. */
static bool read_elf(const char *path, Elf64_Ehdr *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, ret, sizeof(*ret)) : -1;

	if (fd >= 0)
		close(fd);
	return len == (ssize_t)sizeof(*ret) && memcmp(ret->e_ident, ELFMAG, SELFMAG) == 0;
}

static bool check_file(const char *path, char *why, size_t size)
{
	static const char *const sources[] = {".c", ".cc", ".cpp", ".cxx", ".C", ".h"};
	static const char *const objects[] = {".so"};
	Elf64_Ehdr elf, own;
	struct stat st;
	char build[700], near[700];
	bool there = stat(path, &st) == 0;
	int error = errno, len;
	const char *name;

	how_to_build(path, build, sizeof(build));
	len = stem(path, &name);
	if (has_ending(path, sources, AB_COUNT(sources)))
		snprintf(why, size,
		        "%s is a source file; expected what is built from it: cc -shared -fPIC -I$(anabranch --include) "
		        "-o %.*s.so %s -ljansson, and here %.*s.so",
		        shown(path), len, name, shown(path), len, name);
	else if (!there && error == ENOENT)
		snprintf(why, size, "there is no %s; %s%s", shown(path), build,
		        meant(path, near, sizeof(near)));
	else if (!there || access(path, R_OK) != 0)
		snprintf(why, size, "%s can't be read: %s", shown(path), strerror(there ? errno : error));
	else if (S_ISDIR(st.st_mode))
		snprintf(why, size, "%s is a folder; expected a shared object in it", shown(path));
	else if (!read_elf(path, &elf))
		snprintf(why, size, "%s is no shared object; %s", shown(path),
		        has_ending(path, objects, AB_COUNT(objects)) /* never ask to overwrite another file */
		                ? build
		                : "expected one, as in modules: [build/greet.so]");
	else if (elf.e_type == ET_REL)
		snprintf(why, size,
		        "%s is an object file, not linked yet; expected a shared object: cc -shared -o %.*s.so %s -ljansson",
		        shown(path), len, name, shown(path));
	else if (read_elf("/proc/self/exe", &own) &&
	         (elf.e_machine != own.e_machine || elf.e_ident[EI_CLASS] != own.e_ident[EI_CLASS]))
		snprintf(why, size,
		        "%s was built for another kind of machine; expected it built for this one",
		        shown(path));
	else
		return true;
	return false;
}

/* ---- in a process of its own ---- */

/* In the child; nothing of it may be seen but its end and what it writes to `fd`. */
static _Noreturn void trial_child(const char *path, int fd)
{
	const struct rlimit none = {0, 0};
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *text = "+";

	if (nowhere >= 0) {
		dup2(nowhere, STDIN_FILENO);
		dup2(nowhere, STDOUT_FILENO);
		dup2(nowhere, STDERR_FILENO);
	}
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGALRM, SIG_DFL);
	alarm(TRIAL_SECONDS);
	if (dlopen(path, RTLD_NOW | RTLD_LOCAL) == NULL)
		text = dlerror();
	if (write(fd, text, strlen(text)) < 0)
		_exit(2);
	_exit(0);
}

/* What it wrote, and how it ended. */
static void trial_parent(pid_t pid, int fd, char *said, size_t size, int *ret_status)
{
	size_t len = 0;
	ssize_t n;

	while (len + 1 < size) {
		n = read(fd, said + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	said[len] = '\0';
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
}

static void explain_end(const char *path, int status, char *why, size_t size)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(why, size,
		        "%s does not end loading within %d s; expected that its constructors (what runs at load) return",
		        shown(path), TRIAL_SECONDS);
	else if (WIFSIGNALED(status))
		snprintf(why, size,
		        "%s crashes when it is loaded (%s); look at its constructors and the initial values of C++ objects",
		        shown(path), strsignal(WTERMSIG(status)));
	else
		snprintf(why, size,
		        "%s ends the process when it is loaded (exit code %d); look at its constructors (what runs at load)",
		        shown(path), WEXITSTATUS(status));
}

/* What dlopen says, in front of which stands the path, and what to do about it. */
static void explain_refusal(const char *path, const char *said, char *why, size_t size)
{
	size_t skip = strlen(path);
	const char *text = strncmp(said, path, skip) == 0 ? said + skip : said;
	const char *advice = "";

	text += strspn(text, ": ");
	if (strncmp(text, "undefined symbol", 16) == 0)
		advice =
		        "; is a #include or a file missing, or a library at the end of the link command (-l...)?";
	else if (strstr(text, "cannot open shared object file") != NULL)
		advice = "; a library it was linked with is not installed here";
	snprintf(why, size, "%s can't be loaded: %s%s", shown(path), text, advice);
}

bool ab_module_try(const char *path, char *why, size_t size)
{
	char said[512];
	int ends[2], status = 0;
	pid_t pid;

	if (!check_file(path, why, size))
		return false;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		snprintf(why, size, "%s can't be tried out: %s", shown(path), strerror(errno));
		return false;
	}
	pid = fork();
	if (pid == 0)
		trial_child(path, ends[1]);
	close(ends[1]);
	if (pid < 0)
		snprintf(why, size, "%s can't be tried out: %s", shown(path), strerror(errno));
	else
		trial_parent(pid, ends[0], said, sizeof(said), &status);
	close(ends[0]);
	if (pid < 0)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || said[0] == '\0')
		explain_end(path, status, why, size);
	else if (strcmp(said, "+") != 0)
		explain_refusal(path, said, why, size);
	else
		return true;
	return false;
}
