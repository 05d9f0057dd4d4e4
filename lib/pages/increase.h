/* Finds the pages that have more visitors now than in the snapshot before: a pure function of two lists. */
#ifndef UPBEAT_PAGES_INCREASE_H
#define UPBEAT_PAGES_INCREASE_H

#include "base/arena.h"
#include "base/status.h"
#include "pages/page_list.h"

struct increase {
    const struct page *page; /* of the newest list: title, path, visitors */
    uint32_t change;         /* visitors now minus visitors before, > 0 */
};

struct increase_list {
    struct increase *items;
    size_t count;
};

/* The pages of `newest` that also stand in `previous` with fewer visitors, sorted by change descending, then
 * visitors descending, then path by bytes. Each list holds a path at most once. O(n) by a hash join on the
 * path, then the sort of what increases. The arena owns the items, which point into `newest`.
 * STATUS_NO_MEMORY: *list_r is untouched. */
enum status increase_between(const struct page_list *previous, const struct page_list *newest,
                             struct arena *arena, struct increase_list *list_r) MUST_CHECK;

#endif
