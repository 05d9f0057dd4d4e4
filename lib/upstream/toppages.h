/* Chartbeat's list of top pages, v3 and legacy, from bytes that nobody vouches for. The only module that
 * calls cJSON. */
#ifndef UPBEAT_UPSTREAM_TOPPAGES_H
#define UPBEAT_UPSTREAM_TOPPAGES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "pages/page_list.h"
#include <stdbool.h>
#include <stddef.h>

/* Why a row is left out; of several reasons the first. */
enum row_fault {
    ROW_NO_OBJECT,
    ROW_NO_PATH,     /* no `path`, or one that is no string */
    ROW_BROKEN_PATH, /* `path` had to be mended: nobody can say which page it is */
    ROW_LONG_PATH,   /* page_path_normal() refuses it */
    ROW_NO_COUNT,    /* no count, or one that is none: negative, beyond 2,147,483,647, NaN, text */
    ROW_FAULTS
};

struct toppages {
    struct page_list pages;     /* merged and in the order of a snapshot */
    size_t rows;                /* that the answer has, usable or not */
    size_t refused_rows;        /* all that were left out */
    size_t refused[ROW_FAULTS]; /* how many of them for which reason */
    size_t mended_texts;        /* that had something broken in them, of those that are read */
    bool says_error;            /* beside the list stands that there was an error */
};

/* Parses {"pages":[{"path","title","sections","stats":{"people" or
 * "visits","search","social","links","direct", "internal"}}]} or [{"i","path","visitors"}]; other members are
 * stepped over (json_scan.h), and of a name given twice the first counts. No rows are fine: refused_rows and
 * rows are then 0.
 *
 * A row is kept or left out by itself. It needs a path and a count: stats.people, or stats.visits where
 * people is absent or null (legacy: visitors); a number, or one in a string; fractions are rounded to the
 * nearest. Title, sections and sources are optional: what is absent, of another type or no number is "",
 * none, and 0, and costs the row nothing, since they say where visitors came from and not how many there are.
 * Paths are spelled by page_path_normal(); rows of the same page are added up.
 *
 * Broken text (utf8.h) is mended wherever it is read, and stepped over elsewhere; the byte-order mark in
 * front of all is passed over, and so are NULs behind it. In place of a number may stand what is none
 * (json_scan.h).
 *
 * The arena owns everything in *toppages_r, and nothing else is in it: the JSON of a row is gone with the
 * row. The arena's maximum bounds what a hostile body can make us take, for the rows, for the JSON of any one
 * row, and for what is left of a row. STATUS_INVALID: not JSON in its shape, nested deeper than
 * JSON_DEPTH_MAX, something behind it, or without a list of pages; STATUS_TOO_LARGE: the maximum was reached.
 * *why_r then has the reason in words (static storage) and *toppages_r is untouched. Not for two threads. */
enum status toppages_parse(const char *body, size_t len_bytes, const struct page_path_rules *rules,
                           struct arena *arena, struct toppages *toppages_r, const char **why_r) MUST_CHECK;

/* Appends which rows were left out, as "3 of 100 rows: 2 without a count, 1 with a broken path"; nothing
 * where none was. */
void toppages_say_refused(const struct toppages *toppages, struct buffer *out);

#endif
