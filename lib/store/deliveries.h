/* The outbox as upbeat-alert empties it: makes messages of what is to be told, claims, finishes.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED, STATUS_NO_MEMORY as in database.h.
 * Outputs are untouched on an error. Rows are freed by the caller, and own what their readers hand out. */
#ifndef UPBEAT_STORE_DELIVERIES_H
#define UPBEAT_STORE_DELIVERIES_H

#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"
#include "pages/event_rules.h"

#include <stdbool.h>

enum {
    ALERT_MINUTES = 30,
    LEASE_MAX_BYTES = 36,
    MESSAGE_ID_MAX_BYTES = 36,
};

/* An event as it is told. Text is NUL-terminated UTF-8. */
struct alert_event {
    int64_t event_id;
    enum event_kind kind;
    bool is_end; /* the end of an event that was told before to this channel; else its begin */
    const char *host;
    const char *path;  /* NULL: the whole site */
    const char *title; /* NULL: the whole site */
    int64_t began_ms, peak_ms;
    int64_t ended_ms; /* 0: it is open; set without is_end: it was over before it could be told */
    double visitors, expected, score; /* at its begin; of a headline the mean of the 15 minutes after */
    double peak, peak_expected;       /* of a headline the mean of the 15 minutes before */
    uint32_t causes;                  /* bits of enum page_source; 0: not known */
    bool has_sources;
    double sources[PAGE_SOURCES];   /* change of each */
    int32_t minutes[ALERT_MINUTES]; /* visitors, oldest first; -1: not known */
};

/* A delivery that is ours until the lease ends. */
struct delivery {
    int64_t delivery_id;
    char message_id[MESSAGE_ID_MAX_BYTES + 1];
    time_us created_at;
    int attempts; /* with the one that begins now */
    bool is_test, is_held;
    char lease[LEASE_MAX_BYTES + 1];
    const char *name; /* of the channel */
    const char *kind; /* webhook, slack, mail */
};

/* Where a delivery goes. Wipe it after use. */
struct delivery_address {
    char address[SECRET_TEXT_MAX_BYTES + 1];
    char secret[SECRET_TEXT_MAX_BYTES + 1];     /* "": none */
    char old_secret[SECRET_TEXT_MAX_BYTES + 1]; /* "": none */
};

/* Makes messages of what is due, then claims the oldest delivery of each channel that may be tried now, at
 * most `limit`: nobody else delivers to these channels for lease_ms. */
enum status deliveries_claim(struct database *database, int lease_ms, int limit, struct deadline deadline,
                             struct database_rows **rows_r) MUST_CHECK;
struct delivery deliveries_read(const struct database_rows *rows, size_t number);

/* STATUS_INVALID: the secret is another one than when the channel was made. */
enum status deliveries_open(const struct secret_box *secret_box, const struct database_rows *rows,
                            size_t number, struct delivery_address *address_r) MUST_CHECK;

/* The events of a delivery. */
enum status deliveries_events(struct database *database, int64_t delivery_id, struct deadline deadline,
                              struct database_rows **rows_r) MUST_CHECK;
struct alert_event deliveries_event(const struct database_rows *rows, size_t number);

/* How an attempt ended: "delivered", "retry" (after wait_ms), "refused", "off", "given_up". http_status 0:
 * none. That the lease was lost meanwhile is no error: somebody else delivers it again. */
enum status deliveries_finish(struct database *database, int64_t delivery_id, const char *lease,
                              const char *outcome, int wait_ms, int http_status, const char *said,
                              struct deadline deadline) MUST_CHECK;

/* Hosts with a rule are sampled at least every every_ms. */
enum status deliveries_keep_hosts(struct database *database, int every_ms,
                                  struct deadline deadline) MUST_CHECK;

/* Deletes deliveries that were done with 30 days ago. */
enum status deliveries_forget(struct database *database, struct deadline deadline) MUST_CHECK;

#endif
