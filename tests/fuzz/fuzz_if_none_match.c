/* The header If-None-Match. */
#include "fuzz.h"

#include "http/conditional.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const char etag[] = "\"65a1-0f\"";
    char *header = fuzz_text(data, len_bytes);
    bool matches = etag_matches(header, etag);
    MUST_HOLD(!matches || strstr(header, etag) || strchr(header, '*'));
    free(header);
    return 0;
}
