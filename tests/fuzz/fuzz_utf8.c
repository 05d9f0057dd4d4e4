/* The check for UTF-8 and NUL against a plain decoder, and the mending. */
#include "fuzz.h"

#include "base/utf8.h"

static bool is_valid_by_decoding(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0x1, 0x80, 0x800, 0x10000};
    while (left > 0) {
        size_t len = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
        if (len == 0 || len > left)
            return false;
        uint32_t code = len == 1 ? *at : *at & (0x7f >> len);
        for (size_t i = 1; i < len; i++) {
            if (at[i] >> 6 != 2)
                return false;
            code = code << 6 | (at[i] & 0x3f);
        }
        if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
        at += len;
        left -= len;
    }
    return true;
}

/* What was mended is sound, and mending it again changes nothing. */
static void check_mending(const char *text, size_t len_bytes, bool is_valid)
{
    struct buffer once;
    struct buffer twice;
    buffer_init(&once, 3 * len_bytes + 1);
    buffer_init(&twice, 3 * len_bytes + 1);
    bool was_broken = utf8_mend_json(&once, text, len_bytes);
    MUST_HOLD(once.status == STATUS_OK);
    MUST_HOLD(utf8_valid(once.data, once.len_bytes));
    MUST_HOLD(was_broken ||
              (is_valid && once.len_bytes == len_bytes && memcmp(once.data, text, len_bytes) == 0));
    MUST_HOLD(!utf8_mend_json(&twice, once.data, once.len_bytes));
    buffer_release(&once);
    buffer_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *exact = malloc(len_bytes ? len_bytes : 1);
    if (!exact)
        abort();
    if (len_bytes > 0)
        memcpy(exact, data, len_bytes);
    bool is_valid = utf8_valid(exact, len_bytes);
    MUST_HOLD(is_valid == is_valid_by_decoding(data, len_bytes));
    check_mending(exact, len_bytes, is_valid);
    for (size_t max = 0; is_valid && max <= len_bytes && max < 100; max++) {
        size_t cut = utf8_cut(exact, len_bytes, max);
        MUST_HOLD(cut <= max && max - cut < 4 && utf8_valid(exact, cut));
    }
    free(exact);
    return 0;
}
