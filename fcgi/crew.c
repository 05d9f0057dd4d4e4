#include "crew.h"

enum status crew_join(struct crew *crew, const char *run_dir, int workers)
{
    struct slots ranks;
    *crew = (struct crew){.ready_slot = -1, .rank_slot = -1, .first = workers, .last = workers};
    enum status result = lockfile_init(&ranks, run_dir, "rank", workers);
    if (result == STATUS_OK)
        result = lockfile_init(&crew->ready, run_dir, "ready", workers + 1);
    if (result == STATUS_OK)
        crew->rank_slot = lockfile_take(&ranks, &crew->rank);
    return result;
}

void crew_leave(struct crew *crew)
{
    lockfile_release(crew->ready_slot);
    lockfile_release(crew->rank_slot);
    crew->ready_slot = -1;
    crew->rank_slot = -1;
}

void crew_say_ready(struct crew *crew, bool is_ready)
{
    if (is_ready && crew->ready_slot < 0) {
        crew->ready_slot = lockfile_take_one(&crew->ready, crew->rank);
    } else if (!is_ready) {
        lockfile_release(crew->ready_slot);
        crew->ready_slot = -1;
    }
}

bool crew_is_ready(const struct crew *crew)
{
    return crew->ready_slot >= 0;
}

bool crew_has_ready_before(const struct crew *crew)
{
    for (int rank = 0; rank < crew->rank; rank++) {
        if (lockfile_is_taken(&crew->ready, rank))
            return true;
    }
    return false;
}

int crew_next_ready(struct crew *crew, bool pass_on)
{
    int count = crew->ready.count;
    if (pass_on)
        crew->first = (crew->last > 0 ? crew->last : count) - 1;
    for (int below = 0; below < count; below++) {
        int rank = (crew->first - below + count) % count;
        if (rank != crew->rank && lockfile_is_taken(&crew->ready, rank))
            return crew->last = rank;
    }
    return -1;
}
