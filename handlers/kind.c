/* handlers/kind.c: every kind of resource there is; adding one is a line here. */
#include "kind.h"

#include "http/http.h"
#include "jq/jq.h"
#include "kinds.h"
#include "sql/database.h"

#include <string.h>

const struct ab_kind *const ab_kinds[] = {
        &ab_kind_value,
        &ab_kind_http,
        &ab_kind_sql,
        &ab_kind_transaction,
        &ab_kind_text,
        &ab_kind_template,
        &ab_kind_json,
        &ab_kind_url,
        &ab_kind_call,
        &ab_kind_jq,
        &ab_kind_require,
        &ab_kind_native,
        NULL,
};

const struct ab_kind *ab_kind_find(const char *name)
{
	for (const struct ab_kind *const *kind = ab_kinds; *kind != NULL; kind++)
		if (strcmp((*kind)->name, name) == 0)
			return *kind;
	return NULL;
}
