/* The fetcher: the only process that talks to Chartbeat. Brings together the table of refreshes (fetches.h),
 * the socket on which workers ask (refresh/server.h), the hosts that are due by the clock, and the refreshes
 * themselves (upstream/refresh.h). One loop, of one thread: it waits for Chartbeat, for workers and for the
 * clock together, and for PostgreSQL alone, each call of which takes many hosts and is bounded by
 * LEASE_STEP_MS. */
#ifndef UPBEAT_FCGI_FETCHER_H
#define UPBEAT_FCGI_FETCHER_H

#include "base/arena.h"
#include "base/secret_box.h"
#include "base/settings.h"
#include "base/status.h"
#include "store/lease.h"

struct fetcher;

enum fetcher_outcome {
    FETCHER_STORED,  /* a new snapshot */
    FETCHER_SKIPPED, /* somebody else is at it, or did it, or there is back-off, or the budget is used up */
    FETCHER_FAILED,  /* Chartbeat, or the storing, failed */
};

/* How one host came out. */
struct fetcher_event {
    const char *host;
    enum fetcher_outcome outcome;
    const char *why; /* in words, of what was skipped or failed; "" otherwise */
    int64_t took_ms;
};

struct fetcher_totals {
    size_t due, stored, skipped, failed;
};

typedef void fetcher_report(void *context, const struct fetcher_event *event);

/* A fetcher that workers ask on the listening socket listen_fd; -1: it has none. From now on TERM, INT and
 * USR1 only tell it to stop. `settings` and `secret_box` must outlive it; `report` may be NULL.
 * STATUS_INVALID: an address that libcurl does not take, or a descriptor that does not listen; STATUS_FAILED:
 * no descriptors; STATUS_NO_MEMORY. On an error *fetcher_r is untouched. */
enum status fetcher_new(struct fetcher **fetcher_r, const struct settings *settings,
                        const struct secret_box *secret_box, int listen_fd, fetcher_report *report,
                        void *context) MUST_CHECK;

/* NULL is allowed. */
void fetcher_free(struct fetcher *fetcher);

/* The hosts that are due, as of lease_due(). */
enum status fetcher_due(struct fetcher *fetcher, const char *host, struct arena *arena,
                        struct due_list *list_r) MUST_CHECK;

/* Refreshes each host of the list once; tells `report` of each as it ends. Told to stop, it begins nothing
 * new, and what is under way ends within its time-outs. Always fills in *totals_r. STATUS_OK also where hosts
 * failed; STATUS_UNREACHABLE or STATUS_TIMEOUT: the database went away, and the rest of the list was left. */
enum status fetcher_round(struct fetcher *fetcher, const struct due_list *list,
                          struct fetcher_totals *totals_r) MUST_CHECK;

/* Serves workers, and refreshes what is due, until it is told to stop; then ends what is under way. */
void fetcher_run(struct fetcher *fetcher);

#endif
