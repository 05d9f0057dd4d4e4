#include "pages/event_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STILL_MS = 900000,  /* that a page may look as usual before its event ends */
    AGAIN_MS = 1800000, /* after the end of a rise */
    BACK_MS = 3600000,  /* for so long a page that goes back does not fall, or rise */
    RECORD_MS = 86400000,
    SITE_MS = 300000,
    GAP_MS = 300000,
    HEADLINE_MS = 900000,
    SOURCES_FAST_MS = 20000, /* a rise may be told half a minute after it began, with its causes */
    SOURCES_SLOW_MS = 900000,
};

static const double STILL_RATIO = 1.2;
static const double AGAIN_RATIO = 1.3;
static const double BACK_RATIO = 1.5;
static const double PEAK_SHARE = 0.5;
static const double SITE_BAND = 1.5;

/* A page, or the site. */
struct watch {
    bool is_open;       /* a rise, takeoff or fall */
    struct event event; /* the open one, or the last that ended */
    int64_t still_ms;   /* when it last was what it is called */
    int64_t seen_ms;    /* when the page was last listed */
    double record;      /* 0: none is known */
    int64_t record_ms;  /* when one was told, 0: never */
    bool has_sources;
    float fast[PAGE_SOURCES], slow[PAGE_SOURCES];
};

struct headline {
    uint32_t page;
    int64_t at_ms;
};

struct event_rules {
    struct event_bounds bounds;
    event_see *see;
    void *context;
    struct arrivals *arrivals;
    struct watch **watches; /* by page; NULL: none */
    size_t watch_capacity;
    struct watch site;
    int64_t at_ms; /* of the newest sample, suspect or not; INT64_MIN: none */
    int64_t forgot_ms;
    struct event outage; /* open where began_ms > 0 */
    int64_t outside_ms;  /* since when the site is outside of its band; 0: it is not */
    bool is_above;
    struct headline *headlines;
    size_t headline_count, headline_capacity;
};

struct event_rules *event_rules_new(const struct event_bounds *bounds, event_see *see, void *context)
{
    struct event_rules *rules = calloc(1, sizeof *rules);
    struct arrivals *arrivals = arrivals_new();
    if (!rules || !arrivals) {
        free(rules);
        arrivals_free(arrivals);
        return NULL;
    }
    rules->bounds = *bounds;
    rules->see = see;
    rules->context = context;
    rules->arrivals = arrivals;
    rules->at_ms = INT64_MIN;
    return rules;
}

void event_rules_free(struct event_rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->watch_capacity; i++)
        free(rules->watches[i]);
    free(rules->watches);
    free(rules->headlines);
    arrivals_free(rules->arrivals);
    free(rules);
}

/* Makes it where there is none. NULL: no memory. */
static struct watch *watch_of(struct event_rules *rules, uint32_t page)
{
    if (page == EVENT_SITE)
        return &rules->site;
    if (page >= rules->watch_capacity) {
        size_t capacity = (size_t)page + page / 2 + 64;
        struct watch **watches = realloc(rules->watches, capacity * sizeof(struct watch *));
        if (!watches)
            return NULL;
        memset(watches + rules->watch_capacity, 0,
               (capacity - rules->watch_capacity) * sizeof(struct watch *));
        rules->watches = watches;
        rules->watch_capacity = capacity;
    }
    if (!rules->watches[page])
        rules->watches[page] = calloc(1, sizeof(struct watch));
    return rules->watches[page];
}

static void begin(struct event_rules *rules, const struct event *event)
{
    rules->see(event, EVENT_BEGAN, rules->context);
}

static void end(struct event_rules *rules, struct event *event, int64_t at_ms)
{
    event->ended_ms = at_ms;
    rules->see(event, EVENT_ENDED, rules->context);
}

/* Begins and ends at once. */
static void tell(struct event_rules *rules, struct event *event, int64_t at_ms)
{
    begin(rules, event);
    end(rules, event, at_ms);
}

/* --- Sources -----------------------------------------------------------------------------------------------
 */

static void follow(float *mean, const uint32_t *now, double weight)
{
    for (int i = 0; i < PAGE_SOURCES; i++)
        mean[i] += (float)(((double)now[i] - mean[i]) * weight);
}

