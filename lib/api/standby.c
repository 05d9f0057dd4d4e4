#include "api/standby.h"

#include "base/log.h"
#include "base/metrics.h"

#include <stdlib.h>

enum {
    TEND_MS = 3000,          /* so long a connection is tried for before the next rest */
    CHOOSE_AGAIN_MS = 15000, /* between two looks whether the server is a standby still */
    WELL_MS = 30000,         /* so long without a failure, and those before are forgotten */
};

struct standby {
    struct store *store;
    struct policy_bounds bounds;
    int failures;      /* since it was well */
    int64_t failed_ms; /* when the last of them was, of the monotonic clock */
    int64_t rest_until_ms;
    int64_t tend_until_ms; /* 0: no connection is being made */
    int64_t choose_again_ms;
};

enum status standby_new(struct standby **standby_r, const struct store_config *config,
                        const struct policy_bounds *bounds)
{
    struct standby *standby = calloc(1, sizeof *standby);
    if (!standby)
        return STATUS_NO_MEMORY;
    standby->bounds = *bounds;
    enum status status = store_new(&standby->store, config);
    if (status != STATUS_OK) {
        free(standby);
        return status;
    }
    database_leave(store_database(standby->store)); /* so that no request has to connect */
    *standby_r = standby;
    return STATUS_OK;
}

void standby_free(struct standby *standby)
{
    if (!standby)
        return;
    store_free(standby->store);
    free(standby);
}

/* --- Decisions --------------------------------------------------------------------------------------------
 */

bool standby_has_newest(const struct store_lookup *row, const struct policy_bounds *bounds)
{
    const struct cache_row_state *view = &row->view;
    return view->has_snapshot && view->age_ms >= 0 && view->age_ms < bounds->ttl_ms - bounds->ttl_ms / 4 &&
           policy_decide(view, bounds).action == POLICY_ANSWER && row->taken_at >= row->seen_at &&
           row->taken_at >= row->if_changed_since;
}

bool standby_is_behind(time_us taken_at, const struct store_lookup *row, const struct policy_bounds *bounds)
{
    int64_t lacking_ms = row->view.age_ms;
    if (taken_at < row->previous_at)
        lacking_ms += (row->taken_at - row->previous_at) / 1000;
    return taken_at < row->taken_at && lacking_ms > bounds->ttl_ms / 2;
}

bool standby_has_answered(enum status status)
{
    return status != STATUS_UNREACHABLE && status != STATUS_TIMEOUT && status != STATUS_FAILED;
}

int standby_rest_ms(int failures, uint32_t random)
{
    int longest_ms = STANDBY_REST_MIN_MS;
    for (int i = 1; i < failures && longest_ms < STANDBY_REST_MAX_MS; i++)
        longest_ms *= 2;
    return longest_ms / 2 + (int)(random % (uint32_t)(longest_ms / 2 + 1));
}

/* --- Its connection ---------------------------------------------------------------------------------------
 */

/* Leaves the standby in peace; after that another one is asked first, if the string names several. */
static void rest(struct standby *standby, const char *why)
{
    int64_t now_ms = clock_monotonic_ms();
    if (standby->failures++ == 0)
        log_line(LEVEL_WARNING, "standby", "reads go to the primary: %s", why);
    standby->failed_ms = now_ms;
    standby->rest_until_ms = now_ms + standby_rest_ms(standby->failures, arc4random());
    standby->tend_until_ms = 0;
    database_leave(store_database(standby->store));
}

static void note_well(struct standby *standby)
{
    if (standby->failures == 0 || clock_monotonic_ms() - standby->failed_ms < WELL_MS)
        return;
    standby->failures = 0;
    log_line(LEVEL_INFO, "standby", "reads go to a standby again");
}

void standby_tend(struct standby *standby, int64_t now_ms)
{
    if (!standby || now_ms < standby->rest_until_ms)
        return;
    if (now_ms >= standby->choose_again_ms) {
        standby->choose_again_ms = now_ms + CHOOSE_AGAIN_MS;
        if (database_is_primary(store_database(standby->store)))
            database_leave(store_database(standby->store));
    }
    if (!store_is_away(standby->store))
        return;
    if (standby->tend_until_ms == 0)
        standby->tend_until_ms = now_ms + TEND_MS;
    store_tend(standby->store);
    if (!store_is_away(standby->store))
        standby->tend_until_ms = 0;
    else if (now_ms >= standby->tend_until_ms)
        rest(standby, "there is no connection to a standby");
}

int standby_timeout_ms(const struct standby *standby, int64_t now_ms, int max_ms)
{
    if (!standby || !store_is_away(standby->store))
        return max_ms;
    int64_t rest_ms = standby->rest_until_ms - now_ms;
    if (rest_ms > 0)
        return rest_ms < max_ms ? (int)rest_ms : max_ms;
    return store_tend_timeout_ms(standby->store, max_ms);
}

bool standby_is_ready(const struct standby *standby, int64_t now_ms)
{
    return standby && now_ms >= standby->rest_until_ms && !store_is_away(standby->store);
}

/* --- Look-ups ---------------------------------------------------------------------------------------------
 */

