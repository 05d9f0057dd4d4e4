/* A host that upbeat-alert watches: its event rules, and how far it has looked.
 *
 * All of it is made from what is stored, so it may be thrown away at any time: a watch that is made anew
 * looks at the last 45 minutes without a word, takes up the events that are open, and goes on where the log
 * says; of a host that was never looked at it takes the last two hours. Events are stored together with how
 * far was looked, in one transaction, so a kill loses none and tells none twice. */
#ifndef UPBEAT_FCGI_WATCH_H
#define UPBEAT_FCGI_WATCH_H

#include "db/database.h"
#include "store/event_log.h"

struct watch;

/* NULL: no memory. */
struct watch *watch_new(const char *host);

/* NULL is allowed. */
void watch_free(struct watch *watch);

const char *watch_host(const struct watch *watch);

/* Looks at what is new of the host, at most half an hour of it. *found_r: events that began or ended.
 * *more_r: there is more to look at. `dry`: prints them in place of storing them. On an error, and where
 * somebody else has looked there meanwhile or the watch is a day old (STATUS_REFUSED), the watch must be
 * freed; nothing is lost. Errors as in event_log.h. */
enum status watch_look(struct watch *watch, struct database *database, const struct event_host *host,
                       bool dry, int *found_r, bool *more_r) MUST_CHECK;

#endif
