/* What is done with what was stored: roll-ups, partitions, and pages that are forgotten. The work itself is
 * in SQL; this calls it, over a connection of its own, in steps that are short.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as in store.h.
 * Outputs are untouched on an error. What a call that failed may have done is harmless to repeat. */
#ifndef UPBEAT_STORE_MAINTENANCE_H
#define UPBEAT_STORE_MAINTENANCE_H

#include "base/clock.h"
#include "base/status.h"
#include "db/database.h"

/* In one call, so that each is short. */
enum { MAINTENANCE_ROLL_UP_HOSTS = 10, MAINTENANCE_FORGET_PAGES = 500 };

struct maintenance;

struct maintenance_periods {
    int raw_hours;
    int minute_days;
    int quarter_months;
};

/* As store_new(). */
enum status maintenance_new(struct maintenance **maintenance_r, const char *conninfo,
                            bool prepare) MUST_CHECK;

/* NULL is allowed. */
void maintenance_free(struct maintenance *maintenance);

/* Rolls up what is over, of at most MAINTENANCE_ROLL_UP_HOSTS hosts. *done_r: of how many it was; 0: all is
 * done, or somebody else is at it. */
enum status maintenance_roll_up(struct maintenance *maintenance, struct deadline deadline,
                                int *done_r) MUST_CHECK;

/* Makes partitions ahead and drops those that are over, each in a transaction of its own, so that no publish
 * waits for long. *done_r: how many. A partition that is in use is left for another time. */
enum status maintenance_maintain(struct maintenance *maintenance, const struct maintenance_periods *periods,
                                 struct deadline deadline, int *done_r) MUST_CHECK;

/* Forgets MAINTENANCE_FORGET_PAGES pages at most that stand in nothing any more that is kept. *done_r: how
 * many; 0: there are none, or roll-ups lag. */
enum status maintenance_forget(struct maintenance *maintenance, const struct maintenance_periods *periods,
                               struct deadline deadline, int *done_r) MUST_CHECK;

#endif
