/* server/ids.c: see ids.h. */
#include "ids.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection, so distinct counters give distinct ids.
 */
static uint64_t ids_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t ids_next(struct ab_ids *ids)
{
	ids->random += UINT64_C(0x9e3779b97f4a7c15);
	return ids_mix(ids->random);
}

void ab_ids_init(struct ab_ids *ids)
{
	struct timespec now;

	if (getrandom(ids, sizeof(*ids), GRND_NONBLOCK) == (ssize_t)sizeof(*ids))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	ids->random = (uint64_t)now.tv_sec * UINT64_C(1000000007) + (uint64_t)now.tv_nsec + (uintptr_t)ids;
	ids->prefix = ids_next(ids);
	ids->counter = ids_next(ids);
}

/* `count` characters of five bits each, most significant first. */
static char *ids_base32(char *to, uint64_t bits, int count)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

	for (int i = count - 1; i >= 0; i--)
		*to++ = digits[(bits >> (5 * i)) & 31];
	return to;
}

void ab_ids_request(struct ab_ids *ids, char ret_id[AB_ID_SIZE])
{
	char *end = ids_base32(ret_id, ids->prefix, 7);

	end = ids_base32(end, ids_mix(++ids->counter), 13);
	*end = '\0';
}

static char *ids_hex(char *to, uint64_t bits)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 60; i >= 0; i -= 4)
		*to++ = digits[(bits >> i) & 15];
	return to;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether `text` is `len` lower-case hex digits; *ret_nonzero: not all of them zero. */
static bool hex_valid(const char *text, size_t len, bool *ret_nonzero)
{
	*ret_nonzero = false;
	for (size_t i = 0; i < len; i++) {
		if (hex_value(text[i]) < 0)
			return false;
		if (text[i] != '0')
			*ret_nonzero = true;
	}
	return true;
}

static bool traceparent_valid(const char *text, size_t len)
{
	bool version, trace, span, flags;

	if (text == NULL || len < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-')
		return false;
	if (!hex_valid(text, 2, &version) || memcmp(text, "ff", 2) == 0)
		return false;
	if (version ? len > 55 && text[55] != '-' : len != 55)
		return false;
	return hex_valid(text + 3, 32, &trace) && trace && hex_valid(text + 36, 16, &span) && span &&
	       hex_valid(text + 53, 2, &flags);
}

void ab_ids_traceparent(
        struct ab_ids *ids, const char *incoming, size_t len, char ret_parent[AB_TRACEPARENT_SIZE])
{
	bool known = traceparent_valid(incoming, len);
	char *to = ret_parent;

	memcpy(to, "00-", 3);
	to += 3;
	if (known) {
		memcpy(to, incoming + 3, 32);
		to += 32;
	} else {
		to = ids_hex(to, ids_next(ids));
		to = ids_hex(to, ids_next(ids) | 1); /* never all zero */
	}
	*to++ = '-';
	to = ids_hex(to, ids_next(ids) | 1);
	*to++ = '-';
	*to++ = '0';
	/* Of the flags only "sampled" may be passed on (section 3.2.2.5); a new trace leaves the choice to
	 * others by saying yes. */
	*to++ = known && (hex_value(incoming[54]) & 1) == 0 ? '0' : '1';
	*to = '\0';
}
