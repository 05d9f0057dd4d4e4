#include "base/secret_box.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SEAL_CONTEXT[] = "upbeat api key sealing, version 1";

enum { SIGNING_KEY_MIN_BYTES = 24, SIGNING_KEY_MAX_BYTES = 64 };

void secret_box_wipe(void *bytes, size_t len_bytes)
{
    OPENSSL_cleanse(bytes, len_bytes);
}

static const char *read_secret(const char *file, char *secret, size_t *len_r)
{
    struct stat about;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return "cannot be read";
    const char *fault = NULL;
    ssize_t len = 0;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        fault = "is not a file";
    else if (about.st_mode & 0137)
        fault = "is open to others: its mode must be 0600 or 0640";
    else if ((len = read(fd, secret, SECRET_MAX_BYTES + 1)) < 0)
        fault = "cannot be read";
    close(fd);
    if (fault)
        return fault;
    while (len > 0 && strchr(" \t\r\n", secret[len - 1]))
        len--;
    *len_r = (size_t)len;
    if (len < SECRET_MIN_BYTES)
        return "holds fewer than 32 bytes";
    return len > SECRET_MAX_BYTES ? "holds more than 4096 bytes" : NULL;
}

enum status secret_box_init(struct secret_box *secret_box, const char *secret_file, const char **why_r)
{
    char secret[sizeof SEAL_CONTEXT + SECRET_MAX_BYTES + 1];
    memcpy(secret, SEAL_CONTEXT, sizeof SEAL_CONTEXT);
    size_t len = 0;
    unsigned made = 0;
    const char *fault = read_secret(secret_file, secret + sizeof SEAL_CONTEXT, &len);
    if (!fault &&
        !EVP_Digest(secret, sizeof SEAL_CONTEXT + len, secret_box->sealing_key, &made, EVP_sha256(), NULL))
        fault = "cannot be used: libcrypto has no SHA-256";
    secret_box_wipe(secret, sizeof secret);
    if (!fault)
        return STATUS_OK;
    *why_r = fault;
    return STATUS_INVALID;
}

void secret_box_release(struct secret_box *secret_box)
{
    secret_box_wipe(secret_box, sizeof *secret_box);
}

enum status secret_box_digest(const char *key, size_t len_bytes, struct digest *digest_r)
{
    unsigned made = 0;
    return EVP_Digest(key, len_bytes, digest_r->bytes, &made, EVP_sha256(), NULL) ? STATUS_OK : STATUS_FAILED;
}

/* `out` gets nonce, tag and ciphertext. */
static enum status encrypt(const struct secret_box *secret_box, const char *text, size_t len_bytes,
                           const struct digest *digest, unsigned char *out)
{
    unsigned char *nonce = out;
    unsigned char *tag = nonce + SEAL_NONCE_BYTES;
    unsigned char *sealed = tag + SEAL_TAG_BYTES;
    int made = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int ok = cipher && RAND_bytes(nonce, SEAL_NONCE_BYTES) == 1 &&
             EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret_box->sealing_key, nonce) &&
             EVP_EncryptUpdate(cipher, NULL, &made, digest->bytes, DIGEST_BYTES) &&
             EVP_EncryptUpdate(cipher, sealed, &made, (const unsigned char *)text, (int)len_bytes) &&
             EVP_EncryptFinal_ex(cipher, sealed + made, &made) &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES, tag);
    EVP_CIPHER_CTX_free(cipher);
    return ok ? STATUS_OK : STATUS_FAILED;
}

