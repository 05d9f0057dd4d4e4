/* Refills that are wanted, each host's once: put off until they are due, and handed to a worker that is free,
 * so that who serves need not wait for Chartbeat. A worker hears of them on a datagram socket of its own in
 * the run folder; a message holds the host and the digest of the key that asked, never a key. */
#ifndef UPBEAT_FCGI_ORDERS_H
#define UPBEAT_FCGI_ORDERS_H

#include "base/secret_box.h"
#include "base/status.h"
#include "base/validate.h"
#include <stdbool.h>

struct orders;

struct order {
    char host[HOST_MAX_BYTES + 1];
    struct digest digest; /* of the key that asked */
    int put_off;          /* times, whoever did */
    int in_vain;          /* the rank that was told last, and has not done it: the row is older; else -1 */
};

/* The orders of the worker of this rank; its socket is RUN_DIR/refresh.RANK. `run_dir` must outlive them.
 * STATUS_FAILED: no socket (errno says why). STATUS_NO_MEMORY. On an error *orders_r is untouched. */
enum status orders_new(struct orders **orders_r, const char *run_dir, int rank, int quiet_ms) MUST_CHECK;

/* NULL is allowed. */
void orders_free(struct orders *orders);

/* Readable when another worker has handed something over. */
int orders_fd(const struct orders *orders);

/* Wants a refresh of a host, whose row is age_ms old, in in_ms. Nothing new where it is wanted by then
 * already, was put off, or was due less than quiet_ms ago: many ask at the same time. Of two hosts that fall
 * on one place the later one stays.
 */
void orders_want(struct orders *orders, const char *host, const struct digest *digest, int64_t age_ms,
                 int64_t in_ms);

/* Wants one again a little later, since it could not be done; not for ever, even where it goes around. */
void orders_put_off(struct orders *orders, const struct order *order);

/* Until the next one is due, at most max_ms. */
int orders_wait_ms(const struct orders *orders, int max_ms);

/* Takes one that is due; false: none. */
bool orders_take_due(struct orders *orders, struct order *order_r);

/* Takes one that was handed over, past what is none; false: there is no more. */
bool orders_receive(struct orders *orders, struct order *order_r);

/* Hands one to the worker of another rank, and keeps in mind to whom; false: it is not there, or has too much
 * to do. */
bool orders_hand_over(struct orders *orders, const struct order *order, int rank) MUST_CHECK;

#endif
