/* The refreshes of a fetcher, from the claim to the answer: claims the leases of hosts that are queued in the
 * table (upstream/fetches.h), asks Chartbeat, stores what came, and tells each worker that waits how it
 * ended. The loop in fetcher.c says when each step is taken; each step makes at most a few calls of the
 * database. */
#ifndef UPBEAT_FCGI_REFRESHES_H
#define UPBEAT_FCGI_REFRESHES_H

#include "base/settings.h"
#include "fetcher.h"
#include "refresh/server.h"
#include "store/lease.h"
#include "upstream/chartbeat.h"
#include "upstream/fetches.h"
#include "upstream/refresh.h"

#include <stdbool.h>

/* Of one step at the database in all, since workers hear nothing meanwhile: see REFRESH_SILENCE_MS. */
enum { REFRESHES_STEP_MS = 800 };

/* The owner sets the parts and frees them; what follows `context` is written here. */
struct refreshes {
    const struct settings *settings;
    struct database *database;
    struct chartbeat *chartbeat;
    struct refresh_parts parts;
    struct fetches *fetches;
    struct refresh_server *server;
    fetcher_report *report; /* NULL: nobody wants to know */
    void *context;
    struct fetcher_totals totals;
    enum status lost;                    /* of the database, in a round */
    int running;                         /* requests to Chartbeat */
    struct fetch *unstored[LEASE_BATCH]; /* could not be asked for: their failure is to be recorded */
    size_t unstored_count;
    bool has_more; /* answers that were not read in this turn */
};

/* How a refresh ended, for refreshes_answer_waiter(). */
struct refreshes_answer {
    struct refreshes *refreshes;
    enum refresh_outcome outcome;
    int wait_ms;
};

/* Tells a worker that waits; `context` is a struct refreshes_answer. As fetches_end() calls it. */
void refreshes_answer_waiter(void *context, const struct fetch *fetch, const struct fetch_waiter *waiter);

/* Frees what a refresh holds: for fetches_free(). */
void refreshes_drop_job(void *job);

/* The end of every refresh: tells all who wait for it, and takes it out of the table. */
void refreshes_end(struct refreshes *refreshes, struct fetch *fetch, enum refresh_outcome outcome,
                   int wait_ms);

/* For how many more hosts Chartbeat may be asked now. */
int refreshes_room(const struct refreshes *refreshes);

/* Claims as many queued hosts as Chartbeat may be asked for now, in one round trip, and asks for them. */
void refreshes_claim(struct refreshes *refreshes);

/* Looks at the leases of other processes that refreshes wait for. The lease of another process is over once
 * its row says so: then the claim says what came of it. */
void refreshes_look_at_held(struct refreshes *refreshes);

/* Reads the answers that have come, as many as are stored in one round trip, and stores them. */
void refreshes_store(struct refreshes *refreshes);

#endif
