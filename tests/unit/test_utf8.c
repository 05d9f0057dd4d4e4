#include "unit.h"

#include "base/utf8.h"

static void test_valid(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len_bytes;
        bool is_valid;
    } cases[] = {
        {"nothing", BYTES(""), true},
        {"ASCII", BYTES("hello, world: more than eight bytes"), true},
        {"controls", BYTES("\x01\x1f\x7f\t\r\n"), true},
        {"first of two bytes", BYTES("\xc2\x80"), true},
        {"last of two bytes", BYTES("\xdf\xbf"), true},
        {"first of three bytes", BYTES("\xe0\xa0\x80"), true},
        {"last before the surrogates", BYTES("\xed\x9f\xbf"), true},
        {"first after the surrogates", BYTES("\xee\x80\x80"), true},
        {"last of three bytes", BYTES("\xef\xbf\xbf"), true},
        {"first of four bytes", BYTES("\xf0\x90\x80\x80"), true},
        {"last of all", BYTES("\xf4\x8f\xbf\xbf"), true},
        {"byte-order mark", BYTES("\xef\xbb\xbf{}"), true},
        {"right-to-left mark", BYTES("\xe2\x80\x8f"), true},
        {"NUL", BYTES("\0"), false},
        {"NUL in the first word", BYTES("abc\0efgh"), false},
        {"NUL in the second word", BYTES("abcdefghijk\0mnop"), false},
        {"NUL at the end", BYTES("abcdefgh\0"), false},
        {"NUL after a byte of 1", BYTES("\x01\0aaaaaa"), false},
        {"a lone follower", BYTES("\x80"), false},
        {"two bytes, overlong", BYTES("\xc0\x80"), false},
        {"two bytes, overlong still", BYTES("\xc1\xbf"), false},
        {"three bytes, overlong", BYTES("\xe0\x9f\xbf"), false},
        {"four bytes, overlong", BYTES("\xf0\x8f\xbf\xbf"), false},
        {"first surrogate", BYTES("\xed\xa0\x80"), false},
        {"last surrogate", BYTES("\xed\xbf\xbf"), false},
        {"above the last", BYTES("\xf4\x90\x80\x80"), false},
        {"five bytes", BYTES("\xf8\x88\x80\x80\x80"), false},
        {"0xff", BYTES("\xff"), false},
        {"0xff among ASCII", BYTES("abcdefgh\xffijklmnop"), false},
        {"two bytes, cut", BYTES("\xc3"), false},
        {"three bytes, cut", BYTES("\xe2\x80"), false},
        {"four bytes, cut", BYTES("\xf0\x9f\x98"), false},
        {"cut by ASCII",
         BYTES("\xe2\x80"
               "a"),
         false},
        {"Latin-1", BYTES("caf\xe9 au lait"), false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].name, utf8_valid(cases[i].bytes, cases[i].len_bytes), cases[i].is_valid);
}

/* Wherever it stands among plain bytes, so that the fast path over eight of them is tried at each place. */
static void test_a_bad_byte_anywhere(void **state)
{
    (void)state;
    for (size_t at = 0; at < 40; at++) {
        char text[40];
        memset(text, 'a', sizeof text);
        text[at] = '\0';
        assert_false(utf8_valid(text, sizeof text));
        text[at] = '\x80';
        assert_false(utf8_valid(text, sizeof text));
        text[at] = '\x01';
        assert_true(utf8_valid(text, sizeof text));
        text[at] = '\x7f';
        assert_true(utf8_valid(text, sizeof text));
    }
}

/* Every code point, encoded by hand. */
static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 1; code <= 0x10ffff; code++) {
        char text[4];
        size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
        for (size_t i = len - 1; i > 0; i--)
            text[i] = (char)(0x80 | ((code >> (6 * (len - 1 - i))) & 0x3f));
        text[0] = (char)(leads[len] | (code >> (6 * (len - 1))));
        bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
        if (utf8_valid(text, len) == is_surrogate)
            fail_msg("U+%04X", code);
    }
}

