/* server/accept.h: what a request gives, judged by what its route accepts.
 *
 * Every offending field is found in one go. Text (path, query, form, headers, cookies) is converted to the
 * declared type; a JSON body is judged as it is: `integer` takes a whole JSON number and never the string
 * "5", and null is a value of type `json` only. */
#ifndef AB_ACCEPT_H
#define AB_ACCEPT_H

#include "routes.h"
#include "uri.h"

enum { AB_MAX_FIELDS = 100 }; /* offending fields that are named; the rest is cut off */

struct ab_field {
	const char *field;   /* as the request spells it; "" when that could not be read */
	const char *message; /* a sentence's rest: "must be an integer" */
};

/* A name that --accept-all let in. */
struct ab_extra {
	const char *name;
	json_t *value;
	struct ab_extra *next;
};

struct ab_input {
	json_t **values; /* for each of route->accepts: owned, or NULL when not given */
	struct ab_extra *extras;
	struct ab_field *fields; /* what is wrong */
	size_t n_fields;
	struct ab_param *query, *form; /* as decoded, for `given` and `request` */
	size_t n_query, n_form;
	bool query_read;
	json_t *body; /* a JSON body, owned */
};

/* Read `request` for its route. AB_OK: input->values may be given. AB_EINVALID: err->status is 400 or 415 and
 * input->fields says what is wrong (none with 415). AB_ENOMEM. In every case ab_input_fini releases what
 * nobody has taken. */
AB_NODISCARD enum ab_code ab_accept_read(const struct ab_route *route, const struct ab_match *match,
        const struct ab_request *request, bool accept_all, struct ab_arena *arena, struct ab_input *ret_input,
        struct ab_error *err);
void ab_input_fini(struct ab_input *input, size_t n_accepts);

/* Give what was read to the route's plan of checks; what is not given is null. */
void ab_input_give_check(const struct ab_input *input, const struct ab_route *route, struct ab_run *run);
/* What that run came to: AB_OK, AB_EINVALID with input->fields saying what is refused, or AB_EINTERNAL when a
 * check is neither true nor false. */
AB_NODISCARD enum ab_code ab_input_judge(struct ab_input *input, const struct ab_route *route,
        struct ab_run *run, struct ab_arena *arena, struct ab_error *err);

/* Give what was read to a run, as far as its plan knows the names. The input keeps its own references, so
 * that an error's run can be given the same. */
void ab_input_give(struct ab_input *input, const struct ab_route *route, const struct ab_answer *answer,
        struct ab_run *run);

/* The raw input as `given`: an object of strings, and lists of strings for what came more than once; a JSON
 * body's members are as they were sent. A new value, NULL when out of memory. `route` and `match` may be
 * NULL. */
json_t *ab_input_given(
        const struct ab_input *input, const struct ab_route *route, const struct ab_match *match);

/* Read the query into input->query, once. */
AB_NODISCARD enum ab_code ab_input_query(struct ab_input *input, const struct ab_request *request,
        struct ab_arena *arena, struct ab_error *err);

/* Why a value (one item of a [type]) is not what `accept` wants, or NULL. Built in `arena`, or static. Also
 * for `default` and `one_of` at load. */
const char *ab_accept_judge(const struct ab_accept *accept, const json_t *value, struct ab_arena *arena);

#endif
