/* tests/lib/filled.c: see filled.h. */
#include "filled.h"

#include <string.h>

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "filled: %s\n", what);
		abort();
	}
}

void filled_open(struct filled *f, const char *conf)
{
	*f = (struct filled){.diags = ab_diags_create(), .tree = test_conf_create(conf)};
	must(f->diags != NULL, "out of memory");
	f->conf = test_conf_root(f->tree);
	ab_scope_init(&f->scope, "tested", f->diags);
}

static void forget(struct filled *f)
{
	ab_arena_unref(f->call.arena);
	json_decref(f->values);
	free(f->needs);
	f->needs = NULL;
}

void filled_give(struct filled *f, const char *values)
{
	char *quoted = test_quotes(values);
	json_error_t error;

	if (f->needs != NULL)
		forget(f);
	f->values = json_loads(quoted, 0, &error);
	must(f->values != NULL, error.text);
	free(quoted);
	f->needs = calloc(f->scope.n_needs + 1, sizeof(json_t *));
	must(f->needs != NULL, "out of memory");
	for (size_t i = 0; i < f->scope.n_needs; i++) {
		f->needs[i] = json_object_get(f->values, f->scope.needs[i]);
		if (f->needs[i] == NULL)
			f->needs[i] = json_null();
	}
	f->call = (struct ab_call){.arena = ab_arena_create(NULL), .needs = f->needs};
	must(f->call.arena != NULL, "out of memory");
}

void filled_close(struct filled *f)
{
	if (f->needs != NULL)
		forget(f);
	ab_scope_fini(&f->scope);
	ab_diags_destroy(f->diags);
	test_conf_destroy(f->tree);
}

bool filled_says(struct filled *f, const char *part)
{
	char *all = test_diags(f->diags);
	bool says = strstr(all, part) != NULL;

	if (!says)
		fprintf(stderr, "expected a mistake with: %s\nthere is:\n%s\n", part, all);
	free(all);
	return says;
}
