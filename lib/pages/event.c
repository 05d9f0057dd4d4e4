#include "pages/event.h"

#include <math.h>

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[EVENT_KINDS] = {"rise",      "takeoff",  "fall",     "record",
                                                   "site_high", "site_low", "headline", "outage"};
    return names[kind];
}

const char *event_source_name(enum page_source source)
{
    static const char *const names[PAGE_SOURCES] = {[SOURCE_SEARCH] = "search",
                                                    [SOURCE_SOCIAL] = "social",
                                                    [SOURCE_LINKS] = "links",
                                                    [SOURCE_DIRECT] = "direct",
                                                    [SOURCE_INTERNAL] = "internal"};
    return names[source];
}

uint32_t event_causes(const double *change, bool falls)
{
    static const double share = 2.0 / 3;
    double sign = falls ? -1 : 1;
    double whole = 0;
    double part = 0;
    uint32_t causes = 0;
    for (int i = 0; i < PAGE_SOURCES; i++)
        whole += fmax(0, sign * change[i]);
    while (part < share * whole) {
        int most = -1;
        for (int i = 0; i < PAGE_SOURCES; i++) {
            if (!(causes & 1U << i) && (most < 0 || sign * change[i] > sign * change[most]))
                most = i;
        }
        if (most < 0 || sign * change[most] <= 0)
            break; /* rounding alone is left */
        causes |= 1U << most;
        part += sign * change[most];
    }
    return causes;
}
