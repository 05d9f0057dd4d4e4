/* Channels, rules and silences: made, shown and taken away by the commands of upbeat-alert. Events are
 * matched against rules in SQL, where they are stored; messages go out of the outbox by deliveries.h.
 *
 * Each call: STATUS_OK; STATUS_UNREACHABLE, STATUS_TIMEOUT, STATUS_FAILED (PostgreSQL refused it: logged),
 * STATUS_NO_MEMORY as in database.h; STATUS_INVALID: there is no such channel, rule or delivery. Outputs are
 * untouched on an error. Rows are freed by the caller; each list has one row for each, all columns text. */
#ifndef UPBEAT_STORE_ALERTS_H
#define UPBEAT_STORE_ALERTS_H

#include "base/clock.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"

enum {
    CHANNEL_NAME_MAX_BYTES = 63, /* [a-z0-9][a-z0-9._-]* */
    CHANNEL_SHOWN_MAX_BYTES = 320,
    SIGNING_SECRET_BYTES = 24,           /* random bytes of a webhook's secret */
    SIGNING_SECRET_TEXT_MAX_BYTES = 127, /* whsec_ and base64 of 24 to 64 bytes */

    /* Columns of alerts_channels(). */
    CHANNELS_NAME = 0,
    CHANNELS_KIND,
    CHANNELS_SHOWN,
    CHANNELS_IS_ON, /* "true" or "false" */
    CHANNELS_OFF_REASON,
    CHANNELS_WAITING, /* messages */
    CHANNELS_HELD,    /* events */
    CHANNELS_DELIVERED_AT,
    CHANNELS_COLUMNS,

    /* Columns of alerts_rules(); NULL: no bound. Lists have commas between their items. */
    RULES_ID = 0,
    RULES_CHANNEL,
    RULES_HOST,
    RULES_KINDS,
    RULES_MIN_VISITORS,
    RULES_MIN_RATIO,
    RULES_SECTIONS,
    RULES_PATHS,
    RULES_SOURCES,
    RULES_QUIET, /* 22:00-07:00 */
    RULES_TIME_ZONE,
    RULES_AT_MOST,
    RULES_COLUMNS,

    /* Columns of alerts_silences(). */
    SILENCES_HOST = 0,
    SILENCES_PATH,
    SILENCES_UNTIL,
    SILENCES_COLUMNS,

    /* Columns of alerts_delivery(). */
    DELIVERY_STATE = 0, /* waiting, delivered, refused, given_up */
    DELIVERY_ATTEMPTS,
    DELIVERY_HTTP_STATUS, /* NULL: none */
    DELIVERY_SAID,        /* what went wrong, in words; NULL: nothing yet */
    DELIVERY_COLUMNS,
};

/* `secret`: NULL but of a webhook. */
struct alert_channel {
    const char *name;
    const char *kind;    /* webhook, slack, mail */
    const char *shown;   /* what people may see of the address */
    const char *address; /* the URL, or the mail address; at most SECRET_TEXT_MAX_BYTES */
    const char *secret;  /* whsec_... */
};

/* NULL and 0 stand for no bound; lists have commas between their items, and no item is empty. */
struct alert_rule {
    const char *channel;
    const char *host;
    const char *kinds; /* at least one */
    double min_visitors, min_ratio;
    const char *sections;
    const char *paths; /* prefixes */
    const char *sources;
    const char *quiet_from, *quiet_until; /* HH:MM, both or none, and not the same */
    const char *time_zone;                /* NULL: the host's */
    int at_most_per_hour;
};

/* Seals address and secret, and makes the channel. STATUS_REFUSED: there is one of this name. */
enum status alerts_add_channel(struct database *database, const struct secret_box *secret_box,
                               const struct alert_channel *channel, struct deadline deadline) MUST_CHECK;
enum status alerts_remove_channel(struct database *database, const char *name,
                                  struct deadline deadline) MUST_CHECK;
enum status alerts_enable_channel(struct database *database, const char *name,
                                  struct deadline deadline) MUST_CHECK;

/* Gives a webhook another secret; for overlap_ms messages are signed with both. */
enum status alerts_rotate_secret(struct database *database, const struct secret_box *secret_box,
                                 const char *name, const char *secret, int64_t overlap_ms,
                                 struct deadline deadline) MUST_CHECK;
enum status alerts_channels(struct database *database, struct deadline deadline,
                            struct database_rows **rows_r) MUST_CHECK;

/* STATUS_FAILED too where a kind, a source or the time zone is none. */
enum status alerts_add_rule(struct database *database, const struct alert_rule *rule,
                            struct deadline deadline, int *id_r) MUST_CHECK;
enum status alerts_remove_rule(struct database *database, int id, struct deadline deadline) MUST_CHECK;
enum status alerts_rules(struct database *database, struct deadline deadline,
                         struct database_rows **rows_r) MUST_CHECK;

/* `path` NULL: the whole host. */
enum status alerts_silence(struct database *database, const char *host, const char *path, time_us until,
                           struct deadline deadline) MUST_CHECK;
enum status alerts_silences(struct database *database, struct deadline deadline,
                            struct database_rows **rows_r) MUST_CHECK;

/* Puts a message without events into the outbox, which upbeat-alert --loop delivers; STATUS_INVALID also
 * where the channel is off. */
enum status alerts_test(struct database *database, const char *name, struct deadline deadline,
                        int64_t *delivery_id_r) MUST_CHECK;

/* One row: what became of a delivery so far. */
enum status alerts_delivery(struct database *database, int64_t delivery_id, struct deadline deadline,
                            struct database_rows **rows_r) MUST_CHECK;

/* Seals what belongs to channels anew, as keys_reseal() does with keys. */
enum status alerts_reseal(struct database *database, const struct secret_box *from,
                          const struct secret_box *to, struct deadline deadline, size_t *resealed_r,
                          size_t *left_r) MUST_CHECK;

#endif
