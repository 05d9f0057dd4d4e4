#include "http/conditional.h"

#include <string.h>
#include <strings.h>

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

bool etag_matches(const char *header, const char *etag)
{
    if (!header)
        return false;
    const char *at = skip_space(header);
    if (at[0] == '*' && *skip_space(at + 1) == '\0')
        return true;
    size_t etag_bytes = strlen(etag);
    while (*at) {
        if (*at == ',') {
            at = skip_space(at + 1);
            continue;
        }
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        const char *close = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (!close)
            return false;
        if ((size_t)(close + 1 - at) == etag_bytes && memcmp(at, etag, etag_bytes) == 0)
            return true;
        at = skip_space(close + 1);
        if (*at && *at != ',')
            return false;
    }
    return false;
}

/* "0.8" as thousandths, at most three of them; 0 where it is not a weight. */
static int read_weight(const char *at)
{
    if (at[0] != '0' && at[0] != '1')
        return 0;
    int weight = (*at++ - '0') * 1000;
    if (*at == '.') {
        int unit = 100;
        for (at++; *at >= '0' && *at <= '9' && unit > 0; at++, unit /= 10)
            weight += (*at - '0') * unit;
    }
    bool is_ended = *at == '\0' || strchr(" \t,;", *at);
    return is_ended && weight <= 1000 ? weight : 0;
}

static int weight_of(const char *range, size_t range_bytes)
{
    const char *end = range + range_bytes;
    for (const char *at = range; (at = memchr(at, ';', (size_t)(end - at)));) {
        at = skip_space(at + 1);
        if (end - at >= 2 && (at[0] == 'q' || at[0] == 'Q') && at[1] == '=')
            return read_weight(at + 2);
    }
    return 1000;
}

static bool names_type(const char *range, size_t range_bytes, const char *type)
{
    size_t type_bytes = strlen(type);
    return range_bytes >= type_bytes && strncasecmp(range, type, type_bytes) == 0 &&
           (range_bytes == type_bytes || strchr("; \t", range[type_bytes]));
}

bool accept_prefers_csv(const char *header)
{
    int csv = 0;
    int json = -1;
    for (const char *at = header; at && *at;) {
        at = skip_space(at);
        size_t range_bytes = strcspn(at, ",");
        if (names_type(at, range_bytes, "text/csv"))
            csv = weight_of(at, range_bytes);
        else if (names_type(at, range_bytes, "application/json"))
            json = weight_of(at, range_bytes);
        at += range_bytes;
        if (*at == ',')
            at++;
    }
    return csv > 0 && csv > json;
}
