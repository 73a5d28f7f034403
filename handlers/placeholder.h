/* handlers/placeholder.h: strings with `{name}` in them, and JSON structures made of such strings.
 *
 * For headers, `json`, `body`, `form`, `cookies`: `{x.y}` is a reference, `{{` and `}}` are literal braces.
 * `{{x}}`,
 * `:x` and the like from another place are mistakes with the right spelling. */
#ifndef AB_PLACEHOLDER_H
#define AB_PLACEHOLDER_H

#include "buf.h"
#include "conf.h"
#include "scope.h"

struct ab_pieces;    /* a compiled string */
struct ab_structure; /* a compiled JSON structure; keys are literal */

/* NULL after reporting mistakes. `string` outlives the result. What ${...} put into it stays literal. A whole
 * number or boolean stands for its text. */
struct ab_pieces *ab_pieces_compile(struct ab_scope *scope, const struct ab_conf *string);
void ab_pieces_destroy(struct ab_pieces *pieces);
/* Whether there is no placeholder in it; then *ret_text is the text with braces unescaped (borrowed). */
bool ab_pieces_literal(const struct ab_pieces *pieces, const char **ret_text);
/* The reference of a string that is exactly one placeholder (borrowed), else NULL. */
const struct ab_ref *ab_pieces_alone(const struct ab_pieces *pieces);

enum ab_pieces_use {
	AB_PIECES_HEADER, /* control characters, lists and objects fail */
	AB_PIECES_TEXT,   /* lists and objects fail; anything else as text */
};
/* Set used[n] for each need n that the string refers to. */
void ab_pieces_needs(const struct ab_pieces *pieces, bool *used);
/* Append the filled string. AB_OK; AB_EMISSING when a placeholder is missing or null (nothing useful
 * appended: a header is not sent, a form field left out); AB_EINVALID with the reason; AB_ENOMEM. */
AB_NODISCARD enum ab_code ab_pieces_fill(const struct ab_pieces *pieces, const struct ab_call *call,
        enum ab_pieces_use use, struct ab_buf *buf, struct ab_error *err);

/* NULL after reporting mistakes. `conf` outlives the result. What has no placeholder is one value, shared. */
struct ab_structure *ab_structure_compile(struct ab_scope *scope, const struct ab_conf *conf);
void ab_structure_destroy(struct ab_structure *structure);
/* Whether it is one string that is exactly one placeholder. */
bool ab_structure_alone(const struct ab_structure *structure);
/* Set used[n] for each need n that it refers to. */
void ab_structure_needs(const struct ab_structure *structure, bool *used);
/* A new value: a string that is one placeholder keeps the value's type (missing becomes null); a mixed string
 * is text (missing becomes null as a whole). Shares subtrees of needs by reference. NULL with err on failure.
 */
json_t *ab_structure_fill(
        const struct ab_structure *structure, const struct ab_call *call, struct ab_error *err);
/* The same, written straight as JSON text. After a failure what was appended is of no use. */
AB_NODISCARD enum ab_code ab_structure_write(const struct ab_structure *structure, const struct ab_call *call,
        struct ab_buf *buf, struct ab_error *err);

/* A scalar value as text: strings as they are, numbers as JSON writes them, booleans true/false. False for
 * null, lists, objects. */
bool ab_scalar_write(struct ab_buf *buf, const json_t *value);

#endif
