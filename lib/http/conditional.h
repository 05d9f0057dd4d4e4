/* Request headers that choose between answers: If-None-Match and Accept (RFC 9110). */
#ifndef UPBEAT_HTTP_CONDITIONAL_H
#define UPBEAT_HTTP_CONDITIONAL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an If-None-Match value names this entity tag (given with its quotes), by weak comparison. "*" names
 * every tag. In a list that is not well-formed the tags before the fault count. `header` may be NULL: it
 * names none. */
bool etag_matches(const char *header, const char *etag);

/* A form in which an answer can be had: "text/csv", and the parameters that it has anyway, as
 * "charset=utf-8;header=present" ("" or NULL: none). */
struct media_offer {
    const char *type;
    const char *parameters;
};

/* The offer that an Accept value prefers (RFC 9110, 12.5.1): the most specific range that matches an offer
 * gives its weight, the greatest weight wins; of equals the one that is named more closely, then the one that
 * stands first. A range matches only if the offer has each of its parameters; those of any type ("*" on both
 * sides) mean nothing, since no type is there to have them. A weight that is none counts as 0. Where nothing
 * is acceptable, and for NULL, it is the first: index from 0. Linear in the header for each offer. */
size_t accept_choose(const char *header, const struct media_offer *offers, size_t count);

#endif
