#include "store/deliveries.h"

#include "db/sql_param.h"
#include "store/channel_seal.h"
#include "store/event_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US(COLUMN) "(extract(epoch from " COLUMN ") * 1000000)::bigint"

enum { NUMBER_BYTES = 24 };

static const struct statement GATHER = {"upbeat_gather_alerts", "select gather_alerts()", 0, true};

static const struct statement CLAIM = {
    "upbeat_claim_deliveries",
    "select delivery_id, message_id, created_at, attempts, is_test, is_held, lease, name, kind,"
    " sealed_address, sealed_secret, sealed_old_secret from claim_deliveries($1::integer, $2::integer)",
    2, true};

static const struct statement EVENTS = {
    "upbeat_delivery_events",
    "select event_id, kind::text, is_end, host, path, title, " US("began_at") ", " US("peak_at") ", " US(
        "ended_at") ", visitors::text, expected::text, score::text, peak::text, peak_expected::text,"
                    " array_to_string(causes, ','), array_to_string(sources, ','), array_to_string(minutes, "
                    "',') from delivery_events($1::text::bigint)",
    1, false};

static const struct statement FINISH = {
    "upbeat_finish_delivery",
    "select finish_delivery($1::text::bigint, $2::text, $3::text, $4::integer, $5::integer, $6::text)", 6,
    true};

static const struct statement KEEP_HOSTS = {"upbeat_keep_alert_hosts", "select keep_alert_hosts($1::integer)",
                                            1, true};

static const struct statement FORGET = {"upbeat_forget_deliveries", "select forget_deliveries()", 0, true};

/* A statement of which nobody needs the answer. */
static enum status run(struct database *database, const struct statement *statement,
                       const struct sql_param *parameters, struct deadline deadline)
{
    struct database_rows *rows = NULL;
    enum status result = database_run(database, statement, parameters, 1, deadline, &rows);
    database_rows_free(rows);
    return result;
}

enum status deliveries_claim(struct database *database, int lease_ms, int limit, struct deadline deadline,
                             struct database_rows **rows_r)
{
    union sql_param_storage rooms[2];
    const struct sql_param parameters[] = {sql_param_int(lease_ms, &rooms[0]),
                                           sql_param_int(limit, &rooms[1])};
    enum status result = run(database, &GATHER, NULL, deadline);
    return result == STATUS_OK ? database_run(database, &CLAIM, parameters, 1, deadline, rows_r) : result;
}

static const char *text_at(const struct database_rows *rows, size_t number, int column)
{
    size_t len = 0;
    return database_bytes(rows, number, column, &len);
}

struct delivery deliveries_read(const struct database_rows *rows, size_t number)
{
    struct delivery delivery = {
        .delivery_id = database_int(rows, number, 0, 0),
        .created_at = database_int(rows, number, 2, 0),
        .attempts = (int)database_int(rows, number, 3, 0),
        .is_test = database_bool(rows, number, 4),
        .is_held = database_bool(rows, number, 5),
        .name = text_at(rows, number, 7),
        .kind = text_at(rows, number, 8),
    };
    snprintf(delivery.message_id, sizeof delivery.message_id, "%s", text_at(rows, number, 1));
    snprintf(delivery.lease, sizeof delivery.lease, "%s", text_at(rows, number, 6));
    return delivery;
}

enum status deliveries_open(const struct secret_box *secret_box, const struct database_rows *rows,
                            size_t number, struct delivery_address *address_r)
{
    enum { ADDRESS = 9, SECRET, OLD_SECRET };
    const char *name = text_at(rows, number, 7);
    enum status result =
        channel_open(secret_box, name, CHANNEL_ADDRESS, rows, number, ADDRESS, address_r->address);
    address_r->secret[0] = '\0';
    address_r->old_secret[0] = '\0';
    if (result == STATUS_OK && text_at(rows, number, SECRET))
        result = channel_open(secret_box, name, CHANNEL_SECRET, rows, number, SECRET, address_r->secret);
    if (result == STATUS_OK && text_at(rows, number, OLD_SECRET))
        result =
            channel_open(secret_box, name, CHANNEL_SECRET, rows, number, OLD_SECRET, address_r->old_secret);
    return result;
}

