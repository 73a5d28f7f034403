/* server/cmd_render.c: `anabranch render`: one template on one document, without an app; partials are the
 * files beside the template. */
#include "commands.h"

#include "../handlers/json.h"
#include "../handlers/mustache/files.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

enum { DATA_MAX = 64 << 20, OUTPUT_MAX = 256 << 20, MAX_BESIDE = 1000 };

static const char help[] = "Usage: anabranch render TEMPLATE DATA.json\n"
                           "\n"
                           "Fills a Mustache template with a JSON document and prints the result.\n"
                           "\n"
                           "  TEMPLATE    a file; its ending decides how values are escaped:\n"
                           "              .html .xml .svg .atom for HTML, .json as JSON strings,\n"
                           "              .txt .csv .md not at all\n"
                           "  DATA.json   a JSON document, or - for standard input\n"
                           "\n"
                           "Partials are files beside the template: {{> header}} in page.html is\n"
                           "header.html. {{>*name}} chooses among the files there with the same ending.\n"
                           "\n"
                           "  -h, --help  this text\n"
                           "\n"
                           "Exit codes: 0 fine, 1 the data is no JSON or can't be rendered, 2 wrong usage\n"
                           "or a mistake in the template.\n";

static void print_mistake(void *arg, enum ab_severity severity, const char *line)
{
	(void)arg;
	(void)severity;
	fprintf(stderr, "%s\n", line);
}

/* ---- partials that a value may choose ---- */

struct beside {
	char *names[MAX_BESIDE + 1]; /* NULL-terminated */
	size_t count;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files with the template's ending, the ending taken off; sorted. */
static void find_beside(const struct ab_template_files *files, struct beside *beside)
{
	DIR *dir = opendir(*files->dir != '\0' ? files->dir : ".");
	size_t ending = strlen(files->ending);
	struct dirent *entry;

	while (dir != NULL && beside->count < MAX_BESIDE && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		char *name;

		if (len <= ending || *entry->d_name == '.' ||
		        strcmp(entry->d_name + len - ending, files->ending) != 0)
			continue;
		name = strndup(entry->d_name, len - ending);
		if (name != NULL)
			beside->names[beside->count++] = name;
	}
	if (dir != NULL)
		closedir(dir);
	qsort(beside->names, beside->count, sizeof(beside->names[0]), compare);
}

static struct ab_mustache *compile(const char *path, enum ab_escape escape)
{
	struct beside *beside = calloc(1, sizeof(*beside));
	struct ab_diags *diags = ab_diags_create();
	struct ab_template_files files = {0};
	struct ab_mustache *template = NULL;
	char *text = NULL;
	size_t len;

	if (beside == NULL || diags == NULL || !ab_template_files_init(&files, path)) {
		fprintf(stderr, "anabranch render: out of memory\n");
	} else if ((text = ab_template_files_read(&files, &len)) == NULL) {
		fprintf(stderr, "anabranch render: %s\n", files.why);
	} else {
		struct ab_mustache_loader loader = {.load = ab_template_files_load,
		        .arg = &files,
		        .dynamic = (const char *const *)beside->names};

		find_beside(&files, beside);
		template = ab_mustache_compile(
		        text, len, (struct ab_pos){path, 1, 1}, NULL, escape, &loader, diags);
		ab_diags_each(diags, print_mistake, NULL);
	}
	for (size_t i = 0; beside != NULL && i < beside->count; i++)
		free(beside->names[i]);
	free(beside);
	free(text);
	ab_template_files_fini(&files);
	ab_diags_destroy(diags);
	return template;
}

/* ---- data ---- */

/* All of a stream, or NULL after saying why. */
static char *read_stream(FILE *in, const char *path, size_t *ret_len)
{
	struct ab_buf buf;
	char *to;

	ab_buf_init(&buf, DATA_MAX);
	while ((to = ab_buf_reserve(&buf, 65536)) != NULL) {
		size_t got = fread(to, 1, 65536, in);

		buf.len += got;
		if (got == 0)
			break;
	}
	if (to == NULL || ferror(in)) {
		fprintf(stderr, "anabranch render: %s: %s\n", path,
		        to != NULL    ? strerror(errno)
		        : buf.too_big ? "larger than 64 MiB"
		                      : "out of memory");
		ab_buf_fini(&buf);
		return NULL;
	}
	*ret_len = buf.len;
	return ab_buf_take(&buf);
}

/* The document; NULL after saying why, with the exit code. */
static json_t *read_data(const char *path, int *ret_exit)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "re");
	struct ab_error err;
	json_t *data = NULL;
	char *text;
	size_t len;

	*ret_exit = AB_EXIT_USAGE;
	if (in == NULL) {
		fprintf(stderr, "anabranch render: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	text = read_stream(in, path, &len);
	if (!standard)
		fclose(in);
	if (text == NULL)
		return NULL;
	data = ab_json_read(text, len, &err);
	free(text);
	if (data == NULL) {
		fprintf(stderr, "anabranch render: %s: %s\n", path, err.text);
		*ret_exit = AB_EXIT_FAILED;
	}
	return data;
}

/* ---- the command ---- */

static int render(const char *path, enum ab_escape escape, const char *data_path)
{
	struct ab_mustache *template = compile(path, escape);
	int result;
	struct ab_error err;
	struct ab_buf buf;
	json_t *data;

	if (template == NULL)
		return AB_EXIT_USAGE;
	data = read_data(data_path, &result);
	if (data == NULL) {
		ab_mustache_destroy(template);
		return result;
	}
	ab_buf_init(&buf, OUTPUT_MAX);
	if (ab_mustache_render_data(template, data, &buf, &err) == AB_OK) {
		fwrite(buf.data != NULL ? buf.data : "", 1, buf.len, stdout);
		result = ab_finish_stdout("render", AB_EXIT_OK);
	} else {
		fprintf(stderr, "anabranch render: %s: %s\n", path, err.text);
		result = AB_EXIT_FAILED;
	}
	ab_buf_fini(&buf);
	json_decref(data);
	ab_mustache_destroy(template);
	return result;
}

int ab_cmd_render(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	enum ab_escape escape;
	const char *media;
	int option;

	optind = 0;
	opterr = 0; /* said in our own words */
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option != 'h' && optopt != 0)
			return ab_usage_error("render", "unknown option -%c", optopt);
		if (option != 'h')
			return ab_usage_error("render", "unknown option %s", argv[optind - 1]);
		fputs(help, stdout);
		return ab_finish_stdout("render", AB_EXIT_OK);
	}
	if (argc - optind != 2)
		return ab_usage_error("render", "expected TEMPLATE and DATA.json, got %d argument%s",
		        argc - optind, argc - optind == 1 ? "" : "s");
	if (!ab_media_by_ending(argv[optind], &escape, &media))
		return ab_usage_error("render",
		        "'%s' ends in none of .html .xml .svg .atom .json .txt .csv .md", argv[optind]);
	return render(argv[optind], escape, argv[optind + 1]);
}
