/* One refresh of one host: claim the lease, ask Chartbeat, publish or say why not. Many at once: what goes to
 * the database goes there for all that are at hand, in one round trip.
 *
 * The life of a job: the caller fills in what is asked; refresh_claim() claims; whoever is granted the lease
 * asks Chartbeat with job->key and hands the answer to refresh_read(); refresh_store() writes down what came
 * of it. */
#ifndef UPBEAT_UPSTREAM_REFRESH_H
#define UPBEAT_UPSTREAM_REFRESH_H

#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "store/lease.h"
#include "upstream/chartbeat.h"
#include <stdbool.h>

enum {
    LEASE_MARGIN_MS = 3000, /* the lease outlives the upstream time-out by this, the publishing included */
    /* What one answer may take of an arena, see toppages_parse(): this and twice the bound of its body. */
    PARSE_LEAST_BYTES = 8 * 1024 * 1024,
    REFRESH_REASON_BYTES = 400,
};

/* None of it is owned. */
struct refresh_parts {
    struct database *database;
    const struct secret_box *secret_box;
    struct lease_bounds bounds;
    int row_limit;
    const char *drop_parameters; /* see struct page_path_rules */
};

struct refresh_job {
    /* what is asked, set by the caller */
    const char *host;            /* must outlive the job */
    bool has_asker;              /* somebody asks, with the key of `digest`; false: the clock does */
    bool check;                  /* see lease_claim() */
    int ttl_ms;                  /* see lease_claim() */
    struct digest digest;        /* of the asker's key */
    char key[KEY_MAX_BYTES + 1]; /* before the claim the asker's own key, or ""; after it the key to ask
                                    Chartbeat with; wiped by refresh_store() */
    struct lease_claim claim;    /* set by refresh_claim() */

    /* what came of it: set by refresh_claim() and refresh_read(), and final after refresh_store() */
    enum status result;
    bool from_database;                         /* it was the database that failed */
    bool is_useless;                            /* Chartbeat answered with 200, but with no list */
    int wait_ms;                                /* Chartbeat is not asked before this; 0: no such bound */
    char refused_reasons[REFRESH_REASON_BYTES]; /* why rows were left out, in words; "": none was */
    char reason[REFRESH_REASON_BYTES];          /* why it failed, in words; "" on STATUS_OK */

    /* for the way from refresh_read() to refresh_store() */
    bool has_columns;
    struct page_columns columns;
    int64_t answered_ms;
    int retry_after_s;
    int rate_limit;
    int rate_remaining;
    size_t refused_rows;
};

/* Claims the leases of count (1 to LEASE_BATCH) jobs, which are put into the order of lease_order(), and
 * finds the keys to ask with. On STATUS_OK each job->claim.outcome says whether the lease is ours. Where it
 * is (CLAIM_GRANTED), job->result is STATUS_OK, and refresh_read() and refresh_store() must follow; or
 * STATUS_FAILED: the key can't be opened, and refresh_store() alone must follow. Errors are those of
 * lease_claim(): then nothing must follow. */
enum status refresh_claim(const struct refresh_parts *parts, struct refresh_job **jobs, size_t count,
                          struct deadline deadline) MUST_CHECK;

/* Reads Chartbeat's answer, and keeps of it what refresh_store() needs; logs what is wrong with it. `result`
 * and `answer` are those of chartbeat_next(), or the result of chartbeat_start() and chartbeat_no_answer. */
void refresh_read(const struct refresh_parts *parts, struct refresh_job *job, enum status result,
                  const struct chartbeat_answer *answer);

/* Publishes, records the failure, or records the refusal of count (1 to LEASE_BATCH) jobs, which are put into
 * the order of lease_order(); logs what went wrong; wipes the keys and frees what refresh_read() kept. */
void refresh_store(const struct refresh_parts *parts, struct refresh_job **jobs, size_t count,
                   struct deadline deadline);

/* Bytes that refresh_read() kept for refresh_store(). */
size_t refresh_columns_bytes(const struct refresh_job *job);

/* Wipes the key and frees what was kept, of a job that was not stored. */
void refresh_drop(struct refresh_job *job);

#endif
