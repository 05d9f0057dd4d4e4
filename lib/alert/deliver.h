/* Empties the outbox: claims deliveries, sends their messages, and writes down what became of each.
 *
 * A delivery is CLAIMED in the database, with a lease on its channel, SENT as a request or a mail, of which
 * many are under way at a time but one a channel, then DONE, once there is an answer or its time is over, and
 * gone when that is stored. A kill at any point leaves the delivery waiting, and the lease ends by itself: it
 * is sent again, under the same id and with the same words. Nothing here waits but deliver_step().
 *
 * While the database is away, leases run out that nobody could give back. So once it is there again nothing
 * is claimed for GRACE_MS, in which each process stores what had ended meanwhile: else another process would
 * send that once more. */
#ifndef UPBEAT_ALERT_DELIVER_H
#define UPBEAT_ALERT_DELIVER_H

#include "base/networks.h"
#include "base/secret_box.h"
#include "base/status.h"
#include "db/database.h"

#include <stdbool.h>

enum {
    /* The lease of a delivery: longer than a claim, a statement of the caller that times out at a server
     * which froze, and what it takes to have the database again, together. Otherwise the end of an attempt is
     * stored too late, and the message is sent twice. */
    DELIVER_LEASE_MS = 30000,
    DELIVER_STATEMENT_MS = 5000, /* the longest time for a claim, or to store an end */
};

struct deliverer;

/* Strings and the secret_box must outlive the deliverer. */
struct deliver_config {
    const struct secret_box *secret_box;
    const char *ca_file;   /* "": the system's */
    const char *sendmail;  /* a program */
    const char *mail_from; /* "": as sendmail has it */
    const char *board_url; /* "": not known */
    const char *proxy;     /* "": none; see post.h */
    struct networks allow; /* see post.h */
};

/* STATUS_NO_MEMORY: *deliverer_r is untouched. */
enum status deliver_new(struct deliverer **deliverer_r, const struct deliver_config *config) MUST_CHECK;

/* NULL is allowed. What is under way is sent again when its lease is over. */
void deliver_free(struct deliverer *deliverer);

/* One turn: stores what became of deliveries; claims what is due, at most every CLAIM_MS unless
 * deliver_hurry() was called since; waits at most wait_ms for something to happen; stores again. Errors of
 * database.h: go on later, nothing is lost. */
enum status deliver_step(struct deliverer *deliverer, struct database *database, int wait_ms) MUST_CHECK;

/* There is something new in the outbox. */
void deliver_hurry(struct deliverer *deliverer);

/* Claims nothing more. */
void deliver_close(struct deliverer *deliverer);

/* Deliveries that are under way, or whose end is not stored yet. */
int deliver_busy(const struct deliverer *deliverer);

/* Is there an end that could not be stored, of an attempt whose lease still runs? Then the caller is to call
 * deliver_step() again, and to ask the database for nothing else: a statement that hangs may outlast the
 * lease. */
bool deliver_owes(const struct deliverer *deliverer);

/* Whether the last claim found nothing. */
bool deliver_is_idle(const struct deliverer *deliverer);

#endif
