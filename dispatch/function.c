/* dispatch/function.c: a C function called for a resource, and what it returns taken apart. */
#include "function.h"

#include "alloc.h"
#include "held.h"

#include <string.h>

bool ab_function_name_valid(const char *name)
{
	if (!(*name == '_' || (*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z')))
		return false;
	while (*++name != '\0')
		if (!(*name == '_' || (*name >= '0' && *name <= '9') || (*name >= 'A' && *name <= 'Z') ||
		            (*name >= 'a' && *name <= 'z')))
			return false;
	return true;
}

/* ---- errors ---- */

enum ab_code ab_status_code(int status)
{
	switch (status) {
	case 401:
	case 403:
		return AB_EFORBIDDEN;
	case 404:
		return AB_EMISSING;
	case 429:
	case 503:
		return AB_EOVERLOAD;
	case 502:
		return AB_EUPSTREAM;
	case 408:
	case 504:
		return AB_ETIMEOUT;
	default:
		return status > 400 && status < 500 ? AB_EINVALID : AB_EINTERNAL;
	}
}

static enum anabranch_code public_code(enum ab_code code)
{
	switch (code) {
	case AB_OK:
		return ANABRANCH_OK;
	case AB_PENDING:
		return ANABRANCH_PENDING;
	case AB_ENOMEM:
		return ANABRANCH_NO_MEMORY;
	case AB_EDUPLICATE:
		return ANABRANCH_DUPLICATE;
	case AB_ECIRCULAR:
		return ANABRANCH_CIRCULAR;
	case AB_EUNRESOLVABLE:
		return ANABRANCH_UNRESOLVABLE;
	case AB_ETIMEOUT:
		return ANABRANCH_TIMED_OUT;
	case AB_ECANCELED:
		return ANABRANCH_CANCELED;
	default:
		return ANABRANCH_FAILED;
	}
}

const char *anabranch_code_name(enum anabranch_code code)
{
	static const char *const names[] = {
	        [ANABRANCH_OK] = "Ok",
	        [ANABRANCH_PENDING] = "Pending",
	        [ANABRANCH_NO_MEMORY] = "OutOfMemory",
	        [ANABRANCH_DUPLICATE] = "DuplicateResource",
	        [ANABRANCH_CIRCULAR] = "CircularDependency",
	        [ANABRANCH_UNRESOLVABLE] = "UnresolvableDependency",
	        [ANABRANCH_INVALID] = "InvalidInput",
	        [ANABRANCH_FAILED] = "ResourceError",
	        [ANABRANCH_TIMED_OUT] = "Timeout",
	        [ANABRANCH_CANCELED] = "Canceled",
	};

	return (size_t)code < AB_COUNT(names) ? names[code] : "Unknown";
}

void ab_error_publish(struct anabranch_error *ret, const struct ab_error *err)
{
	if (ret == NULL)
		return;
	ret->code = public_code(err->code);
	ret->status = err->status;
	ret->told = err->message != NULL;
	snprintf(ret->resource, sizeof(ret->resource), "%s", err->resource != NULL ? err->resource : "");
	snprintf(ret->field, sizeof(ret->field), "%s", err->field != NULL ? err->field : "");
	snprintf(ret->message, sizeof(ret->message), "%s", err->message != NULL ? err->message : err->text);
}

/* ---- results ---- */

/* What is held by the needs, unless nobody wants to know. */
static void held_note(
        struct ab_held *held, const struct ab_function *function, const json_t *const *needs, bool exact)
{
	ab_held_init(held);
	for (unsigned i = 0; function->checked && i < function->spec.n_needs; i++)
		ab_held_add(held, needs[i], i, exact);
}

static void judge_value(const struct ab_function *function, struct ab_held *held,
        const struct anabranch_result *result, struct ab_outcome *ret)
{
	int need;

	if (result->value == NULL) {
		ab_error_set(&ret->err, AB_EINTERNAL,
		        "it returned no value (NULL): json_object_get and the like give NULL for what is not there, json_pack "
		        "for a wrong format, text that is not UTF-8, and without memory; json_null() is null");
		return;
	}
	need = function->checked ? ab_held_find(held, result->value) : -1;
	if (need < 0) {
		ret->value = result->value;
		return;
	}
	json_decref(result->value);
	ab_error_set(&ret->err, AB_EINTERNAL,
	        "it returned what belongs to its need '%s' without a reference of its own; expected share(...), or "
	        "json_incref where it is put into another value",
	        function->spec.needs[need]);
}

static void judge_text(
        const struct ab_function *function, const struct anabranch_result *result, struct ab_outcome *ret)
{
	if (result->text == NULL) {
		ab_error_set(&ret->err, AB_ENOMEM, "no memory for its text");
	} else if (function->text_valid != NULL && !function->text_valid(result->text, result->len)) {
		ab_error_set(&ret->err, AB_EINTERNAL, "it returned bytes that are no UTF-8 text");
		free(result->text);
	} else {
		ret->text =
		        (struct ab_text){.data = result->text, .len = result->len, .media = result->media};
	}
}

static void judge_failure(const struct anabranch_result *result, struct ab_outcome *ret)
{
	const char *text = result->text != NULL ? result->text : "no memory for what went wrong";
	int status = result->status;

	ret->message = result->told ? result->text : NULL;
	ret->field = result->field;
	if (status < 400 || status > 599) {
		ab_error_set(&ret->err, AB_EINTERNAL, "%s (and its status, %d, is none; expected 400 to 599)",
		        text, status);
	} else {
		/* 400 means "look at what the request gave" where the code says so. */
		ab_error_set(&ret->err, status == 400 && result->told ? AB_EINVALID : ab_status_code(status),
		        "%s", text);
		ret->err.status = status;
	}
	if (ret->message == NULL)
		free(result->text);
}

static void judge(const struct ab_function *function, struct ab_held *held,
        const struct anabranch_result *result, struct ab_outcome *ret)
{
	*ret = (struct ab_outcome){.value = NULL};
	switch (result->kind) {
	case ANABRANCH_VALUE:
		judge_value(function, held, result, ret);
		return;
	case ANABRANCH_TEXT:
		judge_text(function, result, ret);
		return;
	case ANABRANCH_FAILURE:
		judge_failure(result, ret);
		return;
	case ANABRANCH_LATER:
		break;
	}
	ab_error_set(&ret->err, AB_EINTERNAL,
	        result->kind == ANABRANCH_LATER
	                ? "it returned later(...), which only a RESOURCE_ASYNC may"
	                : "it returned what none of json, jsonf, share, text, textf, fail, refuse and later made");
}

void ab_function_judge(const struct ab_function *function, const json_t *const *needs,
        struct anabranch_result *result, struct ab_outcome *ret)
{
	struct ab_held held;

	held_note(&held, function, needs, false);
	judge(function, &held, result, ret);
	ab_held_fini(&held);
}

void ab_outcome_settle(struct ab_call *call, struct ab_outcome *outcome, const struct ab_error *degraded)
{
	struct ab_error *err = &outcome->err;

	if (outcome->value != NULL && degraded != NULL) {
		ab_call_resolve_degraded_new(call, outcome->value, degraded);
	} else if (outcome->value != NULL) {
		ab_call_resolve_new(call, outcome->value);
	} else if (outcome->text.data != NULL && degraded != NULL) {
		ab_call_resolve_degraded_text(call, &outcome->text, degraded);
	} else if (outcome->text.data != NULL) {
		ab_call_resolve_text(call, &outcome->text);
	} else {
		if (outcome->message != NULL)
			err->message =
			        ab_arena_strndup(call->arena, outcome->message, strlen(outcome->message));
		if (outcome->field != NULL)
			err->field = ab_arena_strndup(call->arena, outcome->field, strlen(outcome->field));
		free(outcome->message);
		free(outcome->field);
		ab_call_fail(call, err);
	}
}

/* ---- calls ---- */

struct anabranch_result ab_function_invoke(const struct ab_function *function, struct anabranch_call *call)
{
	const struct ab_function *before = NULL;
	struct anabranch_result result;

	if (function->enter != NULL)
		before = function->enter(function);
	result = function->spec.start(call);
	if (function->enter != NULL)
		function->enter(before);
	return result;
}

static struct ab_function_call call_make(
        struct ab_call *call, const struct ab_function *function, const json_t *const *needs)
{
	return (struct ab_function_call){
	        .public = {.host = function->host, .needs = needs, .arg = function->spec.arg},
	        .call = call,
	        .function = function,
	};
}

void ab_function_run(struct ab_call *call, const struct ab_function *function, const json_t *const *needs)
{
	struct ab_function_call inner = call_make(call, function, needs);
	struct anabranch_result result;
	struct ab_outcome outcome;
	struct ab_held held;

	if (AB_UNLIKELY(function->checked))
		held_note(&held, function, needs, true);
	result = ab_function_invoke(function, &inner.public);
	judge(function, &held, &result, &outcome);
	if (AB_UNLIKELY(function->checked))
		ab_held_fini(&held);
	ab_outcome_settle(call, &outcome, NULL);
}

/* The last touch of an asynchronous call, by whoever comes last. */
static bool call_release(struct ab_function_call *inner)
{
	if (!inner->completed || inner->busy > 0)
		return false;
	for (unsigned i = 0; inner->kept != NULL && i < inner->function->spec.n_needs; i++)
		json_decref(inner->kept[i]);
	ab_free(inner->kept);
	ab_free(inner);
	return true;
}

void ab_function_begin(struct ab_call *call, const struct ab_function *function, const json_t *const *needs,
        size_t extra, void (*prepare)(struct ab_function_call *inner))
{
	struct ab_function_call *inner = ab_calloc(1, sizeof(*inner) + extra);
	struct anabranch_result result;
	struct ab_error err;

	call->state = inner;
	if (inner == NULL) {
		ab_error_set(&err, AB_ENOMEM, "out of memory");
		ab_call_fail(call, &err);
		return;
	}
	*inner = call_make(call, function, needs);
	inner->copy = *function;
	inner->function = &inner->copy;
	if (prepare != NULL)
		prepare(inner);
	inner->busy++;
	result = ab_function_invoke(function, &inner->public);
	if (result.kind == ANABRANCH_LATER) {
		inner->cancel = result.cancel;
		inner->state = result.state;
	} else {
		function->host->complete(&inner->public, &result);
	}
	inner->busy--;
	call_release(inner);
}

bool ab_function_end(struct ab_call *call)
{
	struct ab_function_call *inner = call->state;

	inner->busy++;
	inner->cancelled = true;
	ab_function_unnest(inner);
	if (!inner->completed && inner->cancel != NULL)
		inner->cancel(&inner->public, inner->state);
	inner->busy--;
	return call_release(inner);
}

void ab_function_cancel(struct ab_call *call)
{
	(void)ab_function_end(call);
}

static void result_drop(const struct anabranch_result *result)
{
	json_decref(result->value);
	free(result->text);
	free(result->field);
}

bool ab_function_abandon(struct ab_function_call *inner)
{
	struct ab_call *call = inner->call;
	unsigned n = inner->function->spec.n_needs;
	struct ab_error err;

	inner->kept = ab_malloc(n * sizeof(*inner->kept));
	if (inner->kept == NULL)
		return false;
	for (unsigned i = 0; i < n; i++)
		inner->kept[i] = json_incref((json_t *)(uintptr_t)inner->public.needs[i]);
	inner->public.needs = (const json_t *const *)inner->kept;
	inner->abandoned = true;
	inner->call = NULL;
	ab_error_set(&err, AB_ECANCELED, "canceled, and not completed since");
	ab_call_fail(call, &err);
	return true;
}

/* A broken promise of the function's code, after which nothing can be relied on. */
static void promise(const struct ab_function_call *inner, bool kept, const char *broken)
{
	if (AB_LIKELY(kept))
		return;
	fprintf(stderr, "anabranch: the C function of resource '%s' broke a promise: %s\n",
	        inner->function->spec.name, broken);
	abort();
}

void ab_function_complete(struct anabranch_call *call, const struct anabranch_result *result)
{
	struct ab_function_call *inner = ab_function_call_of(call);
	struct anabranch_result taken = *result;
	struct ab_outcome outcome;

	promise(inner, inner->function->spec.how == ANABRANCH_ASYNC,
	        "anabranch_complete in a function that completes by returning");
	promise(inner, !inner->completed, "completed twice");
	promise(inner, inner->nested == NULL, "completed while something it asked for is on its way");
	inner->completed = true;
	inner->busy++;
	if (AB_UNLIKELY(inner->abandoned)) {
		result_drop(&taken);
	} else {
		ab_function_judge(inner->function, call->needs, &taken, &outcome);
		ab_outcome_settle(inner->call, &outcome, inner->degraded);
	}
	inner->busy--;
	call_release(inner);
}

int ab_function_wanted(const struct anabranch_call *call)
{
	const struct ab_function_call *inner = ab_container_of(call, struct ab_function_call, public);

	if (inner->unwanted != NULL)
		return !atomic_load_explicit(inner->unwanted, memory_order_relaxed);
	return !inner->cancelled;
}
