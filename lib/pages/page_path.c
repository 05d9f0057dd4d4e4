#include "pages/page_path.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { HOST_LOOK_MAX_BYTES = 253 };

struct span {
    const char *at;
    const char *end;
};

/* An address taken apart. `path` begins with its slash, or is empty; `prefix` and `host` stand before it. */
struct address {
    const char *prefix; /* of the path: "", "/" or "//" */
    struct span host;   /* another one than the asked; empty: none */
    struct span name;   /* a host that does not look like one: the start of the path behind "//" */
    struct span path;
};

/* The result while it is made. Each byte that came takes at most three. */
struct spelling {
    char bytes[3 * PATH_INPUT_MAX_BYTES + 8];
    size_t len_bytes;
};

static size_t span_bytes(struct span span)
{
    return (size_t)(span.end - span.at);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static const char *find(struct span span, char c)
{
    const char *at = span.at < span.end ? memchr(span.at, c, span_bytes(span)) : NULL;
    return at ? at : span.end;
}

static bool starts(struct span span, const char *text)
{
    size_t len = strlen(text);
    return span_bytes(span) >= len && strncasecmp(span.at, text, len) == 0;
}

/* --- Hosts -------------------------------------------------------------------------------------------------
 */

static bool is_text(struct span span, const char *text)
{
    return strlen(text) == span_bytes(span) && strncasecmp(span.at, text, span_bytes(span)) == 0;
}

/* The asked host may be one of Chartbeat's site IDs, as video@demo.example: its pages stand on demo.example.
 */
static bool is_asked(struct span name, const struct page_path_rules *rules)
{
    const char *site = strchr(rules->host, '@');
    const char *host = site ? site + 1 : rules->host;
    struct span behind_www = {name.at + (starts(name, "www.") ? 4 : 0), name.end};
    return *host != '\0' && (is_text(name, rules->host) || is_text(name, host) || is_text(behind_www, host));
}

static bool is_last_label(const char *at, const char *end)
{
    bool is_encoded = end - at > 4 && strncasecmp(at, "xn--", 4) == 0;
    bool is_good = end > at;
    for (; at < end && is_good; at++)
        is_good = is_letter(*at) || (is_encoded && (is_digit(*at) || *at == '-'));
    return is_good;
}

static bool looks_like_host(struct span name)
{
    const char *label = name.at;
    if (span_bytes(name) > HOST_LOOK_MAX_BYTES)
        return false;
    for (const char *at = name.at; at < name.end; at++) {
        if (*at == '.' && at == label)
            return false;
        if (*at == '.')
            label = at + 1;
        else if (!is_letter(*at) && !is_digit(*at) && *at != '-' && *at != '_')
            return false;
    }
    return label > name.at && is_last_label(label, name.end);
}

/* Without a port and the dot of the root. */
static struct span bare_name(struct span authority)
{
    const char *colon = authority.end;
    while (colon > authority.at && is_digit(colon[-1]))
        colon--;
    if (colon > authority.at && colon[-1] == ':')
        authority.end = colon - 1;
    if (authority.end - authority.at > 1 && authority.end[-1] == '.')
        authority.end--;
    return authority;
}

/* What stands behind // is a host with, perhaps, a user before and a port behind it. */
static struct span name_of_authority(struct span authority, const struct page_path_rules *rules)
{
    struct span name = bare_name(authority);
    if (is_asked(name, rules))
        return name;
    for (const char *at = name.end; at > name.at; at--) {
        if (at[-1] == '@')
            return (struct span){at, name.end};
    }
    return name;
}

static bool is_host(struct span name, const struct page_path_rules *rules)
{
    return is_asked(name, rules) || looks_like_host(name);
}

static size_t scheme_bytes(struct span text)
{
    return starts(text, "https://") ? 8 : starts(text, "http://") ? 7 : 0;
}

/* `text` has neither query nor fragment. */
static struct address split(struct span text, const struct page_path_rules *rules)
{
    size_t scheme = scheme_bytes(text);
    size_t slashes = scheme > 0 ? scheme : starts(text, "//") ? 2 : 0;
    struct span first = {text.at + slashes, NULL};
    first.end = find((struct span){first.at, text.end}, '/');
    struct span rest = {first.end, text.end};
    struct span name = slashes > 0 ? name_of_authority(first, rules) : bare_name(first);
    struct address address = {.prefix = "", .path = rest};
    if (is_asked(name, rules))
        return address;
    if (looks_like_host(name) && (slashes > 0 || rest.at < rest.end)) {
        address.host = name;
    } else if (scheme > 0 && name.at < name.end) {
        address.prefix = "//";
        address.name = name;
    } else if (scheme == 0) {
        address.prefix = text.at < text.end && *text.at == '/' ? "" : "/";
        address.path = text;
    }
    return address;
}

/* --- Spelling ----------------------------------------------------------------------------------------------
 */

static int hexadecimal(char c)
{
    char small = (char)(c | 0x20);
    return is_digit(c) ? c - '0' : small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

static bool is_unreserved(unsigned char c)
{
    return is_letter((char)c) || is_digit((char)c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_reserved(unsigned char c)
{
    return c != '\0' && strchr("!$&'()*+,;=:@/?#[]", c);
}

static void put(struct spelling *out, char c)
{
    out->bytes[out->len_bytes++] = c;
}

static void put_spelled(struct spelling *out, struct span text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const char *at = text.at; at < text.end; at++) {
        unsigned char c = (unsigned char)*at;
        bool is_escaped = c == '%' && text.end - at > 2 && hexadecimal(at[1]) >= 0 && hexadecimal(at[2]) >= 0;
        if (is_escaped) {
            c = (unsigned char)(hexadecimal(at[1]) * 16 + hexadecimal(at[2]));
            at += 2;
        }
        if (is_unreserved(c) || (!is_escaped && is_reserved(c))) {
            put(out, (char)c);
        } else {
            put(out, '%');
            put(out, digits[c >> 4]);
            put(out, digits[c & 15]);
        }
    }
}

static void put_lower(struct spelling *out, struct span text)
{
    for (const char *at = text.at; at < text.end; at++)
        put(out, lower(*at));
}

/* A host that does not look like one: its escapes want upper case, all else lower case. */
static void put_name(struct spelling *out, struct span name)
{
    char lowered[HOST_LOOK_MAX_BYTES];
    for (size_t i = 0; i < span_bytes(name); i++)
        lowered[i] = lower(name.at[i]);
    put_spelled(out, (struct span){lowered, lowered + span_bytes(name)});
}

/* Resolves . and .. from `start` on, where a slash stands. A step back takes bytes away that were written
 * once. */
static void resolve_dots(struct spelling *out, size_t start)
{
    char *path = out->bytes + start;
    size_t len = out->len_bytes - start;
    size_t to = 0;
    for (size_t at = 0, next = 0; at < len; at = next) {
        next = at + 1;
        while (next < len && path[next] != '/')
            next++;
        bool is_dot = next - at == 2 && path[at + 1] == '.';
        bool is_back = next - at == 3 && path[at + 1] == '.' && path[at + 2] == '.';
        if (!is_dot && !is_back) {
            memmove(path + to, path + at, next - at);
            to += next - at;
            continue;
        }
        while (is_back && to > 0 && path[--to] != '/')
            ;
        if (next == len)
            path[to++] = '/';
    }
    out->len_bytes = start + to;
}

/* The path alone must not read as an address with a host. */
static void cut_double_slash(struct spelling *out, size_t start, const struct page_path_rules *rules)
{
    char *path = out->bytes + start;
    const char *end = out->bytes + out->len_bytes;
    if (end - path < 2 || path[1] != '/')
        return;
    struct span authority = {path + 2, find((struct span){path + 2, end}, '/')};
    if (!is_host(name_of_authority(authority, rules), rules))
        return;
    memmove(path, path + 1, (size_t)(end - path) - 1);
    out->len_bytes--;
}

static void put_path(struct spelling *out, const struct address *address, const struct page_path_rules *rules)
{
    put_lower(out, address->host);
    size_t start = out->len_bytes;
    put_spelled(out, (struct span){address->prefix, address->prefix + strlen(address->prefix)});
    put_name(out, address->name);
    put_spelled(out, address->path);
    if (out->len_bytes == start)
        put(out, '/');
    resolve_dots(out, start);
    cut_double_slash(out, start, rules);
}

/* --- Query and fragment ------------------------------------------------------------------------------------
 */

static bool is_dropped(struct span name, const char *list)
{
    while (*list != '\0') {
        size_t len = strcspn(list, " ");
        bool is_start = len > 0 && list[len - 1] == '*';
        size_t needed = is_start ? len - 1 : len;
        size_t has = span_bytes(name);
        if (len > 0 && (is_start ? has >= needed : has == needed) && strncasecmp(name.at, list, needed) == 0)
            return true;
        list += len + (list[len] != '\0');
    }
    return false;
}

/* `query` is what stands behind the question mark. */
static void put_query(struct spelling *out, struct span query, const struct page_path_rules *rules)
{
    char separator = '?';
    size_t start = out->len_bytes;
    put_spelled(out, query);
    struct span rest = {out->bytes + start, out->bytes + out->len_bytes};
    /* It is made shorter in place; the separator takes the byte of the one that it came with, but for the
     * first. */
    memmove(out->bytes + start + 1, rest.at, span_bytes(rest));
    rest = (struct span){rest.at + 1, rest.end + 1};
    out->len_bytes = start;
    while (rest.at < rest.end) {
        struct span part = {rest.at, find(rest, '&')};
        struct span name = {part.at, find(part, '=')};
        rest.at = part.end + (part.end < rest.end);
        if (part.at == part.end || is_dropped(name, rules->drop_parameters))
            continue;
        put(out, separator);
        separator = '&';
        memmove(out->bytes + out->len_bytes, part.at, span_bytes(part));
        out->len_bytes += span_bytes(part);
    }
}

/* A path or route with, perhaps, a query behind it. */
static void put_route(struct spelling *out, struct span route, const struct page_path_rules *rules)
{
    struct span before = {route.at, find(route, '?')};
    put_spelled(out, before);
    if (before.end < route.end)
        put_query(out, (struct span){before.end + 1, route.end}, rules);
}

enum status page_path_normal(const char *text, size_t len_bytes, const struct page_path_rules *rules,
                             char path_r[PATH_MAX_BYTES], size_t *path_bytes_r)
{
    struct spelling out;
    struct span whole = {text, text + len_bytes};
    struct span page = {text, find(whole, '#')};
    struct span fragment = {page.end, whole.end};
    struct span address = {text, find(page, '?')};
    bool is_route = fragment.end - fragment.at > 1 && (fragment.at[1] == '/' || fragment.at[1] == '!');
    if (span_bytes(page) + (is_route ? span_bytes(fragment) : 0) > PATH_INPUT_MAX_BYTES)
        return STATUS_TOO_LARGE;
    out.len_bytes = 0;
    struct address parts = split(address, rules);
    if (span_bytes(parts.name) > HOST_LOOK_MAX_BYTES)
        return STATUS_TOO_LARGE;
    put_path(&out, &parts, rules);
    if (address.end < page.end)
        put_query(&out, (struct span){address.end + 1, page.end}, rules);
    if (is_route)
        put_route(&out, fragment, rules);
    if (out.len_bytes > PATH_MAX_BYTES)
        return STATUS_TOO_LARGE;
    memcpy(path_r, out.bytes, out.len_bytes);
    *path_bytes_r = out.len_bytes;
    return STATUS_OK;
}