/* `slow` stands still while an event is open, so that it tells what was before. */
static void follow_sources(struct watch *watch, const uint32_t *now, double span_ms, bool is_first)
{
    if (!watch->has_sources && is_first) {
        for (int i = 0; i < PAGE_SOURCES; i++)
            watch->fast[i] = watch->slow[i] = (float)now[i];
    }
    watch->has_sources = true;
    follow(watch->fast, now, 1 - exp(-span_ms / SOURCES_FAST_MS));
    if (!watch->is_open)
        follow(watch->slow, now, 1 - exp(-span_ms / SOURCES_SLOW_MS));
}

static void note_sources(struct watch *watch)
{
    struct event *event = &watch->event;
    event->has_sources = watch->has_sources;
    for (int i = 0; i < PAGE_SOURCES && watch->has_sources; i++)
        event->sources[i] = (double)watch->fast[i] - (double)watch->slow[i];
    event->causes = watch->has_sources ? event_causes(event->sources, event->kind == EVENT_FALL) : 0;
}

static enum status see_pages(struct event_rules *rules, const struct event_sample *sample, double span_ms)
{
    for (size_t i = 0; i < sample->list->count; i++) {
        struct watch *watch = watch_of(rules, sample->list->entries[i].page);
        if (!watch)
            return STATUS_NO_MEMORY;
        watch->seen_ms = sample->list->at_ms;
        if (sample->sources)
            follow_sources(watch, sample->sources[i], span_ms, span_ms <= 0);
    }
    return STATUS_OK;
}

/* --- Pages -------------------------------------------------------------------------------------------------
 */

/* It is on its way back from an event of the other direction, or has just had one of the same. */
static bool is_repeated(const struct watch *watch, const struct arrival *page, bool falls, int64_t at_ms)
{
    const struct event *last = &watch->event;
    if (last->began_ms == 0)
        return false;
    int64_t since_ms = watch->is_open ? 0 : at_ms - last->ended_ms;
    bool fell = last->kind == EVENT_FALL;
    if (falls && !fell)
        return since_ms < BACK_MS && page->now * BACK_RATIO > last->expected;
    if (!falls && fell)
        return since_ms < BACK_MS && page->now < BACK_RATIO * last->expected;
    return since_ms < AGAIN_MS && (fell || page->visitors < AGAIN_RATIO * last->peak_visitors);
}

static bool is_in_upper_half(const struct arrivals_look *look, const struct arrival *page)
{
    size_t listed = 0;
    size_t larger = 0;
    for (size_t i = 0; i < look->count; i++) {
        listed += look->pages[i].is_listed;
        larger += look->pages[i].expected > page->expected;
    }
    return 2 * larger < listed;
}

static void keep_open(struct event_rules *rules, struct watch *watch, const struct arrival *page)
{
    struct event *event = &watch->event;
    bool falls = event->kind == EVENT_FALL;
    if (falls ? page->visitors < event->peak_visitors : page->visitors > event->peak_visitors) {
        event->peak_ms = rules->at_ms;
        event->peak_visitors = page->visitors;
        note_sources(watch);
        rules->see(event, EVENT_PEAKED, rules->context);
    }
    if (falls ? page->visitors * STILL_RATIO <= page->expected
              : page->visitors >= STILL_RATIO * page->expected)
        watch->still_ms = rules->at_ms;
    bool is_over = rules->at_ms - watch->still_ms >= STILL_MS ||
                   (!falls && page->visitors < PEAK_SHARE * event->peak_visitors) ||
                   (falls && page->score >= rules->bounds.min_score);
    if (is_over) {
        watch->is_open = false;
        end(rules, event, rules->at_ms);
    }
}

static void begin_page(struct event_rules *rules, struct watch *watch, const struct arrival *page, bool falls)
{
    watch->event = (struct event){
        .kind = falls          ? EVENT_FALL
                : page->is_new ? EVENT_TAKEOFF
                               : EVENT_RISE,
        .page = page->page,
        .began_ms = rules->at_ms,
        .peak_ms = rules->at_ms,
        .visitors = page->now,
        .expected = page->expected,
        .score = page->score,
        .peak_visitors = page->visitors,
        .peak_expected = page->expected,
    };
    note_sources(watch);
    watch->is_open = true;
    watch->still_ms = rules->at_ms;
    begin(rules, &watch->event);
}

