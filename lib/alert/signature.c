#include "alert/signature.h"

#include "base/buffer.h"
#include "base/secret_box.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"

enum { AROUND_MAX_BYTES = 256 };

static enum status sign(const char *secret, const struct buffer *text, char code[BASE64_OF_DIGEST_BYTES])
{
    if (strncmp(secret, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0)
        return STATUS_INVALID;
    return secret_box_sign(secret + strlen(SECRET_PREFIX), text->data, text->len_bytes, code);
}

enum status signature_make(const char *secret, const char *old_secret, const char *message_id,
                           int64_t timestamp_s, const char *body, size_t body_bytes, char *signature_r)
{
    struct buffer text;
    char code[BASE64_OF_DIGEST_BYTES];
    char old_code[BASE64_OF_DIGEST_BYTES];
    buffer_init(&text, body_bytes + AROUND_MAX_BYTES);
    buffer_append_format(&text, "%s.%" PRId64 ".", message_id, timestamp_s);
    buffer_append(&text, body, body_bytes);
    enum status result = text.status;
    if (result == STATUS_OK)
        result = sign(secret, &text, code);
    if (result == STATUS_OK && old_secret)
        result = sign(old_secret, &text, old_code);
    buffer_release(&text);
    if (result == STATUS_OK)
        snprintf(signature_r, SIGNATURE_MAX_BYTES + 1, "v1,%s%s%s", code, old_secret ? " v1," : "",
                 old_secret ? old_code : "");
    return result;
}
