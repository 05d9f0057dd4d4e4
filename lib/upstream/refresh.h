/* One refresh of one host: claim the lease, ask Chartbeat, publish or say why not. The same for workers and
 * collector. */
#ifndef UPBEAT_UPSTREAM_REFRESH_H
#define UPBEAT_UPSTREAM_REFRESH_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "store/store.h"
#include "upstream/chartbeat.h"
#include <stdbool.h>

enum {
    LEASE_MARGIN_MS = 3000,   /* the lease outlives the upstream time-out by this, the publishing included */
    PUBLISH_RESERVE_MS = 300, /* of a request's deadline, kept back for the publishing */
    /* What one answer may take of an arena, see toppages_parse(): this and twice the bound of its body. */
    PARSE_LEAST_BYTES = 8 * 1024 * 1024,
};

/* None of it is owned. */
struct refresh_parts {
    struct store *store;
    const struct secret_box *secret_box;
    struct store_bounds bounds;
    int row_limit;
    const char *drop_parameters; /* see struct page_path_rules */
};

struct refresh_job {
    const char *host;
    struct store_claim claim;
    char key[KEY_MAX_BYTES + 1]; /* to be wiped: refresh_end() does */
};

struct refresh_report {
    enum status result; /* of asking Chartbeat and storing its answer */
    bool from_database; /* it was the database that failed */
    int wait_ms;        /* nobody asks again before this; 0: no such bound */
};

/* Claims the lease and finds the key to ask with. `digest` and `own_key`: of the caller's request, or both
 * NULL. `check`: see store_claim(). On STATUS_OK job_r->claim.outcome says whether it is ours
 * (CLAIM_GRANTED); if so, refresh_end() must follow. `host` must outlive the job. Errors are those of
 * store_claim(), and STATUS_FAILED where the key can't be opened (the claim is then given back). */
enum status refresh_begin(const struct refresh_parts *parts, const char *host, const struct digest *digest,
                          const char *own_key, bool check, struct deadline deadline,
                          struct refresh_job *job_r) MUST_CHECK;

/* Does with Chartbeat's answer what there is to do: publish, record the failure, or record the refusal; logs
 * what went wrong; wipes the key. `result` and `answer` are those of chartbeat_next(), or the
 * result of chartbeat_start() and chartbeat_no_answer. */
void refresh_end(const struct refresh_parts *parts, struct refresh_job *job, enum status result,
                 const struct chartbeat_answer *answer, struct deadline deadline,
                 struct refresh_report *report_r);

#endif
