/* What the two halves of the service share: service.c answers from rows, settle.c does what may block. */
#ifndef UPBEAT_API_SERVICE_PARTS_H
#define UPBEAT_API_SERVICE_PARTS_H

#include "api/body_cache.h"
#include "api/list_cache.h"
#include "api/service.h"
#include "api/trend_cache.h"
#include "base/lockfile.h"
#include "upstream/refresh.h"

/* Of one worker at a time: each may be of ANSWER_MAX_BYTES. */
enum { SERVICE_FETCHES_MAX = 8 };

/* Why a request could not be answered from fresh rows. */
struct obstacle {
    enum { NO_OBSTACLE, FROM_CHARTBEAT, FROM_DATABASE, FROM_POOL, FROM_BACK_OFF, FROM_GUESSES } from;
    enum status result;
    int wait_ms;
};

enum settle_state {
    SETTLE_LOOK,       /* the row is to be read again */
    SETTLE_WAIT_FETCH, /* for a request of this worker's to end: for its host, or in any case for room */
    SETTLE_WAIT_LEASE, /* for another worker, which refreshes its host */
    SETTLE_FETCH,
    SETTLE_DONE,
};

/* An request that is being settled. */
struct settling {
    struct request *request;
    enum settle_state state;
    bool for_lease; /* waits for another worker's refresh, or looks whether it has come */
    int refreshes;
    struct refresh_job job; /* SETTLE_FETCH */
    struct obstacle obstacle;
};

struct service {
    const struct settings *settings;
    struct store *store;
    struct body_cache *kept;
    struct list_cache *lists;
    struct trend_cache *trend_result;
    struct chartbeat *chartbeat;
    struct refresh_parts refresh;
    struct policy_bounds bounds;
    struct slots blocked; /* half of the pool may be inside requests to Chartbeat, or wait for others' */
    struct slots waiting; /* a quarter may wait */
    struct service_calls calls;
    struct settling settlings[SERVICE_SETTLE_MAX];
};

/* Does its answer take more than the row? Then who only needs theirs come first. */
bool service_is_slow(const struct service *service, const struct request *request);

/* Reads the row again. True: answered, if only with what went wrong; false: *action_r says what is missing.
 */
bool service_read_again(struct service *service, struct request *request, enum policy_action *action_r);

/* Answers with the row as it is, if the policy allows that, else with what is in the way. */
void service_finish_obstacle(struct service *service, struct request *request,
                             const struct obstacle *obstacle);

#endif
