/* server/conf_tree.h: what the pieces of the app file's reader share: the tree's memory, and how a scalar
 * gets its type and its ${...}. Only yaml.c, plain.c, interpolate.c, yaml_explain.c and conf_tree.c look in
 * here. */
#ifndef AB_CONF_TREE_H
#define AB_CONF_TREE_H

#include "../handlers/conf.h"
#include "source.h"

enum {
	AB_APP_MAX_BYTES = 4 << 20,  /* of one file */
	AB_APP_MAX_DEPTH = 64,       /* of nested lists and mappings */
	AB_APP_MAX_NODES = 200000,   /* in one file */
	AB_APP_MAX_ALIASED = 10000,  /* nodes that aliases stand for, in one file */
	AB_APP_MAX_ANCHORS = 256,    /* in one file */
	AB_FILE_VALUE_MAX = 1 << 20, /* bytes of a ${file:...} */
};

struct ab_tree_block;

struct ab_conf_tree {
	struct ab_tree_block *blocks;
	const char *file;
	const char *text; /* the whole file, after a newline, before a NUL: nodes' `written` points into it */
	size_t len;
};

struct ab_conf_tree *ab_tree_create(void);
/* Aligned memory that lives as long as the tree; NULL when out of memory. */
void *ab_tree_alloc(struct ab_conf_tree *tree, size_t size);
char *ab_tree_strndup(struct ab_conf_tree *tree, const char *text, size_t len);

/* plain.c: give an unquoted scalar its type by the YAML 1.2 core schema. `node` keeps its pos. False when the
 * text is one that readers disagree about, or a number out of range: `why` says so, and what to write. */
bool ab_plain_resolve(struct ab_conf *node, const char *text, size_t len, char *why, size_t why_size);

/* interpolate.c: the text with ${...} put in. `node` (a string) gets text, spans and secret; *ret_whole when
 * the scalar is exactly one ${...}. False after reporting a mistake. */
bool ab_interpolate(struct ab_conf_tree *tree, const char *dir, struct ab_conf *node, bool *ret_whole,
        struct ab_diags *diags);
/* Read a small file as text, without one newline at its end: malloc'ed, or NULL with `why`. */
char *ab_read_text(const char *path, size_t max, size_t *ret_len, char *why, size_t why_size);

/* yaml_explain.c: say in words of the app file what the parser could not read at text + offset. */
void ab_yaml_explain(struct ab_diags *diags, struct ab_pos pos, const char *problem, const char *context,
        struct ab_pos context_pos, const char *text, size_t offset);

#endif
