/* Which hosts the fetcher was told of lately: it keeps those fresh that somebody asks for, and hears of each
 * once a minute. Pure. */
#ifndef UPBEAT_API_ASKED_H
#define UPBEAT_API_ASKED_H

#include "base/status.h"
#include "base/validate.h"

#include <stdbool.h>
#include <stdint.h>

enum { ASKED_EVERY_MS = 60000, ASKED_HOSTS_MAX = 4096 };

struct asked;

/* NULL: no memory. */
struct asked *asked_new(void) MUST_CHECK;

/* NULL is allowed. */
void asked_free(struct asked *asked);

/* Is the fetcher to be told of this host now? A host that finds no room is told of each time. */
bool asked_is_due(struct asked *asked, const char *host, int64_t now_ms);

#endif
