/* server/problem.c: the built-in bodies of errors: problem+json (RFC 9457), or a small page for people. */
#include "../handlers/json.h"
#include "exchange.h"
#include "reply.h"

#include <string.h>

static const struct {
	int status;
	const char *title;
	const char *sentence; /* for people */
} statuses[] = {
        {200, "OK", NULL},
        {201, "Created", NULL},
        {202, "Accepted", NULL},
        {204, "No Content", NULL},
        {400, "Bad Request", "Something in this request is not right."},
        {401, "Unauthorized", "You need to sign in to see this."},
        {403, "Forbidden", "You may not do this."},
        {404, "Not Found", "There is nothing here."},
        {405, "Method Not Allowed", "This can't be done here."},
        {408, "Request Timeout", "The request took too long to arrive."},
        {409, "Conflict", "This does not fit what is there already."},
        {410, "Gone", "What was here is gone."},
        {411, "Length Required", NULL},
        {412, "Precondition Failed", NULL},
        {413, "Content Too Large", "What was sent is too large."},
        {414, "URI Too Long", "The address is too long."},
        {415, "Unsupported Media Type", "What was sent is of a kind that is not taken here."},
        {417, "Expectation Failed", NULL},
        {422, "Unprocessable Content", "Something in this request is not right."},
        {429, "Too Many Requests", "That was too often; please wait a moment."},
        {431, "Request Header Fields Too Large", NULL},
        {500, "Internal Server Error", "Something went wrong on our side."},
        {501, "Not Implemented", NULL},
        {502, "Bad Gateway", "A service this page needs gave no good answer. Please try again in a moment."},
        {503, "Service Unavailable", "There is too much to do just now. Please try again in a moment."},
        {504, "Gateway Timeout",
                "A service this page needs did not answer in time. Please try again in a moment."},
        {505, "HTTP Version Not Supported", NULL},
};

const char *ab_status_title(int status)
{
	for (size_t i = 0; i < AB_COUNT(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].title;
	return "Error";
}

static const char *sentence(int status)
{
	for (size_t i = 0; i < AB_COUNT(statuses); i++)
		if (statuses[i].status == status && statuses[i].sentence != NULL)
			return statuses[i].sentence;
	return "This request could not be answered.";
}

static void add_string(struct ab_buf *buf, const char *text)
{
	ab_buf_addc(buf, '"');
	ab_json_write_escaped(buf, text, strlen(text));
	ab_buf_addc(buf, '"');
}

static void write_json(struct ab_buf *buf, const char *id, int status, const struct ab_problem *problem)
{
	ab_buf_adds(buf, "{\"title\":");
	add_string(buf, ab_status_title(status));
	ab_buf_printf(buf, ",\"status\":%d", status);
	if (problem->detail != NULL) {
		ab_buf_adds(buf, ",\"detail\":");
		add_string(buf, problem->detail);
	}
	if (id != NULL) {
		ab_buf_adds(buf, ",\"request_id\":");
		add_string(buf, id);
	}
	for (size_t i = 0; i < problem->n_fields; i++) {
		ab_buf_adds(buf, i == 0 ? ",\"errors\":[{\"field\":" : ",{\"field\":");
		add_string(buf, problem->fields[i].field);
		ab_buf_adds(buf, ",\"message\":");
		add_string(buf, problem->fields[i].message);
		ab_buf_adds(buf, i + 1 == problem->n_fields ? "}]" : "}");
	}
	ab_buf_adds(buf, "}\n");
}

static void add_html(struct ab_buf *buf, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			ab_buf_adds(buf, "&amp;");
			break;
		case '<':
			ab_buf_adds(buf, "&lt;");
			break;
		case '>':
			ab_buf_adds(buf, "&gt;");
			break;
		case '"':
			ab_buf_adds(buf, "&quot;");
			break;
		case '\'':
			ab_buf_adds(buf, "&#39;");
			break;
		default:
			ab_buf_addc(buf, *text);
		}
	}
}

static void write_html(struct ab_buf *buf, const char *id, int status, const struct ab_problem *problem)
{
	const char *title = ab_status_title(status);

	ab_buf_printf(buf,
	        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%d %s</title>\n"
	        "<style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;"
	        "margin:15vh auto;padding:0 1.5rem}</style>\n</head>\n<body>\n<main>\n<h1>%d %s</h1>\n<p>%s</p>\n",
	        status, title, status, title, sentence(status));
	if (problem->n_fields > 0)
		ab_buf_adds(buf, "<ul>\n");
	for (size_t i = 0; i < problem->n_fields; i++) {
		ab_buf_adds(buf, "<li>");
		if (problem->fields[i].field[0] != '\0') {
			ab_buf_adds(buf, "<strong>");
			add_html(buf, problem->fields[i].field);
			ab_buf_adds(buf, "</strong>: ");
		}
		add_html(buf, problem->fields[i].message);
		ab_buf_adds(buf, "</li>\n");
	}
	if (problem->n_fields > 0)
		ab_buf_adds(buf, "</ul>\n");
	if (problem->detail != NULL) {
		ab_buf_adds(buf, "<p>");
		add_html(buf, problem->detail);
		ab_buf_adds(buf, "</p>\n");
	}
	if (id != NULL) {
		ab_buf_adds(buf, "<p><small>Request <code>");
		add_html(buf, id);
		ab_buf_adds(buf, "</code></small></p>\n");
	}
	ab_buf_adds(buf, "</main>\n</body>\n</html>\n");
}

/* A page only for those who ask for HTML before JSON; a bare wildcard is a program's. */
static bool wants_html(const struct ab_request *request)
{
	int html = ab_media_quality(request, "text/html");

	return html > 0 && html > ab_media_quality(request, "application/problem+json") &&
	       html > ab_media_quality(request, "application/json");
}

void ab_reply_put_problem(struct ab_reply *reply, const struct ab_request *request, int status,
        const struct ab_problem *problem)
{
	bool html = wants_html(request);
	struct ab_buf buf;

	ab_buf_init(&buf, 256 * 1024);
	if (html)
		write_html(&buf, request->id, status, problem);
	else
		write_json(&buf, request->id, status, problem);
	reply->status = status;
	reply->body_len = buf.len;
	reply->body = ab_buf_take(&buf);
	if (reply->body == NULL)
		reply->body_len = 0;
	else
		reply->media = html ? "text/html; charset=utf-8" : "application/problem+json";
	ab_reply_put_headers(reply, request, NULL);
	ab_reply_header(reply, "Cache-Control", "no-store");
	ab_reply_header(reply, "Vary", "Accept");
}

void ab_reply_problem(struct ab_reply *reply, struct ab_arena *arena, const struct ab_request *request,
        int status, const char *detail)
{
	struct ab_problem problem = {.detail = detail};

	(void)arena;
	ab_reply_put_problem(reply, request, status, &problem);
}
