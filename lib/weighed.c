#include "weighed.h"

#include "request.h"

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
    struct weighed weighed;
};

struct weighed_store {
    struct place places[PLACES];
};

static enum up_result make_room(struct weighed *weighed, size_t count, struct arena *arena)
{
    weighed->trend.pages = arena_alloc(arena, (count + 1) * sizeof *weighed->trend.pages);
    weighed->pages = arena_alloc(arena, (count + 1) * sizeof *weighed->pages);
    weighed->paths = arena_alloc(arena, (count + 1) * sizeof *weighed->paths);
    return weighed->trend.pages && weighed->pages && weighed->paths ? UP_OK : UP_NO_MEMORY;
}

enum up_result weighed_from(const struct window *window, struct arena *arena, struct weighed *weighed_r)
{
    static const struct trend_bounds any = {TREND_BOTH, 0, 0};
    struct trend trend;
    struct weighed weighed = {window->input.as_of_ms, window->input.window_ms, {0}, NULL, NULL};
    enum up_result result = trend_weigh(&window->input, arena, &trend);
    if (result != UP_OK)
        return result;
    weighed.trend = trend;
    result = make_room(&weighed, trend.page_count, arena);
    if (result != UP_OK)
        return result;
    uint32_t count = 0;
    for (size_t i = 0; i < trend.page_count; i++) {
        if (!trend_is_shown(&trend.pages[i], &any))
            continue;
        weighed.pages[count] = window->pages[trend.pages[i].page];
        weighed.paths[count] = window->paths[trend.pages[i].page];
        weighed.trend.pages[count] = trend.pages[i];
        weighed.trend.pages[count].page = count;
        count++;
    }
    weighed.trend.page_count = count;
    *weighed_r = weighed;
    return UP_OK;
}

struct weighed_store *weighed_store_new(void)
{
    struct weighed_store *store = calloc(1, sizeof *store);
    for (size_t i = 0; store && i < PLACES; i++)
        arena_init(&store->places[i].arena, PLACE_MAX_BYTES);
    return store;
}

void weighed_store_free(struct weighed_store *store)
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

const struct weighed *weighed_find(const struct weighed_store *store, const char *host, int64_t window_ms,
                                   time_us taken_at)
{
    if (!store)
        return NULL;
    const struct place *place = &store->places[place_of(host, window_ms)];
    bool is_it = place->is_taken && place->weighed.window_ms == window_ms && place->taken_at == taken_at &&
                 strcmp(place->host, host) == 0;
    return is_it ? &place->weighed : NULL;
}

/* The text of a page, into the arena. */
static bool copy_text(struct page *page, struct arena *arena)
{
    page->path = arena_copy(arena, page->path, page->path_bytes);
    page->title = arena_copy(arena, page->title, page->title_bytes);
    page->sections = arena_copy(arena, page->sections, page->sections_bytes);
    return page->path && page->title && page->sections;
}

static bool copy(const struct weighed *from, struct arena *arena, struct weighed *to)
{
    size_t count = from->trend.page_count;
    *to = *from;
    if (make_room(to, count, arena) != UP_OK)
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

void weighed_keep(struct weighed_store *store, const char *host, time_us taken_at,
                  const struct weighed *weighed)
{
    size_t host_bytes = strlen(host);
    if (!store || host_bytes > HOST_MAX_BYTES)
        return;
    struct place *place = &store->places[place_of(host, weighed->window_ms)];
    arena_clear(&place->arena);
    place->is_taken = copy(weighed, &place->arena, &place->weighed);
    place->taken_at = taken_at;
    memcpy(place->host, host, host_bytes + 1);
}
