/* The forms that host names and API keys must have. */
#ifndef UPBEAT_BASE_VALIDATE_H
#define UPBEAT_BASE_VALIDATE_H

#include "base/status.h"
#include <stddef.h>

enum {
    HOST_MAX_BYTES = 253, /* RFC 1035, without the root's dot */
    KEY_MIN_BYTES = 8,
    KEY_MAX_BYTES = 128,
    KEY_FAULT_BYTES = 160, /* of what validate_key_fault() says */
};

/* Lower-cases and checks a host name: letters, digits, dots, hyphens, 1 to HOST_MAX_BYTES bytes; labels of 1
 * to 63 bytes that neither start nor end with a hyphen. In front of it one of Chartbeat's names of a part of
 * a site may stand, as in "video@example.com": 1 to 63 letters, digits, dots, hyphens and underscores and an
 * @, all within HOST_MAX_BYTES. host_r holds HOST_MAX_BYTES + 1 bytes and gets the name, NUL-terminated. On
 * STATUS_INVALID host_r is untouched and *why_r says in words what was wrong (static storage). */
enum status validate_host(const char *text, size_t len_bytes, char *host_r, const char **why_r) MUST_CHECK;

/* Checks an API key: KEY_MIN_BYTES to KEY_MAX_BYTES characters of [A-Za-z0-9_-]. On STATUS_INVALID *why_r
 * says what was wrong, without the key (static storage). */
enum status validate_key(const char *text, size_t len_bytes, const char **why_r) MUST_CHECK;

/* Says in words that follow "apikey" what is wrong with a key that validate_key() refuses: its length, or
 * where the first character stands that keys do not have and of what kind it is. No part of the key is in it.
 */
void validate_key_fault(const char *text, size_t len_bytes, char fault_r[KEY_FAULT_BYTES]);

#endif
