/* dispatch/anabranch.h: resources written in C, and dispatchers of them for any program.
 *
 *     #include <anabranch.h>
 *
 *     RESOURCE(who)        { return text("World"); }
 *     RESOURCE(greet, who) { return textf("Hello %s!", json_string_value(who)); }
 *
 * A function's parameters are what it needs: the values of the resources of those names. Built as a shared
 * object and named under `modules:`, a file like this brings its resources into an app; linked with
 * libanabranch, or with libanabranch-engine (jansson alone), they are a dispatcher in any program.
 *
 * Ownership, the one rule: what comes in is borrowed and read-only, what goes out is given away. A need is
 * valid until the call has completed and may be shared by others at the same time, hence `const`. A result is
 * consumed, with all that was put into it. To give a need, or a part of one, write share(need).
 *
 * Threads: an app has several workers, each a thread, and calls a function on any of them, at the same time.
 * What a function keeps outside itself (static variables, files, handles) is for it to protect. A dispatcher
 * made with anabranch_create is one thread's.
 *
 * The header is C11 and C++17. An exception must not leave a function. */
#ifndef ANABRANCH_H
#define ANABRANCH_H

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anabranch-macros.h"

/* What a module and the program that loads it must agree on. */
#define ANABRANCH_ABI 1
#define ANABRANCH_VERSION "0.1.0"

#define ANABRANCH_PRINTF_(fmt, args) __attribute__((format(printf, fmt, args)))
#define ANABRANCH_MUST_USE_ __attribute__((warn_unused_result))

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Results ==== */

struct anabranch_call;

enum anabranch_kind { ANABRANCH_VALUE, ANABRANCH_TEXT, ANABRANCH_FAILURE, ANABRANCH_LATER };

/* What a function returns. Made by the functions below; to be returned, or handed to anabranch_complete,
 * once. Its members are private. */
struct anabranch_result {
	enum anabranch_kind kind;
	int status;        /* FAILURE */
	json_t *value;     /* VALUE */
	char *text;        /* TEXT, FAILURE: malloc'ed */
	size_t len;        /* TEXT */
	const char *media; /* TEXT */
	char *field;       /* FAILURE: malloc'ed; what of the request is at fault */
	int told;          /* FAILURE: the text is for the client too */
	void (*cancel)(struct anabranch_call *call, void *state); /* LATER */
	void *state;                                              /* LATER */
};

/* A value. Takes the reference; NULL is a failure that says so. */
static inline struct anabranch_result anabranch_json(json_t *value);

/* A value made as json_pack does: jsonf("{s:s, s:i}", "name", name, "age", 7). A wrong format is a failure
 * that tells what is wrong with it. */
static inline struct anabranch_result anabranch_jsonf(const char *fmt, ...);

/* One of the needs, or a part of one: takes a reference of its own. */
static inline struct anabranch_result anabranch_share(const json_t *value);

/* A text, as the kind `text` of an app file makes it: an answer of text/plain, a string to who needs it.
 * UTF-8, copied. */
static inline struct anabranch_result anabranch_text(const char *data);

/* The same, formatted as by printf. */
static inline struct anabranch_result anabranch_textf(const char *fmt, ...) ANABRANCH_PRINTF_(1, 2);

/* A text of another media type, such as "text/html; charset=utf-8". Takes `data`: malloc'ed, `len` bytes and
 * a NUL; NULL is out of memory. `media` is a literal. What is put into HTML must have been escaped. */
static inline struct anabranch_result anabranch_media(const char *media, char *data, size_t len);

/* A failure. `status`, 400 to 599, is that of the answer, unless the app has a fallback: 404 is "missing",
 * which `missing: null` of the app file turns into null. The text goes to the log, and to clients only under
 * --dev. */
static inline struct anabranch_result anabranch_fail(int status, const char *fmt, ...)
        ANABRANCH_PRINTF_(2, 3);

