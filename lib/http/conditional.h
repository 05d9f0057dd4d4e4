/* Request headers that choose between answers: If-None-Match and Accept (RFC 9110). */
#ifndef UPBEAT_HTTP_CONDITIONAL_H
#define UPBEAT_HTTP_CONDITIONAL_H

#include <stdbool.h>

/* Does an If-None-Match value name this entity tag (given with its quotes)? Weak comparison; "*" matches; a
 * list that is not well-formed matches nothing from the fault on. `header` NULL: no. */
bool etag_matches(const char *header, const char *etag);

/* Does an Accept value ask for CSV: text/csv named, with a weight above 0 and above that of application/json
 * by name? Anything else, a broken header and NULL mean JSON. */
bool accept_prefers_csv(const char *header);

#endif
