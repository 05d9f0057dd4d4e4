#include "store/alerts.h"

#include "db/sql_param.h"
#include "store/channel_seal.h"

#include <stdio.h>
#include <string.h>

#define AS_TEXT(COLUMN) "to_char(" COLUMN " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

enum { NUMBER_BYTES = 32, STEP_MS = 1000 };

static const struct statement ADD_CHANNEL = {
    "upbeat_add_alert_channel",
    "select add_alert_channel($1::text, $2::text, $3::text, $4::bytea, $5::bytea)", 5, true};

static const struct statement REMOVE_CHANNEL = {"upbeat_remove_alert_channel",
                                                "select remove_alert_channel($1::text)", 1, true};

static const struct statement ENABLE_CHANNEL = {"upbeat_enable_alert_channel",
                                                "select enable_alert_channel($1::text)", 1, true};

static const struct statement ROTATE = {
    "upbeat_rotate_alert_secret",
    "select rotate_alert_secret($1::text, $2::bytea, $3::text::bigint * interval '1 ms')", 3, true};

static const struct statement CHANNELS = {
    "upbeat_alert_channels",
    "select name, kind, shown, is_on::text, off_reason, waiting::text, held::text, " AS_TEXT(
        "delivered_at") " from alert_channels order by name",
    0, false};

static const struct statement ADD_RULE = {
    "upbeat_add_alert_rule",
    "select add_alert_rule($1::text, $2::text, string_to_array($3::text, ','), $4::text::real, "
    "$5::text::real,"
    " string_to_array($6::text, ','), string_to_array($7::text, ','), string_to_array($8::text, ','),"
    " $9::text::time, $10::text::time, $11::text, $12::integer)",
    12, true};

static const struct statement REMOVE_RULE = {"upbeat_remove_alert_rule",
                                             "select remove_alert_rule($1::integer)", 1, true};

static const struct statement RULES = {
    "upbeat_alert_rules",
    "select id::text, channel, host, array_to_string(kinds, ','), min_visitors::text, min_ratio::text,"
    " array_to_string(sections, ','), array_to_string(paths, ','), array_to_string(sources, ','),"
    " to_char(quiet_from, 'HH24:MI-') || to_char(quiet_until, 'HH24:MI'), time_zone, at_most_per_hour::text"
    " from alert_rules order by id",
    0, false};

static const struct statement SILENCE = {
    "upbeat_add_alert_silence", "select add_alert_silence($1::text, $2::text, $3::timestamptz)", 3, true};

static const struct statement SILENCES = {
    "upbeat_alert_silences",
    "select host, path, " AS_TEXT("until") " from alert_silences order by host, path", 0, false};

static const struct statement TEST = {"upbeat_test_alert_channel", "select test_alert_channel($1::text)", 1,
                                      true};

static const struct statement DELIVERY = {
    "upbeat_alert_delivery",
    "select state, attempts::text, http_status::text, said from deliveries where id = $1::text::bigint", 1,
    false};

static const struct statement SEALED = {
    "upbeat_sealed_channels",
    "select name, sealed_address, sealed_secret, sealed_old_secret from channels order by name", 0, false};

static const struct statement RESEAL = {
    "upbeat_reseal_channel",
    "update channels set sealed_address = $2::bytea, sealed_secret = $3::bytea, sealed_old_secret = $4::bytea"
    " where name = $1::text and sealed_address = $5::bytea",
    5, true};

