/* How many visitors the whole site usually has at this quarter of an hour. */
#ifndef UPBEAT_STORE_SITE_USUAL_H
#define UPBEAT_STORE_SITE_USUAL_H

#include "base/clock.h"
#include "db/database.h"
#include <stdbool.h>

struct site_usual {
    bool is_known;           /* false: too few days are remembered */
    double usual, low, high; /* visitors: median and quartiles, see page_usual() in sql/ */
};

/* Reads it for the host's newest snapshot, by the host's time zone, in one round trip. STATUS_UNREACHABLE,
 * STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as in database.h: *usual_r is untouched. */
enum status site_usual_read(struct database *database, const char *host, struct deadline deadline,
                            struct site_usual *usual_r) MUST_CHECK;

#endif
