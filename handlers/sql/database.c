/* handlers/sql/database.c: an entry under `databases:`, from its URL to an open database. */
#include "database.h"

#include "statement.h"

#include <sched.h>
#include <string.h>

enum {
	DEFAULT_TIMEOUT_MS = 1000,
	DEFAULT_MAX_ROWS = 1000,
	DEFAULT_POOL = 4, /* at most as many as there are cores */
	MAX_POOL = 64,
	MAX_MAX_ROWS = 1000000,
};

/* An entry as it is read. */
struct entry {
	const struct ab_conf *url;
	const struct ab_conf *schema;
	uint64_t timeout_ms;
	int64_t pool;
	int64_t max_rows;
};

static int64_t cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

static bool entry_read_map(
        struct entry *entry, const char *what, const struct ab_conf *conf, struct ab_diags *diags)
{
	static const char *const keys[] = {"url", "pool", "timeout", "max_rows", "schema", NULL};
	const struct ab_conf *value;
	bool ok = ab_conf_only(conf, what, keys, diags);

	entry->url = ab_conf_get(conf, "url");
	entry->schema = ab_conf_get(conf, "schema");
	if (entry->url == NULL) {
		ab_diag(diags, conf->pos, "%s has no `url`; expected one like sqlite:shop.db", what);
		ok = false;
	}
	if ((value = ab_conf_get(conf, "timeout")) != NULL)
		ok &= ab_conf_duration(value, "`timeout`", &entry->timeout_ms, diags);
	if ((value = ab_conf_get(conf, "pool")) != NULL)
		ok &= ab_conf_int(value, "`pool`", 1, MAX_POOL, &entry->pool, diags);
	if ((value = ab_conf_get(conf, "max_rows")) != NULL)
		ok &= ab_conf_int(value, "`max_rows`", 1, MAX_MAX_ROWS, &entry->max_rows, diags);
	return ok;
}

static bool entry_read(
        struct entry *entry, const char *name, const struct ab_conf *conf, struct ab_diags *diags)
{
	char what[128];

	*entry = (struct entry){
	        .timeout_ms = DEFAULT_TIMEOUT_MS,
	        .pool = cores() < DEFAULT_POOL ? cores() : DEFAULT_POOL,
	        .max_rows = DEFAULT_MAX_ROWS,
	};
	snprintf(what, sizeof(what), "database '%.64s'", name);
	if (conf->type == AB_CONF_MAP)
		return entry_read_map(entry, what, conf, diags);
	entry->url = conf;
	return true;
}

/* The path in `sqlite:PATH`, or NULL after reporting. A secret URL is not shown. */
static const char *url_path(const struct ab_conf *conf, struct ab_diags *diags)
{
	const char *url = ab_conf_string(conf, "a database's URL", diags), *path;
	static const char usage[] = "expected sqlite:PATH, such as sqlite:shop.db or sqlite:/var/lib/shop.db";

	if (url == NULL)
		return NULL;
	path = url + strlen("sqlite:");
	if (strncmp(url, "postgresql:", 11) == 0 || strncmp(url, "postgres:", 9) == 0)
		ab_diag(diags, conf->pos, "PostgreSQL is not yet in this version; %s", usage);
	else if (strncmp(url, "sqlite:", 7) != 0)
		ab_diag(diags, conf->pos, "not a database's URL; %s", usage);
	else if (*path == '\0')
		ab_diag(diags, conf->pos, "a URL without a path; %s", usage);
	else if (path[0] == ':')
		ab_diag(diags, conf->pos,
		        "a database in memory would be another one for each connection; expected a file, and a `schema` to fill it from");
	else if (strncmp(path, "//", 2) == 0)
		ab_diag(diags, conf->pos, "a path does not begin with //; %s", usage);
	else if (strchr(path, '?') != NULL)
		ab_diag(diags, conf->pos, "a URL with parameters; %s", usage);
	else
		return path;
	return NULL;
}

static bool database_open(struct ab_database *database, const struct entry *entry, const char *dir,
        bool serving, struct ab_diags *diags)
{
	const char *path = url_path(entry->url, diags);
	struct ab_sql_text schema = {0};

	if (entry->schema != NULL && !ab_sql_text_read(&schema, entry->schema, dir, "`schema`", diags))
		return false;
	if (path != NULL) {
		database->path = ab_sql_path(dir, path);
		if (database->path == NULL)
			ab_diag(diags, entry->url->pos, "out of memory");
		else
			database->sqlite = ab_sqlite_open(
			        &(struct ab_sqlite_options){
			                .name = database->name,
			                .path = database->path,
			                .shown = entry->url->secret ? "${...}" : database->path,
			                .pos = entry->url->pos,
			                .schema = entry->schema != NULL ? &schema : NULL,
			                .serving = serving,
			                .pool = (unsigned)entry->pool,
			                .max_rows = (size_t)entry->max_rows,
			        },
			        diags);
	}
	ab_sql_text_fini(&schema);
	return database->sqlite != NULL;
}

struct ab_database *ab_database_open(
        const char *name, const struct ab_conf *conf, const char *dir, bool serving, struct ab_diags *diags)
{
	struct ab_database *database;
	struct entry entry;

	if (!entry_read(&entry, name, conf, diags))
		return NULL;
	database = calloc(1, sizeof(*database));
	if (database == NULL || (database->name = strdup(name)) == NULL) {
		ab_diag(diags, conf->pos, "out of memory");
		free(database);
		return NULL;
	}
	database->timeout_ms = entry.timeout_ms;
	if (database_open(database, &entry, dir, serving, diags))
		return database;
	ab_database_close(database);
	return NULL;
}

void ab_database_close(struct ab_database *database)
{
	if (database == NULL)
		return;
	if (database->sqlite != NULL)
		ab_sqlite_close(database->sqlite);
	free(database->path);
	free(database->name);
	free(database);
}
