#include "refresh/protocol.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Where each field stands in the bytes. Texts fill the rest of their field with zeros; wait_ms has its
 * highest byte first. */
enum {
    AT_VERSION = 0,
    AT_TYPE = 1,
    AT_CHECK = 2,
    AT_HAS_KEY = 3,
    AT_OUTCOME = 4,
    AT_WAIT_MS = 8,
    AT_DIGEST = 12,
    AT_HOST = AT_DIGEST + DIGEST_BYTES,
    AT_KEY = AT_HOST + HOST_MAX_BYTES + 1,
    AT_END = AT_KEY + KEY_MAX_BYTES + 1,
};

static_assert((int)AT_END <= (int)REFRESH_MESSAGE_BYTES, "every field has its place in a message");

void refresh_encode(const struct refresh_message *message, unsigned char bytes_r[REFRESH_MESSAGE_BYTES])
{
    uint32_t wait_ms = htobe32((uint32_t)message->wait_ms);
    memset(bytes_r, 0, REFRESH_MESSAGE_BYTES);
    bytes_r[AT_VERSION] = REFRESH_VERSION;
    bytes_r[AT_TYPE] = (unsigned char)message->type;
    bytes_r[AT_CHECK] = message->check;
    bytes_r[AT_HAS_KEY] = message->has_key;
    bytes_r[AT_OUTCOME] = (unsigned char)message->outcome;
    memcpy(bytes_r + AT_WAIT_MS, &wait_ms, sizeof wait_ms);
    memcpy(bytes_r + AT_DIGEST, message->digest.bytes, DIGEST_BYTES);
    memcpy(bytes_r + AT_HOST, message->host, strnlen(message->host, HOST_MAX_BYTES));
    if (message->has_key)
        memcpy(bytes_r + AT_KEY, message->key, strnlen(message->key, KEY_MAX_BYTES));
}

static bool is_host(const struct refresh_message *message)
{
    char lower_case[HOST_MAX_BYTES + 1];
    const char *why = "";
    return validate_host(message->host, strlen(message->host), lower_case, &why) == STATUS_OK &&
           strcmp(lower_case, message->host) == 0;
}

static bool is_sound(const struct refresh_message *message)
{
    const char *why = "";
    if (message->wait_ms < 0 || (unsigned)message->outcome >= REFRESH_OUTCOMES)
        return false;
    switch (message->type) {
    case REFRESH_ASK:
        return is_host(message) &&
               (!message->has_key || validate_key(message->key, strlen(message->key), &why) == STATUS_OK);
    case REFRESH_ASKED:
    case REFRESH_DONE:
        return is_host(message) && !message->has_key;
    case REFRESH_ALIVE:
        return message->host[0] == '\0' && !message->has_key;
    default:
        return false;
    }
}

/* A message has one form only, so whatever its fields do not say (bytes behind the end of a text, a bool of
 * 2) is found by writing it again. */
static bool is_only_form(const struct refresh_message *message,
                         const unsigned char bytes[REFRESH_MESSAGE_BYTES])
{
    unsigned char again[REFRESH_MESSAGE_BYTES];
    refresh_encode(message, again);
    bool is_same = memcmp(again, bytes, sizeof again) == 0;
    secret_box_wipe(again, sizeof again);
    return is_same;
}

enum status refresh_decode(const unsigned char bytes[REFRESH_MESSAGE_BYTES],
                           struct refresh_message *message_r)
{
    uint32_t wait_ms = 0;
    if (bytes[AT_VERSION] != REFRESH_VERSION)
        return STATUS_INVALID;
    memcpy(&wait_ms, bytes + AT_WAIT_MS, sizeof wait_ms);
    *message_r = (struct refresh_message){
        .type = (enum refresh_type)bytes[AT_TYPE],
        .check = bytes[AT_CHECK] != 0,
        .has_key = bytes[AT_HAS_KEY] != 0,
        .outcome = (enum refresh_outcome)bytes[AT_OUTCOME],
        .wait_ms = (int)be32toh(wait_ms),
    };
    memcpy(message_r->digest.bytes, bytes + AT_DIGEST, DIGEST_BYTES);
    memcpy(message_r->host, bytes + AT_HOST, HOST_MAX_BYTES);
    memcpy(message_r->key, bytes + AT_KEY, KEY_MAX_BYTES);
    return is_sound(message_r) && is_only_form(message_r, bytes) ? STATUS_OK : STATUS_INVALID;
}
