/* The events of a host as an Atom feed (RFC 4287). */
#ifndef UPBEAT_API_EVENT_FEED_H
#define UPBEAT_API_EVENT_FEED_H

#include "base/buffer.h"

struct database_rows;

/* Appends the feed out of the rows of REPORT_EVENTS (store/reports.h), at most `limit` entries; see
 * out->status. The id of an entry never changes, and its `updated` only when its text does: when it begins,
 * and when it is over. */
void event_feed_write(struct buffer *out, const char *host, const struct database_rows *rows, int limit);

#endif
