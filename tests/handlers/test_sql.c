/* tests/handlers/test_sql.c: statements on real SQLite files: what is bound, what comes back. */
#include "../../handlers/json.h"
#include "sql_fixture.h"

#include <criterion/criterion.h>

TestSuite(sql, .timeout = 20);

Test(sql, a_query_gives_rows)
{
	struct sql_fixture f;

	sql_open(&f,
	        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b');",
	        "");
	sql_add(&f, "q", "{`sql`: `SELECT id, name FROM t WHERE id >= :id ORDER BY id`}");
	sql_expect(&f, "q", "{`id`: 1}", "[{\"id\":1,\"name\":\"a\"},{\"id\":2,\"name\":\"b\"}]");
	sql_close(&f);
}
