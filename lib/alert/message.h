/* What a message says: the body of a webhook, of an incoming webhook of Slack's, or a whole mail. Pure: of
 * the same struct alert_message each makes the same bytes, so that a message is the same however often it is
 * sent. Titles, paths and hosts are foreign text: each form escapes them in its own way. */
#ifndef UPBEAT_ALERT_MESSAGE_H
#define UPBEAT_ALERT_MESSAGE_H

#include "base/buffer.h"
#include "base/status.h"
#include "store/deliveries.h"
#include <stdbool.h>

enum {
    ALERT_EVENTS_MAX = 500,             /* of one message */
    ALERT_BODY_MAX_BYTES = 1024 * 1024, /* the caller's buffer holds so much */
};

enum channel_kind { CHANNEL_WEBHOOK, CHANNEL_SLACK, CHANNEL_MAIL };

struct alert_message {
    const char
        *message_id;     /* the same in all attempts; printable ASCII without white space, at most 64 bytes */
    int64_t created_ms;  /* when the message was made; the same in all attempts */
    const char *channel; /* its name */
    bool is_test;        /* it tells of no event */
    bool is_held;        /* what quiet hours or a bound by the hour held back, of several hosts perhaps */
    const char *board_url; /* of the board, ends with a slash; NULL: not known */
    const char *mail_to;   /* of mail alone */
    const char *mail_from; /* NULL: as the local sendmail has it */
    const struct alert_event *events;
    size_t count; /* 0 of a test, else 1 to ALERT_EVENTS_MAX */
};

/* Each appends to `out`, whose status says STATUS_TOO_LARGE or STATUS_NO_MEMORY; the body of a webhook or of
 * Slack's is JSON in UTF-8, a mail begins with its headers and has lines that end in LF. */
void message_webhook(struct buffer *out, const struct alert_message *message);
void message_slack(struct buffer *out, const struct alert_message *message);
void message_mail(struct buffer *out, const struct alert_message *message);

#endif
