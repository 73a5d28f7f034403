/* handlers/scope.c: the names a resource mentions, and what they become. */
#include "scope.h"

#include "json.h"

#include <string.h>

/* `needs: {local: name.path}`: a placeholder that begins with `name` means need and `path`. */
struct ab_scope_local {
	char *name;
	char *path; /* ".a[0]", or "" */
	unsigned need;
};

enum { SCOPE_MAX_NEEDS = 1000, SCOPE_MAX_REF = 1000 };

void ab_scope_init(struct ab_scope *scope, const char *resource, struct ab_diags *diags)
{
	*scope = (struct ab_scope){.diags = diags, .resource = resource, .infer = true};
}

void ab_scope_fini(struct ab_scope *scope)
{
	for (size_t i = 0; i < scope->n_needs; i++)
		free((char *)(uintptr_t)scope->needs[i]);
	for (size_t i = 0; i < scope->n_locals; i++) {
		free(scope->locals[i].name);
		free(scope->locals[i].path);
	}
	for (size_t i = 0; i < scope->n_request_paths; i++)
		free((char *)(uintptr_t)scope->request_paths[i]);
	free(scope->needs);
	free(scope->needs_pos);
	free(scope->locals);
	free(scope->raws);
	free(scope->request_paths);
	*scope = (struct ab_scope){0};
}

static bool scope_nomem(struct ab_scope *scope, struct ab_pos pos)
{
	ab_diag(scope->diags, pos, "out of memory");
	return false;
}

/* Room for one more of `size` bytes in a vector that grows by powers of two. */
static bool grow(void **items, size_t count, size_t size)
{
	void *bigger;

	if (count != 0 && (count & (count - 1)) != 0)
		return true;
	bigger = reallocarray(*items, count == 0 ? 1 : 2 * count, size);
	if (bigger == NULL)
		return false;
	*items = bigger;
	return true;
}

/* ---- the parts of `request` ---- */

static const char *const request_parts[] = {
        "method", "path", "query", "headers", "cookies", "body", "client", "id"};

/* The leading keys of a path, without its first dot: ".query.tags[0]" is "query.tags". */
static size_t leading_keys(const char *path)
{
	return strcspn(path, "[");
}

static bool request_check(struct ab_scope *scope, const char *path, struct ab_pos pos)
{
	char part[32], meant[64];
	size_t len;

	if (path[0] == '\0')
		return true;
	if (path[0] == '[') {
		ab_diag(scope->diags, pos, "request is an object; expected a part of it, as in request.path");
		return false;
	}
	len = strcspn(path + 1, ".[");
	snprintf(part, sizeof(part), "%.*s", (int)(len < sizeof(part) ? len : sizeof(part) - 1), path + 1);
	for (size_t i = 0; i < AB_COUNT(request_parts); i++) {
		if (strcmp(part, request_parts[i]) != 0)
			continue;
		for (const char *c = path + 1 + len; strcmp(part, "headers") == 0 && *c != '\0'; c++) {
			if (*c == '-' || (*c >= 'A' && *c <= 'Z')) {
				ab_diag(scope->diags, pos,
				        "'request%.100s' is no header's name; expected lower case with '_' for '-', "
				        "as in request.headers.user_agent",
				        path);
				return false;
			}
		}
		return true;
	}
	ab_diag(scope->diags, pos,
	        "request has no '%s'; expected one of method, path, query, headers, cookies, body, client, id%s",
	        part, ab_did_you_mean(part, request_parts, AB_COUNT(request_parts), meant, sizeof(meant)));
	return false;
}

static bool request_note(struct ab_scope *scope, const char *path, struct ab_pos pos)
{
	size_t len = leading_keys(path);
	char *copy;

	if (!request_check(scope, path, pos))
		return false;
	if (len > 0) {
		path++;
		len--;
	}
	for (size_t i = 0; i < scope->n_request_paths; i++)
		if (strlen(scope->request_paths[i]) == len && memcmp(scope->request_paths[i], path, len) == 0)
			return true;
	copy = strndup(path, len);
	if (copy == NULL || !grow((void **)&scope->request_paths, scope->n_request_paths, sizeof(char *))) {
		free(copy);
		return scope_nomem(scope, pos);
	}
	scope->request_paths[scope->n_request_paths++] = copy;
	return true;
}

