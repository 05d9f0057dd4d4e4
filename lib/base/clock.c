#include "base/clock.h"

#include <limits.h>
#include <time.h>

int64_t clock_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct deadline deadline_in(int64_t after_ms)
{
    return (struct deadline){clock_monotonic_ms() + after_ms};
}

struct deadline deadline_within(struct deadline deadline, int64_t after_ms)
{
    struct deadline step = deadline_in(after_ms);
    return step.at_ms < deadline.at_ms ? step : deadline;
}

int deadline_left_ms(struct deadline deadline)
{
    int64_t left = deadline.at_ms - clock_monotonic_ms();
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

void deadline_sleep(struct deadline deadline, int64_t for_ms)
{
    int64_t left = deadline_left_ms(deadline);
    if (for_ms > left)
        for_ms = left;
    struct timespec span = {.tv_sec = for_ms / 1000, .tv_nsec = for_ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}