#define FFFD "\xef\xbf\xbd"

static void test_mend(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t len_bytes;
        const char *mended; /* NULL: as it is */
    } cases[] = {
        {BYTES(""), NULL},
        {BYTES("plain, and long enough for words"), NULL},
        {BYTES("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), NULL},
        {BYTES("\\\"\\\\\\/\\b\\f\\n\\r\\t"), NULL},
        {BYTES("\\u0041\\u00E9\\ud83d\\uDE00\\uD7FF\\ue000\\uffff"), NULL},
        {BYTES("\\\\u0000"), NULL},
        {BYTES("\\\\ud83d"), NULL},
        {BYTES("\x01\x1f\t\n"), NULL},
        {BYTES("a\0b"), "a" FFFD "b"},
        {BYTES("\0"), FFFD},
        {BYTES("a\\u0000b"), "a" FFFD "b"},
        {BYTES("\\\\\\u0000"), "\\\\" FFFD},
        {BYTES("\\u00000"), FFFD "0"},
        {BYTES("What a goal \\ud83d"), "What a goal " FFFD},
        {BYTES("\\ud83dx"), FFFD "x"},
        {BYTES("\\ude00"), FFFD},
        {BYTES("\\ude00\\ud83d"), FFFD FFFD},
        {BYTES("\\ud83d\\ud83d\\ude00"), FFFD "\\ud83d\\ude00"},
        {BYTES("\\ud83d\\u0041"), FFFD "\\u0041"},
        {BYTES("\\ud83d\\n"), FFFD "\\n"},
        {BYTES("\\ud83d\\u0000"), FFFD FFFD},
        {BYTES("\\ud83d\xed\xb8\x80"), FFFD FFFD FFFD FFFD},
        {BYTES("\\ud8"), FFFD},
        {BYTES("\\u"), FFFD},
        {BYTES("\\u12g4"), FFFD "g4"},
        {BYTES("\\q\\x41"), FFFD "q" FFFD "x41"},
        {BYTES("\\\0"), FFFD FFFD},
        {BYTES("\\\xff"), FFFD FFFD},
        {BYTES("caf\xe9 au lait"), "caf" FFFD " au lait"},
        {BYTES("\xff\xfe"), FFFD FFFD},
        {BYTES("\x80\x80"), FFFD FFFD},
        {BYTES("\xc0\x80"), FFFD FFFD},
        {BYTES("\xed\xa0\xbd"), FFFD FFFD FFFD},
        {BYTES("\xe2\x82"), FFFD},
        {BYTES("\xe2\x82x"), FFFD "x"},
        {BYTES("\xf0\x9f\x98"), FFFD},
        {BYTES("\xf0\x9f\x98\xc3\xa9"), FFFD "\xc3\xa9"},
        {BYTES("\xf4\x90\x80\x80"), FFFD FFFD FFFD FFFD},
        {BYTES("\xc3\xc3\xa9"), FFFD "\xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        const char *wanted = cases[i].mended ? cases[i].mended : cases[i].json;
        bool is_broken = utf8_mend_json(&out, cases[i].json, cases[i].len_bytes);
        assert_case_bytes(cases[i].json, out.data ? out.data : "", out.len_bytes, wanted);
        assert_case_int(cases[i].json, is_broken, cases[i].mended != NULL);
        buffer_release(&out);
    }
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max_bytes;
        size_t cut_bytes;
    } cases[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"abc", 9, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"\xc3\xa9", 2, 2},
        {"\xc3\xa9", 1, 0},
        {"a\xe2\x82\xac", 3, 1},
        {"a\xe2\x82\xac", 4, 4},
        {"\xf0\x9f\x98\x80x", 4, 4},
        {"\xf0\x9f\x98\x80x", 3, 0},
        {"\xf0\x9f\x98\x80\xc3\xa9", 5, 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_case_int(cases[i].text, utf8_cut(cases[i].text, strlen(cases[i].text), cases[i].max_bytes),
                        cases[i].cut_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_a_bad_byte_anywhere),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_mend),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
