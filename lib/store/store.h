/* What a worker reads in PostgreSQL for nearly every request: the cache row and the key.
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

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "base/token.h"
#include "db/database.h"
#include "store/cache_row.h"
#include "store/roles.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_SCHEMA_VERSION = 13, /* the newest numbered file of sql/ that the programs need */
    STORE_STEP_MS = 1000,      /* of one call, within the deadline given */
    STORE_BATCH = 16,          /* look-ups in one round trip */
};

struct store;

struct store_config {
    const char *conninfo; /* libpq connection string or URI; must outlive the store */
    int ttl_ms;
    bool prepare;     /* named prepared statements */
    const char *role; /* see store/roles.h; used where conninfo names no user */
};

enum token_state { TOKEN_UNKNOWN, TOKEN_VALID, TOKEN_EXPIRED, TOKEN_REVOKED };

/* A view token, as it was looked up. Texts are the arena's; "" stands for no bound. */
struct store_token {
    enum token_state state;
    int id; /* what follows is set where the token is known */
    enum token_may may;
    bool covers_host;
    int row_limit;       /* 0: no bound */
    unsigned fields;     /* 0: all */
    const char *hosts;   /* with a comma and a space between them */
    const char *origins; /* with a space between them */
};

/* One read of the cache row for one host and one key or view token. For a token nothing of the row is read
 * unless it is valid and covers the host; then its key_status is KEY_ACCEPTED, and check_age_ms such that it
 * is served no longer than the token is valid. The caller sets `host` and `digest`, and
 * `if_changed_since` where it has what it needs of that snapshot's lists already, else 0; is_token; and
 * needs_lists. */
struct store_lookup {
    const char *host;
    const struct digest *digest;
    time_us if_changed_since;
    bool is_token;      /* the digest is that of a view token */
    bool needs_lists;   /* the page lists, too */
    bool needs_primary; /* a standby will not do, see api/standby.h */
    time_us seen_at;    /* the newest snapshot that the client has seen, as far as it says; 0: none */

    struct store_token token;    /* where is_token */
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
    bool is_second_best; /* a standby had to do, since the primary is away: there may be newer */
};

/* A store without a connection. STATUS_NO_MEMORY: *store_r is untouched. */
enum status store_new(struct store **store_r, const struct store_config *config) MUST_CHECK;

/* Its connection, for what reads more than it does. Owned by the store. */
struct database *store_database(struct store *store);

/* Is the database away, see database_is_away()? Then store_tend() brings it back, which never waits; there is
 * something for it to do in store_tend_timeout_ms(), at most max_ms. */
bool store_is_away(const struct store *store);
void store_tend(struct store *store);
int store_tend_timeout_ms(const struct store *store, int max_ms);

/* Begins a transaction in which all reads see the same, and reads when the newest snapshot of the host was
 * taken, as far as this server knows: *taken_at_r, 0 where there is none. store_end_read() ends it, whether
 * it is of use or not; on an error there is none to end. Behind PgBouncer, too, all of it is read on one
 * server. */
enum status store_begin_read(struct store *store, const char *host, struct deadline deadline,
                             time_us *taken_at_r) MUST_CHECK;
void store_end_read(struct store *store, struct deadline deadline);

/* Closes the connection. NULL is allowed. */
void store_free(struct store *store);

/* Is the database there, and migrated at least to STORE_SCHEMA_VERSION? STATUS_INVALID: it is there, but not
 * migrated. */
enum status store_ready(struct store *store, struct deadline deadline) MUST_CHECK;

/* Reads count (1 to STORE_BATCH) cache rows: those whose if_changed_since is still the newest snapshot, and
 * fresh, in one round trip, and the others, of which there is more to know, in another; at once, where
 * if_changed_since is older than the TTL. Those of view tokens take a round trip of their own. Failures are
 * looked up only where a row is older than the TTL. The arena owns the lists. On an error some may be filled
 * in. */
enum status store_read(struct store *store, struct store_lookup *lookups, size_t count, struct arena *arena,
                       struct deadline deadline) MUST_CHECK;

#endif
