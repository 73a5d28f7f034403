/* handlers/scope.h: how the names a resource mentions become its needs.
 *
 * A kind's compile asks the scope for each placeholder; the scope finds or adds the need and hands back a
 * reference: which need, and the path into its value. `needs:` of the resource has renamed or listed some
 * before; `infer: false` makes an unlisted name a mistake. */
#ifndef AB_SCOPE_H
#define AB_SCOPE_H

#include "../dispatch/resource.h"
#include "conf.h"
#include "path.h"

/* A placeholder's reference. Owned by whoever compiled it: ab_ref_fini. */
struct ab_ref {
	unsigned need; /* index into call->needs */
	struct ab_path path;
};

/* A use of a value without the escaping its place would need; the app judges it per route. */
enum ab_raw { AB_RAW_NONE, AB_RAW_HTML, AB_RAW_URL };

struct ab_scope_raw {
	enum ab_raw kind;
	unsigned need;
	struct ab_pos pos;
};

struct ab_scope {
	struct ab_diags *diags;
	const char *resource; /* its name, for messages */
	bool infer;
	/* The needs found so far; strings are the scope's. */
	const char **needs;
	size_t n_needs;
	size_t n_declared;        /* how many of them `needs:` lists; they come first */
	struct ab_pos *needs_pos; /* where each was first mentioned */
	/* Local names given by `needs: {local: name.path}`. */
	struct ab_scope_local *locals;
	size_t n_locals;
	struct ab_scope_raw *raws;
	size_t n_raws;
	/* Dotted paths under `request` that are used, so that only those are built; "" for all of it. */
	const char **request_paths;
	size_t n_request_paths;
};

/* `resource` and `diags` are borrowed. Fini is harmless on a zeroed or finished scope. */
void ab_scope_init(struct ab_scope *scope, const char *resource, struct ab_diags *diags);
void ab_scope_fini(struct ab_scope *scope);

/* Read the resource's `needs:` (list or mapping, or NULL) into the scope; before any ab_scope_ref. */
bool ab_scope_declare(struct ab_scope *scope, const struct ab_conf *needs);

/* The reference for "name.path[0]" as written in a placeholder at `pos`. Reports mistakes; false then. */
AB_NODISCARD bool ab_scope_ref(struct ab_scope *scope, const char *text, size_t len, enum ab_raw raw,
        struct ab_pos pos, struct ab_ref *ret_ref);
/* The need `name`, found or added without being mentioned in a placeholder, whatever `infer` says. */
AB_NODISCARD bool ab_scope_need(
        struct ab_scope *scope, const char *name, struct ab_pos pos, unsigned *ret_need);
/* Note that `path` of `request` is used ("query.page", or "" for all of it), as another resource notes it. */
AB_NODISCARD bool ab_scope_use_request(struct ab_scope *scope, const char *path, struct ab_pos pos);
/* Take the first need away, and count the others down: whoever looks at the scope from here on knows nothing
 * of it. Where it was used raw, the needs in `instead` (by index, before) are. False after reporting. */
AB_NODISCARD bool ab_scope_drop_first(struct ab_scope *scope, const bool *instead);
/* Note a use of need `need` as it comes. False after reporting. */
AB_NODISCARD bool ab_scope_note_raw(
        struct ab_scope *scope, enum ab_raw raw, unsigned need, struct ab_pos pos);
/* Whether the name is declared by `needs:`; a name seen only inside a template's section is a need only then.
 */
bool ab_scope_declared(const struct ab_scope *scope, const char *name, size_t len);

void ab_ref_fini(struct ab_ref *ref);

/* The value a reference stands for in a call: borrowed, NULL when missing. JSON null is returned as
 * json_null. */
static inline json_t *ab_ref_get(const struct ab_ref *ref, const struct ab_call *call)
{
	json_t *root = call->needs[ref->need];

	return ref->path.count == 0 ? root : ab_path_get(&ref->path, root, call->arena);
}

#endif
