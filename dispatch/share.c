/* dispatch/share.c: the reads of a request, by their keys.
 *
 *   read:  ASKING --the leader completes--> KNOWN (a value, or a failure that would come again)
 *              `--cancelled, or a failure of our own--> gone: the next who joins asks anew
 *
 * A call that leads or follows has `read` set. The engine asks here before it tells a handler to cancel
 * (ab_share_leave), and tells when a call completes (ab_share_end); both are no work where `read` is NULL. */
#include "internal.h"
#include "share_internal.h"

#include <string.h>

struct ab_read {
	struct ab_read *next; /* in its bucket */
	struct ab_share *share;
	struct ab_call *leader;    /* NULL once it has completed */
	struct ab_call *followers; /* in the order they came */
	struct ab_call *last;      /* of them */
	json_t *value;             /* KNOWN */
	struct ab_error *error;    /* KNOWN, in the arena */
	bool unwanted;             /* the leader's own run does not want it any more */
	uint64_t hash;
	size_t len;
	unsigned char key[];
};

struct ab_share {
	struct ab_arena *arena;
	struct ab_read **buckets; /* a power of two of them */
	size_t n_buckets, count;
	size_t bytes;              /* of all reads so far */
	struct ab_read *forgotten; /* those with a value: it is let go with the arena */
};

/* Beyond so many bytes of keys reads are not shared: the arena is the request's, which needs the rest. */
enum { FIRST_BUCKETS = 16, MOST_BYTES = 8 * 1024 * 1024 };

/* ---- the table ---- */

