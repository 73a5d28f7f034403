/* tests/fuzz/fuzz_postgres_value.c: any bytes as a value of any type, in binary and in text form; and any
 * JSON as a parameter of any type.
 *
 * Whatever becomes of the bytes is a value that we can write as JSON, or an error with words; nothing of it
 * goes beyond the bounds. What was a text array reads back as the parameter it makes. */
#include "../../handlers/json.h"
#include "../../handlers/sql/postgres_types.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const json_t *value)
{
	struct ab_buf buf;

	ab_buf_init(&buf, 64 << 20);
	ab_json_write(&buf, value);
	ab_assert(!buf.failed);
	ab_buf_fini(&buf);
}

static void read_value(struct ab_pg_type type, bool binary, const char *data, size_t size)
{
	struct ab_error err = {0};
	size_t bytes = 0;
	json_t *value = ab_pg_value(type, binary, data, size, &bytes, &err);

	if (value == NULL)
		ab_assert(err.text[0] != '\0' && (err.code == AB_EUPSTREAM || err.code == AB_ENOMEM));
	else
		check_written(value);
	json_decref(value);
}

/* Strings survive the way to the server and back. */
static void go_and_return(const json_t *list, const char *text, size_t len)
{
	const struct ab_pg_type type = {.kind = AB_PG_STRING, .array = true};
	struct ab_error err = {0};
	size_t bytes = 0;
	json_t *back = ab_pg_value(type, false, text, len, &bytes, &err);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			goto end;
	ab_assert(back != NULL && json_equal(back, (json_t *)(uintptr_t)list));
end:
	json_decref(back);
}

static void write_param(struct ab_pg_type type, const json_t *value)
{
	struct ab_error err = {0};
	struct ab_buf buf;

	ab_buf_init(&buf, 1 << 20);
	if (ab_pg_param(&buf, type, value, &err) != AB_OK)
		ab_assert(err.text[0] != '\0');
	else if (!buf.failed && buf.data != NULL) {
		ab_assert(memchr(buf.data, '\0', buf.len) == NULL);
		if (type.array && type.kind == AB_PG_STRING)
			go_and_return(value, buf.data, buf.len);
	}
	ab_buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ab_pg_type type;
	struct ab_error err;
	json_t *value;
	char *copy;

	if (size < 1)
		return 0;
	type = (struct ab_pg_type){
	        .kind = (enum ab_pg_kind)(data[0] % (AB_PG_TIMESTAMPTZ + 1)), .array = (data[0] & 0x80) != 0};
	/* Exactly as large as the bytes, so that reading beyond them is seen. */
	copy = malloc(size);
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	copy = realloc(copy, size > 1 ? size - 1 : 1);
	read_value(type, true, copy, size - 1);
	read_value(type, false, copy, size - 1);
	value = ab_json_read(copy, size - 1, &err);
	if (value != NULL && !json_is_null(value))
		write_param(type, value);
	json_decref(value);
	free(copy);
	return 0;
}
