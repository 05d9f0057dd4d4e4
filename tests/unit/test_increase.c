#include "unit.h"

#include "pages/increase.h"

enum { ROWS = 6 };

struct row {
    uint32_t visitors;
    const char *path;
};

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct page_list list_of(const struct row *rows, struct page *items)
{
    size_t count = 0;
    for (; count < ROWS && rows[count].path; count++)
        items[count] = (struct page){.path = rows[count].path,
                                     .path_bytes = (uint32_t)strlen(rows[count].path),
                                     .title = "",
                                     .visitors = rows[count].visitors};
    return (struct page_list){items, count};
}

static const char *flat(const struct increase_list *list)
{
    static char text[1000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s %u +%u;",
                                (int)list->items[i].page->path_bytes, list->items[i].page->path,
                                list->items[i].page->visitors, list->items[i].change);
    return text;
}

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct row previous[ROWS], newest[ROWS];
        const char *flat;
    } cases[] = {
        {"nothing at all", {{0}}, {{0}}, ""},
        {"no history", {{0}}, {{5, "/"}}, ""},
        {"nothing now", {{5, "/"}}, {{0}}, ""},
        {"more", {{5, "/"}}, {{6, "/"}}, "/ 6 +1;"},
        {"the same", {{5, "/"}}, {{5, "/"}}, ""},
        {"fewer", {{5, "/"}}, {{4, "/"}}, ""},
        {"from nobody", {{0, "/"}}, {{1, "/"}}, "/ 1 +1;"},
        {"to nobody", {{1, "/"}}, {{0, "/"}}, ""},
        {"a new page is left out", {{5, "/"}}, {{6, "/"}, {100, "/new"}}, "/ 6 +1;"},
        {"a vanished page is left out", {{5, "/"}, {9, "/gone"}}, {{6, "/"}}, "/ 6 +1;"},
        {"by change",
         {{10, "/a"}, {10, "/b"}, {10, "/c"}},
         {{11, "/a"}, {13, "/b"}, {12, "/c"}},
         "/b 13 +3;/c 12 +2;/a 11 +1;"},
        {"same change: by visitors",
         {{10, "/a"}, {30, "/b"}, {20, "/c"}},
         {{11, "/a"}, {31, "/b"}, {21, "/c"}},
         "/b 31 +1;/c 21 +1;/a 11 +1;"},
        {"same change and visitors: by path",
         {{1, "/b"}, {1, "/a"}, {1, "/B"}, {1, "/a/"}, {1, "/\xc3\xa9"}},
         {{2, "/\xc3\xa9"}, {2, "/b"}, {2, "/a"}, {2, "/a/"}, {2, "/B"}},
         "/B 2 +1;/a 2 +1;/a/ 2 +1;/b 2 +1;/\xc3\xa9 2 +1;"},
        {"change comes before visitors",
         {{1000, "/a"}, {1, "/b"}},
         {{1001, "/a"}, {3, "/b"}},
         "/b 3 +2;/a 1001 +1;"},
        {"as large as it gets", {{0, "/a"}}, {{2147483647, "/a"}}, "/a 2147483647 +2147483647;"},
        {"paths differ in case", {{1, "/A"}}, {{2, "/a"}}, ""},
        {"paths differ in their end", {{1, "/a"}}, {{2, "/a/"}}, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct page before[ROWS];
        struct page now[ROWS];
        struct page_list previous = list_of(cases[i].previous, before);
        struct page_list newest = list_of(cases[i].newest, now);
        struct increase_list list = {0};
        assert_case_int(cases[i].name, increase_between(&previous, &newest, &arena, &list), STATUS_OK);
        assert_case_text(cases[i].name, flat(&list), cases[i].flat);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Paths 0 to 199, each with a chance of two in three to be there, shuffled. */
static size_t random_list(struct page *items, char (*paths)[8], uint32_t *seed)
{
    size_t count = 0;
    for (size_t i = 0; i < 200; i++) {
        if (next_random(seed) % 3 == 0)
            continue;
        items[count++] = (struct page){.path = paths[i],
                                       .path_bytes = (uint32_t)strlen(paths[i]),
                                       .title = "",
                                       .visitors = next_random(seed) % 12};
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = next_random(seed) % i;
        struct page page = items[other];
        items[other] = items[i - 1];
        items[i - 1] = page;
    }
    return count;
}

static bool comes_before(const struct increase *a, const struct increase *b)
{
    if (a->change != b->change)
        return a->change > b->change;
    if (a->page->visitors != b->page->visitors)
        return a->page->visitors > b->page->visitors;
    return strcmp(a->page->path, b->page->path) < 0;
}

/* Every pair compared, then the first of the rest taken, again and again. */
static size_t naive(const struct page_list *previous, const struct page_list *newest, struct increase *items)
{
    size_t count = 0;
    for (size_t i = 0; i < newest->count; i++) {
        for (size_t j = 0; j < previous->count; j++) {
            if (strcmp(newest->items[i].path, previous->items[j].path) == 0 &&
                newest->items[i].visitors > previous->items[j].visitors)
                items[count++] = (struct increase){&newest->items[i],
                                                   newest->items[i].visitors - previous->items[j].visitors};
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (comes_before(&items[j], &items[i])) {
                struct increase item = items[i];
                items[i] = items[j];
                items[j] = item;
            }
        }
    }
    return count;
}

static void test_against_a_naive_reference(void **state)
{
    (void)state;
    static char paths[200][8];
    static struct page before[200];
    static struct page now[200];
    static struct increase wanted[200];
    uint32_t seed = 7;
    for (size_t i = 0; i < 200; i++)
        snprintf(paths[i], sizeof paths[i], "/%zu", i);
    for (int round = 0; round < 300; round++) {
        struct page_list previous = {before, random_list(before, paths, &seed)};
        struct page_list newest = {now, random_list(now, paths, &seed)};
        struct increase_list list = {0};
        size_t count = naive(&previous, &newest, wanted);
        assert_int_equal(increase_between(&previous, &newest, &arena, &list), STATUS_OK);
        assert_int_equal(list.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_ptr_equal(list.items[i].page, wanted[i].page);
            assert_int_equal(list.items[i].change, wanted[i].change);
        }
        arena_clear(&arena);
    }
}

static void test_without_memory(void **state)
{
    (void)state;
    static const struct row rows[ROWS] = {{1, "/"}};
    struct page items[ROWS];
    struct page_list pages = list_of(rows, items);
    struct increase_list list = {NULL, 77};
    struct arena none;
    arena_init(&none, 0);
    assert_int_equal(increase_between(&pages, &pages, &none, &list), STATUS_NO_MEMORY);
    assert_int_equal(list.count, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_against_a_naive_reference),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
