/* tests/bench/filter.c: microseconds of CPU for one run of a small jq filter where it is compiled already:
 * its needs converted, the run, its value converted back. The least of several rounds, so that a busy machine
 * disturbs little. What a thread adds is not in it. */
#include "../../handlers/jq/program.h"

#include <string.h>
#include <time.h>

enum { ROUNDS = 9, RUNS = 20000 };

static char product_name[] = "product", id[] = "id", name[] = "name", price[] = "price", a[] = "a", b[] = "b";
static char *shaped[] = {id, name, price}, *asked[] = {price};

static const struct ab_jq_name product_shaped = {.name = product_name, .fields = shaped, .n_fields = 3};
static const struct ab_jq_name product_asked = {.name = product_name, .fields = asked, .n_fields = 1};
static const struct ab_jq_name product_whole = {.name = product_name, .whole = true};
static const struct ab_jq_name numbers[] = {{.name = a, .whole = true}, {.name = b, .whole = true}};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void run_once(struct ab_jq_runner *runner, const struct ab_jq_program *program, json_t *const *values)
{
	size_t budget = AB_JQ_MAX_INPUT;
	struct ab_error err;
	json_t *value;
	jv input;

	ab_assert(ab_jq_input(program, values, &budget, &input, &err) == AB_OK);
	value = ab_jq_run(runner, program, input, &err);
	ab_assert(value != NULL);
	json_decref(value);
}

static void measure(const char *filter, const struct ab_jq_name *names, size_t count, json_t *const *values)
{
	struct ab_jq_programs *programs = ab_jq_programs_create();
	const struct ab_jq_program *program =
	        ab_jq_program_get(programs, filter, strlen(filter), names, count, false, NULL, NULL);
	struct ab_jq_runner *runner = ab_jq_runner_create(programs);
	double least = 1e9;

	ab_assert(program != NULL && runner != NULL);
	for (int round = 0; round < ROUNDS; round++) {
		double begun = now_us(), took;

		for (int i = 0; i < RUNS; i++)
			run_once(runner, program, values);
		took = (now_us() - begun) / RUNS;
		least = took < least ? took : least;
	}
	printf("%6.2f us  %s\n", least, filter);
	ab_jq_runner_destroy(runner);
	ab_jq_programs_destroy(programs);
}

int main(void)
{
	json_t *product = json_pack("{s:i, s:s, s:f, s:[s,s], s:{s:i, s:i}}", "id", 3, "name", "Lamp",
	        "price", 149.95, "tags", "a", "b", "stock", "berlin", 3, "paris", 0);
	json_t *two[] = {json_integer(1), json_integer(2)};

	measure("1", NULL, 0, NULL);
	measure("$a < $b", numbers, 2, two);
	measure("$product.price < 200", &product_asked, 1, &product);
	measure("{id: $product.id, name: $product.name, cheap: ($product.price < 200)}", &product_shaped, 1,
	        &product);
	measure("$product | length", &product_whole, 1, &product);
	json_decref(product);
	json_decref(two[0]);
	json_decref(two[1]);
	return 0;
}