static enum status read_rows(struct standby *standby, struct store_lookup *lookups, size_t count,
                             struct arena *arena, struct deadline deadline)
{
    enum status status =
        store_read(standby->store, lookups, count, arena, deadline_within(deadline, STANDBY_STEP_MS));
    if (status == STATUS_OK)
        return STATUS_OK;
    metrics_count(METRIC_STANDBY_READS, STANDBY_FAILED, count);
    if (!standby_has_answered(status))
        rest(standby, status_text(status));
    return status;
}

void standby_look_up(struct standby *standby, struct store_lookup *lookups, size_t count, struct arena *arena,
                     struct deadline deadline, struct standby_rows *rows_r)
{
    struct store_lookup asked[STORE_BATCH];
    unsigned char places[STORE_BATCH];
    size_t asked_count = 0;
    *rows_r = (struct standby_rows){0};
    for (size_t i = 0; standby && i < count; i++) {
        if (lookups[i].needs_primary)
            continue;
        places[asked_count] = (unsigned char)i;
        asked[asked_count++] = lookups[i];
    }
    if (asked_count == 0 || deadline_left_ms(deadline) == 0)
        return;
    if (!standby_is_ready(standby, clock_monotonic_ms())) {
        metrics_count(METRIC_STANDBY_READS, STANDBY_RESTING, asked_count);
        return;
    }
    if (read_rows(standby, asked, asked_count, arena, deadline) != STATUS_OK)
        return;
    for (size_t i = 0; i < asked_count; i++) {
        size_t place = places[i];
        rows_r->is_asked[place] = true;
        rows_r->is_taken[place] = standby_has_newest(&asked[i], &standby->bounds);
        rows_r->taken_at[place] = asked[i].taken_at;
        metrics_count(METRIC_STANDBY_READS, rows_r->is_taken[place] ? STANDBY_SERVED : STANDBY_OLD, 1);
        if (rows_r->is_taken[place])
            lookups[place] = asked[i];
    }
    note_well(standby);
}

void standby_compare(struct standby *standby, const struct store_lookup *lookups, size_t count,
                     const struct standby_rows *rows)
{
    for (size_t i = 0; i < count; i++) {
        bool is_left = rows->is_asked[i] && !rows->is_taken[i];
        if (is_left && standby_is_behind(rows->taken_at[i], &lookups[i], &standby->bounds)) {
            rest(standby, "the standby is behind");
            return;
        }
    }
}

/* Nobody can tell whether there is a newer snapshot, so that this one counts as older than the TTL. */
static void mark_second_best(struct store_lookup *row, const struct policy_bounds *bounds)
{
    row->is_second_best = true;
    if (row->view.failures == 0)
        row->view.failures = 1;
    if (row->view.age_ms <= bounds->ttl_ms)
        row->view.age_ms = bounds->ttl_ms + 1;
}

enum status standby_look_up_all(struct standby *standby, struct store_lookup *lookups, size_t count,
                                struct arena *arena, struct deadline deadline)
{
    struct store_lookup asked[STORE_BATCH];
    if (!standby_is_ready(standby, clock_monotonic_ms()) || deadline_left_ms(deadline) == 0)
        return STATUS_UNREACHABLE;
    for (size_t i = 0; i < count; i++)
        asked[i] = lookups[i];
    enum status status = read_rows(standby, asked, count, arena, deadline);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        lookups[i] = asked[i];
        if (!standby_has_newest(&lookups[i], &standby->bounds))
            mark_second_best(&lookups[i], &standby->bounds);
    }
    if (status == STATUS_OK)
        metrics_count(METRIC_STANDBY_READS, STANDBY_SERVED, count);
    return status;
}

/* --- Reports ----------------------------------------------------------------------------------------------
 */

struct database *standby_begin(struct standby *standby, const struct store_lookup *row,
                               struct deadline deadline)
{
    time_us newest = 0;
    if (!standby || deadline_left_ms(deadline) == 0)
        return NULL;
    if (!standby_is_ready(standby, clock_monotonic_ms())) {
        metrics_count(METRIC_STANDBY_READS, STANDBY_RESTING, 1);
        return NULL;
    }
    enum status status =
        store_begin_read(standby->store, row->host, deadline_within(deadline, STANDBY_STEP_MS), &newest);
    if (status != STATUS_OK) {
        metrics_count(METRIC_STANDBY_READS, STANDBY_FAILED, 1);
        rest(standby, status_text(status));
        return NULL;
    }
    if (newest >= row->taken_at)
        return store_database(standby->store);
    metrics_count(METRIC_STANDBY_READS, STANDBY_OLD, 1);
    store_end_read(standby->store, deadline_in(STANDBY_STEP_MS));
    if (standby_is_behind(newest, row, &standby->bounds))
        rest(standby, "the standby is behind");
    return NULL;
}

void standby_end(struct standby *standby, enum status status)
{
    bool is_answered = standby_has_answered(status);
    metrics_count(METRIC_STANDBY_READS, is_answered ? STANDBY_SERVED : STANDBY_FAILED, 1);
    if (is_answered) {
        store_end_read(standby->store, deadline_in(STANDBY_STEP_MS));
        note_well(standby);
    } else {
        rest(standby, status_text(status));
    }
}
