/* The stored API keys, as a whole: what is done with all of them when the secret changes. */
#ifndef UPBEAT_STORE_KEYS_H
#define UPBEAT_STORE_KEYS_H

#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"
#include <stddef.h>

/* Seals every stored key anew: opened with `from`, sealed with `to`. A key that `from` can't open (it was
 * sealed under a third secret, or was sealed anew already) is left as it is and counted in *left_r. Safe to
 * run again, and beside running fetchers. Errors as in lease.h; on an error both counts are untouched. */
enum status keys_reseal(struct database *database, const struct secret_box *from, const struct secret_box *to,
                        struct deadline deadline, size_t *resealed_r, size_t *left_r) MUST_CHECK;

#endif
