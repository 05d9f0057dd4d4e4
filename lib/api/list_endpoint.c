#include "api/list_endpoint.h"

#include "base/escape.h"
#include "base/hash.h"
#include "base/writer.h"
#include "http/cache_headers.h"
#include "http/conditional.h"
#include "http/file_name.h"
#include "pages/increase.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ETAG_BYTES = 48 };

/* What is the same in two answers of one snapshot, but for staleness, is told apart only where the body says
 * it. */
static void make_etag(char *etag, const struct request_params *params, const struct store_lookup *lookup,
                      enum answer_freshness freshness)
{
    char parameters[64];
    snprintf(parameters, sizeof parameters, "%" PRId64 " %d %d ", lookup->previous_at, params->limit,
             (int)params->format * 2 + params->has_bom);
    /* What a token leaves out makes another answer. */
    if (params->fields)
        snprintf(parameters + strlen(parameters), 16, "%u %d ", params->fields, params->has_rank);
    uint64_t hash = hash_text(HASH_START, parameters);
    hash = hash_text(hash, params->callback ? params->callback : "");
    if (params->cache_key_suffix && *params->cache_key_suffix)
        hash =
            hash_text(hash_text(hash, params->cache_key_suffix), freshness == ANSWER_FRESH ? "" : " stale");
    snprintf(etag, ETAG_BYTES, "\"%" PRIx64 "-%016" PRIx64 "\"", (uint64_t)lookup->taken_at, hash);
}

/* When the snapshot of an ETag of ours was taken; 0: it is no such ETag. `at` is behind its first quote. */
static time_us etag_time(const char *at)
{
    static const char digits[] = "0123456789abcdef";
    enum { HASH_DIGITS = 16 };
    char *end = NULL;
    unsigned long long taken_at = *at && strchr(digits, *at) ? strtoull(at, &end, 16) : 0;
    if (!end || *end != '-' || strspn(end + 1, digits) != HASH_DIGITS || end[1 + HASH_DIGITS] != '"')
        return 0;
    return taken_at < INT64_MAX ? (time_us)taken_at : 0;
}

