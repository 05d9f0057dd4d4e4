/* What a look-up knows of a host's cache row and of the key of the request. */
#ifndef UPBEAT_STORE_CACHE_ROW_H
#define UPBEAT_STORE_CACHE_ROW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    REVOCATION_MS = 300000, /* a key is served for so long after it was checked, and then checked again */
};

enum key_status {
    KEY_UNKNOWN,  /* Chartbeat was never asked, or its refusal is old enough to ask again */
    KEY_ACCEPTED, /* for this host */
    KEY_REFUSED,  /* for this host, and remembered */
};

/* Ages by the database's clock. */
struct cache_row_state {
    bool has_snapshot;
    int64_t age_ms; /* of the snapshot; below 0 after a jump of the clock */
    enum key_status key_status;
    int64_t check_age_ms; /* since the key was checked for this host */
    int failures;         /* refreshes of this host that failed in a row, 0 where the row is fresh */
};

#endif
