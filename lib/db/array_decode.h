/* Reads PostgreSQL's arrays in the binary form of a result: arrays of one dimension, without nulls. */
#ifndef UPBEAT_DB_ARRAY_DECODE_H
#define UPBEAT_DB_ARRAY_DECODE_H

#include "base/arena.h"
#include "base/status.h"
#include <stdint.h>

struct byte_span {
    const unsigned char *bytes;
    size_t len_bytes;
};

/* The elements as numbers (smallint and integer), or as spans that point into `bytes`. The arena owns
 * *items_r. STATUS_INVALID: the bytes are no such array. STATUS_NO_MEMORY. On an error the outputs are
 * untouched. */
enum status array_numbers(const void *bytes, size_t len_bytes, struct arena *arena, int32_t **items_r,
                          size_t *count_r) MUST_CHECK;
enum status array_spans(const void *bytes, size_t len_bytes, struct arena *arena, struct byte_span **items_r,
                        size_t *count_r) MUST_CHECK;

/* The inverse of SQL's pack_counts(), which stores the lowest bytes of all counts, then the second-lowest,
 * and so on. Writes `count` numbers to `counts`. STATUS_INVALID: there are fewer, or one is above the largest
 * integer. */
enum status array_unpack(const struct byte_span *planes, size_t plane_count, size_t count,
                         int32_t *counts) MUST_CHECK;

#endif
