#include "pages/page_index.h"

#include <uthash.h>

struct entry {
    struct page *page;
    UT_hash_handle hh;
};

struct page_index {
    struct entry *table;
    struct arena *arena;
};

bool page_index_add(struct page_index *index, struct page *page)
{
    struct entry *entry = arena_alloc(index->arena, sizeof *entry);
    if (!entry)
        return false;
    entry->page = page;
    HASH_ADD_KEYPTR(hh, index->table, page->path, page->path_bytes, entry);
    return entry->hh.tbl != NULL; /* HASH_NONFATAL_OOM */
}

struct page *page_index_find(const struct page_index *index, const struct page *page)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, index->table, page->path, page->path_bytes, entry);
    return entry ? entry->page : NULL;
}

struct page_index *page_index_new(const struct page_list *list, struct arena *arena)
{
    struct page_index *index = arena_alloc(arena, sizeof *index);
    if (!index)
        return NULL;
    *index = (struct page_index){.arena = arena};
    for (size_t i = 0; i < list->count; i++) {
        if (!page_index_add(index, &list->items[i])) {
            page_index_free(index);
            return NULL;
        }
    }
    return index;
}

void page_index_free(struct page_index *index)
{
    if (index)
        HASH_CLEAR(hh, index->table);
}
