/* Two lists as a cache row keeps them, with a line "--" between: taken apart, compared, and written as JSON
 * and CSV. */
#include "fuzz.h"

#include "base/escape.h"
#include "base/utf8.h"
#include "pages/increase.h"

#include <cjson/cJSON.h>

static void check_text(const char *text, size_t len_bytes)
{
    struct buffer json;
    struct buffer csv;
    buffer_init(&json, 1 << 20);
    buffer_init(&csv, 1 << 20);
    json_escape(&json, text, len_bytes);
    csv_escape(&csv, text, len_bytes);
    MUST_HOLD(csv.data[0] == '"' && csv.data[csv.len_bytes - 1] == '"' && csv.len_bytes >= len_bytes + 2);
    MUST_HOLD(!memchr(json.data, '<', json.len_bytes));
    if (utf8_valid(text, len_bytes)) {
        cJSON *back = cJSON_ParseWithOpts(json.data, NULL, 1);
        MUST_HOLD(cJSON_IsString(back) && strlen(back->valuestring) == len_bytes);
        MUST_HOLD(memcmp(back->valuestring, text, len_bytes) == 0);
        cJSON_Delete(back);
    }
    buffer_release(&json);
    buffer_release(&csv);
}

static void check_encoded(const struct page_list *list, struct arena *arena)
{
    struct buffer text;
    struct page_list again = {0};
    buffer_init(&text, PAGES_TEXT_MAX_BYTES);
    pages_encode(list, &text);
    MUST_HOLD(pages_decode(text.data, text.len_bytes, arena, &again) == STATUS_OK &&
              again.count == list->count);
    for (size_t i = 0; i < again.count; i++) {
        MUST_HOLD(pages_compare_path(&again.items[i], &list->items[i]) == 0);
        MUST_HOLD(again.items[i].visitors == list->items[i].visitors);
    }
    buffer_release(&text);
}

/* increase_between() may count on lists that hold a path once. */
static void compare(struct page_list *previous, struct page_list *newest, struct arena *arena)
{
    struct increase_list list = {0};
    MUST_HOLD(pages_merge(previous, arena) == STATUS_OK && pages_merge(newest, arena) == STATUS_OK);
    MUST_HOLD(increase_between(previous, newest, arena, &list) == STATUS_OK);
    MUST_HOLD(list.count <= newest->count && list.count <= previous->count);
    for (size_t i = 0; i < list.count; i++) {
        MUST_HOLD(list.items[i].change > 0 && list.items[i].change <= list.items[i].page->visitors);
        MUST_HOLD(i == 0 || list.items[i - 1].change >= list.items[i].change);
        check_text(list.items[i].page->title, list.items[i].page->title_bytes);
        check_text(list.items[i].page->path, list.items[i].page->path_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct arena arena;
    struct page_list previous = {0};
    struct page_list newest = {0};
    const uint8_t *border = len_bytes > 0 ? memmem(data, len_bytes, "--\n", 3) : NULL;
    size_t first_bytes = border ? (size_t)(border - data) : len_bytes;
    size_t rest_bytes = border ? len_bytes - first_bytes - 3 : 0;
    char *first = fuzz_text(data, first_bytes);
    char *rest = fuzz_text(border ? border + 3 : data, rest_bytes);
    arena_init(&arena, 16 << 20);
    if (pages_decode(first, first_bytes, &arena, &previous) == STATUS_OK)
        check_encoded(&previous, &arena);
    if (pages_decode(rest, rest_bytes, &arena, &newest) == STATUS_OK)
        compare(&previous, &newest, &arena);
    arena_release(&arena);
    free(first);
    free(rest);
    return 0;
}
