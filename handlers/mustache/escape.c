/* handlers/mustache/escape.c: what makes a value mere text where it is put, and which files want what. */
#include "program.h"

#include "../json.h"

/* Both quotes, since an attribute may be written with either. */
enum entity { PLAIN, AMP, LT, GT, QUOT, APOS };

static const struct mustache_slice entities[] = {
        [AMP] = {"&amp;", 5},
        [LT] = {"&lt;", 4},
        [GT] = {"&gt;", 4},
        [QUOT] = {"&quot;", 6},
        [APOS] = {"&#39;", 5},
};

static const unsigned char entity_of[256] = {
        ['&'] = AMP, ['<'] = LT, ['>'] = GT, ['"'] = QUOT, ['\''] = APOS};

static void escape_html(struct ab_buf *buf, const char *text, size_t len)
{
	const char *end = text + len, *run = text;

	for (; text < end; text++) {
		unsigned char entity = entity_of[(unsigned char)*text];

		if (AB_LIKELY(entity == PLAIN))
			continue;
		ab_buf_add(buf, run, (size_t)(text - run));
		ab_buf_add(buf, entities[entity].text, entities[entity].len);
		run = text + 1;
	}
	ab_buf_add(buf, run, (size_t)(end - run));
}

void ab_mustache_escape(struct ab_buf *buf, enum ab_escape escape, const char *text, size_t len)
{
	switch (escape) {
	case AB_ESCAPE_NONE:
		ab_buf_add(buf, text, len);
		break;
	case AB_ESCAPE_HTML:
		escape_html(buf, text, len);
		break;
	case AB_ESCAPE_JSON:
		ab_json_write_escaped(buf, text, len);
		break;
	}
}

bool ab_media_by_ending(const char *file, enum ab_escape *ret_escape, const char **ret_media)
{
	static const struct {
		const char *ending;
		enum ab_escape escape;
		const char *media;
	} kinds[] = {
	        {".html", AB_ESCAPE_HTML, "text/html; charset=utf-8"},
	        {".xml", AB_ESCAPE_HTML, "application/xml; charset=utf-8"},
	        {".svg", AB_ESCAPE_HTML, "image/svg+xml; charset=utf-8"},
	        {".atom", AB_ESCAPE_HTML, "application/atom+xml; charset=utf-8"},
	        {".json", AB_ESCAPE_JSON, "application/json"},
	        {".txt", AB_ESCAPE_NONE, "text/plain; charset=utf-8"},
	        {".csv", AB_ESCAPE_NONE, "text/csv; charset=utf-8"},
	        {".md", AB_ESCAPE_NONE, "text/markdown; charset=utf-8"},
	};
	const char *slash = strrchr(file, '/');
	const char *dot = strrchr(slash != NULL ? slash : file, '.');

	for (size_t i = 0; dot != NULL && i < AB_COUNT(kinds); i++) {
		if (strcmp(dot, kinds[i].ending) == 0) {
			*ret_escape = kinds[i].escape;
			*ret_media = kinds[i].media;
			return true;
		}
	}
	return false;
}
