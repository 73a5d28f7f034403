/* handlers/sql/sqlite.c: a database's threads and queues, and its table of statements. */
#include "sqlite.h"

#include "sqlite_conn.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct ab_sql_trip *head, **tail; /* of jobs */
	size_t count;
	size_t waiting; /* threads that wait for a job */
	bool closed;
};

struct thread {
	pthread_t id;
	struct ab_sqlite_conn conn;
	struct queue *queue;
};

struct ab_sqlite {
	char *path;
	char *shown; /* the same for messages */
	bool serving;
	bool unwritable; /* as far as can be told without writing */
	struct queue reads, writes;
	struct thread *threads; /* the writer first */
	size_t n_threads;

	pthread_mutex_t lock; /* of what follows; at load only */
	struct ab_sqlite_conn checker;
	struct ab_sqlite_statement *statements;
	size_t n_statements;
};

/* ---- queues ---- */

static void queue_init(struct queue *queue)
{
	*queue = (struct queue){.tail = &queue->head};
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
}

static void queue_fini(struct queue *queue)
{
	ab_assert(queue->head == NULL);
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
}

static bool queue_push(struct queue *queue, struct ab_sql_job *job)
{
	bool room, wake;

	job->trip.next = NULL;
	pthread_mutex_lock(&queue->lock);
	room = queue->count < AB_SQLITE_QUEUE;
	wake = queue->waiting > 0;
	if (room) {
		*queue->tail = &job->trip;
		queue->tail = &job->trip.next;
		queue->count++;
	}
	pthread_mutex_unlock(&queue->lock);
	if (room && wake)
		pthread_cond_signal(&queue->filled);
	return room;
}

/* The next job; waits for one. NULL once the queue is closed and empty. */
static struct ab_sql_job *queue_pop(struct queue *queue)
{
	struct ab_sql_trip *trip;

	pthread_mutex_lock(&queue->lock);
	while (queue->head == NULL && !queue->closed) {
		queue->waiting++;
		pthread_cond_wait(&queue->filled, &queue->lock);
		queue->waiting--;
	}
	trip = queue->head;
	if (trip != NULL) {
		queue->head = trip->next;
		queue->count--;
		if (queue->head == NULL)
			queue->tail = &queue->head;
	}
	pthread_mutex_unlock(&queue->lock);
	return trip == NULL ? NULL : ab_container_of(trip, struct ab_sql_job, trip);
}

static void queue_close(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_mutex_unlock(&queue->lock);
	pthread_cond_broadcast(&queue->filled);
}

enum ab_code ab_sqlite_submit(struct ab_sqlite *sqlite, struct ab_sql_job *job, struct ab_error *err)
{
	bool writes = job->transaction || job->statement->writes;
	const char *name = sqlite->checker.name;

	if (AB_UNLIKELY(!sqlite->serving))
		return ab_error_set(
		        err, AB_EINTERNAL, "database '%s' was opened only to check statements", name);
	if (AB_LIKELY(queue_push(writes ? &sqlite->writes : &sqlite->reads, job)))
		return AB_OK;
	return ab_error_set(err, AB_EOVERLOAD, "database '%s': %d %s are waiting already", name,
	        AB_SQLITE_QUEUE, writes ? "writes" : "queries");
}

/* ---- threads ---- */

static void *thread_main(void *arg)
{
	struct thread *thread = arg;
	struct ab_sql_job *job;
	struct ab_error err;

	/* Ahead of the first job; what fails now is tried again, and reported, with each job. */
	(void)!ab_sqlite_ready(&thread->conn, &err);
	while ((job = queue_pop(thread->queue)) != NULL) {
		if (ab_sql_job_move(job, AB_SQL_QUEUED, AB_SQL_RUNNING))
			ab_sqlite_run(&thread->conn, job);
		ab_sql_trip_done(&job->trip);
	}
	ab_sqlite_conn_close(&thread->conn);
	return NULL;
}

/* Signals are the loop's. Threads that could be started are ended by ab_sqlite_close. */
static bool threads_start(struct ab_sqlite *sqlite, const struct ab_sqlite_options *options)
{
	sigset_t all, before;

	sqlite->threads = calloc(options->pool + 1, sizeof(*sqlite->threads));
	if (sqlite->threads == NULL)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < options->pool + 1; i++) {
		struct thread *thread = &sqlite->threads[i];

		thread->queue = i == 0 ? &sqlite->writes : &sqlite->reads;
		thread->conn = (struct ab_sqlite_conn){
		        .role = i == 0 ? AB_SQLITE_WRITER : AB_SQLITE_READER,
		        .name = options->name,
		        .path = sqlite->path,
		        .max_rows = options->max_rows,
		};
		if (pthread_create(&thread->id, NULL, thread_main, thread) != 0)
			break;
		sqlite->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sqlite->n_threads == options->pool + 1;
}

/* ---- statements ---- */

