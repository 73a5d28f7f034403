/* server/interpolate.c: ${NAME}, ${NAME:-default} and ${file:PATH} in the scalars of an app file. Put in
 * once, after parsing; what they bring is never read again, so its bytes are remembered as spans. */
#include "../handlers/buf.h"
#include "../handlers/json.h"
#include "conf_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 8 << 20 };

struct interpolation {
	struct ab_conf_tree *tree;
	const char *dir;
	struct ab_conf *node;
	struct ab_diags *diags;
	struct ab_buf buf;
	struct ab_conf_span *spans;
	size_t n_spans;
};

static bool fail_errno(char *why, size_t size, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		snprintf(why, size, "no such file");
	else if (error == EACCES || error == EPERM)
		snprintf(why, size, "no permission to read it");
	else
		snprintf(why, size, "%s", strerror(error));
	return false;
}

static bool check_regular(int fd, size_t max, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno(why, size, errno);
	if (S_ISDIR(st.st_mode))
		snprintf(why, size, "it is a directory; expected a file");
	else if (!S_ISREG(st.st_mode))
		snprintf(why, size, "it is not a regular file");
	else if ((uint64_t)st.st_size > max)
		snprintf(why, size, "it is larger than %zu KiB", max >> 10);
	else
		return true;
	return false;
}

static bool read_all(int fd, struct ab_buf *buf, char *why, size_t size)
{
	for (;;) {
		char *to = ab_buf_reserve(buf, 1);
		size_t room;
		ssize_t n;

		if (to == NULL) {
			snprintf(why, size, buf->too_big ? "it is larger than %zu KiB" : "out of memory",
			        buf->max >> 10);
			return false;
		}
		room = buf->size - buf->len - 1;
		n = read(fd, to, room < buf->max - buf->len ? room : buf->max - buf->len);
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return fail_errno(why, size, errno);
		if (n > 0)
			buf->len += (size_t)n;
	}
}

char *ab_read_text(const char *path, size_t max, size_t *ret_len, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct ab_buf buf;
	char *text = NULL;

	if (fd < 0) {
		fail_errno(why, why_size, errno);
		return NULL;
	}
	ab_buf_init(&buf, max + 1);
	if (check_regular(fd, max, why, why_size) && read_all(fd, &buf, why, why_size)) {
		*ret_len = buf.len;
		text = ab_buf_take(&buf);
		if (text == NULL)
			snprintf(why, why_size, "out of memory");
	}
	ab_buf_fini(&buf);
	close(fd);
	return text;
}

static bool is_variable(const char *text, size_t len)
{
	if (len == 0 || (text[0] >= '0' && text[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= '0' && text[i] <= '9') ||
		            text[i] == '_'))
			return false;
	return true;
}

static bool put_in(struct interpolation *in, const char *text, size_t len)
{
	struct ab_conf_span *span;

	ab_buf_add(&in->buf, text, len);
	if (len == 0)
		return true;
	if ((in->n_spans & (in->n_spans - 1)) == 0) {
		struct ab_conf_span *more =
		        ab_tree_alloc(in->tree, (in->n_spans == 0 ? 1 : 2 * in->n_spans) * sizeof(*more));

		if (more == NULL) {
			ab_diag(in->diags, in->node->pos, "out of memory");
			return false;
		}
		if (in->n_spans > 0)
			memcpy(more, in->spans, in->n_spans * sizeof(*more));
		in->spans = more;
	}
	span = &in->spans[in->n_spans++];
	span->to = in->buf.len;
	span->from = in->buf.len - len;
	return true;
}

static bool put_file(struct interpolation *in, const char *path, size_t path_len)
{
	char why[128] = "";
	char *full, *text;
	size_t len;
	bool ok = false;

	if (path_len == 0) {
		ab_diag(in->diags, in->node->pos, "${file:} names no file; expected ${file:PATH}");
		return false;
	}
	if (asprintf(&full, "%s%s%.*s", path[0] == '/' ? "" : in->dir, path[0] == '/' ? "" : "/",
	            (int)path_len, path) < 0) {
		ab_diag(in->diags, in->node->pos, "out of memory");
		return false;
	}
	text = ab_read_text(full, AB_FILE_VALUE_MAX, &len, why, sizeof(why));
	free(full);
	if (text != NULL && (memchr(text, '\0', len) != NULL || !ab_utf8_valid(text, len)))
		snprintf(why, sizeof(why), "it is not UTF-8 text");
	if (text == NULL || why[0] != '\0') {
		ab_diag(in->diags, in->node->pos, "cannot read ${file:%.*s}: %s",
		        (int)(path_len > 100 ? 100 : path_len), path, why);
	} else {
		if (len > 0 && text[len - 1] == '\n')
			len--;
		if (len > 0 && text[len - 1] == '\r')
			len--;
		ok = put_in(in, text, len);
	}
	free(text);
	return ok;
}

