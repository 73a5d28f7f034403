/* handlers/json.h: JSON text to values and back, with one documented policy for what RFC 8259 leaves open.
 *
 * Reading: strict RFC 8259, UTF-8 only, a BOM refused; duplicate keys are an error; nesting to AB_JSON_DEPTH;
 * an integer beyond 64 bits becomes a string of its digits and the rest of the document stands; a real that
 * overflows a double becomes a string too; \u0000 and lone surrogates are errors that say where.
 * Writing: reals in the shortest form that reads back the same, always with a '.' or exponent; integers
 * whole. */
#ifndef AB_JSON_H
#define AB_JSON_H

#include "../dispatch/error.h"
#include "buf.h"

#include <jansson.h>

enum { AB_JSON_DEPTH = 512 };

/* A new value, or NULL with err filled: AB_EINVALID ("line 1, column 5: ..."), AB_ENOMEM. */
AB_NODISCARD json_t *ab_json_read(const char *text, size_t len, struct ab_error *err);

/* Append compact JSON. Values nested deeper than AB_JSON_DEPTH * 2 set buf->failed. */
void ab_json_write(struct ab_buf *buf, const json_t *value);
/* The same, for a `.json` template: a JSON string's inside, without the quotes. */
void ab_json_write_escaped(struct ab_buf *buf, const char *text, size_t len);
/* A number as JSON writes it. */
void ab_json_write_integer(struct ab_buf *buf, json_int_t value);
void ab_json_write_real(struct ab_buf *buf, double value);

bool ab_utf8_valid(const char *text, size_t len);

#endif
