#include "unit.h"

#include "base/arena.h"

static void test_alloc_is_aligned_and_disjoint(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *before = NULL;
    for (size_t len = 0; len < 300; len++) {
        char *at = arena_alloc(&arena, len);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        memset(at, 0xaa, len);
        assert_true(at != before || len == 1);
        before = at;
    }
    arena_release(&arena);
}

static void test_maximum_holds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t max_bytes;
        size_t len_bytes;
        bool is_given;
    } cases[] = {
        {"a small one takes a whole block", 64 * 1024, 1, true},
        {"no room for a block", 64 * 1024 - 1, 1, false},
        {"exactly the maximum", 1 << 20, 1 << 20, true},
        {"a byte more", 1 << 20, (1 << 20) + 1, false},
        {"all there is", 1 << 20, SIZE_MAX, false},
        {"nearly all there is", SIZE_MAX, SIZE_MAX - 4, false},
        {"nothing allowed", 0, 1, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        arena_init(&arena, cases[i].max_bytes);
        assert_case(cases[i].name, (arena_alloc(&arena, cases[i].len_bytes) != NULL) == cases[i].is_given);
        assert_case(cases[i].name, arena.total_bytes <= cases[i].max_bytes);
        arena_release(&arena);
    }
}

static void test_maximum_counts_all_blocks(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 256 * 1024);
    int given = 0;
    while (arena_alloc(&arena, 64 * 1024))
        given++;
    assert_int_equal(given, 4);
    assert_int_equal(arena.total_bytes, 256 * 1024);
    arena_release(&arena);
    assert_int_equal(arena.total_bytes, 0);
    assert_non_null(arena_alloc(&arena, 64 * 1024));
    arena_release(&arena);
}

static void test_clear_keeps_one_block(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *first = arena_alloc(&arena, 100);
    for (int i = 0; i < 5; i++)
        assert_non_null(arena_alloc(&arena, 50 * 1024));
    arena_clear(&arena);
    assert_int_equal(arena.total_bytes, 64 * 1024);
    assert_int_equal(arena.used_bytes, 0);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_release(&arena);
}

static void test_clear_gives_a_huge_block_back(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_non_null(arena_alloc(&arena, 500 * 1024));
    arena_clear(&arena);
    assert_int_equal(arena.total_bytes, 0);
    assert_null(arena.blocks);
    arena_clear(&arena);
    arena_release(&arena);
}

static void test_copy_ends_in_nul(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_string_equal(arena_copy(&arena, "hello, world", 5), "hello");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b\0", 4);
    arena_release(&arena);
    arena_init(&arena, 0);
    assert_null(arena_copy(&arena, "a", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_is_aligned_and_disjoint), cmocka_unit_test(test_maximum_holds),
        cmocka_unit_test(test_maximum_counts_all_blocks),     cmocka_unit_test(test_clear_keeps_one_block),
        cmocka_unit_test(test_clear_gives_a_huge_block_back), cmocka_unit_test(test_copy_ends_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
