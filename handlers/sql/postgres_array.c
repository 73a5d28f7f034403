/* handlers/sql/postgres_array.c: arrays as lists, from their binary and their text form; dates as ISO 8601.
 */
#include "postgres_types.h"
#include "rows.h"

#include <string.h>

enum {
	MAX_DIMENSIONS = 6, /* PostgreSQL's own */
	DAYS_TO_2000 = 10957,
};

static const int64_t DAY = 86400LL * 1000000;

static json_t *broken(json_t *list, struct ab_error *err)
{
	json_decref(list);
	ab_error_set(err, AB_EUPSTREAM, "an array that is not of an array's form");
	return NULL;
}

static json_t *no_memory(struct ab_error *err)
{
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return NULL;
}

/* Takes both; false when the value is NULL, or without memory. */
static bool append(json_t *list, json_t *value, struct ab_error *err)
{
	if (value == NULL)
		return false;
	if (json_array_append_new(list, value) == 0)
		return true;
	ab_error_set(err, AB_ENOMEM, "out of memory");
	return false;
}

/* ---- the binary form: dimensions, whether there are nulls, the element's type, each dimension's length and
 * lower bound, then the elements, each with its length or -1 ---- */

struct reader {
	enum ab_pg_kind kind;
	const char *at, *end;
	size_t *bytes;
	struct ab_error *err;
	int32_t lengths[MAX_DIMENSIONS];
	int n_dimensions;
};

static bool read_int(struct reader *reader, int32_t *ret)
{
	uint32_t value = 0;

	if (reader->end - reader->at < 4)
		return false;
	for (int i = 0; i < 4; i++)
		value = value << 8 | (unsigned char)*reader->at++;
	*ret = (int32_t)value;
	return true;
}

static json_t *read_element(struct reader *reader)
{
	int32_t len;
	json_t *value;

	if (!read_int(reader, &len) || len < -1 || len > reader->end - reader->at)
		return broken(NULL, reader->err);
	if (len == -1)
		return ab_sql_rows_room(reader->bytes, 0, reader->err) ? json_null() : NULL;
	value = ab_pg_value((struct ab_pg_type){.kind = reader->kind}, true, reader->at, (size_t)len,
	        reader->bytes, reader->err);
	reader->at += len;
	return value;
}

/* The list at `depth`; those inside have been made when it is returned. Depth is bounded by MAX_DIMENSIONS.
 */
