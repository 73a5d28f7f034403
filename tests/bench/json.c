/* tests/bench/json.c: nanoseconds to read (and release) and to write a small document, with jansson and with
 * ours. The least of several rounds, so that a busy machine disturbs little. `json FILE...` measures files
 * instead. */
#include "../../handlers/json.h"

#include <string.h>
#include <time.h>

enum { ROUNDS = 15, ROUND_NS = 20000000 };

/* What a shop's upstreams answer, about 900 and 300 bytes. */
static const char product[] =
        "{\"id\":7,\"name\":\"Enamel coffee pot\",\"price\":149.95,\"currency\":\"EUR\",\"category_id\":3,"
        "\"in_stock\":true,\"tags\":[\"kitchen\",\"enamel\",\"blue\",\"camping\"],\"description\":\"A two-layer enamel "
        "pot that goes from the stove to the table. The lid is tied on, the handle stays cool, and the spout pours "
        "without a drip. Holds a litre and a half, enough for six cups.\",\"dimensions\":{\"width\":18.5,"
        "\"height\":24.25,\"depth\":13.75,\"weight\":0.98},\"maker\":{\"id\":41,\"name\":\"Oberhof Emaille\","
        "\"country\":\"AT\",\"since\":1897},\"options\":[{\"sku\":\"OE-1500-B\",\"colour\":\"blue\",\"price\":149.95},"
        "{\"sku\":\"OE-1500-W\",\"colour\":\"white\",\"price\":144.5},{\"sku\":\"OE-1500-R\",\"colour\":\"red\","
        "\"price\":152.0}],\"ratings\":{\"average\":4.62,\"count\":318,\"histogram\":[3,6,17,58,234]},"
        "\"updated\":\"2026-09-14T08:31:07Z\",\"note\":\"Caf\\u00e9 \\\"Zentral\\\" uses it, too.\"}";
static const char user[] =
        "{\"id\":1,\"name\":\"Ada Obermaier\",\"tier\":\"gold\",\"email\":\"ada@example.org\",\"joined\":\"2021-03-09\","
        "\"orders\":17,\"balance\":12.4,\"newsletter\":false,\"address\":{\"street\":\"Lange Gasse 12\",\"city\":\"Graz\","
        "\"zip\":\"8010\",\"country\":\"AT\"},\"favourites\":[12,7,99],\"last_seen\":\"2026-09-14T08:31:07Z\","
        "\"language\":\"de\"}";

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct job {
	const char *text;
	size_t len;
	json_t *value;
	struct ab_buf buf;
};

static void read_ours(struct job *job)
{
	struct ab_error err;
	json_t *value = ab_json_read(job->text, job->len, &err);

	ab_assert(value != NULL);
	json_decref(value);
}

static void read_jansson(struct job *job)
{
	json_t *value = json_loadb(job->text, job->len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	ab_assert(value != NULL);
	json_decref(value);
}

static void write_ours(struct job *job)
{
	job->buf.len = 0;
	ab_json_write(&job->buf, job->value);
	ab_assert(!job->buf.failed);
}

static void write_jansson(struct job *job)
{
	char *text = json_dumps(job->value, JSON_COMPACT | JSON_ENCODE_ANY);

	ab_assert(text != NULL);
	free(text);
}

static double measure(struct job *job, void (*work)(struct job *job))
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns(), end;
		double count = 0;

		do {
			for (int i = 0; i < 50; i++)
				work(job);
			count += 50;
			end = now_ns();
		} while (end - start < ROUND_NS);
		if (round == 0 || (end - start) / count < best)
			best = (end - start) / count;
	}
	return best;
}

static void compare(const char *what, const char *name, struct job *job, void (*jansson)(struct job *job),
        void (*ours)(struct job *job))
{
	double theirs = measure(job, jansson), mine = measure(job, ours);

	printf("%-6s %-12.12s %6zu bytes   jansson %8.0f ns   ours %8.0f ns   %4.0f %%\n", what, name,
	        job->len, theirs, mine, 100 * mine / theirs);
}

static void document(const char *name, const char *text, size_t len)
{
	struct job job = {.text = text, .len = len};

	job.value = ab_json_read(text, len, NULL);
	if (job.value == NULL) {
		printf("%s: not JSON\n", name);
		return;
	}
	ab_buf_init(&job.buf, SIZE_MAX);
	compare("read", name, &job, read_jansson, read_ours);
	compare("write", name, &job, write_jansson, write_ours);
	ab_buf_fini(&job.buf);
	json_decref(job.value);
}

static void file(const char *name)
{
	struct ab_buf buf;
	FILE *in = fopen(name, "rb");
	char bytes[4096];
	size_t got;

	if (in == NULL) {
		perror(name);
		return;
	}
	ab_buf_init(&buf, SIZE_MAX);
	while ((got = fread(bytes, 1, sizeof(bytes), in)) > 0)
		ab_buf_add(&buf, bytes, got);
	fclose(in);
	document(strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name, buf.data, buf.len);
	ab_buf_fini(&buf);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		file(argv[i]);
	if (argc == 1) {
		document("product", product, sizeof(product) - 1);
		document("user", user, sizeof(user) - 1);
	}
	return 0;
}
