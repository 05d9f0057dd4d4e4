/* Rows in PostgreSQL: the cache row, the lease, the keys, the snapshots. The only module that knows tables
 * and functions.
 *
 * A store holds one connection (see database.h). Every call is bounded by the deadline it is given, and by
 * STORE_STEP_MS. A call that failed may have committed all the same; each write here may be repeated without
 * harm.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE: no connection, or it was lost; STATUS_TIMEOUT: the deadline
 * passed; STATUS_FAILED: PostgreSQL refused the statement (logged); STATUS_NO_MEMORY. Outputs are untouched
 * on an error. */
#ifndef UPBEAT_STORE_STORE_H
#define UPBEAT_STORE_STORE_H

#include "api/policy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"
#include "pages/page_list.h"
#include "store/roles.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_SCHEMA_VERSION = 10, /* the newest numbered file of sql/ that the programs need */
    STORE_STEP_MS = 1000,      /* of one call, within the deadline given */
    STORE_BATCH = 16,          /* look-ups in one round trip */
    STORE_TOKEN_BYTES = 16,    /* a UUID */
};

struct store;

struct store_config {
    const char *conninfo; /* libpq connection string or URI; must outlive the store */
    int ttl_ms;
    bool prepare;     /* named prepared statements */
    const char *role; /* see store/roles.h; used where conninfo names no user */
};

/* One read of the cache row for one host and one key. The caller sets `host` and `digest`, and
 * `if_changed_since` where it has what it needs of that snapshot's lists already; else 0. */
struct store_lookup {
    const char *host;
    const struct digest *digest;
    time_us if_changed_since;

    struct cache_row_state view; /* all that the policy wants to know */
    time_us taken_at;            /* by the database's clock, as all times here; 0: no snapshot */
    time_us previous_at;         /* 0: no snapshot before it */
    int rate_limit;              /* as Chartbeat last said; -1: it did not */
    int rate_remaining;
    const char *pages; /* compact text, see pages_decode(); NULL where the key is not accepted, or they are
                          those of if_changed_since. The arena owns it, or who put it there. */
    size_t pages_bytes;
    const char *previous_pages;
    size_t previous_pages_bytes;
};

enum claim_outcome {
    CLAIM_GRANTED,      /* the lease is ours */
    CLAIM_NOT_NEEDED,   /* somebody did it meanwhile: read again */
    CLAIM_HELD,         /* somebody is at it */
    CLAIM_BACKOFF,      /* Chartbeat failed; not before wait_ms */
    CLAIM_RATE_LIMITED, /* the rate budget is used up; not before wait_ms */
    CLAIM_BAD_KEYS, /* too many keys that were never accepted were tried for this host; not before wait_ms */
    CLAIM_NO_KEY,   /* no accepted key to ask with */
};

struct store_bounds {
    int ttl_ms;
    int lease_ms;
    int rate_per_minute;
};

struct store_claim {
    enum claim_outcome outcome;
    int wait_ms;
    unsigned char token[STORE_TOKEN_BYTES];
    time_us claimed_at;
    int64_t claimed_ms;   /* the same moment by our monotonic clock */
    struct digest digest; /* of the key to ask with */
    struct sealed sealed; /* that key; len_bytes 0: it is the caller's own */
};

struct store_publication {
    const char *host;
    const struct store_claim *claim;
    const struct sealed *sealed; /* a key that is new to us; NULL: known */
    const struct page_list *pages;
    int row_limit;
    int ttl_ms;
    int rate_limit; /* -1: not said */
    int rate_remaining;
    size_t refused_rows;
};

/* A store without a connection. STATUS_NO_MEMORY: *store_r is untouched. */
enum status store_new(struct store **store_r, const struct store_config *config) MUST_CHECK;

/* Its connection, for what reads more than it does. Owned by the store. */
struct database *store_database(struct store *store);

/* Closes the connection. NULL is allowed. */
void store_free(struct store *store);

/* Is the database there, and migrated at least to STORE_SCHEMA_VERSION? STATUS_INVALID: it is there, but not
 * migrated. */
enum status store_ready(struct store *store, struct deadline deadline) MUST_CHECK;

/* Reads count (1 to STORE_BATCH) cache rows: those whose if_changed_since is still the newest snapshot, and
 * fresh, in one round trip, and the others, of which there is more to know, in another; at once, where
 * if_changed_since is older than the TTL. Failures are looked up only where a row is older than the TTL. The
 * arena owns the lists. On an error some may be filled in. */
enum status store_read(struct store *store, struct store_lookup *lookups, size_t count, struct arena *arena,
                       struct deadline deadline) MUST_CHECK;

/* Asks for the lease of a host. `digest`: the caller's key; NULL for the collector. `check`: ask Chartbeat
 * with that key, however fresh the snapshot is. */
enum status store_claim(struct store *store, const char *host, const struct digest *digest, bool check,
                        const struct store_bounds *bounds, struct deadline deadline,
                        struct store_claim *claim_r) MUST_CHECK;

/* Stores what Chartbeat answered and gives the lease back. *stored_r: a new snapshot; false: too late, or
 * within the TTL. */
enum status store_publish(struct store *store, const struct store_publication *publication,
                          struct deadline deadline, bool *stored_r) MUST_CHECK;

/* Records a failed request and gives the lease back; *back_off_ms_r says for how long nobody asks now.
 * `reason`: in words. */
enum status store_fail(struct store *store, const char *host, const struct store_claim *claim,
                       const char *reason, int retry_after_s, struct deadline deadline,
                       int *back_off_ms_r) MUST_CHECK;

/* Seals every stored key anew: opened with `from`, sealed with `to`. What `from` can't open (it is another's,
 * or was sealed anew already) is left as it is and counted in *left_r. Safe to run again, and beside running
 * workers. */
enum status store_reseal(struct store *store, const struct secret_box *from, const struct secret_box *to,
                         struct deadline deadline, size_t *resealed_r, size_t *left_r) MUST_CHECK;

/* Records that Chartbeat refused the key of this claim for the host, and gives the lease back. */
enum status store_refuse(struct store *store, const char *host, const struct store_claim *claim,
                         const char *reason, struct deadline deadline) MUST_CHECK;

#endif