static enum ab_code statement_check_columns(sqlite3_stmt *stmt, struct ab_error *err)
{
	struct ab_sqlite_prepared prepared = {.stmt = stmt};
	enum ab_code code = AB_OK;

	if (!ab_sqlite_columns(&prepared))
		return ab_error_set(err, AB_ENOMEM, "out of memory");
	if (prepared.twice >= 0)
		code = ab_error_set(err, AB_EINVALID, "two columns named '%s'; give one another name with AS",
		        prepared.columns[prepared.twice].name);
	free(prepared.columns);
	return code;
}

/* Ask SQLite about a statement that is not in the table yet, and put it there. */
static struct ab_sqlite_statement *statement_add(
        struct ab_sqlite *sqlite, const char *text, size_t len, sqlite3_stmt *stmt)
{
	struct ab_sqlite_statement *statement = calloc(1, sizeof(*statement));

	if (statement == NULL)
		return NULL;
	statement->text = strndup(text, len);
	if (statement->text == NULL) {
		free(statement);
		return NULL;
	}
	statement->len = len;
	statement->index = sqlite->n_statements++;
	statement->writes = sqlite3_stmt_readonly(stmt) == 0;
	statement->selects = sqlite3_column_count(stmt) > 0;
	statement->n_params = (size_t)sqlite3_bind_parameter_count(stmt);
	statement->next = sqlite->statements;
	sqlite->statements = statement;
	return statement;
}

static struct ab_sqlite_statement *statement_find(struct ab_sqlite *sqlite, const char *text, size_t len)
{
	for (struct ab_sqlite_statement *s = sqlite->statements; s != NULL; s = s->next)
		if (s->len == len && memcmp(s->text, text, len) == 0)
			return s;
	return NULL;
}

/* Better at load than in a user's face. A check does not serve, perhaps as another user. */
static enum ab_code statement_check_writable(
        const struct ab_sqlite *sqlite, sqlite3_stmt *stmt, struct ab_error *err)
{
	if (!sqlite->serving || !sqlite->unwritable || sqlite3_stmt_readonly(stmt) != 0)
		return AB_OK;
	return ab_error_set(err, AB_EINVALID,
	        "this writes, which needs write access to the file '%s' and to its folder", sqlite->shown);
}

static struct ab_sqlite_statement *statement_check(struct ab_sqlite *sqlite, const char *text, size_t len,
        size_t n_params, bool named, size_t *ret_offset, struct ab_error *err)
{
	struct ab_sqlite_statement *statement = statement_find(sqlite, text, len);
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (statement != NULL && (statement->named || !named))
		return statement;
	sqlite->checker.refused = NULL;
	rc = sqlite3_prepare_v2(sqlite->checker.db, text, (int)len, &stmt, NULL);
	if (rc != SQLITE_OK) {
		ab_sqlite_explain(&sqlite->checker, text, rc, ret_offset, err);
		return NULL;
	}
	*ret_offset = 0;
	if (stmt == NULL)
		ab_error_set(err, AB_EINVALID, "no statement");
	else if ((size_t)sqlite3_bind_parameter_count(stmt) != n_params)
		ab_error_set(err, AB_EINVALID, "SQLite sees %d parameters where there are %zu placeholders",
		        sqlite3_bind_parameter_count(stmt), n_params);
	else if (statement_check_writable(sqlite, stmt, err) == AB_OK &&
	         (!named || statement_check_columns(stmt, err) == AB_OK)) {
		if (statement == NULL && (statement = statement_add(sqlite, text, len, stmt)) == NULL)
			ab_error_set(err, AB_ENOMEM, "out of memory");
		else
			statement->named = named;
		sqlite3_finalize(stmt);
		return statement;
	}
	sqlite3_finalize(stmt);
	return NULL;
}

struct ab_sqlite_statement *ab_sqlite_prepare(struct ab_sqlite *sqlite, const char *text, size_t len,
        size_t n_params, bool named, size_t *ret_offset, struct ab_error *err)
{
	struct ab_sqlite_statement *statement;

	pthread_mutex_lock(&sqlite->lock);
	statement = statement_check(sqlite, text, len, n_params, named, ret_offset, err);
	pthread_mutex_unlock(&sqlite->lock);
	return statement;
}

bool ab_sqlite_writes(const struct ab_sqlite_statement *statement)
{
	return statement->writes;
}

bool ab_sqlite_selects(const struct ab_sqlite_statement *statement)
{
	return statement->selects;
}

/* ---- opening and closing ---- */

/* Counting every allocation takes a lock that all threads share. */
static void sqlite_setup(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
}

