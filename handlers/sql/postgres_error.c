/* handlers/sql/postgres_error.c: what the server says of a failure, in our words and codes. */
#include "postgres.h"

#include <string.h>

const char *ab_pg_line(const char *message, char *buf, size_t size)
{
	size_t len = 0;

	for (const char *at = message; *at != '\0' && len + 1 < size; at++) {
		bool blank = *at == '\n' || *at == '\t' || *at == ' ';

		if (blank && (len == 0 || buf[len - 1] == ' '))
			continue;
		buf[len++] = blank ? ' ' : *at;
	}
	while (len > 0 && buf[len - 1] == ' ')
		len--;
	buf[len] = '\0';
	return buf;
}

/* The code for an SQLSTATE. */
static enum ab_code code_of(const char *state)
{
	if (strcmp(state, "57014") == 0) /* query_canceled: by the server's own timeout */
		return AB_ETIMEOUT;
	if (strncmp(state, "53", 2) == 0 || strcmp(state, "55P03") == 0 || strcmp(state, "40001") == 0 ||
	        strcmp(state, "40P01") == 0)
		return AB_EOVERLOAD;
	return AB_EUPSTREAM;
}

/* The parameter that the server could not read, from 1; 0: it was none. What it says of the place of an error
 * while binding is "portal ... parameter $2", in any language with the number as such. */
static size_t bad_param(const PGresult *result, const char *state)
{
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT), *at;

	if (context == NULL || state[0] != '2' || state[1] != '2')
		return 0;
	at = strstr(context, "parameter $");
	return at == NULL ? 0 : strtoul(at + strlen("parameter $"), NULL, 10);
}

enum ab_code ab_pg_error(const struct ab_pg *base, const PGresult *result, const struct ab_call *call,
        const struct ab_sql_part *part, struct ab_error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char line[AB_ERROR_TEXT];
	size_t param;

	if (text == NULL)
		text = PQresultErrorMessage(result);
	if (state == NULL)
		state = "";
	param = bad_param(result, state);
	ab_pg_line(text, line, sizeof(line));
	if (param > 0 && call != NULL && part != NULL && param <= part->n_params)
		return ab_error_set(err, AB_EINVALID, "parameter '%s': %s",
		        call->resource->needs[part->params[param - 1].need], line);
	if (strcmp(state, "25006") == 0)
		return ab_error_set(err, AB_EUPSTREAM,
		        "database '%s': %s (25006); a statement that writes in a function says so: writes: true",
		        base->name, line);
	return ab_error_set(err, code_of(state), "database '%s': %s%s%s%s", base->name, line,
	        state[0] == '\0' ? "" : " (", state, state[0] == '\0' ? "" : ")");
}

bool ab_pg_is_stale(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *function;

	if (PQresultStatus(result) != PGRES_FATAL_ERROR || state == NULL)
		return false;
	if (strcmp(state, "26000") == 0)
		return true;
	/* "cached plan must not change result type", in whatever language. */
	function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
	return strcmp(state, "0A000") == 0 && function != NULL &&
	       strcmp(function, "RevalidateCachedQuery") == 0;
}
