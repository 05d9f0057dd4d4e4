#include "base/validate.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

enum { SITE_PART_MAX_BYTES = 63 };

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
    return NULL;
}

/* "video" of "video@example.com". */
static const char *part_fault(const char *text, size_t len_bytes)
{
    if (len_bytes == 0)
        return "has nothing in front of the @";
    if (len_bytes > SITE_PART_MAX_BYTES)
        return "has more than 63 bytes in front of the @";
    for (size_t i = 0; i < len_bytes; i++) {
        if (text[i] == ':' || text[i] == '/')
            return host_fault(text, len_bytes);
        if (!is_alnum(text[i]) && text[i] != '.' && text[i] != '-' && text[i] != '_')
            return "has a character in front of the @ that is not a letter, digit, dot, hyphen or underscore";
    }
    return NULL;
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
    const char *mark = len_bytes > 0 ? memchr(text, '@', len_bytes) : NULL;
    const char *name = mark ? mark + 1 : text;
    size_t name_bytes = len_bytes - (size_t)(name - text);
    const char *fault = mark ? part_fault(text, (size_t)(mark - text)) : NULL;
    if (!fault)
        fault = host_fault(name, name_bytes);
    if (!fault && len_bytes > HOST_MAX_BYTES)
        fault = "is longer than 253 bytes";
    if (!fault)
        fault = label_fault(name, name_bytes);
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

/* A class of characters: the character itself is a part of the key. */
static const char *kind_of(char c)
{
    if (c == ' ')
        return "a space";
    if (c == '\t' || c == '\r' || c == '\n')
        return "a tab or line break";
    if (c == '"' || c == '\'' || c == '`')
        return "a quotation mark";
    if ((unsigned char)c >= 0x80)
        return "a byte that is not ASCII";
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return "a control character";
    return "a punctuation mark";
}

void validate_key_fault(const char *text, size_t len_bytes, char fault_r[KEY_FAULT_BYTES])
{
    for (size_t i = 0; i < len_bytes; i++) {
        if (!is_alnum(text[i]) && text[i] != '_' && text[i] != '-') {
            snprintf(fault_r, KEY_FAULT_BYTES,
                     "has %s as character %zu of %zu; a key has 8 to 128 letters, digits, _ and -",
                     kind_of(text[i]), i + 1, len_bytes);
            return;
        }
    }
    if (len_bytes == 0)
        snprintf(fault_r, KEY_FAULT_BYTES, "is empty");
    else
        snprintf(fault_r, KEY_FAULT_BYTES, "is too %s: it has %zu characters, and a key has 8 to 128",
                 len_bytes < KEY_MIN_BYTES ? "short" : "long", len_bytes);
}
