/* One refill of one host: claim the lease, ask Chartbeat, publish or say why not. The same for workers and
 * collector. */
#ifndef UPBEAT_REFILL_H
#define UPBEAT_REFILL_H

#include "arena.h"
#include "chartbeat.h"
#include "deadline.h"
#include "keyring.h"
#include "result.h"
#include "store.h"
#include <stdbool.h>

enum {
    LEASE_MARGIN_MS = 3000,   /* the lease outlives the upstream time-out by this, the publishing included */
    PUBLISH_RESERVE_MS = 300, /* of a request's deadline, kept back for the publishing */
    PARSE_MAX_BYTES = 12 * 1024 * 1024, /* what one answer may take of an arena, see toppages_parse() */
};

/* None of it is owned. */
struct refill_parts {
    struct store *store;
    const struct keyring *keyring;
    struct store_bounds bounds;
    int row_limit;
};

struct refill_job {
    const char *host;
    struct store_claim claim;
    char key[KEY_MAX_BYTES + 1]; /* to be wiped: refill_end() does */
};

struct refill_report {
    enum up_result result; /* of asking Chartbeat and storing its answer */
    bool from_database;    /* it was the database that failed */
    int wait_ms;           /* nobody asks again before this; 0: no such bound */
};

/* Claims the lease and finds the key to ask with. `digest` and `own_key`: of the caller's request, or both
 * NULL. `check`: see store_claim(). On UP_OK job_r->claim.outcome says whether it is ours (STORE_GRANTED); if
 * so, refill_end() must follow. `host` must outlive the job. Errors are those of store_claim(), and UP_FAILED
 * where the key can't be opened (the claim is then given back). */
enum up_result refill_begin(const struct refill_parts *parts, const char *host, const struct digest *digest,
                            const char *own_key, bool check, struct deadline deadline,
                            struct refill_job *job_r) MUST_CHECK;

/* Does with Chartbeat's answer what there is to do: publish, record the failure, or record the refusal; logs
 * what went wrong; wipes the key. `result` and `answer` are those of chartbeat_next(), or the
 * result of chartbeat_start() and chartbeat_no_answer. */
void refill_end(const struct refill_parts *parts, struct refill_job *job, enum up_result result,
                const struct chartbeat_answer *answer, struct deadline deadline,
                struct refill_report *report_r);

#endif
