/* PostgreSQL's arrays in binary form, as a result has them: one dimension, no nulls. */
#ifndef UPBEAT_DB_ARRAY_DECODE_H
#define UPBEAT_DB_ARRAY_DECODE_H

#include "base/arena.h"
#include "base/status.h"
#include <stdint.h>

struct byte_span {
    const unsigned char *bytes;
    size_t len_bytes;
};

/* Elements of 1 to 4 bytes as numbers, or spans that point into `bytes`. The arena owns *items_r.
 * STATUS_INVALID: not of this form; STATUS_NO_MEMORY. On an error the outputs are untouched. */
enum status array_numbers(const void *bytes, size_t len_bytes, struct arena *arena, int32_t **items_r,
                          size_t *count_r) MUST_CHECK;
enum status array_spans(const void *bytes, size_t len_bytes, struct arena *arena, struct byte_span **items_r,
                        size_t *count_r) MUST_CHECK;

/* The counts that SQL's pack_counts() packed, count of them. STATUS_INVALID: fewer, or one is over the
 * largest integer. */
enum status array_unpack(const struct byte_span *planes, size_t plane_count, size_t count,
                         int32_t *counts) MUST_CHECK;

#endif
