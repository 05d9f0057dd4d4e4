#include "watch.h"

#include "alert/deliver.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/validate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    STATEMENT_MS = 12000,
    ROWS_MAX = 100000, /* of one snapshot */
    EVENTS_MAX_BYTES = 8 * 1024 * 1024,
    QUARTER_MS = 900000,
    DAY_MS = 86400000,
    AGAIN_MS = 7000, /* until a server that has taken the place of a lost one is found on a busy machine */
};

/* The outbox has no turn while a statement waits. */
static_assert(DELIVER_STATEMENT_MS + STATEMENT_MS + AGAIN_MS < (int)DELIVER_LEASE_MS,
              "what was delivered meanwhile is stored within its lease");

static const time_us PAST_US = 45 * INT64_C(60000000);   /* that a new watch looks at without a word */
static const time_us FIRST_US = 120 * INT64_C(60000000); /* before the newest snapshot of a new host */
static const time_us SLICE_US = 30 * INT64_C(60000000);  /* in one look */
static const time_us RECENT_US = 60 * INT64_C(60000000); /* events that were over since may keep one quiet */
static const time_us HEADLINE_US = 17 * INT64_C(60000000); /* after which a change of a title was told */

/* The event rules number the pages of a host from 0. */
struct page_number {
    int32_t page_id;
    uint32_t number;
    UT_hash_handle hh;
};

struct watch {
    char host[HOST_MAX_BYTES + 1];
    time_us looked_at;  /* 0: not begun */
    time_us past_until; /* what was there before the first look of all; today's usual says nothing of it */
    struct event_rules *rules;
    struct page_number *numbers;
    int32_t *page_ids; /* by number */
    size_t page_count, page_capacity;
    struct trend_entry *entries;
    uint32_t (*sources)[PAGE_SOURCES];
    size_t row_capacity;
    struct event *found; /* in this look */
    size_t found_count, found_capacity;
    int told_count; /* of these that began or ended; the others have a new peak, which a later run goes on
                       from */
    bool is_quiet, is_out_of_memory;
    struct event_usual usual;
    int64_t usual_slot;  /* of which quarter of an hour `usual` is */
    int64_t records_day; /* on which the records were read */
};

/* What happened to one event in one look is stored at once. */
static void note(const struct event *event, enum event_step step, void *context)
{
    struct watch *watch = context;
    if (watch->is_quiet)
        return;
    watch->told_count += step != EVENT_PEAKED;
    for (size_t i = watch->found_count; i > 0; i--) {
        struct event *known = &watch->found[i - 1];
        if (known->kind == event->kind && known->page == event->page && known->began_ms == event->began_ms) {
            *known = *event;
            return;
        }
    }
    if (watch->found_count == watch->found_capacity) {
        size_t capacity = 2 * watch->found_capacity + 16;
        struct event *found = realloc(watch->found, capacity * sizeof *found);
        if (!found) {
            watch->is_out_of_memory = true;
            return;
        }
        watch->found = found;
        watch->found_capacity = capacity;
    }
    watch->found[watch->found_count++] = *event;
}

struct watch *watch_new(const char *host)
{
    const struct event_bounds bounds = {.min_score = EVENT_MIN_SCORE};
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    snprintf(watch->host, sizeof watch->host, "%s", host);
    watch->usual = (struct event_usual){NAN, NAN};
    watch->rules = event_rules_new(&bounds, note, watch);
    if (watch->rules)
        return watch;
    free(watch);
    return NULL;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    struct page_number *number = watch->numbers;
    HASH_CLEAR(hh, watch->numbers);
    while (number) {
        struct page_number *next = number->hh.next;
        free(number);
        number = next;
    }
    event_rules_free(watch->rules);
    free(watch->page_ids);
    free(watch->entries);
    free(watch->sources);
    free(watch->found);
    free(watch);
}

const char *watch_host(const struct watch *watch)
{
    return watch->host;
}

