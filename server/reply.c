/* server/reply.c: a finished run as a reply. */
#include "reply.h"

#include "../handlers/json.h"

#include <string.h>
#include <strings.h>

void ab_reply_put_headers(
        struct ab_reply *reply, const struct ab_request *request, const struct ab_fixed *fixed)
{
	static const struct ab_fixed none = {0};

	if (fixed == NULL)
		fixed = &none;
	if (request->id != NULL)
		ab_reply_header(reply, "X-Request-Id", request->id);
	if (reply->media == NULL)
		return;
	if (!fixed->has_nosniff)
		ab_reply_header(reply, "X-Content-Type-Options", "nosniff");
	if (strncmp(reply->media, "text/html", 9) != 0)
		return;
	if (!fixed->has_referrer)
		ab_reply_header(reply, "Referrer-Policy", "strict-origin-when-cross-origin");
	if (!fixed->has_csp)
		ab_reply_header(reply, "Content-Security-Policy",
		        "frame-ancestors 'self'; base-uri 'self'; object-src 'none'");
}

/* ---- degraded ---- */

/* For the header and the log: which, and what the log alone is told: why. */
struct degraded {
	struct ab_buf names, causes;
};

static void add_degraded(void *arg, const char *name, const char *reason, const struct ab_error *cause)
{
	struct degraded *degraded = arg;

	ab_buf_adds(&degraded->names, degraded->names.len > 0 ? ", " : "");
	ab_buf_adds(&degraded->names, name);
	ab_buf_printf(&degraded->causes, "%s%s: %s", degraded->causes.len > 0 ? "; " : "", name,
	        cause != NULL ? cause->text : reason);
}

static enum ab_code put_degraded(struct ab_reply *reply, struct ab_run *run, struct ab_error *err)
{
	struct degraded degraded;
	struct ab_buf *names = &degraded.names;

	ab_buf_init(names, 4096);
	ab_buf_init(&degraded.causes, 16384);
	ab_run_each_degraded(run, add_degraded, &degraded);
	if (names->len > 0)
		reply->degraded = ab_arena_strndup(ab_run_arena(run), names->data, names->len);
	else if (names->too_big)
		reply->degraded = "many";
	if (degraded.causes.len > 0)
		reply->causes =
		        ab_arena_strndup(ab_run_arena(run), degraded.causes.data, degraded.causes.len);
	if ((names->len > 0 || names->failed) && reply->degraded == NULL)
		ab_error_set(err, AB_ENOMEM, "no memory for the reply");
	else
		err = NULL;
	ab_buf_fini(names);
	ab_buf_fini(&degraded.causes);
	if (err != NULL)
		return AB_ENOMEM;
	if (reply->degraded != NULL) {
		ab_reply_header(reply, "Anabranch-Degraded", reply->degraded);
		ab_reply_header(reply, "Cache-Control", "no-store");
	}
	return AB_OK;
}

/* ---- headers of the route's own ---- */

static bool replaced(const struct ab_reply *reply, const char *name)
{
	return reply->degraded != NULL && strcasecmp(name, "Cache-Control") == 0;
}

static void put_fixed(struct ab_reply *reply, const struct ab_fixed *fixed)
{
	for (size_t i = 0; i < fixed->count && reply->n_headers < AB_REPLY_HEADERS; i++)
		if (!replaced(reply, fixed->headers[i].name))
			reply->headers[reply->n_headers++] = fixed->headers[i];
}

/* A part's value; true also when the answer has no such part. */
static bool part(struct ab_run *run, int slot, json_t **ret_value)
{
	*ret_value = slot >= 0 ? ab_run_value(run, slot) : NULL;
	return slot < 0 || *ret_value != NULL;
}

static bool put_parts(struct ab_reply *reply, struct ab_run *run, const struct ab_answer *answer)
{
	json_t *headers, *cookies, *redirect;

	if (!part(run, answer->headers, &headers) || !part(run, answer->cookies, &cookies) ||
	        !part(run, answer->redirect, &redirect))
		return false;
	for (void *at = json_object_iter(headers); at != NULL; at = json_object_iter_next(headers, at))
		if (!replaced(reply, json_object_iter_key(at)))
			ab_reply_header(reply, json_object_iter_key(at),
			        json_string_value(json_object_iter_value(at)));
	for (size_t i = 0; i < json_array_size(cookies); i++)
		ab_reply_header(reply, "Set-Cookie", json_string_value(json_array_get(cookies, i)));
	if (redirect != NULL)
		ab_reply_header(reply, "Location", json_string_value(redirect));
	return true;
}

/* ---- the body ---- */

/* A `+json` type the file names stands; what is not a text is never sent under another type than JSON. */
static const char *json_media(const struct ab_answer *answer)
{
	const char *plus = answer->media != NULL ? strrchr(answer->media, '+') : NULL;

	return plus != NULL && strcmp(plus, "+json") == 0 ? answer->media : "application/json";
}

static enum ab_code put_json(
        struct ab_reply *reply, const json_t *value, const struct ab_answer *answer, struct ab_error *err)
{
	struct ab_buf buf;
	bool too_big;

	ab_buf_init(&buf, AB_MAX_REPLY);
	ab_json_write(&buf, value);
	too_big = buf.too_big;
	reply->body_len = buf.len;
	reply->body = ab_buf_take(&buf);
	reply->media = json_media(answer);
	if (reply->body != NULL)
		return AB_OK;
	if (too_big)
		return ab_error_set(
		        err, AB_EINTERNAL, "the answer is longer than %d MiB", AB_MAX_REPLY >> 20);
	return ab_error_set(err, AB_ENOMEM, "no memory for the answer, or it is nested too deep");
}

static enum ab_code put_body(
        struct ab_reply *reply, struct ab_run *run, const struct ab_answer *answer, struct ab_error *err)
{
	const struct ab_text *text;
	json_t *value;

	/* A redirect's answer is resolved, not sent: nobody reads it. */
	if (answer->answer < 0 || answer->redirect >= 0)
		return AB_OK;
	text = ab_run_text(run, answer->answer);
	if (text != NULL) {
		reply->media = text->media;
		reply->body_len = text->len;
		reply->body = ab_run_take_text(run, answer->answer);
		return AB_OK;
	}
	value = ab_run_value(run, answer->answer);
	if (value == NULL)
		return ab_error_set(err, AB_ENOMEM, "no memory for the answer");
	return put_json(reply, value, answer, err);
}

enum ab_code ab_reply_put_answer(struct ab_reply *reply, struct ab_run *run, const struct ab_answer *answer,
        const struct ab_fixed *fixed, const struct ab_request *request, bool negotiated, struct ab_error *err)
{
	enum ab_code code = put_body(reply, run, answer, err);

	if (code == AB_OK)
		code = put_degraded(reply, run, err);
	if (code != AB_OK)
		return code;
	ab_reply_put_headers(reply, request, fixed);
	put_fixed(reply, fixed);
	if (!put_parts(reply, run, answer))
		return ab_error_set(err, AB_ENOMEM, "no memory for the reply's headers");
	if (negotiated)
		ab_reply_header(reply, "Vary", "Accept");
	return AB_OK;
}
