/* What upbeat-alert reads and writes: snapshots that it has not seen, changed titles, and the log of events.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as in database.h.
 * Outputs are untouched on an error. Rows are freed by the caller, and own what their readers hand out. */
#ifndef UPBEAT_STORE_EVENT_LOG_H
#define UPBEAT_STORE_EVENT_LOG_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/status.h"
#include "db/database.h"
#include "pages/event_rules.h"
#include <stdbool.h>

/* A host with something to look at. */
struct event_host {
    const char *host;  /* NUL-terminated */
    time_us looked_at; /* the newest snapshot that was looked at; 0: none ever */
    time_us taken_at;  /* the newest there is */
    bool is_failing;   /* Chartbeat did not answer the last time */
};

/* A page of a snapshot, by time and rank; one without a page of a snapshot that is empty. */
struct event_row {
    time_us taken_at;
    int32_t row_limit;
    bool is_suspect;
    int32_t page_id; /* 0: none */
    int32_t visitors;
    bool has_sources;
    uint32_t sources[PAGE_SOURCES];
};

/* What is usual of a site now, and the most that it ever had; NAN: not known. */
struct event_usual {
    double low, high, record;
};

enum status event_log_hosts(struct database *database, struct deadline deadline,
                            struct database_rows **rows_r) MUST_CHECK;
struct event_host event_log_host(const struct database_rows *rows, size_t number);

/* The snapshots after `after`, up to `until`. */
enum status event_log_samples(struct database *database, const char *host, time_us after, time_us until,
                              struct deadline deadline, struct database_rows **rows_r) MUST_CHECK;
struct event_row event_log_row(const struct database_rows *rows, size_t number);

/* The titles that changed after `after`, up to `until`: not the first of a page. */
enum status event_log_titles(struct database *database, const char *host, time_us after, time_us until,
                             struct deadline deadline, struct database_rows **rows_r) MUST_CHECK;
void event_log_title(const struct database_rows *rows, size_t number, int32_t *page_id_r, time_us *since_r);

/* The newest event of each page and kind of event that is open, or was over since `since`; `page` of each is
 * a page_id, EVENT_SITE of the site. */
enum status event_log_recent(struct database *database, const char *host, time_us since,
                             struct deadline deadline, struct database_rows **rows_r) MUST_CHECK;
struct event event_log_event(const struct database_rows *rows, size_t number);

/* The kind of this name. */
enum event_kind event_log_kind(const char *name);

/* Of a site with a week of history or more. */
enum status event_log_usual(struct database *database, const char *host, struct deadline deadline,
                            struct event_usual *usual_r) MUST_CHECK;

/* Appends an event to a JSON list that event_log_record() takes; page_id 0: the site. See out->status. */
void event_log_put(struct buffer *out, const struct event *event, int32_t page_id);

/* Stores the events (a JSON list) that were found after `from` (0: the host is new) up to `until`, and how
 * far that was, in one transaction. *is_ours_r false: somebody else has looked there, and nothing is stored.
 */
enum status event_log_record(struct database *database, const char *host, time_us from, time_us until,
                             const char *events, struct deadline deadline, bool *is_ours_r) MUST_CHECK;

#endif
