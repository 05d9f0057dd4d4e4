/* The standby that reads go to, where UPBEAT_DATABASE_READ names one or several of them. The primary is
 * always the way back: a standby that is gone, refuses, is slow or behind is left in peace for a while, and
 * no request ever waits for a connection to it.
 *
 * What a standby is asked for:
 *   the query of a report, in a transaction that begins with the question whether the standby has the
 *     snapshot that the look-up has found;
 *   a look-up, whose row is taken if there can't be a newer one, see standby_has_newest();
 *   every look-up while the primary is away, see standby_look_up_all().
 * What it is never asked for while the primary is there: the look-up of a view token, which must be refused
 * as soon as it is revoked, and that of a request that has waited for a refresh. What a standby knows of a
 * key is no older than the row that is taken with it, since it replays what was committed in its order: a key
 * lives on by three quarters of a TTL at most.
 *
 * How far a standby is behind is told by its rows alone. pg_last_xact_replay_timestamp() grows old on a
 * primary that is idle, and pg_last_wal_receive_lsn() says nothing of what never arrived. */
#ifndef UPBEAT_API_STANDBY_H
#define UPBEAT_API_STANDBY_H

#include "api/policy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    STANDBY_STEP_MS = 150,    /* of one look-up, and of the beginning of a report */
    STANDBY_REPORT_SHARE = 3, /* the query of a report has this part of the time that is left */
    STANDBY_REST_MIN_MS = 500,
    STANDBY_REST_MAX_MS = 8000,
};

struct standby;

/* What became of the look-ups that standby_look_up() was given. */
struct standby_rows {
    bool is_asked[STORE_BATCH];    /* the standby was asked for it */
    bool is_taken[STORE_BATCH];    /* it has been filled in */
    time_us taken_at[STORE_BATCH]; /* where it was asked: of the standby's newest snapshot; 0: it has none */
};

/* A standby without a connection, which standby_tend() makes. `config` as for store_new(). STATUS_NO_MEMORY:
 * *standby_r is untouched. All functions below take NULL for a standby that there is not. */
enum status standby_new(struct standby **standby_r, const struct store_config *config,
                        const struct policy_bounds *bounds) MUST_CHECK;
void standby_free(struct standby *standby);

/* Goes on with making a connection, without waiting. Every 15 s, if the server turns out to be the
 * primary by now, it looks for a standby again. Call it in each turn. */
void standby_tend(struct standby *standby, int64_t now_ms);

/* Milliseconds until standby_tend() has something to do, at most max_ms. */
int standby_timeout_ms(const struct standby *standby, int64_t now_ms, int max_ms);

/* Can it be asked now? */
bool standby_is_ready(const struct standby *standby, int64_t now_ms);

/* Looks up those of the count (at most STORE_BATCH) rows for which a standby may do, and fills in those that
 * it has the newest of; the others are left as they are. */
void standby_look_up(struct standby *standby, struct store_lookup *lookups, size_t count, struct arena *arena,
                     struct deadline deadline, struct standby_rows *rows_r);

/* The primary has filled in the others: a standby that lacks for long what the primary has is left in peace.
 */
void standby_compare(struct standby *standby, const struct store_lookup *lookups, size_t count,
                     const struct standby_rows *rows);

/* The primary is away: looks up all rows, and marks those that are perhaps not the newest as is_second_best,
 * and as older than the TTL and failed, so that they are answered at once and as stale, if at all.
 * STATUS_UNREACHABLE: there is no standby, or none that can be asked now; else as store_read(). */
enum status standby_look_up_all(struct standby *standby, struct store_lookup *lookups, size_t count,
                                struct arena *arena, struct deadline deadline) MUST_CHECK;

/* Where the query of a report on the row that was looked up can be made; NULL: in the primary. Where it is
 * not NULL, standby_end() must follow, which is told how the query ended. */
struct database *standby_begin(struct standby *standby, const struct store_lookup *row,
                               struct deadline deadline);
void standby_end(struct standby *standby, enum status status);

/* --- Its decisions, which are pure ------------------------------------------------------------------------
 */

/* Is this row, which a standby has, the newest that there is, and fit to be answered at once? A host is
 * refreshed by the clock when three quarters of the TTL have passed at the earliest, and
 * otherwise when all of it has: the primary grants no lease before, and publishes nothing. So a row that is
 * younger is the newest, however far the standby is behind, as long as the clocks of both agree; and if they
 * do not, it must not be older than what the client and this worker have seen. */
bool standby_has_newest(const struct store_lookup *row, const struct policy_bounds *bounds);

/* Is a standby whose newest snapshot is that of taken_at too far behind to be asked, by the row that the
 * primary has? It may lack a snapshot for half of the TTL. */
bool standby_is_behind(time_us taken_at, const struct store_lookup *row, const struct policy_bounds *bounds);

/* Has the query of a report an answer, if only that the question is bad? If not, the primary is asked. */
bool standby_has_answered(enum status status);

/* How long a standby is left in peace after this many failures (1 and more): the longest rest doubles from
 * STANDBY_REST_MIN_MS to STANDBY_REST_MAX_MS, and `random` chooses from its upper half. */
int standby_rest_ms(int failures, uint32_t random);

#endif