/* A failure whose text may be told to the client, with the field of the request that it is about, or NULL:
 * refuse(422, "email", "is taken"). */
static inline struct anabranch_result anabranch_refuse(int status, const char *field, const char *fmt, ...)
        ANABRANCH_PRINTF_(3, 4);

/* Not yet: anabranch_complete will be called, once. From RESOURCE_ASYNC alone. `cancel`, which may be NULL,
 * is called at most once, on the loop's thread, when nobody waits for the result any more: end soon, and
 * still complete the call, with anything. It may do so itself. `state` is handed to it. A call that is not
 * completed for once more its timeout is given up by the server, and named in the log. */
static inline struct anabranch_result anabranch_later(
        void (*cancel)(struct anabranch_call *call, void *state), void *state);

/* ==== Resources ==== */

enum anabranch_how { ANABRANCH_AT_ONCE, ANABRANCH_BLOCKING, ANABRANCH_ASYNC, ANABRANCH_CALLS };

/* A function with its names. Made by the macros below, or by hand: then needs is a list of n_needs names. */
struct anabranch_function {
	const char *name;
	const char *const *needs;
	unsigned n_needs;
	enum anabranch_how how;
	struct anabranch_result (*start)(struct anabranch_call *call);
	void *arg;        /* the function's own, as anabranch_arg gives it */
	const char *file; /* where it is defined, or NULL */
	int line;
};

/* A resource: RESOURCE(name, needs...) { body }. Up to eight needs, each a parameter of type const json_t *.
 * It answers at once: what waits is for the two below. Listed by itself: nothing else is to be done for it.
 *
 * Where a name outside C is another, write a pair: RESOURCE((greet, "greeting"), (who, "user_name")). In an
 * app file's module the second may be a path into a value, as in (agent, "request.headers.user_agent").
 *
 * The body also has `call`, which functions below take. In C the function is named resource_NAME. */
#define RESOURCE(...) ANABRANCH_DEFINE_(ANABRANCH_AT_ONCE, LIST, __VA_ARGS__)

/* The same for a function that blocks (reads a file, computes for long, waits): it runs on a thread of a
 * bounded pool. Its needs stay valid until it returns, even when nobody waits for it any more. */
#define RESOURCE_BLOCKING(...) ANABRANCH_DEFINE_(ANABRANCH_BLOCKING, LIST, __VA_ARGS__)

/* The same for a function that starts something on the loop's thread and completes later; see
 * anabranch_later. It must not block. */
#define RESOURCE_ASYNC(...) ANABRANCH_DEFINE_(ANABRANCH_ASYNC, LIST, __VA_ARGS__)

/* A function that is not listed: for anabranch_add and anabranch_wrap, which take &function_NAME. */
#define FUNCTION(...) ANABRANCH_DEFINE_(ANABRANCH_AT_ONCE, ALONE, __VA_ARGS__)
#define FUNCTION_BLOCKING(...) ANABRANCH_DEFINE_(ANABRANCH_BLOCKING, ALONE, __VA_ARGS__)
#define FUNCTION_ASYNC(...) ANABRANCH_DEFINE_(ANABRANCH_ASYNC, ALONE, __VA_ARGS__)

/* CALLS(product, product_id); announces that functions of this module resolve `product` of the app with
 * `product_id` given (up to eight names). So a name that is not there is found when the app is loaded. */
#define CALLS(...) ANABRANCH_ANNOUNCE_(__VA_ARGS__)

/* ==== Errors ==== */

enum anabranch_code {
	ANABRANCH_OK,
	ANABRANCH_PENDING,
	ANABRANCH_NO_MEMORY,
	ANABRANCH_DUPLICATE,    /* DuplicateResource */
	ANABRANCH_CIRCULAR,     /* CircularDependency: the whole circle is in the message */
	ANABRANCH_UNRESOLVABLE, /* UnresolvableDependency: what is available is in the message */
	ANABRANCH_INVALID,      /* what was handed in can't be used */
	ANABRANCH_FAILED,       /* ResourceError: `resource` failed, `status` tells how */
	ANABRANCH_TIMED_OUT,
	ANABRANCH_CANCELED,
};

