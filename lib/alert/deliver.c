#include "alert/deliver.h"

#include "alert/mail.h"
#include "alert/message.h"
#include "alert/outbox.h"
#include "alert/post.h"
#include "alert/signature.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/deliveries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    AT_ONCE = 32,         /* deliveries under way */
    CLAIM_MS = 500,       /* between claims */
    GRACE_MS = 3000,      /* after the database could not be had */
    KEEP_END_MS = 600000, /* an end that can't be stored */
    STORE_AGAIN_MS = 500, /* an end that could not be stored */
    LOOK_MS = 10,         /* at a mail that is under way */
    HEADER_BYTES = 256,
    SAID_BYTES = 160,
};

enum flight_state { FLIGHT_NONE, FLIGHT_POSTING, FLIGHT_MAILING, FLIGHT_DONE };

struct flight {
    enum flight_state state;
    enum channel_kind kind;
    struct delivery delivery; /* its name and kind are not ours to keep */
    struct deadline lease;    /* it ends then, or somewhat later */
    struct deadline keep_end;
    struct mail mail;
    char channel[64];
    enum outbox_outcome outcome;
    int wait_ms, http_status;
    char said[SAID_BYTES];
};

struct deliverer {
    struct deliver_config config;
    struct post *post;
    struct flight flights[AT_ONCE];
    int64_t claimed_ms;
    bool was_away; /* the last statement failed, and the database was not had since */
    struct deadline grace;
    bool is_hurried, is_closed, is_idle;
};

enum status deliver_new(struct deliverer **deliverer_r, const struct deliver_config *config)
{
    struct deliverer *deliverer = calloc(1, sizeof *deliverer);
    if (!deliverer)
        return STATUS_NO_MEMORY;
    deliverer->config = *config;
    deliverer->is_hurried = true;
    const struct post_config post = {
        .allow = config->allow, .ca_file = config->ca_file, .proxy = config->proxy, .requests = AT_ONCE};
    enum status result = post_new(&deliverer->post, &post);
    if (result == STATUS_OK)
        *deliverer_r = deliverer;
    else
        free(deliverer);
    return result;
}

void deliver_free(struct deliverer *deliverer)
{
    if (!deliverer)
        return;
    for (int i = 0; i < AT_ONCE; i++)
        mail_stop(&deliverer->flights[i].mail);
    post_free(deliverer->post);
    free(deliverer);
}

void deliver_hurry(struct deliverer *deliverer)
{
    deliverer->is_hurried = true;
}

void deliver_close(struct deliverer *deliverer)
{
    deliverer->is_closed = true;
}

int deliver_busy(const struct deliverer *deliverer)
{
    int busy = 0;
    for (int i = 0; i < AT_ONCE; i++)
        busy += deliverer->flights[i].state != FLIGHT_NONE;
    return busy;
}

bool deliver_owes(const struct deliverer *deliverer)
{
    for (int i = 0; i < AT_ONCE; i++) {
        const struct flight *flight = &deliverer->flights[i];
        if (flight->state == FLIGHT_DONE && deadline_left_ms(flight->lease) > 0)
            return true;
    }
    return false;
}

bool deliver_is_idle(const struct deliverer *deliverer)
{
    return deliverer->is_idle;
}

/* --- An attempt ends -------------------------------------------------------------------------------------
 */

static double random_part(void)
{
    uint32_t bits = 0;
    return getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits ? bits / 4294967296.0 : 0.5;
}

static void end_flight(struct flight *flight, const struct outbox_answer *answer)
{
    int64_t age_ms = clock_wall_ms() - flight->delivery.created_at / 1000;
    flight->outcome =
        outbox_judge(answer, flight->delivery.attempts, age_ms, random_part(), &flight->wait_ms);
    flight->http_status = answer->kind != CHANNEL_MAIL && answer->status > 0 ? answer->status : 0;
    outbox_say(answer, flight->outcome, flight->said, sizeof flight->said);
    flight->state = FLIGHT_DONE;
    flight->keep_end = deadline_in(KEEP_END_MS);
    if (flight->outcome == OUTBOX_DELIVERED)
        log_line(LEVEL_DEBUG, flight->channel, "delivered %" PRId64, flight->delivery.delivery_id);
    else
        log_line(LEVEL_WARNING, flight->channel, "delivery %" PRId64 " %s: %s", flight->delivery.delivery_id,
                 outbox_outcome_name(flight->outcome), flight->said);
}

static void fail_flight(struct flight *flight, const char *trouble)
{
    const struct outbox_answer answer = {
        .kind = flight->kind, .status = -1, .retry_after_s = -1, .word = "", .trouble = trouble};
    end_flight(flight, &answer);
}

