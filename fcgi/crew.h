/* The workers of a pool among each other: each has a rank, and says whether it takes newcomers. By slots
 * (slots.h), so that whoever dies, however it dies, no longer counts. */
#ifndef UPBEAT_FCGI_CREW_H
#define UPBEAT_FCGI_CREW_H

#include "base/lockfile.h"
#include "base/status.h"
#include <stdbool.h>

struct crew {
    struct slots ready; /* a slot for each rank */
    int ready_slot;     /* -1: we are not */
    int rank_slot;
    int first; /* where crew_next_ready() begins */
    int last;  /* what it gave last */
    int rank;  /* from 0; as many as there are workers where a pool is replaced while it runs */
};

/* Takes the lowest free rank, for as long as we live. STATUS_FAILED: `run_dir`, which must outlive the crew,
 * can't be written to (errno says why). */
enum status crew_join(struct crew *crew, const char *run_dir, int workers) MUST_CHECK;

void crew_leave(struct crew *crew);

/* Says whether we take newcomers: we have room, and are not about to block. It may go unheard, see
 * crew_is_ready(): where another looks at this moment, or shares our rank; to be said again then. */
void crew_say_ready(struct crew *crew, bool is_ready);

bool crew_is_ready(const struct crew *crew);

/* Is somebody of a lower rank ready? */
bool crew_has_ready_before(const struct crew *crew);

/* A rank but ours that is ready, or -1 where there is none. The highest one, as far from those that serve as
 * there is, and the same one as long as it is ready, since what it has done once it does again for less. If
 * that may come to nothing, or it has enough to do, pass_on: the next one below the one that was given last,
 * from now on. */
int crew_next_ready(struct crew *crew, bool pass_on);

#endif
