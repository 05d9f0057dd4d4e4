#include "upstream/fetches.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* Refreshes of one host form a chain: the first is in the table's hash, and alone may be claimed; those
 * behind it are checks of keys. */
struct entry {
    struct fetch fetch; /* first, so that one is the other */
    struct entry *behind;
    struct entry *prev, *next; /* of its queue, while it is in one */
    UT_hash_handle hh;
};

struct fetches {
    struct entry *hosts; /* the first of each host */
    struct entry *asked; /* FETCH_QUEUED with an asker */
    struct entry *due;   /* FETCH_QUEUED without */
    struct entry *held;  /* FETCH_HELD, in the order of look_at_ms */
    struct fetch_waiter *oldest;
    size_t count, queued, waiting;
};

enum status fetches_new(struct fetches **fetches_r)
{
    struct fetches *fetches = calloc(1, sizeof *fetches);
    if (!fetches)
        return STATUS_NO_MEMORY;
    *fetches_r = fetches;
    return STATUS_OK;
}

static struct entry *entry_of(struct fetch *fetch)
{
    return (struct entry *)(void *)fetch;
}

static struct entry *find(struct fetches *fetches, const char *host)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(fetches->hosts, host, entry);
    return entry;
}

/* The queue that an entry is in, or NULL. */
static struct entry **queue_of(struct fetches *fetches, const struct entry *entry)
{
    switch (entry->fetch.state) {
    case FETCH_QUEUED:
        return entry->fetch.has_asker ? &fetches->asked : &fetches->due;
    case FETCH_HELD:
        return &fetches->held;
    case FETCH_BEHIND:
    case FETCH_RUNNING:
        break;
    }
    return NULL;
}

static void leave_queue(struct fetches *fetches, struct entry *entry)
{
    struct entry **queue = queue_of(fetches, entry);
    if (queue)
        DL_DELETE(*queue, entry); /* NOLINT: the analyzer does not follow the links of a list */
    fetches->queued -= entry->fetch.state == FETCH_QUEUED;
}

/* The only place where a state changes. `is_first`: before all others of the queue. */
static void set_state(struct fetches *fetches, struct entry *entry, enum fetch_state state, bool is_first)
{
    enum fetch_state was = entry->fetch.state;
    assert(state != FETCH_BEHIND && (state != FETCH_HELD || was == FETCH_RUNNING));
    (void)was;
    leave_queue(fetches, entry);
    entry->fetch.state = state;
    struct entry **queue = queue_of(fetches, entry);
    if (queue && is_first)
        DL_PREPEND(*queue, entry);
    else if (queue)
        DL_APPEND(*queue, entry);
    fetches->queued += state == FETCH_QUEUED;
}

