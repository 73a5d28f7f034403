/* handlers/jq/words.c: see words.h. */
#include "words.h"

#include <string.h>

static bool is_in(const char *name, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0)
			return true;
	return false;
}

bool ab_jq_is_format(const char *name, size_t len)
{
	static const char *const words[] = {"text", "json", "html", "uri", "urid", "csv", "tsv", "sh",
	        "base64", "base64d", "base32", "base32d"};

	return is_in(name, len, words, AB_COUNT(words));
}

bool ab_jq_is_keyword(const char *name, size_t len)
{
	static const char *const words[] = {"as", "import", "include", "module", "def", "if", "then", "else",
	        "elif", "and", "or", "end", "reduce", "foreach", "try", "catch", "label", "break"};

	return is_in(name, len, words, AB_COUNT(words));
}

const char *ab_jq_refused(const char *name, size_t len)
{
	static const struct {
		const char *name, *why;
	} words[] = {
	        {"env", "a filter does not see the environment; expected ${NAME} in a `value` that it needs"},
	        {"input", "there is no input to read; expected $name for what another resource gives"},
	        {"inputs", "there is no input to read; expected $name for what another resource gives"},
	        {"input_filename", "there is no input; expected it left out"},
	        {"input_line_number", "there is no input; expected it left out"},
	        {"debug", "a filter does not print; expected it left out"},
	        {"stderr", "a filter does not print; expected it left out"},
	        {"halt", "a filter does not end the program; expected error(\"...\"), or it left out"},
	        {"halt_error", "a filter does not end the program; expected error(\"...\"), or it left out"},
	        {"modulemeta", "there are no modules; expected it left out"},
	        {"get_search_list", "there are no modules; expected it left out"},
	        {"get_prog_origin", "there are no modules; expected it left out"},
	        {"get_jq_origin", "there are no modules; expected it left out"},
	};

	for (size_t i = 0; i < AB_COUNT(words); i++)
		if (strlen(words[i].name) == len && memcmp(words[i].name, name, len) == 0)
			return words[i].why;
	if (len > 0 && name[0] == '_')
		return "not a function for users of jq; expected another, or a `def` of your own";
	return NULL;
}

bool ab_jq_reads_input(const char *name, size_t len, unsigned args)
{
	static const char *const without[] = {"add", "all", "any", "ascii", "ascii_downcase", "ascii_upcase",
	        "booleans", "ceil", "combinations", "explode", "fabs", "first", "flatten", "floor",
	        "from_entries", "fromdate", "fromdateiso8601", "fromjson", "gmtime", "implode", "isinfinite",
	        "isnan", "isnormal", "iterables", "keys", "keys_unsorted", "last", "leaf_paths", "length",
	        "localtime", "ltrim", "max", "min", "mktime", "not", "nulls", "numbers", "objects", "paths",
	        "reverse", "round", "rtrim", "scalars", "sort", "sqrt", "strings", "to_entries", "toarray",
	        "todate", "tojson", "tonumber", "tostring", "transpose", "trim", "type", "unique",
	        "utf8bytelength", "values", "arrays", "abs"};
	static const char *const with[] = {"bsearch", "capture", "contains", "del", "delpaths", "endswith",
	        "flatten", "group_by", "gsub", "has", "index", "indices", "inside", "join", "ltrimstr", "map",
	        "map_values", "match", "max_by", "min_by", "pick", "rindex", "rtrimstr", "scan", "sort_by",
	        "split", "splits", "startswith", "strftime", "strptime", "sub", "test", "unique_by", "walk",
	        "with_entries"};

	return args == 0 ? is_in(name, len, without, AB_COUNT(without))
	                 : is_in(name, len, with, AB_COUNT(with));
}

bool ab_jq_formats_time(const char *name, size_t len)
{
	static const char *const words[] = {"strftime", "strflocaltime", "todate", "todateiso8601"};

	return is_in(name, len, words, AB_COUNT(words));
}

bool ab_jq_is_quick(const char *name, size_t len, unsigned args)
{
	static const char *const without[] = {"abs", "arrays", "ascii_downcase", "ascii_upcase", "booleans",
	        "ceil", "empty", "fabs", "false", "floor", "infinite", "isinfinite", "isnan", "isnormal",
	        "keys", "keys_unsorted", "length", "nan", "not", "now", "null", "nulls", "numbers", "objects",
	        "round", "scalars", "sqrt", "strings", "tonumber", "tostring", "true", "type",
	        "utf8bytelength", "values"};
	static const char *const with[] = {
	        "endswith", "error", "has", "ltrimstr", "rtrimstr", "select", "startswith"};

	return args == 0 ? is_in(name, len, without, AB_COUNT(without))
	                 : args == 1 && is_in(name, len, with, AB_COUNT(with));
}
