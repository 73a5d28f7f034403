/* handlers/sql/database.c: an entry under `databases:`, from its URL to an open database of some engine. */
#include "database.h"

#include "engine.h"

#include <string.h>

enum {
	DEFAULT_TIMEOUT_MS = 1000,
	DEFAULT_MAX_ROWS = 1000,
	MAX_POOL = 64,
	MAX_MAX_ROWS = 1000000,
};

static const char expected_url[] =
        "expected sqlite:PATH, such as sqlite:shop.db, or postgresql://user@host/database";

/* The engine that a URL's scheme names, or NULL after reporting. A secret URL is not shown. */
static const struct ab_sql_engine *engine_of(const struct ab_conf *conf, struct ab_diags *diags)
{
	const char *url = ab_conf_string(conf, "a database's URL", diags);

	if (url == NULL)
		return NULL;
	if (strncmp(url, "sqlite:", 7) == 0)
		return &ab_sqlite_engine;
	if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
		return &ab_postgres_engine;
	ab_diag(diags, conf->pos, "not a database's URL; %s", expected_url);
	return NULL;
}

/* The keys of a mapping; what they mean is the engine's business. NULL: no engine known. */
static bool entry_read_map(struct ab_sql_entry *entry, const char *what, const struct ab_sql_engine *engine,
        struct ab_diags *diags)
{
	const struct ab_conf *value;
	int64_t rows = DEFAULT_MAX_ROWS;
	bool ok =
	        ab_conf_only(entry->conf, what, engine == NULL ? ab_sqlite_engine.keys : engine->keys, diags);

	entry->schema = ab_conf_get(entry->conf, "schema");
	if (entry->schema != NULL && entry->schema->type == AB_CONF_NULL)
		entry->schema = NULL; /* so that it can be left out by ${...} */
	if ((value = ab_conf_get(entry->conf, "timeout")) != NULL)
		ok &= ab_conf_duration(value, "`timeout`", &entry->timeout_ms, diags);
	if ((value = ab_conf_get(entry->conf, "pool")) != NULL)
		ok &= ab_conf_int(value, "`pool`", 1, MAX_POOL, &entry->pool, diags);
	if ((value = ab_conf_get(entry->conf, "max_rows")) != NULL)
		ok &= ab_conf_int(value, "`max_rows`", 1, MAX_MAX_ROWS, &rows, diags);
	if (engine == &ab_postgres_engine && (value = ab_conf_get(entry->conf, "prepare")) != NULL)
		ok &= ab_conf_bool(value, "`prepare`", &entry->prepare, diags);
	entry->max_rows = (size_t)rows;
	return ok;
}

/* The engine of the entry, which is filled; NULL after reporting. */
static const struct ab_sql_engine *entry_read(struct ab_sql_entry *entry, struct ab_diags *diags)
{
	const struct ab_sql_engine *engine = NULL;
	char what[128];

	snprintf(what, sizeof(what), "database '%.64s'", entry->name);
	entry->timeout_ms = DEFAULT_TIMEOUT_MS;
	entry->max_rows = DEFAULT_MAX_ROWS;
	entry->prepare = true;
	entry->url = entry->conf;
	if (entry->conf->type == AB_CONF_MAP) {
		entry->url = ab_conf_get(entry->conf, "url");
		if (entry->url == NULL)
			ab_diag(diags, entry->conf->pos, "%s has no `url`; expected one like sqlite:shop.db",
			        what);
	}
	if (entry->url != NULL)
		engine = engine_of(entry->url, diags);
	if (entry->conf->type == AB_CONF_MAP && !entry_read_map(entry, what, engine, diags))
		return NULL;
	return engine;
}

struct ab_database *ab_database_open(const char *name, const struct ab_conf *conf, const char *dir,
        enum ab_database_use use, struct ab_diags *diags)
{
	struct ab_sql_entry entry = {.name = name, .conf = conf, .dir = dir, .use = use};
	const struct ab_sql_engine *engine = entry_read(&entry, diags);
	struct ab_database *database;

	if (engine == NULL)
		return NULL;
	database = calloc(1, sizeof(*database));
	if (database == NULL || (database->name = strdup(name)) == NULL) {
		ab_diag(diags, conf->pos, "out of memory");
		free(database);
		return NULL;
	}
	database->timeout_ms = entry.timeout_ms;
	database->engine = engine;
	entry.name = database->name;
	database->base = engine->open(&entry, diags);
	if (database->base != NULL && engine->connect != NULL &&
	        (use == AB_DATABASE_SERVE || use == AB_DATABASE_CONNECT))
		engine->connect(database->base, use, diags);
	if (database->base != NULL)
		return database;
	ab_database_close(database);
	return NULL;
}

void ab_database_loaded(struct ab_database *database)
{
	if (database != NULL && database->engine->loaded != NULL)
		database->engine->loaded(database->base);
}

void ab_database_close(struct ab_database *database)
{
	if (database == NULL)
		return;
	if (database->base != NULL)
		database->engine->close(database->base);
	free(database->name);
	free(database);
}
