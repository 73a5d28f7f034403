/* tests/fuzz/fuzz_json.c: any bytes as JSON. What is read must be written and read back the same, and be what
 * jansson reads where it reads it. */
#include "../../handlers/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ab_error err = {0};
	json_t *value = ab_json_read((const char *)data, size, &err), *again, *theirs;
	struct ab_buf buf;

	if (value == NULL) {
		ab_assert(err.code == AB_EINVALID && strncmp(err.text, "line ", 5) == 0);
		return 0;
	}
	ab_assert(ab_utf8_valid((const char *)data, size));
	ab_buf_init(&buf, SIZE_MAX);
	ab_json_write(&buf, value);
	again = ab_json_read(buf.data, buf.len, &err);
	ab_assert(again != NULL && json_equal(value, again));
	theirs = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	ab_assert(theirs == NULL || json_equal(value, theirs));
	json_decref(theirs);
	json_decref(again);
	json_decref(value);
	ab_buf_fini(&buf);
	return 0;
}