static void take_answers(struct deliverer *deliverer)
{
    struct post_answer answer;
    for (void *context = NULL; post_next(deliverer->post, &context, &answer);) {
        struct flight *flight = context;
        const struct outbox_answer judged = {.kind = flight->kind,
                                             .status = answer.status,
                                             .retry_after_s = answer.retry_after_s,
                                             .word = flight->kind == CHANNEL_SLACK ? answer.word : "",
                                             .trouble = answer.trouble};
        end_flight(flight, &judged);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        struct flight *flight = &deliverer->flights[i];
        int status = 0;
        if (flight->state != FLIGHT_MAILING || !mail_has_ended(&flight->mail, &status))
            continue;
        const struct outbox_answer judged = {.kind = CHANNEL_MAIL,
                                             .status = status,
                                             .retry_after_s = -1,
                                             .word = "",
                                             .trouble = "sendmail did not end within 10 s, or was killed"};
        end_flight(flight, &judged);
    }
}

/* --- An attempt begins -----------------------------------------------------------------------------------
 */

static enum channel_kind kind_of(const char *name)
{
    return strcmp(name, "mail") == 0    ? CHANNEL_MAIL
           : strcmp(name, "slack") == 0 ? CHANNEL_SLACK
                                        : CHANNEL_WEBHOOK;
}

/* The same bytes in each attempt: nothing of it depends on the time, and what it tells is stored. */
static enum status write_message(const struct deliverer *deliverer, const struct flight *flight,
                                 const struct database_rows *rows, const char *mail_to, struct buffer *out)
{
    size_t count = database_rows_count(rows);
    struct alert_event *events = calloc(count + 1, sizeof *events);
    if (!events)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        events[i] = deliveries_event(rows, i);
    const struct deliver_config *config = &deliverer->config;
    const struct alert_message message = {
        .message_id = flight->delivery.message_id,
        .created_ms = flight->delivery.created_at / 1000,
        .channel = flight->channel,
        .is_test = flight->delivery.is_test,
        .is_held = flight->delivery.is_held,
        .board_url = *config->board_url ? config->board_url : NULL,
        .mail_to = flight->kind == CHANNEL_MAIL ? mail_to : NULL,
        .mail_from = *config->mail_from ? config->mail_from : NULL,
        .events = events,
        .count = count,
    };
    if (flight->kind == CHANNEL_MAIL)
        message_mail(out, &message);
    else if (flight->kind == CHANNEL_SLACK)
        message_slack(out, &message);
    else
        message_webhook(out, &message);
    free(events);
    return out->status;
}

static enum status start_post(struct deliverer *deliverer, struct flight *flight,
                              const struct delivery_address *to, const struct buffer *body)
{
    char id[HEADER_BYTES];
    char time[HEADER_BYTES];
    char signed_by[HEADER_BYTES];
    char signature[SIGNATURE_MAX_BYTES + 1];
    struct post_request request = {.url = to->address,
                                   .headers = {"Content-Type: application/json"},
                                   .body = body->data,
                                   .body_bytes = body->len_bytes};
    if (flight->kind == CHANNEL_WEBHOOK) {
        int64_t now_s = clock_wall_ms() / 1000;
        enum status result =
            signature_make(to->secret, *to->old_secret ? to->old_secret : NULL, flight->delivery.message_id,
                           now_s, body->data, body->len_bytes, signature);
        if (result != STATUS_OK)
            return result;
        snprintf(id, sizeof id, "webhook-id: %s", flight->delivery.message_id);
        snprintf(time, sizeof time, "webhook-timestamp: %" PRId64, now_s);
        snprintf(signed_by, sizeof signed_by, "webhook-signature: %s", signature);
        request.headers[1] = id;
        request.headers[2] = time;
        request.headers[3] = signed_by;
    }
    enum status result = post_start(deliverer->post, &request, flight);
    if (result == STATUS_OK)
        flight->state = FLIGHT_POSTING;
    return result;
}

static enum status send_message(struct deliverer *deliverer, struct flight *flight,
                                const struct database_rows *events, const struct delivery_address *to)
{
    struct buffer body;
    buffer_init(&body, ALERT_BODY_MAX_BYTES);
    enum status result = write_message(deliverer, flight, events, to->address, &body);
    if (result == STATUS_OK && flight->kind == CHANNEL_MAIL) {
        result = mail_start(&flight->mail, deliverer->config.sendmail, body.data, body.len_bytes);
        if (result == STATUS_OK)
            flight->state = FLIGHT_MAILING;
    } else if (result == STATUS_OK) {
        result = start_post(deliverer, flight, to, &body);
    }
    buffer_release(&body);
    return result;
}

static enum status start(struct deliverer *deliverer, struct database *database,
                         const struct database_rows *claimed, size_t number, struct deadline lease,
                         struct flight *flight)
{
    struct delivery_address to;
    struct database_rows *events = NULL;
    *flight = (struct flight){.delivery = deliveries_read(claimed, number), .lease = lease};
    flight->kind = kind_of(flight->delivery.kind);
    snprintf(flight->channel, sizeof flight->channel, "%s", flight->delivery.name);
    if (deliveries_open(deliverer->config.secret_box, claimed, number, &to) != STATUS_OK) {
        fail_flight(flight, "the address was sealed under another secret; see upbeat-fetch --reseal");
        return STATUS_OK;
    }
    enum status result =
        deliveries_events(database, flight->delivery.delivery_id, deadline_in(DELIVER_STATEMENT_MS), &events);
    if (result == STATUS_OK) {
        enum status sent = send_message(deliverer, flight, events, &to);
        if (sent != STATUS_OK)
            fail_flight(flight, flight->kind == CHANNEL_MAIL ? "sendmail can't be started"
                                                             : "the request can't be made");
    }
    secret_box_wipe(&to, sizeof to);
    database_rows_free(events);
    return result;
}

