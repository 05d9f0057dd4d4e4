/* An answer of Chartbeat: as it is, and as the rows of either form. */
#include "fuzz.h"

#include "base/utf8.h"
#include "upstream/toppages.h"

enum { ARENA_MAX_BYTES = 8 * 1024 * 1024 };

/* What the cache row keeps of a list is the list. */
static void check_round_trip(const struct page_list *list, struct arena *arena)
{
    struct buffer text;
    struct page_list again = {0};
    buffer_init(&text, PAGES_TEXT_MAX_BYTES);
    pages_encode(list, &text);
    MUST_HOLD(text.status == STATUS_OK);
    MUST_HOLD(pages_decode(text.data, text.len_bytes, arena, &again) == STATUS_OK);
    MUST_HOLD(again.count == list->count);
    for (size_t i = 0; i < again.count; i++) {
        MUST_HOLD(again.items[i].visitors == list->items[i].visitors);
        MUST_HOLD(pages_compare_path(&again.items[i], &list->items[i]) == 0);
        MUST_HOLD(again.items[i].title_bytes == list->items[i].title_bytes);
        MUST_HOLD(memcmp(again.items[i].title, list->items[i].title, again.items[i].title_bytes) == 0);
    }
    buffer_release(&text);
}

static void check_list(const struct page_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct page *page = &list->items[i];
        MUST_HOLD(page->path_bytes >= 1 && page->path_bytes <= PATH_MAX_BYTES &&
                  memchr(page->path, '/', page->path_bytes));
        MUST_HOLD(page->title_bytes <= TITLE_MAX_BYTES && page->sections_bytes <= SECTIONS_MAX_BYTES);
        MUST_HOLD(utf8_valid(page->path, page->path_bytes));
        MUST_HOLD(utf8_valid(page->title, page->title_bytes));
        MUST_HOLD(utf8_valid(page->sections, page->sections_bytes));
        MUST_HOLD(page->visitors <= 2147483647);
        for (int at = 0; at < PAGE_SOURCES; at++)
            MUST_HOLD(page->sources[at] <= 2147483647);
        if (i == 0)
            continue;
        const struct page *before = page - 1;
        MUST_HOLD(before->visitors >= page->visitors);
        MUST_HOLD(before->visitors > page->visitors || pages_compare_path(before, page) < 0);
    }
}

static void parse(const char *front, const uint8_t *data, size_t len_bytes, const char *back)
{
    size_t front_bytes = strlen(front);
    size_t all_bytes = front_bytes + len_bytes + strlen(back);
    char *body = malloc(all_bytes ? all_bytes : 1);
    if (!body)
        abort();
    memcpy(body, front, front_bytes);
    if (len_bytes > 0)
        memcpy(body + front_bytes, data, len_bytes);
    memcpy(body + front_bytes + len_bytes, back, strlen(back));
    struct arena arena;
    static const struct page_path_rules rules = {"demo.example", "utm_*"};
    struct toppages toppages = {0};
    const char *why = NULL;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum status result = toppages_parse(body, all_bytes, &rules, &arena, &toppages, &why);
    MUST_HOLD(arena.total_bytes <= ARENA_MAX_BYTES);
    if (result == STATUS_OK) {
        check_list(&toppages.pages);
        size_t refused = 0;
        for (int fault = 0; fault < ROW_FAULTS; fault++)
            refused += toppages.refused[fault];
        MUST_HOLD(refused == toppages.refused_rows);
        MUST_HOLD(toppages.rows >= refused + toppages.pages.count);
        check_round_trip(&toppages.pages, &arena);
    } else {
        MUST_HOLD((result == STATUS_INVALID || result == STATUS_TOO_LARGE) && why &&
                  toppages.pages.count == 0);
    }
    arena_release(&arena);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    parse("", data, len_bytes, "");
    parse("{\"pages\":[{\"stats\":{\"people\":1},\"path\":", data, len_bytes, "}]}");
    parse("[{\"visitors\":1,\"path\":\"/\",\"i\":", data, len_bytes, "}]");
    return 0;
}