/* ---- needs ---- */

static bool need_find(const struct ab_scope *scope, const char *name, size_t len, unsigned *ret)
{
	for (size_t i = 0; i < scope->n_needs; i++) {
		if (strlen(scope->needs[i]) == len && memcmp(scope->needs[i], name, len) == 0) {
			*ret = (unsigned)i;
			return true;
		}
	}
	return false;
}

static bool need_add(struct ab_scope *scope, const char *name, size_t len, struct ab_pos pos, unsigned *ret)
{
	char *copy;

	if (need_find(scope, name, len, ret))
		return true;
	if (scope->n_needs == SCOPE_MAX_NEEDS) {
		ab_diag(scope->diags, pos, "'%s' needs more than %d names", scope->resource, SCOPE_MAX_NEEDS);
		return false;
	}
	copy = strndup(name, len);
	if (copy == NULL || !grow((void **)&scope->needs, scope->n_needs, sizeof(char *)) ||
	        !grow((void **)&scope->needs_pos, scope->n_needs, sizeof(struct ab_pos))) {
		free(copy);
		return scope_nomem(scope, pos);
	}
	scope->needs[scope->n_needs] = copy;
	scope->needs_pos[scope->n_needs] = pos;
	*ret = (unsigned)scope->n_needs++;
	return true;
}

static const struct ab_scope_local *local_find(const struct ab_scope *scope, const char *name, size_t len)
{
	for (size_t i = 0; i < scope->n_locals; i++)
		if (strlen(scope->locals[i].name) == len && memcmp(scope->locals[i].name, name, len) == 0)
			return &scope->locals[i];
	return NULL;
}

/* The first segment's length of "name.path[0]"; 0 after reporting that it is no name. */
static size_t first_segment(struct ab_scope *scope, const char *text, size_t len, struct ab_pos pos)
{
	size_t end = 0;

	while (end < len && text[end] != '.' && text[end] != '[')
		end++;
	if (ab_is_name(text, end))
		return end;
	ab_diag(scope->diags, pos,
	        "'%.*s' is not a name; expected letters, digits and _, then a path, as in user.name or items[0].id",
	        (int)(len > 60 ? 60 : len), text);
	return 0;
}

static bool is_reserved(const char *name, size_t len)
{
	static const char *const reserved[] = {"request", "degraded", "error", "given"};

	for (size_t i = 0; i < AB_COUNT(reserved); i++)
		if (strlen(reserved[i]) == len && memcmp(reserved[i], name, len) == 0)
			return true;
	return false;
}

static bool declare_name(struct ab_scope *scope, const struct ab_conf *item)
{
	const char *name = ab_conf_string(item, "a name under needs", scope->diags);
	unsigned need;

	if (name == NULL)
		return false;
	if (!ab_is_name(name, item->u.string.len)) {
		ab_diag(scope->diags, item->pos, "'%.60s' is not a name; expected %s", name,
		        strpbrk(name, ".[") != NULL ? "a mapping for a path, as in needs: {who: user.name}"
		                                    : "letters, digits and _");
		return false;
	}
	if (need_find(scope, name, item->u.string.len, &need)) {
		if (!ab_diags_at(scope->diags, item->pos))
			ab_diag(scope->diags, item->pos, "'%s' is listed twice under needs", name);
		return false;
	}
	return need_add(scope, name, item->u.string.len, item->pos, &need) &&
	       (strcmp(name, "request") != 0 || request_note(scope, "", item->pos));
}

static bool declare_list(struct ab_scope *scope, const struct ab_conf *needs)
{
	bool ok = true;

	for (size_t i = 0; i < needs->u.list.count; i++)
		ok &= declare_name(scope, needs->u.list.items[i]);
	scope->n_declared = scope->n_needs;
	return ok;
}

