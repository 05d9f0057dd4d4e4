/* The records of a FastCGI connection, as they came in, and each of their beginnings. */
#include "fuzz.h"

#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    unsigned char *bytes = malloc(len_bytes + 1);
    if (!bytes)
        abort();
    if (len_bytes > 0)
        memcpy(bytes + 1, data, len_bytes);
    enum record_state state = record_state_of(bytes + 1, len_bytes);
    MUST_HOLD(state == RECORD_WHOLE || state == RECORD_PARTIAL || state == RECORD_BAD);
    MUST_HOLD(state != RECORD_PARTIAL || len_bytes < RECORD_REQUEST_MAX_BYTES);
    for (size_t i = 0; i < len_bytes; i++) { /* what is decided stays so, whatever comes after it */
        enum record_state early = record_state_of(bytes + 1, i);
        MUST_HOLD(early == RECORD_PARTIAL || early == state);
    }
    free(bytes);
    return 0;
}
