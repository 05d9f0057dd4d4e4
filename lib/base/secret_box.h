/* API keys as the database stores them: found by their digest, and encrypted. Keys and the secret never leave
 * this process in the clear, so PostgreSQL can not log them, whatever it is set to log. No other module calls
 * libcrypto. */
#ifndef UPBEAT_BASE_SECRET_BOX_H
#define UPBEAT_BASE_SECRET_BOX_H

#include "base/status.h"
#include "base/validate.h"
#include <stddef.h>

enum {
    DIGEST_BYTES = 32,
    SECRET_MIN_BYTES = 32,
    SECRET_MAX_BYTES = 4096,
    SEAL_NONCE_BYTES = 12,
    SEAL_TAG_BYTES = 16,
    SEALED_MAX_BYTES = SEAL_NONCE_BYTES + SEAL_TAG_BYTES + KEY_MAX_BYTES,
    SECRET_TEXT_MAX_BYTES = 2048, /* an address or a signing secret of a channel */
    SEALED_TEXT_MAX_BYTES = SEAL_NONCE_BYTES + SEAL_TAG_BYTES + SECRET_TEXT_MAX_BYTES,
    BASE64_OF_DIGEST_BYTES = 45, /* with the NUL */
};

/* The SHA-256 of an API key, under which the database knows it. */
struct digest {
    unsigned char bytes[DIGEST_BYTES];
};

/* An encrypted API key: nonce, tag and ciphertext of AES-256-GCM (NIST SP 800-38D). The digest is the
 * additional authenticated data, so a key can not be moved to another row. */
struct sealed {
    unsigned char bytes[SEALED_MAX_BYTES];
    size_t len_bytes;
};

/* An encrypted address or signing secret; the same form. */
struct sealed_text {
    unsigned char bytes[SEALED_TEXT_MAX_BYTES];
    size_t len_bytes;
};

/* The encryption key that was derived from the secret file. secret_box_release() wipes it. */
struct secret_box {
    unsigned char sealing_key[32];
};

/* Reads the secret file (SECRET_MIN_BYTES to SECRET_MAX_BYTES bytes; trailing white space does not count) and
 * derives the sealing key. STATUS_INVALID: not readable, too short, too long or open to others (mode beyond
 * 0660); *why_r says it in words (static storage) and the secret_box is untouched. */
enum status secret_box_init(struct secret_box *secret_box, const char *secret_file,
                            const char **why_r) MUST_CHECK;

/* Wipes the key. */
void secret_box_release(struct secret_box *secret_box);

/* The digest of a key. STATUS_FAILED: libcrypto has no SHA-256. */
enum status secret_box_digest(const char *key, size_t len_bytes, struct digest *digest_r) MUST_CHECK;

/* Seals a key of at most KEY_MAX_BYTES bytes. STATUS_INVALID: longer. STATUS_FAILED: no random bytes or no
 * cipher. */
enum status secret_box_seal(const struct secret_box *secret_box, const char *key, size_t len_bytes,
                            const struct digest *digest, struct sealed *sealed_r) MUST_CHECK;

/* Decrypts a key that secret_box_seal() has encrypted. key_r holds KEY_MAX_BYTES + 1 bytes and receives the
 * key, NUL-terminated; it is wiped on an error. STATUS_INVALID: the secret or the digest is another one, or
 * the bytes are damaged. */
enum status secret_box_open(const struct secret_box *secret_box, const struct sealed *sealed,
                            const struct digest *digest, char *key_r) MUST_CHECK;

/* The same for text of at most SECRET_TEXT_MAX_BYTES, which is bound to a label: it opens under that label
 * alone, so that it can not be moved to another row or column. text_r holds SECRET_TEXT_MAX_BYTES + 1 bytes.
 */
enum status secret_box_seal_text(const struct secret_box *secret_box, const char *text, const char *label,
                                 struct sealed_text *sealed_r) MUST_CHECK;
enum status secret_box_open_text(const struct secret_box *secret_box, const struct sealed_text *sealed,
                                 const char *label, char *text_r) MUST_CHECK;

/* HMAC-SHA256 (RFC 2104) of the bytes, in base64, with a key in base64, as Standard Webhooks signs.
 * STATUS_INVALID: the key is no base64 of 24 to 64 bytes. STATUS_FAILED: libcrypto has none. */
enum status secret_box_sign(const char *key_base64, const void *bytes, size_t len_bytes,
                            char signature_r[BASE64_OF_DIGEST_BYTES]) MUST_CHECK;

/* Overwrites memory that held a key, in a way that the compiler does not optimise away. */
void secret_box_wipe(void *bytes, size_t len_bytes);

#endif
