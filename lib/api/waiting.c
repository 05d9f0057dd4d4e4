#include "api/waiting.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* The key of a refresh in the hash table. Every byte is set, since the hash reads all of them. */
struct awaited_key {
    char host[HOST_MAX_BYTES + 1];
    struct digest digest; /* zero without check */
};

enum awaited_state {
    AWAITED_ASKED, /* the fetcher was asked, and owes us the end */
    AWAITED_ENDED, /* badly, and remembered until pause_until_ms */
};

struct awaited {
    struct awaited_key key;
    bool check;
    enum awaited_state state;
    enum refresh_outcome outcome; /* AWAITED_ENDED */
    int64_t retry_at_ms;          /* AWAITED_ENDED: when Chartbeat may be asked again; 0: no such bound */
    int64_t pause_until_ms;       /* AWAITED_ENDED */
    struct waiter *waiters;       /* AWAITED_ASKED */
    UT_hash_handle hh;
};

struct waiting {
    struct awaited *all; /* oldest first */
    struct waiter *woken, *last_woken;
    int count, max;
    int owed;
    int64_t first_until_ms; /* no request expires before this */
};

struct waiting *waiting_new(int waiters_max)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (waiting) {
        waiting->max = waiters_max;
        waiting->first_until_ms = INT64_MAX;
    }
    return waiting;
}

