/* handlers/path.h: paths into values, as placeholders write them: `product.category_id`, `items[0].id`,
 * `items[*].id` (collect into a list). Compiled at load, walked without allocation unless it collects. */
#ifndef AB_PATH_H
#define AB_PATH_H

#include "../dispatch/arena.h"
#include "../dispatch/error.h"

#include <jansson.h>

enum ab_step_type { AB_STEP_KEY, AB_STEP_INDEX, AB_STEP_ALL };

struct ab_step {
	enum ab_step_type type;
	const char *key; /* owned by the path */
	size_t key_len;
	size_t index;
};

struct ab_path {
	struct ab_step *steps;
	size_t count;
	bool collects;
};

/* Parse what follows the first name: "" or ".a[0].b[*]". At most 32 steps. The error text says what is wrong
 * and where. Errors: AB_EINVALID, AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_path_compile(
        const char *text, size_t len, struct ab_path *ret_path, struct ab_error *err);
void ab_path_fini(struct ab_path *path);

/* Walk. The result is borrowed from `root`, or lives in `arena` when the path collects. NULL when something
 * on the way is missing (a collect over a non-list is missing; items without the rest are left out) or out of
 * memory. */
json_t *ab_path_get(const struct ab_path *path, json_t *root, struct ab_arena *arena);

#endif
