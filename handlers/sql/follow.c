/* handlers/sql/follow.c: equal queries of one request go out once (../../dispatch/share.h): the same
 * statement, with the same values bound. */
#include "../json.h"
#include "statement.h"

#include <string.h>

enum { KEY_MAX = 1024 * 1024 }; /* bytes; what is longer is asked anew */

static void key_text(struct ab_buf *key, char type, const char *text, size_t len)
{
	ab_buf_addc(key, type);
	ab_buf_add(key, (const char *)&len, sizeof(len));
	ab_buf_add(key, text, len);
}

static void key_json(struct ab_buf *key, const json_t *value)
{
	struct ab_buf text;

	ab_buf_init(&text, KEY_MAX);
	ab_json_write(&text, value);
	key->failed |= text.failed;
	if (!text.failed)
		key_text(key, 'j', text.data, text.len);
	ab_buf_fini(&text);
}

static void key_value(struct ab_buf *key, const json_t *value)
{
	json_int_t integer;
	double real;

	switch (value == NULL ? JSON_NULL : json_typeof(value)) {
	case JSON_INTEGER:
		integer = json_integer_value(value);
		ab_buf_addc(key, 'i');
		ab_buf_add(key, (const char *)&integer, sizeof(integer));
		return;
	case JSON_REAL:
		real = json_real_value(value);
		ab_buf_addc(key, 'r');
		ab_buf_add(key, (const char *)&real, sizeof(real));
		return;
	case JSON_STRING:
		key_text(key, 's', json_string_value(value), json_string_length(value));
		return;
	case JSON_TRUE:
		ab_buf_addc(key, 't');
		return;
	case JSON_FALSE:
		ab_buf_addc(key, 'f');
		return;
	case JSON_NULL:
		ab_buf_addc(key, 'n');
		return;
	default:
		key_json(key, value);
	}
}

static void key_make(struct ab_buf *key, const struct ab_call *call)
{
	const struct ab_sql_statement *statement = call->resource->config;
	const struct ab_sql_part *part = &statement->parts[0];
	const struct {
		const void *checked, *end;
		uint64_t timeout_ms, returns;
	} head = {part->checked, statement->end, statement->timeout_ms, statement->returns};

	ab_buf_add(key, (const char *)&head, sizeof(head));
	for (size_t i = 0; i < part->n_params && !key->failed; i++)
		key_value(key, ab_ref_get(&part->params[i], call));
}

bool ab_sql_follows(struct ab_call *call)
{
	const struct ab_sql_statement *statement = call->resource->config;
	const struct ab_context *context = call->context;
	struct ab_share *share = context->share;
	struct ab_buf *key;

	ab_context_write(call);
	if (share == NULL || call->resource->writes || statement->n_parts != 1)
		return false;
	key = ab_sql_scratch(context->env->sql, KEY_MAX);
	key_make(key, call);
	return !key->failed && ab_share_join(share, call, key->data, key->len);
}