static bool number_of(struct watch *watch, int32_t page_id, uint32_t *number_r)
{
    struct page_number *known = NULL;
    HASH_FIND(hh, watch->numbers, &page_id, sizeof page_id, known);
    if (!known) {
        if (watch->page_count == watch->page_capacity) {
            size_t capacity = 2 * watch->page_capacity + 256;
            int32_t *page_ids = realloc(watch->page_ids, capacity * sizeof *page_ids);
            if (!page_ids)
                return false;
            watch->page_ids = page_ids;
            watch->page_capacity = capacity;
        }
        known = calloc(1, sizeof *known);
        if (!known)
            return false;
        known->page_id = page_id;
        known->number = (uint32_t)watch->page_count;
        HASH_ADD(hh, watch->numbers, page_id, sizeof known->page_id, known);
        if (!known->hh.tbl) {
            free(known);
            return false;
        }
        watch->page_ids[watch->page_count++] = page_id;
    }
    *number_r = known->number;
    return true;
}

/* --- Samples -----------------------------------------------------------------------------------------------
 */

static bool make_room(struct watch *watch, size_t rows)
{
    if (rows <= watch->row_capacity)
        return true;
    size_t capacity = rows + rows / 2 + 128;
    struct trend_entry *entries = realloc(watch->entries, capacity * sizeof *entries);
    if (entries)
        watch->entries = entries;
    uint32_t(*sources)[PAGE_SOURCES] = realloc(watch->sources, capacity * sizeof *sources);
    if (sources)
        watch->sources = sources;
    if (entries && sources)
        watch->row_capacity = capacity;
    return entries && sources;
}

/* Gives the rules the snapshot that begins at this row; *next_r: the row after it. */
static enum status see_sample(struct watch *watch, const struct database_rows *rows, size_t first,
                              size_t *next_r)
{
    const struct event_row head = event_log_row(rows, first);
    struct trend_sample list = {.at_ms = head.taken_at / 1000, .row_limit = head.row_limit};
    bool has_sources = true;
    bool has_usual = !watch->is_quiet && head.taken_at > watch->past_until;
    size_t row = first;
    for (; row < database_rows_count(rows); row++) {
        const struct event_row one = event_log_row(rows, row);
        uint32_t number = 0;
        if (one.taken_at != head.taken_at)
            break;
        if (one.page_id == 0 || list.count == ROWS_MAX)
            continue;
        if (!make_room(watch, list.count + 1) || !number_of(watch, one.page_id, &number))
            return STATUS_NO_MEMORY;
        memcpy(watch->sources[list.count], one.sources, sizeof one.sources);
        has_sources = has_sources && one.has_sources;
        watch->entries[list.count++] = (struct trend_entry){number, one.visitors};
    }
    list.entries = watch->entries;
    const struct event_sample sample = {
        .list = &list,
        .sources = has_sources && list.count > 0 ? watch->sources : NULL,
        .is_suspect = head.is_suspect,
        .usual_low = has_usual ? watch->usual.low : NAN,
        .usual_high = has_usual ? watch->usual.high : NAN,
    };
    *next_r = row;
    enum status result = event_rules_look(watch->rules, &sample);
    return result == STATUS_INVALID ? STATUS_OK : result; /* two within a millisecond are one */
}

static enum status see_samples(struct watch *watch, struct database *database, time_us after, time_us until)
{
    struct database_rows *rows = NULL;
    enum status result =
        event_log_samples(database, watch->host, after, until, deadline_in(STATEMENT_MS), &rows);
    if (result != STATUS_OK)
        return result;
    for (size_t row = 0; result == STATUS_OK && row < database_rows_count(rows);)
        result = see_sample(watch, rows, row, &row);
    database_rows_free(rows);
    return watch->is_out_of_memory ? STATUS_NO_MEMORY : result;
}

