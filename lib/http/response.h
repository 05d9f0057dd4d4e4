/* A response: status, headers and body, in the form of CGI (RFC 3875). Nothing else writes to clients. */
#ifndef UPBEAT_HTTP_RESPONSE_H
#define UPBEAT_HTTP_RESPONSE_H

#include "base/buffer.h"
#include "base/status.h"
#include <stdbool.h>

struct response {
    int status;      /* of HTTP; 0 until begun */
    int told_status; /* the same; of a problem that JSONP wraps in a 200: that of the problem */
    const char
        *origin; /* NULL: browsers may show the answer to every page; else to pages of this origin alone
                    ("": to none). The owner sets it, and response_clear() leaves it. */
    bool nginx_adds_headers; /* nginx adds the headers that every answer has; the owner sets it, and
 response_clear() leaves it */
    bool has_bom; /* a UTF-8 mark stands in front of the body and is none of it; set after response_begin() */
    struct buffer head;
    struct buffer body;
};

/* The contents of an error. The body has no member for a field that is NULL. */
struct problem {
    int status;
    const char
        *detail; /* a sentence for a person; where `parameter` is set: what is wrong with it ("is missing") */
    const char *parameter; /* which one */
    const char *bound;     /* what it must be */
    const char *sent;      /* what it was; never a key */
    int retry_after_s;     /* 0: no Retry-After */
    bool is_bad_token;     /* 401: it is a view token that was refused */
    bool replaces_copy; /* nginx puts it in the place of the copy that it has, and asks again the next time */
    const char *allow;  /* 405: what the route allows */
    const char *callback; /* JSONP: the function to call, since a page never hears of a script that failed */
};

/* Makes an empty response, which has no memory yet. response_release() frees its memory; response_clear()
 * prepares it for the next answer. */
void response_init(struct response *response);
void response_release(struct response *response);
void response_clear(struct response *response);

/* Starts the head: status (that nginx_adds_headers takes a missing one for 200) and, unless
 * nginx_adds_headers, what every answer carries (request id, CORS, Vary, nosniff). What was written before is
 * dropped. */
void response_begin(struct response *response, int status, const char *request_id);

/* Appends one header. Control characters in the value are written as spaces, so that a value can not begin
 * another header. */
void response_header(struct response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What to answer to a view token that is refused, with `why` in words that follow "apikey". */
struct problem problem_token(const char *why);

/* A whole answer of type application/problem+json (RFC 9457); with a callback 200 and a call of it with that.
 */
void response_problem(struct response *response, const char *request_id, const struct problem *problem);

/* What a browser asks before it lets a page of another site send a header: 204, and it may send any. `asked`
 * is Access-Control-Request-Headers or NULL; its names are repeated, for browsers that do not know the
 * asterisk. */
void response_preflight(struct response *response, const char *request_id, const char *asked);

/* Ends the head with Content-Length, and drops the body where the method is HEAD or the status has none. An
 * answer that took more than its storage allows becomes a plain 500. */
void response_end(struct response *response, bool head_only);

#endif
