/* A text as a view token, as names of fields, and its first bytes as the random ones of a token. */
#include "fuzz.h"

#include "base/token.h"
#include "base/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    const char *why = NULL;
    unsigned fields = 0;
    char *text = fuzz_text(data, len_bytes);
    enum status result = token_check(text, strlen(text), &why);
    MUST_HOLD(result == STATUS_OK || why);
    if (result == STATUS_OK) {
        MUST_HOLD(token_has_mark(text) && validate_key(text, strlen(text), &why) == STATUS_OK);
        text[TOKEN_BYTES - 1] = text[TOKEN_BYTES - 1] == 'a' ? 'b' : 'a';
        MUST_HOLD(token_check(text, strlen(text), &why) == STATUS_INVALID);
    }
    MUST_HOLD(token_fields_parse(text, &fields) == STATUS_OK ? fields > 0 && fields < 16 : fields == 0);
    if (len_bytes >= TOKEN_RANDOM_BYTES) {
        char token[TOKEN_BYTES + 1];
        token_write(data, token);
        MUST_HOLD(strlen(token) == TOKEN_BYTES && token_check(token, TOKEN_BYTES, &why) == STATUS_OK);
    }
    free(text);
    return 0;
}