static bool put_variable(
        struct interpolation *in, const char *name, size_t name_len, const char *standby, size_t len)
{
	char copy[256];
	const char *value;

	if (name_len >= sizeof(copy)) {
		ab_diag(in->diags, in->node->pos,
		        "the name of an environment variable in ${...} is too long");
		return false;
	}
	memcpy(copy, name, name_len);
	copy[name_len] = '\0';
	value = getenv(copy);
	if (value == NULL && standby == NULL) {
		ab_diag(in->diags, in->node->pos,
		        "the environment variable %s is not set; expected it, or a default as in ${%s:-default}",
		        copy, copy);
		return false;
	}
	if (standby != NULL && (value == NULL || value[0] == '\0'))
		return put_in(in, standby, len);
	if (!ab_utf8_valid(value, strlen(value))) {
		ab_diag(in->diags, in->node->pos, "the environment variable %s is not UTF-8 text", copy);
		return false;
	}
	return put_in(in, value, strlen(value));
}

/* What stands between "${" and "}". */
static bool put_reference(struct interpolation *in, const char *text, size_t len)
{
	size_t name = 0;

	if (len >= 5 && memcmp(text, "file:", 5) == 0)
		return put_file(in, text + 5, len - 5);
	while (name < len && text[name] != ':')
		name++;
	if (is_variable(text, name) && name == len)
		return put_variable(in, text, name, NULL, 0);
	if (is_variable(text, name) && len - name >= 2 && text[name + 1] == '-')
		return put_variable(in, text, name, text + name + 2, len - name - 2);
	ab_diag(in->diags, in->node->pos,
	        "${%.*s} is no environment variable; expected ${NAME} in capitals, ${NAME:-default} or ${file:PATH}, or "
	        "$${ for a literal ${",
	        (int)(len > 60 ? 60 : len), text);
	return false;
}

/* Returns the length of what was read at `text`, 0 after a mistake. */
static size_t step(struct interpolation *in, const char *text, const char *end)
{
	const char *close;

	if (end - text >= 3 && memcmp(text, "$${", 3) == 0) {
		ab_buf_add(&in->buf, "${", 2);
		return 3;
	}
	if (end - text < 2 || memcmp(text, "${", 2) != 0) {
		ab_buf_addc(&in->buf, *text);
		return 1;
	}
	close = memchr(text, '}', (size_t)(end - text));
	if (close == NULL) {
		ab_diag(in->diags, in->node->pos,
		        "a ${ without its }; expected ${NAME}, or $${ for a literal ${");
		return 0;
	}
	in->node->secret = true;
	return put_reference(in, text + 2, (size_t)(close - text) - 2) ? (size_t)(close + 1 - text) : 0;
}

bool ab_interpolate(struct ab_conf_tree *tree, const char *dir, struct ab_conf *node, bool *ret_whole,
        struct ab_diags *diags)
{
	struct interpolation in = {.tree = tree, .dir = dir, .node = node, .diags = diags};
	const char *text = node->u.string.text, *end = text + node->u.string.len;
	size_t len = 1;
	bool ok;

	*ret_whole = false;
	if (strstr(text, "${") == NULL)
		return true;
	ab_buf_init(&in.buf, TEXT_MAX);
	for (const char *at = text; at < end && len > 0; at += len) {
		len = step(&in, at, end);
		*ret_whole = at == text && text[1] == '{' && len == node->u.string.len;
	}
	ok = len > 0 && !in.buf.failed;
	if (in.buf.failed)
		ab_diag(diags, node->pos,
		        in.buf.too_big ? "a value of more than 8 MiB after ${...}" : "out of memory");
	if (ok) {
		node->u.string.len = in.buf.len;
		node->u.string.text =
		        ab_tree_strndup(tree, in.buf.data != NULL ? in.buf.data : "", in.buf.len);
		ok = node->u.string.text != NULL;
		if (!ok)
			ab_diag(diags, node->pos, "out of memory");
		node->spans = in.spans;
		node->n_spans = in.n_spans;
	}
	if (!ok) {
		node->u.string.text = "";
		node->u.string.len = 0;
	}
	ab_buf_fini(&in.buf);
	return ok;
}
