/* server/conf_tree.c: memory of a file's tree: taken piece by piece, given back at once. */
#include "conf_tree.h"

#include <string.h>

enum { BLOCK_SIZE = 16384 };

struct ab_tree_block {
	struct ab_tree_block *next;
	size_t used, size;
	max_align_t data[];
};

struct ab_conf_tree *ab_tree_create(void)
{
	return calloc(1, sizeof(struct ab_conf_tree));
}

void ab_conf_tree_destroy(struct ab_conf_tree *tree)
{
	if (tree == NULL)
		return;
	while (tree->blocks != NULL) {
		struct ab_tree_block *next = tree->blocks->next;

		free(tree->blocks);
		tree->blocks = next;
	}
	free(tree);
}

void *ab_tree_alloc(struct ab_conf_tree *tree, size_t size)
{
	struct ab_tree_block *block = tree->blocks;
	size_t need = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	void *result;

	if (block == NULL || block->size - block->used < need) {
		size_t room = need > BLOCK_SIZE ? need : BLOCK_SIZE;

		block = malloc(sizeof(*block) + room);
		if (block == NULL)
			return NULL;
		*block = (struct ab_tree_block){.next = tree->blocks, .size = room};
		tree->blocks = block;
	}
	result = (char *)block->data + block->used;
	block->used += need;
	return result;
}

char *ab_tree_strndup(struct ab_conf_tree *tree, const char *text, size_t len)
{
	char *copy = ab_tree_alloc(tree, len + 1);

	if (copy != NULL) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}