/* What went wrong; plain memory, of the caller. A function that fails fills it, one that succeeds leaves it
 * alone. NULL may be handed in where nobody wants to know. */
struct anabranch_error {
	enum anabranch_code code;
	int status;         /* what a server would answer with */
	int told;           /* the message was made by anabranch_refuse: clients may see it */
	char resource[128]; /* which failed first, or "" */
	char field[128];    /* what of the request was at fault, or "" */
	char message[512];
};

/* "DuplicateResource", ... Static. */
const char *anabranch_code_name(enum anabranch_code code);

/* ==== Inside a call ==== */

/* What stands behind a call: a server, or a dispatcher in a program. Private. */
struct anabranch_host {
	size_t size; /* of this struct, where the host was built: what lies beyond is not there */
	void (*complete)(struct anabranch_call *call, const struct anabranch_result *result);
	int (*wanted)(const struct anabranch_call *call);
	void *(*loop)(const struct anabranch_call *call);
	void (*resolve)(struct anabranch_call *call, const char *name, json_t *given,
	        void (*done)(struct anabranch_call *call, void *arg, const json_t *value,
	                const struct anabranch_error *err),
	        void *arg);
};

/* One call of a function. Valid until it has completed. `needs` is for functions whose description is written
 * by hand; the parameters of the others are these values. */
struct anabranch_call {
	const struct anabranch_host *host;
	const json_t *const *needs; /* in the order of the description; never NULL */
	void *arg;                  /* see anabranch_arg */
};

/* `arg` of the function's description; NULL in those that macros make. */
static inline void *anabranch_arg(const struct anabranch_call *call);

/* Complete a call whose function returned anabranch_later, or is about to. Once; on the thread that called
 * the function. `call` is gone afterwards. */
static inline void anabranch_complete(struct anabranch_call *call, struct anabranch_result result);

/* Whether somebody still waits for the result; for functions that work for long. Any thread. */
static inline int anabranch_wanted(const struct anabranch_call *call);

/* What became of anabranch_resolve: `value`, borrowed until the callback returns; or NULL and `err`. */
typedef void (*anabranch_resolved_cb)(
        struct anabranch_call *call, void *arg, const json_t *value, const struct anabranch_error *err);

/* Resolve another resource in the middle of a RESOURCE_ASYNC: an HTTP fetch, a query, whatever the app file
 * has under that name. `given`, taken, is an object of given names, or NULL. `done` is called exactly once,
 * also when the call is cancelled (it hears ANABRANCH_CANCELED then), perhaps from inside; never after the
 * call has completed, so complete only when all that was asked for is back. In a module the name must have
 * been announced with CALLS. */
static inline void anabranch_resolve(
        struct anabranch_call *call, const char *name, json_t *given, anabranch_resolved_cb done, void *arg);

/* The failure of a resource that was asked for, as one's own. */
static inline struct anabranch_result anabranch_fail_as(const struct anabranch_error *err);

/* ==== Dispatchers ==== */

/* A set of resources, and others it includes. One thread's: the one that made it. */
struct anabranch;

/* NULL when out of memory. */
struct anabranch *anabranch_create(void);

/* When none of its runs goes on. What includes it, and callables of it, go first. NULL is fine. */
void anabranch_destroy(struct anabranch *dispatcher);

/* All that RESOURCE and its like have listed in this program or shared object. Errors: ANABRANCH_DUPLICATE,
 * ANABRANCH_INVALID (a name that is none), ANABRANCH_NO_MEMORY; those before it have been added then. */
