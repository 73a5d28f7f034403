/* server/app_each.c: `each` and what goes with it: keys that any resource may have. */
#include "app_parts.h"

#include <string.h>

const char *const ab_each_keys[] = {"each", "as", "concurrency", "max", "each_fallback", NULL};

/* Those that mean nothing alone. */
static bool read_without(const struct ab_conf *map, const char *what, struct ab_diags *diags)
{
	bool ok = true;

	for (size_t i = 1; ab_each_keys[i] != NULL; i++) {
		const struct ab_conf_pair *pair = ab_conf_pair(map, ab_each_keys[i]);

		if (pair == NULL)
			continue;
		ab_diag(diags, pair->pos, "%s of %s means nothing without `each`; expected both, or neither",
		        ab_each_keys[i], what);
		ok = false;
	}
	return ok;
}

static bool read_number(const struct ab_conf *map, const char *key, const char *what, int64_t most,
        unsigned *ret, struct ab_diags *diags)
{
	const struct ab_conf *conf = ab_conf_get(map, key);
	char text[160];
	int64_t number;

	if (conf == NULL)
		return true;
	snprintf(text, sizeof(text), "%s of %s", key, what);
	if (!ab_conf_int(conf, text, 1, most, &number, diags))
		return false;
	*ret = (unsigned)number;
	return true;
}

static bool read_as(struct ab_each *each, const struct ab_conf *map, const char *what, struct ab_diags *diags)
{
	static const char *const reserved[] = {"request", "degraded", "error", "given"};
	const struct ab_conf *conf = ab_conf_get(map, "as"), *needs = ab_conf_get(map, "needs");
	char text[160];
	bool taken = false;

	if (conf == NULL) {
		ab_diag(diags, ab_conf_pair(map, "each")->pos,
		        "each of %s without `as`; expected the name of an item, as in as: item", what);
		return false;
	}
	snprintf(text, sizeof(text), "as of %s", what);
	each->spec.as = ab_conf_string(conf, text, diags);
	if (each->spec.as == NULL)
		return false;
	for (size_t i = 0; i < AB_COUNT(reserved); i++)
		taken = taken || strcmp(each->spec.as, reserved[i]) == 0;
	if (taken || !ab_is_name(each->spec.as, conf->u.string.len)) {
		ab_diag(diags, conf->pos, "'%.60s' can't be the name of an item; expected %s", each->spec.as,
		        taken ? "one that is not reserved" : "letters, digits and _, not a digit first");
		return false;
	}
	for (size_t i = 0; needs != NULL && needs->type == AB_CONF_LIST && i < needs->u.list.count; i++) {
		const struct ab_conf *need = needs->u.list.items[i];

		if (need->type != AB_CONF_STRING || strcmp(need->u.string.text, each->spec.as) != 0)
			continue;
		ab_diag(diags, need->pos,
		        "'%.60s' under `needs` of %s is the name of an item, which is there anyway; expected it left out",
		        each->spec.as, what);
		return false;
	}
	if (needs != NULL && needs->type == AB_CONF_MAP && ab_conf_get(needs, each->spec.as) != NULL) {
		ab_diag(diags, conf->pos,
		        "'%.60s' of %s is under `needs` as well; expected another name for an item",
		        each->spec.as, what);
		return false;
	}
	each->as_pos = conf->pos;
	return true;
}

bool ab_each_read(struct ab_each *each, const struct ab_conf *map, const char *what, struct ab_diags *diags)
{
	bool ok;

	*each = (struct ab_each){.spec = {.concurrency = AB_EACH_CONCURRENCY, .max = AB_EACH_MAX}};
	each->spec.list = ab_conf_get(map, "each");
	if (each->spec.list == NULL)
		return read_without(map, what, diags);
	ok = read_as(each, map, what, diags);
	ok &= read_number(map, "concurrency", what, AB_EACH_MAX, &each->spec.concurrency, diags);
	ok &= read_number(map, "max", what, AB_EACH_MOST, &each->spec.max, diags);
	each->one_by_one = ab_conf_get(map, "concurrency") == NULL;
	each->fallback = ab_conf_get(map, "each_fallback");
	if (each->fallback != NULL)
		ok &= ab_generic_read_fallback(each->fallback, "each_fallback", what, diags);
	return ok;
}

bool ab_each_wrap(
        struct ab_each *each, struct ab_scope *scope, struct ab_resource *resource, struct ab_diags *diags)
{
	struct ab_dispatcher *inner = each->inner != NULL ? each->inner : ab_dispatcher_create();

	each->inner = NULL;
	if (resource->fallback_resource != NULL) {
		ab_diag(diags, each->as_pos,
		        "each: '%.60s' falls back to a resource for an item, which stands alone; expected fallback: {value: ...}, or "
		        "each_fallback: {resource: ...} for the whole",
		        resource->name);
		ab_dispatcher_destroy(inner);
		return false;
	}
	if (inner == NULL) {
		ab_diag(diags, each->as_pos, "out of memory");
		return false;
	}
	/* Writes go in the order of the list. */
	if (resource->writes && each->one_by_one)
		each->spec.concurrency = 1;
	if (!ab_each_end(scope, &each->spec, inner, resource, diags))
		return false;
	if (ab_generic_fallback(each->fallback, &resource->fallback, &resource->fallback_resource))
		return true;
	ab_diag(diags, each->as_pos, "out of memory");
	return false;
}
