#include "unit.h"

#include "base/buffer.h"

static void test_nothing_appended(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    assert_null(buffer.data);
    assert_int_equal(buffer.len_bytes, 0);
    assert_int_equal(buffer.status, STATUS_OK);
    buffer_release(&buffer);
    buffer_release(&buffer);
}

static void test_appends(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_append(&buffer, "abc", 2);
    buffer_append_text(&buffer, "-text");
    buffer_append_char(&buffer, '.');
    buffer_append_int(&buffer, -42);
    buffer_append_format(&buffer, "[%s %d]", "x", 7);
    buffer_append(&buffer, NULL, 0);
    buffer_append_text(&buffer, "");
    assert_string_equal(buffer.data, "ab-text.-42[x 7]");
    assert_int_equal(buffer.len_bytes, strlen(buffer.data));
    buffer_append(&buffer, "\0z", 2);
    assert_int_equal(buffer.len_bytes, strlen("ab-text.-42[x 7]") + 2);
    assert_int_equal(buffer.data[buffer.len_bytes], '\0');
    buffer_release(&buffer);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {2147483647, "2147483647"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer buffer;
        buffer_init(&buffer, 100);
        buffer_append_int(&buffer, cases[i].number);
        assert_case_text(cases[i].text, buffer.data, cases[i].text);
        buffer_release(&buffer);
    }
}

static void test_the_maximum_is_reached_exactly(void **state)
{
    (void)state;
    static const size_t maxima[] = {0, 1, 7, 1023, 1024, 1025, 5000};
    for (size_t i = 0; i < COUNT(maxima); i++) {
        struct buffer buffer;
        buffer_init(&buffer, maxima[i]);
        for (size_t at = 0; at < maxima[i]; at++)
            buffer_append_char(&buffer, 'x');
        assert_int_equal(buffer.status, STATUS_OK);
        buffer_append(&buffer, "", 0);
        assert_int_equal(buffer.status, STATUS_OK);
        buffer_append_char(&buffer, 'x');
        assert_int_equal(buffer.status, STATUS_TOO_LARGE);
        assert_int_equal(buffer.len_bytes, maxima[i]);
        buffer_release(&buffer);
    }
}

static void test_a_failed_append_adds_nothing_and_stays(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 5);
    buffer_append_text(&buffer, "abc");
    buffer_append_text(&buffer, "defgh");
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    buffer_append_text(&buffer, "d");
    buffer_append_char(&buffer, 'd');
    buffer_append_int(&buffer, 1);
    buffer_append_format(&buffer, "%d", 1);
    assert_null(buffer_reserve(&buffer, 1));
    assert_string_equal(buffer.data, "abc");
    buffer_clear(&buffer, 100000);
    assert_int_equal(buffer.status, STATUS_OK);
    buffer_append_text(&buffer, "12345");
    assert_string_equal(buffer.data, "12345");
    buffer_release(&buffer);
}

static void test_a_huge_length_does_not_wrap(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_append_char(&buffer, 'a');
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    buffer_release(&buffer);
}

static void test_format_over_the_maximum(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 5);
    buffer_append_format(&buffer, "%05d", 1);
    assert_string_equal(buffer.data, "00001");
    buffer_clear(&buffer, 100000);
    buffer_append_format(&buffer, "%06d", 1);
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    assert_int_equal(buffer.len_bytes, 0);
    buffer_release(&buffer);
}

static void test_reserve_and_commit(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 5000);
    char *to = buffer_reserve(&buffer, 4000);
    assert_non_null(to);
    memset(to, 'r', 4000);
    buffer_commit(&buffer, 3);
    assert_string_equal(buffer.data, "rrr");
    assert_int_equal(buffer.len_bytes, 3);
    buffer_release(&buffer);
}

static void test_clear_gives_large_storage_back(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100000);
    buffer_append_text(&buffer, "x");
    buffer_clear(&buffer, 4096);
    assert_true(buffer.capacity_bytes > 0);
    for (int i = 0; i < 10000; i++)
        buffer_append_char(&buffer, 'x');
    buffer_clear(&buffer, 4096);
    assert_int_equal(buffer.capacity_bytes, 0);
    assert_null(buffer.data);
    assert_int_equal(buffer.max_bytes, 100000);
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_appended),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_maximum_is_reached_exactly),
        cmocka_unit_test(test_a_failed_append_adds_nothing_and_stays),
        cmocka_unit_test(test_a_huge_length_does_not_wrap),
        cmocka_unit_test(test_format_over_the_maximum),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_clear_gives_large_storage_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
