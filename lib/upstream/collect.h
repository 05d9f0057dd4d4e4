/* One round of the collector: asks Chartbeat for every host that is due, many at once, with the same claim,
 * budget, back-off and publishing as the workers (refresh.h). */
#ifndef UPBEAT_UPSTREAM_COLLECT_H
#define UPBEAT_UPSTREAM_COLLECT_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret_box.h"
#include "base/settings.h"
#include "base/status.h"
#include "store/maintenance.h"
#include <signal.h>

struct collector;

enum collect_outcome {
    COLLECT_STORED,  /* a new snapshot */
    COLLECT_SKIPPED, /* somebody else is at it, or did it, or there is back-off, or the budget is used up */
    COLLECT_FAILED,  /* Chartbeat, or the storing, failed */
};

/* How one host came out. */
struct collect_event {
    const char *host;
    enum collect_outcome outcome;
    const char *why; /* in words, of what was skipped or failed; "" otherwise */
    int64_t took_ms;
};

struct collect_totals {
    size_t due, stored, skipped, failed;
};

typedef void collect_report(void *context, const struct collect_event *event);

/* `settings` and `secret_box` must outlive it. STATUS_INVALID: an address that libcurl does not take.
 * STATUS_NO_MEMORY. On an error *collector_r is untouched. */
enum status collect_new(struct collector **collector_r, const struct settings *settings,
                        const struct secret_box *secret_box) MUST_CHECK;

/* NULL is allowed. */
void collect_free(struct collector *collector);

/* Who is due, as maintenance_due(). The arena owns the list. */
enum status collect_due(struct collector *collector, const char *host, struct arena *arena,
                        struct due_list *list_r) MUST_CHECK;

/* Asks for each host of the list once; tells `report` of each as it ends. When *stop becomes true nothing new
 * is started, and what is under way ends within its time-outs. Always fills in *totals_r. STATUS_OK also
 * where hosts failed; STATUS_UNREACHABLE or STATUS_TIMEOUT: the database went away, and the rest of the list
 * was left. */
enum status collect_round(struct collector *collector, const struct due_list *list,
                          const volatile sig_atomic_t *stop, collect_report *report, void *context,
                          struct collect_totals *totals_r) MUST_CHECK;

/* Keeps partitions ahead of time, rolls up what is over, and forgets pages that stand in nothing any more;
 * begins nothing after for_ms. *more_r: there is more to roll up. Errors as in history.h. */
enum status collect_remember(struct collector *collector, int for_ms, bool *more_r) MUST_CHECK;

#endif
