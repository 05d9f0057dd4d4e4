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
        /* Cut short anywhere it is none; but for numbers and words, which are then shorter ones. */
        bool is_token = !strchr("\"[{", whole[i][0]);
        for (size_t cut = 0; cut < len && !is_token; cut++)
            assert_case_int(whole[i], skipped(whole[i], cut), -1);
    }
}

/* In place of numbers and words may stand what other languages write; in strings anything. */
static void test_leaves_that_are_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "NaN",          "-NaN",         "nan",     "Infinity",  "-Infinity",   "+Infinity",    "inf",
        "1e999",        "01",           "-01",     "+1",        ".5",          "-.5",          "1.",
        "1.e3",         "1e",           "1e+",     "-",         "0x10",        "1_000",        "True",
        "undefined",    "None",         "nul",     "nulL",      "nan(ind)",    "1.#INF",       "-a",
        "\xef\xbf\xbd", "\xe2\x88\x9e", "\"\\q\"", "\"\\u12\"", "\"\\u12g4\"", "\"\xff\xfe\"", "\"\x01\"",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[80];
        size_t len = strlen(cases[i]);
        assert_case_int(cases[i], skipped(cases[i], len), len);
        snprintf(text, sizeof text, "[1,%s , %s]", cases[i], cases[i]);
        assert_case_int(text, skipped(text, strlen(text)), strlen(text));
        snprintf(text, sizeof text, "{\"a\":%s,\"b\":%s}", cases[i], cases[i]);
        assert_case_int(text, skipped(text, strlen(text)), strlen(text));
    }
    assert_int_equal(skipped("\"a\0b\"", 5), 5);
    assert_int_equal(skipped("\"\\\0\"", 4), 4);
}

static void test_what_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "'a'",
        "\"",
        "\"a",
        "\"\\",
        "\"a\\\"",
        "\"\\u",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{1:2}",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
        "{,}",
        "[{]}",
        "[[1]",
        "{\"a\":[}",
        "[<b>]",
        "[1,2,NaN",
        "[NaN NaN]",
        "{\"a\":new Date(1)}",
        "[- 5]",
        "[\x01]",
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i], skipped(cases[i], strlen(cases[i])), -1);
    assert_int_equal(skipped("\0", 1), -1);
    assert_int_equal(skipped("[1,\0]", 5), -1);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const good[] = {"0",     "-0",  "7",    "10",     "1.5",
                                       "-0.25", "1e3", "1E+3", "1.5e-3", "1e999"};
    static const char *const bad[] = {"",   "01", "+1", ".5", "1.",   "1e",    "1e+", "-",    "0x10", "NaN",
                                      "-a", "1 ", " 1", "1,", "null", "\"1\"", "1_0", "1.e3", "--1"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_case(good[i], json_is_number(good[i], good[i] + strlen(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_case(bad[i], !json_is_number(bad[i], bad[i] + strlen(bad[i])));
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len_bytes;
        bool is_pages;
    } cases[] = {
        {BYTES("pages"), true},
        {BYTES("p\\u0061ges"), true},
        {BYTES("\\u0070\\u0061\\u0067\\u0065\\u0073"), true},
        {BYTES("page"), false},
        {BYTES("pagess"), false},
        {BYTES("Pages"), false},
        {BYTES("pages\0"), false},
        {BYTES("pages\\u0000"), false},
        {BYTES("p\\u0062ges"), false},
        {BYTES("p\\u006"), false},
        {BYTES("p\\nges"), false},
        {BYTES(""), false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].name, json_is_name("pages", cases[i].name, cases[i].len_bytes),
                        cases[i].is_pages);
    assert_true(json_is_name("o", "\\u006F", 6) && json_is_name("o", "\\u006f", 6));
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
        cmocka_unit_test(test_values),       cmocka_unit_test(test_leaves_that_are_none),
        cmocka_unit_test(test_what_is_none), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
