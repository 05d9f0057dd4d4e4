/* Signatures of webhooks, as Standard Webhooks 1.0 has them: "v1," and base64 of the HMAC-SHA256 of
 * "ID.TIMESTAMP.BODY".
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
#ifndef UPBEAT_ALERT_SIGNATURE_H
#define UPBEAT_ALERT_SIGNATURE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_MAX_BYTES = 127 };

/* The value of the header webhook-signature: a signature for each secret ("whsec_..."; the second may be
 * NULL), with a space between them. signature_r holds SIGNATURE_MAX_BYTES + 1 bytes. STATUS_INVALID: a secret
 * is none. STATUS_NO_MEMORY, STATUS_FAILED: libcrypto has no HMAC. */
enum status signature_make(const char *secret, const char *old_secret, const char *message_id,
                           int64_t timestamp_s, const char *body, size_t body_bytes,
                           char *signature_r) MUST_CHECK;

#endif
