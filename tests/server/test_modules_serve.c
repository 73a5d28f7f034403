/* tests/server/test_modules_serve.c: C functions in the real server: on several threads, at its end, and when
 * they crash it. */
#include "../lib/http_client.h"
#include "../lib/served.h"

#include <criterion/criterion.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(modules_serve, .timeout = 90);

static const char app[] = "modules: [build/good.so]\n"
                          "server: {listen: \"127.0.0.1:0\"}\n"
                          "resources:\n"
                          "  user: {json: {name: \"Ada {user_id}\"}}\n"
                          "  plain: 1\n"
                          "  id: 7\n"
                          "  email: a\n"
                          "  forgetful: {native: forgets, timeout: 200ms}\n"
                          "  dawdling: {native: dawdles, timeout: 200ms}\n"
                          "routes:\n"
                          "  GET /greet: {answer: greet, accept: {who: string}}\n"
                          "  GET /slow: {answer: slow, accept: {who: string}}\n"
                          "  GET /tick: {answer: tick}\n"
                          "  GET /user: {answer: user_name}\n"
                          "  GET /stuck: {answer: stuck, deadline: 200ms}\n"
                          "  GET /never: {answer: never, deadline: 200ms}\n"
                          "  GET /aborts: {answer: aborts}\n"
                          "  GET /aborts_elsewhere: {answer: aborts_elsewhere}\n"
                          "  GET /leads_nowhere: {answer: leads_nowhere}\n"
                          "  GET /digs: {answer: digs}\n"
                          "  GET /turns: {answer: turns, deadline: 100ms}\n"
                          "  GET /sleeps: {answer: sleeps}\n"
                          "  GET /forgets: {answer: forgetful}\n"
                          "  GET /dawdles: {answer: dawdling}\n";

static void start(struct served *served, const char *const *args)
{
	char program[600], target[700], link[100];

	*served = (struct served){0};
	served_file(served, "unused", "");
	snprintf(program, sizeof(program), "%s", process_anabranch());
	snprintf(target, sizeof(target), "%s/modules", dirname(program));
	snprintf(link, sizeof(link), "%s/build", served->dir);
	cr_assert(symlink(target, link) == 0);
	served_start(served, app, args);
}

static unsigned short port;

/* Requests one after another, each answered as its own. */
static void *ask(void *arg)
{
	size_t *fine = arg;
	int number = (int)(*fine);

	*fine = 0;
	for (int i = 0; i < 40; i++) {
		char path[60] = "/tick", want[60] = "tick", *body = NULL;

		if (i % 3 == 0) {
			snprintf(path, sizeof(path), "/greet?who=%d", number + i);
			snprintf(want, sizeof(want), "Hello %d!", number + i);
		} else if (i % 3 == 1) {
			snprintf(path, sizeof(path), "/slow?who=%d", number + i);
			snprintf(want, sizeof(want), "{\"slow\":\"%d\"}", number + i);
		}
		*fine += http_get(port, path, &body) == 200 && strcmp(body, want) == 0;
		free(body);
	}
	return NULL;
}

Test(modules_serve, functions_run_on_all_workers_at_the_same_time)
{
	static const char *const args[] = {"--workers", "3", NULL};
	struct served served;
	pthread_t threads[6];
	size_t fine[6];

	start(&served, args);
	port = served.port;
	for (size_t i = 0; i < 6; i++) {
		fine[i] = 1000 * (i + 1);
		cr_assert(pthread_create(&threads[i], NULL, ask, &fine[i]) == 0);
	}
	for (size_t i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(fine[i], 40, "%zu of 40", fine[i]);
	}
	cr_assert_eq(served_stop(&served), 0);
	served_end(&served);
}

Test(modules_serve, the_server_stops_though_functions_have_not_returned)
{
	struct served served;
	char *body = NULL;

	start(&served, NULL);
	cr_assert_eq(http_get(served.port, "/never", &body), 504);
	free(body);
	cr_assert_eq(http_get(served.port, "/stuck", &body), 504);
	free(body);
	cr_assert_eq(served_stop(&served), 0);
	served_end(&served);
}

