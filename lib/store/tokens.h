/* View tokens: made, shown and taken away by upbeat-token; their use is written down by the fetcher. The
 * look-up of a token is that of its row, in store.h.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED (PostgreSQL refused it: logged),
 * STATUS_NO_MEMORY as in database.h; STATUS_INVALID: there is no such token. Outputs are untouched on an
 * error. */
#ifndef UPBEAT_STORE_TOKENS_H
#define UPBEAT_STORE_TOKENS_H

#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"

enum {
    TOKENS_BATCH = 32, /* in one call of tokens_count() */
    /* Columns of the rows of tokens_read(), all text. */
    TOKENS_ID = 0,
    TOKENS_STATE,
    TOKENS_MAY,
    TOKENS_HOSTS,
    TOKENS_LIMIT,
    TOKENS_FIELDS,
    TOKENS_ORIGINS,
    TOKENS_CREATED,
    TOKENS_UNTIL,
    TOKENS_REVOKED,
    TOKENS_REPLACES,
    TOKENS_USED,
    TOKENS_REQUESTS,
    TOKENS_NOTE,
    TOKENS_COLUMNS
};

/* What a token may do. Lists have commas between their items; NULL stands for no bound. */
struct token_grant {
    struct digest digest;
    const char *hosts;
    const char *may;
    int row_limit; /* 0: no bound */
    const char *fields;
    const char *origins;
    time_us until; /* 0: it does not expire */
    const char *note;
};

/* Makes a token. */
enum status tokens_add(struct database *database, const struct token_grant *grant, struct deadline deadline,
                       int *id_r) MUST_CHECK;

/* Takes a token away; twice is harmless. */
enum status tokens_revoke(struct database *database, int id, struct deadline deadline) MUST_CHECK;

/* Makes a token that may do what another may, which expires after overlap_ms. STATUS_INVALID: that one is not
 * valid. */
enum status tokens_rotate(struct database *database, int id, const struct digest *digest, int64_t overlap_ms,
                          struct deadline deadline, int *id_r) MUST_CHECK;

/* The token of this number, or all where id is 0, in the order of their numbers. The caller frees the rows.
 */
enum status tokens_read(struct database *database, int id, struct deadline deadline,
                        struct database_rows **rows_r) MUST_CHECK;

/* Adds to the requests of count (1 to TOKENS_BATCH) tokens; those that there are not are left out. */
enum status tokens_count(struct database *database, const int *ids, const int *requests, size_t count,
                         struct deadline deadline) MUST_CHECK;

/* Takes the API keys of a host away; *removed_r says how many it had. */
enum status tokens_remove_keys(struct database *database, const char *host, struct deadline deadline,
                               int *removed_r) MUST_CHECK;

#endif
