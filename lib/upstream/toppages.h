/* Chartbeat's list of top pages, v3 and legacy, from bytes that nobody vouches for. The only module that
 * calls cJSON. */
#ifndef UPBEAT_UPSTREAM_TOPPAGES_H
#define UPBEAT_UPSTREAM_TOPPAGES_H

#include "base/arena.h"
#include "base/status.h"
#include "pages/page_list.h"
#include <stddef.h>

struct toppages {
    struct page_list pages; /* merged and in the order of a snapshot */
    size_t refused_rows;    /* without a usable path or count */
};

/* Parses {"pages":[{"path","title","sections","stats":{"people" or
 * "visits","search","social","links","direct","internal"}}]} or
 * [{"i","path","visitors"}]. Sections and sources are optional: what is absent or of another type is empty,
 * or 0. Missing or null `pages` is a quiet site: an empty list. A missing title is "". Counts may be numbers
 * or numbers in a string, fractions are rounded to the nearest; a negative one, one beyond 2,147,483,647 and
 * one that is none refuse their row. The arena owns everything in *toppages_r, and nothing else is in it: the
 * JSON of a row is gone with the row, and members that are not named here are only stepped over (json.h). The
 * arena's maximum bounds what a hostile body can make us take, for the rows, for the JSON of any one value,
 * and for what is left of a row. STATUS_INVALID: not UTF-8, NUL or \u0000 in it, not JSON, something behind
 * it, or of another shape; STATUS_TOO_LARGE: the maximum was reached. *why_r then has the reason in words
 * (static storage) and *toppages_r is untouched. Not for two threads. */
enum status toppages_parse(const char *body, size_t len_bytes, struct arena *arena,
                           struct toppages *toppages_r, const char **why_r) MUST_CHECK;

#endif
