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

/* A piece of a header without the space around it. */
struct piece {
    const char *at;
    size_t len_bytes;
};

/* The bytes up to one of the separators that stands outside of quotes. */
static size_t piece_bytes(const char *at, const char *end, const char *separators)
{
    bool is_quoted = false;
    const char *from = at;
    for (; at < end; at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && *at == '\\' && at + 1 < end)
            at++;
        else if (!is_quoted && strchr(separators, *at))
            break;
    }
    return (size_t)(at - from);
}

static struct piece trimmed(const char *at, size_t len_bytes)
{
    while (len_bytes > 0 && (*at == ' ' || *at == '\t'))
        at++, len_bytes--;
    while (len_bytes > 0 && (at[len_bytes - 1] == ' ' || at[len_bytes - 1] == '\t'))
        len_bytes--;
    return (struct piece){at, len_bytes};
}

/* Takes the next piece off the front of *rest, and the separator behind it. */
static struct piece next_piece(struct piece *rest, const char *separators)
{
    size_t len_bytes = piece_bytes(rest->at, rest->at + rest->len_bytes, separators);
    struct piece piece = trimmed(rest->at, len_bytes);
    size_t taken_bytes = len_bytes < rest->len_bytes ? len_bytes + 1 : len_bytes;
    rest->at += taken_bytes;
    rest->len_bytes -= taken_bytes;
    return piece;
}

static bool same(struct piece a, struct piece b)
{
    return a.len_bytes == b.len_bytes && strncasecmp(a.at, b.at, a.len_bytes) == 0;
}

static struct piece unquoted(struct piece piece)
{
    bool is_quoted = piece.len_bytes >= 2 && piece.at[0] == '"' && piece.at[piece.len_bytes - 1] == '"';
    return is_quoted ? (struct piece){piece.at + 1, piece.len_bytes - 2} : piece;
}

static bool has_parameter(const struct media_offer *offer, struct piece name, struct piece value)
{
    struct piece rest = {offer->parameters, offer->parameters ? strlen(offer->parameters) : 0};
    while (rest.len_bytes > 0) {
        struct piece parameter = next_piece(&rest, ";");
        struct piece its_name = next_piece(&parameter, "=");
        if (same(name, its_name) && same(unquoted(value), parameter))
            return true;
    }
    return false;
}

enum { NO_MATCH = -1, ANY_TYPE = 0, ANY_SUBTYPE = 1, WHOLE_TYPE = 2 };

/* How closely a range names the offer: by its whole type, as any subtype of its main type, or as any type;
 * NO_MATCH: it names others. */
static int closeness(struct piece range, const char *type)
{
    struct piece whole = {type, strlen(type)};
    if (same(range, whole))
        return WHOLE_TYPE;
    if (range.len_bytes == 3 && memcmp(range.at, "*/*", 3) == 0)
        return ANY_TYPE;
    size_t main_bytes = (size_t)(strchr(type, '/') - type) + 1;
    bool is_any = range.len_bytes == main_bytes + 1 && range.at[main_bytes] == '*';
    return is_any && strncasecmp(range.at, type, main_bytes) == 0 ? ANY_SUBTYPE : NO_MATCH;
}

/* One element of the header: how closely it names the offer, with each parameter more closely, and its
 * weight. */
static int match_range(struct piece element, const struct media_offer *offer, int *weight_r)
{
    int close = closeness(next_piece(&element, ";"), offer->type);
    bool is_any_type = close == ANY_TYPE;
    *weight_r = 1000;
    while (close != NO_MATCH && element.len_bytes > 0) {
        struct piece value = next_piece(&element, ";");
        if (value.len_bytes == 0)
            continue;
        struct piece name = next_piece(&value, "=");
        if (same(name, (struct piece){"q", 1})) {
            *weight_r = value.len_bytes > 0 ? read_weight(value.at) : 0;
            return close; /* what stands behind the weight is not of the type */
        }
        if (!is_any_type)
            close = has_parameter(offer, name, trimmed(value.at, value.len_bytes)) ? close + 1 : NO_MATCH;
    }
    return close;
}

static int weight_of(const char *header, const struct media_offer *offer, int *close_r)
{
    struct piece rest = {header, strlen(header)};
    int weight = 0;
    *close_r = NO_MATCH;
    while (rest.len_bytes > 0) {
        int its_weight = 0;
        int close = match_range(next_piece(&rest, ","), offer, &its_weight);
        if (close > *close_r || (close == *close_r && close != NO_MATCH && its_weight > weight)) {
            *close_r = close;
            weight = its_weight;
        }
    }
    return weight;
}

size_t accept_choose(const char *header, const struct media_offer *offers, size_t count)
{
    size_t best = 0;
    int best_weight = 0;
    int best_close = NO_MATCH;
    for (size_t i = 0; header && i < count; i++) {
        int close = NO_MATCH;
        int weight = weight_of(header, &offers[i], &close);
        if (weight > best_weight || (weight == best_weight && weight > 0 && close > best_close)) {
            best = i;
            best_weight = weight;
            best_close = close;
        }
    }
    return best;
}
