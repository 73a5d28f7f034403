/* server/plan_node.c: see plan_node.h. What runs inside a resource (for each item, or in a nested run) stands
 * below it, further in. */
#include "plan_node.h"

#include "../handlers/jq/jq.h"
#include "../handlers/nested.h"

#include <inttypes.h>
#include <string.h>

enum { FIRST = 4, NAME = 20, DEEPEST = 16 };

void ab_print_time(uint64_t ms)
{
	if (ms >= 1000 && ms % 100 == 0)
		ms % 1000 == 0 ? printf("%" PRIu64 "s", ms / 1000)
		               : printf("%" PRIu64 ".%" PRIu64 "s", ms / 1000, ms % 1000 / 100);
	else
		printf("%" PRIu64 "ms", ms);
}

/* One short line, whatever the SQL looks like. */
static void shorten(char *text)
{
	enum { SHOWN = 100 };
	size_t len = 0;

	for (const char *c = text; *c != '\0'; c++) {
		bool blank = *c == ' ' || *c == '\n' || *c == '\t' || *c == '\r';

		if (!blank)
			text[len++] = *c;
		else if (len > 0 && text[len - 1] != ' ')
			text[len++] = ' ';
	}
	text[len] = '\0';
	if (len <= SHOWN)
		return;
	for (len = SHOWN - 3; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
		len--;
	memcpy(text + len, "...", sizeof("..."));
}

/* ---- the words behind the needs ---- */

static void print_words(const struct ab_resource *resource)
{
	if (resource->timeout_ms > 0) {
		printf(ab_call_plan(resource) != NULL ? "; takes up to " : "; timeout ");
		ab_print_time(resource->timeout_ms);
	}
	if (resource->missing == AB_MISSING_NULL)
		printf("; missing: null");
	if (resource->fallback != NULL)
		printf("; fallback: a value");
	else if (resource->fallback_resource != NULL)
		printf("; fallback: resource %s", resource->fallback_resource);
	if (resource->optional)
		printf("; optional");
}

static void print_each(const struct ab_resource *resource)
{
	const struct ab_each_spec *spec = ab_each_spec(resource);

	char filter[1024];

	printf("; for each %s, up to %u at a time, at most %u", spec->as, spec->concurrency, spec->max);
	if (spec->condition != NULL) {
		ab_kind_condition.describe(spec->condition->config, filter, sizeof(filter));
		shorten(filter);
		printf("; if  %s", filter);
	}
	print_words(ab_each_inner(resource));
	if (resource->fallback != NULL)
		printf("; each_fallback: a value");
	else if (resource->fallback_resource != NULL)
		printf("; each_fallback: resource %s", resource->fallback_resource);
}

/* ---- one node ---- */

static void print_needs(const struct ab_plan_node *node, const bool *given)
{
	size_t count = node->n_needs;

	printf("needs ");
	for (size_t i = 0; i < count; i++)
		printf("%s%s%s", i > 0 ? ", " : "", node->resource->needs[i],
		        given[node->needs[i]] ? " (given)" : "");
	printf("%s", count == 0 ? "nothing" : "");
}

static void print_node(
        const struct ab_app *app, const struct ab_plan *plan, int at, const bool *given, int indent);

static void print_nested(const struct ab_app *app, const struct ab_plan *plan, int indent)
{
	size_t count = ab_plan_size(plan);
	bool *given = calloc(count, sizeof(*given));

	for (size_t i = 0; given != NULL && i < count; i++)
		given[i] = ab_plan_node(plan, (int)i)->resource == NULL;
	for (size_t i = 0; given != NULL && i < count; i++)
		if (!given[i])
			print_node(app, plan, (int)i, given, indent);
	free(given);
}

static void print_node(
        const struct ab_app *app, const struct ab_plan *plan, int at, const bool *given, int indent)
{
	const struct ab_plan_node *node = ab_plan_node(plan, at);
	const struct ab_app_resource *known = ab_app_find(app, node->resource);
	const struct ab_plan *nested = ab_call_plan(node->resource);
	int width = indent < NAME ? NAME + FIRST - indent : FIRST;
	char text[1024] = "";

	if (known != NULL && known->kind->describe != NULL)
		known->kind->describe(ab_each_inner(node->resource)->config, text, sizeof(text));
	shorten(text);
	if (known != NULL)
		printf("%*s%-*s %s%s%s\n", indent, "", width, node->name, known->kind->name,
		        text[0] != '\0' ? "  " : "", text);
	else
		printf("%*s%s\n", indent, "", node->name); /* the route's own, called after what it is */
	printf("%*s%-*s ", indent, "", width, "");
	print_needs(node, given);
	if (ab_each_spec(node->resource) != NULL)
		print_each(node->resource);
	else
		print_words(node->resource);
	printf("%s\n", node->resource->writes ? "; writes" : "");
	if (nested != NULL && indent < DEEPEST)
		print_nested(app, nested, indent + 2);
}

void ab_print_node(const struct ab_app *app, const struct ab_plan *plan, int at, const bool *given)
{
	print_node(app, plan, at, given, FIRST);
}
