/* tests/lib/filled.h: placeholders compiled from JSON text and filled with values, without a run.
 *
 *     struct filled f;
 *     filled_open(&f, "`Hello {who}`");             (a scope and a conf tree; compile something of f.conf)
 *     filled_give(&f, "{`who`: `World`}");          (f.call; a name that is not there is null)
 *     filled_close(&f);
 */
#ifndef TEST_FILLED_H
#define TEST_FILLED_H

#include "../../handlers/scope.h"
#include "conf.h"

struct filled {
	struct ab_diags *diags;
	struct ab_scope scope;
	const struct ab_conf *conf;
	struct ab_call call;
	/* private */
	struct test_conf *tree;
	json_t *values;
	json_t **needs;
};

void filled_open(struct filled *f, const char *conf);
/* May be called again with other values. A backtick stands for a double quote. */
void filled_give(struct filled *f, const char *values);
void filled_close(struct filled *f);
/* Whether a mistake has been reported whose line contains `part`. */
bool filled_says(struct filled *f, const char *part);

#endif
