#include "base/validate.h"

#include <stdbool.h>

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Names the likely mistake (a pasted URL, say), which helps more than the general rule. */
static const char *host_fault(const char *text, size_t len_bytes)
{
    if (len_bytes == 0)
        return "is empty";
    for (size_t i = 0; i < len_bytes; i++) {
        char c = text[i];
        if (is_alnum(c) || c == '.' || c == '-')
            continue;
        if (c == ':')
            return i + 2 < len_bytes && text[i + 1] == '/' ? "has a scheme: give the host name alone"
                                                           : "has a port: give the host name alone";
        if (c == '/')
            return "has a path: give the host name alone";
        return "has a character that is not a letter, digit, dot or hyphen";
    }
    return len_bytes > HOST_MAX_BYTES ? "is longer than 253 bytes" : NULL;
}

static const char *label_fault(const char *text, size_t len_bytes)
{
    size_t start = 0;
    for (size_t i = 0; i <= len_bytes; i++) {
        if (i < len_bytes && text[i] != '.')
            continue;
        if (i == start)
            return "has an empty label: a dot at an end, or two in a row";
        if (i - start > 63)
            return "has a label longer than 63 bytes";
        if (text[start] == '-' || text[i - 1] == '-')
            return "has a label that starts or ends with a hyphen";
        start = i + 1;
    }
    return NULL;
}

enum status validate_host(const char *text, size_t len_bytes, char *host_r, const char **why_r)
{
    const char *fault = host_fault(text, len_bytes);
    if (!fault)
        fault = label_fault(text, len_bytes);
    if (fault) {
        *why_r = fault;
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < len_bytes; i++)
        host_r[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
    host_r[len_bytes] = '\0';
    return STATUS_OK;
}

enum status validate_key(const char *text, size_t len_bytes, const char **why_r)
{
    if (len_bytes < KEY_MIN_BYTES || len_bytes > KEY_MAX_BYTES) {
        *why_r = len_bytes == 0 ? "is empty" : "must have 8 to 128 characters";
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < len_bytes; i++) {
        if (!is_alnum(text[i]) && text[i] != '_' && text[i] != '-') {
            *why_r = "has a character that is not a letter, digit, underscore or hyphen";
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}
