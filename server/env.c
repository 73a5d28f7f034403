/* server/env.c: see env.h. The order matters: what has calls to complete closes before the deadlines that
 * bound them, the loop after its last close callback, the pool last of all. */
#include "env.h"

#include "../handlers/http/http.h"
#include "../handlers/jq/jq.h"
#include "../handlers/sql/database.h"

/* Close what exists (fini may follow a failed init) and give the loop back. */
static void env_close(struct ab_env *env)
{
	if (env->http != NULL)
		ab_http_close(env->http);
	if (env->sql != NULL)
		ab_sql_close(env->sql);
	if (env->jq != NULL)
		ab_jq_close(env->jq);
	if (env->deadlines != NULL)
		ab_deadlines_close(env->deadlines);
	uv_run(env->loop, UV_RUN_DEFAULT);
	ab_assert(uv_loop_close(env->loop) == 0);
	free(env->loop);
	ab_pool_fini(&env->pool);
	*env = (struct ab_env){0};
}

enum ab_code ab_env_init(struct ab_env *env, unsigned worker, struct ab_error *err)
{
	int rc;

	*env = (struct ab_env){.worker = worker};
	env->loop = malloc(sizeof(*env->loop));
	if (env->loop == NULL)
		return ab_error_set(err, AB_ENOMEM, "no memory for the event loop");
	rc = uv_loop_init(env->loop);
	if (rc != 0) {
		free(env->loop);
		env->loop = NULL;
		return ab_error_set(
		        err, rc == UV_ENOMEM ? AB_ENOMEM : AB_EINTERNAL, "event loop: %s", uv_strerror(rc));
	}
	ab_pool_init(&env->pool);
	env->deadlines = ab_deadlines_create(env->loop);
	env->http = env->deadlines == NULL ? NULL : ab_http_create(env);
	env->sql = env->http == NULL ? NULL : ab_sql_create(env);
	if (env->sql == NULL) {
		env_close(env);
		return ab_error_set(err, AB_ENOMEM, "no memory, or no descriptors, for a worker");
	}
	return AB_OK;
}

void ab_env_fini(struct ab_env *env)
{
	env_close(env);
}
