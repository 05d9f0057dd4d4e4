#include "unit.h"

#include "db/array_decode.h"

/* An int4[] in binary form: dimensions, nulls, type, length, first index, then length and number of each. */
#define HEAD "\0\0\0\1\0\0\0\0\0\0\0\27"
#define TWO  HEAD "\0\0\0\2\0\0\0\1"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len_bytes;
        enum status result;
        size_t count;
        int32_t first, last;
    } cases[] = {
        {"empty", BYTES("\0\0\0\0\0\0\0\0\0\0\0\27"), STATUS_OK, 0, 0, 0},
        {"two", BYTES(TWO "\0\0\0\4\0\0\1\0\0\0\0\4\377\377\377\377"), STATUS_OK, 2, 256, -1},
        {"short ones", BYTES(TWO "\0\0\0\2\0\5\0\0\0\2\377\376"), STATUS_OK, 2, 5, -2},
        {"a null", BYTES(TWO "\0\0\0\4\0\0\1\0\377\377\377\377"), STATUS_INVALID, 0, 0, 0},
        {"eight bytes", BYTES(TWO "\0\0\0\10\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\1"), STATUS_INVALID, 0, 0, 0},
        {"cut short", BYTES(TWO "\0\0\0\4\0\0\1\0\0\0\0\4\377"), STATUS_INVALID, 0, 0, 0},
        {"more than there are", BYTES(HEAD "\177\377\377\377\0\0\0\1"), STATUS_INVALID, 0, 0, 0},
        {"two dimensions", BYTES("\0\0\0\2\0\0\0\0\0\0\0\27\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"), STATUS_INVALID,
         0, 0, 0},
        {"nothing", NULL, 0, STATUS_INVALID, 0, 0, 0},
        {"half a head", BYTES("\0\0\0\1"), STATUS_INVALID, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int32_t *items = NULL;
        size_t count = 0;
        assert_case_int(cases[i].name,
                        array_numbers(cases[i].bytes, cases[i].len_bytes, &arena, &items, &count),
                        cases[i].result);
        assert_case_int(cases[i].name, count, cases[i].count);
        if (count > 0) {
            assert_case_int(cases[i].name, items[0], cases[i].first);
            assert_case_int(cases[i].name, items[count - 1], cases[i].last);
        }
    }
}

static void test_planes(void **state)
{
    (void)state;
    static const unsigned char low[] = {44, 2, 0};
    static const unsigned char high[] = {1};
    static const unsigned char top[] = {128};
    int32_t counts[3];
    struct byte_span planes[] = {{low, 3}, {high, 1}, {high, 0}, {top, 1}};
    assert_int_equal(array_unpack(planes, 2, 3, counts), STATUS_OK);
    assert_int_equal(counts[0], 300);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[2], 0);
    assert_int_equal(array_unpack(planes, 1, 2, counts), STATUS_INVALID);
    assert_int_equal(array_unpack(planes, 0, 0, counts), STATUS_INVALID);
    assert_int_equal(array_unpack(planes, 4, 3, counts), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_planes),
    };
    return cmocka_run_group_tests_name("arrays", tests, set_up, tear_down);
}
