/* PostgreSQL's arrays: what is taken apart lies inside what came. */
#include "fuzz.h"

#include "db/array_decode.h"

enum { ROOM_MAX_BYTES = 1 << 20, COUNTS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static int32_t counts[COUNTS_MAX];
    struct arena arena;
    struct byte_span *spans = NULL;
    int32_t *numbers = NULL;
    size_t count = 0;
    arena_init(&arena, ROOM_MAX_BYTES);
    if (array_spans(data, len_bytes, &arena, &spans, &count) == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            MUST_HOLD(spans[i].bytes >= data && spans[i].bytes + spans[i].len_bytes <= data + len_bytes);
        size_t wanted = count > 0 ? spans[0].len_bytes : 0;
        if (wanted <= COUNTS_MAX && array_unpack(spans, count, wanted, counts) == STATUS_OK) {
            for (size_t i = 0; i < wanted; i++)
                MUST_HOLD(counts[i] >= 0);
        }
    }
    if (array_numbers(data, len_bytes, &arena, &numbers, &count) == STATUS_OK)
        MUST_HOLD(count <= len_bytes);
    arena_release(&arena);
    return 0;
}