static bool path_valid(struct ab_scope *scope, const char *path, struct ab_pos pos)
{
	struct ab_path compiled = {0};
	struct ab_error err;

	if (ab_path_compile(path, strlen(path), &compiled, &err) != AB_OK) {
		ab_diag(scope->diags, pos, "%s", err.text);
		return false;
	}
	ab_path_fini(&compiled);
	return true;
}

static bool local_add(
        struct ab_scope *scope, const char *name, const char *path, unsigned need, struct ab_pos pos)
{
	struct ab_scope_local local = {.name = strdup(name), .path = strdup(path), .need = need};

	if (local.name == NULL || local.path == NULL ||
	        !grow((void **)&scope->locals, scope->n_locals, sizeof(local))) {
		free(local.name);
		free(local.path);
		return scope_nomem(scope, pos);
	}
	scope->locals[scope->n_locals++] = local;
	return true;
}

static bool declare_local(struct ab_scope *scope, const struct ab_conf_pair *pair)
{
	const struct ab_conf *value = pair->value;
	const char *text = ab_conf_string(value, "what a name under needs stands for", scope->diags);
	unsigned need;
	size_t end;

	if (text == NULL)
		return false;
	if (value->u.string.len > SCOPE_MAX_REF) {
		ab_diag(scope->diags, value->pos, "a path of %zu bytes; expected at most %d",
		        value->u.string.len, SCOPE_MAX_REF);
		return false;
	}
	if (!ab_is_name(pair->key, strlen(pair->key)) || is_reserved(pair->key, strlen(pair->key))) {
		ab_diag(scope->diags, pair->pos,
		        "'%.60s' can't be a name of one's own under needs; expected %s", pair->key,
		        is_reserved(pair->key, strlen(pair->key)) ? "one that is not reserved"
		                                                  : "letters, digits and _");
		return false;
	}
	end = first_segment(scope, text, value->u.string.len, value->pos);
	if (end == 0 || !path_valid(scope, text + end, value->pos))
		return false;
	if (!need_add(scope, text, end, value->pos, &need))
		return false;
	if (end == strlen("request") && memcmp(text, "request", end) == 0 &&
	        !request_note(scope, text + end, value->pos))
		return false;
	return local_add(scope, pair->key, text + end, need, pair->pos);
}

bool ab_scope_declare(struct ab_scope *scope, const struct ab_conf *needs)
{
	bool ok = true;
	char is[80];

	if (needs == NULL)
		return true;
	if (needs->type == AB_CONF_LIST)
		return declare_list(scope, needs);
	if (needs->type != AB_CONF_MAP) {
		if (!needs->refused)
			ab_diag(scope->diags, needs->pos,
			        "needs is %s; expected a list of names, or a mapping as in {who: user.name}",
			        ab_conf_describe(needs, is, sizeof(is)));
		return false;
	}
	for (size_t i = 0; i < needs->u.map.count; i++)
		ok &= declare_local(scope, &needs->u.map.pairs[i]);
	scope->n_declared = scope->n_needs;
	return ok;
}

bool ab_scope_declared(const struct ab_scope *scope, const char *name, size_t len)
{
	unsigned need;

	return local_find(scope, name, len) != NULL ||
	       (need_find(scope, name, len, &need) && need < scope->n_declared);
}

/* ---- references ---- */

static bool ref_undeclared(struct ab_scope *scope, const char *name, size_t len, struct ab_pos pos)
{
	const char *known[SCOPE_MAX_NEEDS];
	char copy[80], meant[80];
	size_t count = 0;

	for (size_t i = 0; i < scope->n_locals && count < AB_COUNT(known); i++)
		known[count++] = scope->locals[i].name;
	for (size_t i = 0; i < scope->n_needs && count < AB_COUNT(known); i++)
		known[count++] = scope->needs[i];
	snprintf(copy, sizeof(copy), "%.*s", (int)(len > 60 ? 60 : len), name);
	ab_diag(scope->diags, pos, "'%s' is not under needs, and '%s' says infer: false; expected it there%s",
	        copy, scope->resource, ab_did_you_mean(copy, known, count, meant, sizeof(meant)));
	return false;
}