static void look_at_page(struct event_rules *rules, const struct arrivals_look *look,
                         const struct arrival *page)
{
    struct watch *watch = page->page < rules->watch_capacity ? rules->watches[page->page] : NULL;
    if (!watch)
        return;
    if (watch->is_open)
        keep_open(rules, watch, page);
    if (watch->record > 0 && page->visitors > watch->record &&
        (watch->record_ms == 0 || rules->at_ms - watch->record_ms >= RECORD_MS)) {
        struct event record = {EVENT_RECORD,
                               page->page,
                               rules->at_ms,
                               rules->at_ms,
                               0,
                               page->visitors,
                               watch->record,
                               page->score,
                               page->visitors,
                               watch->record,
                               false,
                               {0},
                               0};
        watch->record_ms = rules->at_ms;
        tell(rules, &record, rules->at_ms);
    }
    bool rises = page->score >= rules->bounds.min_score && page->now >= rules->bounds.min_visitors &&
                 page->now >= rules->bounds.min_ratio * page->expected;
    bool falls = page->score <= -rules->bounds.min_score;
    if (watch->is_open || (!rises && !falls) || is_repeated(watch, page, falls, rules->at_ms) ||
        (falls && !is_in_upper_half(look, page)))
        return;
    begin_page(rules, watch, page, falls);
}

/* --- The site ----------------------------------------------------------------------------------------------
 */

static void look_at_site(struct event_rules *rules, const struct event_sample *sample, double total)
{
    struct watch *site = &rules->site;
    struct event event = {.page = EVENT_SITE,
                          .began_ms = rules->at_ms,
                          .peak_ms = rules->at_ms,
                          .visitors = total,
                          .peak_visitors = total};
    if (site->record > 0 && total > site->record &&
        (site->record_ms == 0 || rules->at_ms - site->record_ms >= RECORD_MS)) {
        event.kind = EVENT_RECORD;
        event.expected = event.peak_expected = site->record;
        site->record_ms = rules->at_ms;
        tell(rules, &event, rules->at_ms);
    }
    if (isnan(sample->usual_low) || isnan(sample->usual_high))
        return;
    bool is_above = total > SITE_BAND * sample->usual_high;
    bool is_outside = is_above || total * SITE_BAND < sample->usual_low;
    if (site->is_open && (!is_outside || is_above != (site->event.kind == EVENT_SITE_HIGH))) {
        site->is_open = false;
        end(rules, &site->event, rules->at_ms);
    }
    if (!is_outside || is_above != rules->is_above)
        rules->outside_ms = 0;
    if (is_outside && rules->outside_ms == 0)
        rules->outside_ms = rules->at_ms;
    rules->is_above = is_above;
    if (is_outside && !site->is_open && rules->at_ms - rules->outside_ms >= SITE_MS) {
        event.kind = is_above ? EVENT_SITE_HIGH : EVENT_SITE_LOW;
        event.expected = event.peak_expected = is_above ? sample->usual_high : sample->usual_low;
        site->event = event;
        site->is_open = true;
        begin(rules, &event);
    }
    if (site->is_open && (is_above ? total > site->event.peak_visitors : total < site->event.peak_visitors)) {
        site->event.peak_visitors = total;
        site->event.peak_ms = rules->at_ms;
        rules->see(&site->event, EVENT_PEAKED, rules->context);
    }
}

static void look_at_headlines(struct event_rules *rules)
{
    size_t kept = 0;
    for (size_t i = 0; i < rules->headline_count; i++) {
        const struct headline *headline = &rules->headlines[i];
        struct arrivals_effect effect = {0};
        /* The minute of the change is whole, and 15 after it. */
        if (rules->at_ms - headline->at_ms < HEADLINE_MS + GAP_MS / 5) {
            rules->headlines[kept++] = *headline;
            continue;
        }
        if (!arrivals_effect(rules->arrivals, headline->page, headline->at_ms, &effect))
            continue;
        struct event event = {.kind = EVENT_HEADLINE,
                              .page = headline->page,
                              .began_ms = headline->at_ms,
                              .peak_ms = rules->at_ms,
                              .visitors = effect.after,
                              .expected = effect.expected,
                              .score = effect.score,
                              .peak_visitors = effect.before,
                              .peak_expected = effect.before};
        tell(rules, &event, rules->at_ms);
    }
    rules->headline_count = kept;
}

