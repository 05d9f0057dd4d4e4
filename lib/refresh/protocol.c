#include "refresh/protocol.h"

#include "base/token.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Where each field stands in the bytes. Texts fill the rest of their field with zeros; numbers have
 * their highest byte first. */
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
    AT_TOKEN_ID = AT_KEY + KEY_MAX_BYTES + 1,
    AT_REQUESTS = AT_TOKEN_ID + 4,
    AT_END = AT_REQUESTS + 4,
};

static_assert((int)AT_END <= (int)REFRESH_MESSAGE_BYTES, "every field has its place in a message");

static void put_number(unsigned char *at, int number)
{
    uint32_t bytes = htobe32((uint32_t)number);
    memcpy(at, &bytes, sizeof bytes);
}

static int number_at(const unsigned char *at)
{
    uint32_t bytes = 0;
    memcpy(&bytes, at, sizeof bytes);
    return (int)be32toh(bytes);
}

void refresh_encode(const struct refresh_message *message, unsigned char bytes_r[REFRESH_MESSAGE_BYTES])
{
    memset(bytes_r, 0, REFRESH_MESSAGE_BYTES);
    bytes_r[AT_VERSION] = REFRESH_VERSION;
    bytes_r[AT_TYPE] = (unsigned char)message->type;
    bytes_r[AT_CHECK] = message->check;
    bytes_r[AT_HAS_KEY] = message->has_key;
    bytes_r[AT_OUTCOME] = (unsigned char)message->outcome;
    put_number(bytes_r + AT_WAIT_MS, message->wait_ms);
    put_number(bytes_r + AT_TOKEN_ID, message->token_id);
    put_number(bytes_r + AT_REQUESTS, message->requests);
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
    bool is_use = message->type == REFRESH_USED;
    if ((message->token_id > 0) != is_use || (message->requests > 0) != is_use || message->token_id < 0 ||
        message->requests < 0)
        return false;
    if (message->wait_ms < 0 || (unsigned)message->outcome >= REFRESH_OUTCOMES)
        return false;
    switch (message->type) {
    case REFRESH_ASK:
        return is_host(message) &&
               (!message->has_key || (validate_key(message->key, strlen(message->key), &why) == STATUS_OK &&
                                      !token_has_mark(message->key)));
    case REFRESH_ASKED:
    case REFRESH_DONE:
        return is_host(message) && !message->has_key;
    case REFRESH_ALIVE:
    case REFRESH_USED:
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
    if (bytes[AT_VERSION] != REFRESH_VERSION)
        return STATUS_INVALID;
    *message_r = (struct refresh_message){
        .type = (enum refresh_type)bytes[AT_TYPE],
        .check = bytes[AT_CHECK] != 0,
        .has_key = bytes[AT_HAS_KEY] != 0,
        .outcome = (enum refresh_outcome)bytes[AT_OUTCOME],
        .wait_ms = number_at(bytes + AT_WAIT_MS),
        .token_id = number_at(bytes + AT_TOKEN_ID),
        .requests = number_at(bytes + AT_REQUESTS),
    };
    memcpy(message_r->digest.bytes, bytes + AT_DIGEST, DIGEST_BYTES);
    memcpy(message_r->host, bytes + AT_HOST, HOST_MAX_BYTES);
    memcpy(message_r->key, bytes + AT_KEY, KEY_MAX_BYTES);
    return is_sound(message_r) && is_only_form(message_r, bytes) ? STATUS_OK : STATUS_INVALID;
}
