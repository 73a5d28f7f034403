/* server/routes_errors.c: `errors:` of a route and of the app, compiled for each route: what an error's
 * answer needs is found under the names that route has. */
#include "routes_build.h"

static bool parse_range(const char *key, int *ret_from, int *ret_to)
{
	if (strlen(key) != 3 || (key[0] != '4' && key[0] != '5'))
		return false;
	if ((key[1] == 'x' && key[2] == 'x') || (key[1] == 'X' && key[2] == 'X')) {
		*ret_from = (key[0] - '0') * 100;
		*ret_to = *ret_from + 99;
		return true;
	}
	if (key[1] < '0' || key[1] > '9' || key[2] < '0' || key[2] > '9')
		return false;
	*ret_from = *ret_to = (key[0] - '0') * 100 + (key[1] - '0') * 10 + (key[2] - '0');
	return true;
}

bool ab_build_status(struct ab_build *build, const struct ab_conf *status, bool redirects, int *ret_status)
{
	int64_t value;

	if (status == NULL) {
		if (redirects)
			*ret_status = 303;
		return true;
	}
	if (!ab_conf_int(status, "status", 200, 599, &value, build->diags))
		return false;
	if (redirects && value != 301 && value != 302 && value != 303 && value != 307 && value != 308) {
		ab_diag(build->diags, status->pos,
		        "status: %lld does not redirect; expected 301, 302, 303, 307 or 308",
		        (long long)value);
		return false;
	}
	if (!redirects && value >= 300 && value < 400) {
		ab_diag(build->diags, status->pos, "status: %lld without `redirect`", (long long)value);
		return false;
	}
	*ret_status = (int)value;
	return true;
}

static bool compile_rule(struct ab_build *build, const struct ab_conf_pair *pair, struct ab_error_rule *rule)
{
	static const char *const keys[] = {"answer", "redirect", "status", "headers", "cookies", NULL};
	const struct ab_conf *value = pair->value;
	const struct ab_conf *map = value->type == AB_CONF_MAP ? value : NULL;
	struct ab_reply_spec spec = {
	        .pos = pair->pos,
	        .answer = map != NULL ? ab_conf_get(map, "answer") : value,
	        .read_only = true,
	        .error = true,
	};
	char what[64];

	snprintf(what, sizeof(what), "errors: %s", pair->key);
	spec.what = what;
	if (!parse_range(pair->key, &rule->from, &rule->to)) {
		ab_diag(build->diags, pair->pos,
		        "errors: '%s' is no error's status; expected 400 to 599, 4xx or 5xx", pair->key);
		return false;
	}
	rule->pos = pair->pos;
	if (map != NULL) {
		if (!ab_conf_only(map, what, keys, build->diags))
			return false;
		spec.redirect = ab_conf_get(map, "redirect");
		spec.headers = ab_conf_get(map, "headers");
		spec.cookies = ab_conf_get(map, "cookies");
		if (!ab_build_status(build, ab_conf_get(map, "status"), spec.redirect != NULL, &rule->status))
			return false;
	}
	if (spec.answer == NULL && spec.redirect == NULL) {
		ab_diag(build->diags, pair->pos, "%s: neither `answer` nor `redirect`", what);
		return false;
	}
	if (spec.answer != NULL && spec.redirect != NULL) {
		ab_diag(build->diags, pair->pos,
		        "%s: `answer` and `redirect`, but nobody would see the answer; expected one of them",
		        what);
		return false;
	}
	return ab_build_reply(build, &spec, &rule->answers, &rule->n_answers, &rule->fixed);
}

/* Append the rules of one mapping: single statuses first, so that 404 wins over 4xx however they are listed.
 */
static bool append(
        struct ab_build *build, const struct ab_conf *map, struct ab_error_rule *rules, size_t *count)
{
	bool ok = true;

	for (int classes = 0; map != NULL && classes < 2; classes++) {
		for (size_t i = 0; i < map->u.map.count; i++) {
			const char *key = map->u.map.pairs[i].key;
			bool is_class = strlen(key) == 3 && (key[1] == 'x' || key[1] == 'X');

			if (is_class == (classes == 1))
				ok = compile_rule(build, &map->u.map.pairs[i], &rules[(*count)++]) && ok;
		}
	}
	return ok;
}

bool ab_build_errors(struct ab_build *build, const struct ab_conf *own, const struct ab_conf *top,
        struct ab_error_rule **ret_rules, size_t *ret_count)
{
	size_t room = (own != NULL ? own->u.map.count : 0) + (top != NULL ? top->u.map.count : 0);

	*ret_count = 0;
	*ret_rules = ab_build_alloc(build, room + 1, sizeof(**ret_rules));
	return *ret_rules != NULL && append(build, own, *ret_rules, ret_count) &&
	       append(build, top, *ret_rules, ret_count);
}
