/* epoll.c: a dispatcher in a program that has an event loop of its own: plain epoll, no libuv.
 *
 *     cc -o epoll epoll.c $(pkg-config --cflags --libs anabranch-engine)
 *     ./epoll Ada Bob
 *
 * `answer` reads a line from a pipe, which arrives whenever it arrives: the function says "later", the
 * program's loop completes it. What greet needs besides is resolved as ever. */
#include <anabranch.h>
#include <sys/epoll.h>
#include <unistd.h>

static int loop = -1;

/* ---- one descriptor that a call waits for ---- */

struct reading {
	struct anabranch_call *call;
	int fd;
};

static void reading_end(struct reading *r, struct anabranch_result result)
{
	struct anabranch_call *call = r->call;

	epoll_ctl(loop, EPOLL_CTL_DEL, r->fd, NULL);
	close(r->fd);
	free(r);
	anabranch_complete(call, result);
}

/* The loop says that there is something to read. */
static void reading_on_ready(struct reading *r)
{
	char line[100];
	ssize_t len = read(r->fd, line, sizeof(line) - 1);

	if (len <= 0) {
		reading_end(r, fail(502, "the pipe was closed"));
		return;
	}
	line[len] = '\0';
	reading_end(r, text(line));
}

/* Nobody waits any more. */
static void reading_cancel(struct anabranch_call *call, void *state)
{
	(void)call;
	reading_end((struct reading *)state, fail(503, "cancelled"));
}

/* ---- resources ---- */

RESOURCE_ASYNC(answer, who)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct reading *r = (struct reading *)malloc(sizeof(*r));
	int ends[2];

	if (r == NULL || pipe(ends) != 0) {
		free(r);
		return fail(503, "no memory or descriptors");
	}
	dprintf(ends[1], "nice to meet you, %s", json_string_value(who));
	close(ends[1]);
	r->call = call;
	r->fd = ends[0];
	event.data.ptr = r;
	epoll_ctl(loop, EPOLL_CTL_ADD, r->fd, &event);
	return later(reading_cancel, r);
}

RESOURCE(greet, who, answer)
{
	return textf("Hello %s, %s!", json_string_value(who), json_string_value(answer));
}

/* ---- the program ---- */

static int going_on;

static void on_greeting(void *arg, json_t *value, const struct anabranch_error *err)
{
	(void)arg;
	going_on--;
	if (err != NULL)
		printf("error: %s\n", err->message);
	else
		printf("%s\n", json_string_value(value));
	json_decref(value);
}

static void start_greeting(struct anabranch_callable *greet, const char *who)
{
	json_t *given = json_pack("{s:s}", "who", who), *value = NULL;
	struct anabranch_error err;
	struct anabranch_run *run;

	switch (anabranch_start(greet, given, on_greeting, NULL, &value, &run, &err)) {
	case ANABRANCH_PENDING:
		going_on++;
		break;
	case ANABRANCH_OK:
		printf("%s\n", json_string_value(value));
		json_decref(value);
		break;
	default:
		printf("error: %s\n", err.message);
	}
	json_decref(given);
}

int main(int argc, char **argv)
{
	struct anabranch *dispatcher = anabranch_create();
	struct anabranch_callable *greet = NULL;
	struct anabranch_error err;
	struct epoll_event event;

	loop = epoll_create1(0);
	if (loop < 0 || dispatcher == NULL)
		return 1;
	if (anabranch_add_listed(dispatcher, &err) != ANABRANCH_OK ||
	        anabranch_prepare(dispatcher, "greet", &greet, &err) != ANABRANCH_OK) {
		fprintf(stderr, "%s: %s\n", anabranch_code_name(err.code), err.message);
		return 1;
	}
	for (int i = 1; i < argc; i++)
		start_greeting(greet, argv[i]);
	while (going_on > 0 && epoll_wait(loop, &event, 1, -1) == 1)
		reading_on_ready((struct reading *)event.data.ptr);
	anabranch_callable_destroy(greet);
	anabranch_destroy(dispatcher);
	close(loop);
	return 0;
}
