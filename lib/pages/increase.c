#include "pages/increase.h"

#include "pages/page_index.h"

static int compare_increase(const void *left, const void *right)
{
    const struct increase *a = left;
    const struct increase *b = right;
    if (a->change != b->change)
        return a->change < b->change ? 1 : -1;
    if (a->page->visitors != b->page->visitors)
        return a->page->visitors < b->page->visitors ? 1 : -1;
    return pages_compare_path(a->page, b->page);
}

enum status increase_between(const struct page_list *previous, const struct page_list *newest,
                             struct arena *arena, struct increase_list *list_r)
{
    struct increase *items = arena_alloc(arena, newest->count * sizeof *items);
    struct page_index *before = page_index_new(previous, arena);
    if (!items || !before) {
        page_index_free(before);
        return STATUS_NO_MEMORY;
    }
    size_t count = 0;
    for (size_t i = 0; i < newest->count; i++) {
        const struct page *page = &newest->items[i];
        const struct page *old = page_index_find(before, page);
        if (old && page->visitors > old->visitors)
            items[count++] = (struct increase){page, page->visitors - old->visitors};
    }
    page_index_free(before);
    if (count > 1)
        qsort(items, count, sizeof *items, compare_increase);
    *list_r = (struct increase_list){items, count};
    return STATUS_OK;
}