time_us answer_seen_at(const struct request_head *input)
{
    time_us newest = 0;
    struct tm date = {0};
    const char *rest = input->if_modified_since
                           ? strptime(input->if_modified_since, "%a, %d %b %Y %H:%M:%S GMT", &date)
                           : NULL;
    if (rest && *rest == '\0')
        newest = timegm(&date) * INT64_C(1000000);
    for (const char *at = input->if_none_match; at && (at = strchr(at, '"')); at++) {
        time_us taken_at = etag_time(at + 1);
        newest = taken_at > newest ? taken_at : newest;
    }
    return newest;
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

enum copy_kind {
    COPY_OF_SECOND, /* of the list: to the end of this second */
    COPY_UNTIL_DUE, /* of a report: until there may be a newer snapshot */
};

/* nginx reads its own Cache-Control, then until when the copy is good, and no other Cache-Control: what
 * clients are told it sends in place of its own (snippets/upbeat-cached.conf). */
static void put_cache_headers(struct response *response, const struct request_head *input,
                              const struct cache_row_state *view, const struct policy_bounds *bounds,
                              enum copy_kind kind)
{
    /* A report is made of the whole window, so that one a snapshot is enough; its copy may be served while
     * nginx has the next one made. */
    int64_t over_ms = kind == COPY_UNTIL_DUE ? 2 * POLICY_COPY_STALE_MS : POLICY_COPY_STALE_MS;
    struct cache_headers headers = cache_headers_of(&(struct cache_times){
        .now_ms = input->now_ms,
        .age_ms = view->age_ms,
        .lifetime_ms = bounds->ttl_ms,
        .copy_ms = policy_copy_ms(view, bounds, over_ms),
        .due_ms = kind == COPY_UNTIL_DUE ? policy_due_ms(view, bounds) : 0,
        .copy_stale_ms = POLICY_COPY_STALE_MS,
        .copy_error_ms = policy_copy_error_ms(view, bounds),
        .stale_error_ms = bounds->stale_error_ms,
        .is_behind_cache = input->is_behind_cache,
    });
    response_header(response, "Age", "%d", headers.age_s);
    if (input->is_behind_cache) {
        response_header(response, "Cache-Control", "%s", headers.nginx_cache_control);
        response_header(response, "X-Accel-Expires", "%s", headers.x_accel_expires);
        response_header(response, "X-Upbeat-Good-In", "%s", headers.good_in);
    }
    response_header(response, input->is_behind_cache ? "X-Upbeat-Cache-Control" : "Cache-Control", "%s",
                    headers.cache_control);
}

static void put_headers(struct response *response, const struct request_head *input, const char *etag,
                        const struct store_lookup *lookup, const struct policy_bounds *bounds,
                        enum answer_freshness freshness, enum copy_kind kind, bool has_fewer_fields)
{
    response_header(response, "ETag", "%s", etag);
    put_date(response, "Last-Modified", lookup->taken_at);
    put_cache_headers(response, input, &lookup->view, bounds, kind);
    if (freshness == ANSWER_STALE)
        response_header(response, "Warning", "110 - \"Response is Stale\"");
    else if (freshness == ANSWER_STALE_ERROR)
        response_header(response, "Warning", "111 - \"Revalidation Failed\"");
    /* What a token leaves out of the rows is not to be guessed from headers. */
    if (has_fewer_fields)
        return;
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

static void put_field(struct writer *writer, const char *name, const struct increase *row, size_t rank)
{
    switch (name[0]) {
    case 'r':
        writer_int(writer, name, (int64_t)rank);
        break;
    case 'i':
        writer_text(writer, name, row->page->title, row->page->title_bytes);
        break;
    case 'p':
        writer_text(writer, name, row->page->path, row->page->path_bytes);
        break;
    case 'v':
        writer_int(writer, name, row->page->visitors);
        break;
    default:
        writer_int(writer, name, row->change);
    }
}

/* https, since a list says nothing of the scheme, and a site without it is an exception. "": no address that
 * a reader is sent to. */
static void put_address(struct buffer *out, const char *host, const struct page *page)
{
    const char *mark = strchr(host, '@');
    bool is_own = page->path_bytes > 0 && page->path[0] == '/';
    if (is_own && page->path_bytes > 1 && page->path[1] == '/')
        return;
    buffer_append_text(out, "https://");
    if (is_own)
        buffer_append_text(out, mark ? mark + 1 : host);
    xml_escape(out, page->path, page->path_bytes);
}

/* For server-side includes: links in a list, and nothing to style or run. */
static void put_html(struct buffer *out, const struct increase_list *list,
                     const struct request_params *params)
{
    buffer_append_text(out, "<ol>\n");
    for (size_t i = 0; i < list->count; i++) {
        const struct page *page = list->items[i].page;
        bool has_title = page->title_bytes > 0 && params_sees(params, "i");
        buffer_append_text(out, "<li><a href=\"");
        if (params_sees(params, "path"))
            put_address(out, params->host, page);
        buffer_append_text(out, "\" rel=\"noopener\">");
        if (has_title)
            xml_escape(out, page->title, page->title_bytes);
        else if (params_sees(params, "path"))
            xml_escape(out, page->path, page->path_bytes);
        buffer_append_text(out, "</a></li>\n");
    }
    buffer_append_text(out, "</ol>\n");
}

static void put_list(struct buffer *out, const struct increase_list *list,
                     const struct request_params *params)
{
    static const char *const columns[] = {"rank", "i", "path", "visitors", "change"};
    const char *seen[sizeof columns / sizeof *columns];
    size_t count = 0;
    struct writer writer;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (i == 0 ? params->has_rank : params_sees(params, columns[i]))
            seen[count++] = columns[i];
    }
    writer_begin(&writer, out, params->format == FORMAT_CSV ? WRITE_CSV : WRITE_JSON, params->callback);
    writer_header(&writer, seen, count);
    writer_rows_begin(&writer, NULL);
    for (size_t i = 0; i < list->count; i++) {
        const struct increase *row = &list->items[i];
        writer_row_begin(&writer);
        for (size_t k = 0; k < count; k++)
            put_field(&writer, seen[k], row, i + 1);
        writer_row_end(&writer);
    }
    writer_rows_end(&writer);
    writer_end(&writer);
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

static bool begin(struct response *response, const struct request_head *input,
                  const struct request_params *params, const struct store_lookup *lookup,
                  const struct policy_bounds *bounds, enum answer_freshness freshness, enum copy_kind kind)
{
    char etag[ETAG_BYTES];
    make_etag(etag, params, lookup, freshness);
    /* A 304 would be of use to one client, a copy of the list is of use to all: nginx makes its own 304s. */
    bool is_known = !input->is_behind_cache && etag_matches(input->if_none_match, etag);
    response_begin(response, is_known ? 304 : 200, input->id);
    put_headers(response, input, etag, lookup, bounds, freshness, kind, params->fields != 0);
    if (is_known)
        return true;
    response_header(response, "Content-Type", "%s",
                    params->format == FORMAT_CSV    ? "text/csv; charset=utf-8; header=present"
                    : params->format == FORMAT_ATOM ? "application/atom+xml; charset=utf-8"
                    : params->format == FORMAT_HTML ? "text/html; charset=utf-8"
                    : params->callback              ? "application/javascript; charset=utf-8"
                                                    : "application/json");
    if (params->format == FORMAT_HTML) /* somebody may open it by itself */
        response_header(response, "Content-Security-Policy", "default-src 'none'");
    if (params->format == FORMAT_CSV) {
        char name[FILE_NAME_BYTES];
        file_name_csv(params->host, input->path, lookup->taken_at / 1000000, name);
        response_header(response, "Content-Disposition", "attachment; filename=\"%s\"", name);
        response->has_bom = params->has_bom;
    }
    return false;
}

bool answer_begin(struct response *response, const struct request_head *input,
                  const struct request_params *params, const struct store_lookup *lookup,
                  const struct policy_bounds *bounds, enum answer_freshness freshness)
{
    return begin(response, input, params, lookup, bounds, freshness, COPY_UNTIL_DUE);
}

enum status answer_increase(struct response *response, const struct request_head *input,
                            const struct request_params *params, const struct store_lookup *lookup,
                            const struct policy_bounds *bounds, enum answer_freshness freshness,
                            const struct buffer *body, struct arena *arena)
{
    struct increase_list list = {0};
    if (begin(response, input, params, lookup, bounds, freshness, COPY_OF_SECOND))
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
    if (params->format == FORMAT_HTML)
        put_html(&response->body, &list, params);
    else
        put_list(&response->body, &list, params);
    return STATUS_OK;
}