static bool allowed(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

/* A log or journal can be written beside the file, as every write needs it. */
static bool folder_writable(const char *path)
{
	char *log = NULL, *real = realpath(path, NULL), *slash;
	bool writable = true;

	if (real == NULL || asprintf(&log, "%s-wal", real) < 0) {
		free(real);
		return true; /* for the first write to tell */
	}
	slash = strrchr(real, '/');
	slash[slash == real] = '\0';
	writable = allowed(real, W_OK | X_OK) || allowed(log, W_OK);
	free(log);
	free(real);
	return writable;
}

/* A reader of a file in WAL mode, or with a journal left behind, has to write as well. */
static bool open_refuse(struct ab_sqlite *sqlite, const struct ab_sqlite_options *options,
        const struct ab_error *err, struct ab_diags *diags)
{
	int rc = sqlite->checker.failed & 0xff;

	if ((rc == SQLITE_READONLY || rc == SQLITE_CANTOPEN) && allowed(sqlite->path, R_OK) &&
	        !(allowed(sqlite->path, W_OK) && folder_writable(sqlite->path)))
		ab_diag(diags, options->pos,
		        "'%s' is in WAL mode, or a write to it was cut off; reading it, too, needs write access to the file "
		        "and to its folder",
		        options->shown);
	else
		ab_diag(diags, options->pos, "%s: %s", options->shown, err->text);
	return false;
}

/* What to check statements with: the file, or without serving the schema in memory where there is no file
 * yet. */
static bool sqlite_open_checker(
        struct ab_sqlite *sqlite, const struct ab_sqlite_options *options, struct ab_diags *diags)
{
	struct ab_sqlite_conn *conn = &sqlite->checker;
	bool exists = access(sqlite->path, F_OK) == 0, empty = !exists;
	int flags = SQLITE_OPEN_READWRITE | (exists ? 0 : SQLITE_OPEN_CREATE);
	struct ab_error err;
	struct stat st;

	if (!exists && options->schema == NULL) {
		ab_diag(diags, options->pos,
		        "there is no file '%s'; expected a SQLite database, or a `schema` to make one from",
		        options->shown);
		return false;
	}
	if (exists && stat(sqlite->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		ab_diag(diags, options->pos, "'%s' is not a regular file; expected a SQLite database",
		        options->shown);
		return false;
	}
	if (exists || options->serving) {
		if (ab_sqlite_conn_open(conn, flags, false, &err) != AB_OK ||
		        ab_sqlite_is_empty(conn, &empty, &err) != AB_OK)
			return open_refuse(sqlite, options, &err, diags);
	}
	/* A read-only connection would leave the log's files behind; this one clears up and changes no row.
	 */
	if (options->serving)
		ab_sqlite_use_wal(conn);
	else if (exists)
		ab_sqlite_query_only(conn);
	sqlite->unwritable =
	        exists && (sqlite3_db_readonly(conn->db, "main") == 1 || !folder_writable(sqlite->path));
	if (!empty || options->schema == NULL)
		return true;
	if (!options->serving) {
		ab_sqlite_conn_close(conn);
		if (ab_sqlite_conn_open(conn, SQLITE_OPEN_READWRITE, true, &err) != AB_OK)
			return open_refuse(sqlite, options, &err, diags);
	}
	return ab_sqlite_schema_run(conn, options->schema, diags);
}

struct ab_sqlite *ab_sqlite_open(const struct ab_sqlite_options *options, struct ab_diags *diags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ab_sqlite *sqlite = calloc(1, sizeof(*sqlite));

	pthread_once(&once, sqlite_setup);
	if (sqlite == NULL || (sqlite->path = strdup(options->path)) == NULL ||
	        (sqlite->shown = strdup(options->shown)) == NULL) {
		if (sqlite != NULL)
			free(sqlite->path);
		free(sqlite);
		ab_diag(diags, options->pos, "out of memory");
		return NULL;
	}
	queue_init(&sqlite->reads);
	queue_init(&sqlite->writes);
	pthread_mutex_init(&sqlite->lock, NULL);
	sqlite->serving = options->serving;
	sqlite->checker = (struct ab_sqlite_conn){
	        .role = AB_SQLITE_CHECKER, .name = options->name, .path = sqlite->path};
	if (sqlite_open_checker(sqlite, options, diags)) {
		if (!options->serving || threads_start(sqlite, options))
			return sqlite;
		ab_diag(diags, options->pos, "can't start %u threads for database '%s'", options->pool + 1,
		        options->name);
	}
	ab_sqlite_close(sqlite);
	return NULL;
}

void ab_sqlite_close(struct ab_sqlite *sqlite)
{
	queue_close(&sqlite->reads);
	queue_close(&sqlite->writes);
	for (size_t i = 0; i < sqlite->n_threads; i++)
		pthread_join(sqlite->threads[i].id, NULL);
	free(sqlite->threads);
	ab_sqlite_conn_close(&sqlite->checker);
	while (sqlite->statements != NULL) {
		struct ab_sqlite_statement *statement = sqlite->statements;

		sqlite->statements = statement->next;
		free(statement->text);
		free(statement);
	}
	pthread_mutex_destroy(&sqlite->lock);
	queue_fini(&sqlite->reads);
	queue_fini(&sqlite->writes);
	free(sqlite->shown);
	free(sqlite->path);
	free(sqlite);
}
