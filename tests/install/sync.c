/* tests/install/sync.c: a C11 program on the installed library: listed resources, a wrapped function, an
 * error handler, an included dispatcher, waiting on a loop. */
#ifdef WITH_LOOP
#include <anabranch-uv.h>
#else
#include <anabranch.h>
#endif

RESOURCE(who)
{
	return text("World");
}

RESOURCE(greet, who)
{
	return textf("Hello %s!", json_string_value(who));
}

RESOURCE_BLOCKING(slow, (long_name, "who"))
{
	return share(long_name);
}

RESOURCE(broken)
{
	return refuse(422, "name", "no");
}

FUNCTION(shout, greet, mark)
{
	return textf("%s%s", json_string_value(greet), json_string_value(mark));
}

static void stand_in(void *arg, struct anabranch_error *err, json_t **ret_value)
{
	(void)arg;
	if (err->told)
		*ret_value = json_string(err->field);
}

static int show(const char *what, enum anabranch_code code, json_t *value, const struct anabranch_error *err)
{
	if (code != ANABRANCH_OK) {
		printf("%s: %s: %s\n", what, anabranch_code_name(code), err->message);
		return 1;
	}
	printf("%s: %s\n", what, json_string_value(value));
	json_decref(value);
	return 0;
}

static int show_all(struct anabranch *d)
{
	struct anabranch_callable *c = NULL;
	struct anabranch_error err;
	json_t *value = NULL, *given = json_pack("{s:s}", "mark", "?");
	enum anabranch_code code = anabranch_get(d, "greet", NULL, &value, &err);
	int failed = show("greet", code, value, &err);

	code = anabranch_get(d, "slow", NULL, &value, &err);
	failed += show("slow", code, value, &err);
	code = anabranch_get(d, "broken", NULL, &value, &err);
	failed += show("broken", code, value, &err);
	code = anabranch_wrap(d, &function_shout, &c, &err);
	if (code == ANABRANCH_OK)
		code = anabranch_callable_call(c, given, &value, &err);
	failed += show("shout", code, value, &err);
	json_decref(given);
	anabranch_callable_destroy(c);
	return failed;
}

static enum anabranch_code attach(struct anabranch *d, struct anabranch_error *err)
{
#ifdef WITH_LOOP
	return anabranch_attach(d, NULL, err);
#else
	(void)d;
	(void)err;
	return ANABRANCH_OK;
#endif
}

int main(void)
{
	struct anabranch *d = anabranch_create(), *parts = anabranch_create();
	struct anabranch_error err;
	int failed = 1;

	if (d != NULL && parts != NULL && anabranch_add_listed(parts, &err) == ANABRANCH_OK &&
	        anabranch_include(d, parts, &err) == ANABRANCH_OK &&
	        anabranch_on_error(d, stand_in, NULL, &err) == ANABRANCH_OK &&
	        attach(d, &err) == ANABRANCH_OK)
		failed = show_all(d);
	anabranch_destroy(d);
	anabranch_destroy(parts);
	return failed;
}
