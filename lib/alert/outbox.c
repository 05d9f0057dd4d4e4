#include "alert/outbox.h"

#include <stdio.h>
#include <sysexits.h>

static enum outbox_outcome judge_webhook(int status)
{
    if (status >= 200 && status <= 299)
        return OUTBOX_DELIVERED;
    return status == 410 ? OUTBOX_OFF : OUTBOX_RETRY;
}

static enum outbox_outcome judge_slack(int status)
{
    if (status >= 200 && status <= 299)
        return OUTBOX_DELIVERED;
    if (status == 403 || status == 404 || status == 410)
        return OUTBOX_OFF;
    return status == 400 ? OUTBOX_REFUSED : OUTBOX_RETRY;
}

static enum outbox_outcome judge_mail(int status)
{
    switch (status) {
    case EX_OK:
        return OUTBOX_DELIVERED;
    case EX_USAGE:
    case EX_DATAERR:
    case EX_NOUSER:
    case EX_NOHOST:
        return OUTBOX_REFUSED;
    default:
        return OUTBOX_RETRY;
    }
}

static enum outbox_outcome judge(const struct outbox_answer *answer)
{
    if (answer->status < 0)
        return OUTBOX_RETRY;
    switch (answer->kind) {
    case CHANNEL_WEBHOOK:
        return judge_webhook(answer->status);
    case CHANNEL_SLACK:
        return judge_slack(answer->status);
    case CHANNEL_MAIL:
        return judge_mail(answer->status);
    }
    return OUTBOX_RETRY;
}

static int wait_of(int attempts, double random, int retry_after_s)
{
    int64_t wait_ms = OUTBOX_WAIT_MIN_MS;
    for (int i = 1; i < attempts && wait_ms < OUTBOX_WAIT_MAX_MS; i++)
        wait_ms *= 2;
    if (wait_ms > OUTBOX_WAIT_MAX_MS)
        wait_ms = OUTBOX_WAIT_MAX_MS;
    wait_ms = (int64_t)((double)wait_ms * (0.75 + random / 2));
    int64_t asked_ms = retry_after_s > OUTBOX_KEEP_MS / 1000 ? OUTBOX_KEEP_MS : INT64_C(1000) * retry_after_s;
    return (int)(asked_ms > wait_ms ? asked_ms : wait_ms);
}

enum outbox_outcome outbox_judge(const struct outbox_answer *answer, int attempts, int64_t age_ms,
                                 double random, int *wait_ms_r)
{
    enum outbox_outcome outcome = judge(answer);
    *wait_ms_r = 0;
    if (outcome == OUTBOX_RETRY && age_ms >= OUTBOX_KEEP_MS)
        outcome = OUTBOX_GIVEN_UP;
    if (outcome == OUTBOX_RETRY)
        *wait_ms_r = wait_of(attempts, random, answer->retry_after_s);
    return outcome;
}

const char *outbox_outcome_name(enum outbox_outcome outcome)
{
    static const char *const names[] = {"delivered", "retry", "refused", "off", "given_up"};
    return names[outcome];
}

void outbox_say(const struct outbox_answer *answer, enum outbox_outcome outcome, char *text_r,
                size_t text_bytes)
{
    if (outcome == OUTBOX_DELIVERED)
        snprintf(text_r, text_bytes, "%s", "");
    else if (answer->status < 0)
        snprintf(text_r, text_bytes, "%s", answer->trouble);
    else if (answer->kind == CHANNEL_MAIL)
        snprintf(text_r, text_bytes, "sendmail ended with %d", answer->status);
    else
        snprintf(text_r, text_bytes, "HTTP %d%s%s", answer->status, *answer->word ? ": " : "", answer->word);
}