bool ab_scope_note_raw(struct ab_scope *scope, enum ab_raw raw, unsigned need, struct ab_pos pos)
{
	if (raw == AB_RAW_NONE)
		return true;
	if (!grow((void **)&scope->raws, scope->n_raws, sizeof(*scope->raws)))
		return scope_nomem(scope, pos);
	scope->raws[scope->n_raws++] = (struct ab_scope_raw){.kind = raw, .need = need, .pos = pos};
	return true;
}

bool ab_scope_ref(struct ab_scope *scope, const char *text, size_t len, enum ab_raw raw, struct ab_pos pos,
        struct ab_ref *ret_ref)
{
	const struct ab_scope_local *local;
	char path[2 * SCOPE_MAX_REF];
	struct ab_ref ref = {0};
	struct ab_error err;
	size_t end;

	if (len > SCOPE_MAX_REF) {
		ab_diag(scope->diags, pos, "a placeholder of %zu bytes; expected at most %d", len,
		        SCOPE_MAX_REF);
		return false;
	}
	end = first_segment(scope, text, len, pos);
	if (end == 0)
		return false;
	local = local_find(scope, text, end);
	if (local == NULL && !scope->infer && !need_find(scope, text, end, &ref.need))
		return ref_undeclared(scope, text, end, pos);
	if (local == NULL && !need_add(scope, text, end, pos, &ref.need))
		return false;
	if (local != NULL)
		ref.need = local->need;
	snprintf(
	        path, sizeof(path), "%s%.*s", local != NULL ? local->path : "", (int)(len - end), text + end);
	if (ab_path_compile(path, strlen(path), &ref.path, &err) != AB_OK) {
		ab_diag(scope->diags, pos, "%s", err.text);
		return false;
	}
	if ((strcmp(scope->needs[ref.need], "request") == 0 && !request_note(scope, path, pos)) ||
	        !ab_scope_note_raw(scope, raw, ref.need, pos)) {
		ab_ref_fini(&ref);
		return false;
	}
	*ret_ref = ref;
	return true;
}

/* ---- without a placeholder ---- */

bool ab_scope_need(struct ab_scope *scope, const char *name, struct ab_pos pos, unsigned *ret_need)
{
	return need_add(scope, name, strlen(name), pos, ret_need);
}

bool ab_scope_use_request(struct ab_scope *scope, const char *path, struct ab_pos pos)
{
	char dotted[SCOPE_MAX_REF + 2];

	snprintf(dotted, sizeof(dotted), "%s%s", path[0] != '\0' ? "." : "", path);
	return request_note(scope, dotted, pos);
}

bool ab_scope_drop_first(struct ab_scope *scope, const bool *instead)
{
	size_t n_raws = scope->n_raws, n_needs = scope->n_needs, kept = 0;
	bool ok = true;

	for (size_t i = 0; i < n_raws; i++)
		for (size_t n = 1; scope->raws[i].need == 0 && n < n_needs; n++)
			if (instead[n])
				ok &= ab_scope_note_raw(
				        scope, scope->raws[i].kind, (unsigned)n, scope->raws[i].pos);
	for (size_t i = 0; i < scope->n_raws; i++) {
		if (scope->raws[i].need == 0)
			continue;
		scope->raws[kept] = scope->raws[i];
		scope->raws[kept++].need--;
	}
	scope->n_raws = kept;
	for (size_t i = 0; i < scope->n_locals; i++)
		scope->locals[i].need--;
	free((char *)(uintptr_t)scope->needs[0]);
	memmove(scope->needs, scope->needs + 1, (n_needs - 1) * sizeof(*scope->needs));
	memmove(scope->needs_pos, scope->needs_pos + 1, (n_needs - 1) * sizeof(*scope->needs_pos));
	scope->n_needs--;
	scope->n_declared -= scope->n_declared > 0;
	return ok;
}

void ab_ref_fini(struct ab_ref *ref)
{
	ab_path_fini(&ref->path);
}