/* `text` has max_bytes and a NUL at most. */
static enum status decrypt(const struct secret_box *secret_box, const unsigned char *in, size_t in_bytes,
                           const struct digest *digest, char *text, size_t max_bytes)
{
    if (in_bytes < SEAL_NONCE_BYTES + SEAL_TAG_BYTES ||
        in_bytes > SEAL_NONCE_BYTES + SEAL_TAG_BYTES + max_bytes)
        return STATUS_INVALID;
    const unsigned char *sealed = in + SEAL_NONCE_BYTES + SEAL_TAG_BYTES;
    size_t len = in_bytes - SEAL_NONCE_BYTES - SEAL_TAG_BYTES;
    unsigned char tag[SEAL_TAG_BYTES];
    memcpy(tag, in + SEAL_NONCE_BYTES, sizeof tag);
    int made = 0;
    unsigned char rest[SEAL_TAG_BYTES];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int ok = cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret_box->sealing_key, in) &&
             EVP_DecryptUpdate(cipher, NULL, &made, digest->bytes, DIGEST_BYTES) &&
             EVP_DecryptUpdate(cipher, (unsigned char *)text, &made, sealed, (int)len) &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) &&
             EVP_DecryptFinal_ex(cipher, rest, &made) > 0;
    EVP_CIPHER_CTX_free(cipher);
    if (!ok) {
        secret_box_wipe(text, max_bytes + 1);
        return STATUS_INVALID;
    }
    text[len] = '\0';
    return STATUS_OK;
}

enum status secret_box_seal(const struct secret_box *secret_box, const char *key, size_t len_bytes,
                            const struct digest *digest, struct sealed *sealed_r)
{
    if (len_bytes > KEY_MAX_BYTES)
        return STATUS_INVALID;
    sealed_r->len_bytes = SEAL_NONCE_BYTES + SEAL_TAG_BYTES + len_bytes;
    return encrypt(secret_box, key, len_bytes, digest, sealed_r->bytes);
}

enum status secret_box_open(const struct secret_box *secret_box, const struct sealed *sealed,
                            const struct digest *digest, char *key_r)
{
    return decrypt(secret_box, sealed->bytes, sealed->len_bytes, digest, key_r, KEY_MAX_BYTES);
}

enum status secret_box_seal_text(const struct secret_box *secret_box, const char *text, const char *label,
                                 struct sealed_text *sealed_r)
{
    struct digest digest;
    size_t len = strlen(text);
    if (len > SECRET_TEXT_MAX_BYTES)
        return STATUS_INVALID;
    enum status result = secret_box_digest(label, strlen(label), &digest);
    sealed_r->len_bytes = SEAL_NONCE_BYTES + SEAL_TAG_BYTES + len;
    return result == STATUS_OK ? encrypt(secret_box, text, len, &digest, sealed_r->bytes) : result;
}

enum status secret_box_open_text(const struct secret_box *secret_box, const struct sealed_text *sealed,
                                 const char *label, char *text_r)
{
    struct digest digest;
    enum status result = secret_box_digest(label, strlen(label), &digest);
    return result == STATUS_OK
               ? decrypt(secret_box, sealed->bytes, sealed->len_bytes, &digest, text_r, SECRET_TEXT_MAX_BYTES)
               : result;
}

/* Bytes of the key, 0 where it is no base64 of the right length. */
static size_t decode_key(const char *base64, unsigned char *key, size_t key_bytes)
{
    size_t len = strlen(base64);
    if (len % 4 != 0 || len < 32 || len / 4 * 3 > key_bytes)
        return 0;
    int made = EVP_DecodeBlock(key, (const unsigned char *)base64, (int)len);
    made -= base64[len - 1] == '=';
    made -= base64[len - 2] == '=';
    return made >= SIGNING_KEY_MIN_BYTES && made <= SIGNING_KEY_MAX_BYTES ? (size_t)made : 0;
}

enum status secret_box_sign(const char *key_base64, const void *bytes, size_t len_bytes,
                            char signature_r[BASE64_OF_DIGEST_BYTES])
{
    unsigned char key[SIGNING_KEY_MAX_BYTES + 3];
    unsigned char code[DIGEST_BYTES];
    unsigned made = 0;
    size_t key_bytes = decode_key(key_base64, key, sizeof key);
    if (key_bytes == 0)
        return STATUS_INVALID;
    const unsigned char *ok = HMAC(EVP_sha256(), key, (int)key_bytes, bytes, len_bytes, code, &made);
    secret_box_wipe(key, sizeof key);
    if (!ok)
        return STATUS_FAILED;
    EVP_EncodeBlock((unsigned char *)signature_r, code, DIGEST_BYTES);
    return STATUS_OK;
}
