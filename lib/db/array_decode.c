#include "db/array_decode.h"

enum { HEADER_BYTES = 12, DIMENSION_BYTES = 8, LENGTH_BYTES = 4, PLANES_MAX = 4 };

static uint32_t number_at(const unsigned char *at, size_t len_bytes)
{
    uint32_t number = 0;
    for (size_t i = 0; i < len_bytes; i++)
        number = number << 8 | at[i];
    return number;
}

/* The first element, and how many there are. */
static enum status array_open(const void *bytes, size_t len_bytes, const unsigned char **at_r,
                              size_t *count_r)
{
    const unsigned char *at = bytes;
    if (!at || len_bytes < HEADER_BYTES)
        return STATUS_INVALID;
    uint32_t dimensions = number_at(at, 4);
    size_t count = 0;
    if (dimensions > 1 || number_at(at + 4, 4) != 0 ||
        (dimensions == 1 && len_bytes < HEADER_BYTES + DIMENSION_BYTES))
        return STATUS_INVALID;
    if (dimensions == 1) {
        count = number_at(at + HEADER_BYTES, 4);
        at += DIMENSION_BYTES;
    }
    if (count > len_bytes / LENGTH_BYTES)
        return STATUS_INVALID;
    *at_r = at + HEADER_BYTES;
    *count_r = count;
    return STATUS_OK;
}

enum status array_spans(const void *bytes, size_t len_bytes, struct arena *arena, struct byte_span **items_r,
                        size_t *count_r)
{
    const unsigned char *at = NULL;
    size_t count = 0;
    enum status result = array_open(bytes, len_bytes, &at, &count);
    if (result != STATUS_OK)
        return result;
    const unsigned char *end = (const unsigned char *)bytes + len_bytes;
    struct byte_span *items = arena_alloc(arena, (count + 1) * sizeof *items);
    if (!items)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if ((size_t)(end - at) < LENGTH_BYTES)
            return STATUS_INVALID;
        uint32_t len = number_at(at, LENGTH_BYTES);
        at += LENGTH_BYTES;
        if (len > (size_t)(end - at))
            return STATUS_INVALID;
        items[i] = (struct byte_span){at, len};
        at += len;
    }
    *items_r = items;
    *count_r = count;
    return STATUS_OK;
}

/* The elements of an array without nulls have the same length, after a word each that says it. */
enum status array_numbers(const void *bytes, size_t len_bytes, struct arena *arena, int32_t **items_r,
                          size_t *count_r)
{
    const unsigned char *at = NULL;
    size_t count = 0;
    enum status result = array_open(bytes, len_bytes, &at, &count);
    if (result != STATUS_OK)
        return result;
    const unsigned char *end = (const unsigned char *)bytes + len_bytes;
    int32_t *items = arena_alloc(arena, (count + 1) * sizeof *items);
    if (!items)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        uint32_t len = (size_t)(end - at) < LENGTH_BYTES ? 0 : number_at(at, LENGTH_BYTES);
        if ((len != sizeof(int16_t) && len != sizeof(int32_t)) || (size_t)(end - at) < LENGTH_BYTES + len)
            return STATUS_INVALID;
        items[i] = len == sizeof(int16_t) ? (int16_t)number_at(at + LENGTH_BYTES, sizeof(int16_t))
                                          : (int32_t)number_at(at + LENGTH_BYTES, sizeof(int32_t));
        at += LENGTH_BYTES + len;
    }
    *items_r = items;
    *count_r = count;
    return STATUS_OK;
}

enum status array_unpack(const struct byte_span *planes, size_t plane_count, size_t count, int32_t *counts)
{
    if (plane_count < 1 || plane_count > PLANES_MAX || planes[0].len_bytes != count)
        return STATUS_INVALID;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = 0;
        for (size_t n = 0; n < plane_count; n++) {
            if (i < planes[n].len_bytes)
                number |= (uint32_t)planes[n].bytes[i] << 8 * n;
        }
        if (number > INT32_MAX)
            return STATUS_INVALID;
        counts[i] = (int32_t)number;
    }
    return STATUS_OK;
}
