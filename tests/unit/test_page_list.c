#include "unit.h"

#include "pages/page_list.h"

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

static struct page page(uint32_t visitors, const char *path, const char *title)
{
    return (struct page){.path = path,
                         .path_bytes = (uint32_t)strlen(path),
                         .title = title,
                         .title_bytes = (uint32_t)strlen(title),
                         .visitors = visitors};
}

static void test_encode(void **state)
{
    (void)state;
    struct page items[] = {
        page(40, "/", "Front"),
        page(0, "/a\tb", "two\nlines\r"),
        page(2147483647, "/\\t", "\\"),
        page(1, "", ""),
    };
    struct buffer out;
    buffer_init(&out, PAGES_TEXT_MAX_BYTES);
    pages_encode(&(struct page_list){items, COUNT(items)}, &out);
    assert_string_equal(out.data, "40\t/\tFront\n"
                                  "0\t/a\\tb\ttwo\\nlines\\r\n"
                                  "2147483647\t/\\\\t\t\\\\\n"
                                  "1\t\t\n");
    buffer_release(&out);
}

static void test_decode_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        {"", true},
        {"1\t/\tx\n", true},
        {"0\t\t\n", true},
        {"1\t/\tx\n2\t/y\tz\n", true},
        {"1\t/\tx", false},
        {"\n", false},
        {"1\n", false},
        {"1\t/\n", false},
        {"\t/\tx\n", false},
        {"-1\t/\tx\n", false},
        {"+1\t/\tx\n", false},
        {" 1\t/\tx\n", false},
        {"1.5\t/\tx\n", false},
        {"x\t/\tx\n", false},
        {"2147483647\t/\tx\n", true},
        {"2147483648\t/\tx\n", false},
        {"99999999999999999999999\t/\tx\n", false},
        {"007\t/\tx\n", true},
        {"1\t/\\\tx\n", false},
        {"1\t/\tx\\\n", false},
        {"1\t/\\q\tx\n", false},
        {"1\t/\tx\\0\n", false},
        {"1\t/\tx\\N\n", false},
        {"1\t/\\\\\tx\n", true},
        {"1\t/\tx\n\n", false},
        {"1\t/\tx\n2\n", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[100];
        struct page_list list = {NULL, 77};
        snprintf(text, sizeof text, "%s", cases[i].text);
        assert_case_int(cases[i].text, pages_decode(text, strlen(text), &arena, &list),
                        cases[i].is_valid ? STATUS_OK : STATUS_INVALID);
        assert_case(cases[i].text, cases[i].is_valid || list.count == 77);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void test_round_trip(void **state)
{
    (void)state;
    enum { PAGES = 50, BYTES_EACH = 40 };
    uint32_t seed = 1;
    for (int round = 0; round < 500; round++) {
        static char texts[PAGES * 2][BYTES_EACH];
        struct page items[PAGES];
        for (size_t i = 0; i < PAGES * 2; i++) {
            for (size_t at = 0; at < BYTES_EACH; at++)
                texts[i][at] = "\\\t\n\rtnab/\x01\xc3\xa9"[next_random(&seed) % 12];
        }
        for (size_t i = 0; i < PAGES; i++)
            items[i] = (struct page){.path = texts[i],
                                     .path_bytes = next_random(&seed) % BYTES_EACH,
                                     .title = texts[PAGES + i],
                                     .title_bytes = next_random(&seed) % BYTES_EACH,
                                     .visitors = next_random(&seed)};
        struct buffer out;
        struct page_list list = {0};
        buffer_init(&out, PAGES_TEXT_MAX_BYTES);
        pages_encode(&(struct page_list){items, PAGES}, &out);
        assert_int_equal(pages_decode(out.data, out.len_bytes, &arena, &list), STATUS_OK);
        assert_int_equal(list.count, PAGES);
        for (size_t i = 0; i < PAGES; i++) {
            assert_int_equal(list.items[i].visitors, items[i].visitors);
            assert_int_equal(pages_compare_path(&list.items[i], &items[i]), 0);
            assert_int_equal(list.items[i].title_bytes, items[i].title_bytes);
            assert_memory_equal(list.items[i].title, items[i].title, items[i].title_bytes);
            assert_int_equal(list.items[i].sections_bytes, 0);
            assert_int_equal(list.items[i].sources[SOURCE_INTERNAL], 0);
        }
        buffer_release(&out);
        arena_clear(&arena);
    }
}

static void test_decode_without_memory(void **state)
{
    (void)state;
    struct arena none;
    struct page_list list = {NULL, 77};
    char text[] = "1\t/\tx\n";
    arena_init(&none, 10);
    assert_int_equal(pages_decode(text, strlen(text), &none, &list), STATUS_NO_MEMORY);
    assert_int_equal(list.count, 77);
}

static void test_compare_path(void **state)
{
    (void)state;
    static const char *const ordered[] = {"", "/", "/A", "/a", "/a/", "/aa", "/b", "/\xc3\xa9"};
    for (size_t i = 0; i < COUNT(ordered); i++) {
        for (size_t j = 0; j < COUNT(ordered); j++) {
            struct page a = page(1, ordered[i], "");
            struct page b = page(1, ordered[j], "");
            int order = pages_compare_path(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void test_merge(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct {
            uint32_t visitors;
            const char *path, *title;
        } rows[5];
        const char *merged; /* as compact text */
    } cases[] = {
        {"no row", {{0}}, ""},
        {"one row", {{1, "/", "a"}}, "1\t/\ta\n"},
        {"by visitors", {{1, "/a", ""}, {3, "/b", ""}, {2, "/c", ""}}, "3\t/b\t\n2\t/c\t\n1\t/a\t\n"},
        {"ties by path", {{1, "/b", ""}, {1, "/a", ""}, {1, "/B", ""}}, "1\t/B\t\n1\t/a\t\n1\t/b\t\n"},
        {"added up, the larger row's title", {{2, "/a", "two"}, {5, "/a", "five"}}, "7\t/a\tfive\n"},
        {"added up, the larger row first", {{5, "/a", "five"}, {2, "/a", "two"}}, "7\t/a\tfive\n"},
        {"equal rows: the first title", {{2, "/a", "x"}, {2, "/a", "y"}}, "4\t/a\tx\n"},
        {"the largest row, not the largest sum so far",
         {{3, "/a", "x"}, {3, "/a", "y"}, {5, "/a", "z"}},
         "11\t/a\tz\n"},
        {"the sum decides the order", {{4, "/b", ""}, {3, "/a", ""}, {3, "/a", ""}}, "6\t/a\t\n4\t/b\t\n"},
        {"sums are capped",
         {{2147483647, "/a", ""}, {1, "/a", ""}, {2147483647, "/a", ""}},
         "2147483647\t/a\t\n"},
        {"nobody there", {{0, "/a", "x"}, {0, "/a", "y"}}, "0\t/a\tx\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct page items[5];
        struct page_list list = {items, 0};
        struct buffer out;
        for (size_t at = 0; at < 5 && cases[i].rows[at].path; at++)
            items[list.count++] =
                page(cases[i].rows[at].visitors, cases[i].rows[at].path, cases[i].rows[at].title);
        buffer_init(&out, 1000);
        assert_case_int(cases[i].name, pages_merge(&list, &arena), STATUS_OK);
        pages_encode(&list, &out);
        assert_case_text(cases[i].name, out.data ? out.data : "", cases[i].merged);
        buffer_release(&out);
    }
}

static void test_merge_of_sections_and_sources(void **state)
{
    (void)state;
    struct page items[] = {page(2, "/a", "small"), page(5, "/a", "large")};
    items[0].sections = "sport";
    items[0].sections_bytes = 5;
    items[1].sections = "news";
    items[1].sections_bytes = 4;
    for (uint32_t i = 0; i < PAGE_SOURCES; i++) {
        items[0].sources[i] = i;
        items[1].sources[i] = 10;
    }
    items[1].sources[SOURCE_LINKS] = 2147483647;
    struct page_list list = {items, 2};
    assert_int_equal(pages_merge(&list, &arena), STATUS_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].sections_bytes, 4);
    assert_memory_equal(list.items[0].sections, "news", 4);
    assert_int_equal(list.items[0].sources[SOURCE_SEARCH], 10);
    assert_int_equal(list.items[0].sources[SOURCE_SOCIAL], 11);
    assert_int_equal(list.items[0].sources[SOURCE_LINKS], 2147483647);
    assert_int_equal(list.items[0].sources[SOURCE_INTERNAL], 14);
}

static void test_merge_without_memory(void **state)
{
    (void)state;
    struct page items[] = {page(1, "/b", ""), page(2, "/a", "")};
    struct page_list list = {items, 2};
    struct arena none;
    arena_init(&none, 0);
    assert_int_equal(pages_merge(&list, &none), STATUS_NO_MEMORY);
    assert_ptr_equal(list.items, items);
    assert_int_equal(list.items[0].visitors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode_refuses),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_decode_without_memory),
        cmocka_unit_test(test_compare_path),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_of_sections_and_sources),
        cmocka_unit_test(test_merge_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
