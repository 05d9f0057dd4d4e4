/* What all requests of one worker share: the database, the caches, the link to the fetcher and the table of
 * those who wait for it. Knows nothing of FastCGI. A worker's turn:
 *
 *   api_tend()       looks after the fetcher: connects, hears what has ended, wakes who waits for it
 *   request_begin()  for each request that has come in
 *   api_look_up()    one bounded, de-duplicated look-up for all that need one, and their answers
 *   request_query()  for one of those that need a query of their own */
#ifndef UPBEAT_API_API_H
#define UPBEAT_API_API_H

#include "api/answer_cache.h"
#include "api/body_cache.h"
#include "api/list_cache.h"
#include "api/metrics_endpoint.h"
#include "api/policy.h"
#include "api/request.h"
#include "api/standby.h"
#include "api/trend_cache.h"
#include "api/waiting.h"
#include "base/settings.h"
#include "base/status.h"
#include "refresh/client.h"
#include "store/store.h"

enum {
    API_LOOKUP_MAX = STORE_BATCH
}; /* different rows in one look-up; any number of requests may share one */

/* The fields are for request.c and the endpoints. */
struct api {
    const struct settings *settings;
    struct policy_bounds bounds;
    struct store *store;     /* the primary */
    struct standby *standby; /* NULL: there is none */
    struct body_cache *bodies;
    struct list_cache *lists;
    struct trend_cache *trends;
    struct answer_cache *answers;
    char fetch_socket[256]; /* path */
    struct refresh_client *fetcher;
    struct waiting *waiting;
    struct asked *asked;
    struct token_use *token_use;
    struct metrics_endpoint *metrics;
    struct arena rows;        /* of the look-up that is being answered */
    int64_t away_since_ms;    /* the database, of the monotonic clock; 0: it is there */
    int64_t ready_checked_ms; /* when the last /readyz asked the database; 0: never */
    enum status ready_status; /* what it said */
};

/* An api with its own database connection, which is made when it is needed. `settings` must outlive it.
 * STATUS_NO_MEMORY; STATUS_TOO_LARGE: the path of the fetcher's socket is too long. On an error *api_r is
 * untouched. */
enum status api_new(struct api **api_r, const struct settings *settings) MUST_CHECK;

/* No request may wait in it. NULL is allowed. */
void api_free(struct api *api);

/* Looks after the fetcher, those who wait, and a database that is away. Call it in each turn. True:
 * api_fetcher_fd() is another one now. */
bool api_tend(struct api *api, int64_t now_ms);

/* A request that was woken and is REQUEST_LOOKUP again, or NULL. */
struct request *api_next_woken(struct api *api);

/* The descriptor on which the fetcher is heard, or -1. It changes in api_tend() alone. */
int api_fetcher_fd(const struct api *api);

/* Milliseconds until api_tend() has something to do even if nothing comes, at most max_ms. */
int api_timeout_ms(const struct api *api, int64_t now_ms, int max_ms);

/* May nginx's copies stand in for answers that want the database? Up to half of UPBEAT_STALE_ERROR_MS after
 * it was lost: a copy may be as old as the other half (`inactive` of fastcgi_cache_path) when that happens.
 */
bool api_copies_may_stand_in(const struct api *api, int64_t now_ms);

/* Looks up the rows of requests that are REQUEST_LOOKUP, and lets each go on. At most API_LOOKUP_MAX
 * different rows are read at once: *taken_r says how many requests, from the first on, were looked up (at
 * least 1). */
void api_look_up(struct api *api, struct request **requests, size_t count, size_t *taken_r);

/* Has the fetcher make a row new for a request that does not wait for it. */
void api_want_refresh(struct api *api, const struct request *request, int64_t now_ms);

/* Lets a request wait for a refresh. False: it can't, and request->waiter.reason says why. */
bool api_park(struct api *api, struct request *request, bool check, int64_t until_ms,
              int64_t now_ms) MUST_CHECK;

/* Lets the fetcher know that somebody asked for the request's host, at most once a minute and host. */
void api_say_asked(struct api *api, const struct request *request, int64_t now_ms);

/* Counts a request with a view token. The fetcher is told of it later. */
void api_count_token(struct api *api, int token_id, int64_t now_ms);

/* A request whose client has gone. */
void api_forget(struct api *api, struct request *request);

#endif
