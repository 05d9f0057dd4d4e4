#include "api/trend_cache.h"

#include "base/cache.h"
#include "base/validate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES_MAX = 16,
    ENTRY_MAX_BYTES = 192 * 1024,
    KEY_MAX_LENGTH = HOST_MAX_BYTES + 24, /* and the window */
};

struct trend_cache {
    struct cache *cache;
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

enum status trend_result_from(const struct trend_window *window, struct arena *arena,
                              struct trend_result *result_r)
{
    static const struct trend_bounds any = {TREND_BOTH, 0, 0, 0};
    struct trend trend;
    struct trend_result trend_result = {window->input.as_of_ms, window->input.window_ms, {0}, NULL, NULL};
    enum status result = trend_weigh(&window->input, arena, &trend);
    if (result != STATUS_OK)
        return result;
    trend_result.trend = trend;
    result = make_arrays(&trend_result, trend.page_count, arena);
    if (result != STATUS_OK)
        return result;
    uint32_t count = 0;
    for (size_t i = 0; i < trend.page_count; i++) {
        if (!trend_is_shown(&trend.pages[i], &any))
            continue;
        trend_result.pages[count] = window->pages[trend.pages[i].page];
        trend_result.paths[count] = window->paths[trend.pages[i].page];
        trend_result.trend.pages[count] = trend.pages[i];
        trend_result.trend.pages[count].page = count;
        count++;
    }
    trend_result.trend.page_count = count;
    *result_r = trend_result;
    return STATUS_OK;
}

struct trend_cache *trend_cache_new(void)
{
    struct trend_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        cache->cache = cache_new(ENTRIES_MAX, (size_t)ENTRIES_MAX * ENTRY_MAX_BYTES);
    if (cache && cache->cache)
        return cache;
    free(cache);
    return NULL;
}

void trend_cache_free(struct trend_cache *cache)
{
    if (cache)
        cache_free(cache->cache);
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
        (sizeof *trend_result->pages + sizeof *trend_result->trend.pages + sizeof *trend_result->paths);
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
