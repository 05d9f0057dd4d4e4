#include "api/trend_cache.h"

#include "base/cache.h"
#include "base/validate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_MAX = 16,
    CACHE_MAX_BYTES = 4 * 1024 * 1024,
    ENTRY_MAX_BYTES = 1024 * 1024, /* a list of 1,000 pages with their sparklines */
    USUAL_HOSTS_MAX = 64,
    MINUTE_MS = 60000,
    USUAL_MS = 900000,                    /* what is usual changes with each quarter of an hour */
    KEY_MAX_LENGTH = HOST_MAX_BYTES + 24, /* and the window */
};

struct trend_cache {
    struct cache *cache;
    struct cache *usual;
};

struct stored_usual {
    int64_t quarter; /* since 1970 */
    int64_t minute;  /* since 1970 */
    struct site_usual usual;
};

/* The arrays of the result and the text of its pages stand behind it. */
struct stored_result {
    time_us taken_at;
    struct trend_result trend_result;
};

static enum status make_arrays(struct trend_result *trend_result, size_t count, struct arena *arena)
{
    trend_result->trend.pages = arena_alloc(arena, (count + 1) * sizeof *trend_result->trend.pages);
    trend_result->pages = arena_alloc(arena, (count + 1) * sizeof *trend_result->pages);
    trend_result->paths = arena_alloc(arena, (count + 1) * sizeof *trend_result->paths);
    return trend_result->trend.pages && trend_result->pages && trend_result->paths ? STATUS_OK
                                                                                   : STATUS_NO_MEMORY;
}

static int32_t minutes_known(const struct trend_input *input)
{
    int32_t known = 0;
    for (size_t i = 0; i < input->minute_count; i++) {
        int64_t from_ms = input->minutes[i].minute * MINUTE_MS;
        known += from_ms >= input->as_of_ms - input->window_ms && from_ms <= input->as_of_ms;
    }
    return known;
}

enum status trend_result_from(const struct trend_window *window, struct arena *arena,
                              struct trend_result *result_r)
{
    static const struct trend_bounds any = {TREND_BOTH, 0, 0, 0};
    struct trend trend;
    struct trend_result trend_result = {
        .as_of_ms = window->input.as_of_ms,
        .window_ms = window->input.window_ms,
        .minutes_known = minutes_known(&window->input),
    };
    enum status result = trend_weigh(&window->input, arena, &trend);
    if (result != STATUS_OK)
        return result;
    trend_result.trend = trend;
    result = make_arrays(&trend_result, trend.page_count, arena);
    if (result == STATUS_OK)
        result = sparklines_make(&window->input, arena, &trend_result.sparklines);
    if (result != STATUS_OK)
        return result;
    uint32_t *numbers = arena_alloc(arena, (trend.page_count + 1) * sizeof *numbers);
    if (!numbers)
        return STATUS_NO_MEMORY;
    uint32_t count = 0;
    for (size_t i = 0; i < trend.page_count; i++) {
        if (trend.pages[i].rank == 0 && !trend_is_shown(&trend.pages[i], &any))
            continue;
        numbers[count] = trend.pages[i].page;
        trend_result.pages[count] = window->pages[trend.pages[i].page];
        trend_result.paths[count] = window->paths[trend.pages[i].page];
        trend_result.trend.pages[count] = trend.pages[i];
        trend_result.trend.pages[count].page = count;
        struct window_page *page = &trend_result.pages[count];
        sources_compare(&page->sources, page->before, &trend.pages[i]);
        page->before = NULL;
        count++;
    }
    trend_result.trend.page_count = count;
    result = sparklines_choose(&trend_result.sparklines, numbers, count, arena);
    if (result == STATUS_OK)
        *result_r = trend_result;
    return result;
}

struct trend_cache *trend_cache_new(void)
{
    struct trend_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->cache = cache_new(ENTRIES_MAX, CACHE_MAX_BYTES);
    cache->usual = cache_new(USUAL_HOSTS_MAX, (size_t)USUAL_HOSTS_MAX * sizeof(struct stored_usual));
    if (cache->cache && cache->usual)
        return cache;
    trend_cache_free(cache);
    return NULL;
}

void trend_cache_free(struct trend_cache *cache)
{
    if (!cache)
        return;
    cache_free(cache->cache);
    cache_free(cache->usual);
    free(cache);
}

static size_t key_of(const char *host, int64_t window_ms, char key[KEY_MAX_LENGTH])
{
    int length = snprintf(key, KEY_MAX_LENGTH, "%s %" PRId64, host, window_ms);
    return length > 0 && length < KEY_MAX_LENGTH ? (size_t)length : 0;
}

