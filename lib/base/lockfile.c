#include "base/lockfile.h"

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

enum status lockfile_init(struct slots *slots, const char *run_dir, const char *name, int count)
{
    struct slots made = {run_dir, name, count};
    for (int i = 0; i < count; i++) {
        int fd = open_slot(&made, i);
        if (fd < 0)
            return STATUS_FAILED;
        close(fd);
    }
    *slots = made;
    return STATUS_OK;
}

static int lock_slot(const struct slots *slots, int number, int how)
{
    int fd = open_slot(slots, number);
    if (fd < 0 || flock(fd, how | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

int lockfile_take_one(const struct slots *slots, int number)
{
    return lock_slot(slots, number, LOCK_EX);
}

int lockfile_take(const struct slots *slots, int *number_r)
{
    int slot = -1;
    int number = 0;
    while (number < slots->count && (slot = lockfile_take_one(slots, number)) < 0)
        number++;
    if (number_r)
        *number_r = number;
    return slot;
}

bool lockfile_is_taken(const struct slots *slots, int number)
{
    int fd = lock_slot(slots, number, LOCK_SH); /* a shared lock, so that two processes that look at once do
                                                   not take each other for the owner */
    lockfile_release(fd);
    return fd < 0;
}

void lockfile_release(int slot)
{
    if (slot >= 0)
        close(slot);
}
