#include "base/secret_box.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SEAL_CONTEXT[] = "upbeat api key sealing, version 1";

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

enum status secret_box_seal(const struct secret_box *secret_box, const char *key, size_t len_bytes,
                            const struct digest *digest, struct sealed *sealed_r)
{
    if (len_bytes > KEY_MAX_BYTES)
        return STATUS_INVALID;
    unsigned char *nonce = sealed_r->bytes;
    unsigned char *tag = nonce + SEAL_NONCE_BYTES;
    unsigned char *text = tag + SEAL_TAG_BYTES;
    int made = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int ok = cipher && RAND_bytes(nonce, SEAL_NONCE_BYTES) == 1 &&
             EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret_box->sealing_key, nonce) &&
             EVP_EncryptUpdate(cipher, NULL, &made, digest->bytes, DIGEST_BYTES) &&
             EVP_EncryptUpdate(cipher, text, &made, (const unsigned char *)key, (int)len_bytes) &&
             EVP_EncryptFinal_ex(cipher, text + made, &made) &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES, tag);
    EVP_CIPHER_CTX_free(cipher);
    sealed_r->len_bytes = SEAL_NONCE_BYTES + SEAL_TAG_BYTES + len_bytes;
    return ok ? STATUS_OK : STATUS_FAILED;
}

enum status secret_box_open(const struct secret_box *secret_box, const struct sealed *sealed,
                            const struct digest *digest, char *key_r)
{
    if (sealed->len_bytes < SEAL_NONCE_BYTES + SEAL_TAG_BYTES || sealed->len_bytes > SEALED_MAX_BYTES)
        return STATUS_INVALID;
    const unsigned char *nonce = sealed->bytes;
    const unsigned char *text = nonce + SEAL_NONCE_BYTES + SEAL_TAG_BYTES;
    size_t len = sealed->len_bytes - SEAL_NONCE_BYTES - SEAL_TAG_BYTES;
    unsigned char tag[SEAL_TAG_BYTES];
    memcpy(tag, nonce + SEAL_NONCE_BYTES, sizeof tag);
    int made = 0;
    unsigned char rest[SEAL_TAG_BYTES];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int ok = cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, secret_box->sealing_key, nonce) &&
             EVP_DecryptUpdate(cipher, NULL, &made, digest->bytes, DIGEST_BYTES) &&
             EVP_DecryptUpdate(cipher, (unsigned char *)key_r, &made, text, (int)len) &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) &&
             EVP_DecryptFinal_ex(cipher, rest, &made) > 0;
    EVP_CIPHER_CTX_free(cipher);
    if (!ok) {
        secret_box_wipe(key_r, KEY_MAX_BYTES + 1);
        return STATUS_INVALID;
    }
    key_r[len] = '\0';
    return STATUS_OK;
}
