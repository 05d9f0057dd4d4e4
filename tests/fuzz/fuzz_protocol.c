/* A message as it comes off the socket: what is read can be written again, and is then the same. */
#include "fuzz.h"

#include "refresh/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    unsigned char bytes[REFRESH_MESSAGE_BYTES] = {REFRESH_VERSION};
    unsigned char again[REFRESH_MESSAGE_BYTES];
    struct refresh_message message;
    if (len_bytes > sizeof bytes)
        len_bytes = sizeof bytes;
    if (len_bytes > 0)
        memcpy(bytes, data, len_bytes);
    if (refresh_decode(bytes, &message) != STATUS_OK)
        return 0;
    refresh_encode(&message, again);
    MUST_HOLD(memcmp(again, bytes, sizeof bytes) == 0);
    MUST_HOLD(memchr(message.host, '\0', sizeof message.host));
    MUST_HOLD(memchr(message.key, '\0', sizeof message.key));
    MUST_HOLD(message.wait_ms >= 0 && message.outcome < REFRESH_OUTCOMES);
    return 0;
}
