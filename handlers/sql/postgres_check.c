/* handlers/sql/postgres_check.c: statements checked against the real database, on the main thread, before
 * anything listens: `check --connect` and the start of `serve`. It may block, for a bounded time. */
#include "postgres.h"

#include <poll.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for the socket; false when the time is over. */
static bool wait_for(PGconn *pg, short events, int64_t end)
{
	struct pollfd fd = {.fd = PQsocket(pg), .events = events};
	int64_t left = end - now_ms();

	return left > 0 && poll(&fd, 1, (int)left) > 0;
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static bool connect_until(PGconn *pg, int64_t end)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK) {
		if (status == PGRES_POLLING_FAILED ||
		        !wait_for(pg, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, end))
			return false;
		status = PQconnectPoll(pg);
	}
	return true;
}

PGconn *ab_pg_check_connect(const struct ab_pg *base, struct ab_error *err)
{
	int64_t end = now_ms() + AB_PG_CHECK_MS;
	PGconn *pg = ab_pg_connect_start(base, base->hosts, base->n_hosts);
	char line[AB_ERROR_TEXT];

	if (pg != NULL && PQstatus(pg) != CONNECTION_BAD) {
		PQsetNoticeReceiver(pg, ignore_notice, NULL);
		if (connect_until(pg, end))
			return pg;
	}
	if (pg == NULL)
		ab_error_set(err, AB_ENOMEM, "out of memory");
	else if (PQstatus(pg) != CONNECTION_BAD)
		ab_error_set(err, AB_ETIMEOUT, "no answer within %d ms", AB_PG_CHECK_MS);
	else
		ab_error_set(err, AB_EUPSTREAM, "%s", ab_pg_line(PQerrorMessage(pg), line, sizeof(line)));
	PQfinish(pg);
	return NULL;
}

/* The last result of what was sent; NULL when the connection broke or said nothing in time. */
static PGresult *result_of(PGconn *pg, int sent)
{
	int64_t end = now_ms() + AB_PG_CHECK_MS;
	PGresult *last = NULL, *result;

	if (!sent)
		return NULL;
	for (;;) {
		while (PQisBusy(pg))
			if (!wait_for(pg, POLLIN, end) || !PQconsumeInput(pg)) {
				PQclear(last);
				return NULL;
			}
		result = PQgetResult(pg);
		if (result == NULL)
			return last;
		PQclear(last);
		last = result;
	}
}

/* ---- a statement ---- */

struct ab_pg_shape *ab_pg_shape_make(const PGresult *described)
{
	size_t n = (size_t)PQnparams(described);
	int columns = PQnfields(described);
	struct ab_pg_shape *shape = calloc(1, sizeof(*shape) + n * sizeof(shape->params[0]));

	if (shape == NULL)
		return NULL;
	shape->n_params = n;
	shape->selects = columns > 0;
	shape->binary = columns > 0;
	for (size_t i = 0; i < n; i++)
		shape->params[i] = ab_pg_type(PQparamtype(described, (int)i));
	for (int i = 0; i < columns; i++) {
		shape->binary &= ab_pg_type_binary(ab_pg_type(PQftype(described, i)));
		for (int j = 0; j < i && shape->twice[0] == '\0'; j++)
			if (strcmp(PQfname(described, i), PQfname(described, j)) == 0)
				snprintf(shape->twice, sizeof(shape->twice), "%s", PQfname(described, i));
	}
	return shape;
}

enum ab_code ab_pg_shape_refuse(
        const struct ab_pg *base, const struct ab_pg_shape *shape, struct ab_error *err)
{
	return ab_error_set(err, AB_EUPSTREAM,
	        "database '%s': two columns named '%s'; give one another name with AS", base->name,
	        shape->twice);
}

/* The byte at which the server's position, which counts characters from 1, is. */
static size_t byte_of(const struct ab_pg_statement *statement, const char *position)
{
	size_t at = 0, left = position == NULL ? 0 : strtoul(position, NULL, 10);

	for (; left > 1 && at < statement->len; left--)
		do
			at++;
		while (at < statement->len && (statement->text[at] & 0xc0) == 0x80);
	return at;
}

static bool explain(const struct ab_pg *base, const struct ab_pg_statement *statement, const PGresult *result,
        size_t *ret_offset, struct ab_error *err)
{
	const char *hint = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	char line[AB_ERROR_TEXT];

	if (result == NULL) {
		ab_error_set(err, AB_EUPSTREAM, "database '%s': %s", base->name,
		        ab_pg_line(PQerrorMessage(base->checker), line, sizeof(line)));
		return false;
	}
	*ret_offset = byte_of(statement, PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION));
	ab_pg_error(base, result, NULL, NULL, err);
	if (hint != NULL)
		ab_error_set(err, err->code, "%s; %s", err->text, ab_pg_line(hint, line, sizeof(line)));
	return false;
}

bool ab_pg_check_statement(struct ab_pg *base, struct ab_pg_statement *statement, bool named,
        size_t *ret_offset, struct ab_error *err)
{
	PGconn *pg = base->checker;
	PGresult *result = result_of(pg, PQsendPrepare(pg, "", statement->text, 0, NULL));
	struct ab_pg_shape *shape = NULL;
	bool ok;

	*ret_offset = 0;
	ok = result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK;
	if (ok) {
		PQclear(result);
		result = result_of(pg, PQsendDescribePrepared(pg, ""));
		ok = result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK;
	}
	if (!ok) {
		explain(base, statement, result, ret_offset, err);
	} else if ((size_t)PQnparams(result) != statement->n_params) {
		ab_error_set(err, AB_EINVALID,
		        "PostgreSQL sees %d parameters where there are %zu placeholders", PQnparams(result),
		        statement->n_params);
		ok = false;
	} else if ((shape = ab_pg_shape_make(result)) == NULL) {
		ab_error_set(err, AB_ENOMEM, "out of memory");
		ok = false;
	} else if (named && shape->twice[0] != '\0') {
		ab_pg_shape_refuse(base, shape, err);
		ok = false;
	}
	PQclear(result);
	if (!ok) {
		free(shape);
		return false;
	}
	free(statement->shape);
	statement->shape = shape;
	return true;
}
