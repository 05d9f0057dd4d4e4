#include "result.h"

const char *result_text(enum up_result result)
{
    static const char *const texts[UP_RESULTS] = {
        [UP_OK] = "ok",
        [UP_INVALID] = "not of the expected form",
        [UP_TOO_LARGE] = "too large",
        [UP_NO_MEMORY] = "out of memory",
        [UP_TIMEOUT] = "timed out",
        [UP_UNREACHABLE] = "not reachable",
        [UP_REFUSED] = "key or host refused",
        [UP_LIMITED] = "too many requests",
        [UP_FAILED] = "answered with an error",
    };
    return (unsigned)result < UP_RESULTS ? texts[result] : "unknown result";
}
