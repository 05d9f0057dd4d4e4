/* What is worth a word on a site: one look per sample, the clock given, nothing asked of anybody.
 *
 * - rise, takeoff (of a page that is new to the list), fall (of a page in the list's upper half): the score
 * of arrivals.h is min_score or more, or -min_score or less. It ends when the page has not been a fifth above
 * (below) what is expected for 15 minutes, or a rise has fallen to half of its peak. A rise that ended begins
 * again only after half an hour, or at 1.3 times its peak; a page that goes back from a rise does not fall,
 * and one that comes back from a fall does not rise.
 * - record: the site or a page above the maximum that it was given; once a day.
 * - site_high, site_low: the site outside of 1.5 times its usual band for 5 minutes; ends when it is back
 * inside.
 * - headline: 15 minutes after a title changed, with what it did.
 * - outage: a suspect sample, or no sample for 5 minutes; ends with the next good one.
 *
 * While too little is known (after a start, a gap), and of suspect samples, nothing rises, falls or stands
 * out. */
#ifndef UPBEAT_PAGES_EVENT_RULES_H
#define UPBEAT_PAGES_EVENT_RULES_H

#include "pages/arrivals.h"
#include "pages/event.h"
#include "pages/page_list.h"

#define EVENT_MIN_SCORE 6.0

enum event_step { EVENT_BEGAN, EVENT_PEAKED, EVENT_ENDED };

/* Gets each event as it begins, whenever it has a new peak after, and as it ends; the event is gone after the
 * call. */
typedef void event_see(const struct event *event, enum event_step step, void *context);

struct event_bounds {
    double min_score;               /* EVENT_MIN_SCORE */
    double min_visitors, min_ratio; /* of a rise; 0: as the score says */
};

struct event_sample {
    const struct trend_sample *list;
    const uint32_t (*sources)[PAGE_SOURCES]; /* by entry of the list; NULL: not known */
    bool is_suspect;
    double usual_low, usual_high; /* of the site's total; NAN: not known */
};

struct event_rules;

/* NULL: no memory. */
struct event_rules *event_rules_new(const struct event_bounds *bounds, event_see *see, void *context);

/* NULL is allowed. */
void event_rules_free(struct event_rules *rules);

/* One sample. STATUS_INVALID: it is not younger than the one before. STATUS_NO_MEMORY: what was not told
 * before may be lost; go on with a new struct event_rules. */
enum status event_rules_look(struct event_rules *rules, const struct event_sample *sample) MUST_CHECK;

/* Time passes without a sample though there should be some: an outage begins 5 minutes after the newest. The
 * look that follows ends it. A gap that nobody tells of is none: a host that nobody asks for is left alone.
 */
void event_rules_wait(struct event_rules *rules, int64_t now_ms);

/* A page's title changed at that time, no later than the newest sample. STATUS_NO_MEMORY. */
enum status event_rules_headline(struct event_rules *rules, uint32_t page, int64_t at_ms) MUST_CHECK;

/* The maximum of what is known of a page or of EVENT_SITE, above which it sets a record. STATUS_NO_MEMORY. */
enum status event_rules_record(struct event_rules *rules, uint32_t page, double maximum) MUST_CHECK;

/* Forgets every event, open or over, without a word: what was looked at so far was the past of an earlier
 * run. */
void event_rules_close(struct event_rules *rules);

/* Goes on with an event that was told by an earlier run, and is open or was over lately. STATUS_NO_MEMORY. */
enum status event_rules_restore(struct event_rules *rules, const struct event *event) MUST_CHECK;

#endif
