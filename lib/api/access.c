#include "api/access.h"

#include <string.h>

static enum status refuse(struct problem *problem, const char *parameter, const char *detail,
                          const char *bound, const char *sent)
{
    *problem = (struct problem){
        .status = 403, .parameter = parameter, .detail = detail, .bound = bound, .sent = sent};
    return STATUS_INVALID;
}

static const char *fault_of(enum token_state state)
{
    switch (state) {
    case TOKEN_VALID:
        return NULL;
    case TOKEN_EXPIRED:
        return "is a view token that has expired";
    case TOKEN_REVOKED:
        return "is a view token that was revoked";
    case TOKEN_UNKNOWN:
        break;
    }
    return "is a view token that is not known";
}

static const char *bound_of(enum token_may may)
{
    switch (may) {
    case TOKEN_LIST:
        return "/api/v1.0/increasingconcurrents and /api/v1.0/pages";
    case TOKEN_BOARD:
        return "what the board asks for";
    case TOKEN_BOX:
        return "/api/v1.0/increasingconcurrents";
    default:
        return "all endpoints";
    }
}

/* The limit of a token bounds pages and events: a curve that has fewer points or hours breaks off. */
static bool has_rows_of_pages(const struct route *route)
{
    return route->endpoint == ENDPOINT_INCREASING || route->endpoint == ENDPOINT_TRENDS ||
           route->endpoint == ENDPOINT_PAGES || route->endpoint == ENDPOINT_EVENTS;
}

/* A box tells readers which pages rise, and no number that the site's traffic could be read from. */
static void narrow(const struct store_token *token, const struct route *route, struct request_params *params)
{
    int row_limit = token->row_limit && has_rows_of_pages(route) ? token->row_limit : LIMIT_MAX;
    params->fields = token->fields;
    if (token->may == TOKEN_BOX) {
        params->fields = TOKEN_FIELD_TITLE | TOKEN_FIELD_PATH;
        params->has_rank = true;
        row_limit = row_limit < ACCESS_BOX_ROWS ? row_limit : ACCESS_BOX_ROWS;
    }
    if (params->limit > row_limit)
        params->limit = row_limit;
}

enum status access_check(const struct store_token *token, const struct route *route,
                         struct request_params *params, struct arena *arena, struct problem *problem_r)
{
    const char *fault = fault_of(token->state);
    if (fault) {
        *problem_r = problem_token(fault);
        return STATUS_INVALID;
    }
    if (!(route->may & 1U << token->may))
        return refuse(problem_r, NULL, "The view token does not cover this endpoint.", bound_of(token->may),
                      route->path);
    /* The hosts are named to whoever has the token, who could find them out by asking. */
    if (!token->covers_host && route->kind == ROUTE_ROW)
        return refuse(problem_r, "host", "is not covered by the view token",
                      arena_copy(arena, token->hosts, strlen(token->hosts)), params->host);
    /* A script of another site is read without a question to us. */
    if (params->callback && *token->origins)
        return refuse(problem_r, "callback", "is not for a view token that is bound to origins",
                      "no callback: fetch() asks for JSON", params->callback);
    narrow(token, route, params);
    return STATUS_OK;
}

const char *access_origin(const struct store_token *token, const char *origin)
{
    if (!*token->origins)
        return NULL;
    size_t len_bytes = origin ? strlen(origin) : 0;
    for (const char *at = token->origins; len_bytes > 0 && *at; at += strspn(at, " ")) {
        size_t one_bytes = strcspn(at, " ");
        if (one_bytes == len_bytes && memcmp(at, origin, len_bytes) == 0)
            return origin;
        at += one_bytes;
    }
    return "";
}
