/* handlers/mustache/files.c: see files.h. Files are read when an app is loaded, never for a request. */
#include "files.h"

#include "../json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool ab_template_files_init(struct ab_template_files *files, const char *path)
{
	const char *slash = strrchr(path, '/'), *dot;

	*files = (struct ab_template_files){.path = strdup(path)};
	files->dir = strndup(path, slash != NULL ? (size_t)(slash + 1 - path) : 0);
	if (files->path == NULL || files->dir == NULL) {
		ab_template_files_fini(files);
		return false;
	}
	dot = strrchr(files->path + strlen(files->dir), '.');
	files->ending = dot != NULL ? dot : "";
	return true;
}

void ab_template_files_fini(struct ab_template_files *files)
{
	free(files->path);
	free(files->dir);
	free(files->file);
	*files = (struct ab_template_files){0};
}

/* Up to AB_TEMPLATE_MAX bytes of a regular file, or NULL with the reason in `why`. */
static char *read_all(struct ab_template_files *files, int fd, const char *path, size_t *ret_len)
{
	struct stat st;
	char *text;
	ssize_t got;

	*ret_len = 0;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(files->why, sizeof(files->why), "%s is not a file", path);
		return NULL;
	}
	text = malloc(AB_TEMPLATE_MAX + 2);
	do {
		got = text != NULL ? read(fd, text + *ret_len, AB_TEMPLATE_MAX + 1 - *ret_len) : -1;
		if (got > 0)
			*ret_len += (size_t)got;
	} while (got > 0 || (got < 0 && text != NULL && errno == EINTR));
	if (got == 0 && *ret_len <= AB_TEMPLATE_MAX) {
		text[*ret_len] = '\0';
		return text;
	}
	if (got == 0)
		snprintf(files->why, sizeof(files->why), "%s is larger than %d bytes", path, AB_TEMPLATE_MAX);
	else
		snprintf(files->why, sizeof(files->why), "%s: %s", path,
		        strerror(text != NULL ? errno : ENOMEM));
	free(text);
	return NULL;
}

static char *read_file(struct ab_template_files *files, const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop the load */
	char *text;

	if (fd < 0) {
		snprintf(files->why, sizeof(files->why), "%s: %s", path, strerror(errno));
		return NULL;
	}
	text = read_all(files, fd, path, ret_len);
	close(fd);
	if (text != NULL && !ab_utf8_valid(text, *ret_len)) {
		snprintf(files->why, sizeof(files->why), "%s is not UTF-8", path);
		free(text);
		return NULL;
	}
	if (text != NULL && *ret_len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		*ret_len -= 3;
		memmove(text, text + 3, *ret_len + 1);
	}
	return text;
}

char *ab_template_files_read(struct ab_template_files *files, size_t *ret_len)
{
	return read_file(files, files->path, ret_len);
}

/* Relative, and every segment a plain name. */
static bool stays_inside(const char *name)
{
	const char *segment = name;

	for (;;) {
		size_t len = strcspn(segment, "/");

		if (len == 0 || strncmp(segment, ".", len) == 0 ||
		        (len == 2 && strncmp(segment, "..", 2) == 0))
			return false;
		if (segment[len] == '\0')
			return true;
		segment += len + 1;
	}
}

char *ab_template_files_load(
        void *arg, const char *name, size_t *ret_len, const char **ret_file, const char **ret_why)
{
	struct ab_template_files *files = arg;
	const char *slash = strrchr(name, '/');
	const char *own = strchr(slash != NULL ? slash : name, '.') != NULL ? "" : files->ending;

	*ret_why = files->why;
	free(files->file);
	files->file = NULL;
	if (!stays_inside(name)) {
		snprintf(files->why, sizeof(files->why),
		        "expected a file beside the template, without '..' or a leading '/'");
		return NULL;
	}
	if (asprintf(&files->file, "%s%s%s", files->dir, name, own) < 0) {
		files->file = NULL;
		snprintf(files->why, sizeof(files->why), "out of memory");
		return NULL;
	}
	*ret_file = files->file;
	return read_file(files, files->file, ret_len);
}
