/* What becomes of a message after an attempt to deliver it. Pure: no clock, no network. */
#ifndef UPBEAT_ALERT_OUTBOX_H
#define UPBEAT_ALERT_OUTBOX_H

#include "alert/message.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    OUTBOX_WAIT_MIN_MS = 5000,
    OUTBOX_WAIT_MAX_MS = 3600000,
    OUTBOX_KEEP_MS = 24 * 3600000, /* then it is given up */
    OUTBOX_WORD_MAX_BYTES = 40,
};

/* How an attempt ended. */
struct outbox_answer {
    enum channel_kind kind;
    int status;          /* of HTTP, or the exit status of sendmail; -1: none came */
    int retry_after_s;   /* -1: the answer says none */
    const char *word;    /* Slack's, of [a-z_]; "" where there is none */
    const char *trouble; /* why none came, in words */
};

enum outbox_outcome { OUTBOX_DELIVERED, OUTBOX_RETRY, OUTBOX_REFUSED, OUTBOX_OFF, OUTBOX_GIVEN_UP };

/* delivered; retry after wait_ms; refused, which is not tried again; off: refused, and so would be all that
 * follows; given_up: it was tried for a day.
 *
 * Webhooks: 2xx is delivered, 410 off, everything else is tried again. Slack: 403, 404 and 410 are off, 400
 * is refused since the same bytes would be again. Mail: an exit status of sysexits.h that says that the
 * address or the message is at fault is refused.
 *
 * wait_ms is 5 s, doubled at each attempt up to an hour, times 0.75 to 1.25 by `random` (0 to 1), so that not
 * all try again at once; at least what Retry-After says, which is cut at a day. `attempts` counts this one
 * too. */
enum outbox_outcome outbox_judge(const struct outbox_answer *answer, int attempts, int64_t age_ms,
                                 double random, int *wait_ms_r);

/* "delivered", "retry", "refused", "off", "given_up". Static storage. */
const char *outbox_outcome_name(enum outbox_outcome outcome);

/* What of an answer may be shown: "HTTP 404", with Slack's word; or why there was none; "" if it was
 * delivered. Cut to text_bytes. */
void outbox_say(const struct outbox_answer *answer, enum outbox_outcome outcome, char *text_r,
                size_t text_bytes);

#endif