/* A statement that gives one value, which is SQL's null where there is no such thing. */
static enum status run(struct database *database, const struct statement *statement,
                       const struct sql_param *parameters, struct deadline deadline, int64_t *number_r)
{
    struct database_rows *rows = NULL;
    size_t unused = 0;
    enum status result = database_run(database, statement, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    if (database_rows_count(rows) == 0 || !database_bytes(rows, 0, 0, &unused))
        result = STATUS_INVALID;
    else if (number_r)
        *number_r = database_int(rows, 0, 0, 0);
    database_rows_free(rows);
    return result;
}

static enum status run_id(struct database *database, const struct statement *statement,
                          const struct sql_param *parameters, struct deadline deadline, int *id_r)
{
    int64_t number = 0;
    enum status result = run(database, statement, parameters, deadline, &number);
    if (result == STATUS_OK)
        *id_r = (int)number;
    return result;
}

static struct sql_param sealed_param(const struct sealed_text *sealed)
{
    return sealed->len_bytes > 0 ? sql_param_bytes(sealed->bytes, sealed->len_bytes) : (struct sql_param){0};
}

enum status alerts_add_channel(struct database *database, const struct secret_box *secret_box,
                               const struct alert_channel *channel, struct deadline deadline)
{
    struct sealed_text address;
    struct sealed_text secret = {.len_bytes = 0};
    enum status result = channel_seal(secret_box, channel->name, CHANNEL_ADDRESS, channel->address, &address);
    if (result == STATUS_OK && channel->secret)
        result = channel_seal(secret_box, channel->name, CHANNEL_SECRET, channel->secret, &secret);
    if (result != STATUS_OK)
        return result;
    const struct sql_param parameters[] = {sql_param_text(channel->name), sql_param_text(channel->kind),
                                           sql_param_text(channel->shown), sealed_param(&address),
                                           sealed_param(&secret)};
    result = run(database, &ADD_CHANNEL, parameters, deadline, NULL);
    return result == STATUS_INVALID ? STATUS_REFUSED : result;
}

enum status alerts_remove_channel(struct database *database, const char *name, struct deadline deadline)
{
    const struct sql_param parameters[] = {sql_param_text(name)};
    return run(database, &REMOVE_CHANNEL, parameters, deadline, NULL);
}

enum status alerts_enable_channel(struct database *database, const char *name, struct deadline deadline)
{
    const struct sql_param parameters[] = {sql_param_text(name)};
    return run(database, &ENABLE_CHANNEL, parameters, deadline, NULL);
}

enum status alerts_rotate_secret(struct database *database, const struct secret_box *secret_box,
                                 const char *name, const char *secret, int64_t overlap_ms,
                                 struct deadline deadline)
{
    struct sealed_text sealed;
    char overlap[NUMBER_BYTES];
    enum status result = channel_seal(secret_box, name, CHANNEL_SECRET, secret, &sealed);
    if (result != STATUS_OK)
        return result;
    snprintf(overlap, sizeof overlap, "%lld", (long long)overlap_ms);
    const struct sql_param parameters[] = {sql_param_text(name), sealed_param(&sealed),
                                           sql_param_text(overlap)};
    return run(database, &ROTATE, parameters, deadline, NULL);
}

enum status alerts_channels(struct database *database, struct deadline deadline,
                            struct database_rows **rows_r)
{
    return database_run(database, &CHANNELS, NULL, 1, deadline, rows_r);
}

enum status alerts_add_rule(struct database *database, const struct alert_rule *rule,
                            struct deadline deadline, int *id_r)
{
    char visitors[NUMBER_BYTES];
    char ratio[NUMBER_BYTES];
    union sql_param_storage room;
    snprintf(visitors, sizeof visitors, "%g", rule->min_visitors);
    snprintf(ratio, sizeof ratio, "%g", rule->min_ratio);
    const struct sql_param parameters[] = {
        sql_param_text(rule->channel),
        sql_param_text(rule->host),
        sql_param_text(rule->kinds),
        sql_param_text(visitors),
        sql_param_text(ratio),
        sql_param_text(rule->sections),
        sql_param_text(rule->paths),
        sql_param_text(rule->sources),
        sql_param_text(rule->quiet_from),
        sql_param_text(rule->quiet_until),
        sql_param_text(rule->time_zone),
        rule->at_most_per_hour ? sql_param_int(rule->at_most_per_hour, &room) : (struct sql_param){0},
    };
    return run_id(database, &ADD_RULE, parameters, deadline, id_r);
}

enum status alerts_remove_rule(struct database *database, int id, struct deadline deadline)
{
    union sql_param_storage room;
    const struct sql_param parameters[] = {sql_param_int(id, &room)};
    return run(database, &REMOVE_RULE, parameters, deadline, NULL);
}

enum status alerts_rules(struct database *database, struct deadline deadline, struct database_rows **rows_r)
{
    return database_run(database, &RULES, NULL, 1, deadline, rows_r);
}

enum status alerts_silence(struct database *database, const char *host, const char *path, time_us until,
                           struct deadline deadline)
{
    union sql_param_storage room;
    const struct sql_param parameters[] = {sql_param_text(host), sql_param_text(path),
                                           sql_param_time(until, &room)};
    return run(database, &SILENCE, parameters, deadline, NULL);
}

enum status alerts_silences(struct database *database, struct deadline deadline,
                            struct database_rows **rows_r)
{
    return database_run(database, &SILENCES, NULL, 1, deadline, rows_r);
}

enum status alerts_test(struct database *database, const char *name, struct deadline deadline,
                        int64_t *delivery_id_r)
{
    const struct sql_param parameters[] = {sql_param_text(name)};
    return run(database, &TEST, parameters, deadline, delivery_id_r);
}

enum status alerts_delivery(struct database *database, int64_t delivery_id, struct deadline deadline,
                            struct database_rows **rows_r)
{
    char number[NUMBER_BYTES];
    struct database_rows *rows = NULL;
    snprintf(number, sizeof number, "%lld", (long long)delivery_id);
    const struct sql_param parameters[] = {sql_param_text(number)};
    enum status result = database_run(database, &DELIVERY, parameters, 1, deadline, &rows);
    if (result != STATUS_OK)
        return result;
    if (database_rows_count(rows) == 1) {
        *rows_r = rows;
        return STATUS_OK;
    }
    database_rows_free(rows);
    return STATUS_INVALID;
}

/* STATUS_INVALID: `from` does not open it. */
static enum status reseal_one(const struct database_rows *rows, size_t row, int column,
                              enum channel_part part, const struct secret_box *from,
                              const struct secret_box *to, struct sealed_text *fresh)
{
    char text[SECRET_TEXT_MAX_BYTES + 1];
    size_t len = 0;
    const char *name = database_bytes(rows, row, 0, &len);
    fresh->len_bytes = 0;
    if (!database_bytes(rows, row, column, &len))
        return STATUS_OK;
    enum status result = channel_open(from, name, part, rows, row, column, text);
    if (result == STATUS_OK)
        result = channel_seal(to, name, part, text, fresh);
    secret_box_wipe(text, sizeof text);
    return result;
}

static enum status reseal_channel(struct database *database, const struct database_rows *rows, size_t row,
                                  const struct secret_box *from, const struct secret_box *to,
                                  struct deadline deadline)
{
    struct sealed_text address;
    struct sealed_text secret;
    struct sealed_text old_secret;
    struct database_rows *none = NULL;
    size_t len = 0;
    enum status result = reseal_one(rows, row, 1, CHANNEL_ADDRESS, from, to, &address);
    if (result == STATUS_OK)
        result = reseal_one(rows, row, 2, CHANNEL_SECRET, from, to, &secret);
    if (result == STATUS_OK)
        result = reseal_one(rows, row, 3, CHANNEL_SECRET, from, to, &old_secret);
    if (result != STATUS_OK)
        return result;
    const char *was = database_bytes(rows, row, 1, &len);
    const struct sql_param parameters[] = {sql_param_text(database_bytes(rows, row, 0, &(size_t){0})),
                                           sealed_param(&address), sealed_param(&secret),
                                           sealed_param(&old_secret), sql_param_bytes(was, len)};
    result = database_run(database, &RESEAL, parameters, 1, deadline_within(deadline, STEP_MS), &none);
    database_rows_free(none);
    return result;
}

enum status alerts_reseal(struct database *database, const struct secret_box *from,
                          const struct secret_box *to, struct deadline deadline, size_t *resealed_r,
                          size_t *left_r)
{
    struct database_rows *rows = NULL;
    size_t resealed = 0;
    enum status result = database_run(database, &SEALED, NULL, 1, deadline_within(deadline, STEP_MS), &rows);
    size_t count = result == STATUS_OK ? database_rows_count(rows) : 0;
    for (size_t i = 0; result == STATUS_OK && i < count; i++) {
        result = reseal_channel(database, rows, i, from, to, deadline);
        resealed += result == STATUS_OK;
        if (result == STATUS_INVALID)
            result = STATUS_OK; /* it was sealed anew already, or under a third secret */
    }
    database_rows_free(rows);
    if (result == STATUS_OK) {
        *resealed_r = resealed;
        *left_r = count - resealed;
    }
    return result;
}
