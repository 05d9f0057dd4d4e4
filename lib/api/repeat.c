#include "api/repeat.h"

#include "api/access.h"
#include "api/api.h"
#include "api/routes.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

void repeat_name_body(const struct buffer *body, char suffix_r[REPEAT_SUFFIX_BYTES])
{
    snprintf(suffix_r, REPEAT_SUFFIX_BYTES, "%016" PRIx64,
             hash_bytes(HASH_START, body->data, body->len_bytes));
}

void repeat_keep(struct request *request, struct api *api)
{
    const struct store_lookup *lookup = &request->lookup;
    const struct request_params *params = &request->params;
    const struct buffer *body = &request->response.body;
    char cache_key_suffix[REPEAT_SUFFIX_BYTES];
    if (request->response.told_status != 200)
        return;
    snprintf(cache_key_suffix, sizeof cache_key_suffix, "%s", params->cache_key_suffix);
    if (!request->route->needs_page_lists && !request->route->is_cacheable)
        repeat_name_body(body, cache_key_suffix);
    const struct cached_answer answer = {
        .taken_at = lookup->taken_at,
        .previous_at = lookup->previous_at,
        .rate_limit = lookup->rate_limit,
        .rate_remaining = lookup->rate_remaining,
        .view = lookup->view,
        .looked_up_ms = clock_monotonic_ms(),
        .token_id = params->is_token ? lookup->token.id : 0,
        .limit = params->limit,
        .fields = params->fields,
        .has_rank = params->has_rank,
        .origins = params->is_token && lookup->token.origins ? lookup->token.origins : "",
        .cache_key_suffix = cache_key_suffix,
        .body = *body,
    };
    answer_cache_put(api->answers, &request->head, params, &answer, request->route->is_cacheable);
}

/* The row as it was looked up then, older by the time since. */
static struct cache_row_state view_now(const struct cached_answer *answer, int64_t now_ms)
{
    struct cache_row_state view = answer->view;
    view.age_ms += now_ms - answer->looked_up_ms;
    view.check_age_ms += now_ms - answer->looked_up_ms;
    return view;
}

static void take_kept(struct request *request, const struct cached_answer *answer, int64_t now_ms)
{
    request->lookup = (struct store_lookup){
        .host = request->params.host,
        .digest = &request->params.digest,
        .is_token = request->params.is_token,
        .view = view_now(answer, now_ms),
        .taken_at = answer->taken_at,
        .previous_at = answer->previous_at,
        .rate_limit = answer->rate_limit,
        .rate_remaining = answer->rate_remaining,
    };
    request->params.limit = answer->limit;
    request->params.fields = answer->fields;
    request->params.has_rank = answer->has_rank;
    request->params.cache_key_suffix = answer->cache_key_suffix;
}

bool repeat_answer(struct request *request, struct api *api, time_us newer_than)
{
    struct cached_answer answer;
    int64_t now_ms = clock_monotonic_ms();
    if (request->route->kind == ROUTE_PLAIN ||
        !answer_cache_find(api->answers, &request->head, &request->params, &answer))
        return false;
    const struct cache_row_state view = view_now(&answer, now_ms);
    if (answer.taken_at <= newer_than || !policy_may_serve_stale(&view, &api->bounds))
        return false;
    take_kept(request, &answer, now_ms);
    if (request->params.is_token) {
        const struct store_token token = {.origins = answer.origins};
        request->response.origin = access_origin(&token, request->head.origin);
        if (!request->is_counted)
            api_count_token(api, answer.token_id, now_ms);
        request->is_counted = true;
    }
    request->head.now_ms = clock_wall_ms();
    request->freshness = ANSWER_STALE_ERROR;
    if (!answer_begin(&request->response, &request->head, &request->params, &request->lookup, &api->bounds,
                      request->freshness)) {
        buffer_append(&request->response.body, answer.body.data, answer.body.len_bytes);
        routes_mark_stale(request->route, &request->response.body);
    }
    request->params.cache_key_suffix = "";
    request_finish(request);
    return true;
}