static void forget(struct waiting *waiting, struct awaited *awaited)
{
    waiting->owed -= awaited->state == AWAITED_ASKED;
    /* uthash frees its table with the last entry, which the analyzer does not see.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_DEL(waiting->all, awaited);
    free(awaited);
}

void waiting_free(struct waiting *waiting)
{
    struct awaited *awaited;
    struct awaited *next;
    if (!waiting)
        return;
    HASH_ITER(hh, waiting->all, awaited, next)
    forget(waiting, awaited);
    free(waiting);
}

static void make_key(const char *host, const struct digest *digest, bool check, struct awaited_key *key_r)
{
    *key_r = (struct awaited_key){0};
    memcpy(key_r->host, host, strnlen(host, HOST_MAX_BYTES));
    if (check)
        key_r->digest = *digest;
}

static struct awaited *find(const struct waiting *waiting, const char *host, const struct digest *digest,
                            bool check)
{
    struct awaited_key key;
    struct awaited *awaited = NULL;
    make_key(host, digest, check, &key);
    HASH_FIND(hh, waiting->all, &key, sizeof key, awaited);
    return awaited;
}

/* Forgets what ended longer ago than its pause, oldest first, until there is room for one more. */
static bool make_room(struct waiting *waiting, int64_t now_ms)
{
    struct awaited *awaited;
    struct awaited *next;
    if (HASH_COUNT(waiting->all) < WAITING_HOSTS_MAX)
        return true;
    HASH_ITER(hh, waiting->all, awaited, next)
    {
        if (awaited->state == AWAITED_ENDED && awaited->pause_until_ms <= now_ms)
            forget(waiting, awaited);
    }
    return HASH_COUNT(waiting->all) < WAITING_HOSTS_MAX;
}

static struct awaited *add(struct waiting *waiting, const struct wanted *wanted, int64_t now_ms)
{
    struct awaited *awaited = make_room(waiting, now_ms) ? calloc(1, sizeof *awaited) : NULL;
    if (!awaited)
        return NULL;
    make_key(wanted->host, wanted->digest, wanted->check, &awaited->key);
    awaited->check = wanted->check;
    awaited->state = AWAITED_ENDED;
    HASH_ADD(hh, waiting->all, key, sizeof awaited->key, awaited);
    if (!awaited->hh.tbl) { /* uthash found no memory */
        free(awaited);
        return NULL;
    }
    return awaited;
}

/* Finds or makes the entry. *answer_r is WAITING_REFUSED where it ended badly a moment ago. */
static struct awaited *ask(struct waiting *waiting, const struct wanted *wanted, int64_t now_ms,
                           enum waiting_answer *answer_r)
{
    struct awaited *awaited = find(waiting, wanted->host, wanted->digest, wanted->check);
    *answer_r = WAITING_ASKED;
    if (awaited && awaited->state == AWAITED_ASKED)
        return awaited;
    *answer_r = WAITING_REFUSED;
    if (awaited && awaited->pause_until_ms > now_ms)
        return awaited;
    if (!awaited)
        awaited = add(waiting, wanted, now_ms);
    if (!awaited)
        return NULL;
    awaited->state = AWAITED_ASKED;
    waiting->owed++;
    *answer_r = WAITING_ASK;
    return awaited;
}

static void tell(struct waiter *waiter, const struct awaited *awaited, int64_t now_ms)
{
    int64_t left_ms = awaited->retry_at_ms - now_ms;
    waiter->reason = WAKE_ENDED;
    waiter->outcome = awaited->outcome;
    waiter->wait_ms = left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

enum waiting_answer waiting_park(struct waiting *waiting, const struct wanted *wanted, struct waiter *waiter,
                                 int64_t until_ms, int64_t now_ms)
{
    enum waiting_answer answer = WAITING_REFUSED;
    waiter->reason = WAKE_FULL;
    if (waiting->count >= waiting->max)
        return WAITING_REFUSED;
    struct awaited *awaited = ask(waiting, wanted, now_ms, &answer);
    if (awaited && answer == WAITING_REFUSED)
        tell(waiter, awaited, now_ms);
    if (!awaited || answer == WAITING_REFUSED)
        return WAITING_REFUSED;
    waiter->awaited = awaited;
    waiter->until_ms = until_ms;
    waiter->previous = NULL;
    waiter->next = awaited->waiters;
    if (awaited->waiters)
        awaited->waiters->previous = waiter;
    awaited->waiters = waiter;
    waiting->count++;
    if (until_ms < waiting->first_until_ms)
        waiting->first_until_ms = until_ms;
    return answer;
}

enum waiting_answer waiting_want(struct waiting *waiting, const struct wanted *wanted, int64_t now_ms)
{
    enum waiting_answer answer = WAITING_REFUSED;
    (void)ask(waiting, wanted, now_ms, &answer);
    return answer;
}

static void take_out(struct waiting *waiting, struct waiter *waiter)
{
    struct awaited *awaited = waiter->awaited;
    if (!awaited)
        return;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        awaited->waiters = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    waiter->next = waiter->previous = NULL;
    waiter->awaited = NULL;
    waiting->count--;
}

/* The list of the woken is linked by `next` alone; a woken request can't be removed from it, so the owner
 * takes all of them out before it does anything else. */
static void wake(struct waiting *waiting, struct waiter *waiter, enum wake_reason reason)
{
    take_out(waiting, waiter);
    waiter->reason = reason;
    if (waiting->last_woken)
        waiting->last_woken->next = waiter;
    else
        waiting->woken = waiter;
    waiting->last_woken = waiter;
}

static int64_t pause_ms(const struct refresh_message *done)
{
    if (done->outcome == REFRESH_STORED || done->outcome == REFRESH_KEY_REFUSED)
        return 0;
    return done->wait_ms < WAITING_PAUSE_MIN_MS   ? WAITING_PAUSE_MIN_MS
           : done->wait_ms > WAITING_PAUSE_MAX_MS ? WAITING_PAUSE_MAX_MS
                                                  : done->wait_ms;
}

void waiting_end(struct waiting *waiting, const struct refresh_message *done, int64_t now_ms)
{
    struct awaited *awaited = find(waiting, done->host, &done->digest, done->check);
    if (!awaited || awaited->state != AWAITED_ASKED)
        return;
    awaited->outcome = done->outcome;
    awaited->retry_at_ms = done->wait_ms > 0 ? now_ms + done->wait_ms : 0;
    awaited->pause_until_ms = now_ms + pause_ms(done);
    while (awaited->waiters) {
        tell(awaited->waiters, awaited, now_ms);
        wake(waiting, awaited->waiters, WAKE_ENDED);
    }
    if (awaited->pause_until_ms <= now_ms) {
        forget(waiting, awaited);
        return;
    }
    awaited->state = AWAITED_ENDED;
    waiting->owed--;
}

void waiting_expire(struct waiting *waiting, int64_t now_ms)
{
    int64_t first_ms = INT64_MAX;
    if (now_ms < waiting->first_until_ms)
        return;
    for (struct awaited *awaited = waiting->all; awaited; awaited = awaited->hh.next) {
        struct waiter *next = NULL;
        for (struct waiter *waiter = awaited->waiters; waiter; waiter = next) {
            next = waiter->next;
            if (waiter->until_ms <= now_ms)
                wake(waiting, waiter, WAKE_EXPIRED);
            else if (waiter->until_ms < first_ms)
                first_ms = waiter->until_ms;
        }
    }
    waiting->first_until_ms = first_ms;
}

void waiting_lose(struct waiting *waiting)
{
    struct awaited *awaited;
    struct awaited *next;
    HASH_ITER(hh, waiting->all, awaited, next)
    {
        while (awaited->waiters)
            wake(waiting, awaited->waiters, WAKE_LOST);
        forget(waiting, awaited);
    }
    waiting->first_until_ms = INT64_MAX;
}

void waiting_ask_again(struct waiting *waiting,
                       void (*ask_one)(void *context, const struct wanted *wanted, struct waiter *first),
                       void *context)
{
    struct awaited *awaited;
    struct awaited *next;
    HASH_ITER(hh, waiting->all, awaited, next)
    {
        if (awaited->state == AWAITED_ASKED && !awaited->waiters)
            forget(waiting, awaited);
        else if (awaited->state == AWAITED_ASKED)
            ask_one(context, &(struct wanted){awaited->key.host, &awaited->key.digest, awaited->check},
                    awaited->waiters);
    }
}

void waiting_remove(struct waiting *waiting, struct waiter *waiter)
{
    take_out(waiting, waiter);
}

struct waiter *waiting_next_woken(struct waiting *waiting)
{
    struct waiter *waiter = waiting->woken;
    if (!waiter)
        return NULL;
    waiting->woken = waiter->next;
    if (!waiting->woken)
        waiting->last_woken = NULL;
    waiter->next = NULL;
    return waiter;
}

bool waiting_is_owed(const struct waiting *waiting)
{
    return waiting->owed > 0;
}

int waiting_count(const struct waiting *waiting)
{
    return waiting->count;
}

int waiting_timeout_ms(const struct waiting *waiting, int64_t now_ms, int max_ms)
{
    int64_t left_ms = waiting->first_until_ms - now_ms;
    if (waiting->woken)
        return 0;
    if (waiting->count == 0 || left_ms > max_ms)
        return max_ms;
    return left_ms > 0 ? (int)left_ms : 0;
}

struct problem waiting_problem(const struct waiter *waiter)
{
    static const struct {
        int status;
        const char *detail;
    } words[REFRESH_OUTCOMES] = {
        [REFRESH_STORED] = {503, "The row is refreshed, and is too old again already."},
        [REFRESH_KEY_REFUSED] = {503, "The key of this host was refused, and another one is tried."},
        [REFRESH_UNREACHABLE] = {503, "Chartbeat can't be reached."},
        [REFRESH_TIMED_OUT] = {504, "Chartbeat did not answer in time."},
        [REFRESH_RATE_LIMITED] = {503, "Chartbeat says: too many requests."},
        [REFRESH_USELESS] = {502, "Chartbeat's answer was of no use."},
        [REFRESH_BACKOFF] = {503,
                             "Chartbeat could not be asked a moment ago; it is asked again after a pause."},
        [REFRESH_BAD_KEYS] = {429, "Too many keys that Chartbeat does not accept were tried for this host."},
        [REFRESH_NO_KEY] = {503, "No key that Chartbeat accepts is known for this host."},
        [REFRESH_DATABASE] = {503, "The database can't be reached."},
        [REFRESH_BUSY] = {503, "Too many hosts, or keys of one host, are being asked for at Chartbeat."},
    };
    struct problem problem = {.status = 503, .retry_after_s = 1};
    switch (waiter->reason) {
    case WAKE_ENDED:
        problem.status = words[waiter->outcome].status;
        problem.detail = words[waiter->outcome].detail;
        if (waiter->wait_ms > 1000)
            problem.retry_after_s = (waiter->wait_ms - 1) / 1000 + 1;
        break;
    case WAKE_LOST:
        problem.detail = "The fetcher, which asks Chartbeat, can't be reached.";
        break;
    case WAKE_FULL:
        problem.detail = "Chartbeat is being asked, and too many wait for that already.";
        break;
    default:
        problem.detail = "Chartbeat is being asked, and has not answered yet.";
        break;
    }
    return problem;
}
