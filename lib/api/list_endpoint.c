#include "api/list_endpoint.h"

#include "base/escape.h"
#include "http/conditional.h"
#include "pages/increase.h"

#include <inttypes.h>
#include <time.h>

enum { ETAG_BYTES = 48 };

/* FNV-1a (Fowler, Noll, Vo): tells representations of one snapshot apart, guards nothing. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

/* What is the same in two answers of one snapshot, but for staleness, is told apart only where the body says
 * it. */
static void make_etag(char *etag, const struct request_params *params, const struct store_lookup *lookup,
                      enum answer_freshness freshness)
{
    char parameters[64];
    snprintf(parameters, sizeof parameters, "%" PRId64 " %d %d ", lookup->previous_at, params->limit,
             (int)params->format);
    uint32_t hash = hash_text(2166136261u, parameters);
    hash = hash_text(hash, params->callback ? params->callback : "");
    if (params->cache_key_suffix && *params->cache_key_suffix)
        hash =
            hash_text(hash_text(hash, params->cache_key_suffix), freshness == ANSWER_FRESH ? "" : " stale");
    snprintf(etag, ETAG_BYTES, "\"%" PRIx64 "-%08" PRIx32 "\"", (uint64_t)lookup->taken_at, hash);
}

static int seconds(int64_t ms)
{
    return ms > 0 ? (int)(ms / 1000) : 0;
}

static void put_date(struct response *response, const char *name, time_us at)
{
    time_t at_s = (time_t)(at / 1000000);
    struct tm parts;
    char text[40];
    gmtime_r(&at_s, &parts);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    response_header(response, name, "%s", text);
}

/* How long a cache in front may keep a copy: to the end of the second by its clock, which is how it counts,
 * so that Age and max-age, which are copied too, stay right to the second. 0: not at all. */
static int64_t copied_for_ms(const struct request_head *input, const struct cache_row_state *view,
                             const struct policy_bounds *bounds)
{
    int64_t rest_of_second_ms = 1000 - input->now_ms % 1000;
    return input->is_behind_cache && rest_of_second_ms <= policy_copy_ms(view, bounds) ? rest_of_second_ms
                                                                                       : 0;
}

/* For how long a copy may still be served while one request asks for the next, in seconds: where the row ends
 * before the copy does, its time is up with it. */
static int copy_stale_s(const struct cache_row_state *view, const struct policy_bounds *bounds,
                        int64_t kept_ms)
{
    return policy_copy_ms(view, bounds) >= kept_ms + POLICY_COPY_STALE_MS ? POLICY_COPY_STALE_MS / 1000 : 0;
}

/* max-age is the whole lifetime, since Age stands beside it. For nginx to keep a copy the worker says that in
 * a header of another name, which nginx hands on as Cache-Control: in the Cache-Control that nginx reads
 * itself, private would keep it from copying. X-Accel-Expires says until when the copy is good. A copy that
 * is out of date from the start costs nothing and lets nginx answer 304. */
static void put_cache_control(struct response *response, const struct request_head *input,
                              const struct cache_row_state *view, const struct policy_bounds *bounds,
                              int64_t kept_ms)
{
    if (input->is_behind_cache) {
        response_header(response, "Cache-Control", "stale-while-revalidate=%d",
                        copy_stale_s(view, bounds, kept_ms));
        response_header(response, "X-Accel-Expires", "@%" PRId64, kept_ms > 0 ? input->now_ms / 1000 : 1);
    }
    response_header(response, input->is_behind_cache ? "X-Upbeat-Cache-Control" : "Cache-Control",
                    "private, max-age=%d, stale-while-revalidate=%d, stale-if-error=%d",
                    seconds(bounds->ttl_ms), POLICY_COPY_STALE_MS / 1000, seconds(bounds->stale_error_ms));
}

static void put_headers(struct response *response, const struct request_head *input, const char *etag,
                        const struct store_lookup *lookup, const struct policy_bounds *bounds,
                        enum answer_freshness freshness)
{
    int64_t kept_ms = copied_for_ms(input, &lookup->view, bounds);
    int64_t age_ms = lookup->view.age_ms + kept_ms; /* when the copy was last served */
    response_header(response, "ETag", "%s", etag);
    put_date(response, "Last-Modified", lookup->taken_at);
    response_header(response, "Age", "%d", seconds(age_ms));
    put_cache_control(response, input, &lookup->view, bounds, kept_ms);
    if (freshness == ANSWER_STALE)
        response_header(response, "Warning", "110 - \"Response is Stale\"");
    else if (freshness == ANSWER_STALE_ERROR)
        response_header(response, "Warning", "111 - \"Revalidation Failed\"");
    if (lookup->rate_limit >= 0)
        response_header(response, "X-RateLimit-Limit", "%d", lookup->rate_limit);
    if (lookup->rate_remaining >= 0)
        response_header(response, "X-RateLimit-Remaining", "%d", lookup->rate_remaining);
    if (lookup->previous_at) {
        int64_t between_ms = (lookup->taken_at - lookup->previous_at) / 1000;
        response_header(response, "X-Snapshot-Interval", "%" PRId64 ".%03" PRId64, between_ms / 1000,
                        between_ms % 1000 < 0 ? -(between_ms % 1000) : between_ms % 1000);
    }
}

