/* What a view token lets a request have. Pure. */
#ifndef UPBEAT_API_ACCESS_H
#define UPBEAT_API_ACCESS_H

#include "api/routes.h"

enum { ACCESS_BOX_ROWS = 10 };

/* May the request be answered? If so, it is narrowed to what the token sees: rows, fields, rank. May be
 * called again for the same request. STATUS_INVALID: *problem_r says what to answer: 401 where the token is
 * not valid, 403 where it does not cover the endpoint, the host or the form of the answer. Its strings are
 * the token's, the request's or static. */
enum status access_check(const struct store_token *token, const struct route *route,
                         struct request_params *params, struct arena *arena,
                         struct problem *problem_r) MUST_CHECK;

/* To pages of which origin browsers may show the answer, in the form of response.origin: NULL where the token
 * is not bound to origins; `origin` of the request, where it is one of them; else "". `origin` may be NULL.
 */
const char *access_origin(const struct store_token *token, const char *origin);

#endif
