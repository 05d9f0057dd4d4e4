#include "base/base64.h"

void base64_put(struct buffer *out, const void *bytes, size_t len_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len_bytes; i += 3) {
        size_t n = len_bytes - i < 3 ? len_bytes - i : 3;
        unsigned bits = (unsigned)at[i] << 16 | (n > 1 ? (unsigned)at[i + 1] << 8 : 0);
        bits |= n > 2 ? at[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++)
            buffer_append(out, k <= n ? &digits[bits >> (18 - 6 * k) & 63] : "=", 1);
    }
}
