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
    /* CSV is named, as itself or as any text, or JSON is named with a weight, or with quotes, which may hide
     * one: so the key of nginx's copies has the header (map $upbeat_accept). */
    MUST_HOLD(chosen == 0 || strcasestr(header, "text/csv") || strcasestr(header, "text/*") ||
              ((strcasestr(header, "application/json") || strcasestr(header, "application/*")) &&
               (strchr(header, '"') || strcasestr(header, "q"))));
    free(header);
    return 0;
}