static uint64_t hash_of(const unsigned char *key, size_t len)
{
	uint64_t hash = len * UINT64_C(0x9E3779B97F4A7C15);

	while (len > 0) {
		size_t part = len < sizeof(hash) ? len : sizeof(hash);
		uint64_t word = 0;

		memcpy(&word, key, part);
		hash = (hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
		hash ^= hash >> 32;
		key += part;
		len -= part;
	}
	return hash;
}

static void release_list(struct ab_read *read)
{
	for (; read != NULL; read = read->next)
		json_decref(read->value);
}

static void share_fini(void *ptr)
{
	struct ab_share *share = ptr;

	for (size_t i = 0; i < share->n_buckets; i++)
		release_list(share->buckets[i]);
	release_list(share->forgotten);
}

struct ab_share *ab_share_create(struct ab_arena *arena)
{
	struct ab_share *share = ab_arena_calloc(arena, 1, sizeof(*share));

	if (share == NULL)
		return NULL;
	share->arena = arena;
	share->buckets = ab_arena_calloc(arena, FIRST_BUCKETS, sizeof(struct ab_read *));
	if (share->buckets == NULL)
		return NULL;
	share->n_buckets = FIRST_BUCKETS;
	return ab_arena_defer(arena, share_fini, share) ? share : NULL;
}

/* Without memory for more buckets the old ones do. */
static void share_grow(struct ab_share *share)
{
	size_t more = share->n_buckets * 4;
	struct ab_read **buckets = ab_arena_calloc(share->arena, more, sizeof(struct ab_read *));

	if (buckets == NULL)
		return;
	for (size_t i = 0; i < share->n_buckets; i++) {
		for (struct ab_read *read = share->buckets[i], *next; read != NULL; read = next) {
			next = read->next;
			read->next = buckets[read->hash & (more - 1)];
			buckets[read->hash & (more - 1)] = read;
		}
	}
	share->buckets = buckets;
	share->n_buckets = more;
}

static struct ab_read *share_find(const struct ab_share *share, uint64_t hash, const void *key, size_t len)
{
	struct ab_read *read = share->buckets[hash & (share->n_buckets - 1)];

	while (read != NULL && (read->hash != hash || read->len != len || memcmp(read->key, key, len) != 0))
		read = read->next;
	return read;
}

static void share_remove(struct ab_share *share, struct ab_read *read)
{
	struct ab_read **at = &share->buckets[read->hash & (share->n_buckets - 1)];

	while (*at != NULL && *at != read)
		at = &(*at)->next;
	if (*at == read) { /* it may have been forgotten */
		*at = read->next;
		share->count--;
	}
}

void ab_share_forget(struct ab_share *share)
{
	if (share == NULL || share->count == 0)
		return;
	for (size_t i = 0; i < share->n_buckets; i++) {
		for (struct ab_read *read = share->buckets[i], *next; read != NULL; read = next) {
			next = read->next;
			if (read->value != NULL) {
				read->next = share->forgotten;
				share->forgotten = read;
			}
		}
		share->buckets[i] = NULL;
	}
	share->count = 0;
}

/* ---- joining ---- */

static bool read_follow(struct ab_read *read, struct ab_call *call)
{
	if (read->value != NULL) {
		ab_call_resolve_new(call, json_incref(read->value));
		return true;
	}
	if (read->error != NULL) {
		ab_call_fail(call, read->error);
		return true;
	}
	*(read->followers != NULL ? &read->last->follower : &read->followers) = call;
	read->last = call;
	call->follower = NULL;
	call->read = read;
	return true;
}

bool ab_share_join(struct ab_share *share, struct ab_call *call, const void *key, size_t len)
{
	struct ab_read *read;
	uint64_t hash;

	if (share == NULL)
		return false;
	hash = hash_of(key, len);
	read = share_find(share, hash, key, len);
	if (read != NULL)
		return read_follow(read, call);
	if (len > MOST_BYTES - share->bytes)
		return false;
	read = ab_arena_alloc(share->arena, sizeof(*read) + len);
	if (read == NULL)
		return false;
	share->bytes += len;
	if (share->count >= share->n_buckets * 2)
		share_grow(share);
	*read = (struct ab_read){.share = share, .leader = call, .hash = hash, .len = len};
	memcpy(read->key, key, len);
	read->next = share->buckets[hash & (share->n_buckets - 1)];
	share->buckets[hash & (share->n_buckets - 1)] = read;
	share->count++;
	call->read = read;
	return false;
}

/* ---- leaving ---- */

static void unlink_follower(struct ab_read *read, const struct ab_call *call)
{
	struct ab_call **at = &read->followers, *before = NULL;

	while (*at != call) {
		before = *at;
		at = &before->follower;
	}
	*at = call->follower;
	if (read->last == call)
		read->last = before;
}

static void leader_cancel(struct ab_read *read)
{
	struct ab_call *leader = read->leader;

	share_remove(read->share, read);
	leader->resource->handler->cancel(leader);
}

bool ab_share_leave(struct ab_call *call)
{
	struct ab_read *read = call->read;
	struct ab_arena *arena = read->share->arena;
	struct ab_error err;

	if (read->leader == call) {
		read->unwanted = true;
		if (read->followers == NULL)
			share_remove(read->share, read);
		return read->followers == NULL;
	}
	ab_arena_ref(arena); /* the last to leave may be all that holds it */
	unlink_follower(read, call);
	call->read = NULL;
	if (read->unwanted && read->leader != NULL && read->followers == NULL)
		leader_cancel(read);
	ab_error_set(&err, AB_ECANCELED, "canceled");
	ab_call_fail(call, &err);
	ab_arena_unref(arena);
	return false;
}

/* ---- the end ---- */

/* What would not come again if it were asked again is not remembered. */
static bool read_remember(struct ab_read *read, json_t *value, const struct ab_error *err)
{
	if (value != NULL) {
		read->value = json_incref(value);
		return true;
	}
	if (err->code == AB_ECANCELED || err->code == AB_ENOMEM || err->code == AB_EOVERLOAD)
		return false;
	read->error = ab_arena_alloc(read->share->arena, sizeof(*err));
	if (read->error == NULL)
		return false;
	*read->error = *err;
	read->error->resource = NULL;
	return true;
}

static bool is_listed(const struct ab_share *share, const struct ab_read *read)
{
	return share_find(share, read->hash, read->key, read->len) == read;
}

struct ab_read *ab_share_end(struct ab_call *call, json_t *value, const struct ab_error *err)
{
	struct ab_read *read = call->read;

	call->read = NULL;
	if (read->leader != call)
		return NULL;
	read->leader = NULL;
	if (!is_listed(read->share, read)) {
		/* Forgotten while it was on its way: for its followers only. */
		if (read_remember(read, value, err) && read->value != NULL) {
			read->next = read->share->forgotten;
			read->share->forgotten = read;
		}
	} else if (!read_remember(read, value, err)) {
		share_remove(read->share, read);
	}
	if (read->followers == NULL)
		return NULL;
	ab_arena_ref(read->share->arena);
	return read;
}

/* Completing one may cancel others, which leave the list; none can join any more. */
void ab_share_tell(struct ab_read *read, json_t *value, const struct ab_error *err)
{
	struct ab_arena *arena = read->share->arena;

	while (read->followers != NULL) {
		struct ab_call *call = read->followers;

		read->followers = call->follower;
		call->read = NULL;
		if (value != NULL)
			ab_call_resolve_new(call, json_incref(value));
		else
			ab_call_fail(call, err);
	}
	ab_arena_unref(arena);
}
