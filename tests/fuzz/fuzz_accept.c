/* The header Accept. */
#include "fuzz.h"

#include "http/conditional.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *header = fuzz_text(data, len_bytes);
    bool is_csv = accept_prefers_csv(header);
    MUST_HOLD(!is_csv || strcasestr(header, "text/csv"));
    free(header);
    return 0;
}
