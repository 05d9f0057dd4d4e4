/* What an answer of Chartbeat, or of something in front of it, amounts to: decided here and nowhere else. */
#ifndef UPBEAT_UPSTREAM_ANSWER_KIND_H
#define UPBEAT_UPSTREAM_ANSWER_KIND_H

#include "base/arena.h"
#include "base/buffer.h"
#include "upstream/toppages.h"
#include <stdbool.h>
#include <stddef.h>

enum answer_kind {
    ANSWER_LIST,    /* a list of pages; it proves the key */
    ANSWER_QUIET,   /* a list without pages: nobody is on the site; it proves the key */
    ANSWER_REFUSED, /* Chartbeat's word that the key is not good for the host */
    ANSWER_LIMITED, /* asked too often */
    ANSWER_NONE,    /* not an answer: the last list stays, and the key is neither proven nor refused */
};

/* One whole answer over HTTP. */
struct answer {
    int status;
    bool has_retry_after;     /* it has the header Retry-After, whatever that says */
    int rate_remaining;       /* X-RateLimit-Remaining, however it is spelled; -1 where absent or no number */
    const char *content_type; /* NULL where absent */
    const char *body;         /* decompressed */
    size_t body_bytes;
};

/* The kind of an answer, by its status, headers and body alone; the first row that fits counts:
 *
 * | status   | headers                  | body                                         | kind    |
 * | 200      |                          | a list with a row that can be used           | LIST    |
 * | 200      |                          | a list without rows, and no error beside it  | QUIET   |
 * | 200      |                          | anything else: rows of no use, {}, null, "x" | NONE    |
 * | 429      |                          |                                              | LIMITED |
 * | 401, 403 | Retry-After              |                                              | LIMITED |
 * | 403      | X-RateLimit-Remaining: 0 |                                              | LIMITED |
 * | 401, 403 |                          | an object, array or string of JSON           | REFUSED |
 * | 401      | no type of HTML or XML   | empty, or text without a tag in front        | REFUSED |
 * | others   |                          |                                              | NONE    |
 *
 * An error beside the list is a member "error", "errors", "fault" or "exception" that says something, a
 * "status" or "code" of 400 to 599 or of "error", "fail", "failed" or "failure", or a "success" or "ok" that
 * is false.
 *
 * HTML comes from a firewall or a proxy, never from Chartbeat. A bare 401 is Chartbeat's documented answer to
 * a bad key; a bare 403 is not, and firewalls send it.
 *
 * LIST and QUIET fill *toppages_r, as toppages_parse() does, with what the arena owns; the other kinds leave
 * it untouched. `why` gets the reason in words, without key or address, for every kind but LIST and QUIET. */
enum answer_kind answer_kind_of(const struct answer *answer, const struct page_path_rules *rules,
                                struct arena *arena, struct toppages *toppages_r, struct buffer *why);

#endif
