#include "base/status.h"

const char *status_text(enum status result)
{
    static const char *const texts[STATUS_RESULTS] = {
        [STATUS_OK] = "ok",
        [STATUS_INVALID] = "not of the expected form",
        [STATUS_TOO_LARGE] = "too large",
        [STATUS_NO_MEMORY] = "out of memory",
        [STATUS_TIMEOUT] = "timed out",
        [STATUS_UNREACHABLE] = "not reachable",
        [STATUS_REFUSED] = "key or host refused",
        [STATUS_RATE_LIMITED] = "too many requests",
        [STATUS_FAILED] = "answered with an error",
    };
    return (unsigned)result < STATUS_RESULTS ? texts[result] : "unknown result";
}