Test(modules_serve, a_function_that_never_completes_is_given_up_and_spoken_of)
{
	struct served served;
	char *body = NULL;

	start(&served, NULL);
	cr_assert_eq(http_get(served.port, "/forgets", &body), 504);
	free(body);
	cr_assert(process_expect(&served.process,
	        "the C function 'forgets' was cancelled and has not completed since", 20000));
	cr_assert_eq(served_stop(&served), 0);
	served_end(&served);
}

Test(modules_serve, a_function_that_was_given_up_may_complete_after_all)
{
	struct served served;
	char *body = NULL;

	start(&served, NULL);
	cr_assert_eq(http_get(served.port, "/dawdles", &body), 504);
	free(body);
	cr_assert(process_expect(&served.process,
	        "the C function 'dawdles' was cancelled and has not completed since", 20000));
	usleep(700 * 1000);
	cr_assert_eq(http_get(served.port, "/greet", &body), 200);
	free(body);
	cr_assert_eq(served_stop(&served), 0);
	served_end(&served);
}

static void crash(const char *path, const char *said, int signal)
{
	struct served served;
	char *body = NULL;
	int code;

	start(&served, NULL);
	cr_assert_eq(http_get(served.port, path, &body), 0);
	free(body);
	code = served_wait(&served);
	cr_expect_eq(code, 128 + signal, "%s: %d", path, code);
	cr_expect(strstr(served.process.err.data, said) != NULL, "%s: %s", path, served.process.err.data);
	served_end(&served);
}

Test(modules_serve, a_crash_names_the_function)
{
	crash("/aborts", "anabranch: the C function 'aborts' (tests/modules/good.c:", SIGABRT);
	crash("/aborts_elsewhere",
	        "anabranch: the C function 'aborts_elsewhere' (tests/modules/good.c:", SIGABRT);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which have their own word for it */
	crash("/leads_nowhere", "anabranch: the C function 'leads_nowhere' (tests/modules/good.c:", SIGSEGV);
	crash("/digs", "anabranch: the C function 'digs' (tests/modules/good.c:", SIGSEGV);
#endif
}

Test(modules_serve, under_dev_a_slow_function_is_spoken_of)
{
	static const char *const args[] = {"--dev", NULL};
	struct served served;
	char *body = NULL;

	start(&served, args);
	cr_assert_eq(http_get(served.port, "/sleeps", &body), 200);
	free(body);
	cr_assert_eq(served_stop(&served), 0);
	cr_assert(strstr(served.process.err.data, "the C function 'sleeps' held its worker") != NULL, "%s",
	        served.process.err.data);
	served_end(&served);
}

static void *ask_for_ever(void *arg)
{
	char *body = NULL;

	(void)arg;
	(void)http_get(port, "/turns", &body);
	free(body);
	return NULL;
}

static bool has_asked(void *arg)
{
	struct timespec *begun = arg, now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - begun->tv_sec >= 1;
}

Test(modules_serve, a_worker_that_does_not_come_back_is_left_behind)
{
	static const char *const args[] = {"--workers", "1", NULL};
	struct timespec begun;
	struct served served;
	pthread_t thread;
	int code;

	start(&served, args);
	port = served.port;
	cr_assert_eq(pthread_create(&thread, NULL, ask_for_ever, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	cr_assert(wait_until(has_asked, &begun));
	served_signal(&served, SIGTERM);
	served_signal(&served, SIGINT);
	code = served_wait(&served);
	cr_expect_eq(code, 1, "%d", code);
	cr_expect_not_null(strstr(served.process.err.data, "stopped without 1 of 1 workers"), "%s",
	        served.process.err.data);
	pthread_join(thread, NULL);
	served_end(&served);
}
