#include "api/trend_cache.h"

#include "http/params.h"

#include <stdlib.h>
#include <string.h>

enum {
    PLACES = 16, /* a power of two */
    PLACE_MAX_BYTES = 192 * 1024,
};

struct place {
    bool is_taken;
    char host[HOST_MAX_BYTES + 1];
    time_us taken_at;
    struct arena arena; /* of what is kept here */
    struct trend_result trend_result;
};

struct trend_cache {
    struct place places[PLACES];
};

static enum status make_room(struct trend_result *trend_result, size_t count, struct arena *arena)
{
    trend_result->trend.pages = arena_alloc(arena, (count + 1) * sizeof *trend_result->trend.pages);
    trend_result->pages = arena_alloc(arena, (count + 1) * sizeof *trend_result->pages);
    trend_result->paths = arena_alloc(arena, (count + 1) * sizeof *trend_result->paths);
    return trend_result->trend.pages && trend_result->pages && trend_result->paths ? STATUS_OK
                                                                                   : STATUS_NO_MEMORY;
}

enum status trend_result_from(const struct trend_window *window, struct arena *arena,
                              struct trend_result *weighed_r)
{
    static const struct trend_bounds any = {TREND_BOTH, 0, 0, 0};
    struct trend trend;
    struct trend_result trend_result = {window->input.as_of_ms, window->input.window_ms, {0}, NULL, NULL};
    enum status result = trend_weigh(&window->input, arena, &trend);
    if (result != STATUS_OK)
        return result;
    trend_result.trend = trend;
    result = make_room(&trend_result, trend.page_count, arena);
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
    *weighed_r = trend_result;
    return STATUS_OK;
}

struct trend_cache *trend_cache_new(void)
{
    struct trend_cache *store = calloc(1, sizeof *store);
    for (size_t i = 0; store && i < PLACES; i++)
        arena_init(&store->places[i].arena, PLACE_MAX_BYTES);
    return store;
}

void trend_cache_free(struct trend_cache *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < PLACES; i++)
        arena_release(&store->places[i].arena);
    free(store);
}

/* FNV-1a (Fowler, Noll, Vo); two that fall on one place displace each other. */
static size_t place_of(const char *host, int64_t window_ms)
{
    uint32_t hash = 2166136261u;
    for (const char *at = host; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    hash = (hash ^ (uint32_t)(window_ms / 1000)) * 16777619u;
    return (hash ^ hash >> 16) % PLACES;
}

const struct trend_result *trend_cache_find(const struct trend_cache *store, const char *host,
                                            int64_t window_ms, time_us taken_at)
{
    if (!store)
        return NULL;
    const struct place *place = &store->places[place_of(host, window_ms)];
    bool is_it = place->is_taken && place->trend_result.window_ms == window_ms &&
                 place->taken_at == taken_at && strcmp(place->host, host) == 0;
    return is_it ? &place->trend_result : NULL;
}

/* The text of a page, into the arena. */
static bool copy_text(struct page *page, struct arena *arena)
{
    page->path = arena_copy(arena, page->path, page->path_bytes);
    page->title = arena_copy(arena, page->title, page->title_bytes);
    page->sections = arena_copy(arena, page->sections, page->sections_bytes);
    return page->path && page->title && page->sections;
}

static bool copy(const struct trend_result *from, struct arena *arena, struct trend_result *to)
{
    size_t count = from->trend.page_count;
    *to = *from;
    if (make_room(to, count, arena) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        to->trend.pages[i] = from->trend.pages[i];
        to->pages[i] = from->pages[i];
        if (!copy_text(&to->pages[i].page, arena))
            return false;
        to->paths[i] = (struct trend_path){to->pages[i].page.path, to->pages[i].page.path_bytes};
    }
    return true;
}

void trend_cache_put(struct trend_cache *store, const char *host, time_us taken_at,
                     const struct trend_result *trend_result)
{
    size_t host_bytes = strlen(host);
    if (!store || host_bytes > HOST_MAX_BYTES)
        return;
    struct place *place = &store->places[place_of(host, trend_result->window_ms)];
    arena_clear(&place->arena);
    place->is_taken = copy(trend_result, &place->arena, &place->trend_result);
    place->taken_at = taken_at;
    memcpy(place->host, host, host_bytes + 1);
}
