/* An event: that something happened on a site, and what is known of it. event_rules.h says when one begins
 * and ends. */
#ifndef UPBEAT_PAGES_EVENT_H
#define UPBEAT_PAGES_EVENT_H

#include "pages/page_list.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_SITE UINT32_MAX /* in place of a page */

enum event_kind {
    EVENT_RISE,
    EVENT_TAKEOFF,
    EVENT_FALL,
    EVENT_RECORD,
    EVENT_SITE_HIGH,
    EVENT_SITE_LOW,
    EVENT_HEADLINE,
    EVENT_OUTAGE,
    EVENT_KINDS
};

struct event {
    enum event_kind kind;
    uint32_t page;    /* or EVENT_SITE */
    int64_t began_ms; /* the look at which it was told, never dated back; of a headline its change */
    int64_t peak_ms;  /* of the most visitors, of a fall the fewest */
    int64_t ended_ms; /* 0: it is open */
    double visitors, expected, score; /* at its begin; of a headline the mean after, and what chance gives */
    double peak_visitors;             /* at its peak; of a headline the mean before */
    double peak_expected;             /* before the event began: later what is expected follows the page */
    bool has_sources;
    double sources[PAGE_SOURCES]; /* change of each, from before its begin to its peak */
    uint32_t causes;              /* bits of enum page_source, by event_causes(); 0: not known */
};

/* The smallest set of sources that makes up two thirds of the change in its direction, as bits; 0: none
 * changed that way. */
uint32_t event_causes(const double *change, bool falls);

/* "rise", "takeoff" ... Static storage. */
const char *event_kind_name(enum event_kind kind);

/* "search", "social", "links", "direct", "internal". Static storage. */
const char *event_source_name(enum page_source source);

#endif