static void put_json(struct buffer *out, const struct increase_list *list, const char *callback)
{
    /* The comment in front keeps the name from being read as the start of something else (Rosetta Flash). */
    if (callback)
        buffer_append_format(out, "/**/%s(", callback);
    buffer_append_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        const struct increase *row = &list->items[i];
        buffer_append_text(out, i == 0 ? "{\"i\":" : ",\n{\"i\":");
        json_escape(out, row->page->title, row->page->title_bytes);
        buffer_append(out, ",\"path\":", 8);
        json_escape(out, row->page->path, row->page->path_bytes);
        buffer_append(out, ",\"visitors\":", 12);
        buffer_append_int(out, row->page->visitors);
        buffer_append(out, ",\"change\":", 10);
        buffer_append_int(out, row->change);
        buffer_append_char(out, '}');
    }
    buffer_append_text(out, callback ? "]);\n" : "]\n");
}

static void put_csv(struct buffer *out, const struct increase_list *list)
{
    buffer_append_text(out, "i,path,visitors,change\r\n");
    for (size_t i = 0; i < list->count; i++) {
        const struct increase *row = &list->items[i];
        csv_escape(out, row->page->title, row->page->title_bytes);
        buffer_append_char(out, ',');
        csv_escape(out, row->page->path, row->page->path_bytes);
        buffer_append_format(out, ",%" PRIu32 ",%" PRIu32 "\r\n", row->page->visitors, row->change);
    }
}

/* Of a copy, which is taken apart: others may be answered from the same row. */
static enum status decode(const char *pages, size_t pages_bytes, struct arena *arena,
                          struct page_list *list_r)
{
    char *copy = arena_copy(arena, pages, pages_bytes);
    return copy ? pages_decode(copy, pages_bytes, arena, list_r) : STATUS_NO_MEMORY;
}

static enum status find_increase(const struct store_lookup *lookup, struct arena *arena,
                                 struct increase_list *list_r)
{
    struct page_list newest = {0};
    struct page_list previous = {0};
    enum status result = decode(lookup->pages, lookup->pages_bytes, arena, &newest);
    if (result == STATUS_OK && lookup->previous_pages)
        result = decode(lookup->previous_pages, lookup->previous_pages_bytes, arena, &previous);
    if (result == STATUS_OK)
        result = increase_between(&previous, &newest, arena, list_r);
    return result;
}

bool answer_begin(struct response *response, const struct request_head *input,
                  const struct request_params *params, const struct store_lookup *lookup,
                  const struct policy_bounds *bounds, enum answer_freshness freshness)
{
    char etag[ETAG_BYTES];
    make_etag(etag, params, lookup, freshness);
    /* A 304 would be of use to one client, a copy of the list is of use to all: nginx makes its own 304s. */
    bool is_known = !input->is_behind_cache && etag_matches(input->if_none_match, etag);
    response_begin(response, is_known ? 304 : 200, input->id);
    put_headers(response, input, etag, lookup, bounds, freshness);
    if (is_known)
        return true;
    response_header(response, "Content-Type", "%s",
                    params->format == FORMAT_CSV ? "text/csv; charset=utf-8; header=present"
                    : params->callback           ? "application/javascript; charset=utf-8"
                                                 : "application/json");
    return false;
}

enum status answer_increase(struct response *response, const struct request_head *input,
                            const struct request_params *params, const struct store_lookup *lookup,
                            const struct policy_bounds *bounds, enum answer_freshness freshness,
                            const struct buffer *body, struct arena *arena)
{
    struct increase_list list = {0};
    if (answer_begin(response, input, params, lookup, bounds, freshness))
        return STATUS_OK;
    if (body) {
        buffer_append(&response->body, body->data, body->len_bytes);
        return STATUS_OK;
    }
    enum status result = find_increase(lookup, arena, &list);
    if (result != STATUS_OK)
        return result;
    if (list.count > (size_t)params->limit)
        list.count = (size_t)params->limit;
    if (params->format == FORMAT_CSV)
        put_csv(&response->body, &list);
    else
        put_json(&response->body, &list, params->callback);
    return STATUS_OK;
}
