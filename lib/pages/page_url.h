/* The address of a page, as people open it. */
#ifndef UPBEAT_PAGES_PAGE_URL_H
#define UPBEAT_PAGES_PAGE_URL_H

#include "base/buffer.h"

enum { PAGE_URL_MAX_BYTES = 8000 }; /* https, a host, and a path of which each byte may be %XX */

/* The host without Chartbeat's name of a part of a site, as in "video@example.com". */
const char *page_url_site(const char *host);

/* Appends the address in ASCII of a path that is spelled as page_path.h spells it, so one that does not begin
 * with a slash has its own host; NULL: of the front page. Every byte that RFC 3986 does not allow, and what
 * ends a link in mail or at Slack's (quotes, brackets, bars), is %XX. */
void page_url_put(struct buffer *out, const char *host, const char *path);

/* Appends the text; what no address may have, and each character of `encode`, as %XX. */
void page_url_put_encoded(struct buffer *out, const char *text, const char *encode);

#endif
