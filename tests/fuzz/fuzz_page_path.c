/* The spelling of a page's address: never changes its own result, and is ASCII that no list or index trips
 * over. */
#include "fuzz.h"

#include "pages/page_path.h"

static void check(const char *text, size_t len_bytes, const struct page_path_rules *rules)
{
    char path[PATH_MAX_BYTES];
    char again[PATH_MAX_BYTES];
    size_t path_bytes = 0;
    size_t again_bytes = 0;
    enum status result = page_path_normal(text, len_bytes, rules, path, &path_bytes);
    MUST_HOLD(result == STATUS_OK || result == STATUS_TOO_LARGE);
    if (result != STATUS_OK)
        return;
    MUST_HOLD(path_bytes >= 1 && path_bytes <= PATH_MAX_BYTES);
    for (size_t i = 0; i < path_bytes; i++)
        MUST_HOLD(path[i] > ' ' && path[i] < 0x7f && !strchr("\"<>\\^`{|}", path[i]));
    MUST_HOLD(memchr(path, '/', path_bytes));
    MUST_HOLD(page_path_normal(path, path_bytes, rules, again, &again_bytes) == STATUS_OK);
    MUST_HOLD(again_bytes == path_bytes && memcmp(path, again, path_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const struct page_path_rules rules[] = {
        {"demo.example", "utm_* fbclid gclid"}, {"video@demo.example", "a*"}, {"d", "* a"}, {"", ""}};
    char *exact = malloc(len_bytes ? len_bytes : 1);
    if (!exact)
        abort();
    if (len_bytes > 0)
        memcpy(exact, data, len_bytes);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        check(exact, len_bytes, &rules[i]);
    free(exact);
    return 0;
}
