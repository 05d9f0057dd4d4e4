/* Pages by path: the hash join of two lists. */
#ifndef UPBEAT_PAGES_PAGE_INDEX_H
#define UPBEAT_PAGES_PAGE_INDEX_H

#include "pages/page_list.h"
#include <stdbool.h>
#include <stddef.h>

struct page_index;

/* An index of the list's paths, or NULL where memory is out. The list must live as long as the index and hold
 * each path once. The arena owns it. */
struct page_index *page_index_new(const struct page_list *list, struct arena *arena) MUST_CHECK;

/* The page of that path, or NULL. */
struct page *page_index_find(const struct page_index *index, const struct page *page);

/* Adds a page; false where memory is out. `page` must live as long as the index. */
bool page_index_add(struct page_index *index, struct page *page) MUST_CHECK;

/* Gives back what uthash took outside the arena. NULL is allowed. */
void page_index_free(struct page_index *index);

#endif