static inline enum anabranch_code anabranch_add_listed(
        struct anabranch *dispatcher, struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* One function; the description and its names are copied, `arg` is not. Errors: as above. */
enum anabranch_code anabranch_add(struct anabranch *dispatcher, const struct anabranch_function *function,
        struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* Search `other` for names that `dispatcher` and what it included before do not have; nested, and circles do
 * no harm. The needs of what is found there are looked up from the top as well. Borrowed. */
enum anabranch_code anabranch_include(struct anabranch *dispatcher, struct anabranch *other,
        struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* Hears of each failure of a resource: may set *ret_value (a new reference, and the failure is none), change
 * *err, or do nothing. Those of the resource's own dispatcher are asked first, in the order they were added,
 * then those of what includes it; the first value ends it. */
typedef void (*anabranch_error_cb)(void *arg, struct anabranch_error *err, json_t **ret_value);
enum anabranch_code anabranch_on_error(struct anabranch *dispatcher, anabranch_error_cb handler, void *arg,
        struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* Whether results are searched for references that were not given away but borrowed from a need: a failure
 * that names it, instead of memory freed twice. Costs time with large values; off unless turned on. */
void anabranch_check_results(struct anabranch *dispatcher, int on);

/* ==== Calling ==== */

/* Resolve `name`, with all it needs, and nothing else, and wait for it. `given` is an object of names that
 * are given instead of being resolved, with what only they needed; or NULL; borrowed. What is given and not
 * needed is ignored. *ret_value is a new reference. What completes later is waited for on the dispatcher's
 * loop (anabranch_attach, <anabranch-uv.h>); without one it is ANABRANCH_INVALID. Errors: those of
 * anabranch_code. */
enum anabranch_code anabranch_get(struct anabranch *dispatcher, const char *name, const json_t *given,
        json_t **ret_value, struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* A name, or a function, made ready to be called many times: the order in which things are resolved is worked
 * out once for each set of given names, as long as it stays the same. */
struct anabranch_callable;

/* A resource by name. No further changes to the dispatcher afterwards. */
enum anabranch_code anabranch_prepare(struct anabranch *dispatcher, const char *name,
        struct anabranch_callable **ret_callable, struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* A function that is no resource: calling it resolves those of its needs that are not given. Copied. */
enum anabranch_code anabranch_wrap(struct anabranch *dispatcher, const struct anabranch_function *function,
        struct anabranch_callable **ret_callable, struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* What its runs need stays until the last of them is over. NULL is fine. */
void anabranch_callable_destroy(struct anabranch_callable *callable);

/* As anabranch_get. */
enum anabranch_code anabranch_callable_call(struct anabranch_callable *callable, const json_t *given,
        json_t **ret_value, struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* A call that goes on. */
struct anabranch_run;

/* `value` is the callback's to release; NULL when it failed, with `err`. The run is gone afterwards. */
typedef void (*anabranch_done_cb)(void *arg, json_t *value, const struct anabranch_error *err);

/* Begin a call without waiting. ANABRANCH_OK: finished already, *ret_value is set, and `done` never runs.
 * ANABRANCH_PENDING: `done` runs once, later, from whatever completes the last call it waits for; until then
 * *ret_run may be cancelled. Anything else has failed already. One run of a callable at a time, unless the
 * given names are the same. */
enum anabranch_code anabranch_start(struct anabranch_callable *callable, const json_t *given,
        anabranch_done_cb done, void *arg, json_t **ret_value, struct anabranch_run **ret_run,
        struct anabranch_error *err) ANABRANCH_MUST_USE_;

/* No longer wanted: what is in flight is told so, and `done` does not run. */
void anabranch_cancel(struct anabranch_run *run);

/* Its time is up: fails with ANABRANCH_TIMED_OUT, and `done` runs. The engine has no clock of its own. */
void anabranch_expire(struct anabranch_run *run);

/* ==== The rest of the header is how it is done ==== */

/* What the linker found, and what a program that loads modules looks for in them. */
struct anabranch_listing {
	char magic[8]; /* "anabran" */
	unsigned abi;
	unsigned function_size;
	const char *version;
	const struct anabranch_function *const *begin, *const *end;
};

extern const struct anabranch_function *const __start_anabranch_functions[]
        __attribute__((weak, visibility("hidden")));
extern const struct anabranch_function *const __stop_anabranch_functions[]
        __attribute__((weak, visibility("hidden")));

#ifndef ANABRANCH_NO_MODULE
extern const struct anabranch_listing anabranch_module __attribute__((weak, visibility("default")));
const struct anabranch_listing anabranch_module = {{'a', 'n', 'a', 'b', 'r', 'a', 'n', 0}, ANABRANCH_ABI,
        sizeof(struct anabranch_function), ANABRANCH_VERSION, __start_anabranch_functions,
        __stop_anabranch_functions};
#endif

static inline struct anabranch_result anabranch_result_(enum anabranch_kind kind)
{
	struct anabranch_result result;

	memset(&result, 0, sizeof(result));
	result.kind = kind;
	return result;
}

static inline char *anabranch_format_(size_t *ret_len, const char *fmt, va_list args)
        __attribute__((format(printf, 2, 0)));
static inline char *anabranch_format_(size_t *ret_len, const char *fmt, va_list args)
{
	char small[512];
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(small, sizeof(small), fmt, args);
	text = len < 0 ? NULL : (char *)malloc((size_t)len + 1);
	if (text != NULL && (size_t)len < sizeof(small))
		memcpy(text, small, (size_t)len + 1);
	else if (text != NULL)
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	*ret_len = text != NULL ? (size_t)len : 0;
	return text;
}

static inline struct anabranch_result anabranch_textv_(const char *fmt, va_list args)
        __attribute__((format(printf, 1, 0)));
static inline struct anabranch_result anabranch_textv_(const char *fmt, va_list args)
{
	struct anabranch_result result = anabranch_result_(ANABRANCH_TEXT);

	result.text = anabranch_format_(&result.len, fmt, args);
	result.media = "text/plain; charset=utf-8";
	return result;
}

static inline struct anabranch_result anabranch_failv_(int status, int told, const char *field,
        const char *fmt, va_list args) __attribute__((format(printf, 4, 0)));
static inline struct anabranch_result anabranch_failv_(
        int status, int told, const char *field, const char *fmt, va_list args)
{
	struct anabranch_result result = anabranch_result_(ANABRANCH_FAILURE);
	size_t size = field != NULL ? strlen(field) + 1 : 0;

	result.status = status;
	result.told = told;
	result.text = anabranch_format_(&result.len, fmt, args);
	if (size > 0)
		result.field = (char *)malloc(size);
	if (result.field != NULL)
		memcpy(result.field, field, size);
	return result;
}

static inline struct anabranch_result anabranch_textf(const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_textv_(fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result anabranch_fail(int status, const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_failv_(status, 0, NULL, fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result anabranch_refuse(int status, const char *field, const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_failv_(status, 1, field, fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result anabranch_fail_as(const struct anabranch_error *err)
{
	if (err->told)
		return anabranch_refuse(
		        err->status, err->field[0] != '\0' ? err->field : NULL, "%s", err->message);
	return anabranch_fail(err->status, "%s", err->message);
}

static inline struct anabranch_result anabranch_json(json_t *value)
{
	struct anabranch_result result = anabranch_result_(ANABRANCH_VALUE);

	result.value = value;
	return result;
}

static inline struct anabranch_result anabranch_jsonv_(const char *fmt, va_list args)
{
	json_error_t error;
	json_t *value;

	error.text[0] = '\0';
	value = json_vpack_ex(&error, 0, fmt, args);
	if (value == NULL)
		return anabranch_fail(500, "jsonf(\"%s\"): %s", fmt, error.text);
	return anabranch_json(value);
}

static inline struct anabranch_result anabranch_jsonf(const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_jsonv_(fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result anabranch_share(const json_t *value)
{
	union {
		const json_t *shared;
		json_t *counted;
	} same; /* the count alone may change in a value that is read-only otherwise */

	same.shared = value;
	return anabranch_json(json_incref(same.counted));
}

static inline struct anabranch_result anabranch_media(const char *media, char *data, size_t len)
{
	struct anabranch_result result = anabranch_result_(ANABRANCH_TEXT);

	result.text = data;
	result.len = len;
	result.media = media;
	return result;
}

static inline struct anabranch_result anabranch_text(const char *data)
{
	size_t len = data != NULL ? strlen(data) : 0;
	char *copy = data != NULL ? (char *)malloc(len + 1) : NULL;

	if (data == NULL)
		return anabranch_fail(500, "text(NULL): there is no text");
	if (copy != NULL)
		memcpy(copy, data, len + 1);
	return anabranch_media("text/plain; charset=utf-8", copy, len);
}

static inline struct anabranch_result anabranch_later(
        void (*cancel)(struct anabranch_call *call, void *state), void *state)
{
	struct anabranch_result result = anabranch_result_(ANABRANCH_LATER);

	result.cancel = cancel;
	result.state = state;
	return result;
}

static inline void *anabranch_arg(const struct anabranch_call *call)
{
	return call->arg;
}

static inline void anabranch_complete(struct anabranch_call *call, struct anabranch_result result)
{
	call->host->complete(call, &result);
}

static inline int anabranch_wanted(const struct anabranch_call *call)
{
	return call->host->wanted(call);
}

static inline void anabranch_resolve(
        struct anabranch_call *call, const char *name, json_t *given, anabranch_resolved_cb done, void *arg)
{
	call->host->resolve(call, name, given, done, arg);
}

static inline enum anabranch_code anabranch_add_listed(
        struct anabranch *dispatcher, struct anabranch_error *err)
{
	const struct anabranch_function *const *entry = __start_anabranch_functions;
	size_t count = ((uintptr_t)__stop_anabranch_functions - (uintptr_t)entry) / sizeof(*entry);
	enum anabranch_code code = ANABRANCH_OK;

	for (; count > 0 && code == ANABRANCH_OK; count--, entry++)
		if (*entry != NULL && (*entry)->how != ANABRANCH_CALLS)
			code = anabranch_add(dispatcher, *entry, err);
	return code;
}

/* ==== Short names ====
 *
 * What nearly every function uses, without the prefix: json, jsonf, share, text, textf, fail, refuse, later.
 * A file that has other uses for these names defines ANABRANCH_NO_SHORT_NAMES before the include. */
#ifndef ANABRANCH_NO_SHORT_NAMES

static inline struct anabranch_result json(json_t *value)
{
	return anabranch_json(value);
}

static inline struct anabranch_result jsonf(const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_jsonv_(fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result share(const json_t *value)
{
	return anabranch_share(value);
}

static inline struct anabranch_result text(const char *data)
{
	return anabranch_text(data);
}

static inline struct anabranch_result textf(const char *fmt, ...) ANABRANCH_PRINTF_(1, 2);
static inline struct anabranch_result textf(const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_textv_(fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result fail(int status, const char *fmt, ...) ANABRANCH_PRINTF_(2, 3);
static inline struct anabranch_result fail(int status, const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_failv_(status, 0, NULL, fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result refuse(int status, const char *field, const char *fmt, ...)
        ANABRANCH_PRINTF_(3, 4);
static inline struct anabranch_result refuse(int status, const char *field, const char *fmt, ...)
{
	struct anabranch_result result;
	va_list args;

	va_start(args, fmt);
	result = anabranch_failv_(status, 1, field, fmt, args);
	va_end(args);
	return result;
}

static inline struct anabranch_result later(
        void (*cancel)(struct anabranch_call *call, void *state), void *state)
{
	return anabranch_later(cancel, state);
}

#endif

#ifdef __cplusplus
}
#endif

#endif
