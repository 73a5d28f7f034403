/* tests/fuzz/fuzz_jq_names.c: any bytes as a filter.
 *
 * Whatever is found lies in the text, and is a name. libjq itself must agree: when the scanner has understood
 * a filter and found nothing wrong, libjq may refuse it, but not for a variable that nothing binds. */
#include "../../handlers/jq/names.h"
#include "../../handlers/jq/program.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_NAMES = 64 };

struct found {
	const char *text;
	size_t len;
	struct ab_jq_name names[MAX_NAMES];
	size_t n_names;
	bool mistaken, skip, guard_time;
};

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '.' || c == ':';
}

static void on_need(void *arg, size_t offset, const char *text, size_t name_len, size_t len)
{
	struct found *found = arg;

	ab_assert(offset < found->len && found->text[offset] == '$');
	ab_assert(text > found->text + offset && text + len <= found->text + found->len);
	ab_assert(name_len > 0 && name_len <= len);
	for (size_t i = 0; i < len; i++)
		ab_assert(is_name_byte(text[i]));
	found->skip |= memchr(text, ':', name_len) != NULL || found->n_names == MAX_NAMES;
	for (size_t i = 0; i < found->n_names; i++)
		if (strlen(found->names[i].name) == name_len &&
		        memcmp(found->names[i].name, text, name_len) == 0)
			return;
	if (!found->skip)
		found->names[found->n_names++] =
		        (struct ab_jq_name){.name = strndup(text, name_len), .whole = true};
}

static void on_mistake(void *arg, size_t offset, const char *message)
{
	struct found *found = arg;

	ab_assert(offset <= found->len && message[0] != '\0');
	found->mistaken = true;
}

/* "$x is not defined" */
static void on_heard(void *arg, size_t offset, const char *message)
{
	const struct found *found = arg;

	ab_assert(offset <= found->len);
	if (message[0] == '$' && strstr(message, " is not defined") != NULL) {
		fprintf(stderr, "libjq knows better: %s\n", message);
		abort();
	}
}

static void check_with_libjq(struct found *found)
{
	struct ab_jq_programs *programs = ab_jq_programs_create();

	(void)ab_jq_program_get(programs, found->text, found->len, found->names, found->n_names,
	        found->guard_time, on_heard, found);
	ab_jq_programs_destroy(programs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ab_jq_scan_fns fns = {.need = on_need, .mistake = on_mistake};
	/* Exactly as large as the text, so that reading beyond it is seen. */
	char *text = malloc(size + !size);
	struct found found = {.text = text, .len = size};
	struct ab_jq_scan scan;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	ab_jq_scan(text, size, &fns, &found, &scan);
	ab_assert(scan.understood ? scan.expected == NULL : scan.expected != NULL && scan.offset <= size);
	found.guard_time = scan.formats_time;
	if (scan.understood && !found.mistaken && !found.skip && memchr(text, '\0', size) == NULL)
		check_with_libjq(&found);
	for (size_t i = 0; i < found.n_names; i++)
		free(found.names[i].name);
	free(text);
	return 0;
}
