#include "record.h"

enum { HEADER_BYTES = 8, VERSION = 1, BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5 };

enum record_state record_state_of(const unsigned char *bytes, size_t len_bytes)
{
    for (size_t at = 0; len_bytes - at >= HEADER_BYTES;) {
        const unsigned char *header = bytes + at;
        unsigned char type = header[1];
        if (header[0] != VERSION || (at == 0 ? type != BEGIN_REQUEST : type != PARAMS && type != STDIN))
            return RECORD_BAD;
        size_t content_bytes = (size_t)header[4] << 8 | header[5];
        size_t record_bytes = HEADER_BYTES + content_bytes + header[6];
        if (len_bytes - at < record_bytes)
            break;
        if (type == STDIN && content_bytes == 0)
            return RECORD_WHOLE;
        at += record_bytes;
    }
    return len_bytes >= RECORD_REQUEST_MAX_BYTES ? RECORD_BAD : RECORD_PARTIAL;
}
