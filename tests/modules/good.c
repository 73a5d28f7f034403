/* tests/modules/good.c: a module with one of everything, for tests/server/test_modules.c. */
#include <anabranch-uv.h>
#include <unistd.h>

RESOURCE(who)
{
	return text("World");
}

RESOURCE(greet, who)
{
	return textf("Hello %s!", json_string_value(who));
}

RESOURCE((renamed, "farewell"), (name, "who"))
{
	return textf("Goodbye %s!", json_string_value(name));
}

RESOURCE(agent, (header, "request.headers.user_agent"))
{
	return jsonf("{s:O}", "agent", header);
}

RESOURCE(page)
{
	char *html = strdup("<p>Hello</p>");

	return anabranch_media("text/html; charset=utf-8", html, html != NULL ? strlen(html) : 0);
}

/* ---- failures ---- */

RESOURCE(lost)
{
	return fail(404, "nobody is called that");
}

RESOURCE(secretive)
{
	return fail(500, "the password is 1234");
}

RESOURCE(strict, email)
{
	return refuse(422, "email", "%s is taken", json_string_value(email));
}

RESOURCE(nothing)
{
	return json(NULL);
}

RESOURCE(borrower, who)
{
	union {
		const json_t *borrowed;
		json_t *given;
	} cast = {.borrowed = who};

	return json(cast.given);
}

RESOURCE(latin)
{
	return text("caf\xe9");
}

/* ---- threads ---- */

RESOURCE_BLOCKING(slow, who)
{
	usleep(20 * 1000);
	return jsonf("{s:O}", "slow", who);
}

RESOURCE_BLOCKING(stuck)
{
	for (int i = 0; i < 2000 && anabranch_wanted(call); i++)
		usleep(1000);
	return text("unstuck");
}

RESOURCE_BLOCKING(strict_slow, email)
{
	return refuse(422, "email", "%s is slow", json_string_value(email));
}

/* ---- later ---- */

struct tick {
	uv_timer_t timer;
	struct anabranch_call *call;
	const char *word;
};

static void tick_closed(uv_handle_t *handle)
{
	struct tick *tick = (struct tick *)handle->data;
	struct anabranch_call *call = tick->call;
	const char *word = tick->word;

	free(tick);
	anabranch_complete(call, text(word));
}

static void tick_fired(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, tick_closed);
}

static void tick_cancel(struct anabranch_call *call, void *state)
{
	struct tick *tick = (struct tick *)state;

	(void)call;
	tick->word = "cancelled";
	uv_close((uv_handle_t *)&tick->timer, tick_closed);
}

static struct anabranch_result tick_after(struct anabranch_call *call, uint64_t ms)
{
	struct tick *tick = (struct tick *)calloc(1, sizeof(*tick));

	if (tick == NULL)
		return fail(503, "no memory");
	tick->call = call;
	tick->word = "tick";
	tick->timer.data = tick;
	uv_timer_init(anabranch_loop(call), &tick->timer);
	uv_timer_start(&tick->timer, tick_fired, ms, 0);
	return later(tick_cancel, tick);
}

RESOURCE_ASYNC(tick)
{
	return tick_after(call, 10);
}

RESOURCE_ASYNC(never)
{
	return tick_after(call, 3600 * 1000);
}

/* ---- resources of the app in the middle ---- */

CALLS(user, user_id);
CALLS(plain);

static void on_user(
        struct anabranch_call *call, void *arg, const json_t *value, const struct anabranch_error *err)
{
	(void)arg;
	if (value == NULL)
		anabranch_complete(call, anabranch_fail_as(err));
	else
		anabranch_complete(call, share(json_object_get(value, "name")));
}

RESOURCE_ASYNC(user_name, id)
{
	anabranch_resolve(call, "user", json_pack("{s:O}", "user_id", id), on_user, NULL);
	return later(NULL, NULL);
}

RESOURCE_ASYNC(unannounced)
{
	anabranch_resolve(call, "who", NULL, on_user, NULL);
	return later(NULL, NULL);
}

RESOURCE_ASYNC(overgiven)
{
	anabranch_resolve(call, "plain", json_pack("{s:i}", "extra", 1), on_user, NULL);
	return later(NULL, NULL);
}

/* ---- what a beginner writes ---- */

RESOURCE(aborts)
{
	abort();
	return text("never");
}

RESOURCE(sleeps)
{
	usleep(80 * 1000);
	return text("slept");
}

RESOURCE_ASYNC(forgets)
{
	return later(NULL, NULL);
}

/* Completes long after it was told to end. */
static void dawdle_cancel(struct anabranch_call *call, void *state)
{
	struct tick *tick = (struct tick *)state;

	(void)call;
	tick->word = "at last";
	uv_timer_start(&tick->timer, tick_fired, 600, 0);
}

RESOURCE_ASYNC(dawdles, who)
{
	struct anabranch_result result = tick_after(call, 3600 * 1000);

	(void)who;
	result.cancel = result.kind == ANABRANCH_LATER ? dawdle_cancel : NULL;
	return result;
}

RESOURCE_BLOCKING(aborts_elsewhere)
{
	abort();
	return text("never");
}

static int *volatile nowhere;

RESOURCE(leads_nowhere)
{
	return textf("%d", *nowhere);
}

static volatile unsigned char last;

/* Deeper than any stack. */
static unsigned dig(unsigned depth)
{
	volatile unsigned char room[4096];

	room[depth % sizeof(room)] = (unsigned char)depth;
	last = room[depth % sizeof(room)];
	return depth == 0 ? last : dig(depth + 1) + room[depth % sizeof(room)];
}

RESOURCE(digs)
{
	return textf("%u", dig(1));
}

RESOURCE(turns)
{
	while (nowhere == NULL)
		usleep(1000);
	return text("never");
}
