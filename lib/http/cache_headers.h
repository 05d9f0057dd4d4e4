/* What an answer says of its age: to browsers and caches on the way (RFC 9111, RFC 5861), and to the cache of
 * nginx in front of us, which keeps a copy to the end of the second.
 *
 * One second of nginx's clock, in which an answer of age 0.4 s with a lifetime of 3 s is made at 7.3 s:
 *
 *     7.0      7.3                      8.0                      9.0
 *      |        |-------- copy ---------|--- served once more ----|
 *      |        made: row is 0.4 s old  X-Accel-Expires: @7       stale-while-revalidate=1
 *      |                                row is 1.1 s old: Age: 1
 *
 * nginx counts whole seconds: with "@7" the copy is good while its clock says 7. All who are served the copy
 * get the same Age, so it is that of the copy's end: it may say up to a second too much, never too little.
 * max-age is the whole lifetime of the row, since a client takes Age off it.
 *
 * Where due_ms is above 0 the copy is kept to the end of the second in which the row is due for a newer one:
 * a new answer before that would be the same. Of a row that is 0.4 s old at 7.3 s, due in 2.6 s at 9.9 s:
 * "@9". */
#ifndef UPBEAT_HTTP_CACHE_HEADERS_H
#define UPBEAT_HTTP_CACHE_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

struct cache_times {
    int64_t now_ms;      /* wall clock */
    int64_t age_ms;      /* of the row; below 0 after a jump of the clock */
    int64_t lifetime_ms; /* of a row, from its start */
    int64_t copy_ms;     /* for how long from now a copy may be served; 0: not at all */
    int64_t due_ms;      /* for how long from now no newer row is to be had; 0: the copy is of this second */
    int64_t copy_stale_ms;  /* for how long a copy that is out of date may be served while a new one is asked
                               for */
    int64_t copy_error_ms;  /* for how long from now a copy may be served while no worker gives an answer */
    int64_t stale_error_ms; /* for how long a row may be served while there is no newer one to be had */
    bool is_behind_cache;   /* nginx keeps copies */
};

struct cache_headers {
    int64_t copied_for_ms; /* until when nginx serves its copy; 0: it keeps none */
    int age_s;
    char cache_control[96];       /* for clients, one line */
    char x_accel_expires[24];     /* for nginx; "": it is not there */
    char nginx_cache_control[64]; /* for nginx, which must read it before X-Accel-Expires; "": it is not there
                                   */
    char good_in[48]; /* for nginx: the two seconds in which a copy is no older than it says; "0 0": none */
};

/* Total and pure. */
struct cache_headers cache_headers_of(const struct cache_times *times);

#endif