/* --- Looks -------------------------------------------------------------------------------------------------
 */

static void begin_outage(struct event_rules *rules, int64_t at_ms)
{
    if (rules->outage.began_ms > 0)
        return;
    rules->outage =
        (struct event){.kind = EVENT_OUTAGE, .page = EVENT_SITE, .began_ms = at_ms, .peak_ms = at_ms};
    begin(rules, &rules->outage);
}

static void forget_old(struct event_rules *rules)
{
    for (size_t i = 0; i < rules->watch_capacity; i++) {
        struct watch *watch = rules->watches[i];
        if (!watch || rules->at_ms - watch->seen_ms <= 2 * (int64_t)ARRIVALS_FORGET_MS)
            continue;
        if (watch->is_open)
            end(rules, &watch->event, rules->at_ms);
        free(watch);
        rules->watches[i] = NULL;
    }
    rules->forgot_ms = rules->at_ms;
}

void event_rules_wait(struct event_rules *rules, int64_t now_ms)
{
    if (rules->at_ms != INT64_MIN && now_ms - rules->at_ms >= GAP_MS)
        begin_outage(rules, rules->at_ms + GAP_MS);
}

enum status event_rules_look(struct event_rules *rules, const struct event_sample *sample)
{
    struct arrivals_look look;
    int64_t at_ms = sample->list->at_ms;
    if (at_ms <= rules->at_ms || at_ms < 0)
        return STATUS_INVALID;
    double span_ms = rules->at_ms == INT64_MIN ? 0 : (double)(at_ms - rules->at_ms);
    rules->at_ms = at_ms;
    if (sample->is_suspect) {
        begin_outage(rules, at_ms);
        return STATUS_OK;
    }
    if (rules->outage.began_ms > 0) {
        end(rules, &rules->outage, at_ms);
        rules->outage = (struct event){0};
    }
    enum status result = arrivals_look(rules->arrivals, sample->list, &look);
    if (result == STATUS_OK)
        result = see_pages(rules, sample, span_ms);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < look.count; i++)
        look_at_page(rules, &look, &look.pages[i]);
    look_at_site(rules, sample, look.total);
    look_at_headlines(rules);
    if (at_ms - rules->forgot_ms >= GAP_MS)
        forget_old(rules);
    return STATUS_OK;
}

enum status event_rules_headline(struct event_rules *rules, uint32_t page, int64_t at_ms)
{
    if (rules->headline_count == rules->headline_capacity) {
        size_t capacity = 2 * rules->headline_capacity + 16;
        struct headline *headlines = realloc(rules->headlines, capacity * sizeof *headlines);
        if (!headlines)
            return STATUS_NO_MEMORY;
        rules->headlines = headlines;
        rules->headline_capacity = capacity;
    }
    rules->headlines[rules->headline_count++] = (struct headline){page, at_ms};
    return STATUS_OK;
}

void event_rules_close(struct event_rules *rules)
{
    for (size_t i = 0; i < rules->watch_capacity; i++) {
        if (rules->watches[i]) {
            rules->watches[i]->is_open = false;
            rules->watches[i]->event = (struct event){0};
        }
    }
    rules->site.is_open = false;
    rules->outage = (struct event){0};
}

enum status event_rules_record(struct event_rules *rules, uint32_t page, double maximum)
{
    struct watch *watch = watch_of(rules, page);
    if (!watch)
        return STATUS_NO_MEMORY;
    if (page != EVENT_SITE && watch->seen_ms == 0)
        watch->seen_ms = rules->at_ms == INT64_MIN ? 0 : rules->at_ms;
    watch->record = maximum;
    return STATUS_OK;
}

enum status event_rules_restore(struct event_rules *rules, const struct event *event)
{
    if (event->kind == EVENT_OUTAGE) {
        rules->outage = *event;
        return STATUS_OK;
    }
    struct watch *watch = watch_of(rules, event->page);
    if (!watch)
        return STATUS_NO_MEMORY;
    if (watch->seen_ms == 0)
        watch->seen_ms = event->began_ms;
    watch->event = *event;
    watch->is_open = event->ended_ms == 0;
    watch->still_ms = rules->at_ms == INT64_MIN ? event->began_ms : rules->at_ms;
    return STATUS_OK;
}
