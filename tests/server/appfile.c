/* tests/server/appfile.c: see appfile.h. */
#include "appfile.h"

#include "../../dispatch/run.h"
#include "../../handlers/http/http.h"
#include "../../server/env.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char schema[] = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, tier TEXT);\n";
static const char broken_sql[] = "CREATE TABEL x;\n";
static const char broken_html[] = "<p>\n{{#a}}\n</p>\n";

void appfile_write(const char *name, const char *bytes, size_t len)
{
	char copy[256];
	FILE *file;

	snprintf(copy, sizeof(copy), "%s", name);
	for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0700);
		*slash = '/';
	}
	file = fopen(name, "we");
	cr_assert(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, "can't write %s",
	        name);
}

void appfile_begin(struct appfile *f)
{
	static bool begun;
	struct ab_error err;

	if (!begun)
		cr_assert_eq(ab_http_global_init(&err), AB_OK);
	begun = true;
	memset(f, 0, sizeof(*f));
	strcpy(f->dir, "/tmp/ab-appfile-XXXXXX");
	f->before = getcwd(NULL, 0);
	cr_assert(f->before != NULL && mkdtemp(f->dir) != NULL && chdir(f->dir) == 0);
	f->diags = ab_diags_create();
	appfile_write("schema.sql", schema, strlen(schema));
	appfile_write("broken.sql", broken_sql, strlen(broken_sql));
	appfile_write("broken.html", broken_html, strlen(broken_html));
	appfile_write("nul.txt", "a\0b", 3);
}

struct collecting {
	struct appfile *f;
	FILE *mistakes, *hints;
};

static void collect(void *arg, enum ab_severity severity, const char *line)
{
	struct collecting *c = arg;
	FILE *to = severity == AB_MISTAKE ? c->mistakes : c->hints;

	fprintf(to, "%s%s", ftell(to) > 0 ? "\n" : "", line);
}

void appfile_compile(struct appfile *f, const char *name)
{
	static const struct ab_app_options options = {.accept_all = false};
	struct collecting c = {.f = f};
	size_t len[2];
	struct ab_error err;

	f->sources = ab_sources_load(name, f->diags);
	cr_assert_not_null(f->sources);
	if (ab_sources_top(f->sources)->root != NULL) {
		cr_assert_eq(ab_env_init(&f->env, 0, &err), AB_OK);
		f->shared = ab_shared_open(f->sources, AB_DATABASE_CHECK, f->diags);
		cr_assert_not_null(f->shared);
		f->app = ab_app_compile(f->sources, f->shared, &f->env, &options, f->diags);
		cr_assert_not_null(f->app);
	}
	c.mistakes = open_memstream(&f->mistakes, &len[0]);
	c.hints = open_memstream(&f->hints, &len[1]);
	ab_diags_each(f->diags, collect, &c);
	fclose(c.mistakes);
	fclose(c.hints);
}

void appfile_open(struct appfile *f, const char *text)
{
	appfile_begin(f);
	appfile_more(f, text);
}

void appfile_more(struct appfile *f, const char *text)
{
	static const char mark[] = "\n=== ";
	const char *next = strstr(text, mark);

	appfile_write("app.yaml", text, next == NULL ? strlen(text) : (size_t)(next + 1 - text));
	while (next != NULL) {
		const char *name = next + strlen(mark), *body = strchr(name, '\n') + 1;
		char copy[200];

		next = strstr(body - 1, mark);
		snprintf(copy, sizeof(copy), "%.*s", (int)(body - 1 - name), name);
		appfile_write(copy, body, next == NULL ? strlen(body) : (size_t)(next + 1 - body));
	}
	appfile_compile(f, "app.yaml");
}

void appfile_open_bytes(struct appfile *f, const char *bytes, size_t len)
{
	appfile_begin(f);
	appfile_write("app.yaml", bytes, len);
	appfile_compile(f, "app.yaml");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void appfile_close(struct appfile *f)
{
	if (f->sources != NULL && ab_sources_top(f->sources)->root != NULL) {
		ab_app_destroy(f->app);
		ab_env_fini(&f->env);
		ab_shared_close(f->shared);
	}
	ab_sources_destroy(f->sources);
	ab_diags_destroy(f->diags);
	free(f->mistakes);
	free(f->hints);
	cr_assert_eq(chdir(f->before), 0);
	free(f->before);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void note_done(struct ab_run *run, void *arg)
{
	(void)run;
	*(bool *)arg = true;
}

json_t *appfile_value(struct appfile *f, const char *name)
{
	struct ab_plan_spec spec = {.dispatcher = f->app->dispatcher, .targets = {&name, 1}};
	struct ab_context context = {.env = &f->env, .request_id = "test", .max_fetches = 10};
	struct ab_arena *arena = ab_arena_create(NULL);
	struct ab_plan *plan = NULL;
	struct ab_error err;
	struct ab_run *run;
	enum ab_code code;
	json_t *value = NULL;
	bool done = false;

	cr_assert_eq(ab_plan_compile(&spec, &plan, &err), AB_OK, "%s", err.text);
	run = ab_run_create(arena, plan, &context);
	code = ab_run_start(run, note_done, &done);
	while (code == AB_PENDING && !done)
		uv_run(f->env.loop, UV_RUN_ONCE);
	if (ab_run_result(run) == AB_OK)
		value = json_incref(ab_run_value(run, ab_plan_slot(plan, name)));
	ab_arena_unref(arena);
	ab_plan_destroy(plan);
	return value;
}

void appfile_expect(const struct wrong *table, size_t count)
{
	setenv("AB_T_NUMBER", "5", 1);
	setenv("AB_T_NO", "no", 1);
	setenv("AB_T_SECRET", "s3cret{x}", 1);
	setenv("AB_T_LATIN", "\xff", 1);
	unsetenv("AB_T_NOT_SET");
	for (size_t i = 0; i < count; i++) {
		struct appfile f;

		appfile_open(&f, table[i].text);
		cr_expect_str_eq(f.mistakes, table[i].mistakes, "%s:\n%s\ngave\n%s\ninstead of\n%s",
		        table[i].why, table[i].text, f.mistakes, table[i].mistakes);
		appfile_close(&f);
	}
}