enum status deliveries_events(struct database *database, int64_t delivery_id, struct deadline deadline,
                              struct database_rows **rows_r)
{
    char number[NUMBER_BYTES];
    snprintf(number, sizeof number, "%" PRId64, delivery_id);
    const struct sql_param parameters[] = {sql_param_text(number)};
    return database_run(database, &EVENTS, parameters, 1, deadline, rows_r);
}

static double real(const struct database_rows *rows, size_t number, int column)
{
    const char *text = text_at(rows, number, column);
    return text ? strtod(text, NULL) : NAN;
}

static uint32_t read_causes(const char *text)
{
    uint32_t causes = 0;
    for (const char *at = text; at && *at; at += *at == ',') {
        size_t len = strcspn(at, ",");
        for (int i = 0; i < PAGE_SOURCES; i++) {
            const char *name = event_source_name((enum page_source)i);
            if (strlen(name) == len && memcmp(name, at, len) == 0)
                causes |= 1U << i;
        }
        at += len;
    }
    return causes;
}

static void read_minutes(const char *text, int32_t minutes[ALERT_MINUTES])
{
    char *at = NULL;
    for (int i = 0; i < ALERT_MINUTES; i++) {
        minutes[i] = text && *text ? (int32_t)strtol(text, &at, 10) : -1;
        if (text && *text)
            text = at + (*at == ',');
    }
}

struct alert_event deliveries_event(const struct database_rows *rows, size_t number)
{
    struct alert_event event = {
        .event_id = database_int(rows, number, 0, 0),
        .kind = event_log_kind(text_at(rows, number, 1)),
        .is_end = database_bool(rows, number, 2),
        .host = text_at(rows, number, 3),
        .path = text_at(rows, number, 4),
        .title = text_at(rows, number, 5),
        .began_ms = database_int(rows, number, 6, 0) / 1000,
        .peak_ms = database_int(rows, number, 7, 0) / 1000,
        .ended_ms = database_int(rows, number, 8, 0) / 1000,
        .visitors = real(rows, number, 9),
        .expected = real(rows, number, 10),
        .score = real(rows, number, 11),
        .peak = real(rows, number, 12),
        .peak_expected = real(rows, number, 13),
        .causes = read_causes(text_at(rows, number, 14)),
    };
    const char *sources = text_at(rows, number, 15);
    char *at = NULL;
    event.has_sources = sources != NULL;
    for (int i = 0; i < PAGE_SOURCES && sources; i++) {
        event.sources[i] = strtod(sources, &at);
        sources = at + (*at == ',');
    }
    read_minutes(text_at(rows, number, 16), event.minutes);
    return event;
}

enum status deliveries_finish(struct database *database, int64_t delivery_id, const char *lease,
                              const char *outcome, int wait_ms, int http_status, const char *said,
                              struct deadline deadline)
{
    char number[NUMBER_BYTES];
    union sql_param_storage rooms[2];
    snprintf(number, sizeof number, "%" PRId64, delivery_id);
    const struct sql_param parameters[] = {
        sql_param_text(number),
        sql_param_text(lease),
        sql_param_text(outcome),
        sql_param_int(wait_ms, &rooms[0]),
        http_status > 0 ? sql_param_int(http_status, &rooms[1]) : (struct sql_param){0},
        sql_param_text(*said ? said : NULL),
    };
    return run(database, &FINISH, parameters, deadline);
}

enum status deliveries_keep_hosts(struct database *database, int every_ms, struct deadline deadline)
{
    union sql_param_storage room;
    const struct sql_param parameters[] = {sql_param_int(every_ms, &room)};
    return run(database, &KEEP_HOSTS, parameters, deadline);
}

enum status deliveries_forget(struct database *database, struct deadline deadline)
{
    return run(database, &FORGET, NULL, deadline);
}