static struct entry *new_entry(struct fetches *fetches, const char *host, bool check, int64_t now_ms)
{
    struct entry *entry = fetches->count < FETCHES_MAX ? calloc(1, sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    snprintf(entry->fetch.host, sizeof entry->fetch.host, "%s", host);
    entry->fetch.check = check;
    entry->fetch.queued_ms = now_ms;
    entry->fetch.state = FETCH_BEHIND;
    fetches->count++;
    return entry;
}

static void drop_entry(struct fetches *fetches, struct entry *entry)
{
    secret_box_wipe(entry->fetch.key, sizeof entry->fetch.key);
    fetches->count--;
    free(entry);
}

/* Makes the entry the first of its host, with the chain behind it. False: no memory. */
static bool make_first(struct fetches *fetches, struct entry *entry, struct entry *behind)
{
    HASH_ADD_STR(fetches->hosts, fetch.host, entry);
    if (!entry->hh.tbl)
        return false;
    entry->behind = behind;
    return true;
}

static void set_asker(struct fetch *fetch, const struct digest *digest, const char *key, int ttl_ms)
{
    fetch->has_asker = true;
    fetch->ttl_ms = ttl_ms;
    fetch->digest = *digest;
    snprintf(fetch->key, sizeof fetch->key, "%s", key);
}

static bool is_for(const struct fetch *fetch, const struct fetch_ask *ask)
{
    return !ask->check || (fetch->check && memcmp(fetch->digest.bytes, ask->digest.bytes, DIGEST_BYTES) == 0);
}

/* The refresh of the ask's host that the ask can join; where there is none, NULL, and *last_r is the last of
 * the host (NULL: there is none), *count_r how many there are. */
static struct entry *find_joinable(struct fetches *fetches, const struct fetch_ask *ask,
                                   struct entry **last_r, size_t *count_r)
{
    *last_r = NULL;
    *count_r = 0;
    for (struct entry *entry = find(fetches, ask->host); entry; entry = entry->behind) {
        if (is_for(&entry->fetch, ask))
            return entry;
        *last_r = entry;
        ++*count_r;
    }
    return NULL;
}

/* A refresh that the clock wanted moves up, to those that somebody asked for. */
static void join(struct fetches *fetches, struct entry *entry, const struct fetch_ask *ask)
{
    if (entry->fetch.has_asker)
        return;
    bool is_queued = entry->fetch.state == FETCH_QUEUED;
    if (is_queued)
        DL_DELETE(fetches->due, entry);
    set_asker(&entry->fetch, &ask->digest, ask->key, ask->ttl_ms);
    if (is_queued)
        DL_APPEND(fetches->asked, entry);
}

static enum status add_waiter(struct fetches *fetches, struct entry *entry, const struct fetch_ask *ask,
                              uint64_t connection, int64_t now_ms)
{
    if (fetches->waiting >= FETCH_WAITERS_MAX)
        return STATUS_TOO_LARGE;
    struct fetch_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return STATUS_NO_MEMORY;
    waiter->connection = connection;
    waiter->digest = ask->digest;
    waiter->check = ask->check;
    waiter->until_ms = now_ms + FETCH_WAIT_MAX_MS;
    waiter->fetch = &entry->fetch;
    DL_APPEND(entry->fetch.waiters, waiter);
    DL_APPEND2(fetches->oldest, waiter, older, newer);
    fetches->waiting++;
    return STATUS_OK;
}

static void drop_waiter(struct fetches *fetches, struct fetch_waiter *waiter)
{
    DL_DELETE(waiter->fetch->waiters, waiter);
    DL_DELETE2(fetches->oldest, waiter, older, newer);
    fetches->waiting--;
    free(waiter);
}

/* A refresh of its own, behind the last of its host, or to be claimed. */
static enum status add_entry(struct fetches *fetches, const struct fetch_ask *ask, struct entry *last,
                             int64_t now_ms, struct entry **entry_r)
{
    struct entry *entry = new_entry(fetches, ask->host, ask->check, now_ms);
    if (!entry)
        return fetches->count >= FETCHES_MAX ? STATUS_TOO_LARGE : STATUS_NO_MEMORY;
    set_asker(&entry->fetch, &ask->digest, ask->key, ask->ttl_ms);
    if (last) {
        last->behind = entry;
    } else if (make_first(fetches, entry, NULL)) {
        set_state(fetches, entry, FETCH_QUEUED, false);
    } else {
        drop_entry(fetches, entry);
        return STATUS_NO_MEMORY;
    }
    *entry_r = entry;
    return STATUS_OK;
}

enum status fetches_ask(struct fetches *fetches, const struct fetch_ask *ask, uint64_t connection,
                        int64_t now_ms, bool *joined_r)
{
    struct entry *last = NULL;
    size_t of_host = 0;
    if (fetches->waiting >= FETCH_WAITERS_MAX)
        return STATUS_TOO_LARGE;
    struct entry *entry = find_joinable(fetches, ask, &last, &of_host);
    bool joined = entry != NULL;
    if (!entry && of_host >= FETCHES_OF_HOST_MAX)
        return STATUS_TOO_LARGE;
    enum status result = joined ? STATUS_OK : add_entry(fetches, ask, last, now_ms, &entry);
    if (result == STATUS_OK && joined)
        join(fetches, entry, ask);
    if (result == STATUS_OK)
        result = add_waiter(fetches, entry, ask, connection, now_ms);
    if (result == STATUS_OK)
        *joined_r = joined;
    return result;
}

enum status fetches_due(struct fetches *fetches, const char *host, int ttl_ms, int64_t now_ms)
{
    if (find(fetches, host))
        return STATUS_OK;
    struct entry *entry = new_entry(fetches, host, false, now_ms);
    if (!entry)
        return fetches->count >= FETCHES_MAX ? STATUS_TOO_LARGE : STATUS_NO_MEMORY;
    if (!make_first(fetches, entry, NULL)) {
        drop_entry(fetches, entry);
        return STATUS_NO_MEMORY;
    }
    entry->fetch.ttl_ms = ttl_ms;
    set_state(fetches, entry, FETCH_QUEUED, false);
    return STATUS_OK;
}

struct fetch *fetches_next(struct fetches *fetches)
{
    struct entry *entry = fetches->asked ? fetches->asked : fetches->due;
    if (!entry)
        return NULL;
    set_state(fetches, entry, FETCH_RUNNING, false);
    return &entry->fetch;
}

bool fetches_hold(struct fetches *fetches, struct fetch *fetch, int64_t now_ms)
{
    if (!fetch->waiters)
        return false;
    fetch->look_at_ms = now_ms + FETCH_LOOK_MS;
    if (fetch->held_ms == 0)
        fetch->held_ms = now_ms;
    set_state(fetches, entry_of(fetch), FETCH_HELD, false);
    return true;
}

size_t fetches_to_look_at(struct fetches *fetches, int64_t now_ms, struct fetch **found_r, size_t max)
{
    size_t found = 0;
    while (found < max && fetches->held && fetches->held->fetch.look_at_ms <= now_ms) {
        struct entry *entry = fetches->held;
        set_state(fetches, entry, FETCH_RUNNING, false);
        found_r[found++] = &entry->fetch;
    }
    return found;
}

void fetches_queue_again(struct fetches *fetches, struct fetch *fetch)
{
    set_state(fetches, entry_of(fetch), FETCH_QUEUED, true);
}

/* The waiters of an ended check who did not ask for it get a refresh of their own, before the checks behind.
 * Where there is no room for it they stay, to be answered. */
static void move_waiters(struct fetches *fetches, struct entry *ended, int64_t now_ms)
{
    struct entry *fresh = NULL;
    struct fetch_waiter *waiter = NULL;
    struct fetch_waiter *following = NULL;
    DL_FOREACH_SAFE(ended->fetch.waiters, waiter, following)
    {
        if (waiter->check)
            continue;
        if (!fresh) {
            fresh = new_entry(fetches, ended->fetch.host, false, now_ms);
            if (!fresh)
                return;
            set_asker(&fresh->fetch, &waiter->digest, "", ended->fetch.ttl_ms);
            fresh->behind = ended->behind;
            ended->behind = fresh;
        }
        DL_DELETE(ended->fetch.waiters, waiter);
        waiter->fetch = &fresh->fetch;
        DL_APPEND(fresh->fetch.waiters, waiter);
    }
}

/* The chain goes on with the one behind. Where there is no memory for that: what is left of the chain, which
 * has no place in the table any more. */
static struct entry *remove_first(struct fetches *fetches, struct entry *ended)
{
    struct entry *behind = ended->behind;
    HASH_DEL(fetches->hosts, ended);
    if (!behind)
        return NULL;
    if (!make_first(fetches, behind, behind->behind))
        return behind;
    set_state(fetches, behind, FETCH_QUEUED, false);
    return NULL;
}

void fetches_end(struct fetches *fetches, struct fetch *fetch, bool of_key_alone, int64_t now_ms,
                 fetches_answer *answer, void *context)
{
    struct entry *ended = entry_of(fetch);
    assert(fetch->state == FETCH_RUNNING);
    if (fetch->check && of_key_alone)
        move_waiters(fetches, ended, now_ms);
    ended->behind = remove_first(fetches, ended);
    while (ended) {
        struct entry *behind = ended->behind;
        while (ended->fetch.waiters) {
            answer(context, &ended->fetch, ended->fetch.waiters);
            drop_waiter(fetches, ended->fetch.waiters);
        }
        drop_entry(fetches, ended);
        ended = behind;
    }
}

void fetches_expire(struct fetches *fetches, int64_t now_ms, fetches_answer *answer, void *context)
{
    while (fetches->oldest && fetches->oldest->until_ms <= now_ms) {
        struct fetch_waiter *waiter = fetches->oldest;
        answer(context, waiter->fetch, waiter);
        drop_waiter(fetches, waiter);
    }
}

void fetches_forget(struct fetches *fetches, uint64_t connection)
{
    struct fetch_waiter *waiter = fetches->oldest;
    while (waiter) {
        struct fetch_waiter *newer = waiter->newer;
        if (waiter->connection == connection)
            drop_waiter(fetches, waiter);
        waiter = newer;
    }
}

void fetches_drop_due(struct fetches *fetches)
{
    struct entry *entry = NULL;
    struct entry *following = NULL;
    DL_FOREACH_SAFE(fetches->due, entry, following)
    {
        if (entry->behind)
            continue;
        leave_queue(fetches, entry);
        HASH_DEL(fetches->hosts, entry); /* NOLINT: as above */
        drop_entry(fetches, entry);
    }
}

void fetches_free(struct fetches *fetches, void (*drop_job)(void *job))
{
    if (!fetches)
        return;
    while (fetches->oldest)
        drop_waiter(fetches, fetches->oldest);
    struct entry *first = NULL;
    struct entry *following = NULL;
    HASH_ITER(hh, fetches->hosts, first, following)
    {
        HASH_DEL(fetches->hosts, first); /* NOLINT: as above */
        for (struct entry *entry = first; entry;) {
            struct entry *behind = entry->behind;
            if (entry->fetch.job)
                drop_job(entry->fetch.job);
            drop_entry(fetches, entry);
            entry = behind;
        }
    }
    free(fetches);
}

size_t fetches_count(const struct fetches *fetches)
{
    return fetches->count;
}

size_t fetches_queued(const struct fetches *fetches)
{
    return fetches->queued;
}

size_t fetches_waiting(const struct fetches *fetches)
{
    return fetches->waiting;
}

int fetches_wait_ms(const struct fetches *fetches, int64_t now_ms, int max_ms)
{
    int64_t at_ms = now_ms + max_ms;
    if (fetches->oldest && fetches->oldest->until_ms < at_ms)
        at_ms = fetches->oldest->until_ms;
    if (fetches->held && fetches->held->fetch.look_at_ms < at_ms)
        at_ms = fetches->held->fetch.look_at_ms;
    return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}
