#include "unit.h"

#include "upstream/json_scan.h"

#include <stdlib.h>

/* In memory of exactly its size, so that a sanitizer sees a step beyond it. Bytes of the value; -1: none. */
static long skipped(const char *text, size_t len_bytes)
{
    char *exact = malloc(len_bytes > 0 ? len_bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, len_bytes);
    const char *end = json_skip_value(exact, exact + len_bytes);
    long len = end ? (long)(end - exact) : -1;
    free(exact);
    return len;
}

static void test_values(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-7",
        "10",
        "1.5",
        "-0.25",
        "1e3",
        "1E+3",
        "1.5e-3",
        "\"\"",
        "\"a\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e4\\uD83D\\uDE00\"",
        "\"caf\xc3\xa9\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "[[],{}]",
        "[[[1]]]",
        "{\"a\":1}",
        "{ \"a\" : 1 , \"b\" : [ ] }",
        "{\"a\":{\"b\":{}}}",
        "{\"\":null}",
        "[{\"a\":[1,{\"b\":2}]},3]",
        "\"]}\"",
        "{\"}\":\"{\"}",
    };
    for (size_t i = 0; i < COUNT(whole); i++) {
        size_t len = strlen(whole[i]);
        char text[80];
        assert_case_int(whole[i], skipped(whole[i], len), len);
        snprintf(text, sizeof text, "%s,1", whole[i]);
        assert_case_int(text, skipped(text, len + 2), len);
        /* Cut short anywhere it is none; but for numbers, which are then shorter ones. */
        bool is_number = whole[i][0] == '-' || (whole[i][0] >= '0' && whole[i][0] <= '9');
        for (size_t cut = 0; cut < len && !is_number; cut++)
            assert_case_int(whole[i], skipped(whole[i], cut), -1);
    }
}

static void test_what_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",          " ",
        "nul",       "nulL",
        "True",      "NaN",
        "Infinity",  "+1",
        "-",         ".5",
        "1.",        "1.e3",
        "1e",        "1e+",
        "-a",        "'a'",
        "\"",        "\"a",
        "\"\\",      "\"\\q\"",
        "\"\\u12\"", "\"\\u12g4\"",
        "\"\\u",     "[",
        "]",         "[1",
        "[1,",       "[1,]",
        "[,1]",      "[1 2]",
        "[1}",       "{",
        "}",         "{1:2}",
        "{a:1}",     "{\"a\"}",
        "{\"a\":}",  "{\"a\":1,}",
        "{\"a\" 1}", "{\"a\":1 \"b\":2}",
        "{\"a\":1]", "{,}",
        "[{]}",      "[[1]",
        "{\"a\":[}", "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i], skipped(cases[i], strlen(cases[i])), -1);
    assert_int_equal(skipped("\0", 1), -1);
    assert_int_equal(skipped("\"\\\0\"", 4), -1);
}

static void test_depth(void **state)
{
    (void)state;
    static char text[4 * JSON_DEPTH_MAX];
    for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(skipped(text, 2 * depth), depth <= JSON_DEPTH_MAX ? 2 * (long)depth : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