static enum status see_titles(struct watch *watch, struct database *database, time_us after, time_us until)
{
    struct database_rows *rows = NULL;
    enum status result =
        event_log_titles(database, watch->host, after, until, deadline_in(STATEMENT_MS), &rows);
    if (result != STATUS_OK)
        return result;
    for (size_t row = 0; result == STATUS_OK && row < database_rows_count(rows); row++) {
        int32_t page_id = 0;
        time_us since = 0;
        uint32_t number = 0;
        event_log_title(rows, row, &page_id, &since);
        result = number_of(watch, page_id, &number) ? event_rules_headline(watch->rules, number, since / 1000)
                                                    : STATUS_NO_MEMORY;
    }
    database_rows_free(rows);
    return result;
}

static enum status restore(struct watch *watch, struct database *database, time_us at)
{
    struct database_rows *rows = NULL;
    enum status result =
        event_log_recent(database, watch->host, at - RECENT_US, deadline_in(STATEMENT_MS), &rows);
    if (result != STATUS_OK)
        return result;
    event_rules_close(watch->rules);
    for (size_t row = 0; result == STATUS_OK && row < database_rows_count(rows); row++) {
        struct event event = event_log_event(rows, row);
        uint32_t number = EVENT_SITE;
        if (event.page != EVENT_SITE && !number_of(watch, (int32_t)event.page, &number))
            result = STATUS_NO_MEMORY;
        event.page = number;
        if (result == STATUS_OK)
            result = event_rules_restore(watch->rules, &event);
    }
    database_rows_free(rows);
    return result;
}

/* --- Looks -------------------------------------------------------------------------------------------------
 */

/* Once a quarter of an hour; a site whose usual is not known has no site_high and site_low. */
static enum status renew_usual(struct watch *watch, struct database *database, time_us at)
{
    int64_t slot = at / 1000 / QUARTER_MS;
    if (slot == watch->usual_slot)
        return STATUS_OK;
    enum status result = event_log_usual(database, watch->host, deadline_in(STATEMENT_MS), &watch->usual);
    if (result == STATUS_OK)
        watch->usual_slot = slot;
    return result;
}

/* The day begins at a time that each watch has for itself. */
static int64_t day_of(const struct watch *watch, time_us at)
{
    return (at / 1000 + (int64_t)(hash_text(HASH_START, watch->host) % DAY_MS)) / DAY_MS;
}

/* A watch keeps something of each page that it has seen, so it has one day. */
static bool is_old(const struct watch *watch, time_us at)
{
    bool is_old = watch->records_day != 0 && watch->records_day != day_of(watch, at) &&
                  watch->looked_at >= watch->past_until;
    if (is_old)
        log_line(LEVEL_DEBUG, watch->host, "the watch is made anew, as once a day");
    return is_old;
}

/* Once a day: it reads the whole history. */
static enum status renew_records(struct watch *watch, struct database *database, time_us at)
{
    struct database_rows *rows = NULL;
    int64_t day = day_of(watch, at);
    if (day == watch->records_day)
        return STATUS_OK;
    enum status result = event_log_records(database, watch->host, deadline_in(STATEMENT_MS), &rows);
    if (result != STATUS_OK)
        return result;
    for (size_t row = 0; result == STATUS_OK && row < database_rows_count(rows); row++) {
        int32_t page_id = 0;
        uint32_t number = EVENT_SITE;
        double most = event_log_most(rows, row, &page_id);
        result = page_id == 0 || number_of(watch, page_id, &number)
                     ? event_rules_record(watch->rules, number, most)
                     : STATUS_NO_MEMORY;
    }
    database_rows_free(rows);
    if (result == STATUS_OK)
        watch->records_day = day;
    return result;
}

/* The clock was set back: what is younger than the newest snapshot is left, and the watch is made anew from
 * there. Else nobody would look at the host until the clock has caught up. */
static enum status step_back(struct watch *watch, struct database *database, const struct event_host *host)
{
    bool is_ours = true;
    log_line(LEVEL_WARNING, host->host,
             "the newest snapshot is older than what was looked at: a clock was set back");
    enum status result = event_log_record(database, watch->host, host->looked_at, host->taken_at, "[]",
                                          deadline_in(STATEMENT_MS), &is_ours);
    return result == STATUS_OK ? STATUS_REFUSED : result;
}

