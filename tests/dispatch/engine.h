/* tests/dispatch/engine.h: resources whose handlers do as a test tells them, and runs in one line.
 *
 * A resource's value, unless set, is a list of its name and the values of its needs: it shows what it was
 * made of. JSON is written with single quotes, both ways. One test a process, so the state is global. */
#ifndef AB_TEST_ENGINE_H
#define AB_TEST_ENGINE_H

#include "../../dispatch/run.h"
#include "../../dispatch/share.h"

#include <criterion/criterion.h>

enum on_cancel { CANCEL_AT_ONCE, CANCEL_LATER };

/* How a resource behaves. */
struct how {
	const char *value;  /* JSON, instead of the list */
	const char *text;   /* a rendered text instead */
	const char *key;    /* joins the share (share_among) with this key */
	enum ab_code fails; /* fails with this code */
	int status;         /* ... and this status */
	bool later;         /* completes when the test says so (complete, fail) */
	enum on_cancel
	        on_cancel; /* a call in flight that is cancelled completes then, or when the test says so */
	void (*inside)(struct ab_call *call); /* called in start, before anything else */
	bool writes, optional, missing_null, conditional;
	int missing_status;
	const char *fallback; /* JSON */
	const char *fallback_resource;
};

struct ab_dispatcher *dispatcher(void);
/* add(d, "a: b c", {...}): a resource `a` that needs b and c. */
enum ab_code add(struct ab_dispatcher *to, const char *spec, struct how how, struct ab_error *err);
#define ADD(to, spec, ...) cr_assert(add(to, spec, (struct how){__VA_ARGS__}, NULL) == AB_OK)

/* Lists are names separated by blanks; give is a JSON object. */
struct scene {
	const char *targets, *guards, *given, *acceptable, *reserved, *give;
};

enum ab_code compile(const struct ab_dispatcher *from, const struct scene *scene, struct ab_plan **ret_plan,
        struct ab_error *err);
#define COMPILE_ERROR(err, from, ...) compile_error(err, from, &(struct scene){__VA_ARGS__})
const char *compile_error(struct ab_error *err, const struct ab_dispatcher *from, const struct scene *scene);

struct play {
	struct ab_plan *plan;
	struct ab_arena *arena;
	struct ab_run *run;
	enum ab_code code; /* what the start returned */
	int dones;         /* how often `done` was called */
	enum ab_code done_result;
	bool drop_in_done; /* let go of the arena from inside `done` */
};

/* Compile and create, then give; play_go starts. PLAY does all of it. */
void play_begin(struct play *play, const struct ab_dispatcher *from, const struct scene *scene);
void play_go(struct play *play);
#define PLAY(play, from, ...)                                                                                \
	do {                                                                                                 \
		play_begin(play, from, &(struct scene){__VA_ARGS__});                                        \
		play_go(play);                                                                               \
	} while (0)
void play_end(struct play *play);

int slot(const struct play *play, const char *name);
const struct ab_resource *resource(const struct play *play, const char *name);
/* The value of a name as JSON, or "(none)". */
const char *value(const struct play *play, const char *name);
/* "reviews:timeout related:upstream" */
const char *degraded(const struct play *play);

/* Calls that wait for the test. */
void complete(const char *name);
void complete_as(const char *name, const char *json);
void fail(const char *name, enum ab_code code);
bool in_flight(const char *name);
/* What resources with a key join from now on; NULL: nothing. */
void share_among(struct ab_share *share);

/* Names in the order they were started, completed through cancel or told to cancel, separated by blanks. */
const char *started(void);
const char *cancelled(void);
void forget(void);

#endif