static json_t *read_list(struct reader *reader, int depth) /* NOLINT(misc-no-recursion) */
{
	json_t *list = json_array();

	if (list == NULL)
		return no_memory(reader->err);
	if (!ab_sql_rows_room(reader->bytes, 0, reader->err)) {
		json_decref(list);
		return NULL;
	}
	for (int32_t i = 0; i < reader->lengths[depth]; i++)
		if (!append(list,
		            depth + 1 == reader->n_dimensions ? read_element(reader)
		                                              : read_list(reader, depth + 1),
		            reader->err)) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *ab_pg_array_binary(
        enum ab_pg_kind kind, const char *data, size_t len, size_t *bytes, struct ab_error *err)
{
	struct reader reader = {.kind = kind, .at = data, .end = data + len, .bytes = bytes, .err = err};
	int32_t dimensions, ignored;
	json_t *list;

	if (!read_int(&reader, &dimensions) || dimensions < 0 || dimensions > MAX_DIMENSIONS ||
	        !read_int(&reader, &ignored) || !read_int(&reader, &ignored))
		return broken(NULL, err);
	reader.n_dimensions = dimensions;
	for (int i = 0; i < dimensions; i++)
		if (!read_int(&reader, &reader.lengths[i]) || !read_int(&reader, &ignored) ||
		        reader.lengths[i] < 0)
			return broken(NULL, err);
	if (dimensions == 0) {
		list = json_array();
		return list != NULL ? list : no_memory(err);
	}
	list = read_list(&reader, 0);
	return list == NULL || reader.at == reader.end ? list : broken(list, err);
}

/* ---- the text form ---- */

struct scanner {
	enum ab_pg_kind kind;
	const char *at, *end;
	size_t *bytes;
	struct ab_error *err;
	struct ab_buf element; /* without its quotes and backslashes */
};

/* The element at `at` into scanner->element; whether it was in quotes. */
static bool scan_element(struct scanner *scanner, bool *ret_quoted)
{
	bool inside = false;

	*ret_quoted = false;
	scanner->element.len = 0;
	for (; scanner->at < scanner->end; scanner->at++) {
		char c = *scanner->at;

		if (c == '"') {
			inside = !inside;
			*ret_quoted = true;
			continue;
		}
		if (!inside && (c == ',' || c == '}'))
			return true;
		if (!inside && c == '{')
			return false;
		if (c == '\\' && ++scanner->at == scanner->end)
			return false;
		ab_buf_addc(&scanner->element, *scanner->at);
	}
	return false;
}

static json_t *scan_value(struct scanner *scanner)
{
	bool quoted;

	if (!scan_element(scanner, &quoted))
		return broken(NULL, scanner->err);
	ab_buf_add(&scanner->element, "", 0);
	if (scanner->element.failed)
		return no_memory(scanner->err);
	if (!quoted && scanner->element.len == 4 && memcmp(scanner->element.data, "NULL", 4) == 0)
		return ab_sql_rows_room(scanner->bytes, 0, scanner->err) ? json_null() : NULL;
	return ab_pg_value((struct ab_pg_type){.kind = scanner->kind}, false, scanner->element.data,
	        scanner->element.len, scanner->bytes, scanner->err);
}

/* From the brace at `at` to beyond its pair. */
static json_t *scan_list(struct scanner *scanner, int depth) /* NOLINT(misc-no-recursion) */
{
	json_t *list;

	if (depth == MAX_DIMENSIONS || scanner->at == scanner->end || *scanner->at != '{')
		return broken(NULL, scanner->err);
	list = json_array();
	if (list == NULL || !ab_sql_rows_room(scanner->bytes, 0, scanner->err)) {
		json_decref(list);
		return list == NULL ? no_memory(scanner->err) : NULL;
	}
	scanner->at++;
	if (scanner->at < scanner->end && *scanner->at == '}') {
		scanner->at++;
		return list;
	}
	while (scanner->at < scanner->end) {
		if (!append(list, *scanner->at == '{' ? scan_list(scanner, depth + 1) : scan_value(scanner),
		            scanner->err)) {
			json_decref(list);
			return NULL;
		}
		if (scanner->at == scanner->end)
			break;
		if (*scanner->at++ == '}')
			return list;
	}
	return broken(list, scanner->err);
}

json_t *ab_pg_array_text(
        enum ab_pg_kind kind, const char *data, size_t len, size_t *bytes, struct ab_error *err)
{
	struct scanner scanner = {.kind = kind, .at = data, .end = data + len, .bytes = bytes, .err = err};
	const char *equals;
	json_t *list;

	/* Bounds that do not begin at 1 stand in front: [0:2]={1,2,3}. */
	if (len > 0 && data[0] == '[' && (equals = memchr(data, '=', len)) != NULL)
		scanner.at = equals + 1;
	ab_buf_init(&scanner.element, AB_SQL_MAX_BYTES);
	list = scan_list(&scanner, 0);
	ab_buf_fini(&scanner.element);
	return list == NULL || scanner.at == scanner.end ? list : broken(list, err);
}

/* ---- dates and times; the calendar is the proleptic Gregorian one, years counted through 0 ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01, by counting from March, so that the leap day ends the year. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void ab_pg_write_date(struct ab_buf *buf, int64_t days)
{
	int64_t z = days + DAYS_TO_2000 + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
	int month = (int)(m < 10 ? m + 3 : m - 9), day = (int)(of_year - (153 * m + 2) / 5 + 1);
	int64_t year = y + era * 400 + (month <= 2);

	if (year < 0)
		ab_buf_printf(buf, "-%04lld-%02d-%02d", (long long)-year, month, day);
	else
		ab_buf_printf(buf, "%s%04lld-%02d-%02d", year > 9999 ? "+" : "", (long long)year, month, day);
}

void ab_pg_write_time(struct ab_buf *buf, int64_t micros)
{
	int64_t seconds = floor_div(micros, 1000000);
	int fraction = (int)(micros - seconds * 1000000), digits = 6;

	ab_buf_printf(
	        buf, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
	if (fraction == 0)
		return;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	ab_buf_printf(buf, ".%0*d", digits, fraction);
}

void ab_pg_write_timestamp(struct ab_buf *buf, int64_t micros, bool zone)
{
	int64_t days = floor_div(micros, DAY);

	ab_pg_write_date(buf, days);
	ab_buf_addc(buf, 'T');
	ab_pg_write_time(buf, micros - days * DAY);
	if (zone)
		ab_buf_addc(buf, 'Z');
}

struct cursor {
	const char *at, *end;
};

/* Between `min` and `max` digits. */
static bool take_number(struct cursor *cursor, size_t min, size_t max, int64_t *ret)
{
	size_t n = 0;

	for (*ret = 0; n < max && cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; n++)
		*ret = *ret * 10 + (*cursor->at++ - '0');
	return n >= min;
}

static bool take_char(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

static bool take_date(struct cursor *cursor, int64_t *ret_days)
{
	int64_t year, month, day;
	bool before = cursor->end - cursor->at > 3 && memcmp(cursor->end - 3, " BC", 3) == 0;

	if (before)
		cursor->end -= 3;
	if (!take_number(cursor, 4, 7, &year) || !take_char(cursor, '-') ||
	        !take_number(cursor, 2, 2, &month) || !take_char(cursor, '-') ||
	        !take_number(cursor, 2, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	*ret_days = days_of(before ? 1 - year : year, (int)month, (int)day) - DAYS_TO_2000;
	return true;
}

bool ab_pg_read_date(const char *text, size_t len, int64_t *ret_days)
{
	struct cursor cursor = {text, text + len};

	return take_date(&cursor, ret_days) && cursor.at == cursor.end;
}

/* ".6" in microseconds. */
static bool take_fraction(struct cursor *cursor, int64_t *ret)
{
	const char *from;

	*ret = 0;
	if (!take_char(cursor, '.'))
		return true;
	from = cursor->at;
	if (!take_number(cursor, 1, 6, ret))
		return false;
	for (size_t n = (size_t)(cursor->at - from); n < 6; n++)
		*ret *= 10;
	return true;
}

/* "+02", "-03:30", "+01:02:03", or nothing, in seconds. */
static bool take_offset(struct cursor *cursor, int64_t *ret)
{
	int64_t hours = 0, minutes = 0, seconds = 0;
	bool west = cursor->at < cursor->end && *cursor->at == '-';

	*ret = 0;
	if (cursor->at == cursor->end)
		return true;
	if (!west && *cursor->at != '+')
		return false;
	cursor->at++;
	if (!take_number(cursor, 2, 2, &hours) ||
	        (take_char(cursor, ':') && !take_number(cursor, 2, 2, &minutes)) ||
	        (take_char(cursor, ':') && !take_number(cursor, 2, 2, &seconds)))
		return false;
	*ret = (hours * 3600 + minutes * 60 + seconds) * (west ? -1 : 1);
	return true;
}

bool ab_pg_read_timestamp(const char *text, size_t len, int64_t *ret_micros)
{
	struct cursor cursor = {text, text + len};
	int64_t days, hours, minutes, seconds, fraction, offset;

	if (!take_date(&cursor, &days) || !take_char(&cursor, ' ') || !take_number(&cursor, 2, 2, &hours) ||
	        !take_char(&cursor, ':') || !take_number(&cursor, 2, 2, &minutes) ||
	        !take_char(&cursor, ':') || !take_number(&cursor, 2, 2, &seconds) ||
	        !take_fraction(&cursor, &fraction) || !take_offset(&cursor, &offset) ||
	        cursor.at != cursor.end)
		return false;
	*ret_micros = days * DAY + (hours * 3600 + minutes * 60 + seconds - offset) * 1000000 + fraction;
	return true;
}