/* What an earlier run has looked at, so that there is something to compare with. A host that was never looked
 * at begins two hours before its newest snapshot: the log then has events from the start, those of imported
 * samples too. */
static enum status begin(struct watch *watch, struct database *database, const struct event_host *host,
                         bool dry)
{
    time_us at = host->looked_at > 0 ? host->looked_at : host->taken_at - FIRST_US;
    bool is_ours = true;
    watch->past_until = host->looked_at > 0 ? 0 : host->taken_at;
    watch->is_quiet = true;
    enum status result = see_samples(watch, database, at - PAST_US, at);
    if (result == STATUS_OK)
        result = restore(watch, database, at);
    watch->is_quiet = false;
    if (result == STATUS_OK)
        result = see_titles(watch, database, at - HEADLINE_US, at);
    if (result == STATUS_OK && host->looked_at == 0 && !dry)
        result = event_log_record(database, watch->host, 0, at, "[]", deadline_in(STATEMENT_MS), &is_ours);
    if (result == STATUS_OK)
        watch->looked_at = at;
    return result == STATUS_OK && !is_ours ? STATUS_REFUSED : result;
}

static int32_t page_id_of(const struct watch *watch, const struct event *event)
{
    return event->page == EVENT_SITE ? 0 : watch->page_ids[event->page];
}

static enum status store_found(struct watch *watch, struct database *database, time_us until, bool dry)
{
    struct buffer events;
    bool is_ours = true;
    buffer_init(&events, EVENTS_MAX_BYTES);
    buffer_append_char(&events, '[');
    for (size_t i = 0; i < watch->found_count; i++)
        event_log_put(&events, &watch->found[i], page_id_of(watch, &watch->found[i]));
    buffer_append_char(&events, ']');
    enum status result = events.status;
    if (result == STATUS_OK && dry && watch->found_count > 0)
        printf("%s\t%s\n", watch->host, events.data);
    else if (result == STATUS_OK && !dry)
        result = event_log_record(database, watch->host, watch->looked_at, until, events.data,
                                  deadline_in(STATEMENT_MS), &is_ours);
    buffer_release(&events);
    return result == STATUS_OK && !is_ours ? STATUS_REFUSED : result;
}

enum status watch_look(struct watch *watch, struct database *database, const struct event_host *host,
                       bool dry, int *found_r, bool *more_r)
{
    enum status result = STATUS_OK;
    if (host->looked_at > host->taken_at && !dry)
        return step_back(watch, database, host);
    if (watch->looked_at == 0)
        result = begin(watch, database, host, dry);
    else if (watch->looked_at != host->looked_at && !dry)
        return STATUS_REFUSED; /* somebody else has looked further */
    if (result != STATUS_OK)
        return result;
    time_us until = host->taken_at;
    if (until - watch->looked_at > SLICE_US)
        until = watch->looked_at + SLICE_US;
    if (!dry && is_old(watch, until))
        return STATUS_REFUSED;
    watch->found_count = 0;
    watch->told_count = 0;
    result = renew_usual(watch, database, until);
    if (result == STATUS_OK)
        result = renew_records(watch, database, until);
    if (result == STATUS_OK)
        result = see_titles(watch, database, watch->looked_at, until);
    if (result == STATUS_OK)
        result = see_samples(watch, database, watch->looked_at, until);
    if (result == STATUS_OK && host->is_failing && until == host->taken_at)
        event_rules_wait(watch->rules, clock_wall_ms());
    if (result == STATUS_OK && (until > watch->looked_at || watch->found_count > 0))
        result = store_found(watch, database, until, dry);
    if (result != STATUS_OK)
        return result;
    watch->looked_at = until;
    *found_r = watch->told_count;
    *more_r = until < host->taken_at;
    return STATUS_OK;
}
