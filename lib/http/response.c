#include "http/response.h"

#include "base/escape.h"

enum {
    HEAD_MAX_BYTES = 8 * 1024,
    HEAD_KEEP_BYTES = 16 * 1024,
    BODY_MAX_BYTES = 16 * 1024 * 1024,
    ASKED_MAX_BYTES = 400,
    BODY_KEEP_BYTES = 256 * 1024, /* a worker gives back the memory of a larger answer */
};

static const char UTF8_MARK[] = "\xef\xbb\xbf";

void response_init(struct response *response)
{
    response->status = response->told_status = 0;
    response->origin = NULL;
    response->nginx_adds_headers = false;
    response->has_bom = false;
    buffer_init(&response->head, HEAD_MAX_BYTES);
    buffer_init(&response->body, BODY_MAX_BYTES);
}

void response_release(struct response *response)
{
    buffer_release(&response->head);
    buffer_release(&response->body);
    response->status = response->told_status = 0;
}

void response_clear(struct response *response)
{
    response->status = response->told_status = 0;
    response->has_bom = false;
    buffer_clear(&response->head, HEAD_KEEP_BYTES);
    buffer_clear(&response->body, BODY_KEEP_BYTES);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

void response_begin(struct response *response, int status, const char *request_id)
{
    response_clear(response);
    response->status = response->told_status = status;
    if (!response->nginx_adds_headers || status != 200)
        buffer_append_format(&response->head, "Status: %d %s\r\n", status, reason_of(status));
    const char *origin = response->origin;
    if (response->nginx_adds_headers) {
        if (origin)
            response_header(response, "X-Upbeat-Origin", "%s", *origin ? origin : "none");
        return;
    }
    response_header(response, "X-Request-Id", "%.64s", request_id);
    if (!origin || *origin)
        response_header(response, "Access-Control-Allow-Origin", "%s", origin ? origin : "*");
    response_header(response, "Vary", "Accept, Authorization, X-CB-AK%s", origin ? ", Origin" : "");
    buffer_append_text(&response->head,
                       "Access-Control-Expose-Headers: Age, Content-Disposition, ETag, Retry-After, Warning, "
                       "X-RateLimit-Limit, X-RateLimit-Remaining, X-Request-Id, X-Snapshot-Interval\r\n"
                       "X-Content-Type-Options: nosniff\r\n");
}

void response_header(struct response *response, const char *name, const char *format, ...)
{
    char value[512];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    for (char *at = value; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    }
    buffer_append_text(&response->head, name);
    buffer_append(&response->head, ": ", 2);
    buffer_append_text(&response->head, value);
    buffer_append(&response->head, "\r\n", 2);
}

static void put_member(struct buffer *out, const char *name, const char *value)
{
    if (!value)
        return;
    buffer_append_format(out, ",\"%s\":", name);
    json_escape(out, value, strlen(value));
}

/* The sentence for a person: the name of the parameter, if there is one, and what is wrong ("host has a
 * port"). */
static void put_detail(struct buffer *out, const struct problem *problem)
{
    char text[256];
    if (problem->parameter && problem->detail)
        snprintf(text, sizeof text, "%s %s", problem->parameter, problem->detail);
    put_member(out, "detail", problem->parameter && problem->detail ? text : problem->detail);
}

struct problem problem_token(const char *why)
{
    return (struct problem){.status = 401,
                            .parameter = "apikey",
                            .detail = why,
                            .bound = "a view token that is valid, as upbeat-token add prints it",
                            .is_bad_token = true};
}

void response_problem(struct response *response, const char *request_id, const struct problem *problem)
{
    const char *callback = problem->callback;
    response_begin(response, callback ? 200 : problem->status, request_id);
    response->told_status = problem->status;
    response_header(response, "Content-Type",
                    callback ? "application/javascript; charset=utf-8" : "application/problem+json");
    /* A copy that was out of date in 1970 is never served. nginx has to read this before Cache-Control. */
    if (problem->replaces_copy)
        response_header(response, "X-Accel-Expires", "@1");
    response_header(response, "Cache-Control", "no-store");
    /* RFC 6750: a client that has sent none is not told that it was wrong. */
    if (problem->status == 401 && !callback)
        response_header(response, "WWW-Authenticate", "Bearer realm=\"upbeat\"%s",
                        problem->is_bad_token ? ", error=\"invalid_token\"" : "");
    if (problem->retry_after_s > 0)
        response_header(response, "Retry-After", "%d", problem->retry_after_s);
    if (problem->allow)
        response_header(response, "Allow", "%s", problem->allow);
    struct buffer *body = &response->body;
    if (callback)
        buffer_append_format(body, "/**/%s(", callback);
    buffer_append_format(body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d",
                         reason_of(problem->status), problem->status);
    put_detail(body, problem);
    put_member(body, "parameter", problem->parameter);
    put_member(body, "bound", problem->bound);
    put_member(body, "sent", problem->sent);
    put_member(body, "request_id", request_id);
    buffer_append_text(body, callback ? "});\n" : "}\n");
}

/* Names of headers and commas, and no more than fits: what is repeated can't be anything else. */
static bool may_be_repeated(const char *asked)
{
    size_t len_bytes = strlen(asked);
    return len_bytes > 0 && len_bytes <= ASKED_MAX_BYTES &&
           strspn(asked, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~, ") ==
               len_bytes;
}

void response_preflight(struct response *response, const char *request_id, const char *asked)
{
    bool is_repeated = asked && may_be_repeated(asked);
    response_begin(response, 204, request_id);
    response_header(response, "Allow", "GET, HEAD, OPTIONS");
    response_header(response, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    /* The asterisk does not include Authorization. */
    response_header(response, "Access-Control-Allow-Headers",
                    "*, Authorization, X-CB-AK, If-None-Match, Accept%s%s", is_repeated ? ", " : "",
                    is_repeated ? asked : "");
    response_header(response, "Access-Control-Max-Age", "86400");
}

void response_end(struct response *response, bool head_only)
{
    if (response->head.status != STATUS_OK || response->body.status != STATUS_OK) {
        response_clear(response);
        response->status = response->told_status = 500;
        buffer_append_text(&response->head,
                           "Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\n");
        buffer_append_text(&response->body, "The answer was larger than this service can hold.\n");
    }
    bool has_body = response->status != 304 && response->status != 204;
    size_t mark_bytes = response->has_bom ? strlen(UTF8_MARK) : 0;
    if (has_body)
        buffer_append_format(&response->head, "Content-Length: %zu\r\n",
                             response->body.len_bytes + mark_bytes);
    buffer_append(&response->head, "\r\n", 2);
    if (has_body && !head_only)
        buffer_append(&response->head, UTF8_MARK, mark_bytes);
    else
        buffer_clear(&response->body, BODY_KEEP_BYTES);
}
