/* Finds pages by their path, with which two lists are joined in linear time. */
#ifndef UPBEAT_PAGES_PAGE_INDEX_H
#define UPBEAT_PAGES_PAGE_INDEX_H

#include "pages/page_list.h"
#include <stdbool.h>
#include <stddef.h>

struct page_index;

/* An index of the list's pages, or NULL where memory has run out. The list must outlive the index and contain
 * each path once. The arena owns the index. */
struct page_index *page_index_new(const struct page_list *list, struct arena *arena) MUST_CHECK;

/* The page that has the same path as `page`, or NULL. */
struct page *page_index_find(const struct page_index *index, const struct page *page);

/* Adds a page; false where memory has run out. The page must outlive the index. */
bool page_index_add(struct page_index *index, struct page *page) MUST_CHECK;

/* Frees the memory that uthash allocated outside the arena. NULL is allowed. */
void page_index_free(struct page_index *index);

#endif