const struct trend_result *trend_cache_find(const struct trend_cache *cache, const char *host,
                                            int64_t window_ms, time_us taken_at)
{
    char key[KEY_MAX_LENGTH];
    if (!cache)
        return NULL;
    const struct stored_result *stored = cache_find(cache->cache, key, key_of(host, window_ms, key), NULL);
    return stored && stored->taken_at == taken_at ? &stored->trend_result : NULL;
}

/* How many bytes the texts of the pages take, each with its NUL. */
static size_t text_bytes_of(const struct trend_result *result)
{
    size_t bytes = 0;
    for (size_t i = 0; i < result->trend.page_count; i++) {
        const struct page *page = &result->pages[i].page;
        bytes += (size_t)page->path_bytes + page->title_bytes + page->sections_bytes + 3;
    }
    return bytes;
}

static char *copy_text(char **to, const char *bytes, size_t len_bytes)
{
    char *copy = *to;
    if (len_bytes > 0)
        memcpy(copy, bytes, len_bytes);
    copy[len_bytes] = '\0';
    *to += len_bytes + 1;
    return copy;
}

/* Copies the arrays and texts of the result to `at`, which has room for them, and makes it point there. */
static void move_result(struct trend_result *result, char *at)
{
    size_t count = result->trend.page_count;
    result->pages = memcpy(at, result->pages, count * sizeof *result->pages);
    at += count * sizeof *result->pages;
    result->trend.pages = memcpy(at, result->trend.pages, count * sizeof *result->trend.pages);
    at += count * sizeof *result->trend.pages;
    result->paths = (struct trend_path *)(void *)at;
    at += count * sizeof *result->paths;
    size_t line_bytes = count * result->sparklines.count * sizeof *result->sparklines.values;
    result->sparklines.values = memcpy(at, result->sparklines.values, line_bytes);
    at += line_bytes;
    for (size_t i = 0; i < count; i++) {
        struct page *page = &result->pages[i].page;
        page->path = copy_text(&at, page->path, page->path_bytes);
        page->title = copy_text(&at, page->title, page->title_bytes);
        page->sections = copy_text(&at, page->sections, page->sections_bytes);
        result->paths[i] = (struct trend_path){page->path, page->path_bytes};
    }
}

void trend_cache_put(struct trend_cache *cache, const char *host, time_us taken_at,
                     const struct trend_result *trend_result)
{
    char key[KEY_MAX_LENGTH];
    if (!cache)
        return;
    size_t key_bytes = key_of(host, trend_result->window_ms, key);
    size_t array_bytes =
        trend_result->trend.page_count *
        (sizeof *trend_result->pages + sizeof *trend_result->trend.pages + sizeof *trend_result->paths +
         trend_result->sparklines.count * sizeof *trend_result->sparklines.values);
    size_t len_bytes = sizeof(struct stored_result) + array_bytes + text_bytes_of(trend_result);
    cache_remove(cache->cache, key, key_bytes);
    if (key_bytes == 0 || len_bytes > ENTRY_MAX_BYTES)
        return;
    struct stored_result *stored = cache_reserve(cache->cache, key, key_bytes, len_bytes);
    if (!stored)
        return;
    stored->taken_at = taken_at;
    stored->trend_result = *trend_result;
    move_result(&stored->trend_result, (char *)(stored + 1));
}

const struct site_usual *trend_cache_find_usual(const struct trend_cache *cache, const char *host,
                                                int64_t as_of_ms)
{
    const struct stored_usual *stored = cache ? cache_find(cache->usual, host, strlen(host), NULL) : NULL;
    if (!stored || stored->quarter != as_of_ms / USUAL_MS)
        return NULL;
    /* What is not known may be known soon: history is being imported. */
    return stored->usual.is_known || stored->minute == as_of_ms / MINUTE_MS ? &stored->usual : NULL;
}

void trend_cache_put_usual(struct trend_cache *cache, const char *host, int64_t as_of_ms,
                           const struct site_usual *usual)
{
    size_t host_bytes = strlen(host);
    if (!cache)
        return;
    cache_remove(cache->usual, host, host_bytes);
    struct stored_usual *stored = cache_reserve(cache->usual, host, host_bytes, sizeof *stored);
    if (stored)
        *stored = (struct stored_usual){as_of_ms / USUAL_MS, as_of_ms / MINUTE_MS, *usual};
}
