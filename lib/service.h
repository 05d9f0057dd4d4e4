/* A request's way to its answer: asked what, allowed or not, fresh or stale, refilled, worded. Knows nothing
 * of FastCGI.
 *
 * An exchange goes through service_begin(), then service_read() together with others, and if it is still open
 * through service_settle(), which may block; then its response is sent; then, refill_in_ms later, somebody
 * calls service_refill(): what was put off until after the reply. */
#ifndef UPBEAT_SERVICE_H
#define UPBEAT_SERVICE_H

#include "chartbeat.h"
#include "exchange.h"
#include "keyring.h"
#include "result.h"
#include "settings.h"
#include <stdbool.h>

struct service;

enum { SERVICE_SETTLE_MAX = 256 }; /* exchanges that block, in one service_settle() */

/* What the service tells its caller while it settles. */
struct service_calls {
    void (*before_block)(void *context); /* each time before it waits for something slower than a read: the
                                            place to give idle connections back, those of whom was answered
                                            just now too */
    void (*answered)(struct exchange *exchange, void *context); /* the exchange is EXCHANGE_DONE */
    void *context;
};

/* A service with its own database connection and its own client, to be made after the fork. `settings` and
 * `keyring` must outlive it. UP_FAILED: the run folder can't be written to (errno says why). UP_INVALID: an
 * address that libcurl does not take. UP_NO_MEMORY. On an error *service_r is untouched. */
enum up_result service_new(struct service **service_r, const struct settings *settings,
                           const struct keyring *keyring, const struct service_calls *calls) MUST_CHECK;

/* NULL is allowed. */
void service_free(struct service *service);

/* Starts an exchange: route, method, parameters; its deadline runs since late_ms ago. Afterwards it is
 * EXCHANGE_DONE or EXCHANGE_READ; never blocks. */
void service_begin(struct service *service, struct exchange *exchange, int late_ms);

/* Reads the rows of up to STORE_BATCH exchanges that are EXCHANGE_READ in one round trip, and answers those
 * that can be answered from them alone. Afterwards each is EXCHANGE_DONE or EXCHANGE_BLOCKING. */
void service_read(struct service *service, struct exchange **exchanges, size_t count);

/* Answers up to SERVICE_SETTLE_MAX exchanges that are EXCHANGE_BLOCKING, side by side, each by its deadline:
 * refills, waits for who does, or serves stale. Calls answered() for each as soon as it is, and
 * before_block() before each wait; a claim is no wait. So the caller gives idle connections back before he
 * looks for the last time who is there, and then calls this. Fetches begin first, and those whose answer
 * takes more than the row come last; `exchanges` is left in another order. */
void service_settle(struct service *service, struct exchange **exchanges, size_t count);

/* Refills a host that was asked for with the key of this digest, if no one else does. Blocks. False: half of
 * the pool is inside a request to Chartbeat already, and nothing was done. */
bool service_refill(struct service *service, const char *host, const struct digest *digest);

#endif
