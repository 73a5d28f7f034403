/* server/timing.c: see timing.h. */
#include "timing.h"

#include "../handlers/buf.h"
#include "../handlers/conf.h"

#include <uv.h>

struct ab_timing {
	const struct ab_plan *plan;
	struct span {
		uint64_t began, took; /* ns; began 0: not started */
		bool ended;
	} * spans; /* one for each node */
};

static void on_started(void *arg, int slot)
{
	struct ab_timing *timing = arg;

	timing->spans[slot].began = uv_hrtime();
}

static void on_ended(void *arg, int slot, const struct ab_error *err)
{
	struct ab_timing *timing = arg;

	(void)err;
	timing->spans[slot].took = uv_hrtime() - timing->spans[slot].began;
	timing->spans[slot].ended = true;
}

struct ab_timing *ab_timing_watch(struct ab_arena *arena, struct ab_run *run)
{
	struct ab_timing *timing = ab_arena_alloc(arena, sizeof(*timing));
	struct ab_observer observer = {.started = on_started, .ended = on_ended, .arg = timing};

	if (timing == NULL)
		return NULL;
	timing->plan = ab_run_plan(run);
	timing->spans = ab_arena_calloc(arena, ab_plan_size(timing->plan), sizeof(*timing->spans));
	if (timing->spans == NULL)
		return NULL;
	ab_run_observe(run, &observer);
	return timing;
}

const char *ab_timing_text(const struct ab_timing *timing, struct ab_arena *arena)
{
	const char *text = NULL;
	struct ab_buf buf;

	if (timing == NULL)
		return NULL;
	ab_buf_init(&buf, 8192);
	for (size_t i = 0; i < ab_plan_size(timing->plan) && buf.len < 4096; i++) {
		const struct span *span = &timing->spans[i];
		const char *name = ab_plan_node(timing->plan, (int)i)->name;

		if (span->ended && ab_is_name(name, strlen(name)))
			ab_buf_printf(&buf, "%s%s;dur=%.3f", buf.len > 0 ? ", " : "", name,
			        (double)span->took / 1e6);
	}
	if (buf.len > 0)
		text = ab_arena_strndup(arena, buf.data, buf.len);
	ab_buf_fini(&buf);
	return text;
}
