/* tests/handlers/jq_fixture.h: threads for filters, a worker's end of them, and resources that use it. */
#ifndef TEST_JQ_FIXTURE_H
#define TEST_JQ_FIXTURE_H

#include "../../handlers/jq/jq.h"
#include "../lib/harness.h"

struct jq_fixture {
	struct harness h;
	struct ab_jq_shared *shared;
};

void jq_open(struct jq_fixture *f);
void jq_close(struct jq_fixture *f);
void jq_add(struct jq_fixture *f, const char *name, const char *mapping);
/* A value must be this JSON; quotes as in test_quotes. */
void jq_expect(struct jq_fixture *f, const char *name, const char *given, const char *json);
/* It must fail so, with `text` in the error. */
void jq_expect_error(
        struct jq_fixture *f, const char *name, const char *given, enum ab_code code, const char *text);
/* Adding it must fail with exactly these lines. */
void jq_expect_mistake(struct jq_fixture *f, const char *mapping, const char *lines);

#endif
