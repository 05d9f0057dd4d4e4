#include "pages/page_url.h"

#include <stdbool.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
    bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_word || (c != '\0' && strchr("-._~/?#!$&+,;=:@%", c));
}

void page_url_put_encoded(struct buffer *out, const char *text, const char *encode)
{
    for (const char *at = text; *at; at++) {
        if (is_plain((unsigned char)*at) && !strchr(encode, *at))
            buffer_append_char(out, *at);
        else
            buffer_append_format(out, "%%%02X", (unsigned char)*at);
    }
}

const char *page_url_site(const char *host)
{
    const char *at = strrchr(host, '@');
    return at ? at + 1 : host;
}

void page_url_put(struct buffer *out, const char *host, const char *path)
{
    if (!path)
        path = "/";
    buffer_append_text(out, "https:");
    if (path[0] != '/' || path[1] != '/')
        buffer_append_text(out, "//");
    if (path[0] == '/' && path[1] != '/')
        page_url_put_encoded(out, page_url_site(host), "%?#");
    page_url_put_encoded(out, path, "");
}
