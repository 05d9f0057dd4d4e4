/* The header Accept. */
#include "fuzz.h"

#include "http/conditional.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *header = fuzz_text(data, len_bytes);
    static const struct media_offer offers[] = {{"application/json", "charset=utf-8"},
                                                {"text/csv", "charset=utf-8;header=present"}};
    size_t chosen = accept_choose(header, offers, 2);
    MUST_HOLD(chosen < 2);
    /* CSV is named, as itself, as any text, or as anything beside a weight for JSON: so the key of nginx's
     * copies has it. */
    MUST_HOLD(chosen == 0 || strcasestr(header, "text/csv") || strcasestr(header, "text/*") ||
              (strstr(header, "*/*") && strcasestr(header, "application/")));
    free(header);
    return 0;
}
