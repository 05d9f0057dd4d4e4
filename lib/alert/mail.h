/* One mail through the local sendmail, as a child process that nobody waits for. */
#ifndef UPBEAT_ALERT_MAIL_H
#define UPBEAT_ALERT_MAIL_H

#include "base/clock.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MAIL_MS = 10000 };

struct mail {
    pid_t pid; /* 0: none */
    struct deadline deadline;
};

/* Starts "PROGRAM -i -t" with the message as its standard input, in a process group and an environment of its
 * own. STATUS_FAILED: it can't be started. STATUS_NO_MEMORY. */
enum status mail_start(struct mail *mail, const char *program, const char *message,
                       size_t message_bytes) MUST_CHECK;

/* Whether it has ended; stops it after MAIL_MS. *status_r: its exit status, -1 where it was stopped. */
bool mail_has_ended(struct mail *mail, int *status_r);

/* Kills it where it is still there, and waits for nothing: one that can't be killed goes on, and counts as
 * ended. */
void mail_stop(struct mail *mail);

#endif
