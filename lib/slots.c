#include "slots.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

static int open_slot(const struct slots *slots, int number)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s.%d", slots->run_dir, slots->name, number);
    if (len < 0 || (size_t)len >= sizeof path)
        return -1;
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

enum up_result slots_init(struct slots *slots, const char *run_dir, const char *name, int count)
{
    struct slots made = {run_dir, name, count};
    for (int i = 0; i < count; i++) {
        int fd = open_slot(&made, i);
        if (fd < 0)
            return UP_FAILED;
        close(fd);
    }
    *slots = made;
    return UP_OK;
}

int slots_take(const struct slots *slots)
{
    for (int i = 0; i < slots->count; i++) {
        int fd = open_slot(slots, i);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

void slots_release(int slot)
{
    if (slot >= 0)
        close(slot);
}
