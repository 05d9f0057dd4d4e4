/* A request's way to its answer: asked what, allowed or not, fresh or stale, refilled, worded. Knows nothing
 * of FastCGI.
 *
 * An request goes through service_begin(), then service_read() together with others, and if it is still open
 * through service_settle(), which may block; then its response is sent; then, refresh_in_ms later, somebody
 * calls service_refresh(): what was put off until after the reply. */
#ifndef UPBEAT_API_SERVICE_H
#define UPBEAT_API_SERVICE_H

#include "api/request.h"
#include "base/secret_box.h"
#include "base/settings.h"
#include "base/status.h"
#include "upstream/chartbeat.h"
#include <stdbool.h>

struct service;

enum { SERVICE_SETTLE_MAX = 256 }; /* requests that block, in one service_settle() */

/* What the service tells its caller while it settles. */
struct service_calls {
    void (*before_block)(void *context); /* each time before it waits for something slower than a read: the
                                            place to give idle connections back, those of whom was answered
                                            just now too */
    void (*answered)(struct request *request, void *context); /* the request is REQUEST_DONE */
    void *context;
};

/* A service with its own database connection and its own client, to be made after the fork. `settings` and
 * `secret_box` must outlive it. STATUS_FAILED: the run folder can't be written to (errno says why).
 * STATUS_INVALID: an address that libcurl does not take. STATUS_NO_MEMORY. On an error *service_r is
 * untouched. */
enum status service_new(struct service **service_r, const struct settings *settings,
                        const struct secret_box *secret_box, const struct service_calls *calls) MUST_CHECK;

/* NULL is allowed. */
void service_free(struct service *service);

/* Starts an request: route, method, parameters; its deadline runs since late_ms ago. Afterwards it is
 * REQUEST_DONE or REQUEST_LOOKUP; never blocks. */
void service_begin(struct service *service, struct request *request, int late_ms);

/* Reads the rows of up to STORE_BATCH requests that are REQUEST_LOOKUP in one round trip, and answers those
 * that can be answered from them alone. Afterwards each is REQUEST_DONE or REQUEST_WAITING. */
void service_read(struct service *service, struct request **requests, size_t count);

/* Answers up to SERVICE_SETTLE_MAX requests that are REQUEST_WAITING, side by side, each by its deadline:
 * refreshes, waits for who does, or serves stale. Calls answered() for each as soon as it is, and
 * before_block() before each wait; a claim is no wait. So the caller gives idle connections back before he
 * looks for the last time who is there, and then calls this. Fetches begin first, and those whose answer
 * takes more than the row come last; `requests` is left in another order. */
void service_settle(struct service *service, struct request **requests, size_t count);

/* Refills a host that was asked for with the key of this digest, if no one else does. Blocks. False: half of
 * the pool is inside a request to Chartbeat already, and nothing was done. */
bool service_refresh(struct service *service, const char *host, const struct digest *digest);

#endif