static struct flight *find_free(struct deliverer *deliverer)
{
    for (int i = 0; i < AT_ONCE; i++) {
        if (deliverer->flights[i].state == FLIGHT_NONE)
            return &deliverer->flights[i];
    }
    return NULL;
}

/* Whether the delivery is under way already: its lease has run out meanwhile, and the new one takes its
 * place, since whoever has it already must not be sent the message once more. */
static bool go_on(struct deliverer *deliverer, const struct delivery *again, struct deadline lease)
{
    for (int i = 0; i < AT_ONCE; i++) {
        struct flight *flight = &deliverer->flights[i];
        if (flight->state == FLIGHT_NONE || flight->delivery.delivery_id != again->delivery_id)
            continue;
        memcpy(flight->delivery.lease, again->lease, sizeof again->lease);
        flight->lease = lease;
        return true;
    }
    return false;
}

/* The grace begins when the database is there again, and not when it was missed last: nothing may have asked
 * for it in between. */
static bool may_claim(struct deliverer *deliverer, struct database *database)
{
    if (deliverer->was_away) {
        database_tend(database);
        if (database_is_away(database))
            return false;
        deliverer->was_away = false;
        deliverer->grace = deadline_in(GRACE_MS);
    }
    return deadline_left_ms(deliverer->grace) == 0;
}

static enum status claim(struct deliverer *deliverer, struct database *database)
{
    struct database_rows *rows = NULL;
    int room = AT_ONCE - deliver_busy(deliverer);
    if (deliverer->is_closed || room == 0 || !may_claim(deliverer, database) ||
        (!deliverer->is_hurried && clock_monotonic_ms() - deliverer->claimed_ms < CLAIM_MS))
        return STATUS_OK;
    const struct deadline lease = deadline_in(DELIVER_LEASE_MS);
    enum status result =
        deliveries_claim(database, DELIVER_LEASE_MS, room, deadline_in(DELIVER_STATEMENT_MS), &rows);
    deliverer->claimed_ms = clock_monotonic_ms();
    if (result != STATUS_OK)
        return result;
    size_t count = database_rows_count(rows);
    deliverer->is_idle = count == 0;
    deliverer->is_hurried = false;
    for (size_t i = 0; i < count && result == STATUS_OK; i++) {
        const struct delivery delivery = deliveries_read(rows, i);
        if (!go_on(deliverer, &delivery, lease))
            result = start(deliverer, database, rows, i, lease, find_free(deliverer));
    }
    database_rows_free(rows);
    return result;
}

/* --- A turn ----------------------------------------------------------------------------------------------
 */

/* The end of an attempt that can't be stored is kept, although the lease may be over by then: it still counts
 * if nobody else has claimed the delivery since. */
static enum status store_ends(struct deliverer *deliverer, struct database *database)
{
    enum status result = STATUS_OK;
    for (int i = 0; i < AT_ONCE; i++) {
        struct flight *flight = &deliverer->flights[i];
        if (flight->state != FLIGHT_DONE)
            continue;
        if (result == STATUS_OK)
            result = deliveries_finish(database, flight->delivery.delivery_id, flight->delivery.lease,
                                       outbox_outcome_name(flight->outcome), flight->wait_ms,
                                       flight->http_status, flight->said, deadline_in(DELIVER_STATEMENT_MS));
        if (result == STATUS_OK || deadline_left_ms(flight->keep_end) == 0) {
            flight->state = FLIGHT_NONE;
            deliverer->is_hurried = true; /* the channel may have more */
        }
    }
    return result;
}

static int bounded_wait(const struct deliverer *deliverer, int wait_ms)
{
    for (int i = 0; i < AT_ONCE; i++) {
        enum flight_state state = deliverer->flights[i].state;
        if (state == FLIGHT_MAILING && wait_ms > LOOK_MS)
            wait_ms = LOOK_MS;
        if (state == FLIGHT_DONE && wait_ms > STORE_AGAIN_MS)
            wait_ms = STORE_AGAIN_MS;
    }
    return wait_ms;
}

/* What has ended is stored before anything is claimed: while the caller was elsewhere for long, leases may
 * have run out, and the answers have come. */
enum status deliver_step(struct deliverer *deliverer, struct database *database, int wait_ms)
{
    enum status result = STATUS_OK;
    if (deliver_busy(deliverer) > 0) {
        post_poll(deliverer->post, 0);
        take_answers(deliverer);
        result = store_ends(deliverer, database);
    }
    if (result == STATUS_OK)
        result = claim(deliverer, database);
    if (deliver_busy(deliverer) > 0 || wait_ms > 0)
        post_poll(deliverer->post, bounded_wait(deliverer, wait_ms));
    take_answers(deliverer);
    enum status stored = store_ends(deliverer, database);
    if (result == STATUS_OK)
        result = stored;
    deliverer->was_away |= result != STATUS_OK;
    return result;
}
