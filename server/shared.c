/* server/shared.c: what a process has once, whatever the number of its workers: settings, open databases,
 * counters of upstreams. Opened and filled on the main thread, before any worker runs. */
#include "app_parts.h"
#include "settings.h"

struct shared_database {
	const struct ab_conf_pair *pair;
	struct ab_database *database;
};

struct shared_upstream {
	const struct ab_conf_pair *pair;
	struct ab_upstream_shared *shared;
};

struct ab_shared {
	struct ab_settings settings;
	struct shared_database *databases;
	size_t n_databases;
	struct shared_upstream *upstreams;
	size_t n_upstreams;
	struct ab_threads *threads; /* for C functions that block; NULL: none does */
	struct ab_jq_shared *jq;
};

static const struct ab_conf *section(const struct ab_source *source, const char *name)
{
	const struct ab_conf *map = ab_conf_get(source->root, name);

	return map != NULL && map->type == AB_CONF_MAP ? map : NULL;
}

static size_t count_all(const struct ab_sources *sources, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < ab_sources_count(sources); i++) {
		const struct ab_conf *map = section(ab_sources_at(sources, i), name);

		count += map == NULL ? 0 : map->u.map.count;
	}
	return count;
}

static void open_databases(struct ab_shared *shared, const struct ab_source *source, enum ab_database_use use,
        struct ab_diags *diags)
{
	const struct ab_conf *map = section(source, "databases");

	for (size_t i = 0; map != NULL && i < map->u.map.count; i++) {
		const struct ab_conf_pair *pair = &map->u.map.pairs[i];

		shared->databases[shared->n_databases++] = (struct shared_database){
		        .pair = pair,
		        .database = ab_database_open(pair->key, pair->value, source->dir, use, diags),
		};
	}
}

static void list_upstreams(struct ab_shared *shared, const struct ab_source *source)
{
	const struct ab_conf *map = section(source, "upstreams");

	for (size_t i = 0; map != NULL && i < map->u.map.count; i++)
		shared->upstreams[shared->n_upstreams++].pair = &map->u.map.pairs[i];
}

struct ab_shared *ab_shared_open(
        const struct ab_sources *sources, enum ab_database_use use, struct ab_diags *diags)
{
	struct ab_shared *shared = calloc(1, sizeof(*shared));

	if (shared == NULL)
		return NULL;
	shared->databases = calloc(count_all(sources, "databases") + 1, sizeof(*shared->databases));
	shared->upstreams = calloc(count_all(sources, "upstreams") + 1, sizeof(*shared->upstreams));
	shared->jq = ab_jq_shared_create();
	if (shared->databases == NULL || shared->upstreams == NULL || shared->jq == NULL) {
		ab_shared_close(shared);
		return NULL;
	}
	ab_settings_read(&shared->settings, ab_conf_get(ab_sources_top(sources)->root, "server"),
	        use == AB_DATABASE_SERVE || use == AB_DATABASE_RUN, diags);
	for (size_t i = 0; i < ab_sources_count(sources); i++) {
		open_databases(shared, ab_sources_at(sources, i), use, diags);
		list_upstreams(shared, ab_sources_at(sources, i));
	}
	return shared;
}

void ab_shared_loaded(struct ab_shared *shared)
{
	for (size_t i = 0; i < shared->n_databases; i++)
		ab_database_loaded(shared->databases[i].database);
}

void ab_shared_close(struct ab_shared *shared)
{
	if (shared == NULL)
		return;
	for (size_t i = 0; i < shared->n_databases; i++)
		ab_database_close(shared->databases[i].database);
	ab_threads_close(shared->threads);
	for (size_t i = 0; i < shared->n_upstreams; i++)
		ab_upstream_shared_unref(shared->upstreams[i].shared);
	ab_jq_shared_close(shared->jq);
	free(shared->databases);
	free(shared->upstreams);
	free(shared);
}

const struct ab_settings *ab_shared_settings(const struct ab_shared *shared)
{
	return &shared->settings;
}

struct ab_threads *ab_shared_threads(struct ab_shared *shared)
{
	if (shared->threads == NULL)
		shared->threads = ab_native_threads();
	return shared->threads;
}

struct ab_database *ab_shared_database(const struct ab_shared *shared, const struct ab_conf_pair *pair)
{
	for (size_t i = 0; i < shared->n_databases; i++)
		if (shared->databases[i].pair == pair)
			return shared->databases[i].database;
	return NULL;
}

struct ab_upstream_shared **ab_shared_upstream(struct ab_shared *shared, const struct ab_conf_pair *pair)
{
	for (size_t i = 0; i < shared->n_upstreams; i++)
		if (shared->upstreams[i].pair == pair)
			return &shared->upstreams[i].shared;
	return NULL;
}

struct ab_jq_shared *ab_shared_jq(struct ab_shared *shared)
{
	return shared->jq;
}

void ab_shared_start(struct ab_shared *shared)
{
	ab_jq_shared_start(shared->jq);
}
