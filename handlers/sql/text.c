/* handlers/sql/text.c: see text.h. */
#include "text.h"

#include "../json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *ab_sql_path(const char *dir, const char *name)
{
	char *path;

	if (name[0] == '/' || dir == NULL || dir[0] == '\0' || strcmp(dir, ".") == 0)
		return strdup(name);
	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

bool ab_sql_text_inline(
        struct ab_sql_text *text, const struct ab_conf *conf, const char *what, struct ab_diags *diags)
{
	*text = (struct ab_sql_text){.conf = conf};
	text->text = ab_conf_string(conf, what, diags);
	if (text->text == NULL)
		return false;
	text->len = conf->u.string.len;
	if (text->len <= AB_SQL_MAX_TEXT)
		return true;
	ab_diag(diags, conf->pos, "%s of %zu bytes; expected at most %d", what, text->len, AB_SQL_MAX_TEXT);
	return false;
}

/* The bytes of a regular file, at most AB_SQL_MAX_TEXT of them. NULL with *ret_why (static or strerror's). */
static char *file_read(const char *path, size_t *ret_len, const char **ret_why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *data = NULL;
	size_t len = 0;
	ssize_t got = 0;

	if (fd < 0 || fstat(fd, &st) != 0)
		*ret_why = strerror(errno);
	else if (S_ISDIR(st.st_mode))
		*ret_why = "it is a directory";
	else if (!S_ISREG(st.st_mode))
		*ret_why = "it is not a regular file";
	else if (st.st_size > AB_SQL_MAX_TEXT)
		*ret_why = "it is larger than 1000000 bytes";
	else if ((data = malloc((size_t)st.st_size + 1)) == NULL)
		*ret_why = "out of memory";
	while (data != NULL && len < (size_t)st.st_size) {
		got = read(fd, data + len, (size_t)st.st_size - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	if (got < 0) {
		*ret_why = strerror(errno);
		free(data);
		data = NULL;
	}
	if (fd >= 0)
		close(fd);
	if (data == NULL)
		return NULL;
	data[len] = '\0';
	*ret_len = len;
	return data;
}

bool ab_sql_text_read(struct ab_sql_text *text, const struct ab_conf *conf, const char *dir, const char *what,
        struct ab_diags *diags)
{
	const char *name = ab_conf_string(conf, what, diags), *why = "out of memory";

	*text = (struct ab_sql_text){.conf = conf};
	if (name == NULL)
		return false;
	text->file = ab_sql_path(dir, name);
	if (text->file != NULL)
		text->owned = file_read(text->file, &text->len, &why);
	text->text = text->owned;
	if (conf->secret)
		name = "${...}";
	if (text->owned == NULL)
		ab_diag(diags, conf->pos, "can't read %s '%s': %s", what, name, why);
	else if (memchr(text->owned, '\0', text->len) != NULL || !ab_utf8_valid(text->owned, text->len))
		ab_diag(diags, conf->pos, "%s '%s' is not text in UTF-8", what, name);
	else
		return true;
	ab_sql_text_fini(text);
	return false;
}

void ab_sql_text_fini(struct ab_sql_text *text)
{
	free(text->owned);
	free(text->file);
	*text = (struct ab_sql_text){0};
}

struct ab_pos ab_sql_text_pos(const struct ab_sql_text *text, size_t offset)
{
	struct ab_pos pos = {.file = text->file, .line = 1, .column = 1};

	if (text->owned == NULL)
		return ab_conf_at(text->conf, offset);
	for (size_t i = 0; i < offset && i < text->len; i++) {
		if (text->text[i] == '\n') {
			pos.line++;
			pos.column = 1;
		} else {
			pos.column += (text->text[i] & 0xc0) != 0x80;
		}
	}
	return pos;
}
