/* Who is due to be asked for, and what is remembered of it: roll-ups, partitions, and what is forgotten. The
 * work itself is in SQL (sql/functions); this calls it, over a connection of its own, so that
 * a long roll-up delays nobody.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as in store.h.
 * Outputs are untouched on an error. What a call that failed may have done is harmless to repeat. */
#ifndef UPBEAT_STORE_MAINTENANCE_H
#define UPBEAT_STORE_MAINTENANCE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/validate.h"
#include "db/database.h"
#include <stdint.h>

/* In one call, so that each is short. */
enum { HISTORY_ROLL_UP_HOSTS = 10, HISTORY_FORGET_PAGES = 500 };

struct maintenance;

struct due_host {
    char host[HOST_MAX_BYTES + 1];
    int64_t late_ms;  /* since it was due; -1: it never had a snapshot */
    int64_t every_ms; /* how often it is asked for */
};

struct due_list {
    struct due_host *items; /* longest due first */
    size_t count;
};

struct maintenance_periods {
    int raw_hours;
    int minute_days;
    int quarter_months;
};

/* As store_new(). */
enum status maintenance_new(struct maintenance **history_r, const char *conninfo, bool prepare) MUST_CHECK;

/* NULL is allowed. */
void maintenance_free(struct maintenance *history);

/* The hosts that are due now; `host`: that one alone, NULL: all. The arena owns the list. */
enum status maintenance_due(struct maintenance *history, const char *host, struct arena *arena,
                            struct deadline deadline, struct due_list *list_r) MUST_CHECK;

/* Rolls up what is over, of at most HISTORY_ROLL_UP_HOSTS hosts. *done_r: of how many it was; 0: all is done,
 * or somebody else is at it. */
enum status maintenance_roll_up(struct maintenance *history, struct deadline deadline,
                                int *done_r) MUST_CHECK;

/* Makes partitions ahead and drops those that are over, each in a transaction of its own, so that no publish
 * waits for long. *done_r: how many. One that is in use is left for another time. */
enum status maintenance_maintain(struct maintenance *history, const struct maintenance_periods *periods,
                                 struct deadline deadline, int *done_r) MUST_CHECK;

/* Forgets HISTORY_FORGET_PAGES pages at most that stand in nothing any more that is kept. *done_r: how many;
 * 0: there are none, or roll-ups lag. */
enum status maintenance_forget(struct maintenance *history, const struct maintenance_periods *periods,
                               struct deadline deadline, int *done_r) MUST_CHECK;

#endif
