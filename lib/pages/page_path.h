/* Which page is it: the one definition of a page's identity. Chartbeat, clients and recordings spell the
 * address of one page in many ways; all of them become the one spelling that is stored and looked up. */
#ifndef UPBEAT_PAGES_PAGE_PATH_H
#define UPBEAT_PAGES_PAGE_PATH_H

#include "base/status.h"
#include <stddef.h>

enum {
    PATH_MAX_BYTES = 2000,       /* with the host it must fit PostgreSQL's index entry of 2,704 bytes */
    PATH_INPUT_MAX_BYTES = 8192, /* of an address before it is spelled our way, without a plain anchor */
};

struct page_path_rules {
    const char *host;            /* that was asked for, in lower case; "" where there is none */
    const char *drop_parameters; /* names with a space between them, "utm_*" for all that start so; "": none.
                                    settings.c checks it. */
};

/* Spells an address as the page's identity: what a browser's location.pathname says, then the query, before
 * it the host where it is not the asked one, and behind it a hash route.
 *
 * Host. The asked host and "www." + it are left out, whatever stands before them: http:// or https:// in any
 * case, //, a user, a port. Another host stays, in lower case, without scheme, user and port:
 * "blog.demo.example/x". Without a scheme or // the first part is a host only where it is the asked one
 * (alone, or before a slash or a query), or looks like one and a slash follows: labels of letters, digits,
 * hyphens and underscores with a dot between them, the last one of letters only or an "xn--" one. Any other
 * first part belongs to the path: "home_screen" is "/home_screen". A host behind a scheme that does not look
 * like one is kept as "//localhost/x".
 *
 * Path. Percent-encoded UTF-8 with upper-case digits, what RFC 3986
 * calls unreserved is plain, reserved characters stay as they came (6.2.2.1 and 6.2.2.2); a % that starts no
 * escape is %25; dot segments are resolved (6.2.2.3). A path that would start with // and a host starts with
 * one slash. The front page is "/".
 *
 * Query. Spelled like the path, in the order that it came in, without empty
 * parts and without parameters whose names are to be dropped (letters of any case); an empty one goes with
 * its question mark.
 *
 * Fragment. One that starts with / or ! is a route and stays, spelled like the path and
 * with its query as above; another is a place on the page and goes.
 *
 * path_r gets *path_bytes_r bytes of ASCII, at least one, without NUL behind them; the same call with those
 * changes nothing. Linear in len_bytes. STATUS_TOO_LARGE: over PATH_MAX_BYTES, or over PATH_INPUT_MAX_BYTES
 * before it is spelled; both outputs are untouched. */
enum status page_path_normal(const char *text, size_t len_bytes, const struct page_path_rules *rules,
                             char path_r[PATH_MAX_BYTES], size_t *path_bytes_r) MUST_CHECK;

#endif
